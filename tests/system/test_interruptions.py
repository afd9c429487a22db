"""Interrupting, and not interrupting, through a real server: what a client hears of the digital human while it speaks itself."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
import soxr
from running import Cloud, Guest, guest, recorded, to_16k, words

from visavis.settings import Settings
from visavis.speech.embedded import EmbeddedSynthesiser
from visavis.speech.types import Recogniser

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]

STORY = (
    "I will now tell you a story about a small boat on a wide river, and about the old captain who sailed it every "
    "morning to the market, and who came home in the evening with a basket full of yellow apples."
)
LOUD = 0.02


def trimmed(pcm: np.ndarray) -> np.ndarray:
    loud = np.flatnonzero(np.abs(pcm) > 300)
    return pcm[loud[0] : loud[-1] + 1]


async def spoken(text: str) -> tuple[np.ndarray, int]:
    """``text`` in English, 16 kHz."""
    voice = await asyncio.to_thread(EmbeddedSynthesiser, Settings().models_dir)
    try:
        parts = [chunk.pcm async for chunk in voice.say(text, "default", "en")]
    finally:
        voice.close()
    return trimmed(soxr.resample(np.concatenate(parts), voice.sample_rate, 16_000).astype(np.int16)), 16_000


def loud_blocks(visitor: Guest, since: int) -> list[int]:
    """Which of the blocks of sound received from the one numbered ``since`` on are loud, counted from there."""
    blocks = [one.frame.to_ndarray() for one in visitor.senses.sounds[since:]]
    scale = [32768 if block.dtype == np.int16 else 1 for block in blocks]
    return [index for index, block in enumerate(blocks) if np.abs(block).max() / scale[index] > LOUD]


async def test_an_order_silences_it_before_the_order_is_over(cloud: Cloud) -> None:
    order, rate = await spoken("Please stop, I want to ask you something else.")
    room_id = await asyncio.to_thread(cloud.room)
    async with guest(cloud, room_id, keep_pictures=False) as visitor:
        visitor.command("say", text=STORY)
        await visitor.until("bot-started-speaking")
        visitor.log.clear()
        began = len(visitor.senses.sounds)
        await visitor.client.speak(order, rate)
        cut = await visitor.until("bot-interruption")
        assert not cut["spoken"].endswith("apples.")
        await visitor.until("user-transcription")
        kinds = [message["type"] for message in visitor.log]
        assert "user-started-speaking" in kinds
    said = loud_blocks(visitor, began)
    lasted = len(order) / rate
    voice = [index for index in said if index * 0.02 < lasted]
    assert voice, "it was speaking when the person began"
    silent_after = (voice[-1] + 1) * 0.02
    assert silent_after < 0.6, (
        f"silent {silent_after:.2f} s after the person began (a busy machine is slower than a free one)"
    )


async def test_assent_lets_it_go_on_to_its_end(cloud: Cloud, recogniser: Recogniser) -> None:
    yes, rate = await spoken("Yeah, okay.")
    room_id = await asyncio.to_thread(cloud.room)
    async with guest(cloud, room_id, keep_pictures=False) as visitor:
        began = len(visitor.senses.sounds)
        visitor.command("say", text=STORY)
        await visitor.until("bot-started-speaking")
        await visitor.client.speak(np.concatenate([np.zeros(rate, np.int16), yes]), rate)
        await visitor.until("bot-stopped-speaking")
        kinds = [message["type"] for message in visitor.log]
        assert "bot-interruption" not in kinds
        assert "user-transcription" not in kinds
        assert "user-started-speaking" not in kinds
        sound = to_16k(np.concatenate([visitor.senses.sound(visitor.senses.sounds[began].pts)]))
    heard = words((await recogniser.transcribe(sound[-25 * 16_000 :], "en")).text)
    wanted = words(STORY)
    assert len(wanted & heard) / len(wanted) > 0.85, sorted(wanted - heard)


async def test_a_recorded_question_during_the_answer_is_answered(cloud: Cloud) -> None:
    pcm, rate = recorded("en.wav")
    room_id = await asyncio.to_thread(cloud.room)
    async with guest(cloud, room_id, keep_pictures=False) as visitor:
        visitor.command("say", text=STORY)
        await visitor.until("bot-started-speaking")
        await visitor.client.speak(pcm, rate)
        await visitor.until("bot-interruption")
        heard = await visitor.until("user-transcription", lambda data: data.get("final", True))
        assert "languages" in heard["text"].lower()
        await visitor.until("bot-started-speaking")
