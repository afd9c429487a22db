"""Which syllables the head and the brows mark."""

from __future__ import annotations

import numpy as np
import pytest

from visavis.motion import Director, Mode
from visavis.motion.stress import beats, syllables

# Times as the embedded synthesisers give them (they write neither stress nor tone).
ENGLISH = "ʃ.08 i.06 s.09 ɛ.06 l.06 z.06 f.08 ɹ.05 ɛ.09 ʃ.1 f.08 ɪ.11 ʃ.1 n.05 ɪ.04 ɹ.05 ð.04 ə.04 h.06 ɑ.17 ɹ.04 b.06 ə.05 ɹ.08 .14"
MANDARIN = "m.05 a.12 m.05 a.15 ʦ.08 a.03 i.06 ꭧ.11 a.02 u.12 ʂ.05 ɨ.06 m.06 a.02 i.06 l.04 ɤ.05 p.12 i.1 ŋ.07 k.05 w.08 o.19 .14"


def timed(text: str) -> list[tuple[str, float, float]]:
    out, t = [], 0.0
    for item in text.split():
        phoneme, _, hundredths = item.partition(".")
        seconds = float(f"0.{hundredths}")
        out.append((phoneme, t, t + seconds))
        t += seconds
    return out


def test_neighbouring_vowels_are_one_syllable() -> None:
    found = syllables(timed(MANDARIN))
    assert len(found) == 9  # ma ma zai chao shi mai le ping guo
    assert found[2].end - found[2].start == pytest.approx(0.09)  # "ai"


def test_the_long_open_syllable_is_marked_not_the_reduced_one() -> None:
    phonemes = timed(ENGLISH)
    marked = beats(phonemes, 0.7)
    harbour = next((a + b) / 2 for p, a, b in phonemes if p == "ɑ")
    assert any(abs(at - harbour) < 0.02 for at, _ in marked)
    schwas = [(a, b) for p, a, b in phonemes if p == "ə"]
    assert not any(a <= at <= b for at, _ in marked for a, b in schwas)


def test_a_written_stress_wins_over_length() -> None:
    plain = [("b", 0.0, 0.05), ("ɑ", 0.05, 0.15), ("t", 0.15, 0.2), ("ɑ", 0.2, 0.3), ("t", 0.3, 0.35)]
    stressed = [(f"ˈ{p}" if k == 3 else p, a, b) for k, (p, a, b) in enumerate(plain)]
    assert beats(plain, 0.7) == []
    assert [at for at, _ in beats(stressed, 0.7)] == [pytest.approx(0.25)]


def test_a_falling_tone_is_a_push() -> None:
    flat = [("m", 0.0, 0.05), ("a", 0.05, 0.15), ("m", 0.15, 0.2), ("a", 0.2, 0.3)]
    fourth = [*flat, ("↘", 0.3, 0.3)]
    assert beats(flat, 0.7) == []
    assert [at for at, _ in beats(fourth, 0.7)] == [pytest.approx(0.25)]


@pytest.mark.parametrize("text", [ENGLISH, MANDARIN])
def test_marks_are_apart_and_bounded(text: str) -> None:
    sentence = timed(text)
    long = [(p, a + k * 3.0, b + k * 3.0) for k in range(5) for p, a, b in sentence]
    marked = beats(long, 0.7)
    assert len(marked) >= 5
    assert np.diff([at for at, _ in marked]).min() >= 0.5
    assert all(0.3 <= strength <= 1.0 for _, strength in marked)


def test_nothing_said_nothing_marked() -> None:
    assert beats([], 0.7) == []
    assert beats([("", 0.0, 0.5), ("p", 0.5, 0.5)], 0.7) == []


@pytest.mark.parametrize("text", [ENGLISH, MANDARIN])
def test_the_head_dips_and_the_brows_rise_where_a_syllable_is_marked(text: str) -> None:
    dips, rises = [], []
    for seed in range(20):
        talking, silent = (Director(np.random.default_rng(seed)) for _ in range(2))
        for one in (talking, silent):
            one.frame(0.0)
            one.set_mode(Mode.SPEAKING, 0.0)
        talking.speak(timed(text), 1.0)
        times = [n / 25 for n in range(1, 90)]
        spoken, quiet = ([one.frame(t) for t in times] for one in (talking, silent))
        pitch = np.degrees([a.head.pitch - b.head.pitch for a, b in zip(spoken, quiet, strict=True)])
        brows = [a.weight("browOuterUpLeft") - b.weight("browOuterUpLeft") for a, b in zip(spoken, quiet, strict=True)]
        dips.append(pitch.min())
        rises.append(max(brows))
    assert np.mean(np.array(dips) < -0.4) > 0.7  # seen in most sentences
    assert min(dips) > -2.6  # never a bow
    assert np.mean(np.array(rises) > 0.03) > 0.35  # the brows take part in some
    assert max(rises) < 0.15
