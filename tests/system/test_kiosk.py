"""A screen at a fixed place: an activation code made by the SDK, the real page in a real Chromium, two devices."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from huaweicloudsdkmetastudio.v1 import model
from playwright.async_api import Browser, BrowserContext, Error, Page, async_playwright, expect
from running import Cloud, serving

from visavis.bench.session import CHROMIUM, FLAGS, PROBE

pytestmark = [pytest.mark.system, pytest.mark.browser, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Any:
    data = tmp_path_factory.mktemp("kiosk") / "data"
    with serving(data, workers="1", sessions_per_worker="4", warm_answers="false", rejoin_timeout_s="10") as running:
        yield running.cloud()


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        # Kiosk browsers are started so that pages may be heard before anybody touches them.
        browser = await playwright.chromium.launch(
            executable_path=CHROMIUM, args=[*FLAGS, "--autoplay-policy=no-user-gesture-required"]
        )
        yield browser
        await browser.close()


@asynccontextmanager
async def device(browser: Browser) -> AsyncIterator[BrowserContext]:
    """A device: what one browser keeps."""
    context = await browser.new_context(
        viewport={"width": 720, "height": 1280}, locale="en-GB", permissions=["microphone"], bypass_csp=True
    )
    await context.add_init_script(path=PROBE)
    try:
        yield context
    finally:
        for page in context.pages:
            with contextlib.suppress(Error):
                await page.evaluate("visavis.stop()")
        await context.close()


async def opened(context: BrowserContext, address: str) -> Page:
    page = await context.new_page()
    page.set_default_timeout(40_000)
    await page.goto(address)
    return page


async def linked(page: Page) -> str:
    """The id of the job that the page is linked to."""
    await page.wait_for_function("visavis.chatState === 2")
    return str(await page.evaluate("JSON.parse(sessionStorage.getItem('visavis.job')).job_id"))


async def talks(page: Page) -> None:
    await page.evaluate("visavis.ask('What can you do?')")
    await page.wait_for_function("journal.some((entry) => entry.name === 'speakingStart')")
    await expect(page.locator("#transcript li.them")).not_to_be_empty()


def made(cloud: Cloud) -> tuple[str, str, str]:
    """An activation code's id, the code, and the link to its room, as the dialog URL of the same room and robot has it."""
    robot = cloud.robot()
    room = cloud.room(robot_id=robot)
    code = cloud.sdk.create_active_code(
        model.CreateActiveCodeRequest(body=model.CreateActiveCodeReq(robot_id=robot, room_id=room, valid_period=30))
    )
    url = cloud.sdk.create_dialog_url(
        model.CreateDialogUrlRequest(body=model.CreateDialogUrlReq(robot_id=robot, room_id=room))
    ).url
    return code.active_code_id, code.active_code, url


def with_code(url: str, code: str) -> str:
    once = parse_qs(urlsplit(url).fragment)["code"][0]
    return url.replace(once, code)


async def test_an_activation_code_makes_a_screen_that_comes_back_by_itself(cloud: Cloud) -> None:
    code_id, code, url = await asyncio.to_thread(made, cloud)
    link = with_code(url, code)
    async with chromium() as browser, device(browser) as screen, device(browser) as telephone:
        page = await opened(screen, link)
        assert code not in page.url
        await page.click("#talk")
        first = await linked(page)
        await talks(page)

        await page.reload()  # the same device, the same conversation, and nobody pressed anything
        assert await linked(page) == first
        await talks(page)

        await page.close()  # a power cut: of the tab nothing is left
        page = await opened(screen, urlsplit(url)._replace(fragment="").geturl())
        second = await linked(page)
        assert second != first

        other = await opened(telephone, link)  # the link was photographed
        await other.click("#talk")
        await expect(other.locator("#message-title")).to_have_text("This device may not use this activation code")
        await expect(other.locator("#message-details")).to_contain_text("MSS.47010043")
        await expect(other.locator("#message-do")).to_contain_text("clean_auth_credential")
        await other.click("#language")
        await expect(other.locator("#message-title")).to_have_text("本设备不能使用此激活码")

        body = model.ResetActiveCodeReq(clean_auth_credential=True)
        request = model.ResetActiveCodeRequest(active_code_id=code_id, body=body)
        fresh = (await asyncio.to_thread(cloud.sdk.reset_active_code, request)).active_code
        assert fresh != code
        await other.goto(with_code(url, fresh))
        await other.click("#talk")
        await linked(other)
        await talks(other)

        await page.click("#end")  # the screen has lost its place
        await page.click("[data-action=restart]")
        await expect(page.locator("#message-details")).to_contain_text("MSS.47010043")


async def test_a_dialog_url_opens_one_conversation(cloud: Cloud) -> None:
    _, _, url = await asyncio.to_thread(made, cloud)
    async with chromium() as browser, device(browser) as visitor, device(browser) as latecomer:
        page = await opened(visitor, url)
        assert "code=" not in page.url
        await page.click("#talk")
        await linked(page)
        await talks(page)
        other = await opened(latecomer, url)
        await other.click("#talk")
        await expect(other.locator("#message-title")).to_have_text("This link is used up")
        await expect(other.locator("#message-details")).to_contain_text("MSS.47010046")
