"""``visavis models``: on a folder of links to the real files, and on an empty one."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_command import environment, visavis

from visavis.settings import Settings
from visavis.speech.models import FILES, assemble

pytestmark = pytest.mark.models
CORRUPTED = "whisper-base/config.json"


@pytest.fixture(scope="module")
def real() -> Path:
    return assemble(Settings().models_dir)


@pytest.fixture
def linked(real: Path, tmp_path: Path) -> Path:
    """A folder that links to the models."""
    for file in FILES:
        link = tmp_path / "models" / file.path
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to((real / file.path).resolve())
    return tmp_path / "models"


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "models"
    shutil.rmtree(tmp_path / "models", ignore_errors=True)  # a quarter of a gigabyte


def test_list_says_what_is_there_and_under_which_licence(linked: Path) -> None:
    (linked / CORRUPTED).unlink()
    rows = json.loads(visavis("models", "list", "--json", VISAVIS_MODELS=str(linked)).stdout)
    assert {row["path"]: row["state"] for row in rows} == {
        file.path: "missing" if file.path == CORRUPTED else "present" for file in FILES
    }
    assert all(row["licence"] and row["package"] and len(row["sha256"]) == 64 and row["bytes"] > 0 for row in rows)
    lines = visavis("models", "list", VISAVIS_MODELS=str(linked)).stdout.splitlines()
    assert [line.split()[0] for line in lines] == [row["state"] for row in rows]
    assert all(row["path"] in line and row["licence"] in line for row, line in zip(rows, lines, strict=True))


def test_verify_hashes_every_file(linked: Path) -> None:
    done = visavis("models", "verify", VISAVIS_MODELS=str(linked))
    assert done.returncode == 0, done.stdout
    assert [line.split() for line in done.stdout.splitlines()] == [["ok", file.path] for file in FILES]

    damaged = bytearray((linked / CORRUPTED).read_bytes())
    damaged[10] ^= 1
    (linked / CORRUPTED).unlink()
    (linked / CORRUPTED).write_bytes(damaged)
    (linked / FILES[-1].path).unlink()
    done = visavis("models", "verify", VISAVIS_MODELS=str(linked))
    assert done.returncode == 1
    states = {line.split()[1]: line.split()[0] for line in done.stdout.splitlines()}
    assert states.pop(CORRUPTED) == "corrupted"
    assert states.pop(FILES[-1].path) == "missing"
    assert set(states.values()) == {"ok"}


def test_assemble_fills_an_empty_folder_with_a_bar_and_does_it_once(empty: Path) -> None:
    command = [sys.executable, "-m", "visavis.cli.main", "models", "assemble"]
    terminal, side = os.openpty()
    process = subprocess.Popen(
        command, env=environment(VISAVIS_MODELS=str(empty)), stdout=subprocess.PIPE, stderr=side, text=True
    )
    os.close(side)
    shown = b""
    try:
        while piece := os.read(terminal, 65536):
            shown += piece
    except OSError:  # EIO: the other side is closed
        pass
    os.close(terminal)
    out, _ = process.communicate(timeout=100)
    assert process.returncode == 0, shown.decode()
    assert out == f"models are in {empty}\n"
    assert "█" in shown.decode()
    assert shown.decode().endswith("\r\033[K"), "the bar is wiped at the end"
    assert all((empty / file.path).stat().st_size == file.size for file in FILES)

    before = {file.path: (empty / file.path).stat().st_ino for file in FILES}
    again = visavis("models", "assemble", "--quiet", VISAVIS_MODELS=str(empty))
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")
    assert {file.path: (empty / file.path).stat().st_ino for file in FILES} == before, "nothing was made again"


def test_assemble_mends_a_corrupted_file(linked: Path, real: Path) -> None:
    (linked / CORRUPTED).unlink()
    (linked / CORRUPTED).write_text("{}")
    assert visavis("models", "assemble", VISAVIS_MODELS=str(linked)).returncode == 0
    assert (linked / CORRUPTED).read_bytes() == (real / CORRUPTED).read_bytes()
