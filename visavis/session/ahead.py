"""Synthesis ahead of time: what is stored and may be said is spoken into the cache while nobody talks.

A worker makes what a job says first that has just started: the welcome speech, then what is said while somebody waits and when
something goes wrong, then its answers. Without one it makes what the server tells that rooms may say (as soon as somebody stores
it, long before a job starts), and the answers of the installation: a sentence of each in turn, so that all welcomes are made
before the thousandth answer of one. Work goes on beside a job only while neither the person nor the digital human speaks: two
cores are not enough for all three; and not at all while another worker has a job, for whose pauses this one cannot hear.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from visavis import log
from visavis.dialogue import phrases
from visavis.dialogue.knowledge import SHIPPED, Knowledge, load
from visavis.dialogue.knowledge.library import unpacked
from visavis.dialogue.stored import stored_sentences
from visavis.errors import VisavisError
from visavis.session.sayable import Sayable, sayable
from visavis.session.services import spoken
from visavis.session.spec import JobSpec, VoiceSpec
from visavis.speech.cache import CachedSynthesiser, Phrase

FIXED: Final = (
    phrases.MOMENT,
    phrases.HERE,
    phrases.NOT_HEARD,
    phrases.UNKNOWN,
    phrases.FAILED,
    phrases.BROKEN,
    phrases.DECLINED,
    phrases.REFUSED,
    phrases.DONE,
)
"""What any robot may say besides answers, the likeliest first."""
MOST: Final = 2000
"""Sentences of one list; what a larger one stores besides is made when it is said."""
_LISTS: Final = 8
"""Lists of jobs that are remembered; an older one is dropped."""
_ROOMS: Final = 256
"""Lists of rooms that are remembered; of more, the newest."""
_ELSEWHERE: Final = "elsewhere"
_SETTLE_S: Final = 2.0
"""Silence after somebody spoke before the work goes on: an answer is usually on its way."""
_REPORT_S: Final = 30.0

_log = log.get("ahead")


@dataclass(slots=True)
class _List:
    """What is to be made for one job, one room, or the installation. ``about``: what its log lines name it by."""

    what: Sayable
    about: dict[str, str]
    active: bool = False
    phrases: list[Phrase] | None = None
    done: int = 0
    made: int = 0
    began: float = field(default=0.0)
    reported: float = field(default=0.0)

    @property
    def open(self) -> bool:
        return self.phrases is None or self.done < len(self.phrases)


class Ahead:
    """One for each worker. For one event loop."""

    def __init__(
        self,
        synthesiser: CachedSynthesiser,
        knowledge: Sequence[Path],
        *,
        enabled: bool,
        settle_s: float = _SETTLE_S,
        report_s: float = _REPORT_S,
    ) -> None:
        """``knowledge``: of the installation, none: what is shipped. ``settle_s``, ``report_s``: seconds of silence before it
        goes on, and between two lines of its log."""
        self._synthesiser = synthesiser
        self._knowledge = list(knowledge) or [SHIPPED]
        self._enabled = enabled
        self._settle_s, self._report_s = settle_s, report_s
        self._lists: OrderedDict[str, _List] = OrderedDict()
        installed = Sayable(voices=[VoiceSpec()], default_language="zh", languages=["zh", "en"])
        self._lists[""] = _List(installed, {"job_id": ""})
        self._task: asyncio.Task[None] | None = None
        self._busy: set[str] = set()
        self._wake: asyncio.TimerHandle | None = None
        self._stopped = False

    # --- what a worker tells it -----------------------------------------------------------------------------------

    def begin(self, spec: JobSpec) -> None:
        """A job starts: what it may say comes first, from the next ``go_on``."""
        what = sayable(spec.robot, spec.voices, spec.language, spec.default_language)
        if not self._enabled or what is None:
            return
        self._lists.pop(spec.job_id, None)
        self._lists[spec.job_id] = _List(what, {"job_id": spec.job_id}, active=True)
        self._lists.move_to_end(spec.job_id, last=False)
        self._forget("job_id", _LISTS)
        self._pause()  # go_on begins with it

    def end(self, job_id: str) -> None:
        """The job is over: what is missing of its list is made when nothing else is."""
        for busy in [one for one in self._busy if one.partition("/")[0] == job_id]:
            self._busy.discard(busy)
        if job_id in self._lists:
            self._lists[job_id].active = False
            self._lists.move_to_end(job_id)

    def prepare(self, project_id: str, room_id: str, what: Sayable | None) -> None:
        """What that room may say from now on, in place of what it might before; None: nothing."""
        name = f"{project_id}/{room_id}"
        self._lists.pop(name, None)
        if self._enabled and what is not None:
            self._lists[name] = _List(what, {"project_id": project_id, "room_id": room_id})
            self._forget("room_id", _ROOMS)

    def rest(self, resting: bool) -> None:
        """Another worker has a job (or has none any more): its pauses are not heard here."""
        self.aside("", _ELSEWHERE, resting)

    def aside(self, job_id: str, who: str, speaking: bool) -> None:
        """``who`` (the person, the voice) begins or stops to speak in a job: nothing is made meanwhile."""
        name = f"{job_id}/{who}"
        if speaking:
            self._busy.add(name)
            self._pause()
        elif name in self._busy:
            self._busy.discard(name)
            if not self._busy:
                self._cancel_wake()
                self._wake = asyncio.get_running_loop().call_later(self._settle_s, self._settled)

    def go_on(self) -> None:
        """Work, or go on with it."""
        self._stopped = False
        self._start()

    async def stop(self) -> None:
        """Leave the processor alone until ``go_on``."""
        self._stopped = True
        self._cancel_wake()
        task = self._pause()
        if task is not None:
            await asyncio.gather(task, return_exceptions=True)

    def stats(self, job_id: str = "") -> dict[str, float]:
        """For the heartbeat: sentences of the job's list (``ahead_total``) and how many of them are in the cache
        (``ahead_made``). Nothing for a job without a list, or before it is read."""
        one = self._lists.get(job_id)
        if one is None or one.phrases is None:
            return {}
        return {"ahead_total": float(len(one.phrases)), "ahead_made": float(one.done)}

    def progress(self) -> tuple[int, int]:
        """Sentences that are made, and that there are, of all lists that were read."""
        read = [one for one in self._lists.values() if one.phrases is not None]
        return sum(one.done for one in read), sum(len(one.phrases or ()) for one in read)

    # --- the work -------------------------------------------------------------------------------------------------

    def _start(self) -> None:
        waiting = not self._stopped and not self._busy and self._wake is None
        open_lists = any(one.open for one in self._lists.values())
        if self._enabled and waiting and open_lists and (self._task is None or self._task.done()):
            self._task = asyncio.create_task(self._work(), name="ahead")

    def _pause(self) -> asyncio.Task[None] | None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
        return task

    def _settled(self) -> None:
        self._wake = None
        self._start()

    def _cancel_wake(self) -> None:
        if self._wake is not None:
            self._wake.cancel()
            self._wake = None

    def _forget(self, kind: str, most: int) -> None:
        """Drop the oldest of so many lists of that kind (those of jobs are newest first, those of rooms last)."""
        names = [name for name, one in self._lists.items() if name and kind in one.about]
        if len(names) > most:
            del self._lists[names[-1] if kind == "job_id" else names[0]]

    async def _work(self) -> None:
        failed: set[int] = set()
        while (name := self._next(failed)) is not None:
            one = self._lists[name]
            if not one.active:
                self._lists.move_to_end(name)
            try:
                await self._make(one)
            except Exception:  # it is then synthesised when it is needed; the next time tries again
                failed.add(id(one))
                _log.exception("stored sentences could not be synthesised", **one.about)

    def _next(self, failed: set[int]) -> str | None:
        """Whose sentence is made: one of a job that runs, else of the list that waited longest."""
        names = [name for name, one in self._lists.items() if one.open and id(one) not in failed]
        return next((name for name in names if self._lists[name].active), next(iter(names), None))

    async def _make(self, one: _List) -> None:
        """The next sentence of a list, and its line in the log."""
        loop = asyncio.get_running_loop()
        if one.phrases is None:
            one.phrases = await _phrases(one.what, self._knowledge)
            one.began = one.reported = loop.time()
        total = len(one.phrases)
        if one.done < total:
            one.made += await self._synthesiser.warm([one.phrases[one.done]])
            one.done += 1
            await asyncio.sleep(0)  # finding in the cache what is there already takes no turn of the loop by itself
        if loop.time() - one.reported >= self._report_s:
            one.reported = loop.time()
            _log.info("synthesising ahead", **one.about, made=one.done, total=total)
        if one.done >= total:
            seconds = round(loop.time() - one.began, 1)
            _log.info("stored sentences are synthesised", **one.about, made=one.made, total=total, seconds=seconds)


async def _phrases(what: Sayable, installed: Sequence[Path]) -> list[Phrase]:
    """The list's sentences as the cache knows them, without repetitions, the likeliest first."""
    files = installed if what.knowledge is None else [Path(path) for path in what.knowledge]
    knowledge = await asyncio.to_thread(_read, files) if files else None
    recalled = await asyncio.to_thread(_recalled, what.libraries)
    found: dict[Phrase, None] = {}
    for text in _texts(what, knowledge, recalled):
        if len(found) >= MOST:
            break
        if text.strip():
            found[await spoken(text.strip(), what.voices, what.default_language)] = None
    return list(found)


def _texts(what: Sayable, knowledge: Knowledge | None, recalled: Sequence[str]) -> Iterator[str]:
    yield from what.first
    for fixed in FIXED:
        for language in what.languages:
            yield fixed[language]
    for text in (*what.replies, *recalled):
        yield from phrases.sentences(text, phrases.language_of(text, what.default_language))
    if knowledge is None:
        return
    for sentence in stored_sentences(knowledge):
        if sentence.language in what.languages:
            yield sentence.text
    for entry in knowledge.entries:  # asking back about one of them
        for language in what.languages:
            if language in entry.questions:
                yield phrases.ask_back([entry.questions[language][0]], language)


def _recalled(libraries: Sequence[str]) -> list[str]:
    """The answers that libraries hold; documents are quoted in parts that nobody knows before."""
    found = []
    for path in libraries:
        try:
            found += [item.text for item in unpacked(Path(path)).items if item.question]
        except VisavisError as error:
            _log.warning("a knowledge library cannot be read", reason=str(error))
    return found


def _read(paths: Sequence[Path]) -> Knowledge | None:
    try:
        return load(paths)
    except (VisavisError, OSError) as error:
        _log.warning("stored answers cannot be read", reason=str(error))
        return None
