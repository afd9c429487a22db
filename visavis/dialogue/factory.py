"""Makes the dialogue of a session from plain parameters; plug-ins come by entry point."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from pathlib import Path
from typing import Final

from visavis import log
from visavis.dialogue.assistant.engine import Assistant
from visavis.dialogue.assistant.libraries import Libraries
from visavis.dialogue.assistant.plugins import PluginServices, plugin_tools
from visavis.dialogue.assistant.tools import Toolbox, ToolLimits
from visavis.dialogue.assistant.types import Role
from visavis.dialogue.audit.audited import Audited, Auditor
from visavis.dialogue.encoder import Encoder
from visavis.dialogue.endpoint import Endpoint
from visavis.dialogue.knowledge import SHIPPED, load
from visavis.dialogue.model import ModelClient, ModelDialogue, Patience
from visavis.dialogue.retrieval import Index
from visavis.dialogue.stored import StoredAnswers
from visavis.dialogue.types import Dialogue
from visavis.dialogue.vendors import factory as vendors
from visavis.dialogue.vendors.types import Account
from visavis.errors import VisavisError
from visavis.urlpolicy import OPERATORS, UrlPolicy

ENTRY_POINTS: Final = "visavis.dialogues"
"""Entry point group of plug-ins: each names a ``Callable[[DialogueContext], Dialogue]``."""

_LOG = log.get(__name__)

_MAX_INDEXES: Final = 32


class UnknownDialogue(VisavisError):
    """No dialogue engine of this name is installed."""


@dataclass(frozen=True, slots=True)
class DialogueContext:
    """What a plug-in gets to build a dialogue from."""

    endpoint: Endpoint | None
    knowledge: tuple[Path, ...]
    factory: DialogueFactory
    policy: UrlPolicy


@dataclass(frozen=True, slots=True)
class ToolSettings:
    """What the operator says of tools. ``commands``: by name, what is run for MCP servers at ``stdio:NAME``. ``services``: of plug-ins."""

    commands: Mapping[str, Sequence[str]] = field(default_factory=dict)
    limits: ToolLimits = field(default_factory=ToolLimits)
    services: PluginServices | None = None


class DialogueFactory:
    """One per worker: holds the encoder and the indexes that sessions share."""

    def __init__(
        self,
        answer_threshold: float,
        clarify_threshold: float,
        policy: UrlPolicy,
        encoder: Encoder | None = None,
        patience: Patience | None = None,
        tools: ToolSettings | None = None,
        auditor: Auditor | None = None,
    ) -> None:
        """``patience``: with language models. ``tools``: of interaction assistants. ``auditor``: looks at the questions of robots
        that want it."""
        self._auditor = auditor
        self._answer_threshold = answer_threshold
        self._clarify_threshold = clarify_threshold
        self._policy = policy
        self._encoder = encoder or Encoder()
        self._patience = patience or Patience()
        self._tools = tools or ToolSettings()
        self._libraries = Libraries(self._encoder)
        self._indexes: dict[tuple[tuple[str, int, int], ...], Index] = {}
        self._building = asyncio.Lock()

    async def warm(self) -> None:
        """Load the encoder and the shipped knowledge, so that the first session need not wait."""
        await self.index(())

    async def create(
        self,
        endpoint: Endpoint | None = None,
        knowledge: Sequence[Path | str] = (),
        engine: str = "",
        role: Role | None = None,
        vendor: Account | None = None,
        audited: bool = False,
    ) -> Dialogue:
        """A dialogue for one session.

        ``engine``: a plug-in's name; "" takes the service of a ``vendor``, the model if there is an ``endpoint``, the assistant if there
        is a ``role``, else stored answers from ``knowledge`` (paths; none: what visavis knows about itself). ``audited``: questions are
        looked at first. Raises KnowledgeError, UnknownDialogue.
        """
        dialogue = await self._engine(endpoint, knowledge, engine, role, vendor)
        if not audited:
            return dialogue
        if self._auditor is None or self._auditor.idle:
            _LOG.warning("a robot wants its questions audited, and this server has no audit")
            return dialogue
        return Audited(dialogue, self._auditor)

    async def _engine(
        self,
        endpoint: Endpoint | None,
        knowledge: Sequence[Path | str],
        engine: str,
        role: Role | None,
        vendor: Account | None,
    ) -> Dialogue:
        if engine:
            found = entry_points(group=ENTRY_POINTS, name=engine)
            if not found:
                raise UnknownDialogue(f"no dialogue engine {engine!r} is installed (entry points {ENTRY_POINTS})")
            build: Callable[[DialogueContext], Dialogue] = next(iter(found)).load()
            return build(DialogueContext(endpoint, tuple(map(Path, knowledge)), self, self._policy))
        if vendor is not None:
            return vendors.create(vendor, self._patience)
        if endpoint is not None:
            return ModelDialogue(endpoint, self._policy_of(endpoint), patience=self._patience)
        if role is not None:
            return await self._assistant(role, knowledge)
        index = await self.index(knowledge)
        return StoredAnswers(index, self._answer_threshold, self._clarify_threshold)

    async def _assistant(self, role: Role, knowledge: Sequence[Path | str]) -> Assistant:
        library = await self._libraries.open(role.libraries) if any(role.libraries.values()) else None
        # What visavis knows about itself is for roles that know nothing of their own.
        index = await self.index(knowledge) if knowledge or (role.endpoint is None and library is None) else None
        model = ModelClient(self._policy_of(role.endpoint), patience=self._patience) if role.endpoint else None
        return Assistant(
            role,
            model,
            await self._toolbox(role),
            sure=self._answer_threshold,
            library=library,
            stored=index,
            fallback=StoredAnswers(index, self._answer_threshold, self._clarify_threshold) if index else None,
        )

    def _policy_of(self, endpoint: Endpoint) -> UrlPolicy:
        return OPERATORS if endpoint.trusted else self._policy

    async def _toolbox(self, role: Role) -> Toolbox:
        sources = []
        if role.mcp_servers and role.endpoint is not None:
            # A second to import: only for roles that need it, and on no event loop.
            mcp = await asyncio.to_thread(importlib.import_module, "visavis.dialogue.assistant.mcp")
            sources = [mcp.McpTools(server, self._policy, self._tools.commands) for server in role.mcp_servers]
        tools = plugin_tools(role.plugins, self._policy, self._tools.services) if role.endpoint is not None else []
        return Toolbox(tools, sources, self._tools.limits)

    async def index(self, knowledge: Sequence[Path | str]) -> Index:
        """The index of these files, built once for each version of them. Raises KnowledgeError."""
        paths = [Path(path) for path in knowledge] or [SHIPPED]
        async with self._building:
            key = await asyncio.to_thread(_versions, paths)
            if key not in self._indexes:
                while len(self._indexes) >= _MAX_INDEXES:
                    del self._indexes[next(iter(self._indexes))]
                self._indexes[key] = await asyncio.to_thread(lambda: Index(load(paths), self._encoder))
            return self._indexes[key]


def _versions(paths: Sequence[Path]) -> tuple[tuple[str, int, int], ...]:
    """Path, time and size of each file; zeros for one that is missing (``load`` explains it)."""
    out = []
    for path in paths:
        try:
            stat = path.stat()
            out.append((str(path), stat.st_mtime_ns, stat.st_size))
        except OSError:
            out.append((str(path), 0, 0))
    return tuple(out)
