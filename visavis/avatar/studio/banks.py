"""The pictures a pack holds: which blendshapes each entry of the mouth and the eyes is rendered with.

The renderer takes the nearest entry and never mixes two, so the mouths lie densely where speech passes: the visemes'
targets of :mod:`visavis.motion.visemes` (a viseme said alone meets its own picture), the ways into and out of them, lips
closed and teeth on the lip in every width, the tongue, smiles silent and spoken, a grid over jaw, width and rounding, and
the centres of running speech in both languages.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

Weights = dict[str, float]

_PAIRED = frozenset(
    ("mouthDimple", "mouthFrown", "mouthLowerDown", "mouthPress", "mouthSmile", "mouthStretch", "mouthUpperUp",
     "eyeBlink", "eyeLookDown", "eyeLookUp", "eyeSquint", "eyeWide", "browOuterUp", "browDown", "cheekSquint")
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Entry:
    """One picture of a bank."""

    id: str
    weights: Weights


def weights(**shapes: float) -> Weights:
    """Blendshapes by name; a paired name without its side means both sides."""
    out: Weights = {}
    for name, value in shapes.items():
        for full in (f"{name}Left", f"{name}Right") if name in _PAIRED else (name,):
            if value:
                out[full] = round(value, 4)
    return out


def _scaled(source: Weights, factor: float, **extra: float) -> Weights:
    out = {name: round(value * factor, 4) for name, value in source.items()}
    for name, value in weights(**extra).items():
        out[name] = round(out.get(name, 0.0) + value, 4)
    return out


PP = weights(jawOpen=0.02, mouthClose=0.04, mouthPress=0.35, mouthRollLower=0.14, mouthRollUpper=0.1)
FF = weights(jawOpen=0.04, mouthRollLower=0.38, mouthUpperUp=0.14, mouthShrugUpper=0.08)
TH = weights(jawOpen=0.1, mouthLowerDown=0.18, mouthUpperUp=0.1, mouthStretch=0.05, tongueOut=0.24)
DD = weights(jawOpen=0.09, mouthLowerDown=0.16, mouthUpperUp=0.08, mouthStretch=0.06)
KK = weights(jawOpen=0.12, mouthLowerDown=0.14, mouthUpperUp=0.06)
NN = weights(jawOpen=0.1, mouthLowerDown=0.15, mouthUpperUp=0.06, mouthStretch=0.04, tongueOut=0.06)
CH = weights(jawOpen=0.08, mouthFunnel=0.32, mouthPucker=0.14, mouthLowerDown=0.12, mouthUpperUp=0.1)
SS = weights(jawOpen=0.04, mouthStretch=0.18, mouthSmile=0.06, mouthLowerDown=0.22, mouthUpperUp=0.12)
RR = weights(jawOpen=0.1, mouthFunnel=0.22, mouthPucker=0.15, mouthLowerDown=0.08)
AA = weights(jawOpen=0.32, mouthLowerDown=0.26, mouthUpperUp=0.14, mouthStretch=0.04)
EH = weights(jawOpen=0.2, mouthStretch=0.16, mouthLowerDown=0.24, mouthUpperUp=0.12)
IH = weights(jawOpen=0.11, mouthStretch=0.24, mouthSmile=0.12, mouthLowerDown=0.2, mouthUpperUp=0.1)
OH = weights(jawOpen=0.24, mouthFunnel=0.34, mouthPucker=0.16, mouthLowerDown=0.08)
OU = weights(jawOpen=0.11, mouthFunnel=0.26, mouthPucker=0.42)

FIRST = frozenset(
    ("base", *(f"mouth/{name}" for name in ("rest", "pp", "ff", "th", "dd", "ch", "ss", "aa", "eh", "ih", "oh", "ou")),
     *(f"eyes/{name}" for name in ("open", "blink_35", "blink_70", "blink_100")))
)  # fmt: skip
"""Enough to speak and blink with: rendered first."""


def _mouths() -> Iterator[tuple[str, Weights]]:
    yield "rest", {}
    for name, target in (
        ("pp", PP), ("ff", FF), ("th", TH), ("dd", DD), ("kk", KK), ("ch", CH), ("ss", SS), ("nn", NN), ("rr", RR),
        ("aa", AA), ("eh", EH), ("ih", IH), ("oh", OH), ("ou", OU),
    ):  # fmt: skip
        yield name, target
    for name, target, parts in (
        ("aa", AA, (0.25, 0.5, 0.75)), ("eh", EH, (0.5,)), ("ih", IH, (0.5,)), ("oh", OH, (0.33, 0.66)),
        ("ou", OU, (0.33, 0.66)), ("ch", CH, (0.5,)), ("dd", DD, (0.5,)), ("pp", PP, (0.5,)), ("ff", FF, (0.6,)),
    ):  # fmt: skip
        for part in parts:
            yield f"{name}_{round(part * 100)}", _scaled(target, part)
    yield from _contacts()
    yield from _tongues()
    yield from _smiles()
    yield from _grid()
    for name, hundredths in _CENTRES.items():
        yield name, weights(**{shape: value / 100 for shape, value in zip(_CENTRE_SHAPES, hundredths, strict=True)})


def _contacts() -> Iterator[tuple[str, Weights]]:
    """Lips that touch, and the lower lip at the teeth, among spread and among rounded vowels."""
    yield "pp_wide", _scaled(PP, 1.0, mouthSmile=0.12)
    yield "pp_round", _scaled(PP, 1.0, mouthPucker=0.2)
    yield "pp_smile", _scaled(PP, 1.0, mouthSmile=0.26)
    yield "rest_round", weights(mouthPucker=0.18)
    yield "ff_wide", _scaled(FF, 1.0, mouthSmile=0.12)
    yield "ff_round", _scaled(FF, 1.0, mouthPucker=0.18)
    yield "ff_smile", _scaled(FF, 1.0, mouthSmile=0.26)
    yield "ff_low", _scaled(FF, 1.0, jawOpen=0.05, mouthLowerDown=0.02)
    yield "ff_low_wide", _scaled(FF, 1.0, jawOpen=0.05, mouthLowerDown=0.02, mouthSmile=0.1)
    yield "ff_low_round", _scaled(FF, 1.0, jawOpen=0.05, mouthLowerDown=0.02, mouthPucker=0.16)


def _tongues() -> Iterator[tuple[str, Weights]]:
    yield "th_wide", _scaled(TH, 1.0, mouthStretch=0.1, mouthSmile=0.06)
    yield "th_round", _scaled(TH, 0.9, mouthFunnel=0.12, mouthPucker=0.1)
    yield "th_low", _scaled(TH, 1.0, jawOpen=0.07)
    yield "nn_low", _scaled(NN, 1.0, jawOpen=0.08, mouthLowerDown=0.04)
    yield "nn_round", _scaled(NN, 0.9, mouthFunnel=0.14, mouthPucker=0.12)


def _smiles() -> Iterator[tuple[str, Weights]]:
    """Silent, with closed and with parted lips, and spoken."""
    yield "smile_half", weights(mouthSmile=0.12)
    yield "smile", weights(mouthSmile=0.25)
    yield "smile_large", weights(mouthSmile=0.4)
    yield "smile_parted", weights(jawOpen=0.04, mouthSmile=0.28, mouthUpperUp=0.08, mouthLowerDown=0.08)
    yield "smile_teeth", weights(jawOpen=0.06, mouthSmile=0.4, mouthUpperUp=0.15, mouthLowerDown=0.12)
    yield "smile_open", weights(jawOpen=0.15, mouthSmile=0.42, mouthUpperUp=0.18, mouthLowerDown=0.16)
    yield "smile_dd", _scaled(DD, 1.0, mouthSmile=0.24)
    yield "smile_ss", _scaled(SS, 1.0, mouthSmile=0.2)
    yield "smile_eh", _scaled(EH, 0.9, mouthSmile=0.22)
    yield "smile_aa", _scaled(AA, 0.8, mouthSmile=0.22)
    yield "smile_oh", _scaled(OH, 0.7, mouthSmile=0.16)


def _grid() -> Iterator[tuple[str, Weights]]:
    """Corners that speech seldom reaches, for motion that comes from a camera or from sound alone."""
    for jaw in (0.05, 0.15, 0.22):
        yield f"jaw_{round(jaw * 100):02}", weights(jawOpen=jaw)
    for jaw in (0.18, 0.27):
        yield (
            f"wide_{round(jaw * 100)}",
            weights(jawOpen=jaw, mouthStretch=0.28, mouthSmile=0.1, mouthLowerDown=0.22, mouthUpperUp=0.1),
        )
    for jaw in (0.04, 0.18):
        yield f"pucker_{round(jaw * 100):02}", weights(jawOpen=jaw, mouthPucker=0.42, mouthFunnel=0.2)
    for jaw in (0.15, 0.31):
        yield f"round_{round(jaw * 100)}", weights(jawOpen=jaw, mouthFunnel=0.36, mouthPucker=0.12, mouthLowerDown=0.08)


_CENTRE_SHAPES = (
    "jawOpen", "mouthLowerDown", "mouthUpperUp", "mouthStretch", "mouthSmile", "mouthFunnel", "mouthPucker", "mouthPress",
    "mouthRollLower", "mouthRollUpper", "mouthClose", "mouthShrugUpper", "tongueOut",
)  # fmt: skip
# Where running speech passes most often between all of the above: the k-means centres of the motion layer's own tracks
# of 24 English and Mandarin sentences at four tempi, some of them said with a smile, in the features of the chooser.
# Weights in hundredths.
_CENTRES: dict[str, tuple[int, ...]] = {
    "mid_pp_sil_1": (2, 0, 0, 0, 2, 0, 9, 34, 14, 10, 4, 0, 0),
    "mid_pp_sil_2": (4, 0, 0, 0, 21, 3, 10, 31, 12, 9, 4, 0, 0),
    "mid_pp_sil_3": (7, 6, 3, 4, 3, 0, 0, 24, 10, 7, 3, 0, 0),
    "mid_pp_sil_4": (7, 3, 0, 2, 0, 12, 17, 19, 7, 5, 2, 0, 0),
    "mid_sil_ss": (3, 9, 5, 8, 3, 0, 0, 0, 0, 0, 0, 0, 0),
    "mid_ff_sil": (6, 0, 12, 0, 18, 5, 13, 0, 31, 0, 0, 6, 0),
    "mid_rr_ou_1": (6, 4, 2, 3, 2, 13, 20, 0, 0, 0, 0, 0, 0),
    "mid_rr_ou_2": (10, 9, 5, 8, 4, 18, 26, 0, 0, 0, 0, 0, 0),
    "mid_dd_ss": (7, 15, 8, 12, 6, 11, 8, 0, 0, 0, 0, 0, 0),
    "mid_dd_nn_1": (9, 7, 12, 5, 3, 3, 3, 0, 24, 0, 0, 5, 0),
    "mid_dd_nn_2": (13, 12, 10, 7, 2, 5, 3, 4, 13, 0, 0, 2, 0),
    "mid_dd_nn_3": (13, 12, 6, 6, 2, 2, 2, 15, 6, 4, 2, 0, 2),
    "mid_ih_ss_1": (9, 19, 10, 20, 9, 0, 0, 0, 0, 0, 0, 0, 0),
    "mid_ih_ss_2": (12, 19, 10, 17, 27, 3, 3, 0, 0, 0, 0, 0, 3),
    "mid_ss_dd_1": (9, 16, 8, 18, 8, 0, 0, 2, 2, 0, 0, 0, 0),
    "mid_ss_dd_2": (10, 15, 7, 16, 6, 2, 2, 9, 4, 3, 0, 0, 0),
    "mid_ou_rr_1": (10, 5, 3, 2, 0, 23, 34, 0, 0, 0, 0, 0, 0),
    "mid_ou_rr_2": (12, 7, 3, 2, 0, 23, 30, 0, 0, 0, 0, 0, 0),
    "mid_ih_dd": (11, 17, 9, 17, 8, 11, 6, 0, 0, 0, 0, 0, 0),
    "mid_rr_ch": (12, 13, 6, 12, 6, 14, 21, 0, 0, 0, 0, 0, 0),
    "mid_ih_kk_1": (13, 20, 10, 19, 7, 0, 0, 0, 0, 0, 0, 0, 2),
    "mid_ih_kk_2": (13, 18, 9, 13, 2, 0, 0, 0, 0, 0, 0, 0, 4),
    "mid_ih_kk_3": (14, 18, 9, 13, 4, 10, 8, 0, 0, 0, 0, 0, 0),
    "mid_ch_rr_1": (14, 10, 5, 5, 0, 19, 27, 0, 0, 0, 0, 0, 0),
    "mid_ch_rr_2": (15, 14, 7, 9, 3, 20, 13, 0, 0, 0, 0, 0, 0),
    "mid_ch_rr_3": (15, 15, 7, 9, 2, 14, 21, 0, 0, 0, 0, 0, 3),
    "mid_ih_e": (15, 21, 10, 17, 4, 0, 0, 0, 0, 0, 0, 0, 2),
    "mid_e_th": (16, 20, 10, 12, 0, 6, 6, 0, 0, 0, 0, 0, 17),
    "mid_e_ih_1": (16, 19, 10, 11, 0, 13, 8, 0, 0, 0, 0, 0, 0),
    "mid_e_ih_2": (17, 21, 11, 15, 3, 0, 0, 0, 0, 0, 0, 0, 0),
    "mid_e_ih_3": (20, 22, 11, 14, 5, 0, 0, 0, 0, 0, 0, 0, 3),
    "mid_ch_oh": (17, 7, 2, 2, 0, 27, 25, 0, 0, 0, 0, 0, 0),
    "mid_oh_ch_1": (19, 10, 3, 2, 0, 27, 15, 0, 0, 0, 0, 0, 0),
    "mid_oh_ch_2": (19, 12, 6, 3, 0, 18, 26, 0, 0, 0, 0, 0, 0),
    "mid_e_oh_1": (19, 16, 8, 7, 3, 13, 18, 0, 0, 0, 0, 0, 0),
    "mid_e_oh_2": (22, 20, 11, 6, 2, 11, 8, 0, 0, 0, 0, 0, 0),
    "mid_kk_nn": (19, 14, 10, 4, 0, 3, 2, 7, 9, 2, 0, 0, 0),
    "mid_e_kk": (22, 17, 10, 4, 0, 0, 0, 0, 2, 0, 0, 0, 0),
    "mid_oh_e_1": (22, 14, 8, 3, 0, 17, 25, 0, 0, 0, 0, 0, 0),
    "mid_oh_e_2": (24, 17, 9, 3, 0, 16, 20, 0, 0, 0, 0, 0, 0),
    "mid_e_aa_1": (23, 23, 12, 14, 5, 0, 0, 0, 0, 0, 0, 0, 0),
    "mid_e_aa_2": (25, 21, 12, 3, 0, 13, 9, 0, 0, 0, 0, 0, 0),
    "mid_e_aa_3": (26, 23, 12, 7, 0, 0, 0, 0, 0, 0, 0, 0, 3),
    "mid_aa_e": (29, 24, 13, 5, 0, 2, 0, 0, 0, 0, 0, 0, 0),
}  # fmt: skip


MOUTHS: tuple[Entry, ...] = tuple(Entry(name, shapes) for name, shapes in _mouths())


def _look(x: float, y: float) -> Weights:
    """Both eyes ``x`` to the viewer's right and ``y`` up; weight 1 is 30 degrees."""
    out = {}
    if x:
        out = {"eyeLookOutLeft": x, "eyeLookInRight": x} if x > 0 else {"eyeLookInLeft": -x, "eyeLookOutRight": -x}
    if y:
        out |= {f"eyeLook{'Up' if y > 0 else 'Down'}{side}": abs(y) for side in ("Left", "Right")}
    return out


def _eyes() -> Iterator[tuple[str, Weights]]:
    yield "open", {}
    for part in (0.18, 0.35, 0.52, 0.7, 0.85, 1.0):
        yield f"blink_{round(part * 100)}", weights(eyeBlink=part)
    for name, x, y in (
        ("left", -0.27, 0.0), ("right", 0.27, 0.0), ("up", 0.0, 0.25), ("down", 0.0, -0.25), ("left_near", -0.13, 0.0),
        ("right_near", 0.13, 0.0), ("up_near", 0.0, 0.12), ("down_near", 0.0, -0.12), ("left_up", -0.2, 0.16),
        ("right_up", 0.2, 0.16), ("left_down", -0.2, -0.16), ("right_down", 0.2, -0.16),
    ):  # fmt: skip
        yield f"look_{name}", _look(x, y)
    yield "brows_up", weights(browInnerUp=0.5, browOuterUp=0.3)
    yield "brows_half", weights(browInnerUp=0.25, browOuterUp=0.15)
    yield "brows_down", weights(browDown=0.3)
    yield "brows_up_blink", weights(browInnerUp=0.4, browOuterUp=0.2, eyeBlink=1.0)
    # Steps of a raised brow, which marks a stressed syllable, and the flash of a greeting.
    yield "brows_quarter", weights(browInnerUp=0.12, browOuterUp=0.09)
    yield "brows_most", weights(browInnerUp=0.37, browOuterUp=0.23)
    yield "brows_quarter_blink", weights(browInnerUp=0.12, browOuterUp=0.09, eyeBlink=1.0)
    yield "squint", weights(eyeSquint=0.4)
    yield "wide", weights(eyeWide=0.35, browInnerUp=0.15)
    yield "asleep", weights(eyeBlink=1.0, browDown=0.08)
    # One who thinks looks aside and up, the brows together.
    yield "think", weights(browInnerUp=0.12, browDown=0.1)
    yield "think_left", _look(-0.3, 0.2) | weights(browInnerUp=0.12, browDown=0.1)
    yield "think_right", _look(0.3, 0.2) | weights(browInnerUp=0.12, browDown=0.1)
    yield "think_blink", weights(browInnerUp=0.12, browDown=0.1, eyeBlink=1.0)
    # A smile reaches the eyes.
    yield "smile_half", weights(eyeSquint=0.2, browOuterUp=0.04)
    yield "smile_brows", weights(eyeSquint=0.25, browInnerUp=0.25, browOuterUp=0.2)
    yield "smile_blink_50", weights(eyeSquint=0.3, eyeBlink=0.5)
    # Attentive, and looking down over lowered lids.
    yield "listen", weights(browInnerUp=0.06, browOuterUp=0.05)
    yield "down_lids", _look(0.0, -0.3) | weights(eyeBlink=0.12)
    yield "brows_down_blink", weights(browDown=0.3, eyeBlink=1.0)


EYES: tuple[Entry, ...] = tuple(Entry(name, shapes) for name, shapes in _eyes())
