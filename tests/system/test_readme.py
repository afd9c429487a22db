"""The README's program, run as it stands there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from running import RunningServer

pytestmark = pytest.mark.system

ROOT = Path(__file__).parents[2]


def test_the_program_of_the_readme_holds_a_conversation(server: RunningServer) -> None:
    (program,) = re.findall(r"^```python\n(.*?)^```", (ROOT / "README.md").read_text(), re.DOTALL | re.MULTILINE)
    blank = 'URL, AK, SK = "http://127.0.0.1:8080", "...", "..."'
    assert blank in program
    filled = program.replace(blank, f"URL, AK, SK = {(server.url, server.ready['ak'], server.ready['sk'])!r}")
    done = subprocess.run(
        [sys.executable, "-c", filled], cwd=ROOT, env={**os.environ, "NO_PROXY": "127.0.0.1"},
        capture_output=True, text=True, timeout=90,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    said = done.stdout.split("\n")
    heard = next(line for line in said if line.startswith("user-transcription"))
    assert "languages" in heard
    assert any(line.startswith("bot-output") and "Mandarin" in line for line in said), done.stdout
