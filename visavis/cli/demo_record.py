"""Saves what a client saw and heard: MP4 and WebVTT, written by a thread of its own so that listening is not disturbed."""

from __future__ import annotations

import asyncio
import html
import queue
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import av

from visavis.media.recorder import Mp4Recorder
from visavis.rtc.client import Received

WAITING: Final = 250
"""Pictures and sounds that may wait for the disk; beyond that they are dropped from the recording, not from the conversation."""


class Recording:
    """``video`` and ``audio`` take what a :class:`~visavis.rtc.client.RoomClient` receives; ``subtitle`` what was said when."""

    def __init__(self, path: Path, captions_path: Path) -> None:
        self.path, self.captions_path = path, captions_path
        self.first_picture = asyncio.Event()
        self.dropped = 0
        self.seconds = 0.0
        self.frames = 0
        self._origin: float | None = None
        self._end = 0.0
        self._captions: list[tuple[float, str]] = []
        self._waiting: queue.Queue[Received | None] = queue.Queue(WAITING)
        self._recorder = Mp4Recorder(path)
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._write, name="recording", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._waiting.put(None)
        self._thread.join()
        self.seconds, self.frames = self._recorder.duration_s, self._recorder.frames
        self._recorder.close()
        self.captions_path.write_text(self._webvtt(), encoding="utf-8")
        if self._failure is not None and error is None:
            raise self._failure

    def video(self, received: Received) -> None:
        """A decoded picture."""
        self.first_picture.set()
        self._put(received)

    def audio(self, received: Received) -> None:
        """Decoded sound; what came before the first picture is left out."""
        if self.first_picture.is_set():
            self._put(received)

    def subtitle(self, text: str) -> None:
        """The subtitle changes now; empty text clears it."""
        if self._origin is not None:
            self._captions.append((max(0.0, time.time() - self._origin), text))

    def _put(self, received: Received) -> None:
        if self._origin is None:
            self._origin = received.pts
        self._end = max(self._end, received.pts - self._origin)
        try:
            self._waiting.put_nowait(received)
        except queue.Full:
            self.dropped += 1

    def _write(self) -> None:
        while (received := self._waiting.get()) is not None:
            if self._failure is not None:
                continue
            try:
                if isinstance(received.frame, av.VideoFrame):
                    self._recorder.write_video(received.frame, received.pts)
                else:
                    self._recorder.write_audio(received.frame, received.pts)
            except Exception as error:  # told when the recording closes; the conversation goes on
                self._failure = error

    def _webvtt(self) -> str:
        lines = ["WEBVTT", ""]
        ends = [*(start for start, _ in self._captions[1:]), self._end][: len(self._captions)]
        for (start, text), end in zip(self._captions, ends, strict=True):
            if text and end > start:
                shown = html.escape(" ".join(text.split()), quote=False)  # an empty line would end the cue
                lines += [f"{_stamp(start)} --> {_stamp(end)}", shown, ""]
        return "\n".join(lines)


def _stamp(seconds: float) -> str:
    """Seconds as WebVTT writes them."""
    whole = int(seconds * 1000)
    return f"{whole // 3_600_000:02}:{whole // 60_000 % 60:02}:{whole // 1000 % 60:02}.{whole % 1000:03}"
