"""What the contract consists of, as data: operations, shapes, fields."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any

PLAIN_TYPES = frozenset({"str", "int", "float", "bool", "dict", "file"})

_LIST = re.compile(r"list\[(.*)\]")
_PATH_PARAM = re.compile(r"\{(\w+)\}")
_NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a shape, or one parameter. Of a list, lengths, ranges and ``enum`` hold for each item.

    ``type``: str, int, float, bool, dict (anything with text keys), file (of a form), a shape's name, or ``list[...]`` of one.
    ``comma_separated``: of a text, ``enum`` holds for each part; of a list in a query, one text holds all items.
    """

    type: str
    required: bool = False
    min: float | None = None
    max: float | None = None
    min_length: int | None = None
    max_length: int | None = None
    min_items: int | None = None
    max_items: int | None = None
    enum: tuple[str | int, ...] = ()
    comma_separated: bool = False
    format: str = ""
    default: Any = None
    secret: bool = False

    @property
    def item(self) -> str | None:
        """The type of a list's items; None: it is no list."""
        match = _LIST.fullmatch(self.type)
        return match[1] if match else None

    @property
    def leaf(self) -> str:
        """The innermost type."""
        kind = self.type
        while match := _LIST.fullmatch(kind):
            kind = match[1]
        return kind


@dataclass(frozen=True, slots=True)
class Shape:
    """An object of the contract."""

    name: str
    fields: Mapping[str, Field]

    @property
    def secrets(self) -> frozenset[str]:
        """The fields that are encrypted at rest (of this object, not of nested ones)."""
        return frozenset(name for name, one in self.fields.items() if one.secret)

    @property
    def defaults(self) -> dict[str, Any]:
        """What fields have that were not given, where a default is published or chosen."""
        return {name: one.default for name, one in self.fields.items() if one.default is not None}


@dataclass(frozen=True)
class Operation:
    """One call of the API. ``body``: the type of a JSON body, None: it has none. ``answer``: a shape; empty: ``{}``."""

    name: str
    group: str
    verb: str
    path: str
    summary: str
    status: int = 200
    body: Field | None = None
    answer: str = ""
    partial: bool = False
    query: Mapping[str, Field] = field(default_factory=lambda: _NOTHING)
    header: Mapping[str, Field] = field(default_factory=lambda: _NOTHING)
    form: Mapping[str, Field] = field(default_factory=lambda: _NOTHING)
    path_param: Mapping[str, Field] = field(default_factory=lambda: _NOTHING)

    @cached_property
    def segments(self) -> tuple[str, ...]:
        """The path without its first slash, split at the others."""
        return tuple(self.path[1:].split("/"))

    @cached_property
    def path_names(self) -> tuple[str, ...]:
        """The names in the path, ``project_id`` among them."""
        return tuple(_PATH_PARAM.findall(self.path))

    @cached_property
    def changes(self) -> bool:
        """Whether it changes something that exists: then what is not given stays as it is, and no default is filled in."""
        return self.verb == "PUT" or self.partial or self.name.startswith("update_")

    @cached_property
    def writes(self) -> bool:
        """Whether it may change anything."""
        return self.verb != "GET" and not self.name.startswith(_READS)


_READS = ("show_", "list_", "check_", "validate_", "preview_")


@dataclass(frozen=True, slots=True)
class Contract:
    """All operations and shapes, by name."""

    operations: Mapping[str, Operation]
    shapes: Mapping[str, Shape]
