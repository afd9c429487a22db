"""From blocks to segments: pieces of text that stand for themselves, small enough to be found and to be said."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from visavis.dialogue.documents.blocks import Block, DocumentError

MAX_SEGMENTS: Final = 4000
"""Of one document."""

_TITLE_LENGTH: Final = 256
_ENDS: Final = re.compile(r"[。！？!?；;…]+[”’」』）\")]*|\.(?=\s)|\n+")
_PAUSES: Final = re.compile(r"[，,、:：]|\s")


@dataclass(frozen=True, slots=True)
class Rule:
    """How a document is cut.

    Attributes:
        size: characters that a segment has at most.
        by_title: each heading begins a segment, and is its title.
        separators: texts that end a segment, each of them; none: segments are made of whole paragraphs, as many as fit.
    """

    size: int = 500
    by_title: bool = True
    separators: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of a document. ``title``: the headings above it, the highest first; empty: there are none."""

    title: str
    text: str


def segments(blocks: Sequence[Block], rule: Rule, most: int | None = None) -> list[Segment]:
    """The document's segments in its order: no word of it is lost.

    Args:
        most: how many are wanted, such as for a preview; None: all of them.

    Raises:
        DocumentError: there are more than :data:`MAX_SEGMENTS`.
    """
    result: list[Segment] = []
    for title, paragraphs in _sections(blocks, rule.by_title):
        for text in _texts(paragraphs, rule):
            if len(result) == most:
                return result
            if len(result) == MAX_SEGMENTS:
                raise DocumentError(f"it has more than {MAX_SEGMENTS} segments; choose larger ones")
            result.append(Segment(title, text))
    return result


def _sections(blocks: Sequence[Block], by_title: bool) -> Iterator[tuple[str, list[str]]]:
    """(title, paragraphs); a heading that nothing stands under is a paragraph of its own."""
    if not by_title:
        yield "", [block.text for block in blocks]
        return
    path: list[Block] = []
    paragraphs: list[str] = []
    for block in blocks:
        if not block.level:
            paragraphs.append(block.text)
            continue
        if paragraphs:
            yield _title(path), paragraphs
        elif path and block.level <= path[-1].level:
            yield _title(path), [path[-1].text]
        paragraphs = []
        path = [*(one for one in path if one.level < block.level), block]
    if paragraphs or path:
        yield _title(path), paragraphs or [path[-1].text]


def _title(path: Sequence[Block]) -> str:
    return " / ".join(" ".join(block.text.split()) for block in path)[:_TITLE_LENGTH]


def _texts(paragraphs: list[str], rule: Rule) -> Iterator[str]:
    if rule.separators:
        for piece in _separated("\n\n".join(paragraphs), rule.separators):
            yield from cut(piece, rule.size)
        return
    gathered = ""
    for paragraph in paragraphs:
        for piece in cut(paragraph, rule.size):
            if gathered and len(gathered) + 1 + len(piece) > rule.size:
                yield gathered
                gathered = ""
            gathered = f"{gathered}\n{piece}" if gathered else piece
    if gathered:
        yield gathered


def _separated(text: str, separators: Sequence[str]) -> Iterator[str]:
    """The pieces that end in a separator; it belongs to them."""
    marks = "|".join(re.escape(one) for one in sorted(set(separators), key=len, reverse=True))
    begin = 0
    for match in re.finditer(marks, text):
        if piece := text[begin : match.end()].strip():
            yield piece
        begin = match.end()
    if piece := text[begin:].strip():
        yield piece


def cut(text: str, size: int) -> Iterator[str]:
    """The text in pieces of at most ``size`` characters: between sentences, else at a pause, else anywhere."""
    begin = 0
    while len(text) - begin > size:
        window = text[begin : begin + size]
        # A piece of a few words only is no use where a pause would make a longer one.
        end = _last(_ENDS, window, size // 3) or _last(_PAUSES, window, size // 2) or size
        if piece := window[:end].strip():
            yield piece
        begin += end
    if piece := text[begin:].strip():
        yield piece


def _last(pattern: re.Pattern[str], text: str, least: int) -> int:
    """The end of the last match that ends behind ``least``; 0: there is none."""
    return max((match.end() for match in pattern.finditer(text, least)), default=0)
