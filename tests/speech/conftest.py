"""The real models, loaded once for all tests of this folder."""

from __future__ import annotations

import wave
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from visavis.settings import Settings
from visavis.speech.embedded import EmbeddedSynthesiser
from visavis.speech.models import assemble
from visavis.speech.types import Pcm
from visavis.speech.whisper import WhisperRecogniser

AUDIO = Path(__file__).parent / "audio"
DEMO = Path(__file__).parents[2] / "demo" / "questions"


@pytest.fixture(scope="session")
def models_dir() -> Path:
    return assemble(Settings().models_dir)


@pytest.fixture(scope="session")
def synthesiser(models_dir: Path) -> Iterator[EmbeddedSynthesiser]:
    engine = EmbeddedSynthesiser(models_dir)
    yield engine
    engine.close()


@pytest.fixture(scope="session")
def recogniser(models_dir: Path) -> Iterator[WhisperRecogniser]:
    engine = WhisperRecogniser(models_dir)
    yield engine
    engine.close()


@pytest.fixture(scope="session")
def recording() -> Callable[[str], Pcm]:
    """A recording by its file name: mono int16 at 16 kHz."""

    def load(name: str) -> Pcm:
        path = DEMO / name if (DEMO / name).exists() else AUDIO / name
        with wave.open(str(path)) as file:
            assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 16000)
            return np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.int16)

    return load
