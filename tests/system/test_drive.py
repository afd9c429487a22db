"""A third party drives a job of the real server: the END_USER hears it and sees its lips, and it hears the END_USER."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from huaweicloudsdkmetastudio.v1 import model
from running import Cloud, Guest, RunningServer, guest, mouth_box, movement, recorded, to_16k, words
from websockets.asyncio.client import ClientConnection, connect

from visavis.avatar.pack import find, search_folders
from visavis.speech.types import Recogniser

pytestmark = [pytest.mark.system, pytest.mark.timeout(180)]

DOCUMENT = Path(__file__).parents[2] / "docs" / "drive.md"
LONG = (
    "This is a very long story that nobody wants to hear, and yet it goes on, and on, and on, until somebody ends it. "
)


def address(cloud: Cloud, job_id: str) -> str:
    return f"{cloud.url.replace('http', 'ws', 1)}/v1/{cloud.project}/digital-human-chat/chat-command/{job_id}"


async def code(cloud: Cloud) -> str:
    answer = await asyncio.to_thread(cloud.sdk.create_once_code, model.CreateOnceCodeRequest())
    return str(answer.once_code)


class Driver:
    """The third party."""

    def __init__(self, socket: ClientConnection, job_id: str) -> None:
        self.socket, self.job_id, self.chat_id = socket, job_id, ""

    async def send(self, command: str, **data: Any) -> None:
        payload = {"command": command, "job_id": self.job_id, "chat_id": self.chat_id, "data": data}
        await self.socket.send(json.dumps({"request_id": "t", "payload": payload}))

    async def told(self, command: str) -> dict[str, Any]:
        """The data of the next such frame; START_CHAT is taken in on the way."""
        async with asyncio.timeout(40):
            while True:
                frame = json.loads(await self.socket.recv())
                assert frame.get("error_code", "MSS.00000000") == "MSS.00000000", frame
                payload = frame.get("payload", {})
                if payload.get("command") == "START_CHAT":
                    self.chat_id = payload["chat_id"]
                if payload.get("command") == command:
                    data: dict[str, Any] = payload.get("data", {})
                    return data

    async def play(self, pcm: np.ndarray, rate: int, text: str) -> None:
        """As a synthesiser would stream it: frames of 200 ms, as fast as they go."""
        pieces = [pcm[at : at + rate // 5] for at in range(0, len(pcm), rate // 5)]
        for seq, piece in enumerate(pieces, 1):
            more = {"sample_rate": rate, "text": text} if seq == 1 else {}
            audio = base64.b64encode(piece.astype("<i2").tobytes()).decode()
            await self.send("AUDIO_DRIVE", audio=audio, seq=seq, is_last=seq == len(pieces), **more)


@contextlib.asynccontextmanager
async def driving(cloud: Cloud, visitor: Guest) -> AsyncIterator[Driver]:
    job_id = visitor.job.job_id
    async with connect(f"{address(cloud, job_id)}?token={await code(cloud)}") as socket:
        driver = Driver(socket, job_id)
        await driver.told("START_CHAT")
        assert (await driver.told("CHAT_STATE"))["chat_state"] == 2
        yield driver


def heard_of(text: str, said: str) -> float:
    """Which part of the words of ``text`` is in ``said``."""
    wanted = words(text)
    return len(wanted & words(said)) / len(wanted)


async def test_a_third_party_drives_it(server: RunningServer, cloud: Cloud, recogniser: Recogniser) -> None:
    robot = await asyncio.to_thread(cloud.robot, app_type=5)
    room_id = await asyncio.to_thread(cloud.room, robot_id=robot)
    async with guest(cloud, room_id, stop=False) as visitor, driving(cloud, visitor) as driver:
        senses = visitor.senses
        rested = asyncio.Event()
        senses.on_picture = lambda _: rested.set() if len(senses.pictures) > 30 else None
        await asyncio.wait_for(rested.wait(), 15)  # more than a second of a face at rest, to compare with

        # Text, as a model writes it.
        for seq, piece in enumerate(["Good morn", "ing every", "body, I am a puppet. ", "Somebody else speaks."], 1):
            await driver.send("TEXT_DRIVE", text=piece, seq=seq, is_last=seq == 4)
        start = await driver.told("SPEAKING_START")
        assert start["text"] == "Good morning everybody,"
        stop = await driver.told("SPEAKING_STOP")
        assert stop["text"] == "Good morning everybody, I am a puppet. Somebody else speaks."
        await visitor.until("bot-stopped-speaking")
        said = await recogniser.transcribe(to_16k(senses.sound()), "en")
        assert heard_of(stop["text"], said.text) > 0.7, said.text

        # Sound, which nobody here has made: the lips hear it.
        pcm, rate = recorded("en.wav")
        subtitle = "Which languages can you speak?"
        mark = senses.sounds[-1].pts
        await driver.play(pcm, rate, subtitle)
        assert (await driver.told("SPEAKING_START"))["text"] == subtitle
        await visitor.until("subtitle", lambda data: data["text"] == subtitle)
        await visitor.until("bot-stopped-speaking")
        stop = await driver.told("SPEAKING_STOP")
        assert stop["text"] == subtitle
        assert stop["duration_ms"] == pytest.approx(len(pcm) / rate * 1000, abs=60)
        said = await recogniser.transcribe(to_16k(senses.sound(mark)), "en")
        assert "languages" in said.text.lower()
        box = mouth_box(find("default", search_folders(server.data)), 720, 1280)
        loud = [one.pts for one in senses.sounds if one.pts > mark and _peak(one) > 1500]
        first = min(one.pts for one in senses.sounds if _peak(one) > 1500)
        speaking = movement(senses.luma(box, loud[0] + 0.1, loud[-1] - 0.1))
        silent = movement(senses.luma(box, senses.pictures[0].pts, first - 0.3))
        assert speaking > 2.5 * silent, (speaking, silent)

        # Interrupted, it is silent at once, and what waits is forgotten.
        await driver.send("TEXT_DRIVE", text=LONG * 10)
        await driver.told("SPEAKING_START")
        await visitor.until("bot-started-speaking")
        await driver.send("INTERRUPT_CHAT")
        cut = await driver.told("CHAT_INTERRUPTED")
        assert LONG.startswith(cut["text"][:20])
        assert len(cut["text"]) < len(LONG)
        await visitor.until("bot-stopped-speaking")

        # The person asks; the driver answers in that chat.
        before, mark = driver.chat_id, senses.sounds[-1].pts
        await visitor.client.speak(pcm, rate)
        asked = await driver.told("SPEECH_RECOGNIZED")
        assert not asked["is_last"], "what is heard so far comes first"
        assert driver.chat_id == before
        while not asked["is_last"]:
            asked = await driver.told("SPEECH_RECOGNIZED")
        assert driver.chat_id != before
        assert "languages" in asked["text"].lower()
        assert (asked["language"], asked["input"]) == ("EN", "AUDIO")
        quiet = to_16k(senses.sound(mark + 0.3))
        assert np.abs(quiet).max() < 500, "nobody but the driver answers, and the long story is over"
        mark = senses.sounds[-1].pts
        await driver.send("TEXT_DRIVE", text="I speak English and Chinese.")
        await driver.told("SPEAKING_STOP")
        await visitor.until("bot-stopped-speaking")
        said = await recogniser.transcribe(to_16k(senses.sound(mark)), "en")
        assert heard_of("I speak English and Chinese.", said.text) > 0.7, said.text

        # And the driver ends it.
        await driver.send("STOP_CHAT")
        assert await driver.told("JOB_FINISHED") == {"reason": "NORMAL"}
        await driver.socket.wait_closed()
        assert driver.socket.close_code == 1000
        await visitor.until("jobEnd")
    ended = await asyncio.to_thread(cloud.show, room_id, visitor.job.job_id)
    assert ended.state == "SUCCEED"
    assert "visavis_drive_connections 0.0" in server.metrics()


def _peak(received: Any) -> float:
    return float(np.abs(received.frame.to_ndarray().astype(float)).max())


async def test_the_driver_of_the_documents_works(cloud: Cloud, tmp_path: Path) -> None:
    (example,) = re.findall(r"^```python\n(.*?)^```", DOCUMENT.read_text(), re.DOTALL | re.MULTILINE)
    program = tmp_path / "driver.py"
    program.write_text(example)
    room_id = await asyncio.to_thread(cloud.room, robot_id=await asyncio.to_thread(cloud.robot, app_type=5))
    async with guest(cloud, room_id, stop=False, keep_pictures=False) as visitor:
        process = await asyncio.create_subprocess_exec(
            sys.executable, str(program), address(cloud, visitor.job.job_id), await code(cloud),
            stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert process.stdout is not None
        try:
            async with asyncio.timeout(20):
                assert (await process.stdout.readline()).startswith(b"MSS.00000000")
                assert await process.stdout.readline() == b"driving\n"  # before it, a question meets nobody
            visitor.tell("send-text", content="Is anybody there?")
            await visitor.until("bot-output", lambda data: data["text"] == "You said, Is anybody there?")
            await visitor.stop()
            async with asyncio.timeout(20):
                assert await process.stdout.read() == b"over: NORMAL\n"
                assert await process.wait() == 0
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
