"""Word's DOCX: a ZIP archive with the text as XML."""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections.abc import Iterator
from typing import Final
from xml.etree import ElementTree

from visavis.dialogue.documents.blocks import Block, DocumentError

_MOST_BYTES: Final = 64 * 1024 * 1024
_W: Final = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_HEADING: Final = re.compile(r"(?:heading|标题)\s*([1-9])", re.IGNORECASE)


def docx(content: bytes) -> list[Block]:
    """Paragraphs, headings by their style, and table rows with bars between the cells.

    Raises:
        DocumentError: it is no DOCX file, or too large when unpacked.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            body = _xml(archive, "word/document.xml").find(f"{_W}body")
            levels = _levels(archive)
    except (zipfile.BadZipFile, KeyError, NotImplementedError, RuntimeError, zlib.error, EOFError, OSError) as error:
        raise DocumentError("it is no DOCX file, or it is encrypted") from error
    except ElementTree.ParseError as error:
        raise DocumentError(f"its XML is damaged: {error}") from None
    return list(_blocks(body, levels)) if body is not None else []


def _xml(archive: zipfile.ZipFile, name: str) -> ElementTree.Element:
    with archive.open(name) as file:
        raw = file.read(_MOST_BYTES + 1)  # what the archive says of the size need not be true
    if len(raw) > _MOST_BYTES:
        raise DocumentError(f"it is larger than {_MOST_BYTES // 1024 // 1024} MiB when unpacked")
    if b"<!DOCTYPE" in raw[:4096].replace(b"\0", b""):
        raise DocumentError("its XML declares entities, which Word never does")
    return ElementTree.fromstring(raw)  # noqa: S314 - without a DOCTYPE there is no entity to expand


def _levels(archive: zipfile.ZipFile) -> dict[str, int]:
    """Style id -> level, of the styles that are headings. Their names are English in files of any language."""
    if "word/styles.xml" not in archive.namelist():
        return {}
    levels = {}
    for style in _xml(archive, "word/styles.xml").iter(f"{_W}style"):
        name = style.find(f"{_W}name")
        if name is not None and (level := _level(name.get(f"{_W}val", ""))):
            levels[style.get(f"{_W}styleId", "")] = level
    return levels


def _level(name: str) -> int:
    if name.lower() == "title":
        return 1
    match = _HEADING.match(name)
    return min(int(match[1]), 6) if match else 0


def _blocks(parent: ElementTree.Element, levels: dict[str, int]) -> Iterator[Block]:
    for child in parent:
        if child.tag == f"{_W}p":
            if text := _text(child):
                yield Block(text, _level_of(child, levels))
        elif child.tag == f"{_W}tbl":
            for row in child.iter(f"{_W}tr"):
                cells = [" ".join(_text(cell).split()) for cell in row.findall(f"{_W}tc")]
                if any(cells):
                    yield Block(" | ".join(cell for cell in cells if cell))
        elif child.tag == f"{_W}sdt":
            inner = child.find(f"{_W}sdtContent")
            if inner is not None:
                yield from _blocks(inner, levels)


def _level_of(paragraph: ElementTree.Element, levels: dict[str, int]) -> int:
    style = paragraph.find(f"{_W}pPr/{_W}pStyle")
    name = "" if style is None else style.get(f"{_W}val", "")
    return levels.get(name) or _level(name)


def _text(element: ElementTree.Element) -> str:
    pieces = []
    for part in element.iter():
        if part.tag == f"{_W}t":
            pieces.append(part.text or "")
        elif part.tag == f"{_W}tab":
            pieces.append("\t")
        elif part.tag in (f"{_W}br", f"{_W}cr") or (part.tag == f"{_W}p" and pieces):
            pieces.append("\n")
    return "".join(pieces).strip()
