"""What hearing and speaking cost: real-time factors and the time to the first sound."""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from visavis.settings import Settings
from visavis.speech.factory import create_speech
from visavis.speech.types import Language, Pcm, Recogniser, Synthesiser, VoiceActivity

SENTENCES: dict[Language, str] = {
    "en": "I can hear you, think, and answer aloud with moving lips.",
    "zh": "我能听见你说话，思考，并且用自己的声音回答你。",
}


async def measure() -> dict[str, Any]:
    """Load the embedded engines, speak one sentence in each language twice (cold, cached), recognise it.

    ``first_sound_s`` is wall time and ``first_sound_cpu_s`` the processor time of all threads: on a machine that does
    something else as well only the second tells what the engine costs. ``longest_gap_s``: how long a listener who began
    with the first chunk would have had to wait for a later one.
    """
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        speech = await asyncio.to_thread(create_speech, Settings(data=Path(folder)))
        report: dict[str, Any] = {"load_s": round(time.perf_counter() - began, 2)}
        for language, text in SENTENCES.items():
            said, cold = await _say(speech.synthesiser, text, language)
            _, cached = await _say(speech.synthesiser, text, language)
            report[language] = {
                "synthesis": cold,
                "cached_first_sound_s": cached["first_sound_s"],
                "recognition": await _hear(speech.recogniser, said, speech.synthesiser.sample_rate),
            }
        report["voice_activity_ms_per_s"] = _activity(speech.activity.activity())
        speech.synthesiser.close()
    return report


async def _say(synthesiser: Synthesiser, text: str, language: Language) -> tuple[Pcm, dict[str, float]]:
    began, cpu = time.perf_counter(), time.process_time()
    first = first_cpu = played_until = gap = 0.0
    pieces: list[Pcm] = []
    async for chunk in synthesiser.say(text, "default", language):
        now = time.perf_counter() - began
        if not pieces:
            first, first_cpu, played_until = now, time.process_time() - cpu, now
        gap = max(gap, now - played_until)
        played_until = max(played_until, now) + len(chunk.pcm) / synthesiser.sample_rate
        pieces.append(chunk.pcm)
    sound = np.concatenate(pieces)
    seconds = len(sound) / synthesiser.sample_rate
    return sound, {
        "first_sound_s": round(first, 3),
        "first_sound_cpu_s": round(first_cpu, 3),
        "first_chunk_s": round(len(pieces[0]) / synthesiser.sample_rate, 2),
        "longest_gap_s": round(gap, 3),
        "rtf_wall": round((time.perf_counter() - began) / seconds, 3),
        "rtf_cpu": round((time.process_time() - cpu) / seconds, 3),
        "seconds": round(seconds, 2),
    }


async def _hear(recogniser: Recogniser, sound: Pcm, rate: int) -> dict[str, object]:
    import soxr

    pcm = soxr.resample(sound, rate, recogniser.sample_rate)
    began, cpu = time.perf_counter(), time.process_time()
    heard = await recogniser.transcribe(pcm)
    return {
        "wall_s": round(time.perf_counter() - began, 3),
        "cpu_s": round(time.process_time() - cpu, 3),
        "text": heard.text,
    }


def _activity(activity: VoiceActivity, seconds: int = 10) -> float:
    frame = np.zeros(activity.frame_samples, np.int16)
    began = time.process_time()
    for _ in range(seconds * activity.sample_rate // activity.frame_samples):
        activity.probability(frame)
    return round((time.process_time() - began) / seconds * 1000, 2)
