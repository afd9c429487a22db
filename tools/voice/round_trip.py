"""Compare the Mandarin voice as it is shipped (whole clauses, int8 activations) with the one that speaks in windows.

    python tools/voice/round_trip.py [--voice zh-xiaoxiao] [--count 32] [--dnsmos sig_bak_ovr.onnx] [--keep FOLDER]

Each sentence is spoken both ways, recognised by the embedded Whisper, and the characters that went wrong are counted.
Prints a table: character error rate, log-spectral distance between the two, loudness, processor time for each second
of sound, and, with the DNSMOS model of the Python package ``speechmos``, its predicted opinion score (signal, overall).
Some minutes for a voice; with ``--keep`` what was measured and said stays in a folder, a run that was interrupted goes on
where it was, and what another program made of the sounds is another column::

    python tools/voice/round_trip.py --keep FOLDER                  # FOLDER/rows.jsonl, FOLDER/01-in-windows.wav, ...
    distillmos FOLDER -o FOLDER/distillmos.csv                      # the Python package, in an environment of its own
    python tools/voice/round_trip.py --keep FOLDER --scores FOLDER/distillmos.csv
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import json
import re
import sys
import time
import wave
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
WAYS = ("as shipped", "in windows")
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


def report(voice: str, version: str, rows: list[dict[str, Any]], scores: dict[str, float]) -> None:
    """``rows``: one for each sentence, with what was measured of both ways; ``scores``: of sound files, by name."""
    judged = "dnsmos" in rows[0]["ways"][WAYS[0]]
    print(f"\n{voice}, {len(rows)} sentences, engine {version}")
    more = (" DNSMOS signal | DNSMOS overall |" if judged else "") + (" scores |" if scores else "")
    print("| | CER | CPU s per s | level dBFS |" + more)
    for way in WAYS:
        found = [row["ways"][way] for row in rows]
        errors, count, cpu, seconds, level = np.sum([one["counted"] for one in found], axis=0)
        means = [*np.mean([one["dnsmos"] for one in found], axis=0)] if judged else []
        if scores:
            means.append(np.mean([scores[sound_name(number, way)] for number in range(len(rows))]))
        told = "".join(f" {mean:.2f} |" for mean in means)
        print(f"| {way} | {errors / count:.2%} | {cpu / seconds:.2f} | {level / len(rows):.1f} |{told}")
    if scores:
        names = [[sound_name(number, way) for way in WAYS] for number in range(len(rows))]
        gains = [scores[windows] - scores[shipped] for shipped, windows in names]
        error = np.std(gains, ddof=1) / np.sqrt(len(gains))
        print(f"scores, windows less shipped: {np.mean(gains):+.3f} (standard error {error:.3f})")
    distances = [row["distance"] for row in rows]
    print(f"distance of the mean spectra: {np.mean(distances):.2f} dB (largest {np.max(distances):.2f})")


def sound_name(number: int, way: str) -> str:
    return f"{number + 1:02}-{way.replace(' ', '-')}.wav"


def write(path: Path, sound: Sound) -> None:
    """16-bit mono at 16 kHz, as judges of speech take it."""
    pcm = soxr.resample(sound, RATE, 16000)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16000)
        file.writeframes((np.clip(pcm, -1, 1) * 32767).astype("<i2").tobytes())


def read_scores(path: Path) -> dict[str, float]:
    """``file, score`` lines under a heading, by the file's name."""
    with path.open(newline="") as file:
        return {Path(row[0]).name: float(row[1]) for row in list(csv.reader(file))[1:] if row}


class Bench:
    """Both ways to speak, the ears, and the judge."""

    def __init__(self, voice: str, dnsmos: Path | None) -> None:
        folder = models.assemble(Settings().models_dir)
        entry = CATALOGUE[voice]
        self._voice = voice
        self._engine, self._ears = EmbeddedSynthesiser(folder), WhisperRecogniser(folder)
        self._shipped = Shipped(entry.style, entry.gain_db)
        self._judge = mos(dnsmos) if dnsmos else None

    @property
    def version(self) -> str:
        return self._engine.version

    async def measure(self, text: str) -> tuple[dict[str, Any], dict[str, Sound]]:
        """One sentence and its sounds; ``counted``: characters wrong, characters, processor seconds, seconds of sound, dBFS."""
        sounds: dict[str, Sound] = {}
        ways: dict[str, dict[str, Any]] = {}
        for way in WAYS:
            began = time.process_time()
            said = self._shipped.say(text) if way == "as shipped" else await windows(self._engine, text, self._voice)
            cpu = time.process_time() - began
            sounds[way] = said
            pcm = np.concatenate([soxr.resample(said, RATE, 16000), np.zeros(4000)])
            heard = await self._ears.transcribe((np.clip(pcm, -1, 1) * 32767).astype(np.int16), "zh")
            level = float(10 * np.log10(np.square(said).mean()))
            ways[way] = {"heard": heard.text, "counted": [*wrong(text, heard.text), cpu, len(said) / RATE, level]}
            if self._judge is not None:
                ways[way]["dnsmos"] = self._judge(said)
            if ways[way]["counted"][0]:
                print(f"{way}: {text} -> {heard.text}", flush=True)
        one, other = (spectrum(sound) for sound in sounds.values())
        distance = float(np.sqrt(np.square(one - other).mean()))
        return {"text": text, "ways": ways, "distance": distance}, sounds

    def close(self) -> None:
        self._engine.close()
        self._ears.close()


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--voice", default="zh-xiaoxiao")
    parser.add_argument("--count", type=int, default=len(MANDARIN))
    parser.add_argument("--dnsmos", type=Path)
    parser.add_argument("--keep", type=Path, help="folder; what is in it is not measured again")
    parser.add_argument("--scores", type=Path, help="CSV of file and score, of the sounds that were kept")
    given = parser.parse_args()
    texts, keep = MANDARIN[: given.count], given.keep
    rows: list[dict[str, Any]] = []
    if keep:
        keep.mkdir(parents=True, exist_ok=True)
        if (kept := keep / "rows.jsonl").exists():
            rows = [json.loads(line) for line in kept.read_text().splitlines()]
    bench = Bench(given.voice, given.dnsmos)
    for text in texts[len(rows) :]:
        row, sounds = await bench.measure(text)
        if keep:
            for way, sound in sounds.items():
                write(keep / sound_name(len(rows), way), sound)
            with (keep / "rows.jsonl").open("a") as file:
                file.write(json.dumps(row, ensure_ascii=False) + "\n")
        rows.append(row)
    report(given.voice, bench.version, rows[: len(texts)], read_scores(given.scores) if given.scores else {})
    bench.close()


if __name__ == "__main__":
    asyncio.run(main())
