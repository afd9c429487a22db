"""Reading zip files and pictures that strangers made: nothing is believed before it is checked.

A pack is read into memory once, whole, with limits on every number that a file could lie about. No
member is ever written to disk, so a hostile name can do no harm; it is refused all the same, because
such a file was not made in good faith.
"""

from __future__ import annotations

import stat
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Final

from visavis.errors import VisavisError

MAX_ARCHIVE: Final = 256 * 2**20
MAX_MEMBER: Final = 64 * 2**20
MAX_TOTAL: Final = 512 * 2**20
MAX_MEMBERS: Final = 2048
MAX_RATIO: Final = 200
"""PNG pictures do not shrink in a zip; only a bomb unpacks to 200 times its size (small members are let off)."""
MAX_NAME: Final = 200

PNG_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_PNG_CHANNELS: Final = {0: 1, 2: 3, 4: 2, 6: 4}


class PackError(VisavisError):
    """A pack (or a background picture) that cannot be used; the message says what is wrong with it."""


def read_archive(path: Path) -> dict[str, bytes]:
    """Read the zip file ``path``: member name -> content.

    Raises:
        PackError: it is missing, no zip, encrypted, too large (declared or really), or holds unsafe names.
    """
    try:
        size = path.stat().st_size
        if not path.is_file():
            raise PackError(f"{path.name}: not a file")
        if size > MAX_ARCHIVE:
            raise PackError(f"{path.name}: {size} bytes, at most {MAX_ARCHIVE} are allowed")
        with zipfile.ZipFile(path) as archive:
            return _read_members(path.name, archive)
    except FileNotFoundError:
        raise PackError(f"{path.name}: there is no such file") from None
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError, ValueError, struct.error) as error:
        raise PackError(f"{path.name}: not a sound zip file ({error})") from error
    except OSError as error:
        raise PackError(f"{path.name}: cannot be read ({error.strerror or error})") from error


def _read_members(label: str, archive: zipfile.ZipFile) -> dict[str, bytes]:
    infos = archive.infolist()
    if len(infos) > MAX_MEMBERS:
        raise PackError(f"{label}: {len(infos)} members, at most {MAX_MEMBERS} are allowed")
    if sum(info.file_size for info in infos) > MAX_TOTAL:
        raise PackError(f"{label}: unpacks to more than {MAX_TOTAL} bytes")
    members: dict[str, bytes] = {}
    total = 0
    for info in infos:
        _check_name(label, info)
        if info.is_dir():
            continue
        if info.filename in members:
            raise PackError(f"{label}: two members are called {info.filename!r}")
        if info.flag_bits & 0x1:
            raise PackError(f"{label}: {info.filename!r} is encrypted")
        if info.file_size > MAX_MEMBER:
            raise PackError(f"{label}: {info.filename!r} unpacks to {info.file_size} bytes, more than {MAX_MEMBER}")
        if info.file_size > 2**20 and info.file_size > MAX_RATIO * max(info.compress_size, 1):
            raise PackError(f"{label}: {info.filename!r} is compressed suspiciously well")
        # The declared size may lie: never read more than one byte beyond it.
        with archive.open(info) as stream:
            content = stream.read(info.file_size + 1)
        if len(content) != info.file_size:
            raise PackError(f"{label}: {info.filename!r} is not as long as it says")
        total += len(content)
        if total > MAX_TOTAL:
            raise PackError(f"{label}: unpacks to more than {MAX_TOTAL} bytes")
        members[info.filename] = content
    return members


def _check_name(label: str, info: zipfile.ZipInfo) -> None:
    name = info.filename
    parts = name.rstrip("/").split("/")
    unsafe = (
        len(name) > MAX_NAME
        or name.startswith("/")
        or "\\" in name
        or ":" in name
        or any(ord(letter) < 32 for letter in name)
        or any(part in ("", ".", "..") for part in parts)
    )
    if unsafe:
        raise PackError(f"{label}: unsafe member name {name[:MAX_NAME]!r}")
    mode = info.external_attr >> 16
    if stat.S_ISLNK(mode):
        raise PackError(f"{label}: {name!r} is a symbolic link")


def picture_header(data: bytes) -> tuple[int, int, int]:
    """Size and channels of a pack's picture, PNG or WebP, after walking through all its chunks.

    (width, height, channels). Nothing is decompressed. PackError if it is neither, cut short, or of an unusual kind.
    """
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return _webp_header(data)
    return png_header(data)


def _webp_header(data: bytes) -> tuple[int, int, int]:
    """See https://developers.google.com/speed/webp/docs/riff_container: chunks of even length after 12 bytes."""
    offset, end = 12, 8 + int.from_bytes(data[4:8], "little")
    if len(data) < 30 or end > len(data):
        raise PackError("the WebP picture is cut short")
    alpha, seen = False, False
    while offset + 8 <= end:
        kind, length = data[offset : offset + 4], int.from_bytes(data[offset + 4 : offset + 8], "little")
        body = offset + 8
        if body + length > end:
            raise PackError("the WebP picture is cut short")
        if kind in (b"ANIM", b"ANMF"):
            raise PackError("the WebP picture is animated")
        if kind == b"VP8L":
            alpha = alpha or bool(int.from_bytes(data[body + 1 : body + 5], "little") >> 28 & 1)
        alpha = alpha or kind == b"ALPH"
        seen = seen or kind in (b"VP8 ", b"VP8L")
        offset = body + length + (length & 1)
    if not seen:
        raise PackError("the WebP picture has no content")
    width, height = _webp_size(data)
    return width, height, 4 if alpha else 3


def png_header(data: bytes) -> tuple[int, int, int]:
    """Size and channels of a PNG picture after walking through all its chunks: (width, height, channels).

    Nothing is decompressed. Raises PackError if it is no PNG, cut short, or not 8 bits a channel.
    """
    if not data.startswith(PNG_SIGNATURE):
        raise PackError("not a PNG or WebP picture")
    header: tuple[int, int, int] | None = None
    offset, seen_data = len(PNG_SIGNATURE), False
    while True:
        if offset + 12 > len(data):
            raise PackError("the PNG picture is cut short")
        length, kind = struct.unpack_from(">I4s", data, offset)
        if offset + 12 + length > len(data):
            raise PackError("the PNG picture is cut short")
        if kind == b"IHDR" and length == 13:
            width, height, depth, colour = struct.unpack_from(">IIBB", data, offset + 8)
            if depth != 8 or colour not in _PNG_CHANNELS:
                raise PackError("the PNG picture must have 8 bits a channel, grey or true colour, no palette")
            header = width, height, _PNG_CHANNELS[colour]
        seen_data = seen_data or kind == b"IDAT"
        offset += 12 + length
        if kind == b"IEND":
            break
    if header is None or not seen_data:
        raise PackError("the PNG picture has no content")
    return header


def png_pixels_fault(data: bytes) -> str | None:
    """Unpack the pixels of a (walked) PNG picture within its declared size; say what is wrong, or None."""
    width, height, channels = png_header(data)
    interlaced = data[28] != 0
    wanted = height * (1 + width * channels)
    limit = wanted * 2 if interlaced else wanted
    inflate = zlib.decompressobj()
    got, offset = 0, len(PNG_SIGNATURE)
    try:
        while True:
            length, kind = struct.unpack_from(">I4s", data, offset)
            body = data[offset + 8 : offset + 8 + length]
            (checksum,) = struct.unpack_from(">I", data, offset + 8 + length)
            if zlib.crc32(kind + body) != checksum:
                return f"its {kind.decode('latin-1')} chunk is damaged"
            if kind == b"IDAT":
                got += len(inflate.decompress(body, limit - got + 1))
                if got > limit:
                    return "it holds more pixels than it declares"
            offset += 12 + length
            if kind == b"IEND":
                break
    except zlib.error as error:
        return f"its pixels are damaged ({error})"
    if got < wanted:
        return "it holds fewer pixels than it declares"
    return None


def picture_size(data: bytes) -> tuple[int, int]:
    """(width, height) of a PNG, JPEG or WebP picture from its header alone. PackError if it is none of them."""
    try:
        if data.startswith(PNG_SIGNATURE):
            width, height = struct.unpack_from(">II", data, 16)
            return int(width), int(height)
        if data.startswith(b"\xff\xd8"):
            return _jpeg_size(data)
        if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            return _webp_size(data)
    except (struct.error, IndexError):
        raise PackError("the picture is cut short") from None
    raise PackError("not a PNG, JPEG or WebP picture")


def _jpeg_size(data: bytes) -> tuple[int, int]:
    offset = 2
    while True:
        marker = data[offset + 1]
        if data[offset] != 0xFF:
            raise PackError("not a sound JPEG picture")
        if marker == 0xFF:
            offset += 1
            continue
        (length,) = struct.unpack_from(">H", data, offset + 2)
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):  # a start-of-frame marker (ITU-T T.81, B.1.1.3)
            height, width = struct.unpack_from(">HH", data, offset + 5)
            return int(width), int(height)
        offset += 2 + length


def _webp_size(data: bytes) -> tuple[int, int]:
    kind = data[12:16]
    if kind == b"VP8X":
        return 1 + int.from_bytes(data[24:27], "little"), 1 + int.from_bytes(data[27:30], "little")
    if kind == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", data, 26)
        return int(width) & 0x3FFF, int(height) & 0x3FFF
    raise PackError("not a sound WebP picture")
