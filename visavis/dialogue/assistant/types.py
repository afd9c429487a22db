"""What the assistant is made of: its role, and the interfaces of what it looks things up with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from visavis.dialogue.endpoint import Endpoint
from visavis.errors import VisavisError
from visavis.speech.types import Language

if TYPE_CHECKING:
    from visavis.dialogue.assistant.libraries import LibraryFile
    from visavis.dialogue.assistant.plugins import Plugin


class ToolError(VisavisError):
    """A tool gave nothing usable. The message goes to the log and to the model: it holds no secret."""


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a tool found. ``text``: what the model is told; the engine cuts what is too long. ``failed``: the tool says that it did not
    work, ``text`` says why. ``sources``: where it comes from (titles, addresses), for the transcript."""

    text: str
    failed: bool = False
    sources: tuple[str, ...] = ()


class Tool(Protocol):
    """Something that the model may call."""

    @property
    def name(self) -> str:
        """Any text; the engine makes of it what models accept."""
        ...

    @property
    def description(self) -> str: ...

    @property
    def schema(self) -> Mapping[str, Any]:
        """JSON schema of the arguments, an object."""
        ...

    @property
    def acts(self) -> bool:
        """Whether a call may change something outside. Such a tool is not called for a turn that may not be one."""
        ...

    async def call(self, arguments: Mapping[str, Any]) -> ToolResult:
        """Cancellable. The engine bounds the time, and the length of the result. Raises ToolError."""
        ...


@dataclass(frozen=True, slots=True)
class Passage:
    """Something recalled. ``question``: the stored question that ``text`` answers; empty: ``text`` is a part of a document.
    ``source``: what a person calls it (file and title, or the library). ``score``: how well it fits, 0..1."""

    text: str
    source: str
    score: float
    question: str = ""


class Library(Protocol):
    """What may be recalled in one conversation: all libraries that the role has in a language."""

    async def search(self, query: str, language: Language, count: int) -> list[Passage]:
        """The best passages for ``query`` of the libraries of ``language``, best first, at most ``count``."""
        ...

    async def extract(self, passage: Passage, query: str, language: Language) -> str:
        """The one or two sentences of a document's passage that fit ``query`` best: what is said of it where no model thinks."""
        ...


# --- the role -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Slot:
    """A part of an instruction that the speaker fills. ``values``: by language, the value and the words that mean it; a language
    without values takes any words."""

    name: str
    description: str = ""
    values: Mapping[Language, Mapping[str, Sequence[str]]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Instruction:
    """Something that the role can be told to do.

    ``instruction``: what is said to it, a wording a line, with slots as ``{name}``. ``replies``: what it says then, by language, with
    slots alike.
    """

    name: str
    instruction: str
    description: str = ""
    slots: Sequence[Slot] = ()
    replies: Mapping[Language, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class McpServer:
    """Where tools are. ``url``: http(s) address of a server that speaks streamable HTTP, or ``stdio:NAME`` for one that the operator
    names in the settings. ``headers``: sent with every request, such as credentials."""

    name: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Role:
    """Who the assistant is. ``prompts``: by language. ``endpoint`` None: it thinks with no model."""

    prompts: Mapping[Language, str] = field(default_factory=dict)
    endpoint: Endpoint | None = None
    instructions: Sequence[Instruction] = ()
    mcp_servers: Sequence[McpServer] = ()
    libraries: Mapping[Language, Sequence[LibraryFile]] = field(default_factory=dict)
    plugins: Sequence[Plugin] = ()
