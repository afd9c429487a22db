from __future__ import annotations

import math
import time

import numpy as np
import pytest

from visavis.motion import ARKIT_INDEX, Director, Mode, MotionFrame
from visavis.motion.curves import Noise, Spring
from visavis.motion.eyes import Blinks

FRAME = 0.04
LID = ARKIT_INDEX["eyeBlinkLeft"]
JAW = ARKIT_INDEX["jawOpen"]
SMOOTH = [i for n, i in ARKIT_INDEX.items() if n.startswith("brow")]
TALK = [(p, k * 0.12, k * 0.12 + 0.12) for k, p in enumerate(["h", "ˈA", "l", "O", "m", "ˈI", "n", "A", "m"] * 6)]


def director(seed: int = 7, mode: Mode = Mode.IDLE) -> Director:
    return Director(np.random.default_rng(seed), mode)


def film(one: Director, start: float, end: float, step: float = FRAME) -> list[MotionFrame]:
    return [one.frame(float(t)) for t in np.arange(start, end, step)]


def poses(frames: list[MotionFrame]) -> np.ndarray:
    """Degrees: yaw, pitch, roll."""
    return np.degrees([[f.head.yaw, f.head.pitch, f.head.roll] for f in frames])


def busy(one: Director) -> list[MotionFrame]:
    frames = film(one, 0, 4)
    one.set_mode(Mode.LISTENING, 4.0)
    frames += film(one, 4, 6)
    one.pause(6.0)
    one.set_mode(Mode.THINKING, 6.5)
    frames += film(one, 6, 8)
    one.set_mode(Mode.SPEAKING, 8.0)
    one.speak(TALK, 8.1)
    frames += film(one, 8, 11)
    one.hush(11.0)
    one.set_mode(Mode.LISTENING, 11.0)
    frames += film(one, 11, 13)
    one.set_mode(Mode.ASLEEP, 13.0)
    return frames + film(one, 13, 22)


def test_same_seed_same_film_other_seed_another() -> None:
    a, b, c = busy(director(1)), busy(director(1)), busy(director(2))
    for x, y in zip(a, b, strict=True):
        np.testing.assert_array_equal(x.blendshapes, y.blendshapes)
        assert (x.head, x.gaze, x.breath, x.pts) == (y.head, y.gaze, y.breath, y.pts)
    assert any(x.head != y.head for x, y in zip(a, c, strict=True))


@pytest.mark.parametrize("seed", range(4))
def test_everything_stays_in_range_and_head_and_brows_never_jump(seed: int) -> None:
    frames = busy(director(seed))
    shapes = np.array([f.blendshapes for f in frames])
    assert shapes.dtype == np.float32
    assert shapes.shape[1:] == (52,)
    assert shapes.min() >= 0.0
    assert shapes.max() <= 1.0
    head = poses(frames)
    assert np.abs(np.diff(head, axis=0)).max() < 1.0  # degrees a frame
    assert np.abs(np.diff(head, n=2, axis=0)).max() < 0.6  # no corner either
    assert np.abs(np.diff(shapes[:, SMOOTH], axis=0)).max() < 0.06
    assert all(0.0 <= f.breath <= 1.0 for f in frames)
    assert np.abs(np.diff([f.breath for f in frames])).max() < 0.06


def test_idle_head_moves_a_little_and_more_while_speaking() -> None:
    still = poses(film(director(), 0, 60))
    assert np.abs(still).max() < 2.0
    assert still.std(axis=0).min() > 0.1
    one = director()
    one.set_mode(Mode.SPEAKING, 0.0)
    for k in range(9):
        one.speak(TALK, k * 6.5)
    spoken = poses(film(one, 0, 60))
    assert np.diff(spoken[:, 1]).std() > 2.5 * np.diff(still[:, 1]).std()
    assert spoken.std(axis=0).min() > 0.2
    assert np.abs(spoken).max() < 5.0


def test_blinks_are_as_often_and_as_long_as_peoples() -> None:
    starts, lengths = [], []
    for seed in range(8):
        blinks = Blinks(np.random.default_rng(seed))
        values = np.array([blinks.value(k * 0.002) for k in range(150_000)])  # five minutes
        shut = values > 0
        edges = np.flatnonzero(np.diff(shut.astype(int)))
        begin, end = edges[0::2], edges[1::2]
        lengths += list((end - begin[: len(end)]) * 0.002)
        starts.append(begin * 0.002)
        assert values.max() == 1.0
        rising, falling = (np.diff(values) > 0).sum(), (np.diff(values) < 0).sum()
        assert rising < falling  # closes faster than it opens
    gaps = np.concatenate([np.diff(s) for s in starts])
    single = gaps[gaps > 0.5]
    assert 3.0 < single.mean() < 5.0
    assert single.std() > 1.0  # not a metronome
    assert 0.03 < (gaps < 0.5).mean() < 0.25  # double ones
    assert min(lengths) >= 0.1
    assert max(lengths) <= 0.152


def test_gaze_is_mostly_at_the_camera_and_leaves_it_to_think() -> None:
    def angles(mode: Mode) -> np.ndarray:
        one = director(3)
        one.set_mode(mode, 0.0)
        return np.degrees([f.gaze for f in film(one, 1.5, 40)])

    assert (np.hypot(*angles(Mode.LISTENING).T) < 2.5).mean() > 0.9
    assert (np.hypot(*angles(Mode.SPEAKING).T) < 2.5).mean() > 0.75
    assert (np.hypot(*angles(Mode.THINKING).T) > 5).mean() > 0.9


def test_eye_shapes_follow_gaze() -> None:
    one = director(3)
    one.set_mode(Mode.THINKING, 0.0)
    frame = film(one, 0, 2)[-1]
    right, left = (("eyeLookOutLeft", "eyeLookInRight"), ("eyeLookInLeft", "eyeLookOutRight"))
    towards, other = (right, left) if frame.gaze[0] > 0 else (left, right)
    assert all(frame.weight(name) > 0.1 for name in towards)
    assert all(frame.weight(name) == 0.0 for name in other)
    assert frame.weight("eyeLookUpLeft") > 0.0


def test_speaks_and_hushes_quickly() -> None:
    one = director()
    one.set_mode(Mode.SPEAKING, 0.0)
    one.speak(TALK, 0.2)
    frames = film(one, 0, 3)
    assert max(f.blendshapes[JAW] for f in frames) > 0.15
    one.hush(3.0)
    after = film(one, 3.0, 4.0)
    assert all(f.blendshapes[JAW] == 0.0 for f in after if f.pts >= 3.121)


def test_speech_that_comes_too_late_to_be_anticipated_does_not_jump() -> None:
    one = director()
    film(one, 0, 5, 0.01)
    one.speak([("ɑ", 0, 0.4)], 5.0)
    jaws = [float(f.blendshapes[JAW]) for f in film(one, 5.0, 5.4, 0.01)]
    assert max(jaws) > 0.28
    assert max(np.diff([0.0, *jaws])) < 0.08


def test_mouth_rests_unless_it_speaks() -> None:
    mouth = [i for n, i in ARKIT_INDEX.items() if n.startswith(("mouth", "jaw", "tongue"))]
    one = director()
    for mode in (Mode.IDLE, Mode.LISTENING, Mode.THINKING):
        one.set_mode(mode, 5.0 * mode.value)
        assert all(f.blendshapes[mouth].max() == 0.0 for f in film(one, 5.0 * mode.value, 5.0 * mode.value + 5))


def test_sleep_shuts_the_eyes_breathes_slowly_and_wakes() -> None:
    one = director()
    film(one, 0, 10)
    one.set_mode(Mode.ASLEEP, 10.0)
    assert not one.resting(10.0)
    falling = film(one, 10.0, 12.0)
    lids = {round(f.pts - 10, 2): float(f.blendshapes[LID]) for f in falling}
    assert lids[0.2] < 0.9
    assert lids[0.88] > 0.98
    assert all(lid > 0.98 for t, lid in lids.items() if t >= 0.88)
    assert not one.resting(12.0)
    sleeping = film(one, 12.0, 30.0)
    assert one.resting(30.0)
    assert sleeping[-1].head.pitch < math.radians(-3)
    breath = np.array([f.breath for f in sleeping])
    tops = ((breath[1:-1] > breath[:-2]) & (breath[1:-1] >= breath[2:])).sum()
    assert 18 / 7 < tops <= 18 / 5  # a breath takes about six seconds
    assert breath.min() < 0.05
    assert breath.max() > 0.95
    # Not drawn for ten minutes, still on the loop.
    assert one.frame(630.0).loop is not None
    assert one.resting(630.0)
    one.set_mode(Mode.LISTENING, 630.0)
    assert not one.resting(630.0)
    waking = film(one, 630.0, 640.0)
    assert waking[0].blendshapes[LID] > 0.98
    assert waking[25].blendshapes[LID] < 0.1
    assert np.abs(np.diff(poses(waking), axis=0)).max() < 1.0
    assert max(f.breath for f in waking) > 0.8


def test_starts_asleep_with_shut_eyes() -> None:
    one = director(mode=Mode.ASLEEP)
    assert one.resting(0.0)
    assert one.frame(0.0).blendshapes[LID] == 1.0


def nods(frames: list[MotionFrame]) -> int:
    """How often the head dips quickly: by more than half a degree within a fifth of a second, and comes back."""
    pitch = poses(frames)[:, 1]
    dips = [k for k in range(8, len(pitch) - 8) if pitch[k] < min(pitch[k - 6], pitch[k + 6]) - 0.5]
    return int(1 + (np.diff(dips) > 3).sum()) if dips else 0


def test_a_listener_nods_now_and_then_while_the_person_talks() -> None:
    counts, gaps = [], []
    for seed in range(12):
        one = director(seed)
        one.set_mode(Mode.LISTENING, 0.0)
        frames = film(one, 0, 30)
        assert nods(frames[: round(1.5 / FRAME)]) == 0  # not at the first word
        counts.append(nods(frames))
        pitch = poses(frames)[:, 1]
        assert pitch.min() > -5.0
        low = [k for k in range(6, len(pitch) - 6) if pitch[k] == pitch[k - 6 : k + 7].min() and pitch[k] < -1.5]
        gaps += list(np.diff(low) * FRAME)
    assert 4 <= np.mean(counts) <= 14, counts
    assert np.std(gaps) > 0.8  # not a metronome
    still = director(3)
    film(still, 0, 5)
    assert nods(film(still, 5, 35)) == 0  # nobody talks: no nods


def test_one_who_thinks_looks_and_turns_the_head_to_the_same_side() -> None:
    sides = set()
    for seed in range(8):
        one = director(seed)
        film(one, 0, 1)
        one.set_mode(Mode.THINKING, 1.0)
        frames = film(one, 2.0, 4.0)
        yaw, gaze = poses(frames)[:, 0].mean(), np.mean([f.gaze[0] for f in frames])
        assert abs(gaze) > math.radians(5)
        assert np.mean([f.gaze[1] for f in frames]) > math.radians(3)  # up
        assert yaw * gaze > 0 or abs(yaw) < 0.8
        assert np.mean([f.weight("browDownLeft") for f in frames]) > 0.06
        sides.add(bool(gaze > 0))
    assert sides == {True, False}


def test_posture_changes_now_and_then_while_awake() -> None:
    one = director(4)
    one.set_mode(Mode.LISTENING, 0.0)
    shift = np.array([f.head.shift_x for f in film(one, 1, 90)])
    slow = np.convolve(shift, np.ones(75) / 75, "valid")
    assert np.ptp(slow) > 0.008
    assert np.abs(np.diff(shift)).max() < 0.002


def test_listener_nods_in_a_pause_but_not_all_the_time() -> None:
    quiet, nodding = director(5), director(5)
    for one in (quiet, nodding):
        one.set_mode(Mode.LISTENING, 0.0)
        film(one, 0, 3)
    nodding.pause(3.0)
    nodding.pause(3.1)
    dip = poses(film(quiet, 3, 5))[:, 1] - poses(film(nodding, 3, 5))[:, 1]
    assert 1.0 < dip.max() < 4.0
    assert abs(dip[-1]) < 1e-9


def test_breath_takes_about_four_seconds() -> None:
    breath = np.array([f.breath for f in film(director(), 0, 60)])
    tops = ((breath[1:-1] > breath[:-2]) & (breath[1:-1] >= breath[2:])).sum()
    assert 60 / 4.6 < tops < 60 / 3.4


def test_sound_without_timings_moves_the_jaw() -> None:
    one = director()
    t = np.arange(24000) / 24000
    buzz = sum(
        (1 / (1 + ((120 * k - 750) / 120) ** 2) + 0.6 / (1 + ((120 * k - 1250) / 150) ** 2) + 0.02)
        * np.sin(2 * np.pi * 120 * k * t)
        for k in range(1, 60)
    )  # an open vowel: a voice through two resonances
    one.speak_sound((12000 * buzz / np.abs(buzz).max()).astype(np.int16), 24000, 1.0)
    assert max(f.blendshapes[JAW] for f in film(one, 0.5, 2.0)) > 0.05
    assert film(one, 2.0, 2.6)[-1].blendshapes[JAW] == 0.0
    one.speak_sound((12000 * buzz / np.abs(buzz).max()).astype(np.int16), 24000, 3.0)
    film(one, 3.0, 3.5)
    one.hush(3.5)
    assert film(one, 3.5, 3.7)[-1].blendshapes[JAW] == 0.0


def test_frame_is_cheap() -> None:
    one = director()
    one.set_mode(Mode.SPEAKING, 0.0)
    for k in range(10):
        one.speak(TALK, k * 6.5)
    spent = []
    for t in np.arange(0, 40, FRAME):
        since = time.perf_counter()
        one.frame(float(t))
        spent.append(time.perf_counter() - since)
    assert float(np.median(spent)) < 0.0003


def test_spring_is_smooth_through_retargets_and_independent_of_sampling() -> None:
    spring = Spring([0.0], 7.0)
    spring.retarget(1.0, [1.0])
    times = np.arange(0, 4, 0.001)
    values = []
    for t in times:
        if math.isclose(t, 1.2, abs_tol=1e-9):
            spring.retarget(1.2, [0.0])
        values.append(float(spring.value(float(t))[0]))
    assert np.abs(np.diff(values, n=2)).max() < 2e-4  # speed never jumps (a corner would give ~3e-3)
    assert values[-1] == pytest.approx(0.0, abs=1e-3)
    assert max(values) > 0.2


def test_noise_is_bounded_and_slow() -> None:
    noise = Noise(np.random.default_rng(0), 3, 0.1, 0.5)
    values = np.array([noise.value(float(t)) for t in np.arange(0, 100, FRAME)])
    assert np.abs(values).max() <= 1.0
    assert np.abs(np.diff(values, axis=0)).max() < 2 * math.pi * 0.5 * FRAME
