"""A job's life on real worker processes (their sessions are fakes)."""

from __future__ import annotations

import asyncio

import pytest
from dispatch_desk import job, offer, open_desk, process_end, say

from visavis.dispatch.types import DispatchError, JobNotRunning, NoCapacity, SignalRefused


async def test_life_of_a_job() -> None:
    async with open_desk(heartbeat_s=0.05) as desk:
        await desk.run(job("a", "early"))
        await desk.dispatcher.command("a", say("say hello"))
        await desk.heard("a", "hello")
        await desk.until(lambda event: event.kind == "heartbeat" and event.stats == {"beats": 2.0})
        await desk.dispatcher.stop("a")
        finished = await desk.finished("a")
        kinds = [event.kind for event in desk.events if event.kind != "heartbeat"]
        assert kinds == ["held", "chat_state", "turn", "finished"]
        assert desk.events[-1] is finished
        assert (finished.reason, finished.error_code) == ("NORMAL", "")
        for call in (
            desk.dispatcher.stop("a"),
            desk.dispatcher.command("a", say("say x")),
            desk.dispatcher.signal("a", offer()),
        ):
            with pytest.raises(JobNotRunning):
                await call


async def test_jobs_go_where_there_is_least_load_and_no_further_than_capacity() -> None:
    async with open_desk(workers=2) as desk:
        await desk.run(job("a"), job("b"))
        pids = {name: await desk.pid(name) for name in "ab"}
        assert pids["a"] != pids["b"]
        await desk.run(job("c"), job("d"))
        pids |= {name: await desk.pid(name) for name in "cd"}
        assert sorted(pids.values()) == sorted(2 * [pids["a"], pids["b"]])
        with pytest.raises(NoCapacity, match="all 2 ready workers are full"):
            await desk.dispatcher.start(job("e"))

        await desk.dispatcher.stop("b")
        await desk.finished("b")
        await desk.run(job("e"))
        assert await desk.pid("e") == pids["b"]

        infos = desk.dispatcher.workers()
        assert [(info.state, info.jobs, info.capacity) for info in infos] == 2 * [("ready", 2, 2)]
        assert {info.pid for info in infos} == set(pids.values())
        assert {desk.of(name, "held")[0].worker for name in "ae"} == {info.name for info in infos}


async def test_a_job_id_runs_once() -> None:
    async with open_desk() as desk:
        await desk.run(job("a"))
        with pytest.raises(DispatchError, match="already runs"):
            await desk.dispatcher.start(job("a"))
        assert [info.jobs for info in desk.dispatcher.workers()] == [1]


@pytest.mark.parametrize(
    ("behaviour", "code", "message"),
    [("refuse", "MSS.47000002", "no such avatar"), ("crash", "MSS.47000003", "internal error (RuntimeError)")],
)
async def test_a_session_that_cannot_start_fails_its_job_only(behaviour: str, code: str, message: str) -> None:
    async with open_desk() as desk:
        await desk.run(job("a"))
        await desk.dispatcher.start(job("b", behaviour))
        finished = await desk.finished("b")
        assert (finished.reason, finished.error_code, finished.error_msg) == ("FAILED", code, message)
        assert not desk.of("b", "held")
        assert await desk.pid("a") == desk.dispatcher.workers()[0].pid
        await desk.run(job("c"))  # its place is free again


async def test_a_job_is_stopped_while_it_starts() -> None:
    async with open_desk() as desk:
        await desk.dispatcher.start(job("a", "slow"))
        waiting = asyncio.create_task(desk.dispatcher.signal("a", offer()))
        await desk.dispatcher.stop("a", "CANCELED")
        assert (await desk.finished("a")).reason == "CANCELED"
        with pytest.raises(JobNotRunning):
            await waiting
        assert [event.kind for event in desk.events] == ["finished"]


async def test_only_the_first_end_of_a_job_counts() -> None:
    async with open_desk() as desk:
        await desk.run(job("a"), job("b"))
        await desk.dispatcher.command("a", say("finish"))
        assert (await desk.finished("a")).reason == "MUTE_TIMEOUT"
        await desk.dispatcher.command("b", say("say after"))
        await desk.heard("b", "after")
        assert [event.kind for event in desk.events if event.job_id == "a"] == ["held", "finished"]


async def test_refused_failed_and_oversized_signals_and_commands() -> None:
    async with open_desk() as desk:
        await desk.run(job("a"))
        with pytest.raises(SignalRefused, match="no audio in the offer"):
            await desk.dispatcher.signal("a", offer("refuse"))
        with pytest.raises(DispatchError, match=r"internal error \(RuntimeError\)$"):
            await desk.dispatcher.signal("a", offer("crash"))
        with pytest.raises(SignalRefused, match="1048576 are allowed"):
            await desk.dispatcher.signal("a", offer("x" * (1 << 20)))
        with pytest.raises(DispatchError, match="1048576 are allowed"):
            await desk.dispatcher.command("a", say("x" * (1 << 20)))
        with pytest.raises(SignalRefused, match="wait a little") as refused:
            await desk.dispatcher.command("a", say("refuse"))
        assert refused.value.code == "full", "a program can tell why"
        await desk.dispatcher.command("a", say("huge"))
        assert "1048576 are allowed" in (await desk.heard("a", "refused")).answered
        assert (await desk.dispatcher.signal("a", offer())).sdp == "answer"


async def test_a_cancelled_signal_is_cancelled_in_the_worker() -> None:
    async with open_desk() as desk:
        await desk.run(job("a"))
        waiting = asyncio.create_task(desk.dispatcher.signal("a", offer("hang")))
        await desk.until(lambda event: event.kind == "turn" and event.answered == "waits")
        waiting.cancel()
        await desk.until(lambda event: event.kind == "turn" and event.answered == "cancelled")
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert (await desk.dispatcher.signal("a", offer())).sdp == "answer"


async def test_events_from_threads_arrive() -> None:
    async with open_desk() as desk:
        await desk.run(job("a"))
        await desk.dispatcher.command("a", say("thread"))
        await desk.heard("a", "thread")


async def test_workers_get_few_threads_and_no_secret_in_argv(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    async with open_desk(behaviour={"api_key": "hunter2"}) as desk:
        await desk.run(job("a"))
        await desk.dispatcher.command("a", say("environment"))
        turn = await desk.heard("a", "1")
        assert "hunter2" not in turn.answered
        assert "--fd" in turn.answered


@pytest.mark.parametrize("behaviour", ["ignores stop", "fails to stop"])
async def test_a_session_that_does_not_stop_is_forced_off(behaviour: str) -> None:
    async with open_desk(stop_timeout_s=0.3) as desk:
        await desk.run(job("a", behaviour))
        pid = await desk.pid("a")
        await desk.dispatcher.stop("a")
        await desk.dispatcher.stop("a", "CANCELED")  # asking again changes nothing
        assert (await desk.finished("a", 5)).reason == "NORMAL"
        await process_end(pid)
        await desk.dispatcher.ready()
        await desk.run(job("b"))
        assert await desk.pid("b") != pid


async def test_forcing_a_job_off_spares_its_neighbour() -> None:
    async with open_desk(stop_timeout_s=0.3) as desk:
        await desk.run(job("a", "ignores stop"), job("b"))
        pid = await desk.pid("b")
        await desk.dispatcher.stop("a")
        await desk.finished("a", 5)
        await desk.dispatcher.ready()
        assert sorted(info.state for info in desk.dispatcher.workers()) == ["draining", "ready"]

        await desk.run(job("c"))
        assert await desk.pid("c") != pid
        await desk.dispatcher.command("b", say("say undisturbed"))
        await desk.heard("b", "undisturbed")
        await desk.dispatcher.stop("b")
        assert (await desk.finished("b")).reason == "NORMAL"
        await process_end(pid)
        assert len(desk.of("a", "finished")) == 1
