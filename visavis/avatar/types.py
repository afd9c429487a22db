"""The renderer interface: motion in, pixels out."""

from __future__ import annotations

from typing import Protocol

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
