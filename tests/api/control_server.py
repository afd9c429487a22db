"""The application in this process as tests hold it: signed calls, a clock that they move, short ways to make things."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx
from control_fakes import FakeDispatcher
from fastapi import FastAPI

from visavis.api import signing
from visavis.api.catalogue import AvatarEntry, FixedCatalogue
from visavis.settings import Settings
from visavis.speech.types import Voice
from visavis.store import identity

CATALOGUE = FixedCatalogue(
    [Voice("en-amy", "Amy", ("en",), "female", "hibari"), Voice("zh-lin", "Lin", ("zh",), "male", "kokoro")],
    [
        AvatarEntry("anny", "Anny", "CC0", "female"),
        AvatarEntry("bob", "Bob", "CC0", "male"),
        AvatarEntry("large", "Large", "CC0", resolution="4K"),
    ],
)
HOST = "server.test:8080"
PORTRAIT = {"width": 720, "height": 1280, "bitrate": 2500}
"""What a video_config must have."""


class Clock:
    """Epoch seconds, moved by the test."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Server:
    """What a test holds of a running application."""

    app: FastAPI
    http: httpx.AsyncClient
    dispatcher: FakeDispatcher
    clock: Clock
    settings: Settings
    keys: dict[str, identity.AccessKey] = field(default_factory=dict)

    @property
    def context(self) -> Any:
        return self.app.state.context

    async def project(self, project_id: str) -> None:
        await identity.ensure_project(self.context.database, project_id, self.clock())
        self.keys[project_id] = await identity.add_key(self.context.database, project_id, self.clock())

    async def call(
        self, method: str, path: str, body: Any = None, project: str = "p1", headers: dict[str, str] | None = None
    ) -> httpx.Response:
        """A request signed with the project's key; ``path`` begins behind /v1/{project_id} unless it begins with //."""
        full = path[1:] if path.startswith("//") else f"/v1/{project}{path}"
        content = b"" if body is None else json.dumps(body).encode()
        request = self.http.build_request(
            method, full, content=content, headers={"Content-Type": "application/json", **(headers or {})}
        )
        sign_request(request, self.keys[project], self.clock())
        return await self.http.send(request)

    async def robot(self, project: str = "p1", **more: Any) -> str:
        answer = await self.call("POST", "/digital-human-chat/robot", {"name": "r", "app_type": 7, **more}, project)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["robot_id"])

    async def room(self, project: str = "p1", **more: Any) -> str:
        body = {"room_name": "room", "concurrency": 2, **more}
        if "video_config" in body:
            body["video_config"] = {**PORTRAIT, **body["video_config"]}
        answer = await self.call("POST", "/smart-chat-rooms", body, project)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["room_id"])

    async def start(self, room_id: str, project: str = "p1", body: Any = None) -> dict[str, Any]:
        answer = await self.call("POST", jobs(room_id), body, project)
        assert answer.status_code == 200, answer.text
        result: dict[str, Any] = answer.json()
        return result

    async def show(self, room_id: str, job_id: str, project: str = "p1") -> dict[str, Any]:
        answer = await self.call("GET", f"{jobs(room_id)}/{job_id}/state", project=project)
        assert answer.status_code == 200, answer.text
        result: dict[str, Any] = answer.json()
        return result

    async def until(self, room_id: str, job_id: str, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The job's state as soon as ``wanted`` holds: events of workers are taken in by another task."""
        async with asyncio.timeout(5):
            while True:
                if wanted(shown := await self.show(room_id, job_id)):
                    return shown
                await asyncio.sleep(0)  # a look takes no turn of the loop by itself


def jobs(room_id: str) -> str:
    return f"/digital-human-chat/smart-chat-rooms/{room_id}/smart-chat-jobs"


def sign_request(request: httpx.Request, key: identity.AccessKey, now: float) -> None:
    """Sign with our own signer; tests/api/test_api_signing.py holds it against the SDK's."""
    date = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%SZ")
    request.headers["X-Sdk-Date"] = date
    request.headers["X-Project-Id"] = key.project_id
    names = ["host", "x-project-id", "x-sdk-date"]
    signed = signing.SignedRequest(
        request.method, request.url.path, request.url.query.decode(), list(request.headers.items()), request.content
    )
    headers = {name: request.headers[name] for name in names}
    signature = signing.sign(signed, headers, names, date, key.sk)
    request.headers["Authorization"] = (
        f"{signing.ALGORITHM} Access={key.ak}, SignedHeaders={';'.join(names)}, Signature={signature}"
    )
