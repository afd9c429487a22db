# mypy: ignore-errors
# Runs in the bake environment only, where numpy is older and bpy has no types.
"""Teeth, gums and tongue: single rounded teeth along the arch of the mesh's tooth bands."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

from visavis.avatar.studio.blender.body import Human
from visavis.avatar.studio.blender.nodes import Part, Shader, mesh_object, rgba, set_attribute

# From the middle outwards: width, height, thickness, how much longer (+) or shorter than its neighbours. Millimetres.
UPPER = ((8.4, 10.2, 3.6, 0.0), (6.5, 9.2, 3.2, -0.7), (7.6, 10.0, 4.2, -0.1), (7.0, 8.6, 5.0, -0.6),
         (6.8, 7.8, 5.2, -0.9), (9.6, 7.4, 6.0, -1.2))  # fmt: skip
LOWER = ((5.3, 8.6, 3.2, 0.0), (5.8, 8.8, 3.3, -0.1), (6.8, 9.4, 4.0, 0.1), (6.9, 8.4, 4.8, -0.5),
         (7.0, 7.8, 5.2, -0.9), (10.0, 7.4, 6.0, -1.3))  # fmt: skip
_AROUND, _UP = 28, 18


class _Arch:
    """The outer line of a tooth band seen from above, by its length from the middle."""

    def __init__(self, points: np.ndarray) -> None:
        self.back = float(points[:, 1].max())
        offset = points[:, :2] - [0, self.back]
        angle = np.arctan2(np.abs(offset[:, 0]), -offset[:, 1])
        far = np.hypot(offset[:, 0], offset[:, 1])
        edges = np.linspace(0, np.pi / 2, 10)
        at = (edges[1:] + edges[:-1]) / 2
        reach = [far[(angle >= low - 1e-6) & (angle <= high)] for low, high in pairwise(edges)]
        known = [(a, r.max()) for a, r in zip(at, reach, strict=True) if len(r)]
        turn = np.linspace(0, np.pi / 2, 200)
        known = np.array(known)
        known = np.vstack([[0, far[angle < 0.12].max()], known])
        # Even in the angle: an arch has no corner between its two middle teeth.
        fit = np.polyfit(known[:, 0] ** 2, known[:, 1], 2)
        radius = np.polyval(fit, turn**2)
        self.line = np.stack([radius * np.sin(turn), self.back - radius * np.cos(turn)], 1)
        self.length = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(self.line, axis=0), axis=1))])

    def at(self, along: float) -> tuple[np.ndarray, np.ndarray]:
        """Place and direction (unit, away from the middle) at ``along`` metres from the middle."""
        low, high = (
            np.array([np.interp(along + d, self.length, self.line[:, i]) for i in (0, 1)]) for d in (-5e-4, 5e-4)
        )
        direction = (high - low) / np.linalg.norm(high - low)
        return (low + high) / 2, direction


def _bent(value: np.ndarray, power: float) -> np.ndarray:
    return np.sign(value) * np.abs(value) ** power


def _tooth(width: float, height: float, thick: float, canine: bool) -> tuple[np.ndarray, np.ndarray]:
    """Points (across, outwards, up) of one tooth whose biting edge is at 0 and whose root goes up; and 0..1 upwards."""
    turn, rise = np.meshgrid(np.arange(_AROUND) / _AROUND * 2 * np.pi, np.linspace(-np.pi / 2, np.pi / 2, _UP))
    flat = _bent(np.cos(rise), 0.36 if canine else 0.26)
    up = (_bent(np.sin(rise), 0.62) + 1) / 2
    # Broadest in the lower third, where neighbours touch.
    across = width / 2 * _bent(np.cos(turn), 0.50) * flat * (1 - 0.16 * np.clip(up - 0.3, 0, 1) ** 1.3)
    out = thick / 2 * _bent(np.sin(turn), 0.62) * flat * (0.42 + 0.58 * np.clip(up * 1.8, 0, 1))
    out += 0.0008 * np.sin(up * np.pi) - 0.0006
    z = up * height
    if canine:
        z = z + 0.0011 * (np.abs(across) / (width / 2)) ** 1.3 * (1 - up)
    return np.stack([across, out, z], -1).reshape(-1, 3), up.ravel()


class Jaw:
    """One jaw's teeth and gum; it moves rigidly with the mesh's tooth band."""

    def __init__(self, human: Human, name: str, look: dict[str, Any], material: object) -> None:
        self.ids = human.group_vertices(f"helper-{name}-teeth")
        self.rest = human.vertices[self.ids]
        upper = name == "upper"
        self.flesh = None if upper else _Flesh(human, self.ids)
        self.shift = -look[name]
        band = self.rest
        edge = band[:, 2].min() if upper else band[:, 2].max()
        front = band[np.argsort(band[:, 1])[:12]]
        edge = front[:, 2].min() if upper else front[:, 2].max()
        way = 1.0 if upper else -1.0
        arch = _Arch(band)
        points, faces, rises = [], [], []
        total = sum(w for w, *_ in UPPER) / 1000
        scale = 0.94 * arch.length[-1] / total if arch.length[-1] < total else 0.97
        rng = np.random.default_rng(int(look.get("seed", 3)))
        for side in (1.0, -1.0):
            along = -0.0002  # the two middle teeth touch
            for number, (width, height, thick, longer) in enumerate(UPPER if upper else LOWER):
                w, h = width * scale / 1000, height / 1000
                place, direction = arch.at(along + w / 2)
                along += w - 0.00012
                shape, rise = _tooth(w, h, thick / 1000, number == 2)
                tilt = rng.normal(0, 0.006)
                tangent = np.array([direction[0] * side, direction[1], 0])
                outward = np.array([direction[1] * side, -direction[0], 0])
                outward = outward if outward @ np.array([place[0] * side, place[1] - arch.back, 0]) > 0 else -outward
                spot = np.array([place[0] * side, place[1], edge - way * longer / 1000 + rng.normal(0, 0.00008)])
                lean = np.array([0, 0.06, 0]) * way
                local = shape[:, :1] * (tangent + np.array([0, 0, tilt])) + shape[:, 1:2] * outward
                local = local + shape[:, 2:3] * (np.array([0, 0, way]) + lean - outward * 0.10)
                first = sum(len(p) for p in points)
                points.append(spot - outward * thick / 2200 + local)
                rises.append(rise)
                faces += _grid(first)
        self.points = np.concatenate(points)
        self.object = mesh_object(f"{name} teeth", self.points, faces)
        set_attribute(self.object.data, "rise", np.concatenate(rises))
        self.object.data.materials.append(material)
        self.gum_points, gum_faces = _gum(arch, edge, way, upper)
        self.gum = mesh_object(f"{name} gum", self.gum_points, gum_faces)
        self.pose(human.vertices)

    def pose(self, vertices: np.ndarray) -> None:
        move = _rigid(self.rest, vertices[self.ids]) if self.flesh is None else self.flesh.motion(vertices)
        for item, points in ((self.object, self.points), (self.gum, self.gum_points)):
            moved = move(points) + np.array([0.0, 0.0, self.shift])
            item.data.vertices.foreach_set("co", moved.astype(np.float32).ravel())
            item.data.update()


def _rigid(rest: np.ndarray, now: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """The rigid motion that takes ``rest`` nearest to ``now`` (Kabsch)."""
    a, b = rest.mean(0), now.mean(0)
    u, _, v = np.linalg.svd((rest - a).T @ (now - b))
    turn = (u @ np.diag([1, 1, np.sign(np.linalg.det(u @ v))]) @ v).T
    return lambda points: (points - a) @ turn.T + b


class _Flesh:
    """How the chin moves with the jaw.

    The jaw's face units carry the mesh's lower teeth less far back than the chin before them, which they would pierce;
    teeth that go with the chin's flesh stay behind it.
    """

    UNITS = ("jawOpen", "jawForward", "jawLeft", "jawRight")
    SLIP = 0.08  # how much of its way down the lip leaves the teeth behind: their tips show in a wide open mouth

    def __init__(self, human: Human, teeth: np.ndarray) -> None:
        band = human.vertices[teeth]
        self.human, self.teeth = human, teeth
        self.basis = np.stack([human.deltas[name][teeth].ravel() for name in self.UNITS], 1)
        body = human.group_vertices("body")
        points = human.vertices[body]
        near = (np.abs(points[:, 0]) < 0.016) & (points[:, 1] < band[:, 1].min() + 0.004)
        near &= (points[:, 2] < band[:, 2].max() + 0.002) & (points[:, 2] > band[:, 2].min() - 0.012)
        near &= human.deltas["jawOpen"][body, 2] < -0.015  # the lower lip, not the upper
        self.ids = body[near]

    def motion(self, vertices: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
        """The jaw's rigid motion in the pose ``vertices``."""
        way = (vertices[self.teeth] - self.human.vertices[self.teeth]).ravel()
        weights = np.linalg.lstsq(self.basis, way, rcond=None)[0]
        delta = sum(w * self.human.deltas[name][self.ids] for w, name in zip(weights, self.UNITS, strict=True))
        rest = self.human.vertices[self.ids]
        return _rigid(rest, rest + delta * [1, 1, 1 - self.SLIP])


def _grid(first: int) -> list[list[int]]:
    out = []
    for row in range(_UP - 1):
        for k in range(_AROUND):
            a, b = first + row * _AROUND, first + (row + 1) * _AROUND
            out.append([a + k, a + (k + 1) % _AROUND, b + (k + 1) % _AROUND, b + k])
    return out


def _gum(arch: _Arch, edge: float, way: float, upper: bool) -> tuple[np.ndarray, list[list[int]]]:
    """A swelling band over the roots, scalloped round each tooth."""
    sizes = [w / 1000 * 0.97 for w, *_ in (UPPER if upper else LOWER)]
    borders = np.concatenate([[0], np.cumsum(sizes)])
    rows, steps = [], 97
    deep = ((0.0125, 0.0008), (0.02, -0.002)) if upper else ((0.0105, 0.0), (0.0115, -0.003))
    for i in range(steps):
        along = (i / (steps - 1) * 2 - 1) * borders[-1]
        side, far = (1.0 if along >= 0 else -1.0), abs(along)
        place, direction = arch.at(far)
        outward = np.array([-direction[1], direction[0]])
        outward = outward if outward @ np.array([place[0], place[1] - arch.back]) > 0 else -outward
        tooth = min(np.searchsorted(borders, far, side="right") - 1, len(sizes) - 1)
        within = (far - borders[tooth]) / sizes[tooth]
        height = (UPPER if upper else LOWER)[tooth][1] / 1000
        low = height * 0.80 - 0.0016 * abs(2 * within - 1) ** 2.2
        row = []
        for up, out in ((low - 0.0002, -0.0016), (low + 0.0004, 0.0001), (low + 0.002, 0.0008), *deep):
            spot = place + outward * (out - 0.0006)
            row.append([spot[0] * side, spot[1] + 0.06 * up * way * way, edge + way * up])
        rows.append(row)
    width = len(rows[0])
    faces = [
        [i * width + j, i * width + j + 1, (i + 1) * width + j + 1, (i + 1) * width + j]
        for i in range(steps - 1)
        for j in range(width - 1)
    ]
    return np.array(rows).reshape(-1, 3), faces


def _enamel(look: dict[str, Any]) -> object:
    s = Shader("teeth")
    colour = np.array(look.get("enamel", [0.82, 0.76, 0.66]))
    rise = s.attribute("rise")
    shade = s.mix(rgba(colour * [0.93, 0.93, 0.92]), rgba(colour), s.ranged(rise, 0.0, 0.25))
    shade = s.mix(shade, rgba(colour * [0.95, 0.84, 0.68]), s.ranged(rise, 0.35, 0.95))
    shade = s.mix(shade, rgba(colour * 0.86), s.math("MULTIPLY", s.noise(260, 3), 0.35))
    s.set(
        base_color=shade, roughness=0.28, coat_weight=0.35, coat_roughness=0.10, subsurface_weight=0.6,
        subsurface_scale=0.0012, subsurface_radius=(1, 0.8, 0.6), normal=s.bump(s.noise(420, 2), 0.15, 0.0006),
    )  # fmt: skip
    return s.material


def _gums() -> object:
    s = Shader("gum")
    tone = s.mix((0.30, 0.085, 0.075, 1), (0.20, 0.045, 0.042, 1), s.noise(300, 3))
    s.set(base_color=tone, roughness=0.3, subsurface_weight=0.5, subsurface_scale=0.002, coat_weight=0.3)
    return s.material


class Mouth:
    """Everything behind the lips."""

    def __init__(self, human: Human, look: dict[str, Any]) -> None:
        enamel, gums = _enamel(look), _gums()
        self.jaws = [Jaw(human, name, look, enamel) for name in ("upper", "lower")]
        for jaw in self.jaws:
            jaw.gum.data.materials.append(gums)
        self.tongue = Part(human, "tongue", np.where(human.groups == "helper-tongue")[0], shift=look.get("tongue", 0.0))
        s = Shader("tongue", follow=True)
        tone = s.mix((0.50, 0.15, 0.13, 1), (0.40, 0.13, 0.115, 1), s.noise(350, 4))
        s.set(base_color=tone, roughness=0.32, subsurface_weight=0.6, subsurface_scale=0.003, coat_weight=0.25)
        s.set(normal=s.bump(s.noise(900, 3), 0.5, 0.0008))
        self.tongue.object.data.materials.append(s.material)

    def pose(self, vertices: np.ndarray) -> None:
        for jaw in self.jaws:
            jaw.pose(vertices)
        self.tongue.pose(self._with_jaw(vertices))

    def _with_jaw(self, vertices: np.ndarray) -> np.ndarray:
        """``vertices``, the tongue's carried along where the lower teeth differ from the mesh's own."""
        jaw, ids = self.jaws[1], self.tongue.ids
        back = _rigid(vertices[jaw.ids], jaw.rest)
        out = vertices.copy()
        out[ids] = jaw.flesh.motion(vertices)(back(vertices[ids]))
        return out
