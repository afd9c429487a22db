"""What a viewer sees: lips, lids, head, breath, and a background that stands still."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
import synthetic
from synthetic import degrees, rgb

from visavis.avatar.archive import PackError
from visavis.avatar.background import Background
from visavis.avatar.compositor import Compositor, forget, prepare
from visavis.avatar.layout import Layout
from visavis.avatar.pack import Pack
from visavis.errors import VisavisError
from visavis.motion.frame import ARKIT_INDEX, Head, MotionFrame

Picture = npt.NDArray[np.uint8]

SIZES = [(720, 1280), (1080, 1920), (1280, 720), (1920, 1080)]
W, H = 720, 1280
S = W / synthetic.WIDTH  # scale of the portrait view at 720x1280


def frame(
    head: Head | None = None, breath: float = 0.0, gaze: tuple[float, float] = (0.0, 0.0), **shapes: float
) -> MotionFrame:
    motion = MotionFrame(head=head or Head(), breath=breath, gaze=gaze)
    for name, weight in shapes.items():
        sides = [name] if name in ARKIT_INDEX else [f"{name}Left", f"{name}Right"]
        for side in sides:
            motion.blendshapes[ARKIT_INDEX[side]] = weight
    return motion


def compose(pack: Pack, width: int, height: int, background: Background | None = None, **more: Any) -> Compositor:
    """A compositor of the person alone before ``background``."""
    return Compositor(pack, Layout(width, height, background=background or Background(), **more))


def buffer(width: int = W, height: int = H) -> Picture:
    return np.full((height * 3 // 2, width), 77, np.uint8)


def drawn(compositor: Compositor, motion: MotionFrame) -> Picture:
    out = buffer(compositor.width, compositor.height)
    assert compositor.draw(motion, out)
    return out


def luma(i420: Picture) -> Picture:
    return i420[: i420.shape[0] * 2 // 3]


def region(picture: Picture, x0: float, y0: float, x1: float, y1: float) -> Picture:
    """A rectangle given in the synthetic canvas."""
    return picture[int(y0 * S) : int(y1 * S), int(x0 * S) : int(x1 * S)]


def inner_mouth(i420: Picture) -> Picture:
    return region(luma(i420), 500, 790, 580, 830)


def eye(i420: Picture) -> Picture:
    return region(luma(i420), 390, 535, 490, 585)


def centre(picture: Picture, box: tuple[float, float, float, float]) -> npt.NDArray[np.float64]:
    """Where the one thing in ``box`` is that differs from the box's corner: centre of mass, pixels (x, y)."""
    part = region(luma(picture), *box).astype(float)
    weight = np.clip(abs(part - part[0, 0]) - 6, 0, None)
    y, x = np.indices(part.shape)
    return np.array([np.average(x, weights=weight), np.average(y, weights=weight)])


NOSE = (440, 605, 640, 745)
BROW = (356, 472, 528, 521)
OTHER_BROW = (552, 472, 724, 521)
STRIPE = (150, 1510, 330, 1570)


@pytest.fixture
def compositor(pack: Pack) -> Compositor:
    return compose(pack, W, H, Background("COLOR", "#3366CC"))


def test_mouth_opens_and_closes(compositor: Compositor) -> None:
    rest = drawn(compositor, frame())
    opened = drawn(compositor, frame(jawOpen=0.32))
    pressed = drawn(compositor, frame(mouthPress=0.5, jawOpen=0.03))
    assert inner_mouth(opened).mean() < inner_mouth(rest).mean() - 40
    assert inner_mouth(pressed).mean() > inner_mouth(opened).mean() + 40
    outside = luma(opened).astype(int) - luma(rest)
    box = synthetic.MOUTH_BOX
    region(outside, box["x"] - 3, box["y"] - 3, box["x"] + box["width"] + 3, box["y"] + box["height"] + 3)[:] = 0
    assert abs(outside).max() <= 1


def test_mouths_are_never_mixed(pack: Pack) -> None:
    """Every frame of a slowly opening mouth shows exactly one of the bank's pictures."""
    whole = {
        inner_mouth(drawn(compose(pack, W, H), frame(**{k: v}))).tobytes()
        for k, v in [("jawOpen", v) for v in (0.0, 0.1, 0.2, 0.32)]
    }
    compositor, out = compose(pack, W, H), buffer()
    seen = set()
    for step in range(40):
        compositor.draw(frame(jawOpen=0.32 * step / 39), out)
        seen.add(inner_mouth(out).tobytes())
    assert seen == whole


def test_eyes_close_and_look(compositor: Compositor) -> None:
    rest, shut = drawn(compositor, frame()), drawn(compositor, frame(eyeBlink=1.0))
    assert eye(rest).max() > 200
    assert eye(shut).max() < 180
    right = drawn(compositor, frame(gaze=(degrees(12), 0.0)))
    # The dark pupil's centre of mass moves to the viewer's right.
    centres = [np.average(np.arange(eye(p).shape[1]), weights=(eye(p) < 90).sum(axis=0)) for p in (rest, right)]
    assert centres[1] > centres[0] + 8 * S


def test_background_never_changes(pack: Pack, tmp_path: Path) -> None:
    checks = (np.indices((300, 300)).sum(axis=0) // 8 % 2 * 255).astype(np.uint8)
    cv2.imwrite(str(tmp_path / "checks.png"), checks)
    compositor, out = compose(pack, W, H, Background("IMAGE", image=tmp_path / "checks.png")), buffer()
    compositor.draw(frame(), out)
    first = out.copy()
    alpha = cv2.resize(pack.picture("base.png")[..., 3], (W, H), interpolation=cv2.INTER_AREA)
    # Beyond the 20 pixels that the outline moves by here, every bit stays: also just beside the moving hair.
    far = cv2.dilate(alpha, np.ones((41, 41), np.uint8)) == 0
    assert far.mean() > 0.25
    moved = 0.0
    for step in range(24):
        pose = Head(0.1 * np.sin(step), 0.06 * np.cos(step), 0.03 * np.sin(2 * step), 0.01, 0.01)
        assert compositor.draw(frame(pose, breath=step % 5 / 4, jawOpen=step % 3 / 10), out)
        moved = max(moved, float(abs(luma(out).astype(int) - luma(first)).max()))
        assert (luma(out)[far] == luma(first)[far]).all()
        chroma = [picture.reshape(-1)[W * H : W * H * 5 // 4].reshape(H // 2, W // 2) for picture in (out, first)]
        far_half = far[0::2, 0::2] & far[1::2, 1::2] & far[0::2, 1::2] & far[1::2, 0::2]
        assert (chroma[0][far_half] == chroma[1][far_half]).all()
    assert moved > 100


@pytest.mark.parametrize(
    ("head", "nose", "brow"),
    [
        (Head(yaw=0.08), (16, 0), (8, 0)),
        (Head(yaw=-0.08), (-16, 0), (-8, 0)),
        (Head(pitch=0.06), (0, -13), (0, -7)),
        (Head(shift_x=0.015), (6.5, 0), (6.5, 0)),
        (Head(shift_y=0.015), (0, 6.5), (0, 6.5)),
    ],
    ids=["yaw right", "yaw left", "pitch up", "shift right", "shift down"],
)
def test_head_moves_as_a_solid_body_on_still_shoulders(
    compositor: Compositor, head: Head, nose: tuple[float, float], brow: tuple[float, float]
) -> None:
    """In pixels, a third more or less: the nose moves most, what lies farther back less, the shoulders not at all."""
    rest, turned = drawn(compositor, frame()), drawn(compositor, frame(head))
    for box, wanted in ((NOSE, nose), (BROW, brow)):
        moved = centre(turned, box) - centre(rest, box)
        for axis in (0, 1):
            assert moved[axis] == pytest.approx(wanted[axis], abs=max(0.34 * abs(wanted[axis]), 1.2))
    below = int(1250 * S)
    assert (luma(rest)[below:] == luma(turned)[below:]).all()
    # Turned or nodding, the outline stays nearly where it is; shifted, it moves along.
    outline = [np.flatnonzero(region(luma(picture), 60, 600, 540, 602)[0] < 70)[0] for picture in (rest, turned)]
    assert outline[1] - outline[0] == pytest.approx(head.shift_x / 0.015 * 6.5, abs=1.5)


def test_roll_tilts_clockwise_about_the_neck(compositor: Compositor) -> None:
    rest, tilted = drawn(compositor, frame()), drawn(compositor, frame(Head(roll=0.03)))
    left, right, nose = (centre(tilted, box) - centre(rest, box) for box in (BROW, OTHER_BROW, NOSE))
    assert left[0] > nose[0] > 3  # the higher, the farther to the viewer's right
    assert right[1] > 1 > -1 > left[1]  # the viewer's right sinks, the left rises


def test_movement_is_smooth_below_a_pixel(compositor: Compositor) -> None:
    """A slow turn moves the nose by small steps of about one size, never by whole pixels."""
    out, places = buffer(), []
    for step in range(40):
        compositor.draw(frame(Head(yaw=0.0008 * step)), out)
        places.append(centre(out, NOSE)[0])
    steps = np.diff(places)
    assert places[-1] - places[0] > 4
    assert steps.min() >= 0
    # The motion's own sixth of a pixel, and the sixth to which poses are rounded.
    assert steps.max() < 0.37


def test_breath_lifts_the_shoulders_smoothly_and_nothing_at_the_bottom(compositor: Compositor) -> None:
    out, places = buffer(), []
    compositor.draw(frame(), out)
    first = out.copy()
    for breath in np.linspace(0, 1, 30):
        compositor.draw(frame(breath=float(breath)), out)
        places.append(-centre(out, STRIPE)[1])
    assert 1.0 < places[-1] - places[0] < 3.5
    assert np.diff(places).min() >= 0
    assert np.diff(places).max() < 0.25
    assert (luma(out)[-8:] == luma(first)[-8:]).all()
    compositor.draw(frame(), out)
    assert (out == first).all()


def _seam(picture: Picture, box: dict[str, int]) -> float:
    """Mean gradient along the rows and columns where the mask's feather lies, on skin, less the one further in."""
    gradient = abs(np.diff(picture.astype(float), axis=0))
    y = (box["y"] + 24) * S
    around = gradient[int(y) - 12 : int(y) + 12, int(400 * S) : int(450 * S)]
    return float(around.max())


def test_no_seam_around_a_patch(pack: Pack, tmp_path: Path) -> None:
    compositor = compose(pack, W, H)
    for head in (Head(), Head(0.08, 0.05, 0.03)):
        assert _seam(luma(drawn(compositor, frame(head, jawOpen=0.2))), synthetic.MOUTH_BOX) <= 1.5
    # The measure does see a seam where there is one: a bank lit differently from its base.
    path = synthetic.write_zip(tmp_path / "tinted.zip", synthetic.members("tinted", tint=40))
    tinted = drawn(compose(Pack.open(path), W, H), frame(jawOpen=0.2))
    assert _seam(luma(tinted), synthetic.MOUTH_BOX) > 1.5


def test_banks_whose_boxes_overlap_do_not_disturb_each_other(pack: Pack, tmp_path: Path) -> None:
    """The mouth's box reaches up over the eyes: lips and lids look as with boxes apart, whatever changes first."""
    path = synthetic.write_zip(tmp_path / "overlap.zip", synthetic.members("overlap", mouth_top=500))
    overlapping, out = compose(Pack.open(path), W, H), buffer()
    apart = compose(pack, W, H)
    for shapes in ({}, {"eyeBlink": 1.0}, {"eyeBlink": 1.0, "jawOpen": 0.3}, {"jawOpen": 0.3}, {"jawOpen": 0.1}):
        overlapping.draw(frame(**shapes), out)
        assert abs(out.astype(int) - drawn(apart, frame(**shapes))).max() <= 4, shapes


def test_head_and_trunk_meet_without_a_seam(compositor: Compositor) -> None:
    """Where the head's warp ends, above and below the line, rows lie where the breath alone lifts them."""
    rest = luma(drawn(compositor, frame())).astype(float)
    moved = luma(drawn(compositor, frame(Head(0.05, -0.05, 0.03, 0.01, 0.01), breath=1.0))).astype(float)
    body = compositor._scene.body
    lift = body.breath_lift(np.arange(H, dtype=np.float32))
    ends = int(np.ceil(body.still_below))
    assert lift[ends] > 1
    for row in range(ends, ends + 9):
        at = row + float(lift[row])
        share = at - int(at)
        wanted = (1 - share) * rest[int(at)] + share * rest[int(at) + 1]
        assert abs(moved[row] - wanted).max() <= 8, row


@pytest.mark.parametrize("color", ["#000000", "#FFFFFF", "#3366CC", "#D94030", "#20A050"])
def test_flat_background_has_the_colour_asked_for(pack: Pack, color: str) -> None:
    corner = rgb(drawn(compose(pack, W, H, Background("COLOR", color)), frame()))[:40, :40]
    wanted = [int(color[i : i + 2], 16) for i in (1, 3, 5)]
    assert abs(corner.astype(int) - wanted).max() <= 2


def test_colours_of_the_person_are_right(compositor: Compositor) -> None:
    forehead = region(rgb(drawn(compositor, frame())), 500, 400, 580, 420).reshape(-1, 3).mean(axis=0)
    assert abs(forehead - np.array(synthetic.SKIN[::-1])).max() <= 3


def test_default_background_is_a_soft_gradient(pack: Pack) -> None:
    picture = rgb(drawn(compose(pack, W, H), frame())).astype(int)
    top = picture[2:6, :, 1].mean(axis=0)
    assert picture[100, 360 // 2, 1] > picture[-1, 0, 1] > 120 or picture[20:60, :40].mean() > 120
    smooth = cv2.blur(top, (1, 9)).ravel()[9:-9]
    assert abs(np.diff(smooth)).max() < 1.5
    assert picture[:100].mean() > 180


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_every_size_shows_the_person_and_moves_its_lips(pack: Pack, size: tuple[int, int]) -> None:
    compositor = compose(pack, *size, Background("COLOR", "#00FF00"))
    assert (compositor.width, compositor.height) == size
    rest = drawn(compositor, frame())
    opened = drawn(compositor, frame(Head(0.05, 0.02, 0.02), breath=0.7, jawOpen=0.3))
    picture = rgb(opened)
    assert picture.shape == (size[1], size[0], 3)
    assert abs(picture[2, 2].astype(int) - (0, 255, 0)).max() <= 2
    assert abs(luma(opened).astype(int) - luma(rest)).max() > 60
    x = size[0] // 2
    middle = picture[:, x - 2 : x + 2].mean(axis=1)
    not_green = np.flatnonzero(middle[:, 1] - middle[:, 0] < 100)
    assert 0 < not_green[0] < 0.25 * size[1]
    assert not_green[-1] == size[1] - 1


@pytest.mark.parametrize("offset", [(180, 100), (182, 102), (0, 640), (360, 0)])
def test_crop_is_a_part_of_the_stage(pack: Pack, offset: tuple[int, int]) -> None:
    motion = frame(Head(0.05, 0.03, 0.02), breath=0.6, jawOpen=0.2, eyeBlink=0.5)
    background = Background("COLOR", "#808080")
    stage = rgb(drawn(compose(pack, 1080, 1920, background), motion)).astype(int)
    crop = rgb(drawn(compose(pack, 720, 1280, background, stage=(1080, 1920), offset=offset), motion)).astype(int)
    x, y = offset
    difference = abs(crop - stage[y : y + 1280, x : x + 720])
    # Odd offsets halve the chroma elsewhere, so edges may differ: hardly anywhere, and nowhere in the mean.
    assert np.quantile(difference, 0.98) <= 4
    assert difference.mean() < 1.0


def test_crop_without_the_head_is_no_error(pack: Pack) -> None:
    compositor = compose(pack, 320, 160, stage=(1080, 1920), offset=(0, 1700))
    out = drawn(compositor, frame())
    assert not compositor.draw(frame(jawOpen=0.0), out)
    drawn(compositor, frame(Head(0.1), jawOpen=0.3))


def test_draw_says_whether_anything_changed(compositor: Compositor) -> None:
    out = buffer()
    assert compositor.draw(frame(), out)
    before = out.copy()
    assert not compositor.draw(frame(), out)
    assert not compositor.draw(frame(Head(yaw=1e-4), breath=0.01), out)
    assert (out == before).all()
    assert compositor.draw(frame(jawOpen=0.3), out)
    assert compositor.draw(frame(jawOpen=0.3, eyeBlink=1), out)
    assert compositor.draw(frame(Head(yaw=0.02), jawOpen=0.3, eyeBlink=1), out)
    assert not compositor.draw(frame(Head(yaw=0.02), jawOpen=0.3, eyeBlink=1), out)
    compositor.draw(frame(), out)
    assert (out == before).all()


def _walk(pack: Pack, out: Picture) -> bytes:
    compositor = compose(pack, W, H)
    digest = b""
    for step in range(12):
        head = Head(0.05 * np.sin(step), 0.03 * np.cos(step), 0.01 * step / 12, 0.0, 0.0)
        compositor.draw(frame(head, step % 4 / 3, jawOpen=step % 4 / 12, eyeBlink=float(step % 5 == 0)), out)
        digest += out.tobytes()[:: 97 + step]
    return digest


def test_same_motion_draws_the_same_picture(pack: Pack) -> None:
    assert _walk(pack, buffer()) == _walk(pack, np.zeros_like(buffer()))


def test_what_was_drawn_before_leaves_no_trace(pack: Pack) -> None:
    last = frame(Head(-0.04, 0.02, 0.01), breath=0.5, jawOpen=0.1)
    compositor, out = compose(pack, W, H), buffer()
    for motion in (frame(), frame(Head(0.13, 0.09, 0.05, 0.02, 0.02), 1.0, jawOpen=0.3, eyeBlink=1.0), last):
        compositor.draw(motion, out)
    assert (out == drawn(compose(pack, W, H), last)).all()


def test_two_sessions_share_a_scene_without_disturbing_each_other(pack: Pack) -> None:
    alone = drawn(compose(pack, W, H), frame(jawOpen=0.2))
    first, second = compose(pack, W, H), compose(pack, W, H, Background("COLOR", "#FF0000"))
    assert first._scene is second._scene
    out, other = buffer(), buffer()
    first.draw(frame(), out)
    second.draw(frame(eyeBlink=1.0, jawOpen=0.32), other)
    first.draw(frame(jawOpen=0.2), out)
    assert (out == alone).all()


def test_extreme_and_broken_motion_is_bounded(compositor: Compositor) -> None:
    for head in (Head(9, -9, 9, 9, -9), Head(float("nan"), float("inf"), 0, float("-inf"), 0)):
        out = drawn(compositor, frame(head, breath=float("nan")))
        assert abs(rgb(out)[:20, :20].astype(int) - (0x33, 0x66, 0xCC)).max() <= 2


def test_frames_allocate_nothing_that_stays(pack: Pack) -> None:
    prepare(pack, [(W, H)])
    compositor, out = compose(pack, W, H), buffer()

    def draw(count: int) -> None:
        for step in range(count):
            head = Head(0.05 * np.sin(step), 0.03 * np.cos(step), 0.02 * np.sin(step / 3))
            compositor.draw(frame(head, step % 40 / 39, jawOpen=step % 9 / 25, eyeBlink=float(step % 25 == 0)), out)

    draw(120)
    tracemalloc.start()
    draw(20)
    before, _ = tracemalloc.get_traced_memory()
    tracemalloc.reset_peak()
    draw(100)
    after, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert after - before < 20_000
    # No buffer of a picture's or a strip's size is made on the way.
    assert peak - before < 60_000


def test_what_was_prepared_is_not_made_again(pack: Pack, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare(pack, [(200, 356)])
    forget()
    # No picture of the pack is decoded any more: everything lies in the file.
    monkeypatch.setattr(Pack, "picture", lambda *_: pytest.fail("a picture was decoded"))
    drawn(compose(pack, 200, 356), frame(jawOpen=0.3, eyeBlink=1.0))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"width": 721, "height": 1280}, "even"),
        ({"width": 0, "height": 0}, "16 or more"),
        ({"width": 720, "height": 1280, "stage": (1080, 1920), "offset": (400, 0)}, "beyond the stage"),
        ({"width": 720, "height": 1280, "stage": (1080, 1920), "offset": (-2, 0)}, "beyond the stage"),
    ],
)
def test_impossible_sizes_are_refused(pack: Pack, arguments: dict[str, object], words: str) -> None:
    with pytest.raises(VisavisError, match=words):
        Compositor(pack, Layout(**arguments))  # type: ignore[arg-type]


def test_damaged_backgrounds_are_refused(pack: Pack, tmp_path: Path) -> None:
    broken = tmp_path / "broken.png"
    for background, words in (
        (Background("COLOR", "red"), "wanted #RRGGBB"),
        (Background("IMAGE", image=tmp_path / "none.png"), "no such file"),
        (Background("IMAGE"), "none is named"),
    ):
        with pytest.raises(PackError, match=words):
            compose(pack, W, H, background)
    picture = cv2.imencode(".png", np.zeros((50, 50, 3), np.uint8))[1].tobytes()
    for data, words in (
        (b"GIF89a", "not a PNG, JPEG or WebP"),
        (picture[:20], "cut short"),
        (picture[:16] + b"\x00\x01\x00\x00" * 2 + picture[24:], "at most 8192"),
        (picture[:45] + b"\x00" * 200, "damaged"),
    ):
        broken.write_bytes(data)
        with pytest.raises(PackError, match=words):
            compose(pack, W, H, Background("IMAGE", image=broken))


@pytest.mark.parametrize("kind", [".png", ".jpg", ".webp"])
def test_background_picture_covers_the_stage(pack: Pack, tmp_path: Path, kind: str) -> None:
    """A wide picture keeps its shape: its middle is shown, both sides are cut off alike."""
    stripes = np.zeros((400, 1200, 3), np.uint8)
    stripes[:, :540], stripes[:, 540:660], stripes[:, 660:] = (255, 0, 0), (0, 255, 0), (0, 0, 255)
    path = tmp_path / f"stripes{kind}"
    cv2.imwrite(str(path), stripes)
    top = rgb(drawn(compose(pack, W, H, Background("IMAGE", image=path)), frame()))[10].astype(int)
    # 400 rows become 1280: the 120 green columns 384, from 168 on.
    for x, wanted in ((20, (0, 0, 255)), (360, (0, 255, 0)), (700, (255, 0, 0))):
        assert abs(top[x] - wanted).max() <= 8
    green = np.flatnonzero(top[:, 1] > 128)
    assert (green[0], green[-1]) == (pytest.approx(168, abs=3), pytest.approx(551, abs=3))
