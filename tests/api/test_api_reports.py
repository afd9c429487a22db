"""Dialogue reports and recordings on their way into the bucket of a real S3 server: what arrives, and what happens when it fails."""

from __future__ import annotations

import asyncio
import json
import socket
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
import pytest_asyncio
from bucket_server import BUCKET, BucketServer, bucket_server
from control_fakes import FakeDispatcher
from control_server import CATALOGUE, HOST, Clock, Server, jobs
from sqlalchemy import select

from visavis.api.app import create_app
from visavis.api.services import reporting, reporting_content
from visavis.session.signals import TurnEvent
from visavis.settings import Settings
from visavis.store import audit, buckets, erasing
from visavis.store.erasing import Erased
from visavis.store.objects import ObjectsError, S3Objects, check
from visavis.store.tables import turns as turns_table

MakeServer = Callable[..., Awaitable[Server]]

DIALOG, AUDIO = "/digital-human-chat/dialog-report-config", "/digital-human-chat/audio-record-config"
SWITCHES = {DIALOG: "enable_dialog_report", AUDIO: "enable_audio_record"}


@pytest.fixture(scope="module")
def one_store() -> Iterator[BucketServer]:
    with bucket_server() as server:
        yield server


@pytest.fixture
def store(one_store: BucketServer) -> BucketServer:
    one_store.refresh()
    return one_store


@asynccontextmanager
async def serving(data: Path, database_url: str) -> AsyncIterator[Server]:
    """A server that the test ends."""
    settings = Settings(data=data, database_url=database_url, project_rate=0)
    dispatcher, clock = FakeDispatcher(), Clock()
    app = create_app(settings, dispatcher, CATALOGUE, clock=clock)
    transport = httpx.ASGITransport(app, client=("127.0.0.1", 5000))
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url=f"http://{HOST}") as http,
    ):
        server = Server(app, http, dispatcher, clock, settings)
        await server.project("p1")
        yield see(server)


async def off(work: Callable[..., Any], *arguments: Any, **more: Any) -> Any:
    """Beside the loop: the bucket's server answers in a thread of this process."""
    return await asyncio.to_thread(work, *arguments, **more)


async def given(server: Server, store: BucketServer, project: str = "p1", **more: Any) -> None:
    """The operator sets the project's store."""
    await buckets.put(server.context.database, store.store(project, **more), server.clock())


async def turned_on(server: Server, store: BucketServer, *paths: str) -> None:
    await given(server, store)
    for path in paths:
        answer = await server.call("POST", path, store.body(SWITCHES[path]))
        assert answer.status_code == 200, answer.text


async def started(server: Server, user: str = "") -> tuple[str, str]:
    """(room id, job id) of a job that somebody talks to."""
    room_id = await server.room()
    headers = {"X-App-UserId": user} if user else {}
    answer = await server.call("POST", jobs(room_id), None, headers=headers)
    assert answer.status_code == 200, answer.text
    job_id = answer.json()["job_id"]
    server.dispatcher.link(job_id)
    return room_id, job_id


def turn(job_id: str, number: int, **more: Any) -> TurnEvent:
    told = {"heard": f"question {number}", "answered": f"answer {number}", "language": "en", **more}
    return TurnEvent(job_id=job_id, chat_id=f"chat{number}", stages={"endpoint": 0.2, "play": 0.65}, **told)


class Seen:
    """What a server counts, with a bell that rings at each: nobody needs to look again and again."""

    def __init__(self, server: Server) -> None:
        metrics, reports = server.context.metrics, server.app.state.reports
        counter, gauge, take = metrics.deliveries, metrics.deliveries_waiting, reports.turn
        self.counts: Counter[tuple[str, str]] = Counter()
        for family in counter.collect():
            for one in family.samples:
                if one.name.endswith("_total"):
                    self.counts[one.labels["kind"], one.labels["result"]] = int(one.value)
        self.rounds = self.turns = self.waiting = 0
        self._bell = asyncio.Event()

        def counted(kind: str, result: str) -> None:
            counter.labels(kind, result).inc()
            self.counts[kind, result] += 1
            self._bell.set()

        def waits(count: int) -> None:
            gauge.set(count)
            self.rounds, self.waiting = self.rounds + 1, count
            self._bell.set()

        async def turn(event: TurnEvent) -> None:
            await take(event)
            self.turns += 1
            self._bell.set()

        metrics.deliveries = SimpleNamespace(labels=lambda *names: SimpleNamespace(inc=lambda: counted(*names)))
        metrics.deliveries_waiting = SimpleNamespace(set=waits)
        reports.turn = turn

    async def until(self, holds: Callable[[Seen], bool]) -> None:
        async with asyncio.timeout(15):
            while not holds(self):
                self._bell.clear()
                await self._bell.wait()


def see(server: Server) -> Server:
    server.seen = Seen(server)
    return server


@pytest_asyncio.fixture
async def server(make_server: MakeServer) -> Server:
    return see(await make_server())


async def until(server: Server, holds: Callable[[Seen], bool]) -> None:
    await server.seen.until(holds)


def delivered(kind: str, result: str = "delivered", count: int = 1) -> Callable[[Seen], bool]:
    return lambda seen: seen.counts[kind, result] >= count


async def later(server: Server, seconds: float) -> None:
    """The clock goes on, and the server has looked at it."""
    server.clock.now += seconds
    for _ in range(2):  # the first round may have begun before
        before = server.seen.rounds
        server.app.state.reports.wake()
        await until(server, lambda seen, before=before: seen.rounds > before)


async def eventually(server: Server, holds: Callable[[Seen], bool]) -> None:
    """As time goes by: where one delivery failed, the others rest for a while."""
    async with asyncio.timeout(15):
        while not holds(server.seen):
            await later(server, reporting.FIRST_RETRY_S)


async def talked(server: Server, user: str = "", turns: int = 2) -> tuple[str, str]:
    """A job with turns, over."""
    room_id, job_id = await started(server, user)
    for number in range(1, turns + 1):
        server.dispatcher.tell(turn(job_id, number))
    server.dispatcher.finish(job_id, "NORMAL")
    return room_id, job_id


def sound_of(server: Server, job_id: str, *pieces: bytes) -> Path:
    """As the job's worker writes it."""
    folder = server.settings.recordings / job_id
    folder.mkdir(parents=True)
    for number, piece in enumerate(pieces, 1):
        (folder / f"{number:04}.flac").write_bytes(piece)
    return folder


# --- configurations -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [DIALOG, AUDIO])
async def test_a_configuration_is_on_only_where_something_can_be_written(
    server: Server, store: BucketServer, path: str
) -> None:
    switch = SWITCHES[path]
    body = store.body(switch)

    async def refused(words: str, **more: Any) -> None:
        answer = await server.call("POST", path, {**body, **more})
        assert (answer.status_code, answer.json()["error_code"]) == (400, "MSS.00000003"), answer.text
        assert words in answer.json()["error_msg"]
        assert (await server.call("GET", path)).status_code == 404

    await refused("visavis project bucket")
    await given(server, store, access_key="AKIAUNKNOWN")
    await refused("does not know the access key")
    await given(server, store, secret="wrong")
    await refused("signature")
    await given(server, store, access_key=store.stranger[0], secret=store.stranger[1])
    await refused("may not write")
    await given(server, store)
    await refused("no such bucket", obs_bucket_name="nowhere")
    await refused("not the project's store", obs_endpoint="https://elsewhere.example")
    await refused("not the project's store", obs_endpoint="http://127.0.0.1:80")
    await refused("obs_endpoint", obs_endpoint="https://a.example/path")
    await refused("obs_bucket_name", obs_bucket_name="No_Bucket")
    assert "wrong" not in (await server.call("POST", path, body)).text
    answer = await server.call("GET", path)
    assert answer.json()[switch] is True
    assert await off(store.keys) == [], "what it tried with was left there"
    again = await server.call("POST", path, {**body, "obs_bucket_name": "nowhere"})
    assert again.status_code == 409
    changed = await server.call("PUT", path, {"obs_bucket_name": "nowhere"})
    assert changed.status_code == 400
    assert (await server.call("GET", path)).json()["obs_bucket_name"] == BUCKET


async def test_a_configuration_that_is_off_promises_nothing(server: Server) -> None:
    body = {"enable_dialog_report": False, "obs_bucket_name": "later", "obs_endpoint": "obs.later.example"}
    assert (await server.call("POST", DIALOG, body)).status_code == 200
    on = await server.call("PUT", DIALOG, {"enable_dialog_report": True})
    assert on.status_code == 400
    assert (await server.call("GET", DIALOG)).json()["enable_dialog_report"] is False


async def test_the_endpoint_may_be_named_without_scheme_and_by_its_aliases(server: Server, store: BucketServer) -> None:
    await given(server, store, aliases=("obs.cn-north-4.myhuaweicloud.com",))
    for endpoint in (store.endpoint, store.endpoint.removeprefix("http://"), "obs.cn-north-4.myhuaweicloud.com"):
        answer = await server.call("POST", DIALOG, store.body("enable_dialog_report", obs_endpoint=endpoint))
        assert (answer.status_code, answer.json().get("obs_endpoint")) == (200, endpoint), answer.text
        await server.call("DELETE", DIALOG)


async def test_a_store_that_does_not_answer_is_not_waited_for(store: BucketServer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        bucket = S3Objects(store.store(endpoint=f"http://127.0.0.1:{silent.getsockname()[1]}"), BUCKET)
        with pytest.raises(ObjectsError, match="in time"):
            await check(bucket, timeout_s=0.3)


async def test_a_project_uses_its_own_store(server: Server, store: BucketServer) -> None:
    await given(server, store)
    await server.project("p2")
    answer = await server.call("POST", DIALOG, store.body("enable_dialog_report"), project="p2")
    assert "visavis project bucket" in answer.json()["error_msg"]


# --- dialogue reports -----------------------------------------------------------------------------------------


async def test_a_job_s_turns_arrive_as_json_lines(server: Server, store: BucketServer) -> None:
    await turned_on(server, store, DIALOG)
    room_id, job_id = await started(server, user="visitor-7")
    taken = {"citations": ["Guide / guide.md #1"]}
    server.dispatcher.tell(turn(job_id, 1, heard="你会说中文吗？", answered="会。", language="zh", **taken))
    server.dispatcher.tell(turn(job_id, 2, interrupted=True, heard="", refused=True))
    server.dispatcher.finish(job_id, "NORMAL")
    await until(server, delivered("dialog"))

    key = f"dialog-report/p1/2027-01-15/{job_id}/0001.jsonl"
    assert await off(store.keys) == [key]
    assert await off(store.content_type, key) == "application/x-ndjson"
    head, *turns = await off(store.lines, key)
    shown = await server.show(room_id, job_id)
    user = next(
        one["user_id"]
        for one in server.dispatcher.specs[job_id].model_dump()["users"]
        if one["user_type"] == "END_USER"
    )
    assert head == {
        "type": "job",
        "job_id": job_id,
        "project_id": "p1",
        "room_id": room_id,
        "robot_id": server.dispatcher.specs[job_id].robot.robot_id or "",
        "app_user_id": "visitor-7",
        "user_id": user,
        "client_id": "",
        "state": "SUCCEED",
        "finish_reason": "NORMAL",
        "error_code": "",
        "create_time": "2027-01-15T08:00:00Z",
        "start_time": shown["start_time"],
        "end_time": shown["end_time"],
        "duration_s": 0.0,
        "part": 1,
        "more": False,
    }
    assert [one["number"] for one in turns] == [1, 2]
    assert turns[0] == {
        "type": "turn",
        "number": 1,
        "chat_id": "chat1",
        "time": "2027-01-15T08:00:00.000Z",
        "asked": "你会说中文吗？",
        "answered": "会。",
        "language": "zh",
        "interrupted": False,
        "latency_s": {"endpoint": 0.2, "play": 0.65},
        "citations": ["Guide / guide.md #1"],
        "refused": False,
    }
    assert (turns[1]["citations"], turns[1]["refused"]) == ([], True)
    assert turns[1]["interrupted"] is True
    entries = await audit.listing(server.context.database, audit.Filter(target=job_id), 10)
    assert "dialog part 1 delivered" in [one.entry.operation for one in entries]
    metrics = (await server.http.get("/metrics")).text
    assert 'visavis_deliveries_total{kind="dialog",result="delivered"} 1.0' in metrics
    async with server.context.database.read() as connection:
        assert (await connection.execute(select(turns_table))).all() == [], "what was delivered is still kept here"


async def test_only_what_is_asked_for_is_kept(server: Server, store: BucketServer) -> None:
    """Neither without a configuration, nor with one that is off, nor of a job that nobody came to."""
    await talked(server)
    await turned_on(server, store, DIALOG)
    room_id = await server.room()
    lonely = (await server.start(room_id))["job_id"]
    server.dispatcher.finish(lonely, "CANCELED")
    await server.call("PUT", DIALOG, {"enable_dialog_report": False})
    _, job_id = await started(server)
    assert server.dispatcher.specs[job_id].record_audio is False
    server.dispatcher.tell(turn(job_id, 1))
    server.dispatcher.finish(job_id, "NORMAL")
    await server.call("PUT", DIALOG, {"enable_dialog_report": True})
    await talked(server)
    await until(server, delivered("dialog"))
    assert len(await off(store.keys)) == 1


async def test_a_long_dialogue_arrives_in_parts(
    server: Server, store: BucketServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (reporting, reporting_content):
        monkeypatch.setattr(module, "MOST_TURNS", 3)
    await turned_on(server, store, DIALOG)
    _, job_id = await started(server)
    for number in range(1, 4):
        server.dispatcher.tell(turn(job_id, number))
    await until(server, delivered("dialog"))  # while the job runs
    (first,) = await off(store.keys)
    head, *turns = await off(store.lines, first)
    assert (head["more"], head["end_time"], head["state"], len(turns)) == (True, "", "PROCESSING", 3)
    server.dispatcher.tell(turn(job_id, 4))
    server.dispatcher.finish(job_id, "NORMAL")
    await until(server, delivered("dialog", count=2))
    head, *turns = await off(store.lines, (await off(store.keys))[1])
    assert (head["part"], head["more"], head["state"]) == (2, False, "SUCCEED")
    assert [(one["number"], one["asked"]) for one in turns] == [(4, "question 4")]


# --- failures -------------------------------------------------------------------------------------------------


async def test_a_bucket_that_is_down_is_tried_again_later_and_later(server: Server, store: BucketServer) -> None:
    await turned_on(server, store, DIALOG)
    await off(store.stop)
    _, job_id = await talked(server)
    await until(server, delivered("dialog", "failed"))
    await later(server, reporting.FIRST_RETRY_S - 1)
    assert server.seen.counts["dialog", "failed"] == 1, "it was tried before its time"
    await later(server, 1)
    await until(server, delivered("dialog", "failed", 2))
    await off(store.start)
    await later(server, 2 * reporting.FIRST_RETRY_S - 1)
    # Not before its time: another job's report passes it.
    _, second = await talked(server)
    await until(server, delivered("dialog"))
    assert [key.split("/")[3] for key in await off(store.keys)] == [second]
    await later(server, 1)
    await until(server, delivered("dialog", count=2))
    assert {key.split("/")[3] for key in await off(store.keys)} == {job_id, second}
    await until(server, lambda seen: seen.waiting == 0)


async def test_an_object_that_is_refused_holds_up_no_other(server: Server, store: BucketServer) -> None:
    await turned_on(server, store, DIALOG, AUDIO)
    await off(store.forbid, "audio-record/*")
    jobs_there = []
    for _ in range(3):
        _, job_id = await started(server)
        sound_of(server, job_id, b"sound")
        server.dispatcher.tell(turn(job_id, 1))
        server.dispatcher.finish(job_id, "NORMAL")
        jobs_there.append(job_id)
    await eventually(server, delivered("audio", "failed", 3))
    await eventually(server, delivered("dialog", count=3))
    assert {key.split("/")[3] for key in await off(store.keys)} == set(jobs_there)
    await off(store.forbid)
    await eventually(server, delivered("audio", count=3))
    assert len(await off(store.keys)) == 6


async def test_a_restart_loses_nothing(
    make_server: MakeServer, store: BucketServer, tmp_path: Path, database_url: str
) -> None:
    async with serving(tmp_path / "data", database_url) as server:
        await turned_on(server, store, DIALOG, AUDIO)
        await off(store.stop)
        _, job_id = await talked(server)  # over, and not delivered
        _, torn = await started(server)  # runs when the server ends
        server.dispatcher.tell(turn(torn, 1))
        sound_of(server, torn, b"what was recorded until then")
        await until(server, delivered("dialog", "failed"))
        await until(server, lambda seen: seen.turns == 3)
        server.dispatcher.running.clear()  # its workers die with it and tell nothing more
    await off(store.start)

    server = see(await make_server())
    await later(server, 10_000)
    await until(server, delivered("dialog", count=2))
    await until(server, delivered("audio"))
    keys = await off(store.keys)
    assert {key.split("/")[3] for key in keys} == {job_id, torn}
    head, only = await off(store.lines, next(key for key in keys if torn in key and key.endswith("jsonl")))
    assert (head["state"], only["asked"]) == ("FAILED", "question 1")
    assert await off(store.read, next(key for key in keys if key.endswith("flac"))) == b"what was recorded until then"
    assert not (server.settings.recordings / torn).exists()


async def test_wrong_credentials_are_told_and_put_right(
    server: Server, store: BucketServer, capsys: pytest.CaptureFixture[str]
) -> None:
    await turned_on(server, store, DIALOG)
    await given(server, store, secret="hush: an old one")
    await talked(server)
    await until(server, delivered("dialog", "failed"))
    told = "".join(capsys.readouterr())  # where logs go depends on whether a test has configured them
    assert "the store refuses the signature" in told
    assert "hush" not in told
    await given(server, store)
    await later(server, 3600)
    await until(server, delivered("dialog"))


async def test_what_cannot_be_delivered_for_days_is_given_up_and_deleted(
    make_server: MakeServer, store: BucketServer
) -> None:
    server = see(await make_server(delivery_days=2))
    await turned_on(server, store, DIALOG, AUDIO)
    await buckets.remove(server.context.database, "p1")
    _, job_id = await started(server)
    folder = sound_of(server, job_id, b"sound")
    server.dispatcher.tell(turn(job_id, 1))
    server.dispatcher.finish(job_id, "NORMAL")
    await eventually(server, delivered("audio", "failed"))
    await eventually(server, delivered("dialog", "failed"))
    assert folder.is_dir()
    assert not server.seen.counts["audio", "given_up"]
    server.clock.now += 2 * 86400
    await eventually(server, delivered("audio", "given_up"))
    await eventually(server, delivered("dialog", "given_up"))
    await until(server, lambda seen: seen.waiting == 0)
    assert not folder.exists()


async def test_conversations_go_on_while_a_bucket_hangs(store: BucketServer, tmp_path: Path, database_url: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, ExitStack() as connections:
        async with serving(tmp_path / "data", database_url) as server:
            await turned_on(server, store, DIALOG)
            await given(server, store, endpoint=f"http://127.0.0.1:{silent.getsockname()[1]}")
            await talked(server)
            connection, _ = await off(silent.accept)  # it waits for an answer now
            connections.enter_context(connection)
            room_id, job_id = await started(server)
            server.dispatcher.tell(turn(job_id, 1))
            server.dispatcher.finish(job_id, "NORMAL")
            shown = await server.until(room_id, job_id, lambda job: job["state"] == "SUCCEED")
            assert shown["job_finish_reason"] == "NORMAL"
            began = asyncio.get_running_loop().time()
        assert asyncio.get_running_loop().time() - began < 5, "the server's end waited for the bucket"


# --- recordings -----------------------------------------------------------------------------------------------


async def test_recordings_arrive_and_leave_the_disk(server: Server, store: BucketServer) -> None:
    await turned_on(server, store, AUDIO)
    _, job_id = await started(server)
    assert server.dispatcher.specs[job_id].record_audio is True
    large = bytes(range(256)) * 4 * 1024 * 6  # 6 MiB: it goes in pieces
    folder = sound_of(server, job_id, b"first hour", large)
    server.app.state.reports.wake()
    await until(server, delivered("audio"))  # the full piece, while the job runs
    assert [path.name for path in sorted(folder.iterdir())] == ["0002.flac"]
    server.dispatcher.finish(job_id, "NORMAL")
    await until(server, delivered("audio", count=2))
    keys = await off(store.keys)
    assert keys == [f"audio-record/p1/2027-01-15/{job_id}/000{number}.flac" for number in (1, 2)]
    assert await off(store.content_type, keys[0]) == "audio/flac"
    assert [await off(store.read, key) for key in keys] == [b"first hour", large]
    await until(server, lambda seen: seen.waiting == 0)
    assert not folder.exists()


async def test_a_recording_that_belongs_to_nothing_is_deleted(server: Server) -> None:
    folder = sound_of(server, "0" * 32, b"of a database that is gone")
    server.app.state.reports.wake()
    async with asyncio.timeout(5):
        while folder.exists():
            await server.http.get("/metrics")


# --- erasing, and time ----------------------------------------------------------------------------------------


async def test_a_user_s_words_are_erased_everywhere(server: Server, store: BucketServer) -> None:
    await turned_on(server, store, DIALOG, AUDIO)
    _, job_id = await started(server, user="gone")
    _, other = await started(server, user="stays")
    for each in (job_id, other):
        sound_of(server, each, b"sound")
        server.dispatcher.tell(turn(each, 1))
        server.dispatcher.finish(each, "NORMAL")
    await until(server, delivered("dialog", count=2))
    await until(server, delivered("audio", count=2))
    _, running = await started(server, user="gone")
    folder = sound_of(server, running, b"so far")
    server.dispatcher.tell(turn(running, 1))
    await until(server, lambda seen: seen.turns == 3)

    done = await off(erasing.erase, server.settings, "p1", "gone")
    assert done == Erased(turns=1, recordings=1, objects=2, left=0)
    assert {key.split("/")[3] for key in await off(store.keys)} == {other}
    assert not folder.exists()
    files = [path.read_bytes() for path in server.settings.data.rglob("*") if path.is_file()]
    assert files
    assert not any(b"question 1" in content for content in files), "the database's file still holds what was said"
    server.dispatcher.tell(turn(running, 2))
    server.dispatcher.finish(running, "NORMAL")
    await talked(server, user="gone")  # a new job is reported again
    await until(server, delivered("dialog", count=3))
    assert not any(running in key for key in await off(store.keys))
    assert await off(erasing.erase, server.settings, "p1", "nobody") == Erased(0, 0, 0, 0)
    found = await audit.listing(server.context.database, audit.Filter(operation="project erase"), 10)
    assert len(found) == 2
    assert not any("gone" in one.entry.target for one in found)


async def test_what_cannot_be_erased_now_is_erased_later(server: Server, store: BucketServer) -> None:
    await turned_on(server, store, DIALOG)
    _, job_id = await talked(server)
    await until(server, delivered("dialog"))
    user = next(one.user_id for one in server.dispatcher.specs[job_id].users if one.user_type == "END_USER")
    await off(store.stop)
    done = await off(erasing.erase, server.settings, "p1", user)
    assert (done.objects, done.left, done.reason) == (0, 1, "the store cannot be reached")
    await off(store.start)
    assert len(await off(store.keys)) == 1
    await later(server, 10_000_000)  # the command's clock is the real one, and may be ahead
    await until(server, delivered("dialog", "erased"))
    assert await off(store.keys) == []


async def test_objects_are_deleted_after_their_time(make_server: MakeServer, store: BucketServer) -> None:
    server = see(await make_server(bucket_days=30))
    await turned_on(server, store, DIALOG)
    await talked(server)
    await until(server, delivered("dialog"))
    server.clock.now += 20 * 86400
    await talked(server)
    await until(server, delivered("dialog", count=2))
    await later(server, 11 * 86400)
    await until(server, delivered("dialog", "erased"))
    (left,) = await off(store.keys)
    assert "/2027-02-04/" in left


def test_settings_of_the_table_are_sealed_anew(tmp_path: Path) -> None:
    """The store's secret is among those that the rotation of the installation's key covers."""
    from visavis.store import keys, rotation

    settings = Settings(data=tmp_path)
    keys.create_project(settings, "p1")
    kept = buckets.BucketStore("p1", "store.example", "key", "the secret")
    assert erasing.set_bucket(settings, kept).endpoint == "https://store.example"
    assert rotation.rotate(settings) >= 2
    assert rotation.prune(settings) == 1
    found = erasing.bucket_of(settings, "p1")
    assert found is not None
    assert found.secret == "the secret"
    assert "the secret" not in repr(found) + json.dumps(
        [str(path.read_bytes()) for path in tmp_path.glob("*.sqlite3*")]
    )
