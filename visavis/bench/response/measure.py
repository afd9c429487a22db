"""A whole run: server, browser, conversation, figures."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from visavis.api.owner import one_time_link, owner_client
from visavis.avatar.pack import SHIPPED as PACKS
from visavis.avatar.pack import find
from visavis.bench.response import judging, model, plan, recordings, report, server
from visavis.bench.response.mouth import Eye
from visavis.bench.response.turns import Exchange, Talk
from visavis.bench.response.visitor import Visitor, visiting
from visavis.dialogue.knowledge import SHIPPED, Entry, load
from visavis.errors import VisavisError

TURNS: Final = 40
MOST_TURNS: Final = 10_000


@dataclass(frozen=True)
class Options:
    """What to measure.

    Attributes:
        turns: how many questions are asked.
        knowledge: what the server answers from; None: what it is shipped with.
        folder: of the recordings and their manifest.
        cold: nothing is synthesised ahead, and nothing is in the cache.
        llm_delay_ms: a scripted language model answers, whose first word comes after so long; None: stored answers.
    """

    turns: int = TURNS
    knowledge: Path | None = None
    folder: Path = recordings.SHIPPED
    cold: bool = False
    llm_delay_ms: float | None = None


def check(options: Options) -> tuple[recordings.Recordings, dict[str, list[str]]]:
    """The recordings, and the right answers by file. Raises VisavisError for whatever cannot be measured."""
    if not 1 <= options.turns <= MOST_TURNS:
        raise VisavisError(f"--turns {options.turns}: wanted 1 to {MOST_TURNS}")
    if options.llm_delay_ms is not None and not 0 <= options.llm_delay_ms <= 60_000:
        raise VisavisError(f"--llm-delay-ms {options.llm_delay_ms:g}: wanted 0 to 60000")
    found = recordings.load(options.folder)
    entries: dict[str, Entry] = {entry.id: entry for entry in load([options.knowledge or SHIPPED]).entries}
    return found, {question.file: judging.wanted(question, entries) for question in found.questions}


async def measure(options: Options) -> dict[str, Any]:
    """Ask, listen and report; progress goes to standard error. Raises VisavisError."""
    found, answers = check(options)
    lengths = {each.file: len(answers[each.file][0]) / plan.PACE[each.language or "en"] for each in found.questions}
    steps = plan.plan(found.questions, found.sounds, options.turns, lengths)
    progress = _Progress(len(steps), answers)
    told = [str(options.knowledge.resolve())] if options.knowledge else []
    environment = {"VISAVIS_KNOWLEDGE": json.dumps(told)}
    async with contextlib.AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="visavis-bench-")))
        url = ""
        if options.llm_delay_ms is not None:
            said = {each.text: answers[each.file][0] for each in found.questions}
            url = await stack.enter_async_context(model.scripted(said, options.llm_delay_ms / 1000))
            environment["VISAVIS_URL_ALLOW"] = '["127.0.0.1"]'
        served = await stack.enter_async_context(
            server.serving(folder, environment, warm=not options.cold, progress=progress.say)
        )
        room = await server.room_of(served, url)
        ready = served.ready
        async with owner_client(ready["url"], ready["project_id"], ready["user"], ready["password"]) as http:
            link = await one_time_link(http, ready["project_id"], room)
        progress.say("a browser opens the page")
        visitor = await stack.enter_async_context(visiting(link))
        if not options.cold:
            await server.job_warm(served)
        before, began = _cpu(served.pid), time.monotonic()
        exchanges = await Talk(visitor, found, Eye.of(find("default", (PACKS,)))).hold(steps, progress.turn)
        seconds = time.monotonic() - began
        spent = {name: round((value - before[name]) / seconds, 3) for name, value in _cpu(served.pid).items()}
        return await _figures(visitor, exchanges, answers, options, {"seconds": round(seconds, 1), "cpu": spent})


async def _figures(
    visitor: Visitor,
    exchanges: Sequence[Exchange],
    answers: Mapping[str, list[str]],
    options: Options,
    more: Mapping[str, Any],
) -> dict[str, Any]:
    judged = [report.Judged.of(each, answers[each.question.file]) for each in exchanges]
    found = report.figures(judged, await visitor.shown(), await visitor.page_clock())
    listed = found.pop("list")
    return {
        **found,
        "stored_answers": "cold" if options.cold else "warm",
        "llm_delay_ms": options.llm_delay_ms,
        "browser": _buffers(await visitor.receiver()),
        **more,
        "load_average": round(os.getloadavg()[0], 2),
        "list": listed,
    }


def _buffers(seen: Mapping[str, Any]) -> dict[str, Any]:
    """What the browser held back, ms on the average, and what it had to make up."""
    out: dict[str, Any] = {"output_ms": round(float(seen["output_ms"]), 1)}
    for medium in ("audio", "video"):
        if (each := seen.get(medium)) and each.get("emitted"):
            out[f"{medium}_jitter_buffer_ms"] = round(1000 * each["held_s"] / each["emitted"], 1)
            out[f"{medium}_jitter_target_ms"] = round(1000 * (each["target_s"] or 0) / each["emitted"], 1)
            out[f"{medium}_arrival_jitter_ms"] = round(1000 * (each["jitter_s"] or 0), 1)
            out[f"{medium}_packets_lost"] = each["lost"]
    if audio := seen.get("audio"):
        out["concealed_samples"] = audio["concealed"]
    return out


def _cpu(pid: int) -> dict[str, float]:
    """Seconds of processor time so far: the server with its workers, and the browser with the bench."""
    import psutil

    def spent(process: psutil.Process) -> float:
        with contextlib.suppress(psutil.Error):
            return float(sum(process.cpu_times()[:2]))
        return 0.0

    root, me = psutil.Process(pid), psutil.Process()
    serving = [root, *root.children(recursive=True)]
    known = {process.pid for process in serving}
    others = [me, *(process for process in me.children(recursive=True) if process.pid not in known)]
    return {"server": sum(map(spent, serving)), "browser": sum(map(spent, others))}


class _Progress:
    """Tells on standard error how far it is."""

    def __init__(self, turns: int, answers: Mapping[str, list[str]]) -> None:
        self._turns, self._answers = turns, answers
        self._responses: list[float] = []

    def say(self, text: str) -> None:
        print(f"  {text}", file=sys.stderr, flush=True)

    def turn(self, exchange: Exchange, number: int) -> None:
        judged = report.Judged.of(exchange, self._answers[exchange.question.file])
        if not exchange.early:
            self._responses.append(judged.response_ms)
        notes = [
            "no answer" if judged.unanswered else "early" if exchange.early else f"{exchange.response_ms:.0f} ms",
            "" if judged.right else "WRONG",
            f"silent {exchange.cut_ms:.0f} ms" if exchange.cut_ms is not None else "",
            f"lips {exchange.lips_ms:.0f} ms" if exchange.lips_ms is not None else "",
            f"{judged.event}: {'went on' if judged.went_on else 'CUT'}" if judged.went_on is not None else "",
        ]
        p50 = f"{statistics.median(self._responses):.0f}" if self._responses else "-"
        told = ", ".join(note for note in notes if note)
        self.say(f"turn {number + 1} of {self._turns}, p50 {p50} ms: {exchange.question.file}: {told}")


def run(options: Options) -> dict[str, Any]:
    """:func:`measure`, for callers without an event loop."""
    return asyncio.run(measure(options))
