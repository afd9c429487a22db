"""A real server for the system tests: the real command, on free ports of 127.0.0.1, ended by the test."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import select
import signal
import subprocess
import sys
import time
import wave
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
import httpx
import numpy as np
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkmetastudio.v1 import MetaStudioClient, model

from visavis.avatar.pack import Pack
from visavis.media.clock import SAMPLE_RATE
from visavis.rtc.client import Received, RoomClient
from visavis.rtc.tokens import bearer
from visavis.settings import Settings
from visavis.store.keys import create_key

START_S = 120
QUESTIONS = Path(__file__).parents[2] / "demo" / "questions"


@dataclass
class RunningServer:
    """``visavis serve`` as a process of its own."""

    data: Path
    environment: dict[str, str] = field(default_factory=dict)
    arguments: tuple[str, ...] = ()
    url: str = ""
    link: str = ""
    ready: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[str] | None = None

    def start(self, *, demo_room: bool = False) -> RunningServer:
        """Start it and wait until its workers are warm. Unless told to it synthesises nothing ahead, which would take a core."""
        with (self.data.parent / f"{self.data.name}.log").open("a") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "visavis.cli.main", "serve", "--port", "0", "--data", str(self.data), "--json",
                 "--demo-room" if demo_room else "--no-demo-room", *self.arguments],
                stdout=subprocess.PIPE, stderr=log, text=True, env={**os.environ, "VISAVIS_WARM_ANSWERS": "false", **self.environment},
            )  # fmt: skip
        assert self.process.stdout is not None
        readable, _, _ = select.select([self.process.stdout], [], [], START_S)
        line = self.process.stdout.readline() if readable else ""
        if not line:
            self.kill()
            raise AssertionError(f"the server did not get ready:\n{self.log[-4000:]}")
        self.ready = json.loads(line)
        self.url, self.link = self.ready["url"], self.ready["link"]
        return self

    @property
    def log(self) -> str:
        return (self.data.parent / f"{self.data.name}.log").read_text()

    def stop(self) -> float:
        """SIGTERM; how many seconds it took to end."""
        assert self.process is not None
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(15)
        finally:
            self.kill()
        return time.monotonic() - began

    def kill(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)

    def cloud(self, project: str = "tests") -> Cloud:
        with ThreadPoolExecutor(1) as pool:  # tests may call this from a running event loop
            key = pool.submit(create_key, Settings(data=self.data), project).result()
        return Cloud(self.url, key.ak, key.sk, key.project_id)

    def metrics(self) -> str:
        return httpx.get(f"{self.url}/metrics").text


class Cloud:
    """The vendor's SDK, unmodified, with the calls the tests make."""

    def __init__(self, url: str, ak: str, sk: str, project: str) -> None:
        self.url, self.project = url, project
        self.sdk = (
            MetaStudioClient.new_builder()
            .with_credentials(BasicCredentials(ak, sk, project))
            .with_endpoint(url)
            .build()
        )

    def robot(self, **more: Any) -> str:
        body = model.CreateRobotReq(name="tests", **{"app_type": 7, **more})
        return self.sdk.create_robot(model.CreateRobotRequest(body=body)).robot_id

    def room(self, **more: Any) -> str:
        size = {key: more.pop(key) for key in ("width", "height") if key in more} or {"width": 720, "height": 1280}
        body = model.CreateSmartChatRoomReq(
            room_name="tests",
            robot_id=more.pop("robot_id", None) or self.robot(),
            video_config=model.VideoConfig(**size, frame_rate="25", bitrate=2500, codec="H264"),
            voice_config_list=[
                model.ChatVoiceConfig(voice_asset_id="default", language="EN"),
                model.ChatVoiceConfig(voice_asset_id="default", language="CN"),
            ],
            **{"concurrency": 4, "default_language": "EN", **more},
        )
        return self.sdk.create_smart_chat_room(model.CreateSmartChatRoomRequest(body=body)).room_id

    def start(self, room_id: str) -> Any:
        return self.sdk.start_smart_chat_job(
            model.StartSmartChatJobRequest(room_id=room_id, body=model.SmartChatJobsReq())
        )

    def show(self, room_id: str, job_id: str) -> Any:
        return self.sdk.show_smart_chat_job(model.ShowSmartChatJobRequest(room_id=room_id, job_id=job_id))

    def stop(self, room_id: str, job_id: str) -> Any:
        return self.sdk.stop_smart_chat_job(model.StopSmartChatJobRequest(room_id=room_id, job_id=job_id))


def token_of(job: Any, user_type: str = "END_USER") -> str:
    user = next(user for user in job.rtc_room_info.users if user.user_type == user_type)
    return bearer(user.user_id, user.ctime, user.signature)


@dataclass
class Senses:
    """What a client saw and heard, with the server's times."""

    pictures: list[Received] = field(default_factory=list)
    sounds: list[Received] = field(default_factory=list)
    keep_pictures: bool = True
    on_picture: Callable[[Received], None] = lambda received: None

    def see(self, received: Received) -> None:
        self.on_picture(received)
        if self.keep_pictures:
            self.pictures.append(received)

    def hear(self, received: Received) -> None:
        self.sounds.append(received)

    def sound(self, since: float = 0.0) -> np.ndarray:
        """Mono float sound at 48 kHz from server time ``since`` on."""
        blocks = [_mono(one.frame) for one in self.sounds if one.pts >= since]
        return np.concatenate(blocks) if blocks else np.zeros(0, np.float32)

    def luma(self, box: tuple[int, int, int, int], since: float, until: float = float("inf")) -> np.ndarray:
        """The Y plane within ``box`` (x, y, width, height) of each picture of a time: shape (pictures, height, width)."""
        x, y, width, height = box
        chosen = [one.frame for one in self.pictures if since <= one.pts <= until]
        return np.stack([frame.to_ndarray(format="gray")[y : y + height, x : x + width] for frame in chosen]).astype(
            float
        )


def _mono(frame: av.AudioFrame) -> np.ndarray:
    samples = frame.to_ndarray()
    channels = len(frame.layout.channels)
    if not frame.format.is_planar:
        samples = samples.reshape(-1, channels).T
    return samples.mean(0).astype(np.float32) / (32768 if frame.format.name.startswith("s16") else 1)


def to_16k(sound: np.ndarray) -> np.ndarray:
    """48 kHz float -> 16 kHz int16, for the recogniser."""
    import soxr

    return (np.clip(soxr.resample(sound, SAMPLE_RATE, 16_000), -1, 1) * 32767).astype(np.int16)


@dataclass
class Guest:
    """An END_USER connected to a job."""

    cloud: Cloud
    room_id: str
    job: Any
    client: RoomClient
    senses: Senses
    log: list[dict[str, Any]] = field(default_factory=list)

    async def until(
        self, kind: str, check: Callable[[dict[str, Any]], bool] = lambda _: True, seconds: float = 40
    ) -> dict[str, Any]:
        """The next message of that type or event, but what was heard so far of something; all messages go to ``log``."""
        try:
            async with asyncio.timeout(seconds):
                while True:
                    message = json.loads(await self.client.messages.get())
                    self.log.append(message)
                    data = message.get("data") or {}
                    if kind in (message["type"], data.get("event")) and data.get("final", True) and check(data):
                        return data
        except TimeoutError:
            raise AssertionError(f"no {kind} within {seconds} s; got {[_short(m) for m in self.log[-20:]]}") from None

    async def show(self) -> Any:
        return await asyncio.to_thread(self.cloud.show, self.room_id, self.job.job_id)

    async def until_shown(self, chat_state: int, seconds: float = 10) -> Any:
        """The state call's answer once it says ``chat_state``: the guest is told directly, the server writes it down
        a moment later. Each call is an event of its own, so there is nothing else to wait for."""
        async with asyncio.timeout(seconds):
            while (shown := await self.show()).chat_state != chat_state:
                pass
        return shown

    async def stop(self) -> None:
        await asyncio.to_thread(self.cloud.stop, self.room_id, self.job.job_id)

    def tell(self, kind: str, **data: Any) -> None:
        self.client.send(json.dumps({"label": "rtvi-ai", "type": kind, "id": "t", "data": data}))

    def command(self, name: str, **data: Any) -> None:
        self.tell("client-message", t=name, d=data)


def _short(message: dict[str, Any]) -> str:
    return f"{message['type']}:{(message.get('data') or {}).get('event', '')}"


@contextlib.asynccontextmanager
async def guest(cloud: Cloud, room_id: str, *, stop: bool = True, keep_pictures: bool = True) -> AsyncIterator[Guest]:
    """Start a job, join it as END_USER, wait until linked; stop it at the end."""
    job = await asyncio.to_thread(cloud.start, room_id)
    senses = Senses(keep_pictures=keep_pictures)
    client = RoomClient.end_user(
        cloud.url, job.rtc_room_info.room_id, token_of(job), on_video=senses.see, on_audio=senses.hear
    )
    try:
        async with client:
            visitor = Guest(cloud, room_id, job, client, senses)
            await visitor.until("jobInfoChange", lambda data: data["chat_state"] == 2)
            yield visitor
            if stop:
                await visitor.stop()
    finally:
        if stop:
            with contextlib.suppress(Exception):
                await asyncio.to_thread(cloud.stop, room_id, job.job_id)


@contextlib.contextmanager
def serving(data: Path, *arguments: str, demo_room: bool = False, **environment: str) -> Iterator[RunningServer]:
    """A server for one test or module."""
    server = RunningServer(data, {f"VISAVIS_{name.upper()}": value for name, value in environment.items()}, arguments)
    server.start(demo_room=demo_room)
    try:
        yield server
    finally:
        if server.process is not None and server.process.poll() is None:
            server.stop()


def recorded(name: str) -> tuple[np.ndarray, int]:
    with wave.open(str(QUESTIONS / name)) as file:
        return np.frombuffer(file.readframes(file.getnframes()), np.int16), file.getframerate()


def mouth_box(pack: Pack, width: int, height: int) -> tuple[int, int, int, int]:
    """A box around the lips in a whole picture of that size."""
    view = pack.manifest.views.portrait if height > width else pack.manifest.views.landscape
    scale = width / view.width
    mouth, chin = pack.manifest.anchors.mouth, pack.manifest.anchors.chin
    reach = (chin.y - mouth.y) * scale * 0.6
    x, y = (mouth.x - view.x) * scale, (mouth.y - view.y) * scale
    return int(x - reach), int(y - reach), int(2 * reach), int(2 * reach)


def movement(luma: np.ndarray) -> float:
    """How much a box changes from picture to picture: the 90th percentile of the mean absolute difference, grey levels."""
    return float(np.percentile(np.abs(np.diff(luma, axis=0)).mean((1, 2)), 90))


def words(text: str) -> set[str]:
    return set(re.findall(r"[a-z]+|[\u4e00-\u9fff]", text.lower()))
