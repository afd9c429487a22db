"""``visavis bench``: what can be measured, and how."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from visavis.cli.options import JsonOption, settings_with

_RESPONSE = "response"


def bench(
    what: Annotated[
        str, typer.Argument(help="response, api, avatar, lips, media, speech, session or all (all but response)")
    ] = "all",
    seconds: Annotated[
        float,
        typer.Option(envvar="VISAVIS_BENCH_SECONDS", help="Length of each session measured; api: ten slices of load"),
    ] = 20.0,
    database: Annotated[
        str,
        typer.Option(
            envvar="VISAVIS_BENCH_DATABASE", help="What the API is measured on: sqlite, postgresql (Debian's), or a URL"
        ),
    ] = "sqlite",
    turns: Annotated[
        int, typer.Option(envvar="VISAVIS_BENCH_TURNS", help="response: how many questions are asked")
    ] = 40,
    knowledge: Annotated[
        Path | None,
        typer.Option(
            envvar="VISAVIS_BENCH_KNOWLEDGE",
            help="response: a knowledge file to answer from [default: the shipped one]",
        ),
    ] = None,
    recordings: Annotated[
        Path | None,
        typer.Option(
            envvar="VISAVIS_BENCH_RECORDINGS",
            help="response: a folder of recordings with manifest.json [default: ours]",
        ),
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(envvar="VISAVIS_BENCH_PLOT", help="response: a picture of where the time goes (.png)")
    ] = None,
    cold: Annotated[
        bool, typer.Option("--cold", envvar="VISAVIS_BENCH_COLD", help="response: nothing is synthesised ahead")
    ] = False,
    llm_delay_ms: Annotated[
        float | None,
        typer.Option(
            envvar="VISAVIS_BENCH_LLM_DELAY_MS",
            help="response: a scripted language model answers, its first word after so long [default: stored answers]",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Measure. docs/performance.md explains the figures, docs/bench-response.md those of `response`.

    `response` asks recorded questions aloud in a real Chromium and listens: time to the answer, barge-in, false interruptions and ends
    of turns, right answers. The others: CPU of each part, latency split by stage, frame rate and late frames.
    """
    settings_with()
    if what != _RESPONSE:
        from visavis.bench import run

        raise typer.Exit(run.run(what, seconds=seconds, as_json=as_json, database=database))
    from visavis.bench.response import command
    from visavis.bench.response.measure import Options
    from visavis.bench.response.recordings import SHIPPED

    options = Options(
        turns=turns, knowledge=knowledge, folder=recordings or SHIPPED, cold=cold, llm_delay_ms=llm_delay_ms
    )
    raise typer.Exit(command.run(options, as_json=as_json, picture=plot))
