"""One name for each language: what is stored and looked up by language must not depend on the name that was given."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

from visavis.api.services.resources import Resource, creating, deleting, listing, showing, updating
from visavis.api.skeleton import Call, handles

_PRESENT = {"zh_CN": "CN", "en_US": "EN"}
"""The published list keeps two retired names."""


def present_name(language: str) -> str:
    """The language's present name: ``zh_CN`` is ``CN``, ``en_US`` is ``EN``; others stay."""
    return _PRESENT.get(language, language)


def in_present_names(call: Call) -> Call:
    """The same call with every ``language`` of its query and its body by its present name."""
    return replace(call, query=_renamed(call.query), body=_renamed(call.body))


def _renamed(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {
            name: present_name(inner) if name == "language" and isinstance(inner, str) else _renamed(inner)
            for name, inner in value.items()
        }
    return value


def serve_by_language(
    resource: Resource,
    *,
    list: str,  # noqa: A002 - the operation's name by what it does
    create: str,
    show: str,
    update: str,
    delete: tuple[str, ...],
) -> None:
    """As :func:`visavis.api.services.resources.serve`, for what has a language."""
    operations = [(list, listing), (create, creating), (show, showing), (update, updating)]
    for name, handler in (*operations, *((name, deleting) for name in delete)):
        handles(name)(_bound(handler, resource))


def _bound(handler: Callable[[Resource, Call], Awaitable[Any]], resource: Resource) -> Callable[[Call], Awaitable[Any]]:
    async def handle(call: Call) -> Any:
        return await handler(resource, in_present_names(call))

    return handle
