"""Which dispatcher a server uses: the local one, or one that another package brings."""

from __future__ import annotations

from importlib.metadata import entry_points

from visavis.dispatch.local import LocalDispatcher
from visavis.dispatch.types import Dispatcher, DispatchError
from visavis.settings import Settings

GROUP = "visavis.dispatchers"
"""Entry points of this group are callables ``(settings: Settings) -> Dispatcher``; the entry's name is the choice."""


def create_dispatcher(settings: Settings, name: str = "local") -> Dispatcher:
    """The dispatcher of that name, not yet open. Raises DispatchError when there is none, or it cannot be loaded."""
    if name == "local":
        return LocalDispatcher(settings)
    found = entry_points(group=GROUP)
    if name not in found.names:
        known = ", ".join(sorted({"local", *found.names}))
        raise DispatchError(f"no dispatcher {name!r}; there are: {known}")
    try:
        create = found[name].load()
    except Exception as error:
        raise DispatchError(f"dispatcher {name!r} cannot be loaded: {error}") from error
    dispatcher: Dispatcher = create(settings)
    return dispatcher
