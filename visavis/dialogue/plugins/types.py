"""What a plug-in is made from, and what one provides."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Literal

from visavis.dialogue.assistant.types import Tool
from visavis.urlpolicy import UrlPolicy

Kind = Literal["WEATHER_QUERY", "WEB_SEARCH"]

ENTRY_POINTS: Final = "visavis.plugins"
"""Entry point group of other providers, by the provider's name in lower case: each names a :data:`Maker`."""


@dataclass(frozen=True, slots=True)
class Service:
    """A service that the operator names: ``provider`` says whose protocol it speaks."""

    provider: str = ""
    url: str = ""
    api_key: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Plugin:
    """A plug-in of a role. ``provider`` "": the operator's own service, as the settings name it."""

    kind: Kind
    provider: str = ""
    api_key: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Access:
    """What a provider is asked with. ``url`` "": where the provider publishes its service."""

    url: str
    api_key: str = field(repr=False)
    policy: UrlPolicy
    place: str = ""


Maker = Callable[[Access], Tool]
"""Makes the tool of a provider. Raises ToolError: something is missing."""
