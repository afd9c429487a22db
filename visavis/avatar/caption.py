"""The burnt-in subtitle: a sentence that appears word by word, where its words will stand.

A sentence is laid out and drawn once, on another thread; its letters are then uncovered from left to right, so that no word ever
moves and a picture in which no word begins costs nothing. A sentence too long for its box is shown in pages of whole lines: the next
one comes with its first word.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from typing import Final

from visavis import log
from visavis.avatar.archive import PackError
from visavis.avatar.background import colour
from visavis.avatar.layers import Overlay, Window
from visavis.avatar.layout import Subtitles
from visavis.avatar.planes import Rect
from visavis.avatar.text import Setting, painted, setting, tightened, top_of

_KEPT: Final = 16

_log = log.get("subtitles")


@dataclass(frozen=True, slots=True)
class _Line:
    """``top``, ``bottom``: output rows; ``ends``: the output column at which each letter ends, blanks not counted; all even."""

    top: int
    bottom: int
    ends: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Page:
    """``letters``: all of it, drawn; ``first``: letters of the sentence before it."""

    letters: Overlay
    lines: tuple[_Line, ...]
    first: int

    def reach(self, count: int) -> list[int]:
        """Up to which column each line is seen when ``count`` letters of the sentence are."""
        rest, found = count - self.first, []
        for line in self.lines:
            found.append(line.ends[min(rest, len(line.ends)) - 1] if rest > 0 and line.ends else self.letters.rect.x)
            rest -= len(line.ends)
        return found


class Caption:
    """The subtitle of one session: at most one text, kept by text.

    ``overlay`` is always the same object; what it shows changes with :meth:`show` and :meth:`advance`.
    """

    def __init__(self, subtitles: Subtitles, window: Window, workers: Executor) -> None:
        for value in (subtitles.style.color, subtitles.style.stroke_color):
            colour(value)
        self.overlay = Overlay.nothing()
        self._subtitles, self._window, self._workers = subtitles, window, workers
        self._kept: OrderedDict[str, Future[list[_Page]]] = OrderedDict()
        self._wanted: str | None = None
        self._shown: str | None = None
        self._count = 0
        self._pages: list[_Page] = []
        self._page: _Page | None = None
        self._reached: list[int] = []

    @property
    def pending(self) -> bool:
        """The wanted text is not shown yet."""
        return self._wanted != self._shown

    def show(self, text: str | None, upto: int | None = None) -> tuple[Rect, ...]:
        """Show the first ``upto`` characters of ``text`` (None: all) now if it has been drawn, else as soon as it is; what changed now."""
        self._wanted = text or None
        if self._wanted is not None:
            self._prepare(self._wanted)
        self._count = len(_letters(self._wanted or "", upto))
        return self.advance()

    def advance(self) -> tuple[Rect, ...]:
        """Show the wanted text if it has been drawn meanwhile; what changed."""
        if self.pending:
            pages: list[_Page] = []
            if self._wanted is not None:
                drawing = self._kept[self._wanted]
                if not drawing.done():
                    return ()
                pages = self._drawn(drawing)
            self._pages, self._shown = pages, self._wanted
        page = next((page for page in reversed(self._pages) if page.first < self._count), None)
        changed = []
        reach = page.reach(self._count) if page is not None else []
        if page is not self._page or any(new < old for new, old in zip(reach, self._reached, strict=True)):
            changed.append(self.overlay.rect)
            self.overlay.show(Overlay.nothing() if page is None else Overlay.blank(page.letters.rect))
            self._page, self._reached = page, [self.overlay.rect.x] * len(reach)
        if page is not None and reach != self._reached:
            for line, old, new in zip(page.lines, self._reached, reach, strict=True):
                fresh = Rect(old, line.top, new - old, line.bottom - line.top).cut(page.letters.rect)
                if not fresh.empty:
                    self.overlay.uncover(page.letters, fresh)
                    changed.append(fresh)
            self._reached = reach
        return tuple(rect for rect in changed if not rect.empty)

    def _prepare(self, text: str) -> None:
        if text not in self._kept:
            self._kept[text] = self._workers.submit(self._draw, text)
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)[1].cancel()
        self._kept.move_to_end(text)

    def _drawn(self, drawing: Future[list[_Page]]) -> list[_Page]:
        try:
            return drawing.result()
        except (OSError, ValueError, PackError):
            # A text that cannot be drawn must not stop the picture.
            _log.exception("a subtitle could not be drawn")
            return []

    def _draw(self, text: str) -> list[_Page]:
        place, style = self._subtitles.place, self._subtitles.style
        width, height = round(place.width), round(place.height)
        if width < 1 or height < 1:
            return []
        found = setting(text, width, height, style, caption=True)
        most = max(1, height // found.step)
        pages: list[_Page] = []
        first = 0
        for begin in range(0, len(found.lines), most):
            lines = found.lines[begin : begin + most]
            letters = tightened(painted(lines, found, height, style, caption=True), place, self._window)
            pages.append(_Page(letters, self._lines(lines, found, height, letters.rect), first))
            first += sum(len(_letters(line)) for line in lines)
        return [page for page in pages if not page.letters.rect.empty]

    def _lines(self, lines: Sequence[str], found: Setting, height: int, seen: Rect) -> tuple[_Line, ...]:
        place, offset = self._subtitles.place, self._window.offset
        left, top = round(place.x) - offset[0], round(place.y) - offset[1] + top_of(lines, found, height)
        rows = [round(top + row * found.step) & ~1 for row in range(len(lines) + 1)]
        # Outlines reach beyond the first and the last line.
        rows[0], rows[-1] = seen.y, seen.bottom
        return tuple(
            _Line(rows[row], rows[row + 1], _ends(line, left + found.left(line), found, seen.right))
            for row, line in enumerate(lines)
        )


def _ends(line: str, left: float, found: Setting, right: int) -> tuple[int, ...]:
    """Where each letter of ``line`` ends; before a blank in the middle of it: what belongs to one word is seen together."""
    ends: list[int] = []
    for index, letter in enumerate(line):
        if letter == " ":
            continue
        until = found.font.getlength(line[: index + 1])
        if line[index + 1 : index + 2] == " ":
            until = (until + found.font.getlength(line[: index + 2])) / 2
        ends.append(round(left + until) & ~1)
    if ends:
        ends[-1] = right
    return tuple(ends)


def _letters(text: str, upto: int | None = None) -> str:
    """Those of the first ``upto`` characters that are drawn: lines are broken at blanks, which are not."""
    return "".join(letter for letter in text[:upto] if letter.isprintable() and letter != " ")
