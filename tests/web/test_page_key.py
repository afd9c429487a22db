"""Transparent pictures in Chromium: the real renderer's frames, through H.264 and WebRTC, over a chequered page."""

from __future__ import annotations

import asyncio
import io
from typing import Any

import cv2
import numpy as np
import pytest
from page_server import FakeServer
from page_visitor import LINK
from PIL import Image
from playwright.async_api import Browser, Page

from visavis.avatar.compositor import open_renderer
from visavis.avatar.layout import Layout
from visavis.avatar.pack import SHIPPED, find
from visavis.media.h264 import H264Encoder
from visavis.motion.frame import MotionFrame

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

WIDTH, HEIGHT = 360, 640
TILE = 20
RED, WHITE = (192, 32, 32), (255, 255, 255)
KEY = "#00B140"
Pixels = np.ndarray[Any, Any]

NO_WEBGL = """
const given = HTMLCanvasElement.prototype.getContext;
HTMLCanvasElement.prototype.getContext = function (kind, ...more) { return /webgl/.test(kind) ? null : given.call(this, kind, ...more); };
"""


def drawn(transparency: str) -> Pixels:
    """One picture of the shipped person, I420."""
    layout = Layout(WIDTH, HEIGHT, transparency=transparency, key=KEY)  # type: ignore[arg-type]
    renderer = open_renderer(find("default", [SHIPPED]), layout)
    out = np.zeros((renderer.height * 3 // 2, renderer.width), np.uint8)
    renderer.draw(MotionFrame(), out)
    return out


@pytest.fixture(scope="module")
def truth() -> tuple[Pixels, Pixels]:
    """(the person over the chequers as it should look, RGB; its alpha 0..1), before any coding."""
    side = drawn("side")
    rgb = cv2.cvtColor(side, cv2.COLOR_YUV2RGB_I420).astype(float)
    alpha = np.clip((side[:HEIGHT, WIDTH:].astype(float) - 16) / 219, 0, 1)
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH] // TILE
    # A conic gradient begins at the top and goes clockwise: the tile's upper right quarter is the first.
    chequers = np.where(((x + y) % 2 == 1)[..., None], WHITE, RED)
    return rgb[:, :WIDTH] + chequers * (1 - alpha[..., None]), alpha


def coded(picture: Pixels) -> list[bytes]:
    encoder = H264Encoder(picture.shape[1], HEIGHT, 25, 3000)
    return [encoder.encode(picture, index * 9000, index == 0).data for index in range(10)]


async def shown(browser: Browser, server: FakeServer, transparency: str, way: str) -> tuple[Pixels, Page]:
    """What the page looks like, RGB, once the picture has come to rest. The page decides by itself what to do."""
    server.reset()
    server.script.units = coded(drawn(transparency))
    server.script.answer = {
        "video_config": {"width": WIDTH, "height": HEIGHT},
        "picture": {"transparency": transparency, "key_color": KEY},
    }
    context = await browser.new_context(viewport={"width": WIDTH, "height": HEIGHT})
    if way == "2d":
        await context.add_init_script(NO_WEBGL)
    page = await context.new_page()
    await page.goto(f"http://127.0.0.1:{server.port}/{LINK}")
    await page.click("#talk")
    await server.heard("client-ready")
    await page.wait_for_selector("#stage[data-picture] .keyed")
    await page.evaluate(
        """() => {
          document.getElementById('stage').style.background = 'repeating-conic-gradient(#fff 0 25%, #c02020 0 50%) 0 0 / 40px 40px';
          for (const e of document.querySelectorAll('.top, .foot, .veil, .progress')) e.style.display = 'none';
        }"""
    )
    async with asyncio.timeout(15):
        # Twenty pictures: the encoder's first one is coarse.
        await page.evaluate(
            """async () => { const video = document.getElementById('video');
              for (let n = 0; n < 20; n++) await new Promise(next => video.requestVideoFrameCallback(next)); }"""
        )
    assert await page.evaluate("document.querySelector('.keyed').dataset.way") == way
    picture = Image.open(io.BytesIO(await page.screenshot()))
    return np.asarray(picture.convert("RGB")).astype(float), page


def green(rgb: Pixels) -> Pixels:
    """How much greener than red and blue."""
    return rgb[..., 1] - np.maximum(rgb[..., 0], rgb[..., 2])


# The key colour's mean error at edges is larger: what lies there is guessed from its neighbours.
@pytest.mark.parametrize(("transparency", "edge_error", "spill"), [("side", 8, 12), ("key", 25, 16)])
@pytest.mark.parametrize("way", ["webgl", "2d"])
async def test_the_chequers_show_through(
    browser: Browser,
    server: FakeServer,
    truth: tuple[Pixels, Pixels],
    transparency: str,
    edge_error: float,
    spill: float,
    way: str,
) -> None:
    seen, page = await shown(browser, server, transparency, way)
    await page.context.close()
    await server.hang_up()
    expected, alpha = truth
    error = np.abs(seen - expected).mean(-1)
    outside, inside, edge = alpha == 0, alpha == 1, (alpha > 0.05) & (alpha < 0.95)
    assert edge.sum() > 500
    assert error[outside].mean() < 1.5, "the page behind is untouched"
    assert error[inside].mean() < 5, "the person is opaque"
    assert error[edge].mean() < edge_error, "edges mix person and page"
    excess = (green(seen) - np.maximum(green(expected), 0))[~outside]
    assert np.percentile(excess, 99.9) < spill, "no green edges"
    # Were the keying left out (the video as it came), none of this would hold.
    untreated = np.abs(np.array([0, 177, 64]) - expected).mean(-1)
    assert untreated[edge].mean() > 3 * edge_error


async def test_the_2d_way_takes_over_when_the_graphics_processor_is_lost(
    browser: Browser, server: FakeServer, truth: tuple[Pixels, Pixels]
) -> None:
    _, page = await shown(browser, server, "side", "webgl")
    await page.evaluate(
        """async () => {
          const canvas = document.querySelector('.keyed');
          canvas.getContext('webgl2').getExtension('WEBGL_lose_context').loseContext();
          const video = document.getElementById('video');
          while (document.querySelector('.keyed') === canvas) await new Promise(next => video.requestVideoFrameCallback(next));
          for (let n = 0; n < 3; n++) await new Promise(next => video.requestVideoFrameCallback(next));
        }"""
    )
    assert await page.evaluate("document.querySelector('.keyed').dataset.way") == "2d"
    seen = np.asarray(Image.open(io.BytesIO(await page.screenshot())).convert("RGB")).astype(float)
    assert np.abs(seen - truth[0]).mean() < 5
    await page.context.close()
    await server.hang_up()


async def test_an_opaque_picture_is_left_alone(browser: Browser, server: FakeServer) -> None:
    server.reset()
    server.script.answer = {"picture": {"transparency": "none", "key_color": KEY}}
    context = await browser.new_context(viewport={"width": WIDTH, "height": HEIGHT})
    page = await context.new_page()
    await page.goto(f"http://127.0.0.1:{server.port}/{LINK}")
    await page.click("#talk")
    await page.wait_for_selector("#stage[data-picture]")
    assert await page.locator(".keyed").count() == 0
    assert await page.evaluate("getComputedStyle(document.getElementById('video')).clipPath") == "none"
    await context.close()
    await server.hang_up()
