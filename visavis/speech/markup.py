"""Markdown and HTML to what a reader would say of it: the words, without marks, addresses and code."""

from __future__ import annotations

import html
import re
import unicodedata
from typing import Final

_FENCE: Final = re.compile(r"(`{3,}|~{3,})[^\n`]*\n.*?(?:\1[`~]*|\Z)", re.DOTALL)
_FENCE_LINE: Final = re.compile(r"^[ \t]*(?:`{3,}|~{3,})[\w+-]*[ \t]*$", re.MULTILINE)
_UNSAID: Final = re.compile(r"<!--.*?(?:-->|\Z)|<(script|style)\b.*?(?:</\1\s*>|\Z)", re.IGNORECASE | re.DOTALL)
_BREAK: Final = re.compile(r"<(?:br|hr)\s*/?>|</(?:p|div|li|tr|h[1-6]|ul|ol|table)\s*>", re.IGNORECASE)
_CELL: Final = re.compile(r"</t[dh]\s*>", re.IGNORECASE)
_TAG: Final = re.compile(r"</?[A-Za-z][^<>\n]*>|</?[a-z][a-z0-9]*$")
_LINK: Final = re.compile(r"!?\[([^\[\]\n]*)\](?:\((?:[^()\n]|\([^()\n]*\))*(?:\)|$)|\[[^\[\]\n]*\])")
_NOTE: Final = re.compile(r"\[\^[^\[\]\n]*\](?::.*)?|(?<=\S)\[\d{1,3}\](?!\()")
_RULER: Final = re.compile(r"^[ \t]*(?:[-*_][ \t]*){3,}$|^[ \t]*=+[ \t]*$", re.MULTILINE)
_DIVIDER: Final = re.compile(r"^[ \t]*\|?[ \t]*:?-{2,}:?[ \t]*(?:\|[ \t]*:?-{2,}:?[ \t]*)*\|?[ \t]*$\n?", re.MULTILINE)
_ROW: Final = re.compile(r"^[ \t]*\|(.*?)\|?[ \t]*$", re.MULTILINE)
_HEADING: Final = re.compile(r"^[ \t]*#{1,6}[ \t]+(.*?)[ \t]*#*[ \t]*$", re.MULTILINE)
_ITEM: Final = re.compile(r"^[ \t]*(?:[-*+•◦▪][ \t]+(?:\[[ xX]\][ \t]+)?|(\d{1,3})[.)][ \t]+)(.*)$", re.MULTILINE)
_QUOTE: Final = re.compile(r"^[ \t]*(?:>[ \t]?)+", re.MULTILINE)
_STRUCK: Final = re.compile(r"~~")
_ENTITY: Final = re.compile(r"&(?:#\d{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_END: Final = "\uf8ff"
"""Stands for the end of a line that is a piece of its own: people pause there."""
_ENDS: Final = re.compile(rf"[ \t]*{_END}[\s{_END}]*")


def plain(text: str, pause: str) -> str:
    """``text`` without its markup.

    Headings, list items and rows of tables are followed by ``pause`` (such as a comma), unless a mark stands there or
    nothing follows. Marks within a line that are open where the text ends, as when a stream is cut, are markup all the same.
    """
    if _looks_plain(text):
        return text
    text = _FENCE.sub("\n", text.replace(_END, ""))
    text = _FENCE_LINE.sub("", text)
    text = _CELL.sub(_END, _BREAK.sub(f"{_END}\n", _UNSAID.sub(" ", text)))
    text = _TAG.sub("", text)
    text = _ENTITY.sub(_character, text)
    text = _LINK.sub(r"\1", _NOTE.sub("", text))
    text = _RULER.sub("", _DIVIDER.sub("", text))
    text = _ROW.sub(lambda row: _END.join(cell.strip() for cell in row[1].split("|")) + _END, text)
    text = _HEADING.sub(rf"\1{_END}", _QUOTE.sub("", text))
    text = _ITEM.sub(lambda item: (f"{item[1]}. " if item[1] else "") + item[2] + _END, text)
    text = _STRUCK.sub("", text)
    return _ENDS.sub(lambda end: _pause(text, end, pause), text)


def _looks_plain(text: str) -> bool:
    """Most sentences have nothing of it."""
    return not any(sign in text for sign in "`~<&[|#*>_•◦▪\n") and not re.match(r"\s*(?:[-+]\s|\d{1,3}[.)]\s)", text)


def _character(entity: re.Match[str]) -> str:
    """The character that an entity stands for; none of the private ones, which mean something here."""
    text = html.unescape(entity[0])
    return text if all(unicodedata.category(one) != "Co" for one in text) else " "


def _pause(text: str, end: re.Match[str], pause: str) -> str:
    before, after = text[: end.start()].rstrip(), text[end.end() :].lstrip()
    if not before or not after or before[-1] == _END:
        return " "
    return " " if before[-1] in ",.;:!?，。；：！？、…" else pause
