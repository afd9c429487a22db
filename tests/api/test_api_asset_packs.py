"""Avatar packs as assets: looked at like ``visavis avatar check`` does, used by rooms of their project, seen by nobody else."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from control_server import Server, jobs
from test_api_assets import announce, kept, make, send, spec_of, uploaded
from test_api_packs import fetch, second_pack, taken_apart
from test_api_rtc import enter

from visavis.avatar.pack import SHIPPED, Pack, search_folders
from visavis.session.engines import Engines

MakeServer = Callable[..., Awaitable[Server]]
MIRA = SHIPPED / "mira.zip"


@pytest.fixture
def database_url() -> str:
    """SQLite's: what packs are is the same on every database."""
    return ""


def zipped(**members: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


async def test_a_room_shows_an_uploaded_pack(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    second_pack(tmp_path, "zoe")
    content = (tmp_path / "zoe.zip").read_bytes()
    asset_id = await uploaded(server, content, "HUMAN_MODEL_2D")
    shown = (await server.call("GET", f"/digital-assets/{asset_id}")).json()
    assert shown["asset_state"] == "ACTIVED"
    assert shown["asset_extra_meta"]["human_model_2d_meta"]["model_resolution"] == "1080P"
    assert [file["asset_file_category"] for file in shown["files"]] == ["MAIN", "COVER"]
    spec = await spec_of(server, model_asset_id=asset_id)
    assert spec.avatar_id == asset_id
    assert Path(spec.avatar_file).read_bytes() == content  # noqa: ASYNC240
    assert Pack.open(Path(spec.avatar_file)).manifest.id == "zoe"
    # What a browser that draws for itself gets is that pack, too, and what a worker draws.
    room = await enter(server, model_asset_id=asset_id)
    scene = (await room.call("GET", "/scene")).json()
    assert scene["pack"]["id"] == "zoe"
    model, part = taken_apart((await fetch(room, scene["pack"]["href"])).content)
    assert part(model["mouth"]["entries"][0]["file"])
    monkeypatch.setattr("visavis.session.engines.open_renderer", lambda pack, picture: pack)
    worker: Any = Engines
    assert worker(server.settings, None, None, None, None)._renderer(spec).manifest.id == "zoe"


async def test_nobody_else_can_use_it(server: Server) -> None:
    asset_id = await uploaded(server, MIRA.read_bytes(), "HUMAN_MODEL_2D")
    await server.project("p2")
    body = {"room_name": "r", "model_asset_id": asset_id}
    refused = await server.call("POST", "/smart-chat-rooms", body, project="p2")
    assert (refused.status_code, "no avatar" in refused.json()["error_msg"]) == (400, True)
    room = await server.room("p2")
    change = {"model_asset_id": asset_id}
    assert (await server.call("PUT", f"/smart-chat-rooms/{room}", change, project="p2")).status_code == 400
    avatars = (await server.call("GET", "/digital-assets?asset_type=HUMAN_MODEL_2D", project="p2")).json()["assets"]
    assert asset_id not in [one["asset_id"] for one in avatars]
    assert all(asset_id != one.stem for folder in search_folders(server.settings.data) for one in folder.glob("*.zip"))


async def test_a_room_needs_the_pack_to_be_awake(server: Server) -> None:
    asset_id = await uploaded(server, MIRA.read_bytes(), "HUMAN_MODEL_2D")
    room = await server.room(model_asset_id=asset_id, room_name="lobby")
    gone = await server.call("DELETE", f"/digital-assets/{asset_id}?mode=force")
    assert (gone.status_code, "'lobby'" in gone.json()["error_msg"]) == (409, True)
    file_id = (await server.call("GET", f"/digital-assets/{asset_id}")).json()["files"][0]["file_id"]
    gone = await server.call("DELETE", f"/files/{file_id}")
    assert (gone.status_code, "'lobby'" in gone.json()["error_msg"]) == (409, True)
    assert (await server.call("PUT", f"/digital-assets/{asset_id}", {"asset_state": "UNACTIVED"})).status_code == 200
    start = await server.call("POST", jobs(room))
    assert (start.status_code, start.json()["error_code"]) == (400, "MSS.47010037")
    assert "UNACTIVED" in start.json()["error_msg"]
    refused = await server.call("POST", "/smart-chat-rooms", {"room_name": "r", "model_asset_id": asset_id})
    assert refused.status_code == 400
    await server.call("PUT", f"/digital-assets/{asset_id}", {"asset_state": "WAITING_DELETE"})
    assert (await server.call("POST", jobs(room))).status_code == 200, "it announces that it goes, and is still there"
    # Another avatar, and the pack can go.
    assert (await server.call("PUT", f"/smart-chat-rooms/{room}", {"model_asset_id": "anny"})).status_code == 200
    assert (await server.call("DELETE", f"/digital-assets/{asset_id}?mode=force")).status_code == 200
    assert kept(server) == []


HOSTILE = {
    "no zip": (b"PK\x03\x04 but no zip" * 9, "not a sound zip"),
    "a way out": (zipped(**{"../../etc/passwd": b"x", "manifest.json": b"{}"}), "unsafe member name"),
    "a bomb": (zipped(**{"base.png": b"\0" * (8 * 2**20)}), "suspiciously well"),
    "no manifest": (zipped(**{"base.png": b"x"}), "manifest.json is missing"),
    "no pack": (zipped(**{"manifest.json": b'{"id": 5}'}), "manifest.json:"),
}


async def test_hostile_packs_are_refused(server: Server) -> None:
    for content, why in HOSTILE.values():
        await refused_with(server, content, why)


async def refused_with(server: Server, content: bytes, why: str) -> None:
    asset_id = await make(server, "HUMAN_MODEL_2D")
    file = (await announce(server, asset_id, content)).json()
    assert (await send(server, file["upload_url"], content)).status_code == 200
    answer = await server.call("POST", f"/files/{file['file_id']}/complete", {"state": "CREATED"})
    assert (answer.status_code, why in answer.json()["error_msg"]) == (400, True), answer.text
    assert file["file_id"] not in answer.json()["error_msg"], "where it lies is nobody's business"
    shown = (await server.call("GET", f"/digital-assets/{asset_id}")).json()
    assert (shown["asset_state"], why in shown["reason"]) == ("FAILED", True)
    assert kept(server) == []
    room = await server.call("POST", "/smart-chat-rooms", {"room_name": "r", "model_asset_id": asset_id})
    assert room.status_code == 400
