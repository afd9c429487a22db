"""Our speech engines as Pipecat services, and Pipecat's own services by name."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from pipecat.audio.vad.vad_analyzer import VADAnalyzer, VADParams
from pipecat.frames.frames import ErrorFrame, Frame, InputAudioRawFrame, TranscriptionFrame, TTSAudioRawFrame
from pipecat.processors.frame_processor import FrameDirection, FrameProcessorSetup
from pipecat.services.settings import STTSettings, TTSSettings
from pipecat.services.stt_service import SegmentedSTTService, STTService
from pipecat.services.tts_service import TTSService
from pipecat.transcriptions.language import Language as PipecatLanguage
from pipecat.utils.time import time_now_iso8601

from visavis import log
from visavis.errors import VisavisError
from visavis.session.spec import VoiceSpec
from visavis.speech import lexicon
from visavis.speech.types import (
    Language,
    PhonemeTiming,
    Recogniser,
    Synthesiser,
    Transcript,
    VoiceActivity,
    VoiceSettings,
)

_log = log.get("speech")

PRE_ROLL_S = 0.5
"""Sound kept from before the detector noticed speech, so that no first syllable is lost."""

LONGEST_S = 30.0
"""Recognition hears the last so many seconds of an utterance; before a loud television it must not collect hours."""

QUIET_PROBABILITY = 0.1
"""Below this probability of speech nobody speaks."""


@dataclass
class TimedAudioFrame(TTSAudioRawFrame):
    """Synthesised sound with the phonemes that start in it, seconds from its own start."""

    phonemes: Sequence[tuple[str, float, float]] = field(default_factory=tuple)


def language_of(text: str, fallback: Language) -> Language:
    """The language to speak ``text`` in: Chinese if it has a Chinese character, English if it has a letter."""
    if any("\u3400" <= char <= "\u9fff" for char in text):
        return "zh"
    return "en" if any(char.isalpha() for char in text) else fallback


class EmbeddedActivity(VADAnalyzer):
    """A :class:`~visavis.speech.types.VoiceActivity` as Pipecat's voice activity analyser."""

    def __init__(self, activity: VoiceActivity, params: VADParams) -> None:
        super().__init__(sample_rate=activity.sample_rate, params=params)
        self._activity = activity
        self._frames = 0
        self._quiet_frames = 0

    def num_frames_required(self) -> int:
        return self._activity.frame_samples

    def voice_confidence(self, buffer: bytes) -> float:
        probability = self._activity.probability(np.frombuffer(buffer, np.int16))
        # A recurrent detector drifts on music and long noise: begin anew every two seconds, but only in clear quiet.
        self._frames += 1
        self._quiet_frames = self._quiet_frames + 1 if probability < QUIET_PROBABILITY else 0
        second = self._activity.sample_rate / self._activity.frame_samples
        if self._frames >= 2 * second and self._quiet_frames >= second / 5:
            self._activity.reset()
            self._frames = 0
        return probability


class EmbeddedRecogniser(SegmentedSTTService):
    """A :class:`~visavis.speech.types.Recogniser` as a Pipecat service: one segment, one final transcript."""

    def __init__(self, recogniser: Recogniser, language: Language | None) -> None:
        # The turn waits for the transcript (ttfs: the longest it may take), never for a guess of its latency.
        super().__init__(
            sample_rate=recogniser.sample_rate,
            trailing_silence_secs=0.0,
            audio_passthrough=False,
            ttfs_p99_latency=8.0,
            settings=STTSettings(model=None, language=None),
        )
        self._recogniser = recogniser
        self.language = language

    @property
    def wants_wav_segments(self) -> bool:
        return False

    async def setup(self, setup: FrameProcessorSetup) -> None:  # type: ignore[override]
        await super().setup(setup)
        self._audio_buffer_size_1s = int(self.sample_rate * PRE_ROLL_S) * 2

    async def process_audio_frame(self, frame: InputAudioRawFrame, direction: FrameDirection) -> None:
        await super().process_audio_frame(frame, direction)
        excess = len(self._audio_buffer) - int(self.sample_rate * LONGEST_S) * 2
        if excess > 0:
            del self._audio_buffer[:excess]

    async def run_stt(self, audio: bytes) -> AsyncGenerator[Frame | None, None]:
        try:
            heard = await self._recogniser.transcribe(np.frombuffer(audio, np.int16), self.language)
        except Exception as error:
            _log.exception("recognition failed")
            yield ErrorFrame(error=f"recognition failed: {type(error).__name__}")
            heard = Transcript("", self.language or "en", 0.0)
        _log.debug("recognised", seconds=heard.audio_seconds, compute=heard.compute_seconds, language=heard.language)
        language = PipecatLanguage.ZH if heard.language == "zh" else PipecatLanguage.EN
        # A blank transcript tells the turn strategy that nothing more is to come: noise must not keep a turn open.
        yield TranscriptionFrame(heard.text or " ", self._user_id, time_now_iso8601(), language)


class EmbeddedSynthesiser(TTSService):
    """A :class:`~visavis.speech.types.Synthesiser` as a Pipecat service; its frames carry phoneme timings."""

    def __init__(self, synthesiser: Synthesiser, voices: Sequence[VoiceSpec], default_language: Language) -> None:
        super().__init__(
            sample_rate=synthesiser.sample_rate,
            push_start_frame=True,
            push_stop_frames=True,
            # A clause may take seconds on a busy machine; the context ends by itself when the sentence is done.
            stop_frame_timeout_s=30.0,
            # Three sentences that failed do not mean that no other can be spoken.
            max_consecutive_zero_audio_contexts=0,
            settings=TTSSettings(model=None, voice=None, language=None),
        )
        self._synthesiser = synthesiser
        self._voices = list(voices) or [VoiceSpec()]
        self._default_language = default_language

    def voice_for(self, language: Language) -> VoiceSpec:
        """The room's voice for ``language``: one that names it, else the first."""
        for voice in self._voices:
            if voice.language == language:
                return voice
        return self._voices[0]

    async def run_tts(self, text: str, context_id: str) -> AsyncGenerator[Frame | None, None]:
        language = language_of(text, self._default_language)
        voice = self.voice_for(language)
        text, readings = await _read(text, voice)
        settings = VoiceSettings(voice.speed, voice.pitch, voice.volume, readings)
        pending: list[PhonemeTiming] = []
        rate = self._synthesiser.sample_rate
        silent = True
        try:
            async for chunk in self._synthesiser.say(text, voice.voice_id, language, settings):
                pending.extend(chunk.phonemes)
                end = chunk.start + len(chunk.pcm) / rate
                here = [p for p in pending if p.start < end]
                pending = [p for p in pending if p.start >= end]
                yield TimedAudioFrame(
                    audio=chunk.pcm.tobytes(),
                    sample_rate=rate,
                    num_channels=1,
                    context_id=context_id,
                    phonemes=[(p.phoneme, p.start - chunk.start, p.end - chunk.start) for p in here],
                )
                silent = False
        except Exception as error:
            # Whatever it was, the sentence is over: the next one and the turn must not wait for it.
            _log.exception("synthesis failed")
            yield ErrorFrame(error=f"synthesis failed: {type(error).__name__}")
        if silent:
            # Sound of no length: without any frame of sound Pipecat would keep the sentence open for 30 s.
            yield TimedAudioFrame(audio=b"", sample_rate=rate, num_channels=1, context_id=context_id)


async def _read(text: str, voice: VoiceSpec) -> tuple[str, tuple[lexicon.Reading, ...]]:
    """The text as it goes to synthesis, and how its words are read."""
    if not voice.lexicon:
        return text, ()
    try:
        words = await asyncio.to_thread(lexicon.load, Path(voice.lexicon))
    except VisavisError as error:
        _log.warning("words_unreadable", voice=voice.voice_id, reason=str(error))
        return text, ()
    text = lexicon.composed(text)
    return text, words.find(text)


def load_service(name: str, options: dict[str, Any], base: type) -> Any:
    """Build the Pipecat service ``module:Class`` with ``options``. Raises VisavisError with what is wrong."""
    module, _, attribute = name.partition(":")
    try:
        cls = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise VisavisError(f"no Pipecat service {name!r}: {error}") from error
    if not (isinstance(cls, type) and issubclass(cls, base)):
        raise VisavisError(f"{name!r} is not a {base.__name__}")
    try:
        return cls(**options)
    except Exception as error:
        # A vendor's constructor may raise anything, and its message may quote the arguments, keys among them.
        raise VisavisError(f"{name!r} does not take the options given ({type(error).__name__})") from error


__all__ = [
    "EmbeddedActivity",
    "EmbeddedRecogniser",
    "EmbeddedSynthesiser",
    "STTService",
    "TTSService",
    "TimedAudioFrame",
    "language_of",
    "load_service",
]
