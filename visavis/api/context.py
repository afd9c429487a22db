"""What the routes share, and how they get at it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, cast

from fastapi import Depends, Request

from visavis.api.catalogue import Catalogue
from visavis.api.metrics import Metrics
from visavis.api.services.assets import Assets
from visavis.api.services.chatting_open import OpenDialogues
from visavis.api.services.driving import Drivers
from visavis.api.services.jobs import JobService
from visavis.api.services.recalling import Recall
from visavis.api.services.segmenting import Segmenting
from visavis.api.services.speaking import Speaking
from visavis.api.services.warming import Warming
from visavis.api.throttle import Rate, Throttle
from visavis.dispatch.types import Dispatcher
from visavis.settings import Settings
from visavis.store.database import Database

_HOST = re.compile(r"^(?P<host>[A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::(?P<port>\d{1,5}))?$")


@dataclass(frozen=True, slots=True)
class Context:
    """One running server's parts. ``clock`` answers epoch seconds."""

    settings: Settings
    database: Database
    dispatcher: Dispatcher
    catalogue: Catalogue
    jobs: JobService
    assets: Assets
    metrics: Metrics
    clock: Callable[[], float]
    warming: Warming
    passwords: Throttle = field(default_factory=Throttle)
    password_hosts: Throttle = field(default_factory=lambda: Throttle(limit=30))
    # Argon2 takes memory and CPU on purpose; only so many passwords are checked at the same time.
    hashing: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(2))
    codes: Throttle = field(default_factory=lambda: Throttle(limit=10))
    rate: Rate = field(default_factory=lambda: Rate(0, 1))
    recall: Recall = field(default_factory=Recall)
    chats: OpenDialogues = field(default_factory=OpenDialogues)
    segmenting: Segmenting = field(default_factory=Segmenting)
    speaking: Speaking = field(default_factory=Speaking)
    drivers: Drivers = field(default_factory=Drivers)


def _context(request: Request) -> Context:
    return cast(Context, request.app.state.context)


Ctx = Annotated[Context, Depends(_context)]


def request_id(request: Request) -> str:
    """The id that the answer's X-Request-Id carries."""
    return cast(str, request.state.request_id)


def client_host(request: Request) -> str:
    """The peer's address (of the proxy, where one stands before the server)."""
    return request.client.host if request.client else ""


def access_address(request: Request, settings: Settings) -> str:
    """``host:port`` that clients reach the server at: as configured, else as this request reached it."""
    if settings.public_address:
        return settings.public_address
    match = _HOST.match(request.headers.get("host", ""))
    if match is None:
        return f"{settings.host}:{settings.port}"
    port = match["port"] or ("443" if request.scope["scheme"] == "https" else "80")
    return f"{match['host']}:{port}"


def base_url(request: Request, settings: Settings) -> str:
    """Scheme, host and port that clients reach the server at; never anything else that a Host header may hold."""
    return f"{request.scope['scheme']}://{access_address(request, settings)}"
