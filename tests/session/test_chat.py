from __future__ import annotations

import asyncio

import pytest

from visavis.session.chat import TRANSITIONS, ChatEvent, ChatMachine, IllegalTransition, QuietWatch
from visavis.session.spec import ChatState


def machine_in(state: ChatState) -> tuple[ChatMachine, list[tuple[ChatState, ChatState]]]:
    changes: list[tuple[ChatState, ChatState]] = []
    machine = ChatMachine(lambda old, new: changes.append((old, new)))
    machine.state = state
    return machine, changes


@pytest.mark.parametrize(("row", "new"), TRANSITIONS.items(), ids=lambda value: str(value))
def test_each_row_of_the_table(row: tuple[ChatState, ChatEvent], new: ChatState) -> None:
    state, event = row
    machine, changes = machine_in(state)
    assert machine.allows(event)
    assert machine.fire(event) is new is machine.state
    assert changes == ([(state, new)] if new is not state else [])


@pytest.mark.parametrize(
    ("state", "event"), [(s, e) for s in ChatState for e in ChatEvent if (s, e) not in TRANSITIONS], ids=str
)
def test_what_the_table_does_not_know_is_an_error(state: ChatState, event: ChatEvent) -> None:
    machine, changes = machine_in(state)
    assert not machine.allows(event)
    with pytest.raises(IllegalTransition, match=state.name):
        machine.fire(event)
    assert machine.state is state
    assert changes == []


def test_the_published_numbers() -> None:
    assert {state.name: int(state) for state in ChatState} == {
        "WAITING_LINK": 0, "CLOSING": 1, "LINKED": 2, "ASLEEP": 3, "FALLING_ASLEEP": 4,
    }  # fmt: skip


def test_a_conversation_from_link_to_close() -> None:
    machine, changes = machine_in(ChatState.WAITING_LINK)
    for event in (ChatEvent.LINKED, ChatEvent.QUIET, ChatEvent.DROWSY_OVER, ChatEvent.ACTIVITY, ChatEvent.CLOSE):
        machine.fire(event)
    assert [int(new) for _, new in changes] == [2, 4, 3, 2, 1]


def test_every_state_can_close() -> None:
    assert all((state, ChatEvent.CLOSE) in TRANSITIONS for state in ChatState)


class Watched:
    def __init__(self, **times: float) -> None:
        self.seen: list[str] = []
        self.over = asyncio.Event()
        defaults = {"sleep_after": 0.05, "sleep_warning": 0.03, "exit_after": 0.2, "exit_warning": 0.05}
        self.watch = QuietWatch(
            asyncio.get_running_loop(),
            **{**defaults, **times},
            on_quiet=lambda: self.seen.append("quiet"),
            on_drowsy_over=lambda: self.seen.append("asleep"),
            on_exit_warning=lambda rest: self.seen.append(f"warned {rest}"),
            on_exit=self._exit,
        )

    def _exit(self) -> None:
        self.seen.append("exit")
        self.over.set()


async def test_silence_makes_drowsy_then_asleep_then_warns_then_ends() -> None:
    watched = Watched()
    watched.watch.touch()
    await asyncio.wait_for(watched.over.wait(), 5)
    assert watched.seen == ["quiet", "asleep", "warned 0.05", "exit"]


async def test_activity_begins_all_periods_anew() -> None:
    watched = Watched(sleep_after=0.06, sleep_warning=0.5)
    loop = asyncio.get_running_loop()
    for moment in (0.03, 0.06, 0.09):
        loop.call_later(moment, watched.watch.touch)
    watched.watch.touch()
    began = loop.time()
    await asyncio.wait_for(watched.over.wait(), 5)
    assert loop.time() - began >= 0.09 + 0.2 - 0.01
    assert watched.seen == ["quiet", "warned 0.05", "exit"]


async def test_without_a_threshold_silence_never_ends_the_job() -> None:
    watched = Watched(exit_after=0.0, sleep_after=0.01, sleep_warning=0.01)
    asleep = asyncio.Event()
    watched.watch.touch()
    asyncio.get_running_loop().call_later(0.1, asleep.set)
    await asleep.wait()
    assert watched.seen == ["quiet", "asleep"]


async def test_nothing_counts_while_somebody_speaks() -> None:
    watched = Watched(sleep_after=0.01)
    watched.watch.touch()
    watched.watch.hold("voice")
    later = asyncio.Event()
    asyncio.get_running_loop().call_later(0.3, later.set)
    await later.wait()
    assert watched.seen == []
