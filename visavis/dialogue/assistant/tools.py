"""The tools of one conversation: offered to the model under names that it takes, called within bounds."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from visavis import log
from visavis.dialogue.assistant.calls import Call
from visavis.dialogue.assistant.types import Tool, ToolError, ToolResult

_LOG = log.get(__name__)

_MOST: Final = 64  # tools on offer: more only confuse a model
_NAME: Final = re.compile(r"[^a-zA-Z0-9_-]+")
_LONGEST_NAME: Final = 64
_LONGEST_DESCRIPTION: Final = 1024
_LARGEST_SCHEMA: Final = 16_384
_LONGEST_RESULT: Final = 6000  # characters that the model is told
_CUT: Final = " [cut]"


class ToolSource(Protocol):
    """Where tools come from that must be asked for first."""

    async def tools(self) -> Sequence[Tool]:
        """Its tools; none while it cannot be reached. Cancellable, and may then be asked again."""
        ...

    async def aclose(self) -> None: ...


@dataclass(frozen=True, slots=True)
class ToolLimits:
    """Seconds. ``offer_s``: that a turn waits for tools that are still being asked for. ``call_s``: that one call may take."""

    offer_s: float = 1.5
    call_s: float = 8.0


@dataclass(frozen=True, slots=True)
class Offer:
    """What one turn's model may call. ``functions``: as requests have it."""

    tools: Mapping[str, Tool] = field(default_factory=dict)
    functions: tuple[dict[str, Any], ...] = ()

    def acts(self, call: Call) -> bool:
        """Whether the call may change something outside."""
        tool = self.tools.get(call.name)
        return tool is not None and tool.acts


class Toolbox:
    """One per session."""

    def __init__(self, tools: Sequence[Tool], sources: Sequence[ToolSource], limits: ToolLimits | None = None) -> None:
        self._tools = tuple(tools)
        self._sources = tuple(sources)
        self._limits = limits or ToolLimits()
        self._asking: set[asyncio.Future[Sequence[Tool]]] = set()

    def prepare(self) -> None:
        """Begin to ask for tools, so that the first turn need not wait for them."""
        for source in self._sources:
            task = asyncio.ensure_future(source.tools())
            self._asking.add(task)
            task.add_done_callback(self._asking.discard)

    async def offer(self) -> Offer:
        """What may be called now. A source that does not answer in time has nothing this time, and costs the others nothing."""
        lists = await asyncio.gather(*(self._asked(source.tools()) for source in self._sources))
        return _offer([*self._tools, *(tool for found in lists for tool in found)])

    async def _asked(self, tools: Awaitable[Sequence[Tool]]) -> Sequence[Tool]:
        try:
            async with asyncio.timeout(self._limits.offer_s):
                return await tools
        except TimeoutError:
            return ()

    async def call(self, offer: Offer, call: Call) -> ToolResult:
        """Call a tool; whatever goes wrong is a result that says so in words that a model can go on from."""
        tool = offer.tools.get(call.name)
        if tool is None:
            return ToolResult("There is no such tool.", failed=True)
        if call.arguments is None:
            return ToolResult("The arguments are not a JSON object.", failed=True)
        try:
            async with asyncio.timeout(self._limits.call_s):
                result = await tool.call(call.arguments)
        except TimeoutError:
            result = ToolResult("The tool did not answer in time.", failed=True)
        except ToolError as error:
            result = ToolResult(f"The tool failed: {error}", failed=True)
        except Exception as error:
            _LOG.exception("a tool failed", tool=call.name)
            result = ToolResult(f"The tool failed ({type(error).__name__}).", failed=True)
        text = _whole(result.text)
        if len(text) > _LONGEST_RESULT:
            text = text[: _LONGEST_RESULT - len(_CUT)] + _CUT
        _LOG.info("tool called", tool=call.name, failed=result.failed, characters=len(result.text))
        return ToolResult(text, result.failed, result.sources)

    async def aclose(self) -> None:
        """Close what the tools hold."""
        for task in self._asking:
            task.cancel()
        await asyncio.gather(*(source.aclose() for source in self._sources), return_exceptions=True)


def _whole(text: str) -> str:
    """Without halves of characters, which no request could carry."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _offer(tools: Sequence[Tool]) -> Offer:
    named: dict[str, Tool] = {}
    functions = []
    for tool in tools:
        schema = dict(tool.schema)
        schema.setdefault("type", "object")
        if len(named) >= _MOST or schema["type"] != "object" or _size(schema) > _LARGEST_SCHEMA:
            _LOG.warning("a tool is left out", tool=tool.name[:_LONGEST_NAME], offered=len(named))
            continue
        name = _free(_NAME.sub("_", tool.name).strip("_")[:_LONGEST_NAME] or "tool", named)
        named[name] = tool
        description = tool.description[:_LONGEST_DESCRIPTION]
        functions.append(
            {"type": "function", "function": {"name": name, "description": description, "parameters": schema}}
        )
    return Offer(named, tuple(functions))


def _size(schema: Mapping[str, Any]) -> int:
    try:
        return len(json.dumps(schema))
    except (TypeError, ValueError, RecursionError):
        return _LARGEST_SCHEMA + 1


def _free(name: str, taken: Mapping[str, Tool]) -> str:
    """``name``, or it with the first number that makes it another's no longer."""
    number, free = 2, name
    while free in taken:
        end = f"_{number}"
        free, number = name[: _LONGEST_NAME - len(end)] + end, number + 1
    return free
