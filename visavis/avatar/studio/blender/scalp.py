# mypy: ignore-errors
# Runs in the bake environment only, where numpy is older and bpy has no types.
"""Where hair grows on the head, and what strands are made of."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np

from visavis.avatar.studio.blender.body import Human, vertex_normals

# The hairline: least height over the eyes for each depth y (front to back). A character may have its own.
LINE_Y = (-0.135, -0.112, -0.095, -0.078, -0.062, -0.046, -0.03, -0.005, 0.05, 0.12)
LINE_Z = (0.2, 0.060, 0.049, 0.038, 0.022, 0.004, -0.008, -0.034, -0.068, -0.075)


def strand_material(
    name: str, melanin: float, redness: float, rough: float, random: float, grey: float = 0.0
) -> object:
    """Hair of so much pigment; the share ``grey`` of all strands has next to none."""
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
    if grey:
        info, share = tree.nodes.new("ShaderNodeHairInfo"), tree.nodes.new("ShaderNodeMapRange")
        # Soft: some strands are on their way.
        for index, number in enumerate((grey - 0.12, grey + 0.12, min(melanin, 0.06), melanin), 1):
            share.inputs[index].default_value = number
        tree.links.new(info.outputs["Random"], share.inputs[0])
        tree.links.new(share.outputs[0], shader.inputs["Melanin"])
    tree.links.new(shader.outputs[0], out.inputs[0])
    return material


class Scalp:
    """Where hair grows."""

    def __init__(self, human: Human, look: dict[str, Any]) -> None:
        self.human = human
        self.line_y = np.array(look.get("line_y", LINE_Y)) - look["forward"]
        self.line_z = np.array(look.get("line_z", LINE_Z))
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
        return points[:, 2] - self.human.eye_left[2] - np.interp(points[:, 1], self.line_y, self.line_z)

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
        return points, unit(normal), (self.ear[pick] * weight).sum(1)


def unit(v: np.ndarray) -> np.ndarray:
    """Rows of length 1."""
    return v / np.maximum(np.linalg.norm(v, axis=1, keepdims=True), 1e-9)


def axis(count: int, x: object = 0.0, y: object = 0.0, z: object = 0.0) -> np.ndarray:
    """``count`` rows (x, y, z) of numbers or arrays."""
    return np.stack([np.broadcast_to(np.asarray(value, float), (count,)) for value in (x, y, z)], 1)
