"""Named gestures: what they look like, and that they never part closed lips."""

from __future__ import annotations

import math

import numpy as np
import pytest

from visavis.avatar.choose import TOUCHING, MouthChooser, contact
from visavis.avatar.manifest import BankEntry
from visavis.avatar.studio import banks
from visavis.motion import ARKIT_INDEX, GESTURES, Director, Mode, MotionFrame
from visavis.motion.gestures import Gesture, duration

FPS = 25
MOUTH = [i for n, i in ARKIT_INDEX.items() if n.startswith(("mouth", "jaw", "tongue"))]
SMILE = [ARKIT_INDEX["mouthSmileLeft"], ARKIT_INDEX["mouthSmileRight"]]
PARTING = ("jawOpen", "mouthLowerDownLeft", "mouthUpperUpLeft", "mouthFunnel", "mouthStretchLeft")


def dense(weights: dict[str, float]) -> np.ndarray:
    shapes = np.zeros(52, np.float32)
    for name, weight in weights.items():
        shapes[ARKIT_INDEX[name]] = weight
    return shapes


BANK = [BankEntry(id=entry.id, file="x", blendshapes=entry.weights) for entry in banks.MOUTHS]
CLOSED_ENTRIES = {entry.id for entry in banks.MOUTHS if contact(dense(entry.weights)) == TOUCHING}


def film(one: Director, start: float, seconds: float) -> list[MotionFrame]:
    first = round(start * FPS)
    return [one.frame(n / FPS) for n in range(first, first + round(seconds * FPS))]


def added(name: Gesture, seed: int = 1) -> tuple[np.ndarray, list[MotionFrame]]:
    """What the gesture adds to the head (yaw, pitch, roll in degrees), and its frames."""
    with_, without = (Director(np.random.default_rng(seed)) for _ in range(2))
    film(with_, 0, 1), film(without, 0, 1)
    with_.gesture(name, 1.0)
    shown, plain = film(with_, 1, 4), film(without, 1, 4)
    heads = [
        [math.degrees(getattr(a.head, axis) - getattr(b.head, axis)) for axis in ("yaw", "pitch", "roll")]
        for a, b in zip(shown, plain, strict=True)
    ]
    return np.array(heads), shown


def turns(curve: np.ndarray) -> int:
    """How often a movement of more than half a degree changes its direction."""
    big = curve[np.abs(curve) > 0.5]
    return int((np.diff(np.sign(big)) != 0).sum())


def test_a_nod_goes_down_twice_and_a_shake_from_side_to_side() -> None:
    nod, _ = added("nod")
    assert -6 < nod[:, 1].min() < -3
    low = [k for k in range(1, len(nod) - 1) if nod[k, 1] < -1.5 and nod[k, 1] == nod[k - 1 : k + 2, 1].min()]
    assert len(low) == 2
    assert np.abs(nod[:, 0]).max() < 0.2
    shake, _ = added("shake")
    assert turns(shake[:, 0]) >= 3
    assert 3 < np.abs(shake[:, 0]).max() < 6
    assert np.abs(shake[:, 1]).max() < 1.5


def test_a_smile_reaches_mouth_and_eyes_and_a_greeting_bows_with_a_flash_of_the_brows() -> None:
    _, frames = added("smile")
    assert 0.2 < max(f.weight("mouthSmileLeft") for f in frames) < 0.4
    assert max(f.weight("eyeSquintLeft") for f in frames) > 0.15
    head, frames = added("greet")
    flash = int(np.argmax([f.weight("browOuterUpLeft") for f in frames]))
    assert frames[flash].weight("browOuterUpLeft") > 0.2
    assert flash < int(head[:, 1].argmin())  # first the brows, then the bow
    assert head[:, 1].min() < -3.5
    assert head[:, 2].max() > 1.2  # tilted
    assert max(f.weight("mouthSmileLeft") for f in frames) > 0.2


@pytest.mark.parametrize("name", GESTURES)
def test_begins_and_ends_at_nothing_and_is_named_once(name: Gesture) -> None:
    head, frames = added(name)
    assert np.abs(head[0]).max() < 0.05
    over = round(duration(name) * FPS) + 1
    assert np.abs(head[over:]).max() < 1e-6
    assert [f.gesture for f in frames].count(name) == 1
    assert frames[0].gesture == name
    assert frames[over].loop is not None  # back on the idle loop, which it never left


def test_a_gesture_to_come_waits_and_is_forgotten_when_hushed() -> None:
    one = Director(np.random.default_rng(0))
    film(one, 0, 1)
    one.gesture("nod", 2.0)
    assert {f.gesture for f in film(one, 1, 1)} == {None}
    assert film(one, 2, 1)[0].gesture == "nod"
    one.gesture("shake", 5.0)
    one.hush(3.0)
    assert {f.gesture for f in film(one, 3, 4)} == {None}


def test_the_same_gesture_is_not_begun_anew_while_it_goes_on() -> None:
    one = Director(np.random.default_rng(0))
    film(one, 0, 1)
    one.gesture("nod", 1.0)
    first = film(one, 1, 0.4)
    one.gesture("nod", 1.4)
    frames = first + film(one, 1.4, 3)
    assert [f.gesture for f in frames].count("nod") == 1
    one.gesture("nod", 4.4)
    assert film(one, 4.4, 1)[0].gesture == "nod"


def test_two_gestures_at_once_stay_in_range() -> None:
    one = Director(np.random.default_rng(0))
    film(one, 0, 1)
    for name in GESTURES:
        one.gesture(name, 1.0)
    frames = film(one, 1, 4)
    assert {f.gesture for f in frames} == {None, *GESTURES}
    assert max(float(f.blendshapes.max()) for f in frames) <= 1.0
    assert max(abs(math.degrees(f.head.pitch)) for f in frames) < 12


def test_an_unknown_gesture_is_refused() -> None:
    with pytest.raises(ValueError, match="no gesture 'dance'"):
        Director(np.random.default_rng(0)).gesture("dance", 0.0)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", GESTURES)
def test_closed_lips_stay_closed_at_rest_and_in_every_p_b_m(name: Gesture) -> None:
    """Frame by frame as without the gesture; and the picture chosen for it is one with closed lips."""
    chooser = MouthChooser(BANK)
    one = Director(np.random.default_rng(3))
    film(one, 0, 1)
    one.gesture(name, 1.0)
    for frame in film(one, 1, 3):
        assert [frame.weight(shape) for shape in PARTING] == [0.0] * len(PARTING)
        assert BANK[chooser.pick(frame)].id in CLOSED_ENTRIES
    phonemes = [(p, 0.09 * k, 0.09 * k + 0.09) for k, p in enumerate("mɑbipumʌmɪpobɛ" * 3)]
    for seed in range(3):
        with_, without = (Director(np.random.default_rng(seed)) for _ in range(2))
        for each in (with_, without):
            film(each, 0, 1)
            each.set_mode(Mode.SPEAKING, 1.0)
            each.speak(phonemes, 1.3)
        with_.gesture(name, 1.2)
        checked = 0
        for a, b in zip(film(with_, 1, 4), film(without, 1, 4), strict=True):
            parted = [a.weight(shape) - b.weight(shape) for shape in PARTING]
            assert max(parted) < 1e-6
            entry = BANK[chooser.pick(a)].id
            if b.weight("mouthPressLeft") > 0.3:
                assert entry in CLOSED_ENTRIES, entry
                checked += 1
        assert checked > 15
