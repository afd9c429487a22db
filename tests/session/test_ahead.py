"""Synthesis ahead of time, with the real cache around a synthesiser that is told when to go on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import structlog

from visavis.dialogue import phrases
from visavis.dialogue.knowledge.library import packed
from visavis.session.ahead import FIXED, Ahead
from visavis.session.sayable import Sayable, sayable
from visavis.session.services import EmbeddedSynthesiser
from visavis.session.spec import (
    InstructionSpec,
    JobSpec,
    LibrarySpec,
    LlmSpec,
    PacifySpec,
    RobotSpec,
    RoleSpec,
    VoiceSpec,
)
from visavis.speech.cache import CachedSynthesiser
from visavis.speech.types import NORMAL, Language, SpeechChunk, VoiceSettings
from visavis.speech.voices import DEFAULT

TEXTS = ["One.", "Two.", "Three."]


class SlowSynthesiser:
    """Each sentence takes until it is let go; remembers which were begun, finished and given up."""

    sample_rate = 24_000

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.finished: list[str] = []
        self.given_up: list[str] = []
        self.failing = False
        self._news = asyncio.Condition()
        self._free = asyncio.Semaphore(0)

    def voices(self) -> list[object]:
        return []

    async def say(
        self, text: str, voice: str, language: str, settings: VoiceSettings = NORMAL
    ) -> AsyncIterator[SpeechChunk]:
        await self._note(self.begun, text)
        try:
            await self._free.acquire()
        except asyncio.CancelledError:
            self.given_up.append(text)
            self._told = asyncio.create_task(self._tell())
            raise
        if self.failing:
            raise RuntimeError("no voice")
        yield SpeechChunk(np.zeros(240, np.int16), 0.0, [])
        await self._note(self.finished, text)

    async def _note(self, where: list[str], text: str) -> None:
        where.append(text)
        async with self._news:
            self._news.notify_all()

    async def until_given_up(self, text: str) -> None:
        await self.until(lambda: text in self.given_up)

    async def _tell(self) -> None:
        async with self._news:
            self._news.notify_all()

    def let_go(self, count: int = 1) -> None:
        for _ in range(count):
            self._free.release()

    async def until(self, check: Callable[[], bool]) -> None:
        async with asyncio.timeout(10), self._news:
            await self._news.wait_for(check)


@pytest.fixture
def inner() -> SlowSynthesiser:
    return SlowSynthesiser()


@pytest.fixture
def cache(inner: SlowSynthesiser, tmp_path: Path) -> CachedSynthesiser:
    return CachedSynthesiser(inner, tmp_path / "cache")


@pytest.fixture
def knowledge(tmp_path: Path) -> list[Path]:
    """A file whose answers are TEXTS."""
    path = tmp_path / "knowledge.yaml"
    path.write_text(
        """
format: visavis-knowledge
version: 1
entries:
  - {id: a, questions: {en: ["How far?"]}, answers: {en: "One. Two."}}
  - {id: b, questions: {en: ["And then?"]}, answers: {en: "Three."}}
"""
    )
    return [path]


JOB = {"project_id": "p", "room_id": "r", "rtc_room_id": "rtc", "users": []}


def job(knowledge: list[Path], job_id: str = "j", **robot: object) -> JobSpec:
    """A job that speaks English, with these answers."""
    spec = RobotSpec(knowledge=[str(path) for path in knowledge], **robot)
    return JobSpec(job_id=job_id, language="en", robot=spec, **JOB)


async def kept(cache: CachedSynthesiser, inner: SlowSynthesiser, text: str) -> bool:
    """Whether the cache speaks ``text`` without its synthesiser."""
    begun = len(inner.begun)
    async for _ in cache.say(text, DEFAULT, "en"):
        pass
    return len(inner.begun) == begun


async def finished(work: Ahead) -> None:
    assert work._task is not None
    async with asyncio.timeout(10):
        await asyncio.wait({work._task})


def answers(texts: list[str]) -> list[str]:
    """Without what any robot may say, and without questions asked back."""
    return [text for text in texts if text in TEXTS]


async def test_it_makes_every_stored_sentence_while_idle_and_only_once(
    cache: CachedSynthesiser, inner: SlowSynthesiser, knowledge: list[Path]
) -> None:
    work = Ahead(cache, knowledge, enabled=True)
    inner.let_go(100)
    work.go_on()
    await finished(work)
    assert answers(inner.finished) == TEXTS
    assert {text for fixed in FIXED for text in fixed.values()} <= set(inner.finished)
    assert "Did you mean: How far?" in inner.finished
    assert all([await kept(cache, inner, text) for text in TEXTS])
    assert len(inner.finished) == len(set(inner.finished))
    await work.stop()
    work.go_on()
    assert work._task is None, "there is nothing left to do"


async def test_stop_gives_the_processor_back_at_once_and_it_goes_on_later(
    cache: CachedSynthesiser, inner: SlowSynthesiser, knowledge: list[Path]
) -> None:
    work = Ahead(cache, knowledge, enabled=True)
    work.begin(job(knowledge, welcome="One."))
    work.go_on()
    inner.let_go()
    await inner.until(lambda: len(inner.begun) == 2)
    second = inner.begun[1]
    async with asyncio.timeout(1):
        await work.stop()
    assert inner.given_up == [second], "it does not finish its sentence first"
    assert not [task for task in asyncio.all_tasks() if task.get_name() == "ahead"]

    inner.let_go(100)
    work.go_on()
    await finished(work)
    assert sorted(answers(inner.finished)) == sorted(TEXTS)
    assert inner.begun.count("One.") == 1, "what was finished is not made again"
    assert inner.begun.count(second) == 2


async def test_a_job_s_welcome_comes_first_then_what_soothes_then_apologies_then_answers(
    cache: CachedSynthesiser, inner: SlowSynthesiser, knowledge: list[Path]
) -> None:
    work = Ahead(cache, knowledge, enabled=True)
    pacify = {"en": PacifySpec(general=["A moment."], by_intent={"a": ["I measure it."]})}
    work.begin(job(knowledge, welcome="Welcome to the museum.", pacify=pacify))
    inner.let_go(100)
    work.go_on()
    await finished(work)
    apologies = [fixed["en"] for fixed in FIXED]
    asked_back = ["Did you mean: How far?", "Did you mean: And then?"]
    first = ["Welcome to the museum.", "A moment.", "I measure it.", *apologies, *TEXTS, *asked_back]
    assert inner.finished[: len(first)] == first
    assert work.stats("j") == {"ahead_total": float(len(first)), "ahead_made": float(len(first))}


async def test_a_job_that_starts_goes_before_what_is_being_made(
    cache: CachedSynthesiser, inner: SlowSynthesiser, knowledge: list[Path]
) -> None:
    work = Ahead(cache, knowledge, enabled=True)
    work.go_on()
    await inner.until(lambda: len(inner.begun) == 1)
    await work.stop()
    work.begin(job(knowledge, welcome="Hello and welcome."))
    inner.let_go(100)
    work.go_on()
    await inner.until(lambda: len(inner.begun) >= 2)
    assert inner.begun[1] == "Hello and welcome."
    assert work.stats("j")["ahead_made"] <= 1
    await finished(work)
    assert set(TEXTS) <= set(inner.finished)


async def test_it_steps_aside_while_anyone_speaks(
    cache: CachedSynthesiser, inner: SlowSynthesiser, knowledge: list[Path]
) -> None:
    work = Ahead(cache, knowledge, enabled=True, settle_s=0.01)
    work.begin(job(knowledge, welcome="Hello and welcome."))
    work.go_on()
    await inner.until(lambda: inner.begun == ["Hello and welcome."])
    work.aside("j", "person", True)
    await inner.until_given_up("Hello and welcome.")
    work.aside("j", "voice", True)
    work.aside("j", "person", False)
    work.go_on()
    assert work._task is None, "the voice still speaks"
    inner.let_go(100)
    work.aside("j", "voice", False)
    await inner.until(lambda: "Three." in inner.finished)
    assert inner.begun[:2] == ["Hello and welcome."] * 2, "it goes on where it was"
    await work.stop()


async def test_a_job_that_ended_while_somebody_spoke_holds_nothing_up(
    cache: CachedSynthesiser, inner: SlowSynthesiser, knowledge: list[Path]
) -> None:
    work = Ahead(cache, knowledge, enabled=True)
    work.begin(job(knowledge))
    work.aside("j", "person", True)
    work.end("j")
    inner.let_go(100)
    work.go_on()
    await finished(work)
    assert set(TEXTS) <= set(inner.finished)


async def test_a_job_s_sentences_are_made_in_its_voices(
    cache: CachedSynthesiser, inner: SlowSynthesiser, knowledge: list[Path]
) -> None:
    """And exactly as the session will ask for them, or they would not be found."""
    voices = [VoiceSpec(voice_id="zh-yunxi", language="zh"), VoiceSpec(voice_id="en-michael", language="en", speed=120)]
    work = Ahead(cache, knowledge, enabled=True)
    work.begin(job(knowledge, welcome="Hello and welcome.").model_copy(update={"voices": voices}))
    inner.let_go(100)
    work.go_on()
    await finished(work)
    begun = len(inner.begun)
    session = EmbeddedSynthesiser(cache, voices, "zh")
    for text in ("Hello and welcome.", *TEXTS):
        frames = [frame async for frame in session.run_tts(text, "c")]
        assert any(getattr(frame, "audio", b"") for frame in frames)
    assert len(inner.begun) == begun, "all of it was in the cache"


def room(**robot: object) -> Sayable:
    """What is said in a room whose robot speaks English, with nothing stored unless told."""
    what = sayable(RobotSpec(**{"knowledge": ["none"], **robot}), [VoiceSpec()], "en", "en")
    assert what is not None
    return what


async def test_what_a_room_may_say_is_made_before_any_job_starts(
    cache: CachedSynthesiser, inner: SlowSynthesiser, knowledge: list[Path]
) -> None:
    work = Ahead(cache, knowledge, enabled=True)
    inner.let_go(100)
    work.go_on()
    await finished(work)
    work.prepare("p1", "r1", room(welcome="Welcome to the museum. Do come in."))
    work.go_on()
    await inner.until(lambda: "Welcome to the museum. Do come in." in inner.finished)
    await finished(work)
    assert await kept(cache, inner, "Welcome to the museum. Do come in."), "a welcome is said as a whole"
    made, total = work.progress()
    assert made == total > len(TEXTS)


async def test_rooms_take_turns_so_that_no_welcome_waits_for_another_room_s_thousandth_answer(
    cache: CachedSynthesiser, inner: SlowSynthesiser, knowledge: list[Path], tmp_path: Path
) -> None:
    long = tmp_path / "library.json"
    long.write_bytes(packed("Long", [{"text": f"Answer {i}.", "question": f"Question {i}?"} for i in range(200)]))
    role = RoleSpec(libraries={"en": [LibrarySpec(file=str(long))]})
    work = Ahead(cache, knowledge, enabled=True)
    work.go_on()
    work.prepare("p1", "big", room(welcome="Welcome to the archive.", role=role))
    work.prepare("p2", "small", room(welcome="Welcome to the café."))
    inner.let_go(1000)
    await finished(work)
    assert inner.finished.index("Welcome to the café.") < 5
    assert "Answer 199." in inner.finished


async def test_a_job_that_runs_goes_before_rooms(
    cache: CachedSynthesiser, inner: SlowSynthesiser, knowledge: list[Path]
) -> None:
    work = Ahead(cache, knowledge, enabled=True)
    work.prepare("p1", "r1", room(welcome="Welcome to the museum."))
    work.begin(job(knowledge, welcome="Hello and welcome."))
    inner.let_go(100)
    work.go_on()
    await finished(work)
    total = int(work.stats("j")["ahead_total"])
    assert "Welcome to the museum." not in inner.finished[:total]
    assert "Welcome to the museum." in inner.finished


async def test_words_that_were_changed_are_made_and_those_that_are_gone_are_not(
    cache: CachedSynthesiser, inner: SlowSynthesiser, knowledge: list[Path]
) -> None:
    work = Ahead(cache, knowledge, enabled=True)
    work.prepare("p1", "r1", room(welcome="Old words."))
    work.prepare("p1", "r2", room(welcome="Gone words."))
    work.prepare("p1", "r1", room(welcome="New words."))
    work.prepare("p1", "r2", None)
    inner.let_go(100)
    work.go_on()
    await finished(work)
    assert "New words." in inner.finished
    assert not {"Old words.", "Gone words."} & set(inner.begun)


async def test_what_a_role_says_word_for_word_is_made_and_the_rest_is_not(
    cache: CachedSynthesiser, inner: SlowSynthesiser, knowledge: list[Path], tmp_path: Path
) -> None:
    file = tmp_path / "library.json"
    items = [
        {"text": "From nine to five. Daily.", "question": "When are you open?"},
        {"text": "A paragraph of a document.", "title": "Visitors", "file": "guide.pdf", "number": 1},
    ]
    file.write_bytes(packed("Visitors", items))
    instructions = [
        InstructionSpec(name="light", instruction="Lights on", replies={"en": "It is light now."}),
        InstructionSpec(name="go", instruction="Go to {place}", replies={"en": "I go to the {place}."}),
    ]
    role = RoleSpec(instructions=instructions, libraries={"en": [LibrarySpec(file=str(file))]})
    work = Ahead(cache, knowledge, enabled=True)
    work.begin(job(knowledge).model_copy(update={"robot": RobotSpec(role=role)}))
    inner.let_go(100)
    work.go_on()
    await finished(work)
    said = inner.finished[: int(work.stats("j")["ahead_total"])]
    assert {"From nine to five.", "Daily.", "It is light now."} <= set(said)
    assert not [text for text in inner.begun if "{" in text or "paragraph" in text]
    assert not set(TEXTS) & set(said), "it knows something of its own"


async def test_a_robot_that_asks_a_language_model_has_no_stored_answers(
    cache: CachedSynthesiser, inner: SlowSynthesiser, knowledge: list[Path]
) -> None:
    work = Ahead(cache, knowledge, enabled=True)
    asking = RobotSpec(app_type=6, welcome="Hello and welcome.", llm=LlmSpec(url="http://model.test/v1"))
    work.begin(job([]).model_copy(update={"robot": asking}))
    inner.let_go(100)
    work.go_on()
    await finished(work)
    said = inner.finished[: int(work.stats("j")["ahead_total"])]
    assert said == ["Hello and welcome.", *(fixed["en"] for fixed in FIXED)]


async def test_it_rests_while_another_worker_has_a_job(
    cache: CachedSynthesiser, inner: SlowSynthesiser, knowledge: list[Path]
) -> None:
    work = Ahead(cache, knowledge, enabled=True, settle_s=0.01)
    work.go_on()
    await inner.until(lambda: len(inner.begun) == 1)
    work.rest(True)
    await inner.until_given_up(inner.begun[0])
    work.prepare("p1", "r1", room(welcome="Welcome to the museum."))
    work.go_on()
    assert work._task is None
    inner.let_go(100)
    work.rest(False)
    await inner.until(lambda: "Welcome to the museum." in inner.finished)
    await finished(work)


async def test_many_jobs_leave_no_endless_list(
    cache: CachedSynthesiser, inner: SlowSynthesiser, knowledge: list[Path]
) -> None:
    work = Ahead(cache, knowledge, enabled=True)
    for i in range(50):
        work.begin(job(knowledge, job_id=f"j{i}", welcome=f"Welcome {i}."))
        work.end(f"j{i}")
    inner.let_go(1000)
    work.go_on()
    await finished(work)
    assert set(TEXTS) <= set(inner.finished)
    assert 1 <= sum(text.startswith("Welcome") for text in inner.finished) < 10


async def test_progress_is_logged_at_intervals(
    cache: CachedSynthesiser, inner: SlowSynthesiser, knowledge: list[Path]
) -> None:
    work = Ahead(cache, knowledge, enabled=True, report_s=0.0)
    work.begin(job(knowledge))
    inner.let_go(100)
    with structlog.testing.capture_logs() as logs:
        work.go_on()
        await finished(work)
    progress = [(entry["made"], entry["total"]) for entry in logs if entry.get("job_id") == "j"]
    total = progress[-1][1]
    assert [made for made, _ in progress] == [*range(1, total + 1), total]


def test_whatever_any_robot_may_say_is_on_the_list() -> None:
    said = [value for name, value in vars(phrases).items() if name.isupper() and name[0] != "_"]
    said = [value for value in said if set(value) == set(get_args(Language)) and value["en"].strip(" ,")]
    assert [value for value in said if value not in FIXED] == []


async def test_answers_that_cannot_be_read_leave_the_rest(
    cache: CachedSynthesiser, inner: SlowSynthesiser, tmp_path: Path
) -> None:
    work = Ahead(cache, [tmp_path / "gone.yaml"], enabled=True)
    inner.let_go(100)
    with structlog.testing.capture_logs() as logs:
        work.go_on()
        await finished(work)
    assert phrases.NOT_HEARD["en"] in inner.finished
    assert "warning" in [entry["log_level"] for entry in logs]


async def test_going_on_twice_is_one_work(
    cache: CachedSynthesiser, inner: SlowSynthesiser, knowledge: list[Path]
) -> None:
    work = Ahead(cache, knowledge, enabled=True)
    work.go_on()
    work.go_on()
    await inner.until(lambda: bool(inner.begun))
    assert len([task for task in asyncio.all_tasks() if task.get_name() == "ahead"]) == 1
    await work.stop()


async def test_a_failing_synthesiser_harms_nobody(
    cache: CachedSynthesiser, inner: SlowSynthesiser, knowledge: list[Path]
) -> None:
    work = Ahead(cache, knowledge, enabled=True)
    inner.failing = True
    inner.let_go(100)
    work.go_on()
    with structlog.testing.capture_logs() as logs:
        await finished(work)
    assert [entry["log_level"] for entry in logs] == ["error"], "an operator learns of it, once"
    work.go_on()  # and the next idle time tries again
    assert [task for task in asyncio.all_tasks() if task.get_name() == "ahead"]
    await work.stop()  # a session begins all the same
    inner.failing = False
    inner.let_go(100)
    work.go_on()
    await finished(work)
    assert answers(inner.finished) == TEXTS


async def test_disabled_it_does_nothing(
    cache: CachedSynthesiser, inner: SlowSynthesiser, knowledge: list[Path]
) -> None:
    work = Ahead(cache, knowledge, enabled=False)
    inner.let_go(10)
    work.go_on()
    assert work._task is None
    await work.stop()
    assert inner.begun == []


async def test_stopping_what_never_began(cache: CachedSynthesiser, knowledge: list[Path]) -> None:
    await Ahead(cache, knowledge, enabled=True).stop()
