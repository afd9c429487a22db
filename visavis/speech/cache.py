"""A disk cache of synthesised sentences around any synthesiser.

One file holds one sentence: a JSON line (chunks, timings, SHA-256 of the sound) and the sound. Files appear by
renaming, so several workers share a folder; a damaged one is dropped and made anew. The least recently used go when
the folder grows beyond its bound.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import hashlib
import json
import os
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from visavis.log import get
from visavis.speech.types import NORMAL, Language, PhonemeTiming, SpeechChunk, Synthesiser, Voice, VoiceSettings

_log = get(__name__)
_FORMAT = "visavis-speech-1"
_SUFFIX = ".speech"


@dataclass(frozen=True, slots=True)
class Phrase:
    """A sentence to make ahead of time."""

    text: str
    voice: str
    language: Language
    settings: VoiceSettings = NORMAL


class CachedSynthesiser:
    """Implements ``Synthesiser`` by ``inner`` and a folder of what it said before. For one event loop.

    A sentence is kept only when it was made to its end. ``max_bytes`` bounds the folder, over all processes that
    share it.
    """

    def __init__(self, inner: Synthesiser, folder: Path, max_bytes: int = 1 << 29, version: str = "") -> None:
        """``version`` is part of the key: what was made by another version of the engine is not found."""
        self._inner = inner
        self._store = _Store(folder, max_bytes, version)
        self._speaking = 0
        self._quiet = asyncio.Event()
        self._quiet.set()
        self._warming: asyncio.Task[None] | None = None

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
        self, text: str, voice: str, language: Language, settings: VoiceSettings = NORMAL
    ) -> AsyncIterator[SpeechChunk]:
        """From the cache if it is there, else by ``inner``, and kept when the caller listens to the end."""
        phrase = Phrase(text, voice, language, settings)
        if (chunks := await self.kept(phrase)) is not None:
            for chunk in chunks:
                yield chunk
            return
        self._speaking += 1
        self._quiet.clear()
        if self._warming is not None:
            self._warming.cancel()
        try:
            async with contextlib.aclosing(self._make(phrase)) as made:
                async for chunk in made:
                    yield chunk
        finally:
            self._speaking -= 1
            if not self._speaking:
                self._quiet.set()

    async def kept(self, phrase: Phrase) -> Sequence[SpeechChunk] | None:
        """What is in the cache of ``phrase``; None: nothing, and nothing is made."""
        return await asyncio.to_thread(self._store.load, phrase)

    async def warm(self, phrases: Iterable[Phrase]) -> int:
        """Make what is missing of ``phrases`` while nobody speaks; returns how many it made. One such call at a time.

        Steps aside at once when a session needs the synthesiser, and goes on afterwards. What another process is
        making is left to it. Cancel the task to end it.
        """
        made = 0
        for phrase in phrases:
            while not self._store.holds(phrase):
                await self._quiet.wait()
                with self._store.claim(phrase) as mine:
                    if not mine:
                        break
                    made += await self._warm_one(phrase)
        return made

    async def _warm_one(self, phrase: Phrase) -> bool:
        """False if a session came in between."""
        task = self._warming = asyncio.create_task(self._consume(phrase))
        try:
            await asyncio.wait({task})
        finally:
            self._warming = None
            task.cancel()
            await asyncio.wait({task})
        return not task.cancelled() and task.result() is None

    async def _consume(self, phrase: Phrase) -> None:
        async with contextlib.aclosing(self._make(phrase)) as made:
            async for _ in made:
                pass

    async def _make(self, phrase: Phrase) -> AsyncGenerator[SpeechChunk]:
        """What ``inner`` says, kept at its end."""
        chunks: list[SpeechChunk] = []
        said = self._inner.say(phrase.text, phrase.voice, phrase.language, phrase.settings)
        try:
            async for chunk in said:
                chunks.append(chunk)
                yield chunk
        finally:
            if isinstance(said, AsyncGenerator):
                await said.aclose()
        await asyncio.to_thread(self._store.keep, phrase, chunks)


class _Store:
    """The folder. Blocking; safe for many threads and processes."""

    def __init__(self, folder: Path, max_bytes: int, version: str) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._version = version
        folder.mkdir(parents=True, exist_ok=True)
        self._evict()

    def _path(self, phrase: Phrase) -> Path:
        settings = phrase.settings
        how = [settings.speed, settings.pitch, settings.volume]
        spoken = [phrase.text, phrase.voice, phrase.language, how, *([settings.readings] if settings.readings else [])]
        key = json.dumps([_FORMAT, self._version, spoken], ensure_ascii=False)
        return self._folder / f"{hashlib.sha256(key.encode()).hexdigest()}{_SUFFIX}"

    def holds(self, phrase: Phrase) -> bool:
        return self._path(phrase).exists()

    def load(self, phrase: Phrase) -> list[SpeechChunk] | None:
        """The sentence's chunks; None if it is not there or damaged (then it is removed)."""
        path = self._path(phrase)
        try:
            head, _, sound = path.read_bytes().partition(b"\n")
            os.utime(path)
            entry = json.loads(head)
            if hashlib.sha256(sound).hexdigest() != entry["sha256"]:
                raise ValueError("its sound has another hash")
            pcm = np.frombuffer(sound, "<i2").astype(np.int16)
            return [
                SpeechChunk(pcm[begin:end], start, tuple(PhonemeTiming(*timing) for timing in phonemes))
                for begin, end, start, phonemes in entry["chunks"]
            ]
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            _log.warning("speech_cache_damaged", file=path.name, reason=str(error))
            with contextlib.suppress(OSError):
                path.unlink()
            return None

    def keep(self, phrase: Phrase, chunks: Sequence[SpeechChunk]) -> None:
        """Write the sentence. A folder that cannot be written costs a warning, not the answer."""
        sound = b"".join(chunk.pcm.astype("<i2").tobytes() for chunk in chunks)
        rows, at = [], 0
        for chunk in chunks:
            timings = [(t.phoneme, t.start, t.end) for t in chunk.phonemes]
            rows.append((at, at + len(chunk.pcm), chunk.start, timings))
            at += len(chunk.pcm)
        head = json.dumps({"sha256": hashlib.sha256(sound).hexdigest(), "chunks": rows}, ensure_ascii=False)
        temporary: Path | None = None
        try:
            with tempfile.NamedTemporaryFile(dir=self._folder, prefix=".", suffix=".part", delete=False) as stream:
                temporary = Path(stream.name)
                stream.write(head.encode() + b"\n" + sound)
            temporary.replace(self._path(phrase))
            self._evict()
        except OSError as error:
            _log.warning("speech_cache_unwritable", folder=str(self._folder), reason=error.strerror or str(error))
        finally:
            if temporary is not None:
                temporary.unlink(missing_ok=True)

    @contextlib.contextmanager
    def claim(self, phrase: Phrase) -> Iterator[bool]:
        """Whether this process may make the sentence; the kernel frees the claim of a process that dies."""
        path = self._path(phrase).with_suffix(".claim")
        with path.open("w") as stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                yield False
                return
            try:
                yield True
            finally:
                path.unlink(missing_ok=True)

    def _evict(self) -> None:
        """Remove the least recently used until the folder is within its bound."""
        entries: list[tuple[float, int, str]] = []
        with os.scandir(self._folder) as found:
            for entry in found:
                if entry.name.endswith(_SUFFIX):
                    with contextlib.suppress(OSError):  # another process removed it
                        status = entry.stat()
                        entries.append((status.st_mtime, status.st_size, entry.path))
        total = sum(size for _, size, _ in entries)
        for _, size, path in sorted(entries):
            if total <= self._max_bytes:
                break
            with contextlib.suppress(OSError):
                os.unlink(path)
            total -= size
