"""Pictures and videos from URLs: fetched with care, kept in the data folder by their hash.

A room's owner chooses the URL, so it is called as :class:`~visavis.urlpolicy.UrlPolicy` has it: each address, that of a
redirect too, must be public or allowed by ``settings.url_allow``.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import secrets
import struct
import time
from collections import OrderedDict
from contextlib import suppress
from pathlib import Path
from typing import Literal
from urllib.parse import urljoin

import httpx

from visavis.errors import VisavisError
from visavis.settings import Settings
from visavis.urlpolicy import UrlPolicy, UrlRefused

Kind = Literal["picture", "video"]

MAX_BYTES = 10 * 1024 * 1024
MAX_VIDEO_BYTES = 64 * 1024 * 1024
MAX_SIDE = 8192
MAX_PIXELS = 32_000_000
"""Decoded, that many take 96 MB; a worker holds several jobs."""
MAX_KEPT_BYTES = 4 * 1024**3
"""All that is kept together; beyond it what was not used for longest is dropped."""

_ACCEPT = {"picture": "image/png, image/jpeg", "video": "video/mp4, video/webm, video/quicktime"}
_TIMEOUT_S = {"picture": 8.0, "video": 30.0}
_REDIRECTS = 3
_FRESH_S = 600.0
_IN_USE_S = 3600.0
"""A file used so recently is not dropped: a worker may be about to open it."""
_REMEMBERED = 1024
_AT_ONCE = 4
_CHUNK = 1 << 20


class PictureRefusedError(VisavisError):
    """The picture or video cannot be fetched, or must not be. The message may be shown to the room's owner."""


class Pictures:
    """Fetches pictures and videos, and remembers for ten minutes what a URL held."""

    def __init__(self, settings: Settings) -> None:
        self._folder = settings.data / "pictures"
        self._policy = UrlPolicy(settings.url_allow)
        self._known: OrderedDict[tuple[Kind, str], tuple[Path, float]] = OrderedDict()
        self._fetching = asyncio.Semaphore(_AT_ONCE)

    async def fetch(self, url: str, kind: Kind = "picture", what: str = "background picture") -> Path:
        """The file of the picture or video at ``url``; ``what`` it is to be, for the message of an error.

        Raises:
            PictureRefusedError: not allowed, not reachable, too large, or neither PNG nor JPEG (a video: MP4, QuickTime, WebM).
        """
        known = self._known.get((kind, url))
        if known and time.monotonic() - known[1] < _FRESH_S and known[0].exists():
            await asyncio.to_thread(os.utime, known[0])
            return known[0]
        async with self._fetching:
            await asyncio.to_thread(self._folder.mkdir, parents=True, exist_ok=True)
            fresh = self._folder / f".{secrets.token_hex(8)}"
            try:
                async with asyncio.timeout(_TIMEOUT_S[kind]):
                    digest = await self._download(url, kind, fresh)
                path = await asyncio.to_thread(self._keep, fresh, digest, kind)
            except UrlRefused as error:
                raise PictureRefusedError(f"the {what} cannot be fetched: {error}") from None
            except PictureRefusedError as error:
                raise PictureRefusedError(f"the {what} {error}") from None
            except (TimeoutError, httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
                raise PictureRefusedError(f"the {what} cannot be fetched ({type(error).__name__})") from None
            finally:
                fresh.unlink(missing_ok=True)
            self._known[kind, url] = (path, time.monotonic())
            while len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
            return path

    async def _download(self, url: str, kind: Kind, into: Path) -> str:
        """Write what is there to ``into``; its SHA-256."""
        headers = {"Accept": _ACCEPT[kind], "Accept-Encoding": "identity"}
        async with self._policy.client(_TIMEOUT_S[kind]) as client:
            for _ in range(_REDIRECTS + 1):
                async with client.stream("GET", url, headers=headers) as response:
                    if response.status_code == 200:
                        return await _limited(response, MAX_BYTES if kind == "picture" else MAX_VIDEO_BYTES, into)
                    if not response.has_redirect_location:
                        raise PictureRefusedError(f"cannot be fetched: its server answered {response.status_code}")
                    # By the URL as it was asked for: the response's own has the checked address in place of the name.
                    url = urljoin(url, response.headers["location"])
        raise PictureRefusedError("cannot be fetched: its URL redirects too often")

    def _keep(self, fresh: Path, digest: str, kind: Kind) -> Path:
        extension = check_file(fresh, kind)
        path = self._folder / f"{digest}.{extension}"
        os.replace(fresh, path)
        _prune(self._folder, path)
        return path.resolve()


async def _limited(response: httpx.Response, limit: int, into: Path) -> str:
    digest, size, block = hashlib.sha256(), 0, bytearray()
    with await asyncio.to_thread(into.open, "wb") as file:
        # As they came: a few compressed bytes must not become megabytes before they are counted.
        async for chunk in response.aiter_raw():
            size += len(chunk)
            if size > limit:
                raise PictureRefusedError(f"is larger than {limit >> 20} MiB")
            digest.update(chunk)
            block += chunk
            if len(block) >= _CHUNK:
                await asyncio.to_thread(file.write, bytes(block))
                block.clear()
        await asyncio.to_thread(file.write, bytes(block))
    return digest.hexdigest()


def _prune(folder: Path, keep: Path) -> None:
    """Drop what was not used for longest, until the folder is within its bounds."""
    found = []
    for path in folder.iterdir():
        with suppress(FileNotFoundError):
            status = path.stat()
            found.append((status.st_mtime, status.st_size, path))
    total, now = sum(size for _, size, _ in found), time.time()
    for used, size, path in sorted(found):
        if total <= MAX_KEPT_BYTES or now - used < _IN_USE_S:
            return
        if path != keep:
            path.unlink(missing_ok=True)
            total -= size


def check_file(path: Path, kind: Kind) -> str:
    """The extension that fits a file's content: png or jpg, of a video mp4 or webm. Only heads are read.

    Raises:
        PictureRefusedError: it is something else, or has too many pixels.
    """
    with path.open("rb") as file:
        if kind == "video":
            return _video_kind(file.read(16))
        extension, width, height = picture_size(file.read(MAX_BYTES))
    if not (1 <= width <= MAX_SIDE and 1 <= height <= MAX_SIDE):
        raise PictureRefusedError(f"is {width}x{height}, at most {MAX_SIDE} a side are taken")
    if width * height > MAX_PIXELS:
        raise PictureRefusedError(f"is {width}x{height}, at most {MAX_PIXELS // 1_000_000} megapixels are taken")
    return extension


def _video_kind(head: bytes) -> str:
    if head[4:8] == b"ftyp":
        return "mp4"
    if head[:4] == b"\x1a\x45\xdf\xa3":
        return "webm"
    raise PictureRefusedError("is neither MP4, QuickTime nor WebM")


def picture_size(data: bytes) -> tuple[str, int, int]:
    """(png or jpg, width, height), read from the header.

    Raises:
        PictureRefusedError: neither PNG nor JPEG.
    """
    if data[:8] == b"\x89PNG\r\n\x1a\n" and data[12:16] == b"IHDR" and len(data) >= 24:
        width, height = struct.unpack(">II", data[16:24])
        return "png", width, height
    if data[:2] == b"\xff\xd8" and (size := _jpeg_size(data)):
        return "jpg", *size
    raise PictureRefusedError("is neither PNG nor JPEG")


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    """Walk the segments to the frame header (SOF0..SOF15 without DHT, JPG and DAC): ITU-T T.81, B.2.2."""
    at = 2
    while at + 9 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", data[at + 5 : at + 9])
            return width, height
        at += 2 + int(struct.unpack(">H", data[at + 2 : at + 4])[0])
    return None
