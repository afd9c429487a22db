"""Filmed people: the loop plays by the clock, mouth and eyes go with the head, hostile videos are refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import synthetic
import synthetic_film
from compositor_tools import blank, chroma, luma, motion, shown

from visavis.avatar import moving, moving_video
from visavis.avatar.archive import PackError
from visavis.avatar.background import Background
from visavis.avatar.compositor import open_renderer
from visavis.avatar.layout import HumanLayer, Layout, Place
from visavis.avatar.pack import Pack, check
from visavis.motion.frame import Head

W, H = 270, 480
GREY = Background("COLOR", "#808080")
PLAIN = Layout(W, H, background=GREY)
S = W / synthetic.WIDTH


@pytest.fixture(scope="module")
def film_files() -> dict[str, bytes]:
    return synthetic_film.members()


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Pack:
    return Pack.open(synthetic_film.make_film(tmp_path_factory.mktemp("film") / "film.zip"))


def _place(index: int, x: float, y: float) -> tuple[int, int]:
    """Where picture ``index`` shows a point of the synthetic canvas, in this file's size (row, column)."""
    a, b, c, d, e, f = synthetic_film.matrix(index)
    x, y = x * synthetic_film.SCALE, y * synthetic_film.SCALE
    scale = S / synthetic_film.SCALE
    return round((d * x + e * y + f) * scale), round((a * x + b * y + c) * scale)


def test_a_film_is_a_sound_pack(film: Pack) -> None:
    assert check(film.path) == []


def test_the_loop_plays_by_the_clock_and_goes_round(film: Pack) -> None:
    at = [shown(film, PLAIN, motion(pts=index / 25)) for index in (0, 6, 12, 25, 31)]
    assert (at[0] == at[3]).all()
    assert (at[1] == at[4]).all()
    assert abs(luma(at[1]) - luma(at[0])).mean() > 2
    # Head pose and breath are the film's own.
    assert (shown(film, PLAIN, motion(Head(0.1, 0.05), breath=1.0)) == at[0]).all()


@pytest.mark.parametrize("index", [0, 6, 12, 19])
def test_mouth_and_eyes_go_with_the_head(film: Pack, index: int) -> None:
    rest = shown(film, PLAIN, motion(pts=index / 25))
    talking = shown(film, PLAIN, motion(pts=index / 25, jawOpen=0.32, eyeBlink=1.0))
    row, column = _place(index, 540, 840)
    assert luma(talking)[row - 1 : row + 2, column - 1 : column + 2].mean() < 60
    assert luma(rest)[row - 1 : row + 2, column - 1 : column + 2].mean() > 100
    for x in (440, 640):
        row, column = _place(index, x, 552)
        assert luma(talking)[row, column] > luma(rest)[row, column] + 40  # the pupil is gone
    # Beside the patches everything is the film's, to the bit.
    assert (talking[: int(0.2 * H)] == rest[: int(0.2 * H)]).all()
    assert (luma(talking)[int(0.58 * H) :] == luma(rest)[int(0.58 * H) :]).all()


def test_the_patch_lies_where_the_head_is_to_a_fraction_of_a_pixel(film: Pack) -> None:
    """The entry that looks like the film at rest, laid over it, changes next to nothing in any picture."""
    renderer = open_renderer(film, PLAIN)
    assert isinstance(renderer, moving.Filmed)
    renderer._resting = tuple(tuple(False for _ in bank) for bank in renderer._resting)
    for index in (0, 4, 9, 15, 22):
        out = blank(renderer)
        renderer.draw(motion(pts=index / 25), out)
        difference = abs(luma(out) - luma(shown(film, PLAIN, motion(pts=index / 25))))
        assert difference.mean() < 0.6
        assert np.quantile(difference, 0.999) < 24


def test_the_background_shows_through_the_film(film: Pack, film_files: dict[str, bytes], tmp_path: Path) -> None:
    first, second = (
        shown(film, Layout(W, H, background=Background("COLOR", color)), motion()) for color in ("#FF0000", "#0000FF")
    )
    assert abs(chroma(first) - chroma(second))[:, :20, :20].min() > 60
    assert (luma(first)[int(600 * S), W // 2] == luma(second)[int(600 * S), W // 2]).all()
    opaque = Pack.open(synthetic_film.make_film(tmp_path / "opaque.zip", alpha=False))
    a, b = (shown(opaque, Layout(W, H, background=Background("COLOR", c)), motion()) for c in ("#FF0000", "#0000FF"))
    assert (a == b).all()


def test_a_film_in_a_turned_place(film: Pack) -> None:
    upright = Layout(300, 300, background=GREY, layers=(HumanLayer(Place(90, 43, 120, 214)),))
    turned = Layout(300, 300, background=GREY, layers=(HumanLayer(Place(90, 43, 120, 214, 180)),))
    pose = motion(pts=0.24, jawOpen=0.3)
    assert abs(luma(shown(film, upright, pose))[::-1, ::-1] - luma(shown(film, turned, pose))).mean() < 1.0


def test_an_unchanged_moment_is_not_drawn_again(film: Pack) -> None:
    renderer = open_renderer(film, PLAIN)
    out = blank(renderer)
    assert renderer.draw(motion(pts=0.4), out)
    assert not renderer.draw(motion(pts=0.4), out)
    assert renderer.draw(motion(pts=0.44), out)
    assert not renderer.cacheable


def test_a_film_too_long_for_its_size_is_refused(film: Pack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(moving, "MAX_FILM", 1_000_000)
    with pytest.raises(PackError, match="too long for pictures of 320x568"):
        open_renderer(film, Layout(320, 568))


def _changed(files: dict[str, bytes], path: Path, **loop: object) -> Path:
    manifest = json.loads(files["manifest.json"])
    manifest["loop"] |= loop
    return synthetic.write_zip(path, files | {"manifest.json": json.dumps(manifest).encode()})


def _refused(path: Path, words: str) -> None:
    with pytest.raises(PackError, match=words):
        Pack.open(path)
    assert any(words in fault for fault in check(path)), check(path)


def _pictures(count: int, width: int = 540, height: int = 960) -> list[synthetic.Picture]:
    return [np.full((height * 3 // 2, width), 100, np.uint8)] * count


def test_hostile_and_broken_videos_are_refused(film_files: dict[str, bytes], tmp_path: Path) -> None:
    path = tmp_path / "p.zip"

    def with_video(data: bytes) -> Path:
        return synthetic.write_zip(path, film_files | {"loop.mp4": data})

    _refused(with_video(b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n"), "cannot be read")
    _refused(with_video(film_files["base.png"]), "cannot be read")
    _refused(with_video(synthetic_film.video(_pictures(25), "mpeg4")), "coded as mpeg4, must be h264")
    _refused(with_video(synthetic_film.video(_pictures(25, 270, 480))), "is 270x480, must be 540x960")
    _refused(with_video(synthetic_film.video(_pictures(26))), "has 26 pictures, must have 25")
    _refused(with_video(synthetic_film.video(_pictures(7))), "has 7 pictures, must have 25")
    _refused(
        synthetic.write_zip(path, {k: v for k, v in film_files.items() if k != "loop.mp4"}), "the video is missing"
    )
    monstrous = film_files["loop.mp4"] + bytes(25 * moving_video.MAX_RATE)
    _refused(with_video(monstrous), "bytes a picture")


def test_damage_inside_a_video_is_found_by_check(film_files: dict[str, bytes], tmp_path: Path) -> None:
    data = bytearray(film_files["loop.mp4"])
    start = data.index(b"mdat") + 4
    data[start : start + 4000] = bytes(4000)
    path = synthetic.write_zip(tmp_path / "p.zip", film_files | {"loop.mp4": bytes(data)})
    assert any("loop.mp4" in fault for fault in check(path))


def test_a_video_that_declares_fewer_pictures_than_it_has_is_not_decoded_on(film_files: dict[str, bytes]) -> None:
    many = synthetic_film.video(_pictures(40))
    seen = []
    with pytest.raises(PackError, match="more than 25"):
        seen += list(moving_video.pictures(many, 540, 960, 25))
    counted = moving_video.pictures(many, 540, 960, 25)
    assert sum(1 for _ in zip(range(25), counted, strict=False)) == 25


@pytest.mark.parametrize(
    ("matrix", "words"),
    [
        ([1, 0, 5000, 0, 1, 0], "off the canvas"),
        ([0.1, 0, 0, 0, 0.1, 0], "area"),
        ([9, 0, 0, 0, 9, 0], "area"),
        ([0, 1, 0, 1, 0, 0], "area"),
    ],
)
def test_impossible_matrices_are_refused(
    film_files: dict[str, bytes], tmp_path: Path, matrix: list[float], words: str
) -> None:
    frames = [{"matrix": [1, 0, 0, 0, 1, 0]}] * 24 + [{"matrix": matrix}]
    _refused(_changed(film_files, tmp_path / "p.zip", frames=frames), words)


def test_too_few_pictures_are_refused(film_files: dict[str, bytes], tmp_path: Path) -> None:
    _refused(_changed(film_files, tmp_path / "p.zip", frames=[{"matrix": [1, 0, 0, 0, 1, 0]}] * 3), "loop.frames")
