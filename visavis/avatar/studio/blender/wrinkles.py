# mypy: ignore-errors
# Runs in the bake environment only, where numpy is older and bpy has no types.
"""Lines that age draws: heights for a bump map, from the place on the neutral face."""

from __future__ import annotations

from visavis.avatar.studio.blender.body import Human
from visavis.avatar.studio.blender.nodes import Shader


def _segment(s: Shader, x: object, z: object, a: tuple[float, float], b: tuple[float, float], width: float):
    """A crease along a-b (face plane x, z): 1 on the line, 0 from ``width`` on."""
    dx, dz = b[0] - a[0], b[1] - a[1]
    square = dx * dx + dz * dz
    along = s.fold("ADD", s.math("MULTIPLY", s.math("SUBTRACT", x, a[0]), dx / square),
                   s.math("MULTIPLY", s.math("SUBTRACT", z, a[1]), dz / square))  # fmt: skip
    along = s.ranged(along, 0, 1)
    px = s.math("SUBTRACT", x, s.ranged(along, 0, 1, a[0], b[0]))
    pz = s.math("SUBTRACT", z, s.ranged(along, 0, 1, a[1], b[1]))
    far = s.math("SQRT", s.math("ADD", s.math("MULTIPLY", px, px), s.math("MULTIPLY", pz, pz)))
    fade = s.math("MULTIPLY", s.ranged(along, 0, 0.12, 0.35, 1), s.ranged(along, 0.8, 1, 1, 0.0))
    return s.math("MULTIPLY", s.math("POWER", s.ranged(far, 0, width, 1, 0), 1.6), fade)


def _stripes(s: Shader, phase: object, sharp: float):
    """Thin lines, one for each 2 pi of ``phase``."""
    wave = s.ranged(s.math("SINE", phase), -1, 1)
    return s.math("POWER", wave, sharp)


def _within(s: Shader, value: object, low: float, high: float, soft: float):
    return s.math("MULTIPLY", s.ranged(value, low - soft, low + soft), s.ranged(value, high - soft, high + soft, 1, 0))


def lines(s: Shader, human: Human, frown_part: float = 1.0) -> object:
    """0..1: how deep the skin is creased at full age. ``frown_part``: of the lines between the brows."""
    ex, ey, ez = (float(value) for value in human.eye_left)
    radius = human.eye_radius
    x, y, z = s.axes
    across = s.math("ABSOLUTE", x)
    front = s.ranged(y, ey - 0.012, ey + 0.03, 1, 0)
    wander = s.math("SUBTRACT", s.noise(28, 2), 0.5)
    # Lines of the forehead, bowed like the brows.
    bow = s.math("MULTIPLY", s.math("MULTIPLY", across, across), 1.6)
    height = s.fold("ADD", z, bow, s.math("MULTIPLY", wander, 0.012))
    forehead = _stripes(s, s.math("MULTIPLY", height, 6.283 / 0.0105), 9)
    forehead = s.fold("MULTIPLY", forehead, _within(s, z, ez + 0.033, ez + 0.066, 0.008),
                      s.ranged(across, 0.036, 0.05, 1, 0), s.ranged(s.noise(45, 2), 0.35, 0.6, 0.25, 1))  # fmt: skip
    # Crow's feet: rays from the outer corner of the eye.
    corner = ex + radius * 1.15
    side, up = s.math("SUBTRACT", across, corner - 0.004), s.math("SUBTRACT", z, ez - 0.001)
    angle = s.math("ADD", s.math("ARCTAN2", up, side), s.math("MULTIPLY", wander, 0.5))
    far = s.math("SQRT", s.math("ADD", s.math("MULTIPLY", side, side), s.math("MULTIPLY", up, up)))
    feet = s.fold("MULTIPLY", _stripes(s, s.math("MULTIPLY", angle, 11.0), 5), _within(s, far, 0.008, 0.021, 0.004),
                  s.ranged(s.math("ABSOLUTE", angle), 0.6, 0.95, 1, 0))  # fmt: skip
    # Under the eye: bows that follow the lid.
    below = s.math("SQRT", s.fold(
        "ADD", s.math("POWER", s.math("MULTIPLY", s.math("SUBTRACT", across, ex), 0.72), 2.0),
        s.math("POWER", s.math("SUBTRACT", z, ez + 0.006), 2.0)))  # fmt: skip
    bows = s.math("ADD", below, s.math("MULTIPLY", wander, 0.003))
    under = s.fold("MULTIPLY", _stripes(s, s.math("MULTIPLY", bows, 6.283 / 0.0038), 4),
                   _within(s, below, 0.0135, 0.0215, 0.002), s.ranged(z, ez - 0.004, ez - 0.008))  # fmt: skip
    frown = _segment(s, across, z, (0.0046, ez + 0.012), (0.0060, ez + 0.030), 0.0016)
    cheek = _segment(s, across, z, (0.0185, ez - 0.037), (0.0335, ez - 0.066), 0.0042)
    chin = _segment(s, across, z, (0.0315, ez - 0.070), (0.0345, ez - 0.090), 0.0036)
    rings = _stripes(s, s.math("MULTIPLY", s.math("ADD", z, s.math("MULTIPLY", wander, 0.02)), 6.283 / 0.021), 26)
    rings = s.fold("MULTIPLY", rings, s.ranged(z, ez - 0.125, ez - 0.14), s.ranged(z, ez - 0.2, ez - 0.18))
    fine = s.math("MULTIPLY", s.math("ADD", under, feet), 0.55)
    deep = s.fold("ADD", s.math("MULTIPLY", forehead, 0.75), s.math("MULTIPLY", frown, 0.7 * frown_part), cheek,
                  s.math("MULTIPLY", chin, 0.6))  # fmt: skip
    all_front = s.math("MULTIPLY", s.math("ADD", fine, deep), front)
    return s.math("MINIMUM", s.math("ADD", all_front, s.math("MULTIPLY", rings, 0.4)), 1.0)
