"""What is said besides answers, in both languages, and how texts are cut into sentences."""

from __future__ import annotations

import re
from typing import Final

from sentencex import segment

from visavis.speech import markup
from visavis.speech.types import Language

_IN_ADDRESS: Final = re.compile(r"://\S*\Z")

UNKNOWN: Final[dict[Language, str]] = {
    "en": "I am sorry, I don't know that.",
    "zh": "抱歉，这个问题我不知道。",
}
NOT_HEARD: Final[dict[Language, str]] = {
    "en": "I am sorry, I did not catch that.",
    "zh": "抱歉，我没有听清。",
}
DONE: Final[dict[Language, str]] = {
    "en": "All right.",
    "zh": "好的。",
}
"""To an instruction for which no reply is stored."""
HERE: Final[dict[Language, str]] = {
    "en": "Yes, I am here.",
    "zh": "我在，请讲。",
}
MOMENT: Final[dict[Language, str]] = {
    "en": "One moment, please.",
    "zh": "请稍等。",
}
DECLINED: Final[dict[Language, str]] = {
    "en": "All right. Please ask me in other words.",
    "zh": "好的，请您换个说法再问一次。",
}
FAILED: Final[dict[Language, str]] = {
    "en": "I am sorry, I cannot answer right now. Please try again in a moment.",
    "zh": "抱歉，我现在无法回答，请稍后再试。",
}
REFUSED: Final[dict[Language, str]] = {
    "en": "I am sorry, I would rather not talk about that. May I help you with something else?",
    "zh": "抱歉，这个话题我不方便回答。您可以问我别的问题。",
}
BROKEN: Final[dict[Language, str]] = {
    "en": "I am sorry, my answer broke off. Please ask me once more.",
    "zh": "抱歉，我的回答中断了，请您再问一次。",
}


def ask_back(questions: list[str], language: Language) -> str:
    """Ask which of one or two stored questions was meant."""
    plain = [question.strip().rstrip("?？。.") for question in questions]
    if language == "zh":
        return f"您是想问：{plain[0]}？" if len(plain) == 1 else f"您是想问，第一，{plain[0]}；还是第二，{plain[1]}？"
    if len(plain) == 1:
        return f"Did you mean: {plain[0]}?"
    return f"Did you mean, first: {plain[0]}; or second: {plain[1]}?"


PAUSE: Final[dict[Language, str]] = {"en": ", ", "zh": "，"}
"""What stands between the cells of a table and behind a heading, when they are said."""


def sentences(text: str, language: Language) -> list[str]:
    """Cut a text into sentences; nothing of it is lost but the blanks between them, and what is never said (code, addresses of links)."""
    unsaid = markup.Unsaid(PAUSE[language])
    return _cut(unsaid.push(text) + unsaid.finish(), language)


def _cut(text: str, language: Language) -> list[str]:
    return [sentence for part in segment(language, text) if (sentence := str(part).strip())]


class SentenceStream:
    """Cuts text that arrives in pieces: a sentence leaves as soon as the next one has begun.

    A sentence that ends in a mark no abbreviation ends in (``? ! 。``) leaves at once.
    """

    _SURE: Final = ("。", "！", "？", "!", "?", "\n", "；")

    def __init__(self, language: Language, longest: int = 400) -> None:
        """``longest``: a text without any sentence end is cut after so many characters."""
        self._language: Language = language
        self._longest = longest
        self._rest = ""
        self._unsaid = markup.Unsaid(PAUSE[language])

    def push(self, piece: str) -> list[str]:
        """Take a piece; the sentences it completes."""
        self._rest += self._unsaid.push(piece)
        parts = [str(part) for part in segment(self._language, self._rest)]
        if not parts:
            return []
        last = parts[-1]
        if last.rstrip(" ").endswith(self._SURE) and not self._may_close(last):
            complete, self._rest = parts, ""
        elif len(last) > self._longest:
            cut = max(last.rfind(mark, 0, self._longest) for mark in (" ", "，", ",", "、")) + 1 or self._longest
            complete, self._rest = [*parts[:-1], last[:cut]], last[cut:]
        else:
            complete, self._rest = parts[:-1], last
        return [sentence for part in complete if (sentence := part.strip())]

    def finish(self) -> list[str]:
        """The rest, when no more comes."""
        rest, self._rest = self._rest + self._unsaid.finish(), ""
        return _cut(rest, self._language)

    def _may_close(self, last: str) -> bool:
        """The sentence may go on: an opened quotation is still to be closed, or this is the middle of an address."""
        return (
            _IN_ADDRESS.search(last) is not None
            or any(last.count(a) > last.count(b) for a, b in ("“”", "‘’", "「」", "（）", "()"))
            or last.count('"') % 2 == 1
        )


def language_of(text: str, fallback: Language) -> Language:
    """The language a text is written in: Chinese with any Han character, else English with any Latin letter."""
    if any("\u4e00" <= character <= "\u9fff" for character in text):
        return "zh"
    return "en" if any("a" <= character <= "z" for character in text.casefold()) else fallback
