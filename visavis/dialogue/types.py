"""Interface of a dialogue engine."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from visavis.speech.types import Language

Role = Literal["user", "assistant"]


@dataclass(frozen=True, slots=True)
class Message:
    """What one side said before."""

    role: Role
    text: str


@dataclass(frozen=True, slots=True)
class Turn:
    """A question with what was really said before it (an interrupted answer only as far as it was heard)."""

    text: str
    language: Language
    history: Sequence[Message] = field(default_factory=tuple)
    user_id: str = ""
    session_id: str = ""


Purpose = Literal["answer", "clarify", "unknown", "filler", "error"]


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence to speak, in ``language``, and what it is for."""

    text: str
    language: Language
    purpose: Purpose = "answer"


class Dialogue(Protocol):
    """Answers turns. One per session; closing the iterator cancels the answer."""

    def answer(self, turn: Turn) -> AsyncIterator[Sentence]: ...

    async def aclose(self) -> None: ...
