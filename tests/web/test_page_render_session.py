"""The page that draws for itself: how it asks for motion, shows it in time with the sound, and falls back to the server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import numpy as np
import pytest
import pytest_asyncio
from page_motion import FLAGS as GL_FLAGS
from page_motion import MotionServer
from page_visitor import FLAGS, LINK, Visitor, chromium, until, visitors
from playwright.async_api import Browser, Page, expect

from visavis.motion import ARKIT_INDEX, Head, MotionFrame

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

CLIENT = "?render=client" + LINK
FAST_CARD = """
// As if there were a graphics card.
const ask = WebGL2RenderingContext.prototype.getParameter;
WebGL2RenderingContext.prototype.getParameter = function (name) {
  const said = ask.call(this, name);
  return typeof said === "string" ? said.replace(/swiftshader/gi, "Card") : said;
};
"""
NO_WEBGL = """
const open = HTMLCanvasElement.prototype.getContext;
HTMLCanvasElement.prototype.getContext = function (kind, ...more) {
  return kind.startsWith('webgl') ? null : open.call(this, kind, ...more);
};
"""
LOSE = "window.card = document.querySelector('#drawn').getContext('webgl2').getExtension('WEBGL_lose_context'); card.loseContext()"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server() -> AsyncIterator[MotionServer]:
    fake = MotionServer()
    await fake.start()
    yield fake
    await fake.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with chromium([*(each for each in FLAGS if each != "--disable-gpu"), *GL_FLAGS]) as launched:
        yield launched


@pytest_asyncio.fixture(loop_scope="module")
async def visitor(browser: Browser, server: MotionServer) -> AsyncIterator[Visitor]:
    """With a small window: the processor draws here."""
    async for someone in visitors(browser, server, viewport={"width": 420, "height": 640}):
        yield someone


def still(count: int, **weights: float) -> list[MotionFrame]:
    frames = [MotionFrame(pts=0.0) for _ in range(count)]
    for frame in frames:
        for name, weight in weights.items():
            frame.blendshapes[ARKIT_INDEX[name]] = weight
    return frames


def swaying(count: int) -> list[MotionFrame]:
    return [MotionFrame(pts=0.0, head=Head(yaw=0.1 * float(np.sin(index / 5)))) for index in range(count)]


async def sketch(visitor: Visitor, server: MotionServer, path: str = CLIENT, **timing: int) -> Page:
    """Open the link, press the button, send motion until a picture is drawn."""
    page = await visitor.open(path, **timing)
    await page.click("#talk")
    await server.heard("client-ready")
    await picture(page, server)
    server.event("jobInfoChange", chat_state=2)
    await until(page, "visavis.chatState === 2")
    return page


async def picture(page: Page, server: MotionServer) -> None:
    async with asyncio.timeout(15):
        await server.motion_opened.wait()
        shown = asyncio.create_task(page.wait_for_selector("#stage[data-picture]"))
        while not shown.done():
            await server.play(still(5))
        await shown


async def test_the_address_asks_and_motion_comes_instead_of_video(visitor: Visitor, server: MotionServer) -> None:
    page = await sketch(visitor, server)
    sdp = (await server.called("offer")).body["sdp"]
    assert "m=video" not in sdp
    assert "m=audio" in sdp
    assert "m=application" in sdp
    assert server.motion.label == "motion"
    assert (server.motion.ordered, server.motion.maxRetransmits) == (False, 0)
    assert await page.evaluate("visavis.render") == "client"
    await expect(page.locator("#drawn")).to_be_visible()
    # The sound still comes through the video element, which shows nothing.
    assert await page.evaluate("document.querySelector('video').srcObject.getTracks().map(t => t.kind)") == ["audio"]
    assert await page.evaluate("document.querySelector('video').paused") is False
    # The picture is as sharp as the screen, where the video would be.
    box = await page.locator("#drawn").bounding_box()
    size = await page.evaluate("[drawn.width, drawn.height, devicePixelRatio]")
    assert size[0] == pytest.approx(box["width"] * size[2], abs=1)
    assert box["height"] / box["width"] == pytest.approx(16 / 9, abs=0.01)
    await page.set_viewport_size({"width": 300, "height": 560})
    await until(page, f"drawn.width < {size[0] - 20}")
    pack = await server.called("pack")
    assert pack.headers["Authorization"].startswith("Bearer u1:")
    await page.click("#details-open")
    await server.play(swaying(40))
    await expect(page.locator("#figures")).to_contain_text("drawn here")
    await expect(page.locator("#render-mode")).to_have_value("client")


LISTEN = """async () => {
  const { StageClock, playing } = await import('/web/render/clock.js');
  const { MotionBuffer } = await import('/web/render/buffer.js');
  const { at } = MotionBuffer.prototype, { heard } = StageClock.prototype;
  const delivered = () => playing(visavis.debug.getReceivers().find((each) => each.track.kind === 'audio'), 0)?.at;
  let latency = NaN, stage = null;
  StageClock.prototype.heard = function (rtp, when, frame) {
    latency = when - delivered();
    stage = this;
    return heard.call(this, rtp, when, frame);
  };
  window.shown = [];
  MotionBuffer.prototype.at = function (now, passed) {
    const found = at.call(this, now, passed);
    const sound = playing(visavis.debug.getReceivers().find((each) => each.track.kind === 'audio'), latency);
    const clock = performance.now() / 1000;
    if (found && found.frame.rtp !== null && sound && stage) {
      const heard = found.frame.pts + ((sound.rtp - found.frame.rtp) | 0) / 48000 + clock - sound.at;
      const ahead = now - stage.now(clock); // what is drawn now is on show a little later
      shown.push([clock, heard, found.frame.pts, latency, this.size, ahead]);
    }
    return found;
  };
}"""


def steady(times: np.ndarray, heard: np.ndarray, seconds: float = 0.8) -> np.ndarray:
    """Which moments the sound has gone on for so long with real time: a busy machine's browser stalls and stretches it."""
    offset = heard - times
    spans = [offset[(times > now - seconds) & (times <= now)] for now in times]
    full = times - times[0] > seconds
    return full & (np.array([np.ptp(span) for span in spans]) < 0.045)


async def test_lips_are_shown_with_the_sound_that_is_heard(visitor: Visitor, server: MotionServer) -> None:
    page = await sketch(visitor, server)
    # The frame that is shown, and what of the sound is heard at that moment, as the page's own receiver tells both.
    await page.evaluate(LISTEN)
    async with asyncio.timeout(60):
        while True:
            await server.play(swaying(50))
            times, heard, pts, latency, waiting, ahead = np.array(await page.evaluate("shown")).T
            calm = steady(times, heard)
            if calm.sum() >= 30:
                break
    assert 0 <= latency.min() <= latency.max() < 0.5
    # A frame is shown from its time on until the next one's, 40 ms later; the sound's time is known to 20 ms.
    apart = (heard + ahead - pts)[calm]
    assert -0.01 < ahead.min() <= ahead.max() <= 0.08
    assert np.median(apart) == pytest.approx(0.02, abs=0.03)
    assert np.mean((apart > -0.03) & (apart < 0.08)) > 0.9
    assert waiting.max() <= 64


async def test_nothing_is_drawn_while_nothing_moves(visitor: Visitor, server: MotionServer) -> None:
    page = await sketch(visitor, server)
    await page.evaluate(
        """async () => {
          const { Painter } = await import('/web/render/painter.js');
          const draw = Painter.prototype.draw;
          window.drew = 0;
          Painter.prototype.draw = function (...given) { const done = draw.apply(this, given); drew += done; return done; };
        }"""
    )
    await server.play(still(15))
    settled = await page.evaluate("drew")
    await server.play(still(15))
    assert await page.evaluate("drew") == settled
    await server.play(swaying(15))
    assert await page.evaluate("drew") > settled


async def test_the_switch_changes_who_draws_and_is_remembered(visitor: Visitor, server: MotionServer) -> None:
    page = await visitor.talk()
    await page.click("#details-open")
    await expect(page.locator("#render-mode")).to_have_value("server")
    await expect(page.get_by_label("The picture is drawn by")).to_be_visible()
    await page.select_option("#render-mode", "client")
    offer = await server.called("offer", 2)
    assert (offer.body["pc_id"], offer.body["restart_pc"]) == ("pc-1", True)
    assert "m=video" not in offer.body["sdp"]
    await server.heard("client-ready", 2)
    server.event("jobInfoChange", chat_state=2)
    await server.motion_opened.wait()
    await server.play(swaying(10))
    await expect(page.locator("#drawn")).to_be_visible()
    assert await page.evaluate("visavis.render") == "client"
    await page.click("#language")
    await expect(page.get_by_label("画面绘制")).to_be_visible()
    await page.reload()
    await page.click("#talk")
    assert "m=video" not in (await server.called("offer", 3)).body["sdp"]
    await server.heard("client-ready", 3)
    await until(page, "visavis.state === 'live'")
    await page.keyboard.press("r")  # and back, by the keyboard
    assert "m=video" in (await server.called("offer", 4)).body["sdp"]
    await until(page, "visavis.render === 'server' && visavis.state === 'live'")
    await expect(page.locator("#drawn")).to_be_hidden()
    await until(page, "document.querySelector('video').videoWidth === 360")


async def test_the_room_s_wish_counts_where_there_is_a_graphics_card(visitor: Visitor, server: MotionServer) -> None:
    server.script.answer = {"render_mode": "client"}
    await visitor.context.add_init_script(FAST_CARD)
    await visitor.open()
    await visitor.page.click("#talk")
    assert "m=video" not in (await server.called("offer")).body["sdp"]


async def test_the_room_s_wish_does_not_burden_a_browser_without_one(visitor: Visitor, server: MotionServer) -> None:
    server.script.answer = {"render_mode": "client"}
    page = await visitor.talk()
    assert "m=video" in (await server.called("offer")).body["sdp"]
    assert await page.evaluate("visavis.render") == "server"


async def test_the_address_outweighs_the_room(visitor: Visitor, server: MotionServer) -> None:
    server.script.answer = {"render_mode": "client"}
    await visitor.context.add_init_script(FAST_CARD)
    await visitor.talk("?render=server" + LINK)
    assert "m=video" in (await server.called("offer")).body["sdp"]


async def test_without_webgl_the_server_draws(visitor: Visitor, server: MotionServer) -> None:
    await visitor.context.add_init_script(NO_WEBGL)
    page = await visitor.talk(CLIENT)
    assert "m=video" in (await server.called("offer")).body["sdp"]
    assert not [call for call in server.calls if call.name in ("scene", "pack")]
    await page.click("#details-open")
    assert await page.locator("#render-mode option[value=client]").is_disabled()
    await expect(page.locator("#render-note")).to_contain_text("no WebGL 2")


@pytest.mark.parametrize("fault", ["film", "pack missing"])
async def test_what_cannot_be_drawn_here_is_drawn_by_the_server(
    visitor: Visitor, server: MotionServer, fault: str
) -> None:
    if fault == "film":
        server.scene["client"] = False
    else:
        server.pack_status = 404
        visitor.expect_refusals = True
    page = await visitor.talk(CLIENT)
    assert "m=video" in (await server.called("offer")).body["sdp"]
    await page.click("#details-open")
    await expect(page.locator("#render-mode")).to_have_value("server")
    await expect(page.locator("#render-note")).to_contain_text("cannot be drawn on this device")


async def test_a_graphics_card_that_comes_back_draws_on(visitor: Visitor, server: MotionServer) -> None:
    page = await sketch(visitor, server)
    await page.evaluate(
        f"{LOSE}; document.querySelector('#drawn').addEventListener('webglcontextlost', () => heard.push('lost'))"
    )
    await until(page, "heard.includes('lost') || card")
    await server.play(still(3))
    await page.evaluate("() => { card.restoreContext() }")
    await page.evaluate(
        "async () => { const { Painter } = await import('/web/render/painter.js'); const paint = Painter.prototype.draw;"
        " Painter.prototype.draw = function (...a) { const d = paint.apply(this, a); if (d) heard.push('drawn'); return d; } }"
    )
    async with asyncio.timeout(15):
        while "drawn" not in await page.evaluate("heard"):
            await server.play(swaying(5))
    assert await page.evaluate("visavis.render") == "client"
    assert len([call for call in server.calls if call.name == "offer"]) == 1


async def test_a_graphics_card_that_is_gone_leaves_it_to_the_server(visitor: Visitor, server: MotionServer) -> None:
    page = await sketch(visitor, server, drawing=300)
    await page.evaluate(LOSE)
    offer = await server.called("offer", 2)
    assert "m=video" in offer.body["sdp"]
    assert offer.body["restart_pc"] is True
    await until(page, "visavis.render === 'server' && document.querySelector('video').videoWidth === 360")
    await expect(page.locator("#drawn")).to_be_hidden()


async def test_no_motion_is_told_as_a_missing_picture(visitor: Visitor, server: MotionServer) -> None:
    page = await visitor.open(CLIENT, noMedia=500)
    await page.click("#talk")
    await expect(page.locator("#message-title")).to_have_text("Connected, but no picture arrives")
    await server.motion_opened.wait()
    await server.play(swaying(5))
    await expect(page.locator("#message")).to_be_hidden()
