"""Everything in a picture but the person: the background, the layers below and above, the burnt-in subtitle.

Pictures and texts are drawn once, when the scenery is built. Only videos and the subtitle change it later: both are made ready
on threads of their own, and :meth:`Scenery.advance` merely shows what is ready. It costs nothing while nothing changes.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path
from typing import Final

import numpy as np

from visavis.avatar.archive import PackError
from visavis.avatar.background import Background, colour, load_picture
from visavis.avatar.caption import Caption
from visavis.avatar.film import Film
from visavis.avatar.layers import Overlay, Window, drawn
from visavis.avatar.layout import HumanLayer, ImageLayer, Layer, Layout, TextLayer, VideoLayer
from visavis.avatar.planes import Plane, Planes, Rect, premultiplied
from visavis.avatar.text import lettering
from visavis.errors import VisavisError

__all__ = ["Overlay", "Scenery", "build", "fingerprint", "forget"]

MAX_LAYERS: Final = 100
MAX_VIDEOS: Final = 8
"""Videos that one picture may hold: each of them costs decoding all the time."""

_BACKDROPS: Final[OrderedDict[tuple[object, ...], Planes]] = OrderedDict()
_KEPT: Final = 4
_LOCK: Final = threading.Lock()
_WORKERS: Final = ThreadPoolExecutor(2, thread_name_prefix="scenery")
"""Decode videos and draw subtitles for all sessions of a process."""


class Scenery:
    """What lies below and above the person. Not thread-safe: one serves one session.

    Attributes:
        under: everything below the person, of the output's size (one half of it with transparency "side"). Read-only; changes
            in place, and only through :meth:`advance`. With transparency "key" it is the key colour and the layers over it;
            with "side" black (Y 16) and the layers, premultiplied.
        alpha: of ``under`` (transparency "side" only), shape (height, width): 0 but where layers lie; changes with it.
        over: everything above the person, bottom to top, the subtitle last. The objects stay; a video's rect and planes may be
            exchanged by :meth:`advance`, a subtitle's changed by it and by :meth:`subtitle`.
        human: the person's place on the stage; None: fills the stage.
        key: the fingerprint of the layout and its files.
    """

    def __init__(self, layout: Layout, executor: Executor | None = None) -> None:
        window = self._window = _window(layout)
        below, human, above = _split(layout.layers)
        workers = executor or _WORKERS
        self.key = fingerprint(layout)
        self.human = human.place
        base = _backdrop(layout, window)
        self._films: list[tuple[Film, Overlay, bool]] = []
        lower = self._overlays(below, True, workers)
        over = self._overlays(above, False, workers)
        first = next((index for index, overlay in enumerate(lower) if self._moves(overlay)), len(lower))
        self.under, self.alpha = base, _transparent(layout)
        self._base, self._base_alpha = base, None if self.alpha is None else self.alpha.copy()
        self._lower: list[Overlay] = lower[first:]
        if lower:
            self.under = Planes(base.y.copy(), base.u.copy(), base.v.copy())
            for overlay in lower[:first]:
                overlay.lay(self.under, self.alpha)
            if self._lower:
                under = self.under
                self._base = Planes(under.y.copy(), under.u.copy(), under.v.copy())
                self._base_alpha = None if self.alpha is None else self.alpha.copy()
                for overlay in self._lower:
                    overlay.lay(self.under, self.alpha)
        self._caption = Caption(layout.subtitles, window, workers) if layout.subtitles else None
        if self._caption is not None:
            over.append(self._caption.overlay)
        self.over = tuple(over)

    @property
    def still(self) -> bool:
        """Nothing moves now: no video plays and no subtitle is being drawn. Then :meth:`advance` need not be called."""
        return not any(film.playing for film, _, _ in self._films) and not (self._caption and self._caption.pending)

    def advance(self, pts: float) -> tuple[Rect, ...]:
        """Show the videos' pictures of the time ``pts`` (stage clock, seconds) and a subtitle that has become ready.

        Returns the rectangles of the output that changed (even corners; they may overlap), of ``under`` or of ``over``.
        """
        changed: list[Rect] = []
        for film, overlay, below in self._films:
            picture = film.at(pts)
            if picture is None:
                continue
            changed.append(picture.rect)
            overlay.show(picture)
            if below:
                self._restore(picture.rect)
        if self._caption is not None:
            changed += self._caption.advance()
        return tuple(rect for rect in changed if not rect.empty)

    def subtitle(self, text: str | None, upto: int | None = None) -> tuple[Rect, ...]:
        """Show the first ``upto`` characters of ``text`` (None: all) as the subtitle; None: none. Returns what changed.

        Each letter stands where it will stand in the whole. Letters are drawn on another thread: a text that was not drawn before
        appears with a later :meth:`advance`, some milliseconds from now. Nothing happens where the layout has no subtitles.
        """
        return self._caption.show(text, upto) if self._caption is not None else ()

    def _overlays(self, layers: tuple[Layer, ...], below: bool, workers: Executor) -> list[Overlay]:
        overlays = []
        for layer in layers:
            if isinstance(layer, VideoLayer):
                film = Film(layer, self._window, workers)
                self._films.append((film, film.first(), below))
                overlays.append(self._films[-1][1])
            elif isinstance(layer, ImageLayer):
                overlays.append(drawn(premultiplied(load_picture(layer.file, alpha=True)), layer.place, self._window))
            elif isinstance(layer, TextLayer):
                overlays.append(lettering(layer.text, layer.place, layer.style, self._window))
        return overlays

    def _moves(self, overlay: Overlay) -> bool:
        return any(shown is overlay for _, shown, _ in self._films)

    def _restore(self, rect: Rect) -> None:
        """Put the part ``rect`` of ``under`` together anew."""
        half = Rect(rect.x // 2, rect.y // 2, rect.width // 2, rect.height // 2)
        np.copyto(rect.of(self.under.y), rect.of(self._base.y))
        np.copyto(half.of(self.under.u), half.of(self._base.u))
        np.copyto(half.of(self.under.v), half.of(self._base.v))
        if self.alpha is not None and self._base_alpha is not None:
            np.copyto(rect.of(self.alpha), rect.of(self._base_alpha))
        for overlay in self._lower:
            overlay.lay(self.under, self.alpha, rect)


def build(layout: Layout, executor: Executor | None = None) -> Scenery:
    """The scenery of ``layout``; blocking (some tens of milliseconds, and more with large pictures).

    Args:
        executor: what decodes videos and draws subtitles; None: two threads that all sessions share.

    Raises:
        PackError: a picture, video or colour is missing, broken or too large.
        VisavisError: odd sizes, too many layers, two persons.
    """
    return Scenery(layout, executor)


def fingerprint(layout: Layout) -> str:
    """Names all that a picture of ``layout`` depends on, files by place, size and time of change; hexadecimal."""
    files: list[object] = [layout.background.key()]
    files += [_state(layer.file) for layer in layout.layers if isinstance(layer, ImageLayer | VideoLayer)]
    return hashlib.sha256(repr((layout, files)).encode()).hexdigest()[:32]


def forget() -> None:
    """Drop the backgrounds that are kept ready."""
    with _LOCK:
        _BACKDROPS.clear()


def _state(path: Path) -> tuple[object, ...]:
    try:
        status = path.stat()
    except OSError:
        raise PackError(f"layer {path.name}: there is no such file") from None
    return str(path.resolve()), status.st_mtime_ns, status.st_size


def _window(layout: Layout) -> Window:
    width, height = layout.width, layout.height
    if width % 2 or height % 2 or width < 16 or height < 16:
        raise VisavisError(f"picture size {width}x{height}: both must be even, and 16 or more")
    if layout.offset[0] % 2 or layout.offset[1] % 2:
        raise VisavisError(f"crop from ({layout.offset[0]}, {layout.offset[1]}): both must be even")
    return Window(width, height, layout.stage or (width, height), layout.offset)


def _split(layers: tuple[Layer, ...]) -> tuple[tuple[Layer, ...], HumanLayer, tuple[Layer, ...]]:
    """(below the person, the person, above)."""
    if len(layers) > MAX_LAYERS:
        raise VisavisError(f"{len(layers)} layers: at most {MAX_LAYERS} are drawn")
    if sum(isinstance(layer, VideoLayer) for layer in layers) > MAX_VIDEOS:
        raise VisavisError(f"more than {MAX_VIDEOS} videos in one picture")
    people = [index for index, layer in enumerate(layers) if isinstance(layer, HumanLayer)]
    if len(people) > 1:
        raise VisavisError("a picture shows one person only")
    if not people:
        return (), HumanLayer(), layers
    person = layers[people[0]]
    assert isinstance(person, HumanLayer)
    return layers[: people[0]], person, layers[people[0] + 1 :]


def _transparent(layout: Layout) -> Plane | None:
    return np.zeros((layout.height, layout.width), np.uint8) if layout.transparency == "side" else None


def _backdrop(layout: Layout, window: Window) -> Planes:
    """The background as planes, shared by all sessions that have the same one; read-only."""
    if layout.transparency == "side":
        kind: tuple[object, ...] = ("side",)
    elif layout.transparency == "key":
        kind = ("key", layout.key.upper())
    else:
        kind = layout.background.key()

    def make() -> Planes:
        if layout.transparency == "side":
            # Premultiplied colours of nothing are black, which in limited range is Y 16.
            background = Background("COLOR", "#000000")
        elif layout.transparency == "key":
            colour(layout.key)
            background = Background("COLOR", layout.key)
        else:
            background = layout.background
        planes = Planes.of_bgr(background.draw(*window.stage, (*window.offset, window.width, window.height)))
        for plane in (planes.y, planes.u, planes.v):
            plane.flags.writeable = False
        return planes

    return _kept((kind, window), make)


def _kept(key: tuple[object, ...], make: Callable[[], Planes]) -> Planes:
    with _LOCK:
        if key not in _BACKDROPS:
            _BACKDROPS[key] = make()
            while len(_BACKDROPS) > _KEPT:
                _BACKDROPS.popitem(last=False)
        _BACKDROPS.move_to_end(key)
        return _BACKDROPS[key]
