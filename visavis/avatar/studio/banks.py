"""The pictures a pack holds: which blendshapes each entry of the mouth and the eyes is rendered with.

The mouths are the visemes' targets of :mod:`visavis.motion.visemes` (the renderer takes the nearest entry, so that
a viseme said alone meets its own picture), the ways into and out of them, and a grid over jaw, width and rounding.
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
TH = weights(jawOpen=0.1, mouthLowerDown=0.18, mouthUpperUp=0.1, mouthStretch=0.05, tongueOut=0.12)
DD = weights(jawOpen=0.09, mouthLowerDown=0.16, mouthUpperUp=0.08, mouthStretch=0.06)
KK = weights(jawOpen=0.12, mouthLowerDown=0.14, mouthUpperUp=0.06)
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
        ("pp", PP), ("ff", FF), ("th", TH), ("dd", DD), ("kk", KK), ("ch", CH), ("ss", SS), ("rr", RR), ("aa", AA),
        ("eh", EH), ("ih", IH), ("oh", OH), ("ou", OU),
    ):  # fmt: skip
        yield name, target
    for name, target, parts in (
        ("aa", AA, (0.17, 0.33, 0.5, 0.66, 0.83)), ("eh", EH, (0.33, 0.66)), ("ih", IH, (0.33, 0.66)),
        ("oh", OH, (0.25, 0.5, 0.75)), ("ou", OU, (0.33, 0.66)), ("pp", PP, (0.5,)), ("ss", SS, (0.5,)),
        ("ch", CH, (0.5,)), ("dd", DD, (0.5,)), ("th", TH, (0.5,)),
    ):  # fmt: skip
        for part in parts:
            yield f"{name}_{round(part * 100)}", _scaled(target, part)
    # Ways between: a vowel going round or wide, a consonant among rounded vowels.
    yield "aa_ou", _scaled(AA, 0.5, jawOpen=0.05, mouthFunnel=0.13, mouthPucker=0.2)
    yield "aa_ih", _scaled(AA, 0.55, mouthStretch=0.1, mouthSmile=0.06)
    yield "ou_ih", _scaled(IH, 0.5, mouthFunnel=0.13, mouthPucker=0.2)
    yield "eh_round", _scaled(EH, 0.6, mouthFunnel=0.12, mouthPucker=0.1)
    yield "dd_round", _scaled(DD, 0.8, mouthFunnel=0.12, mouthPucker=0.12)
    yield "ss_round", _scaled(SS, 0.6, mouthFunnel=0.16, mouthPucker=0.12)
    yield "pp_round", _scaled(PP, 0.8, mouthPucker=0.22, mouthFunnel=0.06)
    yield "ff_round", _scaled(FF, 0.8, mouthPucker=0.14)
    yield "pp_aa", _scaled(PP, 0.3, jawOpen=0.06, mouthLowerDown=0.06)
    yield "ff_open", _scaled(FF, 0.5, jawOpen=0.08, mouthLowerDown=0.08)
    yield "jaw_15", weights(jawOpen=0.15)
    # Where running speech passes most often between the above (cluster centres of the motion layer's own tracks).
    yield "mid_eh", weights(jawOpen=0.16, mouthLowerDown=0.21, mouthStretch=0.14, mouthUpperUp=0.11)
    yield "mid_ss_ih", weights(jawOpen=0.08, mouthLowerDown=0.21, mouthSmile=0.1, mouthStretch=0.22, mouthUpperUp=0.11)
    yield (
        "mid_ff_eh",
        weights(jawOpen=0.1, mouthLowerDown=0.15, mouthRollLower=0.12, mouthStretch=0.12, mouthUpperUp=0.12),
    )
    yield "mid_eh_ih", weights(jawOpen=0.21, mouthLowerDown=0.22, mouthSmile=0.07, mouthStretch=0.17, mouthUpperUp=0.11)
    yield (
        "mid_ch_eh",
        weights(
            jawOpen=0.14, mouthFunnel=0.22, mouthLowerDown=0.15, mouthPucker=0.11, mouthStretch=0.09, mouthUpperUp=0.09
        ),
    )
    yield "mid_pp_eh", weights(
        jawOpen=0.09, mouthLowerDown=0.11, mouthPress=0.16, mouthRollLower=0.06, mouthRollUpper=0.05, mouthSmile=0.03,
        mouthStretch=0.11, mouthUpperUp=0.05,
    )  # fmt: skip
    yield (
        "mid_ou_oh",
        weights(
            jawOpen=0.15, mouthFunnel=0.21, mouthLowerDown=0.09, mouthPucker=0.3, mouthStretch=0.04, mouthUpperUp=0.04
        ),
    )
    yield "mid_ih", weights(jawOpen=0.11, mouthLowerDown=0.18, mouthSmile=0.1, mouthStretch=0.2, mouthUpperUp=0.09)
    yield "mid_ih_ou", weights(
        jawOpen=0.11, mouthFunnel=0.11, mouthLowerDown=0.16, mouthPucker=0.08, mouthSmile=0.08, mouthStretch=0.16,
        mouthUpperUp=0.09,
    )  # fmt: skip
    yield (
        "mid_oh_eh",
        weights(
            jawOpen=0.17, mouthFunnel=0.14, mouthLowerDown=0.15, mouthPucker=0.15, mouthStretch=0.09, mouthUpperUp=0.08
        ),
    )
    yield "mid_aa_eh", weights(jawOpen=0.26, mouthLowerDown=0.24, mouthStretch=0.1, mouthUpperUp=0.13)
    # A smile, silent and spoken.
    yield "smile", weights(mouthSmile=0.3)
    yield "smile_half", weights(mouthSmile=0.15)
    yield "smile_dd", _scaled(DD, 0.9, mouthSmile=0.25)
    yield "smile_aa", _scaled(AA, 0.55, mouthSmile=0.25)
    yield "smile_teeth", weights(jawOpen=0.06, mouthSmile=0.4, mouthUpperUp=0.15, mouthLowerDown=0.12)


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
    yield "squint", weights(eyeSquint=0.4)
    yield "wide", weights(eyeWide=0.35, browInnerUp=0.15)
    yield "asleep", weights(eyeBlink=1.0, browDown=0.08)


EYES: tuple[Entry, ...] = tuple(Entry(name, shapes) for name, shapes in _eyes())
