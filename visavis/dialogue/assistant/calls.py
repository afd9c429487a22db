"""What a model wants called: put together from the parts in which it comes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from visavis.dialogue.replies import CallDelta, ModelError

_MOST: Final = 8  # calls in one reply
_LONGEST: Final = 16_384  # characters of one call's arguments


@dataclass(frozen=True, slots=True)
class Call:
    """One call. ``arguments`` None: what came is no JSON object. ``text``: as it came."""

    id: str
    name: str
    arguments: Mapping[str, Any] | None
    text: str


@dataclass(slots=True)
class _Parts:
    index: int
    id: str = ""
    name: str = ""
    arguments: str = ""


class Calls:
    """Collects the calls of one reply."""

    def __init__(self) -> None:
        self._parts: list[_Parts] = []

    def add(self, delta: CallDelta) -> None:
        """Take a part. Raises ModelError: there are too many calls, or one is too long."""
        parts = next((one for one in reversed(self._parts) if one.index == delta.index), None)
        # Some servers number every call 0: then another id begins another call.
        if parts is None or (delta.id and parts.id and delta.id != parts.id):
            parts = _Parts(delta.index)
            self._parts.append(parts)
        parts.id = parts.id or delta.id
        parts.name = parts.name or delta.name
        parts.arguments += delta.arguments
        if len(self._parts) > _MOST or len(parts.arguments) > _LONGEST:
            raise ModelError("it calls too much")

    def finish(self) -> list[Call]:
        """The calls, in their order; what names nothing is left out."""
        return [
            Call(one.id or f"call_{number}", one.name, _object(one.arguments), one.arguments)
            for number, one in enumerate(self._parts)
            if one.name
        ]


def _object(text: str) -> Mapping[str, Any] | None:
    try:
        value = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
