"""Which passages a model says it took a sentence from: its marks are read, and never spoken.

The model is given passages by number and told to write ``[2]`` behind what it took from the second. Models also write ``[1][3]``,
``[1, 3]``, ``【2】``, ``［2］`` and ``[^2]``, and put the mark before or behind the full stop.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from visavis.dialogue.assistant.types import Passage

_NUMBERS: Final = r"\^?\d{1,2}(?:\s*[,，、;]\s*\^?\d{1,2})*"
_MARK: Final = re.compile(
    rf"\s*(?:\[\s*{_NUMBERS}\s*\]|【\s*{_NUMBERS}(?:†[^】]*)?\s*】|［\s*{_NUMBERS}\s*］)(?:\([^)\s]*\))?"
)
_NUMBER: Final = re.compile(r"(?<![\d†])\d{1,2}(?!\d)")
_ENDS: Final = re.compile(r"\s+(?=[.,;:!?。，；：！？])")


def cited(text: str, passages: Sequence[Passage]) -> tuple[str, str]:
    """The text without its marks, and the sources that they name, joined with "; " ("" if none does).

    Without passages nothing is a mark: who was given nothing means something else by ``[1]``.
    """
    if not passages:
        return text, ""
    sources: dict[str, None] = {}
    for mark in _MARK.finditer(text):
        for number in _NUMBER.findall(mark[0].partition("†")[0].partition("](")[0]):
            if 1 <= int(number) <= len(passages):
                sources[passages[int(number) - 1].source] = None
    return _ENDS.sub("", _MARK.sub("", text)).strip(), "; ".join(sources)
