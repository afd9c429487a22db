"""A voice that hangs, breaks off or fails: what is said instead, in which language, and that it goes on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from engine_fakes import FakeEngines
from session_fakes import NORMAL, FakeSynthesiser
from test_host import Running, _plain_logs, leak_free, running  # noqa: F401

from visavis.dialogue import phrases
from visavis.session import excuses, services
from visavis.session.services import ready_made, spoken
from visavis.session.signals import SessionCommand
from visavis.session.spec import VoiceSpec
from visavis.speech.cache import CachedSynthesiser
from visavis.speech.types import SpeechChunk, VoiceSettings

VOICES = [VoiceSpec(voice_id="anna", language="en"), VoiceSpec(voice_id="mei", language="zh")]
LATE_S, STALLED_S = 0.4, 1.0


class Stuck(FakeSynthesiser):
    """Hangs before what begins with "Hang" or 等, and behind the first sound of what begins with "Half"; fails at "Bad"."""

    def __init__(self) -> None:
        super().__init__(0.2)
        self.asked, self.go_on = asyncio.Event(), asyncio.Event()

    async def say(
        self, text: str, voice: str, language: str, settings: VoiceSettings = NORMAL
    ) -> AsyncIterator[SpeechChunk]:
        self.asked.set()
        if text.startswith(("Hang", "等")):
            await self.go_on.wait()
        if text.startswith("Bad"):
            raise RuntimeError("secret of the vendor")
        async for chunk in super().say(text, voice, language, settings):
            yield chunk
            if text.startswith("Half"):
                await self.go_on.wait()


@pytest.fixture
async def stuck(running: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stuck:  # noqa: F811
    """The voice of the session; what is said instead is ready-made."""
    monkeypatch.setattr(services, "LATE_S", LATE_S)
    monkeypatch.setattr(services, "STALLED_S", STALLED_S)
    before = CachedSynthesiser(FakeSynthesiser(0.4), tmp_path)  # type: ignore[arg-type]
    every = [words[language] for words in (phrases.MOMENT, phrases.FAILED, phrases.BROKEN) for language in words]
    await before.warm([await spoken(text, VOICES, "en") for text in every])
    running.engines.ready = ready_made(before, VOICES, "en")
    running.engines.synthesiser = voice = Stuck()
    return voice


async def enter(running: Running) -> Any:  # noqa: F811
    room = await running.start(voices=VOICES)
    room.events.media()
    return room


def shown(room: Any) -> list[str]:
    return [data["text"] for data in room.told.of("bot-output")]


async def ask(running: Running, room: Any, *answer: str) -> None:  # noqa: F811
    running.engines.dialogue.sentences = answer
    room.say("send-text", content="well?")


@pytest.mark.parametrize(("text", "language"), [("Hang on.", "en"), ("等一等我。", "zh")])
async def test_a_sentence_that_is_late_is_excused_aloud_in_its_language_and_still_spoken(
    running: Running,  # noqa: F811
    stuck: Stuck,
    text: str,
    language: Any,
) -> None:
    room = await enter(running)
    loud: list[float] = []
    stage: Any = running.host._sessions["j1"]._stage
    stage.on_sound = lambda block, position: loud.append(float(np.abs(block).max()))
    await running.host.command("j1", SessionCommand(kind="say", text=text))
    await stuck.asked.wait()
    asked = asyncio.get_running_loop().time()
    said = await room.told.wait("bot-output")
    assert LATE_S * 0.9 < asyncio.get_running_loop().time() - asked < LATE_S + 0.5
    assert said["text"] == phrases.MOMENT[language]
    await room.told.wait("bot-stopped-speaking")
    assert max(loud) > 5000, "it is heard, not only shown"
    stuck.go_on.set()
    turn: Any = await running.events.journal.wait("turn")
    assert shown(room) == [phrases.MOMENT[language], text]
    assert turn.answered == text, "what passes the time is no answer"
    assert room.told.of("error") == []


async def test_a_short_stall_changes_nothing(running: Running, stuck: Stuck) -> None:  # noqa: F811
    room = await enter(running)
    await ask(running, room, "Hang on.", "And on.")
    await stuck.asked.wait()
    asyncio.get_running_loop().call_later(LATE_S * 0.6, stuck.go_on.set)
    await running.events.journal.wait("turn")
    assert shown(room) == ["Hang on.", "And on."]


async def test_one_that_never_comes_is_apologised_for_and_the_rest_of_the_answer_follows(
    running: Running,  # noqa: F811
    stuck: Stuck,
) -> None:
    room = await enter(running)
    await ask(running, room, "Hang on.", "Here I am.")
    turn: Any = await running.events.journal.wait("turn")
    assert shown(room) == [phrases.MOMENT["en"], phrases.FAILED["en"], "Here I am."]
    assert turn.answered == f"{phrases.FAILED['en']} Here I am."
    assert [error["message"] for error in room.told.of("error")] == ["speech synthesis failed"]


async def test_a_dead_voice_is_not_awaited_again_and_again(running: Running, stuck: Stuck) -> None:  # noqa: F811
    room = await enter(running)
    loop = asyncio.get_running_loop()
    await ask(running, room, "Hang on.")
    await running.events.journal.wait("turn")
    began = loop.time()
    await ask(running, room, "Hang one.", "Hang two.")
    turn: Any = await running.events.journal.wait("turn", count=2)
    assert loop.time() - began < 2 * LATE_S + 1.0
    assert turn.answered == phrases.FAILED["en"], "each question is told, but once"
    stuck.go_on.set()
    await ask(running, room, "Hang three.")
    again: Any = await running.events.journal.wait("turn", count=3)
    assert again.answered == "Hang three."


async def test_one_that_breaks_off_is_told_so(running: Running, stuck: Stuck) -> None:  # noqa: F811
    room = await enter(running)
    stuck.seconds = 0.4
    await ask(running, room, "Half of this is said, and the other half is not.")
    turn: Any = await running.events.journal.wait("turn")
    assert shown(room)[1:] == [phrases.BROKEN["en"]], "no filler in the midst of a sentence"
    assert turn.answered.endswith(phrases.BROKEN["en"])


async def test_one_that_fails_is_apologised_for_at_once_in_its_language(
    running: Running,  # noqa: F811
    stuck: Stuck,
) -> None:
    room = await enter(running)
    await running.host.command("j1", SessionCommand(kind="say", text="Bad 坏了。"))
    turn: Any = await running.events.journal.wait("turn")
    assert turn.answered == phrases.FAILED["zh"]
    assert shown(room) == [phrases.FAILED["zh"]]


async def test_what_nobody_has_made_is_shown(
    running: Running,  # noqa: F811
    stuck: Stuck,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(excuses, "SHOWN_S", 0.3)
    running.engines.ready = excuses.nothing_ready
    room = await enter(running)
    await running.host.command("j1", SessionCommand(kind="say", text="等一等我。"))
    subtitle = await room.told.wait("subtitle")
    assert (subtitle["text"], subtitle["language"]) == (phrases.MOMENT["zh"], "CN")
    stuck.go_on.set()
    turn: Any = await running.events.journal.wait("turn")
    assert turn.answered == "等一等我。"


async def test_an_interruption_ends_the_waiting(running: Running, stuck: Stuck) -> None:  # noqa: F811
    room = await enter(running)
    await ask(running, room, "Hang on.")
    await room.told.wait("bot-output")
    room.say("client-message", t="interrupt")
    await room.told.wait("bot-stopped-speaking")
    await ask(running, room, "Fine.")
    turn: Any = await running.events.journal.wait("turn", count=2)
    assert turn.answered == "Fine."
    assert shown(room) == [phrases.MOMENT["en"], "Fine."]


@pytest.fixture
def engines() -> FakeEngines:
    return FakeEngines()
