"""From a job's specification to a layout: canvas coordinates become pixels of the stage."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import ExifTags, Image

from visavis.avatar.archive import PackError
from visavis.avatar.background import load_picture
from visavis.avatar.layout import HumanLayer, ImageLayer, Layout, Place, TextLayer
from visavis.session.picture import layout
from visavis.session.spec import BackgroundSpec, JobSpec, LayerSpec, SubtitleSpec, TextStyleSpec, VideoSpec


def made(**fields: Any) -> Layout:
    given = {"job_id": "j", "project_id": "p", "room_id": "r", "rtc_room_id": "x", "users": [], **fields}
    # As it comes to a worker: through JSON.
    return layout(JobSpec.model_validate_json(JobSpec(**given).model_dump_json()))


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    file = tmp_path / "a.png"
    cv2.imwrite(str(file), np.zeros((100, 300, 3), np.uint8))
    return file


@pytest.mark.parametrize(
    "size", [(720, 1280), (1280, 720), (1080, 1920), (1920, 1080), (2160, 3840), (3840, 2160)], ids=str
)
def test_layers_keep_their_share_of_the_stage(size: tuple[int, int], picture: Path) -> None:
    canvas = (1080, 1920) if size[0] < size[1] else (1920, 1080)
    spec = LayerSpec(
        kind="IMAGE", x=canvas[0] / 4, y=canvas[1] / 2, width=canvas[0] / 2, height=60, rotation=90, file=str(picture)
    )
    found = made(video=VideoSpec(width=size[0], height=size[1]), layers=[LayerSpec(kind="HUMAN"), spec])
    assert (found.width, found.height, found.stage, found.offset) == (*size, size, (0, 0))
    assert found.layers[0] == HumanLayer()
    layer = found.layers[1]
    assert isinstance(layer, ImageLayer)
    across = size[0] / canvas[0]
    assert layer.place == Place(size[0] / 4, size[1] / 2, size[0] / 2, pytest.approx(60 * across), 90)


@pytest.mark.parametrize(
    ("crop", "stage"),
    [
        ((600, 800, 100, 200), (1080, 1920)),
        ((1200, 800, 600, 200), (1920, 1080)),
        ((600, 600, -200, -100), (1080, 1920)),
        ((800, 400, 1400, -100), (1920, 1080)),
    ],
)
def test_crops_are_cut_from_the_canvas_they_show_more_of(crop: tuple[int, ...], stage: tuple[int, int]) -> None:
    width, height, dx, dy = crop
    found = made(video=VideoSpec(width=width, height=height, clip_mode="CROP", dx=dx, dy=dy))
    assert (found.width, found.height, found.stage, found.offset) == (width, height, stage, (dx, dy))


def test_without_a_person_among_the_layers_they_lie_above(picture: Path) -> None:
    found = made(layers=[LayerSpec(kind="IMAGE", file=str(picture), width=30)])
    assert found.layers[0] == HumanLayer()
    image = found.layers[1]
    assert isinstance(image, ImageLayer)
    assert (image.place.width, image.place.height) == (pytest.approx(20), pytest.approx(20 / 3)), (
        "keeps its proportions"
    )


def test_sizes_that_are_not_given(picture: Path) -> None:
    found = made(
        video=VideoSpec(width=1080, height=1920),
        layers=[
            LayerSpec(kind="IMAGE", file=str(picture), x=10),
            LayerSpec(kind="HUMAN", y=200),
            LayerSpec(kind="TEXT", text="a", x=80, y=1900),
        ],
    )
    places = [layer.place for layer in found.layers]
    assert places == [Place(10, 0, 300, 100), Place(0, 200, 1080, 1920), Place(80, 1900, 1000, 20)]


def test_a_photo_that_lies_on_its_side_is_shown_upright_in_its_proportions(tmp_path: Path) -> None:
    """As phones take them: the pixels lie, and a note says how to turn them."""
    pixels = Image.new("RGB", (300, 100), (0, 0, 255))
    pixels.paste((255, 0, 0), (0, 0, 150, 100))
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    # Notes of the camera may be long.
    pixels.save(tmp_path / "a.jpg", exif=exif, comment=b"c" * 60_000, quality=95)
    found = made(
        video=VideoSpec(width=1080, height=1920), layers=[LayerSpec(kind="IMAGE", file=str(tmp_path / "a.jpg"))]
    )
    layer = found.layers[1]
    assert isinstance(layer, ImageLayer)
    assert layer.place == Place(0, 0, 100, 300)
    shown = load_picture(layer.file, alpha=True)
    assert shown.shape == (300, 100, 4)
    assert (shown[20, 50, 2] > 200, shown[280, 50, 0] > 200) == (True, True), "the left half is now the upper one"


def test_letters_and_subtitles_grow_with_the_picture() -> None:
    style = TextStyleSpec(size=60, stroke=4, color="#112233", opacity=0.5)
    found = made(
        video=VideoSpec(width=720, height=1280),
        layers=[LayerSpec(kind="TEXT", text="a", width=90, height=60, style=style)],
        burned=SubtitleSpec(x=108, bottom=1800, width=864, height=300, style=style),
    )
    text = found.layers[1]
    assert isinstance(text, TextLayer)
    assert (text.style.size, text.style.stroke, text.style.color) == (40, pytest.approx(8 / 3), "#112233")
    assert found.subtitles is not None
    # The canvas's lower left corner, here the upper left one.
    assert found.subtitles.place == Place(pytest.approx(72), 1000, pytest.approx(576), 200)


def test_a_background_picture_lies_where_it_was_told(picture: Path) -> None:
    spec = BackgroundSpec(kind="IMAGE", image=str(picture), rect=(-540, 0, 2160, 1920))
    found = made(video=VideoSpec(width=720, height=1280), background=spec)
    assert found.background.rect == (-360, 0, 1440, 1280)


def test_transparency_goes_along() -> None:
    assert made(video=VideoSpec(transparency="side")).transparency == "side"


@pytest.mark.parametrize(
    ("content", "message"), [(None, "No such file"), (b"GIF89a", "not a PNG"), (b"\x89PNG", "not a PNG")]
)
def test_a_layer_without_its_file(tmp_path: Path, content: bytes | None, message: str) -> None:
    file = tmp_path / "x"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(PackError, match=message):
        made(layers=[LayerSpec(kind="IMAGE", file=str(file))])
    with pytest.raises(PackError, match="video x"):
        made(layers=[LayerSpec(kind="VIDEO", file=str(file))])
