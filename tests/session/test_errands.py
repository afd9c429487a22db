from __future__ import annotations

import asyncio

import structlog

from visavis.session.errands import Errands


async def test_what_fails_is_logged_and_what_runs_can_be_ended() -> None:
    errands, over, ended = Errands(), asyncio.Event(), asyncio.Event()

    async def fail() -> None:
        asyncio.get_running_loop().call_soon(over.set)
        raise RuntimeError("no way")

    async def wait() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    with structlog.testing.capture_logs() as logs:
        errands.run(fail())
        errands.run(wait())
        await over.wait()
        await asyncio.sleep(0)
        errands.cancel()
        await asyncio.wait_for(ended.wait(), 1)
        await asyncio.sleep(0)
    assert [str(entry["exc_info"]) for entry in logs] == ["no way"], "who is ended has not failed"
