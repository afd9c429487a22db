"""Progress of long work: a bar on a terminal, a line every few seconds elsewhere, nothing for quick work."""

from __future__ import annotations

import time
from types import TracebackType
from typing import TextIO

QUICK_S = 0.5
LINE_EVERY_S = 5.0


class Progress:
    """Shows (done, total, what) steps. Work that ends within half a second shows nothing."""

    def __init__(self, title: str, stream: TextIO) -> None:
        self._title, self._stream = title, stream
        self._began = self._shown_at = time.monotonic()
        self._shown = False
        self._terminal = stream.isatty()

    def step(self, done: int, total: int, what: str) -> None:
        """``done`` of ``total`` steps are over; ``what`` comes next."""
        now = time.monotonic()
        if now - self._began < QUICK_S:
            return
        share = done / total if total else 1.0
        if self._terminal:
            bar = "█" * int(24 * share) + "░" * (24 - int(24 * share))
            self._stream.write(f"\r\033[K{self._title} {bar} {share:4.0%} {what}")
        elif not self._shown or now - self._shown_at >= LINE_EVERY_S:
            self._stream.write(f"{self._title} {share:4.0%} {what}\n")
            self._shown_at = now
        self._stream.flush()
        self._shown = True

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._shown and self._terminal:
            self._stream.write("\r\033[K")
            self._stream.flush()
