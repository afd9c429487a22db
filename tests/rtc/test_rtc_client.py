"""The client's HTTP side, against a small server that speaks docs/protocol.md with a real room behind it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import numpy as np
import pytest
from aiohttp import web
from rtc_support import LOOPBACK, Inbox, colour, show

from visavis.rtc import tokens
from visavis.rtc.client import ClientError, RoomClient
from visavis.rtc.ice import IceServer
from visavis.rtc.room import Room
from visavis.rtc.sdpfrag import parse_sdpfrag
from visavis.rtc.signalling import SignallingError

BEARER = tokens.bearer("person", 2_000_000_000, tokens.sign("key", "app", "rid", "person", 2_000_000_000))


def routes(room: Room, calls: list[str]) -> web.Application:
    @web.middleware
    async def check(request: web.Request, handler) -> web.StreamResponse:
        calls.append(f"{request.method} {request.path}")
        user, ctime, signature = tokens.parse_bearer(request.headers.get("Authorization"))
        try:
            tokens.verify("key", "app", "rid", user, ctime, signature, 0.0)
        except tokens.TokenRefused as error:
            return web.json_response({"error_code": "MSS.00010008", "error_msg": str(error)}, status=401)
        return await handler(request)

    async def ice(_: web.Request) -> web.Response:
        return web.json_response({"ice_servers": [IceServer(["stun:192.0.2.99:3478"]).as_dict()]})

    async def offer(request: web.Request) -> web.Response:
        body = await request.json()
        assert body["type"] == "offer"
        pc_id, sdp = await room.offer("END_USER", "person", body["sdp"], body.get("pc_id"))
        return web.json_response({"sdp": sdp, "type": "answer", "pc_id": pc_id})

    async def trickle(request: web.Request) -> web.Response:
        body = await request.json()
        room.candidates(
            body["pc_id"], [(one["candidate"], one["sdp_mid"], one["sdp_mline_index"]) for one in body["candidates"]]
        )
        return web.json_response({"status": "success"})

    async def leave(request: web.Request) -> web.Response:
        await room.leave(request.match_info["pc_id"])
        return web.Response(status=204)

    async def whep(request: web.Request) -> web.Response:
        assert request.content_type == "application/sdp"
        pc_id, sdp = await room.offer("PLAYER", "person", await request.text())
        location = f"/rtc/v1/rooms/rid/whep/{pc_id}"
        return web.Response(status=201, text=sdp, content_type="application/sdp", headers={"Location": location})

    async def whep_trickle(request: web.Request) -> web.Response:
        assert request.content_type == "application/trickle-ice-sdpfrag"
        room.candidates(request.match_info["pc_id"], parse_sdpfrag(await request.text()))
        return web.Response(status=204)

    app = web.Application(middlewares=[check])
    root = "/rtc/v1/rooms/rid"
    app.router.add_get(f"{root}/ice-servers", ice)
    app.router.add_post(f"{root}/offer", offer)
    app.router.add_patch(f"{root}/offer", trickle)
    app.router.add_delete(f"{root}/peers/{{pc_id}}", leave)
    app.router.add_post(f"{root}/whep", whep)
    app.router.add_patch(f"{root}/whep/{{pc_id}}", whep_trickle)
    app.router.add_delete(f"{root}/whep/{{pc_id}}", leave)
    return app


@asynccontextmanager
async def served() -> AsyncIterator[tuple[str, Room, list[str]]]:
    calls: list[str] = []
    async with show() as (room, _):
        runner = web.AppRunner(routes(room, calls))
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        try:
            port = runner.addresses[0][1]
            yield f"http://127.0.0.1:{port}", room, calls
        finally:
            await runner.cleanup()


async def test_end_user_and_viewer_over_http() -> None:
    async with served() as (base, room, calls):
        seen, watched = Inbox(), Inbox()
        async with (
            RoomClient.end_user(base, "rid", BEARER, on_video=seen, config=LOOPBACK) as person,
            RoomClient.watch(base, "rid", BEARER, on_video=watched, config=LOOPBACK),
        ):
            await seen.count(10)
            await watched.count(10)
            assert colour(watched.items[-1]) == pytest.approx((81, 90, 240), abs=3)
            assert room.players == 1
            started = asyncio.get_running_loop().time()
            await person.speak(np.full(8_000, 3000, np.int16), 16_000)
            assert asyncio.get_running_loop().time() - started == pytest.approx(0.5, abs=0.2)
        assert room.stats()["viewers"] == 0, "both took their leave"
        assert [call.split("/")[0] + call.rsplit("/", 1)[-1][:5] for call in calls].count("POST offer") == 1
        assert any(call.startswith("DELETE /rtc/v1/rooms/rid/whep/") for call in calls)
        assert any(call.startswith("PATCH /rtc/v1/rooms/rid/whep/") for call in calls)
        assert any(call.startswith("DELETE /rtc/v1/rooms/rid/peers/") for call in calls)


async def test_refused_token_is_told_with_its_code() -> None:
    async with served() as (base, room, _):
        forged = tokens.bearer("person", 2_000_000_001, "0" * 64)
        with pytest.raises(SignallingError) as refused:
            await RoomClient.end_user(base, "rid", forged).connect()
        assert (refused.value.status, refused.value.error_code) == (401, "MSS.00010008")
        assert room.stats()["viewers"] == 0


async def test_no_server_is_told() -> None:
    with pytest.raises(SignallingError, match=r"127\.0\.0\.1"):
        await RoomClient.end_user("http://127.0.0.1:9", "rid", BEARER).connect()


async def test_cancelled_connect_leaves_nothing() -> None:
    async with served() as (base, _, _):
        before = asyncio.all_tasks()
        client = RoomClient.end_user(base, "rid", BEARER, config=LOOPBACK)
        connecting = asyncio.create_task(client.connect())
        await asyncio.sleep(0.03)
        connecting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await connecting
        assert client.closed.is_set()
        with pytest.raises(ClientError, match="data channel"):
            client.send("x")
        left = [task for task in asyncio.all_tasks() - before if "visavis/rtc/client.py" in repr(task)]
        assert not left
