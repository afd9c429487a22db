"""Records both sides of a conversation: the person on the left channel, the digital human on the right.

Both lie on the stage's clock, which counts the samples that sound. The digital human's are placed by it to the sample; the
microphone's by when they arrive, as one unbroken stream that is moved only in quiet moments, when the two clocks have
drifted apart. Only the last seconds are in memory: the rest is in pieces of at most an hour, in a form (FLAC, 16 kHz)
that stays playable when the process is killed in the middle of it.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import av
import numpy as np
import numpy.typing as npt
from av.audio.stream import AudioStream
from av.container import OutputContainer

from visavis import log
from visavis.media.resample import Resampler
from visavis.media.types import Pcm
from visavis.session.script import STAGE_RATE
from visavis.session.spec import JobSpec
from visavis.session.stage import Stage

RATE: Final = 16_000
"""Of the file: what the microphone comes with, and what recognisers take."""
PIECE_S: Final = 3600

_STEP: Final = STAGE_RATE // RATE
_BLOCK: Final = RATE
"""Samples that are written at once."""
_PATIENCE: Final = 2 * RATE
"""How long a moment is kept open for sound that arrives late."""
_AHEAD: Final = 2 * RATE
"""How far the microphone's sound may be ahead of the clock, which is set back when the process was stalled."""
_WINDOW: Final = _PATIENCE + _AHEAD + 2 * _BLOCK
_GAP: Final = RATE // 2
"""Sound that arrives so much later than the last ended is held until it shows whether it is a burst of what was late
(then it belongs directly behind) or a new beginning."""
_HOLD: Final = 3 * RATE // 10
_AFTER: Final = RATE // 10
"""The digital human has stopped when nothing came of it for so long."""
_DRIFT: Final = RATE // 50
_DRIFT_CHUNKS: Final = 50
_QUIET: Final = 300
_QUEUED: Final = 64
_CLOSE_S: Final = 2.0

_log = log.get("recording")

_Block = tuple[int, npt.NDArray[np.int16] | None]
"""Samples of silence, and what follows them: (2, n)."""


class Recording:
    """The recording of one session. All methods are called on the event loop, and none waits for a disk but ``close``."""

    def __init__(self, folder: Path, clock: Callable[[], int]) -> None:
        """
        Args:
            folder: of its pieces (``0001.flac``...); made when there is something to record.
            clock: the stage's, now: samples at 48 kHz.
        """
        self._clock = clock
        self._window = np.zeros((2, _WINDOW), np.int16)
        self._written: int | None = None  # where the window begins, samples of the file's rate on the stage's clock
        self._end = 0
        self._silence = 0
        self._voice = Resampler(STAGE_RATE, RATE)
        self._voice_at = 0
        self._voice_next = -1
        self._person_at: int | None = None
        self._lags: list[int] = []
        self._held: list[Pcm] = []
        self._held_since = self._least = 0
        self.lost = 0
        """Samples that the disk was too slow for; they are silent in the file."""
        self._blocks: queue.Queue[_Block | None] = queue.Queue(_QUEUED)
        self._folder = folder
        self._writer: threading.Thread | None = None

    def said(self, pcm: Pcm, position: int) -> None:
        """What the digital human says from ``position`` on (48 kHz; the array may be used again afterwards)."""
        if position != self._voice_next:
            self._voice_over()
            self._voice_at = position // _STEP
        self._voice_next = position + len(pcm)
        self._place_voice(self._voice.push(pcm))
        self._hand_over(self._clock() // _STEP - _PATIENCE)

    def heard(self, pcm: Pcm) -> None:
        """What just came from the microphone (16 kHz)."""
        now = self._clock() // _STEP
        if now > self._voice_next // _STEP + _AFTER:
            self._voice_over()
        if self._person_at is None:
            self._person_at = now - len(pcm)
        lag = now - len(pcm) - self._person_at - sum(map(len, self._held))
        if self._held or lag > _GAP:
            self._hold(pcm, lag, now)
        elif lag > -_AHEAD:
            self._keep_up(pcm, lag)
        self._hand_over(now - _PATIENCE)

    async def close(self) -> None:
        """Write the rest and end the file."""
        if self._held:
            self._release(self._least)
        self._voice_over()
        self._hand_over(self._end, whole=True)
        if self._writer is None:  # there was no sound at all
            return
        try:
            await asyncio.to_thread(self._end_writer, self._writer)
        except queue.Full:
            _log.error("the disk is too slow for the end of a recording")
        if self.lost:
            _log.warning("a recording has gaps", seconds=round(self.lost / RATE, 1))

    def _end_writer(self, writer: threading.Thread) -> None:
        if self._silence:
            self._blocks.put((self._silence, None), timeout=_CLOSE_S)
        self._blocks.put(None, timeout=_CLOSE_S)
        writer.join(_CLOSE_S)

    def _begin(self) -> None:
        self._writer = threading.Thread(target=_write, args=(self._folder, self._blocks), name="recording", daemon=True)
        self._writer.start()

    def _keep_up(self, pcm: Pcm, lag: int) -> None:
        """Place what directly follows; in a quiet moment, put right what the clocks have drifted apart."""
        self._lags = [*self._lags[-_DRIFT_CHUNKS + 1 :], lag]
        # The least delayed of some chunks tells the truth.
        drift = min(self._lags) if len(self._lags) == _DRIFT_CHUNKS else 0
        if abs(drift) > _DRIFT and np.abs(pcm).max(initial=0) < _QUIET:
            if drift < 0:  # what is quiet need not be there
                self._lags = [one + len(pcm) for one in self._lags]
                return
            self._person_at = (self._person_at or 0) + drift
            self._lags.clear()
        self._place_person(pcm)

    def _hold(self, pcm: Pcm, lag: int, now: int) -> None:
        if not self._held:
            self._held_since, self._least = now, lag
        self._held.append(pcm)
        self._least = min(self._least, lag)
        settled = lag < _GAP // 2
        if not settled and now - self._held_since < _HOLD:
            return
        self._release(0 if settled else self._least)

    def _release(self, gap: int) -> None:
        self._person_at = max((self._person_at or 0) + gap, self._written or 0)
        self._lags.clear()
        held, self._held = self._held, []
        for pcm in held:
            self._place_person(pcm)

    def _place_person(self, pcm: Pcm) -> None:
        assert self._person_at is not None
        self._place(0, self._person_at, pcm)
        self._person_at += len(pcm)

    def _voice_over(self) -> None:
        """What the converter still holds of the last words."""
        if self._voice_next >= 0:
            self._place_voice(self._voice.flush())
            self._voice_next = -1

    def _place_voice(self, pcm: Pcm) -> None:
        self._place(1, self._voice_at, pcm)
        self._voice_at += len(pcm)

    def _place(self, channel: int, start: int, pcm: Pcm) -> None:
        if not len(pcm):
            return
        if self._written is None:
            self._written = start
        if start - self._written > _WINDOW:  # after a long silence there is no need to go through it
            self._hand_over(self._written + _WINDOW, whole=True)
            self._silence += start - self._written
            self._written = start
        self._hand_over(start + len(pcm) - _WINDOW, whole=True)
        begin = max(start, self._written)
        end = start + len(pcm)
        if begin < end:
            self._window[channel, begin - self._written : end - self._written] = pcm[begin - start :]
            self._end = max(self._end, end)

    def _hand_over(self, until: int, *, whole: bool = False) -> None:
        """Give the writer what lies before ``until``, in blocks; ``whole``: the last one may be shorter."""
        while self._written is not None and self._written < until:
            count = min(_BLOCK, until - self._written)
            if count < _BLOCK and not whole:
                return
            block = self._window[:, :count].copy()
            self._window[:, :-count] = self._window[:, count:]
            self._window[:, -count:] = 0
            self._written += count
            if not block.any():
                self._silence += count
                continue
            if self._writer is None:
                self._begin()
            try:
                self._blocks.put_nowait((self._silence, block))
                self._silence = 0
            except queue.Full:
                self._silence += count
                self.lost += count


def record(spec: JobSpec, folder: Path, stage: Stage) -> Recording | None:
    """Begin to record what sounds on the stage, below ``folder``, if the job is to be recorded."""
    if not spec.record_audio:
        return None
    recording = Recording(folder / spec.job_id, stage.clock)
    stage.on_sound = recording.said
    return recording


class _File:
    """A piece on the disk."""

    def __init__(self, path: Path) -> None:
        # Each packet goes to the disk's cache at once: what is written outlives the process.
        self._container: OutputContainer = av.open(str(path), "w", format="flac", options={"flush_packets": "1"})
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        self._container.metadata.update({"DATE": now, "TITLE": path.parent.name})
        self._stream: AudioStream = self._container.add_stream("flac", rate=RATE, layout="stereo")
        self.samples = 0

    def write(self, sound: npt.NDArray[np.int16]) -> None:
        packed = np.ascontiguousarray(sound.T).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(packed, format="s16", layout="stereo")
        frame.sample_rate = RATE
        frame.pts = self.samples
        self.samples += sound.shape[1]
        self._container.mux(self._stream.encode(frame))

    def close(self) -> None:
        try:
            self._container.mux(self._stream.encode(None))
        finally:
            self._container.close()


def _write(folder: Path, blocks: queue.Queue[_Block | None]) -> None:
    """The writer's thread. A disk that fails ends the recording, never the conversation."""
    file: _File | None = None
    piece, failed = 0, False
    quiet = np.zeros((2, _BLOCK), np.int16)
    while (item := blocks.get()) is not None:
        if failed:
            continue
        silence, block = item
        try:
            while silence > 0 or block is not None:
                if file is not None and file.samples >= PIECE_S * RATE:
                    file.close()
                    file = None
                if file is None:
                    piece += 1
                    folder.mkdir(parents=True, exist_ok=True)
                    file = _File(folder / f"{piece:04}.flac")
                if silence > 0:
                    file.write(quiet[:, : min(silence, _BLOCK)])
                    silence -= _BLOCK
                elif block is not None:
                    file.write(block)
                    block = None
        except (OSError, av.FFmpegError):
            _log.exception("the recording ends here")
            failed = True
    if file is not None:
        try:
            file.close()
        except (OSError, av.FFmpegError):
            _log.exception("the recording's end is missing")
