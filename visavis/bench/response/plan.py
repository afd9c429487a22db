"""In which order the recordings are spoken, and what happens during each answer."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from visavis.bench.response.recordings import Recording
from visavis.speech.types import Language

EVERY: Final = 3
"""Of so many answers about one is cut short by the next question."""
MOMENTS_S: Final = (0.5, 1.0, 1.6, 2.3)
"""When answers are interrupted, seconds after they began to sound."""
EVENT_AT_S: Final = 0.6
"""When a cough or another sound is heard in an answer."""
ECHOES_DB: Final = (-30.0, -20.0, -12.0)
"""Levels at which the digital human hears itself, against what is received."""
PACE: Final[dict[Language, float]] = {"en": 14.0, "zh": 4.5}
"""Characters a second of spoken answers."""


@dataclass(frozen=True)
class Step:
    """One question.

    Attributes:
        cut_at_s: its answer is interrupted by the next question so long after it began; None: it is heard out.
        sound: is played during the answer.
        echo_db: during the answer what is heard goes back into the microphone, so loud.
    """

    question: Recording
    cut_at_s: float | None = None
    sound: Recording | None = None
    echo_db: float | None = None


def choose(questions: Sequence[Recording], count: int) -> list[Recording]:
    """``count`` of them: as many of each language, and of each group, as far as there are; again from the start where there are too few."""
    by_language: dict[str, list[Recording]] = {}
    for question in questions:
        by_language.setdefault(str(question.language), []).append(question)
    share, rest = divmod(count, len(by_language))
    chosen: list[Recording] = []
    for number, those in enumerate(by_language.values()):
        chosen += _mixed(those, share + (number < rest))
    return chosen


def _mixed(questions: Sequence[Recording], count: int) -> list[Recording]:
    """``count`` of them, the groups in turn; of each group those that are farthest apart in the list come first."""
    groups: dict[str, list[Recording]] = {}
    for question in questions:
        groups.setdefault(question.group, []).append(question)
    spread = [_spread(those) for those in groups.values()]
    turn = [each for row in itertools.zip_longest(*spread) for each in row if each is not None]
    return list(itertools.islice(itertools.cycle(turn), count))


def _spread(those: Sequence[Recording]) -> list[Recording]:
    """The same, so that any first few of them are spread over the list: first every third, then the rest."""
    return [*those[::3], *those[1::3], *those[2::3]]


def plan(
    questions: Sequence[Recording], sounds: Sequence[Recording], count: int, lengths: Mapping[str, float]
) -> list[Step]:
    """The turns of a run.

    Args:
        lengths: of each question's expected answer, by the question's file: about how many seconds.
    """
    order = choose(questions, count)
    moments = itertools.cycle(MOMENTS_S)
    events = _events(sounds)
    steps: list[Step] = []
    for number, question in enumerate(order):
        following = order[number + 1] if number + 1 < len(order) else None
        long_enough = lengths.get(question.file, 3.0)
        since = next((at for at, step in enumerate(reversed(steps)) if step.cut_at_s is not None), EVERY)
        # Whoever cuts in does not hesitate: in a pause it would not be clear whose voice is missing.
        if following and since >= EVERY - 1 and long_enough >= MOMENTS_S[1] + 1 and not following.hesitates:
            moment = next(at for at in moments if at + 1 <= long_enough)
            steps.append(Step(question, cut_at_s=moment))
            continue
        if long_enough < EVENT_AT_S + 1:
            steps.append(Step(question))
            continue
        kind, one = next(events, ("", None))
        if kind == "echo" and isinstance(one, float):
            steps.append(Step(question, echo_db=one))
        else:
            steps.append(Step(question, sound=one if isinstance(one, Recording) else None))
    return steps


def _events(sounds: Sequence[Recording]) -> itertools.cycle[tuple[str, Recording | float | None]]:
    """Sounds of each group and echoes of each level, in turn, for ever."""
    groups: dict[str, list[Recording]] = {}
    for sound in sounds:
        groups.setdefault(f"{sound.group}-{sound.language or ''}", []).append(sound)
    rows: list[list[tuple[str, Recording | float | None]]] = [
        [("sound", each) for each in those] for those in groups.values()
    ]
    rows.append([("echo", each) for each in ECHOES_DB])
    longest = max(len(row) for row in rows)
    return itertools.cycle([row[number % len(row)] for number in range(longest) for row in rows])
