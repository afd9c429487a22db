"""What a browser gets to draw for itself: the scene and the pack, for members of the room and nobody else."""

from __future__ import annotations

import base64
import json
import zipfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from control_server import Server
from test_api_rtc import Room, code, enter

from visavis.avatar.pack import SHIPPED, Pack
from visavis.motion.frame import ARKIT

MakeServer = Callable[..., Awaitable[Server]]

MIRA = SHIPPED / "mira.zip"


def second_pack(folder: Path, avatar_id: str) -> None:
    """Another pack: the shipped one under another name."""
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(MIRA) as source, zipfile.ZipFile(folder / f"{avatar_id}.zip", "w") as target:
        for name in source.namelist():
            data = source.read(name)
            if name == "manifest.json":
                data = json.dumps({**json.loads(data), "id": avatar_id, "name": avatar_id}).encode()
            target.writestr(name, data)


async def fetch(room: Room, href: str, user_type: str = "END_USER", **headers: str) -> Any:
    sent = {**room.bearer(user_type), "X-Rtc-Room": room.rid, **headers}
    return await room.server.http.get(href, headers=sent)


def taken_apart(content: bytes) -> tuple[dict[str, Any], Callable[[str], bytes]]:
    assert content[:4] == b"VVW1"
    length = int.from_bytes(content[4:8], "big")
    model = json.loads(content[8 : 8 + length])

    def part(name: str) -> bytes:
        offset, size, _ = model["files"][name]
        return content[8 + length + offset : 8 + length + offset + size]

    return model, part


async def test_scene_and_pack_of_the_job(server: Server) -> None:
    room = await enter(server, video_config={"width": 720, "height": 1280})
    for user_type in ("END_USER", "PLAYER"):
        answer = await room.call("GET", "/scene", user_type)
        assert answer.status_code == 200, answer.text
    scene = answer.json()
    assert scene["client"] is True
    assert (scene["width"], scene["height"], scene["stage"], scene["offset"]) == (720, 1280, [720, 1280], [0, 0])
    assert (scene["human"], scene["transparent"]) == (None, False)
    assert scene["pack"]["id"] == "mira"
    assert scene["pack"]["href"] == f"/rtc/v1/packs/{scene['pack']['sha256']}"
    answer = await fetch(room, scene["pack"]["href"], "PLAYER")
    assert answer.status_code == 200
    assert len(answer.content) == scene["pack"]["bytes"]
    model, part = taken_apart(answer.content)
    original = Pack.open(MIRA)
    assert model["choose"]["names"] == list(ARKIT)
    assert [entry["id"] for entry in model["mouth"]["entries"]] == [e.id for e in original.manifest.mouth.entries]
    for entry, known in zip(model["eyes"]["entries"], original.manifest.eyes.entries, strict=True):
        assert part(entry["file"]) == original.members[known.file]
        assert entry["blendshapes"] == known.blendshapes
    base = cv2.imdecode(np.frombuffer(part("base"), np.uint8), cv2.IMREAD_UNCHANGED)
    theirs = original.picture("base.png")
    assert (base[..., 3] == theirs[..., 3]).all()  # alpha is exact
    solid = theirs[..., 3] == 255
    assert np.abs(base[solid].astype(int) - theirs[solid]).mean() < 2.5
    yaw = np.frombuffer(part("warp/x/yaw"), "<i2").reshape(model["warp"]["rows"], model["warp"]["columns"])
    assert np.abs(yaw).max() == 32767
    assert not yaw[-1].any()  # far from the head nothing moves


async def test_a_pack_s_address_names_its_content_for_ever(server: Server) -> None:
    first, second = await enter(server), await enter(server)
    hrefs = [(await room.call("GET", "/scene")).json()["pack"]["href"] for room in (first, second)]
    assert hrefs[0] == hrefs[1]
    answer = await fetch(first, hrefs[0])
    assert "immutable" in answer.headers["cache-control"]
    assert "private" in answer.headers["cache-control"]
    again = await fetch(second, hrefs[1], **{"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


async def test_only_members_get_it(server: Server) -> None:
    room, other = await enter(server), await enter(server)
    href = (await room.call("GET", "/scene")).json()["pack"]["href"]
    assert code(await room.call("GET", "/scene", "INFERENCE_USER")) == (403, "MSS.47010063")
    assert code(await fetch(room, href, "INFERENCE_USER")) == (403, "MSS.47010063")
    for path in (f"/rtc/v1/rooms/{room.rid}/scene", f"/rtc/v1/rooms/{room.rid}/scene/under", href):
        for headers in ({}, other.bearer(), {"Authorization": "Bearer x:1:" + "0" * 64}):
            sent = {"X-Rtc-Room": room.rid, **headers}
            assert code(await server.http.get(path, headers=sent)) == (401, "MSS.00010008"), path
    assert code(await server.http.get(href, headers=room.bearer())) == (401, "MSS.00010008")  # of which room?


async def test_a_room_gets_no_other_pack_than_its_own(make_server: MakeServer) -> None:
    server = await make_server()
    second_pack(server.settings.data / "avatars", "bob")
    bob, default = await enter(server, model_asset_id="bob"), await enter(server)
    hrefs = {room.rid: (await room.call("GET", "/scene")).json()["pack"]["href"] for room in (bob, default)}
    assert hrefs[bob.rid] != hrefs[default.rid]
    assert (await fetch(bob, hrefs[bob.rid])).status_code == 200
    assert code(await fetch(default, hrefs[bob.rid]))[0] == 404
    assert code(await fetch(bob, hrefs[default.rid]))[0] == 404
    assert code(await fetch(bob, "/rtc/v1/packs/" + "0" * 64))[0] == 404


async def test_what_surrounds_the_person(server: Server) -> None:
    room = await enter(server, background_config={"background_type": "COLOR", "background_color_config": "#204060"})
    scene = (await room.call("GET", "/scene")).json()
    assert scene["over"] is None
    answer = await fetch(room, scene["under"])
    assert answer.headers["content-type"] == "image/webp"
    under = cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_UNCHANGED)
    assert under.shape[:2] == (scene["height"], scene["width"])
    assert np.abs(under[..., :3].astype(int) - (0x60, 0x40, 0x20)).max() <= 4
    again = await fetch(room, scene["under"], **{"If-None-Match": answer.headers["etag"]})
    assert again.status_code == 304
    assert code(await fetch(room, scene["under"].replace("under", "over")))[0] == 404
    assert code(await fetch(room, scene["under"].replace("under", "else")))[0] == 400


async def test_layers_above_and_below(server: Server) -> None:
    words = base64.b64encode("你好 Mira".encode()).decode()
    text = {
        "layer_type": "TEXT",
        "position": {"dx": 100, "dy": 200, "layer_index": 2},
        "size": {"width": 800, "height": 200},
        "text_config": {"text_context": words, "font_size": 80, "font_color": "#FFFF00"},
    }
    human = {"layer_type": "HUMAN", "position": {"dx": 0, "dy": 0, "layer_index": 1}}
    room = await enter(server, layer_config=[human, text])
    scene = (await room.call("GET", "/scene")).json()
    over = cv2.imdecode(np.frombuffer((await fetch(room, scene["over"])).content, np.uint8), cv2.IMREAD_UNCHANGED)
    assert over.shape[2] == 4
    rows = np.flatnonzero(over[..., 3].any(axis=1))
    scale = scene["height"] / 1920
    assert len(rows)
    assert 190 * scale <= rows[0]
    assert rows[-1] <= 410 * scale
    letters = over[over[..., 3] > 250][:, :3].astype(int)
    assert np.median(letters[:, 2]) > 200  # yellow
    assert np.median(letters[:, 0]) < 60


async def test_what_a_browser_cannot_draw_is_told(server: Server) -> None:
    subtitles = {"is_subtitle_enable": True, "subtitle_config": {"font_size": 40}}
    room = await enter(server, video_config={"width": 720, "height": 1280, **subtitles})
    scene = (await room.call("GET", "/scene")).json()
    assert scene == {"client": False, "reason": "subtitles are burnt into the picture"}
    assert code(await fetch(room, f"/rtc/v1/rooms/{room.rid}/scene/under"))[0] == 404


async def test_an_ended_job_has_no_scene(server: Server) -> None:
    room = await enter(server)
    href = (await room.call("GET", "/scene")).json()["pack"]["href"]
    await room.call("POST", "/stop")
    assert code(await room.call("GET", "/scene")) == (409, "MSS.47010012")
    assert code(await fetch(room, href)) == (409, "MSS.47010012")


async def test_pages_of_other_origins_may_fetch_packs(server: Server) -> None:
    ask = {
        "Origin": "https://integrator.example",
        "Access-Control-Request-Method": "GET",
        "Access-Control-Request-Headers": "authorization,x-rtc-room",
    }
    allowed = await server.http.options("/rtc/v1/packs/" + "0" * 64, headers=ask)
    assert allowed.status_code == 200
    assert "x-rtc-room" in allowed.headers["access-control-allow-headers"].lower()


async def test_a_room_may_wish_that_the_page_draws(server: Server) -> None:
    for wish, told in (({}, "server"), ({"render_mode": "client"}, "client")):
        room_id = await server.room(**wish)
        once = (await server.call("POST", "/digital-human-chat/once-code")).json()["once_code"]
        answer = await server.http.post(
            "/page/v1/sessions", json={"project_id": "p1", "room_id": room_id}, headers={"X-Once-Code": once}
        )
        assert answer.json()["render_mode"] == told
    refused = await server.call("POST", "/smart-chat-rooms", {"room_name": "r", "render_mode": "elsewhere"})
    assert refused.status_code == 400
