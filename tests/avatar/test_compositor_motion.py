"""Pictures in a row: golden ones, no jumps, depth, large sizes."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import synthetic
from compositor_tools import Picture, blank, luma, motion, shown
from make_golden import CASES, FOLDER
from synthetic import rgb

from visavis.avatar.background import Background
from visavis.avatar.compositor import open_renderer
from visavis.avatar.layout import Layout
from visavis.avatar.pack import Pack, check
from visavis.motion import Director, Mode
from visavis.motion.frame import Head, MotionFrame

W, H = 360, 640
GREY = Background("COLOR", "#808080")


@pytest.mark.parametrize("name", CASES)
def test_golden_pictures(pack: Pack, name: str) -> None:
    layout, frame = CASES[name]
    golden = cv2.imread(str(FOLDER / f"{name}.png"))[..., ::-1].astype(int)
    difference = abs(rgb(shown(pack, layout, frame)).astype(int) - golden).max(axis=-1)
    # Another processor or OpenCV may round differently; a pixel's shift of anything would show in both.
    assert difference.mean() < 0.5
    assert np.quantile(difference, 0.999) <= 12


def _flow(before: Picture, after: Picture) -> tuple[float, float]:
    """How far things moved between two pictures, pixels, where there is anything to be tracked: (most, median)."""
    first, second = (luma(picture).astype(np.uint8) for picture in (before, after))
    points = cv2.goodFeaturesToTrack(first, 150, 0.03, 6)
    moved, found, _ = cv2.calcOpticalFlowPyrLK(first, second, points, None, winSize=(21, 21), maxLevel=3)
    back, again, _ = cv2.calcOpticalFlowPyrLK(second, first, moved, None, winSize=(21, 21), maxLevel=3)
    # A point that does not come back was not tracked (lips and lids come and go).
    sure = (found.ravel() == 1) & (again.ravel() == 1) & (np.linalg.norm((back - points)[:, 0], axis=1) < 0.3)
    x, y = points[:, 0, 0] * 1080 / W, points[:, 0, 1] * 1080 / W
    for box in (synthetic.MOUTH_BOX, synthetic.EYES_BOX):
        sure &= ~((x > box["x"]) & (x < box["x"] + box["width"]) & (y > box["y"]) & (y < box["y"] + box["height"]))
    far = np.linalg.norm((moved - points)[sure, 0], axis=1)
    assert len(far) > 12
    return float(np.quantile(far, 0.98)), float(np.median(far))


def _walk(pack: Pack, frames: list[MotionFrame]) -> list[float]:
    renderer = open_renderer(pack, Layout(W, H, background=GREY))
    out = blank(renderer)
    renderer.draw(frames[0], out)
    moved = []
    for each in frames[1:]:
        before = out.copy()
        renderer.draw(each, out)
        moved.append(_flow(before, out)[0])
    return moved


def test_smooth_motion_never_jumps(pack: Pack) -> None:
    """Each picture's things lie where the motion puts them: no step is larger than the motion's own and a quarter pixel."""
    frames = [
        motion(
            Head(0.1 * np.sin(i / 9), 0.06 * np.cos(i / 7), 0.04 * np.sin(i / 11), 0.01 * np.sin(i / 13), 0.0),
            0.5 - 0.5 * np.cos(i / 8), jawOpen=0.16 + 0.16 * np.sin(i / 3),
        )
        for i in range(60)
    ]  # fmt: skip
    # The crown, farthest from the neck and thus fastest, of a face 237 pixels high.
    face = (960 - 250) * W / 1080
    speeds = [
        face * (0.5 * abs(b.head.yaw - a.head.yaw) + 0.5 * abs(b.head.pitch - a.head.pitch)
                + 1.3 * abs(b.head.roll - a.head.roll) + abs(b.head.shift_x - a.head.shift_x) + 0.006)
        for a, b in itertools.pairwise(frames)
    ]  # fmt: skip
    moved = _walk(pack, frames)
    assert all(step <= speed + 0.35 for step, speed in zip(moved, speeds, strict=True))
    assert max(moved) > 0.4
    # The measure does see a jump.
    assert max(_walk(pack, [*frames[:2], motion(Head(0.1, 0.0, 0.04))])) > 2.5


def test_changes_of_state_do_not_jump(pack: Pack) -> None:
    """Awake, speaking and asleep in turn: no picture's head is more than a pixel and a half from the one before."""
    director = Director(np.random.default_rng(3), Mode.IDLE)
    frames = []
    for index in range(175):
        if index in (40, 110):
            director.set_mode(Mode.SPEAKING if index == 40 else Mode.ASLEEP, index / 25)
        frames.append(director.frame(index / 25))
    assert max(_walk(pack, frames)) < 1.5


def _with_depth(folder: Path, grey: Picture, near: float, far: float) -> Path:
    files = synthetic.members("deep")
    manifest = json.loads(files["manifest.json"])
    manifest["depth"] = {"file": "depth.png", "near": near, "far": far}
    files["depth.png"] = cv2.imencode(".png", grey)[1].tobytes()
    return synthetic.write_zip(folder / "deep.zip", files | {"manifest.json": json.dumps(manifest).encode()})


def _nose(picture: Picture) -> float:
    """The column of the nose's middle."""
    part = luma(picture)[int(605 * W / 1080) : int(745 * W / 1080), int(450 * W / 1080) : int(630 * W / 1080)].astype(
        float
    )
    weight = np.clip(abs(part - part[0, 0]) - 6, 0, None)
    return float(np.average(np.indices(part.shape)[1], weights=weight))


@pytest.mark.parametrize("depth", [0.0, 60.0, 180.0])
def test_a_depth_picture_decides_the_parallax(tmp_path: Path, depth: float) -> None:
    path = _with_depth(tmp_path, np.full((240, 135), 255, np.uint8), 0.0, depth)
    assert check(path) == []
    deep = Pack.open(path)
    layout = Layout(W, H, background=GREY)
    moved = _nose(shown(deep, layout, motion(Head(yaw=0.05)))) - _nose(shown(deep, layout, motion()))
    # tanh softens 0.05 to 0.048.
    assert moved == pytest.approx(depth * W / 1080 * np.sin(0.14 * np.tanh(0.05 / 0.14)), abs=0.2)


def test_a_jump_of_depth_does_not_tear(tmp_path: Path) -> None:
    grey = np.zeros((480, 270), np.uint8)
    grey[:, 135:] = 255
    deep = Pack.open(_with_depth(tmp_path, grey, -400.0, 400.0))
    layout = Layout(W, H, background=GREY)
    for yaw in (-0.14, 0.14):
        picture = shown(deep, layout, motion(Head(yaw=yaw)))
        row = luma(picture)[int(420 * W / 1080), int(420 * W / 1080) : int(660 * W / 1080)]
        assert abs(np.diff(row)).max() < 12  # the forehead stays one skin


@pytest.mark.parametrize("size", [(2160, 3840), (3840, 2160)], ids=["upright", "wide"])
def test_four_k(pack: Pack, size: tuple[int, int]) -> None:
    """The largest pictures show the same as small ones: scaled down they are equal."""
    pose = motion(Head(0.06, 0.03, 0.02), breath=0.5, jawOpen=0.3)
    large = luma(shown(pack, Layout(*size, background=GREY), pose)).astype(np.float32)
    small = luma(shown(pack, Layout(size[0] // 4, size[1] // 4, background=GREY), pose))
    scaled = cv2.resize(large, (size[0] // 4, size[1] // 4), interpolation=cv2.INTER_AREA)
    assert abs(scaled - small).mean() < 1.0
    assert abs(cv2.blur(scaled, (5, 5)) - cv2.blur(small.astype(np.float32), (5, 5))).max() < 30
