"""Background pictures: fetched from a real HTTP server, and not from where they must not be."""

from __future__ import annotations

import gzip
import os
import struct
import zlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web
from control_server import Server, jobs

from visavis.api.services import pictures
from visavis.api.services.pictures import PictureRefusedError, Pictures, check_file, picture_size
from visavis.settings import Settings


def png(width: int = 4, height: int = 2) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = zlib.compress((b"\0" + b"\x10\x20\x30" * 4) * 2)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


JPEG = b"\xff\xd8\xff\xe0\x00\x04ab\xff\xc0\x00\x11\x08\x00\x30\x00\x40\x03" + b"\0" * 12


class Source:
    """A server of pictures that counts its requests."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.requests: list[str] = []

    def url(self, path: str = "/a.png", host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"


@pytest_asyncio.fixture
async def source() -> AsyncIterator[Source]:
    found: dict[str, Any] = {"/a.png": png(), "/a.jpg": JPEG, "/page": b"<html>", "/large.png": png() + b"\0" * 3000}

    async def serve(request: web.Request) -> web.StreamResponse:
        it.requests.append(f"{request.host} {request.path}")
        if request.path == "/away":
            raise web.HTTPFound("http://10.0.0.1/internal.png")
        if request.path == "/round":
            raise web.HTTPFound("/round")
        if request.path == "/moved":
            raise web.HTTPFound("/a.png")
        if request.path == "/packed":
            packed = gzip.compress(b"\0" * pictures.MAX_BYTES * 4)
            return web.Response(body=packed, headers={"Content-Encoding": "gzip"})
        if request.path not in found:
            raise web.HTTPNotFound
        return web.Response(body=found[request.path])

    app = web.Application()
    app.router.add_get("/{path:.*}", serve)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    it = Source(runner.addresses[0][1])
    yield it
    await runner.cleanup()


def fetcher(tmp_path: Path, *allow: str) -> Pictures:
    return Pictures(Settings(data=tmp_path, url_allow=list(allow)))


async def test_a_picture_is_kept_by_its_hash(source: Source, tmp_path: Path) -> None:
    fetch = fetcher(tmp_path, "127.0.0.0/8").fetch
    path = await fetch(source.url())
    assert path.read_bytes() == png()
    assert path.suffix == ".png"
    assert await fetch(source.url()) == path
    assert len(source.requests) == 1, "remembered"
    assert await fetch(source.url("/moved")) == path
    assert (await fetch(source.url("/a.jpg"))).suffix == ".jpg"


async def test_a_host_can_be_allowed_by_name(source: Source, tmp_path: Path) -> None:
    path = await fetcher(tmp_path, "localhost").fetch(source.url(host="localhost"))
    assert path.exists()
    assert source.requests == [f"localhost:{source.port} /a.png"]
    with pytest.raises(PictureRefusedError, match="internal"):
        await fetcher(tmp_path, "localhost").fetch(source.url())


async def test_a_redirect_within_the_site_keeps_its_name(source: Source, tmp_path: Path) -> None:
    path = await fetcher(tmp_path, "localhost").fetch(source.url("/moved", host="localhost"))
    assert path.read_bytes() == png()
    assert source.requests == [f"localhost:{source.port} /moved", f"localhost:{source.port} /a.png"]


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("file:///etc/passwd", "http or https"),
        ("ftp://127.0.0.1/a.png", "http or https"),
        ("http://", "fetched"),
        ("http://[::1/a.png", "fetched"),
        ("http://127.0.0.1:99999/a.png", "fetched"),
        ("http://user:word@127.0.0.1/a.png", "user name or password"),
        ("a.png", "fetched"),
    ],
)
async def test_what_is_no_web_address(tmp_path: Path, url: str, message: str) -> None:
    with pytest.raises(PictureRefusedError, match=message):
        await fetcher(tmp_path, "127.0.0.1").fetch(url)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "10.1.2.3",
        "169.254.169.254",
        "0.0.0.0",
        "2130706433",
        "0x7f.1",
    ],
)
async def test_internal_addresses_are_refused(source: Source, tmp_path: Path, host: str) -> None:
    with pytest.raises(PictureRefusedError, match="internal"):
        await fetcher(tmp_path).fetch(source.url(host=host))
    assert source.requests == []


async def test_a_redirect_into_the_network_is_refused(source: Source, tmp_path: Path) -> None:
    with pytest.raises(PictureRefusedError, match="internal"):
        await fetcher(tmp_path, "127.0.0.1").fetch(source.url("/away"))


@pytest.mark.parametrize(
    ("path", "message"), [("/none.png", "404"), ("/page", "neither PNG nor JPEG"), ("/round", "redirects too often")]
)
async def test_what_is_no_picture(source: Source, tmp_path: Path, path: str, message: str) -> None:
    with pytest.raises(PictureRefusedError, match=message):
        await fetcher(tmp_path, "127.0.0.1").fetch(source.url(path))


async def test_large_pictures(source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "MAX_BYTES", 2000)
    with pytest.raises(PictureRefusedError, match="larger"):
        await fetcher(tmp_path, "127.0.0.1").fetch(source.url("/large.png"))
    assert list((tmp_path / "pictures").iterdir()) == []


async def test_a_packed_answer_is_not_unpacked(source: Source, tmp_path: Path) -> None:
    with pytest.raises(PictureRefusedError, match="neither PNG nor JPEG"):
        await fetcher(tmp_path, "127.0.0.1").fetch(source.url("/packed"))


async def test_nobody_answers(tmp_path: Path) -> None:
    with pytest.raises(PictureRefusedError, match="cannot be fetched"):
        await fetcher(tmp_path, "127.0.0.1").fetch("http://127.0.0.1:1/a.png")


def test_sizes_are_read_from_headers() -> None:
    assert picture_size(png(30, 20)) == ("png", 30, 20)
    assert picture_size(JPEG) == ("jpg", 64, 48)
    for data in (b"", b"GIF89a", png()[:20], JPEG[:8], b"\xff\xd8\xff\xe0\x00\x00" * 50):
        with pytest.raises(PictureRefusedError):
            picture_size(data)


def test_enormous_pictures(tmp_path: Path) -> None:
    for size, message in (((9000, 2), "9000x2"), ((8000, 8000), "megapixels")):
        file = tmp_path / "a"
        file.write_bytes(png(*size))
        with pytest.raises(PictureRefusedError, match=message):
            check_file(file, "picture")


async def test_what_was_not_used_for_longest_is_dropped(
    source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch = fetcher(tmp_path, "127.0.0.1").fetch
    first = await fetch(source.url())
    monkeypatch.setattr(pictures, "MAX_KEPT_BYTES", 100)
    second = await fetch(source.url("/a.jpg"))
    assert first.exists(), "a job may be about to open it"
    os.utime(first, (0, 0))
    third = await fetch(source.url("/large.png"))
    assert [path.exists() for path in (first, second, third)] == [False, True, True]
    assert await fetch(source.url()) == first, "fetched again, although remembered"
    assert len(source.requests) == 4


async def test_a_room_s_background(make_server: Any, source: Source) -> None:
    server: Server = await make_server(url_allow=["127.0.0.1"])
    background = {"background_type": "IMAGE", "background_config": source.url()}
    job = await server.start(await server.room(background_config=background))
    spec = server.dispatcher.specs[job["job_id"]].background
    assert spec.kind == "IMAGE"
    assert spec.image
    assert Path(spec.image).read_bytes() == png()  # noqa: ASYNC240
    bad = await server.room(background_config={**background, "background_config": source.url("/page")})
    answer = await server.call("POST", jobs(bad))
    assert (answer.status_code, answer.json()["error_code"]) == (400, "MSS.47010037")
    assert "neither PNG nor JPEG" in answer.json()["error_msg"]
    assert (await server.call("GET", jobs(bad))).json()["count"] == 0
