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
    # The part runs from the forehead to the crown; behind it the hair falls to both sides alike. Single hairs cross it.
    part = look["part"] * np.clip((0.03 - roots[:, 1]) / 0.06, 0, 1)
    part = part + 0.0005 * np.sin(roots[:, 1] * 170) + rng.normal(0, look["part_soft"], len(roots))
    side = np.where(roots[:, 0] >= part, 1.0, -1.0)
    body = (cKDTree(solid), solid, solid_normal)
    paths = _fallen(human, look, rng, (roots, normals, side, layer), body)
    paths, lock = _locks(paths, side, look, rng)
    ends = _ends(paths, look, layer, lock, rng)
    paths = _hung(paths, side, layer, look)
    paths = _cut(paths, ends)
    for step in range(3, _STEPS):
        paths[:, step] = _off_face(paths[:, step], side, layer, look)
    paths = _lifted(paths, body)
    tone = _tones(lock, layer, look, rng) - look["tone_side"] * side
    loose, of = _loose(paths, look, rng)
    radius = look["radius"] * rng.uniform(0.75, 1.15, len(paths))
    paths, tone = np.concatenate([paths, loose]), np.concatenate([tone, tone[of]])
    radius = np.concatenate([radius, np.full(len(loose), look["radius"] * 0.6)])
    t = np.linspace(0, 1, _STEPS)
    taper = np.interp(t, (0, 0.5, 0.8, 1), (1, 1, 0.75, 0.3))
    material = _material(look)
    _baby_hairs(human, scalp, look, rng, material)
    return _toned(curves_object("hair", paths, radius[:, None] * taper, material), tone)


def _material(look: dict[str, Any]) -> object:
    """Hair whose pigment differs from lock to lock and from hair to hair, and grows lighter towards the ends."""
    material = strand_material("hair", look["melanin"], look["redness"], look["rough"], look["random"])
    nodes, links = material.node_tree.nodes, material.node_tree.links
    shader = next(node for node in nodes if node.type == "BSDF_HAIR_PRINCIPLED")
    tone, info, bleach, pigment = (
        nodes.new(f"ShaderNode{kind}") for kind in ("Attribute", "HairInfo", "MapRange", "Math")
    )
    tone.attribute_name, pigment.operation = "tone", "ADD"
    bleach.interpolation_type = "SMOOTHSTEP"
    for index, number in enumerate((0.25, 1.0, look["melanin"], look["melanin_tips"]), 1):
        bleach.inputs[index].default_value = number
    links.new(info.outputs["Intercept"], bleach.inputs[0])
    links.new(bleach.outputs[0], pigment.inputs[0])
    links.new(tone.outputs["Fac"], pigment.inputs[1])
    links.new(pigment.outputs[0], shader.inputs["Melanin"])
    return material


def _tones(lock: np.ndarray, layer: np.ndarray, look: dict[str, Any], rng: np.random.Generator) -> np.ndarray:
    """How much more pigment than usual each strand has: by its lock, by itself, and less in the upper layers."""
    _, number = np.unique(lock, return_inverse=True)
    of_lock = rng.normal(0, look["tone_locks"], number.max() + 1)[number]
    return of_lock + rng.normal(0, look["tone_strands"], len(lock)) - 0.05 * layer


def _toned(item: object, tone: np.ndarray) -> object:
    attribute = item.data.attributes.new("tone", "FLOAT", "CURVE")
    attribute.data.foreach_set("value", tone.astype(np.float32))
    return item


def _hung(paths: np.ndarray, side: np.ndarray, layer: np.ndarray, look: dict[str, Any]) -> np.ndarray:
    """Give the hanging hair its outline: fuller beside the cheeks, then closing in on the neck and the collarbones."""
    out = np.interp(paths[:, :, 2], look["fuller_z"], look["fuller"]) * layer[:, None]
    into = np.interp(paths[:, :, 2], look["closer_z"], look["closer"])
    x = np.abs(paths[:, :, 0]) + out - into
    paths = paths.copy()
    paths[:, :, 0] = np.where(
        paths[:, :, 2] < look["fuller_z"][-1], side[:, None] * np.maximum(x, 0.012), paths[:, :, 0]
    )
    return paths


def _lifted(paths: np.ndarray, body: tuple[cKDTree, np.ndarray, np.ndarray]) -> np.ndarray:
    """Lift what shaping has pushed into skin or clothes."""
    tree, points, normals = body
    low = (paths[:, :, 2] < 0.60) & (np.arange(paths.shape[1]) > 2)
    place = paths[low]
    distance, near = tree.query(place, distance_upper_bound=0.03)
    touching = np.isfinite(distance)
    near[~touching] = 0
    depth = ((place - points[near]) * normals[near]).sum(1)
    place += normals[near] * np.where(touching, np.clip(0.0025 - depth, 0, 0.015), 0)[:, None]
    paths[low] = place
    return paths


def _loose(paths: np.ndarray, look: dict[str, Any], rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Single hairs that stand off the others, and of which strands they are copies."""
    of = rng.choice(len(paths), look["loose"], replace=False)
    count, steps = len(of), paths.shape[1]
    t = np.linspace(0, 1, steps)
    out = unit(paths[of, steps // 2] * [1, 1, 0] - [0, look["centre_y"], 0])[:, None]
    off = rng.gamma(2.0, 0.0013, count)[:, None] * np.clip(t / 0.35, 0, 1) ** 1.5
    turn = rng.uniform(0, 2 * np.pi, (count, 1)) + t * rng.uniform(3, 11, (count, 1))
    curl = np.stack([np.sin(turn), np.cos(turn), 0.3 * np.sin(turn + 1)], 2) * 0.003 * (t * 1.5).clip(0, 1)[:, None]
    up = np.zeros((count, steps, 3))
    up[:, :, 2] = 0.2 * off * np.clip((paths[of, :, 2] - 0.69) / 0.03, 0, 1)
    return paths[of] + out * off[:, :, None] + up + curl, of


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
    # The half turned away from the key light is combed less to the back: hair shines only across the light's way.
    along, back = (np.where(side < 0, *look[name]) for name in ("sweep_along", "sweep_back"))
    direction = axis(count, side * (0.8 - 0.6 * nape), along + back * front, -0.05)
    direction += noise * 0.07 + rng.normal(0, 0.035, (count, 3))
    direction -= normals * (direction * normals).sum(1, keepdims=True)
    # Beside the part it rises before it falls.
    beside = np.exp(-np.abs(roots[:, 0] - part) / 0.02)
    direction = unit(unit(direction) + normals * (0.10 + look["volume"] * crown * (0.3 + 0.7 * beside))[:, None])
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
        fall = 0.06 + 0.39 * min(1.0, t * 2.2)
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
        gap += look["crown"] * np.clip((moved[:, 2] - eye - 0.02) / 0.04, 0, 1) * np.clip(t * 6, 0, 1)
        push = np.where(touching, np.clip(gap - depth, 0, 0.02), 0)
        moved += point_normals[near] * push[:, None]
        moved = _off_face(moved, side, layer, look) if t > 0.08 else moved
        moved = _in_outline(moved, layer, look)
        direction = unit(moved - position)
        position = moved
        path.append(position.copy())
    return np.stack(path, 1)


def _locks(paths: np.ndarray, side: np.ndarray, look: dict[str, Any], rng: np.random.Generator):
    """Gather strands into locks (broad, then fine) and let the locks wave. Returns the paths and each strand's lock."""
    count, steps = paths.shape[:2]
    t = np.linspace(0, 1, steps)
    # Neighbours half-way down and on the same side of the part belong together.
    middle = paths[:, steps // 2]
    lock = None
    for groups, pull, begin in ((look["locks"], look["lock_pull"], 0.12), (look["locks"] * 11, 0.62, 0.05)):
        chosen = rng.choice(count, int(groups), replace=False)
        place = np.column_stack([middle * [1, 1, 0.35], side * 0.5, 0.25 * paths[:, 0, 1]])
        lead = chosen[cKDTree(place[chosen]).query(place)[1]]
        lock = lead if lock is None else lock
        strength = pull * rng.uniform(0.45, 1.15, count)[:, None] * np.clip((t - begin) / 0.6, 0, 1) ** 1.2
        paths = paths + np.clip(strength, 0, 0.93)[:, :, None] * (paths[lead] - paths)
        middle = paths[:, steps // 2]
    out = middle * [1, 1, 0]
    out = unit(out - [0, look["centre_y"], 0])
    along = np.concatenate([np.zeros((count, 1)), np.cumsum(np.linalg.norm(np.diff(paths, axis=1), axis=2), 1)], 1)
    # Neighbours wave together: the phase comes from the place, and a little from the lock.
    phase = 1.3 * np.sin(middle[:, 0] * 95 + 1.3) + 1.5 * np.sin(middle[:, 1] * 80) + rng.normal(0, 0.2, count)
    phase += rng.normal(0, look["wave_apart"], count)[lock]
    wave = np.sin(along / look["wave_length"] * 2 * np.pi + phase[:, None]) * np.clip((t - 0.25) / 0.4, 0, 1)
    paths = paths + (wave * look["wave"])[:, :, None] * out[:, None]
    tangent = np.stack([-out[:, 1], out[:, 0], np.zeros(count)], 1)
    sway = np.sin(along / look["wave_length"] * 1.7 * np.pi + 1.7 * phase[:, None]) * np.clip((t - 0.25) / 0.4, 0, 1)
    paths = paths + (sway * look["wave"])[:, :, None] * tangent[:, None]
    # Fine unrest for all, and a few fly-aways.
    loose = np.where(rng.random(count) < look["flyaway"], rng.uniform(1.5, 5.0, count), rng.uniform(0.2, 0.9, count))
    drift = np.cumsum(rng.normal(0, 1, (count, steps, 3)), 1) / np.sqrt(steps)
    drift -= drift[:, :1]
    return paths + drift * (0.0011 * loose[:, None, None]) * np.clip(t / 0.5, 0, 1)[None, :, None], lock


def _ends(paths, look, layer, lock, rng) -> np.ndarray:
    """The height at which each strand ends: longer in front, uneven from lock to lock and from hair to hair."""
    front = np.clip((0.01 - paths[:, -1, 1]) / 0.10, 0, 1)
    _, number = np.unique(lock, return_inverse=True)
    of_lock = rng.normal(0, look["uneven_locks"], number.max() + 1)[number]
    uneven = rng.normal(0, 0.004, len(paths)) + look["uneven"] * rng.random(len(paths)) ** 2.8
    return look["end"] - look["longer_front"] * front + 0.010 * layer + of_lock + uneven


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
    """Short fine hairs before the hairline, combed the way of the others: they let it fade into the skin."""
    roots, normals, ear = scalp.sample(300_000, rng)
    over = scalp.height_over_line(roots)
    dense = np.clip((over + 0.007) / 0.008, 0, 1) ** 1.6 * np.clip((0.010 - over) / 0.004, 0, 1)
    keep = (rng.random(len(roots)) < dense) & (ear < 0.05) & (roots[:, 1] < -0.03)
    keep &= ((roots - scalp.centre) * normals).sum(1) > 0
    roots, normals, over = (values[keep][: look["baby_hairs"]] for values in (roots, normals, over))
    count = len(roots)
    side = np.where(roots[:, 0] >= look["part"], 1.0, -1.0)
    # At the temples they fall, at the forehead they are combed up and aside.
    high = np.clip((roots[:, 2] - human.eye_left[2] - 0.03) / 0.03, 0, 1)
    way = axis(count, side * rng.uniform(0.2, 0.8, count), 0.6, -0.4 + high * rng.uniform(0.6, 1.3, count))
    way += rng.normal(0, 0.18, (count, 3))
    way = unit(way - normals * (way * normals).sum(1, keepdims=True))
    length = (rng.uniform(0.004, 0.012, count) + 0.8 * np.clip(over + 0.004, 0, 0.01))[:, None]
    path, position = [roots], roots
    for step in range(1, 7):
        lift = normals * (0.20 - 0.045 * step)
        way = unit(way + side[:, None] * [[0.05, 0, 0]] + rng.normal(0, 0.05, (count, 3)))
        position = position + (way + lift) * length / 6
        path.append(position)
    thin = rng.uniform(0.3, 0.6, count)[:, None] * np.clip(0.7 + over[:, None] * 60, 0.5, 1)
    radius = look["radius"] * thin * np.linspace(1, 0.15, 7)
    _toned(curves_object("baby hairs", np.stack(path, 1), radius, material), np.full(count, -0.1))
