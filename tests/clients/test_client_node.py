"""A backend in Node, with the official SDK's core: rooms, start, and the seed's call, signed by the SDK over a real server."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import time
from typing import Any

import node_packages
import pytest
from huaweicloudsdkmetastudio import v1 as ms
from identity_server import Served, served

from visavis.contract.errors import ErrorCode
from visavis.contract.roles import Role
from visavis.settings import Settings
from visavis.store import identity, tokens
from visavis.store.database import Database

NODE = shutil.which("node")
PROGRAM = node_packages.FOLDER / "smart_chat.js"


@pytest.fixture(scope="module")
def node() -> str:
    if NODE is None:
        pytest.skip("node is not installed (tools/setup.sh tests installs it)")
    try:
        node_packages.ensure()
    except node_packages.NotFetched as reason:
        pytest.skip(str(reason))
    return NODE


async def _keys(settings: Settings) -> tuple[identity.AccessKey, tokens.TemporaryKey]:
    now = time.time()
    database = await Database.open(settings)
    try:
        await identity.ensure_project(database, "p1", now)
        lasting = await identity.add_key(database, "p1", now)
        return lasting, await tokens.issue_key(database, "p1", Role.ADMIN, None, lasting.ak, now, 900)
    finally:
        await database.close()


def run(node: str, server: Served, key: identity.AccessKey, robot: str, token: str = "") -> dict[str, Any]:
    told = {
        "ak": key.ak, "sk": key.sk, "project": "p1", "token": token, "endpoint": server.endpoint, "robot": robot,
    }  # fmt: skip
    done = subprocess.run([node, str(PROGRAM)], input=json.dumps(told), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    # The SDK logs to the standard output, too.
    answers: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answers


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Any:
    settings = Settings(data=tmp_path_factory.mktemp("node") / "data", check_answers=True)
    with served(settings) as running:
        yield running


@pytest.mark.parametrize("temporary", [False, True], ids=["lasting key", "temporary key"])
def test_the_node_sdk_lists_rooms_starts_and_shows_a_job(node: str, server: Served, temporary: bool) -> None:
    lasting, brief = asyncio.run(_keys(server.settings))
    sdk = server.client(lasting.ak, lasting.sk)
    robot = sdk.create_robot(ms.CreateRobotRequest(body=ms.CreateRobotReq(name="Node", app_type=7))).robot_id
    key, token = (brief.key, brief.security_token) if temporary else (lasting, "")
    answers = run(node, server, key, robot, token)

    rooms, started, shown = answers["rooms"], answers["started"], answers["shown"]
    assert rooms["count"] >= 1
    assert {room["room_name"] for room in rooms["smart_chat_rooms"]} == {"大厅 α+β & more"}
    room_id = rooms["smart_chat_rooms"][0]["room_id"]
    assert shown["job_id"] == started["job_id"]
    assert shown["state"] in ("WAITING", "PROCESSING")
    assert len(shown["X-Request-Id"]) == 32
    # The same, as the Python SDK sees it: nothing depends on the language.
    same = sdk.show_smart_chat_job(ms.ShowSmartChatJobRequest(room_id=room_id, job_id=started["job_id"]))
    assert settled(shown) == settled(json.loads(str(same)))
    missing = answers["missing"]
    assert (missing["status"], missing["code"]) == (404, ErrorCode.JOB_NOT_FOUND.code)
    assert missing["message"]
    assert missing["request"]
    assert answers["refused"] == {"status": 401, "code": "MSS.00000004"}


def settled(answer: dict[str, Any]) -> dict[str, Any]:
    """What does not change from one moment to the next, and not what belongs to the transport."""
    passing = ("state", "duration", "start_time", "lastupdate_time", "X-Request-Id", "x_request_id", "httpStatusCode")
    return {name: value for name, value in answer.items() if name not in passing and value is not None}
