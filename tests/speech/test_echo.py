"""What Whisper's decoder says twice with a short window is cut; what a person says twice is not."""

from __future__ import annotations

import asyncio
import wave
from pathlib import Path

import numpy as np
import pytest

from visavis.settings import Settings
from visavis.speech.whisper import _FULL_WINDOW, WhisperRecogniser, _Hypothesis

QUESTION = Path(__file__).parents[2] / "demo" / "questions" / "en.wav"


@pytest.mark.parametrize(
    ("text", "once"),
    [
        ("Which languages can you speak? Which languages can you speak?", "Which languages can you speak?"),
        ("which one is it, Which one is it?", "which one is it,"),
        ("我可以打断你说话吗？我可以打断你说话吗？", "我可以打断你说话吗？"),
    ],
)
def test_an_echo_is_cut(text: str, once: str) -> None:
    heard = _Hypothesis(text, -0.1, 0.0)
    assert heard.echoes
    assert heard.without_echo().text == once


@pytest.mark.parametrize("text", ["No, no.", "Which languages can you speak?", "再见，再见"])
def test_what_is_no_echo_stays(text: str) -> None:
    assert not _Hypothesis(text, -0.1, 0.0).echoes


@pytest.mark.models
async def test_a_short_question_needs_one_look_whatever_silence_surrounds_it() -> None:
    with wave.open(str(QUESTION)) as file:
        pcm = np.frombuffer(file.readframes(file.getnframes()), np.int16)[:: file.getframerate() // 16_000]
    recogniser = await asyncio.to_thread(WhisperRecogniser, Settings().models_dir)
    windows: list[float] = []
    hear = recogniser._hear

    def count(sound, language, window, dropped):
        windows.append(window)
        return hear(sound, language, window, dropped)

    recogniser._hear = count
    silences = [(before, behind) for before in (0.0, 0.1, 0.2, 0.3) for behind in (0.15, 0.2, 0.24)]
    for before, behind in silences:
        sound = np.concatenate(
            [np.zeros(int(before * 16_000), np.int16), pcm, np.zeros(int(behind * 16_000), np.int16)]
        )
        heard = await recogniser.transcribe(sound)
        assert heard.text.lower() == "which languages can you speak?"
    assert windows.count(_FULL_WINDOW) == 0
    assert len(windows) == len(silences)
    recogniser.close()
