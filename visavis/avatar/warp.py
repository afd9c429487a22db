"""Movement of a flat picture of a person: head turns, nods, tilts, and breath, as smooth displacements.

The head is treated as half solid: each of its points has a depth, greatest at the nose, nothing at the
outline. Turning by a small angle moves a point sideways by depth * sin(angle) (the parallax of a rotation
about a vertical axis through the head), nodding moves it up or down likewise, tilting turns the picture
about the neck. All of it fades out from the chin to below the neck, so that shoulders stay where they are.

Displacements are sums of a few fixed fields (:func:`displacement`), computed at points 16 pixels apart and linear between
them; :mod:`visavis.avatar.kernels` samples the picture there. All constants of the movement are in this module.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from operator import mul
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from visavis.avatar.manifest import Anchors
from visavis.avatar.planes import Placement
from visavis.motion.frame import MotionFrame

Field = npt.NDArray[np.float32]

# Beyond these a flat picture looks bent rather than turned.
MAX_YAW: Final = 0.14
MAX_PITCH: Final = 0.10
MAX_ROLL: Final = 0.055
MAX_SHIFT: Final = 0.03
BREATH: Final = 0.006
"""Lift of the shoulders by a full breath, in heights of the face."""
HEAD_SHARE: Final = 0.45
"""How much of that lift the head takes part in."""
STEPS: Final = 6
"""Poses are rounded to this many steps a pixel (of the point that moves most): finer is not seen."""
BREATH_STEPS: Final = 6

Pose = tuple[int, int, int, int, int, int]
"""yaw, pitch, roll, shift x, shift y, breath, in steps. All 0: the picture as it was baked."""


def _smoothstep(x: Field, start: float, end: float) -> Field:
    t = np.clip((x - start) / (end - start), 0, 1).astype(np.float32)
    return np.asarray(t * t * (3 - 2 * t), np.float32)


def _soft(value: float, limit: float) -> float:
    """``value`` while it is small, never beyond ``limit``."""
    return limit * math.tanh(value / limit) if math.isfinite(value) else 0.0


@dataclass(frozen=True)
class Body:
    """A person's measures in the output, pixels. ``face``: crown to chin; ``half_width``: of head and hair.

    ``end``: where the breath fades out at the latest.
    """

    crown: float
    chin: float
    middle: float
    nose_x: float
    nose_y: float
    neck_x: float
    neck_y: float
    half_width: float
    end: float

    @classmethod
    def of(cls, anchors: Anchors, placement: Placement, half_width: float, end: float) -> Body:
        """Measure ``anchors`` as ``placement`` shows them; ``half_width`` and ``end`` in output pixels."""
        x, y = placement.x, placement.y
        return cls(
            crown=y(anchors.crown.y),
            chin=y(anchors.chin.y),
            middle=x((anchors.left_eye.x + anchors.right_eye.x) / 2),
            nose_x=x(anchors.nose.x),
            nose_y=y(anchors.nose.y),
            neck_x=x(anchors.neck.x),
            neck_y=y(anchors.neck.y),
            half_width=half_width,
            end=end,
        )

    @property
    def face(self) -> float:
        """Height of the face, crown to chin."""
        return self.chin - self.crown

    @property
    def still_below(self) -> float:
        """The row from which on the head's movement is not felt."""
        return max(self.neck_y, self.chin + 0.15 * self.face) + 0.10 * self.face

    @property
    def reach(self) -> float:
        """The most that any point moves, pixels: the crown, tilted and shifted."""
        return 0.12 * self.face

    def depth(self, x: Field, y: Field) -> Field:
        """Depth of the head's points before its axis, pixels: a dome with a nose."""
        face = self.face
        centre = self.chin - 0.45 * face
        across = (x - self.middle) / (0.42 * face)
        down = np.where(y < centre, (y - centre) / (0.62 * face), (y - centre) / (0.68 * face))
        dome = np.clip(1 - across**2 - down**2, 0, 1) ** 1.5
        nose = np.exp(-((x - self.nose_x) ** 2 + (y - self.nose_y) ** 2) / (2 * (0.10 * face) ** 2))
        return np.asarray(face * (0.44 * dome + 0.06 * nose), np.float32)

    def hold(self, x: Field, y: Field) -> Field:
        """How much of the head's movement a point follows, 0..1."""
        down = 1 - _smoothstep(y, self.chin - 0.12 * self.face, self.still_below)
        across = np.abs(x - self.neck_x)
        return down * (1 - _smoothstep(across, self.half_width, self.half_width + 0.10 * self.face))

    def lift(self, y: Field) -> Field:
        """How much of the breath's lift a row takes part in, 0..1."""
        shoulders = self.neck_y + 0.20 * self.face
        rise = HEAD_SHARE + (1 - HEAD_SHARE) * _smoothstep(y, self.chin, shoulders)
        end = max(min(self.end, shoulders + 0.9 * self.face), shoulders + 0.3 * self.face)
        return rise * (1 - _smoothstep(y, shoulders, end))

    def breath_lift(self, y: Field) -> Field:
        """How far a full breath lifts each row, pixels."""
        return np.asarray(BREATH * self.face * self.lift(y), np.float32)


class Poser:
    """Turns a motion frame's head and breath into a rounded pose, and a pose into sizes of displacement."""

    def __init__(self, body: Body) -> None:
        face = body.face
        # Pixels that the farthest point moves for an angle (its sine) of 1, a shift of 1, a breath of 1.
        self._reach = (0.5 * face, 0.5 * face, 1.3 * face, face, face, BREATH * face)
        steps = (STEPS, STEPS, STEPS, STEPS, STEPS, BREATH_STEPS)
        self._sizes = tuple(1 / (reach * step) for reach, step in zip(self._reach, steps, strict=True))

    def pose(self, motion: MotionFrame) -> Pose:
        head, reach = motion.head, self._reach
        breath = min(1.0, max(0.0, motion.breath)) if math.isfinite(motion.breath) else 0.0
        return (
            round(math.sin(_soft(head.yaw, MAX_YAW)) * reach[0] * STEPS),
            round(math.sin(_soft(head.pitch, MAX_PITCH)) * reach[1] * STEPS),
            round(math.sin(_soft(head.roll, MAX_ROLL)) * reach[2] * STEPS),
            round(_soft(head.shift_x, MAX_SHIFT) * reach[3] * STEPS),
            round(_soft(head.shift_y, MAX_SHIFT) * reach[4] * STEPS),
            round(breath * reach[5] * BREATH_STEPS),
        )

    def sizes(self, pose: Pose) -> tuple[float, ...]:
        """The sines, shifts (face heights) and breath that ``pose`` stands for."""
        return tuple(map(mul, pose, self._sizes))


class Relief:
    """The depth picture of a pack: how far before the head's axis each point of the canvas stands."""

    def __init__(
        self, grey: npt.NDArray[np.uint8], near: float, far: float, canvas: tuple[int, int], face: float
    ) -> None:
        """``grey``: covers the ``canvas`` (width, height); 0 stands for ``near``, 255 for ``far``; ``face``: its height.

        Smoothed by a fiftieth of the face: at a jump of depth the picture would tear.
        """
        self._scale = grey.shape[1] / canvas[0], grey.shape[0] / canvas[1]
        depth = near + (far - near) * grey.astype(np.float32) / 255
        sigma = max(0.5, 0.02 * face * self._scale[0])
        smooth = np.asarray(cv2.GaussianBlur(depth, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE), np.float32)
        # As far as a head can be deep; more would be no head.
        self._depth = np.clip(smooth, -0.6 * face, 0.8 * face)

    def at(self, x: Field, y: Field) -> Field:
        """Depth at points of the canvas, canvas pixels; beyond the canvas that of its edge."""
        across, down = (x * self._scale[0] - 0.5).astype(np.float32), (y * self._scale[1] - 0.5).astype(np.float32)
        return np.asarray(
            cv2.remap(self._depth, across, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.float32
        )


TERMS: Final = 6
"""A displacement is a sum of six fields, one for each part of a :data:`Pose`, times the sizes of :meth:`Poser.sizes`."""
LIMITS: Final = (math.sin(MAX_YAW), math.sin(MAX_PITCH), math.sin(MAX_ROLL), MAX_SHIFT, MAX_SHIFT, 1.0)
"""The largest sizes there are."""


def displacement(body: Body, placement: Placement, x: Field, y: Field, relief: Relief | None = None) -> Field:
    """Where the picture is sampled that is shown at (x, y), as fields to be summed: shape (2, TERMS, *x.shape), pixels.

    The person at the output point ``p`` is the unmoved person at ``p + sum over k of size[k] * field[:, k]``. With hold h and
    depth z of the point (upright coordinates, see :class:`~visavis.avatar.planes.Placement`), face height f and neck n:

    ======= ============== =================
    part    across         down
    ======= ============== =================
    yaw     -h z
    pitch                  h z
    roll    h (y - n_y)    -h (x - n_x)
    shift x -h f
    shift y                -h f
    breath                 BREATH f lift(y)
    ======= ============== =================

    Sampling goes against the movement. A turned person is displaced in its own, turned, directions.

    Args:
        body: in upright output pixels.
        x, y: points of the output (coordinates of pixel centres are whole numbers), any shape.
        relief: the pack's depth; None: the dome of :meth:`Body.depth`.
    """
    # Pixel centres are whole numbers here; the placement counts from edges.
    at_x, at_y = placement.upright(x + np.float32(0.5), y + np.float32(0.5))
    at_x, at_y = at_x - np.float32(0.5), at_y - np.float32(0.5)
    hold, face = body.hold(at_x, at_y), body.face
    if relief is None:
        depth = body.depth(at_x, at_y)
    else:
        canvas = (at_x + 0.5 - placement.shift_x) / placement.scale, (at_y + 0.5 - placement.shift_y) / placement.scale
        depth = relief.at(np.asarray(canvas[0], np.float32), np.asarray(canvas[1], np.float32)) * np.float32(
            placement.scale
        )
    across = np.zeros((TERMS, *x.shape), np.float32)
    down = np.zeros_like(across)
    across[0], down[1] = -hold * depth, hold * depth
    across[2], down[2] = hold * (at_y - body.neck_y), -hold * (at_x - body.neck_x)
    across[3] = down[4] = -hold * face
    down[5] = body.breath_lift(at_y)
    return np.stack(placement.turned(across, down)).astype(np.float32)
