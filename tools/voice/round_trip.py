"""Compare the Mandarin voice as it is shipped (whole clauses, int8 activations) with the one that speaks in windows.

    python tools/voice/round_trip.py [--voice zh-xiaoxiao] [--count 32] [--dnsmos sig_bak_ovr.onnx]

Each sentence is spoken both ways, recognised by the embedded Whisper, and the characters that went wrong are counted.
Prints a table: character error rate, log-spectral distance between the two, loudness, processor time for each second
of sound, and, with the DNSMOS model of the Python package ``speechmos``, its predicted opinion score (signal, overall).
"""

from __future__ import annotations

import argparse
import asyncio
import re
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import soxr

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]

from sentences import MANDARIN  # noqa: E402

from visavis.settings import Settings  # noqa: E402
from visavis.speech import models, normalise  # noqa: E402
from visavis.speech.clauses import split  # noqa: E402
from visavis.speech.embedded import EmbeddedSynthesiser  # noqa: E402
from visavis.speech.g2p import Phonemiser  # noqa: E402
from visavis.speech.timing import trimmed  # noqa: E402
from visavis.speech.voices import CATALOGUE, load_styles  # noqa: E402
from visavis.speech.whisper import WhisperRecogniser  # noqa: E402

RATE = 24000
OVERALL, SIGNAL = (-0.06766283, 1.11546468, 0.04602535), (-0.08397278, 1.22083953, 0.0052439)
"""What DNSMOS makes of its raw scores: published with it."""

Sound = np.ndarray[Any, np.dtype[np.float32]]


class Shipped:
    """Kokoro's graph as the packages hold it."""

    def __init__(self, style: str, gain_db: float) -> None:
        file = next(file for file in models.FILES if file.path == "kokoro/front.onnx")
        graph = b"".join(part.locate().read_bytes() for part in file.parts)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        self._graph = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        self._styles, self._gain = load_styles(style), np.float32(10 ** (gain_db / 20))
        self._phonemes = Phonemiser()

    def say(self, text: str) -> Sound:
        sounds = []
        for clause in split(normalise.normalise(text, "zh", ())):
            marks = self._phonemes(clause.text, ())
            tokens = [self._phonemes.token(mark) for mark in marks]
            inputs = {
                "tokens": np.array([[0, *tokens, 0]], np.int64),
                "style": self._styles[len(tokens)][None],
                "speed": np.ones(1, np.float32),
            }
            sound = np.asarray(self._graph.run(None, inputs)[0], np.float32).ravel()
            sounds.append(trimmed(sound, [], RATE, 0.03, clause.pause)[0])
        return np.asarray(np.concatenate(sounds) * self._gain, np.float32)


async def windows(engine: EmbeddedSynthesiser, text: str, voice: str) -> Sound:
    chunks = [chunk.pcm async for chunk in engine.say(text, voice, "zh")]
    return np.asarray(np.concatenate(chunks) / 32768, np.float32)


def wrong(said: str, heard: str) -> tuple[int, int]:
    """Characters that went wrong, and how many there are; numbers are compared as they are spoken."""
    reference, found = (
        re.findall(r"[\u4e00-\u9fff]|[a-z]+", normalise.normalise(text, "zh", ()).lower()) for text in (said, heard)
    )
    row = list(range(len(found) + 1))
    for i, one in enumerate(reference, 1):
        before, row[0] = row[0], i
        for j, other in enumerate(found, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (one != other))
    return row[-1], len(reference)


def spectrum(sound: Sound) -> Sound:
    """Its mean over time, dB in 40 bands: what stays when the two are not in step."""
    frames = np.lib.stride_tricks.sliding_window_view(sound, 1024)[::256] * np.hanning(1024)
    power = np.square(np.abs(np.fft.rfft(frames, axis=1)))
    power = power[power.sum(axis=1) > power.sum(axis=1).max() * 1e-4]
    edges = np.unique(np.geomspace(4, 512, 41).astype(int))
    mean = power.mean(axis=0)
    return np.asarray([10 * np.log10(mean[a:b].mean() + 1e-9) for a, b in pairwise(edges)])


def mos(model: Path) -> Callable[[Sound], tuple[float, float]]:
    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])

    def score(sound: Sound) -> tuple[float, float]:
        pcm = soxr.resample(sound, RATE, 16000)
        length = int(9.01 * 16000)
        while len(pcm) < length:
            pcm = np.concatenate([pcm, pcm])
        signal, _, overall = session.run(None, {session.get_inputs()[0].name: pcm[None, :length].astype(np.float32)})[
            0
        ][0]
        return float(np.polyval(SIGNAL, signal)), float(np.polyval(OVERALL, overall))

    return score


def report(voice: str, version: str, table: dict[str, list[list[float]]], distances: list[float]) -> None:
    print(f"\n{voice}, {len(distances)} sentences, engine {version}")
    print(
        "| | CER | CPU s per s | level dBFS |"
        + (" DNSMOS signal | DNSMOS overall |" if len(table["in windows"][0]) > 5 else "")
    )
    for name, rows in table.items():
        sums, means = np.sum(rows, axis=0), np.mean(rows, axis=0)
        scores = "".join(f" {value:.2f} |" for value in means[5:])
        print(f"| {name} | {sums[0] / sums[1]:.2%} | {sums[2] / sums[3]:.2f} | {means[4]:.1f} |{scores}")
    print(f"distance of the mean spectra: {np.mean(distances):.2f} dB (largest {np.max(distances):.2f})")


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--voice", default="zh-xiaoxiao")
    parser.add_argument("--count", type=int, default=len(MANDARIN))
    parser.add_argument("--dnsmos", type=Path)
    given = parser.parse_args()
    folder = models.assemble(Settings().models_dir)
    engine, ears = EmbeddedSynthesiser(folder), WhisperRecogniser(folder)
    entry = CATALOGUE[given.voice]
    shipped = Shipped(entry.style, entry.gain_db)
    judge = mos(given.dnsmos) if given.dnsmos else None
    table: dict[str, list[list[float]]] = {"as shipped": [], "in windows": []}
    distances = []
    for text in MANDARIN[: given.count]:
        spoken: dict[str, Sound] = {}
        for name, rows in table.items():
            began = time.process_time()
            sound = shipped.say(text) if name == "as shipped" else await windows(engine, text, given.voice)
            cpu = time.process_time() - began
            spoken[name] = sound
            pcm = np.concatenate([soxr.resample(sound, RATE, 16000), np.zeros(4000)])
            heard = await ears.transcribe((np.clip(pcm, -1, 1) * 32767).astype(np.int16), "zh")
            errors, count = wrong(text, heard.text)
            level = 10 * np.log10(np.square(sound).mean())
            rows.append([errors, count, cpu, len(sound) / RATE, level, *(judge(sound) if judge else ())])
            if errors:
                print(f"{name}: {text} -> {heard.text}", flush=True)
        one, other = (spectrum(sound) for sound in spoken.values())
        distances.append(float(np.sqrt(np.square(one - other).mean())))
        if len(distances) % 8 == 0:
            report(given.voice, engine.version, table, distances)
    report(given.voice, engine.version, table, distances)
    engine.close()
    ears.close()


if __name__ == "__main__":
    asyncio.run(main())
