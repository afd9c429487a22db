"""The handlers of the contract's operations, one module for each group of them."""

from __future__ import annotations

import importlib
import pkgutil


def load() -> None:
    """Import all modules here; they register their handlers."""
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
