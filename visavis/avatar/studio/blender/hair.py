# mypy: ignore-errors
# Runs in the bake environment only, where numpy is older and bpy has no types.
"""A soft parted bob, grown as curves: it falls from the part over the ears to the collar, in locks with loose ends."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.spatial import cKDTree

from visavis.avatar.studio.blender.body import Human
from visavis.avatar.studio.blender.nodes import curves_object
from visavis.avatar.studio.blender.scalp import Scalp, axis, strand_material, unit

_STEPS = 40


def grow(human: Human, scalp: Scalp, clothes: list[tuple[np.ndarray, np.ndarray]], look: dict[str, Any]) -> object:
    """Strands run from the part sideways, over the ears and down; those of a lock come together towards its end."""
    rng = np.random.default_rng(look["seed"])
    roots, normals = _roots(scalp, look, rng)
    solid, solid_normal, _ = scalp.sample(260_000, rng)
    solid = np.concatenate([solid, *[points for points, _ in clothes]])
    solid_normal = np.concatenate([solid_normal, *[normal for _, normal in clothes]])
    layer = rng.random(len(roots)) ** 1.4
    # The part runs from the forehead to the crown; behind it the hair falls to both sides alike.
    part = look["part"] * np.clip((0.03 - roots[:, 1]) / 0.06, 0, 1)
    side = np.where(roots[:, 0] >= part + 0.0012 * np.sin(roots[:, 1] * 700), 1.0, -1.0)
    paths = _fallen(human, look, rng, (roots, normals, side, layer), (cKDTree(solid), solid, solid_normal))
    paths = _locks(paths, side, look, rng)
    paths = _cut(paths, _ends(paths, look, layer, rng))
    for step in range(3, _STEPS):
        paths[:, step] = _off_face(paths[:, step], side, layer, look)
    t = np.linspace(0, 1, _STEPS)
    taper = np.interp(t, (0, 0.5, 0.8, 1), (1, 1, 0.72, 0.18))
    radius = look["radius"] * rng.uniform(0.75, 1.15, len(paths))[:, None] * taper
    material = strand_material("hair", look["melanin"], look["redness"], look["rough"], look["random"])
    _baby_hairs(human, scalp, look, rng, material)
    return curves_object("hair", paths, radius, material)


def _roots(scalp: Scalp, look: dict[str, Any], rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Where strands begin: thinner towards the hairline, whose course is uneven."""
    roots, normals, ear = scalp.sample(400_000, rng)
    wave = 0.0035 * np.sin(roots[:, 0] * 160 + 3 * np.sin(roots[:, 1] * 90)) + 0.002 * np.sin(roots[:, 0] * 410 + 1)
    over = scalp.height_over_line(roots) - wave
    thin = np.where(roots[:, 1] < -0.03, 0.010, 0.002)
    keep = rng.random(len(roots)) < np.clip(over / thin, 0, 1) ** 0.8
    keep &= (ear < 0.05) & (roots[:, 2] > scalp.human.eye_left[2] - 0.09)
    keep &= ((roots - scalp.centre) * normals).sum(1) > 0
    roots, normals = roots[keep], normals[keep]
    order = rng.permutation(len(roots))[: look["strands"]]
    return roots[order], normals[order]


def _fallen(human, look, rng, strands, solid) -> np.ndarray:
    """The strands' ways (count, steps, 3): first along the head, then down, kept out of skin and clothes."""
    tree, points, point_normals = solid
    roots, normals, side, layer = strands
    eye, count, part = human.eye_left[2], len(roots), look["part"]
    groups = rng.choice(count, look["clumps"])
    noise = rng.normal(0, 1, (len(groups), 3))[cKDTree(roots[groups]).query(roots)[1]]
    front = np.clip((-0.045 - roots[:, 1]) / 0.05, 0, 1)
    crown = np.clip((roots[:, 2] - eye - 0.06) / 0.05, 0, 1)
    # What grows low at the nape hangs straight down and fills the space beside the neck.
    nape = np.clip((roots[:, 1] - 0.0) / 0.03, 0, 1) * np.clip((eye - 0.01 - roots[:, 2]) / 0.03, 0, 1)
    direction = axis(count, side * (0.8 - 0.6 * nape), 0.22 + look["sweep_back"] * front, -0.05)
    direction += noise * 0.07 + rng.normal(0, 0.035, (count, 3))
    direction -= normals * (direction * normals).sum(1, keepdims=True)
    direction = unit(unit(direction) + normals * (0.10 + look["volume"] * crown)[:, None])
    length = roots[:, 2] - look["end"]
    length += (
        0.05 * np.clip((roots[:, 2] - eye - 0.03) / 0.07, 0, 1) * np.clip(1.2 - np.abs(roots[:, 0] - part) / 0.07, 0, 1)
    )
    length = np.clip(length + 0.035, 0.03, 0.4)
    centre_line = axis(count, 0, look["centre_y"], 0)
    position = roots.copy()
    path = [position.copy()]
    for step in range(1, _STEPS):
        t = (step - 1) / (_STEPS - 1)
        fall = 0.14 + 0.31 * min(1.0, t * 2.4)
        direction = direction * (1 - fall) + np.array([0, 0, -1.0]) * fall + noise * 0.012
        inwards = centre_line - position
        inwards[:, 2] = 0
        tip = np.clip((t - look["tuck_from"]) / 0.35, 0, 1)
        direction = unit(direction + unit(inwards) * look["tuck"] * tip)
        moved = position + direction * length[:, None] / (_STEPS - 1)
        distance, near = tree.query(moved, distance_upper_bound=0.05)
        touching = np.isfinite(distance)
        near[~touching] = 0
        depth = ((moved - points[near]) * point_normals[near]).sum(1)
        gap = (0.002 + look["thickness"] * layer) * np.clip(t * 4, 0.12, 1)
        gap += 0.003 * (moved[:, 2] > eye + 0.03) * np.clip(t * 6, 0, 1)
        push = np.where(touching, np.clip(gap - depth, 0, 0.02), 0)
        moved += point_normals[near] * push[:, None]
        moved = _off_face(moved, side, layer, look) if t > 0.08 else moved
        moved = _in_outline(moved, layer, look)
        direction = unit(moved - position)
        position = moved
        path.append(position.copy())
    return np.stack(path, 1)


def _locks(paths: np.ndarray, side: np.ndarray, look: dict[str, Any], rng: np.random.Generator) -> np.ndarray:
    """Gather strands into locks (broad, then fine), let the locks wave, and let single hairs fly."""
    count, steps = paths.shape[:2]
    t = np.linspace(0, 1, steps)
    # Neighbours half-way down and on the same side of the part belong together.
    middle = paths[:, steps // 2]
    for groups, pull, begin in ((look["locks"], look["lock_pull"], 0.12), (look["locks"] * 11, 0.62, 0.05)):
        chosen = rng.choice(count, int(groups), replace=False)
        place = np.column_stack([middle * [1, 1, 0.35], side * 0.5, 0.25 * paths[:, 0, 1]])
        lead = chosen[cKDTree(place[chosen]).query(place)[1]]
        strength = pull * rng.uniform(0.45, 1.15, count)[:, None] * np.clip((t - begin) / 0.6, 0, 1) ** 1.2
        paths = paths + np.clip(strength, 0, 0.93)[:, :, None] * (paths[lead] - paths)
        middle = paths[:, steps // 2]
    out = middle * [1, 1, 0]
    out = unit(out - [0, look["centre_y"], 0])
    along = np.concatenate([np.zeros((count, 1)), np.cumsum(np.linalg.norm(np.diff(paths, axis=1), axis=2), 1)], 1)
    # Neighbours wave together: the phase comes from the place.
    phase = 2.1 * np.sin(middle[:, 0] * 95 + 1.3) + 2.4 * np.sin(middle[:, 1] * 80) + rng.normal(0, 0.25, count)
    wave = np.sin(along / look["wave_length"] * 2 * np.pi + phase[:, None]) * np.clip((t - 0.22) / 0.5, 0, 1)
    paths = paths + (wave * look["wave"])[:, :, None] * out[:, None]
    tangent = np.stack([-out[:, 1], out[:, 0], np.zeros(count)], 1)
    sway = np.sin(along / look["wave_length"] * 1.7 * np.pi + 1.7 * phase[:, None]) * np.clip((t - 0.3) / 0.5, 0, 1)
    paths = paths + (sway * look["wave"] * 0.8)[:, :, None] * tangent[:, None]
    # Fine unrest for all, and a few fly-aways.
    loose = np.where(rng.random(count) < look["flyaway"], rng.uniform(1.5, 5.0, count), rng.uniform(0.2, 0.9, count))
    drift = np.cumsum(rng.normal(0, 1, (count, steps, 3)), 1) / np.sqrt(steps)
    drift -= drift[:, :1]
    return paths + drift * (0.0011 * loose[:, None, None]) * np.clip(t / 0.5, 0, 1)[None, :, None]


def _ends(paths: np.ndarray, look: dict[str, Any], layer: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The height at which each strand ends: longer in front, uneven from lock to lock and from hair to hair."""
    place = paths[:, -1]
    front = np.clip((0.01 - place[:, 1]) / 0.10, 0, 1)
    lock = 0.006 * np.sin(place[:, 0] * 210 + 4 * np.sin(place[:, 1] * 130))
    uneven = rng.normal(0, 0.004, len(paths)) + 0.020 * rng.random(len(paths)) ** 3
    return look["end"] - look["longer_front"] * front + 0.010 * layer + lock + uneven


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
    # Spread all points over what is left, so that every strand tapers to its own end.
    last = np.where(crossed, after - 1 + np.clip(part, 0, 1), path.shape[1] - 1.0)
    at = np.linspace(0, 1, path.shape[1])[None] * last[:, None]
    low = np.minimum(at.astype(int), path.shape[1] - 2)
    out = path[row[:, None], low] + (path[row[:, None], low + 1] - path[row[:, None], low]) * (at - low)[:, :, None]
    out[crossed, -1] = place[crossed]
    return out


def _off_face(points: np.ndarray, side: np.ndarray, layer: np.ndarray, look: dict[str, Any]) -> np.ndarray:
    """Keep strands off the face."""
    inner = np.interp(points[:, 2], look["face_z"], look["face_x"]) - 0.004 + 0.010 * layer
    near = (points[:, 1] < -0.055) & (points[:, 2] < look["face_z"][-1]) & (np.abs(points[:, 0]) < inner)
    moved = side * (np.abs(points[:, 0]) + np.minimum(inner - np.abs(points[:, 0]), 0.006))
    points[:, 0] = np.where(near, moved, points[:, 0])
    return points


def _in_outline(points: np.ndarray, layer: np.ndarray, look: dict[str, Any]) -> np.ndarray:
    outer = np.interp(points[:, 2], look["outline_z"], look["outline_x"]) + 0.008 * layer - 0.008
    outer -= 0.008 * np.clip((points[:, 1] + 0.012) / 0.03, 0, 1)
    excess = np.maximum(np.abs(points[:, 0]) - outer, 0)
    points[:, 0] -= np.sign(points[:, 0]) * excess * 0.7
    return points


def _baby_hairs(human: Human, scalp: Scalp, look: dict[str, Any], rng: np.random.Generator, material: object) -> None:
    """Short fine hairs before the hairline: they soften it."""
    roots, normals, ear = scalp.sample(200_000, rng)
    over = scalp.height_over_line(roots)
    keep = (over > -0.005) & (over < 0.006) & (ear < 0.05) & (roots[:, 1] < -0.03)
    keep &= ((roots - scalp.centre) * normals).sum(1) > 0
    roots, normals = roots[keep][: look["baby_hairs"]], normals[keep][: look["baby_hairs"]]
    count = len(roots)
    side = np.where(roots[:, 0] >= look["part"], 1.0, -1.0)
    way = axis(count, side * rng.uniform(0.3, 1.0, count), 0.5, rng.uniform(-0.1, 0.5, count)) + rng.normal(
        0, 0.25, (count, 3)
    )
    way = unit(way - normals * (way * normals).sum(1, keepdims=True))
    length = rng.uniform(0.005, 0.020, count)[:, None]
    path, position = [roots], roots
    for step in range(1, 7):
        lift = normals * (0.16 - 0.03 * step)
        way = unit(way + np.array([0, 0, -0.05]) + rng.normal(0, 0.06, (count, 3)))
        position = position + (way + lift) * length / 6
        path.append(position)
    taper = look["radius"] * 0.5 * np.linspace(1, 0.2, 7)
    curves_object("baby hairs", np.stack(path, 1), taper, material)
