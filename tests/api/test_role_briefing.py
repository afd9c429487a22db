"""What a worker is told of a role when a job starts."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from control_server import Server, jobs

from visavis.session.roles import role_of
from visavis.session.spec import JobSpec, RoleSpec

MakeServer = Callable[..., Awaitable[Server]]

KEY, TOOL_KEY = "sk-very-secret", "tool-very-secret"
BRAIN = "/wise-brain-manager"


async def made(server: Server, path: str, field: str, **body: Any) -> str:
    answer = await server.call("POST", f"{BRAIN}/{path}", body)
    assert answer.status_code == 200, answer.text
    return str(answer.json()[field])


async def role(server: Server, **more: Any) -> str:
    body = {"name": "Guide", "description": "", "llm_source": "DEEP_SEEK", "role_business_list": [], **more}
    return await made(server, "role", "role_id", **body)


async def start(server: Server, role_id: str) -> Any:
    robot = {"name": "r", "app_type": 7, "wise_brain_config": {"role_id": role_id}}
    robot_id = (await server.call("POST", "/digital-human-chat/robot", robot)).json()["robot_id"]
    return await server.call("POST", jobs(await server.room(robot_id=robot_id)), {})


async def told(server: Server, role_id: str) -> RoleSpec:
    answer = await start(server, role_id)
    assert answer.status_code == 200, answer.text
    spec = server.dispatcher.specs[answer.json()["job_id"]]
    assert JobSpec.model_validate_json(spec.model_dump_json()) == spec, "it crosses to a worker"
    assert spec.robot.role is not None
    return spec.robot.role


async def test_all_of_a_role_reaches_the_worker(
    make_server: MakeServer, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    server = await make_server(
        mcp_stdio={"shop": ["shop-tools"]}, mcp_credentials={"https://b.example/mcp": "from the operator"}
    )
    llm = await made(
        server, "llm-config", "llm_config_id", name="L", llm_url="https://llm.example/v1", api_key=KEY, model="m"
    )
    tools = [
        await made(server, "mcp-server", "mcp_server_id", name=name, mcp_server_url=url, **more)
        for name, url, more in (
            ("a", "https://a.example/mcp", {"auth_header_name": "X-Key", "auth_header_value": TOOL_KEY}),
            ("b", "https://b.example/mcp", {"auth_header_name": "Authorization"}),
            ("c", "https://c.example/mcp", {}),
            ("d", "stdio:shop", {}),
        )
    ]
    books = await made(
        server,
        "knowledge-library",
        "knowledge_library_id",
        name="Rooms",
        knowledge_type="QUESTION_ANSWER",
        language="EN",
    )
    await made(
        server,
        "question-answer",
        "question_answer_id",
        knowledge_library_id=books,
        question="galley",
        similar_questions="cooking room",
        answer="kitchen",
    )
    deeds = await made(server, "instruction-library", "instruction_library_id", name="Lights")
    await made(
        server,
        "instruction",
        "instruction_id",
        instruction_library_id=deeds,
        name="light",
        description="Switches it on.",
        instruction="light in the {room}",
        slot_list=[{"name": "room", "knowledge_library_list": [{"language": "EN", "knowledge_library_id": books}]}],
        reply_words_list=[{"language": "EN", "reply_words": "Light!"}, {"language": "CN", "reply_words": "灯！"}],
    )
    chosen = [{"knowledge_type": "QUESTION_ANSWER", "knowledge_library_id_list": [books]}]
    role_id = await role(
        server,
        llm_source="LLM_CONFIG",
        llm_config_id=llm,
        mcp_server_id_list=tools,
        instruction_library_id=deeds,
        role_business_list=[
            {"language": "EN", "prompt": "Be kind.", "knowledge_library_list": chosen},
            {"language": "CN", "prompt": "友善。"},
            {"language": "fr", "prompt": "Soyez gentil."},
        ],
    )
    spec = await told(server, role_id)
    assert spec.prompts == {"en": "Be kind.", "zh": "友善。"}
    assert spec.llm is not None
    assert (spec.llm.url, spec.llm.model, spec.llm.api_key) == ("https://llm.example/v1", "m", KEY)
    assert [(one.name, one.url, one.headers) for one in spec.mcp_servers] == [
        ("a", "https://a.example/mcp", {"X-Key": TOOL_KEY}),
        ("b", "https://b.example/mcp", {"Authorization": "from the operator"}),
        ("c", "https://c.example/mcp", {}),
        ("d", "stdio:shop", {}),
    ]
    (instruction,) = spec.instructions
    assert instruction.replies == {"en": "Light!", "zh": "灯！"}
    assert instruction.slots[0].values == {"en": {"kitchen": ["galley", "cooking room"]}}
    (library,) = spec.libraries["en"]
    assert library.name == "Rooms"
    assert "kitchen" in await asyncio.to_thread(Path(library.file).read_text)
    role_of(spec)  # and makes an assistant there
    said = repr(spec) + str(spec) + repr(role_of(spec)) + caplog.text + "".join(capsys.readouterr())
    for secret in (KEY, TOOL_KEY, "from the operator"):
        assert secret not in said


async def test_deep_seek_is_the_operator_s_model(make_server: MakeServer) -> None:
    server = await make_server(
        deep_seek_url="https://deep.example", deep_seek_key=KEY, deep_seek_model="deep", url_allow=["deep.example"]
    )
    spec = await told(server, await role(server))
    assert spec.llm is not None
    assert (spec.llm.url, spec.llm.model, spec.llm.api_key) == ("https://deep.example", "deep", KEY)


async def test_a_role_with_nothing_to_answer_with_cannot_be_used(server: Server) -> None:
    refused = await start(server, await role(server, role_business_list=[{"language": "EN", "prompt": "Be kind."}]))
    assert (refused.status_code, refused.json()["error_code"]) == (400, "MSS.47010035")
    assert "deep_seek_url" in refused.json()["error_msg"]
    refused = await start(server, "nobody")
    assert (refused.status_code, "role_id" in refused.text) == (400, True)


async def test_an_mcp_server_s_key_is_never_shown_and_programs_are_the_operator_s(make_server: MakeServer) -> None:
    server = await make_server(mcp_stdio={"shop": ["shop-tools"]})
    body = {"name": "a", "mcp_server_url": "https://a.example", "auth_header_name": "X", "auth_header_value": TOOL_KEY}
    one = await made(server, "mcp-server", "mcp_server_id", **body)
    for path in (f"{BRAIN}/mcp-server/{one}", f"{BRAIN}/mcp-server"):
        answer = await server.call("GET", path)
        assert answer.status_code == 200
        assert TOOL_KEY not in answer.text
    for url in ("stdio:other", "stdio:", "stdio:sh -c reboot", "file:///bin/sh", "shop-tools"):
        refused = await server.call("POST", f"{BRAIN}/mcp-server", {"name": "a", "mcp_server_url": url})
        assert (refused.status_code, "mcp_server_url" in refused.text) == (400, True), url
    bad = {**body, "auth_header_value": "a\r\nHost: b"}
    refused = await server.call("POST", f"{BRAIN}/mcp-server", bad)
    assert (refused.status_code, "auth_header_value" in json.dumps(refused.json())) == (400, True)


async def test_a_robot_without_a_role_answers_as_before(server: Server) -> None:
    room = await server.room()
    job = await server.start(room)
    assert server.dispatcher.specs[job["job_id"]].robot.role is None
