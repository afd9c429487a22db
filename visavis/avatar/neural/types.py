"""The interface of lip engines: a chunk of sound and an idle picture in, a painted patch out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from visavis.avatar.planes import Rect

Sound = npt.NDArray[np.float32]
"""Mono sound, shape (samples,), -1..1."""
Picture = npt.NDArray[np.uint8]
"""BGR, shape (height, width, 3)."""


@dataclass(frozen=True, slots=True)
class Patch:
    """What replaces a part of the idle picture.

    Attributes:
        picture: BGR, shape (box.height, box.width, 3).
        box: where it lies in the picture that the engine was given; within it.
        mask: shape (box.height, box.width): 255 where the patch is seen, 0 where the idle picture stays.
    """

    picture: Picture
    box: Rect
    mask: npt.NDArray[np.uint8]


class LipEngine(Protocol):
    """Paints mouths. Shared by all sessions of a worker: ``paint`` may be called from several threads, and keeps no state.

    A plug-in is an entry point of the group ``visavis.lip_engines``: a callable ``create(folder: Path) -> LipEngine``
    that loads everything before it returns.
    """

    @property
    def sample_rate(self) -> int:
        """Of the sound that ``paint`` wants, Hz."""
        ...

    @property
    def before(self) -> float:
        """Seconds of sound before the moment of the picture that ``paint`` wants."""
        ...

    @property
    def after(self) -> float:
        """Seconds of sound after that moment. What is not known yet is silence."""
        ...

    def paint(self, sound: Sound, face: Picture) -> Patch:
        """The mouth for ``sound``, which has ``round((before + after) * sample_rate)`` samples.

        ``face``: the idle picture, cut to the square around the face.
        """
        ...
