"""``visavis bench api``: the figures are there, hang together, and are of a server that checks what it is asked."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import pytest
from typer.testing import CliRunner

from visavis.bench import api, load
from visavis.cli.main import app
from visavis.store.identity import AccessKey


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "ROUNDS", 1)
    monkeypatch.setattr(api.measure, "__defaults__", ("sqlite", (12,)))


@pytest.mark.system
@pytest.mark.usefixtures("small")
def test_the_report_has_all_figures_for_each_size() -> None:
    done = CliRunner().invoke(app, ["bench", "api", "--seconds", "1", "--json"])
    assert done.exit_code == 0, done.output
    report: dict[str, Any] = json.loads(done.stdout)
    assert report["database"] == "sqlite"
    assert list(report["stored"]) == ["12"]
    for row in report["stored"].values():
        for kind in ("show", "bare", "show_alone", "bare_alone"):
            figures = row[kind]
            assert figures["per_s"] > 0
            assert 0 < figures["p50_ms"] <= figures["p99_ms"]
            # Rate and processor time are told by different clocks: one core cannot do more than its time allows.
            assert figures["per_s"] * figures["cpu_us"] <= 1.3e6
        assert row["show"]["cpu_us"] > row["bare"]["cpu_us"]
        assert row["share_of_bare_by_cpu"] == pytest.approx(row["bare"]["cpu_us"] / row["show"]["cpu_us"], abs=0.01)
        assert {f"{one}_{page}" for one in ("jobs", "rooms", "roles") for page in ("first", "deep")} <= row.keys()
    assert "12 stored: list roles, deep page" in done.stderr
    assert "(12 stored)" in api.table(report)


async def answering(answer: bytes, requests: list[bytes]) -> load.Load:
    """The load generator against a server that always answers the same."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readuntil(b"\r\n\r\n"):
            for part in (answer[:25], answer[25:]):  # in pieces, as networks do it
                writer.write(part)
                await writer.drain()

    async with await asyncio.start_server(serve, load.HOST, 0) as server:
        return await load.load(server.sockets[0].getsockname()[1], requests, 2, 0.05)


ASK = load.request("GET", "/", [("Host", "a")])


async def test_the_load_generator_counts_whole_answers() -> None:
    done = await answering(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", [ASK])
    assert done.rate == pytest.approx(len(done.latencies) / done.seconds)
    assert done.latencies == sorted(done.latencies)
    assert load.percentile([1, 2, 3, 4], 0.5) == 2
    assert load.percentile([1, 2, 3, 4], 0.99) == 4


async def test_any_other_answer_ends_the_measurement() -> None:
    with pytest.raises(load.LoadError, match="401"):
        await answering(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\n{}", [ASK])


def test_requests_are_signed_as_the_server_wants_them() -> None:
    raw = api.signed("POST", "/v1/p/x", "a=1", "h:1", AccessKey("AK1", "SK1", "p"), b"{}").decode()
    lines = dict(line.split(": ", 1) for line in raw.partition("\r\n\r\n")[0].split("\r\n")[1:])
    headers = [(name.lower(), value) for name, value in lines.items()]
    sent = api.signing.SignedRequest("POST", "/v1/p/x", "a=1", headers, b"{}")
    api.signing.verify(sent, api.signing.parse(lines["authorization"]), "SK1", time.time())
