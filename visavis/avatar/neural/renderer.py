"""A renderer whose mouth is painted by a lip engine over the idle picture of another renderer."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt
import soxr

from visavis.avatar.neural.types import LipEngine, Patch, Sound
from visavis.avatar.planes import Planes, Rect
from visavis.avatar.types import I420, Renderer
from visavis.motion.frame import ARKIT, MotionFrame

KEPT_S: Final = 40.0
"""Seconds of sound in waiting: more than a stage queues. The oldest goes."""
BUDGET: Final = 0.7
"""Share of the time between two pictures that painting may take; a slower engine paints only every second, third ... one."""
QUIET: Final = 1e-4
"""Loudness (mean of squares) below which the mouth is left to the idle picture."""

_LIPS: Final = np.array([name.startswith(("mouth", "jaw", "tongue", "cheekPuff")) for name in ARKIT])


class SoundTrack:
    """Sound by stage time, resampled to one rate. ``window`` gives silence where nothing is known."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._pieces: deque[tuple[int, Sound]] = deque()
        # Sound comes from the session's loop while a thread paints.
        self._lock = threading.Lock()

    def add(self, pcm: npt.NDArray[np.int16], rate: int, offset: float) -> None:
        """Mono int16 sound heard from ``offset`` (seconds) on."""
        source = pcm.astype(np.float32) / 32768
        sound = np.asarray(soxr.resample(source, rate, self._rate), np.float32)
        with self._lock:
            self._pieces.append((round(offset * self._rate), sound))
            newest = self._pieces[-1][0]
            while self._pieces[0][0] + len(self._pieces[0][1]) < newest - KEPT_S * self._rate:
                self._pieces.popleft()

    def clear(self, t: float) -> None:
        """Forget what would be heard from ``t`` on."""
        end = round(t * self._rate)
        with self._lock:
            kept = [(start, sound[: max(0, end - start)]) for start, sound in self._pieces]
            self._pieces = deque((start, sound) for start, sound in kept if len(sound))

    def window(self, start: float, count: int) -> Sound:
        """``count`` samples from ``start`` (seconds) on."""
        out = np.zeros(count, np.float32)
        first = round(start * self._rate)
        with self._lock:
            pieces = list(self._pieces)
        for begin, sound in pieces:
            low, high = max(first, begin), min(first + count, begin + len(sound))
            if low < high:
                out[low - first : high - first] = sound[low - begin : high - begin]
        return out


class NeuralRenderer:
    """A :class:`~visavis.avatar.types.Renderer`. ``inner`` draws the face with its mouth at rest; ``face`` is the square of its
    pictures that the engine is given. ``fps``: of the session."""

    def __init__(self, inner: Renderer, engine: LipEngine, face: Rect, fps: int = 25) -> None:
        self._inner, self._engine = inner, engine
        self._face = face.evened().cut(Rect(0, 0, inner.width, inner.height))
        self._track = SoundTrack(engine.sample_rate)
        self._samples = round((engine.before + engine.after) * engine.sample_rate)
        self._idle = np.zeros((inner.height * 3 // 2, inner.width), np.uint8)
        self._frame_s = 1 / fps
        self._took = 0.0
        self._since = 0
        self._patch: Patch | None = None
        self._shown = False

    @property
    def width(self) -> int:
        return self._inner.width

    @property
    def height(self) -> int:
        return self._inner.height

    @property
    def cacheable(self) -> bool:
        return self._inner.cacheable

    @property
    def key(self) -> str:
        # While nothing is heard the pictures are those of ``inner``.
        return self._inner.key

    def subtitle(self, text: str | None, upto: int | None = None) -> None:
        self._inner.subtitle(text, upto)

    def hear(self, pcm: npt.NDArray[np.int16], rate: int, offset: float) -> None:
        """Sound that will be heard from stage time ``offset`` on."""
        self._track.add(pcm, rate, offset)

    def hush(self, t: float) -> None:
        """What would be heard from ``t`` on will not be."""
        self._track.clear(t)
        self._patch = None

    def draw(self, motion: MotionFrame, out: I420) -> bool:
        shapes = motion.blendshapes.copy()
        shapes[_LIPS] = 0
        still = MotionFrame(motion.pts, shapes, motion.head, motion.gaze, motion.breath, motion.gesture, motion.loop)
        changed = self._inner.draw(still, self._idle)
        patch = self._paint(motion.pts)
        if not changed and patch is None and not self._shown:
            return False
        np.copyto(out, self._idle)
        if patch is not None:
            self._paste(patch, out)
        self._shown = patch is not None
        return True

    def _paint(self, pts: float) -> Patch | None:
        sound = self._track.window(pts - self._engine.before, self._samples)
        if float(np.mean(sound * sound)) < QUIET:
            self._patch = None
            return None
        self._since += 1
        if self._patch is None or self._since >= np.ceil(self._took / (BUDGET * self._frame_s)):
            began = time.perf_counter()
            self._patch = self._engine.paint(sound, self._crop())
            took = time.perf_counter() - began
            self._took = took if not self._took else 0.8 * self._took + 0.2 * took
            self._since = 0
        return self._patch

    def _crop(self) -> npt.NDArray[np.uint8]:
        """The face's square of the idle picture, BGR."""
        planes, rect = Planes.view(self._idle, self.width, self.height), self._face
        half = Rect(rect.x // 2, rect.y // 2, rect.width // 2, rect.height // 2)
        parts = rect.of(planes.y), half.of(planes.u), half.of(planes.v)
        joined = np.concatenate([part.reshape(-1) for part in parts]).reshape(rect.height * 3 // 2, rect.width)
        return np.asarray(cv2.cvtColor(joined, cv2.COLOR_YUV2BGR_I420), np.uint8)

    def _paste(self, patch: Patch, out: I420) -> None:
        """Blend the patch in, in the picture's own colours; chroma by pairs of pixels, so the box is cut to even corners."""
        box, face = patch.box, self._face
        left, top = box.x + (box.x & 1), box.y + (box.y & 1)
        right, bottom = box.right & ~1, box.bottom & ~1
        inner = np.s_[top - box.y : bottom - box.y, left - box.x : right - box.x]
        new = Planes.of_bgr(np.ascontiguousarray(patch.picture[inner]))
        mask = np.ascontiguousarray(patch.mask[inner])
        rect = Rect(face.x + left, face.y + top, right - left, bottom - top)
        half = Rect(rect.x // 2, rect.y // 2, rect.width // 2, rect.height // 2)
        mask_half = cv2.resize(mask, (half.width, half.height), interpolation=cv2.INTER_AREA)
        planes = Planes.view(out, self.width, self.height)
        for plane, where, fresh, share in (
            (planes.y, rect, new.y, mask),
            (planes.u, half, new.u, mask_half),
            (planes.v, half, new.v, mask_half),
        ):
            old, weight = where.of(plane).astype(np.float32), share.astype(np.float32) / 255
            where.of(plane)[:] = np.rint(old + (fresh - old) * weight).astype(np.uint8)
