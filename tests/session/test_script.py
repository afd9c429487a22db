from __future__ import annotations

import pytest

from visavis.session.script import STAGE_RATE, TurnRecord, Utterance


def cut(text: str, language: str, seconds: float, of: float, complete: bool = True) -> str:
    utterance = Utterance(text, language, "c", samples=int(of * STAGE_RATE), complete=complete)
    utterance.played = int(seconds * STAGE_RATE)
    utterance.started = True
    utterance.ended = True
    return utterance.heard


def test_nothing_of_a_sentence_that_never_sounded_was_heard() -> None:
    assert Utterance("Hello there.", "en", "c", samples=STAGE_RATE).heard == ""


def test_a_whole_sentence() -> None:
    assert cut("Hello there, friend.", "en", 2, 2) == "Hello there, friend."


@pytest.mark.parametrize("share", [0.25, 0.5, 0.75])
def test_a_cut_sentence_ends_at_a_word_and_not_beyond_what_sounded(share: float) -> None:
    text = "I can hear you, think, and answer aloud with moving lips."
    heard = cut(text, "en", 4 * share, 4)
    assert text.startswith(heard)
    assert heard == "" or text[len(heard)] in " ,"
    assert len(heard) <= len(text) * share + 1
    assert len(heard) > len(text) * share - 12


def test_chinese_is_cut_at_a_character() -> None:
    assert cut("我会说中文和英文。", "zh", 1, 2) == "我会说中"


def test_while_sound_is_still_to_come_the_length_is_estimated() -> None:
    text = "one two three four five six seven eight nine ten eleven twelve"
    assert len(cut(text, "en", 1, 1.0, complete=False)) < len(text) / 2


def test_a_turn_joins_what_was_heard_of_its_sentences() -> None:
    whole = Utterance("First one.", "en", "c", samples=10, played=10, complete=True, started=True, ended=True)
    never = Utterance("Never said.", "en", "c", samples=10)
    record = TurnRecord("c", "q", "en", utterances=[whole, never])
    assert record.spoken == "First one."


def test_stages_count_from_the_end_of_speech() -> None:
    record = TurnRecord(
        "c", "q", "en", marks={"end_of_speech": 10.0, "play": 11.0, "endpoint": 10.2, "recognise": 10.5}
    )
    assert record.stages() == {"endpoint": 0.2, "recognise": 0.5, "play": 1.0}
    assert list(record.stages()) == ["endpoint", "recognise", "play"]


def test_a_typed_question_has_no_latency() -> None:
    assert TurnRecord("c", "q", "en", marks={"play": 1.0}).stages() == {}
