# mypy: ignore-errors
# Runs in the bake environment only, where numpy is older and bpy has no types.
"""A man's short cut, combed back from a side part, with grey temples, grown as curves."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.spatial import cKDTree

from visavis.avatar.studio.blender.body import Human
from visavis.avatar.studio.blender.nodes import curves_object, rgba
from visavis.avatar.studio.blender.scalp import Scalp, axis, strand_material, unit

STEPS = 16


def grow(human: Human, scalp: Scalp, clothes: list[tuple[np.ndarray, np.ndarray]], look: dict[str, Any]) -> object:
    """Strands combed over the scalp: long on top, cropped at the sides and the nape, gathered into locks.

    Lengths in metres. ``clothes`` is out of reach of such hair and not used. Returns the object of the darkest strands.
    """
    rng = np.random.default_rng(look["seed"])
    roots, normals = _roots(scalp, look, rng)
    top = _on_top(roots, human, look)
    paths, locks = _combed(roots, normals, top, scalp, human, look, rng)
    paths = _gathered(paths, locks, look["gather"])
    shade = _shades(roots, top, locks, human, look, rng)
    taper = np.interp(np.linspace(0, 1, STEPS), [0, 0.6, 1], [1.0, 0.9, 0.35])
    objects = []
    for index, colour in enumerate(look["shades"]):
        chosen = shade == index
        if chosen.any():
            material = _strands(f"hair {index}", colour, look)
            objects.append(curves_object(f"hair {index}", paths[chosen], look["radius"] * taper, material))
    return objects[0]


def _strands(name: str, colour: list[float], look: dict[str, Any]) -> object:
    """The material of strands of ``colour`` (what they reflect: little pigment has no melanin's yellow)."""
    material = strand_material(name, 1.0, 0.0, look["rough"], look["random"])
    shader = next(node for node in material.node_tree.nodes if node.type == "BSDF_HAIR_PRINCIPLED")
    shader.parametrization = "COLOR"
    shader.inputs["Color"].default_value = rgba(colour)
    return material


def _roots(scalp: Scalp, look: dict[str, Any], rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Where strands begin: behind a ragged hairline that thins out, and over the shaven edge about ears and nape."""
    roots, normals, ear = scalp.sample(500_000, rng)
    over = scalp.height_over_line(roots)
    ragged = 0.0022 * np.sin(roots[:, 0] * 310 + 2 * np.sin(roots[:, 1] * 170)) + rng.normal(
        0, look["ragged"], len(roots)
    )
    thin = np.clip((over - ragged) / look["thinning"], 0, 1)
    keep = (rng.random(len(roots)) < 0.12 + 0.88 * thin) & (over > ragged) & (ear < 0.05)
    keep &= (roots[:, 2] > scalp.human.eye_left[2] - look["nape"]) & (((roots - scalp.centre) * normals).sum(1) > 0)
    roots, normals = roots[keep], normals[keep]
    order = rng.permutation(len(roots))[: look["strands"]]
    return roots[order], normals[order]


def _on_top(roots: np.ndarray, human: Human, look: dict[str, Any]) -> np.ndarray:
    """0 at the cropped sides and the nape, 1 on top of the head."""
    low, high = look["crop"]
    part = np.clip((roots[:, 2] - human.eye_left[2] - low) / (high - low), 0, 1)
    return part * part * (3 - 2 * part)


def _combed(
    roots: np.ndarray, normals: np.ndarray, top: np.ndarray, scalp: Scalp, human: Human, look: dict[str, Any],
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """The strands' points (n, STEPS, 3), and which strand is the guide of each strand's lock."""
    count, eye = len(roots), human.eye_left[2]
    guides = rng.choice(count, look["locks"], replace=False)
    # Locks lie along the comb's way: they are told apart across it rather than along it.
    lock = cKDTree(roots[guides] * [1.0, 0.55, 0.8]).query(roots * [1.0, 0.55, 0.8])[1]
    sway = rng.normal(0, 1, (len(guides), 3))[lock]
    solid, solid_normal, _ = scalp.sample(220_000, rng)
    tree = cKDTree(solid)
    layer = rng.random(count) ** 1.3
    front = np.clip((-0.06 - roots[:, 1]) / 0.06, 0, 1)
    side = np.where(roots[:, 0] >= look["part"], 1.0, -1.0)
    near_part = np.exp(-(((roots[:, 0] - look["part"]) / 0.012) ** 2)) * top
    over = axis(count, -np.sign(look["part"]) * look["across"] * (side != np.sign(look["part"])), 1.0, 0.0)
    over += axis(count, side * (0.25 + 0.9 * near_part) * (side == np.sign(look["part"])), 0.0, 0.0)
    down = axis(count, 0.0, np.where(roots[:, 1] < 0.02, 0.55, 0.25), -1.0)
    comb = unit(over) * top[:, None] + down * (1 - top[:, None])
    comb += sway * look["sway"] + rng.normal(0, look["stray"], (count, 3))
    length = look["short"] + (look["long"] - look["short"]) * top * (0.72 + 0.28 * front)
    length *= rng.uniform(0.72, 1.06, count) * (1 + 0.07 * sway[:, 0])
    low = np.clip((eye - 0.01 - roots[:, 2]) / 0.05, 0, 1)
    length *= 1 - 0.6 * low
    lift = look["lift"] * (top * (0.45 + 0.55 * front) * (1 - 0.8 * near_part)) + look["bristle"] * (1 - top)
    shell = look["thickness"] * top * (0.35 + 0.65 * layer) * (0.7 + 0.5 * front) * (1 - 0.6 * near_part)
    # The first rows over the forehead lie flat: the hairline is an edge of hairs, not of a cap.
    shell *= np.clip(scalp.height_over_line(roots) / 0.016, 0.2, 1) * front + (1 - front)
    shell += look["cropped"] * (1 - top) * (0.3 + 0.7 * layer) * (1 - 0.6 * low)
    position, path = roots.copy(), [roots.copy()]
    near_normal = normals
    for step in range(1, STEPS):
        t = step / (STEPS - 1)
        along = comb - near_normal * (comb * near_normal).sum(1, keepdims=True)
        rise = lift * (1 - t) ** 1.5
        moved = position + unit(unit(along) + near_normal * rise[:, None]) * (length / (STEPS - 1))[:, None]
        _, near = tree.query(moved)
        near_normal = solid_normal[near]
        depth = ((moved - solid[near]) * near_normal).sum(1)
        # A strand lies on the hair below it: it is drawn to its layer of the shell, never through the skin.
        target = shell * np.clip(t * 3.0, 0, 1) + 0.0006
        pull = np.where(depth < target, target - depth, (target - depth) * look["hold"] * t)
        moved += near_normal * (pull * np.where(depth < 0.0004, 1.0, 0.45))[:, None]
        position = moved
        path.append(position.copy())
    return np.stack(path, 1), guides[lock]


def _gathered(paths: np.ndarray, guide: np.ndarray, strength: float) -> np.ndarray:
    """Draw each strand to the guide of its lock, more towards the tip."""
    offset = paths - paths[:, :1]
    mine = paths[guide] - paths[guide][:, :1]
    apart = np.linalg.norm(paths[guide, 0] - paths[:, 0], axis=1)
    t = np.linspace(0, 1, paths.shape[1])[None, :, None]
    scale = np.linalg.norm(offset[:, -1], axis=1) / np.maximum(np.linalg.norm(mine[:, -1], axis=1), 1e-6)
    bent = offset + (mine * np.clip(scale, 0.5, 1.4)[:, None, None] - offset) * 0.5 * t
    together = (paths[guide, :1] - paths[:, :1]) * strength * t**1.3
    return paths[:, :1] + bent + together * np.clip(1.6 - apart / 0.012, 0, 1)[:, None, None]


def _shades(
    roots: np.ndarray, top: np.ndarray, guide: np.ndarray, human: Human, look: dict[str, Any], rng: np.random.Generator
) -> np.ndarray:
    """Which shade each strand has: grey at the temples and sides, streaks of it on top."""
    temple = np.exp(-(((roots[:, 1] + 0.075) / 0.045) ** 2)) * np.clip(np.abs(roots[:, 0]) / 0.05, 0, 1)
    share = look["grey_top"] + (look["grey_sides"] - look["grey_top"]) * np.clip((1 - top) + 0.6 * temple, 0, 1)
    streak = np.random.default_rng(look["seed"] + 5).normal(0, look["streaks"], len(roots))[guide]
    value = share + streak + rng.normal(0, look["mix"], len(roots))
    return np.clip(np.floor(value * len(look["shades"])), 0, len(look["shades"]) - 1).astype(int)
