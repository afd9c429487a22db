"""What the END_USER asks for through the data channel (``docs/protocol.md``)."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Final, Protocol

from visavis.session import rtvi
from visavis.session.announcer import Announcer
from visavis.session.spec import ChatState, FinishReason
from visavis.speech.types import Language

_LANGUAGES: Final[dict[str, Language | None]] = {"CN": "zh", "EN": "en", "AUTO": None}


class Asked(Protocol):
    """Who does what is asked for."""

    @property
    def chat_state(self) -> ChatState: ...

    def wake(self) -> None: ...

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
            case "send-text":
                self._run(asked.ask(str(message.data.get("content", ""))))
            case "say":
                self._run(asked.say(str(message.data.get("text", ""))))
            case "interrupt":
                self._run(asked.interrupt())
            case "wake":
                asked.wake()
            case "sleep":
                asked.sleep()
            case "stop" | "disconnect-bot":
                asked.finish("NORMAL")
            case "language" if (language := str(message.data.get("language"))) in _LANGUAGES:
                asked.expect(_LANGUAGES[language])
                self._tell.language(language)
            case _:
                self._tell.error(f"unknown message {message.kind!r}")
