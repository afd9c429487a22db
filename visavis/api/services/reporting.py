"""Dialogue reports and recordings on their way to the bucket of their project.

What is to be delivered is in the database, so that a restart loses nothing. One task in the background delivers; whatever
the bucket does, no conversation waits for it.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

from visavis import log
from visavis.api.metrics import Metrics
from visavis.api.services.reporting_content import MOST_TURNS, TYPES, object_key, report
from visavis.errors import VisavisError
from visavis.session.signals import TurnEvent
from visavis.session.spec import JobSpec
from visavis.settings import Settings
from visavis.store import audit, buckets, deliveries, jobs, records
from visavis.store.database import Database
from visavis.store.deliveries import Delivery, Kind, OpenOne, Place, State
from visavis.store.jobs import Job
from visavis.store.objects import Objects, ObjectsError, Open, S3Objects

_log = log.get(__name__)

SWITCHES: Final = {
    Kind.DIALOG: ("dialog_report_config", "enable_dialog_report"),
    Kind.AUDIO: ("audio_record_config", "enable_audio_record"),
}
"""Kind of the setting that asks for it, and its switch."""

FIRST_RETRY_S: Final = 5.0
LONGEST_RETRY_S: Final = 3600.0

_LOOK_S: Final = 60.0
"""How often it looks for what nobody told it of, such as a full piece of a recording."""
_AT_ONCE: Final = 8
"""Buckets that are written to at the same time; each one's objects go one after the other."""
_DAY_S: Final = 86400.0
_SOUND: Final = "*.flac"


class Reports:
    """Notes what jobs are to report and delivers it. ``run()`` is the task in the background."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        metrics: Metrics,
        clock: Callable[[], float],
        open_bucket: Open = S3Objects,
    ) -> None:
        """``clock``: epoch seconds. ``open_bucket``: how a bucket is reached."""
        self._settings, self._database, self._metrics, self._clock = settings, database, metrics, clock
        self._open = open_bucket
        self._news = asyncio.Event()
        self._at_once = asyncio.Semaphore(_AT_ONCE)
        self._couriers: dict[Place, asyncio.Task[None]] = {}
        self._reported: set[str] = set()

    # --- what jobs tell ---------------------------------------------------------------------------------------

    async def begin(self, job: Job, job_spec: JobSpec, app_user: str) -> JobSpec:
        """Note what the project's settings ask of a new job; answers what its worker is told."""
        wanted: list[Delivery] = []
        for kind, (setting, switch) in SWITCHES.items():
            record = await records.get(self._database, job.project_id, setting, "one")
            if record is None or not record.document.get(switch):
                continue
            new = Delivery(
                id=deliveries.new_id(),
                project_id=job.project_id,
                job_id=job.id,
                kind=kind,
                part=1 if kind is Kind.DIALOG else 0,
                app_user_id=app_user,
                rtc_user_id=next((user["user_id"] for user in job.users if user["user_type"] == "END_USER"), ""),
                bucket=record.document["obs_bucket_name"],
                object_key="",
                created_at=job.created_at,
                since=job.created_at,
            )
            wanted.append(replace(new, object_key=object_key(new, new.part)))
        if not wanted:
            return job_spec
        await deliveries.add(self._database, wanted)
        self._reported |= {one.job_id for one in wanted if one.kind is Kind.DIALOG}
        return job_spec.model_copy(update={"record_audio": any(one.kind is Kind.AUDIO for one in wanted)})

    async def turn(self, event: TurnEvent) -> None:
        """Keep a turn, if its job is reported on."""
        if event.job_id not in self._reported:
            return
        if await deliveries.add_turn(self._database, event, self._clock(), MOST_TURNS, object_key):
            self.wake()

    def wake(self) -> None:
        """Something may be ready: a job has ended."""
        self._news.set()

    # --- the background ---------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Deliver until cancelled, also what another run of the server left."""
        try:
            while True:
                self._news.clear()
                wait = _LOOK_S
                try:
                    wait = await self._round()
                except Exception:
                    # The database may be away for a moment: the next round finds everything.
                    _log.exception("deliveries_failed")
                try:
                    async with asyncio.timeout(wait):
                        await self._news.wait()
                except TimeoutError:
                    continue
        finally:
            for courier in self._couriers.values():
                courier.cancel()
            await asyncio.gather(*self._couriers.values(), return_exceptions=True)

    async def _round(self) -> float:
        """Start couriers to where something is due. Answers the seconds until there may be more."""
        for found in await deliveries.open_ones(self._database):
            await (self._look_at_report(found) if found.delivery.kind is Kind.DIALOG else self._look_at_sound(found))
        if days := self._settings.bucket_days:
            await deliveries.expire(self._database, self._clock() - days * _DAY_S, self._clock())
        for place in await deliveries.due_places(self._database, self._clock()):
            if place not in self._couriers:
                self._couriers[place] = asyncio.create_task(self._deliver_all(place), name="courier")
        await self._tidy()
        waiting, first = await deliveries.next_due(self._database, self._clock())
        self._metrics.deliveries_waiting.set(waiting)
        return _LOOK_S if first is None else min(_LOOK_S, first - self._clock())

    async def _look_at_report(self, found: OpenOne) -> None:
        if found.ended and found.empty:  # nobody came: there is nothing to tell
            self._reported.discard(found.delivery.job_id)
            await deliveries.remove(self._database, found.delivery)
        elif found.ended:
            self._reported.discard(found.delivery.job_id)
            now = self._clock()
            await deliveries.move(self._database, found.delivery, state=State.WAITING, due_at=now, since=now)

    async def _look_at_sound(self, found: OpenOne) -> None:
        """Full pieces of a recording may go before its end."""
        one, now = found.delivery, self._clock()
        parts = await asyncio.to_thread(self._parts, one.job_id)
        ready = parts if found.ended else parts[:-1]
        waiting = replace(one, state=State.WAITING, due_at=now, since=now)
        new = [replace(waiting, id=deliveries.new_id(), part=part, object_key=object_key(one, part)) for part in ready]
        if new or found.ended:
            await deliveries.add_parts(self._database, one, new, last=found.ended)

    def _parts(self, job_id: str) -> list[int]:
        return sorted(int(path.stem) for path in (self._settings.recordings / job_id).glob(_SOUND))

    def _file(self, one: Delivery) -> Path:
        return self._settings.recordings / one.job_id / f"{one.part:04}.flac"

    async def _deliver_all(self, place: Place) -> None:
        """One courier: brings one after the other, until nothing is due there or something failed."""
        try:
            async with self._at_once:
                while (one := await deliveries.next_of(self._database, place, self._clock())) is not None:
                    if not await self._tried(one):
                        # The others need not try now what does not work now.
                        await deliveries.rest(self._database, place, self._clock() + FIRST_RETRY_S)
        except Exception:
            _log.exception("deliveries_failed", project_id=place[0])
        finally:
            del self._couriers[place]
            self.wake()

    async def _tried(self, one: Delivery) -> bool:
        try:
            await self._deliver(one)
        except VisavisError as error:
            await self._failed(one, str(error))
        except Exception as error:
            _log.exception("delivery_failed_unexpectedly", delivery_id=one.id, job_id=one.job_id)
            await self._failed(one, f"internal error ({type(error).__name__})")
        else:
            return True
        return False

    async def _deliver(self, one: Delivery) -> None:
        bucket = await self._bucket(one)
        if one.state is State.ERASING:
            await bucket.delete(one.object_key)
            await deliveries.remove(self._database, one)
            await self._told(one, "erased")
            return
        content = await self._content(one)
        if content is None:
            await self._given_up(one, "there is nothing of it any more")
            return
        await bucket.put(one.object_key, content, TYPES[one.kind])
        if not await deliveries.move(self._database, one, state=State.DELIVERED, since=self._clock(), reason=""):
            await bucket.delete(one.object_key)  # its user's data were erased while it was on its way
            return
        await self._forget_sound(one)
        await self._told(one, "delivered")

    async def _bucket(self, one: Delivery) -> Objects:
        store = await buckets.get(self._database, one.project_id)
        if store is None:
            raise ObjectsError("the project has no store")
        return self._open(store, one.bucket)

    async def _content(self, one: Delivery) -> bytes | Path | None:
        if one.kind is Kind.AUDIO:
            path = self._file(one)
            return path if await asyncio.to_thread(path.is_file) else None
        job = await jobs.by_id(self._database, one.job_id)
        if job is None:
            return None
        turns = await deliveries.turns_of(self._database, one.id)
        more = len(turns) >= MOST_TURNS
        return report(job, one, turns, more=more, now=self._clock())

    async def _failed(self, one: Delivery, reason: str) -> None:
        now = self._clock()
        # Data that a person wants erased are never given up on.
        if one.state is State.WAITING and now - one.since >= self._settings.delivery_days * _DAY_S:
            await self._given_up(one, reason)
            return
        wait = min(FIRST_RETRY_S * 2.0 ** min(one.attempts, 20), LONGEST_RETRY_S)
        await deliveries.move(self._database, one, attempts=one.attempts + 1, due_at=now + wait, reason=reason[:200])
        self._metrics.deliveries.labels(one.kind.value, "failed").inc()
        _log.warning(
            "delivery_failed",
            job_id=one.job_id,
            project_id=one.project_id,
            delivery=one.kind.value,
            part=one.part,
            bucket=one.bucket,
            attempts=one.attempts + 1,
            retry_s=wait,
            reason=reason,
        )

    async def _given_up(self, one: Delivery, reason: str) -> None:
        await deliveries.remove(self._database, one)
        await self._forget_sound(one)
        await self._told(one, "given_up", reason)

    async def _told(self, one: Delivery, result: str, reason: str = "") -> None:
        """Into the metrics, the log and the audit log."""
        self._metrics.deliveries.labels(one.kind.value, result).inc()
        tell = _log.error if reason else _log.info
        facts = {"reason": reason} if reason else {}
        tell(
            f"delivery_{result}",
            job_id=one.job_id,
            project_id=one.project_id,
            delivery=one.kind.value,
            part=one.part,
            bucket=one.bucket,
            object_key=one.object_key,
            **facts,
        )
        operation = f"{one.kind.value} part {one.part} {result.replace('_', ' ')}"
        entry = audit.Entry(self._clock(), one.project_id, operation, one.job_id)
        await audit.record(self._database, entry, self._settings.audit_days)

    async def _forget_sound(self, one: Delivery) -> None:
        if one.kind is Kind.AUDIO:
            await asyncio.to_thread(_unlink, self._file(one))

    async def _tidy(self) -> None:
        """Delete recordings that nothing will deliver: their user's data were erased, or the database is another one."""
        # In this order: what begins to be recorded meanwhile is not there yet.
        there = await asyncio.to_thread(_folders, self._settings.recordings)
        if others := set(there) - await deliveries.jobs_with_sound(self._database):
            await asyncio.to_thread(_remove, [there[name] for name in others])


def _unlink(path: Path) -> None:
    path.unlink(missing_ok=True)
    try:
        path.parent.rmdir()
    except OSError:
        return  # more pieces are in it


def _folders(folder: Path) -> dict[str, Path]:
    return {path.name: path for path in folder.iterdir()} if folder.is_dir() else {}


def _remove(folders: list[Path]) -> None:
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
