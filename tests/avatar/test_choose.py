"""Which mouth and which eyes are shown."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import synthetic

from visavis.avatar import choose
from visavis.avatar.choose import BITTEN, TOUCHING, EyesChooser, MouthChooser, contact
from visavis.avatar.manifest import BankEntry
from visavis.avatar.studio import banks
from visavis.motion import SpeechTrack
from visavis.motion.frame import ARKIT, ARKIT_INDEX, MotionFrame
from visavis.motion.visemes import TARGETS, Viseme

JAW = ARKIT_INDEX["jawOpen"]
MOUTHS = [BankEntry(id=name, file="x", blendshapes=shapes) for name, shapes in synthetic.MOUTHS.items()]
EYES = [BankEntry(id=name, file="x", blendshapes=shapes) for name, shapes in synthetic.EYES.items()]


def _frame(gaze: tuple[float, float] = (0.0, 0.0), **shapes: float) -> MotionFrame:
    frame = MotionFrame(gaze=gaze)
    for name, weight in shapes.items():
        if name in ARKIT_INDEX:
            frame.blendshapes[ARKIT_INDEX[name]] = weight
        else:
            frame.blendshapes[ARKIT_INDEX[f"{name}Left"]] = frame.blendshapes[ARKIT_INDEX[f"{name}Right"]] = weight
    return frame


def _mouth(frame: MotionFrame) -> str:
    return MOUTHS[MouthChooser(MOUTHS).pick(frame)].id


def _eyes(frame: MotionFrame) -> str:
    return EYES[EyesChooser(EYES).pick(frame)].id


@pytest.mark.parametrize("entry", MOUTHS, ids=lambda entry: entry.id)
def test_an_entrys_own_shapes_select_it(entry: BankEntry) -> None:
    assert _mouth(_frame(**entry.blendshapes)) == entry.id


@pytest.mark.parametrize(
    "frame",
    [
        _frame(mouthPress=0.6, jawOpen=0.02),
        _frame(mouthPress=0.4, mouthRollLower=0.3, mouthRollUpper=0.3, jawOpen=0.05),
        _frame(jawOpen=0.12, mouthClose=0.12),
        _frame(jawOpen=0.25, mouthClose=0.25, mouthPress=0.3),
        _frame(jawOpen=0.2, mouthClose=0.2, mouthPucker=0.6),
        _frame(mouthStretch=0.4),
    ],
)
def test_closed_lips_never_select_an_open_mouth(frame: MotionFrame) -> None:
    assert _mouth(frame) in {"rest", "pressed", "smile"}


@pytest.mark.parametrize(
    "frame",
    [
        _frame(jawOpen=0.08),
        _frame(jawOpen=0.08, mouthSmile=0.4),
        _frame(jawOpen=0.15, mouthPress=0.1),
        _frame(jawOpen=0.09, mouthStretch=0.1),
    ],
)
def test_open_lips_never_select_a_closed_mouth(frame: MotionFrame) -> None:
    assert _mouth(frame) not in {"rest", "pressed", "smile"}


def test_rounding_and_width_are_told_apart() -> None:
    assert _mouth(_frame(jawOpen=0.16, mouthFunnel=0.35)) == "o2"
    assert _mouth(_frame(jawOpen=0.14, mouthStretch=0.35)) == "e2"
    assert _mouth(_frame(jawOpen=0.07, mouthPucker=0.5)) == "u1"
    assert _mouth(_frame(jawOpen=0.3)) == "a3"


def test_no_flicker_between_entries_about_equally_near() -> None:
    chooser = MouthChooser(MOUTHS)
    middle = (synthetic.MOUTHS["a1"]["jawOpen"] + synthetic.MOUTHS["a2"]["jawOpen"]) / 2
    picks = [chooser.pick(_frame(jawOpen=middle + 0.004 * (-1) ** i)) for i in range(50)]
    assert len(set(picks)) == 1
    # ... but a real change is followed at once.
    assert MOUTHS[chooser.pick(_frame(jawOpen=0.3))].id == "a3"
    assert MOUTHS[chooser.pick(_frame(mouthPress=0.5))].id == "pressed"


def test_a_bank_of_one_mouth_is_no_error() -> None:
    assert MouthChooser(MOUTHS[:1]).pick(_frame(jawOpen=0.3)) == 0


def test_lids() -> None:
    assert _eyes(_frame()) == "open"
    assert _eyes(_frame(eyeBlink=0.15)) == "open"
    assert _eyes(_frame(eyeBlink=0.5)) == "half"
    assert _eyes(_frame(eyeBlink=1.0)) == "shut"
    assert _eyes(_frame(eyeBlink=1.0, gaze=(0.3, 0.0))) == "shut"
    assert _eyes(_frame(eyeBlink=0.95, eyeLookDown=0.3)) == "shut"


def test_gaze_by_angle_and_by_shapes() -> None:
    right = math.radians(12)
    assert _eyes(_frame(gaze=(right, 0))) == "right"
    assert _eyes(_frame(gaze=(-right, 0))) == "left"
    assert _eyes(_frame(gaze=(math.radians(2), 0))) == "open"
    assert _eyes(_frame(eyeLookOutLeft=0.4, eyeLookInRight=0.4)) == "right"
    # Both said at once, as our own motion does, is not counted twice.
    assert _eyes(_frame(gaze=(math.radians(4), 0), eyeLookOutLeft=0.13, eyeLookInRight=0.13)) == "open"


def test_the_lips_of_every_viseme_find_their_own_picture() -> None:
    """A bank of the visemes' own targets, as the studio bakes it: no sound is shown with another one's mouth."""
    bank = [
        BankEntry(
            id=viseme.name.lower(),
            file="x",
            blendshapes={name: float(TARGETS[viseme][index]) for name, index in ARKIT_INDEX.items()},
        )
        for viseme in Viseme
    ]
    for viseme in Viseme:
        for strength in (1.0, 0.85):
            picked = bank[MouthChooser(bank).pick(MotionFrame(blendshapes=TARGETS[viseme] * strength))].id
            if strength == 1.0:
                assert picked == viseme.name.lower()
            # Said more weakly it may look like a near relative, but closed stays closed and open stays open.
            shut = {"sil", "pp", "ff"}
            assert (picked in shut) == (viseme.name.lower() in shut), (viseme, strength, picked)


# --- the studio's own bank ---------------------------------------------------------------------------------------------

STUDIO = [BankEntry(id=entry.id, file="x", blendshapes=entry.weights) for entry in banks.MOUTHS]
LIPS_MEET = {
    "rest", "rest_round", "smile", "smile_half", "smile_large", "pp", "pp_50", "pp_wide", "pp_round", "pp_smile",
    "mid_pp_sil_1", "mid_pp_sil_2",
}  # fmt: skip
"""Whose lips touch on the studio's mesh (measured between the vertices of both lips in the middle of the mouth)."""


def _dense(entry: BankEntry) -> np.ndarray:
    return _frame(**entry.blendshapes).blendshapes


def test_the_entries_taken_for_closed_are_those_whose_lips_meet_on_the_mesh() -> None:
    assert {entry.id for entry in STUDIO if contact(_dense(entry)) == TOUCHING} == LIPS_MEET
    bitten = {entry.id for entry in STUDIO if contact(_dense(entry)) == BITTEN}
    assert {"ff", "ff_wide", "ff_round", "ff_low", "ff_smile"} <= bitten
    assert not bitten & {"mid_dd_nn_1", "pp", "rest"}


def test_the_bank_has_closed_lips_and_bitten_ones_in_every_width() -> None:
    for kind, name in ((TOUCHING, "pp"), (BITTEN, "ff")):
        for width in ({}, {"mouthSmile": 0.12}, {"mouthPucker": 0.2}):
            frame = _frame(**next(e for e in STUDIO if e.id == name).blendshapes)
            for shape, weight in width.items():
                for index, full in enumerate(ARKIT):
                    if full.startswith(shape):
                        frame.blendshapes[index] += weight
            picked = STUDIO[MouthChooser(STUDIO).pick(frame)]
            assert contact(_dense(picked)) == kind
            for shape, weight in width.items():
                assert sum(w for n, w in picked.blendshapes.items() if n.startswith(shape)) >= weight / 2


def _path(speech: list[str], tempo: float) -> tuple[np.ndarray, list[int]]:
    """Mouths of a spoken text, and the entries shown for them."""
    track, chooser = SpeechTrack(), MouthChooser(STUDIO)
    track.add([(p, k * 0.09 / tempo, (k + 1) * 0.09 / tempo) for k, p in enumerate(speech)], 0.5)
    mouths = np.array([track.sample(t) for t in np.arange(0.2, 0.9 + 0.09 * len(speech) / tempo, 0.04)])
    return mouths, [chooser.pick(MotionFrame(blendshapes=mouth)) for mouth in mouths]


@pytest.mark.parametrize("tempo", [0.7, 1.0, 1.6])
def test_steps_from_picture_to_picture_are_like_those_of_the_motion(tempo: float) -> None:
    speech = list("hʌlOaɪæmədɪʤɪtəlhjumənfɹʌmðəstudioændaɪkænsmaɪltu") * 2
    mouths, picked = _path(speech, tempo)
    shown = np.array([_dense(STUDIO[index]) for index in picked])
    # A picture is never far from the motion, nor a step of pictures from the motion's step.
    assert np.linalg.norm(shown - mouths, axis=1).mean() < 0.08
    assert np.abs(shown[:, JAW] - mouths[:, JAW]).max() < 0.07
    assert np.abs(np.diff(shown[:, JAW]) - np.diff(mouths[:, JAW])).mean() < 0.025
    assert np.corrcoef(shown[:, JAW], mouths[:, JAW])[0, 1] > 0.97
    # Nor does it go there and back again while the motion hardly moves.
    slow = np.abs(np.diff(mouths, axis=0)).max(axis=1) < 0.02
    back = [k for k in range(1, len(picked) - 1) if picked[k - 1] == picked[k + 1] != picked[k]]
    assert sum(slow[k - 1] and slow[k] for k in back) == 0


def test_the_error_of_the_last_picture_carries_over_but_is_forgotten() -> None:
    chooser = MouthChooser(STUDIO)
    for _ in range(3):
        chooser.pick(_frame(jawOpen=0.3))
    rest = [STUDIO[chooser.pick(_frame())].id for _ in range(4)]
    assert rest == ["rest"] * 4


def test_a_bank_without_closed_lips_or_teeth_still_shows_something() -> None:
    open_ones = [entry for entry in STUDIO if entry.id in ("aa", "eh", "ou")]
    chooser = MouthChooser(open_ones)
    for shapes in ({"mouthPress": 0.4}, {"mouthRollLower": 0.4}, {"jawOpen": 0.3}):
        assert 0 <= chooser.pick(_frame(**shapes)) < 3


def test_the_model_is_all_another_chooser_needs() -> None:
    """Entries chosen from the JSON alone, by a second implementation, are the same (as the browser's)."""
    model = json.loads(json.dumps(choose.model()))
    mouth = model["mouth"]
    rows, opening = np.array(mouth["features"]), np.array(mouth["opening"])

    def features(shapes: np.ndarray) -> np.ndarray:
        return np.append(rows @ shapes, mouth["opening_weight"] * max(0.0, opening @ shapes))

    def meets(shapes: np.ndarray) -> str:
        apart = opening @ shapes
        if apart < mouth["teeth_open"] and np.array(mouth["tuck"]) @ shapes > mouth["teeth"]:
            return "bitten"
        return "touching" if apart < mouth["closed"] else "apart" if apart > mouth["open"] else "other"

    bank = [np.array([entry.blendshapes.get(name, 0.0) for name in model["names"]]) for entry in STUDIO]
    table, contacts = np.array([features(each) for each in bank]), [meets(each) for each in bank]
    mouths, picked = _path(list("mAbipuvofʌtɹi"), 1.0)
    before = None
    same = 0
    for shapes, ours in zip(mouths, picked, strict=True):
        wanted = features(shapes)
        aim = wanted if before is None else wanted + model["carry"] * (table[before[0]] - before[1])
        cost = ((table - aim) ** 2).sum(axis=1)
        kind = meets(shapes)
        if kind != "other":
            wrong = [(c == "touching") if kind == "apart" else c != kind for c in contacts]
            cost += mouth["wrong_side"] * np.array(wrong)
        before = int(cost.argmin()), wanted
        same += before[0] == ours
    assert same >= len(picked) - 1  # single precision may decide a tie
