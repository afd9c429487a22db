"""What a room and a robot choose is what the person gets: a model behind HTTP, a background, a voice."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiohttp import web
from huaweicloudsdkcore.exceptions.exceptions import ClientRequestException
from huaweicloudsdkmetastudio.v1 import model
from running import Cloud, guest, recorded, serving

pytestmark = [pytest.mark.system, pytest.mark.timeout(180)]


@asynccontextmanager
async def language_model(*pieces: str) -> AsyncIterator[tuple[str, list[dict[str, Any]], asyncio.Event]]:
    """An OpenAI-compatible server that streams ``pieces``; the last one only once the event is set."""
    asked: list[dict[str, Any]] = []
    go_on = asyncio.Event()

    async def complete(request: web.Request) -> web.StreamResponse:
        asked.append({"body": await request.json(), "authorization": request.headers.get("Authorization")})
        answer = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await answer.prepare(request)
        for number, piece in enumerate(pieces):
            if number == len(pieces) - 1:
                await go_on.wait()
            chunk = {"choices": [{"index": 0, "delta": {"content": piece}}]}
            await answer.write(f"data: {json.dumps(chunk)}\n\n".encode())
        await answer.write(b"data: [DONE]\n\n")
        return answer

    app = web.Application()
    app.router.add_post("/v1/chat/completions", complete)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/v1/chat/completions", asked, go_on
    finally:
        go_on.set()
        await runner.cleanup()


async def test_an_openai_compatible_model_is_spoken_sentence_by_sentence(tmp_path: Path) -> None:
    with serving(tmp_path / "data", workers="1", url_allow='["127.0.0.1"]', warm_answers="false") as server:
        cloud = server.cloud()
        async with language_model("The sky is blue ", "today. And ", "the grass is green.") as (url, asked, go_on):
            config = model.ThirdPartyModelConfig(app_id="a", app_key="k3y", llm_url=url, is_stream=True, chat_rounds=3)
            robot = await asyncio.to_thread(cloud.robot, app_type=6, third_party_model_config=config)
            room_id = await asyncio.to_thread(cloud.room, robot_id=robot)
            async with guest(cloud, room_id, keep_pictures=False) as visitor:
                visitor.tell("send-text", content="What colour is the sky?")
                first = await visitor.until("bot-output")
                assert first["text"] == "The sky is blue today."
                go_on.set()
                second = await visitor.until("bot-output")
                assert second["text"] == "And the grass is green."
                await visitor.until("bot-stopped-speaking")
                visitor.tell("send-text", content="And the sea?")
                await visitor.until("bot-output")
        assert asked[0]["body"]["messages"][-1] == {"role": "user", "content": "What colour is the sky?"}
        assert [entry["content"] for entry in asked[1]["body"]["messages"]][-3:] == [
            "What colour is the sky?",
            "The sky is blue today. And the grass is green.",
            "And the sea?",
        ]
        assert "k3y" not in server.log


async def test_an_internal_model_is_refused_by_default(cloud: Cloud) -> None:
    async with language_model("Secret.") as (url, asked, _):
        config = model.ThirdPartyModelConfig(app_id="a", app_key="k", llm_url=url, is_stream=True, chat_rounds=3)
        robot = await asyncio.to_thread(cloud.robot, app_type=6, third_party_model_config=config)
        room_id = await asyncio.to_thread(cloud.room, robot_id=robot)
        async with guest(cloud, room_id, keep_pictures=False) as visitor:
            visitor.tell("send-text", content="Tell me")
            said = await visitor.until("bot-output")
            assert "Secret" not in said["text"]
        assert asked == []


async def test_the_background_colour_of_the_room(cloud: Cloud) -> None:
    background = model.BackgroundConfigInfo(background_type="COLOR", background_color_config="#104080")
    room_id = await asyncio.to_thread(cloud.room, background_config=background)
    async with guest(cloud, room_id) as visitor:
        seen = asyncio.Event()
        visitor.senses.on_picture = lambda received: seen.set()
        await asyncio.wait_for(seen.wait(), 10)
        corner = visitor.senses.pictures[-1].frame.to_ndarray(format="rgb24")[8:40, 8:40].reshape(-1, 3).mean(0)
    assert np.abs(corner - (0x10, 0x40, 0x80)).max() < 8, corner


async def test_a_voice_and_avatar_that_do_not_exist_are_refused(cloud: Cloud) -> None:
    with pytest.raises(ClientRequestException) as refused:
        await asyncio.to_thread(cloud.room, model_asset_id="nobody")
    assert refused.value.status_code == 400
    assert refused.value.error_code == "MSS.00000003"


async def test_pipecat_services_named_in_the_settings(tmp_path: Path) -> None:
    """Pipecat's own OpenAI services against a server that hears one sentence and speaks a tone."""
    heard: list[bytes] = []

    async def transcribe(request: web.Request) -> web.Response:
        form = await request.post()
        heard.append(form["file"].file.read())
        return web.json_response({"text": "Which languages can you speak?"})

    async def speak(request: web.Request) -> web.Response:
        tone = np.sin(np.arange(24_000) * 2 * np.pi * 600 / 24_000) * 12_000
        return web.Response(body=tone.astype(np.int16).tobytes(), content_type="application/octet-stream")

    app = web.Application(client_max_size=2**24)
    app.router.add_post("/v1/audio/transcriptions", transcribe)
    app.router.add_post("/v1/audio/speech", speak)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    options = json.dumps({"api_key": "k3y", "base_url": f"http://127.0.0.1:{runner.addresses[0][1]}/v1"})
    try:
        with serving(
            tmp_path / "data",
            workers="1",
            warm_answers="false",
            stt_service="pipecat.services.openai.stt:OpenAISTTService",
            stt_options=options,
            tts_service="pipecat.services.openai.tts:OpenAITTSService",
            tts_options=options,
        ) as server:
            cloud = server.cloud()
            room_id = await asyncio.to_thread(cloud.room)
            async with guest(cloud, room_id) as visitor:
                pcm, rate = recorded("en.wav")
                await visitor.client.speak(pcm, rate)
                assert (await visitor.until("user-transcription"))["text"] == "Which languages can you speak?"
                await visitor.until("bot-started-speaking")
                await visitor.until("bot-stopped-speaking")
                sound = visitor.senses.sound()
            assert "k3y" not in server.log
    finally:
        await runner.cleanup()
    assert heard[0].startswith(b"RIFF")
    spectrum = np.abs(np.fft.rfft(sound))
    assert abs(np.fft.rfftfreq(len(sound), 1 / 48_000)[spectrum.argmax()] - 600) < 10
