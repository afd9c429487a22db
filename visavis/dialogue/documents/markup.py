"""Markdown and HTML: their headings and paragraphs, without the markup."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Final

from visavis.dialogue.documents.blocks import Block

# --- Markdown -----------------------------------------------------------------------------------------

_FENCE: Final = re.compile(r"(`{3,}|~{3,})")
_ATX: Final = re.compile(r"(#{1,6})(?:\s+(.*?))?(?:\s+#+)?\s*$")
_UNDERLINE: Final = re.compile(r"(=+|-+)\s*$")
_RULE: Final = re.compile(r"(?:[-*_]\s*){3,}$")
_TABLE_RULE: Final = re.compile(r"\|?(?:\s*:?-+:?\s*\|)+\s*:?-*:?\s*$")
_LINK: Final = re.compile(r"!?\[([^\[\]\n]{0,500})\]\([^()\n]{0,1000}\)")
_STRONG: Final = re.compile(r"(\*\*|__|~~)(?=\S)(.{1,1000}?)(?<=\S)\1")
_EMPHASIS: Final = re.compile(r"(?<![\w*])([*_])(?=[^\s*_])([^*_\n]{1,1000}?)(?<=\S)\1(?![\w*])")
_CODE: Final = re.compile(r"`([^`\n]{1,1000})`")


def markdown(content: str) -> list[Block]:
    """Headings of both forms are headings; lists, quotations, tables and code stay as lines of text."""
    lines = content.split("\n")
    if lines and lines[0].strip() == "---" and "---" in (line.strip() for line in lines[1:200]):
        del lines[: [line.strip() for line in lines[1:]].index("---") + 2]  # what describes the file is not its text
    blocks: list[Block] = []
    paragraph: list[str] = []
    fence = ""

    def close() -> None:
        if any(line.strip() for line in paragraph):
            blocks.append(Block("\n".join(paragraph).strip("\n").rstrip()))
        paragraph.clear()

    for line in lines:
        bare = line.strip()
        mark = _FENCE.match(bare)
        if fence:
            if mark and bare.startswith(fence) and not bare.strip(fence[0]):
                fence = ""
                close()
            else:
                paragraph.append(line.rstrip())
        elif mark:
            close()
            fence = mark[1]
        elif heading := _ATX.match(bare):
            close()
            if title := _plain(heading[2] or ""):
                blocks.append(Block(title, len(heading[1])))
        elif len(paragraph) == 1 and (underline := _UNDERLINE.match(bare)):
            title = paragraph.pop()
            blocks.append(Block(title.strip(), 1 if underline[1][0] == "=" else 2))
        elif not bare or _RULE.match(bare) or _TABLE_RULE.match(bare):
            if not _TABLE_RULE.match(bare):
                close()
        else:
            paragraph.append(_plain(re.sub(r"^>\s?", "", bare)))
    close()
    return blocks


def _plain(line: str) -> str:
    line = _CODE.sub(r"\1", _LINK.sub(r"\1", line))
    return _EMPHASIS.sub(r"\2", _STRONG.sub(r"\2", line)).strip()


# --- HTML ---------------------------------------------------------------------------------------------

_HIDDEN: Final = frozenset({"script", "style", "noscript", "template", "head", "svg", "iframe", "object", "select"})
_HEADING: Final = {f"h{level}": level for level in range(1, 7)}
_BLOCKS: Final = frozenset(
    {
        "address",
        "article",
        "aside",
        "blockquote",
        "body",
        "caption",
        "center",
        "dd",
        "details",
        "dialog",
        "div",
        "dl",
        "dt",
    }
    | {
        "fieldset",
        "figcaption",
        "figure",
        "footer",
        "form",
        "header",
        "hr",
        "li",
        "main",
        "menu",
        "nav",
        "ol",
        "p",
        "pre",
    }
    | {"section", "summary", "table", "tbody", "tfoot", "thead", "tr", "ul"}
)
_CELLS: Final = frozenset({"td", "th"})


def html(content: str) -> list[Block]:
    """What a reader sees; table rows are lines, their cells separated by bars."""
    parser = _Html()
    parser.feed(content)
    parser.close()
    parser.flush()
    return parser.blocks


class _Html(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.blocks: list[Block] = []
        self._pieces: list[str] = []
        self._hidden: list[str] = []
        self._level = 0
        self._pre = 0
        self._row: list[str] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self._hidden:
            # A head that is never closed ends where the body begins.
            if tag == "body" or (tag in _HEADING and self._hidden[0] == "head"):
                self._hidden.clear()
            else:
                if tag == self._hidden[-1]:
                    self._hidden.append(tag)
                return
        if tag in _HIDDEN:
            self._hidden.append(tag)
        elif tag == "br":
            self._pieces.append("\n")
        elif tag in _HEADING:
            self.flush()
            self._level = _HEADING[tag]
        elif tag == "tr":
            self.flush()
            self._row = []
        elif tag in _CELLS and self._row is not None:
            self._close_cell(self._row)  # many pages leave cells open
        elif tag in _BLOCKS and self._row is None:
            self.flush()
            self._pre += tag == "pre"

    def handle_endtag(self, tag: str) -> None:
        if self._hidden:
            if tag == self._hidden[-1]:
                self._hidden.pop()
        elif tag in _HEADING:
            self.flush()
            self._level = 0
        elif tag in _CELLS and self._row is not None:
            self._close_cell(self._row)
        elif tag in ("tr", "table") and self._row is not None:
            row, self._row = self._row, None
            self._close_cell(row)
            self._pieces.append(" | ".join(row))
            self.flush()
        elif tag in _BLOCKS and self._row is None:
            self.flush()
            self._pre = max(0, self._pre - (tag == "pre"))

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self._pieces.append(data if self._pre else re.sub(r"\s+", " ", data))

    def _close_cell(self, row: list[str]) -> None:
        if cell := " ".join("".join(self._pieces).split()):
            row.append(cell)
        self._pieces.clear()

    def flush(self) -> None:
        """End the block that is open."""
        whole = "".join(self._pieces)
        self._pieces.clear()
        if self._pre:
            text = whole.strip("\n").rstrip()
        else:
            text = "\n".join(line for part in whole.split("\n") if (line := " ".join(part.split())))
        if text.strip():
            self.blocks.append(Block(text.replace("\n", " ") if self._level else text, self._level))
