"""One running job: the room, the stage, the conversation and the chat state, from start to end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from visavis import log
from visavis.dialogue.types import Command
from visavis.errors import VisavisError
from visavis.rtc.room import Room, RoomEvents
from visavis.session.announcer import Announcer
from visavis.session.chat import ChatEvent, ChatMachine, QuietWatch, Timer
from visavis.session.conversation import HEARING, Conversation
from visavis.session.driver import Driver
from visavis.session.engines import Engines
from visavis.session.errands import Errands
from visavis.session.face import Face
from visavis.session.listening import Listening
from visavis.session.microphone import Microphone
from visavis.session.recording import Recording, record
from visavis.session.requests import Requests
from visavis.session.script import TurnRecord, Utterance
from visavis.session.signals import (
    ChatStateEvent,
    FinishedEvent,
    FinishReason,
    SessionCommand,
    TurnEvent,
)
from visavis.session.spec import ChatState, JobSpec
from visavis.session.types import Emit
from visavis.speech.types import Language

GOODBYE_S = 0.15
"""Time for the last messages to leave before the connections close."""


class Session:
    """Runs one job. ``open()`` returns once it runs; ``finish()`` ends it; ``done`` tells when nothing of it lives on."""

    def __init__(self, spec: JobSpec, engines: Engines, emit: Emit) -> None:
        self.spec = spec
        self._emit = emit
        self._engines = engines
        self._log = log.get("session").bind(job_id=spec.job_id, request_id=spec.request_id)
        self._chat = ChatMachine(self._chat_changed)
        self._ever_linked = False
        self._finished: FinishedEvent | None = None
        self._finishing = asyncio.Event()
        self._errands = Errands()
        self._room: Room | None = None
        self._recording: Recording | None = None
        self._frames_at = (time.monotonic(), 0)
        self.task: asyncio.Task[None] | None = None
        self.done = asyncio.Event()

    # --- life -----------------------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Build the parts and start. Raises VisavisError if the job cannot be run as it was asked for."""
        loop = asyncio.get_running_loop()
        spec = self.spec
        director = self._engines.director(spec)
        self._room = self._engines.room(
            spec,
            RoomEvents(
                media=self._linked,
                disconnected=self._lost,
                resumed=self._back_again,
                left=self._unlinked,
                message=lambda text: self._requests.take(text),
                viewers=lambda _: self._stage.stir(),
            ),
        )
        self._tell = Announcer(spec, self._room.send)
        self._requests = Requests(self, self._tell, self._errands.run)
        easel = await asyncio.to_thread(self._engines.easel, spec, self._room.broadcaster)
        self._stage = self._engines.stage(spec, director, easel, self._room.broadcaster, self)
        self._stage.on_played = self._tell.played
        self._recording = record(spec, self._engines.settings.recordings, self._stage)
        self._face = Face(director, self._stage, gestures=spec.semantic_actions)
        self._room.broadcaster.on_keyframe_needed = self._stage.keyframe
        self._room.broadcaster.on_motion_viewer = self._stage.stir
        parts = await self._engines.parts(spec)
        self._admits = parts.admits
        self._conversation = Conversation(
            parts,
            self._stage,
            self,
            tail_silence_s=spec.robot.tail_silence_ms / 1000,
            default_language=spec.default_language,
            user_id=next((user.user_id for user in spec.users if user.user_type == "END_USER"), ""),
            session_id=spec.job_id,
            admit=lambda text, language, final: self._listening.admit(text, language, final=final),
            driver=Driver(spec.job_id, self._emit) if spec.robot.driven else None,
        )
        self._quiet = QuietWatch(
            loop,
            sleep_after=spec.sleep_after_s,
            sleep_warning=spec.sleep_warning_s,
            exit_after=spec.exit_mute_threshold_s,
            exit_warning=spec.exit_warning_s,
            on_quiet=self._grew_quiet,
            on_drowsy_over=self._fell_asleep,
            on_exit_warning=self._tell.end_is_near,
            on_exit=lambda: self.finish("MUTE_TIMEOUT"),
        )
        self._quiet.hold("absence")
        self._listening = Listening(
            spec, self._stage, self, self._errands.run, lambda: self._tell.microphone(self.microphone), self._recording
        )
        self._listening.attach(self._conversation, lambda: self.room.stats().get("rtt_s", 0.0))
        self._lonely = Timer(loop, lambda: self.finish("NORMAL"))
        self._lonely.arm(self._engines.settings.link_timeout_s)
        started = loop.create_future()
        self.task = asyncio.create_task(self._run(started), name=f"session-{spec.job_id}")
        try:
            await asyncio.shield(started)
        except asyncio.CancelledError:
            self.task.cancel()
            await asyncio.gather(self.task, return_exceptions=True)
            raise

    async def _run(self, started: asyncio.Future[None]) -> None:
        """The session's task group; the last thing it does is to tell that the job is over."""
        failure: BaseException | None = None
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._stage.run(), name="stage")
                group.create_task(self._conversation.run(), name="conversation")
                group.create_task(self._listening.pump(self.room.microphone), name="microphone")
                await self._conversation.ready()
                started.set_result(None)
                self._log.info("session open")
                await self._finishing.wait()
                await self._say_goodbye()
                raise _Over
        except* _Over:
            pass
        except* Exception as errors:
            failure = errors.exceptions[0]
            self._log.error("session failed", exc_info=failure)
        finally:
            self._quiet.hold("end")
            self._lonely.disarm()
            self._listening.close()
            await self._close_room()
            self._errands.cancel()
            if self._recording is not None:
                await self._recording.close()
        if failure is not None and not started.done():
            started.set_exception(VisavisError(f"the session could not start: {type(failure).__name__}"))
            self.done.set()
            return
        if self._finished is None:
            self._finished = self._failed(failure)
        self._log.info("session over", reason=self._finished.reason, **self.stats())
        self._emit(self._finished)
        self.done.set()

    async def _close_room(self) -> None:
        try:
            await self.room.close()
        except Exception:  # the job is over all the same, and whoever stops it waits to hear that
            self._log.exception("the room did not close")

    def finish(self, reason: FinishReason) -> None:
        """End the job; a job that is stopped before anyone linked is CANCELED. The first reason counts."""
        if self._finished is not None:
            return
        if reason == "NORMAL" and not self._ever_linked:
            reason = "CANCELED"
        self._finished = FinishedEvent(job_id=self.spec.job_id, reason=reason)
        self._finishing.set()

    async def _say_goodbye(self) -> None:
        assert self._finished is not None
        self._fire(ChatEvent.CLOSE)
        await self._conversation.interrupt()
        self._tell.end(self._finished.reason)
        await asyncio.sleep(GOODBYE_S)

    def _failed(self, failure: BaseException | None) -> FinishedEvent:
        return FinishedEvent(
            job_id=self.spec.job_id,
            reason="FAILED",
            error_code="MSS.47000001",
            error_msg=f"the session failed: {type(failure).__name__}" if failure else "the session failed",
        )

    def stats(self) -> dict[str, float]:
        """Counters for the heartbeat; ``fps`` is that since the last call."""
        counted = self._stage.stats.as_dict()
        now, before = (time.monotonic(), int(counted["frames"])), self._frames_at
        self._frames_at = now
        return {
            "fps": round((now[1] - before[1]) / max(now[0] - before[0], 0.001), 1),
            **counted,
            **(self._room.stats() if self._room else {}),
            "stage_s": round(self._stage.now, 2),
            "false_alarms": self._conversation.false_alarms,
        }

    # --- the room -------------------------------------------------------------------------------------------------

    @property
    def room(self) -> Room:
        """The RTC room. Raises VisavisError before the session is open."""
        if self._room is None:
            raise VisavisError("the session is not open")
        return self._room

    def _linked(self) -> None:
        """The END_USER's media flows."""
        first, self._ever_linked = not self._ever_linked, True
        self._lonely.disarm()
        again = self._chat.state is ChatState.LINKED
        self._fire(ChatEvent.LINKED)
        self._quiet.release("absence")
        if again:  # the page was loaded anew: it does not know the state yet
            self._tell.chat_state(self._chat.state)
        if first and self.spec.robot.welcome:
            self._errands.run(self.say(self.spec.robot.welcome))

    def _unlinked(self) -> None:
        """The END_USER is gone; the job waits for somebody to come back."""
        self._fire(ChatEvent.UNLINKED)
        self._quiet.hold("absence")
        self._lonely.arm(self._engines.settings.rejoin_timeout_s)
        self._errands.run(self._conversation.interrupt())

    def _lost(self) -> None:
        """Nothing comes from the END_USER any more: a train in a tunnel, or a browser that was killed."""
        self._lonely.arm(self._engines.settings.rejoin_timeout_s)

    def _back_again(self) -> None:
        if self._chat.state is ChatState.WAITING_LINK:  # its sound never came: it is still awaited
            self._lonely.arm(self._engines.settings.link_timeout_s)
        else:
            self._lonely.disarm()

    # --- commands -------------------------------------------------------------------------------------------------

    async def command(self, command: SessionCommand) -> None:
        """Act on a command of the control plane."""
        match command.kind:
            case "interrupt":
                await self.interrupt()
            case "wake":
                self.wake(command.text)
            case "sleep":
                self.sleep()
            case "say":
                await self.say(command.text)
            case "ask":
                await self.ask(command.text)
            case "drive" if command.drive is not None:
                await self._conversation.drive(command.drive)

    async def ask(self, text: str) -> None:
        """Answer a typed question."""
        if text.strip():
            self._active()
            await self._conversation.ask(text.strip())

    async def say(self, text: str) -> None:
        """Speak ``text`` as it is."""
        if text.strip():
            self._active()
            await self._conversation.say(text.strip())

    async def interrupt(self) -> None:
        """Silence the digital human."""
        await self._conversation.interrupt()

    def expect(self, language: Language | None) -> None:
        """Expect to hear this language from now on (None: detect it)."""
        self._conversation.set_language(language)

    def wake(self, wakeup_type: str = "") -> None:
        """Wake up, or stay awake. ``wakeup_type``: what noticed somebody (VOICE, RADAR, INFRARED, CAMERA); empty: a button."""
        self._tell.woken_by = wakeup_type if self._chat.state is ChatState.ASLEEP else ""
        if self._fire(ChatEvent.WAKE):
            self._quiet.touch()

    def talk(self, on: bool) -> None:
        """The person presses the button to talk, or lets it go: a wish to talk wakes."""
        if on:
            self.wake()
        self._listening.microphone.talk(on)

    @property
    def microphone(self) -> Microphone:
        """What the person says passes through it."""
        return self._listening.microphone

    def sleep(self) -> None:
        """Fall asleep now."""
        if self._fire(ChatEvent.SLEEP):
            self._quiet.skip_to_sleep()
            self._errands.run(self._conversation.interrupt())

    # --- the chat state -------------------------------------------------------------------------------------------

    @property
    def chat_state(self) -> ChatState:
        """The published chat state."""
        return self._chat.state

    def _fire(self, event: ChatEvent) -> bool:
        """Apply an event that may come at any time; False if the table has no place for it just now."""
        if not self._chat.allows(event):
            self._log.debug("event without effect", chat_event=str(event), state=self._chat.state.name)
            return False
        self._chat.fire(event)
        return True

    def _grew_quiet(self) -> None:
        self._fire(ChatEvent.QUIET)

    def _fell_asleep(self) -> None:
        self._fire(ChatEvent.DROWSY_OVER)

    def _active(self) -> None:
        if self._fire(ChatEvent.ACTIVITY):
            self._quiet.touch()

    def _chat_changed(self, old: ChatState, new: ChatState) -> None:
        self._emit(ChatStateEvent(job_id=self.spec.job_id, chat_state=new))
        self._log.info("chat state", old=old.name, new=new.name)
        self._tell.chat_state(new, old)
        if new is ChatState.ASLEEP:
            self._face.sleep(True)
        elif old is ChatState.ASLEEP:
            self._face.sleep(False)

    # --- ConversationListener and StageListener -------------------------------------------------------------------

    def voice_changed(self, speaking: bool) -> None:
        """The person begins or stops to speak."""
        self._listening.person(speaking)
        if self._listening.deaf:
            if self._quiet.holds("person"):  # told to sleep while somebody spoke
                self._quiet.release("person")
            return
        self._active()
        if speaking:
            self._quiet.hold("person")
        else:
            self._quiet.release("person")
        self._engines.ahead.aside(self.spec.job_id, "person", speaking)
        self._face.person(speaking)
        self._tell.person_speaks(speaking)

    def heard(self, record: TurnRecord, typed: bool) -> None:
        """A question is complete."""
        self._listening.understood(record.language)
        self._face.thinks()
        if self._admits is None:
            self._tell.heard(record)
        else:
            record.withheld = True
            self._errands.run(self._judged(record, self._admits))

    async def _judged(self, record: TurnRecord, admits: Callable[[str, Language], Awaitable[bool]]) -> None:
        """Show the question once it is known whether it may be shown."""
        record.withheld = not await admits(record.heard, record.language)
        self._tell.heard(record)

    def hearing(self, text: str) -> None:
        """What the person says, so far. Where questions are audited it is not shown: nobody knows yet what it will be."""
        if not self._listening.deaf and self._admits is None:
            self._tell.partial(text)

    def nothing_heard(self) -> None:
        """It was only noise: stop looking thoughtful."""
        self._tell.nothing()
        self._face.answered()
        self._listening.nothing_heard()

    def commanded(self, command: Command) -> None:
        """The client is to do something."""
        self._tell.command(command)

    def turn_done(self, record: TurnRecord) -> None:
        """An answer was spoken, or cut."""
        self._emit(
            TurnEvent(
                job_id=self.spec.job_id,
                chat_id=record.chat_id,
                heard="" if record.withheld or record.refused else record.heard,
                answered=record.spoken,
                language=record.language,
                interrupted=record.interrupted,
                stages=record.stages(),
                citations=record.citations,
                refused=record.refused,
            )
        )
        self._tell.turn(record)
        self._face.answered()

    def trouble(self, text: str) -> None:
        """Hearing or speaking failed; the turn ends without it."""
        if text.startswith(HEARING):
            self._listening.failed()
        self._tell.error(text)

    def utterance_started(self, utterance: Utterance, pts: float) -> None:
        """A sentence begins to sound."""
        self._conversation.utterance_started(utterance)
        self._face.says(utterance.text, utterance.language)
        self._tell.sentence(utterance, pts)

    def utterance_ended(self, utterance: Utterance, interrupted: bool) -> None:
        """A sentence is over, or was cut."""
        if not interrupted:
            self._conversation.utterance_ended()

    def speaking_changed(self, speaking: bool) -> None:
        """The digital human begins or stops to sound."""
        if speaking:
            self._active()
            self._quiet.hold("voice")
        else:  # no activity: who was told to sleep while it spoke must not wake from falling silent
            self._quiet.release("voice")
        self._engines.ahead.aside(self.spec.job_id, "voice", speaking)
        self._face.voice(speaking)
        self._listening.microphone.sounds(speaking)
        self._tell.speaks(speaking, self._stage.now)
        self._errands.run(self._conversation.speaking_changed(speaking))


class _Over(Exception):
    """Ends the session's task group."""
