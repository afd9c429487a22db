"""The two processors that are ours in the Pipecat pipeline: who answers, and where the answer goes."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections import deque
from collections.abc import Sequence
from contextlib import aclosing
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
    TranscriptionFrame,
    TTSAudioRawFrame,
    TTSSpeakFrame,
    TTSStoppedFrame,
    TTSTextFrame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor

from visavis import log
from visavis.dialogue import phrases
from visavis.dialogue.types import Dialogue, Message, Turn
from visavis.session.script import STAGE_RATE, TurnRecord, Utterance
from visavis.session.services import TimedAudioFrame, language_of
from visavis.session.stage import Stage
from visavis.speech.types import Language

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

    def nothing_heard(self) -> None:
        """The turn is over, and nobody said a word."""
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
        self.moved = asyncio.Event()
        """Set whenever fewer utterances wait; cleared by who waits for it."""

    def sounding(self, utterance: Utterance) -> None:
        """Note when the first sound of the present turn's answer goes out."""
        if self.turn is not None and self.turn.chat_id == utterance.chat_id:
            self.turn.marks.setdefault("play", time.monotonic())

    def commit(self) -> TurnRecord | None:
        """Close the present turn: what was really said of it goes to the history. Returns it, once."""
        record, self.turn = self.turn, None
        if record is None:
            return None
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


class Answerer(FrameProcessor):
    """Collects what was heard until the turn ends, asks the dialogue engine and sends its sentences on to synthesis."""

    def __init__(
        self,
        dialogue: Dialogue,
        script: Script,
        listener: ConversationListener,
        *,
        default_language: Language,
        user_id: str,
        session_id: str,
    ) -> None:
        super().__init__()
        self._dialogue, self._script, self._listener = dialogue, script, listener
        self._default_language = default_language
        self._user_id, self._session_id = user_id, session_id
        self._heard: list[TranscriptionFrame] = []
        self._marks: dict[str, float] = {}
        self._task: asyncio.Task[None] | None = None

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        match frame:
            case VADUserStartedSpeakingFrame():
                self._listener.voice_changed(True)
            case VADUserStoppedSpeakingFrame():
                now = time.monotonic()
                self._marks = {"end_of_speech": now - frame.stop_secs, "endpoint": now}
                self._listener.voice_changed(False)
            case TranscriptionFrame():
                self._heard.append(frame)
                self._marks["recognise"] = time.monotonic()
            case UserStartedSpeakingFrame():
                self._heard.clear()
            case UserStoppedSpeakingFrame():
                await self._turn_ended()
            case InterruptionFrame():
                await self._stop_answering()
            case AskFrame():
                await self._answer(frame.text, language_of(frame.text, self._default_language), {}, typed=True)
                return
            case SayFrame():
                await self._say(frame.text)
                return
            case _:
                if await self.takes(frame):
                    return
        if not isinstance(frame, TranscriptionFrame):
            await self.push_frame(frame, direction)

    async def takes(self, frame: Frame) -> bool:
        """For those who answer in another way: whether ``frame`` was for them, and ends here."""
        return False

    def sounding(self, utterance: Utterance) -> None:
        """The first sample of an utterance goes out."""
        self._script.sounding(utterance)

    async def cleanup(self) -> None:
        await self._stop_answering()
        await self._dialogue.aclose()
        await super().cleanup()  # type: ignore[no-untyped-call]

    async def _turn_ended(self) -> None:
        heard = [frame for frame in self._heard if frame.text.strip()]
        self._heard.clear()
        if not heard:
            self._listener.nothing_heard()
            return
        parts = [frame.text.strip() for frame in heard]
        language = self._language(heard)
        marks = {**self._marks, "turn": time.monotonic()}
        await self._answer(("" if language == "zh" else " ").join(parts), language, marks, typed=False)

    def _language(self, frames: Sequence[TranscriptionFrame]) -> Language:
        code = str(frames[-1].language.value) if frames[-1].language else ""
        if code[:2] in ("zh", "en"):
            return "zh" if code.startswith("zh") else "en"
        return language_of(frames[-1].text, self._default_language)

    async def _answer(self, text: str, language: Language, marks: dict[str, float], *, typed: bool) -> None:
        await self._stop_answering()
        record = TurnRecord(uuid.uuid4().hex[:12], text, language, marks)
        self._script.turn = record
        self._listener.heard(record, typed)
        turn = Turn(text, language, tuple(self._script.history), self._user_id, self._session_id)
        self._task = self.create_task(self._speak_answer(turn, record), "answer")

    async def _speak_answer(self, turn: Turn, record: TurnRecord) -> None:
        try:
            async with aclosing(self._dialogue.answer(turn)) as sentences:  # type: ignore[type-var]
                async for sentence in sentences:
                    record.marks.setdefault("answer", time.monotonic())
                    text = _whole(sentence.text)
                    await self._utter(Utterance(text, sentence.language, record.chat_id, sentence.purpose))
        except Exception:
            _log.exception("the dialogue engine failed", chat_id=record.chat_id)
            self._listener.trouble("the dialogue failed")
            await self._utter(Utterance(phrases.FAILED[turn.language], turn.language, record.chat_id, "error"))
        finally:
            record.answered = True
        self.settle()

    def settle(self) -> None:
        """Report the turn if everything of it has been said."""
        record = self._script.settle()
        if record is not None:
            self._done(record)

    def _done(self, record: TurnRecord) -> None:
        self._listener.turn_done(record)

    async def _utter(self, utterance: Utterance) -> None:
        if not utterance.text.strip():  # synthesis drops it, and the turn would wait for it
            return
        if self._script.turn is not None and self._script.turn.chat_id == utterance.chat_id:
            self._script.turn.utterances.append(utterance)
        self._script.pending.append(utterance)
        await self.push_frame(TTSSpeakFrame(utterance.text, append_to_context=False))

    async def _say(self, text: str) -> None:
        record = TurnRecord(uuid.uuid4().hex[:12], "", language_of(text, self._default_language), answered=True)
        self._script.turn = record
        await self._utter(Utterance(text, record.language, record.chat_id, "say"))

    async def _stop_answering(self) -> None:
        if self._task is not None:
            task, self._task = self._task, None
            if not task.done():
                await self.cancel_task(task)
        self._script.pending.clear()
        record = self._script.commit()
        if record is not None:
            record.interrupted = True
            self._done(record)


def _whole(text: str) -> str:
    """``text`` without halves of characters, which a model's stream may hold and nothing that sends text takes."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


class StageSink(FrameProcessor):
    """The end of the pipeline: resamples speech to the stage's rate and hands it over; an interruption empties the stage."""

    def __init__(self, stage: Stage, script: Script) -> None:
        super().__init__()
        self._stage, self._script = stage, script
        self._utterances: dict[str, Utterance] = {}
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
            case TTSStoppedFrame():
                await self._finish(frame.context_id)
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

    async def _finish(self, context_id: str | None) -> None:
        utterance = self._utterances.pop(context_id or "", None)
        if utterance is None:
            return
        if self._resampler is not None:
            tail = self._resampler.resample_chunk(np.zeros(0, np.int16), last=True)
            self._resampler = None
            await self._stage.push(utterance, tail, ())
        self._stage.finish(utterance)

    def _silence(self) -> None:
        self._utterances.clear()
        self._resampler = None
        self._stage.clear()
