"""What decides about questions."""

from __future__ import annotations

from typing import Protocol

from visavis.errors import VisavisError
from visavis.speech.types import Language


class AuditError(VisavisError):
    """No decision came; the message is for the log, and no secret is in it."""


class Audit(Protocol):
    """Decides which questions are answered. Shared by the sessions of a worker."""

    async def check(self, text: str, language: Language) -> str | None:
        """Why ``text`` is refused, for the log, without quoting it; None: it is fine. Raises AuditError."""
        ...

    async def aclose(self) -> None: ...
