from __future__ import annotations

import math

import numpy as np
import pytest

from visavis.avatar.choose import BITTEN, TOUCHING, MouthChooser, contact, opening
from visavis.avatar.manifest import BankEntry
from visavis.avatar.studio import banks
from visavis.motion import ARKIT_INDEX, MotionFrame, SpeechTrack

FRAME = 0.04
ALPHABET = ["p", "b", "m", "f", "v", "t", "s", "k", "l", "ɹ", "ʃ", "ɑ", "i", "u", "O", "I", "ə", "", " ", "ˈ"]
OPENERS = [ARKIT_INDEX[n] for n in ("mouthLowerDownLeft", "mouthUpperUpLeft", "mouthFunnel", "mouthStretchLeft")]
JAW, PRESS, ROLL = ARKIT_INDEX["jawOpen"], ARKIT_INDEX["mouthPressLeft"], ARKIT_INDEX["mouthRollLower"]

Phonemes = list[tuple[str, float, float]]


def sentence(rng: np.random.Generator, count: int, shortest: float = 0.01, longest: float = 0.22) -> Phonemes:
    out, t = [], 0.0
    for _ in range(count):
        duration = rng.uniform(shortest, longest)
        out.append((str(rng.choice(ALPHABET)), t, t + duration))
        t += duration
    return out


def closed(shapes: np.ndarray) -> bool:
    return bool(shapes[JAW] <= 0.05 and shapes[PRESS] >= 0.3 and shapes[OPENERS].max() <= 0.02)


@pytest.mark.parametrize("seed", range(12))
def test_lips_close_in_every_p_b_m_whatever_the_timing_and_frame_phase(seed: int) -> None:
    rng = np.random.default_rng(seed)
    offset, phase = rng.uniform(0, 5), rng.uniform(0, FRAME)
    phonemes = sentence(rng, 60)
    track = SpeechTrack()
    track.add(phonemes, offset)
    frames = np.arange(0, phonemes[-1][2] + offset + 1, FRAME) + phase
    mouths = [track.sample(float(t)) for t in frames]
    checked = 0
    for phoneme, start, end in phonemes:
        if phoneme in ("p", "b", "m"):
            shown = [
                m for t, m in zip(frames, mouths, strict=True) if start + offset - FRAME < t < end + offset + 0.025
            ]
            assert any(closed(m) for m in shown), (phoneme, start, end)
            checked += 1
    assert checked > 2


def test_closure_holds_through_a_long_m_and_opens_for_the_vowel() -> None:
    track = SpeechTrack()
    track.add([("ɑ", 0, 0.2), ("m", 0.2, 0.4), ("ɑ", 0.4, 0.6)], 1.0)
    mouths = {round(t, 2): track.sample(t) for t in np.arange(1.0, 1.7, 0.02)}
    assert all(closed(mouths[round(t, 2)]) for t in np.arange(1.2, 1.38, 0.02))
    assert mouths[1.1][JAW] > 0.25
    assert mouths[1.52][JAW] > 0.25


def test_lower_lip_goes_under_the_teeth_in_f_and_v() -> None:
    for phoneme in ("f", "v"):
        for duration in (0.02, 0.06, 0.15):
            track = SpeechTrack()
            track.add([("ɑ", 0, 0.15), (phoneme, 0.15, 0.15 + duration), ("ɑ", 0.15 + duration, 0.4)], 0.0)
            mouth = track.sample(0.15 + duration / 2)
            assert mouth[ROLL] >= 0.35
            assert mouth[JAW] <= 0.06
            assert mouth[PRESS] <= 0.05  # not closed: air passes


@pytest.mark.parametrize("seed", range(6))
def test_motion_is_continuous_and_within_range(seed: int) -> None:
    rng = np.random.default_rng(seed)
    phonemes = [p for p in sentence(rng, 80, 0.04) if p[0] not in ("p", "b", "m", "f", "v")]
    track = SpeechTrack()
    track.add(phonemes, 0.5)
    mouths = np.array([track.sample(float(t)) for t in np.arange(0, phonemes[-1][2] + 1.2, FRAME)])
    assert mouths.min() >= 0.0
    assert mouths.max() <= 1.0
    assert mouths[:, JAW].max() <= 0.33
    assert mouths[:, ARKIT_INDEX["mouthFunnel"]].max() <= 0.4
    assert np.abs(np.diff(mouths, axis=0)).max() < 0.26
    fine = SpeechTrack()
    fine.add(phonemes, 0.5)
    steps = np.diff([fine.sample(float(t)) for t in np.arange(0, phonemes[-1][2] + 1.2, 0.001)], axis=0)
    assert np.abs(steps).max() < 0.02


def test_lips_round_before_u_earlier_than_they_spread_after_it() -> None:
    track = SpeechTrack()
    track.add([("k", 0, 0.3), ("u", 0.3, 0.5), ("k", 0.5, 0.8)], 0.0)
    pucker = {ms: float(track.sample(ms / 1000)[ARKIT_INDEX["mouthPucker"]]) for ms in range(20, 800, 10)}
    assert pucker[400] > 0.35
    assert pucker[230] > 0.05  # 70 ms before it sounds
    assert pucker[40] < 0.05
    assert pucker[300 - 70] > pucker[500 + 70]


def test_rests_in_a_pause_but_not_between_words() -> None:
    track = SpeechTrack()
    track.add([("ɑ", 0, 0.3), ("", 0.3, 0.4), ("ɑ", 0.4, 0.7), ("", 0.7, 1.1), ("ɑ", 1.1, 1.3)], 0.0)
    jaw = {ms: float(track.sample(ms / 1000)[JAW]) for ms in range(0, 1500, 10)}
    assert jaw[350] > 0.2
    assert jaw[900] < 0.01
    assert jaw[1200] > 0.2
    assert jaw[1480] < 0.01


def test_sentences_join_without_a_jump_even_if_the_second_comes_late() -> None:
    for arrival in (0.1, 0.25, 0.3, 0.34, 0.4):
        track = SpeechTrack()
        track.add([("ɑ", 0, 0.3)], 0.0)
        mouths, added = [], False
        for t in np.arange(0, 0.9, 0.005):
            if t >= arrival and not added:
                track.add([("u", 0, 0.3)], 0.36)
                added = True
            mouths.append(track.sample(float(t)))
        assert np.abs(np.diff(mouths, axis=0)).max() < 0.06, arrival
        assert mouths[100][ARKIT_INDEX["mouthPucker"]] > 0.3


def test_incremental_adding_equals_adding_at_once() -> None:
    first: Phonemes = [("h", 0, 0.1), ("ə", 0.1, 0.2), ("l", 0.2, 0.3), ("O", 0.3, 0.5)]
    second: Phonemes = [("m", 0, 0.1), ("i", 0.1, 0.3)]
    whole, parts = SpeechTrack(), SpeechTrack()
    whole.add(first + [(p, a + 0.5, b + 0.5) for p, a, b in second], 1.0)
    parts.add(first, 1.0)
    for t in np.arange(0.5, 1.2, FRAME):
        np.testing.assert_allclose(parts.sample(float(t)), whole.sample(float(t)), atol=2e-5)
    parts.add(second, 1.5)
    for t in np.arange(1.2, 2.2, FRAME):
        np.testing.assert_allclose(parts.sample(float(t)), whole.sample(float(t)), atol=2e-5)


def test_hush_closes_in_two_pictures_from_where_the_mouth_is() -> None:
    track = SpeechTrack()
    track.add([("ɑ", k * 0.2, k * 0.2 + 0.2) for k in range(20)], 0.0)
    at = track.sample(1.0)
    assert at[JAW] > 0.25
    track.clear(1.0)
    np.testing.assert_allclose(track.sample(1.0), at, atol=1e-6)
    closing = [float(track.sample(1.0 + ms / 1000)[JAW]) for ms in range(0, 130, 10)]
    assert closing == sorted(closing, reverse=True)
    assert track.sample(1.06).max() == 0.0
    assert track.sample(1.7).max() == 0.0
    assert track.resting(1.7)
    track.add([("ɑ", 0, 0.3)], 2.0)
    assert track.sample(2.15)[JAW] > 0.2


def test_memory_stays_bounded_in_a_long_talk() -> None:
    track = SpeechTrack()
    for k in range(400):
        track.add([("m", 0, 0.2), ("ɑ", 0.2, 0.9)], float(k))
        track.sample(k + 0.5)
    assert len(track._starts) < 30
    assert len(track._locks) < 10


def test_impossible_times_are_refused() -> None:
    for start, end in ((0.2, 0.1), (math.nan, 0.1), (0.0, math.inf)):
        with pytest.raises(ValueError, match="bad times"):
            SpeechTrack().add([("a", start, end)], 0.0)


@pytest.mark.parametrize("tempo", [0.5, 0.8, 1.0, 1.5, 2.0, 3.0, 5.0])
def test_the_picture_shows_closed_lips_in_every_p_b_m_at_every_tempo(tempo: float) -> None:
    """The fastest reading leaves 18 ms a sound; the entries chosen at 25 frames a second still close, whatever the phase."""
    bank = [BankEntry(id=entry.id, file="x", blendshapes=entry.weights) for entry in banks.MOUTHS]
    text = "maɪbɑbəbɹɔtmaɪpɹɑbləmʌpbətpɹɑbəblipipəlɹəmɛmbəɹfɔɹvɪbhʌmfvipmævbɛf"
    phonemes = [(p, k * 0.09 / tempo, (k + 1) * 0.09 / tempo) for k, p in enumerate(text)]
    for phase in np.arange(0, FRAME, FRAME / 7):
        track = SpeechTrack()
        track.add(phonemes, 1.0)
        chooser = MouthChooser(bank)
        times = np.arange(0.5, 1.6 + phonemes[-1][2], FRAME) + phase
        shown = np.array([contact(dense(bank[chooser.pick(MotionFrame(blendshapes=track.sample(t)))])) for t in times])
        for phoneme, start, end in phonemes:
            during = shown[(times > 1.0 + start - FRAME) & (times < 1.0 + end + 0.025)]
            if phoneme in "pbm":
                assert (during == TOUCHING).any(), (phoneme, start, phase)
            elif phoneme in "fv" and tempo <= 1.5:
                assert (during == BITTEN).any(), (phoneme, start, phase)


def dense(entry: BankEntry) -> np.ndarray:
    shapes = np.zeros(52, np.float32)
    for name, weight in entry.blendshapes.items():
        shapes[ARKIT_INDEX[name]] = weight
    return shapes


def test_spread_and_rounded_lips_close_spread_and_rounded() -> None:
    def closing(vowel: str) -> np.ndarray:
        track = SpeechTrack()
        track.add([(vowel, 0, 0.15), ("b", 0.15, 0.25), (vowel, 0.25, 0.4)], 0.0)
        return track.sample(0.2)

    wide, neutral, rounded = closing("i"), closing("ɑ"), closing("u")
    assert all(closed(mouth) for mouth in (wide, neutral, rounded))
    smile, pucker = ARKIT_INDEX["mouthSmileLeft"], ARKIT_INDEX["mouthPucker"]
    assert wide[smile] > neutral[smile] + 0.03
    assert rounded[pucker] > neutral[pucker] + 0.1


@pytest.mark.parametrize("before", [[], [("ɑ", 0.0, 0.3), ("", 0.3, 0.9)]])
@pytest.mark.parametrize("first", ["b", "m", "f"])
def test_lips_do_not_part_before_a_word_that_begins_with_a_closure(before: Phonemes, first: str) -> None:
    track = SpeechTrack()
    track.add([*before, (first, 0.9, 0.97), ("ɑ", 0.97, 1.2)], 0.0)
    waiting = [track.sample(t) for t in np.arange(0.6, 0.95, 0.01)]
    assert max(opening(mouth) for mouth in waiting) < 0.04
    assert opening(track.sample(1.08)) > 0.25


def test_any_kind_of_number_is_a_time() -> None:
    track = SpeechTrack()
    track.add([("m", 0, 0.1), ("i", 0.1, 0.2)], 1.0)
    for t in (np.float64(1.05), 1.1, np.float32(1.2)):
        assert track.sample(t).dtype == np.float32
