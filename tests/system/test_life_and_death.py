"""Sleep, time-outs, and what happens when a worker or the server dies in the middle of a sentence."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from huaweicloudsdkcore.exceptions.exceptions import ClientRequestException, ServiceResponseException
from running import Cloud, Guest, RunningServer, guest, recorded, serving, token_of

from visavis.rtc.client import Received, RoomClient

pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]

LONG = "I will now speak for a very long time about nothing in particular, and nobody will stop me, because this sentence has no end."


async def eventually(cloud: Cloud, room_id: str, job_id: str, state: str, seconds: float = 10) -> Any:
    """The state call's answer once it says ``state``; each call is an event of its own, so there is nothing else to wait for."""
    async with asyncio.timeout(seconds):
        while True:
            shown = await asyncio.to_thread(cloud.show, room_id, job_id)
            if shown.state == state:
                return shown


async def asleep(visitor: Guest, server: RunningServer) -> None:
    """Until the sleeper's pictures are replayed: it lies still, and both its loops were made (they are made beside the session)."""
    settled = asyncio.Event()
    loops = server.data / "loops"
    slow = 0

    def see(received: Received) -> None:
        nonlocal slow
        # One picture may have been dropped; a sleeper's all come slowly.
        slow = slow + 1 if received.pts - visitor.senses.pictures[-1].pts > 0.11 else 0
        if slow >= 5 and all(list(loops.glob(f"{name}-*.loop")) for name in ("idle", "asleep")):
            settled.set()

    visitor.senses.on_picture = see
    try:
        await asyncio.wait_for(settled.wait(), 60)
    finally:
        visitor.senses.on_picture = lambda received: None


async def test_it_falls_asleep_wakes_by_voice_and_by_button(tmp_path: Path) -> None:
    with serving(tmp_path / "data", workers="1", sleep_after_s="2", sleep_warning_s="1") as server:
        cloud = server.cloud()
        room_id = await asyncio.to_thread(cloud.room)
        async with guest(cloud, room_id) as visitor:
            await visitor.until("jobInfoChange", lambda data: data["chat_state"] == 4)
            await visitor.until_shown(4)
            await visitor.until("enterSleep")
            await visitor.until_shown(3)
            # Asleep: slow breath, a third of the pictures of one who is awake, hardly any CPU.
            worker = next(p for p in psutil.Process(server.process.pid).children() if "worker" in " ".join(p.cmdline()))
            await asleep(visitor, server)
            seen, packets = len(visitor.senses.pictures), len(visitor.senses.sounds)
            before = sum(worker.cpu_times()[:2])
            later = asyncio.Event()
            asyncio.get_running_loop().call_later(4, later.set)
            await later.wait()
            spent = (sum(worker.cpu_times()[:2]) - before) / 4
            times = np.array([picture.pts for picture in visitor.senses.pictures[seen:]])
            assert np.median(np.diff(times)) == pytest.approx(0.12, abs=0.001), "8 or 9 a second"
            assert len(times) <= 40
            assert len(visitor.senses.sounds) - packets <= 1
            assert spent < 0.15

            visitor.command("wake")
            await visitor.until("enterActive")
            await visitor.until_shown(2)
            visitor.command("sleep")
            await visitor.until("enterSleep")
            pcm, rate = recorded("en.wav")
            await visitor.client.speak(pcm, rate)
            await visitor.until("enterActive")
            await visitor.until("bot-started-speaking")


async def test_silence_ends_the_job_after_a_warning(cloud: Cloud) -> None:
    room_id = await asyncio.to_thread(cloud.room, exit_mute_threshold=11)
    async with guest(cloud, room_id, stop=False, keep_pictures=False) as visitor:
        mention = await visitor.until("jobEndMention", seconds=20)
        assert mention["jobId"] == visitor.job.job_id
        assert 0 < mention["restTime"] <= 11
        end = await visitor.until("jobEnd", seconds=20)
        assert end["reason"] == "MUTE_TIMEOUT"
    shown = await eventually(cloud, room_id, visitor.job.job_id, "SUCCEED")
    assert shown.job_finish_reason == "MUTE_TIMEOUT"


async def test_a_job_stopped_before_anyone_linked_is_canceled_and_frees_its_place(cloud: Cloud) -> None:
    room_id = await asyncio.to_thread(cloud.room, concurrency=1)
    job = await asyncio.to_thread(cloud.start, room_id)
    with pytest.raises(ClientRequestException) as full:
        await asyncio.to_thread(cloud.start, room_id)
    assert full.value.error_code == "MSS.20010135"
    assert full.value.status_code in range(400, 500)
    assert full.value.request_id
    await asyncio.to_thread(cloud.stop, room_id, job.job_id)
    await eventually(cloud, room_id, job.job_id, "CANCELED")
    again = await asyncio.to_thread(cloud.start, room_id)
    await asyncio.to_thread(cloud.stop, room_id, again.job_id)


async def test_heartbeats_move_the_time_of_the_last_update(cloud: Cloud) -> None:
    room_id = await asyncio.to_thread(cloud.room)
    async with guest(cloud, room_id, keep_pictures=False) as visitor:
        first = (await visitor.show()).lastupdate_time
        async with asyncio.timeout(10):
            while (await visitor.show()).lastupdate_time == first:
                pass


async def test_a_killed_worker_fails_its_job_within_5_s_and_is_replaced(tmp_path: Path) -> None:
    with serving(tmp_path / "data", workers="2", sessions_per_worker="1") as server:
        cloud = server.cloud()
        room_id = await asyncio.to_thread(cloud.room)
        async with guest(cloud, room_id, stop=False, keep_pictures=False) as doomed:
            victims = workers(server)
            busy = max(victims, key=lambda process: len(process.connections(kind="udp")))
            async with guest(cloud, room_id, keep_pictures=False) as survivor:
                doomed.command("say", text=LONG)
                survivor.command("say", text=LONG)
                await doomed.until("bot-started-speaking")
                busy.send_signal(signal.SIGKILL)
                shown = await eventually(cloud, room_id, doomed.job.job_id, "FAILED", 5)
                assert shown.error_info.error_code.startswith("MSS.")
                assert "worker" in shown.error_info.error_msg
                await survivor.until("bot-stopped-speaking")
                assert (await survivor.show()).state == "PROCESSING"
                # Its place is free again as soon as the new worker has loaded its models.
                async with asyncio.timeout(60):
                    while True:
                        with contextlib.suppress(ServiceResponseException):
                            job = await asyncio.to_thread(cloud.start, room_id)
                            break
                await asyncio.to_thread(cloud.stop, room_id, job.job_id)


async def test_a_killed_server_leaves_nothing_running_and_says_so_after_the_restart(tmp_path: Path) -> None:
    with serving(tmp_path / "data", workers="1") as server:
        cloud = server.cloud()
        room_id = await asyncio.to_thread(cloud.room)
        async with guest(cloud, room_id, stop=False, keep_pictures=False) as visitor:
            visitor.command("say", text=LONG)
            await visitor.until("bot-started-speaking")
            children = workers(server)
            assert children
            server.process.send_signal(signal.SIGKILL)
            server.process.wait(10)
            _, alive = psutil.wait_procs(children, timeout=8)
            assert not alive, "workers outlived their server"
        server.start()
        cloud = server.cloud()  # rooms, robots and keys are still there: a new key of the same project sees them
        shown = await asyncio.to_thread(cloud.show, room_id, visitor.job.job_id)
        assert shown.state == "FAILED"
        assert "restart" in shown.error_info.error_msg
        async with guest(cloud, room_id, keep_pictures=False) as again:
            again.tell("send-text", content="Hello")
            await again.until("bot-started-speaking")


async def test_a_graceful_stop_takes_less_than_10_s_with_a_conversation_going_on(tmp_path: Path) -> None:
    with serving(tmp_path / "data", workers="1") as server:
        cloud = server.cloud()
        room_id = await asyncio.to_thread(cloud.room)
        job = await asyncio.to_thread(cloud.start, room_id)
        async with RoomClient.end_user(cloud.url, job.rtc_room_info.room_id, token_of(job)):
            children = workers(server)
            assert await asyncio.to_thread(server.stop) < 10
            assert not [process for process in children if process.is_running() and process.status() != "zombie"]
        secrets = (server.ready["sk"], server.ready["password"], token_of(job).split(":")[-1])
        assert not [secret for secret in secrets if secret in server.log]
        assert job.job_id in server.log


def workers(server: RunningServer) -> list[psutil.Process]:
    assert server.process is not None
    return psutil.Process(server.process.pid).children(recursive=True)
