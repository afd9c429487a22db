"""What a face does while nothing happens: the loops themselves, and how life flows into and out of them."""

from __future__ import annotations

import math

import numpy as np
import pytest

from visavis.motion import ARKIT_INDEX, GESTURES, Director, Loop, Mode, MotionFrame, loop
from visavis.motion.pose import BREATH, CHANNELS

FPS = 25
FRAME = 1 / FPS
LIDS = ARKIT_INDEX["eyeBlinkLeft"]
TALK = [(p, k * 0.11, k * 0.11 + 0.11) for k, p in enumerate(["h", "A", "l", "O", "m", "I", "n", "A", "m"] * 3)]
EYES = [i for n, i in ARKIT_INDEX.items() if n.startswith(("eyeBlink", "eyeLook"))]
MOUTH = [i for n, i in ARKIT_INDEX.items() if n.startswith(("mouth", "jaw", "tongue"))]

# What may change from one frame to the next, and by how much the change may change: yaw, pitch, roll (degrees), shift x
# and y, breath, brows (inner, outer, down), squint. A shaken head is the fastest; a jump of a degree and a half, or of a
# tenth of a brow, would be caught.
SPEED = np.array([2.4, 2.2, 0.6, 0.004, 0.004, 0.09, 0.1, 0.12, 0.03, 0.05])
BEND = np.array([1.0, 1.0, 0.25, 0.002, 0.002, 0.03, 0.06, 0.07, 0.012, 0.02])


def smooth(frames: list[MotionFrame]) -> np.ndarray:
    brows = ("browInnerUp", "browOuterUpLeft", "browDownLeft", "eyeSquintLeft")
    rows = []
    for frame in frames:
        head = frame.head
        angles = [math.degrees(angle) for angle in (head.yaw, head.pitch, head.roll)]
        rows.append([*angles, head.shift_x, head.shift_y, frame.breath, *(frame.weight(name) for name in brows)])
    return np.array(rows)


def film(one: Director, start: float, seconds: float) -> list[MotionFrame]:
    first = round(start * FPS)
    return [one.frame(n / FPS) for n in range(first, first + round(seconds * FPS))]


@pytest.fixture(scope="module", params=["idle", "asleep"])
def either(request: pytest.FixtureRequest) -> Loop:
    return loop(request.param, FPS)


def test_the_idle_loop_is_long_and_alive() -> None:
    idle = loop("idle", FPS)
    assert idle.frames >= 12 * FPS
    frames = [idle.frame(k) for k in range(idle.frames)]
    moved = smooth(frames)
    assert moved[:, :3].std(axis=0).min() > 0.15  # the head moves ...
    assert np.abs(moved[:, :3]).max() < 2.5  # ... a little
    assert np.ptp(moved[:, 3]) > 0.012  # the weight is shifted
    breath = moved[:, 5]
    tops = (breath > np.roll(breath, 1)) & (breath >= np.roll(breath, -1)) & (breath > 0.9)
    assert tops.sum() == 4
    shut = np.array([frame.blendshapes[LIDS] for frame in frames]) > 0.9
    blinks = np.flatnonzero(shut & ~np.roll(shut, 1)) / FPS
    assert 3 <= len(blinks) <= 7  # every blink has a frame with shut eyes
    assert np.diff(blinks).std() > 0.8  # not a metronome
    gaze = np.degrees([frame.gaze for frame in frames])
    assert (np.hypot(*np.diff(gaze, axis=0).T) > 0.4).sum() >= 8  # saccades
    assert (np.hypot(*gaze.T) < 2.5).mean() > 0.85  # mostly at the camera
    assert all(frame.blendshapes[MOUTH].max() == 0.0 for frame in frames)


def test_the_sleeper_breathes_once_with_shut_eyes_and_sunken_head() -> None:
    asleep = loop("asleep", FPS)
    frames = [asleep.frame(k) for k in range(asleep.frames)]
    assert 5.0 <= asleep.frames / FPS <= 7.0
    assert min(float(frame.blendshapes[LIDS]) for frame in frames) == 1.0
    assert max(frame.head.pitch for frame in frames) < math.radians(-4)
    breath = np.array([frame.breath for frame in frames])
    assert breath.min() < 0.01
    assert breath.max() > 0.99
    assert ((np.diff(breath) > 0) != (np.diff(np.roll(breath, 1)) > 0)).sum() <= 3  # in once, out once


def test_a_loop_has_no_seam(either: Loop) -> None:
    """Over the seam nothing changes faster than elsewhere: in place, speed and acceleration."""
    twice = smooth([either.frame(k) for k in range(-either.frames // 2, 2 * either.frames)])
    np.testing.assert_array_equal(either.frame(either.frames).blendshapes, either.frame(0).blendshapes)
    n = either.frames
    seam = slice(n // 2 - 4, n // 2 + 4)
    for order in (1, 2, 3):
        changes = np.abs(np.diff(twice, n=order, axis=0))
        inside = np.abs(np.diff(smooth([either.frame(k) for k in range(n)]), n=order, axis=0)).max(axis=0)
        assert (changes[seam] <= inside * 1.05 + 1e-9).all(), order
    frames = [either.frame(k) for k in range(n - 3, n + 3)]
    assert np.ptp([frame.blendshapes[EYES] for frame in frames], axis=0).max() < 1e-6  # no blink, no saccade over it


def test_a_loop_is_the_same_for_everybody_and_cannot_be_changed(either: Loop) -> None:
    again = Loop(either.name, FPS)
    for k in (0, 17, either.frames - 1):
        one, other = either.frame(k), again.frame(k)
        np.testing.assert_array_equal(one.blendshapes, other.blendshapes)
        assert (one.head, one.gaze, one.breath, one.loop) == (other.head, other.gaze, other.breath, (either.name, k))
    with pytest.raises(ValueError, match="read-only"):
        either.frame(3).blendshapes[0] = 1.0


def test_other_frame_rates_show_the_same_loop() -> None:
    slow, fast = loop("idle", 25), loop("idle", 50)
    assert fast.frames == 2 * slow.frames
    np.testing.assert_allclose(smooth([slow.frame(7)]), smooth([fast.frame(14)]))
    with pytest.raises(ValueError, match="whole number"):
        Loop("idle", 23.97)


def test_an_idle_face_is_on_the_loop_from_the_beginning() -> None:
    one = Director(np.random.default_rng(1))
    frames = film(one, 0, 40)
    idle = loop("idle", FPS)
    first = frames[0].loop
    assert first is not None
    for n, frame in enumerate(frames):
        assert frame.loop == ("idle", (first[1] + n) % idle.frames)
        assert frame.pts == n / FPS
        assert frame.blendshapes is idle.frame(frame.loop[1]).blendshapes
    starts = {Director(np.random.default_rng(seed)).frame(0.0).loop for seed in range(8)}
    assert len(starts) > 4  # two of them side by side do not move as one


@pytest.mark.parametrize(("mode", "name"), [(Mode.IDLE, "idle"), (Mode.ASLEEP, "asleep")])
def test_comes_back_to_a_loop_and_goes_on_with_it(mode: Mode, name: str) -> None:
    for seed in range(5):
        one = Director(np.random.default_rng(seed))
        film(one, 0, 1)
        one.set_mode(Mode.SPEAKING, 1.0)
        one.speak(TALK, 1.1)
        spoken = film(one, 1, 5)
        assert all(frame.loop is None for frame in spoken)
        one.set_mode(mode, 6.0)
        frames = film(one, 6, 20)
        on = [n for n, frame in enumerate(frames) if frame.loop is not None]
        assert on[0] < 4.5 * FPS
        assert on == list(range(on[0], len(frames)))
        indices = [frame.loop[1] for frame in frames[on[0] :] if frame.loop is not None]
        assert set(np.diff(indices) % loop(name, FPS).frames) == {1}
        assert {frame.loop[0] for frame in frames[on[0] :] if frame.loop} == {name}
        assert one.resting(26.0) == (mode is Mode.ASLEEP)


def test_frames_of_a_loop_are_told_only_while_nothing_else_goes_on() -> None:
    one = Director(np.random.default_rng(4))
    film(one, 0, 1)
    one.gesture("nod", 1.0)
    nodding = film(one, 1, 1)
    assert all(frame.loop is None for frame in nodding[1:])
    assert film(one, 2, 1)[10].loop is not None
    one.speak_sound(np.full(24000, 9000, np.int16), 24000, 3.0)
    assert all(frame.loop is None for frame in film(one, 3, 1))


@pytest.mark.parametrize("seed", range(10))
def test_nothing_jumps_whatever_happens(seed: int) -> None:
    """A minute and a half of random events, some in the middle of another's transition."""
    rng = np.random.default_rng(seed)
    one = Director(rng.spawn(1)[0])
    frames, due, happened = [], 0.5, []
    for n in range(90 * FPS):
        t = n / FPS
        if t >= due:
            event = int(rng.integers(9))
            happened.append((round(t, 2), event))
            if event < 5:
                one.set_mode(Mode(event), t)
            elif event == 5:
                one.speak(TALK, t + 0.04)
            elif event == 6:
                one.hush(t)
            elif event == 7:
                one.gesture(GESTURES[int(rng.integers(len(GESTURES)))], t)
            else:
                one.pause(t)
            due = t + (rng.exponential(1.5) if rng.random() < 0.8 else 8.0)
        frames.append(one.frame(t))
    moved = smooth(frames)
    speed, bend = np.abs(np.diff(moved, axis=0)), np.abs(np.diff(moved, n=2, axis=0))
    assert (speed < SPEED).all(), (np.argwhere(speed >= SPEED)[:3] / [FPS, 1], speed.max(axis=0), happened)
    assert (bend < BEND).all(), (np.argwhere(bend >= BEND)[:3] / [FPS, 1], bend.max(axis=0), happened)
    shapes = np.array([frame.blendshapes for frame in frames])
    assert shapes.min() >= 0.0
    assert shapes.max() <= 1.0
    assert np.isfinite(moved).all()
    assert any(frame.loop for frame in frames)


def test_a_blink_that_has_begun_on_the_loop_ends_off_it() -> None:
    """Whenever the person begins to speak, lids do not snap open: a shut eye takes at least two frames to open."""
    idle = loop("idle", FPS)
    closing = [k for k in range(idle.frames) if idle.frame(k).blendshapes[LIDS] > 0.9]
    assert closing
    one = Director(np.random.default_rng(2))
    start = one.frame(0.0).loop
    assert start is not None
    at = (closing[0] - start[1]) % idle.frames
    frames = [one.frame(n / FPS) for n in range(1, at + 1)]
    assert frames[-1].loop == ("idle", closing[0])
    one.set_mode(Mode.LISTENING, at / FPS)
    after = film(one, at / FPS, 0.4)
    lids = [float(frame.blendshapes[LIDS]) for frame in after]
    assert lids[0] > 0.5
    assert lids[-1] < 0.1
    assert after[0].loop is None


def test_the_breath_goes_on_where_the_loop_left_it() -> None:
    for k in range(0, 400, 23):
        one = Director(np.random.default_rng(k))
        before = film(one, 0, 2 + k / FPS)
        at = round((2 + k / FPS) * FPS) / FPS
        one.set_mode(Mode.LISTENING, at)
        breath = np.array([frame.breath for frame in before[-10:] + film(one, at, 1)])
        assert np.abs(np.diff(breath)).max() < 0.06
        # It does not turn round because somebody speaks.
        rising = np.diff(breath)
        assert (np.sign(rising[8]) == np.sign(rising[13])) or breath[9] > 0.9 or breath[9] < 0.1


def test_channels_are_as_the_test_reads_them() -> None:
    assert CHANNELS == len(SPEED) == len(BEND)
    pose = loop("idle", FPS).pose(40)
    assert smooth([loop("idle", FPS).frame(40)])[0, 5] == pytest.approx(pose.smooth[BREATH])
