"""From a character file to a pack: which pictures, where, and how they are packed."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Container, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from visavis.avatar.manifest import Anchors, Bank, BankEntry, Depth, Manifest, Point, Views
from visavis.avatar.studio import banks, pictures, relief
from visavis.avatar.studio.character import Character, box, load
from visavis.avatar.studio.darkroom import Darkroom, Progress, Shot
from visavis.avatar.studio.pictures import Image, Rectangle

_FEATHER = 34
_BASE_SAMPLES = 6  # the base's samples: so many times the patches'


@dataclass(slots=True)
class _Baked:
    box: Rectangle
    entries: Sequence[banks.Entry]
    patches: list[Image]
    mask: Image


def _clipped(moved: Sequence[float], limits: Sequence[float], canvas: tuple[int, int]) -> Rectangle:
    """The rectangle of all motion with room for the feather, inside ``limits`` (left, top, right, bottom)."""
    room = _FEATHER + 6
    left, top = max(moved[0] - room, limits[0], 0), max(moved[1] - room, limits[1], 0)
    right, bottom = min(moved[2] + room, limits[2], canvas[0]), min(moved[3] + room, limits[3], canvas[1])
    x, y = int(left) // 2 * 2, int(top) // 2 * 2
    return x, y, (int(right) - x + 1) // 2 * 2, (int(bottom) - y + 1) // 2 * 2


def _eye_distance(layout: dict[str, Any]) -> float:
    anchors = layout["anchors"]
    return float(anchors["right_eye"][0] - anchors["left_eye"][0])


def place(layout: dict[str, Any], canvas: tuple[int, int]) -> dict[str, Rectangle]:
    """The banks' rectangles: where things move, but no farther than the face goes."""
    at = {name: np.array(point) for name, point in layout["anchors"].items()}
    apart = _eye_distance(layout)
    middle, eyes, chin = float(at["nose"][0]), float(at["left_eye"][1]), float(at["chin"][1])
    mouth = (middle - 1.36 * apart, float(at["nose"][1]) - 0.12 * apart, middle + 1.36 * apart, chin + 0.45 * apart)
    lids = (middle - 1.2 * apart, eyes - 0.95 * apart, middle + 1.2 * apart, float(at["nose"][1]) - 0.12 * apart)
    moved = layout["moved"]
    return {"mouth": _clipped(moved["mouth"], mouth, canvas), "eyes": _clipped(moved["eyes"], lids, canvas)}


def bake_pack(
    source: Path, out: Path, *, work_dir: Path, progress: Progress, samples: int = 4, only: Container[str] | None = None
) -> Path:
    """See :func:`visavis.avatar.studio.bake`. ``only``: ids such as "mouth/aa"; other entries are left out."""
    character = load(source)
    work_dir.mkdir(parents=True, exist_ok=True)
    room = Darkroom(character, work_dir)
    canvas = (character.canvas.width, character.canvas.height)
    chosen = {
        name: [e for e in bank if only is None or f"{name}/{e.id}" in only]
        for name, bank in (("mouth", banks.MOUTHS), ("eyes", banks.EYES))
    }
    # The rectangles are those of the whole banks, so that the pictures of a part serve the whole.
    layout = room.layout({"mouth": [e.weights for e in banks.MOUTHS], "eyes": [e.weights for e in banks.EYES]})
    boxes = place(layout, canvas)
    shots = [Shot("base", {}, samples * _BASE_SAMPLES)]
    for name, part in chosen.items():
        shots += [Shot(f"{name}/{entry.id}", entry.weights, samples, boxes[name]) for entry in part]
    shots.sort(key=lambda shot: shot.id not in banks.FIRST)
    found = dict(zip((shot.id for shot in shots), room.take(shots, progress), strict=True))
    base = pictures.bleed(pictures.smooth_alpha(pictures.read(found["base"])))
    baked: dict[str, _Baked] = {}
    for bank, part in chosen.items():
        patches = [pictures.read(found[f"{bank}/{entry.id}"]) for entry in part]
        x, y, width, height = boxes[bank]
        mask = pictures.feathered(width, height, _FEATHER)
        if bank == "mouth":
            mask = pictures.narrowed(mask, round(character.mouth_width * _eye_distance(layout)), _FEATHER)
        mask = pictures.solid_only(mask, [base[y : y + height, x : x + width], *patches])
        # The base takes the neutral patch in, so that patch and base agree to the last bit of noise.
        pictures.paste(base, patches[0], boxes[bank], mask)
        patches = [patches[0], *(pictures.steady(patch, patches[0]) for patch in patches[1:])]
        baked[bank] = _Baked(boxes[bank], part, patches, mask)
    scale = character.canvas.height / character.camera["frame_height"]
    grey, near, far = relief.picture(*room.depth(relief.SIDE), scale)
    manifest = _manifest(character, layout, baked, Depth(file="depth.png", near=near, far=far))
    _write(out, manifest, base, baked, grey)
    sheet = out.with_name(f"{out.stem}-contact.png") if out.parent == work_dir else work_dir / f"{out.stem}-contact.png"
    _sheet(sheet, baked)
    progress(len(shots), len(shots), "packed")
    return sheet


def _bank(name: str, baked: _Baked) -> Bank:
    return Bank(
        box=box(baked.box),
        mask=f"{name}/mask.png",
        entries=[BankEntry(id=e.id, file=f"{name}/{e.id}.webp", blendshapes=e.weights) for e in baked.entries],
    )


def _manifest(character: Character, layout: dict[str, Any], baked: dict[str, _Baked], depth: Depth) -> Manifest:
    anchors = {name: Point(x=round(x, 1), y=round(y, 1)) for name, (x, y) in layout["anchors"].items()}
    return Manifest(
        id=character.id,
        name=character.name,
        licence=character.licence,
        made_by=character.made_by,
        canvas=character.canvas,
        base="base.png",
        anchors=Anchors(**anchors),
        views=Views(portrait=box(character.views.portrait), landscape=box(character.views.landscape)),
        mouth=_bank("mouth", baked["mouth"]),
        eyes=_bank("eyes", baked["eyes"]),
        depth=depth,
    )


def _write(out: Path, manifest: Manifest, base: Image, baked: dict[str, _Baked], depth: Image) -> None:
    """Write the pack whole or not at all; the same pictures give the same bytes."""
    out.parent.mkdir(parents=True, exist_ok=True)
    part = out.with_name(f".{out.name}.{os.getpid()}.part")
    files: dict[str, bytes] = {
        "manifest.json": json.dumps(manifest.model_dump(), indent=1).encode(),
        "base.png": pictures.encode(base, ".png"),
        "depth.png": pictures.encode(depth, ".png"),
    }
    for name, bank in baked.items():
        files[f"{name}/mask.png"] = pictures.encode(bank.mask, ".png")
        for entry, patch in zip(bank.entries, bank.patches, strict=True):
            colours = np.ascontiguousarray(patch[:, :, :3])
            files[f"{name}/{entry.id}.webp"] = pictures.encode(colours, ".webp")
    with zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as pack:
        for path, data in files.items():
            pack.writestr(zipfile.ZipInfo(path, (1980, 1, 1, 0, 0, 0)), data)
    part.replace(out)


def _sheet(path: Path, baked: dict[str, _Baked]) -> None:
    named = [(e.id, patch) for bank in baked.values() for e, patch in zip(bank.entries, bank.patches, strict=True)]
    path.write_bytes(pictures.encode(pictures.contact_sheet(named), ".png"))
