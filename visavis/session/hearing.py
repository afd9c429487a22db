"""Our recogniser in the pipeline: it recognises while the person speaks and pauses, so that the text is there when the turn ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
from pipecat.frames.frames import (
    ErrorFrame,
    Frame,
    InputAudioRawFrame,
    UserStoppedSpeakingFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.processors.frame_processor import FrameDirection
from pipecat.services.settings import STTSettings
from pipecat.services.stt_service import STTService

from visavis import log
from visavis.session.turns.frames import (
    BeginTurnFrame,
    DismissFrame,
    EndTurnFrame,
    GlanceFrame,
    HypothesisFrame,
    LullFrame,
    LullOverFrame,
    ProsodyFrame,
    SlowFrame,
)
from visavis.session.turns.melody import Melody
from visavis.speech.types import Language, Recogniser, Transcript

_log = log.get("speech")

PRE_ROLL_S: Final = 0.6
"""Sound kept from before the detector noticed speech, so that no first syllable is lost."""
LONGEST_S: Final = 30.0
"""Recognition hears the last so many seconds of a turn; before a loud television it must not collect hours."""
WHOLE_S: Final = 10.0
"""A turn longer than this is recognised in parts, cut in its pauses: the last part is then done as quickly as a short turn."""
SLOW_S: Final = 2.0
"""Who has waited so long for what he said to be understood is told that it takes a moment."""
HANGS_S: Final = 8.0
"""Recognition that takes so long, and as long as what was said, never ends."""
PARTIAL_S: Final = 4.0
"""Who speaks for so long without a pause is recognised in between, if nobody else needs the processor."""


class EmbeddedRecogniser(STTService):
    """A :class:`~visavis.speech.types.Recogniser` as a Pipecat service: :class:`HypothesisFrame` for each pause, of all of the turn."""

    def __init__(
        self,
        recogniser: Recogniser,
        language: Language | None,
        words: Mapping[Language, Sequence[str]] | None = None,
        melody: Melody | None = None,
    ) -> None:
        """``words``: hot words by language."""
        # The turn waits for the text (ttfs: the longest it may take), never for a guess of its latency.
        super().__init__(
            sample_rate=recogniser.sample_rate,
            audio_passthrough=False,
            ttfs_p99_latency=8.0,
            settings=STTSettings(model=None, language=None),
        )
        self._recogniser, self._melody = recogniser, melody
        self._words = words or {}
        self.language = language
        self._sound = bytearray()
        self._before: list[str] = []  # texts of parts of this turn that are done with
        self._in_turn = False
        self._speaking = False
        self._settled = False  # the running or last recognition heard all that was said
        self._job: asyncio.Task[None] | None = None
        self._judging: asyncio.Task[None] | None = None
        self._partial_at = 0

    # --- frames -----------------------------------------------------------------------------------------------------

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        match frame:
            case VADUserStartedSpeakingFrame():
                self._in_turn = self._speaking = True
                await self._said_more()
            case LullOverFrame():
                await self._said_more()
            case LullFrame():
                await self._recognise(settled=True)
                self._judge()
            case VADUserStoppedSpeakingFrame():
                self._speaking = False
                if not self._settled:
                    await self._recognise(settled=True)
            case UserStoppedSpeakingFrame() | DismissFrame():
                await self._forget()
            case BeginTurnFrame():
                await self._forget()
                self._in_turn = True
            case EndTurnFrame():
                self._speaking = False
                if not self._settled:
                    await self._recognise(settled=True)
            case GlanceFrame():
                if self._job is None:
                    await self._recognise(settled=False)
            case _:
                pass

    async def process_audio_frame(self, frame: InputAudioRawFrame, direction: FrameDirection) -> None:
        """Keep the turn's sound, and a little from before it."""
        self._sound += frame.audio
        excess = len(self._sound) - self._bytes(LONGEST_S if self._in_turn else PRE_ROLL_S)
        if excess > 0:
            del self._sound[:excess]
        if self._speaking and self._job is None and len(self._sound) - self._partial_at > self._bytes(PARTIAL_S):
            await self._recognise(settled=False)

    async def run_stt(self, audio: bytes) -> AsyncGenerator[Frame | None, None]:
        """Nothing: sound is recognised by the turn, not as it comes."""
        return
        yield

    async def cleanup(self) -> None:
        await self._stop_work()
        await super().cleanup()  # type: ignore[no-untyped-call]

    def _bytes(self, seconds: float) -> int:
        return round(seconds * self._recogniser.sample_rate) * 2

    # --- recognition ------------------------------------------------------------------------------------------------

    async def _recognise(self, *, settled: bool) -> None:
        """Begin to recognise what was said; what is still running is dropped."""
        await self._drop()
        self._settled = settled
        self._partial_at = len(self._sound)
        pcm = np.frombuffer(bytes(self._sound), np.int16)
        self._job = self.create_task(self._work(pcm, settled), "recognition")

    async def _work(self, pcm: npt.NDArray[np.int16], settled: bool) -> None:
        try:
            heard = await self._transcribed(pcm, settled)
        except Exception as error:
            _log.exception("recognition failed")
            await self.push_error_frame(ErrorFrame(error=f"recognition failed: {type(error).__name__}"))
            heard = Transcript("", self.language or "en", 0.0)
        self._job = None
        _log.debug(
            "recognised",
            seconds=heard.audio_seconds,
            compute=heard.compute_seconds,
            language=heard.language,
            settled=settled,
        )
        text = heard.text.strip()
        joined = ("" if heard.language == "zh" else " ").join([*self._before, *([text] if text else [])])
        if settled and len(pcm) * 2 > self._bytes(WHOLE_S) and text:
            # What comes after this pause is a part of its own.
            self._before.append(text)
            del self._sound[: len(pcm) * 2]
            self._partial_at = len(self._sound)
        await self.push_frame(
            HypothesisFrame(text=joined, language=heard.language, settled=settled, confidence=heard.confidence)
        )

    async def _transcribed(self, pcm: npt.NDArray[np.int16], settled: bool) -> Transcript:
        """What was said. Raises whatever the recogniser does, and TimeoutError: it hangs."""
        slow = asyncio.get_running_loop().call_later(SLOW_S, self._slow) if settled else None
        try:
            async with asyncio.timeout(HANGS_S + len(pcm) / self._recogniser.sample_rate):
                return await self._recogniser.transcribe(pcm, self.language, words=self._hot_words())
        finally:
            if slow is not None:
                slow.cancel()

    def _slow(self) -> None:
        self.create_task(self.push_frame(SlowFrame()), "slow")

    def _hot_words(self) -> Sequence[str]:
        if self.language is not None:
            return self._words.get(self.language, ())
        return [word for words in self._words.values() for word in words]

    def _judge(self) -> None:
        if self._melody is not None and (self._judging is None or self._judging.done()):
            pcm = np.frombuffer(bytes(self._sound), np.int16)
            self._judging = self.create_task(self._listen(self._melody, pcm), "melody")

    async def _listen(self, melody: Melody, pcm: npt.NDArray[np.int16]) -> None:
        try:
            finished = await melody.finished(pcm)
        except Exception:
            _log.exception("the melody of a turn could not be judged")
            return
        await self.push_frame(ProsodyFrame(finished=finished))

    async def _said_more(self) -> None:
        """What is being recognised is not all."""
        if self._settled:
            self._settled = False
            await self._stop_work()

    async def _forget(self) -> None:
        """The next sound belongs to another turn."""
        await self._stop_work()
        self._sound.clear()
        self._before.clear()
        self._in_turn = False
        self._settled = False
        self._partial_at = 0

    async def _drop(self) -> None:
        job, self._job = self._job, None
        if job is not None and not job.done():
            await self.cancel_task(job)

    async def _stop_work(self) -> None:
        await self._drop()
        judging, self._judging = self._judging, None
        if judging is not None and not judging.done():
            await self.cancel_task(judging)
