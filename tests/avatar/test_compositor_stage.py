"""The person among layers: above, below, cut to its place, turned, before a key colour, with alpha beside it."""

from __future__ import annotations

import threading
from pathlib import Path

import cv2
import numpy as np
import pytest
import synthetic
import synthetic_film
from compositor_tools import Picture, blank, chroma, luma, motion, shown
from synthetic import rgb

from visavis.avatar.background import Background
from visavis.avatar.compositor import open_renderer
from visavis.avatar.layout import HumanLayer, ImageLayer, Layout, Place, Subtitles, TextLayer, TextStyle, VideoLayer
from visavis.avatar.pack import Pack
from visavis.errors import VisavisError
from visavis.motion.frame import Head

PAUSE = threading.Event()
W, H = 360, 640
GREY = Background("COLOR", "#808080")


@pytest.fixture
def disc(tmp_path: Path) -> Path:
    """A green disc on nothing."""
    picture = np.zeros((100, 100, 4), np.uint8)
    cv2.circle(picture, (50, 50), 40, (0, 255, 0, 255), -1, cv2.LINE_AA)
    cv2.imwrite(str(tmp_path / "disc.png"), picture)
    return tmp_path / "disc.png"


def _walk() -> list[Head]:
    return [Head(0.05 * np.sin(i), 0.04 * np.cos(i), 0.02 * np.sin(2 * i), 0.01, 0.005) for i in range(8)]


def test_layers_above_and_below_the_moving_person(pack: Pack, disc: Path) -> None:
    """The disc covers the mouth or is covered by the head; it never moves, and nothing is laid on twice."""
    place = Place(130, 220, 100, 100)
    above = Layout(W, H, background=GREY, layers=(HumanLayer(), ImageLayer(disc, place)))
    below = Layout(W, H, background=GREY, layers=(ImageLayer(disc, place), HumanLayer()))
    renderer = open_renderer(pack, above)
    out = blank(renderer)
    first: Picture | None = None
    for index, head in enumerate(_walk()):
        renderer.draw(motion(head, index / 8, jawOpen=index / 30), out)
        inner = luma(out)[240:300, 150:210]
        first = inner if first is None else first
        assert (inner == first).all()
        assert (out == shown(pack, above, motion(head, index / 8, jawOpen=index / 30))).all()
    covered = rgb(shown(pack, below, motion()))[245:295, 155:205].astype(int)
    assert (covered[..., 1] - covered[..., 0]).max() < 60
    green = rgb(out)[245:295, 155:205].astype(int)
    assert (green[..., 1] - green[..., 0]).min() > 150


def test_layers_cost_no_picture_when_nothing_moves(pack: Pack, disc: Path) -> None:
    text = TextLayer("hello", Place(20, 560, 320, 60), TextStyle(size=40))
    renderer = open_renderer(pack, Layout(W, H, layers=(HumanLayer(), ImageLayer(disc, Place(0, 0, 80, 80)), text)))
    out = blank(renderer)
    assert renderer.draw(motion(), out)
    assert not renderer.draw(motion(), out)
    assert renderer.cacheable


def test_the_person_is_cut_to_its_place(pack: Pack) -> None:
    """In a place of the view's shape the person is the whole picture, smaller; of another shape its middle and top."""
    exact = Layout(W, H, background=GREY, layers=(HumanLayer(Place(80, 160, 180, 320)),))
    picture = shown(pack, exact, motion(Head(0.05, 0.03)))
    alone = shown(pack, Layout(180, 320, background=GREY), motion(Head(0.05, 0.03)))
    assert abs(luma(picture)[160:480, 80:260] - luma(alone))[4:-4, 4:-4].mean() < 1.5
    outside = luma(picture)
    grey = outside[2, 2]
    outside[158:482, 78:262] = grey
    assert (outside == grey).all()
    square = Layout(W, H, background=GREY, layers=(HumanLayer(Place(90, 200, 180, 180)),))
    cut = luma(shown(pack, square, motion()))
    assert abs(cut[200:380, 90:270] - luma(shown(pack, exact, motion()))[160:340, 80:260])[4:-4, 4:-4].mean() < 1.5
    cut[200:380, 90:270] = grey
    assert (cut == grey).all()


@pytest.mark.parametrize("turn", [90.0, 180.0, -90.0])
def test_a_turned_person_moves_like_an_upright_one(pack: Pack, turn: float) -> None:
    """The picture of a place turned by right angles is the upright one turned, warp, breath and patches included."""
    pose = motion(Head(0.07, -0.04, 0.03, 0.015, 0.01), breath=0.8, jawOpen=0.3, eyeBlink=1)
    upright = Layout(400, 400, background=GREY, layers=(HumanLayer(Place(100, 60, 160, 284)),))
    turned = Layout(400, 400, background=GREY, layers=(HumanLayer(Place(100, 60, 160, 284, turn)),))
    first, second = luma(shown(pack, upright, pose)), luma(shown(pack, turned, pose))
    # About the middle of the place, (180, 202).
    around = np.pad(first, 120, constant_values=int(first[0, 0]))[120 + 202 - 180 : 120 + 202 + 180, 120 : 120 + 360]
    wanted = np.rot90(around, round(-turn / 90))
    got = np.pad(second, 120, constant_values=int(second[0, 0]))[120 + 202 - 180 : 120 + 202 + 180, 120 : 120 + 360]
    assert abs(wanted - got).mean() < 1.0
    assert np.quantile(abs(wanted - got), 0.99) < 24
    assert abs(first - second).mean() > 5


def test_a_slightly_turned_person_stays_in_its_turned_place(pack: Pack) -> None:
    place = Place(90, 100, 180, 320, 20.0)
    picture = rgb(shown(pack, Layout(W, H, background=GREY, layers=(HumanLayer(place),)), motion(Head(0.08)))).astype(
        int
    )
    person = abs(picture - 128).max(axis=-1) > 12
    y, x = np.indices(person.shape)
    cos, sin = np.cos(np.deg2rad(20)), np.sin(np.deg2rad(20))
    right, down = cos * (x - 180) + sin * (y - 260), cos * (y - 260) - sin * (x - 180)
    inside = (abs(right) <= 92) & (abs(down) <= 162)
    assert person[inside].mean() > 0.4
    assert not person[~inside].any()


@pytest.mark.parametrize("place", [Place(0, 0, 0, 100), Place(0, 0, 100, 20_000)])
def test_impossible_places_are_refused(pack: Pack, place: Place) -> None:
    with pytest.raises(VisavisError, match="place"):
        open_renderer(pack, Layout(W, H, layers=(HumanLayer(place),)))


def test_key_colour_behind_the_person(pack: Pack, disc: Path) -> None:
    layout = Layout(W, H, transparency="key", key="#00B140", background=Background("COLOR", "#FF0000"))
    picture = rgb(shown(pack, layout, motion(Head(0.05)))).astype(int)
    assert abs(picture[:60, :60] - (0, 0xB1, 0x40)).max() <= 2
    assert abs(picture[int(0.33 * H) - 4 : int(0.33 * H), W // 2 - 4 : W // 2 + 4] - synthetic.SKIN[::-1]).max() <= 6


def test_alpha_beside_the_picture_gives_the_same_picture_over_any_background(pack: Pack, disc: Path) -> None:
    layers = (ImageLayer(disc, Place(0, 0, 100, 100)), HumanLayer(), ImageLayer(disc, Place(200, 480, 120, 120)))
    pose = motion(Head(0.06, 0.03, 0.02), breath=0.5, jawOpen=0.2)
    side = shown(pack, Layout(W, H, transparency="side", layers=layers), pose)
    assert side.shape == (H * 3 // 2, 2 * W)
    assert (chroma(side)[:, :, W // 2 :] == 128).all()
    colours, alpha = luma(side)[:, :W], (luma(side)[:, W:] - 16) / 219
    assert alpha.min() == 0
    assert alpha.max() == 1
    assert ((alpha > 0.1) & (alpha < 0.9)).any()
    whole = luma(shown(pack, Layout(W, H, background=Background("COLOR", "#FFFFFF"), layers=layers), pose))
    # Premultiplied over black (16): put white (235) where nothing is.
    assert abs(colours + (235 - 16) * (1 - alpha) - whole).max() <= 3.5


def test_subtitles_come_and_go_without_a_trace(pack: Pack) -> None:
    layout = Layout(W, H, subtitles=Subtitles(Place(20, 540, 320, 80), TextStyle(size=32)))
    renderer = open_renderer(pack, layout)
    out = blank(renderer)
    renderer.draw(motion(), out)
    before = out.copy()
    assert renderer.cacheable
    renderer.subtitle("Hello there")
    assert not renderer.cacheable
    for _ in range(200):
        # It is drawn on another thread and appears when it is ready.
        if renderer.draw(motion(), out):
            break
        PAUSE.wait(0.02)
    assert abs(luma(out) - luma(before))[540:620].max() > 100
    assert (out[:500] == before[:500]).all()
    renderer.subtitle(None)
    renderer.draw(motion(), out)
    assert renderer.cacheable
    assert (out == before).all()


def test_a_video_below_plays_behind_the_person(pack: Pack, tmp_path: Path) -> None:
    pictures = [np.full((96 * 3 // 2, 64), level, np.uint8) for level in (40, 200) for _ in range(13)]
    for each in pictures:
        each[96:] = 128
    (tmp_path / "film.mp4").write_bytes(synthetic_film.video(pictures))
    layer = VideoLayer(tmp_path / "film.mp4", Place(0, 0, W, H))
    renderer = open_renderer(pack, Layout(W, H, layers=(layer, HumanLayer())))
    assert not renderer.cacheable
    out, corners, heads = blank(renderer), set(), set()
    for index in range(200):
        renderer.draw(motion(pts=index / 25), out)
        corners.add(int(luma(out)[5, 5]) // 60)
        heads.add(luma(out)[200:210, 175:185].tobytes())
        if len(corners) > 1:
            break
        PAUSE.wait(0.01)
    assert len(corners) > 1
    assert len(heads) == 1


def test_keys_name_what_a_picture_depends_on(pack: Pack, disc: Path, tmp_path: Path) -> None:
    plain = open_renderer(pack, Layout(W, H)).key
    assert plain == open_renderer(pack, Layout(W, H)).key
    others = {
        open_renderer(pack, Layout(W, H, background=GREY)).key,
        open_renderer(pack, Layout(W, H, layers=(HumanLayer(), ImageLayer(disc, Place(0, 0, 9, 9))))).key,
        open_renderer(Pack.open(synthetic.make_pack(tmp_path / "other.zip", "other")), Layout(W, H)).key,
        plain,
    }
    assert len(others) == 4
    moved = Pack.open(synthetic.make_pack(tmp_path / "same.zip"))
    assert open_renderer(moved, Layout(W, H)).key == plain
