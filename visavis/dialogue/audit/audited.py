"""A dialogue whose questions are looked at before it hears of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from visavis import log
from visavis.dialogue import phrases
from visavis.dialogue.audit.model import ModelAudit, Moderator
from visavis.dialogue.audit.types import Audit, AuditError
from visavis.dialogue.audit.words import WordList, load
from visavis.dialogue.installed import loaded
from visavis.dialogue.types import Dialogue, Sentence, Turn
from visavis.speech.types import Language
from visavis.urlpolicy import UrlPolicy

_LOG = log.get(__name__)

ENTRY_POINTS: Final = "visavis.audits"
"""Entry point group of other audits: each names a ``Callable[[], Audit]``."""

_REMEMBERED: Final = 64


@dataclass(frozen=True, slots=True)
class AuditSettings:
    """``words``: word lists by language. ``moderator``: a model; ``plugin``: the entry point of an audit of one's own, after both.
    ``wait_s``: how long a question waits for a decision; ``open``: without one, it is answered."""

    words: Mapping[Language, Path]
    moderator: Moderator | None = None
    plugin: str = ""
    wait_s: float = 1.5
    open: bool = False


class Auditor:
    """One per worker: the word list, then the models side by side. What one of them refuses is refused."""

    def __init__(self, settings: AuditSettings, policy: UrlPolicy) -> None:
        """Reads the word lists (blocking). Raises WordListError, VisavisError: no such audit is installed."""
        self._words: WordList = load(settings.words)
        self._models: list[Audit] = []
        if settings.moderator is not None:
            self._models.append(ModelAudit(settings.moderator, policy))
        if settings.plugin:
            self._models.append(loaded(ENTRY_POINTS, settings.plugin)())
        self._wait_s = settings.wait_s
        self.open = settings.open

    @property
    def idle(self) -> bool:
        """Nothing is configured: whoever wants an audit gets none."""
        return not self._words and not self._models

    async def refuses(self, text: str, language: Language) -> bool:
        """Whether the question is not to be answered. Raises AuditError: nobody could tell."""
        if self._words.finds(text):
            _LOG.info("a question is refused", by="words")
            return True
        if not self._models:
            return False
        try:
            async with asyncio.timeout(self._wait_s):
                told = await asyncio.gather(*(model.check(text, language) for model in self._models))
        except TimeoutError:
            raise AuditError(f"no decision within {self._wait_s:g} s") from None
        reasons = [reason for reason in told if reason is not None]
        if reasons:
            _LOG.info("a question is refused", by="model", reason=", ".join(reasons)[:200])
        return bool(reasons)

    async def aclose(self) -> None:
        """Close what the models hold."""
        for model in self._models:
            await model.aclose()


class Audited:
    """Any dialogue, behind an audit. One per session."""

    def __init__(self, dialogue: Dialogue, auditor: Auditor) -> None:
        self._dialogue = dialogue
        self._auditor = auditor
        self._decided: dict[tuple[str, Language], bool] = {}
        self._asking: dict[tuple[str, Language], asyncio.Task[bool]] = {}

    async def answer(self, turn: Turn) -> AsyncGenerator[Sentence, None]:
        """The dialogue's answer; of a refused question one polite sentence with purpose "refused".

        A question is decided on once, whether it was asked speculatively first or not. Where nobody could tell, and such questions
        are not answered, an apology is said: the person may ask again.
        """
        try:
            refused = await self._refuses(turn.text, turn.language)
        except AuditError as error:
            _LOG.error("the question audit failed", reason=str(error), answered=self._auditor.open)
            if not self._auditor.open:
                yield Sentence(phrases.FAILED[turn.language], turn.language, "error")
                return
            refused = False
        if refused:
            yield Sentence(phrases.REFUSED[turn.language], turn.language, "refused")
            return
        sentences: Any = self._dialogue.answer(turn)
        async with aclosing(sentences):
            async for sentence in sentences:
                yield sentence

    async def admits(self, text: str, language: Language) -> bool:
        """Whether the question may be shown and kept: it is not refused. Decided on once, for this and for the answer."""
        try:
            return not await self._refuses(text, language)
        except AuditError:
            return self._auditor.open

    async def aclose(self) -> None:
        """Close the dialogue; the auditor is shared."""
        for task in self._asking.values():
            task.cancel()
        await self._dialogue.aclose()

    async def _refuses(self, text: str, language: Language) -> bool:
        key = text, language
        if key not in self._decided:
            task = self._asking.get(key)
            if task is None:
                task = self._asking[key] = asyncio.create_task(self._auditor.refuses(*key))
                task.add_done_callback(lambda done: self._asked(key, done))
            # Whoever gives up waiting is not the only one who does.
            refused = await asyncio.shield(task)
            while len(self._decided) >= _REMEMBERED:
                del self._decided[next(iter(self._decided))]
            self._decided[key] = refused
        return self._decided[key]

    def _asked(self, key: tuple[str, Language], done: asyncio.Task[bool]) -> None:
        self._asking.pop(key, None)
        if not done.cancelled():
            done.exception()  # known to whoever waits; nobody does where the question was taken back
