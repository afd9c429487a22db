"""A pack made ready for one picture size: planes, head, patches. Shared by sessions, read-only.

Preparing a scene costs a few hundred milliseconds, drawing from it one: so scenes are kept in a small
cache. Patches are prepared when they are first shown, or all at once by :meth:`Scene.prepare`.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Final, Generic, TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from visavis.avatar.manifest import Bank
from visavis.avatar.pack import Pack
from visavis.avatar.planes import Placement, Plane, Rect, halved, premultiplied, yuva
from visavis.avatar.warp import Body

_FILTER_MARGIN: Final = 6
"""Canvas pixels around a patch that the scaling filter looks at."""

STRIP_PIXELS: Final = 80_000
"""About 20 bytes a pixel pass through the cache while a strip is drawn."""

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Cache(Generic[K, V]):
    """A few values by key, the least recently used one dropped. Safe for threads; a value is made once."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._values: OrderedDict[K, V] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: K, make: Callable[[], V]) -> V:
        """The value of ``key``, made by ``make`` if it is not there."""
        with self._lock:
            if key not in self._values:
                self._values[key] = make()
                while len(self._values) > self._size:
                    self._values.popitem(last=False)
            self._values.move_to_end(key)
            return self._values[key]

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._values.clear()


class Patches:
    """The pictures of a bank, each blended into the base: shape (rect.height, rect.width, 4), premultiplied YUVA.

    ``rect`` lies in the coordinates of the head's picture (the scene's ``head``).
    """

    def __init__(self, pack: Pack, bank: Bank, mask: Plane, face: _Face, rect: Rect) -> None:
        self.rect = rect
        self._pack, self._bank, self._face = pack, bank, face
        self._weight = np.asarray(mask / 255, np.float32)
        self._rest = np.asarray(1 - self._weight, np.float32)
        self._pictures: list[Plane | None] = [None] * len(bank.entries)
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._pictures)

    def get(self, index: int) -> Plane:
        """Picture ``index``; PackError if its pixels are damaged."""
        picture = self._pictures[index]
        if picture is None:
            with self._lock:
                picture = self._pictures[index]
                if picture is None:
                    picture = self._pictures[index] = self._make(index)
        return picture

    def _make(self, index: int) -> Plane:
        patch = premultiplied(self._pack.picture(self._bank.entries[index].file))
        box = self._bank.box
        place = Rect(box.x - self._face.at[0], box.y - self._face.at[1], box.width, box.height)
        around = self._face.placement.canvas_rect(self._face.output(self.rect), _FILTER_MARGIN)
        local = Rect(around.x - self._face.at[0], around.y - self._face.at[1], around.width, around.height)
        local = local.cut(Rect(0, 0, self._face.base.shape[1], self._face.base.shape[0]))
        picture = local.of(self._face.base).copy()
        seen = place.cut(local)
        target = Rect(seen.x - local.x, seen.y - local.y, seen.width, seen.height).of(picture)
        source = Rect(seen.x - place.x, seen.y - place.y, seen.width, seen.height)
        target[:] = cv2.blendLinear(
            np.ascontiguousarray(source.of(patch)),
            np.ascontiguousarray(target),
            np.ascontiguousarray(self._weight[source.y : source.bottom, source.x : source.right]),
            np.ascontiguousarray(self._rest[source.y : source.bottom, source.x : source.right]),
        )
        origin = local.x + self._face.at[0], local.y + self._face.at[1]
        return yuva(self._face.placement.render(picture, origin, self._face.output(self.rect)))


class _Face:
    """The part of the canvas around mouth and eyes, premultiplied BGRA; ``at``: its top-left pixel on the canvas."""

    def __init__(self, base: Plane, at: tuple[int, int], placement: Placement, head: Rect) -> None:
        self.base, self.at, self.placement, self._head = base, at, placement, head

    def output(self, rect: Rect) -> Rect:
        """A rectangle of the head's picture as one of the output."""
        return Rect(rect.x + self._head.x, rect.y + self._head.y, rect.width, rect.height)


class Trunk:
    """The rows that breath moves, without the head: premultiplied planes of ``rect``, chroma at half size.

    ``rect`` may be empty. The planes hold some rows more than ``rect`` at their end, for the lift to sample.
    """

    def __init__(self, person: Plane, rect: Rect, rows: int) -> None:
        self.rect = rect
        part = np.ascontiguousarray(person[rect.y : rect.bottom + rows, rect.x : rect.right])
        half = halved(part) if not rect.empty else part[:0]
        self.y, self.a = (np.ascontiguousarray(part[..., channel]) for channel in (0, 3))
        self.u, self.v, self.a_half = (np.ascontiguousarray(half[..., channel]) for channel in (1, 2, 3))


class Scene:
    """See the module. ``roi``: the output rectangle that head movement can change; even corners.

    ``head``: premultiplied YUVA of ``roi`` grown by ``margin``; ``person``: of the whole output. ``strips``: the parts
    of ``roi`` that the person can be in.
    """

    def __init__(self, pack: Pack, placement: Placement, stage_bottom: float) -> None:
        """``stage_bottom``: the row of the output where the stage ends (the output itself, unless it is a crop)."""
        manifest = pack.manifest
        self.placement = placement
        base = premultiplied(pack.picture(manifest.base))
        whole = Rect(0, 0, placement.width, placement.height)
        self.body = body = Body.of(manifest.anchors, placement, _half_width(base, pack) * placement.scale, stage_bottom)
        margin = self.margin = 2 * int(np.ceil(body.reach / 2))
        self.roi = self._reachable(base, pack).cut(whole).evened().cut(whole)
        grown = self.roi.grown(margin)
        # One picture for all: the output and what the head's picture needs beyond it.
        left, top = min(0, grown.x), min(0, grown.y)
        field = Rect(left, top, max(whole.right, grown.right) - left, max(whole.bottom, grown.bottom) - top)
        picture = yuva(placement.render(*_cropped(base, placement.canvas_rect(field, _FILTER_MARGIN)), field))
        self.person = np.ascontiguousarray(Rect(-left, -top, whole.width, whole.height).of(picture))
        self.head = Rect(grown.x - left, grown.y - top, grown.width, grown.height).of(picture).copy()
        self.strips = self._strips()
        self.trunk = Trunk(self.person, self._trunk_rect(), margin & ~1)
        self.mouth, self.eyes = self._patches(pack, base, grown)
        self.overlap = self.mouth.rect.cut(self.eyes.rect)
        for array in (self.person, self.head):
            array.flags.writeable = False

    def prepare(self) -> None:
        """Make all patches now, so that no frame pays for one."""
        for patches in (self.mouth, self.eyes):
            if not patches.rect.empty:
                for index in range(len(patches)):
                    patches.get(index)

    def _reachable(self, base: Plane, pack: Pack) -> Rect:
        """The output rectangle that head and hair can reach."""
        body = self.body
        occupied = np.flatnonzero(base[..., 3].any(axis=1))
        top = self.placement.y(float(occupied[0])) - body.reach if len(occupied) else 0.0
        half = body.half_width + body.reach
        left, right = int(np.floor(body.neck_x - half)), int(np.ceil(body.neck_x + half))
        bottom = int(np.ceil(body.still_below))
        found = Rect(left, int(np.floor(top)), right - left, bottom - int(np.floor(top)))
        for bank in (pack.manifest.mouth, pack.manifest.eyes):
            box = self.placement.rect(Rect(bank.box.x, bank.box.y, bank.box.width, bank.box.height))
            x, y = min(found.x, box.x), min(found.y, box.y)
            found = Rect(x, y, max(found.right, box.right) - x, max(found.bottom, box.bottom) - y)
        return found

    def _strips(self) -> list[Rect]:
        """Cut ``roi`` into strips, each as wide as the person can become there; where nobody can be there is none.

        A strip is as high as fits a processor's second cache with all its buffers.
        """
        roi, strips = self.roi, []
        height = max(32, min(128, STRIP_PIXELS // max(roi.width, 1) & ~15))
        vertical = int(np.ceil(self.body.reach)) + 2
        grown = Rect(roi.x - self.margin, roi.y - self.margin, 0, 0)
        for top in range(roi.y, roi.bottom, height):
            bottom = min(top + height, roi.bottom)
            rows = self.head[max(0, top - vertical - grown.y) : bottom + vertical - grown.y, :, 3]
            columns = np.flatnonzero(rows.any(axis=0))
            if not len(columns):
                continue
            sway = int(np.ceil(self.body.sway(np.array([top, bottom], np.float32)).max())) + 2
            left, right = grown.x + int(columns[0]) - sway, grown.x + int(columns[-1]) + 1 + sway
            strip = Rect(left, top, right - left, bottom - top).evened().cut(roi)
            if not strip.empty:
                strips.append(strip)
        return strips

    def _trunk_rect(self) -> Rect:
        """Rows and columns of the person that breath moves and the head's warp does not draw."""
        beside = self.person[..., 3].copy()
        self.roi.of(beside)[:] = 0
        lift = self.body.lift(np.arange(len(beside), dtype=np.float32))
        rows = np.flatnonzero(beside.any(axis=1) & (lift > 0))
        if not len(rows):
            return Rect(0, 0, 0, 0)
        # What is lifted shows up to two pixels above the place where it lies.
        first = max(0, int(rows[0]) - int(np.ceil(self.body.reach * 0.1)) - 2)
        last = int(rows[-1]) + 1
        columns = np.flatnonzero(beside[first:last].any(axis=0))
        found = Rect(int(columns[0]), first, int(columns[-1]) + 1 - int(columns[0]), last - first)
        return found.evened().cut(Rect(0, 0, self.placement.width, self.placement.height))

    def _patches(self, pack: Pack, base: Plane, head: Rect) -> tuple[Patches, Patches]:
        manifest = pack.manifest
        mouth_mask, eyes_mask = pack.picture(manifest.mouth.mask), pack.picture(manifest.eyes.mask)
        _part(mouth_mask, manifest.mouth, eyes_mask, manifest.eyes)
        area = Rect(0, 0, head.width, head.height)
        rects = []
        for bank, mask in ((manifest.mouth, mouth_mask), (manifest.eyes, eyes_mask)):
            touched = cv2.boundingRect(mask)
            box = Rect(bank.box.x + touched[0], bank.box.y + touched[1], touched[2], touched[3])
            placed = self.placement.rect(box).grown(3)
            rects.append(Rect(placed.x - head.x, placed.y - head.y, placed.width, placed.height).cut(area))
        around = [
            self.placement.canvas_rect(Rect(rect.x + head.x, rect.y + head.y, rect.width, rect.height), _FILTER_MARGIN)
            for rect in rects
        ]
        x, y = min(rect.x for rect in around), min(rect.y for rect in around)
        face_rect = Rect(x, y, max(r.right for r in around) - x, max(r.bottom for r in around) - y)
        face = _Face(*_cropped(base, face_rect), self.placement, head)
        return (
            Patches(pack, manifest.mouth, mouth_mask, face, rects[0]),
            Patches(pack, manifest.eyes, eyes_mask, face, rects[1]),
        )


def _cropped(base: Plane, wanted: Rect) -> tuple[Plane, tuple[int, int]]:
    """The part of the canvas within ``wanted``, padded with nothing, and its top-left pixel."""
    inside = wanted.cut(Rect(0, 0, base.shape[1], base.shape[0]))
    return inside.of(base).copy(), (inside.x, inside.y)


def _half_width(base: Plane, pack: Pack) -> float:
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


def _part(mouth_mask: npt.NDArray[np.uint8], mouth: Bank, eyes_mask: Plane, eyes: Bank) -> None:
    """Where the masks overlap, let the mouth's give way, so that the two together never exceed 255."""
    first = Rect(mouth.box.x, mouth.box.y, mouth.box.width, mouth.box.height)
    second = Rect(eyes.box.x, eyes.box.y, eyes.box.width, eyes.box.height)
    both = first.cut(second)
    if both.empty:
        return
    below = Rect(both.x - first.x, both.y - first.y, both.width, both.height).of(mouth_mask)
    above = Rect(both.x - second.x, both.y - second.y, both.width, both.height).of(eyes_mask)
    np.minimum(below, 255 - above, out=below)
