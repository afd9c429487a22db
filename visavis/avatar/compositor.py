"""The compositor: draws a baked person between what lies below and above it, one I420 picture a motion frame.

A frame costs what changes in it: mouth and eyes that fit best are copied into the session's own sheet of the person; the nodes
of the warp are moved by the pose; the kernels then draw those blocks whose source or place changed, and no others. The
background stays as it is to the bit. Mouths are never cross-faded: that shows double lips.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import cv2
import numpy as np

from visavis.avatar import cache, kernels, scenery
from visavis.avatar.background import Background
from visavis.avatar.choose import EyesChooser, MouthChooser
from visavis.avatar.layout import Layout
from visavis.avatar.moving import Filmed
from visavis.avatar.pack import Pack
from visavis.avatar.planes import Rect
from visavis.avatar.scene import VERSION, placed, scene
from visavis.avatar.scene import forget as forget_scenes
from visavis.avatar.screen import OnScreen, Screen
from visavis.avatar.types import I420, Renderer
from visavis.avatar.warp import Pose, Poser
from visavis.motion.frame import MotionFrame

__all__ = ["Background", "Compositor", "forget", "open_renderer", "prepare"]

# Pictures are small and sessions many: OpenCV's own threads would only contend with the encoders.
cv2.setNumThreads(1)


class Compositor(OnScreen):
    """A :class:`~visavis.avatar.types.Renderer` of one baked pack. Not thread-safe: one serves one session.

    Raises:
        PackError: a picture of the pack or of the layout is missing or damaged.
        VisavisError: odd sizes, or a crop that reaches beyond its stage.
    """

    def __init__(self, pack: Pack, layout: Layout) -> None:
        kernels.ready(cache.code_folder())
        screen = Screen(layout)
        super().__init__(screen, hashlib.sha256(f"{VERSION} {pack.digest} {screen.key}".encode()).hexdigest())
        placement, bottom = placed(pack.manifest.views, layout, self._screen.human)
        found = self._scene = scene(pack, placement, bottom)
        self._sheet = found.private_sheet()
        self._at = self._sheet.flat.ctypes.data
        self._figure = self._screen.figure(self._sheet, found.place, found.tiles, found.fields, found.reach)
        self._mouths = MouthChooser(pack.manifest.mouth.entries)
        self._eyes = EyesChooser(pack.manifest.eyes.entries)
        self._poser = Poser(found.body)
        self._pose: Pose | None = None
        self._mouth, self._lids = -1, -1
        overlap = found.overlap
        self._difference = np.empty((max(overlap.height, 1), max(overlap.width, 1)), np.int16)

    def draw(self, motion: MotionFrame, out: I420) -> bool:
        """Draw ``motion`` into ``out``, which holds the previous picture; False if there was nothing to change."""
        screen, figure = self._screen, self._figure
        screen.begin(motion.pts, out)
        mouth, lids, pose = self._mouths.pick(motion), self._eyes.pick(motion), self._poser.pose(motion)
        if pose != self._pose:
            figure.bend(self._poser.sizes(pose))
            self._pose = pose
        self._show(mouth, lids)
        return screen.draw(figure) > 0

    def _show(self, mouth: int, lids: int) -> None:
        """Put mouth and eyes into the sheet, if they are not there."""
        found = self._scene
        if (mouth, lids) == (self._mouth, self._lids):
            return
        both = not found.overlap.empty
        for patches, index, shown in ((found.mouth, mouth, self._mouth), (found.eyes, lids, self._lids)):
            if patches.rect.empty or (index == shown and not both):
                continue
            patches.paste(index, self._at, self._sheet)
            if index != shown:
                self._figure.touch(patches.rect)
        if both:
            self._join(mouth, lids)
        self._mouth, self._lids = mouth, lids

    def _join(self, mouth: int, lids: int) -> None:
        """Where the rectangles overlap, add both patches' differences to the base (their masks give way)."""
        found, overlap = self._scene, self._scene.overlap
        lower, upper = found.mouth.get(mouth), found.eyes.get(lids)
        parts = zip(lower.planes, upper.planes, found.sheet.planes, self._sheet.planes, strict=True)
        for index, (mouth_plane, eyes_plane, base, target) in enumerate(parts):
            area = overlap if index < 2 else overlap.halved()
            first, second = (
                _within(patches.rect if index < 2 else patches.rect.halved(), area)
                for patches in (found.mouth, found.eyes)
            )
            difference = self._difference[: area.height, : area.width]
            cv2.subtract(first.of(mouth_plane), area.of(base), difference, None, cv2.CV_16S)
            cv2.add(second.of(eyes_plane), difference, area.of(target), None, cv2.CV_8U)


def _within(outer: Rect, inner: Rect) -> Rect:
    """``inner`` in the coordinates of ``outer``'s own picture."""
    return Rect(inner.x - outer.x, inner.y - outer.y, inner.width, inner.height)


def open_renderer(pack: Pack, layout: Layout) -> Renderer:
    """What draws ``pack`` in ``layout``: blocking, seconds if it was never drawn there before, else some hundredths.

    Raises:
        PackError: a picture or video of the pack or of the layout is missing or damaged.
        VisavisError: odd sizes, or a crop that reaches beyond its stage.
    """
    if pack.manifest.loop is not None:
        return Filmed(pack, layout)
    return Compositor(pack, layout)


def prepare(pack: Pack, sizes: Iterable[tuple[int, int]]) -> None:
    """Make ``pack`` ready for whole pictures of these (width, height), and the kernels: for warm workers."""
    kernels.ready(cache.code_folder())
    for width, height in sizes:
        open_renderer(pack, Layout(width, height))


def forget() -> None:
    """Drop what this process keeps ready; files stay."""
    forget_scenes()
    scenery.forget()
