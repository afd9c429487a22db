"""What a job's start tells of itself to a third party's language model, through its worker."""

from __future__ import annotations

import pytest
from control_server import Server, jobs

EXTEND = '{"city": "Jena", "client_id": "lobby", "extra_json_param": {"floor": 2}}'


@pytest.mark.parametrize("body", [{"extend_param": EXTEND}, {}, None])
async def test_the_worker_is_told_extend_param_and_user(server: Server, body: dict[str, str] | None) -> None:
    config = {"llm_url": "https://x/chat", "app_id": "a", "app_key": "k"}
    robot = await server.robot(app_type=6, third_party_model_config=config)
    room_id = await server.room(robot_id=robot)
    headers = {"X-App-UserId": "person-7"} if body else {}
    answer = await server.call("POST", jobs(room_id), body, headers=headers)
    assert answer.status_code == 200, answer.text
    llm = server.dispatcher.specs[answer.json()["job_id"]].robot.llm
    assert llm is not None
    assert (llm.extend_param, llm.user) == ((EXTEND, "person-7") if body else ("", ""))
    assert "Jena" not in repr(llm)
