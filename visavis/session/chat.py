"""The chat state: one table of transitions, and the quiet-time watch that drives it.

States are the published ``chat_state`` values. An event that the table does not know for a state is
an error, not an ``if``: it would mean that two parts of the session disagree about what goes on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from enum import StrEnum
from typing import Final

from visavis.session.spec import ChatState


class ChatEvent(StrEnum):
    """What may happen to a conversation."""

    LINKED = "linked"
    """The END_USER's media flows."""
    UNLINKED = "unlinked"
    """The END_USER's connection is gone."""
    QUIET = "quiet"
    """Nobody said anything for ``sleep_after_s``."""
    DROWSY_OVER = "drowsy_over"
    """The announced time before sleep is over."""
    ACTIVITY = "activity"
    """The person speaks or writes, or the digital human speaks."""
    WAKE = "wake"
    """The page's button."""
    SLEEP = "sleep"
    """An explicit wish to sleep."""
    CLOSE = "close"
    """The job ends."""


_S = ChatState
TRANSITIONS: Final[dict[tuple[ChatState, ChatEvent], ChatState]] = {
    (_S.WAITING_LINK, ChatEvent.LINKED): _S.LINKED,
    (_S.WAITING_LINK, ChatEvent.CLOSE): _S.CLOSING,
    (_S.WAITING_LINK, ChatEvent.UNLINKED): _S.WAITING_LINK,
    (_S.LINKED, ChatEvent.LINKED): _S.LINKED,
    (_S.LINKED, ChatEvent.UNLINKED): _S.WAITING_LINK,
    (_S.LINKED, ChatEvent.ACTIVITY): _S.LINKED,
    (_S.LINKED, ChatEvent.WAKE): _S.LINKED,
    (_S.LINKED, ChatEvent.QUIET): _S.FALLING_ASLEEP,
    (_S.LINKED, ChatEvent.SLEEP): _S.ASLEEP,
    (_S.LINKED, ChatEvent.CLOSE): _S.CLOSING,
    (_S.FALLING_ASLEEP, ChatEvent.ACTIVITY): _S.LINKED,
    (_S.FALLING_ASLEEP, ChatEvent.WAKE): _S.LINKED,
    (_S.FALLING_ASLEEP, ChatEvent.LINKED): _S.LINKED,
    (_S.FALLING_ASLEEP, ChatEvent.DROWSY_OVER): _S.ASLEEP,
    (_S.FALLING_ASLEEP, ChatEvent.SLEEP): _S.ASLEEP,
    (_S.FALLING_ASLEEP, ChatEvent.UNLINKED): _S.WAITING_LINK,
    (_S.FALLING_ASLEEP, ChatEvent.CLOSE): _S.CLOSING,
    (_S.ASLEEP, ChatEvent.ACTIVITY): _S.LINKED,
    (_S.ASLEEP, ChatEvent.WAKE): _S.LINKED,
    (_S.ASLEEP, ChatEvent.LINKED): _S.LINKED,
    (_S.ASLEEP, ChatEvent.SLEEP): _S.ASLEEP,
    (_S.ASLEEP, ChatEvent.UNLINKED): _S.WAITING_LINK,
    (_S.ASLEEP, ChatEvent.CLOSE): _S.CLOSING,
    (_S.CLOSING, ChatEvent.CLOSE): _S.CLOSING,
    (_S.CLOSING, ChatEvent.UNLINKED): _S.CLOSING,
}


class IllegalTransition(RuntimeError):
    """An event that makes no sense in the present state."""


class ChatMachine:
    """Holds the chat state. ``on_change(old, new)`` is called after each change of state, never for a stay."""

    def __init__(self, on_change: Callable[[ChatState, ChatState], None]) -> None:
        self.state = ChatState.WAITING_LINK
        self._on_change = on_change

    def allows(self, event: ChatEvent) -> bool:
        """Whether the table knows ``event`` in the present state."""
        return (self.state, event) in TRANSITIONS

    def fire(self, event: ChatEvent) -> ChatState:
        """Apply ``event``. Raises IllegalTransition if the table has no such row."""
        try:
            new = TRANSITIONS[self.state, event]
        except KeyError:
            raise IllegalTransition(f"{event} in state {self.state.name}") from None
        old, self.state = self.state, new
        if new is not old:
            self._on_change(old, new)
        return new


class Timer:
    """One re-armable timer on the event loop: no task, no polling."""

    def __init__(self, loop: asyncio.AbstractEventLoop, action: Callable[[], None]) -> None:
        self._loop = loop
        self._action = action
        self._handle: asyncio.TimerHandle | None = None

    def arm(self, delay: float) -> None:
        """Fire once, ``delay`` seconds from now; an earlier arming is void."""
        self.disarm()
        self._handle = self._loop.call_later(delay, self._fire)

    def disarm(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _fire(self) -> None:
        self._handle = None
        self._action()


class QuietWatch:
    """Turns silence into events: drowsy, asleep, warned, over.

    ``touch()`` marks activity; ``hold(reason)`` stops the watch while somebody speaks or nobody is there; it starts anew
    when every reason was released.
    Times are seconds since the last activity; ``exit_after`` 0 means that silence never ends the job.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        *,
        sleep_after: float,
        sleep_warning: float,
        exit_after: float,
        exit_warning: float,
        on_quiet: Callable[[], None],
        on_drowsy_over: Callable[[], None],
        on_exit_warning: Callable[[float], None],
        on_exit: Callable[[], None],
    ) -> None:
        self._sleep_after, self._sleep_warning = sleep_after, sleep_warning
        self._exit_after, self._exit_warning = exit_after, min(exit_warning, exit_after)
        self._on_quiet = on_quiet
        self._on_exit_warning = on_exit_warning
        self._sleep = Timer(loop, self._quiet)
        self._drowsy = Timer(loop, on_drowsy_over)
        self._warn = Timer(loop, self._warned)
        self._exit = Timer(loop, on_exit)
        self._held: set[str] = set()

    def touch(self) -> None:
        """Somebody did something: all periods of silence begin anew, or wait until the watch is released."""
        if self._held:
            return
        self._drowsy.disarm()
        self._sleep.arm(self._sleep_after)
        if self._exit_after > 0:
            self._exit.disarm()
            self._warn.arm(self._exit_after - self._exit_warning)

    def hold(self, reason: str) -> None:
        """Stop counting until ``reason`` is released."""
        self._held.add(reason)
        for timer in (self._sleep, self._drowsy, self._warn, self._exit):
            timer.disarm()

    def release(self, reason: str) -> None:
        """``reason`` is over; after the last one the periods of silence begin anew."""
        self._held.discard(reason)
        self.touch()

    def holds(self, reason: str) -> bool:
        """Whether the watch is stopped for ``reason``."""
        return reason in self._held

    def skip_to_sleep(self) -> None:
        """Sleep was asked for: only the end of the job is still watched."""
        self._sleep.disarm()
        self._drowsy.disarm()

    def _quiet(self) -> None:
        self._drowsy.arm(self._sleep_warning)
        self._on_quiet()

    def _warned(self) -> None:
        self._exit.arm(self._exit_warning)
        self._on_exit_warning(self._exit_warning)
