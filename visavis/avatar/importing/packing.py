"""From pictures to a pack: anchors, views, banks, consent, and the zip file."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from visavis.avatar.importing.environment import ImportRefused
from visavis.avatar.importing.idle import RATE, Idle
from visavis.avatar.importing.landmarks import Floats, Picture
from visavis.avatar.importing.patches import Region
from visavis.avatar.manifest import (
    Anchors,
    Bank,
    BankEntry,
    Box,
    Consent,
    Loop,
    LoopFrame,
    Manifest,
    Point,
    Size,
    Views,
)
from visavis.avatar.pack import check

_QUALITY: Final = 93
_LEAST: Final = 1.5
"""The height of a view in heights of the face, at least."""
_EDGE: Final = 4
"""Columns of the canvas in which the person must not be for a view to reach beyond them."""


@dataclass(frozen=True, slots=True)
class Person:
    """Who is imported. ``id``: of the pack; ``licence``: of the pictures; ``consent``: what the depicted person agreed to."""

    id: str
    name: str
    licence: str
    consent: Consent


@dataclass(frozen=True, slots=True)
class Entry:
    """A picture of a bank (BGR, of its box's size) and the blendshapes it shows."""

    id: str
    picture: Picture
    shapes: dict[str, float]


@dataclass(frozen=True, slots=True)
class Cuttings:
    """All pictures of a pack. ``base``: BGRA; ``points``: its landmarks (478, 3)."""

    base: Picture
    points: Floats
    mouth: Region
    mouths: Sequence[Entry]
    eyes: Region
    looks: Sequence[Entry]
    idle: Idle | None


def anchors(points: Floats) -> Anchors:
    """Anchors of a face's landmarks. The crown lies as far above the eyes as the chin below, the pit of the neck a quarter below."""
    at = points[:, :2].astype(np.float64)
    left, right = at[[33, 133]].mean(axis=0), at[[362, 263]].mean(axis=0)
    down = at[152] - (left + right) / 2

    def point(place: Floats | np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> Point:
        return Point(x=round(float(place[0]), 1), y=round(float(place[1]), 1))

    return Anchors(
        left_eye=point(left),
        right_eye=point(right),
        nose=point(at[1]),
        mouth=point((at[61] + at[291]) / 2),
        chin=point(at[152]),
        crown=point((left + right) / 2 - down),
        neck=point(at[152] + 0.52 * down),
    )


def views(base: Picture, at: Anchors) -> Views:
    """The upright and the wide view: as large as the canvas allows, the face in the middle above the half.

    A view reaches beyond the canvas only where nobody is at the edge, so that no cut shoulder floats in the air, or where the
    face would not fit otherwise (the wide view of an upright film).
    """
    height, width = base.shape[:2]
    alpha = base[..., 3]
    open_sides = not (alpha[:, :_EDGE] > 8).any() and not (alpha[:, -_EDGE:] > 8).any()
    middle = (at.left_eye.x + at.right_eye.x) / 2
    face = at.chin.y - at.crown.y

    def view(ratio: float, heads: float) -> Box:
        tall = min(float(height), heads * face)
        if tall * ratio > width and not open_sides:
            # Rather cut shoulders than half a face.
            tall = max(width / ratio, min(tall, _LEAST * face))
        wide = tall * ratio
        room = max(0.0, tall - 1.25 * face)
        top = float(np.clip(at.crown.y - 0.10 * face - 0.30 * room, 0, max(0.0, height - tall)))
        left = middle - wide / 2
        if wide <= width:
            left = float(np.clip(left, 0, width - wide))
        return Box(x=round(left), y=round(top), width=round(wide), height=round(tall))

    return Views(portrait=view(9 / 16, 2.9), landscape=view(16 / 9, 1.9))


def write_pack(out: Path, person: Person, made: Cuttings, made_by: str) -> Manifest:
    """Write the pack whole or not at all.

    Raises:
        ImportRefused: it is not fit to use (which would be a fault of the import), or cannot be written.
    """
    height, width = made.base.shape[:2]
    at = anchors(made.points)
    manifest = Manifest(
        id=person.id,
        name=person.name,
        licence=person.licence,
        made_by=made_by,
        canvas=Size(width=width, height=height),
        base="base.png",
        anchors=at,
        views=views(made.base, at),
        mouth=_bank("mouth", made.mouth, made.mouths),
        eyes=_bank("eyes", made.eyes, made.looks),
        loop=_loop(made.idle),
        consent=person.consent,
    )
    files = {"manifest.json": json.dumps(manifest.model_dump(mode="json"), indent=1, ensure_ascii=False).encode()}
    files["base.png"] = _encoded(made.base, ".png")
    for name, region, entries in (("mouth", made.mouth, made.mouths), ("eyes", made.eyes, made.looks)):
        files[f"{name}/mask.png"] = _encoded(region.mask, ".png")
        files |= {f"{name}/{entry.id}.webp": _encoded(entry.picture, ".webp") for entry in entries}
    if made.idle is not None:
        files["loop.mp4"] = made.idle.video
        if made.idle.alpha is not None:
            files["loop-alpha.mp4"] = made.idle.alpha
    part = out.with_name(f".{out.name}.{os.getpid()}.part")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as archive:
            for name, data in files.items():
                archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), data)
        faults = check(part)
        if faults:
            raise ImportRefused("the import made a faulty pack: " + "; ".join(faults[:3]))
        part.replace(out)
    except OSError as error:
        raise ImportRefused(f"{out}: cannot be written ({error.strerror or error})") from None
    finally:
        part.unlink(missing_ok=True)
    return manifest


def _bank(name: str, region: Region, entries: Sequence[Entry]) -> Bank:
    x, y, width, height = region.box
    return Bank(
        box=Box(x=x, y=y, width=width, height=height),
        mask=f"{name}/mask.png",
        entries=[BankEntry(id=e.id, file=f"{name}/{e.id}.webp", blendshapes=e.shapes) for e in entries],
    )


def _loop(idle: Idle | None) -> Loop | None:
    if idle is None:
        return None
    rows = [tuple(round(float(value), 5) for value in matrix.reshape(-1)) for matrix in idle.matrices]
    return Loop(
        file="loop.mp4",
        alpha="loop-alpha.mp4" if idle.alpha is not None else None,
        fps=RATE,
        frames=[LoopFrame(matrix=(row[0], row[1], row[2], row[3], row[4], row[5])) for row in rows],
    )


def _encoded(picture: Picture, suffix: str) -> bytes:
    options = [cv2.IMWRITE_PNG_COMPRESSION, 9] if suffix == ".png" else [cv2.IMWRITE_WEBP_QUALITY, _QUALITY]
    done, data = cv2.imencode(suffix, picture, options)
    if not done:
        raise ImportRefused(f"a picture cannot be written as {suffix}")
    return data.tobytes()
