"""Background pictures from URLs: fetched with care, kept in the data folder by their hash.

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
from pathlib import Path
from urllib.parse import urljoin

import httpx

from visavis.errors import VisavisError
from visavis.settings import Settings
from visavis.urlpolicy import UrlPolicy, UrlRefused

MAX_BYTES = 10 * 1024 * 1024
MAX_SIDE = 8192
MAX_PIXELS = 32_000_000
"""Decoded, that many take 96 MB; a worker holds several jobs."""

_HEADERS = {"Accept": "image/png, image/jpeg", "Accept-Encoding": "identity"}
_TIMEOUT_S = 8.0
_REDIRECTS = 3
_FRESH_S = 600.0
_REMEMBERED = 1024
_AT_ONCE = 4


class PictureRefusedError(VisavisError):
    """The picture cannot be fetched, or must not be. The message may be shown to the room's owner."""


class Pictures:
    """Fetches pictures, and remembers for ten minutes what a URL held."""

    def __init__(self, settings: Settings) -> None:
        self._folder = settings.data / "pictures"
        self._policy = UrlPolicy(settings.url_allow)
        self._known: OrderedDict[str, tuple[Path, float]] = OrderedDict()
        self._fetching = asyncio.Semaphore(_AT_ONCE)

    async def fetch(self, url: str) -> Path:
        """The file of the picture at ``url``.

        Raises:
            PictureRefusedError: not allowed, not reachable, too large, or neither PNG nor JPEG.
        """
        known = self._known.get(url)
        if known and time.monotonic() - known[1] < _FRESH_S and known[0].exists():
            return known[0]
        async with self._fetching:
            try:
                async with asyncio.timeout(_TIMEOUT_S):
                    data = await self._download(url)
            except UrlRefused as error:
                raise PictureRefusedError(f"the background picture cannot be fetched: {error}") from None
            except (TimeoutError, httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
                raise PictureRefusedError(
                    f"the background picture cannot be fetched ({type(error).__name__})"
                ) from None
            path = await asyncio.to_thread(self._keep, data)
            self._known[url] = (path, time.monotonic())
            while len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
            return path

    async def _download(self, url: str) -> bytes:
        async with self._policy.client(_TIMEOUT_S) as client:
            for _ in range(_REDIRECTS + 1):
                async with client.stream("GET", url, headers=_HEADERS) as response:
                    if response.status_code == 200:
                        return await _limited(response)
                    if not response.has_redirect_location:
                        raise PictureRefusedError(f"the background picture's server answered {response.status_code}")
                    # By the URL as it was asked for: the response's own has the checked address in place of the name.
                    url = urljoin(url, response.headers["location"])
        raise PictureRefusedError("the background picture's URL redirects too often")

    def _keep(self, data: bytes) -> Path:
        extension, width, height = picture_size(data)
        if not (1 <= width <= MAX_SIDE and 1 <= height <= MAX_SIDE):
            raise PictureRefusedError(
                f"the background picture is {width}x{height}, at most {MAX_SIDE} a side are taken"
            )
        if width * height > MAX_PIXELS:
            raise PictureRefusedError(
                f"the background picture is {width}x{height}, at most {MAX_PIXELS // 1_000_000} megapixels are taken"
            )
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{hashlib.sha256(data).hexdigest()}.{extension}"
        if not path.exists():
            fresh = path.with_name(f".{secrets.token_hex(8)}")
            fresh.write_bytes(data)
            os.replace(fresh, path)
        return path.resolve()


async def _limited(response: httpx.Response) -> bytes:
    data = bytearray()
    # As they came: a few compressed bytes must not become megabytes before they are counted.
    async for chunk in response.aiter_raw():
        data += chunk
        if len(data) > MAX_BYTES:
            raise PictureRefusedError(f"the background picture is larger than {MAX_BYTES >> 20} MiB")
    return bytes(data)


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
    raise PictureRefusedError("the background picture is neither PNG nor JPEG")


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
