"""What the END_USER asks for through the data channel (``docs/protocol.md``)."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Final, Protocol, get_args

from visavis.session import rtvi
from visavis.session.announcer import Announcer
from visavis.session.microphone import Microphone
from visavis.session.signals import FinishReason
from visavis.session.spec import ChatState, TalkMode
from visavis.speech.types import Language

_LANGUAGES: Final[dict[str, Language | None]] = {"CN": "zh", "EN": "en", "AUTO": None}

_MODES: Final[tuple[TalkMode, ...]] = get_args(TalkMode)
_WAKEUP_TYPES: Final = ("VOICE", "RADAR", "INFRARED", "CAMERA")
_KNOWN: Final = ("wake", "mode", "talk", "capture", "language")


class Asked(Protocol):
    """Who does what is asked for."""

    @property
    def chat_state(self) -> ChatState: ...

    def wake(self, wakeup_type: str = "") -> None: ...

    def talk(self, on: bool) -> None: ...

    @property
    def microphone(self) -> Microphone: ...

    def sleep(self) -> None: ...

    def finish(self, reason: FinishReason) -> None: ...

    def expect(self, language: Language | None) -> None: ...

    async def ask(self, text: str) -> None: ...

    async def say(self, text: str) -> None: ...

    async def interrupt(self) -> None: ...


class Requests:
    """Reads the messages of one END_USER."""

    def __init__(self, asked: Asked, tell: Announcer, run: Callable[[Coroutine[Any, Any, None]], None]) -> None:
        """``run`` starts what takes time."""
        self._asked, self._tell, self._run = asked, tell, run

    def take(self, text: str) -> None:
        """Act on a message; one that makes no sense is answered with an error."""
        try:
            message = rtvi.parse(text)
        except rtvi.BadClientMessage as error:
            self._tell.error(f"bad message: {error}")
            return
        if message is None:
            return
        asked = self._asked
        match message.kind:
            case "client-ready":
                self._tell.ready(message.id)
                self._tell.chat_state(asked.chat_state)
                self._tell.hot_questions()
                self._tell.microphone(asked.microphone)
            case "send-text":
                self._run(asked.ask(str(message.data.get("content", ""))))
            case "say":
                self._run(asked.say(str(message.data.get("text", ""))))
            case "interrupt":
                self._run(asked.interrupt())
            case "wake" if (noticed := message.data.get("wakeup_type", "")) in ("", *_WAKEUP_TYPES):
                asked.wake(noticed)
            case "mode" if mode := next((one for one in _MODES if one == message.data.get("mode")), None):
                asked.microphone.switch(mode)
            case "talk" if isinstance(on := message.data.get("on"), bool):
                asked.talk(on)
            case "capture" if isinstance(cancelled := message.data.get("echo_cancelled"), bool):
                asked.microphone.captured(cancelled)
            case "sleep":
                asked.sleep()
            case "stop" | "disconnect-bot":
                asked.finish("NORMAL")
            case "language" if (language := str(message.data.get("language"))) in _LANGUAGES:
                asked.expect(_LANGUAGES[language])
                self._tell.language(language)
            case known if known in _KNOWN:
                self._tell.error(f"bad message: {known!r} with data that it does not take")
            case _:
                self._tell.error(f"unknown message {message.kind!r}")
