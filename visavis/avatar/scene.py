"""A pack made ready for one place in the picture: the person's sheet, its patches, its fields of displacement.

Preparing a scene costs tenths of a second to seconds, drawing from it less than one millisecond: so scenes are kept in files
that all sessions and workers map (:mod:`visavis.avatar.cache`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from visavis.avatar import cache, kernels
from visavis.avatar.kernels import BEYOND, BLOCK, EMPTY, MIXED, OPAQUE, TILE, UNITS, WINDOW
from visavis.avatar.layout import Layout
from visavis.avatar.manifest import Bank, Views
from visavis.avatar.pack import Pack
from visavis.avatar.planes import Placement, Plane, Rect, Sheet, premultiplied, yuva
from visavis.avatar.warp import LIMITS, TERMS, Body, Field, Relief, displacement
from visavis.errors import VisavisError

VERSION: Final = 2
"""To be raised whenever a prepared scene becomes another for the same pack and placement."""

MAX_PLACE: Final = 8192
"""Pixels on a side of the person's place."""
KEPT: Final = 6
_SCENES: Final[cache.Kept[str, Scene]] = cache.Kept(KEPT)


@dataclass(frozen=True)
class Patches:
    """The pictures of a bank, each blended into the person: sheets of the rectangle ``rect`` of the person's sheet.

    ``rect`` has even corners, and may be empty. ``shapely``: they differ in alpha too, not only in colour.
    """

    rect: Rect
    flat: npt.NDArray[np.uint8]
    shapely: bool

    def __len__(self) -> int:
        return len(self.flat)

    def get(self, index: int) -> Sheet:
        """The sheet of entry ``index``."""
        return Sheet(self.rect.width, self.rect.height, self.flat[index])

    def paste(self, index: int, address: int, sheet: Sheet) -> None:
        """Copy entry ``index`` into the person's ``sheet``, whose array lies at ``address``."""
        rect = self.rect
        patch = self._address + index * self.flat.shape[1]
        kernels.paste(
            address, (sheet.width, sheet.height), patch, (rect.x, rect.y, rect.width, rect.height), self.shapely
        )

    @cached_property
    def _address(self) -> int:
        return int(self.flat.ctypes.data)


class Scene:
    """See the module. Read-only, shared by sessions.

    Attributes:
        place: what the kernels call so: where sheet and grid lie.
        sheet: the person with the base picture's face; :meth:`private_sheet` gives one to be written to.
        reach: the most that anything is displaced, pixels.
        tiles, fields: what the kernels call so; fields have shape (2, TERMS, nodes), in UNITS.
        mouth, eyes: the patches; ``overlap``: the part of the sheet that both cover.
        body: the person's measures, upright pixels of the output.
        made: it was prepared just now, not found in a file.
    """

    def __init__(self, stored: cache.Stored, body: Body) -> None:
        self._stored, self.body, self.made = stored, body, stored.made
        self.place: npt.NDArray[np.int64] = stored["place"]
        self.sheet = Sheet(int(self.place[0]), int(self.place[1]), stored["sheet"])
        self.tiles: Plane = stored["tiles"]
        self.fields: Field = stored["fields"]
        self.reach = int(stored["reach"][0])
        self.mouth, self.eyes = (
            Patches(Rect(*map(int, stored[f"{name}_rect"][:4])), stored[name], bool(stored[f"{name}_rect"][4]))
            for name in ("mouth", "eyes")
        )
        self.overlap = self.mouth.rect.cut(self.eyes.rect)

    def private_sheet(self) -> Sheet:
        """The sheet for one session to write its patches into: memory is taken for what is written only."""
        return Sheet(self.sheet.width, self.sheet.height, self._stored.private("sheet"))


def scene(pack: Pack, placement: Placement, stage_bottom: float) -> Scene:
    """The scene of ``pack`` at ``placement``, made or found.

    ``stage_bottom``: the upright row where the person's place ends: what breath lifts must not lay bare what is below.

    Raises PackError: a picture of the pack is damaged.
    """
    name = hashlib.sha256(repr((VERSION, pack.digest, placement, stage_bottom)).encode()).hexdigest()[:40]

    def make() -> Scene:
        half_width = _Base.width(pack) * placement.scale
        body = Body.of(pack.manifest.anchors, placement, half_width, stage_bottom)
        return Scene(cache.stored(name, lambda: _arrays(pack, placement, body)), body)

    return _SCENES.get(name, make)


def forget() -> None:
    """Drop the scenes that this process keeps open; their files stay."""
    _SCENES.clear()


class _Base:
    """Half widths of packs' heads: decoding the base for that number alone would make every start slower."""

    _kept: Final[cache.Kept[str, float]] = cache.Kept(64)

    @classmethod
    def width(cls, pack: Pack) -> float:
        def make() -> float:
            stored = cache.stored(
                f"{pack.digest[:40]}-measures",
                lambda: {"half_width": np.array([head_half_width(pack.picture(pack.manifest.base), pack)])},
            )
            return float(stored["half_width"][0])

        return cls._kept.get(pack.digest, make)


def relief(pack: Pack) -> Relief | None:
    """The depth that ``pack`` brings along; None: it has none. PackError: the picture is damaged."""
    depth, manifest = pack.manifest.depth, pack.manifest
    if depth is None:
        return None
    face = manifest.anchors.chin.y - manifest.anchors.crown.y
    canvas = manifest.canvas.width, manifest.canvas.height
    return Relief(pack.picture(depth.file), depth.near, depth.far, canvas, face)


def nodes(rect: Rect) -> tuple[Field, Field]:
    """Output coordinates (pixel centres) of the nodes of a rectangle of blocks: two arrays (rows + 1, columns + 1)."""
    x = (np.arange(rect.width + 1, dtype=np.float32) + rect.x) * BLOCK
    y = (np.arange(rect.height + 1, dtype=np.float32) + rect.y) * BLOCK
    at_x, at_y = np.meshgrid(x, y)
    return at_x, at_y


def _arrays(pack: Pack, placement: Placement, body: Body) -> cache.Arrays:
    whole = Rect(0, 0, -(-placement.width // BLOCK), -(-placement.height // BLOCK))
    fields = displacement(body, placement, *nodes(whole), relief(pack))
    # How far a block's points can be displaced: the most of its corners.
    most = np.einsum("atyx,t->ayx", np.abs(fields), np.array(LIMITS, np.float32))
    most = np.maximum(np.maximum(most[:, 1:, 1:], most[:, :-1, 1:]), np.maximum(most[:, 1:, :-1], most[:, :-1, :-1]))
    pad = BEYOND + BLOCK * int(np.ceil(float(most.max()) / BLOCK))
    area = _pixels(whole).grown(pad)
    base = premultiplied(pack.picture(pack.manifest.base))
    picture = yuva(placement.render(*_cropped(base, placement.canvas_rect(area, placement.margin)), area))
    grid = _inhabited(picture[..., 3], most, whole, pad)
    kept = _pixels(grid).grown(pad) if not grid.empty else Rect(0, 0, TILE, TILE)
    inside = Rect(kept.x - area.x, kept.y - area.y, kept.width, kept.height)
    picture = inside.of(picture) if not grid.empty else np.zeros((TILE, TILE, 4), np.uint8)
    sheet = Sheet.of_yuva(picture)
    place = np.array([kept.width, kept.height, kept.x, kept.y, grid.x, grid.y, grid.width, grid.height], np.int64)
    shown = fields[:, :, grid.y : grid.bottom + 1, grid.x : grid.right + 1]
    arrays: cache.Arrays = {
        "place": place,
        "sheet": sheet.flat,
        "reach": np.array([int(np.ceil(float(most.max()))) + 1], np.int64),
        "fields": np.ascontiguousarray(shown.reshape(2, TERMS, -1) * np.float32(UNITS)),
    }
    lowest, highest = sheet.planes[1].copy(), sheet.planes[1].copy()
    banks = _banks(pack)
    for (name, bank, mask), rect in zip(banks, _rects(banks, placement, kept), strict=True):
        flat, shapely = _patches(pack, bank, mask, base, placement, kept, sheet, rect)
        arrays[f"{name}_rect"] = np.array([rect.x, rect.y, rect.width, rect.height, shapely], np.int64)
        arrays[name] = flat
        if shapely:
            pixels = rect.width * rect.height
            alphas = flat[:, pixels : 2 * pixels].reshape(-1, rect.height, rect.width)
            np.minimum(rect.of(lowest), alphas.min(axis=0), out=rect.of(lowest))
            np.maximum(rect.of(highest), alphas.max(axis=0), out=rect.of(highest))
    arrays["tiles"] = tiles(lowest, highest)
    return arrays


def _pixels(blocks: Rect) -> Rect:
    return Rect(blocks.x * BLOCK, blocks.y * BLOCK, blocks.width * BLOCK, blocks.height * BLOCK)


def _inhabited(alpha: Plane, most: Field, whole: Rect, pad: int) -> Rect:
    """The rectangle of blocks that the person can be seen in. ``alpha``: of the whole output and ``pad`` around it."""
    total = cv2.integral((alpha > 0).astype(np.uint8))
    row, column = np.indices((whole.height, whole.width)) * BLOCK + pad
    reach_x, reach_y = np.ceil(most).astype(np.int64) + 2
    left, right = np.maximum(column - reach_x, 0), np.minimum(column + BLOCK + reach_x, alpha.shape[1])
    top, bottom = np.maximum(row - reach_y, 0), np.minimum(row + BLOCK + reach_y, alpha.shape[0])
    there = total[bottom, right] - total[top, right] - total[bottom, left] + total[top, left] > 0
    rows, columns = np.flatnonzero(there.any(axis=1)), np.flatnonzero(there.any(axis=0))
    if not len(rows):
        return Rect(0, 0, 0, 0)
    x, y = int(columns[0]), int(rows[0])
    return Rect(x, y, int(columns[-1]) + 1 - x, int(rows[-1]) + 1 - y)


def tiles(lowest: Plane, highest: Plane) -> Plane:
    """EMPTY, MIXED or OPAQUE for each tile: what alpha is in the window from there on; flat."""
    rows, columns = lowest.shape[0] // TILE, lowest.shape[1] // TILE
    low = lowest.reshape(rows, TILE, columns, TILE).min(axis=(1, 3))
    high = highest.reshape(rows, TILE, columns, TILE).max(axis=(1, 3))
    # What lies beyond the sheet is transparent.
    low = np.pad(low, ((0, WINDOW - 1), (0, WINDOW - 1)))
    high = np.pad(high, ((0, WINDOW - 1), (0, WINDOW - 1)))
    low = np.lib.stride_tricks.sliding_window_view(low, (WINDOW, WINDOW)).min(axis=(2, 3))
    high = np.lib.stride_tricks.sliding_window_view(high, (WINDOW, WINDOW)).max(axis=(2, 3))
    found = np.where(low == 255, OPAQUE, np.where(high == 0, EMPTY, MIXED))
    return np.ascontiguousarray(found.reshape(-1), np.uint8)


def _banks(pack: Pack) -> tuple[tuple[str, Bank, Plane], tuple[str, Bank, Plane]]:
    manifest = pack.manifest
    mouth_mask, eyes_mask = pack.picture(manifest.mouth.mask), pack.picture(manifest.eyes.mask)
    part_masks(mouth_mask, manifest.mouth, eyes_mask, manifest.eyes)
    return ("mouth", manifest.mouth, mouth_mask), ("eyes", manifest.eyes, eyes_mask)


def _rects(banks: Sequence[tuple[str, Bank, Plane]], placement: Placement, kept: Rect) -> tuple[Rect, Rect]:
    """What the patches of mouth and eyes cover of the sheet."""
    boxes, rects = [], []
    frame = Rect(BEYOND, BEYOND, max(0, kept.width - 2 * BEYOND), max(0, kept.height - 2 * BEYOND))
    for _, bank, mask in banks:
        touched = cv2.boundingRect(mask)
        boxes.append(Rect(bank.box.x + touched[0], bank.box.y + touched[1], touched[2], touched[3]))
        placed = placement.rect(boxes[-1]).grown(3)
        rects.append(Rect(placed.x - kept.x, placed.y - kept.y, placed.width, placed.height).evened().cut(frame))
    mouth, eyes = rects
    if boxes[0].cut(boxes[1]).empty and mouth.y < eyes.bottom < mouth.bottom:
        # They meet only in the pixels that scaling blurs, where both are all but the base: one line parts them.
        mouth = Rect(mouth.x, eyes.bottom, mouth.width, mouth.bottom - eyes.bottom)
    return mouth, eyes


def _patches(
    pack: Pack, bank: Bank, mask: Plane, base: Plane, placement: Placement, kept: Rect, sheet: Sheet, rect: Rect
) -> tuple[npt.NDArray[np.uint8], bool]:
    """(sheets of all entries for the rectangle ``rect`` of the person's sheet, whether alpha differs)."""
    if rect.empty:
        return np.zeros((len(bank.entries), 0), np.uint8), False
    output = Rect(rect.x + kept.x, rect.y + kept.y, rect.width, rect.height)
    face, at = _cropped(base, placement.canvas_rect(output, placement.margin))
    weight = np.asarray(mask / 255, np.float32)
    place = Rect(bank.box.x - at[0], bank.box.y - at[1], bank.box.width, bank.box.height)
    seen = place.cut(Rect(0, 0, face.shape[1], face.shape[0]))
    source = Rect(seen.x - place.x, seen.y - place.y, seen.width, seen.height)
    share = np.ascontiguousarray(weight[source.y : source.bottom, source.x : source.right])
    flat = np.empty((len(bank.entries), Sheet.bytes(rect.width, rect.height)), np.uint8)
    for index, entry in enumerate(bank.entries):
        patch = premultiplied(pack.picture(entry.file))
        picture = face.copy()
        blended = cv2.blendLinear(
            np.ascontiguousarray(source.of(patch)), np.ascontiguousarray(seen.of(face)), share, 1 - share
        )
        seen.of(picture)[:] = blended
        flat[index] = Sheet.of_yuva(yuva(placement.render(picture, at, output))).flat
    pixels = rect.width * rect.height
    own = rect.of(sheet.planes[1]).reshape(-1)
    return flat, bool((flat[:, pixels : 2 * pixels] != own).any())


def _cropped(base: Plane, wanted: Rect) -> tuple[Plane, tuple[int, int]]:
    """The part of the canvas within ``wanted`` (never nothing), and its top-left pixel."""
    inside = wanted.cut(Rect(0, 0, base.shape[1], base.shape[0]))
    if inside.empty:
        return np.zeros((1, 1, *base.shape[2:]), np.uint8), (wanted.x, wanted.y)
    return inside.of(base).copy(), (inside.x, inside.y)


def head_half_width(base: Plane, pack: Pack) -> float:
    """Half the width of head and hair about the neck, canvas pixels: whatever is there above the chin."""
    anchors = pack.manifest.anchors
    face = anchors.chin.y - anchors.crown.y
    rows = base[: max(1, int(anchors.chin.y)), :, 3]
    columns = np.flatnonzero((rows > 8).any(axis=0))
    if not len(columns):
        return 0.5 * face
    half = max(anchors.neck.x - float(columns[0]), float(columns[-1]) - anchors.neck.x)
    # Raised shoulders or a canvas full of other things must not count as hair.
    return float(np.clip(half, 0.35 * face, 0.75 * face))


def part_masks(mouth_mask: npt.NDArray[np.uint8], mouth: Bank, eyes_mask: Plane, eyes: Bank) -> None:
    """Where the masks overlap, let the mouth's give way, so that the two together never exceed 255."""
    first = Rect(mouth.box.x, mouth.box.y, mouth.box.width, mouth.box.height)
    second = Rect(eyes.box.x, eyes.box.y, eyes.box.width, eyes.box.height)
    both = first.cut(second)
    if both.empty:
        return
    below = Rect(both.x - first.x, both.y - first.y, both.width, both.height).of(mouth_mask)
    above = Rect(both.x - second.x, both.y - second.y, both.width, both.height).of(eyes_mask)
    np.minimum(below, 255 - above, out=below)


def placed(
    views: Views, layout: Layout, human: tuple[float, float, float, float, float] | None
) -> tuple[Placement, float]:
    """Where the person lies: the placement, and the upright row of the output where its place ends.

    ``human``: x, y, width, height and rotation (degrees) of its place on the stage; None: the stage. An upright or square
    place shows the portrait view, a wide one the landscape view.

    Raises VisavisError: the place is too small or too large.
    """
    stage = layout.stage or (layout.width, layout.height)
    x, y, width, height, rotation = human or (0.0, 0.0, float(stage[0]), float(stage[1]), 0.0)
    if not (width >= 1 and height >= 1 and max(width, height) <= MAX_PLACE):
        raise VisavisError(f"the person's place is {width:g}x{height:g}: at least 1 and at most {MAX_PLACE} a side")
    view = views.portrait if height >= width else views.landscape
    crop = Rect(layout.offset[0], layout.offset[1], layout.width, layout.height)
    placement = Placement.within(view, (x, y, width, height), float(np.deg2rad(rotation)), crop)
    return placement, float(y + height - crop.y)
