"""What a picture consists of, as data: the stage, its layers from bottom to top, and what is transparent.

All coordinates are pixels of the stage, origin top-left. The output is the part of the stage from ``offset`` on.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from visavis.avatar.background import Background

Transparency = Literal["none", "key", "side"]
"""none: an opaque picture. key: the person before a flat key colour. side: the colours (premultiplied, over black) in the left
half of a picture of double width, alpha as luma in the right half (chroma 128 there)."""


@dataclass(frozen=True, slots=True)
class Place:
    """A rectangle of the stage, turned by ``rotation`` degrees clockwise about its middle."""

    x: float
    y: float
    width: float
    height: float
    rotation: float = 0.0


@dataclass(frozen=True, slots=True)
class HumanLayer:
    """The person. ``place`` None: fills the stage, as the pack's view says."""

    place: Place | None = None


@dataclass(frozen=True, slots=True)
class ImageLayer:
    """A picture file, scaled into ``place``."""

    file: Path
    place: Place


@dataclass(frozen=True, slots=True)
class VideoLayer:
    """A video file, scaled into ``place``. ``loops``: how often it is played, -1 for ever; afterwards its last frame stays."""

    file: Path
    place: Place
    loops: int = -1


@dataclass(frozen=True, slots=True)
class TextStyle:
    """How letters look. ``size`` in stage pixels; colours #RRGGBB; ``stroke``: thickness of the outline, pixels."""

    font: str | None = None
    size: int = 48
    color: str = "#FFFFFF"
    stroke_color: str = "#000000"
    stroke: float = 0.0
    opacity: float = 1.0


@dataclass(frozen=True, slots=True)
class TextLayer:
    """Text, wrapped into ``place``."""

    text: str
    place: Place
    style: TextStyle = TextStyle()


Layer = HumanLayer | ImageLayer | VideoLayer | TextLayer


@dataclass(frozen=True, slots=True)
class Subtitles:
    """Subtitles burnt into the picture: the box, and the letters."""

    place: Place
    style: TextStyle = TextStyle(size=48, stroke=3.0)


@dataclass(frozen=True, slots=True)
class Layout:
    """One room's picture.

    Attributes:
        width, height: of the output (one half of it, with transparency "side"), even.
        stage: (width, height) of the stage; None: the output's.
        offset: (dx, dy) of the output within the stage (clip_mode CROP).
        background: what lies behind all layers; not drawn when there is transparency.
        layers: bottom to top; at most one :class:`HumanLayer`. Without any the person alone is shown.
        transparency: see :data:`Transparency`.
        key: the key colour of transparency "key", #RRGGBB.
        subtitles: None: not burnt in.
    """

    width: int
    height: int
    stage: tuple[int, int] | None = None
    offset: tuple[int, int] = (0, 0)
    background: Background = field(default_factory=Background)
    layers: tuple[Layer, ...] = (HumanLayer(),)
    transparency: Transparency = "none"
    key: str = "#00B140"
    subtitles: Subtitles | None = None
