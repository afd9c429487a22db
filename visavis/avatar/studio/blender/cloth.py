# mypy: ignore-errors
# Runs in the bake environment only, where numpy is older and bpy has no types.
"""Fabrics, and what tailors add: thickness, seams, buttons."""

from __future__ import annotations

import math
from collections.abc import Sequence

import bpy
import numpy as np

from visavis.avatar.studio.blender.nodes import Shader, add_object, mesh_object, rgba


def woven(name: str, colour: Sequence[float], *, cut: bool, thread: float = 0.0021) -> object:
    """Wool twill: slanting ribs of ``thread`` metres, mixed yarns, soft folds. ``cut``: shown where attribute "shown" > 0."""
    s = Shader(name)
    x, y, z = s.axes
    wander = s.math("MULTIPLY", s.noise(60, 2), 0.004)
    slant = s.fold("ADD", x, s.math("MULTIPLY", y, 0.6), s.math("MULTIPLY", z, 0.75), wander)
    rib = s.ranged(s.math("SINE", s.math("MULTIPLY", slant, 2 * math.pi / thread)), -1, 1)
    other = s.fold("ADD", s.math("MULTIPLY", x, -0.8), s.math("MULTIPLY", y, 0.5), z, wander)
    weft = s.ranged(s.math("SINE", s.math("MULTIPLY", other, 2 * math.pi / (thread * 0.8))), -1, 1)
    yarn = s.noise(900, 4)
    height = s.fold("ADD", s.math("MULTIPLY", rib, 0.6), s.math("MULTIPLY", weft, 0.25), s.math("MULTIPLY", yarn, 0.7))
    fine = s.bump(height, 0.65, 0.0006)
    folds = s.bump(s.noise(9, 2, s.scaled((1, 1, 0.5))), 0.5, 0.022, s.bump(s.noise(26, 3), 0.3, 0.006, fine))
    base = np.array(colour)
    shade = s.mix(rgba(base * 0.62), rgba(base * 1.55), s.math("MULTIPLY", s.math("ADD", rib, yarn), 0.5))
    shade = s.mix(shade, rgba(base * 2.2 + 0.004), s.ranged(s.noise(1300, 2), 0.62, 0.75, 0, 0.5))
    s.set(base_color=shade, roughness=0.85, sheen_weight=0.3, sheen_roughness=0.4, specular=0.15, normal=folds)
    return _cut(s, cut)


def ribbed(name: str, colour: Sequence[float], *, cut: bool, across: bool = False, rib: float = 0.0016) -> object:
    """Fine knit: upright ribs (for a band: ``across`` it)."""
    s = Shader(name)
    x, _, z = s.axes
    way = s.math("ADD", x, s.math("MULTIPLY", s.noise(40, 2), 0.002))
    ribs = s.ranged(s.math("SINE", s.math("MULTIPLY", way, 2 * math.pi / (rib * (1.5 if across else 1)))), -1, 1)
    stitches = s.ranged(s.math("SINE", s.math("MULTIPLY", z, 2 * math.pi / 0.0014)), -1, 1)
    height = s.fold("ADD", ribs, s.math("MULTIPLY", stitches, 0.3), s.math("MULTIPLY", s.noise(1200, 3), 0.4))
    fine = s.bump(height, 0.6 if across else 0.42, 0.0005)
    folds = s.bump(s.noise(13, 2, s.scaled((1, 1, 0.6))), 0.45, 0.016, fine)
    base = np.array(colour)
    shade = s.mix(rgba(base * 0.80), rgba(base), s.math("ADD", s.math("MULTIPLY", ribs, 0.6), 0.3))
    s.set(base_color=shade, roughness=0.7, sheen_weight=0.25, specular=0.2, normal=folds)
    s.set(subsurface_weight=0.15, subsurface_scale=0.002)
    return _cut(s, cut)


def _cut(s: Shader, cut: bool) -> object:
    if cut:
        s.set(alpha=s.math("GREATER_THAN", s.attribute("shown"), 0.0))
    return s.material


def thicken(item: object, material: object, thickness: float) -> None:
    """Give a strip of cloth ``thickness`` metres and rounded edges."""
    modifier = item.modifiers.new("subdivision", "SUBSURF")
    modifier.levels = modifier.render_levels = 1
    modifier = item.modifiers.new("solid", "SOLIDIFY")
    modifier.thickness = thickness
    modifier.offset = 0
    modifier = item.modifiers.new("round", "BEVEL")
    modifier.width, modifier.segments, modifier.limit_method = thickness * 0.4, 2, "ANGLE"
    item.data.materials.append(material)


def tube(name: str, points: Sequence[Sequence[float]], radius: float, material: object) -> None:
    """A thread along ``points``: a seam."""
    if len(points) < 2:
        return
    curve = bpy.data.curves.new(name, "CURVE")
    curve.dimensions, curve.bevel_depth, curve.bevel_resolution = "3D", radius, 2
    spline = curve.splines.new("POLY")
    spline.points.add(len(points) - 1)
    for place, point in zip(spline.points, points, strict=True):
        place.co = (*(float(value) for value in point), 1.0)
    curve.materials.append(material)
    add_object(name, curve)


def button(at: Sequence[float], radius: float, colour: Sequence[float]) -> None:
    """A horn button with four holes, facing the viewer (-y)."""
    profile = (
        (0.0, -0.0008),
        (0.55, -0.0008),
        (0.72, -0.0012),
        (0.86, -0.0017),
        (0.96, -0.0012),
        (1.0, 0.0),
        (0.98, 0.0012),
    )
    count, points, faces = 48, [], []
    for part, depth in profile:
        for k in range(count):
            turn = 2 * math.pi * k / count
            points.append(
                (at[0] + part * radius * math.cos(turn), at[1] + depth, at[2] + part * radius * math.sin(turn))
            )
    for ring in range(len(profile) - 1):
        for k in range(count):
            a, b, n = ring * count, (ring + 1) * count, (k + 1) % count
            faces.append([a + k, a + n, b + n, b + k])
    s = Shader("horn")
    base = np.array(colour)
    x, _, z = s.axes
    holes = None
    for dx, dz in ((1, 1), (1, -1), (-1, 1), (-1, -1)):
        px, pz = s.math("SUBTRACT", x, at[0] + dx * radius * 0.2), s.math("SUBTRACT", z, at[2] + dz * radius * 0.2)
        far = s.math("SQRT", s.math("ADD", s.math("MULTIPLY", px, px), s.math("MULTIPLY", pz, pz)))
        hole = s.ranged(far, radius * 0.10, radius * 0.13, 1, 0)
        holes = hole if holes is None else s.math("MAXIMUM", holes, hole)
    tone = s.mix(rgba(base), rgba(base * 2.4), s.ranged(s.noise(190, 3), 0.4, 0.7))
    s.set(base_color=s.mix(tone, (0.003, 0.003, 0.003, 1), holes), roughness=0.25, coat_weight=0.4)
    item = mesh_object("button", np.array(points), faces)
    item.data.materials.append(s.material)
