"""The third-party drive WebSocket, through a real HTTP server and a real WebSocket client; the test plays the worker."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import logging
import time
import wave
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest
import pytest_asyncio
from control_server import Server, sign_request
from drive_server import CHAT, DrivenDispatcher, DriveServer, serving
from websockets.asyncio.client import connect

from visavis import log
from visavis.contract.drive import (
    ChatInterrupted,
    ContinueDrive,
    ContinueDriveData,
    SpeakingStart,
    SpeakingStartData,
    SpeakingStopData,
    SpeechRecognized,
    SpeechRecognizedData,
)
from visavis.contract.roles import Role
from visavis.session.signals import DriveEvent
from visavis.store import audit, codes, identity, tokens

MakeServer = Callable[..., Awaitable[Server]]
SOUND = bytes(range(200)) * 16


@pytest.fixture
def database_kind() -> str:
    """Frames do not get into the database: one kind of it will do, but for who gets in."""
    return "sqlite"


@pytest_asyncio.fixture
async def drive(make_server: MakeServer) -> AsyncIterator[DriveServer]:
    async with serving(await make_server(DrivenDispatcher())) as served:
        yield served


def encoded(sound: bytes = SOUND) -> str:
    return base64.b64encode(sound).decode()


def wav(sound: bytes, rate: int = 24_000, channels: int = 1) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(channels)
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes(sound)
    return file.getvalue()


async def token_of(server: Server, role: Role = Role.OPERATOR, project: str = "p1") -> str:
    database = server.context.database
    user = await identity.put_user(database, project, f"{role.value}-of-{project}", "hash", 1.0, role)
    return await tokens.issue(database, user, project, server.clock.now, 600)


# --- opening -----------------------------------------------------------------------------------------------------


async def test_it_opens_as_published(drive: DriveServer) -> None:
    room, job_id = await drive.job()
    drive.dispatcher.link(job_id)
    await drive.server.until(room, job_id, lambda job: job["chat_state"] == 2)
    async with drive.line(job_id) as line:
        opened, start, state = line.log
        assert {key: opened[key] for key in ("error_code", "error_msg")} == {
            "error_code": "MSS.00000000",
            "error_msg": "success",
        }
        assert opened["request_id"] == line.socket.response.headers["x-request-id"]
        assert start["request_id"]
        assert start["payload"] == {
            "job_id": job_id,
            "command": "START_CHAT",
            "chat_id": CHAT,
            "data": {"heart_beat_interval": 20.0, "time_out": 60.0},
        }
        assert state["payload"] == {"job_id": job_id, "command": "CHAT_STATE", "data": {"chat_state": 2}}
        assert "visavis_drive_connections 1.0" in (await drive.server.http.get("/metrics")).text
    await drive.dispatcher.until("close")


async def test_a_code_opens_one_connection_of_its_project_and_room(drive: DriveServer) -> None:
    _, job_id = await drive.job()
    code = await drive.code()
    elsewhere = await codes.create(drive.server.context.database, "p1", drive.server.clock(), "elsewhere")
    async with connect(drive.url(job_id, f"?token={code}")) as socket:
        assert json.loads(await socket.recv())["error_code"] == "MSS.00000000"
    assert await drive.refusal(job_id, f"?token={code}") == (401, "MSS.47010105"), "used"
    assert await drive.refusal(job_id, f"?token={elsewhere}") == (401, "MSS.47010105"), "of another room"
    old = await drive.code()
    drive.server.clock.now += 300
    assert await drive.refusal(job_id, f"?token={old}") == (401, "MSS.47010105"), "expired"
    await drive.server.project("p2")
    assert await drive.refusal(job_id, f"?token={await drive.code('p2')}") == (401, "MSS.47010105"), "foreign"
    assert await drive.refusal(job_id, f"?token={await drive.code('p2')}", "p2") == (404, "MSS.20010074"), "hidden"


@pytest.mark.parametrize("database_kind", ["sqlite", "postgresql"])
async def test_of_many_drivers_with_one_code_one_gets_in(drive: DriveServer) -> None:
    _, job_id = await drive.job()
    code = await drive.code()

    async def enter() -> str:
        try:
            async with connect(drive.url(job_id, f"?token={code}")) as socket:
                return str(json.loads(await socket.recv())["error_code"])
        except Exception as error:
            return type(error).__name__

    outcomes = await asyncio.gather(*(enter() for _ in range(6)))
    assert sorted(outcomes) == ["InvalidStatus"] * 5 + ["MSS.00000000"]


async def test_tokens_and_signatures_open_it_too(drive: DriveServer) -> None:
    server = drive.server
    _, job_id = await drive.job()
    request = httpx.Request("GET", drive.url(job_id).replace("ws:", "http:"))
    sign_request(request, server.keys["p1"], server.clock())
    signed = {name: request.headers[name] for name in ("x-sdk-date", "x-project-id", "authorization")}
    for headers in ({"X-Auth-Token": await token_of(server)}, signed):
        async with connect(drive.url(job_id), additional_headers=headers) as socket:
            assert json.loads(await socket.recv())["error_code"] == "MSS.00000000"
    forged = {**signed, "authorization": signed["authorization"][:-4] + "0000"}
    assert await drive.refusal(job_id, **forged) == (401, "MSS.00000004")
    entries = await audit.listing(server.context.database, audit.Filter(operation="chat_command"), 10)
    assert {entry.entry.target for entry in entries} == {job_id}
    assert {bool(entry.entry.ak) for entry in entries} == {True, False}


async def test_wrong_credentials_are_refused_with_a_status(drive: DriveServer) -> None:
    server = drive.server
    _, job_id = await drive.job()
    await server.project("p2")
    viewer, foreigner = await token_of(server, Role.VIEWER), await token_of(server, project="p2")
    assert await drive.refusal(job_id) == (401, "MSS.00000004")
    assert await drive.refusal(job_id, "?token=") == (400, "MSS.47010106")
    assert await drive.refusal(job_id, "?token=a&token=b") == (400, "MSS.47010106")
    assert await drive.refusal(job_id, **{"X-Auth-Token": "nonsense"}) == (401, "MSS.47010105")
    assert await drive.refusal(job_id, **{"X-Auth-Token": viewer}) == (403, "MSS.47010063")
    assert await drive.refusal(job_id, **{"X-Auth-Token": foreigner}) == (403, "MSS.00010009")
    for _ in range(10):
        assert await drive.refusal(job_id, "?token=guess") == (401, "MSS.47010105")
    assert await drive.refusal(job_id, f"?token={await drive.code()}") == (429, "MSS.47010047"), "locked out"
    metrics = (await server.http.get("/metrics")).text
    assert 'visavis_drive_refused_total{error_code="MSS.47010105"} 11.0' in metrics


async def test_jobs_that_cannot_be_driven(drive: DriveServer) -> None:
    _, assistant = await drive.job(app_type=7)
    _, over = await drive.job()
    drive.dispatcher.finish(over, "NORMAL")
    async with drive.line((await drive.job())[1]):  # the events before it have been taken in
        pass
    token = {"X-Auth-Token": await token_of(drive.server)}
    assert await drive.refusal(assistant, **token) == (400, "MSS.47010035")
    assert await drive.refusal(over, **token) == (409, "MSS.47010012")
    assert await drive.refusal("nowhere", **token) == (404, "MSS.20010074")


async def test_codes_do_not_get_into_the_log(drive: DriveServer, capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    log.configure("DEBUG")
    logging.getLogger("websockets").setLevel(logging.WARNING)  # the client's own lines
    try:
        _, job_id = await drive.job()
        code = await drive.code()
        async with connect(drive.url(job_id, f"?token={code}")) as socket:
            await socket.recv()
        assert (await drive.refusal(job_id, "?token=sEcReT"))[0] == 401
    finally:
        root.handlers[:], level = before
        root.setLevel(level)
    written = capsys.readouterr().err
    assert "drive_connected" in written
    assert code not in written
    assert "sEcReT" not in written


async def test_the_newest_driver_wins(drive: DriveServer) -> None:
    _, job_id = await drive.job()
    async with drive.line(job_id) as first, drive.line(job_id) as second:
        code, reason = await first.closed()
        assert code == 4109
        assert first.log[-1]["error_code"] == "MSS.47010014"
        assert "another driver" in reason
        await second.send("HEART_BEAT", "beat")
        assert (await second.next())["payload"]["command"] == "HEART_BEAT"
        assert not [one for one in drive.dispatcher.commands if one.kind == "close"], "the job has a driver"


async def test_the_page_cannot_start_it_but_its_owner_can(drive: DriveServer) -> None:
    server = drive.server
    room = await server.room(robot_id=await server.robot(app_type=5))
    body = {"project_id": "p1", "room_id": room}
    page = await server.http.post("/page/v1/sessions", json=body, headers={"X-Once-Code": await drive.code()})
    assert (page.status_code, page.json()["error_code"]) == (403, "MSS.47015010")
    assert server.dispatcher.specs == {}
    assert (await server.start(room))["job_id"], "its owner may"


# --- driving -----------------------------------------------------------------------------------------------------


async def test_text_in_one_frame_and_in_many(drive: DriveServer) -> None:
    _, job_id = await drive.job()
    async with drive.line(job_id) as line:
        await line.send("TEXT_DRIVE", data={"text": "Hello.", "mood": "unknown fields are ignored"}, extra=1)
        whole = await drive.dispatcher.until("text")
        assert (whole.chat_id, whole.text, whole.seq, whole.is_last) == (CHAT, "Hello.", 0, True)
        await line.send("TEXT_DRIVE", data={"text": "One ", "seq": 1, "is_last": False})
        await line.send("TEXT_DRIVE", data={"text": "two."}, seq=2, is_last=True)
        pieces = [await drive.dispatcher.until("text", 2), await drive.dispatcher.until("text", 3)]
        assert [(one.text, one.seq, one.is_last) for one in pieces] == [("One ", 1, False), ("two.", 2, True)]
        metrics = (await drive.server.http.get("/metrics")).text
    assert 'visavis_drive_frames_total{command="TEXT_DRIVE"} 3.0' in metrics


@pytest.mark.parametrize(
    ("frames", "rate"),
    [
        ([SOUND], 16_000),
        ([SOUND[:1000], SOUND[1000:]], 16_000),
        ([wav(SOUND)], 24_000),
        ([wav(SOUND)[:1000], wav(SOUND)[1000:] + b"LIST\x04\0\0\0\1\2\3\4"], 24_000),
        ([wav(SOUND)[:40] + b"\xff\xff\xff\xff" + SOUND], 24_000),
    ],
    ids=["plain", "in two", "WAV", "WAV in two with a trailer", "WAV without a length"],
)
async def test_sound(drive: DriveServer, frames: list[bytes], rate: int) -> None:
    _, job_id = await drive.job()
    async with drive.line(job_id) as line:
        for seq, frame in enumerate(frames, 1):
            data: dict[str, Any] = {"audio": encoded(frame), "text": "La."}
            if len(frames) > 1:
                data |= {"seq": seq, "is_last": seq == len(frames)}
            await line.send("AUDIO_DRIVE", data=data)
        taken = [await drive.dispatcher.until("audio", count) for count in range(1, len(frames) + 1)]
    assert b"".join(base64.b64decode(one.audio) for one in taken) == SOUND
    assert {one.sample_rate for one in taken} == {rate}
    assert [one.text for one in taken] == ["La.", ""][: len(frames)]


async def test_a_refused_frame_of_sound_may_come_again(drive: DriveServer) -> None:
    _, job_id = await drive.job()
    file = wav(SOUND)
    async with drive.line(job_id) as line:
        await line.send("AUDIO_DRIVE", data={"audio": encoded(file[:1044]), "seq": 1, "is_last": False})
        await drive.dispatcher.until("audio")
        drive.dispatcher.refusals = {2: "full", 3: "stalled"}
        await line.send("AUDIO_DRIVE", "second", data={"audio": encoded(file[1044:2044]), "seq": 2, "is_last": False})
        assert await line.refused() == ("MSS.47010004", "second")
        await line.send("AUDIO_DRIVE", "third", data={"audio": encoded(file[2044:]), "seq": 3, "is_last": True})
        told = ContinueDrive(job_id=job_id, chat_id=CHAT, data=ContinueDriveData(seq=2))
        drive.dispatcher.tell(DriveEvent(job_id=job_id, told=told))
        assert (await line.told("CONTINUE_DRIVE"))["data"] == {"seq": 2}
        assert not [one for one in line.log if one.get("request_id") == "third"], "what follows it is not scolded too"
        await line.send("AUDIO_DRIVE", data={"audio": encoded(file[1044:2044]), "seq": 2, "is_last": False})
        await line.send("AUDIO_DRIVE", data={"audio": encoded(file[2044:]), "seq": 3, "is_last": True})
        await drive.dispatcher.until("audio", 3)
    assert b"".join(base64.b64decode(one.audio) for one in drive.dispatcher.commands) == SOUND


async def test_what_happens_is_told(drive: DriveServer) -> None:
    _, job_id = await drive.job()
    where = {"job_id": job_id, "chat_id": CHAT}
    happens = [
        SpeechRecognized(**where, data=SpeechRecognizedData(text="你", language="CN", input="AUDIO", is_last=False)),
        SpeechRecognized(**where, data=SpeechRecognizedData(text="你好", language="CN", input="AUDIO")),
        SpeakingStart(**where, data=SpeakingStartData(text="Well,")),
        ChatInterrupted(**where, data=SpeakingStopData(text="Well,", duration_ms=700)),
    ]
    async with drive.line(job_id) as line:
        for told in happens:
            drive.dispatcher.tell(DriveEvent(job_id=job_id, told=told))
        for told in happens:
            assert (await line.next())["payload"] == told.model_dump()
        drive.dispatcher.link(job_id)
        assert (await line.told("CHAT_STATE"))["data"] == {"chat_state": 2}


async def test_interrupt_and_heart_beat(drive: DriveServer) -> None:
    _, job_id = await drive.job()
    async with drive.line(job_id) as line:
        await line.send("INTERRUPT_CHAT")
        assert (await drive.dispatcher.until("interrupt")).chat_id == CHAT
        await line.socket.send(json.dumps({"payload": {"command": "INTERRUPT_CHAT", "job_id": job_id}}))
        assert (await drive.dispatcher.until("interrupt", 2)).chat_id == ""
        await line.socket.send('{"request_id": "b", "payload": {"command": "HEART_BEAT"}}')
        beat = await line.next()
        assert beat == {"request_id": "b", "payload": {"command": "HEART_BEAT", "job_id": job_id}}


async def test_stop_ends_the_job(drive: DriveServer) -> None:
    room, job_id = await drive.job()
    drive.dispatcher.link(job_id)
    async with drive.line(job_id) as line:
        await line.send("STOP_CHAT")
        assert await line.closed() == (1000, "the job is over")
        assert line.log[-1]["payload"] == {"command": "JOB_FINISHED", "job_id": job_id, "data": {"reason": "NORMAL"}}
    assert (await drive.server.show(room, job_id))["state"] == "SUCCEED"


async def test_a_job_that_ends_otherwise_says_so_too(drive: DriveServer) -> None:
    _, job_id = await drive.job()
    async with drive.line(job_id) as line:
        drive.dispatcher.finish(job_id, "MUTE_TIMEOUT")
        assert (await line.closed())[0] == 1000
        assert line.log[-1]["payload"]["data"] == {"reason": "MUTE_TIMEOUT"}


async def test_a_silent_driver_is_disconnected(make_server: MakeServer) -> None:
    async with serving(await make_server(DrivenDispatcher(), drive_timeout_s=0.3)) as drive:
        _, job_id = await drive.job()
        async with drive.line(job_id) as line:
            began = time.monotonic()
            while time.monotonic() < began + 0.45:  # anything that is sent keeps it: longer than the time-out in all
                await line.send("HEART_BEAT")
                await line.told("HEART_BEAT")
            silent = time.monotonic()
            code, reason = await line.closed()
            assert time.monotonic() - silent > 0.25
        assert (code, line.log[-1]["error_code"]) == (4104, "MSS.47010104")
        assert reason.startswith("MSS.47010104")
        assert job_id in drive.dispatcher.running, "the job goes on"


# --- bad frames ----------------------------------------------------------------------------------------------------


def frame(job_id: str = "JOB", **payload: Any) -> str:
    return json.dumps({"request_id": "r", "payload": {"job_id": job_id, "chat_id": CHAT, **payload}})


BAD: dict[str, tuple[str | bytes, str]] = {
    "no JSON": ("{", "MSS.47010101"),
    "binary": (b"\0\1", "MSS.47010101"),
    "too large": ('"' + "x" * 300_000 + '"', "MSS.47010101"),
    "nested": ("[" * 100_000, "MSS.47010101"),
    "no object": ("[]", "MSS.47010101"),
    "no payload": ('{"request_id": "r"}', "MSS.47010101"),
    "no command": (frame(), "MSS.47010101"),
    "unknown command": (frame(command="DANCE"), "MSS.47010103"),
    "of the server": (frame(command="START_CHAT"), "MSS.47010103"),
    "no data": (frame(command="TEXT_DRIVE"), "MSS.47010101"),
    "no text": (frame(command="TEXT_DRIVE", data={}), "MSS.47010101"),
    "text of another type": (frame(command="TEXT_DRIVE", data={"text": 7}), "MSS.47010101"),
    "too long a text": (frame(command="TEXT_DRIVE", data={"text": "x" * 4001}), "MSS.47010101"),
    "half a character": (frame(command="TEXT_DRIVE", data={"text": "\ud800"}), "MSS.47010101"),
    "no job": (json.dumps({"payload": {"command": "STOP_CHAT"}}), "MSS.47010101"),
    "another job": (frame("elsewhere", command="STOP_CHAT"), "MSS.20010074"),
    "no chat": (
        json.dumps({"payload": {"command": "TEXT_DRIVE", "job_id": "JOB", "data": {"text": "x"}}}),
        "MSS.47010101",
    ),
    "empty robot": (frame(command="STOP_CHAT", robot_id=""), "MSS.47010102"),
    "another robot": (frame(command="INTERRUPT_CHAT", robot_id="r2"), "MSS.47010033"),
    "seq 0": (frame(command="TEXT_DRIVE", data={"text": "x", "seq": 0}), "MSS.47010101"),
    "seq as text": (frame(command="TEXT_DRIVE", data={"text": "x", "seq": "1"}), "MSS.47010101"),
    "no base64": (frame(command="AUDIO_DRIVE", data={"audio": "§§§"}), "MSS.47010101"),
    "half a sample": (frame(command="AUDIO_DRIVE", data={"audio": encoded(b"abc")}), "MSS.47010101"),
    "no sound": (frame(command="AUDIO_DRIVE", data={"audio": ""}), "MSS.47010101"),
    "too low a rate": (frame(command="AUDIO_DRIVE", data={"audio": encoded(), "sample_rate": 4000}), "MSS.47010101"),
    "stereo": (frame(command="AUDIO_DRIVE", data={"audio": encoded(wav(SOUND, channels=2))}), "MSS.47010101"),
    "half a WAV header": (frame(command="AUDIO_DRIVE", data={"audio": encoded(wav(SOUND)[:30])}), "MSS.47010101"),
    "two rates": (
        frame(command="AUDIO_DRIVE", data={"audio": encoded(wav(SOUND)), "sample_rate": 8000}),
        "MSS.00000003",
    ),
}


async def test_bad_frames_are_answered_and_the_connection_is_kept(drive: DriveServer) -> None:
    _, job_id = await drive.job()
    async with drive.line(job_id) as line:
        for what, (text, code) in BAD.items():
            await line.socket.send(text.replace("JOB", job_id) if isinstance(text, str) else text)
            assert (await line.refused())[0] == code, what
        await line.send("HEART_BEAT", "still here")
        assert (await line.next())["request_id"] == "still here"
    assert [one.kind for one in drive.dispatcher.commands] == ["open"], "nothing of it reached the job"


@pytest.mark.parametrize(
    ("refusal", "code"),
    [("seq", "MSS.00000003"), ("rate", "MSS.00000003"), ("unknown_chat", "MSS.47010001"), ("old_chat", "MSS.47010012")],
)
async def test_what_the_session_refuses(drive: DriveServer, refusal: str, code: str) -> None:
    _, job_id = await drive.job()
    async with drive.line(job_id) as line:
        drive.dispatcher.refusals = {7: refusal, 8: "cut"}
        await line.send("TEXT_DRIVE", data={"text": "x", "seq": 8})
        await line.send("TEXT_DRIVE", "seventh", data={"text": "x", "seq": 7})
        assert await line.refused() == (code, "seventh"), "and nothing is said of what was interrupted"


async def test_much_too_large_a_frame_ends_the_connection(drive: DriveServer) -> None:
    _, job_id = await drive.job()
    async with drive.line(job_id) as line:
        await line.socket.send("x" * 1_100_000)
        assert (await line.closed())[0] == 1009
    await drive.dispatcher.until("close")


async def test_who_sends_nothing_but_nonsense_is_sent_away(drive: DriveServer) -> None:
    _, job_id = await drive.job()
    async with drive.line(job_id) as line:
        for _ in range(80):
            await line.socket.send("nonsense")
        code, _ = await line.closed()
    assert code == 4101
    assert {one["error_code"] for one in line.log[3:]} == {"MSS.47010101"}
    assert 55 < len(line.log) < 75


async def test_a_driver_that_does_not_read_does_not_fill_the_memory(drive: DriveServer) -> None:
    _, job_id = await drive.job()
    async with drive.line(job_id) as line:
        line.socket.transport.pause_reading()
        told = SpeakingStart(job_id=job_id, chat_id=CHAT, data=SpeakingStartData(text="x" * 10_000))
        for _ in range(3000):
            drive.dispatcher.tell(DriveEvent(job_id=job_id, told=told))
            await asyncio.sleep(0)
        await drive.dispatcher.until("close")
        line.socket.transport.resume_reading()
        code, _ = await line.closed()
    assert code in (4100, 1006)
    assert len(line.log) < 3000
    assert job_id in drive.dispatcher.running


async def test_a_job_whose_worker_is_gone(drive: DriveServer) -> None:
    _, job_id = await drive.job()
    async with drive.line(job_id) as line:
        drive.dispatcher.running.pop(job_id)
        await line.send("TEXT_DRIVE", data={"text": "x"})
        assert (await line.refused())[0] == "MSS.47010014"
