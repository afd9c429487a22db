"""The renderer interface: motion in, pixels out."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from visavis.motion.frame import MotionFrame

I420 = npt.NDArray[np.uint8]
"""A planar YUV 4:2:0 picture: shape (height * 3 // 2, width), Y then U then V, BT.601 limited range."""


class Renderer(Protocol):
    """Draws motion frames. Not thread-safe: one renderer serves one session."""

    @property
    def width(self) -> int: ...

    @property
    def height(self) -> int: ...

    def draw(self, motion: MotionFrame, out: I420) -> bool:
        """Draw ``motion`` into ``out`` (shape (height * 3 // 2, width), reused between calls).

        ``out`` must hold what the previous call drew (or anything, on the first call).
        Returns False when the picture is the same as the previous call's, so that an encoder may skip it.
        """
        ...

    @property
    def cacheable(self) -> bool:
        """Whether the same motion always gives the same picture (no video layer, no subtitle just now): then the pictures of
        a loop may be encoded once and sent for ever."""
        ...

    @property
    def key(self) -> str:
        """Names everything a picture depends on besides motion: pack, layout, files; hexadecimal. For caches."""
        ...

    def subtitle(self, text: str | None, upto: int | None = None) -> None:
        """Burn the first ``upto`` characters of ``text`` (None: all) into the pictures from now on, each where it stands in the
        whole; no ``text``: no more. Without subtitles in the layout it does nothing."""
        ...


@runtime_checkable
class Listener(Protocol):
    """A renderer that is told the sound besides the motion. Called from the session's loop while ``draw`` may run in a thread."""

    def hear(self, pcm: npt.NDArray[np.int16], rate: int, offset: float) -> None:
        """Mono sound that will be heard from stage time ``offset`` (seconds) on."""
        ...

    def hush(self, t: float) -> None:
        """What would be heard from ``t`` on will not be."""
        ...
