from __future__ import annotations

import pytest
import structlog

from visavis.motion.frame import ARKIT_INDEX
from visavis.motion.visemes import STRENGTHS, TARGETS, Viseme, is_known, visemes_of

V = Viseme


@pytest.mark.parametrize(
    ("phoneme", "wanted"),
    [
        ("p", [V.PP]),
        ("b", [V.PP]),
        ("m", [V.PP]),
        ("pʰ", [V.PP]),
        ("f", [V.FF]),
        ("v", [V.FF]),
        ("θ", [V.TH]),
        ("T", [V.DD]),
        ("kʰ", [V.kk]),
        ("ʧ", [V.CH]),
        ("ʤ", [V.CH]),
        ("ɕ", [V.SS]),
        ("ʨʰ", [V.SS]),
        ("ʦʰ", [V.SS]),
        ("ꭧʰ", [V.CH]),
        ("ŋ", [V.kk]),
        ("l", [V.nn]),
        ("ɻ̩", [V.RR]),
        ("ɹ", [V.RR]),
        ("ˈɑː", [V.aa]),
        ("ɛ↘", [V.E]),
        ("i→", [V.ih]),
        ("ɔ", [V.oh]),
        ("y↗", [V.ou]),
        ("I", [V.aa, V.ih]),
        ("A", [V.E, V.ih]),
        ("O", [V.oh, V.ou]),
        ("W", [V.aa, V.ou]),
        ("Y", [V.oh, V.ih]),
        ("ai̯", [V.aa, V.ih]),
        ("ou̯", [V.oh, V.ou]),
        ("", [V.sil]),
        (" ", [V.sil]),
        (",", [V.sil]),
        ("。", [V.sil]),
        ("—", [V.sil]),
    ],
)
def test_phoneme_has_the_mouth_one_sees(phoneme: str, wanted: list[Viseme]) -> None:
    found = visemes_of(phoneme)
    assert [viseme for viseme, _ in found] == wanted
    assert sum(share for _, share in found) == pytest.approx(1.0)
    assert is_known(phoneme)


@pytest.mark.parametrize("mark", ["ˈ", "ˌ", "ː", "ʰ", "↗", "↓", "5"])
def test_marks_move_nothing(mark: str) -> None:
    assert visemes_of(mark) == ()


def test_unknown_letter_is_a_neutral_vowel_and_logged_once() -> None:
    visemes_of.cache_clear()
    with structlog.testing.capture_logs() as logs:
        assert visemes_of("☃") == ((V.E, 1.0),)
        assert visemes_of("☃") == ((V.E, 1.0),)
    assert [entry["letter"] for entry in logs] == ["☃"]
    assert not is_known("☃")


def test_every_phoneme_of_the_synthesisers_is_known() -> None:
    inventory = pytest.importorskip("visavis.speech.phonemes")
    names = [name for name in vars(inventory) if name.isupper() and not name.startswith("_")]
    phonemes = {
        phoneme for name in names if isinstance(value := getattr(inventory, name), frozenset | set | tuple | list)
        for phoneme in value if isinstance(phoneme, str)
    }  # fmt: skip
    assert len(phonemes) > 40
    assert [phoneme for phoneme in sorted(phonemes) if not is_known(phoneme)] == []


def test_targets_are_modest_and_whole() -> None:
    assert TARGETS.shape == STRENGTHS.shape == (15, 52)
    assert TARGETS.min() >= 0.0
    assert STRENGTHS.min() > 0.0
    assert TARGETS[:, ARKIT_INDEX["jawOpen"]].max() <= 0.3201
    assert TARGETS[:, ARKIT_INDEX["mouthFunnel"]].max() <= 0.4
    assert TARGETS[V.sil].max() == 0.0
    assert TARGETS[V.PP, ARKIT_INDEX["mouthLowerDownLeft"]] == 0.0
    assert len({row.tobytes() for row in TARGETS}) == 15
