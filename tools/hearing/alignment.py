"""How late a synthesiser's phoneme times are against its own sound, and putting that right.

Sibilants tell: their hiss above 4 kHz begins and ends sharply. The times are moved by what makes the hiss fall into them
best. (Kokoro and hibari, as their graphs give them, are about 65 ms late; espeak-ng is exact.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from hearing.corpus import Said
from hearing.streams import heard
from visavis.motion.hearing_features import BANDS, HOP

_SIBILANTS = frozenset("sʃɕʂ")
_HISSING = _SIBILANTS | frozenset("zʒʧʤʦʨꭧtθfkxh")
_HIGH = slice(BANDS - 9, BANDS)  # bands from 4 kHz on
_STEPS = np.arange(-0.06, 0.1301, 0.005)
_BESIDE = 0.05


def lateness(voices: Sequence[Said]) -> float:
    """Seconds; 0.0 if there are too few sibilants to tell."""
    scores = []
    for said in voices:
        hiss = heard(said.pcm.astype(np.float32) / 32768)[:, _HIGH].mean(axis=1)
        sums = np.concatenate([[0.0], np.cumsum(hiss)])
        edges = np.arange(len(sums)) * HOP - HOP / 2

        def mean(start: float, end: float, sums: np.ndarray = sums, edges: np.ndarray = edges) -> float:
            before, after = np.interp((start, end), edges, sums)
            return float(after - before) / (end - start)

        symbols = ["", *(symbol for symbol, _, _ in said.phonemes), ""]
        for index, (symbol, start, end) in enumerate(said.phonemes, 1):
            alone = symbols[index - 1][-1:] not in _HISSING and symbols[index + 1][:1] not in _HISSING
            if symbol in _SIBILANTS and alone and end - start > 0.06 and start > 0.2 and end < said.seconds - 0.2:
                inside = [mean(start - d, end - d) for d in _STEPS]
                beside = [mean(start - d - _BESIDE, start - d) + mean(end - d, end - d + _BESIDE) for d in _STEPS]
                scores.append(np.array(inside) - np.array(beside) / 2)
    return float(_STEPS[np.mean(scores, axis=0).argmax()]) if len(scores) >= 20 else 0.0


def aligned(voices: Sequence[Said], late: dict[str, float]) -> list[Said]:
    """The same speech with its times put right; ``late``: seconds by engine. The last sound ends where it did: the
    synthesiser cuts its time at the end of what is heard."""
    out = []
    for said in voices:
        shift = late[engine(said)]
        last = max((index for index, (symbol, _, _) in enumerate(said.phonemes) if symbol), default=-1)
        phonemes = [
            (symbol, max(0.0, start - shift), end if index == last else max(0.0, end - shift))
            for index, (symbol, start, end) in enumerate(said.phonemes)
        ]
        sounding = [p for index, p in enumerate(phonemes) if p[2] > p[1] and index <= last]
        out.append(replace(said, phonemes=[*sounding, ("", phonemes[last][2], said.seconds)] if sounding else []))
    return out


def engine(said: Said) -> str:
    """What made it: "hibari", "kokoro", "espeak"."""
    first = said.voice.split()[0]
    return first if first in ("hibari", "espeak") else "kokoro"
