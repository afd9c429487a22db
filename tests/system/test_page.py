"""A real Chromium at the real page of the real server."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import re
import wave
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from playwright.async_api import Error, Page, async_playwright
from running import RunningServer, mouth_box, recorded, serving, to_16k, words

from visavis.api.owner import one_time_link, owner_client
from visavis.avatar.pack import find, search_folders
from visavis.bench.session import CHROMIUM, FLAGS, PROBE
from visavis.speech.types import Recogniser

pytestmark = [pytest.mark.system, pytest.mark.browser, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with serving(
        tmp_path_factory.mktemp("page") / "data",
        demo_room=True,
        workers="1",
        warm_answers="false",
        rejoin_timeout_s="2",
    ) as running:
        yield running


@asynccontextmanager
async def visit(address: str, *flags: str, wav: Path | None = None, press: str | None = "#talk") -> AsyncIterator[Page]:
    """The page, linked, unless ``press`` is None."""
    more = [f"--use-file-for-fake-audio-capture={wav}%noloop"] if wav else []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS, *flags, *more])
        context = await browser.new_context(
            viewport={"width": 720, "height": 1280},
            ignore_https_errors=True,
            bypass_csp=True,  # Playwright waits with eval(); tests/web checks the policy itself
        )
        if wav:
            await context.add_init_script("window.fileMicrophone = true")
        await context.add_init_script(path=PROBE)
        page = await context.new_page()
        page.set_default_timeout(40_000)
        try:
            await page.goto(address)
            if press:
                await page.click(press)
                await page.wait_for_function("visavis.chatState === 2")
            yield page
        finally:
            # The room's place is free again at once, not only when the server notices that the browser is gone.
            with contextlib.suppress(Error):
                await page.evaluate("visavis.stop()")
            await browser.close()


async def link(server: RunningServer) -> str:
    """A fresh one-time link to the demo room, as the operator's credentials make one."""
    owner = server.ready
    room_id = re.search(r"room=(\w+)", server.link).group(1)
    async with owner_client(server.url, owner["project_id"], owner["user"], owner["password"]) as http:
        return await one_time_link(http, owner["project_id"], room_id)


async def happened(page: Page, name: str, count: int = 1) -> dict[str, Any]:
    """Wait for the page's own event."""
    await page.wait_for_function(
        "([name, count]) => journal.filter((entry) => entry.name === name).length >= count", arg=[name, count]
    )
    found = await page.evaluate("(name) => journal.filter((entry) => entry.name === name)", name)
    entry: dict[str, Any] = found[count - 1]
    return entry


async def state(page: Page, number: int) -> None:
    await page.wait_for_function("(number) => visavis.chatState === number", arg=number)


async def speak(page: Page, name: str) -> None:
    await page.evaluate("(sound) => speak(sound)", base64.b64encode(wav_bytes(*recorded(name))).decode())


def wav_bytes(pcm: np.ndarray, rate: int) -> bytes:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(pcm.tobytes())
    return buffer.getvalue()


def decoded(webm: bytes) -> np.ndarray:
    """Recorded sound as mono float at 48 kHz."""
    with av.open(io.BytesIO(webm)) as container:
        resampler = av.AudioResampler("flt", "mono", 48_000)
        blocks = [out.to_ndarray()[0] for frame in container.decode(audio=0) for out in resampler.resample(frame)]
    return np.concatenate(blocks)


async def test_a_wav_at_the_microphone_is_answered_with_a_voice_and_moving_lips(
    server: RunningServer, recogniser: Recogniser, tmp_path: Path
) -> None:
    pcm, rate = recorded("en.wav")
    question = tmp_path / "question.wav"
    question.write_bytes(
        wav_bytes(np.concatenate([np.zeros(rate * 6, np.int16), pcm, np.zeros(rate * 30, np.int16)]), rate)
    )
    pack = find("default", search_folders(server.data))
    async with visit(await link(server), wav=question) as page:
        assert "code=" not in page.url
        await page.evaluate("(box) => { record(); watch(...box); }", list(mouth_box(pack, 720, 1280)))
        heard = await happened(page, "speechRecognized")
        assert "languages" in json.dumps(heard["detail"]).lower()
        start = (await happened(page, "speakingStart"))["at"]
        stop = (await happened(page, "speakingStop"))["at"]
        await page.wait_for_function("(until) => performance.now() > until", arg=stop + 1500)
        sound = decoded(base64.b64decode(await page.evaluate("recording()")))
        answer = await page.inner_text("#transcript")
        said = await recogniser.transcribe(to_16k(sound), "en")
        spoken = words(said.text)
        assert len(spoken & words(answer)) >= 0.7 * len(spoken) > 2, (said.text, answer)

        seen = np.array(await page.evaluate("frames_seen"))
        speaking = seen[(seen[:, 0] > start + 300) & (seen[:, 0] < stop - 100), 2]
        silent = seen[(seen[:, 0] > stop + 500) | (seen[:, 0] < start - 500), 2]
        assert np.percentile(speaking, 80) > 2.5 * np.percentile(silent, 80), (
            "lips move with the voice, and only with it"
        )
        size = await page.evaluate(
            "[document.getElementById('video').videoWidth, document.getElementById('video').videoHeight]"
        )
        assert size == [720, 1280]


async def test_speaking_over_it_silences_it_in_the_browser(server: RunningServer) -> None:
    async with visit(await link(server)) as page:
        await page.evaluate("visavis.ask('What can you do?')")
        await happened(page, "speakingStart")
        began = await page.evaluate("performance.now()")
        await speak(page, "en.wav")
        stopped = await happened(page, "speakingStop")
        assert stopped["at"] - began < 2500
        await page.wait_for_function("document.querySelector('#transcript li.interrupted') !== null")
        heard = await happened(page, "speechRecognized", 2)
        assert "languages" in json.dumps(heard["detail"]).lower()


async def test_asleep_and_awake_again(tmp_path: Path) -> None:
    with serving(
        tmp_path / "data", demo_room=True, workers="1", sleep_after_s="3", sleep_warning_s="1", warm_answers="false"
    ) as server:
        async with visit(server.link) as page:
            await state(page, 4)
            await happened(page, "enterSleep")
            await page.wait_for_selector("#veil:not([hidden])")
            await page.click("#wake")
            await happened(page, "enterActive")
            await state(page, 2)
            await happened(page, "enterSleep", 2)
            await speak(page, "en.wav")
            await happened(page, "enterActive", 2)
            await happened(page, "speakingStart")


async def test_signing_in_talking_and_stopping(server: RunningServer) -> None:
    async with visit(server.url, press=None) as page:
        await page.fill("#project", server.ready["project_id"])
        await page.fill("#user", server.ready["user"])
        await page.fill("#password", "wrong password")
        await page.click("#signin-button")
        await page.wait_for_function("document.getElementById('signin-error').textContent.trim() !== ''")
        await page.fill("#password", server.ready["password"])
        await page.click("#signin-button")
        # One room: it is either offered at once or listed.
        await page.wait_for_selector("#talk:visible, #rooms-list button:visible")
        if await page.is_visible("#rooms-list button"):
            await page.click("#rooms-list button")
            await page.wait_for_selector("#talk:visible, #stage:visible")
        if await page.is_visible("#talk"):
            await page.click("#talk")
        await state(page, 2)
        await page.click("#end")
        ended = await happened(page, "jobEnd")
        assert ended["detail"]["reason"] == "NORMAL"


async def test_https_with_a_self_signed_certificate(tmp_path: Path) -> None:
    with serving(tmp_path / "data", "--tls", "self", demo_room=True, workers="1", warm_answers="false") as server:
        assert server.url.startswith("https://")
        async with visit(server.link) as page:
            assert await page.evaluate("isSecureContext")


@pytest.mark.parametrize(("width", "height"), [(390, 844), (1440, 900), (1080, 1920)])
async def test_25_pictures_a_second_reach_the_browser(server: RunningServer, width: int, height: int) -> None:
    async with visit(await link(server)) as page:
        await page.set_viewport_size({"width": width, "height": height})
        await page.wait_for_function("document.getElementById('video').getVideoPlaybackQuality().totalVideoFrames > 50")
        box = await page.evaluate(
            "(({x, y, width, height}) => [x, y, width, height])(document.getElementById('video').getBoundingClientRect())"
        )
        assert box[2] > 0.5 * min(width, height * 9 / 16)
        overflow = await page.evaluate("document.documentElement.scrollWidth > innerWidth")
        assert not overflow
