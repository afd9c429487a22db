"""Recognises instructions: what was said is compared with their wordings, and slots are filled from it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from visavis.dialogue.assistant.types import Instruction, Slot
from visavis.dialogue.types import Command
from visavis.speech.types import Language

_SLOT: Final = re.compile(r"[{｛]\s*([^{}｛｝]{1,256}?)\s*[}｝]")
_MARKS: Final = re.compile(r"[^\w\s']+")
_HAN: Final = "\u3400-\u9fff"
_LONGEST: Final = 200  # characters of what was said: instructions are short
_FREE: Final = 40  # characters that a slot without values takes
_LONGEST_DESCRIPTION: Final = 1024
_SHOWN: Final = 50  # values of a slot that a model is told
_WORDINGS: Final = 20  # of one instruction
_BEFORE: Final = (
    r"(?:(?:please|hey|hi|hello|ok|okay|so|now|and|um|uh|well|could you|can you|would you|will you|i want you to|i would like you to"
    r"|i'd like you to|you can|let's) )*"
    r"(?:(?:请问|请你|请您|请|麻烦你|麻烦您|麻烦|帮我|给我|替我|帮忙|你能|您能|能不能|能|可以|可不可以|我要|我想要|我想|现在|嗯|那个|那)\s*)*"
)
_AFTER: Final = r"(?: (?:please|now|for me|thanks|thank you|okay|ok))*(?:\s*(?:一下|好吗|好不好|可以吗|行吗|谢谢|吧|吗|呢|啊|呀|了))*"


@dataclass(frozen=True, slots=True)
class Told:
    """An instruction that was recognised: what the client is told, and what is said (empty: nothing was stored)."""

    command: Command
    reply: str


class Instructions:
    """All that a role can be told to do."""

    def __init__(self, instructions: Sequence[Instruction]) -> None:
        self._instructions = tuple(instructions)
        self._patterns: dict[Language, list[tuple[re.Pattern[str], Instruction, dict[str, Slot]]]] = {
            language: [
                (pattern, one, groups) for one in self._instructions for pattern, groups in _patterns(one, language)
            ]
            for language in ("zh", "en")
        }

    def __bool__(self) -> bool:
        return bool(self._instructions)

    def match(self, text: str, language: Language) -> Told | None:
        """What ``text`` tells to do; None: nothing. The instruction with most words of its own wins, then the first."""
        said = _plain(text[:_LONGEST])
        best: tuple[int, Told] | None = None
        for pattern, instruction, groups in self._patterns[language]:
            found = pattern.fullmatch(said)
            if found is None:
                continue
            slots = {slot.name: _value(slot, found[group], language, text) for group, slot in groups.items()}
            own = len(said) - sum(len(found[group]) for group in groups)
            if best is None or own > best[0]:
                best = (
                    own,
                    Told(
                        Command(instruction.name, instruction.instruction, slots), _reply(instruction, language, slots)
                    ),
                )
        return best[1] if best else None


def functions(instructions: Sequence[Instruction], language: Language) -> dict[str, tuple[Instruction, dict[str, Any]]]:
    """Instructions as what a model may call, by the names it calls them: for what was said in words that no wording has."""
    offered = {}
    for number, one in enumerate(instructions, 1):
        name = f"instruction_{number}"
        slots = {slot.name: _property(slot, language) for slot in one.slots}
        parameters = {"type": "object", "properties": slots, "required": list(slots)}
        told = " ".join(filter(None, (one.name, one.description)))[:_LONGEST_DESCRIPTION]
        function = {"name": name, "description": told, "parameters": parameters}
        offered[name] = (one, {"type": "function", "function": function})
    return offered


def called(instruction: Instruction, arguments: Mapping[str, Any], language: Language) -> Told | str:
    """What a call of it tells to do; a text: why it tells nothing (for the model)."""
    slots = {}
    for slot in instruction.slots:
        said = arguments.get(slot.name)
        if not isinstance(said, str | int | float) or not str(said).strip():
            return f"{slot.name} is missing: ask for it."
        value = _value(slot, _plain(str(said)), language, str(said))
        if slot.values.get(language) and value not in slot.values[language]:
            return f"{slot.name} can only be: {', '.join(list(slot.values[language])[:_SHOWN])}"
        slots[slot.name] = value
    return Told(Command(instruction.name, instruction.instruction, slots), _reply(instruction, language, slots))


def _property(slot: Slot, language: Language) -> dict[str, Any]:
    values = list(slot.values.get(language, {}))[:_SHOWN]
    return {"type": "string", "description": slot.description, **({"enum": values} if values else {})}


def _plain(text: str) -> str:
    """As what was said is compared: without case and punctuation, blanks only between words of letters."""
    words = " ".join(_MARKS.sub(" ", text.casefold()).split())
    return re.sub(rf"(?<=[{_HAN}]) | (?=[{_HAN}])", "", words)


def _patterns(instruction: Instruction, language: Language) -> Iterator[tuple[re.Pattern[str], dict[str, Slot]]]:
    """A pattern for each wording, and for the name, which says it too where there is nothing to fill in."""
    slots = {slot.name.casefold(): slot for slot in instruction.slots}
    lines = [line for line in instruction.instruction.splitlines() if line.strip()][:_WORDINGS]
    for line in dict.fromkeys([*lines, *([] if slots else [instruction.name])]):
        groups: dict[str, Slot] = {}
        parts = []
        at = 0
        for place in _SLOT.finditer(line):
            slot = slots.get(place[1].casefold(), Slot(place[1]))
            if slot in groups.values():
                break  # one slot, twice in a wording: nothing could be said that fits
            parts.append(re.escape(_plain(line[at : place.start()])))
            group = f"s{len(groups)}"
            groups[group] = slot
            parts.append(f"(?P<{group}>{_words(slot, language)})")
            at = place.end()
        else:
            parts.append(re.escape(_plain(line[at:])))
            if any(parts[::2]):  # a wording that is only slots would fit anything
                yield re.compile(_BEFORE + r"\s*".join(part for part in parts if part) + _AFTER), groups


def _words(slot: Slot, language: Language) -> str:
    values = slot.values.get(language)
    if not values:
        return rf"\S(?:.{{0,{_FREE - 2}}}?\S)?"
    every = {_plain(word) for value, words in values.items() for word in (value, *words)}
    return "|".join(re.escape(word) for word in sorted(every - {""}, key=len, reverse=True)) or "(?!)"


def _value(slot: Slot, said: str, language: Language, text: str) -> str:
    """The value that was meant; of a slot that takes any words, those as they stand in ``text``."""
    for value, words in slot.values.get(language, {}).items():
        if said in (_plain(value), *map(_plain, words)):
            return value
    written = re.search(r"[\W_]*".join(map(re.escape, said.replace(" ", ""))), text, re.IGNORECASE)
    return written[0] if written else said


def _reply(instruction: Instruction, language: Language, slots: Mapping[str, str]) -> str:
    text = instruction.replies.get(language) or next(iter(instruction.replies.values()), "")
    by_name = {name.casefold(): value for name, value in slots.items()}
    return _SLOT.sub(lambda place: by_name.get(place[1].casefold(), ""), text).strip()
