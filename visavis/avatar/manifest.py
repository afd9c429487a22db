"""Manifest of an avatar pack (format version 1).

A pack is a zip file: ``manifest.json`` plus pictures. All pixel coordinates are in the pack's own
*canvas*, origin top-left. A *bank* is a set of pictures of one rectangle of the canvas (the mouth
with chin and cheeks; the eyes with lids), each with the ARKit blendshapes it was rendered with:
the renderer chooses the entry whose blendshapes are nearest to a motion frame's. Entries are
never cross-faded (that ghosts: double lips).
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from visavis.motion.frame import ARKIT_INDEX

Weight = Annotated[float, Field(ge=0.0, le=1.0)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class Size(_Strict):
    """Pixels."""

    width: int = Field(ge=64, le=4096)
    height: int = Field(ge=64, le=4096)


class Box(_Strict):
    """A rectangle of the canvas, pixels."""

    x: int
    y: int
    width: int = Field(ge=1, le=8192)
    height: int = Field(ge=1, le=8192)


class Point(_Strict):
    """A point of the canvas, pixels."""

    x: float
    y: float


class Anchors(_Strict):
    """Landmarks of the neutral pose, canvas pixels. left/right as the viewer sees them."""

    left_eye: Point
    right_eye: Point
    nose: Point
    mouth: Point
    chin: Point
    crown: Point
    neck: Point


class BankEntry(_Strict):
    """One picture (PNG or WebP, RGB or RGBA, of the box's size) and the blendshapes it shows; those left out are 0."""

    id: str = Field(pattern=r"^[a-z0-9_]{1,40}$")
    file: str
    blendshapes: dict[str, Weight]

    @field_validator("blendshapes")
    @classmethod
    def _known(cls, value: dict[str, float]) -> dict[str, float]:
        unknown = sorted(set(value) - set(ARKIT_INDEX))
        if unknown:
            raise ValueError(f"not ARKit blendshapes: {', '.join(unknown)}")
        return value


class Bank(_Strict):
    """``mask``: 8-bit grey PNG of the box's size; 255 where the patch replaces the base, feathered to 0 at its edge."""

    box: Box
    mask: str
    entries: list[BankEntry] = Field(min_length=1, max_length=512)


class Views(_Strict):
    """The rectangle of the canvas that a whole picture shows. It may reach beyond the canvas (transparent there)."""

    portrait: Box
    landscape: Box


class Depth(_Strict):
    """How far each part of the neutral face stands before or behind the axis about which the head turns.

    ``file``: 8-bit grey PNG that covers the whole canvas (any size up to the canvas's own, scaled to it). Level ``v``
    stands for ``near + (far - near) * v / 255`` canvas pixels towards the viewer. Without a depth a dome is assumed.
    """

    file: str
    near: float = Field(ge=-4096, le=4096)
    far: float = Field(ge=-4096, le=4096)


class LoopFrame(_Strict):
    """Where the head of the base picture lies in one frame of the loop.

    ``matrix``: a, b, c, d, e, f of x' = a x + b y + c, y' = d x + e y + f, canvas pixels: patches follow it.
    """

    matrix: tuple[float, float, float, float, float, float]


class Loop(_Strict):
    """A filmed idle loop, played for ever: its last frame is followed by its first.

    ``file``: H.264 video (mp4) of the canvas's size, the person with the mouth closed or at rest; ``alpha``: a video of
    the same frames, luma = alpha (None: opaque everywhere). ``frames``: one a picture.
    """

    file: str
    alpha: str | None = None
    fps: int = Field(default=25, ge=1, le=60)
    frames: list[LoopFrame] = Field(min_length=25, max_length=3000)


class Consent(_Strict):
    """What the depicted person (or who holds the rights) agreed to, in their words; required for imported people."""

    statement: str = Field(min_length=10, max_length=2000)
    given_by: str = Field(min_length=1, max_length=200)
    date: str = Field(pattern=r"^\d{4}-\d{2}-\d{2}$")


class Manifest(_Strict):
    """The whole of ``manifest.json``."""

    format: Literal["visavis-avatar-pack"] = "visavis-avatar-pack"
    version: Literal[1] = 1
    id: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")
    name: str = Field(min_length=1, max_length=80)
    licence: str
    made_by: str = ""
    fps: int = Field(default=25, ge=1, le=60)
    canvas: Size
    base: str = Field(description="RGBA PNG of the canvas, straight alpha, neutral face, eyes open")
    anchors: Anchors
    views: Views
    mouth: Bank
    eyes: Bank
    depth: Depth | None = None
    loop: Loop | None = None
    consent: Consent | None = None
