"""Pacify words in a conversation: when they are said, which, and never two in a row."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

from visavis.dialogue.types import Sentence, Turn
from visavis.session.soothing import Soothing
from visavis.session.spec import PacifySpec

WORDS = {
    "en": PacifySpec(trigger_ms=1500, general=["One moment.", "Let me see."], by_intent={"prices": ["I look it up."]}),
    "zh": PacifySpec(trigger_ms=800, general=["请稍等。"]),
}


class Clock:
    """Time passes when the test says so."""

    def __init__(self) -> None:
        self.asked: list[float] = []
        self._rings: list[asyncio.Event] = []
        self._changed = asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        ring = asyncio.Event()
        self.asked.append(seconds)
        self._rings.append(ring)
        self._changed.set()
        await ring.wait()

    async def ring(self) -> None:
        """Whoever waits has waited long enough."""
        while not self._rings:
            self._changed.clear()
            await self._changed.wait()
        self._rings.pop().set()


class Slow:
    """A dialogue that answers when the test lets it."""

    def __init__(self, *sentences: Sentence, error: Exception | None = None) -> None:
        self.sentences, self.error = sentences or (Sentence("Nine to five.", "en"),), error
        self.gate = asyncio.Event()
        self.begun = asyncio.Event()
        self.closed = 0

    async def answer(self, turn: Turn) -> AsyncIterator[Sentence]:
        self.begun.set()
        try:
            await self.gate.wait()
            if self.error is not None:
                raise self.error
            for sentence in self.sentences:
                yield sentence
        finally:
            self.closed += 1

    async def aclose(self) -> None:
        pass


async def about_prices(text: str) -> str:
    return "prices" if "price" in text else ""


def soothing(slow: Slow, clock: Clock, intent: Callable[..., object] | None = about_prices) -> Soothing:
    return Soothing(slow, WORDS, intent, clock.sleep)  # type: ignore[arg-type]


async def slow_turn(one: Soothing, slow: Slow, clock: Clock, text: str = "When?", language: str = "en") -> list[str]:
    """What is said when the answer takes too long."""
    slow.gate.clear()
    said = []
    stream = one.answer(Turn(text, language))  # type: ignore[arg-type]
    getting = asyncio.ensure_future(anext(stream))
    await clock.ring()
    first = await getting
    said.append((first.text, first.purpose))
    slow.gate.set()
    said += [(sentence.text, sentence.purpose) async for sentence in stream]
    return [text if purpose != "filler" else f"({text})" for text, purpose in said]


async def test_who_waits_too_long_is_soothed_once_and_then_answered() -> None:
    slow, clock = Slow(), Clock()
    assert await slow_turn(soothing(slow, clock), slow, clock) == ["(One moment.)", "Nine to five."]
    assert clock.asked == [1.5]


async def test_an_answer_in_time_stands_alone() -> None:
    slow, clock = Slow(), Clock()
    slow.gate.set()
    said = [sentence.text async for sentence in soothing(slow, clock).answer(Turn("When?", "en"))]
    assert said == ["Nine to five."]


async def test_of_several_phrases_another_one_each_time() -> None:
    slow, clock = Slow(), Clock()
    one = soothing(slow, clock)
    fillers = [(await slow_turn(one, slow, clock))[0] for _ in range(3)]
    assert fillers == ["(One moment.)", "(Let me see.)", "(One moment.)"]


async def test_a_question_about_an_intent_gets_its_phrase() -> None:
    slow, clock = Slow(), Clock()
    one = soothing(slow, clock)
    assert (await slow_turn(one, slow, clock, "What is the price?"))[0] == "(I look it up.)"
    assert (await slow_turn(one, slow, clock, "When do you open?"))[0] == "(One moment.)"


async def test_an_intent_that_cannot_be_found_gets_a_general_phrase() -> None:
    async def broken(text: str) -> str:
        raise RuntimeError("no index")

    slow, clock = Slow(), Clock()
    assert (await slow_turn(soothing(slow, clock, broken), slow, clock))[0] == "(One moment.)"


async def test_each_language_has_its_own_words_and_time() -> None:
    slow, clock = Slow(Sentence("九点。", "zh")), Clock()
    assert await slow_turn(soothing(slow, clock), slow, clock, "几点？", "zh") == ["(请稍等。)", "九点。"]
    assert clock.asked == [0.8]


async def test_a_language_without_words_is_left_alone() -> None:
    slow, clock = Slow(), Clock()
    slow.gate.set()
    one = Soothing(slow, {"zh": WORDS["zh"]}, None, clock.sleep)
    assert [sentence.text async for sentence in one.answer(Turn("When?", "en"))] == ["Nine to five."]
    assert clock.asked == []


async def test_never_two_in_a_row_when_the_answer_was_cut() -> None:
    """The person interrupted the first phrase: the next turn is not soothed again before something was answered."""
    slow, clock = Slow(), Clock()
    one = soothing(slow, clock)
    stream = one.answer(Turn("When?", "en"))
    getting = asyncio.ensure_future(anext(stream))
    await clock.ring()
    assert (await getting).purpose == "filler"
    following = asyncio.ensure_future(anext(stream))  # it is being said: what follows is asked for
    await asyncio.sleep(0)
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
    await stream.aclose()
    assert slow.closed == 1
    slow.gate.set()
    assert [sentence.text async for sentence in one.answer(Turn("When?", "en"))] == ["Nine to five."]
    assert await slow_turn(one, slow, clock) == ["(Let me see.)", "Nine to five."]


async def test_a_filler_of_the_dialogue_itself_does_not_come_on_top() -> None:
    own = Slow(Sentence("Looking it up.", "en", "filler"), Sentence("Nine to five.", "en"))
    clock = Clock()
    one = soothing(own, clock)
    assert await slow_turn(one, own, clock) == ["(One moment.)", "Nine to five."]
    own.gate.set()  # and by itself it is said
    said = [sentence.text async for sentence in one.answer(Turn("When?", "en"))]
    assert said == ["Looking it up.", "Nine to five."]


async def test_a_dialogue_that_fails_does_so_for_its_caller_and_soothes_again_later() -> None:
    slow, clock = Slow(error=ValueError("broken")), Clock()
    one = soothing(slow, clock)
    try:
        await slow_turn(one, slow, clock)
    except ValueError:
        slow.error = None
    assert slow.error is None
    assert (await slow_turn(one, slow, clock))[0] == "(Let me see.)"


async def test_an_answer_that_nobody_waits_for_any_more_ends_at_once() -> None:
    slow, clock = Slow(), Clock()
    stream = soothing(slow, clock).answer(Turn("When?", "en"))
    getting = asyncio.ensure_future(anext(stream))
    await slow.begun.wait()
    getting.cancel()
    await asyncio.gather(getting, return_exceptions=True)
    await stream.aclose()
    assert slow.closed == 1


async def test_a_speculation_that_was_dropped_has_soothed_nobody() -> None:
    slow, clock = Slow(), Clock()
    one = soothing(slow, clock)
    stream = one.answer(Turn("When do", "en", speculative=True))
    getting = asyncio.ensure_future(anext(stream))
    await clock.ring()
    assert (await getting).purpose == "filler"
    await stream.aclose()  # the person went on speaking: nothing of it was said
    assert (await slow_turn(one, slow, clock))[0] == "(One moment.)"


async def test_a_dialogue_that_does_not_speculate_is_asked_again_once_the_turn_is_one() -> None:
    class Acting(Slow):
        async def answer(self, turn: Turn) -> AsyncIterator[Sentence]:
            await self.gate.wait()
            if not turn.speculative:
                yield Sentence("Done.", "en")

    acting, clock = Acting(), Clock()
    stream = soothing(acting, clock).answer(Turn("Do it", "en", speculative=True))
    getting = asyncio.ensure_future(anext(stream))
    await clock.ring()
    assert (await getting).purpose == "filler"
    acting.gate.set()
    assert [sentence.text async for sentence in stream] == ["Done."]
