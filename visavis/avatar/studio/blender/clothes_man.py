# mypy: ignore-errors
# Runs in the bake environment only, where numpy is older and bpy has no types.
"""A knitted sweater with a folded roll-neck: the body is laid over the person's own, the neck about the neck."""

from __future__ import annotations

import math
from typing import Any

import bpy
import numpy as np
from mathutils import Vector
from mathutils.bvhtree import BVHTree
from scipy.interpolate import RegularGridInterpolator
from scipy.ndimage import gaussian_filter1d

from visavis.avatar.studio.blender.body import Human
from visavis.avatar.studio.blender.nodes import Part, Shader, coordinates, mesh_object, rgba, set_attribute

TILE = 512  # pixels of the knit's picture, in both directions
COLUMNS = 6  # of stitches in one repeat: four plain, two sunk
ROWS = 8
PER_RIB = 8  # corners of the roll-neck's mesh to each of its ribs
# The roll-neck from its edge up over the fold and down inside: part of its height, distance from the neck (metres).
PROFILE = (
    (0.02, 0.0105), (-0.03, 0.0130), (-0.02, 0.0155), (0.06, 0.0168), (0.20, 0.0166), (0.35, 0.0160), (0.50, 0.0155),
    (0.65, 0.0150), (0.78, 0.0142), (0.88, 0.0130), (0.95, 0.0113), (0.99, 0.0090), (0.98, 0.0068), (0.92, 0.0053),
    (0.80, 0.0045), (0.60, 0.0040), (0.30, 0.0040),
)  # fmt: skip

AWAY = 0.0168  # the fold's greatest distance


def dress(human: Human, look: dict[str, Any]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Put the sweater on. Returns points and normals that hair must not enter."""
    centres, eye = human.centres, float(human.eye_left[2])
    # Up to the neck, but not the floor of the jaw, which hangs in front of it.
    limit = eye - 0.105 - 0.06 * np.clip((-0.04 - centres[:, 1]) / 0.05, 0, 1)
    trunk = (centres[:, 2] > -0.1) & (centres[:, 2] < limit) & (np.abs(centres[:, 0]) < 0.5)
    sweater = Part(human, "sweater", np.where((human.groups == "body") & trunk)[0], offset=look["thickness"], levels=0)
    sweater.freeze(2, smooth=look["drape"])
    neck = _Neck(human, sweater.object, look)
    _lay_out(sweater.object, coordinates(sweater.object), look["stitch"])
    c = _raise_ribs(sweater.object, look["rib_depth"])
    set_attribute(sweater.object.data, "shown", neck.over_edge(c))
    sweater.object.data.materials.append(_yarn("sweater", look, look["depth"], cut=True))
    neck.knit(look)
    normals = np.empty(len(c) * 3, np.float32)
    sweater.object.data.vertex_normals.foreach_get("vector", normals)
    normals = normals.reshape(-1, 3)
    return [(c + normals * 0.004, normals)]


def _tree(item: object) -> BVHTree:
    return BVHTree.FromPolygons([Vector(v) for v in coordinates(item)], [list(p.vertices) for p in item.data.polygons])


class _Neck:
    """The roll-neck: where it sits about the neck, by the angle from the back; it stands on the sweater's body."""

    def __init__(self, human: Human, sweater: object, look: dict[str, Any]) -> None:
        faces = [list(map(int, human.faces[i])) for i in np.where(human.groups == "body")[0]]
        self.body = BVHTree.FromPolygons([Vector(v) for v in human.vertices], faces)
        self.y = look["axis"]
        self.angle = np.linspace(-math.pi, math.pi, look["ribs"] * PER_RIB, endpoint=False)
        smooth = look["ribs"] * PER_RIB / 36
        eye, degrees = float(human.eye_left[2]), np.abs(np.degrees(self.angle))
        self.top = gaussian_filter1d(eye + np.interp(degrees, look["angle"], look["top"]), smooth, mode="wrap")
        high = self._radius(self.body, self.top, smooth)
        flare = gaussian_filter1d(np.interp(degrees, look["angle"], look["flare"]), smooth, mode="wrap")
        cloth = _tree(sweater)
        self.foot = self._foot(cloth, high + AWAY + 0.8 * flare, eye, smooth)
        low = gaussian_filter1d(eye + np.interp(degrees, look["angle"], look["edge"]), smooth, mode="wrap")
        self.edge = np.minimum(np.maximum(low, self.foot - 0.003), self.top - 0.028)
        self.inner = {}
        for part in (0.0, 0.25, 0.5, 0.75, 1.0):
            height = self.edge + (self.top - self.edge) * part
            over = self._radius(cloth, height, smooth) + 0.003 - AWAY
            # Where the shoulders begin the knit stands by itself instead of following them outwards.
            radius = np.maximum(self._radius(self.body, height, smooth), over if part < 0.6 else 0)
            self.inner[part] = np.minimum(radius, high + flare * (1 - part))

    def _foot(self, cloth: BVHTree, radius: np.ndarray, eye: float, smooth: float) -> np.ndarray:
        """The height of the sweater's body beneath the fold."""
        out = []
        for angle, away in zip(self.angle, radius, strict=True):
            start = Vector((away * math.sin(angle), self.y + away * math.cos(angle), eye))
            hit = cloth.ray_cast(start, Vector((0, 0, -1)))
            out.append(hit[0].z if hit[0] else eye - 0.2)
        return gaussian_filter1d(np.array(out), smooth / 2, mode="wrap")

    def _radius(self, tree: BVHTree, height: np.ndarray, smooth: float) -> np.ndarray:
        """How far ``tree`` is from the neck's axis, at a height for each angle; towards 0 where it is not."""
        out = []
        for angle, z in zip(self.angle, height, strict=True):
            hit = tree.ray_cast(Vector((0, self.y, z)), Vector((math.sin(angle), math.cos(angle), 0)))
            out.append(hit[3] if hit[0] else 0.0)
        return gaussian_filter1d(np.array(out), smooth, mode="wrap")

    def over_edge(self, points: np.ndarray) -> np.ndarray:
        """Above zero where the sweater's body is to be seen: what rises above the foot of the roll-neck is cut away."""
        angle = np.arctan2(points[:, 0], points[:, 1] - self.y)
        limit = np.interp(angle, self.angle, np.maximum(self.foot, self.edge) + 0.005, period=2 * math.pi)
        near = np.hypot(points[:, 0], points[:, 1] - self.y) < 0.12
        return np.where(near, limit - points[:, 2], 0.5)

    def knit(self, look: dict[str, Any]) -> object:
        """The mesh, with real ribs."""
        count, turn = len(self.angle), np.arange(len(self.angle)) / PER_RIB
        rib = 0.5 + 0.5 * np.cos(2 * math.pi * turn)
        rib = rib**0.6
        levels = np.array(sorted(self.inner))
        radii = np.array([self.inner[level] for level in levels])
        points, across, down = [], [], []
        along = 0.0
        before = PROFILE[0]
        for part, away in PROFILE:
            base = np.array([np.interp(part, levels, radii[:, i]) for i in range(count)])
            slump = 0.0013 * np.sin(3 * self.angle + 0.7 + 2.4 * part) + 0.0009 * np.sin(5 * self.angle - 3 * part)
            outer = away > 0.006
            radius = base + away + slump * outer + look["rib_depth"] * (rib - 0.5) * (1 if outer else -0.5)
            z = self.edge + (self.top - self.edge) * part + 0.0010 * np.sin(4 * self.angle + 1.0) * outer
            points.append(np.stack([radius * np.sin(self.angle), self.y + radius * np.cos(self.angle), z], 1))
            along += math.hypot((part - before[0]) * 0.05, away - before[1])
            before = (part, away)
            across.append(turn * COLUMNS / 4)
            down.append(np.full(count, along / look["stitch"][1]))
        rows = len(points)
        faces = [
            [i * count + j, i * count + (j + 1) % count, (i + 1) * count + (j + 1) % count, (i + 1) * count + j]
            for i in range(rows - 1)
            for j in range(count)
        ]
        item = mesh_object("roll-neck", np.concatenate(points), faces)
        _place_knit(item.data, np.concatenate(across), np.concatenate(down))
        modifier = item.modifiers.new("subdivision", "SUBSURF")
        modifier.levels = modifier.render_levels = 1
        item.data.materials.append(_yarn("roll-neck", look, look["depth"] * 0.6, cut=False, plain=True))
        return item


def _place_knit(mesh: object, across: np.ndarray, down: np.ndarray) -> None:
    """Give each vertex its place in the knit, in stitches and rows."""
    attribute = mesh.attributes.new("knit", "FLOAT_VECTOR", "POINT")
    place = np.stack([across / COLUMNS, down / ROWS, np.zeros(len(across))], 1)
    attribute.data.foreach_set("vector", place.astype(np.float32).ravel())


def _lay_out(item: object, points: np.ndarray, stitch: list[float]) -> None:
    """Columns and rows by the length along the cloth as it is seen from the front, so that they foreshorten rightly."""
    tree = _tree(item)
    xs, zs = np.linspace(-0.34, 0.34, 205), np.linspace(-0.12, 0.63, 226)
    depth = np.full((len(xs), len(zs)), np.nan)
    for i, x in enumerate(xs):
        for j, z in enumerate(zs):
            hit = tree.ray_cast(Vector((x, -1, z)), Vector((0, 1, 0)))
            if hit[0]:
                depth[i, j] = hit[0].y
    steps = [np.nan_to_num(np.abs(np.diff(depth, axis=axis))) for axis in (0, 1)]
    wide = np.hypot(np.minimum(steps[0], 0.010), xs[1] - xs[0])
    tall = np.hypot(np.minimum(steps[1], 0.010), zs[1] - zs[0])
    across = np.concatenate([np.zeros((1, len(zs))), np.cumsum(wide, 0)])
    across -= across[len(xs) // 2]
    down = np.concatenate([np.zeros((len(xs), 1)), np.cumsum(tall, 1)], 1)
    places = []
    for values, size in ((across, stitch[0]), (down, stitch[1])):
        look_up = RegularGridInterpolator((xs, zs), values, bounds_error=False, fill_value=None)
        places.append(look_up(points[:, [0, 2]]) / size)
    _place_knit(item.data, places[0] + 0.5 * COLUMNS, places[1])


def _raise_ribs(item: object, depth: float) -> np.ndarray:
    """Lift the raised columns of the sweater's body off the sunk ones; the new vertices."""
    points = coordinates(item)
    normals = np.empty(points.size, np.float32)
    item.data.vertex_normals.foreach_get("vector", normals)
    place = np.empty(points.size, np.float32)
    item.data.attributes["knit"].data.foreach_get("vector", place)
    column = place.reshape(-1, 3)[:, 0] % 1.0 * COLUMNS
    raised = np.clip((2.0 - np.abs(column - COLUMNS / 2)) / 0.9 + 0.5, 0, 1)
    points = points + normals.reshape(-1, 3) * (depth * (raised - 0.5))[:, None]
    item.data.vertices.foreach_set("co", points.astype(np.float32).ravel())
    item.data.update()
    return points


def _knit_picture(plain: bool) -> object:
    """A height picture of one repeat: V-shaped stitches in raised columns, and sunk ones between (not if ``plain``)."""
    name = "knit-plain" if plain else "knit"
    if name in bpy.data.images:
        return bpy.data.images[name]
    v, u = np.meshgrid((np.arange(TILE) + 0.5) / TILE * ROWS, (np.arange(TILE) + 0.5) / TILE * COLUMNS, indexing="ij")
    across = (u % 1.0) * 2 - 1
    leg = np.sqrt(np.clip(1 - ((np.abs(across) - 0.5) / 0.52) ** 2, 0, 1))
    loop = np.abs(np.sin(math.pi * (v - 0.75 * np.abs(across)))) ** 0.7
    stitches = leg * (0.35 + 0.65 * loop)
    height = stitches
    if not plain:
        purl = 0.5 + 0.5 * np.cos(2 * math.pi * (v + 0.25 * np.cos(math.pi * across)))
        raised = np.clip((2.0 - np.abs(u - COLUMNS / 2)) / 0.5 + 0.5, 0, 1)
        dome = np.clip(1 - ((u - COLUMNS / 2) / 2.3) ** 2, 0, 1) ** 0.5
        height = raised * (0.42 + 0.20 * dome + 0.38 * stitches) + (1 - raised) * 0.22 * purl
    image = bpy.data.images.new(name, TILE, TILE, float_buffer=True, is_data=True)
    pixels = np.ones((TILE, TILE, 4), np.float32)
    pixels[:, :, :3] = height[:, :, None]
    image.pixels.foreach_set(pixels.ravel())
    image.pack()
    return image


def _yarn(name: str, look: dict[str, Any], depth: float, *, cut: bool, plain: bool = False) -> object:
    """Wool: the knit's height as bump, dark between the stitches, a heather of two tones, and fuzz."""
    s = Shader(name)
    place = s.node("ShaderNodeAttribute", attribute_name="knit").outputs["Vector"]
    picture = s.node("ShaderNodeTexImage", image=_knit_picture(plain), interpolation="Cubic")
    s.wire(place, picture.inputs["Vector"])
    height = picture.outputs[0]
    tone = np.array(look["colour"])
    heather = s.mix(rgba(tone), rgba(tone * look["heather"]), s.ranged(s.noise(620, 4), 0.42, 0.62))
    shade = s.mix(rgba(tone * 0.30), heather, s.ranged(height, 0.0, 0.62, 0.0, 1.0))
    fuzz = s.bump(s.noise(2100, 4), 0.22, 0.0004)
    folds = s.bump(s.noise(6, 2, s.scaled((1, 1, 0.5))), 0.45, 0.03, fuzz)
    s.set(
        base_color=shade, roughness=0.86, sheen_weight=0.35, sheen_roughness=0.45, specular=0.15,
        normal=s.bump(height, 1.0, depth, folds),
    )  # fmt: skip
    if cut:
        s.set(alpha=s.math("GREATER_THAN", s.attribute("shown"), 0.0))
    return s.material
