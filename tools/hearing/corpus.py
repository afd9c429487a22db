"""Timed speech of the embedded synthesisers in many voices, kept under ``build/hearing`` between runs.

Kokoro speaks with the 54 style tables of the npm package kokoro-js 1.2.1 (as in tools/fetch_kokoro_voices.py) and with
mixtures of two of them, each a voice that nobody has; hibari speaks with its one voice at several pitches and speeds.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import random
import subprocess
import sys
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hearing.sentences import Part, sentence

PACKAGE = "kokoro-js@1.2.1"
PACKAGE_SHA256 = "1f0d0383ef0349af0bd9440d81dc12abbea3a5392eb645283eda876f537f5860"
RATE = 24000
HELD_OUT = {"en": ("am_michael", "bf_emma", "af_bella", "bm_george"), "zh": ("zf_xiaoyi", "zm_yunxi")}
"""Voices that are never trained with. Three of them ship with visavis, so its tests can speak with them too."""
_KEPT_BACK = frozenset(name for names in HELD_OUT.values() for name in names)
_LEAD, _TAIL = 0.03, 0.15  # seconds of silence, as the embedded synthesiser leaves them

Phonemes = list[tuple[str, float, float]]


@dataclass(frozen=True)
class Line:
    """One sentence to be said. ``voice``: "hibari", a style's name, or "name+name:share" for a mixture."""

    text: str
    language: str
    voice: str
    speed: float
    pitch: float

    @property
    def key(self) -> str:
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:24]


@dataclass(frozen=True)
class Said:
    """A sentence that was said: mono int16 at RATE, and its phonemes (symbol, start, end in seconds)."""

    pcm: npt.NDArray[np.int16]
    phonemes: Phonemes
    voice: str
    language: str

    @property
    def seconds(self) -> float:
        return len(self.pcm) / RATE


def script_of_one(seconds: float, seed: int) -> list[Line]:
    """Lines for about ``seconds`` of English by hibari, which costs next to nothing; few whole sentences."""
    rng = random.Random(seed)
    lines: list[Line] = []
    while seconds > 0:
        text, speed = sentence("en", "train", rng, 0.05), round(rng.uniform(0.75, 1.3), 2)
        lines.append(Line(text, "en", "hibari", speed, round(rng.uniform(0.6, 1.4), 2)))
        seconds -= (0.07 * len(text) + 0.4) / speed
    return lines


def script(part: Part, seconds: float, seed: int, names: Sequence[str], whole: float = 0.33) -> list[Line]:
    """Lines for about ``seconds`` of speech (estimated), half in each language; ``whole``: share of whole sentences."""
    rng = random.Random(seed)
    chosen = [name for name in sorted(names) if name not in _KEPT_BACK]
    lines: list[Line] = []
    planned = {"en": 0.0, "zh": 0.0}
    while (language := min(planned, key=lambda key: planned[key])) and planned[language] < seconds / 2:
        text = sentence(language, part, rng, whole)
        if part == "held_out":
            voice = rng.choice(HELD_OUT[language])
            speed, pitch = rng.choice((0.85, 1.0, 1.0, 1.15)), 1.0
        else:
            voice = _voice(language, chosen, rng)
            speed, pitch = rng.uniform(0.75, 1.3), rng.choice((1.0, 1.0, rng.uniform(0.8, 1.25)))
        lines.append(Line(text, language, voice, round(speed, 2), round(pitch, 2)))
        planned[language] += (0.07 * len(text) + 0.4 if language == "en" else 0.23 * len(text) + 0.3) / speed
    return lines


def _voice(language: str, names: Sequence[str], rng: random.Random) -> str:
    """Mandarin mostly from Mandarin voices or mixtures with one; a fifth of the English from hibari."""
    if language == "en" and rng.random() < 0.2:
        return "hibari"
    native = [name for name in names if (name[0] == "z") == (language == "zh")]
    one = rng.choice(native) if rng.random() < 0.7 else rng.choice(names)
    if rng.random() < 0.4:
        return f"{one}+{rng.choice(names)}:{rng.uniform(0.3, 0.7):.2f}"
    return one


def styles(folder: Path) -> dict[str, npt.NDArray[np.float32]]:
    """The style tables by name, each (510, 256); the package is fetched with npm if ``folder`` does not hold it."""
    package = folder / "kokoro-js-1.2.1.tgz"
    if not package.exists():
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(["npm", "pack", "--silent", PACKAGE], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    if hashlib.sha256(package.read_bytes()).hexdigest() != PACKAGE_SHA256:
        raise SystemExit(f"{package} is not the {PACKAGE} that was expected: delete it")
    tables = {}
    with tarfile.open(package) as archive:
        for member in archive:
            if member.name.startswith("package/voices/") and member.name.endswith(".bin"):
                data = archive.extractfile(member)
                assert data is not None
                tables[Path(member.name).stem] = np.frombuffer(data.read(), "<f4").reshape(-1, 256)
    return tables


sys.path.append(str(Path(__file__).resolve().parents[1] / "voice"))


class _Speaker:
    """Both engines in this process."""

    def __init__(self, models: Path, tables: dict[str, npt.NDArray[np.float32]]) -> None:
        from shipped import ShippedKokoro

        from visavis.speech import normalise
        from visavis.speech.engines import Hibari
        from visavis.speech.g2p import Phonemiser

        self._tables = tables
        self._phonemes = Phonemiser()
        normalise.load()
        self._kokoro = ShippedKokoro()
        self._hibari = Hibari(models / "hibari" / "heart.onnx")

    def say(self, line: Line) -> tuple[npt.NDArray[np.float32], Phonemes]:
        from visavis.speech import normalise
        from visavis.speech.engines import Stop
        from visavis.speech.timing import trimmed

        language = "en" if line.language == "en" else "zh"
        phonemes = self._phonemes(normalise.normalise(line.text, language))[:250]
        tokens = [self._phonemes.token(symbol) for symbol in phonemes]
        if line.voice == "hibari":
            said = self._hibari.speak(phonemes, tokens, line.speed, line.pitch, Stop())
        else:
            said = self._kokoro.speak(phonemes, tokens, self._style(line.voice), line.speed, line.pitch)
        sound, timings = trimmed(said.sound, said.timings, RATE, _LEAD, _TAIL)
        return sound, [(t.phoneme, t.start, t.end) for t in timings]

    def _style(self, voice: str) -> npt.NDArray[np.float32]:
        if "+" not in voice:
            return self._tables[voice]
        names, share = voice.split(":")
        one, other = names.split("+")
        return np.float32(float(share)) * self._tables[one] + np.float32(1 - float(share)) * self._tables[other]


_speaker: _Speaker | None = None


def _start(models: Path, folder: Path) -> None:
    global _speaker
    _speaker = _Speaker(models, styles(folder))


def _make(job: tuple[Line, Path]) -> None:
    line, path = job
    assert _speaker is not None
    sound, phonemes = _speaker.say(line)
    peak = float(np.abs(sound).max()) if len(sound) else 1.0
    level = 0.08 / float(np.sqrt(np.mean(np.square(sound)) + 1e-9))  # about -19 LUFS, as the synthesiser is set
    pcm = np.round(sound * min(level, 0.95 / peak) * 32767).astype(np.int16)
    temporary = path.with_suffix(f".{os.getpid()}.tmp")
    with temporary.open("wb") as file:
        np.savez(
            file,
            pcm=pcm,
            symbols=np.array([symbol for symbol, _, _ in phonemes]),
            times=np.array([(start, end) for _, start, end in phonemes], np.float64).reshape(-1, 2),
        )
    temporary.rename(path)


def speak(lines: Sequence[Line], folder: Path, models: Path, processes: int) -> Iterator[Said]:
    """Say all ``lines``, those that ``folder`` holds already excepted; in their order."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{line.key}.npz" for line in lines]
    missing = [(line, path) for line, path in zip(lines, paths, strict=True) if not path.exists()]
    if missing:
        styles(folder)
        context = multiprocessing.get_context("spawn")
        with context.Pool(processes, _start, (models, folder)) as pool:
            for done, _ in enumerate(pool.imap_unordered(_make, missing, chunksize=1), 1):
                print(f"\r  speaking {done}/{len(missing)} ", end="", flush=True)
        print()
    for line, path in zip(lines, paths, strict=True):
        with np.load(path) as stored:
            times = stored["times"]
            phonemes = [(str(s), float(a), float(b)) for s, (a, b) in zip(stored["symbols"], times, strict=True)]
            yield Said(stored["pcm"], phonemes, line.voice, line.language)
