"""What all weather and search tools have in common: what the model sees of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Final

from visavis.dialogue.assistant.types import ToolError, ToolResult
from visavis.dialogue.plugins.types import Access

_MOST_RESULTS: Final = 5
_SNIPPET: Final = 500
_LONGEST_QUERY: Final = 200


class WeatherTool(ABC):
    """The weather of a place, now and on the next days."""

    name = "weather"
    acts = False
    schema: Mapping[str, Any] = {
        "type": "object",
        "properties": {
            "place": {"type": "string", "description": "City or town, as it is called in the question"},
        },
    }

    def __init__(self, access: Access) -> None:
        self.access = access

    @property
    def description(self) -> str:
        """What the model is told."""
        here = f" Without a place it answers for {self.access.place}." if self.access.place else ""
        return f"Current weather and the forecast of the next days for a place.{here}"

    async def call(self, arguments: Mapping[str, Any]) -> ToolResult:
        place = _text(arguments, "place") or self.access.place
        if not place:
            return ToolResult("For which place? Ask for it.", failed=True)
        return await self.weather(place)

    @abstractmethod
    async def weather(self, place: str) -> ToolResult:
        """The weather in words, numbers with units. Raises ToolError."""


class SearchTool(ABC):
    """What the web says about something."""

    name = "web_search"
    acts = False
    description = "Searches the web. Use it for what is recent, or what you do not know."
    schema: Mapping[str, Any] = {
        "type": "object",
        "properties": {"query": {"type": "string", "description": "What to search for, in a few words"}},
        "required": ["query"],
    }

    def __init__(self, access: Access) -> None:
        self.access = access

    async def call(self, arguments: Mapping[str, Any]) -> ToolResult:
        query = _text(arguments, "query")
        if not query:
            raise ToolError("query: wanted a text")
        found = (await self.search(query, _MOST_RESULTS))[:_MOST_RESULTS]
        if not found:
            return ToolResult("Nothing was found.")
        texts = [f"{number}. {title}: {snippet[:_SNIPPET]}" for number, (title, _, snippet) in enumerate(found, 1)]
        return ToolResult("\n".join(texts), sources=tuple(url or title for title, url, _ in found))

    @abstractmethod
    async def search(self, query: str, count: int) -> list[tuple[str, str, str]]:
        """(title, address, what it says) of the best results. Raises ToolError."""


def _text(arguments: Mapping[str, Any], name: str) -> str:
    value = arguments.get(name)
    return value.strip()[:_LONGEST_QUERY] if isinstance(value, str) else ""
