"""Turns with the real detector, recogniser and judge of melodies, on recorded and synthesised speech."""

from __future__ import annotations

import wave
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soxr
from session_fakes import FakeDialogue
from tone_talk import ToneTalk, quiet, tone_talk

from visavis.session.turns.melody import SmartTurn
from visavis.settings import Settings
from visavis.speech.embedded import EmbeddedSynthesiser
from visavis.speech.silero import SileroModel
from visavis.speech.whisper import WhisperRecogniser

DEMO = Path(__file__).parents[2] / "demo" / "questions"


class Ears:
    def __init__(self) -> None:
        folder = Settings().models_dir
        self.recogniser, self.silero, self.melody = WhisperRecogniser(folder), SileroModel(folder), SmartTurn()
        self.voice = EmbeddedSynthesiser(folder)

    def close(self) -> None:
        self.recogniser.close()
        self.melody.close()
        self.voice.close()

    async def speech(self, text: str) -> np.ndarray:
        """``text`` spoken in English, 16 kHz, without the silence around it."""
        parts = [chunk.pcm async for chunk in self.voice.say(text, "default", "en")]
        return trimmed(soxr.resample(np.concatenate(parts), self.voice.sample_rate, 16_000).astype(np.int16))


@pytest.fixture(scope="module")
def ears() -> Iterator[Ears]:
    every = Ears()
    yield every
    every.close()


def trimmed(pcm: np.ndarray) -> np.ndarray:
    loud = np.flatnonzero(np.abs(pcm) > 300)
    return pcm[loud[0] : loud[-1] + 1]


def recorded(name: str) -> np.ndarray:
    with wave.open(str(DEMO / name)) as file:
        pcm = np.frombuffer(file.readframes(file.getnframes()), np.int16)
        return trimmed(pcm[:: file.getframerate() // 16_000])


def torn(pcm: np.ndarray, share: float) -> tuple[np.ndarray, np.ndarray]:
    """``pcm`` cut in two at its quietest place near ``share`` of it."""
    block = 320
    levels = np.abs(pcm[: len(pcm) // block * block].astype(int)).reshape(-1, block).mean(1)
    around = slice(int((share - 0.08) * len(levels)), int((share + 0.08) * len(levels)))
    cut = (around.start + int(levels[around].argmin())) * block
    return pcm[:cut], pcm[cut:]


def hearing(ears: Ears, *sentences: str, seconds: float = 0.4, language: str | None = None):  # type: ignore[no-untyped-def]
    return tone_talk(
        *sentences,
        seconds=seconds,
        recogniser=ears.recogniser,
        activity=ears.silero.activity(),
        language=language,  # type: ignore[arg-type]
        melody=ears.melody,
    )


async def turn(talk: ToneTalk) -> str:
    record = await talk.journal.wait("done")
    return str(record.heard)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("name", "share", "words"),
    [("en.wav", 0.47, "which languages can you speak"), ("zh.wav", 0.38, "我可以打断你说话吗")],
)
async def test_a_recorded_question_with_a_pause_inside_is_heard_whole(
    ears: Ears, name: str, share: float, words: str
) -> None:
    first, second = torn(recorded(name), share)
    async with hearing(ears, "Yes.") as talk:
        await talk.hear(quiet(0.6), first, quiet(0.6), second, quiet(1.5))
        await turn(talk)
        heard = [str(text) for text in talk.journal.of("heard")]
    assert len(heard) == 1, heard
    bare = "".join(char for char in heard[0].lower() if char.isalnum())
    assert bare == words.replace(" ", "")


async def test_a_recorded_question_is_known_before_the_usual_silence_is_over(ears: Ears) -> None:
    async with hearing(ears, "Yes.") as talk:
        await talk.hear(quiet(0.6), recorded("en.wav"), quiet(1.2))
        record = await talk.journal.wait("done")
    assert "languages" in record.heard.lower()
    dialogue = talk.dialogue
    assert isinstance(dialogue, FakeDialogue)
    assert [one.speculative for one in dialogue.turns] == [True], "the answer was begun before the turn was over"


async def test_um_with_a_long_pause_is_one_turn(ears: Ears) -> None:
    first, second = await ears.speech("I would like to know, um,"), await ears.speech("where the next bus stop is.")
    async with hearing(ears, "There.", language="en") as talk:
        await talk.hear(quiet(0.6), first, quiet(0.9), second, quiet(2.0))
        text = await turn(talk)
        assert len(talk.journal.of("heard")) == 1, talk.journal.of("heard")
    assert "bus stop" in text.lower()
    assert "know" in text.lower()


async def test_a_cough_is_not_answered_and_does_not_cut(ears: Ears) -> None:
    rng = np.random.default_rng(3)
    burst = rng.normal(0, 6000, 4000) * np.exp(-np.arange(4000) / 900)
    cough = np.concatenate([burst, np.zeros(1500), burst * 0.6]).astype(np.int16)
    async with hearing(ears, "A long answer that goes on for a while.", seconds=3.0) as talk:
        await talk.conversation.ask("go")
        await talk.journal.wait("started")
        await talk.hear(quiet(0.5), cough, quiet(1.0))
        record = await talk.journal.wait("done")
        assert talk.journal.of("heard") == ["go"]
    assert not record.interrupted


async def test_a_spoken_order_cuts(ears: Ears) -> None:
    stop = await ears.speech("Stop, wait a moment please.")
    async with hearing(ears, "A long answer that goes on for a while.", seconds=8.0, language="en") as talk:
        await talk.conversation.ask("go")
        await talk.journal.wait("started")
        await talk.hear(quiet(0.5), stop, quiet(1.5))
        record = await talk.journal.wait("done")
        assert record.interrupted
        await talk.journal.wait("heard", lambda text: "wait" in str(text).lower())
