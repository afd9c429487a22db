"""Recognises instructions: what was said is compared with their wordings, and slots are filled from it.

What lacks a slot is recognised, too; what is asked for then, and what the answer fills, is in ``slots``.
"""

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
_SLOTS: Final = 4  # of one wording: each may take any words, so that the ways to read a sentence multiply
_BORDER: Final = r"(?:\s+|(?<![a-z0-9])|(?![a-z0-9]))"  # no word begins within another
_ARTICLES: Final = frozenset({"the", "a", "an", "my", "our", "your"})
_PREPOSITIONS: Final = frozenset(
    {"in", "on", "at", "to", "for", "of", "from", "with", "by", "about", "into", "as", "until"}
)
_COVERBS: Final = "在到去给为从用至成"
"""Words before a slot that are missing with it ..."""
BEHIND: Final = re.compile(
    r"(?:percent|degrees|minutes|seconds|hours)$|(?:里面|里|上面|上)?的|(?:里面|里|上面|上|度|分钟|点)$"
)
"""... and behind it."""
_POLITE: Final = r"(?:please|now|for me|thanks|thank you|okay|ok|一下|好吗|好不好|可以吗|行吗|谢谢|吧|吗|呢|啊|呀|了)"
BEFORE: Final = (
    r"(?:(?:please|hey|hi|hello|ok|okay|so|now|and|um|uh|well|could you|can you|would you|will you|i want you to|i would like you to"
    r"|i'd like you to|you can|let's) )*"
    r"(?:(?:请问|请你|请您|请|麻烦你|麻烦您|麻烦|帮我|给我|替我|帮忙|你能|您能|能不能|能|可以|可不可以|我要|我想要|我想|现在|嗯|那个|那)\s*)*"
)
AFTER: Final = r"(?: (?:please|now|for me|thanks|thank you|okay|ok))*(?:\s*(?:一下|好吗|好不好|可以吗|行吗|谢谢|吧|吗|呢|啊|呀|了))*"


@dataclass(frozen=True, slots=True)
class Told:
    """An instruction that was recognised: what the client is told, and what is said (empty: nothing was stored)."""

    command: Command
    reply: str


@dataclass(frozen=True, slots=True)
class Lacking:
    """An instruction that was recognised, and not all of its slots.

    ``slots``: those that are known; ``missing``: the others, in the order in which they are asked for. ``unfit``: what was said for the
    first of them, which is none of its values; empty: nothing was.
    """

    instruction: Instruction
    slots: Mapping[str, str]
    missing: Sequence[Slot]
    unfit: str = ""

    def with_value(self, value: str, language: Language) -> Told | Lacking:
        """With a value for what is asked for first."""
        slots = {**self.slots, self.missing[0].name: value}
        if self.missing[1:]:
            return Lacking(self.instruction, slots, self.missing[1:])
        return _told(self.instruction, language, slots)


class Instructions:
    """All that a role can be told to do."""

    def __init__(self, instructions: Sequence[Instruction]) -> None:
        self._instructions = tuple(instructions)
        self._whole = self._compiled(whole=True)
        self._parts = self._compiled(whole=False)

    def __bool__(self) -> bool:
        return bool(self._instructions)

    def _compiled(self, *, whole: bool) -> dict[Language, list[_Wording]]:
        return {
            language: [one for told in self._instructions for one in _wordings(told, language, whole=whole)]
            for language in ("zh", "en")
        }

    def match(self, text: str, language: Language) -> Told | None:
        """What ``text`` tells to do; None: nothing. The instruction with most words of its own wins, then the first."""
        best = self._best(self._whole[language], text)
        if best is None:
            return None
        wording, found = best
        slots = {slot.name: value_of(slot, found[group], language, text) for group, slot in wording.groups.items()}
        return _told(wording.instruction, language, slots)

    def begun(self, text: str, language: Language) -> Lacking | None:
        """What ``text`` tells to do without all that must be known for it; None: nothing. Where something was said that a slot has no
        value for, it is only likely that the instruction was meant."""
        best = self._best(self._parts[language], text)
        if best is None:
            return None
        wording, found = best
        slots: dict[str, str] = {}
        missing: list[Slot] = []
        unfit = ""
        for group, slot in wording.groups.items():
            if said := found[group]:
                slots[slot.name] = value_of(slot, said, language, text)
            elif other := found.groupdict().get(f"u{group}"):
                missing.insert(0, slot)
                unfit = value_of(Slot(slot.name), other, language, text)
            else:
                missing.append(slot)
        return Lacking(wording.instruction, slots, missing, unfit) if missing else None

    def _best(self, wordings: Sequence[_Wording], text: str) -> tuple[_Wording, re.Match[str]] | None:
        said = plain(text[:_LONGEST])
        best: tuple[tuple[int, int], _Wording, re.Match[str]] | None = None
        for wording in wordings:
            found = wording.pattern.fullmatch(said)
            if found is None:
                continue
            groups = found.groupdict()
            unfit = sum(bool(value) for name, value in groups.items() if name.startswith("u"))
            rank = (-unfit, len(said) - sum(len(value or "") for value in groups.values()))
            if unfit < 2 and (best is None or rank > best[0]):
                best = rank, wording, found
        return best[1:] if best else None


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


def called(instruction: Instruction, arguments: Mapping[str, Any], language: Language) -> Told | Lacking:
    """What a model's call of it tells to do."""
    slots: dict[str, str] = {}
    missing: list[Slot] = []
    unfit = ""
    for slot in instruction.slots:
        said = arguments.get(slot.name)
        text = str(said).strip() if isinstance(said, str | int | float) else ""
        value = value_of(slot, plain(text), language, text) if text else ""
        if value and not (slot.values.get(language) and value not in slot.values[language]):
            slots[slot.name] = value
        elif value:
            missing.insert(0, slot)
            unfit = text
        else:
            missing.append(slot)
    return Lacking(instruction, slots, missing, unfit) if missing else _told(instruction, language, slots)


def _property(slot: Slot, language: Language) -> dict[str, Any]:
    values = list(slot.values.get(language, {}))[:_SHOWN]
    return {"type": "string", "description": slot.description, **({"enum": values} if values else {})}


def plain(text: str) -> str:
    """As what was said is compared: without case and punctuation, blanks only between words of letters."""
    words = " ".join(_MARKS.sub(" ", text.casefold().replace("%", " percent ")).split())
    return re.sub(rf"(?<=[{_HAN}]) | (?=[{_HAN}])", "", words)


@dataclass(frozen=True, slots=True)
class _Wording:
    """A pattern, and which slot each of its groups fills. Behind group ``u...`` stands what fits none of the slot's values."""

    pattern: re.Pattern[str]
    instruction: Instruction
    groups: Mapping[str, Slot]


def _wordings(instruction: Instruction, language: Language, *, whole: bool) -> Iterator[_Wording]:
    """A pattern for each wording, and for the name, which says it too where there is nothing to fill in. Not ``whole``: slots may be
    missing, or hold anything."""
    slots = {slot.name.casefold(): slot for slot in instruction.slots}
    lines = [line for line in instruction.instruction.splitlines() if line.strip()][:_WORDINGS]
    for line in dict.fromkeys([*lines, *([] if slots else [instruction.name])]):
        places = list(_SLOT.finditer(line))
        named = [slots.get(place[1].casefold(), Slot(place[1])) for place in places]
        if len({slot.name for slot in named}) < len(named) or len(named) > _SLOTS:
            continue  # one slot, twice in a wording: nothing could be said that fits
        ends = [0, *(place.end() for place in places)]
        starts = [*(place.start() for place in places), len(line)]
        words = [plain(line[end:start]) for end, start in zip(ends, starts, strict=True)]
        parts = list(_strict(words, named, language) if whole else _loose(words, named, language))
        own = words if whole else parts[::2]
        if any(own) and (whole or (named and len("".join(own)) > 1)):  # a wording that is only slots would fit anything
            pattern = re.compile(BEFORE + _BORDER.join(part for part in parts if part) + AFTER)
            yield _Wording(pattern, instruction, {f"s{number}": slot for number, slot in enumerate(named)})


def _strict(words: Sequence[str], slots: Sequence[Slot], language: Language) -> Iterator[str]:
    """The parts of a pattern: words and slots in turn."""
    yield re.escape(words[0])
    for number, slot in enumerate(slots):
        yield f"(?P<s{number}>{_words(slot, language)})"
        yield re.escape(words[number + 1])


def _loose(words: Sequence[str], slots: Sequence[Slot], language: Language) -> Iterator[str]:
    """The same; each slot may be missing, with the little words around it, or hold what is none of its values."""
    rest = words[0]
    for number, slot in enumerate(slots):
        rest, lead = led(rest, 0 if number else 2)
        yield re.escape(rest)
        trail = BEHIND.match(words[number + 1])
        behind = trail[0] if trail else ""
        rest = words[number + 1][len(behind) :].strip()
        filled = f"(?P<s{number}>{_words(slot, language)})"
        if slot.values.get(language):
            filled = f"(?:{filled}|(?P<us{number}>{_words(Slot(slot.name), language)}))"
        parts = [*map(re.escape, lead), filled, *([re.escape(behind)] if behind else [])]
        gaps = [f"(?:{part})?" for part in parts if part is not filled]
        yield f"(?:{_BORDER.join(parts)}|{_BORDER.join(gaps)})"
    yield re.escape(rest)


def led(words: str, verb: int = 2) -> tuple[str, list[str]]:
    """Words before a slot, and those of them that are missing with it. ``verb``: so many words may be a verb ("turn on the {lamp}")."""
    if not words.isascii():
        return (words[:-1], [words[-1]]) if len(words) > 1 and words[-1] in _COVERBS else (words, [])
    kept, lead = words.split(), list[str]()
    while kept and (kept[-1] in _ARTICLES or (kept[-1] in _PREPOSITIONS and len(kept) > verb)):
        lead.insert(0, kept.pop())
    return " ".join(kept), lead


def _words(slot: Slot, language: Language) -> str:
    values = slot.values.get(language)
    if not values:
        return rf"(?!{_POLITE}(?:\s*{_POLITE})*$)\S(?:.{{0,{_FREE - 2}}}?\S)?"  # "play, please" names no song
    every = {plain(word) for value, words in values.items() for word in (value, *words)}
    return "|".join(re.escape(word) for word in sorted(every - {""}, key=len, reverse=True)) or "(?!)"


def value_of(slot: Slot, said: str, language: Language, text: str) -> str:
    """The value that was meant; of a slot that takes any words, those as they stand in ``text``."""
    for value, words in slot.values.get(language, {}).items():
        if said in (plain(value), *map(plain, words)):
            return value
    written = re.search(r"[\W_]*".join(map(re.escape, said.replace(" ", ""))), text, re.IGNORECASE)
    return written[0] if written else said


def _told(instruction: Instruction, language: Language, slots: Mapping[str, str]) -> Told:
    return Told(Command(instruction.name, instruction.instruction, slots), _reply(instruction, language, slots))


def _reply(instruction: Instruction, language: Language, slots: Mapping[str, str]) -> str:
    text = instruction.replies.get(language) or next(iter(instruction.replies.values()), "")
    by_name = {name.casefold(): value for name, value in slots.items()}
    return _SLOT.sub(lambda place: by_name.get(place[1].casefold(), ""), text).strip()
