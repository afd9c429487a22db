"""What of an exchange counts: was it the right answer, did the answer go on to its end. Pure functions of messages."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from visavis.bench.response.recordings import Recording
from visavis.dialogue.knowledge import Entry
from visavis.errors import VisavisError

_NO_LETTER: Final = re.compile(r"[\W_]+")
_SENTENCE: Final = re.compile(r"[^.!?。！？]+[.!?。！？]*")
Message = Mapping[str, Any]


def letters(text: str) -> str:
    """Letters and digits only, in lower case: texts are compared by them."""
    return _NO_LETTER.sub("", text.lower())


def kind(message: Message) -> str:
    """The type of a message, or the event that it carries; "partial" for what is not yet heard to its end, or was
    nothing after all."""
    data = message.get("data") or {}
    if message.get("type") == "user-transcription" and (data.get("final") is False or not data.get("text")):
        return "partial"
    return str(data.get("event") or message.get("type"))


def heard(messages: Sequence[Message]) -> list[str]:
    """What was recognised, turn by turn. A turn that was taken up again when its speaker went on counts once, as a whole."""
    turns: list[str] = []
    for text in (str(each["data"]["text"]) for each in messages if kind(each) == "user-transcription"):
        if turns and letters(text).startswith(letters(turns[-1])):
            turns[-1] = text
        else:
            turns.append(text)
    return turns


def spoken(messages: Sequence[Message]) -> list[str]:
    """The sentences that were said; their words come again one by one, as they sound."""
    said = [each["data"] for each in messages if kind(each) == "bot-output"]
    return [str(each.get("text", "")) for each in said if each.get("aggregated_by", "sentence") == "sentence"]


def stages(messages: Sequence[Message]) -> dict[str, float]:
    """Seconds from the end of speech, as the server sees it, to each stage: of the first turn that was heard. May be empty."""
    first = next((at for at, each in enumerate(messages) if kind(each) == "user-transcription"), len(messages))
    told = next((each for each in messages[first:] if kind(each) == "latency"), None)
    return {str(name): float(value) for name, value in told["data"]["stages"].items()} if told else {}


def wanted(question: Recording, entries: Mapping[str, Entry]) -> list[str]:
    """The answers that are right, as they are stored, in the question's language. Raises VisavisError for an unknown entry."""
    texts = list(question.answers)
    for name in question.expect:
        if name not in entries:
            raise VisavisError(f"{question.file}: the knowledge has no entry {name!r}")
        assert question.language is not None
        text, _ = entries[name].answer(question.language)
        texts.append(text)
    return texts


def right(said: Sequence[str], answers: Sequence[str]) -> bool:
    """Whether one of ``answers`` was said, or its first sentence where somebody cut in."""
    whole = letters(" ".join(said))
    return any(_opening(answer) in whole for answer in answers if _opening(answer))


def finished(said: Sequence[str], answers: Sequence[str], messages: Sequence[Message]) -> bool:
    """Whether the answer was said to its end: nothing interrupted it, and where it was right its last sentence came, too."""
    if any(kind(each) == "bot-interruption" for each in messages):
        return False
    whole = letters(" ".join(said))
    return not right(said, answers) or any(letters(answer) in whole for answer in answers)


def _opening(answer: str) -> str:
    """Letters of the first sentence that has three words or more: an answer is not known by "Yes"."""
    taken = ""
    for sentence in _SENTENCE.findall(answer):
        taken += sentence
        if len(letters(taken)) >= 6:
            break
    return letters(taken)
