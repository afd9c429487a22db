"""Interfaces of the speech engines. One fake of each lives in ``tests/speech/fakes.py``.

Sound is mono int16 PCM everywhere at this border; each engine states its own sample rate.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from visavis.speech.lexicon import Reading

Pcm = npt.NDArray[np.int16]
Language = Literal["en", "zh"]


@dataclass(frozen=True, slots=True)
class Transcript:
    """What was heard. ``confidence`` 0..1; ``text`` is empty when nothing intelligible was said."""

    text: str
    language: Language
    confidence: float
    audio_seconds: float = 0.0
    compute_seconds: float = 0.0


class Recogniser(Protocol):
    """Turns one utterance into text. Thread-safe; the models behind it are shared by all sessions of a worker."""

    @property
    def sample_rate(self) -> int: ...

    async def transcribe(self, pcm: Pcm, language: Language | None = None, *, words: Sequence[str] = ()) -> Transcript:
        """Recognise one utterance (mono int16 at ``sample_rate``). ``language`` None: detect it. Cancellable.

        ``words``: hot words, names and terms that are likely to be said, of any language, the weightiest first. Where the
        sound leaves it open what was said, they win; they are never heard where nothing like them was said.
        """
        ...


@dataclass(frozen=True, slots=True)
class PhonemeTiming:
    """One phoneme (IPA, as the engine's vocabulary writes it; "" is silence): seconds from the start of its
    sentence."""

    phoneme: str
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class VoiceSettings:
    """How one sentence is spoken. Published meaning: speed 50..200 (100 normal), pitch 50..200 (100), volume 90..240 (140).

    ``readings``: how places of this one sentence are read (``visavis.speech.lexicon``), in its order, without overlaps. An
    engine that cannot do it speaks the sentence as it stands.
    """

    speed: int = 100
    pitch: int = 100
    volume: int = 140
    readings: tuple[Reading, ...] = ()


NORMAL = VoiceSettings()
"""As the voice was made."""


@dataclass(frozen=True, slots=True)
class Voice:
    """A voice that can be named by ``id`` (``voice_asset_id`` in the contract)."""

    id: str
    name: str
    languages: tuple[Language, ...]
    sex: Literal["female", "male"]
    engine: str


@dataclass(frozen=True, slots=True)
class SpeechChunk:
    """A piece of synthesised speech, about 40 ms .. one clause long.

    ``pcm`` is mono int16 at the synthesiser's sample rate, ``start`` its offset in the sentence in seconds,
    ``phonemes`` those of the sentence that start within this chunk (all of them may come with the first chunk).
    """

    pcm: Pcm
    start: float
    phonemes: Sequence[PhonemeTiming] = field(default_factory=tuple)


class Synthesiser(Protocol):
    """Speaks one sentence. Thread-safe; shared by all sessions of a worker."""

    @property
    def sample_rate(self) -> int: ...

    def voices(self) -> Sequence[Voice]: ...

    def say(
        self, text: str, voice: str, language: Language, settings: VoiceSettings = NORMAL
    ) -> AsyncIterator[SpeechChunk]:
        """Synthesise ``text`` (one sentence). Closing the iterator cancels the work at the next chunk."""
        ...


class VoiceActivity(Protocol):
    """Frame-wise speech probability; stateful, one per session."""

    @property
    def sample_rate(self) -> int: ...

    @property
    def frame_samples(self) -> int: ...

    def probability(self, frame: Pcm) -> float: ...

    def reset(self) -> None: ...
