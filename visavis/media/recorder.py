"""Saves received pictures and sound as an .mp4, as a client would."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import av
import numpy as np
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.video.stream import VideoStream

from visavis.errors import VisavisError
from visavis.media.clock import SAMPLE_RATE, VIDEO_RATE
from visavis.media.types import Pcm

_VIDEO_BASE: Final = Fraction(1, VIDEO_RATE)
_AUDIO_BASE: Final = Fraction(1, SAMPLE_RATE)
_AAC_SAMPLES: Final = 1024
# Two streams of one clock never differ by more than rounding; a larger step is a gap that must be kept.
_TOLERANCE: Final = SAMPLE_RATE // 50


class RecorderError(VisavisError):
    """The recording cannot be written; the message says why."""


class Mp4Recorder:
    """Writes H.264 and AAC in sync. Both ``write`` methods block for some milliseconds; not thread-safe.

    Time 0 of the file is the first thing written. Gaps in the sound become silence, overlaps are cut, pictures keep
    their own times (variable frame rate), so that lips and voice stay together whatever the network did.
    """

    def __init__(self, path: Path | str, *, fps: int = 25, crf: int = 20) -> None:
        """``crf``: x264's quality, lower is better. The container is MP4 whatever ``path`` is called."""
        self.path = Path(path)
        self._fps, self._crf = fps, crf
        try:
            self.path.open("wb").close()  # PyAV would open the file only later and report it there
        except OSError as error:
            raise RecorderError(f"cannot record to {self.path}: {error.strerror}") from error
        self._container: OutputContainer = av.open(str(self.path), "w", format="mp4", options={"movflags": "faststart"})
        self._audio: AudioStream = self._container.add_stream("aac", rate=SAMPLE_RATE, layout="mono", bit_rate=128_000)
        self._audio.time_base = _AUDIO_BASE
        self._video: VideoStream | None = None
        # The file's header names both streams, so sound waits (encoded) for the first picture's size.
        self._held: list[av.Packet[AudioStream]] = []
        self._origin: float | None = None
        self._audio_end = 0
        self._audio_encoded = 0
        self._video_last = -1
        self._pending: Pcm = np.zeros(0, np.int16)
        self._closed = False
        self.frames = 0

    def write_video(self, frame: av.VideoFrame, pts_s: float) -> None:
        """Add a picture that shows from ``pts_s`` (seconds, the same clock as the sound). Its size must not change."""
        video = self._video or self._open_video(frame)
        if (frame.width, frame.height) != (video.width, video.height):
            raise RecorderError(f"picture size changed to {frame.width}x{frame.height}")
        ticks = self._ticks(pts_s, VIDEO_RATE)
        if ticks <= self._video_last:
            return  # it would show for no time
        self._video_last = ticks
        picture = frame.reformat(format="yuv420p")
        picture.pts, picture.time_base = ticks, _VIDEO_BASE
        picture.pict_type = av.video.frame.PictureType.NONE
        self._container.mux(video.encode(picture))
        self.frames += 1

    def write_audio(self, frame: av.AudioFrame, pts_s: float) -> None:
        """Add decoded sound (48 kHz s16, mono or stereo) that is heard from ``pts_s``."""
        if frame.sample_rate != SAMPLE_RATE or frame.format.name not in ("s16", "s16p"):
            raise RecorderError(f"sound of {frame.sample_rate} Hz {frame.format.name}, wanted {SAMPLE_RATE} Hz s16")
        samples = frame.to_ndarray()
        channels = len(frame.layout.channels)
        if channels > 1:
            parts = samples.reshape(-1, channels) if frame.format.is_packed else samples.T
            samples = parts.mean(axis=1).astype(np.int16)
        self.write_pcm(samples.reshape(-1).astype(np.int16, copy=False), pts_s)

    def write_pcm(self, pcm: Pcm, pts_s: float) -> None:
        """Add mono int16 sound at 48 kHz that is heard from ``pts_s``."""
        start = self._ticks(pts_s, SAMPLE_RATE)
        step = start - self._audio_end
        if step > _TOLERANCE:
            pcm = np.concatenate([np.zeros(step, np.int16), pcm])
        elif step < -_TOLERANCE:
            pcm = pcm[-step:]
        self._audio_end += len(pcm)
        self._pending = np.concatenate([self._pending, pcm])
        while len(self._pending) >= _AAC_SAMPLES:
            piece, self._pending = self._pending[:_AAC_SAMPLES], self._pending[_AAC_SAMPLES:]
            self._encode_audio(piece)

    @property
    def duration_s(self) -> float:
        """Length of what was written so far."""
        video_s = (self._video_last + VIDEO_RATE / self._fps) / VIDEO_RATE if self.frames else 0.0
        return max(self._audio_end / SAMPLE_RATE, video_s)

    def close(self) -> None:
        """Finish the file. A recording without a picture has only sound."""
        if self._closed:
            return
        self._closed = True
        try:
            if len(self._pending):
                self._encode_audio(self._pending)
            self._release()
            if self._video is not None:
                self._container.mux(self._video.encode(None))
            if self._audio_end:
                self._container.mux(self._audio.encode(None))
        finally:
            self._container.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def _ticks(self, pts_s: float, rate: int) -> int:
        if self._origin is None:
            self._origin = pts_s
        return round((pts_s - self._origin) * rate)

    def _open_video(self, frame: av.VideoFrame) -> VideoStream:
        video = self._container.add_stream("libx264", rate=self._fps)
        video.width, video.height, video.pix_fmt = frame.width, frame.height, "yuv420p"
        video.time_base = _VIDEO_BASE
        video.codec_context.time_base = _VIDEO_BASE
        video.options = {
            "preset": "superfast", "crf": str(self._crf), "bf": "0", "color_range": "tv", "colorspace": "smpte170m",
            "color_primaries": "smpte170m", "color_trc": "smpte170m",
        }  # fmt: skip
        self._video = video
        self._release()
        return video

    def _release(self) -> None:
        self._container.mux(self._held)
        self._held = []

    def _encode_audio(self, pcm: Pcm) -> None:
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(pcm)[np.newaxis], format="s16", layout="mono")
        frame.sample_rate, frame.time_base = SAMPLE_RATE, _AUDIO_BASE
        # With its times set, AAC's start-up delay of 1024 samples goes into the edit list instead of into the sound.
        frame.pts = self._audio_encoded
        self._audio_encoded += len(pcm)
        packets = self._audio.encode(frame)
        if self._video is None:
            self._held += packets
        else:
            self._container.mux(packets)
