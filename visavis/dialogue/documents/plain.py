"""Plain text and tables."""

from __future__ import annotations

import csv
import io
import re
from typing import Final

from visavis.dialogue.documents.blocks import Block, DocumentError

_LONGEST_HEADING: Final = 60
_HEADINGS: Final = (
    (1, re.compile(r"第[零〇一二三四五六七八九十百千两\d]{1,8}[章篇部卷编](?:[\s:：、.].*|[^\s。，,；;]*)$")),
    (2, re.compile(r"第[零〇一二三四五六七八九十百千两\d]{1,8}[节回条](?:[\s:：、.].*|[^\s。，,；;]*)$")),
    (1, re.compile(r"(?:chapter|part)\s+(?:\d{1,4}|[ivxlc]{1,7})\b(?:[\s:.\-].*)?$", re.IGNORECASE)),
    (2, re.compile(r"section\s+\d{1,4}(?:\.\d{1,3})*\b(?:[\s:.\-].*)?$", re.IGNORECASE)),
)
_QUESTIONS: Final = frozenset({"question", "questions", "q", "问题", "标准问题", "问", "提问"})
_ANSWERS: Final = frozenset({"answer", "answers", "a", "答案", "回答", "答", "回复"})


def text(content: str) -> list[Block]:
    """Paragraphs stand between empty lines; without any, each line is one. Lines such as "Chapter 2" are headings."""
    lines = [line.strip() for line in content.split("\n")]
    paragraphs = "" in (line for line in _inner(lines))
    blocks: list[Block] = []
    open_lines: list[str] = []

    def close() -> None:
        if open_lines:
            blocks.append(Block("\n".join(open_lines)))
            open_lines.clear()

    for line in lines:
        level = heading_level(line)
        if not line or level:
            close()
        if level:
            blocks.append(Block(line, level))
        elif line:
            open_lines.append(line)
            if not paragraphs:
                close()
    close()
    return blocks


def _inner(lines: list[str]) -> list[str]:
    """Without the empty lines before the first and behind the last that is not."""
    full = [number for number, line in enumerate(lines) if line]
    return lines[full[0] : full[-1]] if full else []


def heading_level(line: str) -> int:
    """The level of a line such as "Chapter 2"; 0: it is none."""
    if not line or len(line) > _LONGEST_HEADING or line.endswith(("。", "，", ",", "；", ";")):
        return 0
    return next((level for level, pattern in _HEADINGS if pattern.match(line)), 0)


def csv_table(content: str) -> list[Block]:
    """A block for each row: ``column: value`` in lines, empty cells left out. The first row names the columns.

    A table with a column of questions and one of answers is read as headings with text below them: each is recalled by itself.

    Raises:
        DocumentError: it is no table of comma-separated (or semicolon-, tab-, bar-separated) values.
    """
    try:
        dialect: type[csv.Dialect] | csv.Dialect = csv.Sniffer().sniff(content[:4096], delimiters=",;\t|")
    except csv.Error:
        dialect = csv.excel
    try:
        rows = [[cell.strip() for cell in row] for row in csv.reader(io.StringIO(content), dialect)]
    except csv.Error as error:
        raise DocumentError(f"it is no CSV file: {error}") from None
    rows = [row for row in rows if any(row)]
    if len(rows) < 2:
        return [Block(", ".join(cell for cell in row if cell)) for row in rows]
    names, *rest = rows
    columns = [name.casefold() for name in names]
    question = next((number for number, name in enumerate(columns) if name in _QUESTIONS), None)
    answer = next((number for number, name in enumerate(columns) if name in _ANSWERS), None)
    if question is not None and answer is not None:
        return [block for row in rest for block in _answered(row, question, answer)]
    return [Block("\n".join(_cells(names, row))) for row in rest]


def _answered(row: list[str], question: int, answer: int) -> list[Block]:
    """A row of questions and answers; nothing, where one of both is missing."""
    if max(question, answer) >= len(row) or not row[question] or not row[answer]:
        return []
    return [Block(" ".join(row[question].split()), 2), Block(row[answer])]


def _cells(names: list[str], row: list[str]) -> list[str]:
    named = zip([*names, *[""] * (len(row) - len(names))], row, strict=False)
    return [f"{name}: {cell}" if name else cell for name, cell in named if cell]
