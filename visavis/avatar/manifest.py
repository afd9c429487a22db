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
