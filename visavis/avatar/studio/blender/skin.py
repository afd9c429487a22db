# mypy: ignore-errors
# Runs in the bake environment only, where numpy is older and bpy has no types.
"""Skin: tone, pores, lips, age."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.spatial import cKDTree

from visavis.avatar.studio.blender.body import Human
from visavis.avatar.studio.blender.nodes import Part, Shader, rgba, set_attribute
from visavis.avatar.studio.blender.wrinkles import lines


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
    lids, fold = _lids(human, body.ids)
    smile = np.linalg.norm(human.deltas["mouthSmileLeft"][body.ids], axis=1)
    mouth = points[np.argmax(smile)]  # its corner is what a smile moves most
    nook = _spots(points, [[s * abs(mouth[0]), mouth[1], mouth[2]] for s in both], [0.0035, 0.012, 0.0024])
    gloss = _spots(points, [[0, front, z - 0.028]], [0.006, 0.02, 0.016])
    gloss += 0.8 * _spots(points, [[0, y - 0.02, z + 0.045]], [0.03, 0.04, 0.016])
    gloss += 0.9 * _spots(points, [[s * 0.042, y - 0.005, z - 0.024] for s in both], [0.013, 0.03, 0.008])
    gloss += 0.4 * _spots(points, [[0, y - 0.02, z - 0.098]], [0.010, 0.03, 0.007])
    # Where pores are large: nose, the cheeks beside it, the middle of the forehead, the chin.
    coarse = _spots(points, [[s * 0.024, y - 0.005, z - 0.032] for s in both], [0.014, 0.03, 0.014])
    coarse += _spots(points, [[0, front, z - 0.030]], [0.012, 0.02, 0.012])
    coarse += 0.6 * _spots(points, [[0, y - 0.02, z + 0.04]], [0.025, 0.04, 0.015])
    coarse += 0.6 * _spots(points, [[0, y - 0.02, z - 0.095]], [0.014, 0.03, 0.01])
    beard = _beard(points, human)
    bags = _spots(points, [[s * (x - 0.002), y - 0.01, z - 0.0185] for s in both], [0.012, 0.02, 0.0028])
    corner = _spots(points, [[s * (x - human.eye_radius * 1.18), y - 0.008, z - 0.002] for s in both], [0.003] * 3)
    temple = _spots(points, [[s * 0.06, y + 0.02, z + 0.008] for s in both], [0.012, 0.02, 0.02])
    hollow = _spots(points, [[s * 0.048, y + 0.015, z - 0.055] for s in both], [0.016, 0.03, 0.016])
    upper = np.concatenate([human.group_vertices(f"helper-{s}-eyelashes-2") for s in "lr"])
    lower = np.concatenate([human.group_vertices(f"helper-{s}-eyelashes-1") for s in "lr"])
    liner = np.exp(-((cKDTree(human.vertices[upper]).query(points)[0] / 0.0022) ** 2))
    liner += 0.35 * np.exp(-((cKDTree(human.vertices[lower]).query(points)[0] / 0.0016) ** 2))
    for name, values in (
        ("blush", blush), ("lid", lid), ("under", under), ("gloss", gloss), ("liner", liner),
        ("coarse", coarse), ("beard", beard), ("bags", bags), ("corner", corner), ("cool", temple + hollow),
        ("scalp", scalp[body.ids]), ("lids", lids), ("fold", fold), ("nook", nook),
    ):  # fmt: skip
        set_attribute(body.object.data, name, np.clip(values, 0, 1))
    body.object.data.materials.append(_skin(human, look))


def _lids(human: Human, ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """0..1 for each vertex of ``ids``: the upper lids' skin (what a blink draws down), and the fold along its upper rim."""
    way = sum(-human.deltas[f"eyeBlink{side}"][ids, 2] for side in ("Left", "Right"))
    part = np.clip(way / way.max(), 0, 1)
    return np.clip(part / 0.45, 0, 1), np.exp(-(((part - 0.34) / 0.12) ** 2))


def _beard(points: np.ndarray, human: Human) -> np.ndarray:
    """Where a beard grows: upper lip, chin, jaw and the throat below it."""
    _, y, z = human.eye_left
    jaw = np.clip((z - 0.040 - 0.9 * np.clip(np.abs(points[:, 0]) - 0.03, -0.01, 0.02) - points[:, 2]) / 0.030, 0, 1)
    jaw = jaw * jaw * (3 - 2 * jaw)
    throat = np.clip((points[:, 2] - (z - 0.155)) / 0.02, 0, 1)
    cheek = 1 - _spots(points, [[s * 0.036, y, z - 0.058] for s in (1, -1)], [0.014, 0.03, 0.017])
    return jaw * throat * cheek * np.clip((y + 0.085 - points[:, 1]) / 0.03, 0, 1)


def _tone(s: Shader, look: dict[str, Any]) -> object:
    """The colour of bare skin: blotches of several sizes, never one flat tone."""
    light, dark, red = (np.array(look[key]) for key in ("light", "dark", "red"))
    mottle = look["mottle"]
    colour = s.mix(rgba(light), rgba(dark), s.ranged(s.noise(26, 6), 0.33, 0.68))
    # Broad differences: sun, blood and shade are never even over a face.
    colour = s.mix(colour, rgba(dark * [1.06, 0.90, 0.86]), s.ranged(s.noise(11, 2), 0.42, 0.68, 0, 0.26))
    colour = s.mix(colour, rgba(red), s.math("MULTIPLY", s.ranged(s.noise(75, 5), 0.46, 0.72), mottle))
    pale = light * [1.06, 1.08, 1.06]
    colour = s.mix(colour, rgba(np.minimum(pale, 0.9)), s.math("MULTIPLY", s.ranged(s.noise(120, 4), 0.5, 0.7), mottle))
    colour = s.mix(colour, rgba(dark * 0.74), s.math("MULTIPLY", s.ranged(s.noise(420, 3), 0.5, 0.75), mottle * 1.1))
    spots = s.math("MULTIPLY", s.ranged(s.voronoi(150), 0.12, 0.03), s.ranged(s.noise(22, 2), 0.5, 0.62))
    colour = s.mix(colour, rgba(dark * 0.62), s.math("MULTIPLY", spots, look["freckles"]))
    moles = s.math("MULTIPLY", s.ranged(s.voronoi(38), 0.045, 0.028), s.ranged(s.noise(9, 1), 0.52, 0.6))
    colour = s.mix(colour, rgba(dark * [0.28, 0.22, 0.2]), s.math("MULTIPLY", moles, look.get("moles", 0.6)))
    cool = light * np.array([0.80, 0.90, 1.02])
    return s.mix(colour, rgba(cool), s.math("MULTIPLY", s.attribute("cool"), 0.35))


def _age(s: Shader, colour: object, look: dict[str, Any], creases: object) -> object:
    """What years and a shaven beard add to the tone."""
    dark = np.array(look["dark"])
    if look.get("spots"):
        where = s.math("MULTIPLY", s.ranged(s.noise(85, 3), 0.60, 0.68), s.ranged(s.noise(16, 1), 0.4, 0.55))
        colour = s.mix(colour, rgba(dark * [0.62, 0.52, 0.45]), s.math("MULTIPLY", where, look["spots"] * 0.6))
    if look.get("redness"):
        veins = s.fold("MULTIPLY", s.ranged(s.noise(160, 6), 0.42, 0.66), s.math("ADD", s.attribute("coarse"), 0.12))
        veins = s.math("MULTIPLY", veins, look["redness"])
        colour = s.mix(colour, rgba(dark * [1.0, 0.5, 0.48]), s.math("MINIMUM", veins, 0.8))
    if look.get("stubble_tint"):
        grown = s.math("MULTIPLY", s.attribute("beard"), s.ranged(s.noise(520, 3), 0.25, 0.7, 0.45, 1.0))
        tint = look.get("stubble_colour", [0.20, 0.17, 0.165])
        colour = s.mix(colour, rgba(tint), s.math("MULTIPLY", grown, look["stubble_tint"]))
    if creases is not None:
        depth = s.math("MULTIPLY", creases, look["wrinkles"] * 0.38)
        colour = s.mix(colour, rgba(dark * [0.62, 0.46, 0.44]), depth)
    return colour


def _lip_tint(s: Shader, colour: object, lips: object, look: dict[str, Any]) -> object:
    rose = np.array(look["lips"])
    tint = s.mix(
        rgba(rose), rgba(rose * [0.70, 0.62, 0.64]), s.ranged(s.noise(420, 3, s.scaled((1, 1, 0.22))), 0.35, 0.7)
    )
    tint = s.mix(tint, rgba(np.minimum(rose * [1.22, 1.45, 1.45], 1)), s.ranged(s.noise(90, 3), 0.5, 0.75, 0, 0.5))
    edge = s.math("MULTIPLY", lips, s.ranged(s.noise(260, 3), 0.3, 0.6, 0.75, 1.0))
    return s.mix(colour, tint, s.math("MULTIPLY", edge, look["lips_weight"]))


def _skin(human: Human, look: dict[str, Any]) -> object:
    textures = human.data / "mpfb2" / "textures"
    s = Shader("skin", follow=True)
    lips = s.texture(textures / "mpfb_lips.jpg")
    light, dark = np.array(look["light"]), np.array(look["dark"])
    plain = s.math("SUBTRACT", 1.0, s.math("MULTIPLY", s.attribute("lids"), 0.92))
    creases = lines(s, human, look.get("frown", 1.0)) if look.get("wrinkles") else None
    if creases is not None:
        creases = s.math("MULTIPLY", creases, plain)
    colour = _tone(s, look)
    colour = s.mix(colour, rgba(look["blush"]), s.math("MULTIPLY", s.attribute("blush"), look["blush_weight"]))
    colour = s.mix(colour, rgba(look["lid"]), s.math("MULTIPLY", s.attribute("lid"), look["lid_weight"]))
    colour = s.mix(colour, rgba(dark * np.array([0.8, 0.66, 0.72])), s.math("MULTIPLY", s.attribute("under"), 0.27))
    colour = _age(s, colour, look, creases)
    colour = _lip_tint(s, colour, lips, look)
    # The lids' skin is thin and smooth: it is stretched by a blink and would show streaks.
    smooth = (light * 0.3 + dark * 0.7) * [0.94, 0.86, 0.86]
    colour = s.mix(colour, rgba(smooth), s.math("MULTIPLY", s.attribute("lids"), 0.7))
    fold = s.math("MULTIPLY", s.attribute("fold"), look.get("fold", 0.4))
    colour = s.mix(colour, rgba(dark * [0.55, 0.42, 0.40]), fold)
    colour = s.mix(colour, rgba(dark * [0.42, 0.26, 0.25]), s.math("MULTIPLY", s.attribute("nook"), 0.55))
    inside = s.texture(textures / "mpfb_inside-mouth.jpg")
    colour = s.mix(colour, (0.42, 0.075, 0.06, 1), s.math("MULTIPLY", inside, 0.95))
    corner = s.attribute("corner")
    colour = s.mix(colour, (0.58, 0.20, 0.17, 1), s.math("MULTIPLY", corner, 0.7))
    colour = s.mix(colour, (0.016, 0.010, 0.008, 1), s.math("MULTIPLY", s.attribute("liner"), look["liner"]))
    colour = s.mix(colour, rgba(look["scalp"]), s.attribute("scalp"))
    # Light breaks up: oily and dry patches, and each pore's rim.
    rough = s.ranged(s.noise(140, 5), 0.3, 0.7, look["rough"][0], look["rough"][1])
    rough = s.math("ADD", rough, s.ranged(s.noise(900, 3), 0.3, 0.7, -0.07, 0.07))
    rough = s.lerp(rough, s.math("SUBTRACT", rough, 0.13), s.attribute("gloss"))
    wet = s.ranged(s.noise(700, 3, s.scaled((1, 1, 0.2))), 0.3, 0.7, 0.20, 0.36)
    rough = s.lerp(rough, wet, lips)
    rough = s.lerp(rough, 0.12, corner)
    size = s.ranged(s.attribute("coarse"), 0, 1, look["pores"] * 0.55, look["pores"] * 1.25)
    pits = s.math("MULTIPLY", s.ranged(s.voronoi(760), 0.0, 0.55), size)
    fine = s.math("MULTIPLY", s.ranged(s.voronoi(1500), 0.0, 0.6), look["pores"] * 0.6)
    grain = s.math("MULTIPLY", s.noise(330, 5), look["pores"] * 1.1)
    relief = s.fold("ADD", pits, fine, grain)
    if look.get("eyebags"):
        puff = s.math("MULTIPLY", s.attribute("bags"), look["eyebags"] * 2.2)
        relief = s.math("ADD", relief, puff)
    normal = s.bump(s.math("MULTIPLY", relief, plain), 1.0, look.get("relief", 0.0007))
    if creases is not None:
        normal = s.bump(s.math("SUBTRACT", 1.0, creases), min(1.0, look["wrinkles"]), 0.0022, normal)
    furrows = s.math("MULTIPLY", s.noise(800, 2, s.scaled((1, 1, 0.10))), lips)
    s.set(
        base_color=colour, roughness=rough, normal=s.bump(furrows, 0.6, 0.0012, normal), ior=1.4,
        subsurface_weight=1.0, subsurface_radius=(1, 0.35, 0.18), subsurface_scale=look["scatter"],
        coat_weight=s.fold("MAXIMUM", s.math("MULTIPLY", lips, look.get("lip_gloss", 0.35)),
                           s.math("MULTIPLY", s.attribute("gloss"), 0.16), corner),
        coat_roughness=s.lerp(0.34, 0.16, lips),
    )  # fmt: skip
    return s.material
