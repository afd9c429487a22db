"""An application behind a real HTTP server, and the part of a third-party driver."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import uvicorn
from control_fakes import FakeDispatcher
from control_server import Server
from jsonschema import Draft202012Validator
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from visavis.api.asyncapi import describe
from visavis.contract.drive import HARD_MAX_FRAME
from visavis.dispatch.types import JobNotRunning, SignalRefused
from visavis.session.signals import ChatBegins, DriveCommand, DriveEvent, SessionCommand

CHAT = "chat-1"

DOCUMENT = json.loads(json.dumps(describe()))


def check(message: str, frame: dict[str, Any]) -> None:
    """Raises ValidationError: the published description does not describe this frame."""
    schema = {**DOCUMENT["components"]["messages"][message]["payload"], "components": DOCUMENT["components"]}
    Draft202012Validator(schema).validate(frame)


def check_told(frame: dict[str, Any]) -> None:
    """The same for a frame of the server."""
    command = frame.get("payload", {}).get("command", "result")
    check("HEART_BEAT_told" if command == "HEART_BEAT" else command, frame)


class DrivenDispatcher(FakeDispatcher):
    """Answers an open with START_CHAT, as a session does; refuses what ``refusals`` names."""

    def __init__(self) -> None:
        super().__init__()
        self.commands: list[DriveCommand] = []
        self.refusals: dict[int, str] = {}
        self.news = asyncio.Condition()

    async def command(self, job_id: str, command: SessionCommand) -> None:
        assert command.drive is not None
        if job_id not in self.running:
            raise JobNotRunning(job_id)
        drive = command.drive
        if code := self.refusals.pop(drive.seq, ""):
            raise SignalRefused(f"refused as {code}", code)
        self.commands.append(drive)
        async with self.news:
            self.news.notify_all()
        if drive.kind == "open":
            self.tell(DriveEvent(job_id=job_id, told=ChatBegins(job_id=job_id, chat_id=CHAT)))

    async def until(self, kind: str, count: int = 1) -> DriveCommand:
        """The ``count``-th command of that kind."""
        async with asyncio.timeout(5), self.news:
            await self.news.wait_for(lambda: sum(one.kind == kind for one in self.commands) >= count)
        return [one for one in self.commands if one.kind == kind][count - 1]


@dataclass
class Line:
    """A connected driver."""

    socket: ClientConnection
    job_id: str
    log: list[dict[str, Any]] = field(default_factory=list)

    async def send(self, command: str, request_id: str = "r", **more: Any) -> None:
        """A frame, as the description has it; ``chat_id`` is the present chat's unless told."""
        data = more.pop("data", None)
        payload = {"job_id": self.job_id, "chat_id": CHAT, "command": command, **more}
        if data is not None:
            payload["data"] = data
        frame = {"request_id": request_id, "payload": payload}
        check(command, frame)
        await self.socket.send(json.dumps(frame))

    async def next(self) -> dict[str, Any]:
        """The next frame."""
        async with asyncio.timeout(5):
            frame: dict[str, Any] = json.loads(await self.socket.recv())
        check_told(frame)
        self.log.append(frame)
        return frame

    async def told(self, command: str) -> dict[str, Any]:
        """The payload of the next frame of that command."""
        while (frame := await self.next()).get("payload", {}).get("command") != command:
            pass
        payload: dict[str, Any] = frame["payload"]
        return payload

    async def refused(self) -> tuple[str, str]:
        """Code and request id of the next error."""
        while "error_code" not in (frame := await self.next()):
            pass
        return frame["error_code"], frame["request_id"]

    async def closed(self) -> tuple[int, str]:
        """Read to the end: close code and reason."""
        with contextlib.suppress(ConnectionClosed):
            while True:
                await self.next()
        assert self.socket.close_code is not None
        return self.socket.close_code, self.socket.close_reason or ""


@dataclass
class DriveServer:
    """A server with projects, reached over a real port."""

    server: Server
    dispatcher: DrivenDispatcher
    port: int

    async def job(self, app_type: int = 5) -> tuple[str, str]:
        """A running job: its room and its id."""
        room = await self.server.room(concurrency=5, robot_id=await self.server.robot(app_type=app_type))
        job_id = (await self.server.start(room))["job_id"]
        await self.server.until(room, job_id, lambda job: job["state"] == "PROCESSING")
        return room, job_id

    async def code(self, project: str = "p1") -> str:
        answer = await self.server.call("POST", "/digital-human-chat/once-code", project=project)
        return str(answer.json()["once_code"])

    def url(self, job_id: str, query: str = "", project: str = "p1") -> str:
        return f"ws://127.0.0.1:{self.port}/v1/{project}/digital-human-chat/chat-command/{job_id}{query}"

    @contextlib.asynccontextmanager
    async def line(self, job_id: str, **more: Any) -> AsyncIterator[Line]:
        """Connect with a fresh code, and read the first three frames."""
        async with connect(self.url(job_id, f"?token={await self.code()}"), **more) as socket:
            line = Line(socket, job_id)
            await line.told("CHAT_STATE")
            yield line

    async def refusal(self, job_id: str, query: str = "", project: str = "p1", **headers: str) -> tuple[int, str]:
        """HTTP status and code with which a handshake is refused."""
        with pytest.raises(InvalidStatus) as refused:
            await connect(self.url(job_id, query, project), additional_headers=headers)
        answer = refused.value.response
        assert answer.headers["x-request-id"]
        return answer.status_code, json.loads(answer.body)["error_code"]


@contextlib.asynccontextmanager
async def serving(server: Server) -> AsyncIterator[DriveServer]:
    """Serve the application, whose lifespan the test holds, on a free port."""
    assert isinstance(server.dispatcher, DrivenDispatcher)
    config = uvicorn.Config(
        server.app, port=0, lifespan="off", log_config=None, ws_max_size=HARD_MAX_FRAME, ws_per_message_deflate=False
    )
    http = uvicorn.Server(config)
    listener = config.bind_socket()
    task = asyncio.create_task(http.serve([listener]))
    try:
        yield DriveServer(server, server.dispatcher, listener.getsockname()[1])
    finally:
        http.should_exit = True
        await task
