import time

import av
import numpy as np
import pytest

from visavis.media.h264 import EncoderError, H264Encoder, level_for
from visavis.media.types import I420


def picture(width: int, height: int, y: int, u: int, v: int) -> I420:
    out = np.empty((height * 3 // 2, width), np.uint8)
    out[:height] = y
    out[height : height * 5 // 4] = u
    out[height * 5 // 4 :] = v
    return out


def moving(width: int, height: int, count: int) -> list[I420]:
    """A textured picture that pans and flickers: hard to code, as a busy scene."""
    rng = np.random.default_rng(1)
    frames = []
    for index in range(count):
        frame = picture(width, height, 0, 128, 128)
        coarse = rng.integers(40, 200, (height // 8, width // 8), np.uint8)
        frame[:height] = np.roll(np.kron(coarse, np.ones((8, 8), np.uint8)), index * 3, 1)
        frames.append(frame)
    return frames


def nal_types(data: bytes) -> list[int]:
    return [piece[0] & 31 for piece in data.replace(b"\0\0\0\1", b"\0\0\1").split(b"\0\0\1") if piece]


def test_first_and_forced_pictures_are_idr_with_parameter_sets() -> None:
    encoder = H264Encoder(320, 240)
    frame = picture(320, 240, 81, 90, 240)
    got = [encoder.encode(frame, index * 3600, force_idr=index == 7) for index in range(12)]
    assert [index for index, one in enumerate(got) if one.keyframe] == [0, 7]
    for index in (0, 7):
        types = nal_types(got[index].data)
        assert {7, 8, 5} <= set(types), "SPS, PPS and IDR slice"
    assert nal_types(got[3].data)[-1] == 1
    assert [one.pts for one in got] == [index * 3600 for index in range(12)]


def test_stream_is_constrained_baseline_tagged_bt601_limited() -> None:
    encoder = H264Encoder(720, 1280)
    data = encoder.encode(picture(720, 1280, 81, 90, 240), 0).data
    sps = next(p for p in data.replace(b"\0\0\0\1", b"\0\0\1").split(b"\0\0\1") if p and p[0] & 31 == 7)
    assert sps[1] == 66, "profile_idc Baseline"
    assert sps[2] & 0x40, "constraint_set1: Constrained Baseline"
    assert sps[3] == 31, "level 3.1"
    decoder = av.CodecContext.create("h264", "r")
    decoded = (decoder.decode(av.Packet(data)) + decoder.decode(None))[0]
    assert (decoded.width, decoded.height) == (720, 1280)
    assert int(decoded.colorspace) == 6  # SMPTE 170M
    assert int(decoded.color_range) == 1  # limited
    y, u, v = (int(np.frombuffer(plane, np.uint8)[0]) for plane in decoded.planes)
    assert abs(y - 81) <= 2
    assert abs(u - 90) <= 2
    assert abs(v - 240) <= 2


@pytest.mark.parametrize(
    ("size", "level"),
    [((640, 360), "3.0"), ((720, 1280), "3.1"), ((1280, 720), "3.1"), ((1080, 1920), "4.0"), ((3840, 2160), "5.1")],
)
def test_level_fits_the_size(size: tuple[int, int], level: str) -> None:
    assert level_for(*size, 25) == level


def test_bitrate_is_kept_and_rest_is_cheap() -> None:
    encoder = H264Encoder(640, 360, bitrate_kbps=1500)
    frames = moving(640, 360, 25)
    sizes = [len(encoder.encode(frames[index % 25], index * 3600).data) for index in range(150)]
    kbps = sum(sizes[25:]) * 8 / (125 / 25) / 1000
    assert 1200 <= kbps <= 1800, kbps
    still = [len(encoder.encode(frames[0], (150 + index) * 3600).data) for index in range(60)]
    assert sum(still[-10:]) / 10 < 1000, "a resting picture costs next to nothing"


def test_cost_of_a_720p_portrait_frame(record_property) -> None:
    encoder = H264Encoder(720, 1280)
    frames = moving(720, 1280, 4)
    for index in range(4):
        encoder.encode(frames[index], index * 3600)
    start = time.thread_time()
    for index in range(20):
        encoder.encode(frames[index % 4], (10 + index) * 3600)
    cost = (time.thread_time() - start) / 20
    record_property("ms_per_frame", cost * 1000)
    assert cost < 0.025, "more than 60 % of a core at 25 fps"


def test_mutating_the_same_array_shows() -> None:
    encoder, decoder = H264Encoder(64, 64), av.CodecContext.create("h264", "r")
    frame = picture(64, 64, 50, 128, 128)
    seen = []
    for index in range(6):
        frame[:64] = 50 + 20 * index
        packet = av.Packet(encoder.encode(frame, index * 3600).data)
        seen += [int(np.frombuffer(one.planes[0], np.uint8)[0]) for one in decoder.decode(packet)]
    seen += [int(np.frombuffer(one.planes[0], np.uint8)[0]) for one in decoder.decode(None)]
    assert seen == pytest.approx([50 + 20 * index for index in range(6)], abs=3)


@pytest.mark.parametrize("size", [(0, 0), (641, 360), (640, 361), (8192, 8192)])
def test_bad_size_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(EncoderError):
        H264Encoder(*size)


def test_wrong_picture_is_refused() -> None:
    with pytest.raises(EncoderError, match="shape"):
        H264Encoder(64, 64).encode(np.zeros((64, 64), np.uint8), 0)
