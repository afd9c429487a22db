"""Grapheme to phoneme: both languages, mixed, and nothing the engines have no token for."""

from __future__ import annotations

import pytest

from visavis.speech.g2p import Phonemiser
from visavis.speech.phonemes import ENGLISH, MANDARIN, MODIFIERS_AFTER, MODIFIERS_BEFORE

MARKS = MODIFIERS_AFTER | MODIFIERS_BEFORE | set(' ,.!?;:—…"“”()')


@pytest.fixture(scope="module")
def phonemes() -> Phonemiser:
    return Phonemiser()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hello there.", "həlˈO ðˈɛɹ."),
        ("In 2024 it cost $5.", "ɪn twˈɛnti twˈɛnti fˈɔɹ ɪt kˈɔst fˈIv dˈɑləɹz."),
        ("Is visavis open?", "ɪz vˌizəvˈi ˈOpᵊn?"),
        ("你好。", "ni↓xau↓."),
        ("我用GPU，很快。", "wo↓jʊ↘ŋ ʤˌipˌijˈu, xə↓nkʰwai↘."),
        ("Visavis是什么？", "vˌizəvˈi ʂɨ↘ ʂə↗nmɤ?"),
        ("银行行长", "i↗nxa↗ŋxa↗ŋꭧa↓ŋ"),
        ("ㄅ", ""),
    ],
)
def test_readings(phonemes: Phonemiser, text: str, expected: str) -> None:
    said = phonemes(text)
    assert said.replace("ˌ", "").replace("ˈ", "") == expected.replace("ˌ", "").replace("ˈ", "")


def test_every_symbol_has_a_token_and_is_in_the_published_inventories(phonemes: Phonemiser) -> None:
    english = phonemes(
        "The quick brown fox jumps over a lazy dog; measure, thing, this, church, judge, boy, yes, button!"
    )
    # Every initial and every final of Mandarin.
    mandarin = phonemes(
        "八怕妈发大他那拉个卡哈家前想知吃是日字次四 啊爱安昂奥额诶恩鞥衣压烟样要也音英用有"
        "翁五挖外弯王为文我雨月元云二哦嗯呣这儿女绿略"
    )
    assert set(english) <= ENGLISH | MARKS
    assert set(mandarin) <= MANDARIN | MARKS
    assert all(phonemes.token(symbol) > 0 for symbol in english + mandarin)
    assert len(set(english) & ENGLISH) > 30
    assert set(mandarin) >= MANDARIN - {"h"}
