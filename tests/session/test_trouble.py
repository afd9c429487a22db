"""What goes wrong inside a running session: the person is told, the turn ends, and the next one works."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from collections.abc import AsyncIterator
from typing import Any

import numpy as np
import pytest
from session_fakes import NORMAL, FakeSynthesiser
from test_conversation import question, talking
from test_host import Running, _plain_logs, engines, leak_free, running  # noqa: F401

from visavis.dialogue import phrases
from visavis.dialogue.types import Sentence, Turn
from visavis.session import excuses
from visavis.session.hearing import LONGEST_S, EmbeddedRecogniser
from visavis.session.session import Session
from visavis.session.signals import SessionCommand
from visavis.session.spec import ChatState
from visavis.speech.types import SpeechChunk, VoiceSettings


def say(text: str) -> SessionCommand:
    return SessionCommand(kind="say", text=text)


def states(running: Running) -> list[ChatState]:  # noqa: F811
    return [event.chat_state for event in running.events.journal.of("chat_state")]


class Moody(FakeSynthesiser):
    """Fails at "bad", has no sound for "...", and speaks everything else."""

    async def say(
        self, text: str, voice: str, language: str, settings: VoiceSettings = NORMAL
    ) -> AsyncIterator[SpeechChunk]:
        if "bad" in text:
            raise RuntimeError("secret of the vendor")
        if text == "...":
            return
        async for chunk in super().say(text, voice, language, settings):
            yield chunk


# --- speaking, hearing, answering -------------------------------------------------------------------------------


async def test_a_sentence_that_cannot_be_spoken_is_told_and_the_turn_ends(
    running: Running,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(excuses, "SHOWN_S", 0.1)
    running.engines.synthesiser = Moody(0.2)
    room = await running.start()
    room.events.media()
    for count in range(1, 5):  # more than Pipecat would bear
        await running.host.command("j1", say("A bad one."))
        turn: Any = await running.events.journal.wait("turn", count=count)
        assert turn.answered == phrases.FAILED["en"], "nobody has made it: it is shown"
    error: Any = await room.told.wait("error")
    assert error["message"] == "speech synthesis failed"
    await running.host.command("j1", say("A good one."))
    turn = await running.events.journal.wait("turn", count=5)
    assert turn.answered == "A good one."


async def test_sentences_without_sound_do_not_make_it_mute(running: Running) -> None:  # noqa: F811
    running.engines.synthesiser = Moody(0.2)
    running.engines.dialogue.sentences = ("...", "...", "...", "...", " ", "So.")
    room = await running.start()
    room.events.media()
    room.say("send-text", content="well?")
    turn: Any = await running.events.journal.wait("turn")
    assert turn.answered == "So."
    assert room.told.of("error") == []


async def test_a_dialogue_that_fails_is_told_aloud(running: Running) -> None:  # noqa: F811
    class Broken:
        async def answer(self, turn: Turn) -> AsyncIterator[Sentence]:
            yield Sentence("First.", "en")
            raise RuntimeError("no idea")

        async def aclose(self) -> None:
            pass

    running.engines.dialogue = Broken()  # type: ignore[assignment]
    room = await running.start()
    room.events.media()
    room.say("send-text", content="well?")
    turn: Any = await running.events.journal.wait("turn")
    assert turn.answered == f"First. {phrases.FAILED['en']}"
    assert not turn.interrupted
    error: Any = await room.told.wait("error")
    assert error["message"] == "the dialogue failed"


async def test_half_a_character_of_a_model_harms_nobody(running: Running) -> None:  # noqa: F811
    running.engines.dialogue.sentences = ("Well \ud83d\ude00.", "Yes \ud83d.")
    room = await running.start()
    room.events.media()
    room.say("send-text", content="well?")
    turn: Any = await running.events.journal.wait("turn")
    assert turn.answered == "Well \N{GRINNING FACE}. Yes \N{REPLACEMENT CHARACTER}."


async def test_a_recognition_that_fails_ends_the_turn_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async with talking() as talk:

        async def fail(*_: object) -> None:
            raise RuntimeError("no ears")

        monkeypatch.setattr(talk.recogniser, "transcribe", fail)
        await talk.speak(question())
        async with asyncio.timeout(3):
            await talk.journal.wait("nothing")
        assert await talk.journal.wait("trouble") == "speech recognition failed"


async def test_of_endless_speech_the_last_half_minute_is_kept() -> None:
    async with talking("") as talk:
        hearing = talk.conversation._recognition
        assert isinstance(hearing, EmbeddedRecogniser)
        hearing._in_turn = True
        for _ in range(int(LONGEST_S) + 10):
            await talk.conversation.hear(np.zeros(16_000, np.int16).tobytes())
        await talk.conversation.ask("still there?")
        await talk.journal.wait("done")
        assert len(hearing._sound) <= LONGEST_S * 16_000 * 2


async def test_a_pipeline_that_ends_by_itself_ends_the_session(running: Running) -> None:  # noqa: F811
    await running.start()
    session = running.host._sessions["j1"]
    await session._conversation._worker.cancel(reason="a service is beyond help")
    finished = await running.finished()
    assert (finished.reason, finished.error_code) == ("FAILED", "MSS.47000001")


# --- sleep and silence ------------------------------------------------------------------------------------------


async def test_told_to_sleep_while_it_speaks_it_falls_silent_and_sleeps(running: Running) -> None:  # noqa: F811
    running.engines.synthesiser = FakeSynthesiser(5.0)
    room = await running.start()
    room.events.media()
    await running.host.command("j1", say("A long story."))
    await room.told.wait("bot-started-speaking")
    room.say("client-message", t="sleep")
    await room.told.wait("bot-stopped-speaking")
    await running.events.journal.wait("turn")
    assert states(running) == [ChatState.LINKED, ChatState.ASLEEP]


@pytest.mark.parametrize("what", ["wake", "reload"])
async def test_it_does_not_fall_asleep_while_it_speaks(running: Running, what: str) -> None:  # noqa: F811
    running.engines.synthesiser = FakeSynthesiser(1.0)
    room = await running.start(sleep_after_s=0.2, sleep_warning_s=0.1, exit_mute_threshold_s=0.6, exit_warning_s=0.1)
    room.events.media()
    await running.host.command("j1", say("A long story."))
    await room.told.wait("bot-started-speaking")
    if what == "wake":
        await running.host.command("j1", SessionCommand(kind="wake"))
    else:
        room.events.media()
    await room.told.wait("bot-stopped-speaking")
    assert states(running) == [ChatState.LINKED]
    assert (await running.finished()).reason == "MUTE_TIMEOUT", "after it, silence counts again"


# --- coming and going -------------------------------------------------------------------------------------------


async def test_a_connection_that_wavers_before_it_linked_is_not_awaited_for_ever(running: Running) -> None:  # noqa: F811
    running.engines.settings.link_timeout_s = 0.3
    room = await running.start()
    room.events.disconnected()
    room.events.resumed()
    assert (await running.finished()).reason == "CANCELED"


async def test_a_room_that_does_not_close_keeps_nobody_waiting(
    running: Running,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    room = await running.start()

    async def fail() -> None:
        room.microphone.close()
        raise RuntimeError("stuck")

    monkeypatch.setattr(room, "close", fail)
    async with asyncio.timeout(3):
        await running.host.stop("j1", "NORMAL")
    assert (await running.finished()).reason == "CANCELED"


async def test_many_sessions_leave_no_task_thread_or_session_behind(running: Running) -> None:  # noqa: F811
    # Only what this test begins counts: in a run of all tests other modules' threads and objects live on.
    before = set(threading.enumerate())
    sessions: list[weakref.ref[Session]] = []

    async def one(name: str) -> None:
        await running.start(job_id=name)
        session = running.host._sessions[name]
        sessions.append(weakref.ref(session))
        room: Any = session.room  # several start at once
        room.events.media()
        room.microphone.push(np.zeros(640, np.int16))
        await running.host.command(name, say("Hello."))
        await room.told.wait("bot-output")
        await running.host.stop(name, "NORMAL")

    await one("first")
    tasks = asyncio.all_tasks()
    for batch in range(3):
        await asyncio.gather(*(one(f"{batch}-{each}") for each in range(4)))
    if left := asyncio.all_tasks() - tasks:  # told to end; it may take a moment
        _, left = await asyncio.wait(left, timeout=10)
    assert not left
    running.engines.rooms.clear()
    gc.collect()
    assert len(sessions) == 13
    assert not [session for session in sessions if session() is not None]
    # asyncio's own threads are the loop's: there are at most so many, whatever is done.
    threads = [each for each in threading.enumerate() if each not in before and not each.name.startswith("asyncio_")]
    for thread in threads:
        thread.join(10)
    assert not [thread.name for thread in threads if thread.is_alive()]
