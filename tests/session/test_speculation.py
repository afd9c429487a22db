"""The answer is begun before the turn is over, and nothing of it leaves before it is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from session_fakes import FakeSynthesiser
from tone_talk import quiet, said, tone_talk

from visavis.dialogue.types import Sentence, Turn
from visavis.session.prepared import Preparing
from visavis.session.speculation import Speculation


class Thoughtful:
    """Takes ``think_s`` for its first sentence; remembers what it was asked and what was taken of it."""

    def __init__(self, *sentences: str, think_s: float = 0.0, shy: bool = False) -> None:
        self.sentences, self.think_s, self.shy = sentences, think_s, shy
        self.asked: list[Turn] = []
        self.taken: list[str] = []
        self.dropped: list[str] = []
        self.closed = False

    async def answer(self, turn: Turn) -> AsyncIterator[Sentence]:
        self.asked.append(turn)
        if self.shy and turn.speculative:
            return
        try:
            await asyncio.sleep(self.think_s)
            for text in self.sentences:
                yield Sentence(text, "en")
                self.taken.append(text)
        except (GeneratorExit, asyncio.CancelledError):
            self.dropped.append(turn.text)
            raise

    async def aclose(self) -> None:
        self.closed = True


async def test_what_is_thought_of_while_he_pauses_is_said_at_once_when_he_is_done() -> None:
    mind = Thoughtful("It is noon.", "Good bye.", think_s=0.15)
    async with tone_talk(dialogue=mind) as talk:
        await talk.hear(quiet(0.5), said("what time is it"), quiet(1.0))
        record = await talk.journal.wait("done")
    assert [turn.text for turn in mind.asked] == ["What time is it?"]
    assert mind.asked[0].speculative
    assert record.spoken == "It is noon. Good bye."
    stages = record.stages()
    assert stages["answer"] - stages["turn"] < 0.08, stages
    assert talk.synthesiser.said[0][0] == "It is noon."
    assert [text for text, *_ in talk.synthesiser.said] == ["It is noon.", "Good bye."], "nothing is made twice"


async def test_what_was_thought_of_is_forgotten_when_he_goes_on() -> None:
    mind = Thoughtful("One.", "Two.")
    async with tone_talk(dialogue=mind) as talk:
        await talk.hear(quiet(0.5), said("what time is it"), quiet(0.12), said("in paris now please"), quiet(1.2))
        record = await talk.journal.wait("done")
        assert talk.journal.of("heard") == ["What time is it in paris now please?"]
        assert talk.journal.of("started") == ["One.", "Two."]
        assert len(talk.journal.of("done")) == 1
    texts = [turn.text for turn in mind.asked]
    assert texts[0] == "What time is it?"
    assert texts[-1] == "What time is it in paris now please?"
    assert all(turn.history == () for turn in mind.asked)
    assert mind.dropped == texts[:-1]
    assert mind.taken == ["One.", "Two."], "nothing of the first thought was taken"
    assert record.heard == texts[-1]


async def test_who_does_not_speculate_is_asked_when_the_turn_is_over() -> None:
    mind = Thoughtful("Done.", shy=True)
    async with tone_talk(dialogue=mind) as talk:
        await talk.hear(quiet(0.5), said("what time is it"), quiet(1.0))
        record = await talk.journal.wait("done")
    assert [turn.speculative for turn in mind.asked] == [True, False]
    assert record.spoken == "Done."


async def test_hesitation_makes_nobody_think() -> None:
    mind = Thoughtful("Never.")
    async with tone_talk(dialogue=mind) as talk:
        await talk.hear(quiet(0.5), said("i want um"), quiet(0.5))
        assert mind.asked == []
        assert talk.recogniser.calls >= 1


async def test_a_failed_thought_is_tried_again_and_only_then_apologised_for() -> None:
    class Failing(Thoughtful):
        async def answer(self, turn: Turn) -> AsyncIterator[Sentence]:
            self.asked.append(turn)
            raise RuntimeError("no")
            yield

    mind = Failing()
    async with tone_talk(dialogue=mind) as talk:
        await talk.hear(quiet(0.5), said("what time is it"), quiet(1.0))
        record = await talk.journal.wait("done")
        assert talk.journal.of("trouble") == ["the dialogue failed"]
    assert [turn.speculative for turn in mind.asked] == [True, False]
    assert record.spoken


async def test_only_the_first_sentence_is_taken_before_it_is_accepted() -> None:
    mind = Thoughtful("One.", "Two.")
    taken = asyncio.Event()
    guess = Speculation(mind, Turn("what", "en"), lambda sentence: taken.set())
    await asyncio.wait_for(taken.wait(), 5)
    assert mind.taken == []
    assert guess.fits(Turn("What?", "en"))
    assert not guess.fits(Turn("What now?", "en"))
    await guess.discard()
    assert mind.dropped == ["what"]


async def test_prepared_speech_is_used_once_and_dropped_when_it_is_not() -> None:
    voice = FakeSynthesiser(0.6)
    ahead = Preparing()
    for text in ("One.", "Two."):
        ahead.prepare(text, lambda text=text: voice.say(text, "v", "en"))  # type: ignore[misc]
    assert ahead.take("One.") is None
    ready = ahead.take("Two.")
    assert ready is not None
    assert len([chunk async for chunk in ready.chunks(9.0, 9.0)]) == 3
    assert ahead.take("Two.") is None
    await ahead.close()


async def test_prepared_speech_that_fails_fails_when_it_is_spoken() -> None:
    async def broken() -> AsyncIterator[object]:
        raise RuntimeError("no voice")
        yield

    ahead = Preparing()
    ahead.prepare("One.", broken)  # type: ignore[arg-type]
    ready = ahead.take("One.")
    assert ready is not None
    with pytest.raises(RuntimeError, match="no voice"):
        [chunk async for chunk in ready.chunks(9.0, 9.0)]
