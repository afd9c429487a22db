"""Who answers in a job that a third party drives: nobody here. What the driver sends is said, in its order."""

from __future__ import annotations

import asyncio
import re
import time
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import soxr
from pipecat.frames.frames import DataFrame, Frame, InterruptionFrame
from pipecat.processors.frame_processor import FrameDirection

from visavis.contract.drive import SpeakingStopData
from visavis.dialogue import phrases
from visavis.dialogue.types import Sentence, Turn
from visavis.session.answerer import Admit, Answerer
from visavis.session.driver import Driver, Piece
from visavis.session.processors import ConversationListener, Script, SoundFrame
from visavis.session.script import STAGE_RATE, TurnRecord, Utterance
from visavis.session.services import language_of
from visavis.session.signals import DriveCommand
from visavis.session.turns.frames import HypothesisFrame
from visavis.session.types import CommandRefused
from visavis.speech.markup import Unsaid
from visavis.speech.types import Language

STREAM_IDLE_S: Final = 10.0
"""A stream of which nothing comes for so long is said to its end and closed; more of it may follow."""
START_S: Final = 0.2
"""So much sound is awaited before a stream of it begins to be heard: pieces come unevenly."""
MOST_SAID: Final = 256
"""Sentences of one exchange; a stream that goes on for hours is reported in parts."""
MOST_PENDING: Final = 64
"""Sentences that may wait for synthesis; the rest waits as text."""

_FIRST_CLAUSE = re.compile(r"[，、；：—…。！？]+|[,;:!?](?=\s)|(?<=[a-z]{3})\.(?=\s)")
_ENDS: Final = ".!?。！？"
_SHORTEST: Final = 5
_LONGEST: Final = 200


@dataclass
class DriveFrame(DataFrame):
    """Something that the driver sent, in its turn."""

    piece: Piece | None = None


@dataclass
class CutFrame(InterruptionFrame):
    """The driver's own interruption: its books know of it already, and what it sent since is not meant."""


class NoDialogue:
    """The dialogue of a job that a third party drives: it is never asked."""

    async def answer(self, turn: Turn) -> AsyncIterator[Sentence]:
        return
        yield

    async def aclose(self) -> None:
        return


class Clauses:
    """Cuts text that arrives in pieces: the first clause leaves as soon as it is whole, then sentences do."""

    def __init__(self, language: Language) -> None:
        self._language: Language = language
        self._sentences = phrases.SentenceStream(language)
        self._unsaid = Unsaid(phrases.PAUSE[language])
        self._head: str | None = ""  # of the first clause; None: it has left

    def push(self, piece: str) -> list[str]:
        """Take a piece; what it completes."""
        return self._cut(self._unsaid.push(piece))

    def _cut(self, piece: str) -> list[str]:
        if self._head is None:
            return self._sentences.push(piece)
        self._head += piece
        for match in _FIRST_CLAUSE.finditer(self._head):
            whole = match[0][-1] in _ENDS
            if _syllables(first := self._head[: match.end()]) >= (1 if whole else _SHORTEST):
                rest, self._head = self._head[match.end() :], None
                return [first.strip(), *self._sentences.push(rest)]
        # The mark above is sure, and misses some ends of sentences.
        if len(self._head) > _LONGEST or len(phrases.sentences(self._head, self._language)) > 1:
            rest, self._head = self._head, None
            return self._sentences.push(rest)
        return []

    def finish(self) -> list[str]:
        """The rest, when no more comes."""
        complete = self._cut(self._unsaid.finish())
        head, self._head = self._head, None
        return [*complete, *(self._sentences.push(head) if head else []), *self._sentences.finish()]


def _syllables(text: str) -> int:
    """About how many: Chinese characters, and a third of the letters."""
    letters = sum(character.isalnum() for character in text)
    han = sum("\u3400" <= character <= "\u9fff" for character in text)
    return han + (letters - han) // 3


class _Sound:
    """A stream of sound on its way to the stage's rate."""

    def __init__(self, utterance: Utterance, rate: int) -> None:
        self.utterance = utterance
        self._resampler = soxr.ResampleStream(rate, STAGE_RATE, 1, dtype="int16", quality="MQ")
        self._held: list[npt.NDArray[np.int16]] | None = []

    def take(self, pcm: bytes, last: bool) -> npt.NDArray[np.int16]:
        """What may be played now: nothing until there is enough to begin with."""
        out: npt.NDArray[np.int16] = self._resampler.resample_chunk(np.frombuffer(pcm, "<i2"), last=last)
        if self._held is None:
            return out
        self._held.append(out)
        whole = np.concatenate(self._held)
        if len(whole) < START_S * STAGE_RATE and not last:
            return whole[:0]
        self._held = None
        return whole


class DrivenAnswerer(Answerer):
    """Tells the driver what was heard, and says what the driver sends."""

    speculates = False

    def __init__(
        self,
        driver: Driver,
        script: Script,
        listener: ConversationListener,
        *,
        default_language: Language,
        user_id: str,
        session_id: str,
        admit: Admit = lambda text, language, final: text,
    ) -> None:
        super().__init__(
            NoDialogue(),
            script,
            listener,
            default_language=default_language,
            user_id=user_id,
            session_id=session_id,
            admit=admit,
        )
        self._driver = driver
        driver.pending_text = self._pending_text
        self._pieces: deque[Piece] = deque()
        self._news = asyncio.Event()
        self._clauses: Clauses | None = None
        self._sound: _Sound | None = None
        self._sounded: TurnRecord | None = None
        self._watch: asyncio.Task[None] | None = None

    # --- the driver -------------------------------------------------------------------------------------------------

    async def drive(self, command: DriveCommand) -> None:
        """Act on what the driver wants. Raises CommandRefused."""
        match command.kind:
            case "open":
                self._driver.came(self._open_question())
            case "close":
                self._driver.left()
            case "interrupt":
                await self._cut(command.chat_id)
            case "text" | "audio":
                try:
                    piece = self._driver.accept(command)
                except CommandRefused as refused:
                    if refused.code == "full":
                        self._look_for_room()
                    raise
                await self.queue_frame(DriveFrame(piece=piece))

    def _open_question(self) -> TurnRecord | None:
        turn = self._script.turn
        mine = turn is not None and turn.chat_id == self._driver.chat_id
        return turn if turn is not None and mine and turn.heard and not turn.utterances else None

    async def _cut(self, chat_id: str) -> None:
        if chat_id:
            self._driver.check_chat(chat_id)
        self._driver.cut()
        if self._script.turn is None:  # nothing to cut, and the driver is told that, too
            self._driver.interrupted(self._driver.chat_id, SpeakingStopData(text="", duration_ms=0))
        await self.queue_frame(CutFrame())

    def _pending_text(self) -> int:
        return sum(len(utterance.text) for utterance in self._script.pending)

    def _look_for_room(self) -> None:
        if self._watch is None or self._watch.done():
            self._watch = self.create_task(self._tell_of_room(), "room")

    async def _tell_of_room(self) -> None:
        epoch = self._driver.epoch
        while not self._driver.half_empty:
            await self._moved()
        self._driver.go_on(epoch)

    async def _moved(self) -> None:
        """Until something is said that waited, or it is forgotten."""
        self._script.moved.clear()
        await self._script.moved.wait()

    # --- the person ---------------------------------------------------------------------------------------------------

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """As the base does; an interruption that the driver did not ask for is one for its books as well."""
        if isinstance(frame, InterruptionFrame) and not isinstance(frame, CutFrame):
            self._driver.cut()
        await super().process_frame(frame, direction)

    async def takes(self, frame: Frame) -> bool:
        """Pieces of the driver's, in their order with its interruptions."""
        if not isinstance(frame, DriveFrame) or frame.piece is None:
            return False
        self._pieces.append(frame.piece)
        self._news.set()
        if self._task is None or self._task.done():
            self._task = self.create_task(self._say_pieces(), "driven")
        return True

    async def cleanup(self) -> None:
        if self._watch is not None and not self._watch.done():
            await self.cancel_task(self._watch)
        await super().cleanup()

    async def _think(self, heard: HypothesisFrame) -> None:
        await super()._think(heard)
        text, language = self._turn(heard)
        if heard.text.strip() and not self._sounding and (meant := self._admit(text, language, False)):
            self._driver.hearing(meant, language)

    async def _turn_ended(self) -> None:
        await super()._turn_ended()
        self._driver.hearing("", self._default_language)  # nothing more is heard of what was no question

    async def _answer(self, text: str, language: Language, marks: dict[str, float], *, typed: bool) -> None:
        await self._stop_answering()
        self._driver.cut()
        record = TurnRecord(self._driver.new_chat(), text, language, marks)
        self._script.turn = record
        self._listener.heard(record, typed)
        if self._driver.present:
            self._driver.asked(record, typed=typed)
            return
        self._listener.trouble("no driver is connected")
        await self._utter(Utterance(phrases.FAILED[language], language, record.chat_id, "error"))
        record.answered = True
        self.settle()

    async def _stop_answering(self) -> None:
        self._pieces.clear()
        self._clauses = self._sound = None
        await super()._stop_answering()
        self._script.moved.set()

    def sounding(self, utterance: Utterance) -> None:
        """As the base; the driver is told of the first sound of what it sent."""
        super().sounding(utterance)
        record = self._script.turn
        if record is not None and record is not self._sounded and utterance in record.utterances and self._mine(record):
            self._sounded = record
            self._driver.sounds(record.chat_id, utterance.text)

    def _done(self, record: TurnRecord) -> None:
        super()._done(record)
        if self._mine(record):
            self._driver.said(record)

    def _mine(self, record: TurnRecord) -> bool:
        """Not of a text that the page had said."""
        return all(utterance.purpose != "say" for utterance in record.utterances)

    # --- saying it ------------------------------------------------------------------------------------------------------

    async def _say_pieces(self) -> None:
        while True:
            piece = await self._next_piece()
            if piece is None:
                await self._end_stream()
            elif piece.epoch == self._driver.epoch:
                await self._say_piece(piece)
                self._driver.release(piece)
                self._script.moved.set()

    async def _next_piece(self) -> Piece | None:
        """What comes next; None: the open stream has dried up."""
        streaming = self._clauses is not None or self._sound is not None
        try:
            async with asyncio.timeout(STREAM_IDLE_S if streaming else None):
                while not self._pieces:
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            return None
        return self._pieces.popleft()

    async def _say_piece(self, piece: Piece) -> None:
        if piece.first:
            await self._end_stream()
        record = self._record(piece)
        record.marks.setdefault("answer", time.monotonic())
        if piece.kind == "text":
            if self._clauses is None:
                self._clauses = Clauses(record.language)
            await self._utter_all(record, self._clauses.push(piece.text))
        else:
            if self._sound is None:
                self._sound = _Sound(self._announced(record, piece.text), piece.rate)
            await self._play(self._sound, piece.pcm, last=False)
        if piece.last:
            await self._end_stream()

    def _record(self, piece: Piece) -> TurnRecord:
        """The exchange that the piece belongs to: the question's, or one without a question."""
        turn = self._script.turn
        if turn is not None and len(turn.utterances) >= MOST_SAID and (full := self._script.commit()) is not None:
            self._done(full)
            turn = None
        if turn is None or turn.chat_id != piece.chat_id:
            language = language_of(piece.text, self._default_language)
            turn = self._script.turn = TurnRecord(piece.chat_id, "", language)
        turn.answered = False
        return turn

    def _announced(self, record: TurnRecord, text: str) -> Utterance:
        utterance = Utterance(text, language_of(text, record.language), record.chat_id)
        record.utterances.append(utterance)
        return utterance

    async def _utter_all(self, record: TurnRecord, texts: list[str]) -> None:
        for text in texts:
            while len(self._script.pending) >= MOST_PENDING:
                await self._moved()
            if any(character.isalnum() for character in text):
                await self._utter(Utterance(text, language_of(text, record.language), record.chat_id))

    async def _play(self, sound: _Sound, pcm: bytes, *, last: bool) -> None:
        """Send sound to the stage, and wait until it has taken it: nothing piles up on the way."""
        ready = sound.take(pcm, last)
        if len(ready) or last:
            frame = SoundFrame(utterance=sound.utterance, pcm=ready, last=last)
            await self.push_frame(frame)
            await frame.played.wait()

    async def _end_stream(self) -> None:
        """No more comes of the open stream, if there is one: its turn is over when all of it has been heard."""
        clauses, self._clauses = self._clauses, None
        sound, self._sound = self._sound, None
        record = self._script.turn
        if record is None or (clauses is None and sound is None):
            return
        if clauses is not None:
            await self._utter_all(record, clauses.finish())
        if sound is not None:
            await self._play(sound, b"", last=True)
        record.answered = True
        self.settle()
