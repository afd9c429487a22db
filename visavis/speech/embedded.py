"""The embedded synthesiser: hibari for English, Kokoro for Mandarin, mixed sentences and every other voice."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from visavis.speech import models, normalise
from visavis.speech.clauses import END_PAUSE, Clause, split
from visavis.speech.engines import SAMPLE_RATE, Hibari, Stop, Stopped
from visavis.speech.g2p import Phonemiser, in_mandarin
from visavis.speech.level import to_pcm, volume_db
from visavis.speech.normalise import has_han
from visavis.speech.priority import SYNTHESIS, yield_to_pictures
from visavis.speech.streaming.graph import NORM_CHANNELS
from visavis.speech.streaming.kokoro import Kokoro, KokoroVoice
from visavis.speech.streaming.speaking import chunks
from visavis.speech.timing import shifted, trimmed
from visavis.speech.types import NORMAL, Language, SpeechChunk, Voice, VoiceSettings
from visavis.speech.voices import (
    CATALOGUE,
    DEFAULT,
    MAX_TOKENS,
    EmbeddedVoice,
    all_voices,
    load_statistics,
    load_styles,
    resolve,
)

ENGINE_VERSION = "embedded-4"
"""Part of the cache's key: to be changed with anything that changes the sound."""

_LEAD_SECONDS = 0.03
_TOKEN_A = 43
_HIBARI_TOKENS = 400
"""Longer sentences are cut at punctuation: hibari was not trained on more."""


class EmbeddedSynthesiser:
    """Implements ``Synthesiser`` with the models that ``visavis.speech.models`` assembles. 24 kHz.

    One thread works for each engine, whatever the number of sessions: Mandarin windows of two sessions take turns. A
    sentence is made piece by piece, the next one while the first is being played.
    """

    def __init__(self, models_dir: Path, kokoro_threads: int = 1) -> None:
        """Load the models, the dictionaries and the voices (blocking, about 2 s), and warm them up."""
        models.assemble(models_dir)
        self._fast = ThreadPoolExecutor(1, "hibari")
        self._slow = ThreadPoolExecutor(1, "kokoro", initializer=yield_to_pictures, initargs=(SYNTHESIS,))
        # Made in its own thread, so that the threads that onnxruntime starts for it inherit the lower priority.
        kokoro = self._slow.submit(_make_kokoro, models_dir / "kokoro", kokoro_threads)
        hibari = self._fast.submit(_make_hibari, models_dir / "hibari" / "heart.onnx")
        self._phonemes = Phonemiser()
        normalise.load()
        self._voices = {
            entry.style: KokoroVoice(load_styles(entry.style), load_statistics(entry.style))
            for entry in CATALOGUE.values()
            if entry.style
        }
        self._hibari = hibari.result()
        self._kokoro = kokoro.result()

    @property
    def sample_rate(self) -> int:
        return SAMPLE_RATE

    @property
    def version(self) -> str:
        """Changes with anything that changes the sound."""
        return f"{ENGINE_VERSION}-{self._kokoro.sounds_like}"

    def voices(self) -> Sequence[Voice]:
        return all_voices()

    def close(self) -> None:
        """Free the threads. Nothing may be speaking any more."""
        self._fast.shutdown(wait=False, cancel_futures=True)
        self._slow.shutdown(wait=False, cancel_futures=True)

    async def say(
        self, text: str, voice: str, language: Language, settings: VoiceSettings = NORMAL
    ) -> AsyncIterator[SpeechChunk]:
        """Speak one sentence: Kokoro in windows of a clause, a short one first; hibari whole. Nothing comes for a text
        without letters. Raises UnknownVoice."""
        if has_han(text) and voice in ("", DEFAULT):
            language = "zh"
        speaker = resolve(voice, language)
        spoken = normalise.normalise(text, language, settings.readings)
        if speaker.style == "" and (has_han(spoken) or any(map(in_mandarin, settings.readings))):
            # hibari knows no Mandarin sounds; the same person's Kokoro voice does, with an accent.
            speaker = resolve("en-heart-rich", language)
        stop = Stop()
        made = self._made(spoken, speaker, settings, stop)
        loop = asyncio.get_running_loop()
        pool = self._slow if speaker.style else self._fast
        start = 0.0
        waiting = loop.run_in_executor(pool, next, made, None)
        try:
            while (chunk := await waiting) is not None:
                waiting = loop.run_in_executor(pool, next, made, None)
                yield SpeechChunk(chunk.pcm, start, shifted(chunk.phonemes, start - chunk.start))
                start += len(chunk.pcm) / SAMPLE_RATE
        finally:
            stop.set()
            if not waiting.cancel():
                with contextlib.suppress(Stopped, asyncio.CancelledError):
                    await waiting

    def _made(self, text: str, speaker: EmbeddedVoice, settings: VoiceSettings, stop: Stop) -> Iterator[SpeechChunk]:
        """Blocking. The chunks of a sentence; their times are those of their part of it. Raises Stopped."""
        speed, pitch = settings.speed / 100, pitch_factor(settings.pitch)
        volume = volume_db(settings.volume)
        # hibari makes a whole sentence faster than Kokoro its first syllable, and its prosody is better uncut.
        clauses = split(text) if speaker.style else [Clause(text, END_PAUSE)] if text else []
        for clause in clauses:
            longest = MAX_TOKENS - 1 if speaker.style else _HIBARI_TOKENS
            pieces = _pieces(self._phonemes(clause.text, settings.readings), longest)
            for i, phonemes in enumerate(pieces):
                tokens = [self._phonemes.token(symbol) for symbol in phonemes]
                pause = clause.pause / speed if i + 1 == len(pieces) else 0.0
                if speaker.style:
                    voice = self._voices[speaker.style]
                    said = self._kokoro.speak(phonemes, tokens, voice, speed, pitch, stop)
                    yield from chunks(said, speaker.gain_db, volume, pause)
                else:
                    whole = self._hibari.speak(phonemes, tokens, speed, pitch, stop)
                    sound, times = trimmed(whole.sound, whole.timings, SAMPLE_RATE, _LEAD_SECONDS, pause)
                    if len(sound):
                        yield SpeechChunk(to_pcm(sound, speaker.gain_db + volume, SAMPLE_RATE), 0.0, tuple(times))


def pitch_factor(pitch: int) -> float:
    """Factor on the fundamental frequency: 50 is half an octave down, 200 half an octave up; both still sound human."""
    return float((pitch / 100) ** 0.5)


def _pieces(phonemes: str, longest: int) -> list[str]:
    """Cut a phoneme string between words into parts of at most ``longest`` symbols."""
    pieces: list[str] = []
    while len(phonemes) > longest:
        cut = phonemes.rfind(" ", 1, longest)
        cut = cut if cut > 0 else longest
        pieces.append(phonemes[:cut])
        phonemes = phonemes[cut:].lstrip()
    return [*pieces, phonemes] if phonemes else pieces


def _make_kokoro(folder: Path, threads: int) -> Kokoro:
    """Load and run once, so that the first real clause pays for no allocation."""
    kokoro = Kokoro(folder, threads)
    nobody = KokoroVoice(np.zeros((2, 256), np.float32), np.zeros((4, NORM_CHANNELS), np.float32))
    for _ in kokoro.speak("a", [_TOKEN_A], nobody, 1.0, 1.0, Stop()):
        pass
    return kokoro


def _make_hibari(model: Path) -> Hibari:
    hibari = Hibari(model)
    hibari.speak("a", [_TOKEN_A], 1.0, 1.0, Stop())
    return hibari
