"""Make the recordings of ``visavis bench response``: demo/recordings/*.flac and their manifest.

    python tools/make_recordings.py [--check]

People are Kokoro's voices (Apache-2.0) other than the one that answers, at several speeds and pitches; noise, coughs and
typing are made here from random numbers. When speech begins and ends is taken from the clean sound, before noise is added.
``--check`` also recognises each recording and prints what is heard; nothing is left out because it is misheard.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import zlib
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import soxr
from recording_texts import BACKCHANNELS, QUESTIONS
from scipy import signal

from visavis.settings import Settings
from visavis.speech.embedded import EmbeddedSynthesiser
from visavis.speech.types import Language, VoiceSettings

OUT = Path(__file__).resolve().parents[1] / "demo" / "recordings"
RATE = 16_000
LEVEL_DB = -24.0
"""RMS of speech while it sounds, dB of full scale."""
SNR_DB = 10.0
NOISE_BEFORE_S, NOISE_AFTER_S = 0.5, 1.5
EDGE_S = 0.1
AUDIBLE_DB = -40.0
"""Below the loudest 10 ms: what is quieter is no longer speech."""
Sound = npt.NDArray[np.float64]
SPEAKERS: dict[Language, list[tuple[str, int, int]]] = {
    # voice, speed, pitch
    "en": [
        ("en-michael", 100, 100), ("zh-xiaoyi", 100, 100), ("en-michael", 118, 122), ("zh-yunjian", 100, 95),
        ("en-michael", 90, 82), ("en-heart-rich", 108, 74),
    ],
    "zh": [
        ("zh-yunxi", 100, 100), ("zh-xiaoyi", 105, 100), ("zh-yunjian", 100, 100), ("zh-xiaoyi", 92, 84),
        ("zh-yunxi", 116, 118), ("zh-yunjian", 108, 112),
    ],
}  # fmt: skip


def envelope(sound: Sound) -> Sound:
    """RMS of windows of 10 ms around each millisecond, dB."""
    power = np.convolve(sound**2, np.ones(RATE // 100) / (RATE // 100), "same")[:: RATE // 1000]
    return np.asarray(10 * np.log10(power + 1e-12))


def bounds(sound: Sound) -> tuple[float, float]:
    """When speech begins and ends in clean ``sound``, seconds, to the millisecond."""
    level = envelope(sound)
    loud = np.flatnonzero(level > level.max() + AUDIBLE_DB)
    return loud[0] / 1000, (loud[-1] + 1) / 1000


def levelled(sound: Sound) -> Sound:
    level = envelope(sound)
    active = level[level > level.max() - 25]
    return sound * 10 ** ((LEVEL_DB - 10 * np.log10(np.mean(10 ** (active / 10)))) / 20)


async def said(synthesiser: EmbeddedSynthesiser, text: str, language: Language, speaker: tuple[str, int, int]) -> Sound:
    """``text`` with its pauses: silence of exactly that length between what is audible."""
    voice, speed, pitch = speaker
    parts: list[Sound] = []
    for piece in re.split(r"\|", text):
        if re.fullmatch(r"[\d.]+", piece.strip()):
            parts.append(np.zeros(round(float(piece) * RATE)))
            continue
        chunks = [c.pcm async for c in synthesiser.say(piece.strip(), voice, language, VoiceSettings(speed, pitch))]
        sound = soxr.resample(np.concatenate(chunks) / 32768.0, synthesiser.sample_rate, RATE)
        begin, end = bounds(sound)
        parts.append(sound[round(begin * RATE) : round(end * RATE)])
    edge = np.zeros(round(EDGE_S * RATE))
    return levelled(np.concatenate([edge, *parts, edge]))


def speech_noise(seconds: float, shape: Sound, rng: np.random.Generator) -> Sound:
    """Noise with the spectrum of speech (``shape``: a filter), which swells as a room of talkers does. RMS 1."""
    noise = signal.fftconvolve(rng.standard_normal(round(seconds * RATE) + len(shape)), shape, "valid")[
        : round(seconds * RATE)
    ]
    swell = signal.sosfilt(signal.butter(2, 4, fs=RATE, output="sos"), rng.standard_normal(len(noise) + RATE))[RATE:]
    noise = noise * (1 + 0.35 * swell / swell.std()).clip(0.3, 1.8)
    return np.asarray(noise / noise.std())


def spectrum_filter(sounds: list[Sound]) -> Sound:
    """A symmetric FIR filter that gives white noise the mean spectrum of ``sounds``."""
    _, power = signal.welch(np.concatenate(sounds), RATE, nperseg=512)
    magnitude = np.sqrt(power / power.max())
    taps: Sound = signal.firwin2(513, np.linspace(0, 1, len(magnitude)), magnitude)
    return taps


def band(sound: Sound, low: float, high: float) -> Sound:
    return np.asarray(signal.sosfilt(signal.butter(2, (low, high), "band", fs=RATE, output="sos"), sound))


def cough(rng: np.random.Generator) -> Sound:
    """Two or three bursts: a sharp blast of breath through a throat (two resonances), a voiced tail."""
    out = np.zeros(round(1.6 * RATE))
    at = 0.05
    for number in range(int(rng.integers(2, 4))):
        length = round(float(rng.uniform(0.22, 0.34)) * RATE)
        t = np.arange(length) / RATE
        breath = rng.standard_normal(length)
        throat = 1.6 * band(breath, 450, 900) + 1.2 * band(breath, 1300, 2100) + 0.5 * band(breath, 2600, 5200)
        voice = signal.sawtooth(2 * np.pi * np.cumsum(np.linspace(190, 120, length)) / RATE)
        voice = band(voice, 250, 1400) * np.exp(-(((t - 0.13) / 0.06) ** 2)) * 0.6
        shape = (1 - np.exp(-t / 0.004)) * np.exp(-t / float(rng.uniform(0.06, 0.09)))
        burst = (throat * shape + voice) * 0.8**number
        first = round(at * RATE)
        out[first : first + length] += burst[: len(out) - first]
        at += float(rng.uniform(0.36, 0.46))
    return levelled(out) * 1.6


def typing(rng: np.random.Generator) -> Sound:
    """Two seconds of a keyboard: presses and, quieter, releases."""
    out = np.zeros(round(2.2 * RATE))
    at = 0.05
    while at < 2.0:
        for offset, gain in ((0.0, 1.0), (float(rng.uniform(0.06, 0.1)), 0.45)):
            length = round(0.03 * RATE)
            t = np.arange(length) / RATE
            click = band(rng.standard_normal(length), 1500, 6500) * np.exp(-t / 0.004)
            thud = np.sin(2 * np.pi * float(rng.uniform(140, 260)) * t) * np.exp(-t / 0.009) * 0.5
            first = round((at + offset) * RATE)
            out[first : first + length] += (gain * float(rng.uniform(0.6, 1.0)) * (click + thud))[: len(out) - first]
        at += float(rng.uniform(0.09, 0.22))
    return np.asarray(out / np.abs(out).max() * 0.25)


def write(name: str, sound: Sound) -> None:
    pcm = (sound.clip(-0.999, 0.999) * 32767).astype(np.int16)
    with av.open(str(OUT / name), "w", format="flac") as file:
        stream = file.add_stream("flac", rate=RATE, layout="mono")
        frame = av.AudioFrame.from_ndarray(pcm[None], format="s16", layout="mono")
        frame.sample_rate = RATE
        file.mux(stream.encode(frame))
        file.mux(stream.encode(None))


def entry(name: str, kind: str, sound: Sound, clean: Sound, before: float = 0.0, **more: Any) -> dict[str, Any]:
    """One line of the manifest."""
    begin, end = bounds(clean)
    times = {"starts_s": round(begin + before, 3), "ends_s": round(end + before, 3)}
    return {"file": name, "kind": kind, "seconds": round(len(sound) / RATE, 3), **times, **more}


async def questions(synthesiser: EmbeddedSynthesiser) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = []
    spoken: list[tuple[str, Language, str, int, str, str, Sound, tuple[str, int, int]]] = []
    for language, kinds in QUESTIONS.items():
        count = 0
        for kind, wanted in kinds.items():
            for number, (text, expected) in enumerate(wanted, 1):
                speaker = SPEAKERS[language][count % len(SPEAKERS[language])]
                count += 1
                sound = await said(synthesiser, text, language, speaker)
                name = f"{language}-{kind}-{number}.flac"
                print(f"{name:<22} {len(sound) / RATE:5.2f} s  {speaker[0]}", file=sys.stderr, flush=True)
                spoken.append((name, language, kind, number, text, expected, sound, speaker))
    shape = spectrum_filter([each[6] for each in spoken])
    for name, language, kind, _, text, expected, clean, speaker in spoken:
        sound, before = clean, 0.0
        if kind == "noise":
            rng = np.random.default_rng(zlib.crc32(name.encode()))
            before = NOISE_BEFORE_S
            padded = np.pad(clean, (round(before * RATE), round(NOISE_AFTER_S * RATE)))
            noise = speech_noise(len(padded) / RATE, shape, rng) * 10 ** ((LEVEL_DB - SNR_DB) / 20)
            fade = np.minimum(1, np.minimum(np.arange(len(noise)), np.arange(len(noise))[::-1]) / (0.1 * RATE))
            sound = padded + noise * fade
        write(name, sound)
        pauses = [float(each) for each in re.findall(r"\|([\d.]+)\|", text)]
        words = re.sub(r"\s*\|[\d.]+\|\s*", " " if language == "en" else "", text)
        more: dict[str, Any] = {"pauses_s": pauses} if pauses else {}
        if kind == "noise":
            more["snr_db"] = SNR_DB
        listed.append(
            entry(name, "question", sound, clean, before, language=language, group=kind, text=words, expect=[expected],
                  speaker=f"{speaker[0]}, speed {speaker[1]}, pitch {speaker[2]}", **more)
        )  # fmt: skip
    return listed


async def sounds(synthesiser: EmbeddedSynthesiser) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = []
    for number in (1, 2, 3, 4):
        for group, make in (("cough", cough), ("keyboard", typing)):
            name = f"{group}-{number}.flac"
            sound = make(np.random.default_rng(zlib.crc32(name.encode())))
            write(name, sound)
            listed.append(entry(name, "sound", sound, sound, group=group))
    for language, texts in BACKCHANNELS.items():
        for number, text in enumerate(texts, 1):
            name = f"{language}-backchannel-{number}.flac"
            sound = await said(synthesiser, text, language, SPEAKERS[language][number - 1])
            write(name, sound)
            listed.append(entry(name, "sound", sound, sound, language=language, group="backchannel", text=text))
    return listed


async def main() -> None:
    synthesiser = EmbeddedSynthesiser(Settings().models_dir)
    OUT.mkdir(parents=True, exist_ok=True)
    recordings = [*await sounds(synthesiser), *await questions(synthesiser)]
    lines = ",\n".join("    " + json.dumps(each, ensure_ascii=False) for each in recordings)
    head = '{\n  "format": "visavis-recordings",\n  "version": 1,\n  "recordings": [\n'
    (OUT / "manifest.json").write_text(f"{head}{lines}\n  ]\n}}\n")
    if "--check" in sys.argv[1:]:
        await check(recordings)


async def check(recordings: list[dict[str, Any]]) -> None:
    """Print what the recogniser hears."""
    from visavis.bench.response.recordings import decode
    from visavis.speech.whisper import WhisperRecogniser

    recogniser = WhisperRecogniser(Settings().models_dir)
    for each in recordings:
        if "text" in each:
            heard = await recogniser.transcribe(decode(OUT / each["file"], RATE))
            print(f"{each['file']:<24} {each['text']}\n{'':<24} {heard.text}", flush=True)


if __name__ == "__main__":
    asyncio.run(main())
