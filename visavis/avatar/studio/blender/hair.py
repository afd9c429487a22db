# mypy: ignore-errors
# Runs in the bake environment only, where numpy is older and bpy has no types.
"""Hair on the head, brows and lashes, grown as curves."""

from __future__ import annotations

import math
from typing import Any

import bpy
import numpy as np
from mathutils import Vector
from mathutils.bvhtree import BVHTree
from scipy.spatial import cKDTree

from visavis.avatar.studio.blender.body import Human, vertex_normals
from visavis.avatar.studio.blender.nodes import Shader, curves_object, move_curves

# The hairline: least height over the eyes for each depth y (front to back).
_ALONG = np.linspace(0, 1, 6)
LINE_Y = (-0.135, -0.112, -0.095, -0.078, -0.062, -0.046, -0.03, -0.005, 0.05, 0.12)
LINE_Z = (0.2, 0.060, 0.049, 0.038, 0.022, 0.004, -0.008, -0.034, -0.068, -0.075)


def _material(name: str, melanin: float, redness: float, rough: float, random: float) -> object:
    material = bpy.data.materials.new(name)
    material.use_nodes = True
    tree = material.node_tree
    tree.nodes.clear()
    out = tree.nodes.new("ShaderNodeOutputMaterial")
    shader = tree.nodes.new("ShaderNodeBsdfHairPrincipled")
    shader.parametrization = "MELANIN"
    for socket, value in (
        ("Melanin", melanin), ("Melanin Redness", redness), ("Roughness", rough), ("Radial Roughness", 0.5),
        ("Random Color", random), ("Random Roughness", 0.2),
    ):  # fmt: skip
        shader.inputs[socket].default_value = value
    tree.links.new(shader.outputs[0], out.inputs[0])
    return material


class Scalp:
    """Where hair grows."""

    def __init__(self, human: Human, forward: float) -> None:
        self.human = human
        self.line_y = np.array(LINE_Y) - forward
        vertices = human.vertices
        skin = np.where(human.groups == "body")[0]
        centres = human.centres
        triangles = []
        for index in skin[centres[skin, 2] > 0.3]:
            face = human.faces[index]
            triangles.append([face[0], face[1], face[2]])
            if len(face) > 3:
                triangles.append([face[0], face[2], face[3]])
        self.triangles = np.array(triangles)
        self.normals = vertex_normals(vertices, [human.faces[i] for i in skin])
        self.ear = self._ears(skin)
        self.top = float(vertices[human.group_vertices("body")][:, 2].max())
        eye = human.eye_left[2]
        above = vertices[human.group_vertices("body")]
        self.centre = np.array([0, above[above[:, 2] > eye][:, 1].mean(), eye + 0.02])

    def _ears(self, skin: np.ndarray) -> np.ndarray:
        image = bpy.data.images.load(str(self.human.data / "mpfb2" / "textures" / "mpfb_ears.jpg"))
        width, height = image.size
        pixels = np.array(image.pixels[:], np.float32).reshape(height, width, 4)[:, :, 0]
        out = np.zeros(len(self.human.vertices), bool)
        for index in skin:
            for vertex, corner in zip(self.human.faces[index], self.human.face_uv[index], strict=True):
                u, v = self.human.uv[corner]
                out[vertex] |= pixels[min(height - 1, int(v * height)), min(width - 1, int(u * width))] > 0.3
        return out

    def height_over_line(self, points: np.ndarray) -> np.ndarray:
        return points[:, 2] - self.human.eye_left[2] - np.interp(points[:, 1], self.line_y, LINE_Z)

    def cover(self) -> np.ndarray:
        """For each vertex of the human, 0..1: how much the scalp is tinted so that no bare skin shows under hair."""
        points = self.human.vertices
        inside = np.clip((self.height_over_line(points) - 0.001) / 0.008, 0, 1)
        outwards = ((points - self.centre) * self.normals).sum(1) > 0
        return inside * outwards * ~self.ear * (points[:, 2] > self.human.eye_left[2] - 0.09)

    def sample(self, count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Points on the skin, their normals, and how much of an ear they are."""
        vertices, chosen = self.human.vertices, self.triangles
        a, b, c = (vertices[chosen[:, i]] for i in range(3))
        area = np.linalg.norm(np.cross(b - a, c - a), axis=1)
        pick = chosen[rng.choice(len(chosen), count, p=area / area.sum())]
        u = rng.random((count, 2))
        over = u.sum(1) > 1
        u[over] = 1 - u[over]
        weight = np.stack([1 - u.sum(1), u[:, 0], u[:, 1]], 1)
        normal = (self.normals[pick] * weight[:, :, None]).sum(1)
        points = (vertices[pick] * weight[:, :, None]).sum(1)
        return points, _unit(normal), (self.ear[pick] * weight).sum(1)


def _unit(v: np.ndarray) -> np.ndarray:
    return v / np.maximum(np.linalg.norm(v, axis=1, keepdims=True), 1e-9)


def _axis(count: int, x: object = 0.0, y: object = 0.0, z: object = 0.0) -> np.ndarray:
    return np.stack([np.broadcast_to(np.asarray(value, float), (count,)) for value in (x, y, z)], 1)


def grow(human: Human, scalp: Scalp, clothes: list[tuple[np.ndarray, np.ndarray]], look: dict[str, Any]) -> object:
    """A parted bob: strands run from the part sideways, over the ears, down, and turn in at the tips."""
    rng = np.random.default_rng(look["seed"])
    eye = human.eye_left[2]
    roots, normals, ear = scalp.sample(400_000, rng)
    wave = 0.004 * np.sin(roots[:, 0] * 160 + 3 * np.sin(roots[:, 1] * 90)) + rng.normal(0, 0.0022, len(roots))
    keep = (scalp.height_over_line(roots) > wave) & (ear < 0.05) & (roots[:, 2] > eye - 0.09)
    keep &= ((roots - scalp.centre) * normals).sum(1) > 0
    roots, normals = roots[keep], normals[keep]
    order = rng.permutation(len(roots))[: look["strands"]]
    roots, normals = roots[order], normals[order]
    count, part, steps = len(roots), look["part"], 44
    solid, solid_normal, _ = scalp.sample(260_000, rng)
    solid = np.concatenate([solid, *[points for points, _ in clothes]])
    solid_normal = np.concatenate([solid_normal, *[normal for _, normal in clothes]])
    tree = cKDTree(solid)
    side = np.where(roots[:, 0] >= part, 1.0, -1.0)
    clumps = rng.choice(count, look["clumps"])
    clump = cKDTree(roots[clumps]).query(roots)[1]
    noise = rng.normal(0, 1, (len(clumps), 3))[clump]
    layer = rng.random(count) ** 1.4
    front = np.clip((-0.045 - roots[:, 1]) / 0.05, 0, 1)
    crown = np.clip((roots[:, 2] - eye - 0.06) / 0.05, 0, 1)
    direction = _axis(count, side * 0.8, 0.22 + look["sweep_back"] * front, -0.05)
    direction += noise * 0.07 + rng.normal(0, 0.035, (count, 3))
    direction -= normals * (direction * normals).sum(1, keepdims=True)
    direction = _unit(_unit(direction) + normals * (0.10 + look["volume"] * crown)[:, None])
    over_part = np.clip(1.2 - np.abs(roots[:, 0] - part) / 0.07, 0, 1)
    length = roots[:, 2] - look["end"] + 0.05 * np.clip((roots[:, 2] - eye - 0.03) / 0.07, 0, 1) * over_part
    length = np.clip(length + 0.03, 0.03, 0.4)
    centre_line = _axis(count, 0, look["centre_y"], 0)
    position = roots.copy()
    path = [position.copy()]
    for step in range(1, steps):
        t = (step - 1) / (steps - 1)
        fall = 0.13 + 0.30 * min(1.0, t * 2.4)
        direction = direction * (1 - fall) + np.array([0, 0, -1.0]) * fall + noise * 0.018
        if t > 0.25:
            direction[:, 0] += side * 0.06 * math.sin(t * 9)
        tip = max(0.0, (t - 0.62) / 0.38)
        inwards = centre_line - position
        inwards[:, 2] = 0
        direction = _unit(direction + _unit(inwards) * look["tuck"] * tip)
        moved = position + direction * length[:, None] / (steps - 1)
        distance, near = tree.query(moved, distance_upper_bound=0.05)
        touching = np.isfinite(distance)
        near[~touching] = 0
        depth = ((moved - solid[near]) * solid_normal[near]).sum(1)
        gap = (0.002 + look["thickness"] * layer) * np.clip(t * 4, 0.12, 1)
        gap += 0.003 * (moved[:, 2] > eye + 0.03) * np.clip(t * 6, 0, 1)
        push = np.where(touching, np.clip(gap - depth, 0, 0.02), 0)
        moved += solid_normal[near] * push[:, None]
        moved = _shape(moved, side, layer, t, look, eye)
        direction = _unit(moved - position)
        position = moved
        path.append(position.copy())
    tips = look["end"] + 0.008 * layer + 0.0015 * noise[:, 0] + rng.normal(0, 0.0016, count)
    strands = _cut(np.stack(path, 1), tips)
    radius = look["radius"] * np.concatenate([np.ones(steps - 14), np.linspace(1, 0.45, 14)])
    material = _material("hair", look["melanin"], look["redness"], look["rough"], look["random"])
    return curves_object("hair", strands, radius, material)


def _cut(path: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Cut strands at the height ``end``: the points below it gather where the strand crosses it."""
    below = path[:, :, 2] < end[:, None]
    below[:, 0] = False
    crossed = below.any(1)
    row = np.arange(len(path))
    after = np.where(crossed, below.argmax(1), path.shape[1] - 1)
    upper, lower = path[row, after - 1], path[row, after]
    part = (upper[:, 2] - end) / np.maximum(upper[:, 2] - lower[:, 2], 1e-6)
    place = upper + (lower - upper) * np.clip(part, 0, 1)[:, None]
    gone = crossed[:, None] & (np.arange(path.shape[1])[None] >= after[:, None])
    return np.where(gone[:, :, None], place[:, None], path)


def _shape(points: np.ndarray, side: np.ndarray, layer: np.ndarray, t: float, look: dict[str, Any], eye: float):
    """Keep strands off the face, and inside the outline of the cut."""
    inner = np.interp(points[:, 2], look["face_z"], look["face_x"]) - 0.004 + 0.010 * layer
    near = (points[:, 1] < -0.055) & (points[:, 2] < look["face_z"][-1]) & (t > 0.08)
    off_face = near & (np.abs(points[:, 0]) < inner)
    points[:, 0] = np.where(
        off_face, side * (np.abs(points[:, 0]) + np.minimum(inner - np.abs(points[:, 0]), 0.006)), points[:, 0]
    )
    outer = np.interp(points[:, 2], look["outline_z"], look["outline_x"]) + 0.006 * layer - 0.006
    outer -= 0.008 * np.clip((points[:, 1] + 0.012) / 0.03, 0, 1)
    excess = np.maximum(np.abs(points[:, 0]) - outer, 0)
    points[:, 0] -= np.sign(points[:, 0]) * excess * 0.85
    return points


def _skin_tree(human: Human) -> BVHTree:
    faces = [list(map(int, human.faces[i])) for i in np.where(human.groups == "body")[0]]
    return BVHTree.FromPolygons([Vector(v) for v in human.vertices], faces)


class Brows:
    """Brow hairs, which follow the skin beneath them."""

    def __init__(self, human: Human, look: dict[str, Any]) -> None:
        rng = np.random.default_rng(look["seed"] + 1)
        tree, eye = _skin_tree(human), human.eye_left
        strands = []
        for side in (1, -1):
            for _ in range(look["count"]):
                t, across = rng.random(), rng.normal(0, 0.55)
                x = eye[0] - 0.0150 + t * look["length"]
                rise = math.sin(min(1.0, t / 0.68) * math.pi / 2) * look["arch"]
                rise -= look["fall"] * max(0, t - 0.62) / 0.38
                half = look["width"] * (1 - 0.72 * t) * (0.55 + min(0.45, t * 3))
                z = eye[2] + look["height"] + rise + np.clip(across, -1, 1) * half
                hit = tree.ray_cast(Vector((side * x, -1, z)), Vector((0, 1, 0)))
                if not hit[0]:
                    continue
                root, normal = np.array(hit[0]), np.array(hit[1])
                normal = normal if normal[1] < 0 else -normal
                lean = math.radians(62 - 58 * min(1, t * 1.6) + rng.normal(0, 8)) - (0.42 if across > 0 else -0.10) * t
                along = np.array([side * math.cos(lean), 0, math.sin(lean)])
                size = 0.0058 * (1 - 0.28 * t) * rng.uniform(0.6, 1.1)
                lifts = [normal * (0.0005 * math.sin(u * 2.6) + 0.0001) - [0, 0, 0.001 * u * u] for u in _ALONG]
                strands.append([root + along * size * u + lift for u, lift in zip(_ALONG, lifts, strict=True)])
        self.strands = np.array(strands)
        self.human = human
        body = human.group_vertices("body")
        distance, near = cKDTree(human.vertices[body]).query(self.strands[:, 0], k=4)
        self.near = body[near]
        weight = 1 / np.maximum(distance, 1e-5)
        self.weight = (weight / weight.sum(1, keepdims=True))[:, :, None]
        taper = look["radius"] * np.array([1, 1, 0.9, 0.75, 0.5, 0.2])
        self.object = curves_object("brows", self.strands, taper, _material("brow", look["melanin"], 0.3, 0.4, 0.3))

    def pose(self, vertices: np.ndarray) -> None:
        delta = ((vertices - self.human.vertices)[self.near] * self.weight).sum(1)
        move_curves(self.object, self.strands + delta[:, None])


class Lashes:
    """Lashes on the strips that the mesh carries for them: they follow the lids."""

    def __init__(self, human: Human, look: dict[str, Any]) -> None:
        self.human, self.look = human, look
        self.quads = []
        for side, centre in (("l", human.eye_left), ("r", human.eye_right)):
            for kind in "12":
                for index in np.where(human.groups == f"helper-{side}-eyelashes-{kind}")[0]:
                    quad = self._oriented(np.array(human.faces[index]), centre)
                    if quad is not None:
                        self.quads.append((kind == "2", quad))
        shader = Shader("lash")
        shader.set(base_color=(0.004, 0.003, 0.003, 1), roughness=0.6, specular=0.2)
        taper = np.array([1, 1, 0.85, 0.6, 0.25])
        thin = np.repeat(
            [look["radius"] if upper else look["lower_radius"] for upper, _ in self._counts()],
            [count for _, count in self._counts()],
        )
        self.object = curves_object("lashes", self._strands(human.vertices), thin[:, None] * taper, shader.material)

    def _counts(self) -> list[tuple[bool, int]]:
        return [(upper, self.look["upper_count"] if upper else self.look["lower_count"]) for upper, _ in self.quads]

    def _oriented(self, quad: np.ndarray, centre: np.ndarray) -> tuple[int, int, int, int] | None:
        points = self.human.vertices
        far = np.linalg.norm(points[quad] - centre, axis=1)
        order = np.argsort(far)
        a, b = quad[order[:2]]
        c, d = quad[order[2:4]]
        if far[order[2:4]].mean() - far[order[:2]].mean() < 1e-4:
            return None
        if np.linalg.norm(points[a] - points[c]) > np.linalg.norm(points[a] - points[d]):
            c, d = d, c
        return a, b, c, d

    def _strands(self, vertices: np.ndarray) -> np.ndarray:
        rng = np.random.default_rng(self.look["seed"] + 2)
        out = []
        for upper, (a, b, c, d) in self.quads:
            size = self.look["upper"] if upper else self.look["lower"]
            lift = np.array([0, 0, self.look["curl"] if upper else -0.0004])
            for _ in range(self.look["upper_count"] if upper else self.look["lower_count"]):
                u, vary, slip = rng.random(), rng.uniform(0.7, 1.1), rng.normal(0, 0.12)
                root = vertices[a] * (1 - u) + vertices[b] * u
                end = vertices[c] * (1 - u) + vertices[d] * u
                along = (end - root + (vertices[b] - vertices[a]) * slip) * size * vary
                out.append([root + along * k + lift * vary * k * k for k in np.linspace(0, 1, 5)])
        return np.array(out)

    def pose(self, vertices: np.ndarray) -> None:
        move_curves(self.object, self._strands(vertices))
