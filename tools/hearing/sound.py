"""What happens to a voice on its way: other vocal tracts, rooms, noise, gain, telephone bands, codecs."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import numpy.typing as npt
import scipy.signal
import soxr

from hearing.corpus import RATE, Phonemes, Said

Sound = npt.NDArray[np.float32]


def stretched(said: Said, factor: float) -> tuple[Sound, Phonemes]:
    """Played ``factor`` times as fast: a shorter (or longer) vocal tract."""
    sound = said.pcm.astype(np.float32) / 32768
    if abs(factor - 1) > 0.005:
        sound = soxr.resample(sound, RATE * factor, RATE)
    return sound, [(symbol, start / factor, end / factor) for symbol, start, end in said.phonemes]


def noise(kind: str, count: int, rng: np.random.Generator, voices: Sequence[Said] = ()) -> Sound:
    """``count`` samples of noise with mean square 1. ``kind``: white, pink, brown, hum, music, clicks, babble."""
    if kind in ("white", "pink", "brown"):
        spectrum = np.fft.rfft(rng.standard_normal(count))
        power = {"white": 0.0, "pink": 0.5, "brown": 1.0}[kind]
        spectrum /= np.maximum(np.fft.rfftfreq(count, 1 / RATE), 30) ** power
        out = np.fft.irfft(spectrum, count)
    elif kind == "hum":
        t = np.arange(count) / RATE
        base = rng.choice((50.0, 60.0, rng.uniform(80, 300)))
        out = sum(rng.uniform(0, 1) / n * np.sin(2 * np.pi * base * n * t + rng.uniform(0, 6)) for n in range(1, 12))
        out = out + 0.05 * rng.standard_normal(count)
    elif kind == "music":
        out = np.zeros(count)
        for start in np.arange(0, count, int(RATE * rng.uniform(0.2, 0.6))):
            t = np.arange(min(RATE, count - start)) / RATE
            for _ in range(rng.integers(1, 4)):
                base = 110 * 2 ** (rng.integers(0, 37) / 12)
                tone = sum(np.sin(2 * np.pi * base * n * t) / n**1.5 for n in range(1, 8) if base * n < 11000)
                out[start : start + len(t)] += tone * np.exp(-t * rng.uniform(2, 8)) * np.minimum(1, t / 0.01)
    elif kind == "clicks":
        out = 0.01 * rng.standard_normal(count)
        for start in rng.integers(0, max(1, count - 2400), max(1, int(count / RATE * 4))):
            t = np.arange(min(1200, count - start))
            out[start : start + len(t)] += rng.standard_normal(len(t)) * np.exp(-t / rng.uniform(40, 300))
    else:
        out = np.zeros(count)
        for _ in range(rng.integers(4, 8)):
            at = -int(rng.integers(0, RATE))
            while at < count:
                pcm = voices[rng.integers(len(voices))].pcm.astype(np.float32) / 32768
                piece = pcm[max(0, -at) : count - at]
                out[max(0, at) : max(0, at) + len(piece)] += piece
                at += len(pcm)
    return (out / (np.sqrt(np.square(out).mean()) + 1e-9)).astype(np.float32)


NOISES = ("white", "pink", "brown", "hum", "music", "clicks", "babble")


def with_noise(sound: Sound, disturbance: Sound, decibels: float) -> Sound:
    """``decibels``: signal to noise ratio, of the loudness while somebody speaks."""
    blocks = np.square(sound[: len(sound) // 480 * 480].reshape(-1, 480)).mean(axis=1)
    speech = np.sqrt(blocks[blocks > blocks.max() * 1e-3].mean()) if blocks.max() > 0 else 0.1
    return sound + disturbance * np.float32(speech * 10 ** (-decibels / 20))


def room(sound: Sound, rng: np.random.Generator) -> Sound:
    """A simple room: the direct sound and a tail of decaying noise."""
    seconds = rng.uniform(0.12, 0.45)
    tail = rng.standard_normal(int(RATE * seconds)) * 10 ** (-3 * np.arange(int(RATE * seconds)) / (RATE * seconds))
    tail[: int(RATE * 0.004)] = 0
    tail *= 10 ** (-rng.uniform(2, 14) / 20) / np.sqrt(np.square(tail).sum())
    tail[0] = 1
    out: Sound = scipy.signal.fftconvolve(sound, tail)[: len(sound)].astype(np.float32)
    return out


def telephone(sound: Sound, low: float, high: float) -> Sound:
    """Only what lies between ``low`` and ``high`` Hz; no delay."""
    sections = scipy.signal.butter(3, [low, high], "bandpass", fs=RATE, output="sos")
    out: Sound = scipy.signal.sosfiltfilt(sections, sound).astype(np.float32)
    return out


def opus(sound: Sound, bitrate: int) -> Sound:
    """Through Opus and back, its delay taken out."""
    import av

    encoder = av.CodecContext.create("libopus", "w")
    encoder.sample_rate, encoder.layout, encoder.format, encoder.bit_rate = RATE, "mono", "s16", bitrate
    encoder.time_base = Fraction(1, RATE)
    encoder.options = {"application": "voip", "frame_duration": "20"}
    encoder.open()
    decoder = av.CodecContext.create("libopus", "r")
    decoder.sample_rate, decoder.layout = RATE, "mono"
    pcm = np.round(np.clip(np.pad(sound, (0, 2 * RATE // 50)), -1, 1) * 32767).astype(np.int16)
    parts = []
    for start in range(0, len(pcm) - 479, 480):
        frame = av.AudioFrame.from_ndarray(pcm[None, start : start + 480], format="s16", layout="mono")
        frame.sample_rate, frame.time_base, frame.pts = RATE, Fraction(1, RATE), start
        for packet in encoder.encode(frame):
            parts += [decoded.to_ndarray() for decoded in decoder.decode(packet)]
    out = np.concatenate([part.ravel() for part in parts]).astype(np.float32)
    out /= 32768 if np.abs(out).max() > 2 else 1
    rate = len(out) / len(pcm) * RATE
    out = soxr.resample(out, 48000, RATE) if rate > 40000 else out
    # the codec looks ahead; where the two fit best is its delay
    size = min(len(out), len(sound), 4 * RATE)
    fit = scipy.signal.correlate(out[:size], sound[:size], "full", "fft")[size - 1 : size + 1200]
    delay = int(fit.argmax())
    out = out[delay : delay + len(sound)]
    result: Sound = np.pad(out, (0, len(sound) - len(out)))
    return result
