"""The microphone's gate: its table, and what of the sound passes in each mode."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, get_args

import numpy as np
import pytest

from visavis.session import microphone as module
from visavis.session.microphone import START, TABLE, Event, Hearing, Microphone
from visavis.session.misheard import Misheard
from visavis.session.spec import TalkMode, TurnTakingSpec

VOICE = np.full(320, 1000, np.int16)
MODES = get_args(TalkMode)


class Turns:
    def __init__(self) -> None:
        self.log: list[str] = []
        self.news = asyncio.Event()

    async def begin_turn(self) -> None:
        self._note("begin")

    async def end_turn(self) -> None:
        self._note("end")

    async def interrupt(self) -> None:
        self._note("interrupt")

    def _note(self, what: str) -> None:
        self.log.append(what)
        self.news.set()

    async def until(self, *log: str) -> None:
        async with asyncio.timeout(5):
            while self.log != list(log):
                self.news.clear()
                await self.news.wait()


class Canceller:
    def clean(self, pcm: np.ndarray) -> np.ndarray:
        return pcm // 2


class Bench:
    def __init__(self, mode: TalkMode = "full_duplex", **more: Any) -> None:
        self.turns, self.told = Turns(), []
        self.tasks: list[asyncio.Task[None]] = []
        self.closed, self.news = asyncio.Event(), asyncio.Event()
        self.microphone = Microphone(
            TurnTakingSpec(mode=mode, **more),
            self.turns,
            self.run,
            self.changed,
            Canceller,  # type: ignore[arg-type]
        )

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        self.tasks.append(asyncio.create_task(work))

    def changed(self) -> None:
        self.told.append((self.microphone.mode, self.microphone.open))
        self.news.set()
        if not self.microphone.open:
            self.closed.set()

    @property
    def passes(self) -> bool:
        return bool(self.microphone.take(VOICE).any())

    async def until_open(self) -> None:
        async with asyncio.timeout(5):
            while not self.microphone.open:
                self.news.clear()
                await self.news.wait()


def test_the_table_leads_from_each_beginning_to_every_state_it_names_and_back() -> None:
    assert set(TABLE) == set(START) == set(MODES)
    for mode, rows in TABLE.items():
        reached = {START[mode]}
        while more := {to for (at, _), to in rows.items() if at in reached} - reached:
            reached |= more
        assert reached == {START[mode], *(at for at, _ in rows), *rows.values()}, mode
        # Whatever happens, there is a way back to where it began: no microphone stays closed, or open, for ever.
        for state in reached:
            seen = {state}
            while more := {to for (at, _), to in rows.items() if at in seen} - seen:
                seen |= more
            assert START[mode] in seen, (mode, state)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("event", list(Event))
def test_a_press_always_opens_and_nothing_else_opens_a_manual_microphone(mode: TalkMode, event: Event) -> None:
    for (_, happened), to in TABLE[mode].items():
        if happened is Event.PRESS:
            assert to is Hearing.HELD
        elif happened is event and mode in ("push_to_talk", "tap_to_talk"):
            assert to in (Hearing.RELEASED, Hearing.WAITING)


async def test_full_duplex_always_hears() -> None:
    bench = Bench()
    bench.microphone.sounds(True)
    assert bench.passes
    assert bench.told == []


async def test_half_duplex_is_deaf_while_the_digital_human_sounds_and_shortly_after(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "TAIL_S", 0.05)
    bench = Bench("half_duplex")
    assert bench.passes
    bench.microphone.sounds(True)
    assert not bench.passes
    bench.microphone.sounds(False)
    assert not bench.passes, "its last sound is still on its way"
    bench.microphone.sounds(True)  # the next sentence
    bench.microphone.sounds(False)
    await bench.until_open()
    assert bench.passes
    assert bench.told == [("half_duplex", False), ("half_duplex", True)]


async def test_in_half_duplex_the_button_still_cuts_in() -> None:
    bench = Bench("half_duplex")
    bench.microphone.sounds(True)
    bench.microphone.talk(True)
    await bench.turns.until("begin")
    assert bench.passes
    bench.microphone.sounds(False)
    assert bench.passes
    bench.microphone.talk(False)
    await bench.turns.until("begin", "end")
    assert bench.microphone.state is Hearing.OPEN


async def test_push_to_talk_hears_only_what_is_said_under_the_button_and_a_moment_more() -> None:
    bench = Bench("push_to_talk")
    assert not bench.passes
    bench.microphone.talk(True)
    assert bench.passes
    bench.microphone.turn_over()
    assert bench.passes, "only the release closes it"
    bench.microphone.talk(False)
    assert bench.passes, "the last word is still on its way"
    await bench.turns.until("begin", "end")
    assert not bench.passes


async def test_who_lets_go_for_a_moment_goes_on_with_the_same_turn() -> None:
    bench = Bench("push_to_talk")
    bench.microphone.talk(True)
    bench.microphone.talk(False)
    bench.microphone.talk(True)
    await asyncio.sleep(2 * module.RELEASE_S)  # the time in which the turn would have ended
    assert bench.turns.log == ["begin"]
    bench.microphone.talk(False)
    await bench.turns.until("begin", "end")


async def test_a_tap_opens_until_the_turn_is_over() -> None:
    bench = Bench("tap_to_talk")
    bench.microphone.talk(True)
    await bench.turns.until("interrupt")
    assert bench.passes
    bench.microphone.person(True)
    bench.microphone.turn_over()
    assert not bench.passes
    bench.microphone.talk(True)
    bench.microphone.talk(False)  # the second tap
    await bench.turns.until("interrupt", "interrupt", "end")
    assert not bench.passes


async def test_a_tap_that_was_not_meant_closes_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TAP_S", 0.05)
    bench = Bench("tap_to_talk")
    bench.microphone.talk(True)
    await asyncio.wait_for(bench.closed.wait(), 5)
    await bench.turns.until("interrupt", "end")


async def test_the_mode_changes_in_the_middle() -> None:
    bench = Bench()
    bench.microphone.sounds(True)
    bench.microphone.switch("half_duplex")
    assert not bench.passes
    bench.microphone.talk(True)
    bench.microphone.switch("push_to_talk")
    await bench.turns.until("begin", "end")
    assert not bench.passes
    bench.microphone.switch("full_duplex")
    assert bench.passes
    assert bench.told[-1] == ("full_duplex", True)


@pytest.mark.parametrize(
    ("wish", "cancelled", "cleaned"),
    [
        ("auto", None, False),
        ("auto", True, False),
        ("auto", False, True),
        ("on", True, True),
        ("loud", True, True),
        ("off", False, False),
    ],
)
async def test_the_echo_is_taken_out_where_nobody_else_does(wish: str, cancelled: bool | None, cleaned: bool) -> None:
    bench = Bench(echo=wish)
    if cancelled is not None:
        bench.microphone.captured(cancelled)
    assert bench.microphone.take(VOICE)[0] == (500 if cleaned else 1000)


# --- what was not understood ------------------------------------------------------------------------------------------


def spoken(misheard: Misheard, seconds: float, at: float = 0.0) -> None:
    misheard.voice(True, at)
    misheard.voice(False, at + seconds)


def test_it_says_once_that_it_did_not_understand() -> None:
    misheard = Misheard()
    spoken(misheard, 1.5)
    assert misheard.nothing()
    spoken(misheard, 1.5, 10)
    assert not misheard.nothing(), "not twice in a row"
    misheard.understood()
    spoken(misheard, 1.5, 20)
    assert misheard.nothing()


def test_noise_is_not_asked_about() -> None:
    misheard = Misheard()
    spoken(misheard, 0.4)
    assert not misheard.nothing()
    spoken(misheard, 0.5, 5)
    assert not misheard.nothing(), "the cough before does not count"
