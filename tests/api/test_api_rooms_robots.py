"""Rooms, robots and assets over HTTP: what is accepted is stored and returned, and secrets are not."""

from __future__ import annotations

from typing import Any

import pytest
from control_server import Server

from visavis.avatar.background import shipped

FULL_ROOM: dict[str, Any] = {
    "room_name": "大厅",
    "room_description": "entrance",
    "video_config": {
        "clip_mode": "RESIZE",
        "codec": "VP8",
        "bitrate": 40,
        "width": 1080,
        "height": 1920,
        "frame_rate": "30",
        "is_subtitle_enable": False,
        "subtitle_config": {"dx": 1, "dy": 2, "font_size": 30, "opacity": 0.5},
    },
    "model_asset_id": "anny",
    "voice_config": {"voice_asset_id": "en-amy", "speed": 90, "pitch": 80, "volume": 100},
    "voice_config_list": [
        {
            "voice_asset_id": "zh-lin",
            "speed": 100,
            "pitch": 100,
            "volume": 140,
            "provider": "XIMALAYA",
            "language": "CN",
        }
    ],
    "billing_mode": "CLIENT_TOKENS",
    "reuse_resource": True,
    "concurrency": 7,
    "client_nums": 3,
    "default_language": "EN",
    "background_config": {"background_type": "COLOR", "background_color_config": "#000000"},
    "layer_config": [
        {
            "layer_type": "TEXT",
            "position": {"dx": 1, "dy": 2, "layer_index": 1},
            "size": {"width": 10, "height": 20},
            "rotation": {"angle": 90},
            "text_config": {"text_context": "aGk=", "font_size": 12},
        }
    ],
    "review_config": {"no_need_review": True},
    "chat_subtitle_config": {"dx": 0, "dy": 0, "width": 100, "height": 100},
    "chat_video_type": "MOBILE",
    "exit_mute_threshold": 60,
    "enable_semantic_action": True,
    "chat_resource_config": [{"resource_id": "r", "count_resource": 1}],
}


async def test_a_room_comes_back_as_it_was_given(server: Server) -> None:
    robot = await server.robot()
    body = {**FULL_ROOM, "robot_id": robot}
    created = await server.call("POST", "/smart-chat-rooms", {**body, "unknown": 1})
    room_id = created.json()["room_id"]
    shown = (await server.call("GET", f"/smart-chat-rooms/{room_id}")).json()
    assert {key: shown[key] for key in body} == body
    assert set(shown) - set(body) == {"room_id", "create_time", "update_time", "cover_url", "is_pool_mode"}


async def test_an_update_changes_what_was_given(server: Server) -> None:
    robot = await server.robot()
    room_id = await server.room(**{**FULL_ROOM, "robot_id": robot})
    before = (await server.call("GET", f"/smart-chat-rooms/{room_id}")).json()
    server.clock.now += 60
    video = {"width": 720, "height": 1280, "bitrate": 3000}
    change = {"room_name": "hall", "concurrency": None, "robot_id": "", "video_config": video}
    after = (await server.call("PUT", f"/smart-chat-rooms/{room_id}", change)).json()
    assert after == {
        **before,
        "room_name": "hall",
        "robot_id": "",
        "video_config": {**video, "codec": "H264"},
        "update_time": "2027-01-15T08:01:00Z",
    }
    assert (await server.call("GET", f"/smart-chat-rooms/{room_id}")).json() == after


async def test_rooms_by_the_avatar_s_name(server: Server) -> None:
    anny, _ = await server.room(model_asset_id="anny"), await server.room()
    found = (await server.call("GET", "/smart-chat-rooms?model_name=ANN")).json()
    assert [room["room_id"] for room in found["smart_chat_rooms"]] == [anny]
    assert found["smart_chat_rooms"][0]["model_infos"]["asset_name"] == "Anny"
    assert (await server.call("GET", "/smart-chat-rooms?model_name=zoe")).json()["count"] == 0


@pytest.mark.parametrize("field", ["model_asset_id", "voice_config", "voice_config_list"])
async def test_assets_that_are_not_here(server: Server, field: str) -> None:
    voice = {"voice_asset_id": "nobody"}
    value = {"model_asset_id": "nobody", "voice_config": voice, "voice_config_list": [voice]}[field]
    room_id = await server.room()
    for method, path in (("POST", "/smart-chat-rooms"), ("PUT", f"/smart-chat-rooms/{room_id}")):
        answer = await server.call(method, path, {"room_name": "r", field: value})
        assert (answer.status_code, answer.json()["error_code"]) == (400, "MSS.00000003")
        assert "nobody" in answer.json()["error_msg"]


CONFIGS: list[tuple[int, str, dict[str, Any], dict[str, Any]]] = [
    (
        0,
        "iflytek_aiui_config",
        {"app_id": "a", "app_key": "k", "api_secret": "S3CRET", "is_production": True},
        {"app_id": "a", "app_key": "k", "is_ifly_production": True},
    ),
    (
        1,
        "huawei_ei_cbs",
        {"app_id": "a", "region": 2, "cbs_project_id": "c", "sis_region": 3, "sis_project_id": "s"},
        {"app_id": "a", "region": 2, "cbs_project_id": "c", "sis_region": 3, "sis_project_id": "s"},
    ),
    (
        6,
        "third_party_model_config",
        {
            "app_id": "a",
            "app_key": "k",
            "llm_url": "http://m/chat",
            "is_stream": False,
            "chat_rounds": 10,
            "asr_type": "MOBVOI",
            "asr_account": "acc",
            "asr_secret": "S3CRET",
        },
        {"app_id": "a", "app_key": "k", "llm_url": "http://m/chat", "is_stream": False, "chat_rounds": 10}
        | {"asr_type": "MOBVOI", "asr_account": "acc"},
    ),
    (7, "wise_brain_config", {"role_id": "r", "enable_hot_words": True}, {"role_id": "r", "enable_hot_words": True}),
    (8, "mobvoi_config", {"app_key": "k", "app_secret": "S3CRET", "role_id": "r"}, {"app_key": "k", "role_id": "r"}),
]


@pytest.mark.parametrize(("app_type", "name", "config", "shown"), CONFIGS)
async def test_robots_of_every_vendor(
    server: Server, app_type: int, name: str, config: dict[str, Any], shown: dict[str, Any]
) -> None:
    robot_id = await server.robot(app_type=app_type, robot_type="CHAT", **{name: config})
    answer = await server.call("GET", f"/digital-human-chat/robot/{robot_id}")
    assert {key: answer.json()[key] for key in shown} == shown
    listed = await server.call("GET", "/digital-human-chat/robot")
    assert listed.json()["data"] == [answer.json()]
    assert "S3CRET" not in answer.text + listed.text


async def test_robots_of_a_room(server: Server) -> None:
    named = await server.robot(name="named")
    room_id = await server.room(robot_id=named)
    made = await server.robot(name="made", room_id=room_id)
    await server.robot(name="other", robot_type="LIVE")
    found = (await server.call("GET", f"/digital-human-chat/robot?room_id={room_id}")).json()
    assert {robot["robot_id"] for robot in found["data"]} == {named, made}
    live = (await server.call("GET", "/digital-human-chat/robot?robot_type=LIVE&limit=1&offset=0")).json()
    assert (live["count"], live["limit"], live["offset"], live["data"][0]["name"]) == (1, 1, 0, "other")


async def test_a_robot_becomes_a_language_model_only_with_an_address(server: Server) -> None:
    robot_id = await server.robot()
    path = f"/digital-human-chat/robot/{robot_id}"
    refused = await server.call("PUT", path, {"app_type": 6})
    assert refused.json()["error_code"] == "MSS.47010131"
    model = {"third_party_model_config": {"llm_url": "http://m/v1"}}
    assert (await server.call("PUT", path, {"app_type": 6, **model})).status_code == 200
    bad = await server.call("PUT", path, {"third_party_model_config": {"llm_url": "nowhere"}})
    assert bad.json()["error_code"] == "MSS.47010134"
    assert (await server.call("GET", path)).json()["llm_url"] == "http://m/v1"


async def test_robots_in_use_stay(server: Server) -> None:
    robot = await server.robot()
    room_id = await server.room(robot_id=robot)
    answer = await server.call("POST", "/digital-human-chat/robot/delete", [robot])
    assert (answer.status_code, answer.json()["error_code"]) == (409, "MSS.47010034")
    await server.call("DELETE", f"/smart-chat-rooms/{room_id}")
    assert (await server.call("POST", "/digital-human-chat/robot/delete", [robot, robot])).status_code == 200


BACKGROUNDS = [f"background-{name}" for name in shipped()]


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("", ["default", "en-amy", "zh-lin", "anny", "bob", "large", *BACKGROUNDS]),
        ("asset_type=VOICE_MODEL", ["default", "en-amy", "zh-lin"]),
        ("asset_type=HUMAN_MODEL_2D,IMAGE", ["anny", "bob", "large", *BACKGROUNDS]),
        ("language=EN", ["default", "en-amy"]),
        ("sex=MALE", ["zh-lin", "bob"]),
        ("name=LIN", ["zh-lin"]),
        ("asset_id=bob,zh-lin", ["zh-lin", "bob"]),
        ("asset_source=CUSTOMIZATION", []),
        ("asset_state=DELETED", []),
        ("is_realtime_voice=true&sort_dir=desc", ["zh-lin", "en-amy", "default"]),
        ("supported_service=CHAT_2D&offset=1&limit=2", ["en-amy", "zh-lin"]),
    ],
)
async def test_assets(server: Server, query: str, ids: list[str]) -> None:
    found = (await server.call("GET", f"/digital-assets?{query}")).json()
    assert [asset["asset_id"] for asset in found["assets"]] == ids
