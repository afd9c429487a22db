# mypy: ignore-errors
# Runs in the bake environment only, where numpy is older and bpy has no types.
"""Skin, teeth, tongue and eyeballs."""

from __future__ import annotations

import math
from typing import Any

import bpy
import numpy as np
from scipy.spatial import cKDTree

from visavis.avatar.studio.blender.body import Human
from visavis.avatar.studio.blender.nodes import Part, Shader, add_object, rgba, set_attribute

TOOTH_GAPS = (0.0, 0.0078, 0.0140, 0.0202, 0.0255)  # from the middle, metres: the mesh's teeth are one band


def _spots(points: np.ndarray, centres: list[list[float]], width: list[float]) -> np.ndarray:
    out = np.zeros(len(points))
    for centre in centres:
        out += np.exp(-(((points - np.array(centre)) ** 2) / (2 * np.array(width) ** 2)).sum(1))
    return np.clip(out, 0, 1)


def paint(human: Human, body: Part, scalp: np.ndarray, look: dict[str, Any]) -> None:
    """Vertex attributes of the face (blush, shades, lash line) and the skin's material."""
    points = human.vertices[body.ids]
    x, y, z = human.eye_left
    front = float(points[:, 1].min())
    both = (1.0, -1.0)
    blush = _spots(points, [[s * 0.039, y + 0.008, z - 0.033] for s in both], [0.014, 0.022, 0.012])
    blush += 0.6 * _spots(points, [[0, front, z - 0.032]], [0.011, 0.02, 0.010])
    blush += 0.35 * _spots(points, [[0, y - 0.02, z - 0.098]], [0.014, 0.03, 0.008])
    lid = _spots(points, [[s * x, y, z + 0.0105] for s in both], [0.016, 0.03, 0.0062])
    under = _spots(points, [[s * (x - 0.004), y - 0.01, z - 0.0135] for s in both], [0.011, 0.02, 0.004])
    gloss = _spots(points, [[0, front, z - 0.028]], [0.006, 0.02, 0.016])
    gloss += 0.8 * _spots(points, [[0, y - 0.02, z + 0.045]], [0.03, 0.04, 0.016])
    gloss += 0.9 * _spots(points, [[s * 0.042, y - 0.005, z - 0.024] for s in both], [0.013, 0.03, 0.008])
    upper = np.concatenate([human.group_vertices(f"helper-{s}-eyelashes-2") for s in "lr"])
    lower = np.concatenate([human.group_vertices(f"helper-{s}-eyelashes-1") for s in "lr"])
    liner = np.exp(-((cKDTree(human.vertices[upper]).query(points)[0] / 0.0022) ** 2))
    liner += 0.35 * np.exp(-((cKDTree(human.vertices[lower]).query(points)[0] / 0.0016) ** 2))
    for name, values in (
        ("blush", blush), ("lid", lid), ("under", under), ("gloss", gloss), ("liner", liner),
        ("scalp", scalp[body.ids]),
    ):  # fmt: skip
        set_attribute(body.object.data, name, np.clip(values, 0, 1))
    body.object.data.materials.append(_skin(human, look))


def _skin(human: Human, look: dict[str, Any]) -> object:
    textures = human.data / "mpfb2" / "textures"
    s = Shader("skin")
    lips = s.texture(textures / "mpfb_lips.jpg")
    light, dark, red = (np.array(look[key]) for key in ("light", "dark", "red"))
    colour = s.mix(rgba(light), rgba(dark), s.ranged(s.noise(30, 5), 0.35, 0.65))
    colour = s.mix(colour, rgba(red), s.math("MULTIPLY", s.ranged(s.noise(75, 4), 0.48, 0.72), look["mottle"]))
    colour = s.mix(colour, rgba(dark * 0.72), s.math("MULTIPLY", s.ranged(s.noise(330, 3), 0.45, 0.75), look["mottle"]))
    spots = s.math("MULTIPLY", s.ranged(s.voronoi(150), 0.10, 0.02), s.ranged(s.noise(22, 2), 0.5, 0.62))
    colour = s.mix(colour, rgba(dark * 0.6), s.math("MULTIPLY", spots, look["freckles"]))
    colour = s.mix(colour, rgba(look["blush"]), s.math("MULTIPLY", s.attribute("blush"), look["blush_weight"]))
    colour = s.mix(colour, rgba(look["lid"]), s.math("MULTIPLY", s.attribute("lid"), look["lid_weight"]))
    colour = s.mix(colour, rgba(dark * np.array([0.8, 0.66, 0.72])), s.math("MULTIPLY", s.attribute("under"), 0.35))
    tint = s.mix(rgba(look["lips"]), rgba(np.array(look["lips"]) * 0.72), s.noise(420, 3, s.scaled((1, 1, 0.25))))
    colour = s.mix(colour, tint, s.math("MULTIPLY", lips, look["lips_weight"]))
    inside = s.texture(textures / "mpfb_inside-mouth.jpg")
    colour = s.mix(colour, (0.28, 0.05, 0.04, 1), s.math("MULTIPLY", inside, 0.9))
    colour = s.mix(colour, (0.012, 0.008, 0.007, 1), s.math("MULTIPLY", s.attribute("liner"), look["liner"]))
    colour = s.mix(colour, rgba(look["scalp"]), s.attribute("scalp"))
    rough = s.ranged(s.noise(110, 4), 0.3, 0.7, look["rough"][0], look["rough"][1])
    rough = s.lerp(rough, s.math("SUBTRACT", rough, 0.12), s.attribute("gloss"))
    rough = s.lerp(rough, 0.30, lips)
    pores = s.bump(s.voronoi(1000), look["pores"], 0.0005)
    grain = s.bump(s.noise(330, 5), look["pores"] * 0.9, 0.0012, pores)
    creases = s.math("MULTIPLY", s.noise(900, 2, s.scaled((1, 1, 0.12))), lips)
    s.set(
        base_color=colour, roughness=rough, normal=s.bump(creases, 0.5, 0.001, grain), ior=1.4,
        subsurface_weight=1.0, subsurface_radius=(1, 0.35, 0.18), subsurface_scale=look["scatter"],
    )  # fmt: skip
    return s.material


def mouth_materials(teeth: list[Part], tongue: Part) -> None:
    """Enamel with gaps drawn between the teeth, and a wet tongue."""
    s = Shader("teeth")
    split = s.node("ShaderNodeSeparateXYZ")
    s.wire(s.position, split.inputs[0])
    across = s.math("ABSOLUTE", split.outputs[0])
    gap = None
    for at in TOOTH_GAPS:
        near = s.ranged(s.math("ABSOLUTE", s.math("SUBTRACT", across, at)), 0.0006, 0.0001)
        gap = near if gap is None else s.math("MAXIMUM", gap, near)
    enamel = s.mix((0.95, 0.87, 0.74, 1), (0.55, 0.40, 0.29, 1), s.math("MULTIPLY", gap, 0.5))
    s.set(normal=s.bump(s.math("SUBTRACT", 1.0, gap), 0.6, 0.0006))
    s.set(
        base_color=enamel,
        roughness=0.18,
        emission_color=(1, 0.93, 0.84, 1),
        emission_strength=0.05,
        subsurface_weight=0.5,
        subsurface_scale=0.002,
    )
    for part in teeth:
        part.object.data.materials.append(s.material)
    s = Shader("tongue")
    s.set(base_color=(0.52, 0.16, 0.14, 1), roughness=0.34, subsurface_weight=0.6, subsurface_scale=0.003)
    s.set(normal=s.bump(s.noise(700, 3), 0.4, 0.0008))
    tongue.object.data.materials.append(s.material)


def _eye_material(radius: float, look: dict[str, Any]) -> object:
    s = Shader("eye")
    split = s.node("ShaderNodeSeparateXYZ")
    s.wire(s.position, split.inputs[0])
    flat = s.node("ShaderNodeCombineXYZ")
    s.wire(split.outputs[0], flat.inputs[0])
    s.wire(split.outputs[2], flat.inputs[1])
    length = s.node("ShaderNodeVectorMath", operation="LENGTH")
    s.wire(flat.outputs[0], length.inputs[0])
    part = s.ranged(length.outputs["Value"], 0, radius)
    ramp = s.node("ShaderNodeValToRGB")
    s.wire(part, ramp.inputs[0])
    iris, white = np.array(look["iris"]), np.array(look["white"])
    stops = [
        (0.0, np.full(3, 0.002)), (0.165, np.full(3, 0.002)), (0.19, iris * 1.5), (0.30, iris), (0.41, iris * 0.42),
        (0.455, iris * 0.3 + 0.01), (0.50, white), (0.72, white * [0.99, 0.93, 0.91]),
        (1.0, white * [0.80, 0.60, 0.56]),
    ]  # fmt: skip
    elements = ramp.color_ramp.elements
    elements[0].position, elements[0].color = stops[0][0], rgba(stops[0][1])
    elements[1].position, elements[1].color = stops[-1][0], rgba(stops[-1][1])
    for position, colour in stops[1:-1]:
        elements.new(position).color = rgba(colour)
    angle = s.math("ARCTAN2", split.outputs[0], split.outputs[2])
    fibres = s.node("ShaderNodeTexNoise", noise_dimensions="1D")
    fibres.inputs["Scale"].default_value = 14
    fibres.inputs["Detail"].default_value = 6
    s.wire(angle, fibres.inputs["W"])
    value = s.lerp(1.0, s.ranged(fibres.outputs[0], 0, 1, 0.35, 1.7), s.math("LESS_THAN", part, 0.45))
    shade = s.node("ShaderNodeHueSaturation")
    s.wire(ramp.outputs[0], shade.inputs["Color"])
    s.wire(value, shade.inputs["Value"])
    s.set(
        base_color=shade.outputs[0], roughness=0.3, coat_weight=1.0, coat_roughness=0.01,
        subsurface_weight=0.15, subsurface_scale=0.002,
    )  # fmt: skip
    return s.material


def eyeballs(human: Human, look: dict[str, Any]) -> list[object]:
    """Two balls with a slight cornea; they turn about their centres."""
    material = _eye_material(human.eye_radius, look)
    out = []
    for name, centre in (("eye_left", human.eye_left), ("eye_right", human.eye_right)):
        mesh = bpy.data.meshes.new(name)
        segments, rings, radius = 96, 64, human.eye_radius * 0.985
        points, faces = [], []
        for ring in range(rings + 1):
            polar = math.pi * ring / rings
            bulge = 0.0009 * math.exp(-((polar / 0.42) ** 4))
            for segment in range(segments):
                turn = 2 * math.pi * segment / segments
                r = radius * math.sin(polar)
                points.append((r * math.cos(turn), -(radius * math.cos(polar) + bulge), r * math.sin(turn)))
        for ring in range(rings):
            for segment in range(segments):
                following = (segment + 1) % segments
                a, b = ring * segments, (ring + 1) * segments
                faces.append([a + segment, b + segment, b + following, a + following])
        mesh.from_pydata(points, [], faces)
        for polygon in mesh.polygons:
            polygon.use_smooth = True
        ball = add_object(name, mesh)
        ball.location = centre.tolist()
        mesh.materials.append(material)
        out.append(ball)
    return out
