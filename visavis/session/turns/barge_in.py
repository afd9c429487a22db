"""A voice is heard while the digital human speaks: is somebody interrupting, or coughing, assenting, or is it the loudspeaker's own echo?

At the first sign of a voice the digital human falls silent (that costs nothing: it can go on where it stopped), then what is heard
decides: words that mean something interrupt, all else lets it go on. The machine has one table and knows neither sound nor time.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Floor(StrEnum):
    """Who has the floor while the digital human has something to say."""

    OURS = "ours"
    """Nobody else is heard."""
    ONSET = "onset"
    """Paused: something like a voice, not long enough to be one."""
    LINGER = "linger"
    """Paused: it was too short for a voice, and may be the first sound of one."""
    VOICE = "voice"
    """Paused: somebody speaks; what, is not known yet."""
    MURMUR = "murmur"
    """Paused: somebody speaks, and so far it means nothing."""
    AFTER = "after"
    """Paused: the voice is over, what it said not known yet."""
    WARY = "wary"
    """False alarms came one after the other (an echo, a noisy place): nothing but words makes it pause."""
    OVERHEARD = "overheard"
    """Wary, and there is a voice."""
    UNREAD = "unread"
    """Wary; the voice is over, what it said not known yet."""


class Heard(StrEnum):
    """What may happen."""

    ONSET = "onset"
    """Something like a voice."""
    NOTHING = "nothing"
    """It was none."""
    VOICE = "voice"
    """It is a voice."""
    HUSH = "hush"
    """The voice is over."""
    WORDS = "words"
    """Something that means something was said."""
    MURMUR = "murmur"
    """What was said so far means nothing."""
    LATE = "late"
    """What was said is still not known, or a voice without words does not end."""
    SILENT = "silent"
    """The digital human has nothing more to say, or was silenced by other means."""
    TURN = "turn"
    """A turn of the person's began while the digital human was silent."""


class Act(StrEnum):
    """What is to be done about it."""

    NONE = "none"
    PAUSE = "pause"
    RESUME = "resume"
    """A false alarm: go on speaking, and forget what was heard."""
    GO_ON = "go on"
    """Go on speaking, but what was heard may still turn out to be meant."""
    IGNORE = "ignore"
    """A false alarm that did not stop it: forget what was heard."""
    YIELD = "yield"
    """The person has the floor."""


_F, _H, _A = Floor, Heard, Act
TRANSITIONS: Final[dict[tuple[Floor, Heard], tuple[Floor, Act]]] = {
    (_F.OURS, _H.ONSET): (_F.ONSET, _A.PAUSE),
    (_F.OURS, _H.VOICE): (_F.VOICE, _A.PAUSE),
    (_F.OURS, _H.WORDS): (_F.OURS, _A.YIELD),
    (_F.ONSET, _H.NOTHING): (_F.LINGER, _A.NONE),
    (_F.ONSET, _H.VOICE): (_F.VOICE, _A.NONE),
    (_F.ONSET, _H.LATE): (_F.OURS, _A.RESUME),
    (_F.ONSET, _H.SILENT): (_F.OURS, _A.NONE),
    (_F.LINGER, _H.ONSET): (_F.ONSET, _A.NONE),
    (_F.LINGER, _H.VOICE): (_F.VOICE, _A.NONE),
    (_F.LINGER, _H.LATE): (_F.OURS, _A.RESUME),
    (_F.LINGER, _H.SILENT): (_F.OURS, _A.NONE),
    (_F.VOICE, _H.HUSH): (_F.AFTER, _A.NONE),
    (_F.VOICE, _H.WORDS): (_F.OURS, _A.YIELD),
    (_F.VOICE, _H.MURMUR): (_F.MURMUR, _A.NONE),
    (_F.VOICE, _H.LATE): (_F.OURS, _A.YIELD),
    (_F.VOICE, _H.SILENT): (_F.OURS, _A.YIELD),
    (_F.MURMUR, _H.HUSH): (_F.AFTER, _A.NONE),
    (_F.MURMUR, _H.WORDS): (_F.OURS, _A.YIELD),
    (_F.MURMUR, _H.LATE): (_F.WARY, _A.RESUME),
    (_F.MURMUR, _H.SILENT): (_F.OURS, _A.YIELD),
    (_F.AFTER, _H.VOICE): (_F.VOICE, _A.NONE),
    (_F.AFTER, _H.WORDS): (_F.OURS, _A.YIELD),
    (_F.AFTER, _H.MURMUR): (_F.OURS, _A.RESUME),
    (_F.AFTER, _H.LATE): (_F.UNREAD, _A.GO_ON),
    (_F.AFTER, _H.SILENT): (_F.OURS, _A.YIELD),
    (_F.WARY, _H.VOICE): (_F.OVERHEARD, _A.NONE),
    (_F.WARY, _H.WORDS): (_F.WARY, _A.YIELD),
    (_F.OVERHEARD, _H.HUSH): (_F.UNREAD, _A.NONE),
    (_F.OVERHEARD, _H.WORDS): (_F.OURS, _A.YIELD),
    (_F.OVERHEARD, _H.LATE): (_F.OVERHEARD, _A.NONE),
    (_F.OVERHEARD, _H.SILENT): (_F.OURS, _A.YIELD),
    (_F.UNREAD, _H.VOICE): (_F.OVERHEARD, _A.NONE),
    (_F.UNREAD, _H.WORDS): (_F.OURS, _A.YIELD),
    (_F.UNREAD, _H.MURMUR): (_F.WARY, _A.IGNORE),
    (_F.UNREAD, _H.LATE): (_F.WARY, _A.IGNORE),
    (_F.UNREAD, _H.SILENT): (_F.OURS, _A.YIELD),
}
"""What is not here changes nothing: most of it may come late. ``TURN`` begins anew from anywhere."""

FALSE_ALARMS: Final = 2
"""So many false alarms within one answer make it wary: it must not stutter in a noisy place."""


@dataclass(slots=True)
class BargeIn:
    """The present state. ``false_alarms``: in all, for the metrics."""

    floor: Floor = Floor.OURS
    false_alarms: int = 0
    _in_a_row: int = 0

    def hear(self, heard: Heard) -> Act:
        """Apply what happened; what is to be done."""
        if heard is Heard.TURN:
            self._in_a_row = 0
            self.floor = Floor.OURS
            return Act.NONE
        self.floor, act = TRANSITIONS.get((self.floor, heard), (self.floor, Act.NONE))
        if act is Act.RESUME:
            self.false_alarms += 1
            self._in_a_row += 1
            if self._in_a_row >= FALSE_ALARMS:
                self.floor = Floor.WARY
        elif act is Act.YIELD:
            self._in_a_row = 0
            self.floor = Floor.OURS
        return act

    @property
    def undecided(self) -> bool:
        """Whether it is not known yet what the voice means."""
        return self.floor not in (Floor.OURS, Floor.WARY)
