"""What lies below and above the person: pixels of backgrounds, pictures, videos, texts and subtitles."""

from __future__ import annotations

import shutil
import subprocess
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import numpy.typing as npt
import pytest

from visavis.avatar import fonts, scenery
from visavis.avatar.archive import PackError
from visavis.avatar.background import Background, shipped
from visavis.avatar.layout import (
    HumanLayer,
    ImageLayer,
    Layer,
    Layout,
    Place,
    Subtitles,
    TextLayer,
    TextStyle,
    VideoLayer,
)
from visavis.avatar.planes import Planes, Rect
from visavis.avatar.scenery import Scenery, build, fingerprint
from visavis.avatar.text import wrapped
from visavis.errors import VisavisError

GREY = Background("COLOR", "#808080")
Picture = npt.NDArray[np.uint8]


class Now(Executor):
    """Does at once what it is given."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        done: Future[Any] = Future()
        try:
            done.set_result(fn(*args, **kwargs))
        except Exception as error:
            done.set_exception(error)
        return done


def of(*layers: Layer, width: int = 320, height: int = 240, **more: Any) -> Scenery:
    return build(Layout(width, height, layers=layers, **{"background": GREY, **more}), Now())


def seen(scene: Scenery) -> Picture:
    """What it looks like without a person, BGR."""
    under = scene.under
    planes = Planes(under.y.copy(), under.u.copy(), under.v.copy())
    for overlay in scene.over:
        overlay.lay(planes)
    height, width = planes.y.shape
    i420 = np.concatenate([planes.y.reshape(-1), planes.u.reshape(-1), planes.v.reshape(-1)])
    return np.asarray(cv2.cvtColor(i420.reshape(height * 3 // 2, width), cv2.COLOR_YUV2BGR_I420), np.uint8)


def near(pixel: Any, wanted: tuple[int, int, int], within: int = 6) -> bool:
    return bool(np.abs(np.asarray(pixel, int) - wanted).max() <= within)


def save(path: Path, picture: npt.NDArray[Any]) -> Path:
    assert cv2.imwrite(str(path), picture)
    return path


@pytest.fixture
def flag(tmp_path: Path) -> Path:
    """Left half red, right half blue, with a transparent hole in its middle."""
    picture = np.zeros((100, 200, 4), np.uint8)
    picture[:, :100] = (0, 0, 255, 255)
    picture[:, 100:] = (255, 0, 0, 255)
    picture[40:60, 80:120] = 0
    return save(tmp_path / "flag.png", picture)


def film(path: Path, shades: list[int], rate: int = 25, codec: str = "h264", size: tuple[int, int] = (64, 48)) -> Path:
    with av.open(str(path), "w") as file:
        stream = file.add_stream(codec, rate=rate)
        stream.width, stream.height = size
        stream.pix_fmt = "argb" if codec == "qtrle" else "yuv420p"
        if codec == "h264":
            stream.options = {"crf": "10"}
        for shade in shades:
            picture = np.full((size[1], size[0], 4), (shade, shade, shade, 128), np.uint8)
            for packet in stream.encode(av.VideoFrame.from_ndarray(picture, "rgba")):
                file.mux(packet)
        for packet in stream.encode():
            file.mux(packet)
    return path


# --- background and pictures ------------------------------------------------------------------------------------------


def test_a_picture_lies_where_it_was_put(flag: Path) -> None:
    picture = seen(of(ImageLayer(flag, Place(40, 60, 200, 100))))
    assert near(picture[70, 50], (0, 0, 255))
    assert near(picture[70, 230], (255, 0, 0))
    assert near(picture[110, 140], (128, 128, 128)), "through the hole the background is seen"
    assert near(picture[50, 50], (128, 128, 128))


def test_a_picture_is_turned_clockwise_about_its_middle(flag: Path) -> None:
    picture = seen(of(ImageLayer(flag, Place(60, 70, 200, 100, rotation=90))))
    # Its left (red) half is now the upper one.
    assert near(picture[40, 160], (0, 0, 255))
    assert near(picture[200, 160], (255, 0, 0))
    assert near(picture[120, 90], (128, 128, 128))


def test_edges_at_parts_of_a_pixel_are_mixed(tmp_path: Path) -> None:
    white = save(tmp_path / "white.png", np.full((50, 50, 3), 255, np.uint8))
    luma = seen(of(ImageLayer(white, Place(100.5, 100, 50, 50)), background=Background("COLOR", "#000000")))
    assert luma[120, 99].max() < 6
    assert 110 < luma[120, 100].mean() < 145
    assert luma[120, 102].min() > 250


@pytest.mark.parametrize("rotation", [0, 90])
def test_a_tiny_picture_that_is_enlarged_has_sharp_edges(tmp_path: Path, rotation: float) -> None:
    """Bars are often pictures of one pixel."""
    dot = save(tmp_path / "dot.png", np.full((1, 1, 3), 255, np.uint8))
    place = Place(60, 70, 200, 100) if not rotation else Place(110, 20, 100, 200, rotation)
    luma = seen(of(ImageLayer(dot, place), background=Background("COLOR", "#000000"))).max(axis=2)
    assert luma[71:169, 61:259].min() > 245
    luma[69:171, 59:261] = 0
    assert luma.max() < 10


def test_layers_are_stacked_in_their_order_and_the_person_between(flag: Path, tmp_path: Path) -> None:
    green = save(tmp_path / "green.png", np.full((10, 10, 3), (0, 255, 0), np.uint8))
    low, high = ImageLayer(flag, Place(0, 0, 200, 100)), ImageLayer(green, Place(0, 0, 60, 60))
    scene = of(low, HumanLayer(Place(1, 2, 3, 4)), high)
    assert scene.human == Place(1, 2, 3, 4)
    assert len(scene.over) == 1
    assert near(seen(scene)[30, 30], (0, 255, 0))
    assert scene.under.y[30, 30] == of(low, HumanLayer()).under.y[30, 30], "what is above is not in what is below"
    assert near(seen(of(high, low, HumanLayer()))[30, 30], (0, 0, 255))


def test_a_layer_ends_with_the_stage(flag: Path) -> None:
    """In a crop that reaches beyond its stage."""
    layout = {"width": 200, "height": 200, "stage": (320, 240), "offset": (-60, -40)}
    picture = seen(of(ImageLayer(flag, Place(-40, -40, 200, 100)), **layout))
    assert near(picture[50, 70], (0, 0, 255))
    assert near(picture[50, 50], (128, 128, 128))
    assert near(picture[30, 100], (128, 128, 128))


def test_a_crop_shows_what_the_whole_stage_shows_there(flag: Path) -> None:
    layers = ImageLayer(flag, Place(33, 44, 150, 90, 20)), TextLayer("Crop", Place(100, 150, 200, 60))
    gradient = Background()
    whole = seen(of(*layers, background=gradient))
    crop = seen(of(*layers, width=160, height=120, stage=(320, 240), offset=(60, 80), background=gradient))
    assert np.abs(whole[80:200, 60:220].astype(int) - crop).max() <= 2


def test_the_background_goes_on_beyond_the_stage(tmp_path: Path) -> None:
    ramp = np.tile(np.arange(0, 240, dtype=np.uint8)[:, None, None], (1, 320, 3))
    behind = Background("IMAGE", image=save(tmp_path / "ramp.png", ramp))
    picture = seen(of(HumanLayer(), background=behind, stage=(320, 240), offset=(0, -100), height=340))
    assert np.abs(picture[:100].astype(int) - picture[100:200][::-1]).max() <= 2, "mirrored: no hard line"


def test_a_background_picture_with_a_place_of_its_own(tmp_path: Path) -> None:
    halves = np.zeros((10, 20, 3), np.uint8)
    halves[:, 10:] = 255
    behind = Background("IMAGE", image=save(tmp_path / "halves.png", halves), rect=(-320, 0, 640, 240))
    picture = seen(of(HumanLayer(), background=behind))
    assert picture[120, 60:].min() > 250, "the right half is all that the stage shows"


def test_shipped_backgrounds_suit_both_orientations() -> None:
    assert set(shipped()) == {"study", "office", "evening"}
    for path in shipped().values():
        assert path.stat().st_size < 250_000
        for size in ((720, 1280), (1280, 720)):
            picture = Background("IMAGE", image=path).draw(*size)
            assert picture.shape == (size[1], size[0], 3)
            assert picture.std() > 10


def test_equal_backgrounds_are_made_once_and_cannot_be_written() -> None:
    one, two = of(HumanLayer()), of(HumanLayer())
    assert one.under.y is two.under.y
    with pytest.raises(ValueError, match="read-only"):
        one.under.y[0, 0] = 1
    scenery.forget()
    assert of(HumanLayer()).under.y is not one.under.y


def test_the_fingerprint_names_files_and_places(flag: Path) -> None:
    def name(x: float) -> str:
        return fingerprint(Layout(320, 240, layers=(ImageLayer(flag, Place(x, 0, 10, 10)),)))

    first = name(0)
    assert name(0) == first
    assert name(1) != first
    save(flag, np.zeros((7, 7, 3), np.uint8))
    assert name(0) != first


# --- transparency -----------------------------------------------------------------------------------------------------


def test_with_a_key_there_is_nothing_but_the_key_and_the_layers(flag: Path) -> None:
    scene = of(ImageLayer(flag, Place(0, 0, 200, 100)), HumanLayer(), transparency="key", key="#00B140")
    assert scene.alpha is None
    picture = seen(scene)
    assert near(picture[200, 200], (64, 177, 0))
    assert near(picture[10, 10], (0, 0, 255))


def test_side_by_side_the_layers_below_have_their_alpha(flag: Path) -> None:
    scene = of(ImageLayer(flag, Place(0, 0, 200, 100)), HumanLayer(), transparency="side")
    assert scene.alpha is not None
    assert (scene.alpha[10, 10], scene.alpha[50, 100], scene.alpha[200, 200]) == (255, 0, 0)
    assert (scene.under.y[200, 200], scene.under.u[100, 100], scene.under.v[100, 100]) == (16, 128, 128), "black"


# --- videos -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("below", [True, False])
def test_a_video_runs_with_the_stage_clock_and_again(tmp_path: Path, below: bool) -> None:
    file = film(tmp_path / "a.mp4", [40, 120, 200])
    layer = VideoLayer(file, Place(10, 20, 64, 48), loops=2)
    scene = of(layer, HumanLayer()) if below else of(HumanLayer(), layer)
    shades = [int(seen(scene)[40, 40].mean())]
    for index in range(8):
        changed = scene.advance(5 + index * 0.04)
        assert all(rect == Rect(10, 20, 64, 48) for rect in changed)
        shades.append(int(seen(scene)[40, 40].mean()))
    rounded = [min((40, 120, 200), key=lambda shade: abs(shade - each)) for each in shades]
    assert rounded == [40, 40, 120, 200, 40, 120, 200, 200, 200], "twice, then the last picture stays"
    assert scene.still
    assert scene.advance(9) == ()
    assert near(seen(scene)[100, 100], (128, 128, 128))


def test_a_video_goes_on_where_it_was_left(tmp_path: Path) -> None:
    scene = of(VideoLayer(film(tmp_path / "a.mp4", list(range(20, 240, 5))), Place(0, 0, 64, 48)), HumanLayer())
    scene.advance(0)
    scene.advance(0.04)
    before = int(seen(scene)[20, 20].mean())
    scene.advance(600.0)  # nobody watched for ten minutes
    scene.advance(600.04)
    assert 0 < int(seen(scene)[20, 20].mean()) - before < 100, "half a second at most is made up for"


def test_a_slow_video_never_holds_up_the_drawing(tmp_path: Path) -> None:
    gate = threading.Event()

    class Slow(ThreadPoolExecutor):
        def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
            return super().submit(lambda: gate.wait(10) and fn(*args, **kwargs))

    with Slow(1) as slow:
        layer = VideoLayer(film(tmp_path / "a.mp4", [40, 200]), Place(0, 0, 64, 48))
        scene = build(Layout(320, 240, background=GREY, layers=(layer, HumanLayer())), slow)
        assert scene.advance(0) == ()
        assert scene.advance(0.2) == (), "it has not been decoded: the picture before stays"
        assert near(seen(scene)[20, 20], (40, 40, 40))
        gate.set()


def test_a_video_with_alpha_lets_the_background_through(tmp_path: Path) -> None:
    file = film(tmp_path / "a.mov", [255] * 3, codec="qtrle")
    picture = seen(of(VideoLayer(file, Place(20, 20, 64, 48)), HumanLayer(), background=Background("COLOR", "#000000")))
    assert 115 < picture[40, 50].mean() < 140


def test_a_turned_video(tmp_path: Path) -> None:
    file = film(tmp_path / "a.mp4", [250] * 3)
    picture = seen(of(VideoLayer(file, Place(100, 100, 64, 48, 90)), HumanLayer()))
    assert picture[94, 132].mean() > 240, "higher than wide now"
    assert near(picture[124, 104], (128, 128, 128))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such file"),
        (b"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1/secret.ts\n", "neither MP4"),
        (b"ffconcat version 1.0\nfile /etc/passwd\n", "neither MP4"),
        (b"\x00\x00\x00\x18ftypmp42" + b"\0" * 200, "cannot be read|no picture"),
    ],
)
def test_videos_that_are_refused(tmp_path: Path, content: bytes | None, message: str) -> None:
    file = tmp_path / "bad.mp4"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(PackError, match=message):
        of(VideoLayer(file, Place(0, 0, 64, 48)), HumanLayer())


def test_a_video_that_breaks_off_stays_at_its_last_picture(tmp_path: Path) -> None:
    file = film(tmp_path / "a.mp4", list(range(20, 220, 4)))
    data = bytearray(file.read_bytes())
    data[len(data) // 3 : len(data) // 2] = bytes(len(data) // 2 - len(data) // 3)
    file.write_bytes(bytes(data))
    try:
        scene = of(VideoLayer(file, Place(0, 0, 64, 48), loops=1), HumanLayer())
    except PackError:
        return  # the damage hit what tells where pictures are
    for index in range(80):
        scene.advance(index * 0.04)
    assert scene.still


# --- text -------------------------------------------------------------------------------------------------------------


def test_text_is_drawn_in_its_place_and_colour() -> None:
    layer = TextLayer("Hello 你好", Place(40, 100, 240, 60), TextStyle(size=40, color="#FF0000"))
    picture = seen(of(HumanLayer(), layer)).astype(int)
    red = (picture[..., 2] - picture[..., 1] > 60).nonzero()
    assert len(red[0]) > 300
    assert red[0].min() >= 98
    assert red[0].max() < 162
    assert red[1].min() >= 38
    left, right = picture[100:160, 40:140], picture[100:160, 150:240]
    assert all((part[..., 2] - part[..., 1] > 60).sum() > 100 for part in (left, right)), "Latin and Chinese letters"


def test_chinese_letters_are_not_boxes() -> None:
    """A font without them draws the same box for each."""

    def drawn(letter: str) -> bytes:
        layer = TextLayer(letter, Place(40, 40, 100, 100), TextStyle(size=60))
        return seen(of(HumanLayer(), layer)).tobytes()

    assert len({drawn(letter) for letter in "数字人形"}) == 4


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("one two three", ["one two", "three"]),
        ("你好世界，再见", ["你好世", "界，再", "见"]),
        ("你好世（再见）", ["你好世", "（再", "见）"]),
        ("abcdefghijklmnop", ["abcdefgh", "ijklmnop"]),
        ("a\nb", ["a", "b"]),
        ("", [""]),
    ],
)
def test_lines_break_where_they_may(text: str, lines: list[str]) -> None:
    class Even:
        """Every Chinese letter is 2 wide, others 1."""

        def getlength(self, part: str) -> float:
            return sum(2 if letter > "\u2e80" else 1 for letter in part)

    wide = 8 if text.isascii() else 6 if "，" in text else 7
    assert wrapped(text, Even(), wide) == lines  # type: ignore[arg-type]


def test_a_font_that_is_not_there_is_replaced() -> None:
    picture = seen(of(HumanLayer(), TextLayer("数字", Place(10, 10, 200, 80), TextStyle("No such font: at all", 40))))
    assert (picture > 200).any()


def _families(pattern: str) -> dict[str, str]:
    """Fonts that this machine has: file -> family."""
    if shutil.which("fc-list") is None:
        return {}
    listed = subprocess.run(["fc-list", pattern, "file", "family"], capture_output=True, text=True, check=True).stdout
    lines = (line.rpartition(": ") for line in listed.splitlines())
    return {file: names.split(",")[0] for file, _, names in lines if not file.endswith((".pfb", ".pcf.gz"))}


@pytest.mark.parametrize(
    ("pattern", "text"), [(":charset=41:style=Book", "Ag"), (":charset=4e2d:style=Regular", "数字")]
)
def test_letters_are_those_of_the_font_that_is_asked_for(pattern: str, text: str) -> None:
    families = sorted(set(_families(pattern).values()))
    if len(families) < 2:
        pytest.skip("this machine has not two such fonts")

    def drawn(family: str | None) -> Picture:
        return seen(of(HumanLayer(), TextLayer(text, Place(10, 10, 300, 200), TextStyle(family, 120))))

    looks = {drawn(family).tobytes() for family in families[:6]}
    assert len(looks) > 1
    assert drawn("No such font at all").any()


def test_without_fontconfig_fonts_are_searched_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fonts.shutil, "which", lambda name: None)
    fonts.font_file.cache_clear()
    try:
        found = fonts.font_file(None, True)
        assert found is not None
        assert fonts.has_letter(*found, "数")
        latin = fonts.font_file(None, False)
        assert latin is not None
        assert fonts.has_letter(*latin, "A")
    finally:
        fonts.font_file.cache_clear()


def test_without_any_font_latin_letters_are_still_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fonts, "font_file", lambda family, chinese: None)
    fonts.load_font.cache_clear()
    try:
        picture = seen(of(HumanLayer(), TextLayer("Hello", Place(10, 10, 200, 80))))
        assert (picture > 220).any()
    finally:
        fonts.load_font.cache_clear()


# --- subtitles --------------------------------------------------------------------------------------------------------

BOX = Subtitles(Place(20, 160, 280, 70), TextStyle(size=28, stroke=2))


def test_a_subtitle_comes_and_goes() -> None:
    scene = of(HumanLayer(), subtitles=BOX)
    clean = seen(scene)
    changed = scene.subtitle("欢迎光临")
    assert len(changed) == 1
    assert changed[0].cut(Rect(20, 160, 280, 70)) == changed[0], "within its box"
    shown = seen(scene)
    different = (shown != clean).any(axis=2)
    assert different.any()
    assert not np.delete(different, np.s_[160:230], axis=0).any()
    letters = np.flatnonzero(different.any(axis=0))
    assert abs(letters.mean() - 160) < 12, "in the middle"
    assert scene.subtitle("欢迎光临") == ()
    assert scene.subtitle(None) == changed
    assert (seen(scene) == clean).all()
    assert scene.still


def test_a_long_subtitle_is_made_smaller_and_stays_in_its_box() -> None:
    scene = of(HumanLayer(), subtitles=BOX)
    clean = seen(scene)
    scene.subtitle("这是一句非常长的话，" * 8)
    different = (seen(scene) != clean).any(axis=2)
    assert not np.delete(different, np.s_[160:230], axis=0).any()
    assert different[160:195].any(), "more than one line"


def test_nothing_of_a_subtitle_is_cut_off() -> None:
    """In the box's last rows there is the outline, but no letter."""
    scene = of(HumanLayer(), subtitles=BOX)
    scene.subtitle("gypsy 你好 jqp\ngypsy 你好 jqp")
    picture = seen(scene)
    white = np.flatnonzero((picture.min(axis=2) > 220).any(axis=1))
    assert white.max() < 228
    # The letters g, y, p and q really reach below their line: as far as they would in a larger box.
    larger = of(HumanLayer(), subtitles=Subtitles(Place(20, 140, 280, 90), BOX.style))
    larger.subtitle("gypsy 你好 jqp\ngypsy 你好 jqp")
    assert (seen(larger) == picture).mean() > 0.999


def test_a_subtitle_s_colours_outline_and_opacity() -> None:
    def shown(**style: object) -> npt.NDArray[np.int_]:
        box = Place(20, 100, 280, 130)
        style = {"size": 90, "color": "#FF0000", "stroke_color": "#0000FF", "stroke": 6.0, **style}
        scene = of(HumanLayer(), subtitles=Subtitles(box, TextStyle(**style)))  # type: ignore[arg-type]
        scene.subtitle("HI")
        return seen(scene).astype(int)

    solid, faint = shown(), shown(opacity=0.5)
    red = (solid[..., 2] > 200) & (solid[..., 0] < 60)
    blue = (solid[..., 0] > 200) & (solid[..., 2] < 60)
    assert red.sum() > 500
    assert blue.sum() > 500
    # The outline lies around the letters, as thick as was told.
    assert abs((blue.any(axis=1).argmax() + 6) - red.any(axis=1).argmax()) <= 2
    assert np.abs(faint[red].mean(0) - (64, 64, 192)).max() < 12, "half red, half of the grey behind it"


@pytest.mark.parametrize(
    "text", ["The museum opens daily at nine, come in!", "博物馆每天九点开门，欢迎您随时光临参观。"], ids=("en", "zh")
)
def test_a_subtitle_appears_word_by_word_where_it_will_stand(text: str) -> None:
    """Each step adds letters behind those that stand, which do not move; only what is added is drawn again."""
    scene = of(HumanLayer(), subtitles=BOX)
    clean = seen(scene)
    scene.subtitle(text)
    whole = seen(scene)
    scene.subtitle(None)
    assert scene.subtitle(text, 0) == ()
    assert (seen(scene) == clean).all(), "nothing was said yet"
    before, steps = clean, 0
    for upto in range(1, len(text) + 1):
        changed = scene.subtitle(text, upto)
        assert sum(rect.width for rect in changed) <= 60, "a letter, not the line"
        picture = seen(scene)
        stood = (before != clean).any(axis=2)
        assert (picture[stood] == before[stood]).all()
        assert ((picture == whole) | (picture == clean)).all(axis=2).all(), "each letter where it is in the whole"
        steps += (picture != before).any()
        before = picture
        assert scene.subtitle(text, upto) == ()
    assert (before == whole).all()
    assert steps >= sum(letter.isalnum() for letter in text)
    # The same sentence once more begins anew.
    scene.subtitle(text, 0)
    assert (seen(scene) == clean).all()


def test_a_subtitle_too_long_for_its_box_is_shown_in_pages() -> None:
    text = "".join(f"{index:02d}这是一句非常长的话，" for index in range(12))
    scene = of(HumanLayer(), subtitles=BOX)
    clean, shown, pages = seen(scene), [], 1
    for upto in range(1, len(text) + 1):
        scene.subtitle(text, upto)
        shown.append((seen(scene) != clean).any(axis=2))
        pages += len(shown) > 1 and shown[-1].sum() < shown[-2].sum() / 2
    assert 2 <= pages <= 6
    assert not any(np.delete(page, np.s_[160:230], axis=0).any() for page in shown), "all of it in its box"
    assert all(page.any() for page in shown), "and each of its words"


def test_letters_are_drawn_on_another_thread() -> None:
    gate = threading.Event()

    class Held(ThreadPoolExecutor):
        def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
            return super().submit(lambda: gate.wait(10) and fn(*args, **kwargs))

    with Held(1) as held:
        scene = build(Layout(320, 240, background=GREY, subtitles=BOX), held)
        assert scene.subtitle("later") == ()
        assert not scene.still
        assert scene.advance(0) == ()
        gate.set()
    (changed,) = scene.advance(0.04)
    assert not changed.empty
    assert scene.still


def test_a_subtitle_without_a_box_is_nothing() -> None:
    scene = of(HumanLayer())
    assert scene.subtitle("x") == ()
    assert scene.over == ()


# --- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda folder: of(HumanLayer(), width=321), "even"),
        (lambda folder: of(HumanLayer(), stage=(640, 480), offset=(3, 0)), "even"),
        (lambda folder: of(HumanLayer(), HumanLayer()), "one person"),
        (lambda folder: of(ImageLayer(folder / "none.png", Place(0, 0, 9, 9))), "no such file"),
        (lambda folder: of(TextLayer("x", Place(0, 0, 9, 9), TextStyle(color="red"))), "#RRGGBB"),
        (lambda folder: of(subtitles=Subtitles(Place(0, 0, 9, 9), TextStyle(stroke_color="#12"))), "#RRGGBB"),
        (lambda folder: of(transparency="key", key="green"), "#RRGGBB"),
        (lambda folder: of(*[TextLayer("x", Place(0, 0, 9, 9))] * 101), "at most 100"),
    ],
)
def test_what_cannot_be_drawn_is_refused(make: Callable[[Path], Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(VisavisError, match=message):
        make(tmp_path)


def test_an_enormous_picture_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    small = cv2.imencode(".png", np.zeros((4, 4, 3), np.uint8))[1].tobytes()
    bomb = tmp_path / "bomb.png"
    bomb.write_bytes(small[:16] + (8000).to_bytes(4, "big") * 2 + small[24:])
    with pytest.raises(PackError, match="8000x8000"):
        of(ImageLayer(bomb, Place(0, 0, 9, 9)))
