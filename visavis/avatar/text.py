"""Letters in the picture: text layers and burnt-in subtitles.

Text is drawn with FreeType (through Pillow) once for each text and kept. Lines break at spaces and between Chinese letters,
but never before closing punctuation nor after opening punctuation.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from concurrent.futures import Executor, Future
from dataclasses import replace
from typing import Final

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from visavis import log
from visavis.avatar.archive import PackError
from visavis.avatar.background import colour
from visavis.avatar.fonts import load_font
from visavis.avatar.layers import Overlay, Window, drawn
from visavis.avatar.layout import Place, Subtitles, TextStyle
from visavis.avatar.planes import Plane, Rect, premultiplied

MAX_TEXT: Final = 4000
MAX_SIZE: Final = 400
SMALLEST: Final = 0.6
"""A subtitle that does not fit its box is made smaller down to this share of its size; then its last lines are shown."""
LINE: Final = 1.25
"""Distance of lines, in sizes of the font."""
BASELINE: Final = 0.36
"""From a line's middle down to its baseline, in sizes: Chinese letters reach from 0.88 above it to 0.12 below."""
_KEPT: Final = 16

# Never at the start of a line; never at its end.
_CLOSING: Final = frozenset("，。！？；：、）】》」』”’…—～·,.!?;:)]}%％")
_OPENING: Final = frozenset("（【《「『“‘([{")

_log = log.get("subtitles")

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def wide(letter: str) -> bool:
    """Whether lines may break beside ``letter`` without a space: Chinese, Japanese, full-width signs."""
    return (
        "\u2e80" <= letter <= "\u9fff"
        or "\uf900" <= letter <= "\ufaff"
        or "\uff00" <= letter <= "\uffef"
        or letter > "\U0001ffff"
    )


def pieces(line: str) -> Iterator[str]:
    """What must not be torn apart: words with the space behind them, single Chinese letters with their punctuation."""
    piece = ""
    for letter in line:
        if piece and _breaks(piece, letter):
            yield piece
            piece = ""
        piece += letter
    if piece:
        yield piece


def _breaks(piece: str, letter: str) -> bool:
    """Whether a line may end after ``piece`` and go on with ``letter``."""
    last = piece[-1]
    if letter == " " or letter in _CLOSING or last in _OPENING:
        return False
    return last == " " or wide(letter) or wide(last) or (last in _CLOSING and wide(piece[0]))


def wrapped(text: str, font: Font, width: float) -> list[str]:
    """``text`` in lines of at most ``width`` pixels; a word that is longer is cut."""
    lines: list[str] = []
    for paragraph in text.split("\n"):
        line = ""
        for piece in pieces(paragraph.strip()):
            if line and font.getlength((line + piece).rstrip()) > width:
                lines.append(line.rstrip())
                line = ""
            line += piece
            while font.getlength(line.rstrip()) > width and len(line) > 1:
                cut = _fitting(line, font, width)
                lines.append(line[:cut])
                line = line[cut:]
        lines.append(line.rstrip())
    return lines


def _fitting(line: str, font: Font, width: float) -> int:
    """How many letters of ``line`` fit ``width``; at least one."""
    low, high = 1, len(line)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if font.getlength(line[:middle]) <= width else (low, middle - 1)
    return low


def painted(text: str, width: int, height: int, style: TextStyle, *, caption: bool = False) -> Plane:
    """``text`` in a box of ``width`` x ``height``: premultiplied BGRA, shape (height, width, 4).

    From the top left; ``caption``: centred, at the bottom, made smaller or shortened to its last lines where it does not fit.
    """
    fill, edge = (_rgb(value) for value in (style.color, style.stroke_color))
    text = "".join(letter for letter in text[:MAX_TEXT] if letter == "\n" or letter.isprintable())
    chinese = any(wide(letter) for letter in text)
    size, stroke = min(MAX_SIZE, max(1, style.size)), max(0.0, min(style.stroke, style.size / 2))
    while True:
        font = load_font(style.font, size, chinese)
        lines = wrapped(text, font, width - 2 * stroke)
        step = round(size * LINE)
        if not caption or len(lines) * step <= height or size <= max(12, SMALLEST * style.size):
            break
        size = max(int(size * 0.9), 1)
    if caption:
        lines = lines[-max(1, height // step) :]
    image = Image.new("RGBA", (width, height), (*fill, 0))
    pen = ImageDraw.Draw(image)
    top = height - len(lines) * step - stroke if caption else 0
    for row, line in enumerate(lines):
        if top + row * step > height:
            break
        # Baselines are placed by the size alone: fonts differ in the room they claim above and below.
        y = top + row * step + step / 2 + BASELINE * size
        x = (width - font.getlength(line)) / 2 if caption else stroke
        pen.text((x, y), line, fill=(*fill, 255), font=font, anchor="ls", stroke_width=stroke, stroke_fill=(*edge, 255))
    bgra = np.asarray(image, np.uint8)[..., [2, 1, 0, 3]].copy()
    if style.opacity < 1:
        bgra[..., 3] = np.rint(bgra[..., 3] * max(0.0, style.opacity)).astype(np.uint8)
    return premultiplied(bgra)


def _rgb(value: str) -> tuple[int, int, int]:
    blue, green, red = colour(value)
    return red, green, blue


def lettering(text: str, place: Place, style: TextStyle, window: Window, *, caption: bool = False) -> Overlay:
    """``text`` in ``place`` of the stage, cut to its letters' bounds. PackError: a colour is malformed."""
    width, height = round(place.width), round(place.height)
    if width < 1 or height < 1:
        return Overlay.nothing()
    picture = painted(text, width, height, style, caption=caption)
    rows, columns = np.flatnonzero(picture[..., 3].any(axis=1)), np.flatnonzero(picture[..., 3].any(axis=0))
    if not len(rows):
        return Overlay.nothing()
    if place.rotation:
        return drawn(picture, replace(place, width=width, height=height), window)
    x, y = int(columns[0]), int(rows[0])
    part = Rect(x, y, int(columns[-1]) + 1 - x, int(rows[-1]) + 1 - y)
    # Whole pixels: letters drawn between two rows would be blurred.
    tight = Place(round(place.x) + x, round(place.y) + y, part.width, part.height)
    return drawn(np.ascontiguousarray(part.of(picture)), tight, window)


class Caption:
    """The burnt-in subtitle: at most one text, drawn on another thread, kept by text.

    ``overlay`` is always the same object; what it shows changes with :meth:`show` and :meth:`advance`.
    """

    def __init__(self, subtitles: Subtitles, window: Window, workers: Executor) -> None:
        for value in (subtitles.style.color, subtitles.style.stroke_color):
            colour(value)
        self.overlay = Overlay.nothing()
        self._subtitles, self._window, self._workers = subtitles, window, workers
        self._kept: OrderedDict[str, Future[Overlay]] = OrderedDict()
        self._wanted: str | None = None
        self._shown: str | None = None

    @property
    def pending(self) -> bool:
        """The wanted text is not shown yet."""
        return self._wanted != self._shown

    def prepare(self, text: str) -> None:
        """Draw ``text`` ahead of time."""
        if text and text not in self._kept:
            self._kept[text] = self._workers.submit(self._draw, text)
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)[1].cancel()

    def show(self, text: str | None) -> tuple[Rect, ...]:
        """Show ``text`` now if it has been drawn, else as soon as it is; what changed now."""
        self._wanted = text or None
        if self._wanted is not None:
            self.prepare(self._wanted)
            self._kept.move_to_end(self._wanted)
        return self.advance()

    def advance(self) -> tuple[Rect, ...]:
        """Show the wanted text if it has been drawn meanwhile; what changed."""
        if not self.pending:
            return ()
        fresh = Overlay.nothing()
        if self._wanted is not None:
            drawing = self._kept[self._wanted]
            if not drawing.done():
                return ()
            fresh = self._drawn(drawing)
        self._shown = self._wanted
        before = self.overlay.rect
        self.overlay.show(fresh)
        return tuple(rect for rect in (before, fresh.rect) if not rect.empty)

    def _drawn(self, drawing: Future[Overlay]) -> Overlay:
        try:
            return drawing.result()
        except (OSError, ValueError, PackError):
            # A text that cannot be drawn must not stop the picture.
            _log.exception("a subtitle could not be drawn")
            return Overlay.nothing()

    def _draw(self, text: str) -> Overlay:
        return lettering(text, self._subtitles.place, self._subtitles.style, self._window, caption=True)
