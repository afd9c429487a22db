"""A robot's words in a real session: the welcome, what may be asked with one tap, and each word as it sounds."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
from huaweicloudsdkmetastudio.v1 import model
from running import Cloud, RunningServer, guest

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]


def prepare(cloud: Cloud) -> str:
    """A robot with a welcome and two questions, and its room."""
    robot = cloud.robot()
    say = model.CreateWelcomeSpeechReq(robot_id=robot, welcome_speech="Welcome to the museum.", language="EN")
    cloud.sdk.create_welcome_speech(model.CreateWelcomeSpeechRequest(body=say))
    on = model.UpdateWelcomeSpeechSwitchReq(robot_id=robot, enable_welcome_speech=True, language="EN")
    cloud.sdk.update_welcome_speech_switch(model.UpdateWelcomeSpeechSwitchRequest(body=on))
    for language, text in (("EN", "What is visavis?"), ("CN", "你会说哪些语言？")):
        question = model.CreateHotQuestionReq(robot_id=robot, hot_question=text, language=language)
        cloud.sdk.create_hot_question(model.CreateHotQuestionRequest(body=question))
    return cloud.room(robot_id=robot)


async def test_words_come_with_their_sound(server: RunningServer, cloud: Cloud) -> None:
    room_id = await asyncio.to_thread(prepare, cloud)
    async with guest(cloud, room_id) as visitor:
        visitor.tell("client-ready")
        told = await visitor.until("hotQuestions")
        assert told["questions"] == {"EN": ["What is visavis?"], "CN": ["你会说哪些语言？"]}
        if not any(one["type"] == "bot-stopped-speaking" for one in visitor.log):
            await visitor.until("bot-stopped-speaking")
        welcome = [one["data"] for one in visitor.log if one["type"] == "bot-tts-text"]
        assert [one["text"] for one in welcome] == ["Welcome ", "to ", "the ", "museum."]
        times = [one["pts"] for one in welcome]
        assert times == sorted(times)
        # They are spread over the sound as it was heard here, not told in one go.
        loud = np.flatnonzero(np.abs(visitor.senses.sound()) > 0.02)
        heard = (loud[-1] - loud[0]) / 48_000
        assert times[-1] - times[0] == pytest.approx(0.6 * heard, abs=0.35 * heard)

        visitor.log.clear()
        visitor.tell("send-text", content=told["questions"]["CN"][0])  # the tap
        assert (await visitor.until("languageInfoChange"))["language"] == "CN"
        await visitor.until("bot-stopped-speaking")
        sentences = [one["data"]["text"] for one in visitor.log if one["type"] == "bot-output"]
        spoken = [one["data"]["text"] for one in visitor.log if one["type"] == "bot-tts-text"]
        assert "".join(spoken).replace(" ", "") == "".join(sentences).replace(" ", "")
        assert len(spoken) > 5
