"""A session's picture: what lies below and above the person, and which blocks of it have to be drawn.

The person is a :class:`Figure`: a sheet, and nodes that displace it. A screen draws figures between ``under`` and ``over`` of its
scenery, with their colours cut off where the person's place ends.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from visavis.avatar import kernels, scenery
from visavis.avatar.kernels import BLOCK, EMPTY, MIXED, OPAQUE, UNKNOWN, fixed
from visavis.avatar.layout import Layout, Place, VideoLayer
from visavis.avatar.planes import Plane, Planes, Rect, Sheet
from visavis.avatar.types import I420
from visavis.errors import VisavisError

_NOTHING: Final = fixed(np.zeros(1, np.uint8))

Place5 = tuple[float, float, float, float, float]


class Figure:
    """A sheet on a screen. ``place``, ``tiles``: as the kernels have them; ``fields``: (2, terms, nodes), in UNITS;
    ``reach``: the most that displaces it, pixels."""

    def __init__(
        self,
        sheet: Sheet,
        place: npt.NDArray[np.int64],
        tiles: Plane,
        fields: npt.NDArray[np.float32],
        reach: int,
        need: Plane,
        across: int,
    ) -> None:
        self.sheet, self.tiles = sheet, fixed(tiles)
        self.place = fixed(place)
        self._need, self._across, self._reach = need, across, reach
        columns, rows = int(place[6]) + 1, int(place[7]) + 1
        self.nodes = np.zeros((2, columns * rows), np.int32)
        self._fields = fields.view()
        self._fields.flags.writeable = False
        self._used = fixed(np.asarray(fields.any(axis=2), np.uint8))
        self._bends = bool(self._used.any())
        self._sizes = np.zeros(fields.shape[1], np.float32)

    def bend(self, sizes: tuple[float, ...]) -> None:
        """Displace it by the sum of its fields times ``sizes``."""
        if self._bends:
            self._sizes[:] = sizes
            kernels.bend(self._fields, self._used, self._sizes, self.nodes, self._need, self.place, self._across)

    def touch(self, rect: Rect) -> None:
        """The part ``rect`` of the sheet changed: draw the blocks that show it."""
        if int(self.place[6]):
            place = rect.x, rect.y, rect.width, rect.height
            kernels.touch(self.nodes, self._need, self.place, self._across, self._reach, place)


class Screen:
    """See the module. Not thread-safe. Raises what :func:`visavis.avatar.scenery.build` raises, and for impossible crops."""

    def __init__(self, layout: Layout) -> None:
        _check(layout)
        self.width, self.height = layout.width, layout.height
        self._side = layout.transparency == "side"
        self._scenery = scenery.build(layout)
        self._moving = any(isinstance(layer, VideoLayer) for layer in layout.layers)
        self._changes = self._moving or layout.subtitles is not None
        self._subtitled = False
        human = self._scenery.human
        self.human: Place5 | None = None
        if human is not None:
            self.human = human.x, human.y, human.width, human.height, human.rotation
        self._columns, self._rows = -(-self.width // BLOCK), -(-self.height // BLOCK)
        blocks = self._columns * self._rows
        self.need, self._kinds = np.full(blocks, 2, np.uint8), np.full(blocks, UNKNOWN, np.uint8)
        self._size = fixed(np.array([self.width, self.height, self._side], np.int64))
        under, alpha = self._scenery.under, self._scenery.alpha
        self._under = (fixed(under.y), fixed(under.u), fixed(under.v), _NOTHING if alpha is None else fixed(alpha))
        self._over: Sheet | None = None
        self._over_blocks = np.zeros(blocks, np.uint8)
        self._over_flat, self._fixed_blocks = _NOTHING, fixed(self._over_blocks)
        self._memories: dict[Figure, kernels.Memory] = {}
        self._addresses: dict[Figure, npt.NDArray[np.int64]] = {}
        self._clip, self._clip_blocks = self._clipped(human, layout.offset)
        self._changed: list[Rect] = []
        self._out: I420 | None = None
        self._flat: Plane = np.empty(0, np.uint8)
        if self._scenery.over:
            self._combine(Rect(0, 0, self.width, self.height))

    @property
    def pitch(self) -> int:
        """The width of the pictures drawn."""
        return self.width * (2 if self._side else 1)

    @property
    def cacheable(self) -> bool:
        """Nothing but motion changes the picture."""
        return not self._moving and not self._subtitled and self._scenery.still

    @property
    def key(self) -> str:
        """Names the layout and its files."""
        return self._scenery.key

    def subtitle(self, text: str | None, upto: int | None = None) -> None:
        """Burn the first ``upto`` characters of ``text`` in from now on."""
        self._subtitled = text is not None
        self._changed += self._scenery.subtitle(text, upto)

    def figure(
        self, sheet: Sheet, place: npt.NDArray[np.int64], tiles: Plane, fields: npt.NDArray[np.float32], reach: int
    ) -> Figure:
        """A figure of this screen; ``sheet`` may be written to later (see :meth:`Figure.touch`)."""
        return Figure(sheet, place, tiles, fields, reach, self.need, self._columns)

    def begin(self, pts: float, out: I420) -> None:
        """Go to the time ``pts``; what is drawn goes into ``out``, all of it if it is another one than before."""
        if out is not self._out:
            if out.shape != (self.height * 3 // 2, self.pitch) or not out.flags.c_contiguous:
                raise VisavisError(f"a picture of shape {out.shape}, wanted {(self.height * 3 // 2, self.pitch)}")
            self._out, self._flat = out, out.reshape(-1)
            self._memories.clear()
            if self._side:
                self._flat[2 * self.width * self.height :] = 128
            self.all()
        if not self._changes:
            return
        if not self._scenery.still:
            self._changed += self._scenery.advance(pts)
        if self._changed:
            for rect in self._changed:
                self._refresh(rect)
            self._changed.clear()

    def all(self) -> None:
        """Everything has to be drawn."""
        self.need[:] = 2

    def draw(self, figure: Figure) -> int:
        """Draw ``figure`` with all that is below and above it, where needed; how many blocks were drawn."""
        memory = self._memories.get(figure)
        if memory is None:
            out = Planes.view(self._flat, self.pitch, self.height)
            memory = kernels.Memory(out.y, out.u, out.v, *self._under, self._over_flat, self._clip, figure.sheet.flat)
            self._memories[figure] = memory
            self._addresses[figure] = memory.addresses()
        return kernels.draw(
            self._size, self._addresses[figure], figure.place, figure.tiles, figure.nodes, self._fixed_blocks,
            self._clip_blocks, self.need, self._kinds,
        )  # fmt: skip

    def _refresh(self, rect: Rect) -> None:
        rect = rect.cut(Rect(0, 0, self.width, self.height))
        if rect.empty:
            return
        if self._scenery.over:
            self._combine(rect)
        blocks = _blocks(rect)
        self.need.reshape(self._rows, self._columns)[blocks] = 2

    def _combine(self, rect: Rect) -> None:
        """Put all overlays of ``rect`` together into one sheet."""
        if self._over is None:
            self._over = Sheet.empty(self.width, self.height)
            self._over_flat = self._over.flat
            self._memories.clear()
        planes, half = self._over.planes, rect.halved()
        for index, plane in enumerate(planes):
            (rect if index < 2 else half).of(plane)[:] = 0
        for overlay in self._scenery.over:
            shared = overlay.rect.cut(rect)
            if shared.empty:
                continue
            inner = Rect(shared.x - overlay.rect.x, shared.y - overlay.rect.y, shared.width, shared.height)
            sources = overlay.y, overlay.a, overlay.u, overlay.v, overlay.a_half
            for index, (source, target) in enumerate(zip(sources, planes, strict=True)):
                full = index < 2
                alpha = inner.of(overlay.a) if full else inner.halved().of(overlay.a_half)
                part, into = (inner, shared) if full else (inner.halved(), shared.halved())
                below = into.of(target)
                rest = cv2.multiply(below, cv2.bitwise_not(alpha), scale=1 / 255)
                np.copyto(below, cv2.add(np.ascontiguousarray(part.of(source)), rest))
        self._mark(rect)

    def _mark(self, rect: Rect) -> None:
        assert self._over is not None
        blocks = _blocks(rect)
        rows, columns = blocks
        alpha = self._over.planes[1][
            rows.start * BLOCK : rows.stop * BLOCK, columns.start * BLOCK : columns.stop * BLOCK
        ]
        any_there = np.maximum.reduceat(
            np.maximum.reduceat(alpha, np.arange(0, alpha.shape[0], BLOCK), axis=0),
            np.arange(0, alpha.shape[1], BLOCK),
            axis=1,
        )
        self._over_blocks.reshape(self._rows, self._columns)[blocks] = any_there > 0

    def _clipped(self, human: Place | None, offset: tuple[int, int]) -> tuple[Plane, Plane]:
        """How much of the person each pixel shows (luma, then chroma), and each block."""
        if human is None:
            return _NOTHING, fixed(np.full(self._columns * self._rows, OPAQUE, np.uint8))
        turn = np.deg2rad(human.rotation)
        cos, sin = np.float32(np.cos(turn)), np.float32(np.sin(turn))
        row, column = np.indices((self._rows * BLOCK, self._columns * BLOCK), np.float32)
        # Pixel centres from the middle of the place, in its own directions; coverage falls over one pixel at the edge.
        x = column + np.float32(0.5 + offset[0] - human.x - human.width / 2)
        y = row + np.float32(0.5 + offset[1] - human.y - human.height / 2)
        across = np.clip(human.width / 2 + 0.5 - np.abs(cos * x + sin * y), 0, 1)
        down = np.clip(human.height / 2 + 0.5 - np.abs(cos * y - sin * x), 0, 1)
        mask = np.rint(255 * across * down).astype(np.uint8)
        tiled = mask.reshape(self._rows, BLOCK, self._columns, BLOCK)
        low, high = tiled.min(axis=(1, 3)), tiled.max(axis=(1, 3))
        blocks = np.where(low == 255, OPAQUE, np.where(high == 0, EMPTY, MIXED)).astype(np.uint8)
        shown = np.ascontiguousarray(mask[: self.height, : self.width])
        half = cv2.resize(shown, (self.width // 2, self.height // 2), interpolation=cv2.INTER_AREA)
        return fixed(np.concatenate([shown.reshape(-1), half.reshape(-1)])), fixed(blocks)


class OnScreen:
    """What a :class:`~visavis.avatar.types.Renderer` answers for its screen; ``key`` names the person too."""

    def __init__(self, screen: Screen, key: str) -> None:
        self._screen, self._key = screen, key

    @property
    def width(self) -> int:
        """Of the pictures drawn: twice the layout's with transparency "side"."""
        return self._screen.pitch

    @property
    def height(self) -> int:
        return self._screen.height

    @property
    def cacheable(self) -> bool:
        return self._screen.cacheable

    @property
    def key(self) -> str:
        return self._key

    def subtitle(self, text: str | None, upto: int | None = None) -> None:
        self._screen.subtitle(text, upto)


def _blocks(rect: Rect) -> tuple[slice, slice]:
    """(rows, columns) of the blocks that ``rect`` touches."""
    return (
        slice(rect.y // BLOCK, -(-rect.bottom // BLOCK)),
        slice(rect.x // BLOCK, -(-rect.right // BLOCK)),
    )


def _check(layout: Layout) -> None:
    width, height = layout.width, layout.height
    if width % 2 or height % 2 or width < 16 or height < 16:
        raise VisavisError(f"picture size {width}x{height}: both must be even, and 16 or more")
    stage = layout.stage or (width, height)
    crop = Rect(layout.offset[0], layout.offset[1], width, height)
    if crop.cut(Rect(0, 0, *stage)) != crop:
        raise VisavisError(
            f"the crop {width}x{height} at ({layout.offset[0]}, {layout.offset[1]}) reaches beyond the stage "
            f"{stage[0]}x{stage[1]}"
        )
