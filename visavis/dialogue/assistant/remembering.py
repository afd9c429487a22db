"""What tools said in the turns before: told to the model again with those turns, as chat models expect it."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, Final

from visavis.dialogue.assistant.calls import Call
from visavis.dialogue.assistant.types import ToolResult

_TURNS: Final = 20
_LONGEST: Final = 1500  # characters of one result that are kept
_LONGEST_CALL: Final = 1000  # of one call's arguments: a longer one is forgotten with its result
_MOST: Final = 6000  # of all that one request is told
_CUT: Final = " [cut]"

Messages = list[dict[str, Any]]


class ToolMemory:
    """Of one conversation. What was said is remembered elsewhere: a turn is found again by its question."""

    def __init__(self) -> None:
        self._turns: deque[tuple[str, Messages]] = deque(maxlen=_TURNS)

    def keep(self, question: str, told: Messages) -> None:
        """Remember the calls of a turn and their results (as :func:`exchange` makes them)."""
        kept = _bounded(told)
        if kept:
            self._turns.append((_key(question), kept))

    def woven(self, said: Sequence[Mapping[str, Any]]) -> Messages:
        """``said`` with what tools said, each behind the question that it was for; the last message is the present question. Of much,
        the newest is told."""
        by_question = dict(self._turns)  # of a question that was asked twice, what was found last
        messages: Messages = []
        left = _MOST
        for number, message in enumerate(reversed(said)):
            asked = number and message["role"] == "user"
            told = by_question.pop(_key(message["content"]), []) if asked else []
            size = sum(len(one["content"] or "") for one in told)
            if told and size <= left:
                left -= size
                messages += reversed(told)
            messages.append(dict(message))
        return messages[::-1]


def exchange(text: str, calls: Sequence[Call], results: Sequence[ToolResult]) -> Messages:
    """The model's reply with its calls, and what became of them, as messages."""
    made = [
        {
            "id": call.id,
            "type": "function",
            "function": {"name": call.name, "arguments": call.text if call.arguments else "{}"},
        }
        for call in calls
    ]
    told = [
        {"role": "tool", "tool_call_id": call.id, "content": result.text}
        for call, result in zip(calls, results, strict=True)
    ]
    return [{"role": "assistant", "content": text or None, "tool_calls": made}, *told]


def _bounded(told: Messages) -> Messages:
    """Without what the model said (the conversation has it) and what is too long."""
    kept: Messages = []
    large: set[str] = set()
    for message in told:
        if message["role"] == "assistant":
            large = {one["id"] for one in message["tool_calls"] if len(one["function"]["arguments"]) > _LONGEST_CALL}
            if calls := [one for one in message["tool_calls"] if one["id"] not in large]:
                kept.append({"role": "assistant", "content": None, "tool_calls": calls})
        elif message["tool_call_id"] not in large:
            text = message["content"]
            short = text if len(text) <= _LONGEST else text[: _LONGEST - len(_CUT)] + _CUT
            kept.append({**message, "content": short})
    return kept


def _key(question: str) -> str:
    """The same for what was heard twice with other punctuation."""
    return "".join(character for character in question.casefold() if character.isalnum())
