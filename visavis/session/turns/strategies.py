"""The two decisions of Pipecat's turn controller, made our way: when the person's turn begins, and when it is over."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final, Protocol

from pipecat.frames.frames import (
    BotStoppedSpeakingFrame,
    Frame,
    InterruptionFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.processors.frame_processor import FrameProcessorSetup
from pipecat.turns.types import ProcessFrameResult
from pipecat.turns.user_start import BaseUserTurnStartStrategy
from pipecat.turns.user_stop import BaseUserTurnStopStrategy

from visavis import log
from visavis.session.chat import Timer
from visavis.session.turns.barge_in import Act, BargeIn, Floor, Heard
from visavis.session.turns.endpoint import CAP_S, Endpointing, Evidence
from visavis.session.turns.frames import (
    BeginTurnFrame,
    DismissFrame,
    EndTurnFrame,
    GlanceFrame,
    HypothesisFrame,
    LullFrame,
    LullOverFrame,
    OnsetFrame,
    OnsetOverFrame,
    ProsodyFrame,
    SilenceFrame,
)
from visavis.session.turns.wording import means_something, shape
from visavis.speech.types import Language

_log = log.get("turns")

GLANCE_S: Final = 0.45
"""A voice that goes on while the digital human waits for it is recognised after so long, and again and again."""
_PATIENCE: Final[dict[Floor, float]] = {
    Floor.ONSET: 1.0,
    Floor.LINGER: 0.2,
    Floor.VOICE: 1.6,
    Floor.MURMUR: 2.5,
    Floor.AFTER: 2.0,
    Floor.UNREAD: 8.0,
}
"""Seconds after which it is late, by state. Where nobody waits for it, slow recognition may take its time."""
DEAF_S: Final = 0.5
"""The microphone's sound is awaited for so long beyond the silence that would end a turn."""
HABIT_S: Final = 1.5
"""Who speaks again after so short a silence was not done, or might not have been."""


class Voice(Protocol):
    """The digital human's voice: the stage."""

    @property
    def speaking(self) -> bool: ...

    @property
    def paused(self) -> bool: ...

    def pause(self) -> None: ...

    def resume(self) -> None: ...


class BargeInStart(BaseUserTurnStartStrategy):  # type: ignore[no-untyped-call]
    """A turn begins with the person's voice; while the digital human speaks, only with one that means something."""

    def __init__(self, voice: Voice, saying: Callable[[], str]) -> None:
        """``saying``: what the digital human has just said and is saying, to know an echo by."""
        super().__init__()
        self._voice, self._saying = voice, saying
        self._machine = BargeIn()
        self._heard_murmur = False
        self._voice_at = 0.0
        self._voice_until: float | None = None
        self._late: Timer | None = None
        self._glance: Timer | None = None
        self._floor = Floor.OURS
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def false_alarms(self) -> int:
        """How often it went on speaking after a voice that was not meant."""
        return self._machine.false_alarms

    async def setup(self, setup: FrameProcessorSetup) -> None:  # type: ignore[override]
        await super().setup(setup)
        loop = asyncio.get_running_loop()
        self._late = Timer(loop, lambda: self._soon(Heard.LATE))
        self._glance = Timer(loop, self._look)

    async def cleanup(self) -> None:
        for timer in (self._late, self._glance):
            if timer is not None:
                timer.disarm()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await super().cleanup()  # type: ignore[no-untyped-call]

    async def process_frame(self, frame: Frame) -> ProcessFrameResult:
        match frame:
            case BeginTurnFrame():
                await self._begin_turn()
            case OnsetFrame() if self._voice.speaking:
                await self._hear(Heard.ONSET)
            case OnsetOverFrame():
                await self._hear(Heard.NOTHING)
            case VADUserStartedSpeakingFrame():
                self._heard_murmur = False
                self._voice_at = asyncio.get_running_loop().time() - frame.start_secs
                self._voice_until = None
                if self._voice.speaking:
                    await self._hear(Heard.VOICE)
                else:
                    await self._begin_turn()
            case LullFrame():
                self._voice_until = asyncio.get_running_loop().time() - frame.silence_s
            case LullOverFrame():
                self._heard_murmur = False
                self._voice_until = None
            case VADUserStoppedSpeakingFrame():
                await self._hear(Heard.HUSH)
                if self._heard_murmur:
                    await self._hear(Heard.MURMUR)
            case HypothesisFrame():
                await self._weigh(frame)
            case BotStoppedSpeakingFrame() | InterruptionFrame():
                await self._hear(Heard.SILENT)
            case _:
                pass
        return ProcessFrameResult.CONTINUE

    async def _begin_turn(self) -> None:
        self._machine.hear(Heard.TURN)
        self._entered(self._machine.floor)
        await self.trigger_user_turn_started()

    async def _weigh(self, frame: HypothesisFrame) -> None:
        if not self._machine.undecided:
            return
        now = asyncio.get_running_loop().time()
        voice_s = (now if self._voice_until is None else self._voice_until) - self._voice_at
        if means_something(frame.text, self._saying(), voice_s=voice_s, confidence=frame.confidence):
            await self._hear(Heard.WORDS)
        else:
            self._heard_murmur = frame.settled
            if frame.settled or self._machine.floor is Floor.VOICE:
                await self._hear(Heard.MURMUR)

    async def _hear(self, heard: Heard) -> None:
        act = self._machine.hear(heard)
        if self._machine.floor is not self._floor:
            _log.debug("floor", heard=str(heard), floor=str(self._machine.floor), act=str(act))
            self._entered(self._machine.floor)
        match act:
            case Act.PAUSE:
                self._voice.pause()
            case Act.GO_ON:
                self._voice.resume()
            case Act.RESUME | Act.IGNORE:
                if act is Act.RESUME:
                    self._voice.resume()
                _log.info("false_alarm", heard=str(heard), so_far=self._machine.false_alarms)
                await self.broadcast_frame(DismissFrame)
            case Act.YIELD:
                await self.trigger_user_turn_started()
                if self._voice.paused:  # the person's turn was open all the time
                    await self.broadcast_frame(InterruptionFrame)
            case _:
                pass

    def _entered(self, floor: Floor) -> None:
        before, self._floor = self._floor, floor
        if self._late is None or self._glance is None:
            return
        self._late.disarm()
        if floor in _PATIENCE:
            self._late.arm(_PATIENCE[floor])
        voiced = (Floor.VOICE, Floor.MURMUR, Floor.OVERHEARD)
        if floor not in voiced:
            self._glance.disarm()
        elif before not in voiced:
            self._glance.arm(GLANCE_S)

    def _look(self) -> None:
        if self._glance is not None:
            self._glance.arm(GLANCE_S)
        self._run(self.broadcast_frame(GlanceFrame))

    def _soon(self, heard: Heard) -> None:
        self._run(self._hear(heard))

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


class EndpointStop(BaseUserTurnStopStrategy):  # type: ignore[no-untyped-call]
    """A turn is over after a silence whose length the words, the melody and the speaker decide.

    The silence is measured in the microphone's own time. Only where no sound comes at all any more a clock decides.
    """

    def __init__(
        self, endpointing: Endpointing, default_language: Language, whole: Callable[[str, Language], str]
    ) -> None:
        """``whole``: all that the person said, of whom this is the last part (a turn before may have ended too early)."""
        super().__init__()
        self._endpointing, self._language, self._whole = endpointing, default_language, whole
        self._in_turn = False
        self._held = False  # the person says when he is done
        self._released = False  # and he has said so
        self._text: HypothesisFrame | None = None
        self._melody: float | None = None
        self._silence_s = 0.0
        self._last_silence: float | None = None  # when the last pause began, whatever came of it
        self._deaf: Timer | None = None
        self._task: asyncio.Task[None] | None = None

    async def setup(self, setup: FrameProcessorSetup) -> None:  # type: ignore[override]
        await super().setup(setup)
        self._deaf = Timer(asyncio.get_running_loop(), self._went_deaf)

    async def cleanup(self) -> None:
        if self._deaf is not None:
            self._deaf.disarm()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await super().cleanup()  # type: ignore[no-untyped-call]

    async def handle_user_turn_started(self) -> None:
        self._in_turn = True

    async def handle_user_turn_stopped(self) -> None:
        self._in_turn = self._held = self._released = False
        self._goes_on()

    async def process_frame(self, frame: Frame) -> ProcessFrameResult:
        now = asyncio.get_running_loop().time()
        match frame:
            case BeginTurnFrame():
                self._held, self._released = True, False
                self._goes_on()
            case EndTurnFrame() if self._in_turn:
                self._held, self._released = False, True
            case VADUserStartedSpeakingFrame():
                if self._last_silence is not None and 0 < now - self._last_silence - frame.start_secs < HABIT_S:
                    self._endpointing.went_on(now - self._last_silence - frame.start_secs)
                self._goes_on()
            case LullOverFrame() | DismissFrame():
                self._goes_on()
            case LullFrame() | SilenceFrame():
                self._silence_s = frame.silence_s
                self._last_silence = now - frame.silence_s
            case VADUserStoppedSpeakingFrame():
                self._silence_s = max(self._silence_s, frame.stop_secs)
            case ProsodyFrame():
                self._melody = frame.finished
            case HypothesisFrame(settled=True):
                self._text = frame
            case _:
                return ProcessFrameResult.CONTINUE
        await self._reconsider()
        return ProcessFrameResult.CONTINUE

    def _goes_on(self) -> None:
        """What was known of a pause is of no use any more."""
        self._text = self._melody = None
        self._silence_s = 0.0
        if self._deaf is not None:
            self._deaf.disarm()

    async def _reconsider(self) -> None:
        """End the turn if the silence is long enough."""
        heard = self._text
        if not self._in_turn or self._held or heard is None or self._deaf is None:
            return
        wait = 0.0
        if not self._released:
            language = heard.language or self._language
            evidence = Evidence(shape(self._whole(heard.text, language), language), self._melody)
            wait = self._endpointing.wait(evidence) - self._silence_s
        if wait <= 0.01:
            self._deaf.disarm()
            await self.trigger_user_turn_stopped()
        else:
            self._deaf.arm(wait + DEAF_S)

    def _went_deaf(self) -> None:
        self._silence_s += CAP_S * self._endpointing.scale
        self._task = asyncio.create_task(self._reconsider())
