"""Uploaded pictures and videos, and what rooms show of them: layers, backgrounds, subtitles, transparency, sizes."""

from __future__ import annotations

import base64
import hashlib
import io
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from control_server import Server, jobs
from test_api_pictures import JPEG, Source, png, source

from visavis.api.services import pictures
from visavis.avatar.background import shipped
from visavis.contract.assets import MAX_FILE_BYTES
from visavis.session.spec import JobSpec

__all__ = ["source"]

MP4 = b"\x00\x00\x00\x18ftypmp42" + b"\0" * 100


def kept(server: Server) -> list[str]:
    """What lies in the folder of assets."""
    folder = server.settings.data / "assets"
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


def mp4(pictures: int = 5, width: int = 64, height: int = 48) -> bytes:
    """A small film."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for index in range(pictures):
            frame = av.VideoFrame.from_ndarray(np.full((height, width, 3), 40 * index, np.uint8), format="rgb24")
            for packet in stream.encode(frame):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    return file.getvalue()


async def announce(server: Server, asset_id: str, content: bytes, **more: Any) -> Any:
    md5 = base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode()
    body = {"file_name": "a.png", "file_size": len(content), "file_md5": md5, "asset_id": asset_id, **more}
    return await server.call("POST", "/files", {"asset_file_category": "MAIN", **body})


async def make(server: Server, kind: str = "IMAGE", **more: Any) -> str:
    body = {"asset_name": "logo", "asset_type": kind, **more}
    answer = await server.call("POST", "/digital-assets", body)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["asset_id"])


async def send(server: Server, url: str, content: bytes) -> Any:
    """As a client does it: to the URL as it was told, without any signature."""
    return await server.http.put(url, content=content)


async def uploaded(server: Server, content: bytes, kind: str = "IMAGE") -> str:
    asset_id = await make(server, kind)
    file = (await announce(server, asset_id, content)).json()
    assert (await send(server, file["upload_url"], content)).status_code == 200
    answer = await server.call("POST", f"/files/{file['file_id']}/complete", {"state": "CREATED"})
    assert answer.status_code == 200, answer.text
    return asset_id


async def spec_of(server: Server, **room: Any) -> JobSpec:
    job = await server.start(await server.room(**room))
    return server.dispatcher.specs[job["job_id"]]


# --- uploads ----------------------------------------------------------------------------------------------------------


async def test_the_published_way_of_an_upload(server: Server) -> None:
    asset_id = await make(server, asset_description="ours", tags=["LOGO"])
    shown = (await server.call("GET", f"/digital-assets/{asset_id}")).json()
    assert (shown["asset_state"], shown["asset_type"], shown["files"]) == ("CREATING", "IMAGE", [])
    file = (await announce(server, asset_id, png())).json()
    assert file["upload_url"].startswith("http://server.test:8080/upload/v1/")
    early = await server.call("POST", f"/files/{file['file_id']}/complete", {"state": "CREATED"})
    assert early.status_code == 400
    assert "not been uploaded" in early.json()["error_msg"]
    assert (await send(server, file["upload_url"], png())).status_code == 200
    assert (await send(server, file["upload_url"], png())).status_code == 401, "it serves one upload"
    for _ in range(2):
        done = await server.call("POST", f"/files/{file['file_id']}/complete", {"state": "CREATED"})
        assert done.status_code == 200
    shown = (await server.call("GET", f"/digital-assets/{asset_id}")).json()
    assert (shown["asset_state"], shown["tags"], shown["asset_description"]) == ("ACTIVED", ["LOGO"], "ours")
    assert (shown["files"][0]["file_type"], shown["files"][0]["state"]) == ("png", "CREATED")
    mine = (await server.call("GET", "/digital-assets?asset_source=CUSTOMIZATION")).json()
    assert [asset["asset_id"] for asset in mine["assets"]] == [asset_id]
    system = (await server.call("GET", "/digital-assets?asset_source=SYSTEM&limit=100")).json()
    assert asset_id not in [asset["asset_id"] for asset in system["assets"]]
    assert (await announce(server, asset_id, png())).status_code == 400, "it has its file"


async def test_a_wrong_token_sends_nothing(server: Server) -> None:
    file = (await announce(server, await make(server), png())).json()
    url = file["upload_url"].partition("?")[0]
    for bad in (url, f"{url}?token=guess", url.replace(file["file_id"], "0" * 32) + "?token=x"):
        assert (await send(server, bad, png())).status_code == 401
    server.clock.now += 3601
    assert (await send(server, file["upload_url"], png())).status_code == 401, "expired"


@pytest.mark.parametrize(
    ("content", "status", "message"),
    [(png()[:-1], 400, "bytes came"), (png() + b"x", 413, "announced"), (b"\0" * len(png()), 400, "MD5")],
)
async def test_what_was_not_announced_is_not_kept(server: Server, content: bytes, status: int, message: str) -> None:
    file = (await announce(server, await make(server), png())).json()
    answer = await send(server, file["upload_url"], content)
    assert (answer.status_code, message in answer.json()["error_msg"]) == (status, True)
    assert kept(server) == []
    assert (await send(server, file["upload_url"], png())).status_code == 200, "another try"


@pytest.mark.parametrize(
    ("kind", "content", "message"),
    [
        ("IMAGE", b"GIF89a" + b"\0" * 50, "neither PNG nor JPEG"),
        ("IMAGE", png(9000, 2), "9000x2"),
        ("IMAGE", MP4, "neither PNG nor JPEG"),
        ("VIDEO", png(), "neither MP4"),
        ("VIDEO", b"#EXTM3U\n" + b"\n" * 50, "neither MP4"),
    ],
)
async def test_what_an_asset_is_not(server: Server, kind: str, content: bytes, message: str) -> None:
    asset_id = await make(server, kind)
    file = (await announce(server, asset_id, content)).json()
    await send(server, file["upload_url"], content)
    answer = await server.call("POST", f"/files/{file['file_id']}/complete", {"state": "CREATED"})
    assert (answer.status_code, message in answer.json()["error_msg"]) == (400, True)
    shown = (await server.call("GET", f"/digital-assets/{asset_id}")).json()
    assert (shown["asset_state"], message in shown["reason"]) == ("FAILED", True)
    assert (shown["files"][0]["state"], message in shown["files"][0]["reason"]) == ("FAILED", True)
    assert kept(server) == []
    room = {"layer_config": [{"layer_type": kind, "asset_id": asset_id}], "room_name": "r"}
    refused = await server.call("POST", "/smart-chat-rooms", room)
    assert refused.status_code == 400


async def test_limits_of_an_upload(server: Server) -> None:
    asset_id = await make(server)
    assert (await announce(server, asset_id, b"", file_size=MAX_FILE_BYTES["IMAGE"] + 1)).status_code == 400
    assert (await announce(server, asset_id, b"x", asset_file_category="PAGE")).status_code == 400, "of slides only"
    assert (await announce(server, "nothing", b"x")).status_code == 404
    for kind, why in (("VOICE_MODEL", "voices come with"), ("BUSINESS_CARD_TEMPLET", "not served")):
        answer = await server.call("POST", "/digital-assets", {"asset_name": "m", "asset_type": kind})
        assert (answer.status_code, why in answer.json()["error_msg"]) == (400, True)
    # The ordinary calls keep their limit of 1 MiB.
    assert (await server.call("POST", "/files", {"file_name": "x" * 2**20})).status_code == 413


async def test_an_upload_larger_than_other_bodies(server: Server) -> None:
    content = png() + b"\0" * (2 * 2**20)
    asset_id = await uploaded(server, content)
    spec = await spec_of(server, layer_config=[{"layer_type": "IMAGE", "asset_id": asset_id}])
    assert Path(spec.layers[0].file).read_bytes() == content  # noqa: ASYNC240


async def test_change_and_delete(server: Server) -> None:
    asset_id = await uploaded(server, png())
    changed = await server.call("PUT", f"/digital-assets/{asset_id}", {"asset_name": "new", "asset_state": "UNACTIVED"})
    assert (changed.json()["asset_name"], changed.json()["asset_state"]) == ("new", "UNACTIVED")
    body = {"room_name": "r", "layer_config": [{"layer_type": "IMAGE", "asset_id": asset_id}]}
    refused = await server.call("POST", "/smart-chat-rooms", body)
    assert "UNACTIVED" in refused.json()["error_msg"]
    assert (await server.call("DELETE", f"/digital-assets/{asset_id}?mode=force")).status_code == 200
    assert (await server.call("GET", f"/digital-assets/{asset_id}")).status_code == 404
    assert kept(server) == []
    for built_in in ("anny", "background-study"):
        assert (await server.call("DELETE", f"/digital-assets/{built_in}")).status_code == 403


async def test_a_file_is_given_up_or_exchanged(server: Server) -> None:
    asset_id = await make(server)
    file = (await announce(server, asset_id, png())).json()
    await send(server, file["upload_url"], png())
    assert (await server.call("POST", f"/files/{file['file_id']}/complete", {"state": "CANCELLED"})).status_code == 200
    assert (await server.call("GET", f"/digital-assets/{asset_id}")).json()["asset_state"] == "FAILED"
    assert (await server.call("DELETE", f"/files/{file['file_id']}")).status_code == 200
    assert (await server.call("DELETE", f"/files/{file['file_id']}")).status_code == 404
    again = (await announce(server, asset_id, JPEG)).json()
    await send(server, again["upload_url"], JPEG)
    await server.call("POST", f"/files/{again['file_id']}/complete", {"state": "CREATED"})
    assert (await server.call("GET", f"/digital-assets/{asset_id}")).json()["asset_state"] == "ACTIVED"


async def test_other_projects_see_nothing(server: Server) -> None:
    asset_id = await uploaded(server, png())
    file_id = (await server.call("GET", f"/digital-assets/{asset_id}")).json()["files"][0]["file_id"]
    await server.project("p2")
    assert (await server.call("GET", f"/digital-assets/{asset_id}", project="p2")).status_code == 404
    assert (await server.call("DELETE", f"/digital-assets/{asset_id}", project="p2")).status_code == 404
    assert (await server.call("DELETE", f"/files/{file_id}", project="p2")).status_code == 404
    mine = (await server.call("GET", "/digital-assets?asset_source=CUSTOMIZATION", project="p2")).json()
    assert mine["count"] == 0
    body = {"room_name": "r", "layer_config": [{"layer_type": "IMAGE", "asset_id": asset_id}]}
    assert (await server.call("POST", "/smart-chat-rooms", body, project="p2")).status_code == 400


# --- layers and backgrounds -------------------------------------------------------------------------------------------


async def test_layers_reach_the_worker_from_bottom_to_top(make_server: Any, source: Source) -> None:
    server: Server = await make_server(url_allow=["127.0.0.1"])
    film = mp4()
    asset_id = await uploaded(server, film, "VIDEO")
    text = base64.b64encode("你好".encode()).decode()
    words_config = {"text_context": text, "font_size": 40, "font_color": "255,0,0", "font_name": "微软雅黑"}
    whole = {"width": 1080, "height": 1920}
    spec = await spec_of(
        server,
        layer_config=[
            {"layer_type": "TEXT", "position": {"dx": 5, "dy": 6, "layer_index": 9}, "text_config": words_config},
            {"layer_type": "HUMAN", "position": {"dx": -100, "dy": 0, "layer_index": 3}, "size": whole},
            {"layer_type": "IMAGE", "image_config": {"image_url": source.url()}, "rotation": {"angle": 45}},
            {"layer_type": "VIDEO", "asset_id": asset_id, "sequence_no": 2, "video_config": {"loop_count": 3}},
            {"layer_type": "VIDEO", "asset_id": asset_id, "sequence_no": 1, "video_config": {"loop_count": 0}},
        ],
    )  # fmt: skip
    assert [layer.kind for layer in spec.layers] == ["IMAGE", "VIDEO", "HUMAN", "TEXT"]
    image, video, human, words = spec.layers
    assert (Path(image.file).read_bytes(), image.rotation, image.width) == (png(), 45, None)  # noqa: ASYNC240
    assert (Path(video.file).read_bytes(), video.loops) == (film, 3)  # noqa: ASYNC240
    assert (human.x, human.width, human.height) == (-100, 1080, 1920)
    assert (words.text, words.x, words.y, words.style.size, words.style.color) == ("你好", 5, 6, 40, "#FF0000")
    assert words.style.font == "微软雅黑"


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        ({"layer_type": "IMAGE"}, "asset_id or image_config"),
        ({"layer_type": "VIDEO", "asset_id": "nobody"}, "no asset"),
        ({"layer_type": "IMAGE", "image_config": {"image_url": "file:///etc/passwd"}}, "http or https"),
        ({"layer_type": "TEXT", "text_config": {"text_context": "not base64!"}}, "Base64"),
        ({"layer_type": "TEXT", "text_config": {"text_context": "YQ==", "font_color": "red"}}, "colour"),
        ({"layer_type": "HUMAN", "rotation": {"angle": 361}}, "360"),
    ],
)
async def test_layers_that_are_refused(server: Server, layer: dict[str, Any], message: str) -> None:
    answer = await server.call("POST", "/smart-chat-rooms", {"room_name": "r", "layer_config": [layer]})
    assert (answer.status_code, answer.json()["error_code"]) == (400, "MSS.00000003")
    assert message in answer.json()["error_msg"]


async def test_a_layer_s_address_is_checked_like_a_background_s(server: Server, source: Source) -> None:
    room = await server.room(layer_config=[{"layer_type": "IMAGE", "image_config": {"image_url": source.url()}}])
    answer = await server.call("POST", jobs(room))
    assert (answer.status_code, answer.json()["error_code"]) == (400, "MSS.47010037")
    assert "layer's picture" in answer.json()["error_msg"]
    assert "internal" in answer.json()["error_msg"]
    assert source.requests == []


async def test_a_video_from_a_url_is_bounded(make_server: Any, source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    server: Server = await make_server(url_allow=["127.0.0.1"])
    for path, limit, message in (("/a.png", 10**6, "neither MP4"), ("/large.png", 2000, "larger")):
        monkeypatch.setattr(pictures, "MAX_VIDEO_BYTES", limit)
        room = await server.room(
            layer_config=[{"layer_type": "VIDEO", "video_config": {"video_url": source.url(path)}}]
        )
        answer = await server.call("POST", jobs(room))
        assert (answer.status_code, message in answer.json()["error_msg"]) == (400, True), answer.text


async def test_an_asset_that_is_asleep_when_the_job_starts(server: Server) -> None:
    asset_id = await uploaded(server, png())
    room = await server.room(layer_config=[{"layer_type": "IMAGE", "asset_id": asset_id}])
    assert (await server.call("DELETE", f"/digital-assets/{asset_id}")).status_code == 409, "while a room shows it"
    await server.call("PUT", f"/digital-assets/{asset_id}", {"asset_state": "UNACTIVED"})
    answer = await server.call("POST", jobs(room))
    assert (answer.status_code, answer.json()["error_code"]) == (400, "MSS.47010037")
    assert asset_id in answer.json()["error_msg"]


async def test_backgrounds_by_asset(server: Server) -> None:
    listed = (await server.call("GET", "/digital-assets?asset_type=IMAGE")).json()["assets"]
    names = {asset["asset_id"] for asset in listed}
    assert names == {f"background-{name}" for name in shipped()}
    background = {"background_type": "IMAGE", "background_asset_id": "background-evening"}
    spec = (await spec_of(server, background_config=background)).background
    assert spec.kind == "IMAGE"
    assert spec.image is not None
    assert Path(spec.image).name == "evening.webp"
    background["background_asset_id"] = await uploaded(server, png())
    box = {"dx": -100, "dy": 0, "width": 1300, "height": 1920}
    spec = (await spec_of(server, background_config={**background, "background_image_config": box})).background
    assert spec.rect == (-100, 0, 1300, 1920)
    box["width"] = 1100  # would leave a gap: it covers the stage instead
    spec = (await spec_of(server, background_config={**background, "background_image_config": box})).background
    assert spec.rect is None


# --- sizes, subtitles, transparency -----------------------------------------------------------------------------------


async def test_4k_is_for_avatars_made_for_it(server: Server) -> None:
    four_k = {"width": 3840, "height": 2160, "bitrate": 12000}
    spec = await spec_of(server, video_config=four_k, model_asset_id="large")
    assert (spec.video.width, spec.video.height, spec.video.bitrate_kbps) == (3840, 2160, 12000)
    for avatar in ("anny", "default"):
        body = {"room_name": "r", "video_config": four_k, "model_asset_id": avatar}
        answer = await server.call("POST", "/smart-chat-rooms", body)
        assert (answer.status_code, "4K" in answer.json()["error_msg"]) == (400, True)
    room = await server.room(video_config=four_k, model_asset_id="large")
    answer = await server.call("PUT", f"/smart-chat-rooms/{room}", {"model_asset_id": "anny"})
    assert answer.status_code == 400, "nor by a change of the avatar"
    assert (await server.call("PUT", f"/smart-chat-rooms/{room}", {"room_description": "x"})).status_code == 200


async def test_a_crop_may_reach_beyond_the_canvas(server: Server) -> None:
    video = (
        await spec_of(server, video_config={"clip_mode": "CROP", "width": 600, "height": 600, "dx": -200, "dy": -100})
    ).video
    assert (video.clip_mode, video.dx, video.dy) == ("CROP", -200, -100)


SUBTITLE = {"dx": 100, "dy": 1800, "font_size": 60, "font_color": "#FFFF00", "stroke_thickness": 5.0, "opacity": 0.5,
            "font_name": "Noto Serif CJK SC"}  # fmt: skip


async def test_subtitles_are_burnt_in_where_both_are_told(server: Server) -> None:
    spec = await spec_of(server, video_config={"is_subtitle_enable": True, "subtitle_config": SUBTITLE})
    assert spec.burned is not None
    assert (spec.burned.x, spec.burned.bottom, spec.burned.width) == (100, 1800, 864), "80 % of the canvas"
    assert (spec.burned.style.size, spec.burned.style.stroke, spec.burned.style.opacity) == (60, 5, 0.5)
    assert (spec.burned.style.font, spec.burned.style.color) == ("Noto Serif CJK SC", "#FFFF00")
    assert spec.subtitles is False, "clients are not to draw them too"


@pytest.mark.parametrize(
    ("config", "told"),
    [({}, True), ({"is_subtitle_enable": True}, True), ({"is_subtitle_enable": False}, False),
     ({"subtitle_config": SUBTITLE}, True), ({"is_subtitle_enable": False, "subtitle_config": SUBTITLE}, False)],
)  # fmt: skip
async def test_else_clients_draw_them(server: Server, config: dict[str, Any], told: bool) -> None:
    spec = await spec_of(server, video_config=config)
    assert (spec.burned, spec.subtitles) == (None, told)


@pytest.mark.parametrize(
    "room", [{"background_config": {"background_type": "TRANSPARENT"}}, {"video_config": {"codec": "QTRLE"}}]
)
async def test_a_transparent_room(server: Server, room: dict[str, Any]) -> None:
    room_id = await server.room(**room)
    job = await server.start(room_id)
    assert job["is_transparent"] is True
    assert "picture" not in job, "the published answer is as published"
    assert server.dispatcher.specs[job["job_id"]].video.transparency == "key", "any client can key it"
    assert (await server.show(room_id, job["job_id"]))["is_transparent"] is True
    code = (await server.call("POST", "/digital-human-chat/once-code")).json()["once_code"]
    page = await server.http.post(
        "/page/v1/sessions", json={"project_id": "p1", "room_id": room_id}, headers={"X-Once-Code": code}
    )
    assert page.json()["picture"] == {"transparency": "side", "key_color": "#00B140"}
    assert server.dispatcher.specs[page.json()["job_id"]].video.transparency == "side"


async def test_rooms_are_opaque(server: Server) -> None:
    job = await server.start(await server.room())
    assert job["is_transparent"] is False
    assert server.dispatcher.specs[job["job_id"]].video.transparency == "none"


async def test_a_4k_picture_is_not_doubled(server: Server) -> None:
    background = {"background_type": "TRANSPARENT"}
    video = {"width": 3840, "height": 2160}
    room_id = await server.room(background_config=background, video_config=video, model_asset_id="large")
    code = (await server.call("POST", "/digital-human-chat/once-code")).json()["once_code"]
    page = await server.http.post(
        "/page/v1/sessions", json={"project_id": "p1", "room_id": room_id}, headers={"X-Once-Code": code}
    )
    assert page.json()["picture"]["transparency"] == "key"
