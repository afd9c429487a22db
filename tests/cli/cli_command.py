"""Runs the real command in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def environment(**variables: str) -> dict[str, str]:
    """This process's environment without settings of visavis, with ``variables``."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("VISAVIS_")}
    return kept | {"PYTHONPATH": str(ROOT), "COLUMNS": "200", "NO_COLOR": "1"} | variables


def visavis(*arguments: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """``visavis ARGUMENTS`` with the settings ``variables``; waits for its end."""
    return subprocess.run(
        [sys.executable, "-m", "visavis.cli.main", *map(str, arguments)],
        env=environment(**variables),
        capture_output=True,
        text=True,
        timeout=100,
    )


def refused(done: subprocess.CompletedProcess[str], *words: str) -> None:
    """It failed as expected failures do: exit status 1, one line that holds ``words``, no trace."""
    assert done.returncode == 1, done.stderr
    assert done.stdout == ""
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    for word in words:
        assert word in lines[0]
