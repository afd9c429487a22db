"""What is asked when an instruction lacks a slot, and what the answer to that fills."""

from __future__ import annotations

import re
from typing import Final

from visavis.dialogue.actions import asks
from visavis.dialogue.assistant.instructions import AFTER, BEFORE, BEHIND, Lacking, Told, led, plain, value_of
from visavis.dialogue.assistant.types import Slot
from visavis.dialogue.phrases import language_of
from visavis.dialogue.retrieval import choice
from visavis.speech.normalise import has_han
from visavis.speech.types import Language

DROPPED: Final[dict[Language, str]] = {"en": "All right, never mind.", "zh": "好的，那就算了。"}
"""Said when the person no longer wants it."""

_OFFERED: Final = 5  # values that are read out
_LONGEST_NAME: Final = 40
_NEVER_MIND: Final = (
    r"(?:no )?(?:never ?mind|forget (?:it|about it)|cancel(?: (?:it|that))?|leave it|stop|nothing|don't bother)"
    r"|不用了?|取消|算了吧?|不要了?|没事|没什么"
)
_SAID: Final = re.compile(
    BEFORE + r"(?:(?:it's|it is|that's|i mean|i meant|make it|take|i choose|the one) )*(?:我说的是|就是|是|我选|选)?"
)
_AFTER: Final = re.compile(AFTER)


def question(lacking: Lacking, language: Language) -> str:
    """What is asked for, in ``language``: the slot's description where that is a question, else one made of its name. After something
    that is none of the values, these are offered."""
    slot = lacking.missing[0]
    if lacking.unfit:
        return _offer(slot, language)
    for line in slot.description.splitlines():
        if line.strip().endswith(("?", "？")) and has_han(line) == (language == "zh"):
            return line.strip()
    name = _name(slot, language)
    if language == "zh":
        return f"请问是哪个{name}？" if name else "请问是哪一个？"
    return f"Which {name}?" if name else "Which one, please?"


def _offer(slot: Slot, language: Language) -> str:
    every = list(slot.values.get(language) or next(iter(slot.values.values()), {}))
    values, more = every[:_OFFERED], len(every) > _OFFERED
    if language == "zh":
        listed = "、".join(values) if more or len(values) < 2 else f"{'、'.join(values[:-1])}或{values[-1]}"
        return f"这个没有。您可以说{listed}{'等' if more else ''}。"
    listed = ", ".join(values) if more or len(values) < 2 else f"{', '.join(values[:-1])} or {values[-1]}"
    return f"I do not have that one. You can say{' for example' if more else ''}: {listed}."


def _name(slot: Slot, language: Language) -> str:
    """What a person calls the slot; "": nothing that could be said in ``language``."""
    name = " ".join(slot.name.replace("_", " ").split())
    return name if language_of(name, "en") == language and len(name) <= _LONGEST_NAME else ""


def declined(text: str) -> bool:
    """Whether the person wants none of it any more."""
    said = plain(text)
    wanted = rf"{BEFORE}(?:{_NEVER_MIND})(?:\s*(?:{_NEVER_MIND}))*{AFTER}"
    return choice(text, 0) == -1 or re.fullmatch(wanted, said) is not None


def filled(lacking: Lacking, text: str, language: Language) -> Told | Lacking | None:
    """The instruction with what ``text`` says for the slot that was asked for: one of its values; None: it names none of them."""
    slot = lacking.missing[0]
    bare = _bare(lacking, text)
    for spoken in dict.fromkeys((language, *slot.values)):
        values = slot.values.get(spoken, {})
        if (value := value_of(slot, bare, spoken, "")) in values:
            return lacking.with_value(value, language)
    named = {value for values in slot.values.values() for value, words in values.items() if _names(text, value, *words)}
    return lacking.with_value(named.pop(), language) if len(named) == 1 and not asks(text, language) else None


def taken(lacking: Lacking, text: str, language: Language, words: int) -> Told | Lacking | None:
    """The same for what may as well be something else: a slot that takes any words takes the few that were said, at most ``words`` (half
    as many again in Chinese characters); one that has values offers them, once. None: it is something else."""
    slot = lacking.missing[0]
    bare = _bare(lacking, text)
    length = len(bare) / 1.5 if has_han(bare) else len(bare.split())
    if not bare or length > words or asks(text, language):
        return None
    if not any(slot.values.values()):
        return lacking.with_value(value_of(slot, bare, language, text), language)
    return None if lacking.unfit else Lacking(lacking.instruction, lacking.slots, lacking.missing, bare)


def _bare(lacking: Lacking, text: str) -> str:
    """What was said, without courtesy, and without the words that stand around the slot in the instruction ("in the")."""
    said = plain(text)
    before = _SAID.match(said)
    bare = said[before.end() :] if before else said
    bare = next((bare[:at] for at in range(len(bare) + 1) if _AFTER.fullmatch(bare, at)), bare).strip()
    place = re.compile(rf"[{{｛]\s*{re.escape(lacking.missing[0].name)}\s*[}}｝]", re.IGNORECASE)
    for line in lacking.instruction.instruction.splitlines():
        found = place.search(line)
        if found is None:
            continue
        for word in led(plain(line[: found.start()]))[1]:
            bare = re.sub(rf"^{re.escape(word)}(?: |(?=[^a-z0-9 ]))", "", bare)
        if trail := BEHIND.match(plain(line[found.end() :])):
            bare = bare.removesuffix(trail[0]).strip()
    return bare or said


def _names(text: str, *words: str) -> bool:
    """Whether one of these is said in ``text``, as whole words."""
    said = plain(text)
    found = (re.escape(one) for word in words if (one := plain(word)))
    return any(re.search(rf"(?<![a-z0-9]){one}(?![a-z0-9])", said) for one in found)
