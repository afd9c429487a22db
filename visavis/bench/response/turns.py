"""One exchange after the other: what is spoken when, and what is noted of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from visavis.bench.response import mouth
from visavis.bench.response.hearing import RATE, Heard, milliseconds
from visavis.bench.response.plan import EVENT_AT_S, Step
from visavis.bench.response.recordings import Recording, Recordings
from visavis.bench.response.visitor import Visitor

ANSWER_S: Final = 15.0
"""A question that is not answered so long after its end counts as answered wrongly."""
OVER_S: Final = 30.0
"""An answer is over after so long at the latest."""
QUIET_S: Final = 0.5
"""Quiet before a question, and after an answer."""
SILENT_S: Final = 0.7
"""Who is interrupted is silent for at least so long: longer than between two sentences, shorter than the question that cuts in."""
EFFECT_S: Final = 1.5
"""What a cough does is known so long after its end."""
LOOK_S: Final = 1.4
"""Lips are looked at for so long after somebody cuts in: the answer to that cannot have begun."""
CUT_S: Final = 3.0
"""Who speaks on for longer was not interrupted."""


@dataclass
class Exchange:
    """A question and its answer. Frames are those of the browser's sound clock.

    Attributes:
        first: number of the first message that belongs to it; last: of the first that does not.
        onset, end: when its speech began and ended.
        begin: when the answer began to sound after its end; None: it did not.
        over: when the answer was over.
        early: an answer began to sound before the question's end.
        cut_ms: it interrupted an answer, which was silent so long after its onset; lips_ms: and its mouth closed.
        missed: it was to interrupt an answer, which went on.
        judged: what it was to interrupt was still sounding at its onset.
    """

    step: Step
    first: int
    onset: int
    end: int
    last: int = 0
    begin: int | None = None
    over: int = 0
    early: bool = False
    cuts_in: bool = False
    judged: bool = True
    cut_ms: float | None = None
    lips_ms: float | None = None
    missed: bool = False
    av_offset_ms: float | None = None
    event_at: int | None = None
    messages: Sequence[Mapping[str, Any]] = field(default_factory=list)

    @property
    def question(self) -> Recording:
        return self.step.question

    @property
    def response_ms(self) -> float:
        """From the end of speech to the first audible answer; as long as was waited where there was none."""
        return ANSWER_S * 1000 if self.begin is None else milliseconds(self.begin - self.end)


class Talk:
    """Holds a conversation by a plan."""

    def __init__(self, visitor: Visitor, recordings: Recordings, eye: mouth.Eye | None) -> None:
        """``eye``: reads mouths; None: nobody looks at the lips."""
        self._visitor, self._recordings, self._eye = visitor, recordings, eye
        self._rest_until = 0

    async def hold(self, steps: Sequence[Step], told: Callable[[Exchange, int], None]) -> list[Exchange]:
        """Go through ``steps``. ``told`` hears of each exchange when it is over, and how many were before it."""
        visitor = self._visitor
        await visitor.quiet(await visitor.now(), QUIET_S, OVER_S)
        exchanges: list[Exchange] = []
        waiting: Exchange | None = None  # spoken into the answer before
        for number, step in enumerate(steps):
            following = steps[number + 1] if number + 1 < len(steps) else None
            if step.cut_at_s is not None and self._eye and waiting is None:
                await visitor.watch(self._eye.box)
            exchange = waiting or await self._ask(step)
            waiting = await self._answered(exchange, following)
            exchange.last = waiting.first if waiting else await visitor.count()
            exchange.messages = (await visitor.messages(exchange.first))[: exchange.last - exchange.first]
            if waiting is None:
                await visitor.watch(None)
            exchanges.append(exchange)
            told(exchange, number)
        # The figures of an answer that was cut come when the next question is under way.
        messages = await visitor.messages()
        for exchange, after in zip(exchanges, [*exchanges[1:], None], strict=True):
            exchange.messages = messages[exchange.first : after.last if after and after.cuts_in else exchange.last]
        return exchanges

    async def _ask(self, step: Step, at: int = 0) -> Exchange:
        question = step.question
        first = await self._visitor.count()
        frame = await self._visitor.speak(question.file, self._recordings.content(question), at=at)
        return Exchange(
            step, first, onset=frame + round(question.starts_s * RATE), end=frame + round(question.ends_s * RATE)
        )

    async def _answered(self, exchange: Exchange, following: Step | None) -> Exchange | None:
        """Wait for the answer and let happen in it what was planned; the exchange that cut in, if one did."""
        visitor, step = self._visitor, exchange.step
        since = exchange.onset
        if exchange.cuts_in:
            silent = await visitor.quiet(exchange.onset, SILENT_S, CUT_S + SILENT_S)
            exchange.missed = silent is None
            since = exchange.end if silent is None else silent
            if exchange.judged:
                exchange.cut_ms = milliseconds((CUT_S * RATE) if silent is None else silent - exchange.onset)
                await self._look(exchange)
        left = (exchange.end - await visitor.now()) / RATE
        begin = await visitor.sound(since, left + ANSWER_S)
        if begin is not None and begin < exchange.end:
            exchange.early = True
            begin = await visitor.sound(exchange.end, left + ANSWER_S)
        exchange.begin = begin
        self._rest_until = exchange.end  # from then on the mouth may move
        if begin is None:
            exchange.over = await visitor.now()
            return None
        if step.cut_at_s is not None and following is not None and not exchange.early:
            at = begin + round((step.cut_at_s - following.question.starts_s) * RATE)
            cutting = await self._ask(following, at=at)
            cutting.cuts_in = True
            exchange.over = cutting.onset
            # In a pause between two sentences there is nothing to fall silent.
            around = await self._until(cutting.onset + RATE // 20)
            cutting.judged = around.sounds(cutting.onset - RATE // 20, cutting.onset + RATE // 20)
            return cutting
        await self._hear_out(exchange, begin)
        return None

    async def _until(self, frame: int) -> Heard:
        """Sound of the last second, once ``frame`` has been heard."""
        wait = (frame - await self._visitor.now()) / RATE + 0.1
        await asyncio.sleep(max(0.0, wait))  # sound has a speed, and this is when it is there
        return await self._visitor.heard(frame - RATE)

    async def _hear_out(self, exchange: Exchange, begin: int) -> None:
        visitor, step = self._visitor, exchange.step
        if step.echo_db is not None:
            exchange.event_at = begin
            await visitor.echo(10 ** (step.echo_db / 20))
        answered_by = begin + round((EFFECT_S if step.echo_db is not None else 1.0) * RATE)
        if step.sound is not None:
            at = begin + round((EVENT_AT_S - step.sound.starts_s) * RATE)
            exchange.event_at = await visitor.speak(step.sound.file, self._recordings.content(step.sound), at=at)
            answered_by = exchange.event_at + round((step.sound.ends_s + EFFECT_S) * RATE)
        await self._until(begin + RATE)
        seen = await visitor.receiver()
        video, audio = seen.get("video", {}).get("playout"), seen.get("audio", {}).get("playout")
        if video is not None and audio is not None:
            exchange.av_offset_ms = float(video - audio)
        if step.echo_db is not None:
            # Whoever answers their own echo would go on with that for ever: it ends with this answer.
            await visitor.message(("bot-interruption", "latency"), exchange.first, OVER_S)
            await visitor.echo(0)
        await self._until(answered_by)
        await visitor.settled(exchange.first, EFFECT_S, OVER_S)
        over = await visitor.quiet(max(begin, await visitor.now() - RATE // 5), QUIET_S, OVER_S)
        exchange.over = await visitor.now() if over is None else over

    async def _look(self, exchange: Exchange) -> None:
        """When the mouth was closed after ``exchange`` cut in."""
        if self._eye is None:
            return
        silent = (exchange.cut_ms or 0) / 1000
        await self._until(exchange.onset + round(max(LOOK_S, silent + SILENT_S) * RATE))
        await self._visitor.watch(None)
        times, mouths = await self._visitor.mouths(self._eye.columns, self._eye.rows)
        clock = await self._visitor.page_clock()
        onset = clock + exchange.onset * 1000 / RATE
        rest = int(np.count_nonzero(times < clock + self._rest_until * 1000 / RATE))
        closed = self._eye.closed(times, mouths, onset, rest)
        exchange.lips_ms = None if closed is None else round(closed - onset, 1)
