"""The pixels of a frame: warped, laid over what is below, under what is above, block by block.

A picture is cut into blocks of 16x16 luma and 8x8 chroma samples, the macroblocks of the encoder: what does not change in one
costs neither of the two anything. Each block is drawn in one pass and written once:

    out = over + (person + under * (1 - person's alpha)) * (1 - over's alpha)

The person is sampled bilinearly at ``place + displacement``. Displacements are given at the corners of the blocks (*nodes*,
units of 1/32 pixel) and run linearly between them, so neighbouring blocks meet without a seam. Along a row of sixteen pixels
the place that is sampled drifts by a pixel or two at most; instead of fetching each pixel's own two neighbours, a row reads all
two, three or more candidates as contiguous vectors and weighs them by tents (``1 - |distance|``, 0 beyond a pixel), which is
the same sum. Intermediate results are rounded to 8 bits, weights to 1/128.

Kernels are compiled by :func:`ready`, once for a machine: the machine code is kept in a cache folder.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numba
import numpy as np
import numpy.typing as npt
from numba.core import types

from visavis.avatar import kernels_blocks, kernels_lanes, kernels_sample
from visavis.avatar.kernels_blocks import BEYOND, BLOCK, EMPTY, MIXED, OPAQUE, TILE, UNITS, UNKNOWN, WINDOW

__all__ = [
    "BEYOND",
    "BLOCK",
    "EMPTY",
    "MIXED",
    "OPAQUE",
    "TILE",
    "UNITS",
    "UNKNOWN",
    "WINDOW",
    "Memory",
    "bend",
    "draw",
    "fixed",
    "paste",
    "ready",
    "touch",
]

Flat = npt.NDArray[np.uint8]
Numbers = npt.NDArray[np.int64]

_BYTES: Final = types.Array(types.uint8, 1, "C")
_FIXED: Final = types.Array(types.uint8, 1, "C", readonly=True)
_NUMBERS: Final = types.Array(types.int64, 1, "C", readonly=True)
_NODES: Final = types.Array(types.int32, 2, "C")
_FIELDS: Final = types.Array(types.float32, 3, "C", readonly=True)
_SIZES: Final = types.Array(types.float32, 1, "C")

_LOCK: Final = threading.Lock()
_READY: dict[str, Any] = {}


def fixed(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """A flat view of a contiguous ``array`` that cannot be written to: what kernels take for what they only read."""
    view = np.ascontiguousarray(array).reshape(-1)
    if view.size and not np.shares_memory(view, array):
        raise ValueError("the array is not contiguous")
    view = view.view()
    view.flags.writeable = False
    return view


def ready(folder: Path | None = None) -> None:
    """Compile the kernels for this machine, or load what was compiled before: seconds the first time, else milliseconds.

    Args:
        folder: where the machine code is kept (loading it runs it: nobody else may write there); None: a folder that the
            environment variable NUMBA_CACHE_DIR names, else it is not kept.
    """
    with _LOCK:
        if _READY:
            return
        named = os.environ.get("NUMBA_CACHE_DIR", "")
        keep = Path(named) if named else folder
        if keep is not None:
            sources = [Path(str(each.__file__)) for each in (kernels_blocks, kernels_lanes, kernels_sample)]
            version = hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()[:16]
            # numba looks at the file of the outermost function only: name the folder after all that goes into it.
            keep = keep / f"kernels-{version}"
        draw_signature = types.int64(
            _NUMBERS, _NUMBERS, _NUMBERS, _FIXED, _NODES, _FIXED, _FIXED, _BYTES, _BYTES
        )  # fmt: skip
        bend_signature = types.void(_FIELDS, _FIXED, _SIZES, _NODES, _BYTES, _NUMBERS, types.int64)
        with _only_one(keep):
            built = {
                "draw": _built(kernels_blocks.draw, draw_signature, keep),
                "bend": _built(kernels_blocks.bend, bend_signature, keep),
                "paste": _built(kernels_blocks.paste, types.void(*[types.int64] * 8, types.boolean), keep),
                "touch": _built(kernels_blocks.touch, types.void(_NODES, _BYTES, _NUMBERS, *[types.int64] * 6), keep),
            }
        _READY.update(built)


@contextlib.contextmanager
def _only_one(keep: Path | None) -> Iterator[None]:
    """While one process compiles, others wait and then load what it has made."""
    if keep is None:
        yield
        return
    try:
        keep.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = (keep / "lock").open("w")
    except OSError:
        yield
        return
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _built(function: Any, signature: Any, keep: Path | None) -> Any:
    config: Any = numba.config
    dispatcher = numba.njit(nogil=True, error_model="numpy")(function)
    if keep is not None and os.access(keep, os.W_OK):
        before = config.CACHE_DIR
        config.CACHE_DIR = str(keep)
        try:
            dispatcher.enable_caching()
        finally:
            config.CACHE_DIR = before
    dispatcher.compile(signature)
    dispatcher.disable_compile()
    return dispatcher


@dataclass(frozen=True, slots=True)
class Memory:
    """The planes that a picture is made of, all flat and contiguous; kept alive by whoever draws.

    A *sheet* holds the planes Y, A, U, V and A at half size of one picture, one after the other, colours premultiplied.

    Attributes:
        out_y, out_u, out_v: the picture; of twice the width with alpha beside it.
        under_y, under_u, under_v: what lies below the person; may be the picture itself.
        under_alpha: its alpha, of the luma's size; read only with alpha beside the picture.
        over: a sheet of the output's size: what lies above the person.
        clip: how much of the person is seen (luma, then chroma).
        sheet: the person.
    """

    out_y: Flat
    out_u: Flat
    out_v: Flat
    under_y: Flat
    under_u: Flat
    under_v: Flat
    under_alpha: Flat
    over: Flat
    clip: Flat
    sheet: Flat
    scratch: Flat = field(default_factory=lambda: np.zeros(512, np.uint8))

    def addresses(self) -> Numbers:
        """What kernels want to know of it."""
        planes = (
            self.out_y, self.out_u, self.out_v, self.under_y, self.under_u, self.under_v, self.under_alpha, self.over,
            self.clip, self.sheet, self.scratch,
        )  # fmt: skip
        if not all(plane.flags.c_contiguous for plane in planes):
            raise ValueError("a plane is not contiguous")
        return fixed(np.array([plane.ctypes.data for plane in planes], np.int64))


def draw(
    size: Numbers, memory: Numbers, place: Numbers, tiles: Flat, nodes: npt.NDArray[np.int32], over_blocks: Flat,
    clip_blocks: Flat, need: Flat, kinds: Flat,
) -> int:  # fmt: skip
    """Draw the blocks that need it; returns how many were drawn. :func:`ready` must have been called.

    What is only read comes from :func:`fixed`. Nothing is checked: wrong sizes crash the process.

    Args:
        size: width, height of the picture, and 1 if alpha is to lie beside it.
        memory: :meth:`Memory.addresses` of planes of these sizes, all still alive.
        place: width and height of the person's sheet (multiples of TILE), the output pixel of its first one (even), the first
            block of the grid, the numbers of its columns and rows of blocks. The person is drawn in the grid only.
        tiles: EMPTY, MIXED or OPAQUE for each tile of the sheet: what it is in the WINDOW x WINDOW tiles from there on.
        nodes: shape (2, (columns + 1) * (rows + 1)), displacement at the corners of the grid's blocks, x and y, UNITS.
        over_blocks: whether there is anything of ``over`` in a block of the output.
        clip_blocks: where the person may be seen: EMPTY, MIXED, OPAQUE; ``clip`` is read where it is MIXED.
        need: of each block of the output: 0, 1 (the person moved) or 2 (draw it in any case). 0 afterwards.
        kinds: what each block showed last; kept up here. UNKNOWN at first.
    """
    return int(_READY["draw"](size, memory, place, tiles, nodes, over_blocks, clip_blocks, need, kinds))


def bend(
    fields: npt.NDArray[np.float32], used: Flat, sizes: npt.NDArray[np.float32], nodes: npt.NDArray[np.int32],
    need: Flat, place: Numbers, across: int,
) -> None:  # fmt: skip
    """Set ``nodes`` to the sum of ``fields`` (2, terms, nodes; in UNITS) times ``sizes``.

    Blocks that it changes need drawing. ``used``: flat, 0 for each field that is nothing; ``across``: blocks in a row of the
    output. The other arguments are those of :func:`draw`.
    """
    _READY["bend"](fields, used, sizes, nodes, need, place, across)


def paste(sheet: int, size: tuple[int, int], patch: int, rect: tuple[int, int, int, int], shapely: bool) -> None:
    """Copy the sheet at the address ``patch`` into the one at ``sheet``.

    Args:
        size: width and height of ``sheet``.
        rect: x, y, width and height of ``patch`` in it, even; it must lie inside.
        shapely: alpha too.
    """
    _READY["paste"](sheet, *size, patch, *rect, shapely)


def touch(
    nodes: npt.NDArray[np.int32], need: Flat, place: Numbers, across: int, reach: int, rect: tuple[int, int, int, int]
) -> None:  # fmt: skip
    """The part ``rect`` (x, y, width, height) of the sheet changed: the blocks that show any of it need drawing.

    ``reach``: the most that anything is displaced, pixels. The other arguments are those of :func:`draw`.
    """
    _READY["touch"](nodes, need, place, across, reach, *rect)
