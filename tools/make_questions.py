"""Make the recordings that stand for a person: the demo's questions and what the tests say into the microphone.

    python tools/make_questions.py

They are synthesised (Kokoro-82M, Apache-2.0) with other voices than those that answer, at 16 kHz, mono, with little
silence at both ends. Each is recognised before it is written; a recording that Whisper mishears is refused.
"""

from __future__ import annotations

import asyncio
import re
import wave
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soxr

from visavis.settings import Settings
from visavis.speech.embedded import EmbeddedSynthesiser
from visavis.speech.types import Language, Pcm
from visavis.speech.whisper import SAMPLE_RATE, WhisperRecogniser

ROOT = Path(__file__).resolve().parents[1]
DEMO = ROOT / "demo" / "questions"
TESTS = ROOT / "tests" / "speech" / "audio"
VOICES: dict[Language, str] = {"en": "en-michael", "zh": "zh-yunxi"}


@dataclass(frozen=True)
class Recording:
    path: Path
    language: Language
    text: str


RECORDINGS = (
    Recording(DEMO / "en.wav", "en", "Which languages can you speak?"),
    Recording(DEMO / "zh.wav", "zh", "我可以打断你说话吗？"),
    Recording(TESTS / "languages_zh.wav", "zh", "你会说哪些语言？"),
    Recording(TESTS / "interrupt_en.wav", "en", "Can I interrupt you while you are speaking?"),
    Recording(TESTS / "stop_en.wav", "en", "Stop, wait a moment."),
    Recording(TESTS / "stop_zh.wav", "zh", "等一下，先别说了。"),
    Recording(TESTS / "wake_en.wav", "en", "Hello, are you there?"),
    Recording(TESTS / "wake_zh.wav", "zh", "你好，你在吗？"),
)


def letters(text: str) -> str:
    """Letters only, in lower case: what recognition is compared by."""
    return re.sub(r"[\W_]+", "", text.lower())


async def speak(synthesiser: EmbeddedSynthesiser, recording: Recording) -> Pcm:
    chunks = [
        chunk.pcm async for chunk in synthesiser.say(recording.text, VOICES[recording.language], recording.language)
    ]
    resampled: Pcm = soxr.resample(np.concatenate(chunks), synthesiser.sample_rate, SAMPLE_RATE)
    return resampled


def write(path: Path, pcm: Pcm) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(pcm.astype("<i2").tobytes())


async def main() -> None:
    models = Settings().models_dir
    synthesiser, recogniser = EmbeddedSynthesiser(models), WhisperRecogniser(models)
    for recording in RECORDINGS:
        pcm = await speak(synthesiser, recording)
        heard = await recogniser.transcribe(pcm)
        verdict = "ok" if letters(heard.text) == letters(recording.text) else "MISHEARD"
        print(f"{verdict:9} {len(pcm) / SAMPLE_RATE:.2f} s {heard.confidence:.2f} {recording.path.name}: {heard.text}")
        if verdict == "ok":
            write(recording.path, pcm)


if __name__ == "__main__":
    asyncio.run(main())
