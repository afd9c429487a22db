"""Two servers over one database, asked by many at the same moment: nothing gets lost, nothing happens twice.

tests/store/test_store_writers.py has the same of the store's own functions.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import contract_examples  # noqa: F401 - registers the examples
import httpx
import pytest
from contract_world import PROJECT, Ask, World, running
from sqlalchemy import func, insert, select

from visavis.api.services import references
from visavis.api.services.resources import MOST
from visavis.api.services.worker_files import kept
from visavis.store import codes, records, tables

WRITERS = 8


@dataclass
class Pair:
    """Two servers over one database, each with a dispatcher of its own."""

    worlds: tuple[World, World]
    folder: Path
    url: str

    @property
    def first(self) -> World:
        return self.worlds[0]

    def at_once(self, work: Callable[[World, int], Any], times: int = WRITERS) -> list[Any]:
        """What ``work`` answers, begun that often at the same moment, on both servers in turn."""
        gate = threading.Barrier(times)

        def one(number: int) -> Any:
            gate.wait(30)
            return work(self.worlds[number % 2], number)

        with ThreadPoolExecutor(times) as pool:
            return list(pool.map(one, range(times)))


@pytest.fixture(scope="module")
def pair(database_kind: str, tmp_path_factory: pytest.TempPathFactory, postgres: Any) -> Iterator[Pair]:
    folder = tmp_path_factory.mktemp("pair")
    url = postgres.fresh() if database_kind == "postgresql" else ""
    with ExitStack() as stack:
        first, second = (stack.enter_context(running(folder, url)) for _ in range(2))
        yield Pair((first, second), folder, url)


def statuses(answers: list[httpx.Response]) -> Counter[int]:
    told = Counter(answer.status_code for answer in answers)
    assert max(told) < 500, [answer.text for answer in answers if answer.status_code >= 500]
    return told


def session(world: World, room: str, code: str, device: str = "") -> httpx.Response:
    headers = {"X-Once-Code": code, **({"X-Device-Id": device} if device else {})}
    return world.http.post("/page/v1/sessions", json={"project_id": PROJECT, "room_id": room}, headers=headers)


def test_who_looks_before_he_writes_loses_nothing(pair: Pair) -> None:
    made = pair.first.do("create_llm_config")
    path = {"llm_config_id": made["llm_config_id"]}
    pair.first.do("update_llm_config", Ask(path=path, body={"name": "0"}))
    rounds = 3

    def count(world: World, _: int) -> int:
        tries = 0
        for _ in range(rounds):
            while True:
                tries += 1
                seen = world.call("show_llm_config", Ask(path=path))
                number = int(seen.json()["name"]) + 1
                changed = Ask(path=path, body={"name": str(number)}, headers={"If-Match": seen.headers["etag"]})
                answer = world.call("update_llm_config", changed)
                if answer.is_success:
                    break
                assert answer.status_code == 412, answer.text
        return tries

    tries = sum(pair.at_once(count))
    shown = pair.first.call("show_llm_config", Ask(path=path))
    assert shown.json()["name"] == str(WRITERS * rounds)
    assert shown.headers["etag"] == f'"{WRITERS * rounds + 2}"'
    assert tries > WRITERS * rounds, "nobody was in anybody's way: this shows nothing"


def test_changes_of_different_fields_all_stay(pair: Pair) -> None:
    robot = pair.first.robot()

    def change(world: World, number: int) -> httpx.Response:
        fields = ("name", "tail_silence_time", "language", "enable_question_audit")
        values = (f"by {number}", 600, "EN", True)
        body = {fields[number % 4]: values[number % 4]}
        return world.call("update_robot", Ask(path={"robot_id": robot}, body=body))

    assert statuses(pair.at_once(change)) == {200: WRITERS}
    shown = pair.first.do("show_robot", Ask(path={"robot_id": robot}))
    told = (shown["tail_silence_time"], shown["language"], shown["enable_question_audit"])
    assert told == (600, "EN", True)
    assert shown["name"].startswith("by ")


def test_a_switch_exists_once(pair: Pair) -> None:
    robot = pair.first.robot()

    def turn(world: World, number: int) -> httpx.Response:
        body = {"robot_id": robot, "language": "EN", "enable_welcome_speech": bool(number % 2)}
        return world.call("update_welcome_speech_switch", Ask(body=body))

    assert statuses(pair.at_once(turn)) == {200: WRITERS}

    async def count() -> Any:
        async with pair.first.context.database.read() as connection:
            query = select(func.count()).where(tables.records.c.parent_id == robot)
            return (await connection.execute(query)).scalar_one()

    assert pair.first.run(count()) == 1


def test_of_those_who_make_what_exists_once_one_does(pair: Pair) -> None:
    ask = pair.first.ask("create_audio_record_config")
    answers = pair.at_once(lambda world, _: world.call("create_audio_record_config", ask))
    assert statuses(answers) == {200: 1, 409: WRITERS - 1}


def test_a_one_time_code_opens_once(pair: Pair) -> None:
    room = pair.first.room(concurrency=100)
    for _ in range(4):
        code = pair.first.do("create_once_code", Ask())["once_code"]
        told = statuses(pair.at_once(lambda world, _, code=code: session(world, room, code), 4))
        assert told == {200: 1, 401: 3}
    # Failures lock an address in a server's memory; they are not what is tested here.
    for world in pair.worlds:
        world.context.codes.succeeded("127.0.0.1")


def test_a_room_never_holds_more_than_it_may(pair: Pair) -> None:
    room = pair.first.room(concurrency=5)
    answers = pair.at_once(
        lambda world, _: world.call("start_smart_chat_job", Ask(path={"room_id": room}, body={})), 16
    )
    assert statuses(answers) == {200: 5, 409: 11}
    listed = Ask(path={"room_id": room}, query={"state": "WAITING,PROCESSING"})
    assert pair.first.do("list_smart_chat_job", listed)["count"] == 5
    started = [(number % 2, answer.json()["job_id"]) for number, answer in enumerate(answers) if answer.is_success]

    def stop_or_start(world: World, number: int) -> httpx.Response:
        if number < len(started):  # by the server whose worker has it
            server, job = started[number]
            return pair.worlds[server].call("stop_smart_chat_job", Ask(path={"room_id": room, "job_id": job}))
        return world.call("start_smart_chat_job", Ask(path={"room_id": room}, body={}))

    answers = pair.at_once(stop_or_start, 14)
    again = statuses(answers[len(started) :])
    assert statuses(answers[: len(started)]) == {200: 5}
    assert again[200] <= 5
    assert pair.first.do("list_smart_chat_job", listed)["count"] == again[200]
    everything = pair.first.do("list_smart_chat_job", Ask(path={"room_id": room}))
    assert everything["count"] == 5 + again[200] == len(everything["smart_chat_jobs"])


def test_an_activation_code_becomes_one_device_s(pair: Pair) -> None:
    room, robot = pair.first.room(concurrency=100), pair.first.robot()
    body = {"room_id": room, "robot_id": robot, "valid_period": 0}
    code = pair.first.do("create_active_code", Ask(body=body))["active_code"]
    # Four, since the fifth failure locks the address.
    answers = pair.at_once(lambda world, number: session(world, room, code, f"device-number-{number:06}"), 4)
    assert statuses(answers) == {200: 1, 401: 3}
    winner = next(number for number, answer in enumerate(answers) if answer.is_success)
    assert session(pair.first, room, code, f"device-number-{winner:06}").status_code == 200


def test_a_quota_is_not_exceeded(pair: Pair) -> None:
    kind, database = references.MCP_SERVER, pair.first.context.database
    known = pair.first.run(records.count_of(database, PROJECT, kind))
    free = 3
    rows = [
        {"id": records.new_id(), "project_id": PROJECT, "kind": kind, "document": {}, "parent_id": "", "name": ""}
        | {"app_user_id": "", "secrets": "", "version": 1, "created_at": 1.0, "updated_at": 1.0}
        for _ in range(MOST - known - free)
    ]

    async def fill() -> None:
        async with database.write() as connection:
            await connection.execute(insert(tables.records), rows)

    pair.first.run(fill())
    ask = pair.first.ask("create_mcp_server")
    answers = pair.at_once(lambda world, _: world.call("create_mcp_server", ask))
    assert statuses(answers) == {200: free, 409: WRITERS - free}
    assert pair.first.run(records.count_of(database, PROJECT, kind)) == MOST
    pair.first.run(records.remove_all(database, PROJECT, kind, [str(one["id"]) for one in rows]))


def test_no_room_names_a_robot_that_is_gone(pair: Pair) -> None:
    for _ in range(6):
        robot = pair.first.robot()

        def work(world: World, number: int, robot: str = robot) -> httpx.Response:
            if number == 0:
                return world.call("delete_robot", Ask(body=[robot]))
            return world.call("create_smart_chat_room", Ask(body={"room_name": "r", "robot_id": robot}))

        deleted, *made = pair.at_once(work, 3)
        statuses([deleted, *made])
        rooms = [answer for answer in made if answer.is_success]
        if deleted.is_success:
            assert not rooms
        else:
            assert deleted.json()["error_code"] == "MSS.47010034"
            assert rooms


def test_jobs_that_start_together_write_one_file_of_knowledge(tmp_path: Path) -> None:
    gate = threading.Barrier(WRITERS)

    def write(number: int) -> bytes:
        for turn in range(20):
            gate.wait(30)
            kept(tmp_path / f"knowledge {turn}.json", b"What is asked, and what is answered.")
        return (tmp_path / "knowledge 19.json").read_bytes()

    with ThreadPoolExecutor(WRITERS) as pool:
        assert len(set(pool.map(write, range(WRITERS)))) == 1
    assert len(list(tmp_path.iterdir())) == 20, "something was left lying about"


_CONSUMER = """
import asyncio, json, sys
from pathlib import Path
from visavis.settings import Settings
from visavis.store import codes
from visavis.store.database import Database

async def main():
    folder, url, project = sys.argv[1:4]
    database = await Database.open(Settings(data=Path(folder), database_url=url))
    print("ready", flush=True)
    wanted = json.loads(sys.stdin.readline())
    won = [code for code in wanted if await codes.consume(database, project, code, float(sys.argv[4]))]
    print(json.dumps(won), flush=True)
    await database.close()

asyncio.run(main())
"""


def test_processes_share_out_codes(pair: Pair) -> None:
    database, now = pair.first.context.database, time.time()

    async def make() -> list[str]:
        return list(await asyncio.gather(*(codes.create(database, PROJECT, now) for _ in range(40))))

    wanted = pair.first.run(make())
    command = [sys.executable, "-c", _CONSUMER, str(pair.folder), pair.url, PROJECT, str(now)]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    processes = [subprocess.Popen(command, **pipes) for _ in range(3)]
    try:
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in processes:
            assert process.stdin is not None
            process.stdin.write(json.dumps(wanted) + "\n")
            process.stdin.flush()
        won = [code for process in processes for code in json.loads(process.communicate(timeout=60)[0])]
    finally:
        for process in processes:
            process.kill()
            process.wait()
    assert sorted(won) == sorted(wanted), "each code was consumed by exactly one"
