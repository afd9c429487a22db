"""Workers that die, hang, talk nonsense or do not start; servers that die."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from dispatch_desk import HOST, job, offer, open_desk, process_end, say

from visavis.dispatch.channel import Channel
from visavis.dispatch.local import LocalDispatcher
from visavis.dispatch.messages import TO_SERVER, Hello, Ready, Start
from visavis.dispatch.process import Limits
from visavis.dispatch.types import DispatchError, JobNotRunning, NoCapacity, WorkersFailed
from visavis.session.signals import ChatStateEvent
from visavis.settings import Settings


async def test_a_killed_worker_fails_its_jobs_only_and_is_replaced() -> None:
    async with open_desk(workers=2) as desk:
        await desk.run(job("a"), job("b"), job("c"))
        dead, other = await desk.pid("a"), await desk.pid("b")
        assert await desk.pid("c") == dead
        pending = asyncio.create_task(desk.dispatcher.signal("a", offer("hang")))
        await desk.heard("a", "signal")

        os.kill(dead, signal.SIGKILL)
        for name in "ac":
            finished = await desk.finished(name, 5)
            assert (finished.reason, finished.error_code) == ("FAILED", "MSS.47000001")
            assert "its worker died" in finished.error_msg
            assert "SIGKILL" in finished.error_msg
        with pytest.raises(JobNotRunning):
            await pending

        await desk.dispatcher.ready()
        assert [info.state for info in desk.dispatcher.workers()] == ["ready", "ready"]
        await desk.run(job("d"))
        assert await desk.pid("d") not in (dead, other)
        await desk.dispatcher.command("b", say("say undisturbed"))
        await desk.heard("b", "undisturbed")
        assert not desk.of("b", "finished")
        assert len(desk.of("a", "finished")) == 1


@pytest.mark.parametrize("how", ["stopped by a signal", "blocked event loop"])
async def test_a_hung_worker_is_noticed_in_time_and_killed(how: str) -> None:
    async with open_desk(worker_timeout_s=1.0) as desk:
        await desk.run(job("a"))
        pid = await desk.pid("a")
        began = time.monotonic()
        if how == "stopped by a signal":
            os.kill(pid, signal.SIGSTOP)
        else:
            with pytest.raises(JobNotRunning, match="did not answer for 1 s"):
                await desk.dispatcher.command("a", say("block"))
        finished = await desk.finished("a", 5)
        assert time.monotonic() - began < 2.0  # the time-out, and time to bury it
        assert (finished.reason, finished.error_code) == ("FAILED", "MSS.47000001")
        assert "did not answer for 1 s" in finished.error_msg
        await process_end(pid)
        await desk.dispatcher.ready()


def test_the_default_time_out_finds_a_hung_worker_within_five_seconds() -> None:
    assert Settings(_env_file=None).worker_timeout_s <= 4.5


async def test_a_stall_of_the_server_itself_kills_no_worker() -> None:
    async with open_desk(worker_timeout_s=0.4) as desk:
        await desk.run(job("a"))
        pid = await desk.pid("a")
        time.sleep(1.0)  # noqa: ASYNC251 (the stall is what we test)
        assert await desk.pid("a") == pid
        assert not desk.of("a", "finished")


async def test_a_dead_workers_children_die_with_it() -> None:
    async with open_desk() as desk:
        await desk.run(job("a"))
        await desk.dispatcher.command("a", say("child"))
        child = int((await desk.heard("a", "child")).answered)
        os.kill(await desk.pid("a"), signal.SIGKILL)
        await desk.finished("a", 5)
        await process_end(child)


@pytest.mark.parametrize(
    ("nonsense", "told"), [("garbage", "sent a malformed message"), ("oversize", "announced a message of 4294967295")]
)
async def test_a_worker_that_talks_nonsense_is_replaced(nonsense: str, told: str) -> None:
    async with open_desk() as desk:
        await desk.run(job("a"))
        pid = await desk.pid("a")
        with pytest.raises(JobNotRunning):
            await desk.dispatcher.command("a", say(nonsense))
        finished = await desk.finished("a", 5)
        assert finished.reason == "FAILED"
        assert told in finished.error_msg
        await process_end(pid)
        await desk.dispatcher.ready()


async def test_a_worker_that_exits_is_told_from_one_that_was_killed() -> None:
    async with open_desk() as desk:
        await desk.run(job("a"))
        with pytest.raises(JobNotRunning):
            await desk.dispatcher.command("a", say("exit"))
        assert "exit status 7" in (await desk.finished("a", 5)).error_msg


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        ("fail", "could not load: the model file is not there"),
        ("no host", "could not load: ValueError: bad settings"),
        ("exit", "ended (exit status 9)"),
        ("never", "was not ready after 0.5 s"),
    ],
)
async def test_ready_tells_why_workers_do_not_start(behaviour: str, reason: str) -> None:
    limits = Limits(start_s=0.5) if behaviour == "never" else Limits()
    async with open_desk(behaviour={"load": behaviour}, ready=False, backoff_s=(0.01, 60), limits=limits) as desk:
        with pytest.raises(NoCapacity, match="no worker is ready"):
            await desk.dispatcher.start(job("a"))
        with pytest.raises(WorkersFailed) as caught:
            await desk.dispatcher.ready()
        assert "died 3 times" in str(caught.value)
        assert reason in str(caught.value)


async def test_a_worker_that_does_not_start_is_tried_again_at_growing_intervals() -> None:
    began = time.monotonic()
    async with open_desk(behaviour={"load": "fail"}, ready=False, backoff_s=(0.3, 60)) as desk:
        with pytest.raises(WorkersFailed):
            await desk.dispatcher.ready()
        assert time.monotonic() - began > 0.3 + 0.6
        assert [info.state for info in desk.dispatcher.workers()] == ["dead"]


async def test_a_missing_session_host_is_named() -> None:
    dispatcher = LocalDispatcher(Settings(workers=1), session_host="visavis.no_such:create", backoff_s=(0.01, 60))
    await dispatcher.open()
    with pytest.raises(WorkersFailed, match=r"no session host at 'visavis\.no_such:create'"):
        await dispatcher.ready()
    await dispatcher.close()


async def test_a_worker_that_fails_once_to_load_is_tried_again(tmp_path: Path) -> None:
    behaviour = {"load": "fail once", "marker": str(tmp_path / "marker")}
    async with open_desk(behaviour=behaviour, backoff_s=(0.01, 60)) as desk:
        await desk.run(job("a"))


async def test_close_stops_the_jobs_and_frees_the_hosts(tmp_path: Path) -> None:
    async with open_desk(workers=2, behaviour={"closed": str(tmp_path / "closed")}) as desk:
        await desk.run(job("a"), job("b"))
        await desk.dispatcher.close()
        assert [(await desk.finished(name)).reason for name in "ab"] == ["NORMAL", "NORMAL"]
        assert (tmp_path / "closed").read_text() == ""  # closed, and no session left by then
        with pytest.raises(NoCapacity, match="shutting down"):
            await desk.dispatcher.start(job("c"))
        with pytest.raises(DispatchError, match="not running"):
            await desk.dispatcher.ready()


async def test_close_kills_in_time_what_ignores_it() -> None:
    async with open_desk(workers=2) as desk:
        await desk.run(job("a", "ignores stop"), job("b"))
        pids = [await desk.pid("a"), await desk.pid("b")]
        os.kill(pids[1], signal.SIGSTOP)
        began = time.monotonic()
        await desk.dispatcher.close(grace_s=1.0)
        assert time.monotonic() - began < 1.5
        assert [len(desk.of(name, "finished")) for name in "ab"] == [1, 1]
        for pid in pids:
            await process_end(pid)


async def test_close_does_not_wait_for_workers_that_still_load() -> None:
    async with open_desk(behaviour={"load": "never"}, ready=False) as desk:
        waiting = asyncio.create_task(desk.dispatcher.ready())
        began = time.monotonic()
        await desk.dispatcher.close(grace_s=8.0)
        assert time.monotonic() - began < 2.0
        with pytest.raises(DispatchError, match="not running"):
            await waiting


async def test_a_cancelled_close_leaves_no_process() -> None:
    async with open_desk() as desk:
        await desk.run(job("a", "ignores stop"))
        pid = await desk.pid("a")
        closing = asyncio.create_task(desk.dispatcher.close(grace_s=60))
        await desk.dispatcher.command("a", say("say closing"))  # so it has begun
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing
        await process_end(pid)
        assert len(desk.of("a", "finished")) == 1


PARENT = """
import asyncio, sys
sys.path[:0] = {path!r}
from dispatch_desk import job, offer, open_desk, say

async def main():
    async with open_desk(workers=2) as desk:
        await desk.run(job("a"), job("b"))
        print(await desk.pid("a"), await desk.pid("b"), flush=True)
        if {block!r}:
            asyncio.create_task(desk.dispatcher.command("a", say("block")))
        await asyncio.Event().wait()

asyncio.run(main())
"""


@pytest.mark.parametrize("block", [False, True], ids=["idle", "worker blocked"])
async def test_workers_die_with_the_server(block: bool) -> None:
    script = PARENT.format(path=sys.path, block=block)
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", script, stdout=subprocess.PIPE)
    assert parent.stdout is not None
    pids = [int(part) for part in (await parent.stdout.readline()).split()]
    assert len(pids) == 2
    parent.kill()
    await parent.wait()
    for pid in pids:
        await process_end(pid)


class Bare:
    """A worker process without a dispatcher: our end of its socket is the test's."""

    def __init__(self, ours: socket.socket, process: asyncio.subprocess.Process) -> None:
        self.socket = ours
        self.process = process

    @classmethod
    async def start(cls) -> Bare:
        ours, theirs = socket.socketpair()
        with theirs:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "visavis.dispatch.worker", "--fd", str(theirs.fileno())),
                *("--name", "bare", "--parent", str(os.getpid())),
                pass_fds=[theirs.fileno()],
                env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
            )
        return cls(ours, process)

    async def greet(self, **behaviour: Any) -> Channel:
        channel = await Channel.open(self.socket, TO_SERVER)
        settings = Settings(stt_options=behaviour)
        channel.post(Hello(settings=settings.model_dump(mode="json"), host=HOST))
        return channel


async def test_a_worker_whose_server_closed_the_socket_ends_its_sessions_and_itself(tmp_path: Path) -> None:
    bare = await Bare.start()
    channel = await bare.greet(closed=str(tmp_path / "closed"))
    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        pump = group.create_task(channel.pump())
        assert isinstance(await channel.receive(), Ready)
        channel.post(Start(spec=job("a", "early")))
        while not isinstance(getattr(await channel.receive(), "event", None), ChatStateEvent):
            pass
        pump.cancel()
        channel.close()
        assert await bare.process.wait() == 0
    assert (tmp_path / "closed").read_text() == ""


async def test_a_worker_that_gets_sigterm_ends_its_sessions_and_itself(tmp_path: Path) -> None:
    async with open_desk(behaviour={"closed": str(tmp_path / "closed")}) as desk:
        await desk.run(job("a"))
        pid = await desk.pid("a")
        os.kill(pid, signal.SIGTERM)
        finished = await desk.finished("a", 5)
        assert (finished.reason, finished.error_code) == ("FAILED", "MSS.47000001")
        assert finished.error_msg == "its worker was told to end"
        await process_end(pid)
        assert (tmp_path / "closed").read_text() == ""  # the session had ended when the host was closed
        await desk.dispatcher.ready()


@pytest.mark.parametrize("nonsense", [b"\0\0\0\2{}", b"\xff\xff\xff\xff"], ids=["malformed", "oversized"])
async def test_a_worker_ends_when_the_server_talks_nonsense(nonsense: bytes) -> None:
    bare = await Bare.start()
    channel = await bare.greet()
    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        pump = group.create_task(channel.pump())
        assert isinstance(await channel.receive(), Ready)
        os.write(bare.socket.fileno(), nonsense)
        assert await bare.process.wait() == 0
        pump.cancel()
        channel.close()


async def test_a_worker_that_nobody_greets_ends() -> None:
    bare = await Bare.start()
    bare.socket.close()
    async with asyncio.timeout(20):
        assert await bare.process.wait() == 0
