"""The bounds of our recogniser and synthesiser for Pipecat's services of other vendors: what hangs, fails or answers nothing
is excused in time, and given up.

Each is a base class that goes before the vendor's own (:func:`visavis.session.services.load_service`); two underscores keep their
names apart.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from pipecat.frames.frames import (
    ErrorFrame,
    Frame,
    InterimTranscriptionFrame,
    TranscriptionFrame,
    TTSAudioRawFrame,
    TTSStoppedFrame,
    UserStoppedSpeakingFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.processors.frame_processor import FrameDirection
from pipecat.services.stt_service import SegmentedSTTService, STTService
from pipecat.services.tts_service import TTSService
from pipecat.utils.time import time_now_iso8601

from visavis import log
from visavis.session import hearing, services
from visavis.session.prepared import Late, Prepared
from visavis.session.services import UnspokenFrame
from visavis.session.turns.frames import BeginTurnFrame, DismissFrame, SlowFrame

_log = log.get("speech")


class BoundedRecognition(STTService):
    """Asks for patience when no transcript comes, and ends a turn of which none will: nothing was understood."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.__heard = False  # something of this turn
        self.__given_up = False
        self.__waiting: asyncio.Task[None] | None = None

    async def set_usable(self, is_usable: bool) -> None:
        """It is tried again with each turn, whatever it said before: who asks hears an answer, or why there is none."""

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Follow the turn."""
        match frame:
            case VADUserStartedSpeakingFrame():
                self.__given_up = False
                await self.__stop_waiting()
            case VADUserStoppedSpeakingFrame() if not self.__heard:
                await self.__stop_waiting()
                self.__waiting = self.create_task(self.__wait(), "transcript")
            case UserStoppedSpeakingFrame() | DismissFrame() | BeginTurnFrame():
                self.__heard = False
                await self.__stop_waiting()
            case _:
                pass
        await super().process_frame(frame, direction)

    async def push_frame(self, frame: Frame, direction: FrameDirection = FrameDirection.DOWNSTREAM) -> None:
        """What comes of a turn that was given up belongs to no other."""
        if isinstance(frame, TranscriptionFrame | InterimTranscriptionFrame) and self.__given_up:
            return
        if isinstance(frame, TranscriptionFrame) and frame.text.strip():
            self.__heard = True
            await self.__stop_waiting()
        await super().push_frame(frame, direction)

    async def push_error_frame(self, error: ErrorFrame, force_treat_as_permanent: bool = False) -> None:
        """Whoever failed at a turn has nothing more to say of it."""
        await super().push_error_frame(error, force_treat_as_permanent)
        await self.__give_up()

    async def run_stt(self, audio: bytes) -> AsyncGenerator[Frame | None, None]:
        """A segment (WAV or PCM, 16 bit) is recognised in time, or not at all. Of a stream each piece has its turn to wait for."""
        made = super().run_stt(audio)
        if not isinstance(self, SegmentedSTTService):
            async for frame in made:
                yield frame
            return
        frames: list[Frame | None] = []
        try:
            async with asyncio.timeout(hearing.HANGS_S + len(audio) / 2 / self.sample_rate):
                frames = [frame async for frame in made]
        except Exception as error:
            _log.exception("recognition failed")
            frames = [ErrorFrame(error=f"recognition failed: {type(error).__name__}")]
        for frame in frames:
            yield frame
        if not any(isinstance(frame, TranscriptionFrame) and frame.text.strip() for frame in frames):
            await self.__give_up()

    async def cleanup(self) -> None:
        await self.__stop_waiting()
        await super().cleanup()  # type: ignore[no-untyped-call]

    async def __wait(self) -> None:
        await asyncio.sleep(hearing.SLOW_S)
        await self.push_frame(SlowFrame())
        if not isinstance(self, SegmentedSTTService):  # a segment has its own end
            await asyncio.sleep(hearing.HANGS_S - hearing.SLOW_S)
            await self.push_error_frame(ErrorFrame(error="recognition failed: no transcript came"))

    async def __give_up(self) -> None:
        if self.__waiting is None:
            return
        await self.__stop_waiting()
        self.__given_up = True
        # A blank is no word, and yet a transcript: without one Pipecat keeps the turn open.
        await super().push_frame(TranscriptionFrame(" ", self._user_id, time_now_iso8601(), finalized=True))

    async def __stop_waiting(self) -> None:
        waiting, self.__waiting = self.__waiting, None
        if waiting is not None and waiting is not asyncio.current_task() and not waiting.done():
            await self.cancel_task(waiting)


class BoundedSynthesis(TTSService):
    """Tells when the sound of a sentence does not come, and gives it up."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        # Three sentences that failed do not mean that no other can be spoken.
        self._max_consecutive_zero_audio_contexts = 0
        self.__stalled = False  # it was given up the last time

    async def set_usable(self, is_usable: bool) -> None:
        """It is tried again with each sentence, whatever it said before: else there would be silence."""

    async def run_tts(self, text: str, context_id: str) -> AsyncGenerator[Frame | None, None]:
        """As the vendor's, in time. One that only sends the text off here is bounded by Pipecat's own wait for its sound."""
        say = super().run_tts
        made = Prepared(text, lambda: say(text, context_id))
        limit = services.LATE_S if self.__stalled else services.STALLED_S
        failed = False
        try:
            async with aclosing(made.chunks(services.LATE_S, limit)) as frames:
                async for frame in frames:
                    if isinstance(frame, Late):
                        # It also keeps Pipecat waiting.
                        yield UnspokenFrame(context_id=context_id, late=True)
                        continue
                    failed = failed or isinstance(frame, ErrorFrame)
                    if isinstance(frame, TTSAudioRawFrame):
                        self.__stalled = False
                    yield frame
        except Exception as error:
            _log.exception("synthesis failed")
            self.__stalled = isinstance(error, TimeoutError)
            yield ErrorFrame(error=f"synthesis failed: {type(error).__name__}")
            failed = True
        if failed:
            yield UnspokenFrame(context_id=context_id)
            # Sound of no length: the sentence is over at once.
            yield TTSAudioRawFrame(audio=b"", sample_rate=self.sample_rate, num_channels=1, context_id=context_id)

    async def on_audio_context_completed(self, context_id: str) -> None:
        """The sentence is over. Some services never say so when no sound comes."""
        await super().on_audio_context_completed(context_id)
        await self.push_frame(TTSStoppedFrame(context_id=context_id))
