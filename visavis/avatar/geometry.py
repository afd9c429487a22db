"""How a pack's person moves, as numbers in the canvas's own pixels: for renderers that are not ours (see webform).

All displacements grow with the size of the picture, so what is computed here for a scale of 1 serves every size.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from visavis.avatar.pack import Pack
from visavis.avatar.planes import Placement, Plane
from visavis.avatar.scene import head_half_width, part_masks, relief
from visavis.avatar.warp import MAX_PITCH, MAX_ROLL, MAX_SHIFT, MAX_YAW, Body, Field, displacement

CELLS: Final = 120
"""Cells along the longer side of the canvas."""
PARTS: Final = ("yaw", "pitch", "roll", "shift_x", "shift_y", "breath")
"""The parts of a pose in the order of :func:`visavis.avatar.warp.displacement`."""
ACROSS: Final = ("yaw", "roll", "shift_x")
"""The parts that displace columns; the breath, which displaces rows as :data:`DOWN` does, depends on the view."""
DOWN: Final = ("pitch", "roll", "shift_y")


@dataclass(frozen=True, slots=True)
class Fields:
    """Displacements on a grid of points, canvas pixels: how far from a point the picture is sampled that is shown there.

    Attributes:
        origin: of the first point; it lies outside the canvas, as the last does.
        cell: between two points.
        columns, rows: of points.
        limits: of each part of a pose, see :func:`limits`.
        fields: what each part of a pose adds at size 1, shape (rows, columns): ``x/yaw`` to the column, and so on. The
            sizes are sines of yaw, pitch and roll, shifts in heights of the face, and the breath, 0..1. ``y/breath.portrait``
            and ``y/breath.landscape`` have shape (rows,): where the breath ends depends on the view.
    """

    origin: tuple[float, float]
    cell: float
    columns: int
    rows: int
    limits: dict[str, dict[str, Any]]
    fields: dict[str, Field]


def masks(pack: Pack) -> tuple[Plane, Plane]:
    """The masks of mouth and eyes; where they overlap they add up to 255 at most. PackError: damaged."""
    mouth, eyes = pack.picture(pack.manifest.mouth.mask), pack.picture(pack.manifest.eyes.mask)
    part_masks(mouth, pack.manifest.mouth, eyes, pack.manifest.eyes)
    return mouth, eyes


def fields(pack: Pack, base: Plane) -> Fields:
    """The fields of ``pack``; ``base``: its base picture."""
    manifest = pack.manifest
    width, height = manifest.canvas.width, manifest.canvas.height
    as_it_is = Placement(width, height, 1.0, 0.0, 0.0)
    half_width, depth = head_half_width(base, pack), relief(pack)
    views = {"portrait": manifest.views.portrait, "landscape": manifest.views.landscape}
    bodies = {
        name: Body.of(manifest.anchors, as_it_is, half_width, float(view.y + view.height))
        for name, view in views.items()
    }
    body = bodies["portrait"]
    cell = max(width, height) / CELLS
    beyond = int(np.ceil(body.reach / cell)) + 1
    columns, rows = (int(np.ceil(side / cell)) + 2 * beyond + 1 for side in (width, height))
    origin = -beyond * cell
    # Half a pixel: the compositor counts from the centres of pixels, a browser from their edges.
    x, y = (
        np.arange(count, dtype=np.float32) * np.float32(cell) + np.float32(origin - 0.5) for count in (columns, rows)
    )
    at_x, at_y = np.meshgrid(x, y)
    moved = displacement(body, as_it_is, at_x, at_y, depth)
    found = {
        f"{axis}/{part}": moved[index, PARTS.index(part)]
        for index, (axis, parts) in enumerate((("x", ACROSS), ("y", DOWN)))
        for part in parts
    }
    found |= {f"y/breath.{name}": each.breath_lift(y) for name, each in bodies.items()}
    return Fields((origin, origin), cell, columns, rows, limits(), found)


def limits() -> dict[str, dict[str, Any]]:
    """How a pose is bounded: ``soft`` x becomes soft * tanh(x / soft); ``sine``: then its sine is taken; else 0..1."""
    return {
        "yaw": {"soft": MAX_YAW, "sine": True},
        "pitch": {"soft": MAX_PITCH, "sine": True},
        "roll": {"soft": MAX_ROLL, "sine": True},
        "shift_x": {"soft": MAX_SHIFT, "sine": False},
        "shift_y": {"soft": MAX_SHIFT, "sine": False},
    }
