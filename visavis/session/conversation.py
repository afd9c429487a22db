"""The conversation pipeline: Pipecat from the microphone to the stage.

microphone -> voice activity -> recognition -> turn strategy -> answerer -> synthesis -> stage

Sound from the microphone ends at recognition (``audio_passthrough`` off); synthesised sound is born one processor before the stage. No
other processor sees audio: a hop costs about 0.09 ms per frame.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from pipecat.frames.frames import ErrorFrame, InputAudioRawFrame, InterruptionFrame
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.turns.user_stop import BaseUserTurnStopStrategy, SpeechTimeoutUserTurnStopStrategy
from pipecat.turns.user_turn_strategies import UserTurnStrategies
from pipecat.workers.runner import WorkerRunner

from visavis.dialogue.types import Dialogue
from visavis.errors import VisavisError
from visavis.session.answerer import Admit, Answerer
from visavis.session.driven import DrivenAnswerer
from visavis.session.driver import Driver
from visavis.session.excuses import nothing_ready
from visavis.session.hearing import EmbeddedRecogniser
from visavis.session.processors import AskFrame, ConversationListener, SayFrame, Script, StageSink
from visavis.session.script import Utterance
from visavis.session.services import EmbeddedSynthesiser, Ready, STTService, TTSService
from visavis.session.signals import DriveCommand
from visavis.session.stage import Stage
from visavis.session.turns.detector import STOP_S, Detector
from visavis.session.turns.endpoint import Endpointing
from visavis.session.turns.frames import BeginTurnFrame, EndTurnFrame
from visavis.session.turns.processor import Turns
from visavis.session.turns.strategies import BargeInStart, EndpointStop
from visavis.session.types import CommandRefused
from visavis.speech.types import Language, VoiceActivity

MICROPHONE_RATE = 16_000
TURN_GIVE_UP_S = 15.0
"""A turn whose recognition never answers ends after so long; slow recognition must not lose what was said."""

HEARING = "speech recognition"
"""How the client is told of that part of the conversation."""


def part_of(error: ErrorFrame) -> str:
    """Which part of the conversation an error came from."""
    if isinstance(error.processor, STTService):
        return HEARING
    return "speech synthesis" if isinstance(error.processor, TTSService) else "the conversation"


@dataclass(frozen=True, slots=True)
class Parts:
    """The exchangeable parts of a conversation."""

    activity: VoiceActivity
    recognition: STTService
    dialogue: Dialogue
    synthesis: TTSService
    ready: Ready = nothing_ready
    """What is ready-made, for when synthesis fails."""
    admits: Callable[[str, Language], Awaitable[bool]] | None = None
    """Whether a question may be shown and kept; None: every one may."""


class Conversation:
    """One conversation. ``run()`` lives until cancelled; the other methods feed it."""

    def __init__(
        self,
        parts: Parts,
        stage: Stage,
        listener: ConversationListener,
        *,
        tail_silence_s: float,
        default_language: Language,
        user_id: str,
        session_id: str,
        driver: Driver | None = None,
        admit: Admit = lambda text, language, final: text,
    ) -> None:
        """``tail_silence_s``: the silence that usually ends a turn (``visavis.session.turns.endpoint``). ``driver``: who says what is
        said, instead of the dialogue. ``admit``: which spoken turns are meant for the digital human."""
        self._recognition, self._listener = parts.recognition, listener
        self._script = Script()
        synthesis = parts.synthesis
        self._answerer = (
            Answerer(
                parts.dialogue,
                self._script,
                listener,
                default_language=default_language,
                user_id=user_id,
                session_id=session_id,
                prepare=synthesis.prepare if isinstance(synthesis, EmbeddedSynthesiser) else lambda _: None,
                admit=admit,
            )
            if driver is None
            else DrivenAnswerer(
                driver,
                self._script,
                listener,
                default_language=default_language,
                user_id=user_id,
                session_id=session_id,
                admit=admit,
            )
        )
        self._sink = StageSink(stage, self._script, parts.ready)
        self._barge_in = BargeInStart(stage, self._script.saying)
        stop: BaseUserTurnStopStrategy = (
            EndpointStop(Endpointing(tail_silence_s), default_language, self._answerer.whole)
            if isinstance(parts.recognition, EmbeddedRecogniser)
            # Another's text comes when it comes. The detector has already waited STOP_S of the silence that ends a turn.
            else SpeechTimeoutUserTurnStopStrategy(user_speech_timeout=max(0.0, tail_silence_s - STOP_S))
        )
        turns = Turns(
            user_turn_strategies=UserTurnStrategies(start=[self._barge_in], stop=[stop]),
            user_turn_stop_timeout=TURN_GIVE_UP_S,
        )
        self._worker = PipelineWorker(
            Pipeline([Detector(parts.activity), parts.recognition, turns, self._answerer, parts.synthesis, self._sink]),
            params=PipelineParams(audio_in_sample_rate=MICROPHONE_RATE, audio_out_sample_rate=24_000),
            cancel_on_idle_timeout=False,
            idle_timeout_secs=None,
            enable_rtvi=False,
            enable_turn_tracking=False,
            check_dangling_tasks=False,
        )
        self._started = asyncio.Event()
        self._worker.add_event_handler("on_pipeline_started", self._on_started)
        self._worker.add_event_handler("on_pipeline_error", self._on_error)

    async def _on_started(self, *_: object) -> None:
        self._started.set()

    async def _on_error(self, _: PipelineWorker, frame: ErrorFrame) -> None:
        # What a vendor's service says may quote an address or a key: the client hears which part failed, the log why.
        self._listener.trouble(f"{part_of(frame)} failed")

    async def run(self) -> None:
        """Run the pipeline until cancelled. Raises VisavisError if it ends by itself: a service said it is beyond help."""
        runner = WorkerRunner(handle_sigint=False, handle_sigterm=False, check_dangling_tasks=False)
        await runner.add_workers(self._worker)
        try:
            await runner.run()
        finally:
            if not self._worker.has_finished():
                await runner.cancel()
        task = asyncio.current_task()
        if task is None or not task.cancelling():  # Pipecat's runner takes a cancellation for a wish to end
            raise VisavisError("the conversation pipeline ended")

    async def ready(self) -> None:
        """Wait until the pipeline takes frames."""
        await self._started.wait()

    async def hear(self, pcm: bytes) -> None:
        """Sound of the microphone: mono int16 at 16 kHz."""
        await self._worker.queue_frame(InputAudioRawFrame(audio=pcm, sample_rate=MICROPHONE_RATE, num_channels=1))

    async def ask(self, text: str) -> None:
        """A typed question; what is being said is cut."""
        await self.interrupt()
        await self._worker.queue_frame(AskFrame(text=text))

    async def say(self, text: str) -> None:
        """Speak ``text`` as it is; what is being said is cut."""
        await self.interrupt()
        await self._worker.queue_frame(SayFrame(text=text))

    async def begin_turn(self) -> None:
        """The person begins to speak and will say when he is done: what is being said is cut, and no silence ends his turn."""
        await self._worker.queue_frame(BeginTurnFrame())

    async def end_turn(self) -> None:
        """He is done: what he said since :meth:`begin_turn` (or since he began to speak) is answered without further waiting."""
        await self._worker.queue_frame(EndTurnFrame())

    async def interrupt(self) -> None:
        """Silence the digital human: voice, lips and everything still on its way."""
        await self._worker.queue_frame(InterruptionFrame())

    async def drive(self, command: DriveCommand) -> None:
        """Act on what the third party wants that drives this conversation. Raises CommandRefused."""
        if not isinstance(self._answerer, DrivenAnswerer):
            raise CommandRefused("not_driven", "this job's robot answers by itself")
        await self._answerer.drive(command)

    @property
    def false_alarms(self) -> int:
        """How often the digital human went on after a voice that was not meant (a cough, assent, its own echo)."""
        return self._barge_in.false_alarms

    async def speaking_changed(self, speaking: bool) -> None:
        await self._sink.speaking_changed(speaking)

    def utterance_started(self, utterance: Utterance) -> None:
        """The first sample of an utterance goes out."""
        self._answerer.sounding(utterance)

    def utterance_ended(self) -> None:
        """Sound of an utterance is over; perhaps the turn is, too."""
        self._answerer.settle()

    def set_language(self, language: Language | None) -> None:
        """Expect ``language`` from now on (None: detect it)."""
        if isinstance(self._recognition, EmbeddedRecogniser):
            self._recognition.language = language
