"""Movement of a flat picture of a person: head turns, nods, tilts, and breath, as smooth displacements.

The head is treated as half solid: each of its points has a depth, greatest at the nose, nothing at the
outline. Turning by a small angle moves a point sideways by depth * sin(angle) (the parallax of a rotation
about a vertical axis through the head), nodding moves it up or down likewise, tilting turns the picture
about the neck. All of it fades out from the chin to below the neck, so that shoulders stay where they are.

Displacements are sums of a few fixed fields, each on a coarse grid; a frame costs a small product and
one enlargement.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from visavis.avatar.manifest import Anchors
from visavis.avatar.planes import Placement, Rect
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
STEPS: Final = 8
"""Poses are rounded to this many steps a pixel (of the point that moves most): finer is not seen."""
BREATH_STEPS: Final = 8
CELL: Final = 8

Pose = tuple[int, int, int, int, int, int]
"""yaw, pitch, roll, shift x, shift y, breath, in steps. All 0: the picture as it was baked."""
STILL: Final[Pose] = (0, 0, 0, 0, 0, 0)


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

    def sway(self, y: Field) -> Field:
        """The most that the outline moves sideways in each row, pixels."""
        fade = 1 - _smoothstep(y, self.chin - 0.12 * self.face, self.still_below)
        return np.asarray(
            fade * ((MAX_SHIFT + 0.015) * self.face + math.sin(MAX_ROLL) * np.abs(self.neck_y - y)), np.float32
        )

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
        steps = (STEPS, STEPS, STEPS, STEPS, STEPS, BREATH_STEPS)
        return tuple(value / (reach * step) for value, reach, step in zip(pose, self._reach, steps, strict=True))


class HeadWarp:
    """Sampling maps for one rectangle of the output.

    ``origin``: the output pixel that is the source picture's top-left one. ``scratch``: two flat float buffers of
    :meth:`room` elements, which several warps used in turn may share: they then stay in the processor's cache.
    """

    def __init__(self, body: Body, rect: Rect, origin: tuple[int, int], scratch: tuple[Field, Field]) -> None:
        columns, rows = self._cells(rect)
        # Centres of the cells, one cell more on each side: the enlargement is then exact for linear ramps inside.
        x = (np.arange(columns, dtype=np.float32) - 0.5) * CELL - 0.5 + rect.x
        y = (np.arange(rows, dtype=np.float32) - 0.5) * CELL - 0.5 + rect.y
        at_x, at_y = np.meshgrid(x, y)
        hold, depth, face = body.hold(at_x, at_y), body.depth(at_x, at_y), body.face
        # What each of (identity, sine of yaw, roll, shift x) adds to the column that is sampled, and each of
        # (identity, sine of pitch, roll, shift y, breath) to the row. Sampling goes against the movement.
        across = [at_x - origin[0], -hold * depth, hold * (at_y - body.neck_y), -hold * face]
        down = [at_y - origin[1], hold * depth, -hold * (at_x - body.neck_x), -hold * face, body.breath_lift(at_y)]
        self._fields_x = np.stack(across).reshape(4, -1).astype(np.float32)
        self._fields_y = np.stack(down).reshape(5, -1).astype(np.float32)
        self._coarse_x = np.empty((rows, columns), np.float32)
        self._coarse_y = np.empty((rows, columns), np.float32)
        shape = rows * CELL, columns * CELL
        self._fine_x, self._fine_y = (buffer[: shape[0] * shape[1]].reshape(shape) for buffer in scratch)
        inside = np.s_[CELL : CELL + rect.height, CELL : CELL + rect.width]
        self._map_x, self._map_y = self._fine_x[inside], self._fine_y[inside]
        self._sizes_x, self._sizes_y = np.ones(4, np.float32), np.ones(5, np.float32)

    @staticmethod
    def _cells(rect: Rect) -> tuple[int, int]:
        return -(-rect.width // CELL) + 2, -(-rect.height // CELL) + 2

    @classmethod
    def room(cls, rect: Rect) -> int:
        """How many elements of scratch ``rect`` needs."""
        columns, rows = cls._cells(rect)
        return columns * rows * CELL * CELL

    def maps(self, sizes: tuple[float, ...]) -> tuple[Field, Field]:
        """Where to sample the source, (columns, rows), for a pose's sizes. Valid until the scratch is used again."""
        yaw, pitch, roll, shift_x, shift_y, breath = sizes
        self._sizes_x[1:] = yaw, roll, shift_x
        self._sizes_y[1:] = pitch, roll, shift_y, breath
        np.dot(self._sizes_x, self._fields_x, out=self._coarse_x.reshape(-1))
        np.dot(self._sizes_y, self._fields_y, out=self._coarse_y.reshape(-1))
        size = self._fine_x.shape[1], self._fine_x.shape[0]
        cv2.resize(self._coarse_x, size, self._fine_x, interpolation=cv2.INTER_LINEAR)
        cv2.resize(self._coarse_y, size, self._fine_y, interpolation=cv2.INTER_LINEAR)
        return self._map_x, self._map_y


class RowShift:
    """Samples the rows of planes at fractional heights: what breath does to the trunk.

    All columns of a row move alike, so two copied rows and two products do what a general warp needs
    four times as long for.
    """

    def __init__(self, count: int, height: int, width: int) -> None:
        """For the first ``count`` rows of contiguous planes of shape (height, width)."""
        self._rows = np.arange(count, dtype=np.float32)
        self._last = height - 1
        self._upper, self._lower = np.empty(count, np.intp), np.empty(count, np.intp)
        self._upper_share = np.empty((count, 1), np.uint16)
        self._lower_share = np.empty((count, 1), np.uint16)
        self._taken = np.empty((count, width), np.uint8)
        self._sum, self._product = np.empty((count, width), np.uint16), np.empty((count, width), np.uint16)

    def set(self, down: Field) -> None:
        """Sample each row ``down`` pixels (one value a row, 0 or more) below its place."""
        whole = np.floor(down)
        self._upper[:] = np.minimum(self._rows + whole, self._last)
        self._lower[:] = np.minimum(self._rows + whole + 1, self._last)
        self._lower_share[:, 0] = np.rint((down - whole) * 256)
        np.subtract(256, self._lower_share, out=self._upper_share)

    def apply(self, plane: npt.NDArray[np.uint8], out: npt.NDArray[np.uint8]) -> None:
        """Sample ``plane`` into ``out``, shape (count, width)."""
        # 255 * 256 and half a step for rounding still fit 16 bits.
        np.take(plane, self._upper, 0, self._taken, "clip")
        np.multiply(self._taken, self._upper_share, out=self._sum)
        np.take(plane, self._lower, 0, self._taken, "clip")
        np.multiply(self._taken, self._lower_share, out=self._product)
        np.add(self._sum, self._product, out=self._sum)
        np.add(self._sum, 128, out=self._sum)
        np.right_shift(self._sum, 8, out=self._sum)
        np.copyto(out, self._sum, casting="unsafe")
