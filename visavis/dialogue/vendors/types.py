"""What a vendor's service is to the conversation."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol

from visavis.dialogue.types import Turn
from visavis.errors import VisavisError

Kind = Literal["aiui", "cbs", "spark", "mobvoi"]

LARGEST: Final = 1 << 20
"""Bytes of one answer (of one frame, where it comes in several)."""


class VendorError(VisavisError):
    """The service gave no usable answer; the message is for the log, and no secret is in it."""


class NoAnswerError(VendorError):
    """The service works, and knows no answer."""


@dataclass(frozen=True, slots=True)
class Account:
    """A robot's account with a vendor.

    ``url``: where the service is. ``app_id``: the application (CBS: the robot there; Mobvoi: the role). ``key``, ``secret``: its
    credentials (CBS: AK and SK). ``project_id``: of CBS. ``production``: the application's production environment (AIUI).
    ``model``: of Spark; empty: the one that belongs to the URL. ``chat_rounds``: questions with their answers that a request
    carries, where it carries any.
    """

    kind: Kind
    url: str
    app_id: str
    key: str = field(default="", repr=False)
    secret: str = field(default="", repr=False)
    project_id: str = ""
    production: bool = False
    model: str = ""
    chat_rounds: int = 5


class Service(Protocol):
    """One conversation with a vendor's service."""

    stateful: bool
    """The service itself remembers what it was asked: it must be asked nothing twice, and nothing that was not meant."""

    def texts(self, turn: Turn) -> AsyncGenerator[str, None]:
        """The answer's text as it comes. Raises VendorError, UrlRefused, httpx.HTTPError, aiohttp.ClientError."""
        ...

    async def aclose(self) -> None: ...
