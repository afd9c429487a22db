"""Searching assets: every filter of the contract, sorting, pages, summaries."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest
from control_server import Server
from test_api_assets import announce, make, send, uploaded
from test_api_pictures import png

from visavis.contract.base import rfc3339
from visavis.contract.loading import contract


async def found(server: Server, **query: Any) -> list[str]:
    query = {"asset_source": "CUSTOMIZATION", **query}
    answer = await server.call("GET", f"/digital-assets?{urlencode(query)}")
    assert answer.status_code == 200, answer.text
    assert answer.json()["count"] == len(answer.json()["assets"])
    return [one["asset_name"] for one in answer.json()["assets"]]


@pytest.fixture
async def stock(server: Server) -> dict[str, str]:
    """Assets of the project by name, made a minute apart: "Red logo" is the oldest."""
    human = {
        "is_action_editable": True,
        "is_with_action_library": True,
        "model_version": "V3",
        "device_names": ["GPU-A", "gpu-b"],
    }
    told: dict[str, dict[str, Any]] = {
        "Red logo": {
            "tags": ["LOGO", "red"],
            "asset_order": 3,
            "system_properties": [{"key": "MATERIAL_IMG", "value": "Yes"}, {"key": "COLOUR", "value": "red"}],
        },
        "Blue logo": {"tags": ["LOGO"], "asset_order": 1, "supported_service": ["VIDEO_2D"]},
        "Song": {"asset_type": "MUSIC", "tags": ["MALE"], "asset_order": 2},
        "Person": {"asset_type": "HUMAN_MODEL_2D", "asset_extra_meta": {"human_model_2d_meta": human}},
        "Nobody": {"asset_type": "HUMAN_MODEL_2D"},
    }
    made = {}
    for name, more in told.items():
        kind = more.pop("asset_type", "IMAGE")
        made[name] = await make(server, kind, asset_name=name, **more)
        server.clock.now += 60
    return made


ALL = ["Nobody", "Person", "Song", "Blue logo", "Red logo"]

SEARCHES: list[tuple[dict[str, Any], list[str]]] = [
    ({}, ALL),
    ({"name": "LOGO"}, ["Blue logo", "Red logo"]),
    ({"name": "logo", "accurate_query_field": "name"}, []),
    ({"name": "song", "accurate_query_field": "name"}, ["Song"]),
    ({"tag": "log"}, ["Blue logo", "Red logo"]),
    ({"tag": "logo,red"}, ["Red logo"]),
    ({"tag": "logo,male", "tag_combination_type": "UNION_SET"}, ["Song", "Blue logo", "Red logo"]),
    ({"tag": "log", "accurate_query_field": "tag"}, []),
    ({"asset_type": "IMAGE,MUSIC"}, ["Song", "Blue logo", "Red logo"]),
    ({"asset_type": "MATERIAL"}, []),
    ({"asset_state": "CREATING"}, ALL),
    ({"asset_state": "ACTIVED,DELETED"}, []),
    ({"system_property": "MATERIAL_IMG:Yes,COLOUR:red"}, ["Red logo"]),
    ({"system_property": "MATERIAL_IMG:Yes,COLOUR:blue"}, []),
    ({"sex": "MALE"}, ["Song"]),
    ({"supported_service": "VIDEO_2D"}, ["Blue logo"]),
    ({"supported_service": "CHAT_2D"}, ["Nobody", "Person", "Song", "Red logo"]),
    ({"action_editable": "true"}, ["Person"]),
    ({"action_editable": "false"}, ["Nobody"]),
    ({"is_with_action_library": "true"}, ["Person"]),
    ({"is_movable": "true"}, []),
    ({"is_movable": "false"}, ["Nobody", "Person"]),
    ({"human_model_2d_version": "V2,V3"}, ["Person"]),
    ({"include_device_name": "gpu-a"}, ["Person"]),
    ({"exclude_device_name": "GPU-B"}, ["Nobody"]),
    ({"style_id": "system_male_001"}, []),
    ({"role": "SHARER"}, []),
    ({"role": "SHAREE"}, []),
    ({"language": "CN"}, []),
    ({"voice_provider": "MOBVOI"}, []),
    ({"is_realtime_voice": "true"}, []),
    ({"app_user_id": "ann"}, []),
    ({"sort_key": "create_time"}, ALL[::-1]),
    ({"sort_key": "create_time", "sort_dir": "desc"}, ALL),
    ({"sort_key": "asset_order", "sort_dir": "desc"}, ["Red logo", "Song", "Blue logo", "Nobody", "Person"]),
    ({"sort_key": "asset_order", "asset_type": "IMAGE,MUSIC"}, ["Blue logo", "Song", "Red logo"]),
]  # fmt: skip


async def test_each_filter(server: Server, stock: dict[str, str]) -> None:
    for query, names in SEARCHES:
        assert await found(server, **query) == names, query
    ids = f"{stock['Song']},{stock['Person']}"
    assert await found(server, asset_id=ids) == ["Person", "Song"]
    first = server.clock.now - 5 * 60
    assert await found(server, start_time=rfc3339(first + 60), end_time=rfc3339(first + 120)) == ["Song", "Blue logo"]
    await server.call("PUT", f"/digital-assets/{stock['Red logo']}", {"asset_description": "newest change"})
    assert (await found(server, sort_key="update_time", sort_dir="desc"))[0] == "Red logo"
    tried = {name for query, _ in SEARCHES for name in query} | {
        "asset_id",
        "start_time",
        "end_time",
        "limit",
        "offset",
    }
    assert tried | {"asset_source"} == set(contract().operations["list_assets"].query), "a filter is not tested"


async def test_voices_that_are_built_in(server: Server) -> None:
    async def voices(**query: str) -> list[str]:
        answer = await server.call("GET", f"/digital-assets?{urlencode({'asset_type': 'VOICE_MODEL', **query})}")
        return [one["asset_id"] for one in answer.json()["assets"]]

    assert await voices() == ["default", "en-amy", "zh-lin"]
    amy = (await server.call("GET", "/digital-assets/en-amy")).json()["asset_extra_meta"]["voice_model_meta"]
    assert amy["voice_capability"]["is_support_phoneme"], "as checked against the contract's names"
    assert await voices(voice_provider="kokoro") == ["zh-lin"]
    assert await voices(language="EN") == ["default", "en-amy"]
    assert await voices(sex="male") == ["zh-lin"]
    assert await voices(is_realtime_voice="true") == ["default", "en-amy", "zh-lin"]
    assert await voices(is_realtime_voice="false") == []
    assert await voices(asset_source="CUSTOMIZATION") == []


async def test_pages(server: Server, stock: dict[str, str]) -> None:
    whole = (await server.call("GET", "/digital-assets?limit=100")).json()
    assert whole["count"] == len(whole["assets"])
    pages = []
    for offset in range(0, whole["count"] + 3, 3):
        page = (await server.call("GET", f"/digital-assets?limit=3&offset={offset}")).json()
        assert page["count"] == whole["count"]
        pages += page["assets"]
    assert [one["asset_id"] for one in pages] == [one["asset_id"] for one in whole["assets"]]
    assert pages[0]["asset_id"] == "default", "what is built in comes first"
    reversed_ids = [
        one["asset_id"] for one in (await server.call("GET", "/digital-assets?sort_dir=desc")).json()["assets"]
    ]
    assert reversed_ids == [one["asset_id"] for one in pages][::-1]


async def test_summaries_with_covers(server: Server, stock: dict[str, str]) -> None:
    picture = await uploaded(server, png())
    song = stock["Song"]
    cover = (await announce(server, song, png(), asset_file_category="COVER")).json()
    await send(server, cover["upload_url"], png())
    await server.call("POST", f"/files/{cover['file_id']}/complete", {"state": "CREATED"})
    ids = [song, "nobody", picture, "anny", stock["Person"], song]
    answer = await server.call("POST", "/digital-assets/summarys", {"asset_ids": ids})
    told = answer.json()["asset_list"]
    assert [one["asset_id"] for one in told] == [song, picture, "anny", stock["Person"]]
    assert [one["asset_type"] for one in told] == ["MUSIC", "IMAGE", "HUMAN_MODEL_2D", "HUMAN_MODEL_2D"]
    assert [one.get("cover_url", "") != "" for one in told] == [True, True, False, False]
    for one in told[:2]:
        fetched = await server.http.get(one["cover_url"])
        assert (fetched.content, fetched.headers["content-type"]) == (png(), "image/png")


async def test_properties_are_added_and_taken_away(server: Server, stock: dict[str, str]) -> None:
    orders = [
        {"action": "DELETE", "key": "COLOUR"},
        {"action": "ADD", "key": "NEW", "value": "1"},
        {"key": "MATERIAL_IMG", "value": "No"},
    ]
    path = f"/digital-assets/{stock['Red logo']}"
    answer = await server.call("PUT", path, {"system_properties": orders})
    assert answer.json()["system_properties"] == [{"key": "MATERIAL_IMG", "value": "No"}, {"key": "NEW", "value": "1"}]
    assert (await server.call("PUT", path, {"system_properties": [{"key": "X"}]})).status_code == 400
    changed = await server.call("PUT", path, {"asset_type": "AUDIO"})
    assert changed.json()["asset_type"] == "AUDIO", "there is no file yet"
    assert (await server.call("PUT", path, {"asset_type": "VOICE_MODEL"})).status_code == 400
