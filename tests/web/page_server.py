"""A server that answers the page as docs/protocol.md says, with an aiortc peer that plays a script.

The real server's tests are in tests/system; this one can be made to fail in every way the page has words for.
"""

from __future__ import annotations

import asyncio
import fractions
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aioice.ice
import av
import numpy as np
from aiohttp import web
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.sdp import candidate_from_sdp

# The browser and this process meet on the loopback interface, wherever the tests run.
aioice.ice.get_host_addresses = lambda use_ipv4, use_ipv6: ["127.0.0.1"]

WEB = Path(__file__).parents[2] / "visavis" / "web"
CSP = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"
FPS = 10
SUBTITLE = {"dx": 108, "dy": 1180, "width": 864, "height": 190}


def encode(pictures: list[np.ndarray]) -> list[bytes]:
    """H.264 constrained baseline access units of rgb24 pictures; the first is an IDR."""
    height, width = pictures[0].shape[:2]
    codec = av.CodecContext.create("libx264", "w")
    codec.width, codec.height, codec.pix_fmt = width, height, "yuv420p"
    codec.framerate, codec.time_base = fractions.Fraction(FPS), fractions.Fraction(1, FPS)
    codec.bit_rate, codec.thread_count, codec.profile = 1_500_000, 1, "Baseline"
    codec.options = {
        "preset": "ultrafast",
        "tune": "zerolatency",
        "x264-params": "keyint=250:repeat-headers=1:annexb=1",
    }
    units = []
    for index, picture in enumerate(pictures):
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
        frame.pts = index
        units += [bytes(packet) for packet in codec.encode(frame)]
    return units


def moving_square(width: int = 360, height: int = 640) -> list[np.ndarray]:
    pictures = []
    for index in range(10):
        picture = np.full((height, width, 3), (200, 220, 225), np.uint8)
        picture[index * 40 : index * 40 + 80, 140:220] = (12, 107, 98)
        pictures.append(picture)
    return pictures


class Picture(MediaStreamTrack):
    """Loops over encoded access units; aiortc sends packets as they are."""

    kind = "video"

    def __init__(self, units: list[bytes]) -> None:
        super().__init__()
        self.units, self.index, self.begin = units, 0, time.monotonic()

    async def recv(self) -> av.Packet:
        await asyncio.sleep(max(0.0, self.begin + self.index / FPS - time.monotonic()))
        packet = av.Packet(self.units[self.index % len(self.units)])
        packet.pts = packet.dts = self.index * 90000 // FPS
        packet.time_base = fractions.Fraction(1, 90000)
        self.index += 1
        return packet


class Tone(MediaStreamTrack):
    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self.index, self.begin = 0, time.monotonic()
        self.wave = (4000 * np.sin(np.arange(960) * 2 * np.pi * 440 / 48000)).astype(np.int16)[None]

    async def recv(self) -> av.AudioFrame:
        await asyncio.sleep(max(0.0, self.begin + self.index / 50 - time.monotonic()))
        frame = av.AudioFrame.from_ndarray(self.wave, format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 48000, self.index * 960, fractions.Fraction(1, 48000)
        self.index += 1
        return frame


@dataclass
class Refusal:
    """An error answer of the contract."""

    status: int
    code: str = ""
    text: str = "refused"
    wait: int = 0  # Retry-After, seconds

    def answer(self) -> web.Response:
        body = {"error_code": self.code, "error_msg": self.text}
        headers = {"X-Request-Id": "req-1234", **({"Retry-After": str(self.wait)} if self.wait else {})}
        return web.json_response(body, status=self.status, headers=headers)


@dataclass
class Script:
    """How the server behaves in one test."""

    refuse: dict[str, Refusal] = field(default_factory=dict)  # by call: session, token, rooms, ice, offer, state
    media: bool = True  # send sound and picture
    deaf: bool = False  # answer the offer, but never the connectivity checks
    units: list[bytes] = field(default_factory=list)
    subtitle: dict[str, int] | None = field(default_factory=lambda: dict(SUBTITLE))
    video: dict[str, int] = field(default_factory=lambda: {"width": 720, "height": 1280})
    rooms: list[dict[str, Any]] = field(default_factory=list)
    job_state: dict[str, Any] = field(default_factory=lambda: {"state": "PROCESSING"})
    answer: dict[str, Any] = field(default_factory=dict)  # more of the start answer
    tell_end: bool = True  # announce the job's end after a stop


@dataclass
class Call:
    name: str
    headers: dict[str, str]
    body: Any


class FakeServer:
    def __init__(self) -> None:
        self.port = 0
        self.default_units = encode(moving_square())
        self.reset()

    def reset(self) -> None:
        self.script = Script(units=self.default_units)
        self.calls: list[Call] = []
        self.messages: list[dict[str, Any]] = []
        self.peers: list[RTCPeerConnection] = []
        self.candidates: list[str] = []
        self.channel: Any = None
        self.motion: Any = None
        self.motion_opened = asyncio.Event()
        self.changed = asyncio.Condition()

    async def start(self) -> None:
        app = web.Application(middlewares=[self._headers])
        app.router.add_get("/", lambda _: web.FileResponse(WEB / "index.html"))
        app.router.add_static("/web", WEB)
        app.router.add_post("/page/v1/sessions", self._session)
        app.router.add_post("/v3/auth/tokens", self._token)
        app.router.add_get("/v1/{project}/smart-chat-rooms", self._rooms)
        room = "/rtc/v1/rooms/{rid}"
        app.router.add_get(f"{room}/ice-servers", self._ice)
        app.router.add_post(f"{room}/offer", self._offer)
        app.router.add_patch(f"{room}/offer", self._trickle)
        app.router.add_delete(f"{room}/peers/{{pc}}", self._leave)
        app.router.add_get(f"{room}/state", self._state)
        app.router.add_post(f"{room}/stop", self._stop)
        self._more_routes(app)
        self.runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self.runner.setup()
        site = web.TCPSite(self.runner, "127.0.0.1", 0)
        await site.start()
        self.port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]

    def _more_routes(self, app: web.Application) -> None:
        """For servers that can do more."""

    async def close(self) -> None:
        await self.hang_up()
        await self.runner.cleanup()

    async def hang_up(self) -> None:
        """Every connection breaks, as when the worker is gone."""
        peers, self.peers = self.peers, []
        await asyncio.gather(*(peer.close() for peer in peers))

    @web.middleware
    async def _headers(self, request: web.Request, handler: Callable[..., Any]) -> web.StreamResponse:
        answer: web.StreamResponse = await handler(request)
        answer.headers["Content-Security-Policy"] = CSP
        return answer

    async def _note(self, name: str, request: web.Request) -> web.Response | None:
        text = await request.text()
        body = json.loads(text) if text else None
        await self._add(self.calls, Call(name, dict(request.headers), body))
        refusal = self.script.refuse.get(name)
        return refusal.answer() if refusal else None

    async def _add(self, where: list[Any], what: Any) -> None:
        async with self.changed:
            where.append(what)
            self.changed.notify_all()

    async def _session(self, request: web.Request) -> web.Response:
        if refused := await self._note("session", request):
            return refused
        users = [
            {"user_type": "PLAYER", "user_id": "p", "signature": "00", "ctime": int(time.time()) + 7200},
            {"user_type": "END_USER", "user_id": "u1", "signature": "abcd", "ctime": int(time.time()) + 7200},
        ]
        return web.json_response(
            {
                "job_id": "job-1",
                "rtc_room_info": {"app_id": "a", "room_id": "r 1", "users": users},
                "chat_subtitle_config": self.script.subtitle,
                "video_config": self.script.video,
                **self.script.answer,
                "chat_access_address": f"127.0.0.1:{self.port}",
            }
        )

    async def _token(self, request: web.Request) -> web.Response:
        if refused := await self._note("token", request):
            return refused
        body = {"token": {"project": {"id": "p-id", "name": "demo"}, "expires_at": "2099-01-01T00:00:00.000000Z"}}
        return web.json_response(body, status=201, headers={"X-Subject-Token": "tok-1"})

    async def _rooms(self, request: web.Request) -> web.Response:
        if refused := await self._note("rooms", request):
            return refused
        return web.json_response({"count": len(self.script.rooms), "smart_chat_rooms": self.script.rooms})

    async def _ice(self, request: web.Request) -> web.Response:
        if refused := await self._note("ice", request):
            return refused
        return web.json_response({"ice_servers": []})

    async def _offer(self, request: web.Request) -> web.Response:
        if refused := await self._note("offer", request):
            return refused
        body = self.calls[-1].body
        peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.peers.append(peer)

        @peer.on("datachannel")
        def channel(channel: Any) -> None:
            if channel.label == "motion":
                self.motion = channel
                self.motion_opened.set()
                return
            self.channel = channel

            @channel.on("message")
            async def message(text: str) -> None:
                if not text.startswith("ping"):
                    await self._add(self.messages, json.loads(text))

        if self.script.media:
            if "m=video" in body["sdp"]:
                peer.addTrack(Picture(self.script.units))
            self.sound = peer.addTrack(Tone())
        await peer.setRemoteDescription(RTCSessionDescription(body["sdp"], "offer"))
        await peer.setLocalDescription(await peer.createAnswer())
        sdp = peer.localDescription.sdp
        if self.script.deaf:
            await peer.close()
        pc_id = f"pc-{len(self.peers)}"
        return web.json_response({"sdp": sdp, "type": "answer", "pc_id": pc_id})

    async def _trickle(self, request: web.Request) -> web.Response:
        await self._note("trickle", request)
        for each in self.calls[-1].body["candidates"]:
            self.candidates.append(each["candidate"])
            if each["candidate"] and self.peers and not self.script.deaf:
                candidate = candidate_from_sdp(each["candidate"].removeprefix("candidate:"))
                candidate.sdpMid, candidate.sdpMLineIndex = each["sdp_mid"], each["sdp_mline_index"]
                await self.peers[-1].addIceCandidate(candidate)
        return web.json_response({"status": "success"})

    async def _leave(self, request: web.Request) -> web.Response:
        await self._note("leave", request)
        return web.Response(status=204)

    async def _state(self, request: web.Request) -> web.Response:
        if refused := await self._note("state", request):
            return refused
        return web.json_response({"job_id": "job-1", **self.script.job_state})

    async def _stop(self, request: web.Request) -> web.Response:
        if refused := await self._note("stop", request):
            return refused
        if self.script.tell_end and self.channel:
            self.event("jobEnd", jobId="job-1", reason="NORMAL")
        return web.json_response({})

    # --- what a test says and asks --------------------------------------------------------------

    def say(self, kind: str, **data: Any) -> None:
        self.channel.send(json.dumps({"label": "rtvi-ai", "type": kind, "id": "s", "data": data}))

    def event(self, event: str, **more: Any) -> None:
        self.say("server-message", event=event, **more)

    async def called(self, name: str, count: int = 1) -> Call:
        """The ``count``-th call of that name, awaited."""
        return (await self._wait(lambda: [call for call in self.calls if call.name == name], count))[count - 1]

    async def heard(self, kind: str, count: int = 1) -> dict[str, Any]:
        """The page's ``count``-th message of that type (``client-message`` by its t)."""

        def kinds() -> list[dict[str, Any]]:
            return [
                each
                for each in self.messages
                if kind == (each["data"]["t"] if each["type"] == "client-message" else each["type"])
            ]

        return (await self._wait(kinds, count))[count - 1]

    async def _wait(self, find: Callable[[], list[Any]], count: int) -> list[Any]:
        async with asyncio.timeout(15), self.changed:
            await self.changed.wait_for(lambda: len(find()) >= count)
        return find()
