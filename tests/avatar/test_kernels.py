"""The kernels against plain arithmetic: sampling, blending, edges, and which blocks are drawn."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from visavis.avatar import cache, kernels
from visavis.avatar.kernels import BEYOND, BLOCK, UNITS, UNKNOWN, fixed
from visavis.avatar.planes import Planes, Sheet
from visavis.avatar.scene import tiles

Array = npt.NDArray[np.float64]


@pytest.fixture(scope="module", autouse=True)
def _compiled() -> None:
    kernels.ready(cache.code_folder())


class Scene:
    """A random sheet over a random background."""

    def __init__(self, width: int, height: int, side: bool = False, seed: int = 1) -> None:
        rng = np.random.default_rng(seed)
        self.width, self.height, self.side = width, height, side
        self.columns, self.rows = -(-width // BLOCK), -(-height // BLOCK)
        self.pad = pad = BEYOND + 64
        self.sheet = Sheet.empty(self.columns * BLOCK + 2 * pad, self.rows * BLOCK + 2 * pad)
        y, a, u, v, half = self.sheet.planes
        inner = np.s_[BEYOND:-BEYOND, BEYOND:-BEYOND]
        coarse = rng.integers(0, 3, (a.shape[0] // 32 + 1, a.shape[1] // 32 + 1)) * 127 + 1
        a[inner] = (
            np.where(coarse > 250, 255, np.where(coarse < 5, 0, coarse))
            .repeat(32, 0)
            .repeat(32, 1)[: a.shape[0], : a.shape[1]][inner]
        )
        half[:] = a.reshape(a.shape[0] // 2, 2, -1, 2).mean(axis=(1, 3))
        for plane, alpha in ((y, a), (u, half), (v, half)):
            smooth = rng.integers(0, 255, (plane.shape[0] // 4 + 1, plane.shape[1] // 4 + 1)).repeat(4, 0).repeat(4, 1)
            plane[:] = smooth[: plane.shape[0], : plane.shape[1]] * (alpha / 255)
        self.under = [rng.integers(0, 255, (height // s, width // s)).astype(np.uint8) for s in (1, 2, 2, 1)]
        self.over = Sheet.empty(width, height)
        self.over_blocks = np.zeros(self.columns * self.rows, np.uint8)
        self.place = np.array(
            [self.sheet.width, self.sheet.height, -pad, -pad, 0, 0, self.columns, self.rows], np.int64
        )
        self.nodes = np.zeros((2, (self.columns + 1) * (self.rows + 1)), np.int32)
        self.need = np.full(self.columns * self.rows, 2, np.uint8)
        self.kinds = np.full(self.columns * self.rows, UNKNOWN, np.uint8)
        self.out = np.zeros((height * 3 // 2, width * (1 + side)), np.uint8)

    def draw(self) -> int:
        planes = Planes.view(self.out, self.width * (1 + self.side), self.height)
        flat = [plane.reshape(-1) for plane in self.under]
        clip = np.zeros(1, np.uint8)
        memory = kernels.Memory(planes.y, planes.u, planes.v, *flat, self.over.flat, clip, self.sheet.flat)
        tile = tiles(self.sheet.planes[1], self.sheet.planes[1])
        return kernels.draw(
            fixed(np.array([self.width, self.height, self.side], np.int64)), memory.addresses(), fixed(self.place),
            fixed(tile), self.nodes, fixed(self.over_blocks), fixed(np.full_like(self.kinds, 2)), self.need, self.kinds,
        )  # fmt: skip

    def displacement(self, x: Array, y: Array, axis: int) -> Array:
        """Bilinear between the nodes, at luma coordinates."""
        grid = self.nodes[axis].reshape(self.rows + 1, self.columns + 1) / UNITS
        column, row = (
            np.minimum(x // BLOCK, self.columns - 1).astype(int),
            np.minimum(y // BLOCK, self.rows - 1).astype(int),
        )
        s, t = x / BLOCK - column, y / BLOCK - row
        upper = grid[row, column] * (1 - s) + grid[row, column + 1] * s
        lower = grid[row + 1, column] * (1 - s) + grid[row + 1, column + 1] * s
        return np.asarray(upper * (1 - t) + lower * t)

    def wanted(self, index: int) -> Array:
        """Plane ``index`` (Y, U, V) by plain arithmetic."""
        y, a, u, v, half = (plane.astype(float) for plane in self.sheet.planes)
        source, alpha, scale = ((y, a, 1), (u, half, 2), (v, half, 2))[index]
        row, column = np.indices((self.height // scale, self.width // scale)).astype(float)
        # Where chroma samples lie among luma samples.
        at_x, at_y = (column, row) if scale == 1 else (2 * column + 0.5, 2 * row + 0.5)
        x = column + (self.displacement(at_x, at_y, 0) + self.pad) / scale
        y_ = row + (self.displacement(at_x, at_y, 1) + self.pad) / scale
        person, cover = _bilinear(source, x, y_), _bilinear(alpha, x, y_)
        return np.asarray(person + self.under[index] * (1 - cover / 255))


def _bilinear(plane: Array, x: Array, y: Array) -> Array:
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    s, t = x - left, y - top
    upper = plane[top, left] * (1 - s) + plane[top, left + 1] * s
    lower = plane[top + 1, left] * (1 - s) + plane[top + 1, left + 1] * s
    return np.asarray(upper * (1 - t) + lower * t)


def _fields(scene: Scene, name: str) -> None:
    row, column = np.indices((scene.rows + 1, scene.columns + 1)).astype(float)
    x, y = {
        "none": (0 * row, 0 * row),
        "whole": (0 * row + 5, 0 * row - 3),
        "lifted": (0 * row, 1.3 + 0.2 * np.sin(row)),
        "gentle": (1.4 * np.sin(row / 3), 1.7 * np.cos(column / 3) + 0.01 * row),
        "turned": (0.8 * (row - 3), -0.8 * (column - 4)),
        "steep": (4.0 * np.sin(column), 4.0 * np.cos(row)),
    }[name]
    scene.nodes[0], scene.nodes[1] = (np.rint(field.ravel() * UNITS) for field in (x, y))


@pytest.mark.parametrize("field", ["none", "whole", "lifted", "gentle", "turned", "steep"])
@pytest.mark.parametrize("size", [(160, 96), (150, 90), (18, 34)], ids=lambda size: f"{size[0]}x{size[1]}")
def test_sampling_and_blending_are_what_they_say(size: tuple[int, int], field: str) -> None:
    scene = Scene(*size)
    _fields(scene, field)
    assert scene.draw() == scene.columns * scene.rows
    planes = Planes.view(scene.out, *size)
    for index, plane in enumerate((planes.y, planes.u, planes.v)):
        error = abs(plane.astype(float) - scene.wanted(index))
        # Two roundings to 8 bits, weights to 1/128 of steps of up to 255.
        assert error.max() <= (2.5 if field in ("none", "whole") else 5.0)
        assert error.mean() < 0.8


def test_unmoved_opaque_pixels_are_the_sheets_own() -> None:
    scene = Scene(160, 96)
    scene.draw()
    y, a = (plane[scene.pad : scene.pad + 96, scene.pad : scene.pad + 160] for plane in scene.sheet.planes[:2])
    solid, nothing = a == 255, a == 0
    assert solid.any()
    assert nothing.any()
    assert (scene.out[:96][solid] == y[solid]).all()
    assert (scene.out[:96][nothing] == scene.under[0][nothing]).all()


def test_alpha_beside_the_picture() -> None:
    scene = Scene(150, 90, side=True)
    scene.draw()
    alpha = scene.sheet.planes[1][scene.pad : scene.pad + 90, scene.pad : scene.pad + 150].astype(float)
    total = alpha + scene.under[3] * (1 - alpha / 255)
    assert abs(scene.out[:90, 150:] - (16 + total * 219 / 255)).max() <= 1.5


def test_what_lies_above_covers() -> None:
    scene = Scene(64, 64)
    y, a, u, v, half = scene.over.planes
    y[:32], a[:32], u[:16], v[:16], half[:16] = 200, 255, 90, 60, 255
    y[32:48], a[32:48], u[16:24], v[16:24], half[16:24] = 50, 128, 64, 64, 128
    scene.over_blocks[: 3 * scene.columns] = 1
    scene.draw()
    planes = Planes.view(scene.out, 64, 64)
    assert (planes.y[:32] == 200).all()
    assert (planes.v[:16] == 60).all()
    below = scene.wanted(0)[32:48]
    assert abs(planes.y[32:48] - (50 + below * (127 / 255))).max() <= 2.5
    assert abs(planes.y[48:] - scene.wanted(0)[48:]).max() <= 2.5


def test_only_what_needs_it_is_drawn() -> None:
    scene = Scene(160, 96)
    scene.draw()
    assert scene.draw() == 0
    scene.out[:] = 0
    scene.need[7] = 2
    assert scene.draw() == 1
    assert not scene.need.any()
    changed = scene.out[:96].astype(bool)
    changed[:16, 112:128] = False
    assert not changed.any()


def test_who_is_displaced_off_the_sheet_is_not_seen() -> None:
    scene = Scene(64, 64)
    scene.nodes[0] = 100_000
    scene.draw()
    assert (scene.out[:64] == scene.under[0]).all()


def test_bend_moves_nodes_and_marks_their_blocks() -> None:
    scene = Scene(64, 64)
    scene.need[:] = 0
    fields = np.zeros((2, 3, 25), np.float32)
    fields[0, 1, 12] = -40.4
    used = fixed(np.asarray(fields.any(axis=2), np.uint8))
    fields.flags.writeable = False
    sizes = np.array([5.0, 0.5, 1.0], np.float32)
    kernels.bend(fields, used, sizes, scene.nodes, scene.need, fixed(scene.place), scene.columns)
    assert scene.nodes[0, 12] == -20
    assert abs(scene.nodes).sum() == 20
    assert np.flatnonzero(scene.need).tolist() == [5, 6, 9, 10]
    scene.need[:] = 0
    kernels.bend(fields, used, sizes, scene.nodes, scene.need, fixed(scene.place), scene.columns)
    assert not scene.need.any()
