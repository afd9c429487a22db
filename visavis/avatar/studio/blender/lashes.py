# mypy: ignore-errors
# Runs in the bake environment only, where numpy is older and bpy has no types.
"""Lashes, and the wet line between lower lid and eyeball. Both follow the lids."""

from __future__ import annotations

from typing import Any

import numpy as np

from visavis.avatar.studio.blender.body import Human
from visavis.avatar.studio.blender.nodes import Shader, curves_object, move_curves

_STEPS = 7


def _columns(human: Human, group: str, centre: np.ndarray) -> np.ndarray:
    """The grid of the mesh's lash strip ``group``: vertex indices (columns from the nose outwards, rows from the lid on)."""
    quads = [np.array(human.faces[i]) for i in np.where(human.groups == group)[0]]
    far = {int(v): float(np.linalg.norm(human.vertices[v] - centre)) for quad in quads for v in quad}
    sides: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for quad in quads:
        for k in range(4):
            a, b, c, d = (int(quad[(k + j) % 4]) for j in range(4))
            sides.setdefault((min(a, b), max(a, b)), []).append((d, c) if a < b else (c, d))
    paths: dict[int, list[int]] = {}
    for edge, opposite in sides.items():
        over = opposite[0]
        if len(opposite) > 1 or far[over[0]] + far[over[1]] - far[edge[0]] - far[edge[1]] < 0.0016:
            continue
        rows, seen = [edge], {edge}
        while True:
            key = (min(rows[-1]), max(rows[-1]))
            turned = rows[-1] != key
            nexts = [o[::-1] if turned else o for o in sides[key]]
            nexts = [o for o in nexts if (min(o), max(o)) not in seen]
            if not nexts:
                break
            rows.append(nexts[0])
            seen.add((min(nexts[0]), max(nexts[0])))
        for end in (0, 1):
            paths.setdefault(rows[0][end], [row[end] for row in rows])
    length = max(len(path) for path in paths.values())
    whole = [path for path in paths.values() if len(path) == length]
    return np.array(sorted(whole, key=lambda path: abs(human.vertices[path[0]][0])))


def _outwards(columns: np.ndarray, vertices: np.ndarray) -> np.ndarray:
    """0..1 for each column: how far along the lid it stands."""
    roots = vertices[columns[:, 0]]
    steps = np.linalg.norm(np.diff(roots, axis=0), axis=1)
    return np.concatenate([[0], np.cumsum(steps)]) / steps.sum()


def _mixed(paths: np.ndarray, along: np.ndarray, at: np.ndarray) -> np.ndarray:
    """``paths`` (columns, rows, 3) between columns, at the places ``at``."""
    right = np.clip(np.searchsorted(along, at), 1, len(along) - 1)
    part = ((at - along[right - 1]) / (along[right] - along[right - 1]))[:, None, None]
    return paths[right - 1] * (1 - part) + paths[right] * part


class _Row:
    """The lashes of one lid."""

    def __init__(self, human: Human, group: str, centre: np.ndarray, rng: np.random.Generator, look: dict[str, float]):
        self.columns = _columns(human, group, centre)
        self.along = _outwards(self.columns, human.vertices)
        count = int(look["count"])
        places = (np.arange(count) + rng.uniform(0.1, 0.9, count)) / count
        self.at = 0.05 + 0.94 * places
        tuft = np.round(self.at * count / 4) / (count / 4)  # lashes lean together in small tufts
        lean = 0.5 * (tuft - self.at) + look["fan"] * (self.at - 0.42) + rng.normal(0, 0.012, count)
        self.tip = np.clip(self.at + lean, 0, 1)
        # Longest at two thirds of the way outwards, short at the nose.
        shape = np.interp(self.at, (0, 0.15, 0.45, 0.75, 0.92, 1), (0.35, 0.55, 0.85, 1.0, 0.92, 0.6))
        self.length = look["length"] * shape * rng.uniform(0.72, 1.08, count)
        self.lift = look["curl"] * shape * rng.uniform(0.7, 1.2, count)
        self.beyond = look["fan"] * np.clip(self.at + lean - 1, 0, 1)

    def strands(self, vertices: np.ndarray) -> np.ndarray:
        paths = vertices[self.columns]
        root, tip = _mixed(paths, self.along, self.at), _mixed(paths, self.along, self.tip)
        rows = paths.shape[1] - 1
        k = np.linspace(0, 1, _STEPS)
        place = np.clip(self.length[:, None] * k, 0, 1) * rows
        low = np.minimum(place.astype(int), rows - 1)
        part = (place - low)[:, :, None]
        index = np.arange(len(root))[:, None]
        slide = (k**1.5)[None, :, None]
        points = root[index, low] * (1 - part) + root[index, low + 1] * part
        points += slide * (tip[index, low] * (1 - part) + tip[index, low + 1] * part - points)
        points[:, :, 2] += self.lift[:, None] * k**2
        return points


class Lashes:
    """Upper and lower lashes of both eyes."""

    def __init__(self, human: Human, look: dict[str, Any]) -> None:
        rng = np.random.default_rng(look["seed"] + 2)
        self.rows, radius = [], []
        for side, centre in (("l", human.eye_left), ("r", human.eye_right)):
            for kind, name in (("2", "upper"), ("1", "lower")):
                if look[name]["count"]:
                    self.rows.append(_Row(human, f"helper-{side}-eyelashes-{kind}", centre, rng, look[name]))
                    radius += [look[name]["radius"]] * int(look[name]["count"])
        shader = Shader("lash")
        shade = look.get("colour", [0.006, 0.004, 0.0035])
        shader.set(base_color=(*shade, 1), roughness=0.5, specular=0.3)
        taper = np.array([1, 1, 0.92, 0.8, 0.62, 0.4, 0.15])
        thick = np.array(radius)[:, None] * taper
        self.object = curves_object("lashes", self._strands(human.vertices), thick, shader.material)

    def _strands(self, vertices: np.ndarray) -> np.ndarray:
        return np.concatenate([row.strands(vertices) for row in self.rows])

    def pose(self, vertices: np.ndarray) -> None:
        move_curves(self.object, self._strands(vertices))


class WetLine:
    """The tear film on the rim of the lower lid: a thin shining thread."""

    def __init__(self, human: Human) -> None:
        self.lids = []
        for side, centre in (("l", human.eye_left), ("r", human.eye_right)):
            self.lids.append((_columns(human, f"helper-{side}-eyelashes-1", centre)[:, 0], centre))
        self.radius = human.eye_radius
        shader = Shader("tears")
        shader.set(base_color=(0.75, 0.55, 0.52, 1), roughness=0.06, specular=0.9, alpha=0.45, coat_weight=1.0)
        thick = 0.00030 * np.sin(np.linspace(0.25, np.pi - 0.25, 25))
        self.object = curves_object("tears", self._strands(human.vertices), thick, shader.material)

    def _strands(self, vertices: np.ndarray) -> np.ndarray:
        out = []
        for roots, centre in self.lids:
            points = vertices[roots]
            at = np.linspace(0, len(points) - 1, 25)
            line = np.stack([np.interp(at, np.arange(len(points)), points[:, i]) for i in range(3)], 1)
            line[1:-1] = (line[:-2] + 2 * line[1:-1] + line[2:]) / 4
            away = line - centre
            away /= np.linalg.norm(away, axis=1, keepdims=True)
            ball = centre + away * (self.radius + 0.0001)
            out.append(ball * 0.55 + line * 0.45 + [0, 0, 0.0002])
        return np.array(out)

    def pose(self, vertices: np.ndarray) -> None:
        move_curves(self.object, self._strands(vertices))
