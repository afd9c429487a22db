"""Opus with packets missing: what the next packet's copy and libopus make of the gap; and how long the receiver waits for latecomers."""

from __future__ import annotations

from types import SimpleNamespace

import av
import numpy as np
import pytest
from aiortc.rtp import RtpPacket

from visavis.media import opus_decoder
from visavis.media.h264 import EncoderError
from visavis.media.opus import OpusEncoder
from visavis.media.opus_decoder import OpusDecoder
from visavis.rtc.receiver import _MOST_REORDER, _REORDER, OpusReceiver

RECORDING = "demo/recordings/en-long-2.flac"


@pytest.fixture(scope="module")
def packets(request: pytest.FixtureRequest) -> list[bytes]:
    """Speech as 20 ms packets."""
    with av.open(str(request.config.rootpath / RECORDING)) as file:
        resampler = av.AudioResampler(format="s16", layout="mono", rate=48_000)
        parts = [out.to_ndarray().reshape(-1) for frame in file.decode(audio=0) for out in resampler.resample(frame)]
    sound = np.concatenate(parts).astype(np.int16)
    encoder = OpusEncoder()
    return [encoder.encode(sound[at : at + 960], at).data for at in range(0, len(sound) - 960, 960)]


def decoded(packets: list[bytes], lost: set[int], *, bridged: bool) -> np.ndarray:
    decoder, out, gap = OpusDecoder(), [], 0
    for number, packet in enumerate(packets):
        if number in lost:
            gap += 960
            continue
        if gap:
            out.append(decoder.bridge(gap, packet) if bridged else np.zeros(gap, np.int16))
            gap = 0
        out.append(decoder.decode(packet))
    return np.concatenate(out).astype(float)


def test_one_lost_packet_comes_back_from_the_next(packets: list[bytes]) -> None:
    whole = decoded(packets, set(), bridged=True)
    lost = set(range(20, len(packets) - 1, 7))
    with_copies, silent = (decoded(packets, lost, bridged=way) for way in (True, False))
    assert len(whole) == len(with_copies) == len(silent)

    def likeness(sound: np.ndarray) -> float:
        found = []
        for number in lost:
            a, b = (one[960 * number : 960 * (number + 1)] for one in (whole, sound))
            if a.std() > 300:
                found.append(float(np.corrcoef(a, b)[0, 1]) if b.any() else 0.0)
        return float(np.median(found))

    assert likeness(silent) == 0
    assert likeness(with_copies) > 0.8, "the copy has the same words, coarser"


def test_a_long_gap_fades_and_keeps_its_length(packets: list[bytes]) -> None:
    decoder = OpusDecoder()
    for packet in packets[:60]:
        decoder.decode(packet)
    gap = decoder.bridge(960 * 20, packets[80])
    assert len(gap) == 960 * 20
    assert not gap[opus_decoder.CONCEALED : -960].any()
    assert decoder.bridge(100, packets[81]).shape == (100,)


def test_what_is_no_opus_is_refused() -> None:
    with pytest.raises(EncoderError):
        OpusDecoder().decode(b"\xff\xff\xff")


def test_without_libopus_it_still_decodes(packets: list[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opus_decoder, "_libopus", lambda: None)
    decoder = OpusDecoder()
    sound = np.concatenate([decoder.decode(packet) for packet in packets[:50]])
    assert abs(sound).max() > 1000
    assert not decoder.bridge(960, packets[51]).any()


# --- latecomers -----------------------------------------------------------------------------------------------------------


async def received(packets: list[bytes], order: list[int]) -> OpusReceiver:
    heard: list[np.ndarray] = []
    replaces = SimpleNamespace(transport=None)
    receiver = OpusReceiver(replaces, on_pcm=heard.append, on_activity=lambda: None)  # type: ignore[arg-type]
    receiver._payload_types = frozenset({96})
    for number in order:
        packet = RtpPacket(payload_type=96, sequence_number=number, timestamp=960 * number, ssrc=1)
        packet.payload = packets[number % len(packets)]
        await receiver._handle_rtp_packet(packet, 0)
    return receiver


def shuffled(count: int, most: int) -> list[int]:
    """Each packet up to ``most`` packets late."""
    dice = np.random.default_rng(5)
    return [int(number) for number in np.argsort(np.arange(count) + dice.random(count) * most, kind="stable")]


async def test_it_waits_longer_where_packets_come_late_and_no_longer_than_needed(packets: list[bytes]) -> None:
    receiver = await received(packets, shuffled(600, 12))
    assert _REORDER < receiver._wait <= 16
    assert receiver.lost < 30, "a few were given up before it knew"
    worse = await received(packets, shuffled(600, 200))
    assert worse._wait <= _MOST_REORDER, "what waits is bounded"
    assert len(worse._held) <= _MOST_REORDER


async def test_it_comes_back_when_the_network_has_calmed_down(packets: list[bytes]) -> None:
    order = [*shuffled(200, 8), *range(200, 200 + 20 * 250)]
    assert (await received(packets, order))._wait == _REORDER
