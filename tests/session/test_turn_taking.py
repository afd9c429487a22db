"""When a turn ends: pauses inside it, hesitation, whole sentences, and who says himself when he is done."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from session_fakes import FakeDialogue
from tone_talk import quiet, said, tone_talk

from visavis.dialogue.types import Sentence, Turn
from visavis.session.answerer import TENTATIVE_S
from visavis.session.turns.endpoint import CAP_S, FLOOR_S, Endpointing, Evidence
from visavis.session.turns.wording import Shape, echoes, means_something, shape


async def test_a_question_with_a_pause_inside_is_one_turn_with_all_its_words() -> None:
    async with tone_talk("Two.") as talk:
        await talk.hear(quiet(0.5), said("which languages"), quiet(0.6), said("can you speak"), quiet(1.0))
        record = await talk.journal.wait("done")
        assert talk.journal.of("heard") == ["Which languages can you speak?"]
    assert record.spoken == "Two."


async def test_um_holds_the_floor() -> None:
    async with tone_talk("Here.") as talk:
        await talk.hear(quiet(0.5), said("i want um"), quiet(1.1), said("two tickets now please"), quiet(1.2))
        await talk.journal.wait("done")
        assert talk.journal.of("heard") == ["I want um two tickets now please."]


async def test_a_whole_question_is_answered_before_the_usual_silence_and_its_text_is_there_by_then() -> None:
    async with tone_talk("Two.", took=0.15) as talk:
        await talk.hear(quiet(0.5), said("which languages can you speak"), quiet(1.0))
        record = await talk.journal.wait("done")
    stages = record.stages()
    assert list(stages) == ["endpoint", "recognise", "turn", "answer", "speak", "play"]
    assert FLOOR_S - 0.06 <= stages["turn"] < 0.49, stages
    assert stages["recognise"] <= stages["turn"]
    assert record.heard == "Which languages can you speak?"


async def test_a_robot_that_waits_longer_is_waited_for() -> None:
    async with tone_talk("Two.", tail_silence_s=1.5) as talk:
        await talk.hear(quiet(0.5), said("which languages can you speak"), quiet(1.6))
        record = await talk.journal.wait("done")
    assert record.stages()["turn"] >= 0.85


async def test_a_turn_that_ended_too_early_goes_on_with_what_follows() -> None:
    async with tone_talk("It is noon here and everywhere.", seconds=3.0) as talk:
        await talk.hear(quiet(0.5), said("what time is it"), quiet(0.55), said("in paris please"), quiet(1.2))
        await talk.journal.wait("heard", lambda text: text.endswith("please."))
        second = talk.dialogue.turns[-1]
    assert talk.journal.of("heard") == ["What time is it?", "What time is it? In paris please."]
    assert second.text == "What time is it? In paris please."
    assert second.history == (), "what he had not finished saying is part of this turn, and of no other"


class Doubting(FakeDialogue):
    """Is sure of no answer but that to the whole question."""

    async def answer(self, turn: Turn) -> AsyncIterator[Sentence]:
        async for sentence in super().answer(turn):
            yield replace(sentence, tentative="paris" not in turn.text.lower())


async def test_an_answer_that_hardly_fits_lets_the_person_finish() -> None:
    async with tone_talk(dialogue=Doubting("It is noon.")) as talk:
        await talk.hear(quiet(0.5), said("what time is it"), quiet(0.55), said("in paris please"), quiet(1.2))
        record = await talk.journal.wait("done", lambda one: bool(one.spoken))
        assert record.heard == "What time is it? In paris please."
        assert talk.journal.of("started") == ["It is noon."], "nothing of the other answer was heard"


async def test_an_answer_that_hardly_fits_comes_when_nothing_follows() -> None:
    async with tone_talk(dialogue=Doubting("It is noon.")) as talk:
        await talk.hear(quiet(0.5), said("what time is it"), quiet(1.4))
        record = await talk.journal.wait("done")
    assert record.spoken == "It is noon."
    stages = record.stages()
    assert stages["turn"] < 0.6
    assert TENTATIVE_S <= stages["answer"] < TENTATIVE_S + 0.15, stages


async def test_noise_that_is_no_word_ends_in_nothing() -> None:
    async with tone_talk("Yes.") as talk:
        await talk.hear(quiet(0.5), said("(noise)"), quiet(1.2))
        await talk.journal.wait("nothing")
        assert talk.dialogue.turns == []


async def test_who_holds_the_button_is_heard_to_the_end_and_answered_at_once() -> None:
    async with tone_talk(dialogue=Doubting("Two.")) as talk:
        await talk.conversation.begin_turn()
        await talk.hear(quiet(0.2), said("which languages can you speak"), quiet(2.2), said("now please"), quiet(0.08))
        assert talk.journal.of("heard") == [], "no silence ends a turn that is held"
        await talk.conversation.end_turn()
        record = await talk.journal.wait("done")
        assert record.heard == "Which languages can you speak now please?"
        stages = record.stages()
        assert stages["answer"] - stages["turn"] < 0.3, (
            "who says that he is done has said all, however little of it fits"
        )
        await talk.conversation.begin_turn()
        await talk.hear(quiet(0.4))
        await talk.conversation.end_turn()
        await talk.journal.wait("nothing")


async def test_the_button_cuts_what_is_being_said() -> None:
    async with tone_talk(seconds=5.0) as talk:
        await talk.conversation.say("A long story.")
        await talk.journal.wait("started")
        await talk.conversation.begin_turn()
        await talk.journal.wait("speaking", lambda speaking: not speaking)
        await talk.conversation.end_turn()


# --- the rules -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        ("Which languages can you speak?", "en", Shape.FINISHED),
        ("Where are you from?", "en", Shape.FINISHED),
        ("How much is it?", "en", Shape.FINISHED),
        ("Stop.", "en", Shape.FINISHED),
        ("What happens then?", "en", Shape.FINISHED),
        ("If I wanted my own answers, how would I do that?", "en", Shape.FINISHED),
        ("who developed this software.", "en", Shape.FINISHED),
        ("What about the second floor?", "en", Shape.OPEN),
        ("What kind of speech recognition?", "en", Shape.UNFINISHED),
        ("And could I perhaps?", "en", Shape.UNFINISHED),
        ("Do you know whether this", "en", Shape.UNFINISHED),
        ("Can you tell me more", "en", Shape.UNFINISHED),
        ("Tell me more.", "en", Shape.OPEN),
        ("Which languages", "en", Shape.UNFINISHED),
        ("What time do you...", "en", Shape.UNFINISHED),
        ("I would like to", "en", Shape.UNFINISHED),
        ("I want to know, um,", "en", Shape.UNFINISHED),
        ("Can you tell me where the", "en", Shape.UNFINISHED),
        ("My name is Anna", "en", Shape.OPEN),
        ("", "en", Shape.OPEN),
        ("你会说哪些语言？", "zh", Shape.FINISHED),
        ("请问洗手间在哪里", "zh", Shape.FINISHED),
        ("你好", "zh", Shape.FINISHED),
        ("我想问一下", "zh", Shape.UNFINISHED),
        ("我想知道那个", "zh", Shape.UNFINISHED),
        ("呃", "zh", Shape.UNFINISHED),
        ("如果", "zh", Shape.UNFINISHED),
        ("我可以打", "zh", Shape.UNFINISHED),
        ("你会吗", "zh", Shape.FINISHED),
        ("我叫王明", "zh", Shape.OPEN),
        ("没有网络也能用码。", "zh", Shape.FINISHED),
        ("请告诉我密码", "zh", Shape.OPEN),
        ("你是真人还是机器", "zh", Shape.FINISHED),
        ("你回答得有多快", "zh", Shape.FINISHED),
        ("我们能不能。", "zh", Shape.UNFINISHED),
        ("这样可不可以", "zh", Shape.FINISHED),
        ("你用的语音识别", "zh", Shape.UNFINISHED),
        ("我要明天的车票", "zh", Shape.OPEN),
    ],
)
def test_how_whole_a_text_is(text: str, language: str, expected: Shape) -> None:
    assert shape(text, language) is expected


@pytest.mark.parametrize(
    "text",
    [
        "Mm-hm.",
        "Yeah.",
        "Okay, okay.",
        "I see.",
        "Right.",
        "Oh, really?",
        "嗯",
        "嗯嗯。",
        "对对对",
        "好的",
        "是吗？",
        "",
    ],
)
def test_assent_is_no_interruption(text: str) -> None:
    assert not means_something(text)


@pytest.mark.parametrize(
    "text",
    [
        "Stop.",
        "Wait a moment.",
        "But what about Sunday?",
        "Yeah, but I asked for tea.",
        "Tickets?",
        "停",
        "等一下",
        "那多少钱",
    ],
)
def test_words_are_one(text: str) -> None:
    assert means_something(text)


def test_its_own_words_that_come_back_are_an_echo() -> None:
    said_by_it = "I speak English and Mandarin Chinese. Just talk to me."
    assert echoes("English and Mandarin Chinese.", said_by_it)
    assert not means_something("and Mandarin Chinese", said_by_it)
    assert means_something("Do you speak French?", said_by_it)
    assert not means_something("说普通话和英语", "我会说普通话和英语。")


def test_the_wait_grows_from_a_whole_sentence_to_a_dangling_one_and_with_the_melody() -> None:
    usual = Endpointing(0.5)
    waits = [usual.wait(Evidence(form, melody)) for form in Shape for melody in (0.95, None, 0.05)]
    finished, open_, dangling = sorted(waits)[:3], usual.wait(Evidence(Shape.OPEN, 0.95)), max(waits)
    assert min(finished) == FLOOR_S
    assert open_ == 0.5, "tail_silence_time is the usual silence"
    assert 1.5 <= dangling <= CAP_S
    for form in Shape:
        assert usual.wait(Evidence(form, 0.95)) <= usual.wait(Evidence(form)) <= usual.wait(Evidence(form, 0.05))


def test_other_tail_silences_scale_the_waits() -> None:
    patient, hasty = Endpointing(1.5), Endpointing(0.1)
    assert patient.wait(Evidence(Shape.OPEN, 0.95)) == pytest.approx(1.5)
    assert patient.wait(Evidence(Shape.FINISHED, 0.95)) == pytest.approx(0.9)
    assert hasty.wait(Evidence(Shape.FINISHED, 0.95)) == FLOOR_S


def test_who_pauses_inside_his_turns_is_given_more_time_within_bounds() -> None:
    speaker = Endpointing(0.5)
    before = speaker.wait(Evidence(Shape.OPEN, 0.95))
    speaker.went_on(0.7)
    assert speaker.wait(Evidence(Shape.OPEN, 0.95)) == before, "one pause is no habit"
    speaker.went_on(0.8)
    assert speaker.wait(Evidence(Shape.OPEN, 0.95)) == pytest.approx(0.85)
    for _ in range(20):
        speaker.went_on(1.4)
    assert speaker.wait(Evidence(Shape.OPEN, 0.95)) <= 1.2
    assert speaker.wait(Evidence(Shape.FINISHED, 0.95)) == FLOOR_S, "a whole question is a whole question"


def test_a_hum_that_is_taken_for_a_word_is_no_interruption() -> None:
    assert not means_something("Memo.", voice_s=0.5, confidence=0.33)
    assert not means_something("Nuna.", voice_s=0.5, confidence=0.7)
    assert not means_something("我教你啦", voice_s=0.6, confidence=0.3)
    assert means_something("Stop!", voice_s=0.4, confidence=0.7)
    assert means_something("Tickets?", voice_s=1.1, confidence=0.8)
