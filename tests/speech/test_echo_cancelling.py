"""A simulated room without an echo canceller: the digital human's own voice comes back, or does not, with and without a person
speaking over it. Everything is judged from the first moment of a session on."""

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

from visavis.session.turns.detector import ONSET_S, EmbeddedActivity
from visavis.settings import Settings
from visavis.speech.echo import RATE, EchoCanceller
from visavis.speech.silero import SileroModel
from visavis.speech.whisper import WhisperRecogniser

RECORDINGS = Path(__file__).parents[2] / "demo" / "recordings"
CHUNK = RATE // 50
FRAME_S = 0.032
SPOKEN = {
    "en-long-1.flac": {"excuse", "me", "visiting", "today", "with", "languages", "understand"},
    "en-short-9.flac": {"are", "you", "recording"},
}


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
    return late + hiss(len(voice))


def hiss(count: int) -> np.ndarray:
    """What a microphone brings where nothing sounds."""
    return np.random.default_rng(4).standard_normal(count) * 6


def over(heard: np.ndarray, person: np.ndarray, at_s: float) -> np.ndarray:
    """With a person speaking from ``at_s`` on."""
    at = int(at_s * RATE)
    both = heard.copy()
    both[at : at + len(person)] += person
    return both


class Room:
    """Both ways in steps of 20 ms, as the stage and the network bring them."""

    def __init__(self, *, loud: bool = False) -> None:
        self.now = 0  # samples at 48 kHz
        self.canceller = EchoCanceller(lambda: self.now, loud=loud)
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


def speech(detector: SileroModel, sound: np.ndarray) -> np.ndarray:
    """Which frames the session's detector takes for a voice."""
    activity = EmbeddedActivity(detector.activity())
    size = activity.num_frames_required()
    frames = np.clip(sound, -32768, 32767).astype(np.int16)[: len(sound) // size * size].reshape(-1, size)
    return np.array([activity.voice_confidence(frame.tobytes()) > 0.7 for frame in frames])


def onset_s(frames: np.ndarray, after_s: float) -> float:
    """When the detector has heard a voice for long enough to fall silent for it."""
    count = round(ONSET_S / FRAME_S)
    first = int(after_s / FRAME_S)
    return next((at + count) * FRAME_S for at in range(first, len(frames) - count) if frames[at : at + count].all())


@pytest.mark.models
@pytest.mark.parametrize(
    ("level_db", "delay_s"), [(-12, 0.08), (-12, 0.25), (-12, 0.45), (-20, 0.25), (-30, 0.08), (-30, 0.25)]
)
def test_its_own_voice_is_no_person_from_the_first_word_of_a_session(
    detector: SileroModel, voice: np.ndarray, level_db: float, delay_s: float, record_property
) -> None:  # type: ignore[no-untyped-def]
    heard = in_the_room(voice, level_db, delay_s)
    before, after = speech(detector, heard), speech(detector, Room().run(voice, heard))
    record_property("echo", {"before": round(before.mean(), 3), "after": round(after.mean(), 3)})
    assert before.mean() > (0.5 if level_db > -30 else 0.1), "without it the detector hears a person"
    assert after.mean() < 0.01, "with it there is none"


@pytest.mark.models
def test_a_loudspeaker_as_loud_as_a_person_is_no_person_either(detector: SileroModel, voice: np.ndarray) -> None:
    heard = in_the_room(voice, 0, 0.25)
    assert speech(detector, heard).mean() > 0.5
    assert speech(detector, Room(loud=True).run(voice, heard)).mean() < 0.01


def test_where_no_echo_comes_back_who_speaks_over_the_voice_is_untouched(voice: np.ndarray) -> None:
    touched = count = 0
    for name, at_s in (("en-short-8", 1.2), ("zh-short-3", 6.0), ("zh-long-4", 3.0), ("cough-1", 9.0)):
        person = recording(f"{name}.flac")
        heard = over(hiss(len(voice)), person, at_s)
        out = Room().run(voice, heard)
        touched += np.count_nonzero(out != np.clip(heard, -32768, 32767).astype(np.int16)[: len(out)])
        count += len(person)
    assert touched < 0.02 * count


@pytest.fixture(scope="module")
def ears() -> Iterator[WhisperRecogniser]:
    recogniser = WhisperRecogniser(Settings().models_dir)
    yield recogniser
    recogniser.close()


@pytest.mark.models
@pytest.mark.parametrize(
    ("level_db", "delay_s", "at_s"),
    [(None, 0.0, 0.3), (-12, 0.15, 1.2), (-12, 0.15, 6.0), (-20, 0.45, 1.2), (-30, 0.08, 1.2)],
)
async def test_who_speaks_over_it_is_noticed_as_soon_and_understood(
    detector: SileroModel,
    ears: WhisperRecogniser,
    voice: np.ndarray,
    level_db: float | None,
    delay_s: float,
    at_s: float,
) -> None:
    echo = hiss(len(voice)) if level_db is None else in_the_room(voice, level_db, delay_s)
    for name, words in SPOKEN.items():
        person = recording(name)
        cleaned = await asyncio.to_thread(Room().run, voice, over(echo, person, at_s))
        alone = onset_s(speech(detector, over(hiss(len(voice)), person, at_s)), at_s)
        assert onset_s(speech(detector, cleaned), at_s) <= alone + 3 * FRAME_S
        part = cleaned[int(at_s * RATE) : int(at_s * RATE) + len(person) + RATE // 2]
        text = (await ears.transcribe(part, "en")).text.lower()
        assert set(re.findall(r"[a-z]+", text)) >= words, text


@pytest.mark.models
def test_it_learns_anew_what_changes(detector: SileroModel, voice: np.ndarray) -> None:
    half = len(voice) // 2
    before, later = in_the_room(voice, -12, 0.2), in_the_room(voice, -12, 0.24)
    for heard in (
        np.concatenate([before[:half], later[half:]]),  # the client's buffer has grown
        np.concatenate([hiss(half), before[half:]]),  # the headphones were taken off
    ):
        assert speech(detector, heard)[round(half / RATE / FRAME_S) :].mean() > 0.5
        heard_as = speech(detector, Room().run(voice, heard))
        assert heard_as[round((half / RATE + 3) / FRAME_S) :].mean() < 0.02


def test_it_costs_little_and_nothing_in_silence(voice: np.ndarray) -> None:
    room = Room()
    room.run(voice, in_the_room(voice, -12, 0.15))
    spent = room.cost / (len(voice) / RATE)
    print(f"{1000 * spent:.1f} ms per second")
    assert spent < 0.05
    quiet = Room()
    sound = np.full(5 * RATE, 100.0)
    assert (quiet.run(np.zeros(5 * RATE), sound) == 100).all(), "what nothing can come back of is left as it is"
    assert quiet.cost < 0.01 * 5


def test_it_finds_its_way_again_after_the_network_stalled(voice: np.ndarray) -> None:
    heard, room = in_the_room(voice, -12, 0.1), Room()
    room.run(voice, heard)
    room.now += 48_000 * 2  # nothing came for two seconds
    cleaned = room.run(voice, heard)
    rest = slice(3 * RATE, len(cleaned))
    assert 10 * np.log10((cleaned[rest].astype(float) ** 2).mean() / (heard[rest] ** 2).mean()) < -25


def test_sound_that_is_no_whole_block_is_refused() -> None:
    with pytest.raises(ValueError, match="blocks"):
        EchoCanceller(lambda: 0).clean(np.zeros(100, np.int16))
