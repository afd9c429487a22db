"""Figures for people: names and values, one a line."""

from __future__ import annotations

from typing import Any


def table(report: dict[str, Any], indent: int = 2) -> None:
    """Print ``report``; objects in it are indented."""
    for name, value in report.items():
        if isinstance(value, dict):
            print(f"{' ' * indent}{name}")
            table(value, indent + 2)
        else:
            print(f"{' ' * indent}{name:<34} {value}")
