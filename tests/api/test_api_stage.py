"""From a room's settings to the pixels: what is asked for over the API, drawn as a worker draws it, with the shipped person."""

from __future__ import annotations

import base64
from collections.abc import Callable
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import numpy.typing as npt
import pytest
from control_server import Server
from test_api_assets import spec_of, uploaded

from visavis.avatar import scenery
from visavis.avatar.background import Background, shipped
from visavis.avatar.compositor import open_renderer
from visavis.avatar.pack import SHIPPED, find
from visavis.avatar.types import Renderer
from visavis.motion.frame import MotionFrame
from visavis.session.picture import layout
from visavis.session.spec import JobSpec

SIZES = [(720, 1280), (1280, 720), (1080, 1920), (1920, 1080), (2160, 3840), (3840, 2160)]
RED, GREEN, BLUE, WALL = (220, 30, 30), (30, 200, 60), (40, 60, 220), (32, 64, 96)
COLOURED = {"background_type": "COLOR", "background_color_config": "32,64,96"}
Picture = npt.NDArray[np.uint8]


def flat(colour: tuple[int, int, int], width: int = 30, height: int = 20) -> bytes:
    """A PNG of one colour (RGB)."""
    return bytes(cv2.imencode(".png", np.full((height, width, 3), colour[::-1], np.uint8))[1])


def near(pixel: Any, wanted: tuple[int, ...], within: int = 8) -> bool:
    return bool(np.abs(np.asarray(pixel, int) - wanted).max() <= within)


def renderer_of(spec: JobSpec) -> Renderer:
    # As it comes to a worker: through JSON.
    return open_renderer(find("default", [SHIPPED]), layout(JobSpec.model_validate_json(spec.model_dump_json())))


def drawn(renderer: Renderer) -> Picture:
    """RGB; the colours' half only where there are two."""
    out = np.zeros((renderer.height * 3 // 2, renderer.width), np.uint8)
    renderer.draw(MotionFrame(), out)
    return np.asarray(cv2.cvtColor(out, cv2.COLOR_YUV2RGB_I420), np.uint8)


def at(x: float, y: float, width: float, height: float, index: int = 2) -> dict[str, Any]:
    return {
        "position": {"dx": round(x), "dy": round(y), "layer_index": index},
        "size": {"width": round(width), "height": round(height)},
    }


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
async def test_layers_lie_in_their_order_size_place_and_turn_in_every_size(
    server: Server, size: tuple[int, int]
) -> None:
    width, height = (1080, 1920) if size[0] < size[1] else (1920, 1080)
    behind, before, turned = [await uploaded(server, flat(colour)) for colour in (RED, BLUE, GREEN)]
    spec = await spec_of(
        server,
        model_asset_id="large",
        video_config={"width": size[0], "height": size[1]},
        background_config=COLOURED,
        layer_config=[
            # A sign before the breast, named first; a band behind the face, named last.
            {"layer_type": "IMAGE", "asset_id": before, **at(width * 0.46, height * 0.8, width * 0.08, 60, 9)},
            {"layer_type": "IMAGE", "asset_id": turned, "rotation": {"angle": 90}, **at(20, 200, 300, 60, 8)},
            {"layer_type": "HUMAN", "position": {"dx": 0, "dy": 0, "layer_index": 5}},
            {"layer_type": "IMAGE", "asset_id": behind, **at(0, height * 0.34, width, height * 0.02, 1)},
        ],
    )
    picture = drawn(renderer_of(spec))
    assert picture.shape == (size[1], size[0], 3)
    scale = size[0] / width

    def pixel(x: float, y: float) -> Any:
        return picture[round(y * scale), round(x * scale)]

    assert near(pixel(6, 6), WALL)
    assert near(pixel(6, height * 0.35), RED)
    assert near(pixel(width - 6, height * 0.35), RED)
    assert not near(pixel(width / 2, height * 0.35), RED, 60), "the face covers the band"
    assert near(pixel(width / 2, height * 0.8 + 30), BLUE), "the sign covers the person"
    # 300 x 60 from (20, 200), turned about its middle (170, 230): 60 x 300 from (140, 80).
    assert near(pixel(170, 90), GREEN)
    assert near(pixel(170, 370), GREEN)
    assert not near(pixel(60, 230), GREEN, 60)


async def test_a_crop_shows_what_the_whole_picture_shows_there(server: Server) -> None:
    sign = await uploaded(server, flat(BLUE))
    layers = [{"layer_type": "HUMAN"}, {"layer_type": "IMAGE", "asset_id": sign, **at(300, 900, 500, 80)}]
    common = {"background_config": COLOURED, "layer_config": layers}
    whole = drawn(renderer_of(await spec_of(server, video_config={"width": 1080, "height": 1920}, **common)))
    crop = {"clip_mode": "CROP", "width": 600, "height": 800, "dx": 240, "dy": 200}
    part = drawn(renderer_of(await spec_of(server, video_config=crop, **common)))
    assert part.shape == (800, 600, 3)
    difference = np.abs(part.astype(int) - whole[200:1000, 240:840])
    assert np.quantile(difference, 0.99) <= 4
    assert near(part[730, 300], BLUE)


class Now(Executor):
    """Does at once what it is given."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        done: Future[Any] = Future()
        done.set_result(fn(*args, **kwargs))
        return done


async def test_subtitles_are_in_the_picture_where_they_were_told(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scenery, "_WORKERS", Now())
    letters = {"font_size": 90, "font_color": "#FFFF00", "stroke_thickness": 0.0}
    config = {"dx": 100, "dy": 1800, "w": 880, "h": 240, **letters}
    video = {"width": 720, "height": 1280, "is_subtitle_enable": True, "subtitle_config": config}
    renderer = renderer_of(await spec_of(server, video_config=video, background_config=COLOURED))
    before = drawn(renderer).astype(int)
    renderer.subtitle("欢迎光临 welcome")
    after = drawn(renderer).astype(int)
    rows, columns = np.nonzero(np.abs(after - before).max(axis=2) > 20)
    # The box on the canvas of 1080x1920 is (100, 1560) to (980, 1800).
    assert 1040 <= rows.min() < rows.max() < 1200
    assert 66 <= columns.min() < columns.max() < 654
    assert abs((columns.min() + columns.max()) / 2 - 360) < 20, "in the middle of the box"
    yellow = (after[..., 0] > 200) & (after[..., 1] > 200) & (after[..., 2] < 90)
    assert yellow.sum() > 1500
    assert columns.max() - columns.min() > 300, "Chinese and Latin letters"


async def test_a_text_and_a_video_are_seen(server: Server, tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.mp4"), "w") as file:
        stream = file.add_stream("h264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 160, 96, "yuv420p"
        for _ in range(5):
            frame = av.VideoFrame.from_ndarray(np.full((96, 160, 3), GREEN, np.uint8), "rgb24")
            for packet in stream.encode(frame):
                file.mux(packet)
        for packet in stream.encode():
            file.mux(packet)
    film = await uploaded(server, (tmp_path / "a.mp4").read_bytes(), "VIDEO")
    words = {"text_context": base64.b64encode("数字人".encode()).decode(), "font_size": 120, "font_color": "255,0,0"}
    spec = await spec_of(
        server,
        background_config=COLOURED,
        layer_config=[
            {"layer_type": "HUMAN"},
            {"layer_type": "VIDEO", "asset_id": film, **at(60, 60, 300, 180)},
            {"layer_type": "TEXT", "text_config": words, **at(600, 60, 440, 200)},
        ],
    )
    picture = drawn(renderer_of(spec)).astype(int)
    assert near(picture[80, 120], GREEN, 12)
    assert near(picture[150, 250], WALL), "the video ends where it was told"
    red = (picture[..., 0] > 180) & (picture[..., 1] < 90) & (picture[..., 2] < 90)
    box = red[40:174, 400:694]
    assert box.sum() > 600
    # Three letters of 80 pixels, side by side.
    assert all(box[:, 80 * index : 80 * index + 80].any() for index in range(3))
    assert not red[:40].any()


async def test_a_shipped_background_lies_behind_the_person(server: Server) -> None:
    config = {"background_type": "IMAGE", "background_asset_id": "background-study"}
    picture = drawn(renderer_of(await spec_of(server, background_config=config))).astype(int)
    wanted = Background("IMAGE", image=shipped()["study"]).draw(720, 1280)[..., ::-1]
    # Chroma has half the resolution, and the person is in the middle.
    assert np.abs(picture[:120, :120] - wanted[:120, :120]).mean() < 3
    assert np.abs(picture[400:460, 330:390] - wanted[400:460, 330:390]).mean() > 20


async def test_a_transparent_room_leaves_layers_and_person_opaque(server: Server) -> None:
    sign = await uploaded(server, flat(BLUE))
    room_id = await server.room(
        background_config={"background_type": "TRANSPARENT"},
        layer_config=[{"layer_type": "HUMAN"}, {"layer_type": "IMAGE", "asset_id": sign, **at(60, 60, 300, 180)}],
    )
    keyed = drawn(renderer_of(server.dispatcher.specs[(await server.start(room_id))["job_id"]]))
    assert keyed.shape == (1280, 720, 3)
    assert near(keyed[10, 10], (0, 0xB1, 0x40))
    assert near(keyed[100, 100], BLUE)
    code = (await server.call("POST", "/digital-human-chat/once-code")).json()["once_code"]
    page = await server.http.post(
        "/page/v1/sessions", json={"project_id": "p1", "room_id": room_id}, headers={"X-Once-Code": code}
    )
    side = drawn(renderer_of(server.dispatcher.specs[page.json()["job_id"]]))
    assert side.shape == (1280, 1440, 3)
    colours, alpha = side[:, :720], side[:, 720:, 1]
    assert (alpha[10, 10], alpha[100, 100], alpha[450, 360]) == (0, 255, 255)
    assert near(colours[10, 10], (0, 0, 0))
    assert near(colours[100, 100], BLUE)
    # What is opaque in both is the same in both.
    solid = cv2.erode((alpha == 255).astype(np.uint8), np.ones((9, 9), np.uint8)) == 1
    assert solid.mean() > 0.2
    assert np.abs(colours[solid].astype(int) - keyed[solid]).mean() < 1.5
