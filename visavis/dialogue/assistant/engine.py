"""The interaction assistant: does what it is told, says what is stored, and else thinks with its model and tools."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from visavis import log
from visavis.dialogue import phrases
from visavis.dialogue.assistant.calls import Call, Calls
from visavis.dialogue.assistant.citations import cited
from visavis.dialogue.assistant.clauses import ClauseStream
from visavis.dialogue.assistant.instructions import Instructions, Lacking, Told, called, functions
from visavis.dialogue.assistant.prompting import system
from visavis.dialogue.assistant.remembering import ToolMemory, exchange
from visavis.dialogue.assistant.slots import DROPPED, declined, filled, question, taken
from visavis.dialogue.assistant.tools import Offer, Toolbox
from visavis.dialogue.assistant.types import Instruction, Library, Passage, Role, ToolResult
from visavis.dialogue.endpoint import Endpoint, ask_openai, said
from visavis.dialogue.model import FAILURES, ModelClient, Spoken, apology
from visavis.dialogue.replies import CallDelta, ModelError
from visavis.dialogue.retrieval import Index
from visavis.dialogue.types import Dialogue, Sentence, Turn
from visavis.dialogue.waiting import LOOKING, THINKING, Handover, Wait, soothed
from visavis.speech.types import Language

_LOG = log.get(__name__)

_PASSAGES: Final = 5
_ROUNDS: Final = 4  # of tool calls in one answer
_LOOKING_S: Final = 20.0  # of one answer, after which the model must answer with what it has
_WORDS: Final = 8  # that are taken as what was asked for, where nothing else can be made of them ...
_FEW_WORDS: Final = 3  # ... and where a model could make something of them


@dataclass(slots=True)
class _Outcome:
    """What a turn leads to besides its words. ``asked``: what its answer asks for."""

    asked: Lacking | None = None


class Assistant:
    """Answers as a role. One per session (a ``Dialogue``)."""

    def __init__(
        self,
        role: Role,
        model: ModelClient | None,
        toolbox: Toolbox,
        *,
        sure: float,
        library: Library | None = None,
        stored: Index | None = None,
        fallback: Dialogue | None = None,
    ) -> None:
        """``model``: of the role's endpoint. ``sure``: score from which a stored answer is said word for word. ``stored``: the
        project's own stored answers. ``fallback``: answers what a role without a model does not know; None: an honest "I don't know".
        """
        self._role = role
        self._model = model
        self._toolbox = toolbox
        self._library = library
        self._stored = stored
        self._sure = sure
        self._fallback = fallback
        self._instructions = Instructions(role.instructions)
        self._asked: Lacking | None = None  # what the last answer asked for
        self._memory = ToolMemory()
        if model is not None:
            toolbox.prepare()

    async def aclose(self) -> None:
        """Close connections."""
        await self._toolbox.aclose()
        if self._model is not None:
            await self._model.aclose()
        if self._fallback is not None:
            await self._fallback.aclose()

    def answer(self, turn: Turn) -> AsyncGenerator[Sentence, None]:
        """The answer, sentence by sentence: what is told is done; what is stored is said; the model answers the rest.

        What fails is one apology with purpose "error"; what takes long is excused with a filler. A speculative turn does nothing
        outside: where that is called for before anything was said, the answer is empty.
        """
        handover = Handover()
        if not turn.speculative:
            handover.taken.set()
        return soothed(self._steps(turn, handover), turn.language, handover)

    async def _steps(self, turn: Turn, handover: Handover) -> AsyncGenerator[Sentence | Wait, None]:
        """The answer; what it asks for is only remembered, and what was asked before forgotten, when it is taken."""
        asked, outcome = self._asked, _Outcome()
        if not turn.speculative:
            self._asked = None
        async with aclosing(self._answered(turn, asked, outcome, handover)) as steps:
            async for step in steps:
                yield step
                if isinstance(step, Sentence):
                    self._asked = outcome.asked

    async def _answered(
        self, turn: Turn, asked: Lacking | None, outcome: _Outcome, handover: Handover
    ) -> AsyncGenerator[Sentence | Wait, None]:
        told = self._told(turn, asked)
        if told is None and asked is not None and declined(turn.text):
            yield Sentence(DROPPED[turn.language], turn.language)
            return
        if told is not None:
            for sentence in _done(told, turn, outcome):
                yield sentence
            return
        stored = await self._known(turn)
        if stored:
            for sentence in stored:
                yield sentence
            return
        yield THINKING
        passages = await self._recalled(turn)
        sure = next((one for one in passages if one.question and one.score >= self._sure), None)
        if sure is not None:
            for sentence in _verbatim(sure.text, turn.language, sure.source):
                yield sentence
        elif (likely := self._likely(turn, asked)) is not None:
            for sentence in _done(likely, turn, outcome):
                yield sentence
        elif self._model is not None and self._role.endpoint is not None:
            thinking = _Thinking(
                self._role,
                self._role.endpoint,
                self._model,
                self._toolbox,
                self._memory,
                turn,
                passages,
                handover,
                outcome,
            )
            async with aclosing(thinking.steps()) as steps:
                async for step in steps:
                    yield step
        else:
            async with aclosing(self._without_model(turn, passages)) as sentences:
                async for sentence in sentences:
                    yield sentence

    def _told(self, turn: Turn, asked: Lacking | None) -> Told | Lacking | None:
        """What the person surely tells to do."""
        told: Told | Lacking | None = self._instructions.match(turn.text, turn.language)
        if told is None and asked is not None:
            told = filled(asked, turn.text, turn.language)
        if told is None:
            begun = self._instructions.begun(turn.text, turn.language)
            told = begun if begun is not None and not begun.unfit else None
        return told

    def _likely(self, turn: Turn, asked: Lacking | None) -> Told | Lacking | None:
        """What the person may tell to do, where nothing stored is surely meant; of longer words a model makes more."""
        if asked is not None:
            return taken(asked, turn.text, turn.language, _WORDS if self._model is None else _FEW_WORDS)
        return self._instructions.begun(turn.text, turn.language) if self._model is None else None

    async def _known(self, turn: Turn) -> list[Sentence]:
        """The project's stored answer, where one is surely meant. Without a model the fallback asks back, too, and does it all."""
        if self._stored is None or self._model is None:
            return []
        hits = await self._stored.search(turn.text, 1)
        if not hits or hits[0].score < self._sure:
            return []
        text, _ = hits[0].entry.answer(turn.language)
        return _verbatim(text, turn.language)

    async def _recalled(self, turn: Turn) -> list[Passage]:
        if self._library is None:
            return []
        return await self._library.search(turn.text, turn.language, _PASSAGES)

    async def _without_model(self, turn: Turn, passages: Sequence[Passage]) -> AsyncGenerator[Sentence, None]:
        document = next((one for one in passages if not one.question), None)
        if document is not None and self._library is not None:
            text = await self._library.extract(document, turn.text, turn.language)
            for sentence in _verbatim(text, turn.language, document.source):
                yield sentence
        elif self._fallback is None:
            yield Sentence(phrases.UNKNOWN[turn.language], turn.language, "unknown")
        else:
            sentences: Any = self._fallback.answer(turn)
            async with aclosing(sentences):
                async for sentence in sentences:
                    yield sentence


class _Thinking:
    """One answer of the model, with the calls that it makes on the way."""

    def __init__(
        self,
        role: Role,
        endpoint: Endpoint,
        model: ModelClient,
        toolbox: Toolbox,
        memory: ToolMemory,
        turn: Turn,
        passages: Sequence[Passage],
        handover: Handover,
        outcome: _Outcome,
    ) -> None:
        self._role, self._endpoint, self._model, self._toolbox = role, endpoint, model, toolbox
        self._turn, self._passages, self._handover = turn, passages, handover
        self._memory, self._outcome = memory, outcome
        self._looked_up: list[dict[str, Any]] = []
        self._language: Language = turn.language
        self._spoken = Spoken(self._language, ClauseStream(self._language), partial(cited, passages=passages))
        self._sources: tuple[str, ...] = ()
        self._offer = Offer()
        self._doable: dict[str, tuple[Instruction, dict[str, Any]]] = {}
        self._calls = Calls()
        self._text = ""

    async def steps(self) -> AsyncGenerator[Sentence | Wait, None]:
        """The sentences, and what is waited for between them."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            self._offer = await self._toolbox.offer()
            self._doable = functions(self._role.instructions, self._language)
            offered = [*self._offer.functions, *(function for _, function in self._doable.values())]
            prompt = system(self._role.prompts, self._language, self._passages, tools=bool(offered))
            history = said(self._endpoint, self._turn)
            # Where nothing may be called any more, some servers take no calls of former turns either.
            told = self._memory.woven(history) if offered else history
            messages: list[dict[str, Any]] = [{"role": "system", "content": prompt}, *told]
            for number in range(_ROUNDS + 1):
                may_call = number < _ROUNDS and loop.time() < began + _LOOKING_S
                async with aclosing(self._asked(messages, offered, may_call)) as sentences:
                    async for sentence in sentences:
                        yield sentence
                calls = self._calls.finish()
                if not calls or not may_call or self._spoken.enough:
                    break
                if not await self._may(calls):
                    return
                done = self._commanded(calls)
                if done is not None:
                    for sentence in _done(done, self._turn, self._outcome, acts=True):
                        yield sentence
                    return
                yield THINKING if self._text.strip() else LOOKING
                results = await self._results(calls)
                made = exchange(self._text, calls, results)
                messages += made
                if not all(result.failed for result in results):
                    self._looked_up += made
                yield THINKING
            if not self._spoken.characters:
                raise ModelError("the reply is empty")
        except FAILURES as error:
            _LOG.error("the language model failed", spoken=self._spoken.characters, **self._model.told(error))
            yield apology(self._language, self._spoken.characters)
        finally:
            if self._looked_up and self._handover.taken.is_set():
                self._memory.keep(self._turn.text, self._looked_up)

    async def _asked(
        self, messages: Sequence[dict[str, Any]], offered: Sequence[dict[str, Any]], may_call: bool
    ) -> AsyncGenerator[Sentence, None]:
        """One reply. Its calls are in ``_calls`` afterwards, its text in ``_text``."""
        self._calls, self._text = Calls(), ""
        sent = list(messages)
        async with aclosing(
            self._model.pieces(lambda _: ask_openai(self._endpoint, sent, offered, may_call=may_call))
        ) as pieces:
            async for piece in pieces:
                if isinstance(piece, CallDelta):
                    self._calls.add(piece)
                    continue
                self._text += piece
                for sentence in self._spoken.push(piece):
                    yield self._sourced(sentence)
                if self._spoken.enough:
                    return
        for sentence in self._spoken.finish():
            yield self._sourced(sentence)

    def _sourced(self, sentence: Sentence) -> Sentence:
        """The first sentence after tools were asked names what they drew on."""
        sources, self._sources = self._sources, ()
        if sentence.source or not sources:
            return sentence
        return Sentence(sentence.text, sentence.language, sentence.purpose, "; ".join(sources))

    async def _may(self, calls: Sequence[Call]) -> bool:
        """Whether the calls may be made: what acts is not called for a turn that may not be one."""
        if self._handover.taken.is_set() or not any(
            call.name in self._doable or self._offer.acts(call) for call in calls
        ):
            return True
        if not self._handover.begun:
            return False
        await self._handover.taken.wait()
        return True

    def _commanded(self, calls: Sequence[Call]) -> Told | Lacking | None:
        """What a lone call of an instruction tells to do; None: the model is told what became of its calls."""
        if len(calls) != 1 or calls[0].name not in self._doable or calls[0].arguments is None:
            return None
        return called(self._doable[calls[0].name][0], calls[0].arguments, self._language)

    async def _results(self, calls: Sequence[Call]) -> list[ToolResult]:
        results = await asyncio.gather(*(self._result(call) for call in calls))
        self._sources = tuple(dict.fromkeys(source for result in results for source in result.sources))
        return results

    async def _result(self, call: Call) -> ToolResult:
        if call.name not in self._doable:
            return await self._toolbox.call(self._offer, call)
        return ToolResult("Call this alone, without other tools.", failed=True)


def _done(told: Told | Lacking, turn: Turn, outcome: _Outcome, *, acts: bool = False) -> list[Sentence]:
    """What is said to an instruction, or asked because of what it lacks. What a turn that may not be one tells is not done, unless
    that was made sure of (``acts``)."""
    if isinstance(told, Lacking):
        outcome.asked = told
        return [Sentence(question(told, turn.language), turn.language, "clarify", tentative=True)]
    return [] if turn.speculative and not acts else _doing(told, turn.language)


def _doing(told: Told, language: Language) -> list[Sentence]:
    """What is said to an instruction; its first sentence carries the command."""
    sentences = _verbatim(told.reply or phrases.DONE[language], language)
    first = sentences[0]
    return [Sentence(first.text, first.language, first.purpose, command=told.command), *sentences[1:]]


def _verbatim(text: str, language: Language, source: str = "") -> list[Sentence]:
    """A stored text as it is, sentence by sentence; the first names its source."""
    spoken_in = phrases.language_of(text, language)
    parts = phrases.sentences(text, spoken_in) or [text]
    return [Sentence(part, spoken_in, source="" if number else source) for number, part in enumerate(parts)]
