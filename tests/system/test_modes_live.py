"""Modes of talking and wake words, through a real server: real detector, Whisper, voices, RTC client."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import numpy as np
import pytest
from huaweicloudsdkmetastudio.v1 import model
from running import Cloud, RunningServer, guest, recorded, token_of

from visavis.settings import Settings
from visavis.speech.factory import create_synthesiser
from visavis.speech.types import NORMAL

pytestmark = [pytest.mark.system, pytest.mark.timeout(180)]


class RoomChange(model.CreateSmartChatRoomReq):  # type: ignore[misc]
    """With our extensions, which the SDK does not know."""

    openapi_types = model.CreateSmartChatRoomReq.openapi_types | {"talk_mode": "str", "wake_words": "list[str]"}
    attribute_map = model.CreateSmartChatRoomReq.attribute_map | {"talk_mode": "talk_mode", "wake_words": "wake_words"}


def room_of(cloud: Cloud, **ours: Any) -> str:
    room_id = cloud.room()
    change = RoomChange()
    for name in ("talk_mode", "wake_words"):
        setattr(change, name, ours.get(name))
    cloud.sdk.update_smart_chat_room(model.UpdateSmartChatRoomRequest(room_id=room_id, body=change))
    return room_id


async def spoken(*texts: str) -> list[tuple[np.ndarray, int]]:
    """What a voice makes of each, with its sample rate."""
    voice = await asyncio.to_thread(create_synthesiser, Settings())
    quiet, made = np.zeros(voice.sample_rate // 2, np.int16), []
    for text in texts:
        chunks = [chunk.pcm async for chunk in voice.say(text, "default", "en", NORMAL)]
        made.append((np.concatenate([*chunks, quiet]), voice.sample_rate))
    voice.close()
    return made


async def test_a_sleeper_answers_to_its_name_and_to_a_radar(server: RunningServer, cloud: Cloud) -> None:
    room_id = await asyncio.to_thread(room_of, cloud, wake_words=["Hey Mira", "小慧小慧"])
    call, called_zh = await spoken("Hey Mira, which languages can you speak?", "小慧小慧，你会说哪些语言？")
    async with guest(cloud, room_id, keep_pictures=False) as visitor:
        visitor.command("sleep")
        await visitor.until("enterSleep")
        await visitor.client.speak(*recorded("en.wav"))
        await visitor.client.speak(*recorded("zh.wav"))
        silence = np.zeros(48_000 * 3, np.int16)
        await visitor.client.speak(silence)
        info = visitor.job.rtc_room_info
        answer = await asyncio.to_thread(
            httpx.post, f"{cloud.url}/rtc/v1/rooms/{info.room_id}/wakeup", json={"wakeup_type": "RADAR"},
            headers={"Authorization": token_of(visitor.job)},
        )  # fmt: skip
        assert answer.status_code == 200, answer.text
        assert (await visitor.until("enterActive"))["wakeupType"] == "RADAR"
        heard = [message["type"] for message in visitor.log if message["type"].startswith("user-")]
        assert heard == [], "nothing of what was said in the lobby was told"
        visitor.command("sleep")
        await visitor.until("enterSleep")
        await visitor.client.speak(*call)
        assert (await visitor.until("enterActive"))["wakeupType"] == "VOICE"
        asked = await visitor.until("user-transcription", lambda data: data.get("final"))
        assert "languages" in asked["text"].lower()
        assert "mira" not in asked["text"].lower()
        await visitor.until("bot-started-speaking")
        visitor.command("sleep")  # cuts the answer
        await visitor.until("enterSleep")
        await visitor.client.speak(*called_zh)
        assert (await visitor.until("enterActive"))["wakeupType"] == "VOICE"
        asked = await visitor.until("user-transcription", lambda data: data.get("final"))
        assert "语言" in asked["text"]
        assert "小" not in asked["text"], "the name is no part of the question"
        answer = await visitor.until("bot-output")
        assert any("\u4e00" <= sign <= "\u9fff" for sign in answer["text"])


async def test_push_to_talk_answers_when_the_button_is_let_go(server: RunningServer, cloud: Cloud) -> None:
    room_id = await asyncio.to_thread(room_of, cloud, talk_mode="push_to_talk")
    async with guest(cloud, room_id, keep_pictures=False) as visitor:
        visitor.tell("client-ready")
        assert (await visitor.until("microphone")) == {"event": "microphone", "mode": "push_to_talk", "open": False}
        visitor.command("talk", on=True)
        await visitor.until("microphone", lambda data: data["open"])
        pcm, rate = recorded("en.wav")
        half = len(pcm) // 2
        await visitor.client.speak(pcm[:half], rate)
        await visitor.client.speak(pcm[half:], rate)
        visitor.command("talk", on=False)
        asked = await visitor.until("user-transcription", lambda data: data.get("final"))
        assert "languages" in asked["text"].lower()
        await visitor.until("bot-started-speaking")
        visitor.command("talk", on=True)  # cuts the answer
        await visitor.until("bot-interruption")
        visitor.command("talk", on=False)
        visitor.command("mode", mode="full_duplex")
        await visitor.until("microphone", lambda data: data["mode"] == "full_duplex")
        await visitor.client.speak(*recorded("en.wav"))
        await visitor.until("bot-started-speaking")
