"""Tags in texts: what they change, what is left out, what is refused."""

from __future__ import annotations

import pytest

from visavis.speech.lexicon import Reading
from visavis.speech.ssml import Break, Piece, SsmlError, parse, plain


def test_words_are_read_as_their_tags_say() -> None:
    text = (
        '<speak>我<phoneme ph="liao3">了</phoneme>解 <phoneme alphabet="ipa" ph=\'/dʒɪf/\'>gif</phoneme>，'
        '<say-as interpret-as="number"> 110 </say-as><sub alias="人工智能">AI</sub><word>New York</word></speak>'
    )
    assert parse(text) == [
        Piece(
            "我了解 gif， 110 AINew York",
            (
                Reading(1, 2, "了", "pinyin", "liao3"),
                Reading(4, 7, "gif", "ipa", "/dʒɪf/"),
                Reading(9, 12, "110", "say-as", "number"),
                Reading(13, 15, "AI", "alias", "人工智能"),
                Reading(15, 23, "New York", "linked", ""),
            ),
        )
    ]


def test_breaks_and_rates_cut_the_text() -> None:
    text = 'One <break time="1.5s"/>two <prosody rate="150%">three <break strength="weak"/> four</prosody><break/>'
    assert parse(text) == [
        Piece("One "),
        Break(1.5),
        Piece("two "),
        Piece("three ", rate=1.5),
        Break(0.2),
        Piece(" four", rate=1.5),
        Break(0.4),
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("no tags: 1 < 2 &amp; 3", "no tags: 1 < 2 &amp; 3"),
        ("<speak>1 &lt; 2 &amp; 3</speak>", "1 < 2 & 3"),
        ('<speak><emotion type="HAPPY"><insert-action name="wave"/>Hello.</emotion><!-- <b> --></speak>', "Hello."),
        ('<phoneme ph="liao3">never closed', "never closed"),
        ("</sub></prosody>closed only", "closed only"),
        ('<sub alias="a"><say-as interpret-as="date">b</say-as></sub>', "b"),
        ("cafe\u0301", "café"),
    ],
)
def test_what_is_no_reading_is_just_spoken(text: str, words: str) -> None:
    assert plain(text).strip() == words
    assert len([one for piece in parse(text) if isinstance(piece, Piece) for one in piece.readings]) == (
        "alias" in text
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('<phoneme ph="liao9">了</phoneme>', "pinyin"),
        ('<phoneme ph="日">gif</phoneme>', "phonetic symbol"),
        ("<phoneme>gif</phoneme>", "ph is needed"),
        ('<say-as interpret-as="poem">1</say-as>', "interpret|one of"),
        ('<say-as interpret-as="date">soon</say-as>', "date"),
        ("<sub>AI</sub>", "alias is needed"),
        ('<break time="11s"/>', "200ms to 10s"),
        ('<break time="long"/>', "200ms to 10s"),
        ('<break strength="huge"/>', "strength"),
        ('<prosody rate="10">x</prosody>', "rate"),
        ('<prosody rate="quick">x</prosody>', "rate"),
        ("<break/>" * 201, "at most"),
        (f'<sub alias="{"x" * 3000}">y</sub>', "longer"),
    ],
)
def test_what_cannot_be_read_is_refused(text: str, reason: str) -> None:
    with pytest.raises(SsmlError, match=reason):
        parse(text)
