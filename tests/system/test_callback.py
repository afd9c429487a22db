"""The language-model callback of a real job: what the SDK's start call gives reaches it, and what fails is apologised for."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from huaweicloudsdkmetastudio.v1 import model
from running import Cloud, guest, serving

from visavis.dialogue import phrases
from visavis.dialogue.endpoint import signed_query

pytestmark = [pytest.mark.system, pytest.mark.timeout(180)]

EXTEND = '{"city":"Jena","client_id":"lobby","extra_json_param":{"floor":2}}'
KEY = "the-callback-s-key"


class Telling:
    """A cloud whose jobs are started for somebody, with an extend_param."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cloud, name)

    def start(self, room_id: str) -> Any:
        body = model.SmartChatJobsReq(extend_param=EXTEND)
        request = model.StartSmartChatJobRequest(room_id=room_id, x_app_user_id="person-7", body=body)
        return self._cloud.sdk.start_smart_chat_job(request)


def event(text: str) -> bytes:
    told = {"id": "1", "created": 1, "choices": [{"index": 0, "message": {"content": text}}]}
    return f"data:{json.dumps(told)}\n\n".encode()


@asynccontextmanager
async def brain(asked: list[tuple[dict[str, str], dict[str, Any]]]) -> AsyncIterator[str]:
    """A third party's model: answers, is busy, breaks off or fails, as it is asked to."""
    busy = [2]

    async def answer(request: web.Request) -> web.StreamResponse:
        body = await request.json()
        asked.append((dict(request.query), body))
        question = body["messages"][-1]["content"]
        if "失败" in question:
            return web.json_response({"error_code": "LLM.1", "error_msg": f"no {KEY}"}, status=400)
        if "busy" in question and busy[0]:
            busy[0] -= 1
            return web.Response(status=503)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(event("You may go in. "))
        await response.write(event("Do not press the"))
        if "break" in question:
            assert request.transport is not None
            request.transport.abort()
            return response
        await response.write(event(" red button.") + b"data:[DONE]\n\n")
        return response

    app = web.Application()
    app.router.add_post("/chat", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.2)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/chat"
    finally:
        await runner.cleanup()


async def test_the_callback_of_a_real_job(tmp_path: Path) -> None:
    asked: list[tuple[dict[str, str], dict[str, Any]]] = []
    with serving(tmp_path / "data", workers="1", url_allow='["127.0.0.1"]', warm_answers="false") as server:
        cloud: Any = Telling(server.cloud())
        async with brain(asked) as url:
            config = model.ThirdPartyModelConfig(app_id="app", app_key=KEY, llm_url=url, is_stream=True, chat_rounds=2)
            robot = await asyncio.to_thread(cloud.robot, app_type=6, third_party_model_config=config)
            room_id = await asyncio.to_thread(cloud.room, robot_id=robot)
            async with guest(cloud, room_id, keep_pictures=False) as visitor:

                async def told(question: str, *answers: str) -> float:
                    """Seconds until the last of these is spoken."""
                    began = time.monotonic()
                    visitor.tell("send-text", content=question)
                    for answer in answers:
                        assert (await visitor.until("bot-output"))["text"] == answer
                    spent = time.monotonic() - began
                    await visitor.until("bot-stopped-speaking")
                    return spent

                await told("May I go in?", "You may go in.", "Do not press the red button.")
                query, body = asked[0]
                assert query == signed_query(KEY, url, int(query["time_stamp"], 16))
                assert body == {
                    "messages": [{"role": "user", "content": "May I go in?"}],
                    "app_id": "app",
                    "user": "person-7",
                    "session_id": visitor.job.job_id,
                    "is_stream": True,
                    "extend_param": EXTEND,
                }
                await told("Are you busy?", "You may go in.", "Do not press the red button.")
                assert [len(body["messages"]) for _, body in asked[1:]] == [3, 3, 3]
                assert asked[1][1]["messages"][1]["content"] == "You may go in. Do not press the red button."
                assert len({query["secret"] for query, _ in asked}) == 4
                assert await told("这会失败吗？", phrases.FAILED["zh"]) < 3
                await told("Please break off.", "You may go in.", phrases.BROKEN["en"])
    log = server.log
    assert "LLM.1" in log
    assert [secret for secret in (KEY, *(query["secret"] for query, _ in asked)) if secret in log] == []
