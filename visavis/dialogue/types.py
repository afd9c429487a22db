"""Interface of a dialogue engine."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
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
    """A question with what was really said before it (an interrupted answer only as far as it was heard).

    ``speculative``: the person may go on speaking, and the answer may never be used. An engine then changes nothing outside itself
    before its first sentence was taken; where it must, it says nothing and ends, and is asked again.
    """

    text: str
    language: Language
    history: Sequence[Message] = field(default_factory=tuple)
    user_id: str = ""
    session_id: str = ""
    speculative: bool = False


Purpose = Literal["answer", "clarify", "unknown", "filler", "error", "refused"]


@dataclass(frozen=True, slots=True)
class Command:
    """An instruction that was recognised: what the client is to do. ``slots``: by name, what was said for each."""

    name: str
    instruction: str
    slots: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence to speak, in ``language``, and what it is for. ``source``: what it was taken from, for the transcript.
    ``command``: what the client is told to do as it is said. ``tentative``: it fits what was said so badly that more may be to
    come; it is worth a longer silence."""

    text: str
    language: Language
    purpose: Purpose = "answer"
    source: str = ""
    command: Command | None = None
    tentative: bool = False


class Dialogue(Protocol):
    """Answers turns. One per session; closing the iterator cancels the answer."""

    def answer(self, turn: Turn) -> AsyncIterator[Sentence]: ...

    async def aclose(self) -> None: ...
