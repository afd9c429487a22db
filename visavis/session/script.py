"""What is being said: utterances, their place on the stage clock, and what of them was really heard."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from visavis.session.subtitles import Timing, Word, timed
from visavis.speech.types import Language

STAGE_RATE = 48_000
"""Samples a second of the stage clock."""


@dataclass(slots=True, eq=False)
class Utterance:
    """One sentence on its way through the stage. Positions are samples of the stage clock."""

    text: str
    language: Language
    chat_id: str
    purpose: str = "answer"
    source: str = ""
    """What it was taken from, for the transcript: several are joined by "; "."""
    samples: int = 0
    """Samples pushed so far."""
    timings: list[Timing] | None = field(default_factory=list)
    """Its phonemes so far, seconds from the beginning of its sound; None: nobody knows them."""
    played: int = 0
    """Samples that have sounded."""
    complete: bool = False
    """No more sound will come."""
    started: bool = False
    ended: bool = False

    _words: tuple[tuple[int, bool], list[Word]] | None = None

    def add(self, samples: int, phonemes: Sequence[Timing] | None) -> None:
        """More sound came, with its phonemes, seconds from the beginning of this piece; None: nobody knows them."""
        begin = self.samples / STAGE_RATE
        if phonemes is None:
            self.timings = None
        elif self.timings is not None:
            self.timings += [(name, begin + start, begin + end) for name, start, end in phonemes]
        self.samples += samples

    @property
    def words(self) -> list[Word]:
        """Its words with their times in its sound, as far as they are known; a guess where they are not."""
        state = (self.samples, self.complete)
        if self._words is None or self._words[0] != state:
            seconds = self.samples / STAGE_RATE
            self._words = state, timed(self.text, self.language, self.timings, seconds, self.complete)
        return self._words[1]

    @property
    def heard(self) -> str:
        """The part of the text that has really sounded, to the word (or the character, of Chinese)."""
        if not self.started:
            return ""
        if self.complete and self.played >= self.samples:
            return self.text
        seconds = self.played / STAGE_RATE
        return "".join(word.text for word in self.words if word.end <= seconds).rstrip()


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
    withheld: bool = False
    """The question audit has not let it through, or not yet: what was asked is shown to nobody and kept nowhere."""
    continued: bool = False
    """The person had not finished: what he said is part of the next turn, and of the history only there."""

    @property
    def spoken(self) -> str:
        """What was really said so far of the answer. What was only said to pass the time is no part of it."""
        parts = [part for one in self.utterances if one.purpose != "filler" and (part := one.heard)]
        joiner = "" if self.language == "zh" else " "
        return joiner.join(parts)

    @property
    def citations(self) -> list[str]:
        """What the sentences that sounded were taken from, each once."""
        every = (source for one in self.utterances if one.started for source in one.source.split("; "))
        return list(dict.fromkeys(filter(None, every)))

    @property
    def refused(self) -> bool:
        """The question audit did not let it through."""
        return any(one.purpose == "refused" for one in self.utterances)

    def stages(self) -> dict[str, float]:
        """Seconds from the end of the person's speech to each stage reached."""
        origin = self.marks.get("end_of_speech")
        if origin is None:
            return {}
        order = ("endpoint", "recognise", "turn", "answer", "speak", "play")
        return {name: round(self.marks[name] - origin, 4) for name in order if name in self.marks}
