"""``visavis demo``: one conversation as a client of the cloud would hold it, through the public interfaces only."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
import wave
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from visavis.cli.demo_record import Recording
from visavis.errors import VisavisError
from visavis.media.types import Pcm
from visavis.rtc.client import RoomClient
from visavis.rtc.tokens import bearer
from visavis.settings import Settings
from visavis.store.keys import create_key

PROJECT: Final = "demo"
QUESTIONS: Final = Path(__file__).parents[2] / "demo" / "questions"
START_S: Final = 180.0
"""The first start of a machine loads the models from a cold disk."""
ANSWER_S: Final = 60.0
STATES: Final = {0: "waiting for link", 1: "waiting to close", 2: "linked", 3: "asleep", 4: "falling asleep"}
STAGES: Final = {
    "endpoint": "silence noticed",
    "recognise": "text recognised",
    "turn": "turn ended",
    "answer": "answer found",
    "speak": "voice synthesised",
    "play": "first sound sent",
}


def line(text: str = "") -> None:
    """Print at once: somebody is watching."""
    print(text, flush=True)


@contextlib.asynccontextmanager
async def server(data: Path, log: Path, verbose: bool) -> AsyncIterator[str]:
    """Run ``visavis serve`` on a free port; yields its URL; stops it, and kills it if it does not stop."""
    line("· starting the server and warming its workers")
    with log.open("w") as sink:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "visavis.cli.main", "serve", "--host", "127.0.0.1", "--port", "0",
            "--data", str(data), "--no-demo-room", "--json",
            stdout=asyncio.subprocess.PIPE, stderr=None if verbose else sink,
        )  # fmt: skip
    try:
        assert process.stdout is not None
        try:
            async with asyncio.timeout(START_S):
                ready = await process.stdout.readline()
        except TimeoutError:
            raise VisavisError(f"the server was not ready within {START_S:.0f} s; its log is {log}") from None
        if not ready:
            raise VisavisError(f"the server stopped before it was ready; its log is {log}")
        yield json.loads(ready)["url"]
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
            try:
                async with asyncio.timeout(10):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()


class Cloud:
    """The calls of a backend, made with the vendor's own SDK. It blocks: call it in threads."""

    def __init__(self, url: str, ak: str, sk: str, project_id: str) -> None:
        from huaweicloudsdkcore.auth.credentials import BasicCredentials
        from huaweicloudsdkmetastudio.v1 import MetaStudioClient

        credentials = BasicCredentials(ak, sk, project_id)
        self._client = MetaStudioClient.new_builder().with_credentials(credentials).with_endpoint(url).build()

    def create_room(self) -> str:
        """A robot that answers from the shipped knowledge, and a portrait room for one conversation."""
        from huaweicloudsdkmetastudio.v1 import model

        robot = self._client.create_robot(
            model.CreateRobotRequest(body=model.CreateRobotReq(name="visavis demo", app_type=7))
        )
        room = model.CreateSmartChatRoomReq(
            room_name="visavis demo",
            robot_id=robot.robot_id,
            concurrency=1,
            default_language="EN",
            video_config=model.VideoConfig(width=720, height=1280, frame_rate="25", bitrate=2500, codec="H264"),
            voice_config_list=[
                model.ChatVoiceConfig(voice_asset_id="default", language="EN"),
                model.ChatVoiceConfig(voice_asset_id="default", language="CN"),
            ],
        )
        room_id: str = self._client.create_smart_chat_room(model.CreateSmartChatRoomRequest(body=room)).room_id
        return room_id

    def start(self, room_id: str) -> Any:
        """Start a job; the SDK's answer."""
        from huaweicloudsdkmetastudio.v1 import model

        request = model.StartSmartChatJobRequest(room_id=room_id, body=model.SmartChatJobsReq())
        return self._client.start_smart_chat_job(request)

    def show(self, room_id: str, job_id: str) -> Any:
        """The state call; the SDK's answer."""
        from huaweicloudsdkmetastudio.v1 import model

        return self._client.show_smart_chat_job(model.ShowSmartChatJobRequest(room_id=room_id, job_id=job_id))

    def stop(self, room_id: str, job_id: str) -> None:
        """Stop the job."""
        from huaweicloudsdkmetastudio.v1 import model

        self._client.stop_smart_chat_job(model.StopSmartChatJobRequest(room_id=room_id, job_id=job_id))


@dataclass
class Exchange:
    """What the client learnt of one question and its answer."""

    heard: str = ""
    answered: str = ""
    stages: dict[str, float] | None = None


class Ear:
    """Follows the data channel: what was heard and answered, and when the digital human falls silent."""

    def __init__(self, client: RoomClient, recording: Recording) -> None:
        self._client, self._recording = client, recording
        self.chat_state = 0

    async def until(self, wanted: str, exchange: Exchange | None = None, seconds: float = ANSWER_S) -> None:
        """Read messages until one of type or event ``wanted``."""
        try:
            async with asyncio.timeout(seconds):
                while True:
                    message = json.loads(await self._client.messages.get())
                    if (message.get("data") or {}).get("final") is False:
                        continue  # what was heard so far; the whole follows
                    kind = self._note(message, exchange or Exchange())
                    if wanted in (kind, message["type"]):
                        return
        except TimeoutError:
            raise VisavisError(f"no {wanted!r} came within {seconds:.0f} s") from None

    def _note(self, message: dict[str, Any], exchange: Exchange) -> str:
        data = message.get("data") or {}
        kind = str(data.get("event") or message["type"])
        match kind:
            case "user-transcription":
                exchange.heard = data["text"]
            case "bot-output":
                exchange.answered = f"{exchange.answered} {data['text']}".strip()
            case "latency":
                exchange.stages = data["stages"]
            case "subtitle":
                self._recording.subtitle(data["text"])
            case "jobInfoChange":
                self.chat_state = data["chat_state"]
            case "error":
                raise VisavisError(f"the digital human reports: {data.get('message')}")
        return kind


def recorded(name: str) -> tuple[Pcm, int]:
    """A recorded question: mono int16 and its sample rate."""
    with wave.open(str(QUESTIONS / name)) as file:
        return np.frombuffer(file.readframes(file.getnframes()), np.int16), file.getframerate()


async def converse(url: str, data: Path, out: Path) -> None:
    """The conversation itself."""
    key = await asyncio.to_thread(create_key, Settings(data=data), PROJECT)
    cloud = Cloud(url, key.ak, key.sk, key.project_id)
    room_id = await asyncio.to_thread(cloud.create_room)
    line("· robot and room created with the official SDK")
    began = time.monotonic()
    job = await asyncio.to_thread(cloud.start, room_id)

    async def report(when: str) -> None:
        shown = await asyncio.to_thread(cloud.show, room_id, job.job_id)
        state = f"{shown.chat_state} ({STATES[shown.chat_state]})"
        line(f"  {when:<28} job {shown.state:<10} chat_state {state}")

    await report("started")
    person = next(user for user in job.rtc_room_info.users if user.user_type == "END_USER")
    with Recording(out / "conversation.mp4", out / "conversation.vtt") as recording:
        client = RoomClient.end_user(
            url,
            job.rtc_room_info.room_id,
            bearer(person.user_id, person.ctime, person.signature),
            on_video=recording.video,
            on_audio=recording.audio,
        )
        async with client:
            await asyncio.wait_for(recording.first_picture.wait(), 20)
            line(
                f"· joined the RTC room as END_USER; first picture {time.monotonic() - began:.2f} s after the start call"
            )
            ear = Ear(client, recording)
            while ear.chat_state != 2:
                await ear.until("jobInfoChange")
            await report("END_USER's media flows")
            for name in ("en.wav", "zh.wav"):
                exchange = Exchange()
                pcm, rate = recorded(name)
                line(f"\n  asking {name} ({len(pcm) / rate:.1f} s of sound)")
                await client.speak(pcm, rate)
                await ear.until("bot-started-speaking", exchange)
                await report("while it speaks")
                await ear.until("latency", exchange)
                await ear.until("bot-stopped-speaking", exchange)
                tell(exchange)
            await asyncio.to_thread(cloud.stop, room_id, job.job_id)
            with contextlib.suppress(VisavisError):
                await ear.until("jobEnd", seconds=5)
    line()
    await report("stopped")
    line(
        f"\n· saved {recording.path} ({recording.seconds:.1f} s, {recording.frames} pictures) and {recording.captions_path}"
    )


def tell(exchange: Exchange) -> None:
    """Print one exchange and its latency, stage by stage."""
    line(f"  heard     {exchange.heard}")
    line(f"  answered  {exchange.answered}")
    line("  latency from the end of the question:")
    before = 0.0
    for stage, seconds in (exchange.stages or {}).items():
        line(f"    {STAGES.get(stage, stage):<18} {seconds:6.3f} s   (+{seconds - before:.3f})")
        before = seconds


async def _main(out: Path, data: Path, verbose: bool) -> None:
    async with server(data, out / "server.log", verbose) as url:
        line(f"· the server listens at {url}")
        await converse(url, data, out)


def run(out: Path, data: Path | None, *, verbose: bool) -> int:
    """Hold the conversation; exit status."""
    os.environ.setdefault("NO_PROXY", "127.0.0.1,localhost")
    data = data or out / "data"
    out.mkdir(parents=True, exist_ok=True)
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    asyncio.run(_main(out, data, verbose))
    line("· everything is stopped")
    return 0
