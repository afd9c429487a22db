"""The page: its start, its files and their headers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from control_server import Server

from visavis.store import identity, tokens

MakeServer = Callable[..., Awaitable[Server]]


async def new_code(server: Server) -> str:
    answer = await server.call("POST", "/digital-human-chat/once-code")
    return str(answer.json()["once_code"])


async def start(server: Server, room_id: str, **headers: str) -> Any:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await server.http.post("/page/v1/sessions", json={"project_id": "p1", "room_id": room_id}, headers=named)


async def test_a_code_starts_one_job(server: Server) -> None:
    room_id = await server.room(concurrency=5)
    code = await new_code(server)
    answers = await asyncio.gather(*(start(server, room_id, X_Once_Code=code) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [200, 401, 401, 401]
    (started,) = (answer.json() for answer in answers if answer.status_code == 200)
    assert started["job_id"] in server.dispatcher.running
    types = [user["user_type"] for user in started["rtc_room_info"]["users"]]
    assert types == ["END_USER", "PLAYER"], "no more than the page needs"
    spent = await start(server, room_id, X_Once_Code=code)
    assert (spent.status_code, spent.json()["error_code"]) == (401, "MSS.47010046")


async def test_an_old_code(server: Server) -> None:
    room_id, code = await server.room(), await new_code(server)
    server.clock.now += 300
    assert (await start(server, room_id, X_Once_Code=code)).status_code == 401


async def test_many_wrong_codes(server: Server) -> None:
    room_id, code = await server.room(), await new_code(server)
    for _ in range(10):
        assert (await start(server, room_id, X_Once_Code="guess")).json()["error_code"] == "MSS.47010046"
    locked = await start(server, room_id, X_Once_Code=code)
    assert (locked.status_code, locked.json()["error_code"]) == (429, "MSS.47010047")
    assert locked.headers["retry-after"]


async def test_a_token_starts_a_job(server: Server) -> None:
    room_id = await server.room()
    database = server.context.database
    user = await identity.put_user(database, "p1", "ann", "hash", 1.0)
    token = await tokens.issue(database, user, "p1", server.clock.now, 60)
    assert (await start(server, room_id, X_Auth_Token=token)).status_code == 200
    body = {"project_id": "p2", "room_id": room_id}
    other = await server.http.post("/page/v1/sessions", json=body, headers={"X-Auth-Token": token})
    assert other.status_code == 403
    assert (await start(server, room_id)).status_code == 401
    assert (await start(server, room_id, X_Auth_Token="guess")).status_code == 401


@pytest.fixture
def web(tmp_path: Path) -> Path:
    root = tmp_path / "web"
    (root / "js").mkdir(parents=True)
    (root / "index.html").write_text("<!doctype html><title>t</title>")
    (root / "js" / "a.js").write_text("export const a = 1;")
    (root / ".hidden.js").write_text("x")
    (root / "notes.py").write_text("x")
    (tmp_path / "secret.txt").write_text("secret")
    (root / "link.txt").symlink_to(tmp_path / "secret.txt")
    return root


async def test_files(make_server: MakeServer, web: Path) -> None:
    server = await make_server(web=web)
    index = await server.http.get("/")
    assert (index.status_code, index.text) == (200, "<!doctype html><title>t</title>")
    assert index.headers["content-type"] == "text/html; charset=utf-8"
    policy = index.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert index.headers["x-content-type-options"] == "nosniff"
    assert "microphone=(self)" in index.headers["permissions-policy"]
    script = await server.http.get("/web/js/a.js")
    assert script.headers["content-type"] == "text/javascript; charset=utf-8"
    same = await server.http.get("/web/js/a.js", headers={"If-None-Match": f'W/"other", {script.headers["etag"]}'})
    assert (same.status_code, same.content) == (304, b"")
    (web / "js" / "a.js").write_text("export const a = 2;")
    changed = await server.http.get("/web/js/a.js", headers={"If-None-Match": script.headers["etag"]})
    assert (changed.status_code, changed.text) == (200, "export const a = 2;")
    head = await server.http.head("/web/js/a.js")
    assert head.status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/web/../secret.txt",
        "/web/%2e%2e/secret.txt",
        "/web/..%2fsecret.txt",
        "/web/js/%2e%2e/%2e%2e/secret.txt",
        "/web//etc/passwd",
        "/web/%2fetc/hosts.txt",
        "/web/..%5csecret.txt",
        "/web/link.txt",
        "/web/.hidden.js",
        "/web/notes.py",
        "/web/js",
        "/web/",
        "/web/none.js",
        "/web/a%00.js",
        "/index.html",
    ],
)
async def test_no_other_files(make_server: MakeServer, web: Path, path: str) -> None:
    server = await make_server(web=web)
    answer = await server.http.get(path)
    assert (answer.status_code, answer.json()["error_code"]) == (404, "MSS.00010003")
    assert "secret" not in answer.json()["error_msg"] or "secret.txt" in path


async def test_the_page_that_ships_is_served(server: Server) -> None:
    index = await server.http.get("/")
    assert index.status_code == 200
    assert "<script" in index.text
