import av
import numpy as np
import pytest

from visavis.media.h264 import EncoderError
from visavis.media.opus import OpusEncoder
from visavis.media.resample import Resampler


def tone(hz: float, seconds: float, rate: int = 48_000, amplitude: float = 8000) -> np.ndarray:
    return (amplitude * np.sin(2 * np.pi * hz * np.arange(int(seconds * rate)) / rate)).astype(np.int16)


def loudest(pcm: np.ndarray, rate: int) -> float:
    spectrum = np.abs(np.fft.rfft(pcm.astype(float) * np.hanning(len(pcm))))
    return float(np.argmax(spectrum) * rate / len(pcm))


def decode(packets: list[bytes]) -> np.ndarray:
    decoder = av.CodecContext.create("libopus", "r")
    decoder.sample_rate = 48_000
    decoder.layout = "mono"
    frames = [frame for data in packets for frame in decoder.decode(av.Packet(data))]
    pcm = np.concatenate([frame.to_ndarray().reshape(-1) for frame in frames])
    return (pcm * 32767).astype(np.int16) if pcm.dtype.kind == "f" else pcm


def test_opus_carries_a_tone() -> None:
    encoder = OpusEncoder()
    sound = tone(700, 1.0)
    got = [encoder.encode(sound[start : start + 960], start) for start in range(0, 48_000, 960)]
    assert [one.pts for one in got] == list(range(0, 48_000, 960))
    assert loudest(decode([one.data for one in got])[9600:38_400], 48_000) == pytest.approx(700, abs=5)
    kbps = sum(len(one.data) for one in got) * 8 / 1000
    assert 24 < kbps < 72


def test_silence_becomes_free_and_sound_after_it_is_whole() -> None:
    encoder = OpusEncoder()
    quiet = np.zeros(960, np.int16)
    packets = [encoder.encode(quiet, index * 960).data for index in range(30)]
    assert len({id(one) for one in packets[11:]}) == 1, "the same packet is handed out"
    sound = tone(440, 0.4)
    packets += [encoder.encode(sound[start : start + 960], 0).data for start in range(0, len(sound), 960)]
    pcm = decode(packets)
    assert np.abs(pcm[9600 : 29 * 960]).max() < 30
    assert loudest(pcm[-9600:], 48_000) == pytest.approx(440, abs=5)


@pytest.mark.parametrize("pcm", [np.zeros(480, np.int16), np.zeros(960, np.float32), np.zeros((1, 960), np.int16)])
def test_wrong_sound_is_refused(pcm: np.ndarray) -> None:
    with pytest.raises(EncoderError):
        OpusEncoder().encode(pcm, 0)


@pytest.mark.parametrize(("source", "target"), [(48_000, 16_000), (24_000, 48_000), (44_100, 48_000)])
def test_resampling_in_pieces_equals_resampling_at_once(source: int, target: int) -> None:
    sound = tone(1000, 1.0, source)
    whole = Resampler(source, target)
    pieces = Resampler(source, target)
    at_once = np.concatenate([whole.push(sound), whole.flush()])
    step = source // 50
    parts = [pieces.push(sound[start : start + step]) for start in range(0, len(sound), step)]
    in_pieces = np.concatenate([*parts, pieces.flush()])
    assert len(in_pieces) == pytest.approx(target, abs=2)
    assert np.abs(at_once.astype(int) - in_pieces).max() <= 2
    assert loudest(in_pieces, target) == pytest.approx(1000, abs=2)


def test_equal_rates_pass_through() -> None:
    sound = tone(100, 0.1)
    assert Resampler(48_000, 48_000).push(sound) is sound
