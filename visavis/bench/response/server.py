"""The server that is measured: ``visavis serve`` as a process of its own, warm or cold, with somebody's knowledge."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from visavis.api.owner import make_room, owner_client
from visavis.errors import VisavisError

START_S: Final = 180.0
WARM_S: Final = 3600.0
"""Mandarin answers are made at about the speed at which they are spoken."""
WARM: Final = "stored sentences are synthesised"
WARMING: Final = "synthesising ahead"
"""What the server's log says of it (visavis/session/ahead.py): for the installation, and for each job."""
CACHE: Final = Path.home() / ".cache" / "visavis" / "bench-speech"
"""What the server said in earlier runs: its cache of speech, whose keys hold the engine's version."""
_KEPT_LINES: Final = 200


@dataclass
class Served:
    """A running server.

    Attributes:
        ready: what it printed: url, project_id, user, password.
        pid: of its process; workers are its children.
        lines: the last lines of its log.
    """

    ready: dict[str, str]
    pid: int
    lines: list[str] = field(default_factory=list)
    warm: asyncio.Event = field(default_factory=asyncio.Event)
    job_warm: asyncio.Event = field(default_factory=asyncio.Event)
    """What the job that is measured may say is synthesised, too."""


@contextlib.asynccontextmanager
async def serving(
    folder: Path, environment: dict[str, str], *, warm: bool, progress: Callable[[str], None]
) -> AsyncIterator[Served]:
    """Start it with its data in ``folder``; with ``warm`` only once every stored answer is synthesised.

    Raises:
        VisavisError: it did not start, or did not get warm; the end of its log is in the message.
    """
    data = folder / "data"
    data.mkdir(parents=True)
    if warm:
        CACHE.mkdir(parents=True, exist_ok=True)
        (data / "speech-cache").symlink_to(CACHE)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "visavis.cli.main", "serve", "--port", "0", "--data", str(data), "--workers", "1",
        "--json", "--no-demo-room",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, limit=2**20,
        env={
            **os.environ, "VISAVIS_SLEEP_AFTER_S": "3600", "VISAVIS_LOG_LEVEL": "INFO", "VISAVIS_LOG_FORMAT": "json",
            "VISAVIS_WARM_ANSWERS": "true" if warm else "false", **environment,
        },
    )  # fmt: skip
    served = Served({}, process.pid)
    assert process.stdout is not None
    assert process.stderr is not None
    reading = asyncio.create_task(_read(process.stderr, served, progress))
    try:
        progress("starting the server")
        async with _within(START_S, served, "did not start"):
            line = await process.stdout.readline()
        if not line:
            await reading
            raise VisavisError("the server did not start:\n" + "".join(served.lines[-20:]))
        served.ready = json.loads(line)
        if warm:
            progress("stored answers are synthesised ahead (the first time this takes minutes)")
            await _warm(served, served.warm)
        yield served
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
            try:
                await asyncio.wait_for(process.wait(), 15)
            except TimeoutError:
                process.kill()
                await process.wait()
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)


async def job_warm(served: Served) -> None:
    """Wait until what the job that began may say is synthesised. Raises VisavisError."""
    await _warm(served, served.job_warm)


async def _warm(served: Served, done: asyncio.Event) -> None:
    async with _within(WARM_S, served, "did not get warm"):
        await done.wait()


@contextlib.asynccontextmanager
async def _within(seconds: float, served: Served, what: str) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        raise VisavisError(f"the server {what} within {seconds:.0f} s:\n" + "".join(served.lines[-20:])) from None


async def _read(stream: asyncio.StreamReader, served: Served, progress: Callable[[str], None]) -> None:
    """Follow the log: a full pipe would stop the server."""
    while line := await stream.readline():
        text = line.decode(errors="replace")
        served.lines = [*served.lines[1 - _KEPT_LINES :], text]
        with contextlib.suppress(ValueError):
            entry = json.loads(text)
            if not isinstance(entry, dict):
                continue
            event = str(entry.get("event", ""))
            if event == WARM:
                (served.job_warm if entry.get("job_id") else served.warm).set()
            elif event == WARMING:
                progress(f"synthesised: {entry.get('made')} of {entry.get('total')} sentences")


async def room_of(served: Served, model_url: str = "") -> str:
    """A room to talk in; with ``model_url`` its robot asks that language model (app_type 6)."""
    ready = served.ready
    async with owner_client(ready["url"], ready["project_id"], ready["user"], ready["password"]) as http:
        project = ready["project_id"]
        room = await make_room(http, project, concurrency=1)
        if model_url:
            robot: dict[str, Any] = {
                "name": "bench",
                "app_type": 6,
                "third_party_model_config": {
                    "app_id": "bench", "app_key": "bench", "llm_url": model_url, "is_stream": True, "chat_rounds": 1,
                },
            }  # fmt: skip
            made = await http.post(f"/v1/{project}/digital-human-chat/robot", json=robot)
            made.raise_for_status()
            changed = await http.put(
                f"/v1/{project}/smart-chat-rooms/{room}", json={"robot_id": made.json()["robot_id"]}
            )
            changed.raise_for_status()
        return room
