"""validate_robot: what is tried out, and what the caller is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from control_server import Server, jobs
from listening import listening

from visavis.api.services import validating
from visavis.dialogue.endpoint import signed_query

MakeServer = Callable[..., Awaitable[Server]]

ANSWER = {"choices": [{"index": 0, "message": {"content": "Hello."}}]}
KEY = "a-secret-key"


class ThirdParty:
    """A language model's server; ``status`` and ``answer`` are what it answers, ``asked`` what it was asked."""

    def __init__(self) -> None:
        self.asked: list[web.Request] = []
        self.bodies: list[Any] = []
        self.status = 200
        self.answer: Any = ANSWER
        self.silent = False
        self.url = ""

    async def serve(self, request: web.Request) -> web.Response:
        self.asked.append(request)
        self.bodies.append(await request.json())
        if self.silent:
            await asyncio.Event().wait()
        return web.json_response(self.answer, status=self.status)


@asynccontextmanager
async def third_party() -> AsyncIterator[ThirdParty]:
    model = ThirdParty()
    async with listening(model.serve) as model.url:
        yield model


async def validate(server: Server, app_type: int, **config: Any) -> tuple[int, str, str]:
    answer = await server.call(
        "POST", "/digital-human-chat/robot/validate", {"app_type": app_type, "language": "CN", **config}
    )
    body = answer.json()
    return answer.status_code, body.get("error_code", ""), body.get("error_msg", "")


def model_config(url: str, **more: Any) -> dict[str, Any]:
    return {"third_party_model_config": {"llm_url": url, "app_id": "guide", "app_key": KEY, **more}}


async def test_a_callback_is_asked_once_and_signed(make_server: MakeServer) -> None:
    server = await make_server(url_allow=["127.0.0.1"])
    async with third_party() as model:
        url = f"{model.url}/digital-human/chat"
        assert await validate(server, 6, **model_config(url)) == (200, "", "")
        (asked,) = model.asked
        when = int(asked.query["time_stamp"], 16)
        assert asked.query["secret"] == signed_query(KEY, url, when)["secret"]
        assert model.bodies[0]["app_id"] == "guide"
        assert model.bodies[0]["messages"][-1]["role"] == "user"
    listed = (await server.call("GET", "/digital-human-chat/robot")).json()
    assert listed["count"] == 0, "nothing is stored"


async def test_an_openai_compatible_model_gets_its_key(make_server: MakeServer) -> None:
    server = await make_server(url_allow=["127.0.0.1"])
    async with third_party() as model:
        assert await validate(server, 6, **model_config(f"{model.url}/v1")) == (200, "", "")
        (asked,) = model.asked
        assert (asked.path, asked.headers["Authorization"]) == ("/v1/chat/completions", f"Bearer {KEY}")
        assert model.bodies[0]["model"] == "guide"


@pytest.mark.parametrize(
    ("status", "answer", "told"),
    [
        (401, {"error_code": "E.1", "error_msg": f"wrong key {KEY} of the internal host db7"}, "HTTP 401 E.1"),
        (500, "broken", "HTTP 500"),
        (200, {"choices": [{"message": {"content": " "}}]}, "the reply is empty"),
        (200, {"error_code": "E.2", "error_msg": "internal host db7"}, "it reports"),
        (200, {"text": "hello"}, "the reply has no choices"),
    ],
)
async def test_what_a_model_does_wrong_is_told_without_its_words(
    make_server: MakeServer, status: int, answer: Any, told: str
) -> None:
    server = await make_server(url_allow=["127.0.0.1"])
    async with third_party() as model:
        model.status, model.answer = status, answer
        refused = await validate(server, 6, **model_config(f"{model.url}/v1"))
        assert refused[:2] == (400, "MSS.47010130")
        assert refused[2].endswith(f": {told}")
        assert KEY not in refused[2]
        assert "db7" not in refused[2]


async def test_a_model_that_is_silent_or_not_there(make_server: MakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(validating, "TIMEOUT_S", 0.3)
    server = await make_server(url_allow=["127.0.0.1"])
    async with third_party() as model:
        model.silent = True
        code, key, told = await validate(server, 6, **model_config(f"{model.url}/v1"))
        assert (code, key) == (400, "MSS.47010130")
        assert "0.3 s" in told or "in time" in told or "not reached" in told or "does not end" in told
        gone = f"{model.url}/v1"
    assert (await validate(server, 6, **model_config(gone)))[:2] == (400, "MSS.47010130")


async def test_addresses_that_may_not_be_called(server: Server) -> None:
    async with third_party() as model:
        code, key, told = await validate(server, 6, **model_config(f"{model.url}/v1"))
        assert (code, key, "internal" in told) == (400, "MSS.47010134", True)
        assert model.asked == []
    assert (await validate(server, 6))[:2] == (400, "MSS.47010131")
    assert (await validate(server, 6, **model_config("ftp://x")))[:2] == (400, "MSS.47010134")


async def test_an_assistant_needs_its_role_and_the_role_its_model(make_server: MakeServer) -> None:
    server = await make_server(url_allow=["127.0.0.1"])
    assert await validate(server, 7) == (200, "", ""), "without a role there are the stored answers"
    missing = await validate(server, 7, wise_brain_config={"role_id": "nobody"})
    assert (missing[:2], "role_id" in missing[2]) == ((400, "MSS.00000003"), True)
    role = {"name": "Guide", "description": "", "llm_source": "DEEP_SEEK", "role_business_list": [{"language": "CN"}]}
    made = (await server.call("POST", "/wise-brain-manager/role", role)).json()["role_id"]
    useless = await validate(server, 7, wise_brain_config={"role_id": made})
    assert (useless[:2], "deep_seek_url" in useless[2]) == ((400, "MSS.47010035"), True), (
        "it has nothing to answer with"
    )
    async with third_party() as model:
        config = {"name": "Large", "llm_url": f"{model.url}/v1", "api_key": KEY, "model": "large"}
        config_id = (await server.call("POST", "/wise-brain-manager/llm-config", config)).json()["llm_config_id"]
        with_model = {**role, "llm_source": "LLM_CONFIG", "llm_config_id": config_id}
        made = (await server.call("POST", "/wise-brain-manager/role", with_model)).json()["role_id"]
        assert await validate(server, 7, wise_brain_config={"role_id": made}) == (200, "", "")
        assert model.asked[0].headers["Authorization"] == f"Bearer {KEY}"
        model.status = 503
        assert (await validate(server, 7, wise_brain_config={"role_id": made}))[:2] == (400, "MSS.47010130")


@pytest.mark.parametrize(
    ("app_type", "config", "missing"),
    [
        (0, {"iflytek_aiui_config": {"app_id": "a"}}, "iflytek_aiui_config.app_key"),
        (1, {"huawei_ei_cbs": {"app_id": "a"}}, "huawei_ei_cbs.cbs_project_id"),
        (1, {"huawei_ei_cbs": {"app_id": "a", "cbs_project_id": "p"}}, "cbs_ak"),
        (2, {"iflytek_spark": {"app_id": "a", "app_key": "k"}}, "iflytek_spark.api_secret"),
        (2, {}, "iflytek_spark.app_id, iflytek_spark.app_key, iflytek_spark.api_secret"),
        (8, {"mobvoi_config": {"app_key": "k", "app_secret": "s"}}, "mobvoi_config.role_id"),
        (8, {}, "mobvoi_config.app_key, mobvoi_config.app_secret, mobvoi_config.role_id"),
    ],
)
async def test_other_vendors_need_their_credentials(
    server: Server, app_type: int, config: dict[str, Any], missing: str
) -> None:
    """Validation and the start of a job name what is missing, in the contract's form."""
    status, code, told = await validate(server, app_type, **config)
    assert (status, code) == (400, "MSS.47010035")
    assert missing in told
    robot_id = await server.robot(app_type=app_type, **config)
    room_id = await server.room(robot_id=robot_id)
    refused = await server.call("POST", jobs(room_id))
    assert (refused.status_code, refused.json()["error_code"]) == (400, "MSS.47010035")
    assert missing in refused.json()["error_msg"]


@pytest.mark.parametrize(
    ("app_type", "config"),
    [
        (0, {"iflytek_aiui_config": {"app_id": "a", "app_key": "k", "is_production": True}}),
        (2, {"iflytek_spark": {"app_id": "a", "app_key": "k", "api_secret": "s"}}),
        (8, {"mobvoi_config": {"app_key": "k", "app_secret": "s", "role_id": "r"}}),
    ],
)
async def test_other_vendors_with_their_credentials_are_taken(
    server: Server, app_type: int, config: dict[str, Any]
) -> None:
    assert await validate(server, app_type, **config) == (200, "", "")


async def test_what_others_drive_has_nothing_to_be_called(server: Server) -> None:
    assert await validate(server, 5) == (200, "", "")
