"""The figures of a run: from exchanges to the JSON that ``--json`` prints (docs/bench-response.md names each key)."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from visavis.bench.load import percentile
from visavis.bench.response import judging
from visavis.bench.response.hearing import RATE, milliseconds
from visavis.bench.response.turns import ANSWER_S, Exchange

LATE_MS: Final = 60.0
"""A picture is late when the one before it was shown so long ago: one and a half frame times at 25 fps."""
PARTS: Final = ("endpointing", "recognition", "dialogue", "synthesis", "stage", "network and jitter buffer")
_PART_OF: Final = {
    "endpoint": "endpointing",
    "recognise": "recognition",
    "turn": "endpointing",
    "answer": "dialogue",
    "speak": "synthesis",
    "play": "stage",
}
"""What the server waited for before each of its marks."""


@dataclass(frozen=True)
class Judged:
    """An exchange with what it shows."""

    exchange: Exchange
    heard: list[str]
    said: list[str]
    right: bool
    went_on: bool | None
    """Whether the answer went on to its end after a cough, a word of assent, keys or its own echo; None: nothing happened in it."""
    split_ms: dict[str, float]
    """Milliseconds of the response, by part; empty where the server told no stages."""

    @classmethod
    def of(cls, exchange: Exchange, answers: Sequence[str]) -> Judged:
        heard, said = judging.heard(exchange.messages), judging.spoken(exchange.messages)
        stages = judging.stages(exchange.messages)
        eventful = exchange.event_at is not None and exchange.begin is not None
        return cls(
            exchange,
            heard,
            said,
            right=exchange.begin is not None and judging.right(said, answers),
            went_on=judging.finished(said, answers, _during(exchange)) if eventful else None,
            split_ms=split(stages, exchange.response_ms, _sent_ms(exchange)) if exchange.begin is not None else {},
        )

    @property
    def unanswered(self) -> bool:
        """No answer came; or it cut in, was not heard, and what it had cut went on."""
        return self.exchange.begin is None or (self.exchange.cuts_in and not self.heard)

    @property
    def response_ms(self) -> float:
        """From the end of speech to the first audible answer; as long as was waited for it where there was none."""
        return ANSWER_S * 1000 if self.unanswered else self.exchange.response_ms

    @property
    def event(self) -> str:
        """What happened during the answer, e.g. "cough" or "echo -20 dB"."""
        step = self.exchange.step
        if step.echo_db is not None:
            return f"echo {step.echo_db:.0f} dB"
        return step.sound.group if step.sound else ""

    def line(self) -> dict[str, Any]:
        """For the list of turns."""
        exchange = self.exchange
        found: dict[str, Any] = {
            "file": exchange.question.file,
            "response_ms": None if self.unanswered else exchange.response_ms,
            "correct": self.right,
            "heard": self.heard,
            "said": self.said,
        }
        if self.split_ms:
            found["split_ms"] = self.split_ms
        if exchange.early:
            found["early"] = True
        if self.went_on is not None:
            found |= {"event": self.event, "went_on": self.went_on}
        if exchange.cuts_in:
            found |= {"barge_in_ms": exchange.cut_ms, "lips_stop_ms": exchange.lips_ms}
        return found


def _during(exchange: Exchange) -> list[Mapping[str, Any]]:
    """Messages since the answer began: an interruption before belongs to the question (it had been answered in a pause)."""
    assert exchange.begin is not None
    return [message for message in exchange.messages if message["frame"] >= exchange.begin]


def _sent_ms(exchange: Exchange) -> float | None:
    """When the browser was told that sound begins, milliseconds after the end of speech: the server tells when it sends it."""
    assert exchange.begin is not None
    told = [
        int(each["frame"])
        for each in exchange.messages
        if judging.kind(each) == "bot-started-speaking" and each["frame"] <= exchange.begin + RATE // 20
    ]
    return milliseconds(told[-1] - exchange.end) if told else None


def split(stages: Mapping[str, float], response_ms: float, sent_ms: float | None = None) -> dict[str, float]:
    """Milliseconds of the response by part.

    Args:
        stages: seconds from the end of speech, as the server sees it, until each mark.
        sent_ms: when its last mark ("play") was, on the browser's clock: it hears a person's end later than it was, and in noise much
            later, which belongs to endpointing. None: the server's end of speech is taken for the true one.

    A part is what was waited for longer than for all before it; "network and jitter buffer" is the way of the answer's sound. The parts
    add up to ``response_ms``.
    """
    if not stages:
        return {}
    late = max(0.0, sent_ms - stages["play"] * 1000) if sent_ms is not None and "play" in stages else 0.0
    found = dict.fromkeys(PARTS, 0.0)
    reached = 0.0
    for name, second in sorted(stages.items(), key=lambda each: each[1]):
        if name not in _PART_OF:
            continue
        until = min(max(second * 1000 + late, reached), response_ms)
        found[_PART_OF[name]] += until - reached
        reached = until
    found[PARTS[-1]] = response_ms - reached
    return {name: round(value, 1) for name, value in found.items()}


def spread(values: Sequence[float]) -> dict[str, float | None]:
    """p50 and p95 (values that half, and 95 %, of all do not exceed); None where there is nothing."""
    ordered = sorted(values)
    return {
        name: round(percentile(ordered, share), 1) if ordered else None for name, share in (("p50", 0.5), ("p95", 0.95))
    }


def share(values: Sequence[bool]) -> float | None:
    """The part of them that is true, 0..1; None where there is nothing."""
    return round(sum(values) / len(values), 4) if values else None


def gaps(shown: npt.NDArray[np.float64], spoken: Sequence[tuple[float, float]]) -> list[float]:
    """Milliseconds from picture to picture while somebody speaks.

    Args:
        shown: (n, 2): when each picture was seen, ms, and its number; where the page was too busy to look, numbers are missing, and
            the time is shared by the pictures in between.
        spoken: from when to when, ms.
    """
    found: list[float] = []
    for (before, one), (after, other) in itertools.pairwise(shown.tolist()):
        if any(start <= before and after <= stop for start, stop in spoken):
            number = max(1, round(other - one))
            found += [(after - before) / number] * number
    return found


def figures(judged: Sequence[Judged], shown: npt.NDArray[np.float64], clock: float) -> dict[str, Any]:
    """All figures. ``clock``: the page's clock, ms, at frame 0 of the sound."""
    exchanges = [each.exchange for each in judged]
    voice = [
        (clock + each.begin * 1000 / RATE + 200, clock + each.over * 1000 / RATE - 100)
        for each in exchanges
        if each.begin is not None
    ]
    between = gaps(shown, voice)
    hesitating = [each for each in judged if each.exchange.question.hesitates]
    eventful = [each for each in judged if each.went_on is not None]
    cut = [each.cut_ms for each in exchanges if each.cut_ms is not None]
    lips = [each.lips_ms for each in exchanges if each.lips_ms is not None]
    offsets = [each.av_offset_ms for each in exchanges if each.av_offset_ms is not None]
    return {
        "turns": len(judged),
        "response_ms": spread(_responses(judged)),
        "barge_in_ms": spread(cut),
        "lips_stop_ms": spread(lips),
        "false_interruptions": share([not each.went_on for each in eventful]),
        "false_ends": share([each.exchange.early for each in hesitating]),
        "late_frames": share([gap > LATE_MS for gap in between]),
        "av_offset_ms": round(float(np.median(offsets)), 1) if offsets else None,
        "correct": share([each.right for each in judged]),
        "fps": round(1000 * len(between) / math.fsum(between), 2) if between else None,
        "unanswered": sum(each.unanswered for each in judged),
        "barge_ins": {"counted": len(cut), "went_on_talking": sum(each.missed for each in exchanges), "lips": len(lips)},
        "events": _by(eventful, lambda each: each.event, lambda those: {
            "heard": len(those), "false_interruptions": share([not each.went_on for each in those]),
        }),
        "split_turns": share([len(each.heard) > 1 for each in hesitating if each.exchange.event_at is None]),
        "by_language": _by(judged, lambda each: str(each.exchange.question.language), _part),
        "by_group": _by(judged, lambda each: each.exchange.question.group, _part),
        "split_ms": _splits(judged),
        "list": [each.line() for each in judged],
    }  # fmt: skip


def _responses(judged: Sequence[Judged]) -> list[float]:
    """Of those that were not answered too early; one without an answer counts as long as was waited for it."""
    return [each.response_ms for each in judged if not each.exchange.early]


def _part(those: Sequence[Judged]) -> dict[str, Any]:
    return {
        "turns": len(those),
        "response_ms": spread(_responses(those)),
        "correct": share([each.right for each in those]),
    }


def _by(
    judged: Sequence[Judged], key: Callable[[Judged], str], figure: Callable[[list[Judged]], dict[str, Any]]
) -> dict[str, Any]:
    groups: dict[str, list[Judged]] = {}
    for each in judged:
        groups.setdefault(key(each), []).append(each)
    return {name: figure(those) for name, those in groups.items()}


def _splits(judged: Sequence[Judged]) -> dict[str, Any]:
    """p50 and p95 of each part, over all and by language."""
    told = [each for each in judged if each.split_ms and not each.exchange.early and not each.unanswered]
    groups: dict[str, list[Judged]] = {"all": told}
    for each in told:
        groups.setdefault(str(each.exchange.question.language), []).append(each)
    return {
        name: {part: spread([each.split_ms[part] for each in those]) for part in PARTS}
        for name, those in groups.items()
        if those
    }
