# mypy: ignore-errors
# Runs in the bake environment only, where numpy is older and bpy has no types.
"""A knitted top and a blazer with lapels, collar, seams and a button, cut from the mesh's helper suit."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from mathutils import Vector
from mathutils.bvhtree import BVHTree

from visavis.avatar.studio.blender.body import Human
from visavis.avatar.studio.blender.cloth import button, ribbed, thicken, tube, woven
from visavis.avatar.studio.blender.nodes import Part, coordinates, mesh_object, set_attribute

OPEN_LOW, OPEN_HIGH = 0.312, 0.468  # heights between which the front opens
NECK_Y = -0.018
# Height of the blazer's edge round the neck, by the angle from the back (degrees).
EDGE_ANGLE, EDGE_Z = (0, 60, 90, 113, 180), (0.533, 0.530, 0.522, 0.495, 0.468)

Row = list[tuple[float, float, float]]


def _opening(z: np.ndarray) -> np.ndarray:
    """Half the width of the front opening at height ``z``."""
    return 0.066 * np.clip((z - OPEN_LOW) / (OPEN_HIGH - OPEN_LOW), 0, 1.3) ** 0.8


def _edge(angle: np.ndarray) -> np.ndarray:
    return np.interp(np.abs(angle), EDGE_ANGLE, EDGE_Z)


def _tree(item: object) -> BVHTree:
    return BVHTree.FromPolygons([Vector(v) for v in coordinates(item)], [list(p.vertices) for p in item.data.polygons])


def dress(human: Human, look: dict[str, Any]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Put the clothes on. Returns points and normals that hair must not enter."""
    centres = human.centres
    suit = np.where((human.groups == "helper-tights") & (centres[:, 2] > -0.1) & (np.abs(centres[:, 0]) < 0.5))[0]
    top = Part(human, "top", suit[np.abs(centres[suit, 0]) < 0.125], offset=0.003, levels=0)
    top.freeze(3, smooth=2)
    _neckline(top.object, look)
    blazer = Part(human, "blazer", suit, offset=0.013, levels=0)
    blazer.freeze(3, smooth=8)
    c = coordinates(blazer.object)
    angle = np.degrees(np.arctan2(np.abs(c[:, 0]), c[:, 1] - NECK_Y))
    gap = np.where(c[:, 2] < OPEN_LOW, -1.0, _opening(c[:, 2]))
    shown = np.where(c[:, 1] < 0, np.abs(c[:, 0]) - gap, 0.5)
    neck = np.where(np.abs(c[:, 0]) < 0.12, _edge(angle) - c[:, 2], 0.5)
    set_attribute(blazer.object.data, "shown", np.minimum(shown, neck))
    cloth = woven("blazer", look["blazer"], cut=True)
    blazer.object.data.materials.append(cloth)
    solid = woven("lapel", look["blazer"], cut=False)
    stitch = woven("seam", [value * 0.55 for value in look["blazer"]], cut=False)
    tree = _tree(blazer.object)
    for side in (1, -1):
        rows = _lapel(tree, side)
        thicken(_strip("lapel", rows), solid, 0.0026)
        tube("lapel seam", [_inset(row, 0.0038) for row in rows[2:-1]], 0.00033, stitch)
    rows = _collar(tree)
    thicken(_strip("collar", rows), solid, 0.0034)
    tube("collar seam", [tuple(np.array(row[-1]) * 0.9 + np.array(row[-2]) * 0.1 + [0, -0.0008, 0.0014]) for row in rows[2:-2]],
         0.00033, stitch)  # fmt: skip
    _shoulder_seams(tree, stitch)
    _front(tree, stitch, look)
    normals = np.empty(len(c) * 3, np.float32)
    blazer.object.data.vertex_normals.foreach_get("vector", normals)
    normals = normals.reshape(-1, 3)
    return [(c + normals * 0.010, normals)]


def _neckline(item: object, look: dict[str, Any]) -> None:
    """Cut the top at the neckline and close it with a ribbed band."""
    c = coordinates(item)
    below = _neck_height(c[:, 0], look) - c[:, 2]
    set_attribute(item.data, "shown", np.minimum(0.1, below))
    item.data.materials.append(ribbed("top", look["blouse"], cut=True))
    tree, rows = _tree(item), []
    for x in np.linspace(-0.0625, 0.0625, 81):
        row = []
        for down, out in ((-0.0010, -0.001), (0.0005, 0.0014), (0.0035, 0.0018), (0.0068, 0.0014), (0.0085, 0.0002)):
            z = float(_neck_height(np.array(x), look)) - down
            hit = tree.ray_cast(Vector((x, -1, z)), Vector((0, 1, 0)))
            if hit[0]:
                row.append((x, hit[0].y - out, z))
        if len(row) == 5:
            rows.append(row)
    thicken(_strip("neckband", rows), ribbed("neckband", look["blouse"], cut=False, across=True), 0.0012)


def _neck_height(x: np.ndarray, look: dict[str, Any]) -> np.ndarray:
    return look["neckline"] + 6.5 * np.clip(x, -0.2, 0.2) ** 2


def _strip(name: str, rows: list[Row]) -> object:
    width = len(rows[0])
    points = np.array([point for row in rows for point in row])
    faces = [
        [i * width + j, i * width + j + 1, (i + 1) * width + j + 1, (i + 1) * width + j]
        for i in range(len(rows) - 1)
        for j in range(width - 1)
    ]
    return mesh_object(name, points, faces)


def _inset(row: Row, by: float) -> tuple[float, float, float]:
    """A point ``by`` metres inside the row's outer end, on its surface."""
    points = np.array(row)
    far = np.linalg.norm(points - points[-1], axis=1)
    place = points[int(np.argmin(np.abs(far - by)))]
    return (float(place[0]), float(place[1]) - 0.0017, float(place[2]))


def _lapel(tree: BVHTree, side: int) -> list[Row]:
    rows: list[Row] = []
    y = -0.1
    for i in range(60):
        u = i / 59
        z = OPEN_LOW - 0.004 + u * (OPEN_HIGH - OPEN_LOW + 0.006)
        width = 0.006 + 0.050 * math.sin(min(1, u * 1.12) * math.pi / 2) ** 1.25
        if u > 0.80:
            width *= 1 - 0.34 * min(1, (u - 0.80) / 0.02)
        row = []
        for j in range(16):
            v = j / 15
            x, up = side * (float(_opening(np.array(z))) - 0.004 + width * v), z + 0.012 * v
            hit = tree.ray_cast(Vector((x, -1, up)), Vector((0, 1, 0)))
            y = hit[0].y if hit[0] else y
            # It rolls where it folds and stands off a little at its outer edge.
            roll = 0.0075 * math.sin(math.pi * min(1, v * 1.15)) * (1 - 0.3 * v) + 0.0012 * v**2
            row.append((x, y - 0.003 - roll, up))
        rows.append(row)
    return rows


def _collar(tree: BVHTree) -> list[Row]:
    """From one lapel's top round behind the neck to the other's: a stand that folds over."""
    rows = []
    for i in range(61):
        angle = -116 + 232 * i / 60
        radians, front = math.radians(angle), min(1.0, abs(angle) / 116) ** 3
        out = np.array([math.sin(radians), math.cos(radians), 0.0])
        z = float(_edge(np.array(angle)))
        hit = tree.ray_cast(Vector((0, NECK_Y, z)), Vector(out))
        base = np.array(hit[0]) if hit[0] else np.array([0, NECK_Y, z]) + out * 0.075
        stand, back = 0.013 * (1 - front) + 0.003, 1 - front
        width = 0.030 * (1 - front) + 0.034 * front
        row = [base - out * 0.003 * back - [0, 0, 0.006 * back], base - out * 0.004 * back + [0, 0, stand * 0.6]]
        row.append(base - out * 0.001 * back + [0, 0, stand])
        row.append(base + out * 0.005 + [0, 0, stand * 0.9])
        for part in (0.4, 0.6, 0.8, 1.0):
            spot = base + out * width * part
            down = tree.ray_cast(Vector((spot[0], spot[1], z + 0.05)), Vector((0, 0, -1)))
            level = down[0].z if down[0] else spot[2]
            # Its ends lie down on the coat: no slot opens under them.
            row.append(np.array([spot[0], spot[1], level + (0.006 + 0.004 * (1 - part)) * (1 - 0.7 * front**2)]))
        rows.append([tuple(map(float, point)) for point in row])
    return rows


def _shoulder_seams(tree: BVHTree, stitch: object) -> None:
    """Where the sleeves are set in: a shallow line from the shoulder down the front."""
    for side in (1, -1):
        line = []
        for u in np.linspace(0, 1, 40):
            x = side * (0.150 + 0.012 * math.sin(u * math.pi) - 0.018 * u)
            hit = tree.ray_cast(Vector((x, -1, 0.487 - 0.17 * u)), Vector((0, 1, 0)))
            if hit[0]:
                line.append((x, hit[0].y - 0.0001, 0.487 - 0.17 * u))
        tube("sleeve seam", line, 0.0005, stitch)


def _front(tree: BVHTree, stitch: object, look: dict[str, Any]) -> None:
    """The overlapping edge below the opening, and the button."""
    line = []
    for z in np.linspace(OPEN_LOW + 0.003, 0.20, 40):
        x = -0.004 + 0.018 * ((OPEN_LOW - z) / 0.1) ** 2
        hit = tree.ray_cast(Vector((x, -1, z)), Vector((0, 1, 0)))
        line.append((x, (hit[0].y if hit[0] else -0.13) - 0.0002, z))
    tube("front edge", line, 0.0011, stitch)
    spot = OPEN_LOW - 0.009
    hit = tree.ray_cast(Vector((0.002, -1, spot)), Vector((0, 1, 0)))
    button((0.002, (hit[0].y if hit[0] else -0.13) - 0.0045, spot), 0.0085, look.get("button", [0.03, 0.025, 0.022]))
