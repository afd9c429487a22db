"""``visavis avatar list`` and ``check``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import synthetic
from cli_command import refused, visavis


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    return synthetic.members()


def test_list_names_the_shipped_packs_and_those_of_the_data_folder(files: dict[str, bytes], tmp_path: Path) -> None:
    synthetic.write_zip(tmp_path / "avatars" / "own.zip", files)
    (tmp_path / "avatars" / "broken.zip").write_bytes(b"hello")
    done = visavis("avatar", "list", "--data", tmp_path, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    rows = {row["id"]: row for row in json.loads(done.stdout)}
    own = rows.pop("synthetic")
    assert rows, "at least one avatar is shipped"
    assert all(row["shipped"] for row in rows.values())
    assert (own["shipped"], own["mouths"], own["eyes"]) == (False, len(synthetic.MOUTHS), len(synthetic.EYES))
    assert (own["width"], own["height"], own["path"]) == (1080, 1920, str(tmp_path / "avatars" / "own.zip"))
    for row in (own, *rows.values()):
        assert row.keys() >= {"id", "name", "mouths", "eyes", "width", "height", "licence", "path"}

    lines = visavis("avatar", "list", VISAVIS_DATA=str(tmp_path)).stdout.splitlines()
    assert [line.split()[0] for line in lines] == [*rows, "synthetic"]
    assert f"{len(synthetic.MOUTHS)} mouths" in lines[-1]


def test_a_sound_pack_is_fit_to_use(files: dict[str, bytes], tmp_path: Path) -> None:
    pack = synthetic.write_zip(tmp_path / "own.zip", files)
    done = visavis("avatar", "check", pack)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{pack}: fit to use\n"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"../evil.png": b"x"}, "unsafe member name"),
        ({"big.png": bytes(20 * 2**20)}, "suspiciously well"),
        ({"manifest.json": b"{}"}, "manifest.json"),
        ({"manifest.json": b"\x00" * 9}, "manifest.json"),
        ({"base.png": b"no picture"}, "base.png"),
    ],
    ids=["outside", "bomb", "empty manifest", "no json", "no picture"],
)
def test_a_broken_or_hostile_pack(
    files: dict[str, bytes], tmp_path: Path, change: dict[str, bytes], words: str
) -> None:
    refused(visavis("avatar", "check", synthetic.write_zip(tmp_path / "p.zip", files | change)), words)
    assert [path.name for path in tmp_path.iterdir()] == ["p.zip"], "nothing was unpacked"


def test_every_fault_is_told(files: dict[str, bytes], tmp_path: Path) -> None:
    broken = {name: data for name, data in files.items() if name not in ("base.png", "mouth/mask.png")}
    done = visavis("avatar", "check", synthetic.write_zip(tmp_path / "p.zip", broken))
    assert done.returncode == 1
    assert [line.split(":")[0] for line in done.stderr.splitlines()] == ["base.png", "mouth/mask.png"]


def test_what_is_no_pack(tmp_path: Path) -> None:
    refused(visavis("avatar", "check", tmp_path / "none.zip"), "none.zip", "no such file")
    refused(visavis("avatar", "check", tmp_path), "not a file")
    (tmp_path / "p.zip").write_bytes(b"hello")
    refused(visavis("avatar", "check", tmp_path / "p.zip"), "not a sound zip")
