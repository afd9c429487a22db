# It misbehaves on purpose:
# ruff: noqa: ASYNC220, ASYNC230, ASYNC240, ASYNC251
"""A session host without media. Jobs say by their robot's name, commands by their text how it shall behave."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import threading
import time
from typing import Any

from visavis.errors import VisavisError
from visavis.session.sayable import Sayable
from visavis.session.signals import (
    ChatStateEvent,
    FinishedEvent,
    FinishReason,
    SessionCommand,
    Signal,
    SignalReply,
    TurnEvent,
)
from visavis.session.spec import ChatState, JobSpec
from visavis.session.types import CommandRefused, Emit, SignalRefusedBySession
from visavis.settings import Settings


class FakeHost:
    def __init__(self, settings: Settings, emit: Emit) -> None:
        self.behaviour: dict[str, Any] = settings.stt_options
        self.emit = emit
        self.jobs: dict[str, JobSpec] = {}
        self.beats = 0
        self.told: dict[tuple[str, str], Sayable | None] = {}
        self.rests: list[bool] = []

    async def load(self) -> None:
        match self.behaviour.get("load"):
            case "fail":
                raise VisavisError("the model file is not there")
            case "fail once":
                marker = self.behaviour["marker"]
                if not os.path.exists(marker):
                    with open(marker, "w"):
                        raise VisavisError("not yet")
            case "exit":
                os._exit(9)
            case "never":
                await asyncio.Event().wait()

    async def start(self, spec: JobSpec) -> None:
        match spec.robot.name:
            case "refuse":
                raise VisavisError("no such avatar")
            case "crash":
                raise RuntimeError("secret detail")
            case "slow":
                self.tell(spec.job_id, "starting", "")  # arrives only after the job is held: never
                await asyncio.Event().wait()
            case "early":
                self.emit(ChatStateEvent(job_id=spec.job_id, chat_state=ChatState.WAITING_LINK))
                await asyncio.sleep(0)
        self.jobs[spec.job_id] = spec

    async def signal(self, job_id: str, signal: Signal) -> SignalReply:
        if signal.kind == "offer" and signal.sdp == "refuse":
            raise SignalRefusedBySession("no audio in the offer")
        if signal.kind == "offer" and signal.sdp == "crash":
            raise RuntimeError("secret detail")
        if signal.kind == "offer" and signal.sdp == "hang":
            self.tell(job_id, "signal", "waits")
            try:
                await asyncio.Event().wait()
            finally:
                self.tell(job_id, "signal", "cancelled")
        return SignalReply(pc_id=str(os.getpid()), sdp="answer")

    async def command(self, job_id: str, command: SessionCommand) -> None:
        action, _, argument = command.text.partition(" ")
        match action:
            case "say":
                self.tell(job_id, argument, "")
            case "told":
                rooms = {"/".join(room): what.first[0] for room, what in self.told.items() if what is not None}
                self.tell(job_id, json.dumps(rooms), json.dumps(self.rests))
            case "flood":
                for number in range(int(argument)):
                    self.tell(job_id, str(number), "")
            case "finish":
                self.emit(FinishedEvent(job_id=job_id, reason="MUTE_TIMEOUT"))
                self.emit(FinishedEvent(job_id=job_id, reason="NORMAL"))
                self.tell(job_id, "too late", "")
            case "exit":
                os._exit(7)
            case "block":
                time.sleep(3600)
            case "refuse":
                raise CommandRefused("full", "wait a little")
            case "thread":
                thread = threading.Thread(target=self.tell, args=(job_id, "thread", ""))
                thread.start()
            case "child":
                child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)"])
                self.tell(job_id, "child", str(child.pid))
            case "environment":
                self.tell(job_id, os.environ["OMP_NUM_THREADS"], " ".join(sys.argv))
            case "huge":
                try:
                    self.tell(job_id, "x" * (2 << 20), "")
                except VisavisError as error:
                    self.tell(job_id, "refused", str(error))
            case "garbage" | "oversize":
                with socket.socket(fileno=os.dup(int(sys.argv[sys.argv.index("--fd") + 1]))) as sock:
                    sock.send(b"\0\0\0\2{}" if action == "garbage" else b"\xff\xff\xff\xff")

    async def stop(self, job_id: str, reason: FinishReason) -> None:
        match self.jobs[job_id].robot.name:
            case "ignores stop":
                await asyncio.Event().wait()
            case "fails to stop":
                raise RuntimeError("stuck")
        del self.jobs[job_id]
        self.emit(FinishedEvent(job_id=job_id, reason=reason))

    def stats(self, job_id: str) -> dict[str, float]:
        self.beats += 1
        return {"beats": self.beats, "broken": float("nan")}

    def prepare(self, project_id: str, room_id: str, what: Sayable | None) -> None:
        self.told[project_id, room_id] = what

    def rest(self, resting: bool) -> None:
        self.rests.append(resting)

    def prepared(self) -> tuple[int, int]:
        return self.beats, len(self.told)

    async def close(self) -> None:
        if "closed" in self.behaviour:
            with open(self.behaviour["closed"], "w") as file:
                file.write(" ".join(self.jobs))

    def tell(self, job_id: str, heard: str, answered: str) -> None:
        self.emit(TurnEvent(job_id=job_id, chat_id="c", heard=heard, answered=answered, language="en"))


def create_host(settings: Settings, emit: Emit) -> FakeHost:
    if settings.stt_options.get("load") == "no host":
        raise ValueError("bad settings")
    return FakeHost(settings, emit)
