"""The background task that synthesises texts into files, one after the other, and the URLs these are fetched by."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from sqlalchemy import select

from visavis import log
from visavis.api.services.recording import Wanted, record
from visavis.errors import VisavisError
from visavis.settings import Settings
from visavis.speech.factory import create_synthesiser
from visavis.speech.lexicon import NOTHING, from_json
from visavis.speech.types import Synthesiser, VoiceSettings
from visavis.store import records
from visavis.store.database import Database
from visavis.store.records import Filter, Record
from visavis.store.tables import records as table
from visavis.store.vault import Vault, VaultError

if TYPE_CHECKING:
    from visavis.api.context import Context

_log = log.get(__name__)

JOB: Final = "tts_job"
UNFINISHED: Final = ("WAITING", "PROCESSING")
KEPT_S: Final = 7 * 86400.0
"""How long a job and its files are kept."""
URL_S: Final = 3600.0
MOST_WAITING: Final = 50
"""Unfinished jobs of one project."""
DOWNLOAD_PREFIX: Final = "/speech-files/"

_PURPOSE: Final = "speech.download"
_TIMEOUT_S: Final = 1800.0


class Speaking:
    """One server's synthesiser of texts. What waits for it is in the database, so that a restart loses nothing."""

    def __init__(
        self, make: Callable[[Settings], Synthesiser] = create_synthesiser, timeout_s: float = _TIMEOUT_S
    ) -> None:
        """
        Args:
            make: makes the synthesiser (blocking); called at the first job, as it takes seconds and much memory.
            timeout_s: how long one job may take.
        """
        self.make = make
        self._timeout_s = timeout_s
        self._synthesiser: Synthesiser | None = None
        self._waiting: dict[tuple[str, str], None] = {}
        self._worker: asyncio.Task[None] | None = None

    def start(self, context: Context, project_id: str, job_id: str) -> None:
        """The job is done as soon as those before it are."""
        self._waiting[project_id, job_id] = None
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work(context), name="speech-files")

    async def resume(self, context: Context) -> None:
        """Take up what another run of the server left undone."""
        state = table.c.document["state"].as_string()
        query = select(table.c.project_id, table.c.id).where(table.c.kind == JOB, state.in_(UNFINISHED))
        async with context.database.read() as connection:
            rows = (await connection.execute(query.order_by(table.c.created_at))).all()
        for row in rows:
            self.start(context, row.project_id, row.id)

    async def settled(self) -> None:
        """Wait until nothing waits any more."""
        if self._worker is not None:
            await asyncio.wait([self._worker])

    async def close(self) -> None:
        """Stop; what is undone stays so in the database."""
        self._waiting.clear()
        if self._worker is not None:
            self._worker.cancel()
            await asyncio.gather(self._worker, return_exceptions=True)

    async def _work(self, context: Context) -> None:
        while self._waiting:
            project_id, job_id = next(iter(self._waiting))
            del self._waiting[project_id, job_id]
            try:
                await self._one(context, project_id, job_id)
            except TimeoutError:
                await _end(context, project_id, job_id, [], f"it took longer than {self._timeout_s:g} s")
            except VisavisError as error:
                await _end(context, project_id, job_id, [], str(error))
            except Exception:
                _log.exception("speech_file_failed", job_id=job_id)
                await _end(context, project_id, job_id, [], "internal error")

    async def _one(self, context: Context, project_id: str, job_id: str) -> None:
        job = await _step(context, project_id, job_id, {"state": "PROCESSING"})
        if job is None:
            return  # it is gone
        if self._synthesiser is None:
            self._synthesiser = await asyncio.to_thread(self.make, context.settings)
        async with asyncio.timeout(self._timeout_s):
            names = await record(self._synthesiser, _wanted(job.document), folder_of(context.settings, job_id))
        await _end(context, project_id, job_id, names, "" if names else "nothing in the text can be spoken")


def folder_of(settings: Settings, job_id: str) -> Path:
    """Where a job's files are."""
    return settings.data / "speech" / job_id


def _wanted(document: dict[str, Any]) -> Wanted:
    return Wanted(
        text=document["text"],
        voice=document["voice"],
        settings=VoiceSettings(document["speed"], document["pitch"], document["volume"]),
        shown=document.get("shown", ""),
        lexicon=from_json(document["lexicon"]) if document.get("lexicon") else NOTHING,
        channels=document["channels"],
        subtitles=document.get("gen_srt", False),
        subtitle_length=document.get("srt_len", 0),
        subtitle_lines=document.get("srt_line_limit", 1),
        times=document.get("need_timestamp", False),
    )


async def _end(context: Context, project_id: str, job_id: str, names: list[str], reason: str) -> None:
    # What was said is in the files; the text need not be kept beside them.
    ended = {"state": "FAILED" if reason else "SUCCEED", "files": names, "fail_msg": reason}
    await _step(context, project_id, job_id, {**ended, "text": "", "shown": "", "lexicon": ""})


async def _step(context: Context, project_id: str, job_id: str, news: dict[str, Any]) -> Record | None:
    def change(old: Record) -> Record:
        return replace(old, document={**old.document, **news})

    async with records.transaction(context.database) as steps:
        old = await steps.get(project_id, JOB, job_id)
        if old is None or old.document["state"] not in UNFINISHED:
            return None
        return await steps.update(project_id, JOB, job_id, change, context.clock())


async def forget_old(settings: Settings, database: Database, project_id: str, now: float) -> None:
    """Delete the project's jobs that ended long ago, with their files."""
    async with records.transaction(database) as steps:
        _, old = await steps.listing(project_id, JOB, Filter(until=now - KEPT_S), limit=None)
        ids = [job.id for job in old if job.document["state"] not in UNFINISHED]
        await steps.remove(project_id, JOB, ids)
    for job_id in ids:
        await asyncio.to_thread(shutil.rmtree, folder_of(settings, job_id), ignore_errors=True)


# --- URLs -------------------------------------------------------------------------------------------------


def url_of(base: str, vault: Vault, job: Record, name: str, now: float) -> str:
    """Where one of the job's files can be fetched for an hour, by whoever has the URL; empty: it has no such file."""
    if name not in job.document["files"]:
        return ""
    token = vault.seal(json.dumps([job.project_id, job.id, name, now + URL_S]), _PURPOSE)
    return f"{base}{DOWNLOAD_PREFIX}{name}?token={quote(token, safe='')}"


async def file_of(settings: Settings, database: Database, token: str, now: float) -> Path | None:
    """The file that such a URL leads to; None: there is none, or not any more, or the URL was not made here."""
    try:
        project_id, job_id, name, until = json.loads(database.vault.unseal(token, _PURPOSE))
    except VaultError:
        return None
    job = await records.get(database, project_id, JOB, job_id)
    if now >= until or job is None or name not in job.document["files"]:
        return None
    return folder_of(settings, job.id) / str(name)
