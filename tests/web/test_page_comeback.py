"""A screen at a fixed place comes back by itself, in a browser that lets pages be heard untouched, as kiosks are set up."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from page_server import FakeServer, Refusal
from page_visitor import ACTIVATION as CODE
from page_visitor import FLAGS, KIOSK, Visitor, chromium, power_cut, until
from playwright.async_api import Browser, expect

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with chromium([*FLAGS, "--autoplay-policy=no-user-gesture-required"]) as launched:
        yield launched


async def test_a_reload_goes_on_by_itself(visitor: Visitor, server: FakeServer) -> None:
    page = await visitor.talk(KIOSK)
    await page.reload()
    await server.heard("client-ready", 2)  # nobody pressed anything: the same conversation
    await page.wait_for_selector("#stage[data-picture]")
    assert len([call for call in server.calls if call.name == "session"]) == 1


async def test_a_reload_after_the_end_begins_the_next_conversation(visitor: Visitor, server: FakeServer) -> None:
    page = await visitor.talk(KIOSK)
    server.event("jobEnd", jobId="job-1", reason="MUTE_TIMEOUT")
    await expect(page.locator("#message-title")).to_be_visible()
    await page.reload()
    await server.heard("client-ready", 2)
    assert (await server.called("session", 2)).headers["X-Once-Code"] == CODE


async def test_a_conversation_from_before_the_power_cut_is_followed_by_the_next(
    visitor: Visitor, server: FakeServer
) -> None:
    visitor.expect_refusals = True
    page = await visitor.talk(KIOSK)
    server.script.refuse["ice"] = Refusal(404, "MSS.20010074")
    async with page.expect_request("**/page/v1/sessions"):  # by itself
        await page.reload()
    server.script.refuse.clear()
    await page.reload()
    await server.heard("client-ready", 2)


async def test_after_a_power_cut_it_starts_by_itself_where_sound_is_allowed(
    visitor: Visitor, server: FakeServer
) -> None:
    await visitor.talk(KIOSK)
    await power_cut(visitor)
    await server.heard("client-ready", 2)
    assert (await server.called("session", 2)).headers["X-Once-Code"] == CODE


async def test_where_the_microphone_would_be_asked_for_it_waits(visitor: Visitor, server: FakeServer) -> None:
    await visitor.talk(KIOSK)
    await visitor.context.add_init_script(
        "navigator.permissions.query = async () => { window.asked = true; return { state: 'prompt' } }"
    )
    page = await power_cut(visitor)
    await until(page, "window.asked")
    assert await page.evaluate("visavis.state") == "idle"
    await expect(page.locator("#talk")).to_have_text("Talk")


async def test_a_screen_that_types_comes_back_typing(visitor: Visitor, server: FakeServer) -> None:
    page = await visitor.open(KIOSK)
    await page.click("#talk-text-only")
    await server.heard("client-ready")
    await page.reload()  # no microphone is needed, so none is waited for
    await server.heard("client-ready", 2)
    await expect(page.locator("#ask")).to_be_visible()


async def test_an_ordinary_visitor_s_reload_waits_for_the_press(visitor: Visitor, server: FakeServer) -> None:
    page = await visitor.talk()
    await page.reload()
    await expect(page.locator("#talk")).to_have_text("Continue")
    assert await page.evaluate("visavis.state") == "idle"


@pytest.mark.parametrize("refusal", [Refusal(409, "MSS.20010135"), Refusal(502)], ids=["room full", "gateway"])
async def test_trouble_that_passes_is_waited_for(visitor: Visitor, server: FakeServer, refusal: Refusal) -> None:
    visitor.expect_refusals = True
    page = await visitor.talk(KIOSK, comeback=[300, 600])
    await page.click("#end")
    server.script.refuse["session"] = refusal
    await page.click("[data-action=restart]")
    await expect(page.locator("#message-again")).to_have_text("It tries again by itself in 0:01.")
    await server.called("session", 3)
    server.script.refuse.clear()
    await server.heard("client-ready", 2)
    await expect(page.locator("#message")).to_be_hidden()


async def test_a_conversation_that_broke_off_is_followed_by_the_next(visitor: Visitor, server: FakeServer) -> None:
    page = await visitor.talk(KIOSK, comeback=[300])
    server.event("jobEnd", jobId="job-1", reason="FAILED")
    await expect(page.locator("#message")).to_contain_text("broke off")
    await server.heard("client-ready", 2)
    await server.called("session", 2)


async def test_an_ordinary_visitor_is_not_started_again(visitor: Visitor, server: FakeServer) -> None:
    page = await visitor.talk(comeback=[50])
    server.event("jobEnd", jobId="job-1", reason="FAILED")
    await expect(page.locator("#message")).to_contain_text("broke off")
    await expect(page.locator("#message-again")).to_be_hidden()


async def test_a_kept_code_that_is_locked_is_tried_when_the_lock_is_over(visitor: Visitor, server: FakeServer) -> None:
    visitor.expect_refusals = True
    page = await visitor.talk(KIOSK, comeback=[50])
    await page.click("#end")
    server.script.refuse["session"] = Refusal(429, "MSS.47010044", wait=1)
    await page.click("[data-action=restart]")
    await expect(page.locator("#message-again")).to_have_text("It tries again by itself in 0:01.")
    server.script.refuse.clear()
    await server.heard("client-ready", 2)
