"""A person at the page, in a real Chromium: speaks recordings, hears and sees what is received."""

from __future__ import annotations

import base64
import contextlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from visavis.bench.response.hearing import LEVEL, Heard, page_clock
from visavis.bench.session import CHROMIUM, FLAGS

PROBE: Final = Path(__file__).with_name("response.js")
Floats = npt.NDArray[np.float64]


class Visitor:
    """One tab. Frames are those of the browser's sound clock, 48,000 a second."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self._loaded: set[str] = set()

    async def speak(self, name: str, content: bytes, *, at: int = 0) -> int:
        """Speak a file into the microphone, not before frame ``at``; the frame at which it began, without waiting for its end."""
        if name not in self._loaded:
            await self.page.evaluate("([n, s]) => bench.load(n, s)", [name, base64.b64encode(content).decode()])
            self._loaded.add(name)
        return int(await self.page.evaluate("([n, at]) => bench.speak(n, 0.03, at)", [name, at]))

    async def echo(self, gain: float) -> None:
        """Let what is heard go back into the microphone, ``gain`` times as loud."""
        await self.page.evaluate("gain => bench.echo(gain)", gain)

    async def now(self) -> int:
        """The present frame."""
        return int(await self.page.evaluate("bench.frame()"))

    async def sound(self, since: int, seconds: float) -> int | None:
        """The frame at which sound begins after ``since``; None: none within ``seconds``."""
        found = await self.page.evaluate("([s, l, t]) => bench.sound(s, l, t)", [since, LEVEL, seconds])
        return None if found is None else int(found)

    async def quiet(self, since: int, length: float, seconds: float) -> int | None:
        """The frame from which it is quiet for ``length`` seconds; None: that does not happen within ``seconds``."""
        found = await self.page.evaluate("([s, l, q, t]) => bench.quiet(s, l, q, t)", [since, LEVEL, length, seconds])
        return None if found is None else int(found)

    async def heard(self, since: int = 0) -> Heard:
        """All sound since a frame."""
        found = await self.page.evaluate("since => bench.heard(since)", since)
        return Heard(int(found["first"]), np.array(found["peaks"], np.float32))

    async def count(self) -> int:
        """How many messages there were."""
        return int(await self.page.evaluate("bench.messages.length"))

    async def message(self, kinds: Sequence[str], since: int, seconds: float) -> dict[str, Any] | None:
        """The first message of one of these types (or events) from number ``since`` on."""
        found = await self.page.evaluate("([k, s, t]) => bench.message(k, s, t)", [list(kinds), since, seconds])
        return None if found is None else dict(found)

    async def messages(self, since: int = 0) -> list[dict[str, Any]]:
        return list(await self.page.evaluate("since => bench.messages.slice(since)", since))

    async def receiver(self) -> dict[str, Any]:
        """Statistics of what is received."""
        return dict(await self.page.evaluate("bench.receiver()"))

    async def watch(self, box: Sequence[float] | None) -> None:
        """Keep the mouth of each picture: left, top, width, height (parts of it), columns, rows; None: no longer."""
        await self.page.evaluate("box => bench.watch(box)", list(box) if box is not None else None)

    async def mouths(self, columns: int, rows: int) -> tuple[Floats, npt.NDArray[np.uint8]]:
        """When each watched picture was shown (ms of the page's clock), and its mouth, (n, rows, columns); they are taken out."""
        taken = await self.page.evaluate("bench.mouths.splice(0)")
        times = np.array([each[0] for each in taken], float)
        pixels = [np.frombuffer(base64.b64decode(each[1]), np.uint8).reshape(rows, columns) for each in taken]
        return times, np.array(pixels, np.uint8).reshape(-1, rows, columns)

    async def shown(self) -> Floats:
        """When each picture was shown (ms of the page's clock), and its number: (n, 2)."""
        return np.array(await self.page.evaluate("bench.shown"), float).reshape(-1, 2)

    async def settled(self, since: int, effect: float, seconds: float) -> bool:
        """Whether within ``seconds`` nothing is left to be answered of what was heard from message number ``since`` on.

        ``effect``: so many seconds after the last sound like a voice nothing more comes of it.
        """
        return bool(await self.page.evaluate("([s, e, t]) => bench.settled(s, e, t)", [since, effect, seconds]))

    async def page_clock(self) -> float:
        """The page's clock (ms) at frame 0."""
        return page_clock(np.array(await self.page.evaluate("bench.stamps.slice(-500)"), float).reshape(-1, 2))


@contextlib.asynccontextmanager
async def visiting(link: str) -> AsyncIterator[Visitor]:
    """Open the page, press its button and wait until somebody listens."""
    from playwright.async_api import Error, async_playwright

    async with async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        try:
            context = await browser.new_context(viewport={"width": 720, "height": 1280}, bypass_csp=True)
            await context.add_init_script(path=PROBE)
            page = await context.new_page()
            page.set_default_timeout(60_000)
            await page.goto(link)
            await page.click("#talk")
            await page.wait_for_selector("#stage[data-picture]")
            await page.wait_for_function("visavis.chatState === 2")
            await page.evaluate("bench.look()")
            await page.evaluate("bench.listen()")
            yield Visitor(page)
            with contextlib.suppress(Error):
                await page.evaluate("visavis.stop()")
        finally:
            await browser.close()
