"""A browser before the page, and how far its lips are from its sound: both taken from outside, as a person has them."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from playwright.async_api import Error, Page, async_playwright
from running import RunningServer
from scipy.signal import correlate

from visavis.api.owner import one_time_link, owner_client
from visavis.avatar.compositor import Compositor
from visavis.avatar.layout import Layout
from visavis.avatar.pack import Pack
from visavis.bench.session import CHROMIUM, FLAGS
from visavis.media.resample import Resampler
from visavis.motion import MotionFrame, SpeechTrack
from visavis.speech.embedded import EmbeddedSynthesiser

PROBE = Path(__file__).with_name("lip_probe.js")
WEBGL = ("--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist")
SMALL = (270, 480)
"""The processor draws here, in the graphics card's place: a window as small as a picture may be."""
RATE = 48_000
PIECE = RATE * 2 // 5
"""Sound is looked for in pieces of this length: the browser stretches and shortens it between them."""
INTACT = 0.9
"""A piece that correlates less with what was said was broken on its way, on a machine that is too busy."""
Floats = npt.NDArray[np.float64]
Box = tuple[float, float, float, float]


def lips_box(pack: Pack) -> Box:
    """About the lips: (left, top, width, height) as parts of a portrait picture."""
    view, mouth, chin = pack.manifest.views.portrait, pack.manifest.anchors.mouth, pack.manifest.anchors.chin
    reach = 0.45 * (chin.y - mouth.y)
    left, top = (mouth.x - reach - view.x) / view.width, (mouth.y - 0.6 * reach - view.y) / view.height
    return left, top, 2 * reach / view.width, 1.2 * reach / view.height


@asynccontextmanager
async def visiting(server: RunningServer, pack: Pack, render: str) -> AsyncIterator[Page]:
    """The demo room's page, linked and ready to draw; what it shows and sounds is noted by ``lip_probe.js``."""
    owner = server.ready
    found = re.search(r"room=(\w+)", server.link)
    assert found
    async with owner_client(server.url, owner["project_id"], owner["user"], owner["password"]) as http:
        link = await one_time_link(http, owner["project_id"], found.group(1))
    flags = ["--headless=new", *(flag for flag in FLAGS if flag != "--disable-gpu"), *WEBGL]
    async with async_playwright() as playwright:
        # Playwright's own "headless" is the old one, without media.
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, headless=False, args=flags)
        context = await browser.new_context(
            viewport={"width": SMALL[0], "height": SMALL[1]},
            bypass_csp=True,  # Playwright waits with eval(); tests/web checks the policy itself
        )
        await context.add_init_script(path=PROBE)
        page = await context.new_page()
        page.set_default_timeout(40_000)
        try:
            await page.goto(link.replace("/#", f"/?render={render}#"))
            if render == "client":
                await page.evaluate("box => probe.look(box)", lips_box(pack))
            await page.click("#talk")
            await page.wait_for_function("visavis.chatState === 2")
            await page.wait_for_selector("#stage[data-picture]")
            if render == "client":
                await page.wait_for_function("probe.prepared")  # all patches are decoded
            else:
                await page.evaluate("box => probe.watch(box)", lips_box(pack))
            await page.evaluate("probe.listen()")
            yield page
        finally:
            with contextlib.suppress(Error):
                await page.evaluate("visavis.stop()")
            await browser.close()


async def say(page: Page, text: str) -> tuple[float, float]:
    """Have it said and hear it out: the stage time at which it began to sound, and when it was asked for (page's clock, ms)."""
    before = await page.evaluate("probe.messages.length")
    asked = await page.evaluate(
        "text => { const at = performance.now(); probe.command('say', { text }); return at; }", text
    )
    await page.wait_for_function(
        "n => probe.messages.slice(n).some(m => m.type === 'bot-stopped-speaking')", arg=before
    )
    messages = await page.evaluate("n => probe.messages.slice(n)", before)
    told = [each["data"] for each in messages if (each.get("data") or {}).get("event") == "subtitle"]
    return float(next(each["pts"] for each in told if each["text"])), float(asked)


@dataclass(frozen=True)
class Spoken:
    """What our synthesiser makes of a sentence, always the same: mono float at 48 kHz, and its phonemes."""

    pcm: Floats
    phonemes: list[tuple[str, float, float]]


async def spoken(voices: EmbeddedSynthesiser, text: str) -> Spoken:
    chunks = [chunk async for chunk in voices.say(text, "default", "en")]
    resampler = Resampler(voices.sample_rate, RATE)
    pcm = np.concatenate([*(resampler.push(chunk.pcm) for chunk in chunks), resampler.flush()])
    return Spoken(pcm.astype(float), [(p.phoneme, p.start, p.end) for chunk in chunks for p in chunk.phonemes])


@dataclass(frozen=True)
class Sound:
    """All sound that the page made: contiguous samples, and when (ms of the page's clock) the first one was heard."""

    pcm: Floats
    begin_ms: float

    @classmethod
    async def of(cls, page: Page, since_ms: float = 0.0) -> Sound:
        """What was heard from ``since_ms`` on."""
        blocks, data, loudspeaker_ms = await page.evaluate("probe.heard()")
        places, came = np.array(blocks).T
        assert (np.diff(places) == 480).all(), "the recorder lost nothing"
        # A block is told of some time after its last sample; the quickest ones tell when that was.
        begin = np.percentile(came - (places - places[0] + 480) * 1000 / RATE, 2) + loudspeaker_ms
        first = max(0, round((since_ms - begin) * RATE / 1000))
        pcm = np.frombuffer(base64.b64decode(data), np.int16).astype(float)
        return cls(pcm[first:], float(begin) + first * 1000 / RATE)

    def find(self, reference: Floats) -> list[tuple[float, float]]:
        """Where pieces of ``reference`` were heard intact: (seconds from its beginning, ms of the page's clock)."""
        if len(self.pcm) < len(reference):
            return []
        whole = correlate(self.pcm, reference, "valid", method="fft")
        near, found = int(whole.argmax()), []
        for first in range(0, len(reference) - PIECE, PIECE):
            piece, slack = reference[first : first + PIECE], PIECE // 2
            low = max(0, near + first - slack)
            window = self.pcm[low : near + first + PIECE + slack]
            if len(window) <= PIECE:
                continue
            matches = correlate(window, piece, "valid", method="fft")
            best = int(matches.argmax())
            power = (window[best : best + PIECE] ** 2).sum() * (piece**2).sum()
            if power > 0 and matches[best] > INTACT * np.sqrt(power):
                found.append((first / RATE, self.begin_ms + (low + best) * 1000 / RATE))
        return found

    def loud(self) -> Floats:
        """When 10 ms of it are loud: ms of the page's clock."""
        blocks = np.abs(self.pcm[: len(self.pcm) // 480 * 480].reshape(-1, 480)).max(axis=1)
        return np.asarray(self.begin_ms + np.flatnonzero(blocks > 650) * 10.0)


def brightness(pack: Pack, frames: Sequence[MotionFrame]) -> Floats:
    """About the lips, as the server would draw these frames."""
    width, height = 360, 640
    compositor = Compositor(pack, Layout(width, height))
    picture = np.zeros((height * 3 // 2, width), np.uint8)
    left, top, wide, high = lips_box(pack)
    box = np.s_[round(top * height) : round((top + high) * height), round(left * width) : round((left + wide) * width)]
    found = []
    for frame in frames:
        compositor.draw(frame, picture)
        found.append((picture[:height][box].mean() - 16) * 255 / 219)
    return np.array(found)


def lips_of(pack: Pack, said: Spoken) -> tuple[Floats, Floats]:
    """(seconds of speech, brightness about the lips) of a head that holds still, as the server draws it."""
    track = SpeechTrack()
    track.add(said.phonemes, 1.0)
    times = np.arange(-0.5, len(said.pcm) / RATE + 0.5, 1 / 25)
    frames = [MotionFrame(pts=float(t), blendshapes=track.sample(float(t) + 1.0)) for t in times]
    return times, brightness(pack, frames)


@dataclass(frozen=True)
class Lag:
    """``ms``: by how much lips are later than the sound; ``alike``: how well they follow it then, a correlation."""

    ms: float
    alike: float
    pieces: int


def lag(seen: Floats, pieces: Sequence[tuple[float, float]], times: Floats, expected: Floats) -> Lag:
    """How late lips are seen: ``seen`` (ms, brightness) of each picture against ``expected`` at ``times`` (seconds of speech).

    Both are held until the next value: what is on the screen at each moment is compared.
    """

    def held(at: Floats, values: Floats, moments: Floats) -> Floats:
        return np.asarray(values[np.clip(np.searchsorted(at, moments, "right") - 1, 0, len(at) - 1)])

    moments = np.concatenate([np.arange(0, PIECE / RATE, 0.005) + second for second, _ in pieces])
    heard = np.concatenate([np.arange(0, PIECE * 1000 / RATE, 5.0) + ms for _, ms in pieces])
    wanted = held(times, expected, moments)
    lags = np.arange(-300, 501, 5.0)
    alike = [float(np.corrcoef(held(seen[:, 0], seen[:, 1], heard + each), wanted)[0, 1]) for each in lags]
    best = int(np.argmax(alike))
    return Lag(float(lags[best]), alike[best], len(pieces))


async def pictures_sent(server: RunningServer) -> float:
    """How many pictures the server has drawn and encoded, as its metrics say."""
    text = await asyncio.to_thread(server.metrics)
    return sum(float(line.split()[1]) for line in text.splitlines() if line.startswith("visavis_frames_total"))
