# mypy: ignore-errors
# Runs in the bake environment only, where numpy is older and bpy has no types.
"""Eyeballs."""

from __future__ import annotations

import math
from typing import Any

import bpy
import numpy as np

from visavis.avatar.studio.blender.body import Human
from visavis.avatar.studio.blender.nodes import Shader, add_object, rgba


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
        (0.0, np.full(3, 0.002)), (0.160, np.full(3, 0.002)), (0.18, iris * 0.8), (0.215, iris * 1.6), (0.30, iris * 1.05),
        (0.40, iris * 0.6), (0.435, iris * 0.2), (0.462, iris * 0.16 + 0.004), (0.515, white * [0.86, 0.88, 0.9]),
        (0.60, white), (0.78, white * [0.97, 0.88, 0.85]), (1.0, white * [0.78, 0.52, 0.47]),
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
    colour = shade.outputs[0]
    # Veins on the white, and the shade under the lids (contact shade, so that it follows them).
    veins = s.fold("MULTIPLY", s.ranged(s.voronoi(210, "DISTANCE_TO_EDGE"), 0.05, 0.0), s.ranged(part, 0.55, 0.9),
                   s.ranged(s.noise(130, 3), 0.45, 0.7, 0, look.get("vein", 0.25)))  # fmt: skip
    colour = s.mix(colour, rgba(white * [0.75, 0.26, 0.22]), veins)
    contact = s.node("ShaderNodeAmbientOcclusion", samples=6)
    contact.inputs["Distance"].default_value = 0.0045
    open_ = s.ranged(contact.outputs["AO"], 0.15, 0.85, 0.30, 1.0)
    dim = s.node("ShaderNodeMix", data_type="RGBA", blend_type="MULTIPLY")
    dim.inputs[0].default_value = 1.0
    s.wire(colour, dim.inputs[6])
    s.wire(s.mix((0.34, 0.22, 0.19, 1), (1, 1, 1, 1), open_), dim.inputs[7])
    s.set(
        base_color=dim.outputs[2], roughness=0.32, coat_weight=1.0, coat_roughness=0.015,
        subsurface_weight=0.18, subsurface_scale=0.002,
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
