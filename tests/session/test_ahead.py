"""Synthesis ahead of time, with the real cache around a synthesiser that is told when to go on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import numpy as np
import pytest
import structlog

from visavis.session.ahead import Ahead
from visavis.speech.cache import CachedSynthesiser
from visavis.speech.types import NORMAL, SpeechChunk, VoiceSettings
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
            raise
        if self.failing:
            raise RuntimeError("no voice")
        yield SpeechChunk(np.zeros(240, np.int16), 0.0, [])
        await self._note(self.finished, text)

    async def _note(self, where: list[str], text: str) -> None:
        where.append(text)
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


async def test_it_makes_every_stored_answer_while_idle_and_only_once(
    cache: CachedSynthesiser, inner: SlowSynthesiser, knowledge: list[Path]
) -> None:
    work = Ahead(cache, knowledge, enabled=True)
    inner.let_go(10)
    work.go_on()
    await finished(work)
    assert inner.finished == TEXTS
    assert all([await kept(cache, inner, text) for text in TEXTS])
    await work.stop()
    work.go_on()
    assert work._task is None, "there is nothing left to do"
    assert inner.begun == TEXTS


async def test_stop_gives_the_processor_back_at_once_and_it_goes_on_later(
    cache: CachedSynthesiser, inner: SlowSynthesiser, knowledge: list[Path]
) -> None:
    work = Ahead(cache, knowledge, enabled=True)
    work.go_on()
    inner.let_go()
    await inner.until(lambda: inner.begun == TEXTS[:2])
    async with asyncio.timeout(1):
        await work.stop()
    assert inner.given_up == ["Two."], "it does not finish its sentence first"
    assert not [task for task in asyncio.all_tasks() if task.get_name() == "ahead"]

    inner.let_go(10)
    work.go_on()
    await finished(work)
    assert inner.finished == TEXTS
    assert inner.begun == ["One.", "Two.", "Two.", "Three."], "what was finished is not made again"


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
    inner.let_go(10)
    work.go_on()
    with structlog.testing.capture_logs() as logs:
        await finished(work)
    assert [entry["log_level"] for entry in logs] == ["error"], "an operator learns of it, once"
    work.go_on()  # and the next idle time tries again
    assert [task for task in asyncio.all_tasks() if task.get_name() == "ahead"]
    await work.stop()  # a session begins all the same
    inner.failing = False
    inner.let_go(10)
    work.go_on()
    await finished(work)
    assert inner.finished == TEXTS


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
