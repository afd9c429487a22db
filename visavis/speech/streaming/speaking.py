"""From the windows of a clause to chunks that can be heard: silence around it cut, loudness set, times from 0."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from visavis.speech.engines import SAMPLE_RATE
from visavis.speech.level import to_pcm
from visavis.speech.phonemes import SILENCE
from visavis.speech.streaming.kokoro import Piece
from visavis.speech.timing import faded_in, faded_out, heard
from visavis.speech.types import Pcm, PhonemeTiming, SpeechChunk

_LEAD_SECONDS = 0.03
_NOTHING_SECONDS = 1e-6
"""What is shorter has no length but a rounding error."""
_RELEASE_SECONDS = 0.02
"""How long the last phoneme's mouth shape outlasts its sound."""
_QUIET_DB = -47.0
"""Level of a voice at normal volume, dBFS, below which it has not begun or is over: 40 dB below its loud moments. Its
loudest moment itself is not known while its first window is spoken."""


def chunks(pieces: Iterator[Piece], gain_db: float, volume_db: float, pause: float) -> Iterator[SpeechChunk]:
    """``gain_db`` brings the voice to its normal loudness, ``volume_db`` changes that. ``pause``: seconds of silence after
    the clause. Chunks follow one another without gap or overlap."""
    quiet = 10 ** ((_QUIET_DB + volume_db) / 20) * 32768
    origin: float | None = None
    for piece in pieces:
        pcm = to_pcm(piece.sound, gain_db + volume_db, SAMPLE_RATE)
        pcm = pcm[piece.before : len(pcm) - piece.after]
        span = heard(pcm.astype(np.float32), SAMPLE_RATE, quiet) if origin is None or piece.last else None
        start = piece.start
        if origin is None:
            if span is None:
                continue
            begin = max(0, span[0] - round(_LEAD_SECONDS * SAMPLE_RATE))
            pcm = faded_in(pcm[begin:], SAMPLE_RATE)
            origin = start = piece.start + begin / SAMPLE_RATE
            span = span[0] - begin, span[1] - begin
        times = piece.timings
        if piece.last:
            voiced = span[1] if span else 0
            pcm = _ended(pcm, voiced + round(pause * SAMPLE_RATE))
            times = _released(times, start + voiced / SAMPLE_RATE + _RELEASE_SECONDS, start + len(pcm) / SAMPLE_RATE)
        yield SpeechChunk(pcm, start - origin, tuple(_moved(times, start, origin)))


def _ended(pcm: Pcm, length: int) -> Pcm:
    """``length`` samples: cut and faded out, or followed by silence."""
    kept = faded_out(pcm[:length], SAMPLE_RATE)
    return np.concatenate([kept, np.zeros(length - len(kept), np.int16)])


def _released(times: list[PhonemeTiming], voice_end: float, end: float) -> list[PhonemeTiming]:
    """Phonemes end when the voice does; silence after it reaches to the end."""
    voice_end = min(voice_end, end)
    kept = [
        PhonemeTiming(t.phoneme, t.start, min(t.end, voice_end))
        for t in times
        if t.start < voice_end - _NOTHING_SECONDS
    ]
    begin = kept[-1].end if kept else voice_end
    if kept and kept[-1].phoneme == SILENCE:
        begin = kept.pop().start
    return [*kept, PhonemeTiming(SILENCE, begin, end)] if begin < end - _NOTHING_SECONDS else kept


def _moved(times: list[PhonemeTiming], start: float, origin: float) -> Iterator[PhonemeTiming]:
    for t in times:
        if t.end > start + _NOTHING_SECONDS:
            yield PhonemeTiming(t.phoneme, max(t.start, start) - origin, t.end - origin)
