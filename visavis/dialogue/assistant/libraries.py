"""Knowledge libraries in conversation: files that were written for this worker, opened once and shared by its sessions.

A library is made ready in the background when a session first names it; a question that comes before that is answered without it
after a short wait. A file that changed is another library: sessions that began with the old one keep it.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from visavis import log
from visavis.dialogue.assistant.types import Library, Passage
from visavis.dialogue.documents.extract import fitting
from visavis.dialogue.documents.recall import Passage as Wordings
from visavis.dialogue.documents.recall import Shelf
from visavis.dialogue.encoder import Encoder
from visavis.dialogue.knowledge.library import LibraryContent, unpacked
from visavis.dialogue.knowledge.vectors import vectors
from visavis.errors import VisavisError
from visavis.speech.types import Language

_LOG = log.get(__name__)

_MOST: Final = 32
_WAIT_S: Final = 1.5
_LONGEST_QUERY: Final = 1024

_Version = tuple[str, int, int]


@dataclass(frozen=True, slots=True)
class LibraryFile:
    """A library as a session names it. ``name``: what a person calls it. ``least``: likeness from which something is recalled;
    ``count``: how much of it at most."""

    file: str
    name: str = ""
    least: float = 0.0
    count: int = 5


@dataclass(frozen=True, slots=True)
class _Open:
    content: LibraryContent
    shelf: Shelf


class Libraries:
    """One per worker: the libraries that its sessions have open."""

    def __init__(self, encoder: Encoder, wait_s: float = _WAIT_S) -> None:
        """``wait_s``: how long a question waits for libraries that are not ready yet."""
        self.encoder = encoder
        self._wait_s = wait_s
        self._opened: OrderedDict[_Version, asyncio.Task[_Open | None]] = OrderedDict()
        self._building = asyncio.Lock()

    async def open(self, files: Mapping[Language, Sequence[LibraryFile]]) -> Library:
        """What a conversation may recall, by language. It begins to make ready what is not; it does not wait for it."""
        every = [(language, one) for language, some in files.items() for one in some]
        versions = await asyncio.to_thread(lambda: [_version(Path(one.file)) for _, one in every])
        books: dict[Language, list[_Book]] = {}
        for (language, one), version in zip(every, versions, strict=True):
            books.setdefault(language, []).append(_Book(one, self._ready(Path(one.file), version)))
        return _Shelves(books, self.encoder, self._wait_s)

    def _ready(self, path: Path, version: _Version) -> asyncio.Task[_Open | None]:
        task = self._opened.get(version)
        if task is None:
            task = asyncio.create_task(self._load(path), name="library")
            self._opened[version] = task
        self._opened.move_to_end(version)
        while len(self._opened) > _MOST:
            self._opened.popitem(last=False)  # sessions that hold it go on with it
        return task

    async def _load(self, path: Path) -> _Open | None:
        """The library; None: it cannot be used, which is logged."""
        async with self._building:  # one after the other: each takes a core
            try:
                return await asyncio.to_thread(self._open, path)
            except VisavisError as error:
                _LOG.error("a library cannot be used", file=path.name, reason=str(error))
            except Exception:
                _LOG.exception("a library cannot be used", file=path.name)
        return None

    def _open(self, path: Path) -> _Open:
        content = unpacked(path)
        passages = [Wordings(str(number), one) for number, one in enumerate(content.wordings())]
        return _Open(content, Shelf(passages, self.encoder, partial(vectors, beside=path, encoder=self.encoder)))


@dataclass(frozen=True, slots=True)
class _Book:
    """A library of one conversation."""

    file: LibraryFile
    ready: asyncio.Task[_Open | None]


class _Shelves:
    """Implements :class:`~visavis.dialogue.assistant.types.Library`."""

    def __init__(self, books: Mapping[Language, Sequence[_Book]], encoder: Encoder, wait_s: float) -> None:
        self._books = books
        self._encoder = encoder
        self._wait_s = wait_s

    async def search(self, query: str, language: Language, count: int) -> list[Passage]:
        """The best passages, best first; a language without libraries is answered from the other's."""
        books = self._books.get(language) or [book for some in self._books.values() for book in some]
        if not books or not query.strip():
            return []
        _, late = await asyncio.wait([book.ready for book in books], timeout=self._wait_s)
        if late:
            _LOG.warning("libraries are not ready", late=len(late), of=len(books))
        found: list[Passage] = []
        for book in books:
            opened = book.ready.result() if book.ready.done() and not book.ready.cancelled() else None
            if opened is not None:
                found += await _recalled(book.file, opened, query[:_LONGEST_QUERY], count)
        return sorted(found, key=lambda one: -one.score)[:count]

    async def extract(self, passage: Passage, query: str, language: Language) -> str:
        """The sentences of a passage that fit the question, for reading out; "" if none can be spoken."""
        return await fitting(passage.text, query, language, self._encoder)


async def _recalled(file: LibraryFile, opened: _Open, query: str, count: int) -> list[Passage]:
    name = file.name or opened.content.name
    hits = await opened.shelf.search(query, min(file.count, count))
    items = [(opened.content.items[int(hit.key)], hit.score) for hit in hits if hit.score >= file.least]
    return [Passage(item.text, item.source(name), score, item.question) for item, score in items]


def _version(path: Path) -> _Version:
    try:
        stat = path.stat()
    except OSError:
        return str(path), 0, 0
    return str(path), stat.st_mtime_ns, stat.st_size
