"""What a request costs: showing a job's state and listing, signed with an AK/SK, beside a bare FastAPI route.

Both servers run on one core, in the same uvicorn; the load comes from another core where there is one. They are asked in turn,
in short slices, so that whatever else the machine does falls on both: the share of the bare route is the figure that lasts.
The store grows meanwhile from ten jobs and rooms to a hundred thousand of each; of roles and the like a project may have a
thousand, and more are not stored.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import json
import os
import platform
import random
import signal
import statistics
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import httpx
from sqlalchemy import Table, func, insert, make_url, select, text

from visavis.api import signing
from visavis.api.services.resources import MOST
from visavis.bench.load import HOST, Load, load, percentile, request
from visavis.errors import VisavisError
from visavis.settings import Settings
from visavis.store import tallies
from visavis.store.database import Database
from visavis.store.identity import AccessKey
from visavis.store.keys import create_key
from visavis.store.tables import jobs, records, rooms

SIZES: Final = (10, 100, 1_000, 10_000, 100_000)
CONNECTIONS: Final = 16
ROUNDS: Final = 3
PROJECT: Final = "bench"
PAGE: Final = 10
"""Entries of a list's page."""
_DIFFERENT: Final = 500
"""Jobs that are asked for in turn, of all that are stored."""
_CHUNK: Final = 5_000
_TICKS: Final = os.sysconf("SC_CLK_TCK")
_POSTGRES: Final = Path(__file__).parents[2] / "tests" / "postgres_server.py"

Tell = Callable[[str], None]


def tell(line: str) -> None:
    """Say on standard error what is being measured: one line that changes on a terminal, one after the other elsewhere."""
    if sys.stderr.isatty():
        print(f"\r\033[K  {line}", end="", file=sys.stderr, flush=True)
    else:
        print(f"  {line}", file=sys.stderr, flush=True)


# --- the servers --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Served:
    """A running server: where it listens, and its process."""

    port: int
    pid: int

    @property
    def host(self) -> str:
        return f"{HOST}:{self.port}"

    def cpu(self) -> float:
        """Seconds of processor time so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS


@asynccontextmanager
async def _server(
    what: str, core: int, folder: Path, env: dict[str, str], given: bytes = b""
) -> AsyncIterator[_Served]:
    with (folder / f"{what}.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "visavis.bench.api_server", what, str(core),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=log, env={**os.environ, **env},
        )  # fmt: skip
    try:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(given)
        process.stdin.close()
        port = await asyncio.wait_for(process.stdout.readline(), 60)
        if not port:
            raise VisavisError(f"the server did not start: {(folder / f'{what}.log').read_text()[-2000:]}")
        yield _Served(int(port), process.pid)
    finally:
        # At once: its data folder goes, too.
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGKILL)
        await process.wait()


@contextlib.contextmanager
def _database(which: str) -> Any:
    """The URL of the database to measure on; empty: SQLite in the data folder."""
    if which != "postgresql":
        yield "" if which == "sqlite" else which
        return
    if not _POSTGRES.exists():
        raise VisavisError("--database postgresql starts a server as the tests do, from a checkout; else name a URL")
    found = importlib.util.spec_from_file_location("postgres_server", _POSTGRES)
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    if module.program("postgres") is None:
        raise VisavisError("no PostgreSQL server is installed here (Debian package postgresql)")
    server = module.PostgresServer()
    try:
        yield server.url("postgres")
    finally:
        server.stop()


# --- what is stored -----------------------------------------------------------------------------------


class _Store:
    """The measured server's database, filled with copies of what the server itself stored."""

    def __init__(self, database: Database, dialect: str) -> None:
        self._database = database
        self._dialect = dialect
        self._random = random.Random(4)

    async def grow(self, table: Table, wanted: int) -> None:
        """Until ``wanted`` rows are there. Copies are older than what they are copies of, and over where that has states."""
        async with self._database.read() as connection:
            have = (await connection.execute(select(func.count()).select_from(table))).scalar_one()
            rows = await connection.execute(table.select().order_by(table.c.created_at.desc()).limit(1))
            pattern = dict(rows.mappings().one())
        for start in range(have, wanted, _CHUNK):
            more = [self._copy(table, pattern, number) for number in range(start, min(wanted, start + _CHUNK))]
            async with self._database.write() as connection:
                await connection.execute(insert(table), more)

    def _copy(self, table: Table, pattern: dict[str, Any], number: int) -> dict[str, Any]:
        at = pattern["created_at"] - number
        copy = {**pattern, "id": self._id(), "created_at": at, "updated_at": at}
        if table is jobs:
            copy |= {"rtc_room_id": self._id(), "state": "SUCCEED", "started_at": at, "ended_at": at + 1}
        return copy

    def _id(self) -> str:
        return f"{self._random.getrandbits(128):032x}"

    async def settled(self) -> None:
        """What the server would have kept by itself: the numbers of things, and PostgreSQL's statistics of its tables."""
        await tallies.recount(self._database)
        if self._dialect == "postgresql":
            async with self._database.write() as connection:
                await connection.execute(text("ANALYZE"))

    async def some_jobs(self) -> list[str]:
        """Ids from all over."""
        async with self._database.read() as connection:
            ids = [row.id for row in await connection.execute(jobs.select().with_only_columns(jobs.c.id))]
        return self._random.sample(ids, min(len(ids), _DIFFERENT))


# --- requests -----------------------------------------------------------------------------------------


def signed(method: str, path: str, query: str, host: str, key: AccessKey, body: bytes = b"") -> bytes:
    """A request with its signature, as the SDKs send it. ``query`` in its canonical form."""
    date = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    headers = {"content-type": "application/json", "host": host, "x-project-id": PROJECT, "x-sdk-date": date}
    names = tuple(sorted(headers))
    signature = signing.sign(
        signing.SignedRequest(method, path, query, list(headers.items()), body), headers, names, date, key.sk
    )
    headers["authorization"] = (
        f"{signing.ALGORITHM} Access={key.ak}, SignedHeaders={';'.join(names)}, Signature={signature}"
    )
    headers |= {"accept": "*/*", "user-agent": "visavis-bench"}
    return request(method, f"{path}?{query}" if query else path, list(headers.items()), body)


async def _call(served: _Served, key: AccessKey, method: str, path: str, body: Any = None) -> Any:
    raw = signed(method, path, "", served.host, key, b"" if body is None else json.dumps(body).encode())
    head, _, content = raw.partition(b"\r\n\r\n")
    headers = [line.partition(": ")[::2] for line in head.decode().split("\r\n")[1:]]
    async with httpx.AsyncClient() as http:
        answer = await http.request(method, f"http://{served.host}{path}", headers=dict(headers), content=content)
    if answer.status_code >= 300:
        raise VisavisError(f"{method} {path}: {answer.text}")
    return answer.json()


async def _furnish(served: _Served, key: AccessKey) -> tuple[str, str]:
    """A role, a room and a job in it, made through the API; ids of the room and the job."""
    role = {"name": "Guide", "description": "", "llm_source": "DEEP_SEEK", "role_business_list": [{"language": "CN"}]}
    await _call(served, key, "POST", f"/v1/{PROJECT}/wise-brain-manager/role", role)
    room = {
        "room_name": "Reception",
        "concurrency": 2,
        "video_config": {"width": 720, "height": 1280, "codec": "H264", "bitrate": 2500, "frame_rate": "25"},
        "voice_config_list": [{"voice_asset_id": "default", "language": language} for language in ("CN", "EN")],
    }
    room_id = (await _call(served, key, "POST", f"/v1/{PROJECT}/smart-chat-rooms", room))["room_id"]
    started = await _call(served, key, "POST", _jobs(room_id), {})
    return room_id, started["job_id"]


def _jobs(room_id: str) -> str:
    return f"/v1/{PROJECT}/digital-human-chat/smart-chat-rooms/{room_id}/smart-chat-jobs"


# --- measuring ----------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Slices:
    """Slices of load on one server, taken together."""

    loads: list[Load]
    cpu: list[float]

    def report(self) -> dict[str, float]:
        """Of all slices: the median rate and processor time, and the latencies of all answers in milliseconds."""
        latencies = sorted(latency for load in self.loads for latency in load.latencies)
        return {
            "per_s": round(statistics.median(load.rate for load in self.loads)),
            "p50_ms": round(percentile(latencies, 0.5) * 1000, 3),
            "p99_ms": round(percentile(latencies, 0.99) * 1000, 3),
            "cpu_us": round(statistics.median(self.cpu)),
        }


async def _slice(into: _Slices, served: _Served, requests: Sequence[bytes], connections: int, seconds: float) -> None:
    before = served.cpu()
    done = await load(served.port, requests, connections, seconds)
    into.loads.append(done)
    into.cpu.append((served.cpu() - before) / len(done.latencies) * 1e6)


async def _beside(
    served: _Served, bare: _Served, requests: Sequence[bytes], plain: Sequence[bytes], seconds: float
) -> dict[str, Any]:
    """The state call and the bare route in turn; with many connections, and with one."""
    report: dict[str, Any] = {}
    shares: list[float] = []
    client: list[float] = []
    for connections, name in ((CONNECTIONS, ""), (1, "_alone")):
        ours, theirs = _Slices([], []), _Slices([], [])
        for _ in range(ROUNDS):
            await _slice(ours, served, requests, connections, seconds)
            await _slice(theirs, bare, plain, connections, seconds)
            if not name:
                shares.append(ours.loads[-1].rate / theirs.loads[-1].rate)
                client += [ours.loads[-1].client_us, theirs.loads[-1].client_us]
        report |= {f"show{name}": ours.report(), f"bare{name}": theirs.report()}
    cpu = report["bare"]["cpu_us"] / report["show"]["cpu_us"]
    return {
        "share_of_bare": round(statistics.median(shares), 3),
        "share_of_bare_by_cpu": round(cpu, 3),
        "client_us": round(statistics.median(client)),
        **report,
    }


def _pages(room_id: str, size: int) -> dict[str, tuple[str, str]]:
    """The lists: first page, and the last one."""
    lists = {
        "jobs": _jobs(room_id),
        "rooms": f"/v1/{PROJECT}/smart-chat-rooms",
        "roles": f"/v1/{PROJECT}/wise-brain-manager/role",
    }
    return {
        f"{name}_{place}": (path, f"limit={PAGE}&offset={offset}")
        for name, path in lists.items()
        for place, offset in (("first", 0), ("deep", max(0, (min(size, MOST) if name == "roles" else size) - PAGE)))
    }


async def measure(seconds: float, database: str = "sqlite", sizes: Sequence[int] = SIZES) -> dict[str, Any]:
    """All of it.

    Args:
        seconds: of each slice of load; there are some twenty for each size of the store.
        database: "sqlite", "postgresql" (a server is started from Debian's package), or a database's URL.

    Raises:
        VisavisError: no such server, or it does not answer as it should.
    """
    cores = sorted(os.sched_getaffinity(0))
    mine, theirs = (cores[1], cores[0]) if len(cores) > 1 else (-1, -1)
    with _database(database) as url, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        env = {"VISAVIS_DATA": str(folder / "data"), "VISAVIS_PROJECT_RATE": "0", "VISAVIS_CHECK_ANSWERS": "false"}
        if url:
            env["VISAVIS_DATABASE_URL"] = url
        settings = Settings(data=folder / "data", database_url=url)
        key = await asyncio.to_thread(create_key, settings, PROJECT)
        before = os.sched_getaffinity(0)
        async with _server("visavis", theirs, folder, env) as served:
            if mine >= 0:
                os.sched_setaffinity(0, {mine})
            try:
                return await _grown(served, theirs, folder, settings, key, seconds, sizes)
            finally:
                os.sched_setaffinity(0, before)


async def _grown(
    served: _Served, core: int, folder: Path, settings: Settings, key: AccessKey, seconds: float, sizes: Sequence[int]
) -> dict[str, Any]:
    room_id, job_id = await _furnish(served, key)
    answer = await _call(served, key, "GET", f"{_jobs(room_id)}/{job_id}/state")
    content = json.dumps(answer).encode()
    report: dict[str, Any] = {}
    database = await Database.open(settings)
    try:
        async with _server("bare", core, folder, {}, content) as bare:
            dialect = make_url(settings.sqlalchemy_url).get_backend_name()
            store = _Store(database, dialect)
            for size in sizes:
                report[str(size)] = await _at(size, store, served, bare, room_id, key, seconds)
    finally:
        await database.close()
        if sys.stderr.isatty():
            print("\r\033[K", end="", file=sys.stderr, flush=True)
    return {
        "database": dialect,
        "python": platform.python_version(),
        "one_core": core >= 0,
        "connections": CONNECTIONS,
        "answer_bytes": len(content),
        "stored": report,
    }


async def _at(
    size: int, store: _Store, served: _Served, bare: _Served, room_id: str, key: AccessKey, seconds: float
) -> dict[str, Any]:
    tell(f"storing {size:,} jobs, rooms and roles")
    for kind in (jobs, rooms):
        await store.grow(kind, size)
    await store.grow(records, min(size, MOST))
    await store.settled()
    tell(f"{size:,} stored: show state, beside the bare route")
    paths = [f"{_jobs(room_id)}/{job_id}/state" for job_id in await store.some_jobs()]
    shown = [signed("GET", path, "", served.host, key) for path in paths]
    plain = [signed("GET", path, "", bare.host, key) for path in paths]  # the same headers to read
    await load(served.port, shown, CONNECTIONS, min(1.0, seconds))  # warm
    await load(bare.port, plain, CONNECTIONS, min(1.0, seconds))
    report = await _beside(served, bare, shown, plain, seconds)
    for name, (path, query) in _pages(room_id, size).items():
        tell(f"{size:,} stored: list {name.replace('_', ', ')} page")
        page = _Slices([], [])
        query = "&".join(sorted(query.split("&")))
        await _slice(page, served, [signed("GET", path, query, served.host, key)], 1, seconds / 2)
        report[name] = page.report()
    return report


def table(report: dict[str, Any]) -> str:
    """The report for people: one line for each size of the store."""
    stored: dict[str, dict[str, Any]] = report["stored"]
    lists = [name for name in next(iter(stored.values())) if name.endswith(("_first", "_deep"))]
    lines = [
        f"  {report['database']}, {report['connections']} connections, answers of {report['answer_bytes']} bytes",
        "",
        "  show state     bare route     share   by CPU   one request after the other: show p50 p99, bare p50 p99",
    ]
    for size, row in stored.items():
        show, bare, one, plain = row["show"], row["bare"], row["show_alone"], row["bare_alone"]
        lines.append(
            f"  {show['per_s']:6}/s       {bare['per_s']:6}/s       {row['share_of_bare']:5.0%}   {row['share_of_bare_by_cpu']:5.0%}"
            f"    {one['p50_ms']:.2f} {one['p99_ms']:.2f} ms, {plain['p50_ms']:.2f} {plain['p99_ms']:.2f} ms"
            f"   ({int(size):,} stored)"
        )
    lines += ["", f"  a page of a list, ms p50{'':10}" + "".join(f"{int(size):>10,}" for size in stored)]
    lines += [
        f"  {name.replace('_', ', '):<34}" + "".join(f"{row[name]['p50_ms']:>10.2f}" for row in stored.values())
        for name in lists
    ]
    return "\n".join(lines)
