"""Markdown and HTML to what a reader would say of it: the words, without marks, addresses and code.

:func:`plain` takes a whole text or a sentence of one. Sentences are cut where they end, and what is not said may have such places
inside: a block of code, an address, a tag. So before a text is cut, :class:`Unsaid` takes that out of it.
"""

from __future__ import annotations

import html
import re
import unicodedata
from typing import Final

_FENCE: Final = re.compile(
    r"(?:(`{3,})|^[ \t>]*(~{3,}))[^\n`]*\n.*?(?:(?:\1|\2)[`~]*[ \t]*(?=\n|\Z)|\Z)", re.DOTALL | re.MULTILINE
)
_FENCE_LINE: Final = re.compile(r"^[ \t]*(?:`{3,}|~{3,})[\w+-]*[ \t]*$", re.MULTILINE)
_UNSAID: Final = re.compile(r"<!--.*?(?:-->|\Z)|<(script|style)\b.*?(?:</\1\s*>|\Z)", re.IGNORECASE | re.DOTALL)
_BREAK: Final = re.compile(r"<(?:br|hr)\s*/?>|</(?:p|div|li|tr|h[1-6]|ul|ol|table)\s*>", re.IGNORECASE)
_CELL: Final = re.compile(r"</t[dh]\s*>", re.IGNORECASE)
_TAG: Final = re.compile(r"</?[A-Za-z][^<>\n]*>|</?[a-z][a-z0-9]*$")
_LINK: Final = re.compile(r"!?\[([^\[\]\n]*)\](?:\((?:[^()\n]|\([^()\n]*\))*(?:\)|$)|\[[^\[\]\n]*\])")
_TARGET: Final = re.compile(
    r"^[ \t]{0,3}\[[^\[\]\n]+\]:[ \t]*<?(?:https?://|www\.|mailto:|[/#.])[^\n]*$\n?", re.MULTILINE
)
_NOTE: Final = re.compile(r"\[\^[^\[\]\n]*\](?::.*)?|(?<=\S)\[\d{1,3}\](?!\()")
_RULER: Final = re.compile(r"^[ \t]*(?:[-*_][ \t]*){3,}$|^[ \t]*=+[ \t]*$", re.MULTILINE)
_DIVIDER: Final = re.compile(r"^[ \t]*\|?[ \t]*:?-{2,}:?[ \t]*(?:\|[ \t]*:?-{2,}:?[ \t]*)*\|?[ \t]*$\n?", re.MULTILINE)
_ROW: Final = re.compile(r"^[ \t]*\|(.*?)\|?[ \t]*$", re.MULTILINE)
_HEADING: Final = re.compile(r"^[ \t]*#{1,6}[ \t]+(.*?)[ \t]*#*[ \t]*$", re.MULTILINE)
_ITEM: Final = re.compile(r"^[ \t]*(?:[-*+•◦▪][ \t]+(?:\[[ xX]\][ \t]+)?|(\d{1,3})[.)][ \t]+)(.*)$", re.MULTILINE)
_QUOTE: Final = re.compile(r"^[ \t]*(?:>[ \t]?)+", re.MULTILINE)
_STRUCK: Final = re.compile(r"~{2,}")
_ENTITY: Final = re.compile(r"&(?:#\d{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_END: Final = "\uf8ff"
"""Stands for the end of a line that is a piece of its own: people pause there."""
_ENDS: Final = re.compile(rf"[ \t]*{_END}[\s{_END}]*")


def plain(text: str, pause: str) -> str:
    """``text`` without its markup.

    Headings, list items and rows of tables are followed by ``pause`` (such as a comma), unless a mark stands there or
    nothing follows. Marks within a line that are open where the text ends, as when a stream is cut, are markup all the same.
    """
    if _looks_plain(text):
        return text
    text = _FENCE.sub("\n", text.replace(_END, ""))
    text = _FENCE_LINE.sub("", text)
    text = _CELL.sub(_END, _BREAK.sub(f"{_END}\n", _UNSAID.sub(" ", text)))
    text = _TAG.sub("", text)
    text = _ENTITY.sub(_character, text)
    text = _unlinked(_NOTE.sub("", _TARGET.sub("", text)))
    text = _RULER.sub("", _DIVIDER.sub("", text))
    text = _ROW.sub(lambda row: _END.join(cell.strip() for cell in row[1].split("|")) + _END, text)
    text = _HEADING.sub(rf"\1{_END}", _QUOTE.sub("", text))
    text = _ITEM.sub(lambda item: (f"{item[1]}. " if item[1] else "") + item[2] + _END, text)
    text = _STRUCK.sub("", text)
    return _ENDS.sub(lambda end: _pause(text, end, pause), text)


def _unlinked(text: str) -> str:
    """The words of links; a picture may stand within one."""
    return _LINK.sub(r"\1", _LINK.sub(r"\1", text))


def _looks_plain(text: str) -> bool:
    """Most sentences have nothing of it."""
    return not any(sign in text for sign in "`~<&[|#*>_•◦▪\n") and not re.match(r"\s*(?:[-+]\s|\d{1,3}[.)]\s)", text)


def _character(entity: re.Match[str]) -> str:
    """The character that an entity stands for; none of the private ones, which mean something here."""
    text = html.unescape(entity[0])
    return text if all(unicodedata.category(one) != "Co" for one in text) else " "


_LONGEST: Final = 1000
"""What begins like markup and has not ended after so many characters is none."""
_BLOCK: Final = 2000
"""Characters that are looked at together: nonsense of megabytes must not cost more than its length."""
_BEGINS: Final = re.compile(r"`{1,2}\Z|~{1,2}\Z|`{3,}|~{3,}|<|\[|\|")
_FENCED: Final = re.compile(r"(`{3,}|~{3,})[^\n`]*(\n|`|\Z)")
_HIDDEN: Final = re.compile(r"<!--|<(script|style)(?=[\s>/])", re.IGNORECASE)
_TAGGED: Final = re.compile(r"<(?:/?[A-Za-z][^<>\n]*)?(>|\Z)|<!?-?\Z")
_CUT_TAG: Final = re.compile(
    r"""<(?:!-?|/?[A-Za-z][\w-]*(?:\s+[\w:-]+=(?:"[^"\n]*"|'[^'\n]*'|[^\s"'>]+))*+(?:\s+[\w:-]*(?:=(?:"[^"\n]*|'[^'\n]*|[^\s"'>]*))?)?\s*/?)?\Z"""
)
"""A tag that breaks off with the text, and no comparison."""
_INNER: Final = r"\[[^\[\]\n]*+(?:\](?:\([^()\n]*+(?:\)|\Z))?+|\Z)"
_LABEL: Final = rf"((?:[^\[\]\n]|{_INNER})*+)"
_ADDRESS: Final = r"\((?:[^()\n]|\([^()\n]*+(?:\)|\Z))*+(\)|\Z)"
_LINKED: Final = re.compile(rf"\[{_LABEL}(?:\Z|\](?:\Z|{_ADDRESS}|\[[^\[\]\n]*+(\]|\Z)))")
_NAMED: Final = re.compile(r"\[[^\[\]\n]+\](?:\Z|:)")
_NUMBERED: Final = re.compile(r"[\s\d^,，、;]*")


class Unsaid:
    """Takes out of a text that arrives in pieces what is never said and must not be cut: code blocks, addresses of links, tags, comments.

    What may be the beginning of such is held back until it is known, so that the outcome is the same however the text is cut.
    Other marks stay, for :func:`plain`.
    """

    def __init__(self, pause: str) -> None:
        """``pause``: between cells of a table, as :func:`plain` has it."""
        self._pause = pause
        self._held = ""
        self._until: re.Pattern[str] | None = None
        self._line = True  # only blanks and marks of quotations since the last line began

    def push(self, piece: str) -> str:
        """Take a piece; what is certain now."""
        blocks = (piece[at : at + _BLOCK] for at in range(0, len(piece), _BLOCK))
        return "".join([self._taken(block, last=False) for block in blocks])

    def finish(self) -> str:
        """The rest, when no more comes."""
        return self._taken("", last=True)

    def _taken(self, piece: str, *, last: bool) -> str:
        self._held += piece
        out = ""
        while self._held:
            if self._until is not None:
                ending = self._until.search(self._held)
                if ending is None:
                    # The end itself may be cut.
                    self._held = "" if last else self._held[-_LONGEST:]
                    break
                self._held, self._until = self._held[ending.end() :], None
                out += self._release("\n")
                continue
            begin, length, said = self._next(last)
            out += self._release(self._held[:begin])
            if length == 0:
                self._held = self._held[begin:]
                break
            self._held = self._held[begin + length :]
            out += self._release(said)
        return out

    def _release(self, text: str) -> str:
        _, newline, tail = text.rpartition("\n")
        self._line = (bool(newline) or self._line) and not tail.strip(" \t>")
        return text

    def _next(self, last: bool) -> tuple[int, int, str]:
        """(where the next markup begins, how long it is, what is said of it). Length 0: it is not known yet."""
        held = self._held
        for mark in _BEGINS.finditer(held):
            begin, sign = mark.start(), held[mark.start()]
            whole = last or len(held) - begin > _LONGEST
            if sign == "|":
                found = self._row(begin, whole)
            elif sign == "<":
                found = self._tag(begin, whole)
            elif sign == "[":
                found = self._link(begin, whole)
            else:
                found = self._fence(begin, whole)
            if found is not None:
                return begin, *found
        return len(held), 0, ""

    def _fence(self, begin: int, whole: bool) -> tuple[int, str] | None:
        if self._held[begin] == "~" and not self._opens_line(begin):
            return None
        fence = _FENCED.match(self._held, begin)
        if fence is None:
            return None if whole else (0, "")
        if fence[2] == "`":
            return None
        if fence[2] == "\n":
            self._until = re.compile(rf"{fence[1]}[`~]*[ \t]*(?=\n)")
            return fence.end() - begin, "\n"
        return (fence.end() - begin, "") if whole else (0, "")

    def _tag(self, begin: int, whole: bool) -> tuple[int, str] | None:
        hidden = _HIDDEN.match(self._held, begin)
        if hidden is not None:
            self._until = re.compile(rf"</{hidden[1]}\s*>" if hidden[1] else "-->", re.IGNORECASE)
            return hidden.end() - begin, " "
        if whole and (cut := _CUT_TAG.match(self._held, begin)):
            return cut.end() - begin, ""
        tag = _TAGGED.match(self._held, begin)
        if tag is None or (whole and not tag[1]):
            return None
        if not tag[1]:
            return 0, ""
        # Those without attributes may mean a pause.
        return tag.end() - begin, "" if " " in tag[0] or ":" in tag[0] else tag[0]

    def _link(self, begin: int, whole: bool) -> tuple[int, str] | None:
        if self._opens_line(begin) and _NAMED.match(self._held, begin):
            end = self._held.find("\n", begin)
            if end < 0 and not whole:
                return 0, ""
            line = self._held[begin:] if end < 0 else self._held[begin:end]
            if _TARGET.fullmatch(line):
                return len(line), ""
        link = _LINKED.match(self._held, begin)
        if link is None:
            return None
        if link.end() == len(self._held) and not (link[2] or link[3]):
            return None if whole else (0, "")
        if _NUMBERED.fullmatch(link[1]):  # of a source, perhaps: who cuts sentences knows
            return link.end() - begin, link[0]
        return link.end() - begin, _unlinked(link[1])

    def _opens_line(self, begin: int) -> bool:
        newline = self._held.rfind("\n", 0, begin)
        return not self._held[newline + 1 : begin].strip(" \t>") and (newline >= 0 or self._line)

    def _row(self, begin: int, whole: bool) -> tuple[int, str] | None:
        if not self._opens_line(begin):
            return None
        end = self._held.find("\n", begin)
        if end < 0 and not whole:
            return 0, ""
        row = self._held[begin:] if end < 0 else self._held[begin : end + 1]
        return len(row), plain(row, self._pause).strip() + "\n"


def _pause(text: str, end: re.Match[str], pause: str) -> str:
    before, after = text[: end.start()].rstrip(), text[end.end() :].lstrip()
    if not before or not after or before[-1] == _END:
        return " "
    return " " if before[-1] in ",.;:!?，。；：！？、…" else pause
