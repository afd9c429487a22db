"""What the compositor's tests share: motion frames, pictures, planes."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from visavis.avatar.compositor import open_renderer
from visavis.avatar.layout import Layout
from visavis.avatar.pack import Pack
from visavis.avatar.types import Renderer
from visavis.motion.frame import ARKIT_INDEX, Head, MotionFrame

Picture = npt.NDArray[np.uint8]


def motion(head: Head | None = None, breath: float = 0.0, pts: float = 0.0, **shapes: float) -> MotionFrame:
    """A motion frame; ``eyeBlink=1`` shuts both eyes."""
    made = MotionFrame(pts=pts, head=head or Head(), breath=breath)
    for name, weight in shapes.items():
        for side in [name] if name in ARKIT_INDEX else [f"{name}Left", f"{name}Right"]:
            made.blendshapes[ARKIT_INDEX[side]] = weight
    return made


def blank(renderer: Renderer) -> Picture:
    """A picture for ``renderer`` to draw into, full of something else."""
    return np.full((renderer.height * 3 // 2, renderer.width), 77, np.uint8)


def shown(pack: Pack, layout: Layout, *frames: MotionFrame) -> Picture:
    """The picture after ``frames``."""
    renderer = open_renderer(pack, layout)
    out = blank(renderer)
    for each in frames:
        renderer.draw(each, out)
    return out


def luma(i420: Picture) -> Any:
    """The luma, as whole numbers that can be subtracted."""
    return i420[: i420.shape[0] * 2 // 3].astype(int)


def chroma(i420: Picture) -> Any:
    """U and V, shape (2, height / 2, width / 2)."""
    height, width = i420.shape[0] * 2 // 3, i420.shape[1]
    return i420.reshape(-1)[height * width :].reshape(2, height // 2, width // 2).astype(int)
