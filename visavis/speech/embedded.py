"""The embedded synthesiser: hibari for English, Kokoro for Mandarin, mixed sentences and every other voice."""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from visavis.speech import models, normalise
from visavis.speech.clauses import END_PAUSE, Clause, split
from visavis.speech.engines import SAMPLE_RATE, Hibari, Kokoro, Stop, Stopped
from visavis.speech.g2p import Phonemiser, in_mandarin
from visavis.speech.level import to_pcm, volume_db
from visavis.speech.normalise import has_han
from visavis.speech.priority import SYNTHESIS, yield_to_pictures
from visavis.speech.timing import Sound, shifted, trimmed
from visavis.speech.types import NORMAL, Language, PhonemeTiming, SpeechChunk, Voice, VoiceSettings
from visavis.speech.voices import CATALOGUE, DEFAULT, MAX_TOKENS, EmbeddedVoice, all_voices, load_styles, resolve

ENGINE_VERSION = "embedded-2"
"""Part of the cache's key: to be changed with anything that changes the sound."""

_Job = Callable[[Stop], SpeechChunk]

_LEAD_SECONDS = 0.03
_TOKEN_A = 43
_HIBARI_TOKENS = 400
"""Longer sentences are cut at punctuation: hibari was not trained on more."""


class EmbeddedSynthesiser:
    """Implements ``Synthesiser`` with the models that ``visavis.speech.models`` assembles. 24 kHz.

    One thread works for each engine, whatever the number of sessions: Mandarin clauses of two sessions take turns. A
    sentence is made clause by clause, the next one while the first is being played.
    """

    def __init__(self, models_dir: Path, kokoro_threads: int = 1) -> None:
        """Load the models, the dictionaries and the voices (blocking, about 2 s), and warm them up."""
        models.assemble(models_dir)
        self._fast = ThreadPoolExecutor(1, "hibari")
        self._slow = ThreadPoolExecutor(1, "kokoro", initializer=yield_to_pictures, initargs=(SYNTHESIS,))
        # Made in its own thread, so that the threads that onnxruntime starts for it inherit the lower priority.
        kokoro = self._slow.submit(_make_kokoro, models_dir / "kokoro" / "kokoro-82m-int8.onnx", kokoro_threads)
        hibari = self._fast.submit(_make_hibari, models_dir / "hibari" / "heart.onnx")
        self._phonemes = Phonemiser()
        normalise.load()
        self._styles = {entry.style: load_styles(entry.style) for entry in CATALOGUE.values() if entry.style}
        self._hibari = hibari.result()
        self._kokoro = kokoro.result()

    @property
    def sample_rate(self) -> int:
        return SAMPLE_RATE

    @property
    def version(self) -> str:
        """Changes with anything that changes the sound."""
        return ENGINE_VERSION

    def voices(self) -> Sequence[Voice]:
        return all_voices()

    def close(self) -> None:
        """Free the threads. Nothing may be speaking any more."""
        self._fast.shutdown(wait=False, cancel_futures=True)
        self._slow.shutdown(wait=False, cancel_futures=True)

    async def say(
        self, text: str, voice: str, language: Language, settings: VoiceSettings = NORMAL
    ) -> AsyncIterator[SpeechChunk]:
        """Speak one sentence, a chunk for each clause. Nothing comes for a text without letters. Raises
        UnknownVoice."""
        if has_han(text) and voice in ("", DEFAULT):
            language = "zh"
        speaker = resolve(voice, language)
        spoken = normalise.normalise(text, language, settings.readings)
        if speaker.style == "" and (has_han(spoken) or any(map(in_mandarin, settings.readings))):
            # hibari knows no Mandarin sounds; the same person's Kokoro voice does, with an accent.
            speaker = resolve("en-heart-rich", language)
        jobs = self._jobs(spoken, speaker, settings)
        stop = Stop()
        loop = asyncio.get_running_loop()
        pool = self._slow if speaker.style else self._fast
        start = 0.0
        waiting: asyncio.Future[SpeechChunk] | None = None
        try:
            job = next(jobs, None)
            waiting = loop.run_in_executor(pool, job, stop) if job else None
            while waiting is not None:
                chunk = await waiting
                job = next(jobs, None)
                waiting = loop.run_in_executor(pool, job, stop) if job else None
                if len(chunk.pcm):
                    yield SpeechChunk(chunk.pcm, start, shifted(chunk.phonemes, start))
                    start += len(chunk.pcm) / SAMPLE_RATE
        finally:
            stop.set()
            if waiting is not None and not waiting.cancel():
                with contextlib.suppress(Stopped, asyncio.CancelledError):
                    await waiting

    def _jobs(self, text: str, speaker: EmbeddedVoice, settings: VoiceSettings) -> Iterator[_Job]:
        """The blocking steps of a sentence, each of which gives a chunk that starts at 0."""
        # hibari makes a whole sentence faster than Kokoro its first syllable, and its prosody is better uncut.
        clauses = split(text) if speaker.style else [Clause(text, END_PAUSE)] if text else []
        for clause in clauses:
            yield functools.partial(self._clause, clause, speaker, settings)

    def _clause(self, clause: Clause, speaker: EmbeddedVoice, settings: VoiceSettings, stop: Stop) -> SpeechChunk:
        """Blocking. A chunk with no sound if nothing in the clause can be spoken."""
        speed, pitch = settings.speed / 100, pitch_factor(settings.pitch)
        longest = MAX_TOKENS - 1 if speaker.style else _HIBARI_TOKENS
        pieces = _pieces(self._phonemes(clause.text, settings.readings), longest)
        sounds: list[Sound] = []
        timings: list[PhonemeTiming] = []
        at = 0.0
        for i, phonemes in enumerate(pieces):
            tokens = [self._phonemes.token(symbol) for symbol in phonemes]
            if speaker.style:
                styles = self._styles[speaker.style]
                said = self._kokoro.speak(phonemes, tokens, styles, speed, pitch, stop)
            else:
                said = self._hibari.speak(phonemes, tokens, speed, pitch, stop)
            pause = clause.pause / speed if i + 1 == len(pieces) else 0.0
            sound, times = trimmed(said.sound, said.timings, SAMPLE_RATE, _LEAD_SECONDS, pause)
            sounds.append(sound)
            timings += shifted(times, at)
            at += len(sound) / SAMPLE_RATE
        if not sounds:
            return SpeechChunk(np.zeros(0, np.int16), 0.0)
        gain = speaker.gain_db + volume_db(settings.volume)
        return SpeechChunk(to_pcm(np.concatenate(sounds), gain, SAMPLE_RATE), 0.0, tuple(timings))


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


def _make_kokoro(model: Path, threads: int) -> Kokoro:
    """Load and run once, so that the first real clause pays for no allocation."""
    kokoro = Kokoro(model, threads)
    kokoro.speak("a", [_TOKEN_A], np.zeros((2, 256), np.float32), 1.0, 1.0, Stop())
    return kokoro


def _make_hibari(model: Path) -> Hibari:
    hibari = Hibari(model)
    hibari.speak("a", [_TOKEN_A], 1.0, 1.0, Stop())
    return hibari
