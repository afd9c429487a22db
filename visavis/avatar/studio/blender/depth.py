# mypy: ignore-errors
# Runs in the bake environment only, where numpy is older and bpy has no types.
"""How far each part of the picture stands before the axis about which the head turns."""

from __future__ import annotations

import bpy
import numpy as np

_SPACING = 0.0007  # metres between the points that stand for a surface


def depth_map(stage: object, side: int) -> tuple[np.ndarray, np.ndarray]:
    """Metres towards the viewer, relative to the axis, of the nearest surface (hair too) in each cell of ``side`` rows; and
    where there is any (bool)."""
    character = stage.character
    canvas, lens = character["canvas"], character["camera"]["lens"]
    height, width = side, round(side * canvas["width"] / canvas["height"])
    camera = bpy.context.scene.camera.location
    reach = height * lens / 36
    level = stage.project(np.array([[0.0, stage.human.eye_left[1], camera.z]]))[0, 1] * height / canvas["height"]
    near = np.full(height * width, np.inf)
    for points in _surfaces():
        far = points[:, 1] - camera.y
        x = np.floor(width / 2 + points[:, 0] / far * reach).astype(int)
        y = np.floor(level - (points[:, 2] - camera.z) / far * reach).astype(int)
        inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
        np.minimum.at(near, y[inside] * width + x[inside], points[inside, 1])
    known = np.isfinite(near)
    axis = stage.human.vertices[stage.scalp.ear][:, 1].mean()
    depth = np.where(known, axis - np.where(known, near, 0), 0)
    return depth.reshape(height, width).astype(np.float32), known.reshape(height, width)


def _surfaces():
    graph = bpy.context.evaluated_depsgraph_get()
    rng = np.random.default_rng(0)
    for item in bpy.context.scene.objects:
        if item.type == "CURVES":
            points = np.empty(len(item.data.points) * 3, np.float32)
            item.data.position_data.foreach_get("vector", points)
            yield points.reshape(-1, 3)
        elif item.type == "MESH":
            evaluated = item.evaluated_get(graph)
            yield _spread(evaluated.to_mesh(), np.array(item.matrix_world), rng)
            evaluated.to_mesh_clear()


def _spread(mesh: object, place: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Points all over the shown part of ``mesh``."""
    mesh.calc_loop_triangles()
    triangles = np.empty(len(mesh.loop_triangles) * 3, np.int32)
    mesh.loop_triangles.foreach_get("vertices", triangles)
    triangles = triangles.reshape(-1, 3)
    points = np.empty(len(mesh.vertices) * 3, np.float32)
    mesh.vertices.foreach_get("co", points)
    points = points.reshape(-1, 3) @ place[:3, :3].T + place[:3, 3]
    shown = mesh.attributes.get("shown")
    if shown is not None:
        value = np.empty(len(mesh.vertices), np.float32)
        shown.data.foreach_get("value", value)
        triangles = triangles[(value[triangles] > 0).all(1)]
    a, b, c = (points[triangles[:, i]] for i in range(3))
    area = np.linalg.norm(np.cross(b - a, c - a), axis=1) / 2
    count = np.minimum(np.ceil(area / _SPACING**2).astype(int), 400)
    which = np.repeat(np.arange(len(triangles)), count)
    u = np.sqrt(rng.random(len(which)))[:, None]
    v = rng.random(len(which))[:, None]
    return a[which] * (1 - u) + b[which] * (u * (1 - v)) + c[which] * (u * v)
