"""Recognisers and synthesisers of other vendors that hang, fail or answer nothing: Pipecat's own OpenAI services against a server of
the test's, and a vendor that sends what it heard and says whenever it likes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import numpy as np
import pytest
import pytest_asyncio
from aiohttp import web
from engine_fakes import FakeEngines
from listening import listening
from pipecat.frames.frames import Frame, TranscriptionFrame, TTSAudioRawFrame
from pipecat.services.settings import STTSettings, TTSSettings
from pipecat.services.stt_service import STTService
from pipecat.services.tts_service import TTSService
from pipecat.utils.time import time_now_iso8601
from test_conversation import question
from test_host import Running, _plain_logs, leak_free, running  # noqa: F401
from test_waking import HearingEngines, speak

from visavis.dialogue import phrases
from visavis.session import excuses, hearing, services
from visavis.session.bounds import BoundedRecognition, BoundedSynthesis
from visavis.session.conversation import Parts
from visavis.session.services import load_service
from visavis.session.signals import SessionCommand
from visavis.session.spec import JobSpec

TONE = (np.sin(np.arange(4800) * 2 * np.pi * 440 / 24_000) * 9000).astype(np.int16).tobytes()
QUESTION = np.concatenate([question()[:20_000], np.zeros(12_000, np.int16)])
OPENAI = "pipecat.services.openai"


class Ears(STTService):
    """Hears a stream; tells what it heard when it is told to, or never."""

    def __init__(self, **options: Any) -> None:
        super().__init__(settings=STTSettings(model=None, language=None), ttfs_p99_latency=0.3, **options)

    async def run_stt(self, audio: bytes) -> AsyncGenerator[Frame | None, None]:
        yield None

    async def tell(self, text: str) -> None:
        await self.push_frame(TranscriptionFrame(text, "", time_now_iso8601(), finalized=True))


class Voice(TTSService):
    """Takes a text, and sends its sound later by another way, or never, as one behind a WebSocket does."""

    def __init__(self, **options: Any) -> None:
        settings = TTSSettings(model=None, voice=None, language=None)
        super().__init__(sample_rate=24_000, stop_frame_timeout_s=0.5, settings=settings, **options)

    async def run_tts(self, text: str, context_id: str) -> AsyncGenerator[Frame | None, None]:
        await self.create_audio_context(context_id)
        if "silent" not in text:
            await self.append_to_audio_context(
                context_id, TTSAudioRawFrame(TONE, sample_rate=24_000, num_channels=1, context_id=context_id)
            )
            await self.remove_audio_context(context_id)
        yield None


class Vendor:
    """A server with the vendor's interface: ``heard`` and ``says`` are what it does next."""

    def __init__(self) -> None:
        self.heard = self.says = "well"
        self.go_on = asyncio.Event()

    async def handle(self, request: web.Request) -> web.Response:
        response = await self._answer(request)
        response.force_close()  # the client would keep the connection, and the server its task
        return response

    async def _answer(self, request: web.Request) -> web.Response:
        recognises = request.path.endswith("transcriptions")
        mood = self.heard if recognises else self.says
        if mood == "hangs":
            await self.go_on.wait()
        if mood == "fails":
            return web.json_response({"error": {"message": "your key sk-secret is wrong"}}, status=401)
        if recognises:
            return web.json_response({"text": "" if mood == "empty" else "what time is it"})
        return web.Response(body=TONE, content_type="application/octet-stream")


class VendorEngines(HearingEngines):
    """With the services named."""

    stt, tts = f"{OPENAI}.stt:OpenAISTTService", f"{OPENAI}.tts:OpenAITTSService"

    def __init__(self) -> None:
        super().__init__()
        self.options: dict[str, Any] = {}
        self.ears_of_vendor: Any = None

    async def parts(self, spec: JobSpec) -> Parts:
        ours = await super().parts(spec)
        self.ears_of_vendor = load_service(self.stt, self.options, STTService, BoundedRecognition)
        voice = load_service(self.tts, self.options, TTSService, BoundedSynthesis)
        return Parts(ours.activity, self.ears_of_vendor, self.dialogue, voice)


@pytest.fixture
def engines(monkeypatch: pytest.MonkeyPatch) -> FakeEngines:
    monkeypatch.setattr(hearing, "SLOW_S", 0.5)
    monkeypatch.setattr(hearing, "HANGS_S", 1.0)
    monkeypatch.setattr(services, "LATE_S", 0.4)
    monkeypatch.setattr(services, "STALLED_S", 0.9)
    monkeypatch.setattr(excuses, "SHOWN_S", 0.2)
    return VendorEngines()


@pytest_asyncio.fixture
async def vendor(engines: VendorEngines) -> AsyncIterator[Vendor]:
    it = Vendor()
    async with listening(it.handle) as url:
        engines.options = {"api_key": "sk-secret", "base_url": f"{url}/v1"}
        yield it
        it.go_on.set()


async def enter(running: Running) -> Any:  # noqa: F811
    room = await running.start()
    room.events.media()
    return room


def shown(room: Any) -> list[str]:
    return [data["text"] for data in room.told.of("bot-output")]


def say(running: Running, text: str) -> Any:  # noqa: F811
    return running.host.command("j1", SessionCommand(kind="say", text=text))


@pytest.mark.parametrize("mood", ["hangs", "fails", "empty"])
async def test_a_vendor_that_does_not_hear_is_excused(
    vendor: Vendor,
    running: Running,  # noqa: F811
    mood: str,
) -> None:
    vendor.heard = mood
    room = await enter(running)
    await speak(running, QUESTION)
    await room.told.wait("bot-output", lambda data: data["text"] == phrases.NOT_HEARD["en"])
    assert shown(room) == [*([phrases.MOMENT["en"]] if mood == "hangs" else []), phrases.NOT_HEARD["en"]]
    assert {error["message"] for error in room.told.of("error")} == (
        set() if mood == "empty" else {"speech recognition failed"}
    )
    if mood == "empty":
        return
    if mood == "fails":
        await speak(running, QUESTION)
        await room.told.wait("bot-output", lambda data: data["text"] == phrases.NOT_HEARD["en"], count=2)
        return
    await room.told.wait("bot-stopped-speaking", count=2)
    vendor.heard = "well"
    await speak(running, QUESTION)
    turn: Any = await running.events.journal.wait("turn", lambda turn: turn.heard != "")
    assert (turn.heard, turn.answered) == ("what time is it", "Two o'clock.")


async def test_a_vendor_whose_voice_hangs_or_fails_is_excused_and_speaks_again(
    vendor: Vendor,
    running: Running,  # noqa: F811
) -> None:
    vendor.says = "hangs"
    room = await enter(running)
    await say(running, "Late.")
    await room.told.wait("bot-output", lambda data: data["text"] == phrases.MOMENT["en"])
    vendor.go_on.set()
    turn: Any = await running.events.journal.wait("turn")
    assert turn.answered == "Late."
    vendor.go_on.clear()
    await say(running, "Never.")
    turn = await running.events.journal.wait("turn", count=2)
    assert turn.answered == phrases.FAILED["en"]
    vendor.says = "fails"
    for count in range(3, 6):  # more than Pipecat would bear
        await say(running, "Refused.")
        turn = await running.events.journal.wait("turn", count=count)
        assert turn.answered == phrases.FAILED["en"]
    vendor.says = "well"
    await say(running, "Fine.")
    turn = await running.events.journal.wait("turn", count=6)
    assert turn.answered == "Fine."
    assert {error["message"] for error in room.told.of("error")} == {"speech synthesis failed"}


async def test_a_vendor_that_sends_what_it_heard_later_is_not_awaited_for_ever(
    engines: VendorEngines,
    running: Running,  # noqa: F811
) -> None:
    engines.stt, engines.tts = f"{__name__}:Ears", f"{__name__}:Voice"
    room = await enter(running)
    await speak(running, QUESTION)
    await room.told.wait("bot-output", lambda data: data["text"] == phrases.NOT_HEARD["en"])
    assert shown(room) == [phrases.MOMENT["en"], phrases.NOT_HEARD["en"]]
    await room.told.wait("bot-stopped-speaking", count=2)
    await engines.ears_of_vendor.tell("far too late")
    speaking = asyncio.create_task(speak(running, QUESTION))
    await room.told.wait("user-stopped-speaking", count=2)
    await engines.ears_of_vendor.tell("what time is it")
    turn: Any = await running.events.journal.wait("turn", lambda turn: turn.heard != "")
    await speaking
    assert (turn.heard, turn.answered) == ("what time is it", "Two o'clock.")


async def test_a_vendor_that_sends_no_sound_is_apologised_for(
    engines: VendorEngines,
    running: Running,  # noqa: F811
) -> None:
    engines.stt, engines.tts = f"{__name__}:Ears", f"{__name__}:Voice"
    room = await enter(running)
    for count in range(1, 5):  # more than Pipecat would bear
        await say(running, "This is silent.")
        turn: Any = await running.events.journal.wait("turn", count=count)
        assert turn.answered == phrases.FAILED["en"]
    assert room.told.of("error")[0]["message"] == "speech synthesis failed"
    await say(running, "This is not.")
    turn = await running.events.journal.wait("turn", count=5)
    assert turn.answered == "This is not."
