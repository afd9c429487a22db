"""The avatar studio without Blender: what it bakes, resuming, masks, packing."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from visavis.avatar import studio
from visavis.avatar.manifest import Manifest
from visavis.avatar.studio import banks, character, darkroom, pictures, relief
from visavis.avatar.studio.bake import bake_pack, place
from visavis.avatar.studio.darkroom import Darkroom, Estimate, Shot
from visavis.avatar.studio.environment import StudioError
from visavis.motion.frame import ARKIT, ARKIT_INDEX
from visavis.motion.visemes import TARGETS, Viseme

LAYOUT = {
    "anchors": {
        "left_eye": [868.9, 643.2], "right_eye": [1051.1, 643.2], "nose": [960.0, 746.6], "mouth": [960.1, 857.0],
        "chin": [960.0, 978.0], "crown": [960.0, 307.8], "neck": [960.0, 1157.0],
    },
    "moved": {"mouth": [742.8, 602.3, 1177.2, 1012.2], "eyes": [744.5, 384.2, 1175.5, 790.7]},
}  # fmt: skip


def vector(weights: dict[str, float]) -> np.ndarray:
    out = np.zeros(len(ARKIT), np.float32)
    for name, value in weights.items():
        out[ARKIT_INDEX[name]] = value
    return out


def test_import_is_light() -> None:
    code = (
        "import sys, visavis.avatar.studio; print([m for m in ('bpy', 'cv2', 'numpy', 'pydantic') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("bank", [banks.MOUTHS, banks.EYES])
def test_entries_are_distinct_and_known(bank: tuple[banks.Entry, ...]) -> None:
    assert len({entry.id for entry in bank}) == len(bank)
    assert bank[0].weights == {}
    assert len({json.dumps(entry.weights, sort_keys=True) for entry in bank}) == len(bank)
    for entry in bank:
        assert set(entry.weights) <= set(ARKIT_INDEX)
        assert all(0 < value <= 1 for value in entry.weights.values())


def test_mouths_move_only_the_mouth_and_never_shout() -> None:
    for entry in banks.MOUTHS:
        assert all(name.startswith(("mouth", "jaw", "tongue")) for name in entry.weights), entry.id
        assert entry.weights.get("jawOpen", 0) <= 0.32
        assert entry.weights.get("mouthFunnel", 0) <= 0.4
    for entry in banks.EYES:
        assert all(name.startswith(("eye", "brow")) for name in entry.weights), entry.id


@pytest.mark.parametrize("viseme", list(Viseme))
def test_every_viseme_has_its_mouth(viseme: Viseme) -> None:
    distance = min(np.linalg.norm(vector(entry.weights) - TARGETS[viseme]) for entry in banks.MOUTHS)
    assert distance < 0.12


def test_first_entries_exist() -> None:
    known = {f"mouth/{entry.id}" for entry in banks.MOUTHS} | {f"eyes/{entry.id}" for entry in banks.EYES}
    assert known | {"base"} >= banks.FIRST


def test_gaze_is_as_the_viewer_sees_it() -> None:
    right = next(entry for entry in banks.EYES if entry.id == "look_right")
    assert set(right.weights) == {"eyeLookOutLeft", "eyeLookInRight"}


def test_mask_is_zero_at_the_edge_and_full_inside() -> None:
    mask = pictures.feathered(200, 120, 30)
    assert mask.shape == (120, 200)
    assert max(mask[0].max(), mask[-1].max(), mask[:, 0].max(), mask[:, -1].max()) == 0
    assert mask[40:80, 40:160].min() == 255
    assert np.abs(np.diff(mask.astype(int), axis=1)).max() < 16


def test_mask_keeps_away_from_holes() -> None:
    patch = np.full((120, 200, 4), 255, np.uint8)
    patch[100:, :20, 3] = 0
    mask = pictures.solid_only(pictures.feathered(200, 120, 10), [patch])
    assert mask[99:, :21].max() == 0
    assert mask[60, 100] == 255


def test_bleed_fills_transparent_pixels_near_the_edge() -> None:
    base = np.zeros((60, 60, 4), np.uint8)
    base[20:40, 20:40] = (10, 200, 30, 255)
    out = pictures.bleed(base)
    assert abs(int(out[18, 30, 1]) - 200) < 5
    assert (out[:, :, 3] == base[:, :, 3]).all()


def test_rectangles_hold_the_motion_and_do_not_meet() -> None:
    boxes = place(LAYOUT, (1920, 1920))
    mouth, eyes = boxes["mouth"], boxes["eyes"]
    assert eyes[1] + eyes[3] <= mouth[1] + 1
    assert mouth[1] + mouth[3] > 1012
    assert all(value % 2 == 0 for value in (*mouth, *eyes))


@pytest.mark.parametrize("name", ["mira", "bowen"])
def test_shipped_character_loads(name: str) -> None:
    shipped = character.load(character.find(name))
    assert shipped.id == name
    assert shipped.canvas.height == 1920


def test_unknown_character_says_what_there_is() -> None:
    with pytest.raises(StudioError, match="mira"):
        character.find("nobody")


def test_bad_character_is_refused(tmp_path: Path) -> None:
    bad = tmp_path / "bad.toml"
    bad.write_text("id = 1")
    with pytest.raises(StudioError, match=r"bad\.toml"):
        character.load(bad)


def dome(side: int) -> tuple[np.ndarray, np.ndarray]:
    """A ball of 8 cm radius before the axis, a nose on it, nothing around."""
    y, x = np.mgrid[0:side, 0:side] / side - 0.5
    far = np.hypot(x, y) / 0.25
    depth = 0.08 * np.sqrt(np.clip(1 - far**2, 0, 1)) + 0.03 * np.exp(-((far / 0.12) ** 2))
    return np.where(far < 1, depth, 0).astype(np.float32), far < 1


class FakeWorker:
    """Stands in for Blender: paints a grey person, darker the wider the jaw is open."""

    def __init__(self, fail_after: int = 10_000) -> None:
        self.rendered: list[str] = []
        self.fail_after = fail_after

    def __call__(self, room: Darkroom, steps: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        yield {"event": "ready"}
        for step in steps:
            if step["do"] == "layout":
                yield {"event": "layout", "layout": LAYOUT}
                continue
            if step["do"] == "depth":
                depth, known = dome(step["side"])
                np.savez_compressed(step["out"], depth=depth, known=known)
                yield {"event": "measured"}
                continue
            if len(self.rendered) >= self.fail_after:
                raise StudioError("interrupted")
            box = step["box"] or (0, 0, 1920, 1920)
            picture = np.full((box[3], box[2], 4), 150 - int(200 * step["weights"].get("jawOpen", 0)), np.uint8)
            picture[:, :, 3] = 255
            cv2.imwrite(step["out"], picture)
            self.rendered.append(step["id"])
            yield {"event": "rendered", "id": step["id"], "seconds": 0.1}


def bake(monkeypatch: pytest.MonkeyPatch, worker: FakeWorker, folder: Path) -> Path:
    monkeypatch.setattr(Darkroom, "_work", lambda room, steps: worker(room, steps))
    out = folder / "out" / "mira.zip"
    sheet = bake_pack(character.find("mira"), out, work_dir=folder / "work", progress=lambda *_: None, only=banks.FIRST)
    assert sheet.is_file()
    return out


def test_an_interrupted_bake_goes_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    broken = FakeWorker(fail_after=5)
    with pytest.raises(StudioError):
        bake(monkeypatch, broken, tmp_path)
    assert not (tmp_path / "out" / "mira.zip").exists()
    rest = FakeWorker()
    out = bake(monkeypatch, rest, tmp_path)
    assert len(broken.rendered) == 5
    assert not set(broken.rendered) & set(rest.rendered)
    again = FakeWorker()
    before = out.read_bytes()
    bake(monkeypatch, again, tmp_path)
    assert again.rendered == []
    assert out.read_bytes() == before
    with zipfile.ZipFile(out) as pack:
        manifest = Manifest.model_validate_json(pack.read("manifest.json"))
        assert {f"mouth/{entry.id}" for entry in manifest.mouth.entries} < banks.FIRST
        assert set(pack.namelist()) >= {entry.file for entry in manifest.eyes.entries}
        assert manifest.depth is not None
        depth = cv2.imdecode(np.frombuffer(pack.read(manifest.depth.file), np.uint8), cv2.IMREAD_UNCHANGED)
        assert depth.shape == (480, 480)
        # The nose of the fake stands 11 cm before the axis: 377 pixels of a canvas of 1920 that shows 0.56 m.
        nose = manifest.depth.near + (manifest.depth.far - manifest.depth.near) * depth[240, 240] / 255
        assert 330 < nose < 385


def test_a_changed_look_is_rendered_again(tmp_path: Path) -> None:
    mira = character.load(character.find("mira"))
    other = mira.model_copy(update={"hair": {**mira.hair, "melanin": 0.2}})
    renamed = mira.model_copy(update={"name": "Other"})
    shot = Shot("rest", {}, 4)
    names = [Darkroom(one, tmp_path)._path(shot).name for one in (mira, other, renamed)]
    assert names[0] != names[1]
    assert names[0] == names[2]


def test_another_ones_hairdo_leaves_pictures_fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scripts = tmp_path / "scripts"
    shutil.copytree(darkroom._SCRIPTS, scripts)
    monkeypatch.setattr(darkroom, "_SCRIPTS", scripts)
    rooms = [Darkroom(character.load(character.find(name)), tmp_path) for name in ("mira", "bowen")]
    before = [room.key() for room in rooms]
    (scripts / "hair_short.py").write_text("# another cut")
    assert [room.key() == old for room, old in zip(rooms, before, strict=True)] == [True, False]
    (scripts / "skin.py").write_text("# another skin")
    assert rooms[0].key() != before[0]


@pytest.mark.parametrize("part", ["hair", "clothes"])
def test_unknown_style_is_refused(part: str, tmp_path: Path) -> None:
    text = character.find("mira").read_text()
    bad = tmp_path / "bad.toml"
    bad.write_text(text.replace('style = "bob"' if part == "hair" else 'style = "blazer"', 'style = "armour"'))
    with pytest.raises(StudioError, match=r"style is one of"):
        character.load(bad)


def test_depth_is_smooth_and_has_no_cliff_at_the_outline() -> None:
    depth, known = dome(480)
    depth[200, 300:303] += 0.5  # a stray hair
    depth[:, 478:] = 3.0
    known[::40, 478:] = True  # and specks far outside
    grey, near, far = relief.picture(depth, known, 1000.0)
    assert grey.dtype == np.uint8
    assert abs(near) < 12
    assert 95 < far < 115
    steps = np.abs(np.diff(grey.astype(int), axis=1))
    assert steps.max() < 16
    level = near + (far - near) * grey.astype(float) / 255
    assert abs(level[240, 300] - 1000 * depth[240, 300]) < 8
    # Beside the ball the depth of its rim goes on.
    assert abs(level[240, 376] - level[240, 356]) < 20


def test_filled_keeps_what_is_known() -> None:
    depth = np.full((64, 64), 2.0, np.float32)
    known = np.zeros((64, 64), bool)
    known[20:40, 20:40] = True
    assert np.abs(relief.filled(depth, known) - 2.0).max() < 1e-3


def test_estimate_counts_what_is_left_and_follows_the_load() -> None:
    left = Estimate([100.0, 10.0, 10.0, 10.0])
    assert left.after(300.0) == "about 2 min left"
    assert left.after(30.0) == "about 60 s left"
    assert left.after(60.0) == "about 36 s left"
    assert left.after(30.0) == "about 0 s left"


def test_bake_command_reports_failure(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert studio.bake_command("nobody", tmp_path / "x.zip") == 1
    assert "no character" in capsys.readouterr().out


def test_steady_keeps_motion_and_drops_noise() -> None:
    rng = np.random.default_rng(1)
    neutral = np.full((120, 160, 4), 128, np.uint8)
    noisy = neutral.copy()
    noisy[:, :, :3] += rng.integers(0, 3, (120, 160, 3), np.uint8)
    noisy[40:80, 60:100, :3] = 20
    out = pictures.steady(noisy, neutral)
    assert (out[55:65, 75:85] == noisy[55:65, 75:85]).all()
    assert (out[:15] == neutral[:15]).all()


def test_narrowed_mask() -> None:
    mask = pictures.narrowed(pictures.feathered(200, 120, 20), 120, 20)
    assert mask[:, :40].max() == 0
    assert mask[:, 160:].max() == 0
    assert mask[60, 62:138].min() == 255
