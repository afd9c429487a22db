"""Kokoro in windows: the first is short, they meet without a trace, and they sound like the whole."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from speech_measure import collect, error_rate

from visavis.speech import models
from visavis.speech.embedded import EmbeddedSynthesiser
from visavis.speech.engines import SAMPLE_RATE, Stop, Stopped, run, session
from visavis.speech.g2p import Phonemiser
from visavis.speech.streaming import graph
from visavis.speech.streaming.accelerator import OnnxGenerator, OpenVinoGenerator
from visavis.speech.streaming.kokoro import Kokoro, KokoroVoice, Piece
from visavis.speech.streaming.source import HarmonicSource
from visavis.speech.streaming.windows import CONTEXT, FRAME_SECONDS, Pace, plan
from visavis.speech.voices import CATALOGUE, load_statistics, load_styles
from visavis.speech.whisper import WhisperRecogniser

CLAUSE = "请您把这份表格填好交给前台的工作人员"
WHOLE = Pace(100_000, 1.0)
SENTENCES = (
    "您好，欢迎来到这里，有什么可以帮您的吗？",
    "我们的营业时间是周一到周五。",
    "请稍等。",
    "会议室可以提前三天预订。",
    "谢谢您的耐心等待，祝您生活愉快，再见！",
)

# --- the plan, without models ------------------------------------------------------------------------------------


@pytest.mark.parametrize("pace", [Pace(32, 1.3), Pace(28, 1.7, 16), WHOLE])
@pytest.mark.parametrize("length", [5, 40, 100, 700])
def test_windows_follow_one_another_from_end_to_end(pace: Pace, length: int) -> None:
    borders = list(range(10, 10 + length, 7))
    windows = plan(10, 10 + length, length + 30, borders, pace)
    assert (windows[0].begin, windows[-1].end) == (10, 10 + length)
    for one, other in pairwise(windows):
        assert one.end == other.begin
        assert one.end in borders
    for window in windows:
        assert 0 <= window.context_begin <= window.begin < window.end <= window.context_end <= length + 30
        assert window.begin - window.context_begin >= min(CONTEXT, window.begin)
        assert window.context_end - window.end >= min(CONTEXT, length + 30 - window.end)


def test_the_first_window_is_short_and_no_last_one_tiny() -> None:
    windows = plan(0, 800, 830, list(range(0, 800, 6)), Pace(32, 1.3))
    lengths = [window.end - window.begin for window in windows]
    assert 24 <= lengths[0] <= 40
    assert min(lengths) >= 16
    assert max(lengths) > 4 * lengths[0]


def test_windows_have_few_lengths_where_each_new_one_is_dear() -> None:
    windows = plan(0, 800, 830, list(range(0, 800, 5)), Pace(28, 1.7, 16))
    assert {(window.context_end - window.context_begin) % 16 for window in windows[:-1]} == {0}


def test_the_source_s_phase_runs_on_across_windows() -> None:
    f0 = np.concatenate([np.zeros(10), np.linspace(180, 260, 40), np.zeros(8), np.full(30, 210)]).astype(np.float32)
    source = HarmonicSource(f0)
    whole = source.window(0, len(f0))
    assert whole.shape == (graph.SOURCE_CHANNELS, graph.SOURCE_STEPS * len(f0) + 1)
    for begin, end in ((0, 20), (20, 45), (45, len(f0))):
        part = source.window(begin, end)
        expected = whole[:, begin * graph.SOURCE_STEPS : end * graph.SOURCE_STEPS + 1]
        assert np.allclose(part[:11], expected[:11], atol=1e-4)
        loud = expected[:11] > 0.01  # the phase of nothing is anything
        turn = np.angle(np.exp(1j * (part[11:] - expected[11:])))
        assert np.abs(turn[loud]).max() < 0.05


# --- with the real model -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def kokoro(models_dir: Path) -> Kokoro:
    """On onnxruntime, whatever is installed: bfloat16 rounds in another way for each length (-43 dB)."""
    made = Kokoro(models_dir / "kokoro", 1)
    made._generator = OnnxGenerator(models_dir / "kokoro" / "generator.onnx", 1)
    return made


@pytest.fixture(scope="module")
def phonemes() -> Phonemiser:
    return Phonemiser()


@pytest.fixture(scope="module")
def measuring(tmp_path_factory: pytest.TempPathFactory) -> onnxruntime.InferenceSession:
    """The generator as it was: normalising over the whole clause."""
    file = next(file for file in models.FILES if file.path == "kokoro/generator.onnx")
    shipped = b"".join(part.locate().read_bytes() for part in file.parts)
    made = tmp_path_factory.mktemp("model") / "measuring.onnx"
    made.write_bytes(graph.generator(shipped, measuring=True))
    return session(made, 1)


def voice(name: str = "zf_xiaoxiao") -> KokoroVoice:
    return KokoroVoice(load_styles(name), load_statistics(name))


def spoken(kokoro: Kokoro, phonemes: Phonemiser, text: str, style: str = "zf_xiaoxiao") -> Iterator[Piece]:
    marks = phonemes(text, ())
    tokens = [phonemes.token(mark) for mark in marks]
    return kokoro.speak(marks, tokens, voice(style), 1.0, 1.0, Stop())


def joined(pieces: list[Piece]) -> np.ndarray:
    return np.concatenate([piece.sound[piece.before : len(piece.sound) - piece.after] for piece in pieces])


@pytest.fixture
def whole(kokoro: Kokoro, phonemes: Phonemiser, monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    monkeypatch.setattr(kokoro._generator, "pace", WHOLE)
    pieces = list(spoken(kokoro, phonemes, CLAUSE))
    monkeypatch.undo()
    assert len(pieces) == 1
    return joined(pieces)


@pytest.mark.models
def test_windows_give_what_the_whole_gives(kokoro: Kokoro, phonemes: Phonemiser, whole: np.ndarray) -> None:
    pieces = list(spoken(kokoro, phonemes, CLAUSE))
    assert len(pieces) >= 4
    sound = joined(pieces)
    assert len(sound) == len(whole)
    error = sound - whole
    assert 10 * np.log10(np.square(error).mean() / np.square(whole).mean()) < -50
    at = 0
    for piece, following in pairwise(pieces):  # a click would be a step larger than any that the voice makes itself
        at += len(piece.sound) - piece.before - piece.after
        step = abs(float(sound[at] - sound[at - 1]))
        around = np.abs(np.diff(whole[at - 600 : at + 600])).max()
        assert step <= 1.05 * around + 1e-3
        assert following.start * SAMPLE_RATE == pytest.approx(pieces[0].start * SAMPLE_RATE + at)
        # What it hands over for smoothing is its neighbour's own sound, to what a limiter notices.
        beyond = piece.sound[len(piece.sound) - piece.after :]
        assert np.abs(beyond - whole[at : at + piece.after]).max() < 0.02


@pytest.mark.models
@pytest.mark.parametrize(
    ("style", "text"),
    [
        ("zf_xiaoxiao", "这里的风景真是太美了。"),
        ("zf_xiaoxiao", "没问题。"),
        ("zm_yunjian", "您好！"),
        ("af_heart", "Hi there."),
    ],
)
def test_a_voice_s_usual_statistics_sound_like_the_sentence_s_own(
    kokoro: Kokoro, phonemes: Phonemiser, measuring: onnxruntime.InferenceSession, style: str, text: str
) -> None:
    """The original normalises over the whole clause, which windows cannot; short clauses differ most."""
    marks = phonemes(text, ())
    inputs = {
        "tokens": np.array([[0, *(phonemes.token(mark) for mark in marks), 0]], np.int64),
        "style": load_styles(style)[len(marks)][None],
        "speed": np.ones(1, np.float32),
        "pitch": np.ones(1, np.float32),
    }
    made = dict(zip(kokoro._outputs, run(kokoro._front, inputs, Stop()), strict=True))
    source = HarmonicSource(made["f0"].ravel())
    expected = measuring.run(
        ["sound"],
        {
            "trunk": made["trunk"],
            "source": source.window(0, made["trunk"].shape[2])[None],
            "gain": (1 + made["style_gain"]).reshape(1, -1, 1, 1),
            "shift": made["style_shift"].reshape(1, -1, 1, 1),
        },
    )[0]
    pieces = list(spoken(kokoro, phonemes, text, style))
    sound = joined(pieces)
    begin = round(pieces[0].start * SAMPLE_RATE)
    expected = expected[begin : begin + len(sound)]
    assert abs(level(sound) - level(expected)) < 2
    assert distance(sound, expected) < 8


def level(sound: np.ndarray) -> float:
    return float(10 * np.log10(np.square(sound).mean()))


def distance(one: np.ndarray, other: np.ndarray) -> float:
    """Log-spectral distance in dB, over the moments that can be heard."""

    def spectrum(sound: np.ndarray) -> np.ndarray:
        frames = np.lib.stride_tricks.sliding_window_view(sound, 512)[::128] * np.hanning(512)
        return np.asarray(10 * np.log10(np.square(np.abs(np.fft.rfft(frames))) + 1e-6))

    a, b = spectrum(one), spectrum(other)
    heard = b.mean(axis=1) > -45
    return float(np.sqrt(np.square(a - b)[heard].mean(axis=1)).mean())


@pytest.mark.models
def test_the_first_window_is_made_before_the_rest(
    kokoro: Kokoro, phonemes: Phonemiser, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[int] = []
    real = kokoro._generator.run

    def counted(trunk: np.ndarray, *rest: object) -> np.ndarray:
        made.append(trunk.shape[2])
        return np.asarray(real(trunk, *rest))  # type: ignore[arg-type]

    monkeypatch.setattr(kokoro._generator, "run", counted)
    pieces = spoken(kokoro, phonemes, CLAUSE)
    first = next(pieces)
    assert len(made) == 1, "no more than the first window was made for it"
    assert (len(first.sound) - first.after) / SAMPLE_RATE < 0.55
    rest = list(pieces)
    assert made[0] < 0.35 * sum(len(piece.sound) for piece in rest) / SAMPLE_RATE / FRAME_SECONDS


@pytest.mark.models
def test_stopping_ends_it_within_a_window(kokoro: Kokoro, phonemes: Phonemiser) -> None:
    marks = phonemes(CLAUSE, ())
    stop = Stop()
    pieces = kokoro.speak(marks, [phonemes.token(mark) for mark in marks], voice(), 1.0, 1.0, stop)
    next(pieces)
    stop.set()
    with pytest.raises(Stopped):
        next(pieces)


@pytest.mark.models
async def test_the_first_sound_of_a_sentence_is_short_and_the_rest_follows(synthesiser: EmbeddedSynthesiser) -> None:
    said = await collect(synthesiser.say(f"{CLAUSE}，谢谢您的配合。", "default", "zh"))
    lengths = [len(chunk.pcm) / SAMPLE_RATE for chunk in said.chunks]
    assert 0.2 < lengths[0] < 0.55
    assert sum(lengths) > 3.5
    names = [timing.phoneme for timing in said.phonemes]
    assert names.count("") <= len(said.chunks), "windows meet between phonemes, not in pauses of their own"
    for one, other in pairwise(said.phonemes):
        assert other.start == pytest.approx(one.end, abs=0.001)


@pytest.mark.models
@pytest.mark.parametrize("style", sorted({entry.style for entry in CATALOGUE.values() if entry.style}))
def test_statistics_are_there_for_every_voice(style: str) -> None:
    mean, deviation = voice(style).normalisation(0.7)
    assert mean.shape == deviation.shape == (graph.NORM_CHANNELS,)
    assert np.isfinite(mean).all()
    assert deviation.min() > 0


@pytest.mark.models
async def test_a_recogniser_understands_it(synthesiser: EmbeddedSynthesiser, recogniser: WhisperRecogniser) -> None:
    wrong = total = 0.0
    for text in SENTENCES:
        said = await collect(synthesiser.say(text, "default", "zh"))
        characters = sum("\u4e00" <= one <= "\u9fff" for one in text)
        heard = await recogniser.transcribe(said.at_16k(), "zh")
        wrong += error_rate(text, heard.text) * characters
        total += characters
    assert wrong / total < 0.08


@pytest.mark.models
@pytest.mark.skipif(importlib.util.find_spec("openvino") is None, reason="openvino is optional")
def test_openvino_sounds_like_onnxruntime(
    kokoro: Kokoro, phonemes: Phonemiser, models_dir: Path, whole: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    try:
        generator = OpenVinoGenerator(models_dir / "kokoro" / "generator.onnx", 1)
    except RuntimeError:
        pytest.skip("this processor multiplies no bfloat16")
    monkeypatch.setattr(kokoro, "_generator", generator)
    sound = joined(list(spoken(kokoro, phonemes, CLAUSE)))
    assert np.corrcoef(sound, whole)[0, 1] > 0.99
    stop = Stop()
    stop.set()
    with pytest.raises(Stopped):
        next(kokoro.speak("a", [43], voice(), 1.0, 1.0, stop))
