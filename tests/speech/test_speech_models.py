"""Model files: made from the packages, checked by hash, repaired, and never half there."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from visavis.speech import models
from visavis.speech.models import FILES, ModelsError, Part, Progress, assemble, listing, verify

pytestmark = pytest.mark.models


def copy_of(models_dir: Path, target: Path) -> Path:
    """A folder with the same files (hard links, so it costs nothing); corrupt by replacing, never by writing."""
    for file in FILES:
        (target / file.path).parent.mkdir(parents=True, exist_ok=True)
        os.link(models_dir / file.path, target / file.path)
    return target


def test_an_empty_folder_is_filled_with_exactly_the_pinned_files(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "models"
    seen: list[Progress] = []
    assemble(folder, seen.append)
    assert set(verify(folder).values()) == {"ok"}
    assert {row["state"] for row in listing(folder)} == {"present"}
    left = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert left == {file.path for file in FILES} | {"verified.json", ".lock"}
    done = [progress.done for progress in seen]
    assert done == sorted(done)
    assert seen[-1] == Progress("", seen[-1].total, seen[-1].total)
    assert all((folder / file.path).stat().st_size == file.size for file in FILES)


def test_an_assembled_folder_is_accepted_at_once(models_dir: Path) -> None:
    began = time.perf_counter()
    assemble(models_dir, lambda progress: pytest.fail(f"worked on {progress.path}"))
    assert time.perf_counter() - began < 0.3


@pytest.mark.parametrize("damage", ["flipped", "truncated", "missing"])
def test_damage_is_found_and_repaired(models_dir: Path, tmp_path: Path, damage: str) -> None:
    folder = assemble(copy_of(models_dir, tmp_path))
    victim = folder / "silero" / "silero_vad.onnx"
    good = victim.read_bytes()
    victim.unlink()
    if damage != "missing":
        victim.write_bytes(bytes([good[0] ^ 1]) + good[1:] if damage == "flipped" else good[:-1])
    states = verify(folder)
    assert states.pop("silero/silero_vad.onnx") == ("missing" if damage == "missing" else "corrupted")
    assert set(states.values()) == {"ok"}
    assemble(folder)
    assert victim.read_bytes() == good


def test_a_package_with_other_contents_is_refused_and_leaves_no_file(
    models_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = copy_of(models_dir, tmp_path)
    (folder / "silero" / "silero_vad.onnx").unlink()
    monkeypatch.setattr(Part, "locate", lambda part: models_dir / "whisper-base" / "config.json")
    with pytest.raises(ModelsError, match=r"silero_vad\.onnx made from pipecat-ai.*not the pinned ones"):
        assemble(folder)
    assert list((folder / "silero").iterdir()) == []


def test_a_missing_package_is_named() -> None:
    with pytest.raises(ModelsError, match=r"package no_such_package is not installed.*VISAVIS_MODELS"):
        Part("no_such_package", "weights.bin").locate()


def test_a_folder_that_somebody_else_filled_needs_no_package(
    models_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = copy_of(models_dir, tmp_path)
    monkeypatch.setattr(models, "_build", lambda *_: pytest.fail("nothing should be built"))
    assert assemble(folder) == folder


def test_a_folder_that_cannot_be_written_is_used_after_one_check(models_dir: Path, tmp_path: Path) -> None:
    if os.geteuid() == 0:  # root may write anywhere; a file in the stamp's place stops it too
        (tmp_path / "verified.json").mkdir()
    folder = copy_of(models_dir, tmp_path)
    if os.geteuid() != 0:
        folder.chmod(0o555)
    assert assemble(folder) == folder
    assemble(folder, lambda progress: pytest.fail("checked again"))
    victim = folder / "silero" / "silero_vad.onnx"
    victim.unlink()
    victim.write_bytes(b"damaged")
    assert verify(folder)["silero/silero_vad.onnx"] == "corrupted"
    folder.chmod(0o755)


def test_a_folder_that_cannot_be_made_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ModelsError, match="cannot write"):
        assemble(tmp_path / "file")
