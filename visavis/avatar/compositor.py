"""The compositor: draws a baked person over a background, one I420 picture a motion frame.

A frame is drawn in three steps: the mouth and the eyes that fit best are copied into the head's picture;
the head is warped by its pose and laid over the background; the trunk's rows are shifted by the breath.
Only what can change is touched, so the background stays as it is to the bit. Mouths are never
cross-faded: that shows double lips.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import cv2
import numpy as np

from visavis.avatar.background import Background
from visavis.avatar.choose import EyesChooser, MouthChooser
from visavis.avatar.pack import Pack
from visavis.avatar.planes import Placement, Plane, Planes, Rect, halved
from visavis.avatar.scene import Cache, Scene, Trunk
from visavis.avatar.types import I420
from visavis.avatar.warp import STILL, Field, HeadWarp, Pose, Poser, RowShift
from visavis.errors import VisavisError
from visavis.motion.frame import MotionFrame

__all__ = ["Background", "Compositor", "forget", "prepare"]

# Pictures are small and sessions many: OpenCV's own threads would only contend with the encoders.
cv2.setNumThreads(1)

_SCENES: Final[Cache[tuple[object, ...], Scene]] = Cache(4)
_BACKGROUNDS: Final[Cache[tuple[object, ...], Planes]] = Cache(4)


class Compositor:
    """A :class:`~visavis.avatar.types.Renderer` of one pack. Not thread-safe: one serves one session.

    The stage (of the output's size, unless ``stage`` is given) shows the pack's portrait or landscape view, by its
    shape; the output is the part of the stage from ``offset`` on.

    Args:
        pack: an opened pack.
        width, height: of the output, even.
        background: by default a soft gradient.
        stage: (width, height) of the stage, if the output is a crop of it.
        offset: (dx, dy) of the output within the stage.

    Raises:
        PackError: a picture of the pack or of the background is damaged.
        VisavisError: odd sizes, or a crop that reaches beyond its stage.
    """

    def __init__(
        self,
        pack: Pack,
        width: int,
        height: int,
        background: Background | None = None,
        *,
        stage: tuple[int, int] | None = None,
        offset: tuple[int, int] = (0, 0),
    ) -> None:
        self._width, self._height = width, height
        scene = self._scene = _scene(pack, width, height, stage, offset)
        behind = self._behind = _backdrop(background or Background(), width, height, stage, offset)
        self._mouths = MouthChooser(pack.manifest.mouth.entries)
        self._eyes = EyesChooser(pack.manifest.eyes.entries)
        self._poser = Poser(scene.body)
        self._head = _Head(scene, behind)
        self._trunk = _Trunk(scene, behind)
        self._still = _composed(scene.person, behind)
        self._shown: tuple[int, int, Pose] | None = None
        self._out: I420 | None = None
        self._planes = Planes.view(np.empty((height * 3 // 2, width), np.uint8), width, height)

    @property
    def width(self) -> int:
        return self._width

    @property
    def height(self) -> int:
        return self._height

    def draw(self, motion: MotionFrame, out: I420) -> bool:
        """Draw ``motion`` into ``out``, which holds the previous picture; False if there was nothing to change."""
        wanted = self._mouths.pick(motion), self._eyes.pick(motion), self._poser.pose(motion)
        before = self._shown
        if before == wanted and out is self._out:
            return False
        if out is not self._out:
            self._planes = Planes.view(out, self._width, self._height)
            self._out = out
            for plane, still in zip(
                (self._planes.y, self._planes.u, self._planes.v),
                (self._still.y, self._still.u, self._still.v),
                strict=True,
            ):
                np.copyto(plane, still)
            before = None
        mouth, eyes, pose = wanted
        sizes = self._poser.sizes(pose)
        if before is None or before[2][-1] != pose[-1]:
            self._trunk.draw(pose[-1], sizes[-1], self._planes)
        # The head comes last: its warp includes the breath, and it overlaps the shoulders.
        self._head.show(mouth, eyes)
        self._head.draw(None if pose == STILL else sizes, self._planes)
        self._shown = wanted
        return True


class _Head:
    """The head's picture with the patches shown now, and the strips that draw it."""

    def __init__(self, scene: Scene, behind: Planes) -> None:
        self._scene = scene
        self._picture = scene.head.copy()
        self._mouth, self._eyes = -1, -1
        self._difference = np.empty((scene.overlap.height, scene.overlap.width, 4), np.int16)
        room = max((HeadWarp.room(strip) for strip in scene.strips), default=0)
        scratch = np.empty(room, np.float32), np.empty(room, np.float32)
        pixels = max((strip.width * strip.height for strip in scene.strips), default=0)
        buffers = np.empty((_Strip.BUFFERS, pixels), np.uint8)
        self._strips = [_Strip(scene, strip, behind, scratch, buffers) for strip in scene.strips]

    def show(self, mouth: int, eyes: int) -> None:
        """Put mouth and eyes into the picture, if they are not there."""
        scene = self._scene
        if (mouth, eyes) == (self._mouth, self._eyes) or not self._strips:
            return
        both = not scene.overlap.empty
        if (mouth != self._mouth or both) and not scene.mouth.rect.empty:
            np.copyto(scene.mouth.rect.of(self._picture), scene.mouth.get(mouth))
        if (eyes != self._eyes or both) and not scene.eyes.rect.empty:
            np.copyto(scene.eyes.rect.of(self._picture), scene.eyes.get(eyes))
        if both:
            self._join(mouth, eyes)
        self._mouth, self._eyes = mouth, eyes

    def _join(self, mouth: int, eyes: int) -> None:
        """Where the rectangles overlap, add both patches' differences to the base (their masks give way)."""
        scene, overlap = self._scene, self._scene.overlap
        lower = _within(scene.mouth.rect, overlap).of(scene.mouth.get(mouth))
        upper = _within(scene.eyes.rect, overlap).of(scene.eyes.get(eyes))
        cv2.subtract(lower, overlap.of(scene.head), self._difference, None, cv2.CV_16S)
        cv2.add(upper, self._difference, overlap.of(self._picture), None, cv2.CV_8U)

    def draw(self, sizes: tuple[float, ...] | None, out: Planes) -> None:
        """Draw the head at a pose's ``sizes`` (None: unmoved) over the background."""
        for strip in self._strips:
            strip.draw(self._picture, sizes, out)


class _Strip:
    """Some rows of the head: warps them and lays them over the background. ``buffers``: shared by all strips."""

    BUFFERS: Final = 11
    """Bytes a pixel: the warped picture and its channels (4 each), the blend, three halved channels and theirs."""

    def __init__(self, scene: Scene, rect: Rect, behind: Planes, scratch: tuple[Field, Field], buffers: Plane) -> None:
        self._rect = rect
        self._half = Rect(rect.x // 2, rect.y // 2, rect.width // 2, rect.height // 2)
        origin = scene.roi.x - scene.margin, scene.roi.y - scene.margin
        self._source = Rect(rect.x - origin[0], rect.y - origin[1], rect.width, rect.height)
        self._warp = HeadWarp(scene.body, rect, origin, scratch)
        size, half = (rect.height, rect.width), (rect.height // 2, rect.width // 2)
        pixels, few = size[0] * size[1], half[0] * half[1]
        flat = buffers.reshape(-1)[: 11 * pixels].reshape(11, pixels)
        self._warped = flat[:4].reshape(-1).reshape(*size, 4)
        self._channels = [flat[4 + channel].reshape(size) for channel in range(4)]
        self._blend = flat[8].reshape(size)
        self._chroma = [flat[9][channel * few : (channel + 1) * few].reshape(half) for channel in range(3)]
        self._blend_half = flat[10][:few].reshape(half)
        self._behind = (rect.of(behind.y), self._half.of(behind.u), self._half.of(behind.v))

    def draw(self, picture: Plane, sizes: tuple[float, ...] | None, out: Planes) -> None:
        if sizes is None:
            warped = self._source.of(picture)
        else:
            # The margin of the picture is as wide as any point can move: the border value is never seen.
            map_x, map_y = self._warp.maps(sizes)
            warped = self._warped
            cv2.remap(picture, map_x, map_y, cv2.INTER_LINEAR, warped, cv2.BORDER_CONSTANT)
        cv2.split(warped, self._channels)
        y, *colours = self._channels
        size = self._half.width, self._half.height
        for full, half in zip(colours, self._chroma, strict=True):
            cv2.resize(full, size, half, interpolation=cv2.INTER_AREA)
        u, v, alpha_half = self._chroma
        _over(y, self._channels[3], self._behind[0], self._blend, self._rect.of(out.y))
        _over(u, alpha_half, self._behind[1], self._blend_half, self._half.of(out.u))
        _over(v, alpha_half, self._behind[2], self._blend_half, self._half.of(out.v))


class _Trunk:
    """The trunk's rows, shifted by the breath. Each step of the breath is drawn once and kept.

    There are about two dozen steps (0.3 to 1.2 MB each), which come back with every breath.
    """

    def __init__(self, scene: Scene, behind: Planes) -> None:
        trunk: Trunk = scene.trunk
        rect = self._rect = trunk.rect
        self._half = Rect(rect.x // 2, rect.y // 2, rect.width // 2, rect.height // 2)
        self._trunk = trunk
        self._steps: dict[int, Planes] = {}
        if rect.empty:
            return
        rows = np.arange(rect.y, rect.bottom, dtype=np.float32)
        self._lift = scene.body.breath_lift(rows)
        # Chroma rows are two luma rows high, and move half as many of their own rows.
        self._lift_half = np.asarray((self._lift[0::2] + self._lift[1::2]) / 4, np.float32)
        self._behind = (rect.of(behind.y), self._half.of(behind.u), self._half.of(behind.v))
        self._rows = RowShift(rect.height, len(trunk.y), rect.width)
        self._rows_half = RowShift(self._half.height, len(trunk.u), self._half.width)
        self._planes = [np.empty((rect.height, rect.width), np.uint8) for _ in range(3)]
        self._planes_half = [np.empty((self._half.height, self._half.width), np.uint8) for _ in range(3)]

    def draw(self, step: int, breath: float, out: Planes) -> None:
        """Draw the trunk lifted by ``breath`` (0..1), which ``step`` stands for, over the background."""
        if self._rect.empty:
            return
        drawn = self._steps.get(step)
        if drawn is None:
            drawn = self._steps[step] = self._lifted(breath)
        np.copyto(self._rect.of(out.y), drawn.y)
        np.copyto(self._half.of(out.u), drawn.u)
        np.copyto(self._half.of(out.v), drawn.v)

    def _lifted(self, breath: float) -> Planes:
        trunk = self._trunk
        person, alpha, blend = self._planes
        drawn = Planes(np.empty_like(person), np.empty_like(self._planes_half[0]), np.empty_like(self._planes_half[0]))
        self._rows.set(self._lift * np.float32(breath))
        self._rows.apply(trunk.y, person)
        self._rows.apply(trunk.a, alpha)
        _over(person, alpha, self._behind[0], blend, drawn.y)
        person, alpha, blend = self._planes_half
        self._rows_half.set(self._lift_half * np.float32(breath))
        self._rows_half.apply(trunk.a_half, alpha)
        for plane, behind, target in ((trunk.u, self._behind[1], drawn.u), (trunk.v, self._behind[2], drawn.v)):
            self._rows_half.apply(plane, person)
            _over(person, alpha, behind, blend, target)
        return drawn


def _over(person: Plane, alpha: Plane, behind: Plane, buffer: Plane, out: Plane) -> None:
    """``out`` = premultiplied ``person`` + ``behind`` * (1 - ``alpha``); exact where alpha is 0 or 255."""
    cv2.bitwise_not(alpha, buffer)
    cv2.multiply(behind, buffer, buffer, 1 / 255)
    cv2.add(person, buffer, out)


def _within(outer: Rect, inner: Rect) -> Rect:
    """``inner`` in the coordinates of ``outer``'s own picture."""
    return Rect(inner.x - outer.x, inner.y - outer.y, inner.width, inner.height)


def _composed(person: Plane, behind: Planes) -> Planes:
    y, u, v, alpha = (np.ascontiguousarray(person[..., channel]) for channel in range(4))
    alpha_half = halved(alpha)
    composed = Planes(np.empty_like(behind.y), np.empty_like(behind.u), np.empty_like(behind.v))
    _over(y, alpha, behind.y, np.empty_like(y), composed.y)
    _over(halved(u), alpha_half, behind.u, np.empty_like(behind.u), composed.u)
    _over(halved(v), alpha_half, behind.v, np.empty_like(behind.v), composed.v)
    return composed


def _stage(
    width: int, height: int, stage: tuple[int, int] | None, offset: tuple[int, int]
) -> tuple[tuple[int, int], Rect]:
    """The stage's size and the part of it that is shown."""
    full = stage or (width, height)
    if width % 2 or height % 2 or width < 16 or height < 16:
        raise VisavisError(f"picture size {width}x{height}: both must be even, and 16 or more")
    crop = Rect(offset[0], offset[1], width, height)
    if crop.cut(Rect(0, 0, *full)) != crop:
        raise VisavisError(
            f"the crop {width}x{height} at ({offset[0]}, {offset[1]}) reaches beyond the stage {full[0]}x{full[1]}"
        )
    return full, crop


def _scene(pack: Pack, width: int, height: int, stage: tuple[int, int] | None, offset: tuple[int, int]) -> Scene:
    full, crop = _stage(width, height, stage, offset)
    views = pack.manifest.views
    view = views.portrait if full[1] >= full[0] else views.landscape
    placement = Placement.of(view, full, crop)
    return _SCENES.get((pack.key, placement), lambda: Scene(pack, placement, float(full[1] - crop.y)))


def _backdrop(
    background: Background, width: int, height: int, stage: tuple[int, int] | None, offset: tuple[int, int]
) -> Planes:
    full, crop = _stage(width, height, stage, offset)

    def make() -> Planes:
        return Planes.of_bgr(np.ascontiguousarray(crop.of(background.draw(*full))))

    return _BACKGROUNDS.get((background.key(), full, crop), make)


def prepare(pack: Pack, sizes: Iterable[tuple[int, int]]) -> None:
    """Make ``pack`` ready for whole pictures of these (width, height), patches included: for warm workers.

    At most four sizes of packs are kept ready.
    """
    for width, height in sizes:
        _scene(pack, width, height, None, (0, 0)).prepare()
        _backdrop(Background(), width, height, None, (0, 0))


def forget() -> None:
    """Drop what is kept ready."""
    _SCENES.clear()
    _BACKGROUNDS.clear()
