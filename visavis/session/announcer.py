"""What the client is told (``docs/protocol.md``): each thing worth telling, as the message that tells it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from visavis.dialogue.types import Command
from visavis.session import rtvi
from visavis.session.microphone import Microphone
from visavis.session.script import STAGE_RATE, TurnRecord, Utterance
from visavis.session.signals import FinishReason
from visavis.session.spec import ChatState, JobSpec
from visavis.speech.types import Language

_PUBLISHED: Final[dict[Language, str]] = {"zh": "CN", "en": "EN"}

WITHHELD: Final = "***"
"""Stands for a question that is not shown."""


class Announcer:
    """Writes to the END_USER's data channel through ``send``, which may find nobody there."""

    def __init__(self, spec: JobSpec, send: Callable[[str], object]) -> None:
        self._spec, self._send = spec, send
        self.woken_by = ""
        """What noticed somebody when it was woken last: VOICE, RADAR, INFRARED, CAMERA; empty: speech, or a button."""
        self._language: Language = spec.default_language
        self._partial = ""
        self._saying: Utterance | None = None
        self._told = 0
        self._user = next((user.user_id for user in spec.users if user.user_type == "END_USER"), "")

    def ready(self, message_id: str) -> None:
        """The answer to ``client-ready``."""
        about = {"version": rtvi.RTVI_VERSION, "about": {"library": "visavis"}}
        self._send(rtvi.message("bot-ready", about, message_id))

    def hot_questions(self) -> None:
        """What may be asked with one tap, where the robot proposes anything."""
        questions = {_PUBLISHED[language]: texts for language, texts in self._spec.robot.hot_questions.items()}
        if questions:
            self._send(rtvi.event("hotQuestions", questions=questions))

    def error(self, text: str) -> None:
        self._send(rtvi.message("error", {"message": text, "fatal": False}))

    def chat_state(self, state: ChatState, left: ChatState | None = None) -> None:
        """The state as it is, and with ``left`` (the state before) what the change means."""
        more = {"restTime": self._spec.sleep_warning_s} if state is ChatState.FALLING_ASLEEP else {}
        self._send(rtvi.event("jobInfoChange", chat_state=int(state), **more))
        if left is None:
            return
        if state is ChatState.ASLEEP:
            self._send(rtvi.event("enterSleep"))
        elif left is ChatState.ASLEEP:
            by = {"wakeupType": self.woken_by} if self.woken_by else {}
            self.woken_by = ""
            self._send(rtvi.event("enterActive", **by))

    def end_is_near(self, seconds: float) -> None:
        self._send(rtvi.event("jobEndMention", jobId=self._spec.job_id, restTime=seconds))

    def end(self, reason: FinishReason) -> None:
        self._send(rtvi.event("jobEnd", jobId=self._spec.job_id, reason=reason))

    def microphone(self, microphone: Microphone) -> None:
        """Who may speak when, and whether what is said now is heard."""
        self._send(rtvi.event("microphone", mode=microphone.mode, open=microphone.open))

    def command(self, command: Command) -> None:
        """An instruction of the role was recognised: what is to be done."""
        told = {"name": command.name, "instruction": command.instruction, "slots": dict(command.slots)}
        self._send(rtvi.message("server-message", {"event": "instruction", **told}))

    def language(self, language: str) -> None:
        self._send(rtvi.event("languageInfoChange", language=language))

    def person_speaks(self, speaking: bool) -> None:
        self._send(rtvi.message("user-started-speaking" if speaking else "user-stopped-speaking"))

    def heard(self, record: TurnRecord) -> None:
        """A question is complete; one that is withheld is only told to have been heard. Who goes on in another language than before is
        told so."""
        if record.language != self._language:
            self._language = record.language
            self.language(_PUBLISHED[record.language])
        self._partial = ""
        self._send(rtvi.user_transcription(WITHHELD if record.withheld else record.heard, self._user))

    def partial(self, text: str) -> None:
        """What was heard so far of what the person is saying; the next of these, or the whole, replaces it. Kept nowhere."""
        if text and text != self._partial:
            self._partial = text
            self._send(rtvi.user_transcription(text, self._user, final=False))

    def nothing(self) -> None:
        """What was heard so far was nothing: it is taken back."""
        if self._partial:
            self._partial = ""
            self._send(rtvi.user_transcription("", self._user))

    def speaks(self, speaking: bool, pts: float) -> None:
        """Sound really starts or stops; with it goes the subtitle."""
        if not speaking and self._spec.subtitles:
            self._subtitle("", "", "", pts)
        self._send(rtvi.message("bot-started-speaking" if speaking else "bot-stopped-speaking"))

    def sentence(self, utterance: Utterance, pts: float) -> None:
        """A sentence begins to sound. Sound that a third party sent may come without its words."""
        if not utterance.text:
            return
        self._send(rtvi.message("bot-output", {"text": utterance.text, "spoken": True, "aggregated_by": "sentence"}))
        if self._spec.subtitles:
            self._subtitle(utterance.text, _PUBLISHED[utterance.language], utterance.chat_id, pts)

    def played(self, utterance: Utterance, pts: float) -> None:
        """More of a sentence left, up to ``pts`` (stage clock, seconds): tell its words as they begin to sound."""
        if utterance is not self._saying:
            self._saying, self._told = utterance, 0
        seconds = utterance.played / STAGE_RATE
        words = utterance.words
        while self._told < len(words) and words[self._told].start <= seconds:
            word = words[self._told]
            self._told += 1
            at = {"chat_id": utterance.chat_id, "pts": round(pts + word.start - seconds, 3)}
            self._send(rtvi.message("bot-tts-text", {"text": word.text, **at}))

    def turn(self, record: TurnRecord) -> None:
        """An answer is over: where it was cut, and how quick it was."""
        if record.interrupted:
            self._send(rtvi.message("bot-interruption", {"spoken": record.spoken}))
        if stages := record.stages():
            self._send(rtvi.event("latency", chat_id=record.chat_id, stages=stages))

    def _subtitle(self, text: str, language: str, chat_id: str, pts: float) -> None:
        # words: they are told one by one, as bot-tts-text.
        more = {"text": text, "language": language, "chat_id": chat_id, "pts": round(pts, 3), "words": True}
        self._send(rtvi.event("subtitle", **more))
