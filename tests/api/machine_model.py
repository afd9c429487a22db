"""What tests/api/test_state_machine.py holds to be true of two projects: their rooms, robots, jobs and codes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import hypothesis.strategies as st

DAY = 86400
CHAT = "/digital-human-chat"
ROOMS = "/smart-chat-rooms"
ROBOTS = f"{CHAT}/robot"
CODES = f"{CHAT}/active-code"
NOBODY = "0" * 32
USERS = ("ann", "bob")

ROOM_GONE, ROBOT_GONE, JOB_GONE = (404, "MSS.20010045"), (404, "MSS.47010033"), (404, "MSS.20010074")
ACTIVE, FINAL = ("WAITING", "PROCESSING"), ("SUCCEED", "FAILED", "CANCELED")

which = st.integers(0, 5)
side = st.integers(0, 1)
user = st.sampled_from(["", "", "ann"])


@dataclass
class Room:
    id: str
    name: str
    concurrency: int
    robot: str
    user: str
    order: float


@dataclass
class Robot:
    id: str
    name: str
    room: str
    user: str
    order: float


@dataclass
class Job:
    id: str
    room: str
    robot: str
    order: float
    state: str = "WAITING"
    linked: bool = False
    reason: str = ""
    started: float | None = None
    ended: float | None = None


@dataclass
class Code:
    """A one-time code. ``room`` and ``robot``: of a link."""

    text: str
    expires: float
    room: str = ""
    robot: str = ""
    used: bool = False


@dataclass
class Active:
    """An activation code. ``failures``: by address."""

    id: str
    text: str
    room: str
    robot: str
    days: int
    issued: float
    order: float
    device: str = ""
    failures: dict[str, tuple[int, float]] = field(default_factory=dict)
    locked: dict[str, float] = field(default_factory=dict)

    def failed(self, address: str, now: float) -> bool:
        """Count it; whether it is locked for that address now. A day without failures, or a lock, forgets those before."""
        count, last = self.failures.pop(address, (0, now))
        count = 1 if last <= now - DAY or self.locked.pop(address, 0) else count + 1
        self.failures[address] = (count, now)
        if count >= 5:
            self.locked[address] = now + 300
        return count >= 5

    def forget(self, address: str) -> None:
        """It was used rightly."""
        self.failures.pop(address, None)
        self.locked.pop(address, None)


@dataclass
class Project:
    id: str
    rooms: dict[str, Room] = field(default_factory=dict)
    robots: dict[str, Robot] = field(default_factory=dict)
    jobs: dict[str, Job] = field(default_factory=dict)
    codes: list[Code] = field(default_factory=list)
    active: dict[str, Active] = field(default_factory=dict)

    def running(self, room: str = "") -> list[Job]:
        return [job for job in self.jobs.values() if job.state in ACTIVE and room in ("", job.room)]


def pick(things: Any, number: int) -> Any:
    """One of them; None: there are none."""
    listed = list(things)
    return listed[number % len(listed)] if listed else None


def code_of(answer: tuple[int, Any]) -> tuple[int, str]:
    status, body = answer
    assert set(body) == {"error_code", "error_msg"}, answer
    return status, body["error_code"]


def newest_first(things: Any) -> list[Any]:
    """By creation; what was made in the same second by id, as lists have it."""
    return sorted(things, key=lambda one: (one.order, one.id), reverse=True)
