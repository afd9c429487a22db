"""A person at the page, as the tests see one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

from page_server import FakeServer
from playwright.async_api import Browser, BrowserContext, Page, async_playwright

FLAGS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--allow-loopback-in-peer-connection",
    "--disable-features=WebRtcHideLocalIpsWithMdns",
    "--host-resolver-rules=MAP visavis.test 127.0.0.1",
]


@asynccontextmanager
async def chromium(flags: Iterable[str]) -> AsyncIterator[Browser]:
    """A real browser. Playwright's own "headless" is the old one, without media; ``flags`` ask for the new one."""
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(
            executable_path="/usr/bin/chromium", headless=False, args=list(flags)
        )
        yield launched
        await launched.close()


# Violations and errors are collected before any script of the page runs.
SPY = """
window.violations = [];
document.addEventListener('securitypolicyviolation', (e) => violations.push(e.violatedDirective + ' ' + e.blockedURI));
window.heard = [];
"""
LINK = "#project=P&room=R&code=C0DE"
ACTIVATION = "7K2QM-0XR4B-C9TNA-J5HEW"
KIOSK = f"#project=P&room=R&code={ACTIVATION}"


async def until(page: Page, condition: str) -> None:
    """Wait for a JavaScript expression. (Playwright's own wait_for_function evals, which the page's CSP forbids.)"""
    async with asyncio.timeout(15):
        await page.evaluate(f"async () => {{ while (!({condition})) await new Promise(next => setTimeout(next, 20)) }}")


async def boxes(page: Page, *selectors: str) -> list[dict[str, float]]:
    """Where these elements are: x, y, width, height in CSS pixels."""
    found = []
    for selector in selectors:
        box = await page.locator(selector).bounding_box()
        assert box, f"{selector} is not shown"
        found.append(dict(box))
    return found


class Visitor:
    """A person at the page."""

    def __init__(self, server: FakeServer, context: BrowserContext) -> None:
        self.server, self.context = server, context
        self.page: Page
        self.errors: list[str] = []
        self.expect_refusals = False

    async def open(self, path: str = LINK, host: str = "127.0.0.1", **timing: Any) -> Page:
        self.page = await self.context.new_page()
        self.page.set_default_timeout(15_000)
        self.page.on("pageerror", lambda error: self.errors.append(f"page: {error}"))
        self.page.on("console", lambda m: self.errors.append(m.text) if m.type in ("error", "warning") else None)
        await self.page.goto(f"http://{host}:{self.server.port}/{path}")
        if timing:
            await self.page.evaluate("async (t) => Object.assign((await import('/web/timing.js')).TIMING, t)", timing)
        return self.page

    async def talk(self, path: str = LINK, **timing: Any) -> Page:
        """Open the link, press the button, see the picture."""
        page = await self.open(path, **timing)
        await page.click("#talk")
        await self.server.heard("client-ready")
        await page.wait_for_selector("#stage[data-picture]")
        self.server.event("jobInfoChange", chat_state=2)
        await until(page, "visavis.chatState === 2")
        return page

    def real_errors(self) -> list[str]:
        """A refused request is logged by the browser itself; that is no defect of the page."""
        if not self.expect_refusals:
            return self.errors
        return [each for each in self.errors if not each.startswith("Failed to load resource")]


async def power_cut(visitor: Visitor, path: str = "") -> Page:
    """The browser starts anew: nothing of a tab is left, only what is stored for good."""
    await visitor.page.close()
    return await visitor.open(path)


async def visitors(browser: Browser, server: FakeServer, **options: Any) -> AsyncIterator[Visitor]:
    server.reset()
    context = await browser.new_context(**{"locale": "en-US", "viewport": {"width": 1440, "height": 900}, **options})
    await context.add_init_script(SPY)
    someone = Visitor(server, context)
    yield someone
    violations = [await page.evaluate("window.violations") for page in context.pages]
    await context.close()
    await server.hang_up()
    assert [each for found in violations for each in found] == []
    assert someone.real_errors() == []
