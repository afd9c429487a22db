"""The motion frame: the one type that speech, cameras and renderers share.

Blendshape names and their order follow Apple's ARKit ``ARFaceAnchor.BlendShapeLocation``
(52 coefficients, each 0..1).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

ARKIT: Final[tuple[str, ...]] = (
    "browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight",
    "cheekPuff", "cheekSquintLeft", "cheekSquintRight",
    "eyeBlinkLeft", "eyeBlinkRight", "eyeLookDownLeft", "eyeLookDownRight", "eyeLookInLeft",
    "eyeLookInRight", "eyeLookOutLeft", "eyeLookOutRight", "eyeLookUpLeft", "eyeLookUpRight",
    "eyeSquintLeft", "eyeSquintRight", "eyeWideLeft", "eyeWideRight",
    "jawForward", "jawLeft", "jawOpen", "jawRight",
    "mouthClose", "mouthDimpleLeft", "mouthDimpleRight", "mouthFrownLeft", "mouthFrownRight",
    "mouthFunnel", "mouthLeft", "mouthLowerDownLeft", "mouthLowerDownRight", "mouthPressLeft",
    "mouthPressRight", "mouthPucker", "mouthRight", "mouthRollLower", "mouthRollUpper",
    "mouthShrugLower", "mouthShrugUpper", "mouthSmileLeft", "mouthSmileRight",
    "mouthStretchLeft", "mouthStretchRight", "mouthUpperUpLeft", "mouthUpperUpRight",
    "noseSneerLeft", "noseSneerRight", "tongueOut",
)  # fmt: skip
ARKIT_INDEX: Final[dict[str, int]] = {name: index for index, name in enumerate(ARKIT)}


@dataclass(slots=True)
class Head:
    """Head pose. Angles in radians, shift as a fraction of the face's height (x right, y down)."""

    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    shift_x: float = 0.0
    shift_y: float = 0.0


def _zeros() -> npt.NDArray[np.float32]:
    return np.zeros(len(ARKIT), np.float32)


@dataclass(slots=True)
class MotionFrame:
    """One frame of motion.

    Attributes:
        pts: presentation time on the stage clock, seconds.
        blendshapes: shape (52,), float32, 0..1, in the order of :data:`ARKIT`.
        head: head pose.
        gaze: (yaw, pitch) of both eyes in radians, right and up positive (as the viewer sees it).
        breath: phase of the breath, 0 (out) .. 1 (in).
        gesture: name of a gesture that begins with this frame, if any.
        loop: (name, index) if this frame is exactly the frame ``index`` of the loop ``name`` ("idle", "asleep": see
            ``visavis.motion.loops``), so that a picture made before may be shown; None: it is like no other.
    """

    pts: float = 0.0
    blendshapes: npt.NDArray[np.float32] = field(default_factory=_zeros)
    head: Head = field(default_factory=Head)
    gaze: tuple[float, float] = (0.0, 0.0)
    breath: float = 0.0
    gesture: str | None = None
    loop: tuple[str, int] | None = None

    def weight(self, name: str) -> float:
        """The weight of the ARKit blendshape ``name``; KeyError if there is none of that name."""
        return float(self.blendshapes[ARKIT_INDEX[name]])
