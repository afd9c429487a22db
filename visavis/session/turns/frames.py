"""What the parts that hear tell each other, besides Pipecat's own frames.

All are system frames: they keep their order among themselves and with the sound, and an interruption does not drop them.
"""

from __future__ import annotations

from dataclasses import dataclass

from pipecat.frames.frames import SystemFrame

from visavis.speech.types import Language


@dataclass
class OnsetFrame(SystemFrame):
    """Something like a voice for a moment: perhaps the person begins to speak."""


@dataclass
class OnsetOverFrame(SystemFrame):
    """It was none: it is over before it was long enough for one."""


@dataclass
class LullFrame(SystemFrame):
    """The person who spoke has been silent for ``silence_s``: perhaps he is done."""

    silence_s: float = 0.0


@dataclass
class SilenceFrame(SystemFrame):
    """He is still silent: for ``silence_s`` of the microphone's own time, which stands still where its sound is late."""

    silence_s: float = 0.0


@dataclass
class LullOverFrame(SystemFrame):
    """He goes on."""


@dataclass
class HypothesisFrame(SystemFrame):
    """What was said in this turn so far, all of it; replaces what was thought before.

    ``settled``: nothing was said since the sound that it was made from. ``text`` is "" if nothing intelligible was said.
    """

    text: str = ""
    language: Language | None = None
    settled: bool = False
    confidence: float = 1.0


@dataclass
class ProsodyFrame(SystemFrame):
    """How much the last words sounded like the end of a turn, 0..1."""

    finished: float = 0.0


@dataclass
class SlowFrame(SystemFrame):
    """What was said is not understood yet, and it is taking long."""


@dataclass
class DismissFrame(SystemFrame):
    """What was heard since the last turn was not meant: forget it."""


@dataclass
class GlanceFrame(SystemFrame):
    """Somebody wants to know what is being said before the person pauses."""


@dataclass
class BeginTurnFrame(SystemFrame):
    """The person says by other means than his voice that he begins to speak; he also says when he is done."""


@dataclass
class EndTurnFrame(SystemFrame):
    """And now he is done."""
