"""A real Chromium on a bad network: what the server hears, what the client hears and sees, and that it recovers."""

from __future__ import annotations

import asyncio
import base64
import re
import wave
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import av
import lossy
import numpy as np
import pytest
import soxr
from playwright.async_api import Page, async_playwright
from rtc_support import LOOPBACK, Stage
from test_rtc_browser import CHROMIUM, FLAGS, PAGE
from test_rtc_room import Told

from visavis.rtc.room import Room
from visavis.settings import Settings
from visavis.speech.whisper import WhisperRecogniser

RECORDINGS = Path(__file__).parents[2] / "demo" / "recordings"
QUESTION = "excuse me i am visiting today with two colleagues could you tell us which languages you understand"
ANSWER = "we are thinking of using this in our hotel so may i ask how much we would have to pay"

PLAIN_MICROPHONE = """
const real = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
navigator.mediaDevices.getUserMedia = () =>
  real({ audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false } });
"""
"""Both talk at once here, which the browser's own canceller would take for an echo."""

LISTEN = """
async () => {
  const context = new AudioContext({ sampleRate: 16000 });
  const node = context.createScriptProcessor(2048, 1, 1);
  window.heard = [];
  node.onaudioprocess = (event) => window.heard.push(event.inputBuffer.getChannelData(0).slice());
  context.createMediaStreamSource(remote).connect(node);
  node.connect(context.destination);
}
"""
TELL = """
() => {
  const all = new Int16Array(window.heard.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of window.heard) for (const sample of part) all[at++] = Math.max(-1, Math.min(1, sample)) * 32767;
  const bytes = new Uint8Array(all.buffer);
  let text = "";
  for (let i = 0; i < bytes.length; i += 32768) text += String.fromCharCode(...bytes.subarray(i, i + 32768));
  return btoa(text);
}
"""
STATS = """
async () => {
  const told = {};
  (await pc.getStats()).forEach((one) => {
    if (one.type === "inbound-rtp") told[one.kind] = one;
    if (one.type === "codec" && /opus/.test(one.mimeType)) told.opus = one.sdpFmtpLine;
  });
  return told;
}
"""


def recording(name: str, rate: int) -> np.ndarray:
    with av.open(str(RECORDINGS / name)) as file:
        sound = np.concatenate([frame.to_ndarray().reshape(-1) for frame in file.decode(audio=0)]).astype(np.int16)
        return soxr.resample(sound, file.streams.audio[0].rate, rate).astype(np.int16)


def wrong_words(heard: str, said: str) -> float:
    """The word error rate."""
    a, b = re.findall(r"[a-z]+", said), re.findall(r"[a-z]+", heard.lower().replace("i'm", "i am"))
    row = list(range(len(b) + 1))
    for i, one in enumerate(a, 1):
        before, row[0] = row[0], i
        for j, other in enumerate(b, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (one != other))
    return row[-1] / len(a)


@pytest.fixture(scope="module")
def ears() -> AsyncIterator[WhisperRecogniser]:
    recogniser = WhisperRecogniser(Settings().models_dir)
    yield recogniser
    recogniser.close()


@asynccontextmanager
async def chromium(microphone: Path) -> AsyncIterator[Page]:
    async with async_playwright() as playwright:
        flags = [*FLAGS, f"--use-file-for-fake-audio-capture={microphone}%noloop"]
        browser = await playwright.chromium.launch(executable_path=str(CHROMIUM), headless=False, args=flags)
        try:
            page = await (await browser.new_context(permissions=["microphone"])).new_page()
            await page.route("http://localhost/", lambda route: route.fulfill(body=PAGE, content_type="text/html"))
            yield page
        finally:
            await browser.close()


class Speaking(Stage):
    """Says a recording once ``speak`` is set, under a picture that moves."""

    def __init__(self, speech: np.ndarray) -> None:
        super().__init__()
        self.speech, self.at = speech, -1
        self.light = lambda at: int(110 + 80 * np.sin(at * 5))
        inner, stage = self.audio, self

        class Voice:
            def encode(self, pcm: np.ndarray, pts: int) -> Any:
                block = np.zeros(960, np.int16)
                if 0 <= stage.at < len(speech):
                    part = speech[stage.at : stage.at + 960]
                    block[: len(part)] = part
                    stage.at += 960
                return inner.encode(block, pts)

        self.audio = Voice()  # type: ignore[assignment]


async def talked(
    page: Page, weather: lossy.Weather, speech: np.ndarray, seconds: float
) -> tuple[np.ndarray, np.ndarray, dict[str, Any], dict[str, Any]]:
    """What the server heard, what the client heard, the client's statistics when the weather cleared and a moment after."""
    told, stage = Told(), Speaking(speech)
    room = Room(stage.broadcaster, LOOPBACK, told.events)
    running = asyncio.create_task(stage.run())
    up: list[np.ndarray] = []

    async def collect() -> None:
        async for chunk in room.microphone:
            up.append(chunk)  # noqa: PERF401 - what was heard before the end must be there before it ends

    collecting = asyncio.create_task(collect())
    try:
        async with lossy.relay(weather) as relay, asyncio.timeout(60):

            async def offered(sdp: str) -> list[str]:
                pc_id, answer = await room.offer("END_USER", "person", lossy.offer(sdp))
                return [pc_id, relay.answer(answer)]

            await page.add_init_script(PLAIN_MICROPHONE)
            await page.expose_function("roomOffer", offered)
            await page.expose_function("roomCandidate", lambda pc_id, text: None)
            await page.goto("http://localhost/")
            await page.evaluate("enter(true)")
            await told.wait("media")
            await page.evaluate(LISTEN)
            weather.on = True
            await asyncio.sleep(1.0)  # the seconds of the bad weather themselves
            stage.at = 0
            await asyncio.sleep(seconds)
            heard = np.frombuffer(base64.b64decode(await page.evaluate(TELL)), np.int16)
            during = await page.evaluate(STATS)
            weather.on = False
            await asyncio.sleep(2.0)
            after = await page.evaluate(STATS)
            receiver = room._end_user.receiver
            during["server"] = {"lost": receiver.lost, "late": receiver.late, "wait": receiver._wait}
    finally:
        running.cancel()
        await room.close()
        await asyncio.gather(running, collecting, return_exceptions=True)
    return np.concatenate(up), heard, during, after


@pytest.fixture(scope="module")
def microphone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Silence while the connection is made, then the question."""
    path = tmp_path_factory.mktemp("voice") / "question.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(48_000)
        parts = [np.zeros(96_000, np.int16), recording("en-long-1.flac", 48_000), np.zeros(480_000, np.int16)]
        file.writeframes(np.concatenate(parts).tobytes())
    return path


@pytest.mark.browser
@pytest.mark.models
@pytest.mark.skipif(not CHROMIUM.exists(), reason="Chromium is not installed")
@pytest.mark.parametrize(
    ("name", "weather", "worst_up", "worst_down"),
    [
        ("5 %", lossy.Weather(loss=0.05), 0.06, 0.06),
        ("20 %", lossy.Weather(loss=0.2), 0.25, 0.25),
        ("300 ms", lossy.Weather(jitter_s=0.3), 0.25, 0.25),
    ],
)
async def test_a_conversation_goes_on_in_bad_weather(
    name: str, weather: lossy.Weather, worst_up: float, worst_down: float, microphone: Path,
    ears: WhisperRecogniser, record_property: Any,
) -> None:  # fmt: skip
    async with chromium(microphone) as page:
        up, down, during, after = await talked(page, weather, recording("en-long-2.flac", 48_000), 7.0)
    asked, answered = await ears.transcribe(up, "en"), await ears.transcribe(down, "en")
    up_wer, down_wer = wrong_words(asked.text, QUESTION), wrong_words(answered.text, ANSWER)
    video, sound = during["video"], during["audio"]
    figures = {
        "wer_up": round(up_wer, 2), "wer_down": round(down_wer, 2), "server": during["server"],
        "pictures_decoded": video["framesDecoded"], "keyframes": video["keyFramesDecoded"],
        "nacks": video["nackCount"], "plis": video["pliCount"],
        "frozen_s": round(video.get("totalFreezesDuration", 0), 2),
        "concealed": round(sound["concealedSamples"] / sound["totalSamplesReceived"], 3),
        "buffer_s": round(sound["jitterBufferDelay"] / sound["jitterBufferEmittedCount"], 3),
        "lost_share": round(weather.lost / (weather.lost + weather.passed), 3),
    }  # fmt: skip
    print(name, figures, asked.text, "|", answered.text)
    record_property("figures", figures)
    assert up_wer <= worst_up, asked.text
    assert down_wer <= worst_down, answered.text
    assert after["video"]["framesDecoded"] - video["framesDecoded"] >= 25, "the picture is back within a second"
    assert "useinbandfec=1" in during["opus"], "copies are asked for"
    assert weather.lost > 10 or weather.jitter_s, "the weather was bad"
