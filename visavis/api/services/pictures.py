"""Background pictures from URLs: fetched with care, kept in the data folder by their hash.

A room's owner chooses the URL, so the server must not become its way into the operator's network: names are resolved
once, every address must be public (or allowed by ``settings.fetch_allow``), and the connection goes to the address
checked.
"""

from __future__ import annotations

import asyncio
import hashlib
import ipaddress
import os
import secrets
import socket
import struct
import time
from collections import OrderedDict
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import httpx

from visavis.errors import VisavisError
from visavis.settings import Settings

MAX_BYTES = 10 * 1024 * 1024
MAX_SIDE = 8192
_TIMEOUT_S = 8.0
_REDIRECTS = 3
_FRESH_S = 600.0
_REMEMBERED = 1024
_AT_ONCE = 4

# IPv6 addresses that carry an IPv4 one within them: NAT64, Teredo, 6to4.
_TUNNELS = [ipaddress.ip_network(network) for network in ("64:ff9b::/96", "2001::/32", "2002::/16")]

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


class PictureRefusedError(VisavisError):
    """The picture cannot be fetched, or must not be. The message may be shown to the room's owner."""


class Pictures:
    """Fetches pictures, and remembers for ten minutes what a URL held."""

    def __init__(self, settings: Settings) -> None:
        self._folder = settings.data / "pictures"
        self._allowed_hosts = {entry.lower() for entry in settings.fetch_allow}
        self._allowed_networks = [network for entry in settings.fetch_allow if (network := _network(entry))]
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
            except (TimeoutError, httpx.HTTPError, OSError) as error:
                raise PictureRefusedError(
                    f"the background picture cannot be fetched ({type(error).__name__})"
                ) from None
            path = await asyncio.to_thread(self._keep, data)
            self._known[url] = (path, time.monotonic())
            while len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
            return path

    async def _download(self, url: str) -> bytes:
        async with httpx.AsyncClient(trust_env=False, follow_redirects=False, timeout=_TIMEOUT_S) as client:
            for _ in range(_REDIRECTS + 1):
                request = await self._pinned(client, url)
                response = await client.send(request, stream=True)
                try:
                    if response.is_redirect:
                        url = urljoin(url, response.headers["location"])
                        continue
                    if response.status_code != 200:
                        raise PictureRefusedError(f"the background picture's server answered {response.status_code}")
                    return await _limited(response)
                finally:
                    await response.aclose()
        raise PictureRefusedError("the background picture's URL redirects too often")

    async def _pinned(self, client: httpx.AsyncClient, url: str) -> httpx.Request:
        """A request to the very address that was checked: a second look-up could answer another one."""
        parts = urlsplit(url)
        host = parts.hostname or ""
        if parts.scheme not in ("http", "https") or not host:
            raise PictureRefusedError("the background picture's URL must be http or https")
        address = await self._resolve(host, parts.port or (443 if parts.scheme == "https" else 80))
        target = httpx.URL(url).copy_with(host=str(address), userinfo=b"")
        headers = {"Host": parts.netloc.rpartition("@")[2], "Accept": "image/png, image/jpeg"}
        return client.build_request("GET", target, headers=headers, extensions={"sni_hostname": host})

    async def _resolve(self, host: str, port: int) -> IpAddress:
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        addresses = [ipaddress.ip_address(entry[4][0]) for entry in found]
        for address in addresses:
            if not self._may_reach(host, address):
                raise PictureRefusedError(f"the background picture's host {host} is an internal address")
        return addresses[0]

    def _may_reach(self, host: str, address: IpAddress) -> bool:
        if host.lower() in self._allowed_hosts or any(address in network for network in self._allowed_networks):
            return True
        mapped = getattr(address, "ipv4_mapped", None)
        real = mapped or address
        return real.is_global and not real.is_multicast and not any(real in tunnel for tunnel in _TUNNELS)

    def _keep(self, data: bytes) -> Path:
        extension, width, height = picture_size(data)
        if not (1 <= width <= MAX_SIDE and 1 <= height <= MAX_SIDE):
            raise PictureRefusedError(
                f"the background picture is {width}x{height}, at most {MAX_SIDE} a side are taken"
            )
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{hashlib.sha256(data).hexdigest()}.{extension}"
        if not path.exists():
            fresh = path.with_name(f".{secrets.token_hex(8)}")
            fresh.write_bytes(data)
            os.replace(fresh, path)
        return path.resolve()


def _network(entry: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(entry)
    except ValueError:
        return None


async def _limited(response: httpx.Response) -> bytes:
    data = bytearray()
    async for chunk in response.aiter_bytes():
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
