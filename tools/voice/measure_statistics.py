"""Measure what Kokoro's generator normalises by, for each voice: makes visavis/speech/voices/statistics.npz.

    python tools/voice/measure_statistics.py
    python tools/voice/measure_statistics.py --most 3 --voices zf_xiaoxiao --out /tmp/tried.npz   # how far it gets, in seconds

The generator as shipped normalises over a whole clause, which one that speaks in windows does not know. This speaks the
sentences of sentences.py clause by clause with the shipped way of normalising, and fits, for each of its channels, mean
and logarithm of the variance as a line over the share of the clause in which the voice speaks: silence around a short
clause counts. Minutes for each voice. Print the new hash into ``visavis.speech.voices`` and raise ``ENGINE_VERSION``.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]

from sentences import ENGLISH, MANDARIN, SHORT  # noqa: E402

from visavis.settings import Settings  # noqa: E402
from visavis.speech import models, normalise  # noqa: E402
from visavis.speech.clauses import split  # noqa: E402
from visavis.speech.engines import session, timings  # noqa: E402
from visavis.speech.g2p import Phonemiser  # noqa: E402
from visavis.speech.streaming import graph  # noqa: E402
from visavis.speech.streaming.source import HarmonicSource  # noqa: E402
from visavis.speech.voices import CATALOGUE, FOLDER, load_styles  # noqa: E402

MOST = 40
"""Clauses of whole sentences for each voice."""
TINY = 1e-5


def measuring_graph(folder: Path) -> Any:
    file = next(file for file in models.FILES if file.path == "kokoro/generator.onnx")
    shipped = b"".join(part.locate().read_bytes() for part in file.parts)
    made = folder / "measuring.onnx"
    made.write_bytes(graph.generator(shipped, measuring=True))
    return session(made, 1)


def measured(front: Any, generator: Any, phonemes: Phonemiser, style: str, clauses: list[str]) -> np.ndarray[Any, Any]:
    """Shape (4, NORM_CHANNELS): mean, its slope, logarithm of the variance, its slope."""
    styles = load_styles(style)
    names = [output.name for output in front.get_outputs()]
    shares, means, variances = [], [], []
    for text in clauses:
        marks = phonemes(text, ())
        inputs = {
            "tokens": np.array([[0, *(phonemes.token(mark) for mark in marks), 0]], np.int64),
            "style": styles[len(marks)][None],
            "speed": np.ones(1, np.float32),
            "pitch": np.ones(1, np.float32),
        }
        made = dict(zip(names, front.run(None, inputs), strict=True))
        times = timings(marks, made["durations"])
        shares.append(sum(t.end - t.start for t in times if t.phoneme) / times[-1].end)
        asked = {
            "trunk": made["trunk"],
            "source": HarmonicSource(made["f0"].ravel()).window(0, made["trunk"].shape[2])[None],
            "gain": (1 + made["style_gain"]).reshape(1, -1, 1, 1),
            "shift": made["style_shift"].reshape(1, -1, 1, 1),
        }
        mean, variance = generator.run(["mean", "variance"], asked)
        means.append(mean)
        variances.append(np.log(variance + TINY))
    line = np.stack([np.ones(len(shares)), np.array(shares)], axis=1)
    fits = [np.linalg.lstsq(line, np.array(found), rcond=None)[0] for found in (means, variances)]
    return np.concatenate(fits).astype(np.float16)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--most", type=int, default=MOST, help="clauses of whole sentences for each voice")
    parser.add_argument("--voices", nargs="*", default=[], help="styles; all, if none is named")
    parser.add_argument("--out", type=Path, default=FOLDER / "statistics.npz")
    given = parser.parse_args()
    folder = models.assemble(Settings().models_dir)
    front = session(folder / "kokoro" / "front.onnx", 1)
    phonemes = Phonemiser()
    with tempfile.TemporaryDirectory() as temporary:
        generator = measuring_graph(Path(temporary))
    found = {}
    for entry in CATALOGUE.values():
        if not entry.style or (given.voices and entry.style not in given.voices):
            continue
        language = entry.voice.languages[0]
        sentences = MANDARIN if language == "zh" else ENGLISH
        whole = [clause.text for text in sentences for clause in split(normalise.normalise(text, language, ()))][
            : given.most
        ]
        found[entry.style] = measured(front, generator, phonemes, entry.style, [*whole, *SHORT[language]])
        print(entry.style, len(whole) + len(SHORT[language]), "clauses", flush=True)
    np.savez_compressed(given.out, **found)
    print(f"{given.out}: {hashlib.sha256(given.out.read_bytes()).hexdigest()}")


if __name__ == "__main__":
    main()
