"""Small PDF files made by hand, so that tests know every byte of them."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

LINE = 16
TOP = 780

_TO_UNICODE = (
    b"/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapName /Own def /CMapType 2 def\n"
    b"1 begincodespacerange <0000> <FFFF> endcodespacerange\n"
    b"%d beginbfrange\n%s\nendbfrange endcmap CMapName currentdict /CMap defineresource pop end end"
)


def pdf(
    pages: Sequence[Sequence[str]],
    *,
    bookmarks: Sequence[tuple[str, int]] = (),
    raw: bytes | None = None,
    private: bool = False,
) -> bytes:
    """A file whose pages have these lines, from the top, in a font of two-byte codes with a map to Unicode.

    Args:
        bookmarks: title and page (from 0).
        raw: the first page's content stream as it stands in the file, deflated, instead of its lines.
        private: the map leads to characters that mean nothing outside of the font.
    """
    objects: list[bytes] = []

    def add(body: bytes) -> int:
        objects.append(body)
        return len(objects)

    def stream(content: bytes, deflated: bool = True) -> int:
        packed = zlib.compress(content) if deflated else content
        return add(b"<< /Filter /FlateDecode /Length %d >>\nstream\n%s\nendstream" % (len(packed), packed))

    tree = len(objects) + 1
    add(b"")
    # Of each character its own code is the glyph: a range for each page of Unicode that is used.
    used = sorted({code >> 8 for lines in pages for line in lines for code in map(ord, line)} | {0})
    ranges = b"\n".join(
        b"<%02X00> <%02XFF> <%02X00>" % (high, high, 0xE0 + high % 16 if private else high) for high in used
    )
    table = stream(_TO_UNICODE % (len(used), ranges))
    inner = add(
        b"<< /Type /Font /Subtype /CIDFontType2 /BaseFont /Own /CIDSystemInfo << /Registry (Adobe) /Ordering (Identity)"
        b" /Supplement 0 >> /DW 600 >>"
    )
    font = add(
        b"<< /Type /Font /Subtype /Type0 /BaseFont /Own /Encoding /Identity-H /DescendantFonts [%d 0 R] /ToUnicode %d 0 R >>"
        % (inner, table)
    )
    kids: list[int] = []
    for number, lines in enumerate(pages):
        content = stream(raw, deflated=False) if raw is not None and number == 0 else stream(_shown(lines))
        kids.append(
            add(
                b"<< /Type /Page /Parent %d 0 R /MediaBox [0 0 600 842] /Contents %d 0 R"
                b" /Resources << /Font << /F1 %d 0 R >> >> >>" % (tree, content, font)
            )
        )
    objects[tree - 1] = b"<< /Type /Pages /Count %d /Kids [%s] >>" % (len(kids), b" ".join(b"%d 0 R" % k for k in kids))
    outline = b""
    if bookmarks:
        root = len(objects) + 1
        first, last = root + 1, root + len(bookmarks)
        add(b"<< /Type /Outlines /First %d 0 R /Last %d 0 R /Count %d >>" % (first, last, len(bookmarks)))
        for at, (title, page) in enumerate(bookmarks):
            here = root + 1 + at
            beside = (b"/Next %d 0 R " % (here + 1) if here < last else b"") + (
                b"/Prev %d 0 R " % (here - 1) if here > first else b""
            )
            add(
                b"<< /Title <FEFF%s> /Parent %d 0 R %s/Dest [%d 0 R /Fit] >>"
                % (title.encode("utf-16-be").hex().upper().encode(), root, beside, kids[page])
            )
        outline = b" /Outlines %d 0 R" % root
    catalogue = add(b"<< /Type /Catalog /Pages %d 0 R%s >>" % (tree, outline))
    return _file(objects, catalogue)


def _shown(lines: Sequence[str]) -> bytes:
    shown = [b"BT /F1 12 Tf 50 %d Td" % TOP]
    shown += [b"<%s> Tj 0 -%d Td" % (line.encode("utf-16-be").hex().encode(), LINE) for line in lines]
    return b"\n".join([*shown, b"ET"])


def _file(objects: Sequence[bytes], catalogue: int) -> bytes:
    out = bytearray(b"%PDF-1.7\n")
    places = []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    out += b"trailer << /Size %d /Root %d 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, catalogue, table)
    return bytes(out)
