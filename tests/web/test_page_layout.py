"""The page on a phone, a desktop and a large portrait screen: nothing sticks out, all can be read and reached."""

from __future__ import annotations

from typing import Any

import pytest
from page_server import FakeServer, encode, moving_square
from page_visitor import Visitor, boxes
from playwright.async_api import Page, expect

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

SIZES = {"phone": (390, 844), "desktop": (1440, 900), "kiosk": (1080, 1920), "phone-on-its-side": (844, 390)}


def contexts() -> list[Any]:
    return [
        pytest.param(
            {"viewport": {"width": w, "height": h}, "locale": locale, "color_scheme": scheme}, id=f"{name}-{locale}"
        )
        for name, (w, h) in SIZES.items()
        for locale, scheme in (("en-US", "light"), ("zh-CN", "dark"))
        if (name, locale) != ("phone-on-its-side", "zh-CN")
    ]


# What a person would stumble over: content outside the window, controls too small for a finger or covered by
# something, controls without a name, letters without contrast (WCAG 2.2: 4.5:1; 24 px is the least target, 44 ours).
AUDIT = """
() => {
  const found = [];
  const W = innerWidth, H = innerHeight;
  const seen = (e) => e.checkVisibility({visibilityProperty: true, opacityProperty: true});
  const root = document.documentElement;
  if (root.scrollWidth > W) found.push(`page is ${root.scrollWidth} wide, window ${W}`);
  const scope = document.querySelector('dialog[open]') ?? document;
  for (const e of scope.querySelectorAll('button, input, select, summary')) {
    if (!seen(e) || e.closest('.skip')) continue;
    const name = e.getAttribute('aria-label') || e.textContent.trim() || (e.labels?.[0]?.textContent ?? '').trim();
    const label = e.id || name;
    if (!name) found.push(`${label}: no name`);
    e.scrollIntoView({block: 'nearest'});
    const r = e.getBoundingClientRect();
    if (r.left < -0.5 || r.right > W + 0.5 || r.top < -0.5 || r.bottom > H + 0.5) {
      found.push(`${label} sticks out: ${[r.left, r.top, r.right, r.bottom].map(Math.round)}`);
    }
    if (e.tagName === 'BUTTON' && (r.width < 44 || r.height < 40)) found.push(`${label} is ${r.width}x${r.height}`);
    const top = document.elementFromPoint(r.left + r.width / 2, r.top + r.height / 2);
    if (top && !e.contains(top) && !top.contains(e)) found.push(`${label} is covered by ${top.id || top.className}`);
  }
  for (const e of scope.querySelectorAll('.caption, .status span, h1, h2, .plain, .primary')) {
    if (seen(e) && e.scrollWidth > e.clientWidth + 1 && e.clientWidth) found.push(`${e.textContent} is cut off`);
  }
  const ids = [...document.querySelectorAll('[id]')].map(e => e.id);
  ids.filter((id, i) => ids.indexOf(id) !== i).forEach(id => found.push(`id ${id} twice`));
  for (const e of document.querySelectorAll('[aria-controls], [aria-labelledby], label[for]')) {
    for (const a of ['aria-controls', 'aria-labelledby', 'for']) {
      const id = e.getAttribute(a);
      if (id && !document.getElementById(id)) found.push(`${a}=${id} leads nowhere`);
    }
  }
  const rgb = (text) => {
    const canvas = new OffscreenCanvas(1, 1).getContext('2d');
    canvas.fillStyle = text; canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = (top, below) => top.slice(0, 3).map((c, i) => c * top[3] + below[i] * (1 - top[3])).concat(1);
  const light = (c) => c.slice(0, 3).map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((s, v, i) => s + v * [0.2126, 0.7152, 0.0722][i], 0);
  const contrast = (a, b) => { const [x, y] = [light(a), light(b)].sort((p, q) => q - p);
    return (x + 0.05) / (y + 0.05); };
  // Behind translucent glass the worst picture counts: a white one and a black one.
  const backdrops = (e) => {
    const layers = [];
    for (let n = e; n; n = n.parentElement) {
      const c = rgb(getComputedStyle(n).backgroundColor);
      if (n.classList.contains('orb')) c.splice(0, 4, ...rgb(getComputedStyle(n).getPropertyValue('--accent')));
      if (c[3]) layers.push(c);
      if (c[3] === 1) break;
    }
    const talk = document.body.dataset.view === 'talk' && e.closest('.stage, .top');
    const paper = rgb(getComputedStyle(document.documentElement).getPropertyValue('--paper'));
    const solid = layers.length && layers[layers.length - 1][3] === 1 && !(talk && layers.length > 1);
    const grounds = solid ? [layers.pop()] : talk ? [[255, 255, 255, 1], [0, 0, 0, 1]] : [paper];
    const glass = layers.filter(c => c[3] < 1).reverse();
    return grounds.map(ground => glass.reduce((below, layer) => over(layer, below), ground));
  };
  const walker = document.createTreeWalker(scope === document ? document.body : scope, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const e = walker.currentNode.parentElement;
    const skip = '.sr, .skip, noscript, option, [aria-disabled=true], .veil > :not(button)';
    if (!walker.currentNode.data.trim() || !seen(e) || e.closest(skip)) continue;
    const ink = rgb(getComputedStyle(e).color);
    const worst = Math.min(...backdrops(e).map(b => contrast(over(ink, b), b)));
    if (worst < 4.5) found.push(`"${walker.currentNode.data.trim()}" has contrast ${worst.toFixed(2)}`);
  }
  return found;
}
"""


async def audit(page: Page) -> None:
    assert await page.evaluate(AUDIT) == []


@pytest.mark.parametrize("visitor", contexts(), indirect=True)
async def test_before_the_conversation(visitor: Visitor, server: FakeServer) -> None:
    visitor.server.script.rooms = [
        {"room_id": "r1", "room_name": "Lobby", "room_description": "A long description of the room " * 3},
        {"room_id": "r2", "room_name": "展厅", "concurrency": 0},
    ]
    page = await visitor.open()
    await page.emulate_media(reduced_motion="reduce")
    await expect(page.locator("#talk")).to_be_in_viewport(ratio=1)
    await audit(page)
    await page.click("#help-open")
    await audit(page)
    await page.click("#help-close")
    await page.goto(f"http://127.0.0.1:{server.port}/?again")
    await page.click("summary")
    await audit(page)
    await page.fill("#project", "demo")
    await page.fill("#user", "ann")
    await page.fill("#password", "x")
    await page.click("#signin-button")
    await expect(page.locator("[data-room=r1]")).to_be_visible()
    await audit(page)


@pytest.mark.parametrize("visitor", contexts(), indirect=True)
async def test_in_the_conversation(visitor: Visitor, server: FakeServer) -> None:
    page = await visitor.talk()
    await page.emulate_media(reduced_motion="reduce")
    view = page.viewport_size
    stage, video = await boxes(page, "#stage", "#video")
    # The digital human fills the stage: at least one side entirely, and is never squeezed.
    assert video["height"] >= stage["height"] - 1 or video["width"] >= stage["width"] - 1
    assert video["width"] / video["height"] == pytest.approx(9 / 16, rel=0.01)
    assert stage["height"] == view["height"]
    server.say("user-transcription", text="你好，你能做什么？ And what else? " * 4, user_id="u1", final=True)
    server.say("bot-started-speaking")
    server.say("bot-output", text="I can answer questions about visavis. " * 6, spoken=True)
    server.event("subtitle", text="I can answer questions about visavis.", language="EN", chat_id="c", pts=1.0)
    await page.wait_for_selector("#subtitle:not([hidden])")
    words = await page.locator("#subtitle p").bounding_box()
    assert words["x"] >= 0
    assert words["x"] + words["width"] <= stage["width"] + 1
    for each in ("#mic", "#type", "#interrupt", "#transcript-open", "#details-open", "#end"):
        await expect(page.locator(each)).to_be_in_viewport(ratio=1)
    await audit(page)
    if await page.locator("#transcript").is_hidden():
        await page.click("#transcript-open")
    await expect(page.locator("#transcript li.them")).to_be_in_viewport(ratio=0.1)
    await audit(page)
    await page.click("#details-open")
    server.event("latency", chat_id="c", stages={"endpoint": 0.5, "play": 1.2})
    await expect(page.locator("#latency .num").first).to_be_visible()
    await audit(page)
    await page.click("#panel-close")
    await page.click("#type")
    await audit(page)
    await page.click("#mic")
    server.event("jobEndMention", jobId="job-1", restTime=60)
    await expect(page.locator("#notice")).to_be_in_viewport(ratio=1)
    await audit(page)
    server.event("jobInfoChange", chat_state=3)
    await expect(page.locator("#wake")).to_be_in_viewport(ratio=1)
    await audit(page)
    server.event("jobEnd", jobId="job-1", reason="FAILED")
    await expect(page.locator("#message")).to_be_visible()
    await page.click("#message-details summary")
    await audit(page)


@pytest.mark.parametrize("visitor", [{"reduced_motion": "reduce"}], indirect=True)
async def test_still_for_those_who_ask_for_less_motion(visitor: Visitor) -> None:
    page = await visitor.talk()
    moving = await page.evaluate("document.getAnimations().filter(a => a.playState === 'running').length")
    assert moving == 0


@pytest.mark.parametrize("visitor", [{"viewport": {"width": 1440, "height": 900}}], indirect=True)
async def test_a_landscape_picture_and_its_subtitle(visitor: Visitor, server: FakeServer) -> None:
    server.script.units = encode(moving_square(640, 360))
    server.script.subtitle = {"dx": 480, "dy": 640, "width": 960, "height": 120}
    page = await visitor.talk()
    await page.click("#panel-close")
    server.event("subtitle", text="Good morning.", language="EN", chat_id="c", pts=1.0)
    await page.wait_for_selector("#subtitle:not([hidden])")
    video, box = await boxes(page, "#video", "#subtitle")
    scale = video["width"] / 1920
    assert video["height"] == pytest.approx(1080 * scale, abs=1)
    assert box["x"] == pytest.approx(video["x"] + 480 * scale, abs=1)
    assert box["y"] == pytest.approx(video["y"] + 640 * scale, abs=1)
