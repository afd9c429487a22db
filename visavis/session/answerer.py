"""Who answers: what was heard is put to the dialogue, its sentences go on to synthesis, and to nobody else before the turn is over."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable
from contextlib import aclosing
from typing import Final

from pipecat.frames.frames import (
    BotStartedSpeakingFrame,
    BotStoppedSpeakingFrame,
    Frame,
    InterimTranscriptionFrame,
    InterruptionFrame,
    TranscriptionFrame,
    TTSSpeakFrame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor

from visavis import log
from visavis.dialogue import phrases
from visavis.dialogue.types import Dialogue, Sentence, Turn
from visavis.session.processors import AskFrame, ConversationListener, SayFrame, Script
from visavis.session.script import STAGE_RATE, TurnRecord, Utterance
from visavis.session.services import language_of
from visavis.session.speculation import Speculation
from visavis.session.turns.frames import (
    EndTurnFrame,
    HypothesisFrame,
    LullFrame,
    LullOverFrame,
    OnsetFrame,
    OnsetOverFrame,
    SlowFrame,
)
from visavis.session.turns.wording import Shape, echoes, means_something, shape
from visavis.speech.types import Language

_log = log.get("conversation")

BARELY_HEARD_S: Final = 0.7
"""An answer that is cut before so much of it was heard came too early, if it came within ..."""
TOO_EARLY_S: Final = 2.5
"""... so many seconds: the person had only paused, and his turn goes on."""
FADES_S: Final = 0.5
"""So long after the last sound something of it may come back."""
TENTATIVE_S: Final = 0.8
"""An answer that hardly fits waits for so much silence: perhaps half of the question was heard."""

Admit = Callable[[str, Language, bool], str | None]
"""Asked with the text of a spoken turn, its language and whether the turn is over: what is taken as asked; None: it was not meant
for the digital human. Without side effects as long as the turn is not over."""


class Answerer(FrameProcessor):
    """Asks the dialogue engine, on what is likely to be the turn as soon as the person pauses, and answers when the turn ends."""

    speculates = True
    """Whether the dialogue may be asked before the turn is over."""

    def __init__(
        self,
        dialogue: Dialogue,
        script: Script,
        listener: ConversationListener,
        *,
        default_language: Language,
        user_id: str,
        session_id: str,
        prepare: Callable[[str], None] = lambda _: None,
        admit: Admit = lambda text, language, final: text,
    ) -> None:
        """``prepare``: told a text that will perhaps be spoken next; "" if none will."""
        super().__init__()
        self._dialogue, self._script, self._listener = dialogue, script, listener
        self._default_language = default_language
        self._language = default_language  # of the last question
        self._user_id, self._session_id = user_id, session_id
        self._prepare, self._admit = prepare, admit
        self._heard: HypothesisFrame | None = None
        self._carried = ""  # what was said before, in a turn that ended too early
        self._marks: dict[str, float] = {}
        self._sounding = False
        self._fell_silent = -FADES_S
        self._over = False  # the voice began while it sounded
        self._voice = False
        self._voice_told = False
        self._calm = asyncio.Event()  # not set: something like a voice is heard
        self._calm.set()
        self._released = False  # the person said that he is done
        self._speculation: Speculation | None = None
        self._task: asyncio.Task[None] | None = None

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        match frame:
            case VADUserStartedSpeakingFrame():
                self._voice = True
                self._over = self._sounding or time.monotonic() - self._fell_silent < FADES_S
                if not self._sounding:  # else it may be a cough: it is told once it is known to be meant
                    self._tell_voice(True)
                await self._drop_speculation()
            case OnsetFrame():
                self._calm.clear()
            case OnsetOverFrame():
                self._calm.set()
            case EndTurnFrame():
                self._released = True
            case LullFrame():
                now = time.monotonic()
                self._marks = {"end_of_speech": now - frame.silence_s, "endpoint": now}
            case LullOverFrame():
                self._marks = {}
            case VADUserStoppedSpeakingFrame():
                now = time.monotonic()
                if "endpoint" not in self._marks:
                    self._marks = {"end_of_speech": now - frame.stop_secs, "endpoint": now}
                self._voice = False
                self._calm.set()
                self._tell_voice(False)
            case HypothesisFrame():
                await self._think(frame)
            case SlowFrame():
                await self._ask_for_patience()
            case UserStartedSpeakingFrame():
                self._released = False
                self._carry()
                self._tell_voice(True)
                if not self._voice:
                    self._tell_voice(False)
            case UserStoppedSpeakingFrame():
                await self._turn_ended()
            case BotStartedSpeakingFrame() | BotStoppedSpeakingFrame():
                self._sounding = isinstance(frame, BotStartedSpeakingFrame)
                self._fell_silent = time.monotonic()
            case InterruptionFrame():
                await self._stop_answering()
            case AskFrame():
                self._carried = ""
                await self._answer(frame.text, language_of(frame.text, self._default_language), {}, typed=True)
                return
            case SayFrame():
                await self._say(frame.text)
                return
            case _:
                if await self.takes(frame):
                    return
        if not isinstance(frame, TranscriptionFrame | InterimTranscriptionFrame):  # those have become hypotheses
            await self.push_frame(frame, direction)

    def _tell_voice(self, speaking: bool) -> None:
        """Tell that the person begins or stops to speak, each once."""
        if speaking is not self._voice_told:
            self._voice_told = speaking
            self._listener.voice_changed(speaking)

    async def takes(self, frame: Frame) -> bool:
        """For those who answer in another way: whether ``frame`` was for them, and ends here."""
        return False

    def sounding(self, utterance: Utterance) -> None:
        """The first sample of an utterance goes out."""
        self._script.sounding(utterance)

    async def cleanup(self) -> None:
        await self._drop_speculation()
        await self._stop_answering()
        await self._dialogue.aclose()
        await super().cleanup()  # type: ignore[no-untyped-call]

    # --- what was heard ---------------------------------------------------------------------------------------------

    def _carry(self) -> None:
        """The person speaks again: if the turn before ended too early, what he says now continues it."""
        record = self._script.turn
        if record is None or not record.heard or "turn" not in record.marks:
            return
        played = sum(utterance.played for utterance in record.utterances)
        if played < BARELY_HEARD_S * STAGE_RATE and time.monotonic() - record.marks["turn"] < TOO_EARLY_S:
            record.continued = True
            self._carried = record.heard

    def whole(self, text: str, language: Language) -> str:
        """What was said in the present turn, whose last part is ``text``."""
        return ("" if language == "zh" else " ").join(part for part in (self._carried, text.strip()) if part)

    def _turn(self, heard: HypothesisFrame) -> tuple[str, Language]:
        """The whole text of the present turn, and its language."""
        language = heard.language or language_of(heard.text, self._default_language)
        return self.whole(heard.text, language), language

    def _echoes(self, heard: HypothesisFrame) -> bool:
        """Whether this is nothing but the digital human's own words."""
        return self._over and echoes(heard.text, self._script.saying())

    async def _think(self, heard: HypothesisFrame) -> None:
        """Begin with the answer to what was probably all."""
        self._heard = heard
        if self._echoes(heard):
            return
        text, language = self._turn(heard)
        if heard.text.strip() and not self._sounding and (meant := self._admit(text, language, False)):
            self._listener.hearing(meant)
        if not heard.settled:
            return
        self._marks["recognise"] = time.monotonic()
        if not self.speculates or not heard.text.strip() or shape(text, language) is Shape.UNFINISHED:
            return
        if self._sounding and not means_something(heard.text, self._script.saying()):
            return
        admitted = self._admit(text, language, False)
        if not admitted:
            return
        turn = self._asked(admitted, language)
        if self._speculation is not None:
            if self._speculation.fits(turn):
                return
            await self._drop_speculation()
        self._speculation = Speculation(self._dialogue, turn, self._prepare_first)

    def _prepare_first(self, sentence: Sentence) -> None:
        self._prepare(_whole(sentence.text))

    async def _drop_speculation(self) -> None:
        speculation, self._speculation = self._speculation, None
        if speculation is not None:
            await speculation.discard()
            self._prepare("")

    async def _turn_ended(self) -> None:
        heard, self._heard = self._heard, None
        if heard is None or not heard.text.strip():
            await self._drop_speculation()
            self._listener.nothing_heard()
            return
        if self._echoes(heard):  # its answer was over before this was understood
            _log.info("echo_ignored")
            return
        text, language = self._turn(heard)
        self._carried = ""
        admitted = self._admit(text, language, True)
        if not admitted:
            await self._drop_speculation()
            return
        marks = {**self._marks, "turn": time.monotonic()}
        await self._answer(admitted, language, marks, typed=False)

    # --- the answer -------------------------------------------------------------------------------------------------

    def _asked(self, text: str, language: Language) -> Turn:
        return Turn(text, language, tuple(self._script.history), self._user_id, self._session_id)

    async def _answer(self, text: str, language: Language, marks: dict[str, float], *, typed: bool) -> None:
        await self._stop_answering()
        record = TurnRecord(uuid.uuid4().hex[:12], text, language, marks)
        self._script.turn, self._language = record, language
        self._listener.heard(record, typed)
        turn = self._asked(text, language)
        speculation = self._speculation
        if speculation is not None and speculation.fits(turn):
            self._speculation = None
        else:
            await self._drop_speculation()
            speculation = None
        self._task = self.create_task(self._speak_answer(turn, record, speculation), "answer")

    async def _speak_answer(self, turn: Turn, record: TurnRecord, begun: Speculation | None) -> None:
        try:
            answer = self._dialogue.answer(turn) if begun is None else begun.answer(turn)
            async with aclosing(answer) as sentences:  # type: ignore[type-var]
                async for sentence in sentences:
                    if "answer" not in record.marks:
                        await self._let_finish(record, sentence)
                        record.marks["answer"] = time.monotonic()
                    text = _whole(sentence.text)
                    await self._utter(
                        Utterance(text, sentence.language, record.chat_id, sentence.purpose, sentence.source)
                    )
                    if sentence.command is not None:
                        self._listener.commanded(sentence.command)
        except Exception:
            _log.exception("the dialogue engine failed", chat_id=record.chat_id)
            self._listener.trouble("the dialogue failed")
            await self._utter(Utterance(phrases.FAILED[turn.language], turn.language, record.chat_id, "error"))
        finally:
            record.answered = True
        self.settle()

    async def _let_finish(self, record: TurnRecord, first: Sentence) -> None:
        """Wait with an answer as long as the person seems to go on. If he does, this is cancelled."""
        end = record.marks.get("end_of_speech")
        if end is None or self._released:
            return
        if first.tentative:
            await asyncio.sleep(end + TENTATIVE_S - time.monotonic())
        await self._calm.wait()

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

    async def _ask_for_patience(self) -> None:
        """Recognition is slow: nobody is to wonder whether he was heard."""
        language = self._language
        # Of who sleeps and waits for a wake word nobody expects anything, and who speaks needs no filling.
        if self._script.turn is None and self._admit("", language, False) is not None:
            await self._say(phrases.MOMENT[language])

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
