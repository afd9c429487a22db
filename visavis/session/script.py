"""What is being said: utterances, their place on the stage clock, and what of them was really heard."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from visavis.speech.types import Language

STAGE_RATE = 48_000
"""Samples a second of the stage clock."""

_WORD = re.compile(r"[\u3400-\u9fff]|[^\s\u3400-\u9fff]+\s*|\s+")


@dataclass(slots=True, eq=False)
class Utterance:
    """One sentence on its way through the stage. Positions are samples of the stage clock."""

    text: str
    language: Language
    chat_id: str
    purpose: str = "answer"
    samples: int = 0
    """Samples pushed so far."""
    played: int = 0
    """Samples that have sounded."""
    complete: bool = False
    """No more sound will come."""
    started: bool = False
    ended: bool = False

    @property
    def heard(self) -> str:
        """The part of the text that has really sounded, to the word (or the character, of Chinese)."""
        if not self.started:
            return ""
        if self.complete and self.played >= self.samples:
            return self.text
        # While more sound is still to come, its length is not known: estimate from the usual pace.
        pace = 4.5 if self.language == "zh" else 14.0
        whole = self.samples if self.complete else max(self.samples, int(len(self.text) / pace * STAGE_RATE))
        share = self.played / whole if whole else 0.0
        budget = int(len(self.text) * min(share, 1.0))
        out = ""
        for piece in _WORD.findall(self.text):
            if len(out) + len(piece) > budget:
                break
            out += piece
        return out.rstrip()


@dataclass(slots=True)
class TurnRecord:
    """One exchange: what was asked, what was said of the answer, when each stage was reached (loop time, seconds)."""

    chat_id: str
    heard: str
    language: Language
    marks: dict[str, float] = field(default_factory=dict)
    utterances: list[Utterance] = field(default_factory=list)
    answered: bool = False
    """The dialogue has nothing more to say."""
    interrupted: bool = False

    @property
    def spoken(self) -> str:
        """What was really said so far."""
        parts = [part for utterance in self.utterances if (part := utterance.heard)]
        joiner = "" if self.language == "zh" else " "
        return joiner.join(parts)

    def stages(self) -> dict[str, float]:
        """Seconds from the end of the person's speech to each stage reached."""
        origin = self.marks.get("end_of_speech")
        if origin is None:
            return {}
        order = ("endpoint", "recognise", "turn", "answer", "speak", "play")
        return {name: round(self.marks[name] - origin, 4) for name in order if name in self.marks}
