"""The background task that reads documents and cuts them into segments, one document after the other."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import select

from visavis import log
from visavis.api.services.documents import DOCUMENT, SEGMENTS, place, rule_of
from visavis.contract.base import rfc3339
from visavis.dialogue.documents.blocks import DocumentError
from visavis.dialogue.documents.segmenting import Rule, Segment
from visavis.store import records
from visavis.store.records import Filter, Record
from visavis.store.tables import records as table

if TYPE_CHECKING:
    from visavis.api.context import Context

_log = log.get(__name__)

MOST_SEGMENTS: Final = 20_000
"""Of all documents of one library."""

_TIMEOUT_S: Final = 60.0
_READERS: Final = 2
_PASSED_ON: Final = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "VIRTUAL_ENV")

_UNFINISHED: Final = ("WAITING", "PROCESSING")


@dataclass(frozen=True, slots=True)
class _Wanted:
    project_id: str
    document_id: str


class Segmenting:
    """One server's reader of documents. What waits for it is in the database, so that a restart loses nothing."""

    def __init__(self, timeout_s: float = _TIMEOUT_S) -> None:
        """``timeout_s``: how long reading one document may take."""
        self._timeout_s = timeout_s
        self._waiting: dict[_Wanted, None] = {}
        self._worker: asyncio.Task[None] | None = None
        self._readers = asyncio.Semaphore(_READERS)

    def start(self, context: Context, project_id: str, document_id: str) -> None:
        """The document's task (its newest) is done as soon as those before it are."""
        self._waiting[_Wanted(project_id, document_id)] = None
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work(context), name="document-segmentation")

    async def resume(self, context: Context) -> None:
        """Take up what another run of the server left undone."""
        status = table.c.document[("document_task_info", "task_status")].as_string()
        query = select(table.c.project_id, table.c.id).where(table.c.kind == DOCUMENT, status.in_(_UNFINISHED))
        async with context.database.read() as connection:
            rows = (await connection.execute(query.order_by(table.c.updated_at))).all()
        for row in rows:
            self.start(context, row.project_id, row.id)

    async def close(self) -> None:
        """Stop; what is undone stays WAITING or PROCESSING in the database."""
        self._waiting.clear()
        if self._worker is not None:
            self._worker.cancel()
            await asyncio.gather(self._worker, return_exceptions=True)

    async def read(self, data: Path, document: dict[str, Any], rule: Rule, most: int | None = None) -> list[Segment]:
        """The segments of a stored document (fields of its record), read in a process of its own.

        Raises:
            DocumentError: it cannot be read; the message may be shown.
        """
        asked = {
            "type": document["file_type"],
            "size": rule.size,
            "by_title": rule.by_title,
            "separators": rule.separators,
            "most": most,
        }
        async with self._readers:
            try:
                async with asyncio.timeout(self._timeout_s):
                    answer = await _ask(place(data, document["blob"]), json.dumps(asked))
            except TimeoutError:
                raise DocumentError(f"reading it took longer than {self._timeout_s:g} s") from None
        if "error" in answer:
            raise DocumentError(answer["error"])
        return [Segment(title, text) for title, text in answer["segments"]]

    # --- the worker ------------------------------------------------------------------------------------

    async def _work(self, context: Context) -> None:
        while self._waiting:
            wanted = next(iter(self._waiting))
            del self._waiting[wanted]
            try:
                await self._one(context, wanted)
            except Exception:
                _log.exception("document_segmentation_failed", document_id=wanted.document_id)
                await self._finish(context, wanted, None, reason="internal error")

    async def _one(self, context: Context, wanted: _Wanted) -> None:
        clock = context.clock
        record = await _step(context, wanted, None, {"task_status": "PROCESSING", "begin_time": rfc3339(clock())})
        if record is None:
            return  # deleted, or done by another server
        task_id = record.document["document_task_info"]["task_id"]
        try:
            found = await self.read(context.settings.data, record.document, rule_of(record.document))
        except DocumentError as error:
            await self._finish(context, wanted, task_id, reason=str(error))
            return
        if not await _store(context, wanted, task_id, found):
            await self._finish(
                context, wanted, task_id, reason=f"the library would hold more than {MOST_SEGMENTS} segments"
            )

    async def _finish(self, context: Context, wanted: _Wanted, task_id: str | None, reason: str) -> None:
        ended = {"task_status": "FAILED", "fail_reason": reason, "end_time": rfc3339(context.clock())}
        await _step(context, wanted, task_id, ended)
        _log.info("document_unreadable", project_id=wanted.project_id, document_id=wanted.document_id, reason=reason)


def _ended(task: dict[str, str], segments: int, now: float) -> dict[str, str]:
    time = rfc3339(now)
    return {
        **task,
        "task_status": "SUCCEED",
        "task_process": "100",
        "task_result": f"{segments} segments",
        "end_time": time,
        "update_time": time,
    }


async def _step(context: Context, wanted: _Wanted, task_id: str | None, news: dict[str, str]) -> Record | None:
    """Note the task's progress. None: the document is gone, or its task is over or another one (than ``task_id``)."""
    now = context.clock()

    def change(old: Record) -> Record:
        task = {**old.document["document_task_info"], **news, "update_time": rfc3339(now)}
        return replace(old, document={**old.document, "document_task_info": task})

    async with records.transaction(context.database) as steps:
        if await _current(steps, wanted, task_id) is None:
            return None
        return await steps.update(wanted.project_id, DOCUMENT, wanted.document_id, change, now)


async def _current(steps: records.Transaction, wanted: _Wanted, task_id: str | None) -> Record | None:
    record = await steps.get(wanted.project_id, DOCUMENT, wanted.document_id)
    if record is None:
        return None
    task = record.document["document_task_info"]
    if task["task_status"] not in _UNFINISHED or (task_id is not None and task["task_id"] != task_id):
        return None
    return record


async def _store(context: Context, wanted: _Wanted, task_id: str, found: list[Segment]) -> bool:
    """Replace the document's segments, unless its task is another one by now. False: the library is full."""
    now = context.clock()
    async with records.transaction(context.database) as steps:
        record = await _current(steps, wanted, task_id)
        if record is None:
            return True
        _, others = await steps.listing(wanted.project_id, DOCUMENT, Filter(parent_id=record.parent_id), limit=None)
        held = sum(one.document.get("segments", 0) for one in others if one.id != record.id)
        if held + len(found) > MOST_SEGMENTS:
            return False
        entries = [{"id": records.new_id(), "title": one.title, "text": one.text} for one in found]
        await steps.put(
            Record(
                id=record.id,
                project_id=record.project_id,
                kind=SEGMENTS,
                document={"segments": entries},
                parent_id=record.parent_id,
            ),
            now,
        )
        await steps.update(record.project_id, DOCUMENT, record.id, _done(len(entries), now), now)
        return True


def _done(count: int, now: float) -> Callable[[Record], Record]:
    def change(old: Record) -> Record:
        task = _ended(old.document["document_task_info"], count, now)
        return replace(old, document={**old.document, "segments": count, "document_task_info": task})

    return change


# --- the process that reads -------------------------------------------------------------------------------


async def _ask(path: Path, asked: str) -> dict[str, Any]:
    """What the reader answers. Ending the wait ends the reader.

    Raises:
        DocumentError: it ended without an answer.
    """
    environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    with await asyncio.to_thread(path.open, "rb") as file:
        # -P: no module of the current folder may stand in for one of ours. It gets no secret of the environment's.
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "visavis.dialogue.documents", asked),
            stdin=file,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            start_new_session=True,
        )
    try:
        output, _ = await process.communicate()
    except asyncio.CancelledError:
        process.kill()
        await process.wait()
        raise
    if process.returncode != 0:
        raise DocumentError("reading it took too much time or memory")
    answer: dict[str, Any] = json.loads(output)
    return answer
