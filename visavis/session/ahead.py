"""Synthesis ahead of time: what is stored and may be said is spoken into the cache while nobody talks.

A worker without a job makes the answers of the installation. A job that starts puts its own first: the welcome speech,
for it is said first, then what is said while somebody waits and when something goes wrong, then its answers. Work goes
on beside a job only while neither the person nor the digital human speaks: two cores are not enough for all three.
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
from visavis.dialogue.stored import stored_sentences
from visavis.errors import VisavisError
from visavis.session.services import spoken
from visavis.session.spec import JobSpec, RobotSpec, VoiceSpec
from visavis.speech.cache import CachedSynthesiser, Phrase
from visavis.speech.types import Language

FIXED: Final = (
    phrases.MOMENT,
    phrases.HERE,
    phrases.NOT_HEARD,
    phrases.UNKNOWN,
    phrases.FAILED,
    phrases.BROKEN,
    phrases.DECLINED,
    phrases.REFUSED,
)
"""What any robot may say besides answers, the likeliest first."""
MOST: Final = 2000
"""Sentences of one list; what a larger one stores besides is made when it is said."""
_LISTS: Final = 8
"""Lists of jobs that are remembered; an older one is dropped."""
_SETTLE_S: Final = 2.0
"""Silence after somebody spoke before the work goes on: an answer is usually on its way."""
_REPORT_S: Final = 30.0

_log = log.get("ahead")


@dataclass(slots=True)
class _List:
    """What is to be made for one job ("": for the installation)."""

    voices: Sequence[VoiceSpec]
    default_language: Language
    knowledge: Sequence[Path]
    first: Sequence[str] = ()
    languages: Sequence[Language] = ("zh", "en")
    phrases: list[Phrase] | None = None
    done: int = 0
    made: int = 0
    began: float = field(default=0.0)


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
        self._lists[""] = _List([VoiceSpec()], "zh", self._knowledge)
        self._task: asyncio.Task[None] | None = None
        self._busy: set[str] = set()
        self._wake: asyncio.TimerHandle | None = None
        self._stopped = False

    # --- what a worker tells it -----------------------------------------------------------------------------------

    def begin(self, spec: JobSpec) -> None:
        """A job starts: what it may say comes first, from the next ``go_on``."""
        robot = spec.robot
        if not self._enabled or robot.driven:
            return
        languages = _languages(spec)
        pacifying = [text for language in languages for text in _pacifying(robot, language)]
        self._lists.pop(spec.job_id, None)
        self._lists[spec.job_id] = _List(
            spec.voices,
            spec.default_language,
            [Path(path) for path in robot.knowledge] or self._knowledge,
            [robot.welcome, *pacifying],
            languages,
        )
        self._lists.move_to_end(spec.job_id, last=False)
        if len(self._lists) > _LISTS + 1:
            del self._lists[next(name for name in reversed(self._lists) if name)]
        self._pause()  # go_on begins with it

    def end(self, job_id: str) -> None:
        """The job is over: what is missing of its list is made when nothing else is."""
        for busy in [one for one in self._busy if one.partition("/")[0] == job_id]:
            self._busy.discard(busy)
        if job_id in self._lists:
            self._lists.move_to_end(job_id)

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

    # --- the work -------------------------------------------------------------------------------------------------

    def _start(self) -> None:
        waiting = not self._stopped and not self._busy and self._wake is None
        open_lists = any(one.phrases is None or one.done < len(one.phrases) for one in self._lists.values())
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

    async def _work(self) -> None:
        for job_id, one in list(self._lists.items()):
            try:
                await self._make(job_id, one)
            except Exception:  # it is then synthesised when it is needed; the next time tries again
                _log.exception("stored sentences could not be synthesised", job_id=job_id)

    async def _make(self, job_id: str, one: _List) -> None:
        loop = asyncio.get_running_loop()
        if one.phrases is None:
            one.phrases = await _phrases(one)
            one.began = loop.time()
        total, reported = len(one.phrases), loop.time()
        if one.done >= total:
            return
        while one.done < total:
            one.made += await self._synthesiser.warm([one.phrases[one.done]])
            one.done += 1
            if loop.time() - reported >= self._report_s:
                reported = loop.time()
                _log.info("synthesising ahead", job_id=job_id, made=one.done, total=total)
        seconds = round(loop.time() - one.began, 1)
        _log.info("stored sentences are synthesised", job_id=job_id, made=one.made, total=total, seconds=seconds)


def _languages(spec: JobSpec) -> list[Language]:
    """Those that the job may speak, its own first."""
    if spec.language is not None:
        return [spec.language]
    other: Language = "en" if spec.default_language == "zh" else "zh"
    return [spec.default_language, other]


def _pacifying(robot: RobotSpec, language: Language) -> Iterator[str]:
    words = robot.pacify.get(language)
    if words is not None:
        yield from words.general
        for texts in words.by_intent.values():
            yield from texts


async def _phrases(one: _List) -> list[Phrase]:
    """The list's sentences as the cache knows them, without repetitions, the likeliest first."""
    knowledge = await asyncio.to_thread(_read, one.knowledge)
    found: dict[Phrase, None] = {}
    for text in _texts(one, knowledge):
        if len(found) >= MOST:
            break
        if text.strip():
            found[await spoken(text.strip(), one.voices, one.default_language)] = None
    return list(found)


def _texts(one: _List, knowledge: Knowledge | None) -> Iterator[str]:
    yield from one.first
    for fixed in FIXED:
        for language in one.languages:
            yield fixed[language]
    if knowledge is None:
        return
    for sentence in stored_sentences(knowledge):
        if sentence.language in one.languages:
            yield sentence.text
    for entry in knowledge.entries:  # asking back about one of them
        for language in one.languages:
            if language in entry.questions:
                yield phrases.ask_back([entry.questions[language][0]], language)


def _read(paths: Sequence[Path]) -> Knowledge | None:
    try:
        return load(paths)
    except (VisavisError, OSError) as error:
        _log.warning("stored answers cannot be read", reason=str(error))
        return None
