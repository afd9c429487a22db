"""Whisper and Silero, with the real models and recordings."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from speech_measure import error_rate, words

from visavis.speech.silero import SileroModel
from visavis.speech.types import Language, Pcm
from visavis.speech.whisper import WhisperRecogniser

pytestmark = pytest.mark.models

RATE = 16000
SPOKEN: list[tuple[str, Language, str]] = [
    ("en.wav", "en", "Which languages can you speak?"),
    ("zh.wav", "zh", "我可以打断你说话吗"),
    ("languages_zh.wav", "zh", "你会说哪些语言"),
    ("interrupt_en.wav", "en", "Can I interrupt you while you are speaking?"),
    ("stop_en.wav", "en", "Stop, wait a moment."),
    ("stop_zh.wav", "zh", "等一下先别说了"),
    ("wake_en.wav", "en", "Hello, are you there?"),
    ("wake_zh.wav", "zh", "你好你在吗"),
]


def noise(kind: str, seconds: float) -> Pcm:
    random = np.random.default_rng(7)
    count = round(seconds * RATE)
    time_axis = np.arange(count) / RATE
    sounds = {
        "silence": np.zeros(count),
        "hiss": random.standard_normal(count) * 100,
        "loud": random.standard_normal(count) * 4000,
        "hum": np.sin(time_axis * 2 * np.pi * 50) * 3000 + random.standard_normal(count) * 100,
        "tone": np.sin(time_axis * 2 * np.pi * 440) * 6000,
        "clicks": np.where(np.arange(count) % 4000 < 20, 20000, 0),
        "bursts": random.standard_normal(count) * 3000 * (np.sin(time_axis * 12) > 0.7),
    }
    return sounds[kind].astype(np.int16)


@pytest.mark.parametrize(("file", "language", "text"), SPOKEN)
async def test_the_recordings_are_recognised_word_for_word(
    recogniser: WhisperRecogniser, recording: Callable[[str], Pcm], file: str, language: Language, text: str
) -> None:
    heard = await recogniser.transcribe(recording(file))
    assert heard.language == language
    assert words(heard.text) == words(text)
    assert heard.confidence > 0.5
    assert heard.audio_seconds == pytest.approx(len(recording(file)) / RATE)
    assert heard.compute_seconds > 0


@pytest.mark.parametrize("kind", ["silence", "hiss", "loud", "hum", "tone", "clicks", "bursts"])
@pytest.mark.parametrize("language", [None, "zh"])
async def test_noise_is_not_text(recogniser: WhisperRecogniser, kind: str, language: Language | None) -> None:
    heard = await recogniser.transcribe(noise(kind, 1.5), language)
    assert heard.text == ""
    assert heard.confidence == 0.0


async def test_speech_in_noise_is_still_understood(
    recogniser: WhisperRecogniser, recording: Callable[[str], Pcm]
) -> None:
    clean = recording("interrupt_en.wav").astype(np.float64)
    hiss = np.random.default_rng(1).standard_normal(len(clean)) * np.sqrt(np.square(clean).mean()) / 10 ** (15 / 20)
    heard = await recogniser.transcribe((clean + hiss).clip(-32768, 32767).astype(np.int16))
    assert error_rate("Can I interrupt you while you are speaking?", heard.text) <= 0.15


async def test_a_language_may_be_fixed(recogniser: WhisperRecogniser, recording: Callable[[str], Pcm]) -> None:
    heard = await recogniser.transcribe(recording("stop_zh.wav"), "zh")
    assert heard.language == "zh"
    assert "等一下" in heard.text


async def test_chinese_comes_in_simplified_characters(
    recogniser: WhisperRecogniser, recording: Callable[[str], Pcm]
) -> None:
    heard = [(await recogniser.transcribe(recording(name), "zh")).text for name in ("languages_zh.wav", "zh.wav")]
    assert not set("".join(heard)) & set("會說語話斷嗎")


async def test_empty_and_endless_input(recogniser: WhisperRecogniser, recording: Callable[[str], Pcm]) -> None:
    assert (await recogniser.transcribe(np.zeros(0, np.int16))).text == ""
    assert (await recogniser.transcribe(recording("stop_en.wav")[:800])).text == ""
    long = np.concatenate([np.zeros(40 * RATE, np.int16), recording("stop_en.wav"), np.zeros(RATE // 2, np.int16)])
    heard = await recogniser.transcribe(long)
    assert "wait a moment" in heard.text.lower()


async def test_a_cancelled_utterance_does_not_hold_up_the_next(
    models_dir: Path, recording: Callable[[str], Pcm]
) -> None:
    recogniser = WhisperRecogniser(models_dir, threads=1, concurrency=1)
    try:
        pcm = recording("stop_en.wav")
        began = time.perf_counter()
        await recogniser.transcribe(pcm)
        once = time.perf_counter() - began
        dropped = [asyncio.create_task(recogniser.transcribe(pcm)) for _ in range(10)]
        await asyncio.sleep(0)
        for task in dropped:
            task.cancel()
        await asyncio.wait(dropped)
        assert all(task.cancelled() for task in dropped)
        began = time.perf_counter()
        assert (await recogniser.transcribe(pcm)).text
        # One of the ten may have been running; the other nine cost nothing.
        assert time.perf_counter() - began < 5 * once
    finally:
        recogniser.close()


async def test_voice_activity_tells_speech_from_noise(models_dir: Path, recording: Callable[[str], Pcm]) -> None:
    activity = SileroModel(models_dir).activity()
    assert (activity.sample_rate, activity.frame_samples) == (RATE, 512)

    def probabilities(pcm: Pcm) -> list[float]:
        activity.reset()
        frames = pcm[: len(pcm) // 512 * 512].reshape(-1, 512)
        return [activity.probability(frame) for frame in frames]

    for file, _, _ in SPOKEN:
        assert np.mean(np.array(probabilities(recording(file))) > 0.5) > 0.6, file
    for kind in ("silence", "hiss", "loud", "hum", "clicks"):
        assert max(probabilities(noise(kind, 2.0))) < 0.5, kind


async def test_sessions_do_not_share_what_they_hear(models_dir: Path, recording: Callable[[str], Pcm]) -> None:
    model = SileroModel(models_dir)
    one, other = model.activity(), model.activity()
    speech = recording("wake_en.wav")
    for at in range(0, 512 * 30, 512):
        one.probability(speech[at : at + 512])
    quiet = np.zeros(512, np.int16)
    assert other.probability(quiet) == model.activity().probability(quiet)
    with pytest.raises(ValueError, match="512 samples"):
        one.probability(quiet[:100])
