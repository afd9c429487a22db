"""The RTC room's routes: tokens, signalling, state and stop."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from control_server import Server

from visavis.rtc import tokens
from visavis.session.signals import Candidate, CandidatesSignal, LeaveSignal, OfferSignal
from visavis.store import identity

MakeServer = Callable[..., Awaitable[Server]]


class Room:
    """A running job's RTC room, as the clients that got the start answer see it."""

    def __init__(self, server: Server, room_id: str, started: dict[str, Any]) -> None:
        self.server = server
        self.room_id = room_id
        self.job_id = started["job_id"]
        info = started["rtc_room_info"]
        self.rid = info["room_id"]
        self.users = {user["user_type"]: user for user in info["users"]}

    def bearer(self, user_type: str = "END_USER") -> dict[str, str]:
        user = self.users[user_type]
        return {"Authorization": f"Bearer {user['user_id']}:{user['ctime']}:{user['signature']}"}

    async def call(self, method: str, path: str, user_type: str = "END_USER", **more: Any) -> Any:
        headers = {**self.bearer(user_type), **more.pop("headers", {})}
        return await self.server.http.request(method, f"/rtc/v1/rooms/{self.rid}{path}", headers=headers, **more)


async def enter(server: Server, **room: Any) -> Room:
    room_id = await server.room(**room)
    return Room(server, room_id, await server.start(room_id))


def code(answer: Any) -> tuple[int, str]:
    assert answer.headers["x-request-id"]
    return answer.status_code, answer.json()["error_code"]


OFFER = {"sdp": "v=0\r\n", "type": "offer"}


async def test_the_end_user_s_way(server: Server) -> None:
    room = await enter(server)
    answer = await room.call("POST", "/offer", json={**OFFER, "request_data": {"any": 1}, "pc_id": None})
    assert answer.status_code == 200
    assert answer.json() == {"sdp": "v=0\r\nanswer\r\n", "type": "answer", "pc_id": "pc1"}
    candidate = {"candidate": "candidate:1 1 udp 1 1.2.3.4 5 typ host", "sdp_mid": "0", "sdp_mline_index": 0}
    trickle = {"pc_id": "pc1", "candidates": [candidate, {"candidate": "", "sdp_mid": None, "sdp_mline_index": None}]}
    answer = await room.call("PATCH", "/offer", json=trickle)
    assert (answer.status_code, answer.json()) == (200, {"status": "success"})
    answer = await room.call("DELETE", "/peers/pc1")
    assert (answer.status_code, answer.content) == (204, b"")
    (_, offer), (_, candidates), (_, leave) = server.dispatcher.signals
    assert isinstance(offer, OfferSignal)
    assert (offer.user.user_type, offer.sdp, offer.pc_id, offer.restart_pc) == ("END_USER", "v=0\r\n", None, False)
    assert isinstance(candidates, CandidatesSignal)
    assert candidates.candidates == [Candidate(**candidate), Candidate(candidate="")]
    assert isinstance(leave, LeaveSignal)
    assert {job_id for job_id, _ in server.dispatcher.signals} == {room.job_id}


async def test_the_viewer_s_way(make_server: MakeServer) -> None:
    server = await make_server(stun_urls=["stun:s.test"], turn_urls=["turn:t.test"], turn_secret="x")
    room = await enter(server)
    sdp = {"Content-Type": "application/sdp"}
    answer = await room.call("POST", "/whep", "PLAYER", content="v=0\r\n", headers=sdp)
    assert (answer.status_code, answer.text) == (201, "v=0\r\nanswer\r\n")
    assert answer.headers["content-type"] == "application/sdp"
    assert answer.headers["location"] == f"/rtc/v1/rooms/{room.rid}/whep/pc1"
    links = answer.headers.get_list("link")
    assert len(links) == 2
    assert 'rel="ice-server"' in links[0]
    assert "credential=" in links[1]
    candidate = "a=candidate:1 1 udp 1 1.2.3.4 5 typ host"
    fragment = f"a=ice-ufrag:x\r\nm=video 9 UDP 0\r\na=mid:1\r\n{candidate}\r\na=end-of-candidates\r\n"
    headers = {"Content-Type": "application/trickle-ice-sdpfrag"}
    answer = await room.call("PATCH", "/whep/pc1", "PLAYER", content=fragment, headers=headers)
    assert answer.status_code == 204
    answer = await room.call("DELETE", "/whep/pc1", "PLAYER")
    assert answer.status_code == 200
    signal = server.dispatcher.signals[1][1]
    assert isinstance(signal, CandidatesSignal)
    assert signal.candidates[0] == Candidate(
        candidate="candidate:1 1 udp 1 1.2.3.4 5 typ host", sdp_mid="1", sdp_mline_index=0
    )
    assert signal.candidates[1].candidate == ""
    second_view = await room.call("POST", "/whep", "END_USER", content="v=0\r\n", headers=sdp)
    assert second_view.status_code == 201


async def test_ice_servers(make_server: MakeServer) -> None:
    server = await make_server(stun_urls=["stun:s.test"], turn_urls=["turn:t.test"], turn_secret="x", turn_ttl_s=600)
    room = await enter(server)
    servers = (await room.call("GET", "/ice-servers")).json()["ice_servers"]
    assert servers[0] == {"urls": ["stun:s.test"]}
    expiry, user = servers[1]["username"].split(":")
    assert int(expiry) == server.clock.now + 600
    assert user == room.users["END_USER"]["user_id"]


async def test_state_shows_the_caller_only(server: Server) -> None:
    room = await enter(server)
    shown = await room.call("GET", "/state", "PLAYER")
    assert shown.status_code == 200
    assert [user["user_type"] for user in shown.json()["rtc_room_info"]["users"]] == ["PLAYER"]
    assert shown.json()["job_id"] == room.job_id


async def test_stop(server: Server) -> None:
    room = await enter(server)
    assert code(await room.call("POST", "/stop", "PLAYER")) == (403, "MSS.47010063")
    answer = await room.call("POST", "/stop")
    assert (answer.status_code, answer.json()) == (200, {})
    assert (await room.call("GET", "/state")).json()["state"] == "CANCELED"
    assert code(await room.call("POST", "/offer", json=OFFER)) == (409, "MSS.47010012")
    assert code(await room.call("POST", "/stop")) == (409, "MSS.47010012")


@pytest.mark.parametrize("user_type", ["PLAYER", "INFERENCE_USER"])
async def test_only_the_end_user_speaks(server: Server, user_type: str) -> None:
    room = await enter(server)
    assert code(await room.call("POST", "/offer", user_type, json=OFFER)) == (403, "MSS.47010063")
    assert code(await room.call("PATCH", "/offer", user_type, json={"pc_id": "x", "candidates": []})) == (
        403,
        "MSS.47010063",
    )
    assert server.dispatcher.signals == []


async def test_the_inference_user_does_not_watch(server: Server) -> None:
    room = await enter(server)
    headers = {"Content-Type": "application/sdp"}
    answer = await room.call("POST", "/whep", "INFERENCE_USER", content="v=0\r\n", headers=headers)
    assert code(answer) == (403, "MSS.47010063")


async def test_tokens_are_of_one_room_user_and_time(server: Server) -> None:
    first, second = await enter(server), await enter(server)
    user, other = first.users["END_USER"], second.users["END_USER"]
    key = await identity.rtc_key(server.context.database, "p1")
    assert key.app_key
    tampered = [
        "",
        "Bearer",
        "Bearer x",
        f"Bearer {user['user_id']}:{user['ctime']}",
        f"Bearer {other['user_id']}:{other['ctime']}:{other['signature']}",
        f"Bearer {user['user_id']}:{user['ctime'] + 1}:{user['signature']}",
        f"Bearer {first.users['PLAYER']['user_id']}:{user['ctime']}:{user['signature']}",
        f"Bearer {user['user_id']}:{user['ctime']}:{'0' * 64}",
        f"Bearer {user['user_id']}:{user['ctime']}:{user['signature'][:-1]}",
        f"Bearer nobody:{user['ctime']}:{user['signature']}",
    ]
    for value in tampered:
        answer = await server.http.get(f"/rtc/v1/rooms/{first.rid}/state", headers={"Authorization": value})
        assert code(answer) == (401, "MSS.00010008"), value
    answer = await server.http.get("/rtc/v1/rooms/nowhere/state", headers=first.bearer())
    assert code(answer) == (401, "MSS.00010008")
    server.clock.now = user["ctime"] - 1
    assert (await first.call("GET", "/state")).status_code == 200
    server.clock.now = user["ctime"]
    assert code(await first.call("GET", "/state")) == (401, "MSS.00010008")


async def test_a_token_of_another_project_s_key(server: Server) -> None:
    await server.project("p2")
    room = await enter(server)
    foreign = await identity.rtc_key(server.context.database, "p2")
    user = room.users["END_USER"]
    room.users["END_USER"] = {
        **user,
        "signature": tokens.sign(foreign.app_key, foreign.app_id, room.rid, user["user_id"], user["ctime"]),
    }
    assert code(await room.call("GET", "/state")) == (401, "MSS.00010008")


async def test_a_worker_that_refuses_or_is_gone(server: Server) -> None:
    room = await enter(server)
    server.dispatcher.refuse_signals = "no H.264 in the offer"
    answer = await room.call("POST", "/offer", json=OFFER)
    assert code(answer) == (400, "MSS.00000003")
    assert "no H.264" in answer.json()["error_msg"]
    server.dispatcher.running.clear()
    assert code(await room.call("POST", "/offer", json=OFFER)) == (409, "MSS.47010014")


@pytest.mark.parametrize(
    ("path", "method", "content", "media_type", "status"),
    [
        ("/offer", "POST", '{"sdp": "v=0", "type": "answer"}', "application/json", 400),
        ("/offer", "POST", '{"type": "offer"}', "application/json", 400),
        ("/offer", "POST", "{", "application/json", 400),
        ("/offer", "POST", "v=0", "application/sdp", 415),
        ("/offer", "PATCH", '{"candidates": []}', "application/json", 400),
        ("/whep", "POST", "v=0", "application/json", 415),
        ("/whep", "POST", "hello", "application/sdp", 400),
        ("/whep", "POST", b"v=0\xff", "application/sdp", 400),
        ("/whep/pc1", "PATCH", "a=ice-ufrag:x\r\n", "application/trickle-ice-sdpfrag", 400),
        ("/whep/pc1", "PATCH", "nonsense", "application/trickle-ice-sdpfrag", 400),
        ("/whep/pc1", "PATCH", "a=candidate:x\n" * 129, "application/trickle-ice-sdpfrag", 400),
        ("/whep/pc1", "PATCH", "a=candidate:1", "application/sdp", 415),
        ("/nothing", "GET", "", "application/json", 404),
        ("/offer", "GET", "", "application/json", 405),
    ],
)
async def test_bad_signals(server: Server, path: str, method: str, content: Any, media_type: str, status: int) -> None:
    room = await enter(server)
    answer = await room.call(method, path, content=content, headers={"Content-Type": media_type})
    assert code(answer)[0] == status
    assert server.dispatcher.signals == []


async def test_pages_of_other_origins_may_use_the_room_only(server: Server) -> None:
    room = await enter(server)
    origin = {"Origin": "https://integrator.example"}
    ask = {**origin, "Access-Control-Request-Method": "PATCH", "Access-Control-Request-Headers": "authorization"}
    allowed = await server.http.options(f"/rtc/v1/rooms/{room.rid}/offer", headers=ask)
    assert allowed.status_code == 200
    assert allowed.headers["access-control-allow-origin"] == "*"
    assert "PATCH" in allowed.headers["access-control-allow-methods"]
    assert "access-control-allow-credentials" not in allowed.headers
    answer = await room.call("GET", "/state", headers=origin)
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "Location" in answer.headers["access-control-expose-headers"]
    for path in ("/v1/p1/smart-chat-rooms", "/v3/auth/tokens", "/page/v1/sessions"):
        refused = await server.http.options(path, headers=ask)
        assert refused.status_code == 405
        assert "access-control-allow-origin" not in refused.headers
