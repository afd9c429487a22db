"""From an engine's tokens and their lengths to phoneme timings, and the trimming of silence around a clause.

The engines count modifiers, spaces and punctuation as tokens with a length of their own. Here each moment is given to a
phoneme or to silence, so that the timings of a clause are contiguous from 0 to the length of its sound.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from visavis.speech.phonemes import MODIFIERS_AFTER, MODIFIERS_BEFORE, PHONEMES, SILENCE
from visavis.speech.types import Pcm, PhonemeTiming

Sound = npt.NDArray[np.float32]
Samples = TypeVar("Samples", Sound, Pcm)

_HOP_SECONDS = 0.005
_QUIET_DB = -40.0
"""Level, relative to the loudest hop, below which a clause has not begun or is over."""
_FADE_SECONDS = 0.004
_RELEASE_SECONDS = 0.02
"""How long the last phoneme's mouth shape outlasts its sound."""


def phoneme_timings(tokens: Sequence[str], seconds: Sequence[float]) -> list[PhonemeTiming]:
    """Timings of ``tokens`` (one character each, "" for a pad) that last ``seconds``.

    Stress belongs to the phoneme after it; length, aspiration and tone to the one before. A space between two
    phonemes is no pause (speech runs on): each takes half of it. Punctuation, and a space beside it, is silence.
    """
    return _contiguous(_without_spaces(_folded(tokens, seconds)))


def _folded(tokens: Sequence[str], seconds: Sequence[float]) -> list[tuple[str, float]]:
    """Symbol (phoneme, silence or space) and length; modifiers are counted to their phoneme."""
    folded: list[tuple[str, float]] = []
    stress = 0.0
    for mark, length in zip(tokens, seconds, strict=True):
        if mark in MODIFIERS_BEFORE:
            stress += length
        elif mark in MODIFIERS_AFTER and folded:
            symbol, before = folded[-1]
            folded[-1] = symbol, before + length
        else:
            folded.append((mark if mark in PHONEMES or mark == " " else SILENCE, stress + length))
            stress = 0.0
    return [*folded, (SILENCE, stress)] if stress else folded


def _without_spaces(folded: Sequence[tuple[str, float]]) -> list[tuple[str, float]]:
    lengths = [length for _, length in folded]
    for i, (symbol, length) in enumerate(folded):
        if symbol != " ":
            continue
        before, after = (folded[j][0] if 0 <= j < len(folded) else SILENCE for j in (i - 1, i + 1))
        if before.strip() and after.strip():
            lengths[i - 1] += length / 2
            lengths[i + 1] += length / 2
            lengths[i] = 0.0
    return [(symbol.strip(), length) for (symbol, _), length in zip(folded, lengths, strict=True)]


def _contiguous(pieces: Iterable[tuple[str, float]]) -> list[PhonemeTiming]:
    timings: list[PhonemeTiming] = []
    now = 0.0
    for symbol, length in pieces:
        if length <= 0:
            continue
        if timings and symbol == SILENCE == timings[-1].phoneme:
            timings[-1] = PhonemeTiming(SILENCE, timings[-1].start, now + length)
        else:
            timings.append(PhonemeTiming(symbol, now, now + length))
        now += length
    return timings


def trimmed(
    sound: Sound, timings: Sequence[PhonemeTiming], rate: int, lead: float, tail: float
) -> tuple[Sound, list[PhonemeTiming]]:
    """Cut ``sound`` to ``lead`` seconds before its first and ``tail`` seconds after its last audible moment.

    Pads with zeros where it is shorter than that. The timings follow; what lies outside is dropped, and the last
    phoneme ends with the sound. Returns an empty sound if nothing is audible.
    """
    span = _audible(sound, rate)
    if span is None:
        return np.zeros(0, np.float32), []
    begin, end = max(0, span[0] - round(lead * rate)), span[1] + round(tail * rate)
    cut = np.zeros(end - begin, np.float32)
    body = sound[begin : min(end, len(sound))]
    cut[: len(body)] = body
    cut[: len(body)] = faded_out(faded_in(cut[: len(body)], rate), rate)
    duration = len(cut) / rate
    voice_end = min(duration, (span[1] - begin) / rate + _RELEASE_SECONDS)
    kept = [
        PhonemeTiming(t.phoneme, max(0.0, t.start - begin / rate), min(voice_end, t.end - begin / rate))
        for t in timings
    ]
    kept = [t for t in kept if t.end > t.start]
    if kept and kept[-1].end < duration:
        last = kept.pop() if kept[-1].phoneme == SILENCE else None
        kept.append(PhonemeTiming(SILENCE, last.start if last else kept[-1].end, duration))
    return cut, kept


def faded_in(sound: Samples, rate: int) -> Samples:
    """A copy that begins without a click."""
    fade = min(round(_FADE_SECONDS * rate), len(sound) // 2)
    return _faded(sound, slice(0, fade), np.linspace(0, 1, fade, dtype=np.float32))


def faded_out(sound: Samples, rate: int) -> Samples:
    """A copy that ends without a click."""
    fade = min(round(_FADE_SECONDS * rate), len(sound) // 2)
    return _faded(sound, slice(len(sound) - fade, len(sound)), np.linspace(1, 0, fade, dtype=np.float32))


def _faded(sound: Samples, where: slice, curve: Sound) -> Samples:
    faded = sound.copy()
    faded[where] = (sound[where] * curve).astype(sound.dtype)
    return faded


def _audible(sound: Sound, rate: int) -> tuple[int, int] | None:
    """First and last (exclusive) sample of what can be heard; None: nothing."""
    loudest = float(_power(sound, rate).max(initial=0.0))
    return heard(sound, rate, loudest**0.5 * 10 ** (_QUIET_DB / 20)) if loudest >= 1e-8 else None


def heard(sound: Sound, rate: int, quiet: float) -> tuple[int, int] | None:
    """First and last (exclusive) sample of what is louder than ``quiet`` (amplitude, over some milliseconds)."""
    loud = np.flatnonzero(_power(sound, rate) > quiet**2)
    if not len(loud):
        return None
    hop = round(_HOP_SECONDS * rate)
    return int(loud[0]) * hop, (int(loud[-1]) + 1) * hop


def _power(sound: Sound, rate: int) -> Sound:
    """Mean power of each hop."""
    hop = round(_HOP_SECONDS * rate)
    count = len(sound) // hop
    return np.asarray(np.square(sound[: count * hop].reshape(count, hop)).mean(axis=1))


def shifted(timings: Iterable[PhonemeTiming], seconds: float) -> tuple[PhonemeTiming, ...]:
    """The same timings, ``seconds`` later."""
    return tuple(PhonemeTiming(t.phoneme, t.start + seconds, t.end + seconds) for t in timings)
