"""What a role's libraries and plug-ins become for a worker, through the interface."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from control_server import Server, jobs

from visavis.dialogue.knowledge.library import unpacked
from visavis.session.spec import RoleSpec

BRAIN = "/wise-brain-manager"


async def post(server: Server, path: str, body: Any) -> dict[str, Any]:
    answer = await server.call("POST", f"{BRAIN}/{path}", body)
    assert answer.status_code == 200, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def library(server: Server, **more: Any) -> str:
    body = {"name": "Visitors", "knowledge_type": "QUESTION_ANSWER", "language": "EN", **more}
    return str((await post(server, "knowledge-library", body))["knowledge_library_id"])


async def talking(server: Server, library_id: str, kind: str = "QUESTION_ANSWER", **more: Any) -> tuple[str, str]:
    """(room, robot) of a role that has this library."""
    chosen = [{"knowledge_type": kind, "knowledge_library_id_list": [library_id]}]
    business = [{"language": "EN", "prompt": "Be kind.", "knowledge_library_list": chosen}]
    role = {"name": "Guide", "description": "-", "llm_source": "DEEP_SEEK", "role_business_list": business, **more}
    role_id = (await post(server, "role", role))["role_id"]
    robot_id = await server.robot(app_type=7, wise_brain_config={"role_id": role_id})
    return await server.room(robot_id=robot_id, concurrency=9), robot_id


async def briefed(server: Server, room_id: str, robot_id: str) -> RoleSpec:
    """The role of a job that is started now, as its worker is told."""
    job_id = (await server.start(room_id))["job_id"]
    role = server.dispatcher.specs[job_id].robot.role
    assert role is not None
    return role


def _written(file: str) -> int:
    return Path(file).stat().st_mtime_ns


async def test_a_changed_library_reaches_the_next_job(server: Server) -> None:
    library_id = await library(server, topk=2, score=0.5)
    pair = {"knowledge_library_id": library_id, "question": "When?", "similar_questions": "At what time?\n\n"}
    await post(server, "question-answer", {**pair, "answer": "At nine."})
    room_id, robot_id = await talking(server, library_id)
    (first,) = (await briefed(server, room_id, robot_id)).libraries["en"]
    assert (first.name, first.count, first.least) == ("Visitors", 2, 0.5)
    (item,) = unpacked(Path(first.file)).items
    assert (item.question, item.similar, item.text) == ("When?", ("At what time?",), "At nine.")
    written = _written(first.file)
    (same,) = (await briefed(server, room_id, robot_id)).libraries["en"]
    assert _written(same.file) == written, "what did not change need not be made ready again"
    await post(server, "question-answer", {**pair, "question": "Where?", "answer": "Here."})
    (second,) = (await briefed(server, room_id, robot_id)).libraries["en"]
    assert {one.text for one in unpacked(Path(second.file)).items} == {"At nine.", "Here."}


async def test_plug_ins_reach_the_worker_with_their_keys(server: Server) -> None:
    library_id = await library(server)
    config = {"plugin_provider": "BOCHA", "api_key": "sk-project"}
    config_id = (await post(server, "plugin-config", config))["plugin_config_id"]
    plugins = [
        {"plugin_type": "WEATHER_QUERY", "plugin_source": "DEFAULT"},
        {"plugin_type": "WEB_SEARCH", "plugin_source": "DEFAULT"},
        {"plugin_type": "WEB_SEARCH", "plugin_source": "PLUGIN_CONFIG", "plugin_config_id": config_id},
    ]
    role = await briefed(server, *await talking(server, library_id, plugin_config_list=plugins))
    assert {(one.kind, one.provider, one.api_key) for one in role.plugins} == {
        ("WEATHER_QUERY", "", ""),
        ("WEB_SEARCH", "BOCHA", "sk-project"),
    }
    assert "sk-project" not in repr(role)


async def test_a_plug_in_that_cannot_work_is_told_when_the_robot_is_validated(server: Server) -> None:
    library_id = await library(server)
    plugins = [{"plugin_type": "WEB_SEARCH", "plugin_source": "DEFAULT"}]
    role = {"name": "Guide", "description": "-", "llm_source": "DEEP_SEEK", "plugin_config_list": plugins}
    chosen = [{"knowledge_type": "QUESTION_ANSWER", "knowledge_library_id_list": [library_id]}]
    business = [{"language": "EN", "prompt": "", "knowledge_library_list": chosen}]
    role_id = (await post(server, "role", {**role, "role_business_list": business}))["role_id"]
    body = {"app_type": 7, "wise_brain_config": {"role_id": role_id}}
    refused = await server.call("POST", "/digital-human-chat/robot/validate", body)
    assert (refused.status_code, refused.json()["error_code"]) == (400, "MSS.47010035")
    assert "VISAVIS_SEARCH_PROVIDER" in refused.json()["error_msg"]


@pytest.mark.parametrize(("setting", "supported"), [({}, False), ({"weather_provider": "open-meteo"}, True)])
async def test_which_plug_ins_the_server_has_itself(
    server: Server, setting: dict[str, str], supported: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in setting.items():
        monkeypatch.setattr(server.context.settings, name, value)
    answer = (await server.call("GET", f"{BRAIN}/plugin-config-default")).json()
    told = {one["plugin_type"]: one["support_default"] for one in answer["default_plugin_list"]}
    assert told == {"WEATHER_QUERY": supported, "WEB_SEARCH": False}


async def test_a_local_model_is_named_by_its_reserved_address(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    config = {"name": "Here", "llm_url": "http://local-model/v1", "api_key": "-"}
    config_id = (await post(server, "llm-config", config))["llm_config_id"]
    library_id = await library(server)
    room_id, robot_id = await talking(server, library_id, llm_source="LLM_CONFIG", llm_config_id=config_id)
    refused = await server.call("POST", jobs(room_id))
    assert (refused.json()["error_code"], "local_model" in refused.json()["error_msg"]) == ("MSS.47010035", True)
    monkeypatch.setattr(server.context.settings, "local_model_url", "http://127.0.0.1:4711/v1")
    monkeypatch.setattr(server.context.settings, "local_model_key", "random")
    llm = (await briefed(server, room_id, robot_id)).llm
    assert llm is not None
    assert (llm.url, llm.api_key, llm.trusted) == ("http://127.0.0.1:4711/v1", "random", True)
    # Whoever writes the address itself is a user: it stays internal, and is not trusted.
    theirs = {**config, "llm_url": "http://127.0.0.1:4711/v1"}
    config_id = (await post(server, "llm-config", theirs))["llm_config_id"]
    llm = (
        await briefed(server, *await talking(server, library_id, llm_source="LLM_CONFIG", llm_config_id=config_id))
    ).llm
    assert llm is not None
    assert not llm.trusted
