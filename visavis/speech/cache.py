"""A disk cache of synthesised sentences around any synthesiser.

One file holds one sentence: a JSON line (chunks, timings, SHA-256 of the sound) and the sound. Files appear by renaming, so
several workers share a folder; a damaged one is dropped and made anew. The least recently used go when the folder grows
beyond its bound.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import hashlib
import json
import os
import tempfile
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from visavis.log import get
from visavis.speech.types import Language, PhonemeTiming, SpeechChunk, Synthesiser, Voice, VoiceSettings

_log = get(__name__)
_FORMAT = "visavis-speech-1"
_SUFFIX = ".speech"


@dataclass(frozen=True, slots=True)
class Phrase:
    """A sentence to make ahead of time."""

    text: str
    voice: str
    language: Language
    settings: VoiceSettings = VoiceSettings()


class CachedSynthesiser:
    """Implements ``Synthesiser`` by ``inner`` and a folder of what it said before. Thread-safe as ``inner`` is.

    A sentence is kept only when it was made to its end. ``max_bytes`` bounds the folder, over all processes that share it.
    """

    def __init__(self, inner: Synthesiser, folder: Path, max_bytes: int = 1 << 29, version: str = "") -> None:
        """``version`` is part of the key: what was made by another version of the engine is not found."""
        self._inner = inner
        self._folder = folder
        self._max_bytes = max_bytes
        self._version = version
        self._speaking = 0
        self._quiet = asyncio.Event()
        self._quiet.set()
        folder.mkdir(parents=True, exist_ok=True)
        self._bytes = sum(size for _, size, _ in self._entries())
        self._evict()

    @property
    def sample_rate(self) -> int:
        return self._inner.sample_rate

    def voices(self) -> Sequence[Voice]:
        return self._inner.voices()

    def close(self) -> None:
        """Close what is inside, if it can be closed."""
        if callable(close := getattr(self._inner, "close", None)):
            close()

    async def say(
        self, text: str, voice: str, language: Language, settings: VoiceSettings = VoiceSettings()
    ) -> AsyncIterator[SpeechChunk]:
        """From the cache if it is there, else by ``inner``, and kept when the caller listens to the end."""
        phrase = Phrase(text, voice, language, settings)
        if (chunks := self._load(phrase)) is not None:
            for chunk in chunks:
                yield chunk
            return
        self._speaking += 1
        self._quiet.clear()
        try:
            async with contextlib.aclosing(self._make(phrase)) as made:
                async for chunk in made:
                    yield chunk
        finally:
            self._speaking -= 1
            if not self._speaking:
                self._quiet.set()

    async def warm(self, phrases: Iterable[Phrase]) -> int:
        """Make what is missing of ``phrases`` while nobody speaks; returns how many it made.

        Steps aside at once when a session needs the synthesiser, and goes on afterwards. What another process is making is
        left to it. Cancel the task to end it.
        """
        made = 0
        for phrase in phrases:
            while not self._file(phrase).exists():
                await self._quiet.wait()
                with self._claim(phrase) as mine:
                    if not mine:
                        break
                    if await self._make_unless_needed(phrase):
                        made += 1
                        break
        return made

    async def _make_unless_needed(self, phrase: Phrase) -> bool:
        """False if a session came in between."""
        task = asyncio.create_task(self._consume(phrase))
        needed = asyncio.create_task(self._needed())
        try:
            await asyncio.wait({task, needed}, return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                return False
            task.result()
            return True
        finally:
            for one in (task, needed):
                one.cancel()
            await asyncio.gather(task, needed, return_exceptions=True)
