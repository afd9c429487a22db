"""Our speech engines as Pipecat services, and Pipecat's own services by name."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from pipecat.frames.frames import ErrorFrame, Frame, TTSAudioRawFrame
from pipecat.services.settings import TTSSettings
from pipecat.services.stt_service import STTService
from pipecat.services.tts_service import TTSService

from visavis import log
from visavis.errors import VisavisError
from visavis.session.prepared import Preparing
from visavis.session.spec import VoiceSpec
from visavis.speech import lexicon
from visavis.speech.cache import Phrase
from visavis.speech.types import (
    Language,
    PhonemeTiming,
    SpeechChunk,
    Synthesiser,
    VoiceSettings,
)

_log = log.get("speech")

STALLED_S: Final = 10.0
"""Synthesis that makes nothing for so long never will; a busy machine may need some seconds for a clause."""


@dataclass
class TimedAudioFrame(TTSAudioRawFrame):
    """Synthesised sound with the phonemes that start in it, seconds from its own start."""

    phonemes: Sequence[tuple[str, float, float]] = field(default_factory=tuple)


def language_of(text: str, fallback: Language) -> Language:
    """The language to speak ``text`` in: Chinese if it has a Chinese character, English if it has a letter."""
    if any("\u3400" <= char <= "\u9fff" for char in text):
        return "zh"
    return "en" if any(char.isalpha() for char in text) else fallback


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
        self._ahead = Preparing()

    def prepare(self, text: str) -> None:
        """``text`` will perhaps be spoken next: begin to make it; "": nothing will."""
        text = text.strip()
        if text:
            self._ahead.prepare(text, lambda: self._say(text))
        else:
            self._ahead.forget()

    async def cleanup(self) -> None:
        await self._ahead.close()
        await super().cleanup()  # type: ignore[no-untyped-call]

    async def _say(self, text: str) -> AsyncGenerator[SpeechChunk, None]:
        said = await spoken(text, self._voices, self._default_language)
        made = self._synthesiser.say(said.text, said.voice, said.language, said.settings)
        async with aclosing(made) as chunks:  # type: ignore[type-var]
            async for chunk in chunks:
                yield chunk

    async def run_tts(self, text: str, context_id: str) -> AsyncGenerator[Frame | None, None]:
        ready = self._ahead.take(text.strip())
        pending: list[PhonemeTiming] = []
        rate = self._synthesiser.sample_rate
        silent = True
        try:
            async with aclosing(self._say(text) if ready is None else ready.chunks()) as chunks:
                async for chunk in _alive(chunks):
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


async def _alive(chunks: AsyncGenerator[SpeechChunk, None]) -> AsyncGenerator[SpeechChunk, None]:
    """The chunks. Raises TimeoutError: no more come, though the sentence is not over."""
    while True:
        async with asyncio.timeout(STALLED_S):
            try:
                chunk = await anext(chunks)
            except StopAsyncIteration:
                return
        yield chunk


async def spoken(text: str, voices: Sequence[VoiceSpec], default_language: Language) -> Phrase:
    """How a room with these voices speaks ``text``: exactly what the cache knows it by."""
    language = language_of(text, default_language)
    # One that names the language, else the first.
    voice = next((voice for voice in voices if voice.language == language), voices[0] if voices else VoiceSpec())
    text, readings = await _read(text, voice)
    return Phrase(text, voice.voice_id, language, VoiceSettings(voice.speed, voice.pitch, voice.volume, readings))


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
    "EmbeddedSynthesiser",
    "STTService",
    "TTSService",
    "TimedAudioFrame",
    "language_of",
    "load_service",
    "spoken",
]
