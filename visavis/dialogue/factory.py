"""Makes the dialogue of a session from plain parameters; plug-ins come by entry point."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Final

from visavis.dialogue.encoder import Encoder
from visavis.dialogue.endpoint import Endpoint
from visavis.dialogue.knowledge import SHIPPED, load
from visavis.dialogue.model import ModelDialogue, Patience
from visavis.dialogue.retrieval import Index
from visavis.dialogue.stored import StoredAnswers
from visavis.dialogue.types import Dialogue
from visavis.errors import VisavisError
from visavis.urlpolicy import UrlPolicy

ENTRY_POINTS: Final = "visavis.dialogues"
"""Entry point group of plug-ins: each names a ``Callable[[DialogueContext], Dialogue]``."""

_MAX_INDEXES: Final = 32


class UnknownDialogue(VisavisError):
    """No dialogue engine of this name is installed."""


@dataclass(frozen=True, slots=True)
class DialogueContext:
    """What a plug-in gets to build a dialogue from."""

    endpoint: Endpoint | None
    knowledge: tuple[Path, ...]
    factory: DialogueFactory
    policy: UrlPolicy


class DialogueFactory:
    """One per worker: holds the encoder and the indexes that sessions share."""

    def __init__(
        self,
        answer_threshold: float,
        clarify_threshold: float,
        policy: UrlPolicy,
        encoder: Encoder | None = None,
        patience: Patience | None = None,
    ) -> None:
        """``patience``: with language models."""
        self._answer_threshold = answer_threshold
        self._clarify_threshold = clarify_threshold
        self._policy = policy
        self._encoder = encoder or Encoder()
        self._patience = patience or Patience()
        self._indexes: dict[tuple[tuple[str, int, int], ...], Index] = {}
        self._building = asyncio.Lock()

    async def warm(self) -> None:
        """Load the encoder and the shipped knowledge, so that the first session need not wait."""
        await self.index(())

    async def create(
        self, endpoint: Endpoint | None = None, knowledge: Sequence[Path | str] = (), engine: str = ""
    ) -> Dialogue:
        """A dialogue for one session.

        ``engine``: a plug-in's name; "" takes the model if there is an ``endpoint``, else stored answers from
        ``knowledge`` (paths; none: what visavis knows about itself). Raises KnowledgeError, UnknownDialogue.
        """
        if engine:
            found = entry_points(group=ENTRY_POINTS, name=engine)
            if not found:
                raise UnknownDialogue(f"no dialogue engine {engine!r} is installed (entry points {ENTRY_POINTS})")
            build: Callable[[DialogueContext], Dialogue] = next(iter(found)).load()
            return build(DialogueContext(endpoint, tuple(map(Path, knowledge)), self, self._policy))
        if endpoint is not None:
            return ModelDialogue(endpoint, self._policy, patience=self._patience)
        index = await self.index(knowledge)
        return StoredAnswers(index, self._answer_threshold, self._clarify_threshold)

    async def index(self, knowledge: Sequence[Path | str]) -> Index:
        """The index of these files, built once for each version of them. Raises KnowledgeError."""
        paths = [Path(path) for path in knowledge] or [SHIPPED]
        async with self._building:
            key = await asyncio.to_thread(_versions, paths)
            if key not in self._indexes:
                while len(self._indexes) >= _MAX_INDEXES:
                    del self._indexes[next(iter(self._indexes))]
                self._indexes[key] = await asyncio.to_thread(lambda: Index(load(paths), self._encoder))
            return self._indexes[key]


def _versions(paths: Sequence[Path]) -> tuple[tuple[str, int, int], ...]:
    """Path, time and size of each file; zeros for one that is missing (``load`` explains it)."""
    out = []
    for path in paths:
        try:
            stat = path.stat()
            out.append((str(path), stat.st_mtime_ns, stat.st_size))
        except OSError:
            out.append((str(path), 0, 0))
    return tuple(out)
