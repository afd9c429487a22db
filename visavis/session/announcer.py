"""What the client is told (``docs/protocol.md``): each thing worth telling, as the message that tells it."""

from __future__ import annotations

from collections.abc import Callable

from visavis.session import rtvi
from visavis.session.script import TurnRecord, Utterance
from visavis.session.spec import ChatState, FinishReason, JobSpec


class Announcer:
    """Writes to the END_USER's data channel through ``send``, which may find nobody there."""

    def __init__(self, spec: JobSpec, send: Callable[[str], object]) -> None:
        self._spec, self._send = spec, send
        self._user = next((user.user_id for user in spec.users if user.user_type == "END_USER"), "")

    def ready(self, message_id: str) -> None:
        """The answer to ``client-ready``."""
        about = {"version": rtvi.RTVI_VERSION, "about": {"library": "visavis"}}
        self._send(rtvi.message("bot-ready", about, message_id))

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
            self._send(rtvi.event("enterActive"))

    def end_is_near(self, seconds: float) -> None:
        self._send(rtvi.event("jobEndMention", jobId=self._spec.job_id, restTime=seconds))

    def end(self, reason: FinishReason) -> None:
        self._send(rtvi.event("jobEnd", jobId=self._spec.job_id, reason=reason))

    def language(self, language: str) -> None:
        self._send(rtvi.event("languageInfoChange", language=language))

    def person_speaks(self, speaking: bool) -> None:
        self._send(rtvi.message("user-started-speaking" if speaking else "user-stopped-speaking"))

    def heard(self, record: TurnRecord) -> None:
        self._send(rtvi.user_transcription(record.heard, self._user))

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
            self._subtitle(utterance.text, "CN" if utterance.language == "zh" else "EN", utterance.chat_id, pts)

    def turn(self, record: TurnRecord) -> None:
        """An answer is over: where it was cut, and how quick it was."""
        if record.interrupted:
            self._send(rtvi.message("bot-interruption", {"spoken": record.spoken}))
        if stages := record.stages():
            self._send(rtvi.event("latency", chat_id=record.chat_id, stages=stages))

    def _subtitle(self, text: str, language: str, chat_id: str, pts: float) -> None:
        self._send(rtvi.event("subtitle", text=text, language=language, chat_id=chat_id, pts=round(pts, 3)))
