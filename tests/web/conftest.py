"""One browser and one fake server for each module of tests; a fresh context for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from page_server import FakeServer
from page_visitor import Visitor
from playwright.async_api import Browser, async_playwright

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
# Violations and errors are collected before any script of the page runs.
SPY = """
window.violations = [];
document.addEventListener('securitypolicyviolation', (e) => violations.push(e.violatedDirective + ' ' + e.blockedURI));
window.heard = [];
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server() -> AsyncIterator[FakeServer]:
    fake = FakeServer()
    await fake.start()
    yield fake
    await fake.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        # Playwright's own "headless" is the old one, without media; the flag asks for the new one.
        launched = await playwright.chromium.launch(executable_path="/usr/bin/chromium", headless=False, args=FLAGS)
        yield launched
        await launched.close()


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


@pytest_asyncio.fixture(loop_scope="module")
async def visitor(browser: Browser, server: FakeServer, request: pytest.FixtureRequest) -> AsyncIterator[Visitor]:
    """Options of the browser context come from ``@pytest.mark.parametrize("visitor", [{...}], indirect=True)``."""
    async for someone in visitors(browser, server, **getattr(request, "param", {})):
        yield someone
