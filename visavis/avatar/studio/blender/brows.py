# mypy: ignore-errors
# Runs in the bake environment only, where numpy is older and bpy has no types.
"""Brows: hairs that lie in the brow's direction and follow the skin."""

from __future__ import annotations

from typing import Any

import numpy as np
from mathutils import Vector
from mathutils.bvhtree import BVHTree
from scipy.spatial import cKDTree

from visavis.avatar.studio.blender.body import Human
from visavis.avatar.studio.blender.nodes import curves_object, move_curves
from visavis.avatar.studio.blender.scalp import strand_material

_ALONG = np.linspace(0, 1, 7)
# Along the brow, from its inner end: where a hair points (degrees over the horizontal), and its length.
_PLACE, _ANGLE = (0.0, 0.12, 0.3, 0.6, 0.8, 1.0), (64.0, 50.0, 32.0, 14.0, -6.0, -20.0)
_SIZE = (0.5, 0.8, 1.0, 0.95, 0.75, 0.45)


class Brows:
    """Brow hairs. Numbers in metres; ``bushy`` 0..1: how unruly they are."""

    def __init__(self, human: Human, look: dict[str, Any]) -> None:
        self.human = human
        self.strands = self._grown(human, look)
        body = human.group_vertices("body")
        distance, near = cKDTree(human.vertices[body]).query(self.strands[:, 0], k=4)
        self.near = body[near]
        weight = 1 / np.maximum(distance, 1e-5)
        self.weight = (weight / weight.sum(1, keepdims=True))[:, :, None]
        thick = np.random.default_rng(look["seed"]).uniform(0.55, 1.1, (len(self.strands), 1))
        taper = look["radius"] * thick * np.array([0.7, 1, 0.95, 0.8, 0.6, 0.35, 0.1])
        material = strand_material("brow", look["melanin"], look.get("redness", 0.3), 0.42, 0.3, look.get("grey", 0.0))
        self.object = curves_object("brows", self.strands, taper, material)

    @staticmethod
    def _grown(human: Human, look: dict[str, Any]) -> np.ndarray:
        rng = np.random.default_rng(look["seed"] + 1)
        faces = [list(map(int, human.faces[i])) for i in np.where(human.groups == "body")[0]]
        tree = BVHTree.FromPolygons([Vector(v) for v in human.vertices], faces)
        eye, bushy = human.eye_left, look.get("bushy", 0.3)
        strands = []
        for side in (1, -1):
            for _ in range(look["count"]):
                t = float(rng.beta(1.25, 1.45))  # sparse at both ends: no drawn start or tail
                across = float(np.clip(rng.normal(0, 0.55), -1.4, 1.4))
                x = eye[0] + look.get("inner", -0.0155) + t * look["length"]
                rise = np.sin(min(1.0, t / 0.68) * np.pi / 2) * look["arch"]
                rise -= look["fall"] * (max(0.0, t - 0.62) / 0.38) ** 1.3
                half = look["width"] * (1 - 0.60 * t**1.4) * (0.62 + min(0.38, t * 2.0))
                z = eye[2] + look["height"] + rise + across * half
                # Hairs of the upper rim lie down, those of the lower rim rise: they meet in the middle.
                angle = np.interp(t, _PLACE, _ANGLE) - 26 * across * min(1.0, t * 2.5) + rng.normal(0, 9 + 9 * bushy)
                size = 0.0078 * np.interp(t, _PLACE, _SIZE) * rng.uniform(0.4, 1.1) * look.get("hair_length", 1.0)
                bend = np.radians(angle) - np.radians(18 + rng.normal(0, 10)) * _ALONG * np.sign(angle)
                step = size / (len(_ALONG) - 1)
                px = x + np.concatenate([[0], np.cumsum(np.cos(bend[:-1]) * step)])
                pz = z + np.concatenate([[0], np.cumsum(np.sin(bend[:-1]) * step)])
                lift = (0.00005 + (0.0004 + 0.0009 * bushy * rng.random()) * np.sin(_ALONG * 2.2)) * rng.uniform(
                    0.6, 1.2
                )
                points = []
                for hx, hz, up in zip(side * px, pz, lift, strict=True):
                    hit = tree.ray_cast(Vector((hx, -1, hz)), Vector((0, 1, 0)))
                    if hit[0]:
                        points.append([hx, hit[0].y - up, hz])
                if len(points) == len(_ALONG):
                    strands.append(points)
        return np.array(strands)

    def pose(self, vertices: np.ndarray) -> None:
        delta = ((vertices - self.human.vertices)[self.near] * self.weight).sum(1)
        move_curves(self.object, self.strands + delta[:, None])
