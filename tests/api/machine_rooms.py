"""Rooms, robots and jobs of two projects, as tests/api/test_state_machine.py lets them happen: each step asks, and changes the model."""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule
from machine_model import (
    CHAT,
    DAY,
    FINAL,
    NOBODY,
    ROBOT_GONE,
    ROBOTS,
    ROOM_GONE,
    ROOMS,
    Job,
    Project,
    Robot,
    Room,
    code_of,
    newest_first,
    pick,
    side,
    user,
    which,
)
from machine_world import CAPACITY, Station

from visavis.session.signals import HeldEvent


class RoomsAndJobs(RuleBasedStateMachine):
    """Steps of rooms, robots, jobs and the server itself."""

    station: Station

    def __init__(self) -> None:
        super().__init__()
        self.here: list[Project] = []
        self.touched: set[int] = {0, 1}
        self.busy: set[str] = set()

    # --- asking ---------------------------------------------------------------------------------------

    def ask(self, p: int, verb: str, path: str, body: Any = None, user: str = "") -> tuple[int, Any]:
        self.touched.add(p)
        return self.station.call(self.here[p].id, verb, path, body, user)

    def done(self, p: int, verb: str, path: str, body: Any = None, user: str = "") -> Any:
        status, answer = self.ask(p, verb, path, body, user)
        assert status == 200, (verb, path, body, status, answer)
        return answer

    @property
    def now(self) -> float:
        return self.station.clock.now

    def tick(self, seconds: float = 1.0) -> None:
        self.station.clock.now += seconds

    @rule(seconds=st.sampled_from([1, 60, 299, 301, DAY - 1, DAY]))
    def time_passes(self, seconds: int) -> None:
        self.tick(seconds)

    @rule(crash=st.booleans())
    def the_server_restarts(self, crash: bool) -> None:
        self.station.restart(crash=crash)
        self.touched = {0, 1}
        for p, project in enumerate(self.here):
            for job in project.running():
                shown = self.shown(p, job)
                ended = ("SUCCEED", "NORMAL") if job.linked else ("CANCELED", "")
                told = (shown["state"], shown["job_finish_reason"])
                assert told == ("FAILED", "") or (not crash and told == ended), told
                job.state, job.reason, job.ended = *told, self.now

    # --- rooms ----------------------------------------------------------------------------------------

    def robot_named(self, p: int, number: int) -> tuple[str, bool]:
        """A robot's id for a request, and whether the project has it: often none, now and then the other project's."""
        if number < 2:
            return "", True
        if number == 5:
            other = pick(self.here[1 - p].robots, number)
            return (other or NOBODY), False
        mine = pick(self.here[p].robots.values(), number)
        return (mine.id, True) if mine else ("", True)

    @rule(p=side, name=st.sampled_from(["a", "B", "ab%_"]), concurrency=st.integers(0, 3), robot=which, user=user)
    def create_room(self, p: int, name: str, concurrency: int, robot: int, user: str) -> None:
        named, there = self.robot_named(p, robot)
        owner = self.here[p].robots[named].user if named and there else ""
        there = there and (not user or owner in ("", user))
        if not there:
            body = {"room_name": name, "concurrency": concurrency, "robot_id": named}
            assert code_of(self.ask(p, "POST", ROOMS, body, user)) == ROBOT_GONE
        else:
            self.new_room(p, name, concurrency, named, user)

    def new_room(self, p: int, name: str, concurrency: int, robot: str = "", user: str = "") -> None:
        body = {"room_name": name, "concurrency": concurrency, **({"robot_id": robot} if robot else {})}
        room_id = self.done(p, "POST", ROOMS, body, user)["room_id"]
        self.here[p].rooms[room_id] = Room(room_id, name, concurrency, robot, user, self.now)

    @rule(p=side, number=which, concurrency=st.integers(0, 3), robot=which)
    def update_room(self, p: int, number: int, concurrency: int, robot: int) -> None:
        room = pick(self.here[p].rooms.values(), number)
        if room is None:
            return
        named, there = self.robot_named(p, robot)
        status, answer = self.ask(p, "PUT", f"{ROOMS}/{room.id}", {"concurrency": concurrency, "robot_id": named})
        if not there:
            assert code_of((status, answer)) == ROBOT_GONE
            return
        assert status == 200, answer
        room.concurrency, room.robot = concurrency, named
        assert (answer["concurrency"], answer.get("robot_id", "")) == (concurrency, named)

    @rule(p=side, number=which)
    def delete_room(self, p: int, number: int) -> None:
        project = self.here[p]
        room = pick(project.rooms.values(), number)
        if room is None:
            assert code_of(self.ask(p, "DELETE", f"{ROOMS}/{NOBODY}")) == ROOM_GONE
            return
        answer = self.ask(p, "DELETE", f"{ROOMS}/{room.id}")
        if project.running(room.id):
            assert code_of(answer) == (409, "MSS.20010046")
            return
        assert answer[0] == 200, answer
        del project.rooms[room.id]
        assert code_of(self.ask(p, "GET", f"{ROOMS}/{room.id}")) == ROOM_GONE
        for robot in project.robots.values():
            robot.room = "" if robot.room == room.id else robot.room
        project.codes = [code for code in project.codes if code.room != room.id]
        project.active = {one.id: one for one in project.active.values() if one.room != room.id}

    # --- robots ---------------------------------------------------------------------------------------

    @rule(p=side, room=which, user=user)
    def create_robot(self, p: int, room: int, user: str) -> None:
        chosen = pick(self.here[p].rooms.values(), room) if room > 1 else None
        if chosen is not None and user and chosen.user not in ("", user):
            body = {"name": "robot", "app_type": 7, "room_id": chosen.id}
            assert code_of(self.ask(p, "POST", ROBOTS, body, user)) == ROOM_GONE
        else:
            self.new_robot(p, chosen.id if chosen else "", user)

    def new_robot(self, p: int, room: str = "", user: str = "") -> None:
        self.tick()  # of two robots of one moment nobody could say which is the newer
        body = {"name": "robot", "app_type": 7, **({"room_id": room} if room else {})}
        robot_id = self.done(p, "POST", ROBOTS, body, user)["robot_id"]
        self.here[p].robots[robot_id] = Robot(robot_id, "robot", room, user, self.now)

    @rule(p=side, number=which, room=which)
    def update_robot(self, p: int, number: int, room: int) -> None:
        robot = pick(self.here[p].robots.values(), number)
        if robot is None:
            return
        chosen = pick(self.here[p if room < 5 else 1 - p].rooms.values(), room)
        body = {"name": f"robot {number}", **({"room_id": chosen.id} if chosen else {})}
        answer = self.ask(p, "PUT", f"{ROBOTS}/{robot.id}", body)
        allowed = chosen is None or chosen.id == robot.room or not robot.user or chosen.user in ("", robot.user)
        if chosen is not None and (room == 5 or not allowed):
            assert code_of(answer) == ROOM_GONE
            return
        assert answer[0] == 200, answer
        robot.name, robot.room = body["name"], chosen.id if chosen else robot.room

    @rule(p=side, numbers=st.lists(which, min_size=1, max_size=3), foreign=st.sampled_from([False, False, False, True]))
    def delete_robots(self, p: int, numbers: list[int], foreign: bool) -> None:
        project = self.here[p]
        ids = [robot.id for number in numbers if (robot := pick(project.robots.values(), number))]
        ids += [pick(self.here[1 - p].robots, 0) or NOBODY] if foreign or not ids else []
        answer = self.ask(p, "POST", f"{ROBOTS}/delete", ids)
        if not set(ids) <= set(project.robots):
            assert code_of(answer) == ROBOT_GONE
            return
        named = {room.robot for room in project.rooms.values()} | {job.robot for job in project.running()}
        if named & set(ids):
            assert code_of(answer) == (409, "MSS.47010034")
            return
        assert answer[0] == 200, answer
        for one in set(ids):
            del project.robots[one]
            assert code_of(self.ask(p, "GET", f"{ROBOTS}/{one}")) == ROBOT_GONE
        project.codes = [code for code in project.codes if code.robot not in ids]
        project.active = {one.id: one for one in project.active.values() if one.robot not in ids}

    # --- jobs -----------------------------------------------------------------------------------------

    def jobs_path(self, room: str) -> str:
        return f"{CHAT}{ROOMS}/{room}/smart-chat-jobs"

    def shown(self, p: int, job: Job) -> Any:
        return self.done(p, "GET", f"{self.jobs_path(job.room)}/{job.id}/state")

    def started(self, p: int, room: Room | None, robot: str, answer: tuple[int, Any]) -> None:
        """What a start in that room, with that robot, must have answered; it is in the model from here on."""
        project = self.here[p]
        self.touched.add(p)
        if room is None or room.id not in project.rooms:
            assert code_of(answer) == ROOM_GONE
            return
        self.busy.add(room.id)
        wanted = robot or room.robot
        if wanted and wanted not in project.robots:
            assert code_of(answer) == ROBOT_GONE
            return
        if not wanted:
            made = newest_first(one for one in project.robots.values() if one.room == room.id)
            wanted = made[0].id if made else ""
        if len(project.running(room.id)) >= room.concurrency:
            assert code_of(answer) == (409, "MSS.20010135")
        elif len(self.station.dispatcher.running) >= CAPACITY and answer[0] != 200:
            assert code_of(answer) == (503, "MSS.20010089")
            self.adopt_refused(p, room, wanted)
        else:
            assert answer[0] == 200, answer
            job = Job(answer[1]["job_id"], room.id, wanted, self.now)
            project.jobs[job.id] = job
            assert self.station.dispatcher.specs[job.id].robot.robot_id == (wanted or None)

    def adopt_refused(self, p: int, room: Room, robot: str) -> None:
        """A job that no worker had room for is on record."""
        known = self.here[p].jobs
        (job_id,) = {job["job_id"] for job in self.listed(p, self.jobs_path(room.id), "smart_chat_jobs")} - set(known)
        known[job_id] = Job(job_id, room.id, robot, self.now, "FAILED", ended=self.now)

    @rule(p=side, number=which, robot=which)
    def start_job(self, p: int, number: int, robot: int) -> None:
        project = self.here[p]
        room = pick(project.rooms.values(), number)
        named, _ = self.robot_named(p, robot)
        path = self.jobs_path(room.id if room else pick(self.here[1 - p].rooms, 0) or NOBODY)
        self.started(p, room, named, self.ask(p, "POST", f"{path}?robot_id={named}", {}))

    @rule(p=side, number=which)
    def start_many_at_once(self, p: int, number: int) -> None:
        room = pick(self.here[p].rooms.values(), number)
        if room is None or len(self.station.dispatcher.running) + 3 > CAPACITY:
            return
        free = max(0, room.concurrency - len(self.here[p].running(room.id)))
        answers = self.station.calls(self.here[p].id, "POST", self.jobs_path(room.id), 4)
        assert sorted(status for status, _ in answers) == sorted([200] * min(4, free) + [409] * (4 - min(4, free)))
        for answer in sorted(answers, key=lambda one: one[0]):
            self.started(p, room, "", answer)

    def settle(self, p: int, job: Job, state: str, **more: Any) -> None:
        """The worker's word is taken in."""
        self.touched.add(p)
        self.busy.add(job.room)
        wanted = {"state": state, **more}
        self.station.until(lambda: self.shown(p, job).items() >= wanted.items())
        job.state = state

    @rule(p=side, number=which, what=st.sampled_from(["held", "held", "linked", "NORMAL", "MUTE_TIMEOUT", "FAILED"]))
    def a_worker_tells(self, p: int, number: int, what: str) -> None:
        job = pick(self.here[p].running(), number)
        if job is None:
            return
        dispatcher = self.station.dispatcher
        if what == "held":
            dispatcher.tell(HeldEvent(job_id=job.id, worker="w"))
            job.started = self.now if job.started is None else job.started
            self.settle(p, job, "PROCESSING")
        elif what == "linked":
            if job.state == "PROCESSING":
                dispatcher.link(job.id)
                job.linked = True
                self.settle(p, job, "PROCESSING", chat_state=2)
        else:
            dispatcher.finish(job.id, what, "it broke" if what == "FAILED" else "")  # type: ignore[arg-type]
            self.over(p, job, what)

    def over(self, p: int, job: Job, reason: str) -> None:
        """The job ended so."""
        held = job.state == "PROCESSING"
        if reason == "FAILED":
            state, shown = "FAILED", ""
        elif not held or (reason == "NORMAL" and not job.linked) or reason == "CANCELED":
            state, shown = "CANCELED", ""
        else:
            state, shown = "SUCCEED", reason
        job.reason, job.ended = shown, self.now
        self.settle(p, job, state, job_finish_reason=shown)

    @rule(p=side, number=which)
    def stop_job(self, p: int, number: int) -> None:
        job = pick(self.here[p].jobs.values(), number)
        if job is None or job.room not in self.here[p].rooms:
            return
        answer = self.ask(p, "POST", f"{self.jobs_path(job.room)}/{job.id}/stop")
        if job.state in FINAL:
            assert code_of(answer) == (409, "MSS.47010012")
            return
        assert answer[0] == 200, answer
        self.over(p, job, "NORMAL" if job.linked else "CANCELED")

    def listed(self, p: int, path: str, key: str, user: str = "") -> list[Any]:
        """The whole list, by pages of two, whose counts agree."""
        found: list[Any] = []
        while True:
            joint = "&" if "?" in path else "?"
            page = self.done(p, "GET", f"{path}{joint}offset={len(found)}&limit=2", user=user)
            found += page[key]
            if len(page[key]) < 2:
                assert page["count"] == len(found), (path, page["count"], len(found))
                return found
