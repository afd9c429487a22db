"""Prepared scenes are made once a machine: other sessions and processes map the file."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from compositor_tools import blank, motion

from visavis.avatar import cache
from visavis.avatar.compositor import Compositor, forget
from visavis.avatar.layout import Layout
from visavis.avatar.pack import Pack

_OTHER = """
import hashlib, json, sys
import numpy as np
from pathlib import Path
from visavis.avatar import cache
from visavis.avatar.compositor import Compositor
from visavis.avatar.layout import Layout
from visavis.avatar.pack import Pack
from visavis.motion.frame import MotionFrame
cache.configure(Path(sys.argv[1]))
compositor = Compositor(Pack.open(Path(sys.argv[2])), Layout(180, 320))
out = np.zeros((480, 180), np.uint8)
compositor.draw(MotionFrame(), out)
mapped = open("/proc/self/smaps").read().split("\\n")
size = shared = 0
counting = False
for line in mapped:
    if "-" in line.split(" ")[0]:
        counting = ".scene" in line
    elif counting and line.startswith("Private_Dirty:"):
        size += int(line.split()[1])
print(json.dumps({"made": compositor._scene.made, "private_kb": size, "digest": hashlib.sha256(out).hexdigest()}))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    before = cache.folder()
    cache.configure(tmp_path / "scenes")
    forget()
    yield tmp_path / "scenes"
    cache.configure(before)
    forget()


def _other(folder: Path, pack: Path) -> dict[str, object]:
    done = subprocess.run(
        [sys.executable, "-c", _OTHER, str(folder), str(pack)], capture_output=True, text=True, check=True, timeout=100
    )
    return json.loads(done.stdout.splitlines()[-1])


def test_a_second_process_maps_what_the_first_one_made(folder: Path, pack_path: Path) -> None:
    first, second = _other(folder, pack_path), _other(folder, pack_path)
    assert (first["made"], second["made"]) == (True, False)
    assert first["digest"] == second["digest"]
    # Only pages that a session's patches were written to are its own.
    assert second["private_kb"] < 400
    compositor = Compositor(Pack.open(pack_path), Layout(180, 320))
    assert not compositor._scene.made
    out = blank(compositor)
    compositor.draw(motion(), out)
    assert hashlib.sha256(out).hexdigest() == first["digest"]


@pytest.mark.parametrize("damage", ["cut", "content", "head", "empty"])
def test_a_damaged_file_is_made_anew(folder: Path, pack: Pack, damage: str) -> None:
    Compositor(pack, Layout(180, 320))
    for path in folder.glob("*.scene"):
        data = bytearray(path.read_bytes())
        if damage == "content":
            data[-100_000 if len(data) > 200_000 else -4096] ^= 0xFF
        elif damage == "head":
            data[20:40] = bytes(20)
        path.write_bytes(data[: len(data) // 2] if damage == "cut" else b"" if damage == "empty" else bytes(data))
    forget()
    assert Compositor(pack, Layout(180, 320))._scene.made
    forget()
    assert not Compositor(pack, Layout(180, 320))._scene.made


def test_what_was_used_longest_ago_goes_first(folder: Path) -> None:
    cache.configure(folder, 25_000)

    def keep(name: str) -> None:
        cache.stored(name, lambda: {"a": np.zeros(3000, np.uint8)})

    for age, name in enumerate(("old", "older", "used")):
        keep(name)
        os.utime(folder / f"{name}.scene", (1000 - age, 1000 - age))
    assert not cache.stored("used", lambda: pytest.fail("it was there")).made
    keep("new")
    names = {path.stem for path in folder.glob("*.scene")}
    assert "new" in names
    assert "used" in names
    assert "older" not in names


def test_a_file_is_made_once_however_many_want_it(folder: Path) -> None:
    made, barrier = [], threading.Barrier(4)

    def want() -> None:
        barrier.wait()
        cache.stored("one", lambda: made.append(1) or {"a": np.arange(1000)})

    threads = [threading.Thread(target=want) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == [1]


def test_private_copies_are_private_and_shared_ones_cannot_be_written(folder: Path) -> None:
    stored = cache.stored("one", lambda: {"a": np.arange(5000), "none": np.zeros((3, 0), np.uint8)})
    mine, other = stored.private("a"), stored.private("a")
    mine[:] = 7
    assert (other == np.arange(5000)).all()
    assert (stored["a"] == np.arange(5000)).all()
    assert stored["none"].shape == (3, 0)
    with pytest.raises(ValueError, match="read-only"):
        stored["a"][0] = 1


def test_without_a_writable_folder_all_is_kept_in_memory(tmp_path: Path) -> None:
    before = cache.folder()
    (tmp_path / "file").write_text("in the way")
    cache.configure(tmp_path / "file" / "scenes")
    try:
        stored = cache.stored("one", lambda: {"a": np.arange(10)})
        mine = stored.private("a")
        mine[0] = 9
        assert stored.made
        assert stored["a"][0] == 0
    finally:
        cache.configure(before)


def test_what_make_raises_is_raised(folder: Path) -> None:
    def fail() -> cache.Arrays:
        raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        cache.stored("one", fail)
    assert not list(folder.glob("*.part"))
