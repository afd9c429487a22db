"""What a room asks to see is in the pictures that arrive: layers, burnt-in subtitles, crops, a shipped background, transparency."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import io
from collections.abc import Callable
from typing import Any

import cv2
import httpx
import numpy as np
import numpy.typing as npt
import pytest
from huaweicloudsdkmetastudio.v1 import model
from PIL import Image
from running import Cloud, Guest, guest
from test_page import visit

from visavis.avatar.background import Background, shipped
from visavis.rtc.client import Received

pytestmark = [pytest.mark.system, pytest.mark.timeout(180)]

RED, WALL, WHITE = (220, 30, 30), (32, 64, 96), (255, 255, 255)
TILE = 20
Picture = npt.NDArray[Any]


def rgb(received: Received) -> Picture:
    return received.frame.to_ndarray(format="rgb24").astype(int)


def near(part: Picture, wanted: tuple[int, int, int], within: float = 10) -> bool:
    return bool(np.abs(part.reshape(-1, 3).mean(0) - wanted).max() <= within)


async def seen(visitor: Guest, check: Callable[[Picture], bool], seconds: float = 20) -> Picture:
    """The first picture from now on for which ``check`` holds."""
    found: asyncio.Future[Picture] = asyncio.get_running_loop().create_future()

    def look(received: Received) -> None:
        if not found.done() and check(picture := rgb(received)):
            found.set_result(picture)

    visitor.senses.on_picture = look
    return await asyncio.wait_for(found, seconds)


def room(cloud: Cloud, video: model.VideoConfig, **more: Any) -> str:
    made = cloud.sdk.create_smart_chat_room(
        model.CreateSmartChatRoomRequest(
            body=model.CreateSmartChatRoomReq(
                room_name="stage",
                robot_id=cloud.robot(),
                concurrency=2,
                default_language="EN",
                video_config=video,
                **more,
            )
        )
    )
    return str(made.room_id)


def uploaded(cloud: Cloud, content: bytes) -> str:
    """As the SDK's users upload a picture."""
    asset = cloud.sdk.create_digital_asset(
        model.CreateDigitalAssetRequest(body=model.CreateDigitalAssetRequestBody(asset_name="sign", asset_type="IMAGE"))
    ).asset_id
    digest = base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode()
    body = model.FilesCreateReq(
        file_name="a.png", file_md5=digest, file_size=len(content), asset_id=asset, asset_file_category="MAIN"
    )
    file = cloud.sdk.create_file(model.CreateFileRequest(body=body))
    assert httpx.put(file.upload_url, content=content).status_code == 200
    done = model.ConfirmFileUploadRequestBody(state="CREATED")
    cloud.sdk.confirm_file_upload(model.ConfirmFileUploadRequest(file_id=file.file_id, body=done))
    return str(asset)


async def test_an_uploaded_picture_and_the_subtitle_are_in_the_video(cloud: Cloud) -> None:
    png = bytes(cv2.imencode(".png", np.full((2, 2, 3), RED[::-1], np.uint8))[1])
    asset = await asyncio.to_thread(uploaded, cloud, png)
    letters = model.SubtitleConfig(
        dx=90, dy=1860, w=900, h=300, font_size=90, font_color="#FFFF00", stroke_color="#000000", stroke_thickness=4.0
    )
    video = model.VideoConfig(bitrate=2500, width=720, height=1280, is_subtitle_enable=True, subtitle_config=letters)
    sign = model.LayerConfig(
        layer_type="IMAGE",
        asset_id=asset,
        position=model.LayerPositionConfig(dx=60, dy=60, layer_index=2),
        size=model.LayerSizeConfig(width=240, height=120),
    )
    person = model.LayerConfig(layer_type="HUMAN", position=model.LayerPositionConfig(dx=0, dy=0, layer_index=1))
    background = model.BackgroundConfigInfo(background_type="COLOR", background_color_config="#204060")
    room_id = await asyncio.to_thread(room, cloud, video, layer_config=[sign, person], background_config=background)

    def yellow(picture: Picture) -> Picture:
        return (picture[..., 0] > 190) & (picture[..., 1] > 190) & (picture[..., 2] < 110)

    async with guest(cloud, room_id, keep_pictures=False) as visitor:
        # Its own red, in its own place, two thirds of the canvas; then the wall.
        picture = await seen(visitor, lambda one: near(one[44:116, 44:196], RED))
        assert near(picture[130:160, 60:180], WALL)
        assert near(picture[44:116, 210:240], WALL)
        visitor.tell("send-text", content="What can you do?")
        picture = await seen(visitor, lambda one: yellow(one).sum() > 300)
        rows, columns = np.nonzero(yellow(picture))
        # The box on the canvas: (90, 1560) to (990, 1860).
        assert 1036 <= rows.min() < rows.max() <= 1244
        assert 56 <= columns.min() < columns.max() <= 664
        await visitor.until("bot-stopped-speaking")
        await seen(visitor, lambda one: yellow(one).sum() < 20)


async def test_a_crop_of_the_room_s_shipped_background_arrives(cloud: Cloud) -> None:
    video = model.VideoConfig(bitrate=2500, width=600, height=800, clip_mode="CROP", dx=20, dy=100)
    background = model.BackgroundConfigInfo(background_type="IMAGE", background_asset_id="background-study")
    room_id = await asyncio.to_thread(room, cloud, video, background_config=background)
    stage = Background("IMAGE", image=shipped()["study"]).draw(1080, 1920)[..., ::-1].astype(int)
    wanted = stage[100:300, 20:220]
    async with guest(cloud, room_id, keep_pictures=False) as visitor:
        picture = await seen(visitor, lambda one: np.abs(one[:200, :200] - wanted).mean() < 6)
    assert picture.shape == (800, 600, 3)


@pytest.mark.browser
async def test_a_page_of_chequers_shows_behind_the_transparent_person(cloud: Cloud) -> None:
    """The real server, the real page: it chooses the way itself, and nothing green is left."""
    background = model.BackgroundConfigInfo(background_type="TRANSPARENT")
    room_id = await asyncio.to_thread(
        room, cloud, model.VideoConfig(bitrate=2500, width=720, height=1280), background_config=background
    )
    code = (await asyncio.to_thread(cloud.sdk.create_once_code, model.CreateOnceCodeRequest())).once_code
    async with visit(f"{cloud.url}/#project={cloud.project}&room={room_id}&code={code}") as page:
        await page.wait_for_selector("#stage[data-picture] .keyed")
        assert await page.evaluate("document.getElementById('stage').dataset.transparent") == "side"
        await page.evaluate(
            """async () => {
              const chequers = 'repeating-conic-gradient(#fff 0 25%, #c02020 0 50%) 0 0 / 40px 40px';
              document.getElementById('stage').style.background = chequers;
              for (const e of document.querySelectorAll('.top, .foot, .veil, .progress')) e.style.display = 'none';
              const video = document.getElementById('video');
              for (let n = 0; n < 20; n++) await new Promise(next => video.requestVideoFrameCallback(next)); }"""
        )
        picture = np.asarray(Image.open(io.BytesIO(await page.screenshot())).convert("RGB")).astype(int)
    assert picture.shape == (1280, 720, 3)
    y, x = np.mgrid[0:1280, 0:720] // TILE
    chequers = np.where(((x + y) % 2 == 1)[..., None], WHITE, (192, 32, 32))
    error = np.abs(picture - chequers).max(-1)
    assert error[:100].mean() < 2, "above the head the page is untouched"
    covered = error > 24
    assert covered[500:700, 330:390].mean() > 0.9, "the person is not seen through"
    assert 0.2 < covered.mean() < 0.9
    # Along the person's outline, too, nothing is greener than red and blue.
    excess = (picture[..., 1] - np.maximum(picture[..., 0], picture[..., 2]))[covered]
    assert np.percentile(excess, 99.9) < 16
