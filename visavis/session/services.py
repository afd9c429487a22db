"""Our speech engines as Pipecat services, and Pipecat's own services by name."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from pipecat.frames.frames import DataFrame, ErrorFrame, Frame, TTSAudioRawFrame
from pipecat.services.settings import TTSSettings
from pipecat.services.stt_service import STTService
from pipecat.services.tts_service import TTSService

from visavis import log
from visavis.errors import VisavisError
from visavis.session.prepared import Late, Prepared, Preparing
from visavis.session.spec import VoiceSpec
from visavis.speech import lexicon
from visavis.speech.cache import CachedSynthesiser, Phrase
from visavis.speech.types import (
    Language,
    PhonemeTiming,
    SpeechChunk,
    Synthesiser,
    VoiceSettings,
)

_log = log.get("speech")

LATE_S: Final = 2.5
"""Who has waited so long for a voice that makes nothing is told that it takes a moment."""
STALLED_S: Final = 10.0
"""Synthesis that makes nothing for so long never will; a busy machine may need some seconds for a clause. Where it did not the last
time, nobody waits for longer than LATE_S."""


@dataclass
class TimedAudioFrame(TTSAudioRawFrame):
    """Synthesised sound with the phonemes that start in it, seconds from its own start."""

    phonemes: Sequence[tuple[str, float, float]] = field(default_factory=tuple)


@dataclass
class UnspokenFrame(DataFrame):
    """The sound of a sentence does not come. ``late``: not yet; else it never will."""

    context_id: str = ""
    late: bool = False


@dataclass(frozen=True, slots=True)
class ReadyMade:
    """A phrase that was synthesised before: mono int16 at ``rate``, its phonemes with their times in seconds."""

    pcm: npt.NDArray[np.int16]
    rate: int
    phonemes: Sequence[tuple[str, float, float]]


Ready = Callable[[str], Awaitable[ReadyMade | None]]
"""Asked with a phrase, for its sound; None: nobody has made it yet."""


def ready_made(synthesiser: CachedSynthesiser, voices: Sequence[VoiceSpec], default_language: Language) -> Ready:
    """What a room with these voices has ready-made. Nothing is synthesised for it."""

    async def ready(text: str) -> ReadyMade | None:
        chunks = await synthesiser.kept(await spoken(text, voices, default_language))
        if not chunks:
            return None
        phonemes = [(one.phoneme, one.start, one.end) for chunk in chunks for one in chunk.phonemes]
        return ReadyMade(np.concatenate([chunk.pcm for chunk in chunks]), synthesiser.sample_rate, phonemes)

    return ready


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
        self._stalled = False  # it was given up the last time

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
        made = self._ahead.take(text.strip()) or Prepared(text, lambda: self._say(text))
        pending: list[PhonemeTiming] = []
        rate = self._synthesiser.sample_rate
        silent = True
        try:
            async with aclosing(made.chunks(LATE_S, LATE_S if self._stalled else STALLED_S)) as chunks:
                async for chunk in chunks:
                    if isinstance(chunk, Late):
                        yield UnspokenFrame(context_id=context_id, late=True)
                        continue
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
                    silent = self._stalled = False
        except Exception as error:
            # Whatever it was, the sentence is over: the next one and the turn must not wait for it.
            _log.exception("synthesis failed")
            self._stalled = isinstance(error, TimeoutError)
            yield ErrorFrame(error=f"synthesis failed: {type(error).__name__}")
            yield UnspokenFrame(context_id=context_id)
        if silent:
            # Sound of no length: without any frame of sound Pipecat would keep the sentence open for 30 s.
            yield TimedAudioFrame(audio=b"", sample_rate=rate, num_channels=1, context_id=context_id)


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


def load_service(name: str, options: dict[str, Any], base: type, bounds: type | None = None) -> Any:
    """Build the Pipecat service ``module:Class`` with ``options``; of ``bounds`` it inherits before its own class.

    Raises VisavisError with what is wrong.
    """
    module, _, attribute = name.partition(":")
    try:
        cls = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise VisavisError(f"no Pipecat service {name!r}: {error}") from error
    if not (isinstance(cls, type) and issubclass(cls, base)):
        raise VisavisError(f"{name!r} is not a {base.__name__}")
    try:
        return (type(cls.__name__, (bounds, cls), {}) if bounds else cls)(**options)
    except Exception as error:
        # A vendor's constructor may raise anything, and its message may quote the arguments, keys among them.
        raise VisavisError(f"{name!r} does not take the options given ({type(error).__name__})") from error


__all__ = [
    "EmbeddedSynthesiser",
    "Ready",
    "ReadyMade",
    "STTService",
    "TTSService",
    "TimedAudioFrame",
    "UnspokenFrame",
    "language_of",
    "load_service",
    "ready_made",
    "spoken",
]
