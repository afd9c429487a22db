"""Filmed people: an idle loop plays for ever, and mouth and eyes are put where its head is.

The film's pictures are prepared like a still person's (:mod:`visavis.avatar.scene`), one sheet each, in a file that all sessions
map. A frame copies the sheet of its moment, lays mouth and eyes over it, displaced as the film's head is, and is then drawn
like any other. The film moves by itself: head pose and breath of the motion are not used.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from visavis.avatar import cache, kernels, moving_video
from visavis.avatar.archive import PackError
from visavis.avatar.choose import EyesChooser, MouthChooser
from visavis.avatar.kernels import BEYOND, BLOCK, OPAQUE, TILE, UNITS, UNKNOWN, fixed
from visavis.avatar.layout import Layout
from visavis.avatar.manifest import Bank, Loop
from visavis.avatar.pack import Pack
from visavis.avatar.planes import Placement, Plane, Rect, Sheet, premultiplied, yuva
from visavis.avatar.scene import placed, tiles
from visavis.avatar.screen import Figure, OnScreen, Screen
from visavis.avatar.types import I420
from visavis.motion.frame import MotionFrame

VERSION: Final = 1
MAX_FILM: Final = 3 * 2**29
"""Bytes of all prepared pictures of a film at one size: more is refused."""
_EDGE: Final = 32
"""Canvas pixels by which the film is continued beyond its edges, so that scaling does not fade it out there."""
_REST: Final = 0.02
"""An entry whose blendshapes are all below this is what the film shows anyway."""


class Filmed(OnScreen):
    """A :class:`~visavis.avatar.types.Renderer` of a pack with a filmed loop. Not thread-safe: one serves one session.

    Raises:
        PackError: a picture or video is damaged, or the film is too long for this size.
        VisavisError: odd sizes, or a crop that reaches beyond its stage.
    """

    def __init__(self, pack: Pack, layout: Layout) -> None:
        kernels.ready(cache.code_folder())
        loop = pack.manifest.loop
        if loop is None:
            raise PackError(f"{pack.manifest.id}: has no loop")
        self._loop = loop
        screen = Screen(layout)
        super().__init__(screen, hashlib.sha256(f"{VERSION} film {pack.digest} {screen.key}".encode()).hexdigest())
        placement, _ = placed(pack.manifest.views, layout, self._screen.human)
        name = hashlib.sha256(repr((VERSION, "film", pack.digest, placement)).encode()).hexdigest()[:40]
        self._stored = cache.stored(name, lambda: _arrays(pack, loop, placement))
        place = self._stored["place"]
        self._films, self._tiles = self._stored["films"], self._stored["tiles"]
        # The sheet of the moment: the kernels take its address, so it stays the same array.
        self._sheet = Sheet(int(place[0]), int(place[1]), self._films[0].copy())
        self._now = self._tiles[0].copy()
        nothing = np.zeros((2, 1, (int(place[6]) + 1) * (int(place[7]) + 1)), np.float32)
        self._figure = self._screen.figure(self._sheet, place, self._now, nothing, 0)
        entries = pack.manifest.mouth.entries, pack.manifest.eyes.entries
        self._choosers = MouthChooser(entries[0]), EyesChooser(entries[1])
        self._resting = tuple(
            tuple(max(entry.blendshapes.values(), default=0.0) < _REST for entry in bank) for bank in entries
        )
        self._table = _Table(self._sheet)
        self._patches = tuple(_Patch(self._stored, bank, self._table) for bank in ("mouth", "eyes"))
        self._shown: tuple[int, int, int] | None = None

    @property
    def cacheable(self) -> bool:
        """Never: the film runs by the clock, which no loop of motions follows."""
        return False

    def draw(self, motion: MotionFrame, out: I420) -> bool:
        """Draw ``motion`` into ``out``, which holds the previous picture; False if there was nothing to change."""
        self._screen.begin(motion.pts, out)
        at = round(motion.pts * self._loop.fps) % len(self._films)
        wanted = at, self._choosers[0].pick(motion), self._choosers[1].pick(motion)
        if wanted != self._shown:
            np.copyto(self._sheet.flat, self._films[at])
            np.copyto(self._now, self._tiles[at])
            for patch, resting, index in zip(self._patches, self._resting, wanted[1:], strict=True):
                if not resting[index]:
                    patch.draw(at, index)
            self._screen.all()
            self._shown = wanted
        return self._screen.draw(self._figure) > 0


class _Table:
    """A sheet as something to draw on: colours only, its alpha stays."""

    def __init__(self, sheet: Sheet) -> None:
        self.sheet = sheet
        self.columns, self.rows = -(-sheet.width // BLOCK), -(-sheet.height // BLOCK)
        blocks = self.columns * self.rows
        self.size = fixed(np.array([sheet.width, sheet.height, 0], np.int64))
        self.need, self.kinds = np.zeros(blocks, np.uint8), np.full(blocks, UNKNOWN, np.uint8)
        self.over = fixed(np.zeros(blocks, np.uint8))
        self.clip = fixed(np.full(blocks, OPAQUE, np.uint8))


class _Patch:
    """The pictures of one bank, to be laid over the film where its head is. ``nodes``: of each of the film's pictures."""

    def __init__(self, stored: cache.Stored, bank: str, table: _Table) -> None:
        self._table, self._nodes, self._flat = table, stored[f"{bank}_nodes"], stored[bank]
        self._tiles = stored[f"{bank}_tiles"]
        place = stored[f"{bank}_place"]
        self._current = np.zeros(max(self._flat.shape[1], 1), np.uint8)
        sheet = Sheet(int(place[0]), int(place[1]), self._current)
        none = np.zeros((2, 1, (int(place[6]) + 1) * (int(place[7]) + 1)), np.float32)
        self._figure = Figure(sheet, place, self._tiles, none, 0, table.need, table.columns)
        below = table.sheet.planes
        self._memory = kernels.Memory(
            below[0], below[2], below[3], below[0], below[2], below[3], below[1], self._current, self._current,
            self._current,
        )  # fmt: skip
        self._addresses = self._memory.addresses()
        x, y, width, height = (int(value) for value in place[4:8])
        self._blocks = np.s_[y : y + height, x : x + width]

    def draw(self, at: int, index: int) -> None:
        """Lay entry ``index`` over picture ``at`` of the film."""
        table, figure = self._table, self._figure
        if not self._flat.size:
            return
        np.copyto(self._current, self._flat[index])
        np.copyto(figure.nodes, self._nodes[at])
        table.need.reshape(table.rows, table.columns)[self._blocks] = 1
        # Blocks that show nothing of it need not be copied onto themselves.
        table.kinds[:] = 0
        kernels.draw(
            table.size, self._addresses, figure.place, figure.tiles, figure.nodes, table.over, table.clip, table.need,
            table.kinds,
        )  # fmt: skip


def _arrays(pack: Pack, loop: Loop, placement: Placement) -> cache.Arrays:
    whole = Rect(0, 0, -(-placement.width // BLOCK), -(-placement.height // BLOCK))
    area = Rect(0, 0, whole.width * BLOCK, whole.height * BLOCK).grown(2 * TILE)
    count, size = len(loop.frames), Sheet.bytes(area.width, area.height)
    if count * size > MAX_FILM:
        raise PackError(
            f"{pack.manifest.id}: its film of {count} pictures is too long for pictures of "
            f"{placement.width}x{placement.height}"
        )
    place = np.array([area.width, area.height, area.x, area.y, 0, 0, whole.width, whole.height], np.int64)
    films = _scratch((count, size))
    flags = np.empty((count, (area.width // TILE) * (area.height // TILE)), np.uint8)
    for index, picture in enumerate(_pictures(pack, loop)):
        sheet = Sheet.of_yuva(yuva(placement.render(picture, (-_EDGE, -_EDGE), area)))
        films[index] = sheet.flat
        flags[index] = tiles(sheet.planes[1], sheet.planes[1])
    arrays: cache.Arrays = {"place": place, "films": films, "tiles": flags}
    moves = np.array([frame.matrix for frame in loop.frames], np.float64).reshape(-1, 2, 3)
    for name, bank in (("mouth", pack.manifest.mouth), ("eyes", pack.manifest.eyes)):
        patch = _bank(pack, bank, placement, moves, area)
        arrays |= {
            name: patch.flat, f"{name}_place": patch.place, f"{name}_tiles": patch.tiles, f"{name}_nodes": patch.nodes,
        }  # fmt: skip
    return arrays


def _scratch(shape: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """A large array that lies in a file, not in memory; the file goes with it."""
    folder = cache.folder()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.TemporaryFile(dir=folder) as file:
        return np.memmap(file, np.uint8, "w+", shape=shape)


def _pictures(pack: Pack, loop: Loop) -> Iterator[Plane]:
    """The film's pictures with alpha, premultiplied BGRA, continued by _EDGE pixels on each side."""
    canvas, count = pack.manifest.canvas, len(loop.frames)
    size = canvas.width, canvas.height, count
    alphas = moving_video.pictures(pack.members[loop.alpha], *size) if loop.alpha else None
    for planes in moving_video.pictures(pack.members[loop.file], *size):
        bgra = cv2.cvtColor(cv2.cvtColor(planes, cv2.COLOR_YUV2BGR_I420), cv2.COLOR_BGR2BGRA)
        if alphas is not None:
            luma = next(alphas)[: canvas.height].astype(np.float32)
            bgra[..., 3] = np.clip(np.rint((luma - 16) * (255 / 219)), 0, 255).astype(np.uint8)
        picture = premultiplied(np.asarray(bgra, np.uint8))
        yield np.asarray(cv2.copyMakeBorder(picture, _EDGE, _EDGE, _EDGE, _EDGE, cv2.BORDER_REPLICATE), np.uint8)


@dataclass(frozen=True, slots=True)
class _Prepared:
    flat: npt.NDArray[np.uint8]
    place: npt.NDArray[np.int64]
    tiles: npt.NDArray[np.uint8]
    nodes: npt.NDArray[np.int32]


def _bank(pack: Pack, bank: Bank, placement: Placement, moves: npt.NDArray[np.float64], area: Rect) -> _Prepared:
    """A bank's patches multiplied by its mask, where they lie unmoved; coordinates are those of the film's sheet."""
    box = Rect(bank.box.x, bank.box.y, bank.box.width, bank.box.height)
    mask = pack.picture(bank.mask)
    found = placement.rect(box).grown(BEYOND + 4)
    # Even corners, sides of whole tiles, and so far out that the frame around the patch is never left.
    x, y = found.x & ~1, found.y & ~1
    lies = Rect(x, y, -(-(found.right - x) // TILE) * TILE, -(-(found.bottom - y) // TILE) * TILE)
    sheets = []
    for entry in bank.entries:
        patch = premultiplied(pack.picture(entry.file))
        weighed = np.rint(patch * (mask[..., None] / np.float32(255))).astype(np.uint8)
        margin = placement.margin
        framed = cv2.copyMakeBorder(weighed, margin, margin, margin, margin, cv2.BORDER_CONSTANT, value=(0, 0, 0, 0))
        origin = box.x - margin, box.y - margin
        sheets.append(Sheet.of_yuva(yuva(placement.render(np.asarray(framed, np.uint8), origin, lies))))
    alphas = np.stack([sheet.planes[1] for sheet in sheets])
    flags = tiles(alphas.min(axis=0), alphas.max(axis=0))
    back = np.stack([_in_output(placement, move) for move in moves])
    grid = _grid(placement.rect(box).grown(4), back, area)
    node_x, node_y = np.meshgrid(
        (np.arange(grid.width + 1) + grid.x) * BLOCK + area.x + 0.5,
        (np.arange(grid.height + 1) + grid.y) * BLOCK + area.y + 0.5,
    )
    points = np.stack([node_x.ravel(), node_y.ravel(), np.ones(node_x.size)])
    nodes = np.rint((back @ points - points[:2]) * UNITS)
    place = np.array(
        [lies.width, lies.height, lies.x - area.x, lies.y - area.y, grid.x, grid.y, grid.width, grid.height], np.int64
    )
    limit = np.iinfo(np.int32).max // (64 * UNITS)
    bounded = np.clip(nodes, -limit, limit).astype(np.int32)
    return _Prepared(np.stack([sheet.flat for sheet in sheets]), place, flags, bounded)


def _in_output(placement: Placement, move: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """From a point of the output to the point of the output that it shows, were the head unmoved: 2x3."""
    to = np.eye(3)
    to[0, 0] = to[1, 1] = placement.scale
    to[:2, 2] = placement.shift_x, placement.shift_y
    if placement.rotation:
        turn = np.eye(3)
        turn[:2, :2] = np.stack(placement.turned(np.array([1.0, 0.0]), np.array([0.0, 1.0])))
        pivot = np.array(placement.pivot)
        turn[:2, 2] = pivot - turn[:2, :2] @ pivot
        to = turn @ to
    full = np.vstack([move, [0, 0, 1]])
    if abs(np.linalg.det(full[:2, :2])) < 1e-3:
        raise PackError("loop.frames: a matrix makes the face vanish")
    return np.asarray((to @ np.linalg.inv(full) @ np.linalg.inv(to))[:2])


def _grid(rect: Rect, back: npt.NDArray[np.float64], area: Rect) -> Rect:
    """The blocks of the film's sheet that a patch covering ``rect`` can be seen in, in any picture of the film."""
    x, y = np.array([rect.x, rect.right] * 2), np.repeat([rect.y, rect.bottom], 2)
    forth = np.linalg.inv(np.concatenate([back, np.tile([[[0.0, 0.0, 1.0]]], (len(back), 1, 1))], axis=1))
    there = forth[:, :2] @ np.stack([x, y, np.ones(4)])
    low = (there.min(axis=(0, 2)) - (area.x, area.y)) // BLOCK
    high = -(-(there.max(axis=(0, 2)) - (area.x, area.y)) // BLOCK)
    columns, rows = -(-area.width // BLOCK), -(-area.height // BLOCK)
    low, high = np.clip(low, 0, (columns - 1, rows - 1)), np.clip(high, 1, (columns, rows))
    return Rect(int(low[0]), int(low[1]), max(1, int(high[0] - low[0])), max(1, int(high[1] - low[1])))
