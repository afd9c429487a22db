"""The landmark environment: a virtual environment of its own, because MediaPipe is large and pins what it wants."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from visavis.errors import VisavisError

REPOSITORY: Final = Path(__file__).resolve().parents[3]
LOCK: Final = REPOSITORY / "requirements" / "import.txt"
_STAMP: Final = ".installed"


class ImportRefused(VisavisError):
    """A film or photo that no avatar can be made of (or an import that cannot run); the message gives the reason."""


def folder() -> Path:
    """Where the environment is, or will be: ``VISAVIS_IMPORT_VENV``, or ``.venv-import`` in the repository."""
    named = os.environ.get("VISAVIS_IMPORT_VENV")
    return Path(named).resolve() if named else REPOSITORY / ".venv-import"


def ready(say: Callable[[str], None] = lambda _: None) -> Path:
    """The environment's python; the environment is made (from the lock, with hashes) when it is missing or out of date.

    Raises:
        ImportRefused: it cannot be made.
    """
    place = folder()
    python = place / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not LOCK.is_file():
        raise ImportRefused(f"the lock of the landmark environment is missing: {LOCK}")
    wanted = hashlib.sha256(LOCK.read_bytes()).hexdigest()
    stamp = place / _STAMP
    if python.exists() and stamp.is_file() and stamp.read_text().strip() == wanted:
        return python
    say(f"making the landmark environment in {place} (about 230 MB)")
    if not python.exists():
        _run([sys.executable, "-m", "venv", str(place)])
    _run([str(python), "-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes", "-r", str(LOCK)])
    stamp.write_text(wanted + "\n")
    return python


def _run(command: list[str]) -> None:
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    if answer.returncode:
        tail = "\n".join(answer.stderr.strip().splitlines()[-5:])
        raise ImportRefused(f"the landmark environment cannot be made: {' '.join(command[1:4])} failed:\n{tail}")
