"""Tokens to timings, trimming, clauses and levels: the parts that need no model."""

from __future__ import annotations

import numpy as np
import pytest
from speech_measure import fundamental_hz, level_db

from visavis.speech.clauses import split
from visavis.speech.level import to_pcm, volume_db
from visavis.speech.phonemes import PHONEMES
from visavis.speech.timing import phoneme_timings, trimmed
from visavis.speech.types import PhonemeTiming

RATE = 24000


def rows(timings: list[PhonemeTiming]) -> list[tuple[str, float, float]]:
    return [(t.phoneme, round(t.start, 3), round(t.end, 3)) for t in timings]


def test_modifiers_lend_their_time_to_their_phoneme() -> None:
    # Stress goes forward, aspiration and tone backward.
    timings = phoneme_timings(["", "ˈ", "O", "k", "ʰ", "ɤ", "↓", ".", ""], [0.1] * 9)
    assert rows(timings) == [
        ("", 0.0, 0.1),
        ("O", 0.1, 0.3),
        ("k", 0.3, 0.5),
        ("ɤ", 0.5, 0.7),
        ("", 0.7, 0.9),
    ]


def test_a_space_is_a_pause_only_beside_punctuation() -> None:
    assert rows(phoneme_timings(list("a b, d"), [0.1] * 6)) == [
        ("a", 0.0, 0.15),
        ("b", 0.15, 0.3),
        ("", 0.3, 0.5),
        ("d", 0.5, 0.6),
    ]


def test_stress_after_a_space_goes_to_the_word_after_it() -> None:
    assert rows(phoneme_timings(list("a ˈb"), [0.1] * 4)) == [("a", 0.0, 0.15), ("b", 0.15, 0.4)]


def test_every_phoneme_is_one_character() -> None:
    assert all(len(symbol) == 1 for symbol in PHONEMES)


def sound_with_silence(before: float, voiced: float, after: float) -> np.ndarray:
    tone = 0.3 * np.sin(np.arange(round(voiced * RATE)) * (2 * np.pi * 200 / RATE))
    return np.concatenate([np.zeros(round(before * RATE)), tone, np.zeros(round(after * RATE))]).astype(np.float32)


def test_silence_around_is_cut_to_measure_and_the_timings_follow() -> None:
    timings = [PhonemeTiming("", 0, 0.4), PhonemeTiming("m", 0.4, 1.6), PhonemeTiming("", 1.6, 2.0)]
    sound, moved = trimmed(sound_with_silence(0.5, 1.0, 0.5), timings, RATE, lead=0.03, tail=0.2)
    assert len(sound) / RATE == pytest.approx(0.03 + 1.0 + 0.2, abs=0.011)
    assert np.abs(sound[round(0.035 * RATE) : round(1.0 * RATE)]).max() > 0.29
    # The engine let "m" end 0.1 s after the sound; the mouth closes with the sound.
    assert [t.phoneme for t in moved] == ["m", ""]
    assert moved[0].start == 0.0
    assert moved[0].end == pytest.approx(1.05, abs=0.02)
    assert moved[-1].end == pytest.approx(len(sound) / RATE)


def test_a_tail_longer_than_the_sound_is_filled_up() -> None:
    sound, moved = trimmed(sound_with_silence(0.1, 0.5, 0.0), [PhonemeTiming("m", 0, 0.6)], RATE, 0.03, 0.3)
    assert len(sound) / RATE == pytest.approx(0.83, abs=0.011)
    assert moved[-1].phoneme == ""
    assert moved[-1].end == pytest.approx(len(sound) / RATE)


def test_silence_alone_leaves_nothing() -> None:
    sound, moved = trimmed(np.zeros(RATE, np.float32), [PhonemeTiming("m", 0, 1)], RATE, 0.03, 0.3)
    assert len(sound) == 0
    assert moved == []


def test_volume_scale() -> None:
    assert volume_db(140) == 0
    assert volume_db(90) == pytest.approx(-5)
    assert volume_db(240) == pytest.approx(10)
    quiet = sound_with_silence(0, 0.5, 0) * 0.3
    assert level_db(to_pcm(quiet, 6.0, RATE)) - level_db(to_pcm(quiet, 0.0, RATE)) == pytest.approx(6.0, abs=0.05)


def test_the_limiter_keeps_peaks_below_full_scale_without_changing_the_tone() -> None:
    loud = sound_with_silence(0.1, 0.5, 0.1) * 2
    pcm = to_pcm(loud, 12.0, RATE)
    assert np.abs(pcm).max() <= round(0.892 * 32767)
    assert fundamental_hz(pcm) == pytest.approx(200, abs=2)
    spectrum = np.abs(np.fft.rfft(pcm[3600:13200] * np.hanning(9600)))
    fundamental, third = spectrum[75:86].max(), spectrum[235:246].max()
    assert third < fundamental / 300  # clipping would put a tenth of it there


@pytest.mark.parametrize(
    ("text", "clauses"),
    [
        ("你好，我是一个数字人，可以回答问题。", ["你好。", "我是一个数字人，", "可以回答问题。"]),
        ("一、二、三，开始。", ["一、二。", "三，开始。"]),
        ("价格是3.5元。", ["价格是3.5元。"]),
        (
            "Hello there, this is a rather long sentence, is it not?",
            ["Hello there.", "this is a rather long sentence,", "is it not?"],
        ),
        ("Dr. Li has 1,250 books, at 7:30 he reads.", ["Dr. Li has 1,250 books,", "at 7:30 he reads."]),
        ("他说：“你好吗？”然后走了。", ["他说：", "“你好吗？”然后走了。"]),
        ("好", ["好"]),
        ("……", []),
    ],
)
def test_clauses(text: str, clauses: list[str]) -> None:
    found = split(text)
    assert [clause.text for clause in found] == clauses
    assert all(clause.pause >= 0.1 for clause in found)
