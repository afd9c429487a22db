"""The contract from its data files (``visavis/contract/data``, made by ``tools/make_contract.py``)."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

from visavis.contract.model import Contract, Field, Operation, Shape

_PLACES = ("query", "header", "form", "path_param")


@cache
def contract() -> Contract:
    """The contract; read once."""
    operations: dict[str, Operation] = {}
    shapes: dict[str, Shape] = {}
    folder = resources.files("visavis.contract") / "data"
    for file in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if not file.name.endswith(".toml"):
            continue
        data = tomllib.loads(file.read_text("utf-8"))
        group = file.name.removesuffix(".toml")
        for name, facts in data.get("operation", {}).items():
            operations[name] = _operation(name, group, facts)
        for name, facts in data.get("shape", {}).items():
            shapes[name] = Shape(name, _fields(facts))
    return Contract(operations, shapes)


def _fields(facts: Mapping[str, Mapping[str, Any]]) -> dict[str, Field]:
    return {name: _field(one) for name, one in facts.items()}


def _field(facts: Mapping[str, Any]) -> Field:
    return Field(**{**facts, "enum": tuple(facts["enum"])}) if "enum" in facts else Field(**facts)


def _operation(name: str, group: str, facts: dict[str, Any]) -> Operation:
    body = facts.pop("body", None)
    if body is not None:
        body = Field(body) if isinstance(body, str) else _field(body)
    places: dict[str, Any] = {place: _fields(facts.pop(place)) for place in _PLACES if place in facts}
    return Operation(name, group, body=body, **facts, **places)
