"""Engines for whole sessions without models and network: the session, its stage and its pipeline are the real ones."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from session_fakes import FakeDialogue, FakeOutlet, FakeRecogniser, FakeRenderer, FakeSynthesiser, Heard

from visavis.errors import VisavisError
from visavis.media.h264 import H264Encoder
from visavis.media.opus import OpusEncoder
from visavis.motion.director import Director
from visavis.rtc.room import Microphone, RoomEvents
from visavis.session.conversation import Parts
from visavis.session.easel import Easel
from visavis.session.excuses import nothing_ready
from visavis.session.hearing import EmbeddedRecogniser
from visavis.session.sayable import Sayable
from visavis.session.services import EmbeddedSynthesiser, Ready
from visavis.session.signals import JobEvent
from visavis.session.spec import JobSpec, RtcUser
from visavis.session.stage import Stage
from visavis.settings import Settings


def job(job_id: str = "j1", **more: Any) -> JobSpec:
    users = [RtcUser(user_type="END_USER", user_id="u1"), RtcUser(user_type="PLAYER", user_id="p1")]
    return JobSpec(
        job_id=job_id, project_id="p", room_id="r", rtc_room_id="rtc", users=users, default_language="en", **more
    )


class FakeActivity:
    """Nobody ever speaks."""

    sample_rate, frame_samples = 16_000, 512

    def probability(self, pcm: np.ndarray) -> float:
        return 0.0

    def reset(self) -> None:
        pass


class FakeBroadcaster(FakeOutlet):
    def __init__(self) -> None:
        super().__init__()
        self.on_keyframe_needed: Any = None


class FakeRoom:
    """A room whose END_USER the test plays: ``events`` are its doings, ``told`` is what it is sent."""

    def __init__(self, events: RoomEvents) -> None:
        self.events = events
        self.broadcaster = FakeBroadcaster()
        self.microphone = Microphone()
        self.told = Heard()
        self.closed = False

    def send(self, text: str) -> bool:
        message = json.loads(text)
        data = message.get("data") or {}
        self.told.note(data.get("event") or message["type"], data)
        return True

    def say(self, kind: str, **data: Any) -> None:
        """The END_USER sends an RTVI message."""
        self.events.message(json.dumps({"label": "rtvi-ai", "type": kind, "id": "1", "data": data}))

    def stats(self) -> dict[str, float]:
        return {"viewers": 1.0}

    async def close(self) -> None:
        self.closed = True
        self.microphone.close()


class FakeAhead:
    def __init__(self) -> None:
        self.calls: list[str] = []
        self.asides: list[tuple[str, str, bool]] = []

    def go_on(self) -> None:
        self.calls.append("go on")

    async def stop(self) -> None:
        self.calls.append("stop")

    def begin(self, spec: JobSpec) -> None:
        self.calls.append(f"begin {spec.job_id}")

    def end(self, job_id: str) -> None:
        self.calls.append(f"end {job_id}")

    def prepare(self, project_id: str, room_id: str, what: Sayable | None) -> None:
        self.calls.append(f"prepare {project_id}/{room_id}")

    def rest(self, resting: bool) -> None:
        self.calls.append(f"rest {resting}")

    def progress(self) -> tuple[int, int]:
        return 1, 3

    def aside(self, job_id: str, who: str, speaking: bool) -> None:
        self.asides.append((job_id, who, speaking))

    def stats(self, job_id: str = "") -> dict[str, float]:
        return {"ahead_total": 3.0, "ahead_made": 1.0}


class FailingRenderer(FakeRenderer):
    def draw(self, motion: object, out: np.ndarray) -> bool:
        raise RuntimeError("no paint")


@dataclass
class FakeEngines:
    """What :class:`~visavis.session.engines.Engines` offers; the rooms it made are in ``rooms``."""

    settings: Settings = field(default_factory=lambda: Settings(_env_file=None))
    ahead: FakeAhead = field(default_factory=FakeAhead)
    dialogue: FakeDialogue = field(default_factory=lambda: FakeDialogue("I am fine."))
    synthesiser: FakeSynthesiser = field(default_factory=lambda: FakeSynthesiser(0.2))
    rooms: list[FakeRoom] = field(default_factory=list)
    renderer: type[FakeRenderer] = FakeRenderer
    refusal: str = ""
    ready: Ready = nothing_ready
    admits: Any = None
    closed: bool = False

    def director(self, spec: JobSpec) -> Director:
        return Director(np.random.default_rng(1))

    def room(self, spec: JobSpec, events: RoomEvents) -> FakeRoom:
        self.rooms.append(FakeRoom(events))
        return self.rooms[-1]

    def easel(self, spec: JobSpec, outlet: Any) -> Easel:
        if self.refusal:
            raise VisavisError(self.refusal)
        return Easel(self.renderer(), H264Encoder(64, 48), outlet)

    def stage(self, spec: JobSpec, director: Director, easel: Easel, outlet: Any, listener: Any) -> Stage:
        return Stage(director=director, easel=easel, audio=OpusEncoder(), outlet=outlet, listener=listener)

    async def parts(self, spec: JobSpec) -> Parts:
        return Parts(
            FakeActivity(),
            EmbeddedRecogniser(FakeRecogniser(), None),
            self.dialogue,
            EmbeddedSynthesiser(self.synthesiser, spec.voices, "en"),
            self.ready,
            self.admits,
        )

    async def close(self) -> None:
        self.closed = True


class Events:
    """What a host emits; a test waits for an event of a kind."""

    def __init__(self) -> None:
        self.journal = Heard()

    def __call__(self, event: JobEvent) -> None:
        self.journal.note(event.kind, event)

    @property
    def kinds(self) -> list[str]:
        return [kind for kind, _ in self.journal.entries]


async def at_rest() -> AsyncIterator[None]:
    """Fails a test that leaves a task behind."""
    before = asyncio.all_tasks()
    yield
    left = asyncio.all_tasks() - before - {asyncio.current_task()}
    if left:
        _, left = await asyncio.wait(left, timeout=1)
    if left:
        raise AssertionError(f"still running: {sorted(task.get_name() for task in left)}")
