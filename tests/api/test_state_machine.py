"""Rooms, robots, jobs and codes of two projects against a model in memory, in whatever order Hypothesis thinks of.

The suite's run is the same each time. A longer one, over new orders:

    VISAVIS_MACHINE_S=600 .venv/bin/python -m pytest tests/api/test_state_machine.py -k long --timeout 0
"""

from __future__ import annotations

import os
import random
import time
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import hypothesis
import hypothesis.strategies as st
import pytest
from hypothesis.stateful import initialize, invariant, rule, run_state_machine_as_test
from machine_model import (
    CHAT,
    CODES,
    DAY,
    JOB_GONE,
    NOBODY,
    ROBOT_GONE,
    ROBOTS,
    ROOM_GONE,
    ROOMS,
    USERS,
    Active,
    Code,
    Project,
    code_of,
    newest_first,
    pick,
    side,
    which,
)
from machine_rooms import RoomsAndJobs
from machine_world import Station

from visavis.contract.base import rfc3339

LONG_S = float(os.environ.get("VISAVIS_MACHINE_S", "0"))


class Machine(RoomsAndJobs):
    """Each run has two new projects in one installation, which stays."""

    @initialize()
    def begin(self) -> None:
        self.here = [Project(self.station.project()), Project(self.station.project())]
        for p in (0, 1):  # something of each kind, so that few steps are in vain
            self.new_room(p, "first", 2)
            self.new_robot(p)
            self.create_active_code(p, 0, 0, p)
            self.create_code(p, 0, 0, False)
            self.create_code(p, 0, 0, True)
            self.start_job(p, 0, 0)

    # --- one-time codes and links ---------------------------------------------------------------------

    @rule(p=side, room=which, robot=which, link=st.booleans())
    def create_code(self, p: int, room: int, robot: int, link: bool) -> None:
        project = self.here[p]
        if not link:
            text = self.done(p, "POST", f"{CHAT}/once-code")["once_code"]
            project.codes.append(Code(text, self.now + 300))
            return
        chosen, named = pick(project.rooms.values(), room), pick(project.robots.values(), robot)
        if chosen is None or named is None:
            return
        body = {"room_id": chosen.id, "robot_id": named.id}
        words = parse_qs(urlsplit(self.done(p, "POST", f"{CHAT}/create-dialog-url", body)["url"]).fragment)
        assert (words["room"], words["project"]) == ([chosen.id], [project.id])
        project.codes.append(Code(words["code"][0], self.now + 300, chosen.id, named.id))

    @rule(p=side, number=which, room=which, elsewhere=st.sampled_from([False, False, True]), times=st.integers(1, 3))
    def use_code(self, p: int, number: int, room: int, elsewhere: bool, times: int) -> None:
        code = pick(reversed(self.here[p].codes), number)
        if code is None:
            return
        asked = 1 - p if elsewhere else p
        project = self.here[asked]
        chosen = project.rooms.get(code.room) or pick(project.rooms.values(), room)
        body = {"project_id": project.id, "room_id": chosen.id if chosen else NOBODY}
        answers = self.station.page(body, {"X-Once-Code": code.text}, self.station.fresh_host(), times)
        good = asked == p and not code.used and self.now < code.expires and code.room in ("", body["room_id"])
        refused = [answer for answer in answers if answer[0] == 401]
        assert len(refused) == times - good, (code, answers)
        assert {code_of(answer) for answer in refused} <= {(401, "MSS.47010046")}
        if good:
            code.used = True
            (answer,) = (answer for answer in answers if answer[0] != 401)
            self.started(p, chosen, code.robot, answer)

    # --- activation codes -----------------------------------------------------------------------------

    @rule(p=side, room=which, robot=which, days=st.integers(0, 2))
    def create_active_code(self, p: int, room: int, robot: int, days: int) -> None:
        project = self.here[p]
        chosen, named = pick(project.rooms.values(), room), pick(project.robots.values(), robot)
        body = {
            "room_id": chosen.id if chosen else NOBODY,
            "robot_id": named.id if named else NOBODY,
            "valid_period": days,
        }
        status, answer = self.ask(p, "POST", CODES, body)
        if named is None or chosen is None:
            assert code_of((status, answer)) == (ROBOT_GONE if named is None else ROOM_GONE)
            return
        assert status == 200, answer
        one = Active(answer["active_code_id"], answer["active_code"], chosen.id, named.id, days, self.now, self.now)
        project.active[one.id] = one

    @rule(
        p=side, number=which, device=st.sampled_from("AAB"), host=st.sampled_from("12"),
        how=st.sampled_from(["right", "right", "right", "other room", "other project", "unknown"]),
    )  # fmt: skip
    def use_active_code(self, p: int, number: int, device: str, host: str, how: str) -> None:
        one = pick(self.here[p].active.values(), number)
        if one is None:
            return
        text = "00000-00000-00000-00000" if how == "unknown" else one.text
        asked = self.here[1 - p if how == "other project" else p]
        body = {"project_id": asked.id, "room_id": NOBODY if how == "other room" else one.room}
        headers = {"X-Once-Code": text, "X-Device-Id": f"{device} device of a kiosk".replace(" ", "-")}
        address = f"192.0.2.{host}" if how in ("right", "other room") else self.station.fresh_host()
        (answer,) = self.station.page(body, headers, address)
        if how in ("other project", "unknown"):
            assert code_of(answer) == (401, "MSS.47010043")
        elif one.locked.get(address, 0) > self.now:
            assert code_of(answer) == (429, "MSS.47010044")
        elif one.days and one.issued + one.days * DAY <= self.now:
            assert code_of(answer) == (401, "MSS.47010045")
        elif how == "other room" or one.device not in ("", device):
            wrong = one.failed(address, self.now)
            assert code_of(answer) == ((429, "MSS.47010044") if wrong else (401, "MSS.47010043"))
        else:
            one.device = device
            one.forget(address)
            self.started(p, self.here[p].rooms[one.room], one.robot, answer)

    @rule(p=side, number=which, what=st.sampled_from(["reset", "reset and forget", "days", "delete"]))
    def change_active_code(self, p: int, number: int, what: str) -> None:
        project = self.here[p]
        one = pick(project.active.values(), number)
        if one is None:
            return
        if what == "delete":
            for _ in range(2):  # the second time changes nothing
                self.done(p, "POST", f"{CODES}/delete", [one.id])
            del project.active[one.id]
        elif what == "days":
            answer = self.done(p, "PUT", f"{CODES}/{one.id}", {"valid_period": 2 - one.days})
            one.days = 2 - one.days
            ends = rfc3339(one.issued + one.days * DAY) if one.days else None
            assert (answer["active_code"], answer.get("expire_time")) == (one.text, ends)
        else:
            body = {"clean_auth_credential": True} if what == "reset and forget" else {}
            answer = self.done(p, "PUT", f"{CODES}/{one.id}/reset", body)
            assert answer["active_code"] != one.text
            (told,) = self.station.page(
                {"project_id": project.id, "room_id": one.room},
                {"X-Once-Code": one.text, "X-Device-Id": "A-device-of-a-kiosk"},
                self.station.fresh_host(),
            )
            assert code_of(told) == (401, "MSS.47010043")
            one.text, one.issued = answer["active_code"], self.now
            one.device = "" if body else one.device

    # --- two projects ---------------------------------------------------------------------------------

    @rule(p=side, number=which)
    def the_other_project_s_things_are_not_there(self, p: int, number: int) -> None:
        other = self.here[1 - p]
        if room := pick(other.rooms, number):
            for verb, body in (("GET", None), ("PUT", {"room_name": "mine"}), ("DELETE", None)):
                assert code_of(self.ask(p, verb, f"{ROOMS}/{room}", body)) == ROOM_GONE
            assert code_of(self.ask(p, "GET", self.jobs_path(room))) == ROOM_GONE
        if robot := pick(other.robots, number):
            for verb, body in (("GET", None), ("PUT", {"name": "mine"})):
                assert code_of(self.ask(p, verb, f"{ROBOTS}/{robot}", body)) == ROBOT_GONE
        if job := pick(other.jobs.values(), number):
            path = f"{self.jobs_path(job.room)}/{job.id}"
            assert code_of(self.ask(p, "GET", f"{path}/state")) == JOB_GONE
            assert code_of(self.ask(p, "POST", f"{path}/stop")) == JOB_GONE
        if code := pick(other.active, number):
            assert self.ask(p, "GET", f"{CODES}/{code}")[0] == 404
            self.done(p, "POST", f"{CODES}/delete", [code])

    # --- what always holds ----------------------------------------------------------------------------

    @invariant()
    def lists_are_as_the_model_has_them(self) -> None:
        for p in sorted(self.touched):
            self.check(p)
        self.touched = set()

    def check(self, p: int) -> None:
        if not self.here:
            return
        project = self.here[p]
        rooms, robots = newest_first(project.rooms.values()), newest_first(project.robots.values())
        page = self.done(p, "GET", ROOMS)
        told = [(one["room_id"], one["room_name"], one["robot_id"]) for one in page["smart_chat_rooms"]]
        assert told == [(room.id, room.name, room.robot) for room in rooms]
        assert (page["count"], page["count_concurrency"]) == (len(rooms), sum(room.concurrency for room in rooms))
        page = self.done(p, "GET", ROBOTS)
        told = [(one["robot_id"], one["name"], one["room_id"]) for one in page["data"]]
        assert told == [(robot.id, robot.name, robot.room) for robot in robots]
        assert page["count"] == len(robots)
        running = {job.id for one in self.here for job in one.running()}
        assert set(self.station.dispatcher.running) == running
        for room in self.busy & set(project.rooms):
            told = self.done(p, "GET", f"{self.jobs_path(room)}?state=WAITING,PROCESSING&limit=1")
            assert told["count"] == len(project.running(room))
            told = self.done(p, "GET", f"{self.jobs_path(room)}?limit=1")
            assert told["count"] == len([job for job in project.jobs.values() if job.room == room])
        self.busy -= set(project.rooms)

    def check_deeply(self, p: int) -> None:
        """What takes more calls: at the end only."""
        project = self.here[p]
        for user in USERS:
            for path, key, name, things in (
                (ROOMS, "smart_chat_rooms", "room_id", project.rooms),
                (ROBOTS, "data", "robot_id", project.robots),
            ):
                mine = newest_first(one for one in things.values() if one.user == user)  # type: ignore[attr-defined]
                assert [one[name] for one in self.listed(p, path, key, user)] == [one.id for one in mine]
        for room in project.rooms.values():
            jobs = newest_first(job for job in project.jobs.values() if job.room == room.id)
            told = self.listed(p, self.jobs_path(room.id), "smart_chat_jobs")
            assert [(one["job_id"], one["state"], one["job_finish_reason"]) for one in told] == [
                (job.id, job.state, job.reason) for job in jobs
            ]
            for one, job in zip(told, jobs, strict=True):
                assert one["start_time"] == rfc3339(job.started), job
                assert one["end_time"] == rfc3339(job.ended), job
            active = self.listed(p, f"{self.jobs_path(room.id)}?state=WAITING,PROCESSING", "smart_chat_jobs")
            assert len(active) == len(project.running(room.id))
        for robot in project.robots.values():
            codes = newest_first(one for one in project.active.values() if one.robot == robot.id)
            told = self.listed(p, f"{CODES}?robot_id={robot.id}", "data")
            assert [(one["active_code_id"], one["active_code"]) for one in told] == [
                (one.id, one.text) for one in codes
            ]
            assert {one["room_id"] for one in told} <= set(project.rooms), "a code of a room that is gone"

    def teardown(self) -> None:
        if not self.here:
            return
        try:
            for p in (0, 1):
                self.check(p)
                self.check_deeply(p)
        finally:
            for job_id in list(self.station.dispatcher.running):
                self.station.dispatcher.finish(job_id, "NORMAL")


SETTINGS = hypothesis.settings(
    deadline=None,
    database=None,
    stateful_step_count=60,
    phases=[hypothesis.Phase.generate],
    suppress_health_check=list(hypothesis.HealthCheck),
)


def run(station: Station, examples: int, seed: int) -> None:
    """So many orders of events. A failure is told with the steps that led there, shortened."""
    machine = type("Machine", (Machine,), {"station": station})
    phases = [hypothesis.Phase.generate, hypothesis.Phase.shrink]
    settings = hypothesis.settings(SETTINGS, max_examples=examples, phases=phases)
    run_state_machine_as_test(hypothesis.seed(seed)(machine), settings=settings)


@pytest.mark.timeout(600)  # to shorten a failure takes its time
def test_rooms_robots_jobs_and_codes(tmp_path: Path, database_kind: str, postgres: Any) -> None:
    station = Station(tmp_path, postgres.fresh() if database_kind == "postgresql" else "")
    try:
        run(station, 16 if database_kind == "sqlite" else 4, 1)
    finally:
        station.close()


@pytest.mark.skipif(not LONG_S, reason="asked for with VISAVIS_MACHINE_S")
def test_long(tmp_path: Path, postgres: Any) -> None:
    ends, rounds = time.monotonic() + LONG_S, 0
    while time.monotonic() < ends:
        seed = random.randrange(2**32)
        rounds += 1
        station = Station(tmp_path / str(rounds), postgres.fresh() if rounds % 3 == 0 else "")
        try:
            run(station, 50, seed)
        except BaseException:
            print(f"seed {seed}")
            raise
        finally:
            station.close()
    print(f"{rounds} rounds of 50 runs")
