"""Files of assets: in parts, of every type and category, digests, downloads, quotas, and what is left over."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import wave
import zipfile
from typing import Any

import cv2
import numpy as np
import pytest
from control_server import Server
from test_api_assets import announce, kept, make, mp4, send, uploaded
from test_api_pictures import png

from visavis.contract.assets import MAX_PARTS


@pytest.fixture
def database_url() -> str:
    """SQLite's: tests/store/test_store_assets.py has the rules of files on both."""
    return ""


def wav(seconds: int = 2) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(16000)
        sound.writeframes(np.zeros(16000 * seconds, np.int16).tobytes())
    return file.getvalue()


def pptx(pages: int = 3) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in ("ppt/presentation.xml", *(f"ppt/slides/slide{n}.xml" for n in range(1, pages + 1))):
            archive.writestr(name, "<x/>")
    return file.getvalue()


async def confirm(server: Server, file_id: str) -> Any:
    return await server.call("POST", f"/files/{file_id}/complete", {"state": "CREATED"})


async def show(server: Server, asset_id: str) -> Any:
    return (await server.call("GET", f"/digital-assets/{asset_id}")).json()


async def large(server: Server, asset_id: str, parts: int, **more: Any) -> Any:
    body = {"asset_id": asset_id, "asset_file_category": "MAIN", "file_name": "a.bin", "file_type": "bin", **more}
    return await server.call("POST", "/large-files", {"file_multipart_count": parts, **body})


# --- in parts ---------------------------------------------------------------------------------------------------------


async def test_a_large_file_comes_in_parts(server: Server) -> None:
    content = os.urandom(3_000_000)
    pieces = [content[:1_000_000], content[1_000_000:1_000_001], content[1_000_001:]]
    asset_id = await make(server, "COMMON_FILE")
    file = (await large(server, asset_id, 3, file_size=len(content))).json()
    assert len(file["upload_urls"]) == 3
    order = [2, 0]  # in any order
    for index in order:
        assert (await send(server, file["upload_urls"][index], pieces[index])).status_code == 200
    early = await confirm(server, file["file_id"])
    assert (early.status_code, "1 of 3 parts" in early.json()["error_msg"]) == (400, True)
    assert early.json()["error_msg"].endswith(": 2")
    mixed = file["upload_urls"][1].partition("?")[0] + "?" + file["upload_urls"][0].partition("?")[2]
    assert (await send(server, mixed, pieces[1])).status_code == 401, "each part has its own token"
    assert (await send(server, file["upload_urls"][0], pieces[0])).status_code == 401, "and it serves once"
    assert (await send(server, file["upload_urls"][1], pieces[1])).status_code == 200
    assert (await confirm(server, file["file_id"])).status_code == 200
    shown = await show(server, asset_id)
    assert shown["asset_state"] == "ACTIVED"
    told = shown["files"][0]
    md5 = base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode()
    assert (told["file_size"], told["file_md5"], told["file_type"]) == (len(content), md5, "bin")
    assert (await server.http.get(told["download_url"])).content == content
    assert kept(server) == [file["file_id"]], "the parts are gone"


async def test_parts_are_bounded(server: Server) -> None:
    asset_id = await make(server)
    assert (await large(server, asset_id, MAX_PARTS + 1)).status_code == 400
    assert (await large(server, asset_id, 1, file_size=10 * 2**20 + 1)).status_code == 400, "as a picture may be"
    file = (await large(server, asset_id, 2, file_size=10)).json()
    assert (await send(server, file["upload_urls"][0], b"x" * 8)).status_code == 200
    assert (await send(server, file["upload_urls"][1], b"x" * 3)).status_code == 413
    assert (await send(server, file["upload_urls"][1], b"x" * 1)).status_code == 200
    short = await confirm(server, file["file_id"])
    assert (short.status_code, "9 bytes came, 10 were announced" in short.json()["error_msg"]) == (400, True)
    assert (await show(server, asset_id))["asset_state"] == "FAILED"
    assert kept(server) == []
    # Without a size, what comes is counted: a picture of 10 MiB at most.
    file = (await large(server, asset_id, 2)).json()
    assert (await send(server, file["upload_urls"][0], b"x" * (10 * 2**20))).status_code == 200
    assert (await send(server, file["upload_urls"][1], b"x")).status_code == 413


async def test_a_picture_in_parts_is_looked_at_like_any_other(server: Server) -> None:
    asset_id = await make(server)
    file = (await large(server, asset_id, 2)).json()
    await send(server, file["upload_urls"][0], b"GIF8")
    await send(server, file["upload_urls"][1], b"9a" + b"\0" * 50)
    answer = await confirm(server, file["file_id"])
    assert (answer.status_code, "neither PNG nor JPEG" in answer.json()["error_msg"]) == (400, True)


# --- digests ----------------------------------------------------------------------------------------------------------


async def test_digests_in_headers(server: Server) -> None:
    content = png()
    right = {
        "Content-MD5": base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode(),
        "x-obs-content-sha256": hashlib.sha256(content).hexdigest(),
        "x-amz-content-sha256": "UNSIGNED-PAYLOAD",
    }
    file = (await announce(server, await make(server), content, file_md5=None)).json()
    for name, wrong in (("Content-MD5", "A" * 22 + "=="), ("x-obs-content-sha256", "0" * 64)):
        answer = await server.http.put(file["upload_url"], content=content, headers={**right, name: wrong})
        assert (answer.status_code, name.lower() in answer.json()["error_msg"].lower()) == (400, True)
    assert kept(server) == []
    assert (await server.http.put(file["upload_url"], content=content, headers=right)).status_code == 200
    bad = await announce(server, await make(server), content, file_md5="!" * 24)
    assert (bad.status_code, "RFC" in bad.text or "Base64" in bad.text) == (400, True)


# --- types and categories ---------------------------------------------------------------------------------------------


HELD: list[tuple[str, bytes, str, dict[str, Any]]] = [
    ("AUDIO", wav(), "wav", {"duration": 2, "audio_channels": 1, "sample": 16000}),
    ("PPT", pptx(), "pptx", {"page_count": 3}),
    ("PPT", b"%PDF-1.7\n" + b"x" * 50, "pdf", {}),
    ("COMMON_FILE", b"anything", "png", {}),
    ("IMAGE", png(40, 30), "png", {"width": 40, "height": 30, "mode": "Horizontal"}),
]
NOT_HELD = [
    ("MUSIC", png(), "neither WAV"),
    ("MUSIC", b"ID3" + b"\0" * 100, "the file"),
    ("PPT", wav(), "neither PPTX"),
    ("VIDEO", b"\x00\x00\x00\x18ftypmp42" + b"\0" * 100, "cannot be read"),
]


async def test_what_types_hold(server: Server) -> None:
    for kind, content, file_type, meta in HELD:
        shown = await show(server, await uploaded(server, content, kind))
        assert (shown["asset_state"], shown["files"][0]["file_type"]) == ("ACTIVED", file_type)
        found = {name: value for part in shown["asset_extra_meta"].values() for name, value in part.items()}
        assert {name: found[name] for name in meta} == meta


async def test_what_types_do_not_hold(server: Server) -> None:
    for kind, content, why in NOT_HELD:
        asset_id = await make(server, kind)
        file = (await announce(server, asset_id, content)).json()
        await send(server, file["upload_url"], content)
        answer = await confirm(server, file["file_id"])
        assert (answer.status_code, why in answer.json()["error_msg"]) == (400, True), answer.text
        assert kept(server) == []


async def test_a_film_and_its_cover(server: Server) -> None:
    content = mp4(width=64, height=48)
    asset_id = await make(server, "VIDEO", is_need_generate_cover=True)
    file = (await announce(server, asset_id, content)).json()
    await send(server, file["upload_url"], content)
    assert (await confirm(server, file["file_id"])).status_code == 200
    shown = await show(server, asset_id)
    meta = shown["asset_extra_meta"]["video_meta"]
    assert (meta["width"], meta["height"], meta["video_codec"], meta["frame_rate"]) == (64, 48, "h264", "25")
    told = await server.call("POST", "/digital-assets/summarys", {"asset_ids": [asset_id]})
    cover = await server.http.get(told.json()["asset_list"][0]["cover_url"])
    picture = cv2.imdecode(np.frombuffer(cover.content, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    assert picture.shape == (48, 64, 3)


async def test_a_temporary_file_takes_the_place_of_the_main_one(server: Server) -> None:
    asset_id = await make(server)
    early = await announce(server, asset_id, png(), asset_file_category="TEMPORARY")
    assert (early.status_code, "there is none" in early.json()["error_msg"]) == (400, True)
    asset_id = await uploaded(server, png(4, 2))
    await server.call("PUT", f"/digital-assets/{asset_id}", {"asset_state": "UNACTIVED"})
    bad = (await announce(server, asset_id, b"GIF89a" * 9, asset_file_category="TEMPORARY")).json()
    await send(server, bad["upload_url"], b"GIF89a" * 9)
    assert (await confirm(server, bad["file_id"])).status_code == 400
    shown = await show(server, asset_id)
    assert (shown["asset_state"], shown["asset_extra_meta"]["image_meta"]["width"]) == ("UNACTIVED", 4)
    new = png(8, 6)
    good = (await announce(server, asset_id, new, asset_file_category="TEMPORARY")).json()
    await send(server, good["upload_url"], new)
    assert (await confirm(server, good["file_id"])).status_code == 200
    shown = await show(server, asset_id)
    ready = [file for file in shown["files"] if file["state"] == "CREATED"]
    assert [(file["file_id"], file["asset_file_category"]) for file in ready] == [(good["file_id"], "MAIN")]
    assert (shown["asset_state"], shown["asset_extra_meta"]["image_meta"]["width"]) == ("UNACTIVED", 8)
    assert kept(server) == [good["file_id"]]


# --- downloads --------------------------------------------------------------------------------------------------------


async def test_downloads_do_no_harm(server: Server) -> None:
    page = b"<script>alert(1)</script>"
    asset_id = await make(server, "COMMON_FILE")
    file = (await announce(server, asset_id, page, file_name='x".html')).json()
    await send(server, file["upload_url"], page)
    await confirm(server, file["file_id"])
    url = (await show(server, asset_id))["files"][0]["download_url"]
    answer = await server.http.get(url)
    assert answer.content == page
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"].startswith("attachment")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in answer.headers["content-security-policy"]
    other = await uploaded(server, png())
    other_url = (await show(server, other))["files"][0]["download_url"]
    swapped = url.partition("?")[0] + "?" + other_url.partition("?")[2]
    for bad in (url.partition("?")[0], url[:-3], swapped):
        assert (await server.http.get(bad)).status_code == 401
    server.clock.now += 86400
    assert (await server.http.get(url)).status_code == 401, "a day is over"


# --- how much ---------------------------------------------------------------------------------------------------------


async def test_a_project_s_files_are_bounded(make_server: Any) -> None:
    server: Server = await make_server(asset_bytes=1000)
    asset_id = await make(server, "COMMON_FILE")
    file = (await announce(server, asset_id, b"x" * 600)).json()
    full = await announce(server, await make(server, "COMMON_FILE"), b"x" * 500)
    assert (full.status_code, "400 are left" in full.json()["error_msg"]) == (409, True), "what is announced counts"
    await server.project("p2")
    theirs = await server.call(
        "POST", "/digital-assets", {"asset_name": "a", "asset_type": "COMMON_FILE"}, project="p2"
    )
    body = {
        "file_name": "a",
        "file_size": 900,
        "asset_id": theirs.json()["asset_id"],
        "asset_file_category": "MAIN",
    }
    assert (await server.call("POST", "/files", body, project="p2")).status_code == 200, "each for itself"
    parts = (await large(server, await make(server, "COMMON_FILE"), 2)).json()
    assert (await send(server, parts["upload_urls"][0], b"x" * 300)).status_code == 200
    too_much = await send(server, parts["upload_urls"][1], b"x" * 200)
    assert (too_much.status_code, "100 are left" in too_much.json()["error_msg"]) == (409, True)
    # What nobody sends in time does not count any more.
    server.clock.now += 3601
    assert (await show(server, asset_id))["asset_state"] == "FAILED"
    assert "in time" in (await show(server, asset_id))["reason"]
    assert kept(server) == []
    assert (await announce(server, asset_id, b"x" * 1000)).status_code == 200
    assert (await send(server, file["upload_url"], b"x" * 600)).status_code == 401


async def test_a_second_announcement_voids_the_first(server: Server) -> None:
    asset_id = await make(server)
    first = (await announce(server, asset_id, png())).json()
    second = (await announce(server, asset_id, png())).json()
    assert (await send(server, first["upload_url"], png())).status_code == 401
    assert (await send(server, second["upload_url"], png())).status_code == 200
    assert (await confirm(server, first["file_id"])).status_code == 404
    assert (await confirm(server, second["file_id"])).status_code == 200


# --- what is left over ------------------------------------------------------------------------------------------------


async def test_strays_are_removed_at_the_next_start(make_server: Any) -> None:
    server: Server = await make_server()
    await uploaded(server, png())
    (known,) = kept(server)
    folder = server.settings.data / "assets"
    old = 1_000_000_000
    for name in ("0" * 32, "0" * 32 + ".7", ".half-written", "1" * 32):
        (folder / name).write_bytes(b"x")
        if name != "1" * 32:  # so young that it may be on its way
            os.utime(folder / name, (old, old))
    os.utime(folder / known, (old, old))
    again: Server = await make_server()
    assert kept(again) == sorted([known, "1" * 32])
