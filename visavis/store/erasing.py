"""For the command line: a project's store of buckets, and what is kept of a user, erased."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass

from visavis.settings import Settings
from visavis.store import buckets, deliveries
from visavis.store.buckets import BadBucketError, BucketStore
from visavis.store.commands import run, run_audited
from visavis.store.database import Database
from visavis.store.deliveries import Delivery, Kind, State
from visavis.store.identity import project as find_project
from visavis.store.objects import Objects, ObjectsError, Open, S3Objects, check


@dataclass(frozen=True, slots=True)
class Erased:
    """What was deleted: turns and recordings here, objects in the bucket. ``left``: objects that a server must still delete."""

    turns: int
    recordings: int
    objects: int
    left: int
    reason: str = ""


def set_bucket(settings: Settings, store: BucketStore, try_bucket: str = "") -> BucketStore:
    """Keep a project's store. ``try_bucket``: only if a small object can be written to this bucket of it.

    Raises:
        BadBucketError, ObjectsError.
    """

    async def work(database: Database) -> BucketStore:
        if try_bucket:
            await check(S3Objects(store, try_bucket))
        return await buckets.put(database, store, time.time())

    return run_audited(settings, work, "project bucket", store.project_id, lambda kept: kept.endpoint)


def bucket_of(settings: Settings, project_id: str) -> BucketStore | None:
    """The project's store."""
    return run(settings, lambda database: buckets.get(database, project_id))


def remove_bucket(settings: Settings, project_id: str) -> None:
    """Forget the project's store.

    Raises:
        BadBucketError: there is none.
    """

    async def work(database: Database) -> None:
        if not await buckets.remove(database, project_id):
            raise BadBucketError(f"project {project_id!r} has no store")

    run_audited(settings, work, "project bucket remove", project_id, "")


def erase(settings: Settings, project_id: str, user_id: str, open_bucket: Open = S3Objects) -> Erased:
    """Delete the turns and recordings of a user's jobs, here and in the bucket.

    Args:
        user_id: the X-App-UserId that jobs were started with, or a job's END_USER.

    Raises:
        BadBucketError: there is no such project.
    """

    async def work(database: Database) -> Erased:
        if await find_project(database, project_id) is None:
            raise BadBucketError(f"there is no project {project_id!r}")
        turns, found = await deliveries.erase_user(database, project_id, user_id, time.time())
        recordings = 0
        for job_id in {one.job_id for one in found if one.kind is Kind.AUDIO}:
            folder = settings.recordings / job_id
            recordings += len(list(folder.glob("*.flac")))
            shutil.rmtree(folder, ignore_errors=True)
        objects, left, reason = await _erase_objects(database, project_id, found, open_bucket)
        return Erased(turns, recordings, objects, left, reason)

    # Not the user's id: what is erased must not live on in the audit log.
    return run_audited(settings, work, "project erase", project_id, "")


async def _erase_objects(
    database: Database, project_id: str, found: list[Delivery], open_bucket: Open
) -> tuple[int, int, str]:
    """(how many objects were deleted, how many could not be, why)."""
    stored = [one for one in found if one.state is not State.OPEN]
    store = await buckets.get(database, project_id)
    if store is None:
        return 0, len(stored), "the project has no store" if stored else ""
    opened: dict[str, Objects] = {}
    deleted, reason = 0, ""
    for number, one in enumerate(stored):
        bucket = opened.setdefault(one.bucket, open_bucket(store, one.bucket))
        try:
            await bucket.delete(one.object_key)
        except ObjectsError as error:
            reason = str(error)
            return deleted, len(stored) - number, reason
        await deliveries.remove(database, one)
        deleted += one.state is State.DELIVERED
    return deleted, 0, reason
