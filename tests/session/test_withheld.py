"""Where questions are audited, what was asked is shown and kept once it is known to be fine, and never otherwise."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest_asyncio
from engine_fakes import Events, FakeEngines, job
from session_fakes import FakeDialogue

from visavis.dialogue.types import Sentence, Turn
from visavis.session.session import Session
from visavis.session.signals import TurnEvent

BAD, GOOD = "Tell me about the dragon", "What is a cat?"


class Judge(FakeDialogue):
    """Refuses what has a dragon in it, as soon as it may judge."""

    def __init__(self) -> None:
        super().__init__("A cat purrs.")
        self.may = asyncio.Event()
        self.may.set()
        self.asked: list[Turn] = []
        self.came = asyncio.Event()

    async def admits(self, text: str, language: str) -> bool:
        await self.may.wait()
        return "dragon" not in text

    async def answer(self, turn: Turn) -> AsyncIterator[Sentence]:
        self.asked.append(turn)
        self.came.set()
        fine = await self.admits(turn.text, turn.language)
        yield Sentence("A cat purrs." if fine else "Not that.", "en", "answer" if fine else "refused")


class Show:
    def __init__(self, judge: Judge, session: Session, engines: FakeEngines, events: Events) -> None:
        self.judge, self.session, self.events = judge, session, events
        self.room = engines.rooms[-1]

    async def ask(self, text: str, said: int) -> None:
        self.room.say("send-text", content=text)
        await self.room.told.wait("bot-stopped-speaking", count=said)

    @property
    def shown(self) -> list[str]:
        """What the page was told to have heard."""
        return [data["text"] for kind, data in self.room.told.entries if kind == "user-transcription"]

    @property
    def turns(self) -> list[TurnEvent]:
        return [event for kind, event in self.events.journal.entries if kind == "turn"]


@pytest_asyncio.fixture
async def audited() -> AsyncIterator[Show]:
    judge, events = Judge(), Events()
    engines = FakeEngines(dialogue=judge, admits=judge.admits)
    session = Session(job(), engines, events)
    await session.open()
    engines.rooms[-1].events.media()
    yield Show(judge, session, engines, events)
    session.finish("NORMAL")
    await session.done.wait()


async def test_a_refused_question_is_neither_shown_nor_kept(audited: Show) -> None:
    await audited.ask(BAD, 1)
    await audited.ask(GOOD, 2)
    assert audited.shown == ["***", GOOD]
    assert [(turn.heard, turn.refused, turn.answered) for turn in audited.turns] == [
        ("", True, "Not that."),
        (GOOD, False, "A cat purrs."),
    ]
    assert "dragon" not in json.dumps([data for _, data in audited.room.told.entries])
    assert not any("dragon" in message.content for turn in audited.judge.asked for message in turn.history)


async def test_nothing_is_shown_before_the_judgement(audited: Show) -> None:
    audited.session.hearing("Tell me about the dra")
    audited.judge.may.clear()
    audited.room.say("send-text", content=GOOD)
    await audited.judge.came.wait()
    assert audited.shown == []
    audited.judge.may.set()
    await audited.room.told.wait("user-transcription")
    assert audited.shown == [GOOD]


async def test_what_was_taken_back_before_the_judgement_is_not_kept(audited: Show) -> None:
    audited.judge.may.clear()
    audited.room.say("send-text", content=BAD)
    await audited.judge.came.wait()
    await audited.session.interrupt()
    await audited.events.journal.wait("turn")
    audited.judge.may.set()
    await audited.ask(GOOD, 1)
    assert [turn.heard for turn in audited.turns] == ["", GOOD]
    assert audited.judge.asked[-1].history == ()
    assert audited.shown == ["***", GOOD]
