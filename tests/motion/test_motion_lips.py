"""The measurement of lips: it tells good films from bad ones, and our pictures pass it."""

from __future__ import annotations

import asyncio
import json

import numpy as np
import pytest

from visavis.avatar.manifest import BankEntry
from visavis.avatar.studio import banks
from visavis.bench import lips
from visavis.bench.lips import FPS, Film, Spoken, film, judge, score, show, timed
from visavis.motion.visemes import TARGETS, Viseme

BANK = [BankEntry(id=entry.id, file="x", blendshapes=entry.weights) for entry in banks.MOUTHS]
PHONEMES = [(p, 0.1 * k, 0.1 * k + 0.1) for k, p in enumerate("ɑbɑfɑmɑvɑpɑ")]
SPOKEN = Spoken("en", "", np.zeros(24000, np.int16), 24000, PHONEMES)
SILENT = np.zeros(52, np.float32)


def test_a_good_film_scores_well() -> None:
    result = judge([SPOKEN], timed, BANK)
    assert result.bilabials == 3 * lips.PHASES
    assert result.labiodentals == 2 * lips.PHASES
    assert result.vowels == 6 * lips.PHASES
    assert result.closure_recall == result.teeth_recall == result.opening_recall == 1.0
    assert result.onset_ms is not None
    assert -50 <= result.onset_ms <= 10
    assert result.release_ms is not None
    assert 0 <= result.release_ms <= 60
    assert result.correlation > 0.97


def test_a_mouth_that_never_closes_or_never_opens_is_seen() -> None:
    gaping = judge([SPOKEN], lambda _: lambda t: TARGETS[Viseme.aa].copy(), BANK)
    assert gaping.closure_recall == gaping.teeth_recall == 0.0
    assert gaping.opening_recall == 1.0
    assert gaping.correlation == 0.0
    assert gaping.onset_ms is None
    mute = judge([SPOKEN], lambda _: lambda t: SILENT, BANK)
    assert mute.closure_recall == 1.0
    assert mute.opening_recall == mute.teeth_recall == 0.0


@pytest.mark.parametrize("late", [-0.12, 0.12])
def test_lips_out_of_time_are_seen(late: float) -> None:
    def make(spoken: Spoken) -> lips.Mouth:
        mouth = timed(spoken)
        return lambda t: mouth(t - late)

    shifted, right = judge([SPOKEN], make, BANK), judge([SPOKEN], timed, BANK)
    assert shifted.correlation < right.correlation - 0.3
    assert (shifted.closure_recall or 0.0) < 0.8
    assert (shifted.opening_recall or 0.0) < 0.8


def test_a_small_delay_is_measured() -> None:
    def make(spoken: Spoken) -> lips.Mouth:
        mouth = timed(spoken)
        return lambda t: mouth(t - 0.03)

    late, right = judge([SPOKEN], make, BANK), judge([SPOKEN], timed, BANK)
    assert late.onset_ms is not None and right.onset_ms is not None  # noqa: PT018
    assert late.release_ms is not None and right.release_ms is not None  # noqa: PT018
    assert late.onset_ms - right.onset_ms == pytest.approx(30, abs=12)
    assert late.release_ms - right.release_ms == pytest.approx(30, abs=12)


def test_any_tracks_frames_can_be_judged_without_pictures() -> None:
    shot = film(SPOKEN, timed, BANK)
    bare = Film(shot.times, shot.reference, shot.phonemes, shot.reference)
    assert score([bare]).correlation == 1.0
    assert score([bare]).closure_recall == 1.0
    with pytest.raises(ValueError, match="no film"):
        score([])


def test_what_is_shown_are_entries_of_the_bank() -> None:
    shown = show(BANK, [TARGETS[Viseme.PP], TARGETS[Viseme.aa]])
    assert shown.shape == (2, 52)
    np.testing.assert_allclose(shown, [TARGETS[Viseme.PP], TARGETS[Viseme.aa]], atol=0.01)


def test_held_out_sentences_are_full_of_what_is_measured() -> None:
    assert sum(text.lower().count(letter) for text in lips.HELD_OUT["en"] for letter in "pbm") > 40
    assert len(lips.HELD_OUT["en"]) + len(lips.HELD_OUT["zh"]) >= 12


@pytest.mark.models
def test_the_shipped_pictures_close_in_every_bilabial_of_the_held_out_sentences(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lips, "HELD_OUT", {language: texts[:1] for language, texts in lips.HELD_OUT.items()})
    report = asyncio.run(lips.measure())
    json.dumps(report)
    for scores in report["timed"].values():
        for result in scores.values():
            assert result["closure_recall"] == 1.0
            assert result["opening_recall"] is None or result["opening_recall"] > 0.8
            assert result["correlation"] > 0.95
            assert abs(result["onset_ms"]) < 2000 / FPS
    for language in ("en", "zh"):
        assert report["heard"]["normal"][language]["closure_recall"] > 0.5
