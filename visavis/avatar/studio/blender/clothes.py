# mypy: ignore-errors
# Runs in the bake environment only, where numpy is older and bpy has no types.
"""A blouse and a blazer with lapels and a collar, cut from the mesh's helper suit."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from mathutils import Vector
from mathutils.bvhtree import BVHTree

from visavis.avatar.studio.blender.body import Human
from visavis.avatar.studio.blender.nodes import Part, Shader, coordinates, mesh_object, rgba, set_attribute

OPEN_LOW, OPEN_HIGH = 0.19, 0.462  # heights between which the front opens
NECK_Y = -0.018
# Height of the blazer's edge round the neck, by the angle from the back (degrees).
EDGE_ANGLE, EDGE_Z = (0, 60, 90, 113, 180), (0.521, 0.518, 0.511, 0.487, 0.462)


def _opening(z: np.ndarray) -> np.ndarray:
    """Half the width of the front opening at height ``z``."""
    return 0.072 * np.clip((z - OPEN_LOW) / (OPEN_HIGH - OPEN_LOW), 0, 1.3) ** 0.9


def _edge(angle: np.ndarray) -> np.ndarray:
    return np.interp(np.abs(angle), EDGE_ANGLE, EDGE_Z)


def _cloth(name: str, colour: list[float], rough: float, weave: float, cut: bool) -> object:
    s = Shader(name)
    threads = s.bump(s.noise(weave, 4), 0.25, 0.0006)
    fuzz = s.bump(s.noise(1500, 3), 0.3, 0.0006, threads)
    folds = s.bump(s.noise(7, 2, s.scaled((1, 1, 0.55))), 0.5, 0.03, fuzz)
    shade = s.mix(rgba(colour), rgba(np.array(colour) * 1.5), s.noise(900, 4))
    s.set(base_color=shade, roughness=rough, sheen_weight=0.25, specular=0.2, normal=folds)
    if cut:
        s.set(alpha=s.math("GREATER_THAN", s.attribute("shown"), 0.0))
    return s.material


def _tree(item: object) -> BVHTree:
    return BVHTree.FromPolygons([Vector(v) for v in coordinates(item)], [list(p.vertices) for p in item.data.polygons])


def dress(human: Human, look: dict[str, Any]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Put the clothes on. Returns points and normals that hair must not enter."""
    centres = human.centres
    suit = np.where((human.groups == "helper-tights") & (centres[:, 2] > -0.1) & (np.abs(centres[:, 0]) < 0.5))[0]
    blouse = Part(human, "blouse", suit[np.abs(centres[suit, 0]) < 0.115], offset=0.004, levels=0)
    blouse.freeze(2)
    c = coordinates(blouse.object)
    below = look["neckline"] - c[:, 2] + 7 * np.clip(c[:, 0], -0.2, 0.2) ** 2
    set_attribute(blouse.object.data, "shown", np.minimum(0.1, below))
    blouse.object.data.materials.append(_cloth("blouse", look["blouse"], 0.55, 500, True))
    blazer = Part(human, "blazer", suit, offset=0.014, levels=0)
    blazer.freeze(3, smooth=6)
    c = coordinates(blazer.object)
    angle = np.degrees(np.arctan2(np.abs(c[:, 0]), c[:, 1] - NECK_Y))
    gap = np.where(c[:, 2] < OPEN_LOW, -1, _opening(c[:, 2]))
    shown = np.where(c[:, 1] < 0, np.abs(c[:, 0]) - gap, 0.5)
    neck = np.where(np.abs(c[:, 0]) < 0.12, _edge(angle) - c[:, 2], 0.5)
    set_attribute(blazer.object.data, "shown", np.minimum(shown, neck))
    blazer.object.data.materials.append(_cloth("blazer", look["blazer"], 0.8, 700, True))
    solid = _cloth("lapel", look["blazer"], 0.8, 700, False)
    tree = _tree(blazer.object)
    for side in (1, -1):
        _thicken(_lapel(tree, side), solid)
    _thicken(_collar(tree), solid)
    normals = np.empty(len(c) * 3, np.float32)
    blazer.object.data.vertex_normals.foreach_get("vector", normals)
    normals = normals.reshape(-1, 3)
    return [(c + normals * 0.012, normals)]


def _thicken(item: object, material: object) -> None:
    modifier = item.modifiers.new("subdivision", "SUBSURF")
    modifier.levels = modifier.render_levels = 1
    modifier = item.modifiers.new("solid", "SOLIDIFY")
    modifier.thickness = 0.0025
    modifier.offset = 0
    item.data.materials.append(material)


def _strip(name: str, rows: list[list[tuple[float, float, float]]]) -> object:
    width = len(rows[0])
    points = np.array([point for row in rows for point in row])
    faces = [
        [i * width + j, i * width + j + 1, (i + 1) * width + j + 1, (i + 1) * width + j]
        for i in range(len(rows) - 1)
        for j in range(width - 1)
    ]
    return mesh_object(name, points, faces)


def _lapel(tree: BVHTree, side: int) -> object:
    rows: list[list[tuple[float, float, float]]] = []
    y = -0.1
    for i in range(60):
        u = i / 59
        z = OPEN_LOW - 0.004 + u * (OPEN_HIGH - OPEN_LOW + 0.006)
        width = 0.008 + 0.056 * math.sin(min(1, u * 1.12) * math.pi / 2) ** 1.3
        if u > 0.78:
            width *= 1 - 0.36 * min(1, (u - 0.78) / 0.02)
        row = []
        for j in range(14):
            v = j / 13
            x, up = side * (float(_opening(np.array(z))) - 0.004 + width * v), z + 0.012 * v
            hit = tree.ray_cast(Vector((x, -1, up)), Vector((0, 1, 0)))
            y = hit[0].y if hit[0] else y
            row.append((x, y - 0.003 - 0.006 * math.sin(math.pi * min(1, v * 1.2)) * (1 - 0.3 * v), up))
        rows.append(row)
    return _strip("lapel", rows)


def _collar(tree: BVHTree) -> object:
    """The collar: from one lapel's top round behind the neck to the other's, a stand that folds over."""
    rows = []
    for i in range(61):
        angle = -116 + 232 * i / 60
        radians, front = math.radians(angle), min(1.0, abs(angle) / 116) ** 3
        out = np.array([math.sin(radians), math.cos(radians), 0.0])
        z = float(_edge(np.array(angle)))
        hit = tree.ray_cast(Vector((0, NECK_Y, z)), Vector(out))
        base = np.array(hit[0]) if hit[0] else np.array([0, NECK_Y, z]) + out * 0.075
        stand, back = 0.013 * (1 - front) + 0.003, 1 - front
        width = 0.030 * (1 - front) + 0.036 * front
        row = [base - out * 0.003 * back - [0, 0, 0.006 * back], base - out * 0.004 * back + [0, 0, stand * 0.6]]
        row.append(base - out * 0.001 * back + [0, 0, stand])
        row.append(base + out * 0.005 + [0, 0, stand * 0.9])
        for part in (0.45, 0.75, 1.0):
            spot = base + out * width * part
            down = tree.ray_cast(Vector((spot[0], spot[1], z + 0.05)), Vector((0, 0, -1)))
            level = down[0].z if down[0] else spot[2]
            row.append(np.array([spot[0], spot[1], level + 0.006 + 0.004 * (1 - part)]))
        rows.append([tuple(map(float, point)) for point in row])
    return _strip("collar", rows)
