"""What other packages bring: objects by entry point."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Any

from visavis.errors import VisavisError


class NotInstalledError(VisavisError):
    """No installed package declares an entry point of this name."""


def loaded(group: str, name: str) -> Any:
    """What the entry point names. Raises NotInstalledError."""
    found = entry_points(group=group, name=name)
    if not found:
        raise NotInstalledError(f"{name!r} is not installed (entry points {group})")
    return next(iter(found)).load()
