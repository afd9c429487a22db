"""Workers hear of what rooms may say as soon as somebody stores it, and synthesise it before anybody comes.

A project that was changed is looked at when nobody has changed anything for some seconds, or once a while during a long import:
an import of a thousand answers is told a few times, not a thousand. Calls of the API only leave a note.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final

from visavis import log
from visavis.api.services import robots, spec, wordlists
from visavis.api.services.briefing import briefed
from visavis.contract.base import published, spoken
from visavis.contract.errors import ApiError
from visavis.contract.model import Operation
from visavis.contract.rooms import room_defaults
from visavis.dispatch.types import Dispatcher
from visavis.session.sayable import Sayable, sayable
from visavis.session.spec import RobotSpec, VoiceSpec
from visavis.settings import Settings
from visavis.store import rooms
from visavis.store.database import Database
from visavis.store.rooms import EVERY_ROOM, Room

MOST_ROOMS: Final = 32
"""Of one project, the newest; what is said in others is made when a job starts in them."""

_QUIET_S: Final = 3.0
_AT_LEAST_EVERY_S: Final = 30.0
_GROUPS: Final = frozenset(
    {
        "rooms", "robot", "role", "knowledge", "knowledge-library", "question-answer", "instruction", "instruction-library",
        "welcome-speech", "welcome-speech-switch", "pacify-words", "pacify-words-switch",
    }
)  # fmt: skip

_log = log.get(__name__)


def changes_words(operation: Operation) -> bool:
    """Whether it may change what is said in a room, or how (the words that voices read in another way)."""
    return operation.writes and (operation.group in _GROUPS or "_ttsc_" in operation.name)


class Warming:
    """One server's messenger. For one event loop."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        dispatcher: Dispatcher,
        quiet_s: float = _QUIET_S,
        at_least_every_s: float = _AT_LEAST_EVERY_S,
    ) -> None:
        """``quiet_s``: seconds without a change after which workers are told; ``at_least_every_s``: how long they wait for it."""
        self._settings, self._database, self._dispatcher = settings, database, dispatcher
        self._quiet_s, self._at_least_every_s = quiet_s, at_least_every_s
        self._waiting: dict[str, float] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._work: asyncio.Task[None] | None = None

    async def resume(self) -> None:
        """Tell of what was stored before the server started: an upgrade may have left nothing of the sound."""
        for project_id in await rooms.projects(self._database, MOST_ROOMS):
            self.changed(project_id)

    def changed(self, project_id: str) -> None:
        """Something that the project's rooms may say was perhaps changed."""
        if self._settings.warm_answers:
            self._waiting.setdefault(project_id, asyncio.get_running_loop().time())
            self._arm()

    async def close(self) -> None:
        """Tell nothing any more."""
        self._waiting.clear()
        if self._timer is not None:
            self._timer.cancel()
        if self._work is not None:
            self._work.cancel()
            await asyncio.gather(self._work, return_exceptions=True)

    def _arm(self) -> None:
        loop = asyncio.get_running_loop()
        if self._timer is not None:
            self._timer.cancel()
        oldest = next(iter(self._waiting.values()))
        self._timer = loop.call_at(min(loop.time() + self._quiet_s, oldest + self._at_least_every_s), self._start)

    def _start(self) -> None:
        self._timer = None
        if self._work is None or self._work.done():
            changed, self._waiting = list(self._waiting), {}
            self._work = asyncio.create_task(self._tell(changed), name="warming")
            self._work.add_done_callback(self._told)

    def _told(self, work: asyncio.Task[None]) -> None:
        if self._waiting and self._timer is None and not work.cancelled():  # changed while the others were looked at
            self._arm()

    async def _tell(self, changed: list[str]) -> None:
        for project_id in changed:
            try:
                told = await self._of_project(project_id)
                self._dispatcher.prepare(project_id, told)
            except Exception:  # it is then made when a job starts
                _log.exception("what_rooms_may_say_is_not_told", project_id=project_id)
            else:
                _log.info("what_rooms_may_say_is_told", project_id=project_id, rooms=len(told))

    async def _of_project(self, project_id: str) -> dict[str, Sayable]:
        """By room; one that says what another says as well is left out, and so is one whose job could not start."""
        _, _, newest = await rooms.listing(self._database, project_id, EVERY_ROOM, 0, MOST_ROOMS)
        found: dict[str, Sayable] = {}
        known = _Known({}, {})
        for room in newest:
            try:
                what = await self._of_room(room, known)
            except ApiError:
                continue
            if what is not None and what not in found.values():
                found[room.id] = what
        return found

    async def _of_room(self, room: Room, known: _Known) -> Sayable | None:
        """As a job would be told of it that starts now, for the third-party user whose room it is."""
        app_user = room.app_user_id
        robot = await robots.of_job(self._database, room, "", app_user)
        default_language = spoken({**room_defaults(), **room.settings}["default_language"])
        language = spec.fixed_language(robot)
        begins = published(language or default_language)
        who = (robot.id if robot else "", begins, app_user)
        if who not in known.briefed:
            known.briefed[who] = await briefed(
                self._database,
                self._settings,
                room.project_id,
                spec.robot_spec(robot, self._settings),
                begins,
                app_user,
                spec.role_id(robot),
            )
        asked = (room.settings.get("video_config") or {}).get("is_vocabulary_config_enable")
        voices = spec.voice_specs(room)
        how = (tuple(voices), asked, app_user)
        if how not in known.voices:
            known.voices[how] = await wordlists.with_words(
                self._database, self._settings.data, room.project_id, voices, asked, app_user
            )
        return sayable(known.briefed[who], known.voices[how], language, default_language)


@dataclass(frozen=True, slots=True)
class _Known:
    """What was found out for other rooms of the project: most have the same robot and the same voices."""

    briefed: dict[tuple[str, str, str], RobotSpec]
    voices: dict[tuple[tuple[VoiceSpec, ...], bool | None, str], list[VoiceSpec]]
