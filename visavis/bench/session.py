"""Whole sessions in a real Chromium: frame rate, late frames, lips against voice, latency by stage, start, CPU.

Needs what the tests need (``make setup-tests``): Playwright, Debian's Chromium, psutil.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import itertools
import json
import os
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import httpx

from visavis.api.owner import make_room, one_time_link, owner_client
from visavis.errors import VisavisError

SESSIONS: Final = 2
ROUNDS: Final = 4
"""Questions each session asks; the first warms the cache and is not counted in the latency."""
LATE_MS: Final = 60.0
"""A picture is late when the one before it was shown so long ago: one and a half frame times at 25 fps."""
QUESTION: Final = Path(__file__).parents[2] / "demo" / "questions" / "en.wav"
PROBE: Final = Path(__file__).with_name("probe.js")
CHROMIUM: Final = "/usr/bin/chromium"
FLAGS: Final = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",
    "--autoplay-policy=no-user-gesture-required", "--allow-loopback-in-peer-connection",
    "--disable-features=WebRtcHideLocalIpsWithMdns", "--disable-renderer-backgrounding",
    "--disable-backgrounding-occluded-windows", "--disable-background-timer-throttling",
)  # fmt: skip


async def measure(seconds: float) -> dict[str, Any]:
    """One session, then two at once; each talks for ``ROUNDS`` questions and then idles for ``seconds``."""
    with tempfile.TemporaryDirectory() as folder:
        async with _server(Path(folder)) as (ready, pid):
            return {f"{count}_sessions": await _sessions(ready, pid, count, seconds) for count in (1, SESSIONS)}


@contextlib.asynccontextmanager
async def _server(folder: Path) -> AsyncIterator[tuple[dict[str, str], int]]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "visavis.cli.main", "serve", "--port", "0", "--data", str(folder / "data"),
        "--workers", str(SESSIONS), "--json", "--no-demo-room",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
        env={**os.environ, "VISAVIS_WARM_ANSWERS": "false", "VISAVIS_SLEEP_AFTER_S": "600"},
    )  # fmt: skip
    try:
        assert process.stdout is not None
        line = await asyncio.wait_for(process.stdout.readline(), 180)
        if not line:
            raise VisavisError("the server did not start")
        yield json.loads(line), process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        await process.wait()


async def _sessions(ready: dict[str, str], pid: int, count: int, seconds: float) -> dict[str, Any]:
    from playwright.async_api import async_playwright

    project = ready["project_id"]
    async with (
        owner_client(ready["url"], project, ready["user"], ready["password"]) as http,
        async_playwright() as driver,
    ):
        room_id = await make_room(http, project, concurrency=count)
        browser = await driver.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        try:
            links = [await one_time_link(http, project, room_id) for _ in range(count)]
            visitors = [await _Visitor.arrive(browser, link) for link in links]
            await asyncio.gather(*(visitor.talk() for visitor in visitors))
            before = _cpu(pid)
            began = time.monotonic()
            await asyncio.gather(*(visitor.idle(seconds) for visitor in visitors))
            idle = {
                name: (_cpu(pid)[name] - before[name]) / (time.monotonic() - began) * 1000 / count for name in before
            }
            reports = [await visitor.report() for visitor in visitors]
            served = await _served(ready["url"])
            for visitor in visitors:
                await visitor.page.evaluate("visavis.stop()")
        finally:
            await browser.close()
    return {
        "first_picture_s": [report["first_picture_s"] for report in reports],
        "fps_speaking": [report["fps_speaking"] for report in reports],
        "late_percent_speaking": [report["late_percent_speaking"] for report in reports],
        "server_late_percent_speaking": served,
        "lips_minus_voice_ms": [report["lips_minus_voice_ms"] for report in reports],
        "heard_after_s": _spread([time for report in reports for time in report["heard_after_s"]]),
        "stages_s_p50": _stages([stages for report in reports for stages in report["stages"]]),
        "idle_cpu_ms_per_s_per_session": {name: round(value, 1) for name, value in idle.items()},
    }


class _Visitor:
    """One tab that talks to the digital human."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.first_picture_s = 0.0
        self.speaking: list[tuple[float, float]] = []
        self.heard_after: list[float] = []
        self.offsets: list[float] = []

    @classmethod
    async def arrive(cls, browser: Any, link: str) -> _Visitor:
        context = await browser.new_context(viewport={"width": 720, "height": 1280}, bypass_csp=True)
        await context.add_init_script(path=PROBE)
        page = await context.new_page()
        page.set_default_timeout(60_000)
        await page.goto(link)
        visitor = cls(page)
        began = time.monotonic()
        await page.click("#talk")
        await page.wait_for_selector("#stage[data-picture]")
        visitor.first_picture_s = round(time.monotonic() - began, 3)
        await page.wait_for_function("visavis.chatState === 2")
        await page.evaluate("() => { times(); listen(); }")
        return visitor

    async def talk(self) -> None:
        """Ask the question ``ROUNDS`` times, each after the answer to the one before."""
        sound = base64.b64encode(QUESTION.read_bytes()).decode()
        for number in range(ROUNDS):
            spoken = await self.page.evaluate(
                "async (sound) => { await speak(sound); return performance.now(); }", sound
            )
            start = await self._event("speakingStart", number + 1)
            self.offsets += [await self._offset() for _ in range(3)]
            stop = await self._event("speakingStop", number + 1)
            loud = await self.page.evaluate("(since) => loud.find((at) => at > since) ?? null", start - 200)
            self.speaking.append((start + 200, stop - 100))
            if number and loud is not None:
                self.heard_after.append((loud - spoken) / 1000)

    async def _event(self, name: str, count: int) -> float:
        await self.page.wait_for_function(
            "([name, count]) => journal.filter((entry) => entry.name === name).length >= count", arg=[name, count]
        )
        return float(
            await self.page.evaluate("([n, c]) => journal.filter((entry) => entry.name === n)[c - 1].at", [name, count])
        )

    async def _offset(self) -> float:
        """Which moment of the sender's clock is shown, minus which is heard, milliseconds; a second between two looks."""
        await self.page.wait_for_timeout(500)
        seen = await self.page.evaluate("receiver()")
        return float(seen["video"]["playout"] - seen["audio"]["playout"])

    async def idle(self, seconds: float) -> None:
        await self.page.wait_for_timeout(seconds * 1000)

    async def report(self) -> dict[str, Any]:
        shown = await self.page.evaluate("shown_at")
        stages = await self.page.evaluate(
            "messages.filter((m) => m.data && m.data.event === 'latency').map((m) => m.data.stages)"
        )
        gaps = [
            later - earlier
            for earlier, later in itertools.pairwise(shown)
            if any(start <= earlier and later <= stop for start, stop in self.speaking)
        ]
        return {
            "first_picture_s": self.first_picture_s,
            "fps_speaking": round(1000 / statistics.fmean(gaps), 2) if gaps else 0.0,
            "late_percent_speaking": round(100 * sum(gap > LATE_MS for gap in gaps) / len(gaps), 2) if gaps else 100.0,
            "lips_minus_voice_ms": round(statistics.median(self.offsets), 1),
            "heard_after_s": self.heard_after,
            "stages": stages[1:],
        }


async def _served(url: str) -> float:
    """Late pictures among those that the server made while speaking, percent, since its start."""
    async with httpx.AsyncClient() as http:
        lines = (await http.get(f"{url}/metrics")).text.splitlines()
    counts = {line.split()[0]: float(line.split()[1]) for line in lines if line.startswith("visavis_speaking_")}
    late, made = counts["visavis_speaking_late_frames_total"], counts["visavis_speaking_frames_total"]
    return round(100 * late / made, 2) if made else 100.0


def _cpu(pid: int) -> dict[str, float]:
    """CPU seconds so far: the API process, and its workers together."""
    import psutil

    api = psutil.Process(pid)
    return {"api": sum(api.cpu_times()[:2]), "workers": sum(sum(child.cpu_times()[:2]) for child in api.children())}


def _spread(values: list[float]) -> dict[str, float]:
    if not values:
        return {}
    return {"p50": round(statistics.median(values), 3), "min": round(min(values), 3), "max": round(max(values), 3)}


def _stages(turns: list[dict[str, float]]) -> dict[str, float]:
    names = turns[0] if turns else {}
    return {name: round(statistics.median([turn[name] for turn in turns]), 3) for name in names}
