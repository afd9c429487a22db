"""Fakes of the speech engines: quick, deterministic, and as strict as the real ones about their arguments."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence

import numpy as np

from visavis.speech.types import (
    NORMAL,
    Language,
    Pcm,
    PhonemeTiming,
    SpeechChunk,
    Transcript,
    Voice,
    VoiceSettings,
)

VOWELS = "aeiou"


class FakeRecogniser:
    """Answers each utterance with the next of ``texts`` (the last one again when they run out)."""

    def __init__(self, *texts: str, language: Language = "en") -> None:
        self._texts = list(texts) or ["hello"]
        self._language = language
        self.heard: list[Pcm] = []
        self.words: list[tuple[str, ...]] = []
        """The hot words of each call."""

    @property
    def sample_rate(self) -> int:
        return 16000

    async def transcribe(self, pcm: Pcm, language: Language | None = None, *, words: Sequence[str] = ()) -> Transcript:
        assert pcm.dtype == np.int16
        assert pcm.ndim == 1
        await asyncio.sleep(0)
        text = self._texts[min(len(self.heard), len(self._texts) - 1)]
        self.heard.append(pcm)
        self.words.append(tuple(words))
        seconds = len(pcm) / self.sample_rate
        return Transcript(text, language or self._language, 0.9 if text else 0.0, seconds, 0.0)


class FakeSynthesiser:
    """A tone for each letter (``SECONDS_PER_LETTER``, 220 Hz at normal pitch, vowels louder), silence for the rest.

    A chunk for each word. ``gate``, if given, must be set before each chunk leaves: a test decides when speech is made.
    """

    SECONDS_PER_LETTER = 0.06
    version = "fake-1"

    def __init__(self, gate: asyncio.Event | None = None) -> None:
        self._gate = gate
        self.said: list[str] = []
        self.chunks_made = 0
        self.cancelled = 0
        self._changed = asyncio.Event()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until ``condition``, which is about this fake, holds."""
        while not condition():
            self._changed.clear()
            await self._changed.wait()

    @property
    def sample_rate(self) -> int:
        return 24000

    def voices(self) -> Sequence[Voice]:
        return (
            Voice("default", "Default", ("en", "zh"), "female", "fake"),
            Voice("fake-male", "Fake", ("en",), "male", "fake"),
        )

    async def say(
        self, text: str, voice: str, language: Language, settings: VoiceSettings = NORMAL
    ) -> AsyncIterator[SpeechChunk]:
        assert voice in {known.id for known in self.voices()}, voice
        assert language in ("en", "zh"), language
        self.said.append(text)
        self._changed.set()
        start = 0.0
        done = False
        try:
            for word in text.split():
                if self._gate is not None:
                    await self._gate.wait()
                await asyncio.sleep(0)
                pcm, timings = self._word(word, start, settings)
                self.chunks_made += 1
                yield SpeechChunk(pcm, start, timings)
                start += len(pcm) / self.sample_rate
            done = True
        finally:
            self.cancelled += not done
            self._changed.set()

    def _word(self, word: str, start: float, settings: VoiceSettings) -> tuple[Pcm, tuple[PhonemeTiming, ...]]:
        length = round(self.SECONDS_PER_LETTER * 100 / settings.speed * self.sample_rate)
        frequency = 220 * (settings.pitch / 100) ** 0.5
        wave = np.sin(np.arange(length) * (2 * np.pi * frequency / self.sample_rate))
        sounds, timings = [], []
        for letter in [*word, ""]:
            phoneme = letter.lower() if letter.isalpha() else ""
            level = 0.0 if not phoneme else 0.4 if phoneme in VOWELS else 0.15
            begin = start + len(sounds) * length / self.sample_rate
            sounds.append(wave * level * 10 ** ((settings.volume - 140) / 200))
            timings.append(PhonemeTiming(phoneme, begin, begin + length / self.sample_rate))
        return (np.concatenate(sounds) * 32767).astype(np.int16), tuple(timings)


class FakeActivity:
    """Speech is whatever is louder than -40 dBFS."""

    @property
    def sample_rate(self) -> int:
        return 16000

    @property
    def frame_samples(self) -> int:
        return 512

    def probability(self, frame: Pcm) -> float:
        assert frame.shape == (self.frame_samples,)
        return 0.95 if float(np.sqrt(np.square(frame.astype(np.float64)).mean())) > 327 else 0.02

    def reset(self) -> None:
        """Nothing is remembered."""
