"""The microphone: what of its sound reaches the conversation, by the mode of talking (``docs/turn-taking.md``).

Closed, silence goes on in its place: the detector of speech and the recognition's buffer then forget what was said before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from enum import StrEnum
from typing import Any, Final, Protocol

import numpy as np

from visavis.media.types import Pcm
from visavis.session.chat import Timer
from visavis.session.spec import TalkMode, TurnTakingSpec
from visavis.speech.echo import EchoCanceller

TAIL_S: Final = 0.4
"""Half-duplex: the microphone stays closed for so long after the digital human's last sound, which is still on its way to the
client's loudspeaker and back."""
RELEASE_S: Final = 0.15
"""Push-to-talk: after the release, what was said just before it is still on its way."""
TAP_S: Final = 8.0
"""Tap-to-talk: who says nothing for so long after the tap did not mean it."""


class Hearing(StrEnum):
    """Why the microphone is open or closed."""

    OPEN = "open"
    """It always hears (full-duplex), or nothing keeps it from hearing (half-duplex)."""
    HELD = "held"
    """Somebody presses the button, or has tapped it."""
    RELEASED = "released"
    """The last of what was said under the button."""
    COVERED = "covered"
    """The digital human sounds (half-duplex)."""
    ECHOING = "echoing"
    """It has just stopped to sound (half-duplex)."""
    WAITING = "waiting"
    """Nobody has pressed or tapped."""


class Event(StrEnum):
    """What may happen to a microphone."""

    PRESS = "press"
    RELEASE = "release"
    """Of the button; in tap-to-talk, the second tap."""
    FLOWN = "flown"
    """What was said before the release has arrived."""
    TURN_OVER = "turn_over"
    """The person's turn is complete, or nothing was said in it."""
    SOUNDS = "sounds"
    """The digital human begins to sound."""
    SILENT = "silent"
    FADED = "faded"
    """The time after its last sound is over."""


_H, _E = Hearing, Event
_MANUAL: Final[dict[tuple[Hearing, Event], Hearing]] = {
    (_H.HELD, _E.RELEASE): _H.RELEASED,
    (_H.RELEASED, _E.PRESS): _H.HELD,
}
TABLE: Final[dict[TalkMode, dict[tuple[Hearing, Event], Hearing]]] = {
    "full_duplex": {
        **_MANUAL,
        (_H.OPEN, _E.PRESS): _H.HELD,
        (_H.RELEASED, _E.FLOWN): _H.OPEN,
    },
    "half_duplex": {
        **_MANUAL,
        (_H.OPEN, _E.SOUNDS): _H.COVERED,
        (_H.OPEN, _E.PRESS): _H.HELD,
        (_H.COVERED, _E.SILENT): _H.ECHOING,
        (_H.COVERED, _E.PRESS): _H.HELD,
        (_H.ECHOING, _E.FADED): _H.OPEN,
        (_H.ECHOING, _E.SOUNDS): _H.COVERED,
        (_H.ECHOING, _E.PRESS): _H.HELD,
        (_H.RELEASED, _E.FLOWN): _H.OPEN,
        (_H.RELEASED, _E.SOUNDS): _H.COVERED,
    },
    "push_to_talk": {
        **_MANUAL,
        (_H.WAITING, _E.PRESS): _H.HELD,
        (_H.RELEASED, _E.FLOWN): _H.WAITING,
    },
    "tap_to_talk": {
        **_MANUAL,
        (_H.WAITING, _E.PRESS): _H.HELD,
        (_H.HELD, _E.TURN_OVER): _H.WAITING,
        (_H.RELEASED, _E.FLOWN): _H.WAITING,
        (_H.RELEASED, _E.TURN_OVER): _H.WAITING,
    },
}
"""What has no row has no effect."""
START: Final[dict[TalkMode, Hearing]] = {
    "full_duplex": _H.OPEN,
    "half_duplex": _H.OPEN,
    "push_to_talk": _H.WAITING,
    "tap_to_talk": _H.WAITING,
}
_HEARS: Final = (_H.OPEN, _H.HELD, _H.RELEASED)


class Turns(Protocol):
    """Whose turns begin and end by a button."""

    async def begin_turn(self) -> None: ...

    async def end_turn(self) -> None: ...

    async def interrupt(self) -> None: ...


class Microphone:
    """The gate of one session. ``take`` is called for each chunk; all methods belong to the event loop."""

    def __init__(
        self,
        spec: TurnTakingSpec,
        turns: Turns,
        run: Callable[[Coroutine[Any, Any, None]], None],
        changed: Callable[[], None],
        echo: Callable[[], EchoCanceller],
    ) -> None:
        """
        Args:
            run: starts what takes time, in the order of the calls.
            changed: told when ``mode`` or ``open`` changed.
            echo: makes a canceller; only called when there is need of one.
        """
        self.mode: TalkMode = spec.mode
        self.state = START[spec.mode]
        self._turns, self._run, self._changed = turns, run, changed
        self._wish, self._make_echo = spec.echo, echo
        self._sounding = False
        loop = asyncio.get_running_loop()
        self._flown = Timer(loop, self._all_flown)
        self._faded = Timer(loop, self._all_faded)
        self._idle = Timer(loop, lambda: self.talk(False))
        self.echo: EchoCanceller | None = echo() if spec.echo in ("on", "loud") else None
        """What takes the digital human's voice out; None: somebody else does, or nobody has to."""

    @property
    def open(self) -> bool:
        """Whether what is said is heard."""
        return self.state in _HEARS

    # --- what happens -----------------------------------------------------------------------------------------------

    def switch(self, mode: TalkMode) -> None:
        """Talk in another mode from now on. What is being said under a button ends here."""
        if mode == self.mode:
            return
        if self.state in (Hearing.HELD, Hearing.RELEASED):
            self._run(self._turns.end_turn())
        self._disarm()
        self.mode, self.state = mode, START[mode]
        if self._sounding:
            self._fire(Event.SOUNDS, tell=False)
        self._changed()

    def talk(self, on: bool) -> None:
        """The button goes down or up; in tap-to-talk each tap is told as what it is to do."""
        before = self.state
        if not self._fire(Event.PRESS if on else Event.RELEASE):
            return
        if not on:
            self._idle.disarm()
            self._flown.arm(RELEASE_S)
            return
        self._disarm()
        if before is Hearing.RELEASED:
            return  # let go for a moment: the turn goes on
        if self.mode == "tap_to_talk":
            self._idle.arm(TAP_S)
            self._run(self._turns.interrupt())
        else:
            self._run(self._turns.begin_turn())

    def person(self, speaking: bool) -> None:
        """The person's voice begins or stops."""
        if speaking:
            self._idle.disarm()

    def turn_over(self) -> None:
        """The person's turn is over."""
        if self._fire(Event.TURN_OVER):
            self._disarm()

    def sounds(self, sounding: bool) -> None:
        """The digital human begins or stops to sound."""
        self._sounding = sounding
        if sounding:
            self._faded.disarm()
            self._fire(Event.SOUNDS)
        elif self._fire(Event.SILENT):
            self._faded.arm(TAIL_S)

    def captured(self, echo_cancelled: bool) -> None:
        """The client tells whether it takes the echo out itself."""
        if self._wish == "auto":
            self.echo = None if echo_cancelled else self.echo or self._make_echo()

    def close(self) -> None:
        """No timer goes off any more."""
        self._disarm()
        self._faded.disarm()

    # --- sound --------------------------------------------------------------------------------------------------------

    def take(self, pcm: Pcm) -> Pcm:
        """What the conversation hears of a chunk (int16, 16 kHz)."""
        if self.echo is not None:  # also when closed: it must not lose its way
            pcm = self.echo.clean(pcm)
        return pcm if self.open else np.zeros_like(pcm)

    # --- inside ---------------------------------------------------------------------------------------------------------

    def _all_flown(self) -> None:
        self._run(self._turns.end_turn())
        self._fire(Event.FLOWN)

    def _all_faded(self) -> None:
        self._fire(Event.FADED)

    def _disarm(self) -> None:
        self._flown.disarm()
        self._idle.disarm()

    def _fire(self, event: Event, *, tell: bool = True) -> bool:
        """Whether the event had an effect."""
        new = TABLE[self.mode].get((self.state, event))
        if new is None:
            return False
        was_open, self.state = self.open, new
        if new is Hearing.OPEN and self.mode == "half_duplex" and self._sounding:
            self.state = Hearing.COVERED
        if tell and self.open != was_open:
            self._changed()
        return True
