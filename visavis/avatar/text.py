"""Letters in the picture, of text layers and of burnt-in subtitles: drawn with FreeType (through Pillow).

Lines break at spaces and between Chinese letters,
but never before closing punctuation nor after opening punctuation.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from visavis.avatar.background import colour
from visavis.avatar.fonts import load_font
from visavis.avatar.layers import Overlay, Window, drawn
from visavis.avatar.layout import Place, TextStyle
from visavis.avatar.planes import Plane, Rect, premultiplied

MAX_TEXT: Final = 4000
MAX_SIZE: Final = 400
SMALLEST: Final = 0.6
"""A subtitle that does not fit its box is made smaller down to this share of its size; then it is shown in pages."""
LINE: Final = 1.25
"""Distance of lines, in sizes of the font."""
BASELINE: Final = 0.36
"""From a line's middle down to its baseline, in sizes: Chinese letters reach from 0.88 above it to 0.12 below."""

# Never at the start of a line; never at its end.
_CLOSING: Final = frozenset("，。！？；：、）】》」』”’…—～·,.!?;:)]}%％")
_OPENING: Final = frozenset("（【《「『“‘([{")

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


@dataclass(frozen=True, slots=True)
class Setting:
    """A text broken into lines for a box: ``size``, ``stroke``, ``step`` (from line to line): pixels."""

    lines: tuple[str, ...]
    font: Font
    size: int
    stroke: float
    width: int

    @property
    def step(self) -> int:
        return round(self.size * LINE)

    def left(self, line: str) -> float:
        """Where a line begins that stands in the middle of the box."""
        return (self.width - self.font.getlength(line)) / 2


def setting(text: str, width: int, height: int, style: TextStyle, *, caption: bool = False) -> Setting:
    """``text`` in lines; ``caption``: made smaller where it does not fit, as far as it stays readable."""
    text = "".join(letter for letter in text[:MAX_TEXT] if letter == "\n" or letter.isprintable())
    chinese = any(wide(letter) for letter in text)
    size, stroke = min(MAX_SIZE, max(1, style.size)), max(0.0, min(style.stroke, style.size / 2))
    while True:
        font = load_font(style.font, size, chinese)
        found = Setting(tuple(wrapped(text, font, width - 2 * stroke)), font, size, stroke, width)
        if not caption or len(found.lines) * found.step <= height or size <= max(12, SMALLEST * style.size):
            return found
        size = max(int(size * 0.9), 1)


def painted(lines: Sequence[str], found: Setting, height: int, style: TextStyle, *, caption: bool = False) -> Plane:
    """``lines`` of ``found`` in its box: premultiplied BGRA, shape (height, width, 4).

    From the top left; ``caption``: centred, at the bottom.
    """
    fill, edge = (_rgb(value) for value in (style.color, style.stroke_color))
    image = Image.new("RGBA", (found.width, height), (*fill, 0))
    pen = ImageDraw.Draw(image)
    size, stroke, step = found.size, found.stroke, found.step
    top = top_of(lines, found, height) if caption else 0
    for row, line in enumerate(lines):
        if top + row * step > height:
            break
        # Baselines are placed by the size alone: fonts differ in the room they claim above and below.
        y = top + row * step + step / 2 + BASELINE * size
        x = found.left(line) if caption else stroke
        pen.text(
            (x, y), line, fill=(*fill, 255), font=found.font, anchor="ls", stroke_width=stroke, stroke_fill=(*edge, 255)
        )
    bgra = np.asarray(image, np.uint8)[..., [2, 1, 0, 3]].copy()
    if style.opacity < 1:
        bgra[..., 3] = np.rint(bgra[..., 3] * max(0.0, style.opacity)).astype(np.uint8)
    return premultiplied(bgra)


def top_of(lines: Sequence[str], found: Setting, height: int) -> float:
    """The row at which a caption's first line begins."""
    return height - len(lines) * found.step - found.stroke


def _rgb(value: str) -> tuple[int, int, int]:
    blue, green, red = colour(value)
    return red, green, blue


def lettering(text: str, place: Place, style: TextStyle, window: Window) -> Overlay:
    """``text`` in ``place`` of the stage, cut to its letters' bounds. PackError: a colour is malformed."""
    width, height = round(place.width), round(place.height)
    if width < 1 or height < 1:
        return Overlay.nothing()
    found = setting(text, width, height, style)
    return tightened(painted(found.lines, found, height, style), place, window)


def tightened(picture: Plane, place: Place, window: Window) -> Overlay:
    """A picture of letters in ``place``, cut to their bounds."""
    height, width = picture.shape[:2]
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
