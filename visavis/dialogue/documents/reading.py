"""From a file's bytes to blocks of text: which kinds of files there are, and how their characters are read."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

from visavis.dialogue.documents import markup, pdf, plain, word
from visavis.dialogue.documents.blocks import Block, DocumentError

MAX_CHARACTERS: Final = 2_000_000
"""Of one document: some 700 printed pages."""

_BOMS: Final = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))
_CHARSET: Final = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([A-Za-z0-9_-]{2,30})", re.IGNORECASE)
_CONTROL: Final = re.compile(r"[\x01-\x08\x0b\x0e-\x1f\x7f\ufeff]")

_OF_TEXT: Final[Mapping[str, Callable[[str], list[Block]]]] = {
    "txt": plain.text,
    "md": markup.markdown,
    "html": markup.html,
    "csv": plain.csv_table,
}
_SAME: Final = {"markdown": "md", "htm": "html"}

TYPES: Final = ("txt", "md", "markdown", "html", "htm", "csv", "docx", "pdf")
"""The extensions of files that can be read."""


def type_of(file_name: str) -> str:
    """The file's type, by its extension: lower case, one of :data:`TYPES`.

    Raises:
        DocumentError: it is none of them.
    """
    dot, extension = file_name.rpartition(".")[1:]
    if not dot or extension.lower() not in TYPES:
        raise DocumentError(f"only files of these types are read here: {', '.join(TYPES)}")
    return extension.lower()


def read(file_type: str, content: bytes) -> list[Block]:
    """The document's blocks, in its order; none of them is empty.

    Args:
        file_type: one of :data:`TYPES`.

    Raises:
        DocumentError: it is damaged, of another type, empty or too long.
    """
    kind = _SAME.get(file_type, file_type)
    if kind == "pdf":
        blocks = pdf.pdf(content, MAX_CHARACTERS)
    elif kind == "docx":
        blocks = word.docx(content)
    else:
        blocks = _OF_TEXT[kind](decoded(content, html=kind == "html"))
    if not blocks:
        raise DocumentError("there is no text in it")
    characters = sum(len(block.text) for block in blocks)
    if characters > MAX_CHARACTERS:
        raise DocumentError(f"it has {characters} characters, at most {MAX_CHARACTERS} are taken")
    return blocks


def decoded(content: bytes, html: bool = False) -> str:
    """The text of a file: UTF-8, UTF-16 with its mark, else GB 18030; of HTML, what it declares.

    Raises:
        DocumentError: it is no text.
    """
    for mark, encoding in _BOMS:
        if content.startswith(mark):
            return _text(content[len(mark) :], encoding)
    declared = _CHARSET.search(content[:2048]) if html else None
    if declared and (text := _attempt(content, declared[1].decode())) is not None:
        return text
    return _text(content, "utf-8", "gb18030")


def _text(content: bytes, *encodings: str) -> str:
    for encoding in encodings:
        if (text := _attempt(content, encoding)) is not None:
            return text
    raise DocumentError("its characters cannot be read; save it as UTF-8")


def _attempt(content: bytes, encoding: str) -> str | None:
    try:
        text = content.decode(encoding)
    except (UnicodeDecodeError, LookupError):
        return None
    if "\0" in text:
        return None  # a binary file, or UTF-16 without its mark
    return _CONTROL.sub("", text.replace("\r\n", "\n").replace("\r", "\n").replace("\f", "\n\n"))
