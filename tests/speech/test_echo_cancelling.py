"""A simulated room without an echo canceller: the digital human's own voice comes back, with and without a person speaking over it."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
import soxr

from visavis.settings import Settings
from visavis.speech.echo import RATE, EchoCanceller
from visavis.speech.silero import SileroModel
from visavis.speech.whisper import WhisperRecogniser

RECORDINGS = Path(__file__).parents[2] / "demo" / "recordings"
CHUNK = RATE // 50
SPOKEN = {"excuse", "me", "visiting", "today", "with", "two", "colleagues", "languages", "understand"}


def recording(name: str) -> np.ndarray:
    with av.open(str(RECORDINGS / name)) as file:
        sound = np.concatenate([frame.to_ndarray().reshape(-1) for frame in file.decode(audio=0)])
        sound = soxr.resample(sound.astype(np.float64), file.streams.audio[0].rate, RATE)
    return sound / np.sqrt((sound**2).mean()) * 1800  # -25 dBFS, as people and voices are


@pytest.fixture(scope="module")
def voice() -> np.ndarray:
    """What the digital human says: three sentences, 14 s."""
    pause = np.zeros(RATE // 4)
    return np.concatenate(
        [part for name in ("en-long-2", "en-long-3", "zh-long-1") for part in (recording(f"{name}.flac"), pause)]
    )


def in_the_room(voice: np.ndarray, level_db: float, delay_s: float) -> np.ndarray:
    """What a microphone hears of ``voice``: the room's echoes, so much later and so much fainter."""
    dice = np.random.default_rng(3)
    room = dice.standard_normal(RATE // 8) * np.exp(-np.arange(RATE // 8) / (RATE * 0.025))
    heard = np.convolve(voice, room / np.sqrt((room**2).sum()))[: len(voice)] * 10 ** (level_db / 20)
    late = np.concatenate([np.zeros(round(delay_s * RATE)), heard])[: len(voice)]
    return late + dice.standard_normal(len(voice)) * 6


class Room:
    """Both ways in steps of 20 ms, as the stage and the network bring them."""

    def __init__(self) -> None:
        self.now = 0  # samples at 48 kHz
        self.canceller = EchoCanceller(lambda: self.now)
        self.cost = 0.0

    def run(self, voice: np.ndarray, heard: np.ndarray) -> np.ndarray:
        out = []
        spoken = soxr.resample(voice, RATE, 48_000).astype(np.int16)
        for begin in range(0, len(heard) - CHUNK, CHUNK):
            sound = spoken[3 * begin : 3 * (begin + CHUNK)]
            if sound.any():  # the stage tells nothing of silence
                self.canceller.played(sound, self.now)
            self.now += 3 * CHUNK
            pcm = np.clip(heard[begin : begin + CHUNK], -32768, 32767).astype(np.int16)
            before = time.process_time()
            out.append(self.canceller.clean(pcm))
            self.cost += time.process_time() - before
        return np.concatenate(out)


@pytest.fixture(scope="module")
def detector() -> SileroModel:
    return SileroModel(Settings().models_dir)


def share_of_speech(detector: SileroModel, sound: np.ndarray) -> float:
    activity = detector.activity()
    size = activity.frame_samples
    sound = np.clip(sound, -32768, 32767).astype(np.int16)
    return float(
        np.mean([activity.probability(sound[at : at + size]) > 0.7 for at in range(0, len(sound) - size, size)])
    )


@pytest.mark.models
@pytest.mark.parametrize(
    ("level_db", "delay_s"), [(-12, 0.08), (-12, 0.25), (-12, 0.45), (-20, 0.25), (-30, 0.08), (-30, 0.25)]
)
def test_its_own_voice_is_taken_out(
    detector: SileroModel, voice: np.ndarray, level_db: float, delay_s: float, record_property
) -> None:  # type: ignore[no-untyped-def]
    heard, room = in_the_room(voice, level_db, delay_s), Room()
    cleaned = room.run(voice, heard)
    settled = slice(2 * RATE, len(cleaned))
    left = 10 * np.log10((cleaned[settled].astype(float) ** 2).mean() / (heard[settled] ** 2).mean())
    before, after = share_of_speech(detector, heard[settled]), share_of_speech(detector, cleaned[settled])
    record_property("echo", {"left_db": round(left, 1), "speech": [round(before, 3), round(after, 3)]})
    print(level_db, delay_s, round(left, 1), round(before, 3), round(after, 3))
    assert before > 0.5, "without it the detector hears a person"
    assert after < 0.02, "with it there is none"


@pytest.fixture(scope="module")
def ears() -> Iterator[WhisperRecogniser]:
    recogniser = WhisperRecogniser(Settings().models_dir)
    yield recogniser
    recogniser.close()


@pytest.mark.models
async def test_who_speaks_over_it_is_understood(
    detector: SileroModel, ears: WhisperRecogniser, voice: np.ndarray
) -> None:
    person = recording("en-long-1.flac")
    echo = in_the_room(voice, -12, 0.15)
    at = 4 * RATE
    heard = echo.copy()
    heard[at : at + len(person)] += person
    cleaned = await asyncio.to_thread(Room().run, voice, heard)
    part = cleaned[at : at + len(person) + RATE // 2]
    assert share_of_speech(detector, part) > 0.5, "the person still interrupts"
    text = (await ears.transcribe(part, "en")).text.lower()
    assert set(re.findall(r"[a-z]+", text)) >= SPOKEN, text


def test_it_costs_little_and_nothing_in_silence(voice: np.ndarray) -> None:
    room = Room()
    room.run(voice, in_the_room(voice, -12, 0.15))
    spent = room.cost / (len(voice) / RATE)
    print(f"{1000 * spent:.1f} ms per second")
    assert spent < 0.05
    quiet = Room()
    sound = np.full(5 * RATE, 100.0)
    assert (quiet.run(np.zeros(5 * RATE), sound) == 100).all(), "what nothing can come back of is left as it is"
    assert quiet.canceller._aec is None


def test_it_finds_its_way_again_after_the_network_stalled(voice: np.ndarray) -> None:
    heard, room = in_the_room(voice, -12, 0.1), Room()
    room.run(voice, heard)
    room.now += 48_000 * 2  # nothing came for two seconds
    cleaned = room.run(voice, heard)
    rest = slice(6 * RATE, len(cleaned))
    assert 10 * np.log10((cleaned[rest].astype(float) ** 2).mean() / (heard[rest] ** 2).mean()) < -15
