"""Where an answer goes, and what the answering side and the stage side of the pipeline share."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt
import soxr
from pipecat.frames.frames import (
    AggregatedTextFrame,
    BotStartedSpeakingFrame,
    BotStoppedSpeakingFrame,
    DataFrame,
    Frame,
    InterruptionFrame,
    TTSAudioRawFrame,
    TTSStoppedFrame,
    TTSTextFrame,
)
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor

from visavis import log
from visavis.dialogue.types import Command, Message
from visavis.session import excuses
from visavis.session.script import STAGE_RATE, TurnRecord, Utterance
from visavis.session.services import Ready, TimedAudioFrame, UnspokenFrame
from visavis.session.stage import Stage

_log = log.get("conversation")

HISTORY_TURNS = 20
"""Turns of history kept for the dialogue engine."""


@dataclass
class AskFrame(DataFrame):
    """A question that was typed."""

    text: str = ""


@dataclass
class SayFrame(DataFrame):
    """Text to speak as it is."""

    text: str = ""


@dataclass
class SoundFrame(DataFrame):
    """Sound of an utterance that nobody synthesises: mono int16 at the stage's rate. ``last``: it is over.
    ``played`` is set once the stage has it."""

    utterance: Utterance | None = None
    pcm: npt.NDArray[np.int16] = field(default_factory=lambda: np.zeros(0, np.int16))
    last: bool = False
    played: asyncio.Event = field(default_factory=asyncio.Event)


class ConversationListener(Protocol):
    """Who is told how the conversation goes. Called on the event loop; must not block."""

    def voice_changed(self, speaking: bool) -> None: ...

    def heard(self, record: TurnRecord, typed: bool) -> None: ...

    def hearing(self, text: str) -> None:
        """``text`` was heard so far of what the person says; it is not over, and what comes replaces it."""
        ...

    def nothing_heard(self) -> None:
        """The turn is over, and nobody said a word."""
        ...

    def commanded(self, command: Command) -> None:
        """The person told to do something that the robot's role knows how to have done."""
        ...

    def turn_done(self, record: TurnRecord) -> None:
        """The answer was spoken, or cut short (``record.interrupted``); ``record.spoken`` is what was really said."""
        ...

    def trouble(self, text: str) -> None:
        """A part of the conversation failed; ``text`` says which, without secrets."""
        ...


class Script:
    """What the answering side and the stage side share: utterances announced but not yet synthesised, and the turns."""

    def __init__(self) -> None:
        self.pending: deque[Utterance] = deque(maxlen=256)
        self.turn: TurnRecord | None = None
        self.history: deque[Message] = deque(maxlen=2 * HISTORY_TURNS)
        self._said = ""
        self.moved = asyncio.Event()
        """Set whenever fewer utterances wait; cleared by who waits for it."""

    def sounding(self, utterance: Utterance) -> None:
        """Note when the first sound of the present turn's answer goes out."""
        if self.turn is not None and self.turn.chat_id == utterance.chat_id:
            self.turn.marks.setdefault("play", time.monotonic())

    def saying(self) -> str:
        """What sounds of the present turn, and what sounded last where nothing of it does."""
        if self.turn is not None and (begun := " ".join(one.text for one in self.turn.utterances if one.started)):
            self._said = begun
        return self._said

    def commit(self) -> TurnRecord | None:
        """Close the present turn: what was really said of it goes to the history. Returns it, once."""
        record, self.turn = self.turn, None
        if record is None or record.withheld or record.refused or record.continued:
            # What was refused must not come back with the history.
            return record
        spoken = record.spoken
        if record.heard:
            self.history.append(Message("user", record.heard))
        if spoken:
            self.history.append(Message("assistant", spoken))
        return record

    def settle(self) -> TurnRecord | None:
        """Close the present turn if everything of it has been said. Returns it then, once."""
        record = self.turn
        if record is None or not record.answered or not all(utterance.ended for utterance in record.utterances):
            return None
        return self.commit()


class StageSink(FrameProcessor):
    """The end of the pipeline: resamples speech to the stage's rate and hands it over; an interruption empties the stage.

    Where no sound comes for a sentence it says so, with sound that is ``ready``.
    """

    def __init__(self, stage: Stage, script: Script, ready: Ready = excuses.nothing_ready) -> None:
        super().__init__()
        self._stage, self._script, self._ready = stage, script, ready
        self._utterances: dict[str, Utterance] = {}
        self._sounded: set[str] = set()  # of these, those whose synthesis has sent sound, be it of no length
        self._resampler: soxr.ResampleStream | None = None
        self._resampler_rate = 0

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        match frame:
            case TTSAudioRawFrame():
                await self._play(frame)
                return
            case SoundFrame():
                await self._play_sound(frame)
                return
            case UnspokenFrame():
                await (self._bridge(frame.context_id) if frame.late else self._apologise(frame.context_id))
                return
            case TTSStoppedFrame():
                context = frame.context_id or ""
                await (self._finish(context) if context in self._sounded else self._apologise(context))
            case TTSTextFrame():
                pass
            case AggregatedTextFrame():
                self._announce(frame)
            case InterruptionFrame():
                self._silence()
            case _:
                pass
        await self.push_frame(frame, direction)

    async def speaking_changed(self, speaking: bool) -> None:
        """Tell the pipeline when sound really starts and stops."""
        await self.broadcast_frame(BotStartedSpeakingFrame if speaking else BotStoppedSpeakingFrame)

    def _announce(self, frame: AggregatedTextFrame) -> None:
        """Synthesis works in order: the text announced next is the oldest pending utterance with that text."""
        pending, text = self._script.pending, frame.text.strip()
        wanted = next((utterance for utterance in pending if utterance.text.strip() == text), None)
        if wanted is None:  # of an answer that was cut a moment ago
            _log.debug("text that nobody asked for", length=len(text))
            return
        while (utterance := pending.popleft()) is not wanted:
            self._stage.finish(utterance)  # synthesis passed it over: it will never sound
        self._utterances[frame.context_id or ""] = wanted
        self._script.moved.set()

    async def _play(self, frame: TTSAudioRawFrame) -> None:
        utterance = self._utterances.get(frame.context_id or "")
        if utterance is None:  # cut a moment ago
            return
        self._sounded.add(frame.context_id or "")
        if self._script.turn is not None and utterance.chat_id == self._script.turn.chat_id:
            self._script.turn.marks.setdefault("speak", time.monotonic())
        if self._resampler is None or self._resampler_rate != frame.sample_rate:
            self._resampler = soxr.ResampleStream(frame.sample_rate, STAGE_RATE, 1, dtype="int16", quality="MQ")
            self._resampler_rate = frame.sample_rate
        pcm = self._resampler.resample_chunk(np.frombuffer(frame.audio, np.int16))
        phonemes = frame.phonemes if isinstance(frame, TimedAudioFrame) else None
        await self._stage.push(utterance, pcm, phonemes)

    async def _play_sound(self, frame: SoundFrame) -> None:
        if frame.utterance is not None:
            await self._stage.push(frame.utterance, frame.pcm, None)
            if frame.last:
                self._stage.finish(frame.utterance)
        frame.played.set()

    async def _bridge(self, context_id: str) -> None:
        """The sound of a sentence is late. Nobody notices as long as another one is heard."""
        mine = self._of_this_turn(context_id)
        if mine is not None and not self._stage.speaking and (excuse := excuses.for_late(*mine)) is not None:
            await self._say(excuse)

    async def _apologise(self, context_id: str) -> None:
        """The sound of a sentence broke off, or never came: it is over."""
        mine = self._of_this_turn(context_id)
        # Written before the sentence is over: the turn is not, until this is said, too.
        excuse = excuses.for_failed(*mine) if mine is not None else None
        await self._finish(context_id)
        if excuse is not None:
            await self._say(excuse)

    def _of_this_turn(self, context_id: str) -> tuple[TurnRecord, Utterance] | None:
        utterance, turn = self._utterances.get(context_id), self._script.turn
        return (turn, utterance) if turn is not None and utterance in turn.utterances else None

    async def _say(self, excuse: Utterance) -> None:
        pcm, phonemes = await excuses.sound(self._ready, excuse.text)
        await self._stage.push(excuse, pcm, phonemes)
        self._stage.finish(excuse)

    async def _finish(self, context_id: str) -> None:
        utterance = self._utterances.pop(context_id, None)
        self._sounded.discard(context_id)
        if utterance is None:
            return
        if self._resampler is not None:
            tail = self._resampler.resample_chunk(np.zeros(0, np.int16), last=True)
            self._resampler = None
            await self._stage.push(utterance, tail, ())
        self._stage.finish(utterance)

    def _silence(self) -> None:
        self._utterances.clear()
        self._sounded.clear()
        self._resampler = None
        self._stage.clear()
