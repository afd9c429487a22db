"""What surrounds the person, as two pictures for a browser: what lies behind it and what lies before it.

The same code draws them that draws the server's picture, so colours, letters and edges are the same.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import cv2
import numpy as np

from visavis.avatar import scenery
from visavis.avatar.archive import PackError
from visavis.avatar.layout import HumanLayer, Layer, Layout, VideoLayer
from visavis.avatar.planes import Plane

QUALITY: Final = 92
"""WebP; alpha is kept exactly."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """WebP pictures of the output's size. ``under`` is opaque unless the layout is transparent. None: nothing is there."""

    under: bytes | None
    over: bytes | None


def unsuitable(layout: Layout) -> str:
    """Why a browser cannot draw ``layout``; empty: it can."""
    if layout.subtitles is not None:
        return "subtitles are burnt into the picture"
    return "the picture has a video layer" if any(isinstance(layer, VideoLayer) for layer in layout.layers) else ""


def human_of(layout: Layout) -> HumanLayer:
    """The layer of the person; without one the person fills the stage."""
    return next((layer for layer in layout.layers if isinstance(layer, HumanLayer)), HumanLayer())


def surroundings(layout: Layout) -> Surroundings:
    """Draw what surrounds the person of ``layout``: blocking, some tenths of a second.

    Raises:
        PackError: a picture is missing, broken or too large, or the layout is unsuitable.
        VisavisError: odd sizes, too many layers, two persons.
    """
    if reason := unsuitable(layout):
        raise PackError(reason)
    below, above = _around(layout.layers)
    clear = layout.transparency != "none"
    under = _drawn(layout, below, clear=clear) if below or not clear else None
    return Surroundings(under, _drawn(layout, above, clear=True) if above else None)


def _around(layers: tuple[Layer, ...]) -> tuple[tuple[Layer, ...], tuple[Layer, ...]]:
    at = next((index for index, layer in enumerate(layers) if isinstance(layer, HumanLayer)), None)
    return ((), layers) if at is None else (layers[:at], layers[at + 1 :])


def _drawn(layout: Layout, layers: tuple[Layer, ...], *, clear: bool) -> bytes:
    """``layers`` over the background, or over nothing."""
    # Whatever lies below a person is drawn into one picture: so all of it is put there.
    only = replace(layout, layers=(*layers, HumanLayer()), transparency="side" if clear else "none", subtitles=None)
    scene = scenery.build(only)
    under = scene.under
    height, width = under.y.shape
    i420 = np.concatenate([plane.reshape(-1) for plane in (under.y, under.u, under.v)]).reshape(height * 3 // 2, width)
    bgr = np.asarray(cv2.cvtColor(i420, cv2.COLOR_YUV2BGR_I420), np.uint8)
    done, coded = cv2.imencode(
        ".webp", bgr if scene.alpha is None else _straight(bgr, scene.alpha), [cv2.IMWRITE_WEBP_QUALITY, QUALITY]
    )
    if not done:
        raise PackError(f"a picture of {width}x{height} cannot be coded as WebP")
    return coded.tobytes()


def _straight(bgr: Plane, alpha: Plane) -> Plane:
    """Premultiplied colours (over black) as straight BGRA."""
    share = np.maximum(alpha, 1).astype(np.float32)[..., None]
    colours = np.minimum(np.rint(bgr * (255 / share)), 255).astype(np.uint8)
    return np.dstack([colours, alpha])
