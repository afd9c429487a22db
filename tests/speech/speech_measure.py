"""What the tests measure in sound and text."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass

import numpy as np
import soxr

from visavis.speech.types import Pcm, PhonemeTiming, SpeechChunk

RATE = 24000


@dataclass
class Spoken:
    """A whole sentence: sound at 24 kHz, its timings, and the lengths of its chunks in samples."""

    pcm: Pcm
    phonemes: list[PhonemeTiming]
    chunks: list[SpeechChunk]

    @property
    def seconds(self) -> float:
        return len(self.pcm) / RATE

    def at_16k(self) -> Pcm:
        """As a recogniser gets it: with the silence that ends a turn."""
        silence = np.zeros(RATE // 4, np.int16)
        return np.asarray(soxr.resample(np.concatenate([self.pcm, silence]), RATE, 16000), np.int16)


async def collect(stream: AsyncIterator[SpeechChunk]) -> Spoken:
    chunks = [chunk async for chunk in stream]
    pcm = np.concatenate([chunk.pcm for chunk in chunks]) if chunks else np.zeros(0, np.int16)
    return Spoken(pcm, [timing for chunk in chunks for timing in chunk.phonemes], chunks)


def words(text: str) -> list[str]:
    """Words in lower case, or characters where the text is Chinese."""
    return re.findall(r"[\u4e00-\u9fff]|[a-z0-9']+", text.lower())


def error_rate(said: str, heard: str) -> float:
    """Levenshtein distance over words (characters in Chinese), per word that was said."""
    reference, hypothesis = words(said), words(heard)
    row = list(range(len(hypothesis) + 1))
    for i, one in enumerate(reference, 1):
        before, row[0] = row[0], i
        for j, other in enumerate(hypothesis, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (one != other))
    return row[-1] / len(reference)


def level_db(pcm: Pcm) -> float:
    """RMS level of the sound, dBFS."""
    return float(10 * np.log10(np.square(pcm / 32768).mean()))


def fundamental_hz(pcm: Pcm) -> float:
    """Median fundamental frequency of the voiced frames, by autocorrelation."""
    found = []
    sound = pcm / 32768
    for at in range(0, len(sound) - 1200, 600):
        frame = sound[at : at + 1200] * np.hanning(1200)
        if np.sqrt(np.square(frame).mean()) < 0.01:
            continue
        peaks = np.correlate(frame, frame, "full")[1199:]
        low, high = RATE // 450, RATE // 80
        best = low + int(peaks[low:high].argmax())
        if peaks[best] > 0.5 * peaks[0]:
            found.append(RATE / best)
    return float(np.median(found))


HISS = frozenset("sʃɕʂ")
_LIKE_HISS = HISS | frozenset("zʒʧʤʦʨꭧtθfkxh")


def lateness(spoken: list[Spoken]) -> float:
    """Seconds by which the timings come after the sound: the shift that makes the hiss above 4 kHz fall best into the
    times of s and sh, rather than into the 50 ms beside them."""
    shifts = np.arange(-0.06, 0.1301, 0.005)
    found = []
    for said in spoken:
        hop, window = RATE // 200, RATE // 100
        slots = np.lib.stride_tricks.sliding_window_view(said.pcm / 32768, window)[::hop] * np.hanning(window)
        high = np.abs(np.fft.rfft(slots, axis=1))[:, int(4000 * window / RATE) :]
        level = np.log(np.square(high).sum(axis=1) + 1e-4)
        sums, at = np.concatenate([[0.0], np.cumsum(level)]), np.arange(len(level) + 1) / 200 + 0.0025

        def mean(start: float, end: float, sums=sums, at=at) -> float:  # type: ignore[no-untyped-def]
            before, after = np.interp((start, end), at, sums)
            return float(after - before) / (end - start)

        names = ["", *(t.phoneme for t in said.phonemes), ""]
        for i, t in enumerate(said.phonemes, 1):
            alone = names[i - 1][-1:] not in _LIKE_HISS and names[i + 1][:1] not in _LIKE_HISS
            if t.phoneme in HISS and alone and t.end - t.start > 0.05 and 0.2 < t.start < said.seconds - 0.3:
                inside = [mean(t.start - d, t.end - d) for d in shifts]
                beside = [mean(t.start - d - 0.05, t.start - d) + mean(t.end - d, t.end - d + 0.05) for d in shifts]
                found.append(np.array(inside) - np.array(beside) / 2)
    assert len(found) >= 6, "too few sibilants to tell"
    return float(shifts[np.mean(found, axis=0).argmax()])
