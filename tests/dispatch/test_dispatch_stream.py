"""The stream of events under pressure, the queue below it, and how a dispatcher is chosen."""

from __future__ import annotations

import asyncio
import importlib.metadata

import pytest
from dispatch_desk import HOST, Desk, job, open_desk, say

from visavis.dispatch.coalescing import CoalescingQueue, QueueClosed, QueueFull
from visavis.dispatch.factory import create_dispatcher
from visavis.dispatch.local import LocalDispatcher
from visavis.dispatch.types import DispatchError
from visavis.settings import Settings


async def test_a_slow_consumer_loses_nothing_and_costs_no_worker() -> None:
    settings = Settings(workers=1, heartbeat_s=0.02, worker_timeout_s=0.4)
    dispatcher = LocalDispatcher(settings, session_host=HOST, events_waiting=8)
    await dispatcher.open()
    async with asyncio.timeout(30):
        await dispatcher.ready()
        pid = dispatcher.workers()[0].pid
        await dispatcher.start(job("a"))
        flood = asyncio.create_task(dispatcher.command("a", say("flood 2000")))
        # Nobody reads: the stream fills, then the socket; for longer than a silent worker is allowed to live.
        await asyncio.wait([flood], timeout=1.0)
        assert not flood.done()
        desk = Desk(dispatcher)
        consumer = asyncio.create_task(desk.consume())
        await flood
        await desk.heard("a", "1999")
        assert [event.heard for event in desk.of("a", "turn")] == [str(number) for number in range(2000)]
        assert len(desk.of("a", "heartbeat")) < 45  # one each 20 ms, had they not coalesced
        assert dispatcher.workers()[0].pid == pid
        await dispatcher.close()
        await consumer
    assert [event.kind for event in desk.events][-1] == "finished"


async def test_close_ends_with_nobody_reading_events() -> None:
    dispatcher = LocalDispatcher(Settings(workers=1), session_host=HOST, events_waiting=4)
    await dispatcher.open()
    await dispatcher.ready()
    await dispatcher.start(job("a"))
    flood = asyncio.create_task(dispatcher.command("a", say("flood 2000")))
    await asyncio.wait([flood], timeout=0.2)
    async with asyncio.timeout(3):
        await dispatcher.close(grace_s=1.0)
    with pytest.raises(DispatchError):
        await flood
    left = [event async for event in dispatcher.events()]
    assert [event.kind for event in left] == ["held", "turn", "turn", "turn", "finished"]


async def test_the_stream_has_one_consumer() -> None:
    async with open_desk() as desk:
        await desk.run(job("a"))
        with pytest.raises(DispatchError, match="has a consumer"):
            await anext(desk.dispatcher.events())


async def test_queue_coalesces_by_key_at_the_older_items_place() -> None:
    queue: CoalescingQueue[str] = CoalescingQueue(3)
    queue.put_nowait("a1", "a")
    queue.put_nowait("x")
    queue.put_nowait("b1", "b")
    queue.put_nowait("a2", "a")
    with pytest.raises(QueueFull):
        queue.put_nowait("y")
    queue.force("z")
    assert [await queue.get() for _ in range(4)] == ["a2", "x", "b1", "z"]


async def test_queue_put_waits_for_room_and_get_for_items() -> None:
    queue: CoalescingQueue[int] = CoalescingQueue(1)
    producer = asyncio.gather(*(queue.put(number) for number in range(5)))
    assert [await queue.get() for _ in range(5)] == [0, 1, 2, 3, 4]
    await producer
    getter = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    getter.cancel()
    with pytest.raises(asyncio.CancelledError):
        await getter
    queue.put_nowait(5)
    queue.close()
    with pytest.raises(QueueClosed):
        queue.put_nowait(6)
    assert await queue.get() == 5
    with pytest.raises(QueueClosed):
        await queue.get()


class OtherDispatcher(LocalDispatcher):
    pass


def test_dispatchers_are_chosen_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    group = importlib.metadata.EntryPoints(
        [
            importlib.metadata.EntryPoint("other", f"{__name__}:OtherDispatcher", "visavis.dispatchers"),
            importlib.metadata.EntryPoint("broken", "no_such_module:x", "visavis.dispatchers"),
        ]
    )
    monkeypatch.setattr("visavis.dispatch.factory.entry_points", lambda **wanted: group.select(**wanted))
    settings = Settings(workers=1)
    assert type(create_dispatcher(settings)) is LocalDispatcher
    assert type(create_dispatcher(settings, "other")) is OtherDispatcher
    with pytest.raises(DispatchError, match=r"no dispatcher 'typo'; there are: broken, local, other"):
        create_dispatcher(settings, "typo")
    with pytest.raises(DispatchError, match="'broken' cannot be loaded"):
        create_dispatcher(settings, "broken")
