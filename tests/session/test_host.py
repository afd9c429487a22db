"""A worker's host and its sessions: real session, stage and pipeline around fake engines and a fake room."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
import structlog
from engine_fakes import Events, FailingRenderer, FakeEngines, FakeRoom, at_rest, job

from visavis.errors import VisavisError
from visavis.rtc.errors import RoomFull
from visavis.session import host as host_module
from visavis.session.conversation import Conversation
from visavis.session.host import Host, create_host
from visavis.session.signals import CandidatesSignal, LeaveSignal, OfferSignal, SessionCommand
from visavis.session.spec import ChatState, RtcUser
from visavis.session.types import SessionHost, SignalRefusedBySession
from visavis.settings import Settings

PERSON = RtcUser(user_type="END_USER", user_id="u1")


class Running:
    """A loaded host with its engines and events."""

    def __init__(self, engines: FakeEngines) -> None:
        self.engines, self.events = engines, Events()
        self.host = create_host(engines.settings, self.events)

    @property
    def room(self) -> FakeRoom:
        return self.engines.rooms[-1]

    async def start(self, **more: Any) -> FakeRoom:
        await self.host.start(job(**more))
        return self.room

    async def finished(self) -> Any:
        return await self.events.journal.wait("finished")


@pytest_asyncio.fixture
async def leak_free() -> AsyncIterator[None]:
    async for _ in at_rest():
        yield


@pytest.fixture(autouse=True, scope="module")
def _plain_logs() -> None:
    """Structlog's own default draws exceptions with all their variables, which takes seconds."""
    structlog.configure(processors=[structlog.processors.format_exc_info, structlog.processors.JSONRenderer()])


@pytest.fixture
def engines() -> FakeEngines:
    return FakeEngines()


@pytest_asyncio.fixture
async def running(leak_free: None, engines: FakeEngines, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Running]:
    async def load(settings: Settings) -> FakeEngines:
        return engines

    monkeypatch.setattr(host_module.Engines, "load", load)
    it = Running(engines)
    await it.host.load()
    yield it
    async with asyncio.timeout(10):
        await it.host.close()
    assert engines.closed


def test_it_is_a_session_host() -> None:
    def methods(of: type) -> dict[str, list[str]]:
        found = inspect.getmembers(of, inspect.isfunction)
        return {name: list(inspect.signature(call).parameters) for name, call in found if not name.startswith("_")}

    assert methods(Host) == methods(SessionHost)


async def test_nothing_starts_before_the_models_are_loaded() -> None:
    with pytest.raises(VisavisError, match="not loaded"):
        await create_host(Settings(), Events()).start(job())


# --- life and death ---------------------------------------------------------------------------------------------


async def test_stopped_before_anyone_linked_is_canceled_and_leaves_nothing(running: Running) -> None:
    room = await running.start()
    assert running.host.stats("j1")["viewers"] == 1
    await running.host.stop("j1", "NORMAL")
    finished = await running.finished()
    assert (finished.job_id, finished.reason, finished.error_code) == ("j1", "CANCELED", "")
    assert running.events.kinds[-1] == "finished"
    assert running.events.kinds.count("finished") == 1
    assert room.closed
    assert room.told.of("jobEnd") == [{"event": "jobEnd", "jobId": "j1", "reason": "CANCELED"}]
    assert running.engines.dialogue.closed
    await asyncio.sleep(0)  # the session's task tells the host after it told that it is done
    assert running.host.stats("j1") == {}
    with pytest.raises(SignalRefusedBySession, match="no such job"):
        await running.host.command("j1", SessionCommand(kind="wake"))


async def test_stopped_after_somebody_linked_is_normal(running: Running) -> None:
    room = await running.start()
    room.events.media()
    await running.host.stop("j1", "NORMAL")
    assert (await running.finished()).reason == "NORMAL"
    states = [event.chat_state for event in running.events.journal.of("chat_state")]
    assert states == [ChatState.LINKED, ChatState.CLOSING]


async def test_a_worker_that_must_end_says_failed(running: Running) -> None:
    await running.start()
    await running.host.stop("j1", "FAILED")
    assert (await running.finished()).reason == "FAILED"


async def test_the_person_s_stop_ends_the_job(running: Running) -> None:
    room = await running.start()
    room.events.media()
    room.say("disconnect-bot")
    assert (await running.finished()).reason == "NORMAL"


async def test_nobody_comes(running: Running) -> None:
    running.engines.settings.link_timeout_s = 0.05
    await running.start()
    assert (await running.finished()).reason == "CANCELED"


async def test_the_person_leaves_and_does_not_come_back(running: Running) -> None:
    running.engines.settings.rejoin_timeout_s = 0.05
    room = await running.start()
    room.events.media()
    room.events.left()
    assert (await running.finished()).reason == "NORMAL"


async def test_the_person_leaves_and_comes_back(running: Running) -> None:
    running.engines.settings.rejoin_timeout_s = 0.2
    room = await running.start()
    room.events.media()
    room.events.left()
    room.events.media()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.4):
            await running.finished()
    assert [event.chat_state for event in running.events.journal.of("chat_state")][-1] is ChatState.LINKED


async def test_a_picture_that_cannot_be_made_is_told_and_leaves_nothing(running: Running) -> None:
    running.engines.refusal = "there is no avatar 'nobody'"
    with pytest.raises(VisavisError, match="no avatar 'nobody'"):
        await running.host.start(job())
    assert running.events.kinds == [], "the worker tells of it, not the host"
    assert running.host.stats("j1") == {}
    running.engines.refusal = ""
    await running.start()
    await running.host.stop("j1", "NORMAL")


async def test_a_session_that_breaks_fails_alone(running: Running) -> None:
    healthy = await running.start(job_id="healthy")
    broken = await running.start(job_id="broken")
    broken.microphone.push(None)  # type: ignore[arg-type]
    finished = await running.finished()
    assert (finished.job_id, finished.reason, finished.error_code) == ("broken", "FAILED", "MSS.47000001")
    assert "AttributeError" in finished.error_msg
    assert broken.closed
    assert not healthy.closed
    await running.host.command("healthy", SessionCommand(kind="say", text="Still here."))
    await healthy.told.wait("bot-output")


async def test_pictures_that_cannot_be_drawn_do_not_silence_it(running: Running) -> None:
    running.engines.renderer = FailingRenderer
    room = await running.start()
    room.events.media()
    await running.host.command("j1", SessionCommand(kind="say", text="I am here."))
    await room.told.wait("bot-stopped-speaking")
    assert room.broadcaster.audio
    assert running.host.stats("j1")["frames"] == 0


async def test_closing_the_host_ends_every_session(running: Running) -> None:
    await running.start(job_id="a")
    await running.start(job_id="b")
    await running.host.close()
    assert [event.reason for event in running.events.journal.of("finished")] == ["CANCELED", "CANCELED"]
    assert all(room.closed for room in running.engines.rooms)


async def test_work_ahead_rests_while_a_session_starts_and_then_serves_it_first(running: Running) -> None:
    calls = running.engines.ahead.calls
    assert calls == ["go on"]
    await running.start(job_id="a")
    assert calls == ["go on", "stop", "begin a", "go on"]
    await running.host.stop("a", "NORMAL")
    await asyncio.sleep(0)
    assert calls[4:] == ["end a", "go on"]


async def test_what_rooms_may_say_is_made_at_once_but_not_while_a_session_starts(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = running.engines.ahead.calls
    running.host.prepare("p", "r", None)
    assert calls == ["go on", "prepare p/r", "go on"]
    assert running.host.prepared() == (1, 3)
    waiting, go = asyncio.Event(), asyncio.Event()

    async def ready(_: Conversation) -> None:
        waiting.set()
        await go.wait()

    monkeypatch.setattr(Conversation, "ready", ready)
    starting = asyncio.create_task(running.host.start(job("slow")))
    await waiting.wait()
    del calls[:]
    running.host.prepare("p", "r", None)
    assert calls == ["prepare p/r"]
    go.set()
    await starting


async def test_the_heartbeat_tells_how_much_is_made_ahead(running: Running) -> None:
    await running.start(job_id="a")
    stats = running.host.stats("a")
    assert (stats["ahead_made"], stats["ahead_total"]) == (1.0, 3.0)
    assert "fps" in stats


# --- signals and messages ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "signal",
    [
        OfferSignal(user=PERSON, sdp="v=0"),
        CandidatesSignal(user=PERSON, pc_id="x", candidates=[]),
        LeaveSignal(user=PERSON, pc_id="x"),
    ],
    ids=lambda signal: signal.kind,
)
async def test_what_the_room_refuses_reaches_the_client(
    running: Running, monkeypatch: pytest.MonkeyPatch, signal: Any
) -> None:
    with pytest.raises(SignalRefusedBySession, match="no such job"):
        await running.host.signal("j1", signal)
    room = await running.start()

    async def refuse(*_: object) -> tuple[str, str]:
        raise RoomFull("another END_USER is in this room")

    def refuse_now(*_: object) -> None:
        raise RoomFull("another END_USER is in this room")

    for name, call in (("offer", refuse), ("leave", refuse), ("candidates", refuse_now)):
        monkeypatch.setattr(room, name, call, raising=False)
    with pytest.raises(SignalRefusedBySession, match="another END_USER"):
        await running.host.signal("j1", signal)


async def test_an_offer_is_answered_by_the_room(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    room = await running.start()

    async def offer(*asked: object) -> tuple[str, str]:
        assert asked == ("END_USER", "u1", "v=0", None, False)
        return "pc7", "answer"

    monkeypatch.setattr(room, "offer", offer, raising=False)
    reply = await running.host.signal("j1", OfferSignal(user=PERSON, sdp="v=0"))
    assert (reply.pc_id, reply.sdp) == ("pc7", "answer")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"type": "dance"}', "'dance'"),
        ("{", "not JSON"),
        ("[]", "no type"),
        ('{"type": "client-message", "data": {"t": "language", "d": {"language": "TLH"}}}', "'language'"),
        ("x" * 20_000, "20000"),
        ('{"type": "client-message", "data": {"t": "language", "d": {"language": ["EN"]}}}', "'language'"),
        ('{"type": "send-text", "data": {"content": "\\ud800"}}', "not Unicode"),
        ("[" * 16_000, "not JSON"),
    ],
    ids=["unknown", "no JSON", "no object", "unknown language", "too long", "list", "half a character", "nested"],
)
async def test_a_message_that_makes_no_sense_is_answered_with_an_error(running: Running, text: str, words: str) -> None:
    room = await running.start()
    room.events.message(text)
    error: Any = await room.told.wait("error")
    assert words in error["message"]
    assert error["fatal"] is False
    room.say("client-ready")
    await room.told.wait("bot-ready")


async def test_client_ready_is_answered_with_the_state(running: Running) -> None:
    room = await running.start()
    room.events.media()
    room.say("client-ready")
    ready: Any = await room.told.wait("bot-ready")
    assert ready["about"]["library"] == "visavis"
    state: Any = await room.told.wait("jobInfoChange", count=2)
    assert state["chat_state"] == 2


async def test_a_typed_question_is_answered_aloud_and_told(running: Running) -> None:
    room = await running.start()
    room.events.media()
    room.say("send-text", content="  how are you?  ")
    turn: Any = await running.events.journal.wait("turn")
    assert (turn.job_id, turn.heard, turn.answered, turn.interrupted) == ("j1", "how are you?", "I am fine.", False)
    await room.told.wait("bot-stopped-speaking")
    names = [name for name, _ in room.told.entries]
    order = ["user-transcription", "bot-started-speaking", "subtitle", "bot-stopped-speaking"]
    assert sorted(order, key=names.index) == order
    subtitles: Any = room.told.of("subtitle")
    assert [(each["text"], each["language"]) for each in subtitles] == [("I am fine.", "EN"), ("", "")]
    assert room.broadcaster.audio, "there was sound"


async def test_empty_text_asks_and_says_nothing(running: Running) -> None:
    room = await running.start()
    room.events.media()
    await running.host.command("j1", SessionCommand(kind="ask", text="  "))
    await running.host.command("j1", SessionCommand(kind="say"))
    await running.host.command("j1", SessionCommand(kind="say", text="Hello."))
    said: Any = await room.told.wait("bot-output")
    assert said["text"] == "Hello."
    assert running.engines.dialogue.turns == []


async def test_sleep_and_wake_by_command(running: Running) -> None:
    room = await running.start()
    room.events.media()
    await running.host.command("j1", SessionCommand(kind="sleep"))
    await room.told.wait("enterSleep")
    await running.host.command("j1", SessionCommand(kind="wake"))
    await room.told.wait("enterActive")
    states = [event.chat_state for event in running.events.journal.of("chat_state")]
    assert states == [ChatState.LINKED, ChatState.ASLEEP, ChatState.LINKED]


# --- a start that does not come to its end ----------------------------------------------------------------------


async def test_a_cancelled_start_leaves_nothing(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    waiting = asyncio.Event()

    async def never(_: Conversation) -> None:
        waiting.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(Conversation, "ready", never)
    starting = asyncio.create_task(running.host.start(job()))
    await waiting.wait()
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert running.room.closed
    assert running.events.kinds == []


async def test_work_ahead_does_not_go_on_while_another_session_starts(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting, go = asyncio.Event(), asyncio.Event()

    async def ready(_: Conversation) -> None:
        waiting.set()
        await go.wait()

    monkeypatch.setattr(Conversation, "ready", ready)
    starting = asyncio.create_task(running.host.start(job("slow")))
    await waiting.wait()
    running.engines.refusal = "no"
    with pytest.raises(VisavisError):
        await running.host.start(job("refused"))
    go.set()
    await starting
    assert running.engines.ahead.calls == ["go on", "stop", "stop", "begin slow", "go on"]


async def test_work_ahead_goes_on_after_a_start_that_failed(running: Running) -> None:
    running.engines.refusal = "no"
    with pytest.raises(VisavisError):
        await running.host.start(job())
    assert running.engines.ahead.calls == ["go on", "stop", "go on"]
