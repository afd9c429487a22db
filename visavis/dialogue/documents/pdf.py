"""PDF: the text of its pages as paragraphs, without what is printed on every page."""

from __future__ import annotations

import io
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from visavis.dialogue.documents.blocks import Block, DocumentError
from visavis.dialogue.documents.plain import heading_level

if TYPE_CHECKING:
    from pypdf import PdfReader

MAX_PAGES: Final = 2000
_EDGE: Final = 2
"""Lines at the top and at the bottom of a page that may be headers and footers."""
_SHARE: Final = 0.6
"""Of the pages, from which on a line at their edge is no text of theirs."""
_FEWEST: Final = 3
_FEWEST_COUNTED: Final = 2
"""Pages that must have a line for it to be a header, and a page's number for it to be one."""
_MOST_BOOKMARKS: Final = 2000
_UNREADABLE: Final = 0.3
_SPACED_OUT: Final = 0.3
"""Of the places between two Han characters of a line, from which on blanks there are the typesetting's, not the text's."""

_HAN: Final = "\u2e80-\u303f\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff01-\uff60"
_BETWEEN_HAN: Final = re.compile(rf"(?<=[{_HAN}])[ \t]+(?=[{_HAN}])")
_TWO_HAN: Final = re.compile(rf"(?<=[{_HAN}])[ \t]*(?=[{_HAN}])")
_HAN_END: Final = re.compile(rf"[{_HAN}]$")
_HAN_START: Final = re.compile(rf"[{_HAN}]")
_HYPHEN: Final = re.compile(r"[A-Za-zÀ-ÿ][-\u00ad\u2010]$")
_LOWER: Final = re.compile(r"[a-zß-ÿ]")
_ENDED: Final = re.compile(r"[.!?:;。！？：；…][\"'”’」』）)\]]*$")
_ITEM: Final = re.compile(
    r"[•·●○■□▪–*-]\s|\(?\d{1,3}[.)、）]\s?\D|[（(][一二三四五六七八九十]{1,3}[)）]|[一二三四五六七八九十]{1,3}、"
)
_RADICALS: Final = (
    "⺁厂⺈刀⺊卜⺌小⺍小⺎兀⺒巳⺓幺⺗心⺜日⺝月⺟母⺠民⺩王⺬示⺮竹⺶羊⺽臼⻁虎⻄西"
    "⻅见⻆角⻉贝⻊足⻋车⻑長⻓长⻔门⻗雨⻘青⻙韦⻚页⻛风⻜飞⻝食⻢马⻣骨⻤鬼⻥鱼⻦鸟"
    "⻧卤⻨麦⻩黄⻪黾⻬齐⻮齿⻰龙⻳龟"
)
"""Radicals that stand for whole words in some fonts' maps, each before the character that it is; Unicode does not fold them."""
_WORD_OF: Final = str.maketrans(dict(zip(_RADICALS[::2], _RADICALS[1::2], strict=True)))
_COMPATIBLE: Final = re.compile(r"[\u2e80-\u2fdf\uf900-\ufaff\ufb00-\ufb06]")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ufeff\u200b]")
_NUMBER: Final = re.compile(r"\d+")


@dataclass(slots=True)
class _Page:
    """A page's lines, and the headings that the table of contents has there."""

    lines: list[str]
    headings: dict[str, int]


def pdf(content: bytes, most: int) -> list[Block]:
    """Paragraphs, and as headings what the bookmarks name or what looks like one.

    Lines are joined to paragraphs, those of Chinese without blanks and words that were divided to whole ones; headers, footers
    and page numbers are left out.

    Args:
        most: characters, of which it may not have more.

    Raises:
        DocumentError: it is damaged, encrypted, too long, or has no text.
    """
    import pypdf
    from pypdf.errors import LimitReachedError

    try:
        reader = pypdf.PdfReader(io.BytesIO(content), strict=False)
        if reader.is_encrypted and not reader.decrypt(""):
            raise DocumentError("it is encrypted; save it without a password")
        pages = _pages(reader, most)
    except (MemoryError, RecursionError, DocumentError):
        raise
    except LimitReachedError:
        raise DocumentError("it is too large when unpacked") from None
    except Exception as error:  # damaged files make the library raise nearly anything
        raise DocumentError(f"it is no PDF file, or it is damaged ({type(error).__name__})") from None
    text = "".join(line for page in pages for line in page.lines)
    if not text.strip():
        raise DocumentError("there is no text in it: its pages are pictures, perhaps scanned, which are not read here")
    strange = sum(unicodedata.category(one) in ("Co", "Cn", "Cc") or one == "\ufffd" for one in text)
    if strange > _UNREADABLE * len(text):
        raise DocumentError("its characters cannot be read: its fonts do not say which they are")
    _without_edges(pages)
    return list(_blocks(pages))


def _pages(reader: PdfReader, most: int) -> list[_Page]:
    count = len(reader.pages)
    if count > MAX_PAGES:
        raise DocumentError(f"it has {count} pages, at most {MAX_PAGES} are taken")
    bookmarks = _bookmarks(reader)
    pages, characters = [], 0
    for number in range(count):
        text = reader.pages[number].extract_text()
        characters += len(text)
        if characters > most:
            raise DocumentError(f"it has more than {most} characters")
        lines = [_clean(line) for line in text.splitlines()]
        pages.append(_Page(lines, bookmarks.get(number, {})))
    return pages


def _clean(line: str) -> str:
    """One line with usual characters (fonts have ligatures and radicals of their own), its Han characters not spaced out."""
    line = _COMPATIBLE.sub(lambda one: unicodedata.normalize("NFKC", one[0]), _CONTROL.sub("", line))
    line = " ".join(line.translate(_WORD_OF).split())
    blanks = len(_BETWEEN_HAN.findall(line))
    return _BETWEEN_HAN.sub("", line) if blanks > _SPACED_OUT * len(_TWO_HAN.findall(line)) else line


def _bookmarks(reader: PdfReader) -> dict[int, dict[str, int]]:
    """Page number -> titles there and their levels; damaged ones are no reason to refuse the text."""
    found: dict[int, dict[str, int]] = {}
    seen = 0

    def walk(entries: Sequence[Any], level: int) -> None:
        nonlocal seen
        for entry in entries:
            if isinstance(entry, list):
                walk(entry, min(level + 1, 6))
                continue
            seen += 1
            if seen > _MOST_BOOKMARKS:
                return
            number = reader.get_destination_page_number(entry)
            title = _key(str(entry.title or ""))
            if number is not None and title:
                found.setdefault(number, {}).setdefault(title, level)

    try:
        walk(reader.outline, 1)
    except MemoryError:
        raise
    except Exception:
        return {}
    return found


def _key(text: str) -> str:
    """What is the same of a heading in the table of contents and on its page."""
    return "".join(unicodedata.normalize("NFKC", text).split()).lower()


# --- headers and footers ----------------------------------------------------------------------------------


def _without_edges(pages: list[_Page]) -> None:
    """Take away lines at the edges that most pages have, and page numbers."""
    for page in pages:
        while page.lines and not page.lines[0]:
            del page.lines[0]
        while page.lines and not page.lines[-1]:
            del page.lines[-1]
    full = [page for page in pages if page.lines]
    for edge in (0, -1):
        for _ in range(_EDGE):
            repeated = Counter(mark for number, page in enumerate(pages) for mark in set(_marks(page, edge, number)))
            usual = {
                mark
                for mark, times in repeated.items()
                if times >= max(_FEWEST_COUNTED if "\0" in mark else _FEWEST, _SHARE * len(full))
            }
            hit = [page for number, page in enumerate(pages) if usual & set(_marks(page, edge, number))]
            for page in hit:
                del page.lines[edge]
            if not hit:
                break


def _marks(page: _Page, edge: int, number: int) -> list[str]:
    """What a line at the edge shows on other pages as well: itself, or itself but for the page's number."""
    if not page.lines:
        return []
    line = page.lines[edge]
    if heading_level(line) or _key(line) in page.headings:
        return []
    marks = [line] if line else []
    # A counter runs with the pages: "3" on the page behind the one with "2".
    marks += [
        f"{line[: one.start()]}\0{int(one[0]) - number}\0{line[one.end() :]}"
        for one in _NUMBER.finditer(line)
        if len(one[0]) <= 5
    ]
    return marks


# --- paragraphs -------------------------------------------------------------------------------------------


def _blocks(pages: Sequence[_Page]) -> list[Block]:
    blocks: list[Block] = []
    widths = sorted(_width(line) for page in pages for line in page.lines if line)
    usual = widths[int(0.9 * len(widths))] if widths else 0
    paragraph = ""
    last = ""

    def close() -> None:
        nonlocal paragraph, last
        if paragraph:
            blocks.append(Block(paragraph))
        paragraph = last = ""

    for page in pages:
        for number, line in enumerate(page.lines):
            level = page.headings.get(_key(line), 0) or heading_level(line)
            if not line:
                # The end of a page is no end of a paragraph; an empty line within one is.
                if number:
                    close()
            elif level:
                close()
                blocks.append(Block(line, level))
            elif last and (_ITEM.match(line) or _ends(last, line, usual)):
                close()
                paragraph = last = line
            else:
                paragraph, last = _joined(paragraph, line), line
    close()
    return blocks


def _ends(line: str, following: str, usual: int) -> bool:
    """Whether a paragraph ends with ``line``: it is short, and what follows is not plainly its rest."""
    if _ENDED.search(line):
        return _width(line) < 0.8 * usual
    return _width(line) < 0.6 * usual and not _LOWER.match(following) and not _HYPHEN.search(line)


def _width(line: str) -> int:
    return sum(2 if unicodedata.east_asian_width(one) in "WF" else 1 for one in line)


def _joined(before: str, line: str) -> str:
    if not before:
        return line
    if _HYPHEN.search(before) and _LOWER.match(line):
        return before[:-1] + line
    if _HAN_END.search(before) and _HAN_START.match(line):
        return before + line
    return f"{before} {line}"
