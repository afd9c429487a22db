"""Packetizer, broadcast, offers and fragments, without a network."""

import asyncio
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from aiortc.codecs.h264 import h264_depayload

from visavis.media.h264 import H264Encoder
from visavis.media.types import EncodedAudio, EncodedFrame
from visavis.rtc.broadcast import AUDIO_QUEUE_MS, VIDEO_QUEUE_MS, Broadcaster, Timeline
from visavis.rtc.errors import SdpRefused
from visavis.rtc.ice import IceServer, ice_servers, link_header
from visavis.rtc.offer import parse_candidate, parse_offer
from visavis.rtc.packetizer import MAX_PAYLOAD, nal_units, packetize_h264
from visavis.rtc.sdpfrag import parse_sdpfrag
from visavis.settings import Settings

# --- packetizer -----------------------------------------------------------------------------------------


def test_payloads_fit_and_give_the_same_units_back() -> None:
    rng = np.random.default_rng(3)
    encoder = H264Encoder(640, 480, bitrate_kbps=4000)
    for index in range(3):
        picture = rng.integers(16, 235, (720, 640), np.uint8)
        data = encoder.encode(picture, index * 3600).data
        payloads = packetize_h264(data)
        assert max(map(len, payloads)) <= MAX_PAYLOAD
        # aiortc's depayloader is an independent reading of RFC 6184.
        got = b"".join(h264_depayload(payload) for payload in payloads)
        assert [bytes(nal) for nal in nal_units(got)] == [bytes(nal) for nal in nal_units(data)]
    assert len(payloads) > 5


@pytest.mark.parametrize("size", [1, MAX_PAYLOAD - 1, MAX_PAYLOAD, MAX_PAYLOAD + 1, 2 * MAX_PAYLOAD, 10_000])
def test_slices_of_every_size(size: int) -> None:
    nal = bytes([0x65]) + bytes(range(1, 255)) * (size // 254 + 1)
    nal = nal[: size + 1]
    payloads = packetize_h264(b"\0\0\1" + nal)
    assert b"".join(map(h264_depayload, payloads)) == b"\0\0\0\1" + nal
    assert max(map(len, payloads)) <= MAX_PAYLOAD


def test_nothing_gives_nothing() -> None:
    assert packetize_h264(b"") == ()
    assert packetize_h264(b"\0\0\1") == ()


# --- broadcast ------------------------------------------------------------------------------------------

KEY, DELTA = b"\0\0\1\x65key", b"\0\0\1\x41delta"


def frame(index: int, key: bool = False) -> EncodedFrame:
    return EncodedFrame(KEY if key else DELTA, index * 3600, key)


async def drain(outlet) -> list[int]:
    got = []
    while True:
        try:
            async with asyncio.timeout(0.01):
                got.append((await outlet.get()).pts)
        except TimeoutError:
            return got


async def test_viewer_starts_with_an_idr_that_was_asked_for() -> None:
    asked: list[int] = []
    cast = Broadcaster(lambda: asked.append(1))
    outlet = cast.open_video()
    assert asked == [1]
    for index in range(3):
        cast.push_video(frame(index))
    cast.push_video(frame(3, key=True))
    cast.push_video(frame(4))
    assert await drain(outlet) == [3 * 3600, 4 * 3600]


async def test_slow_viewer_loses_pictures_until_the_next_idr_and_disturbs_nobody() -> None:
    asked: list[int] = []
    now = SimpleNamespace(t=100.0)
    cast = Broadcaster(lambda: asked.append(1), Timeline(now=lambda: now.t))
    slow, quick = cast.open_video(), cast.open_video()
    cast.push_video(frame(0, key=True))
    got = []
    overflow = VIDEO_QUEUE_MS // 40
    for index in range(1, overflow + 3):
        now.t += 0.04
        cast.push_video(frame(index))
        got += await drain(quick)
    assert got == [index * 3600 for index in range(overflow + 3)], "the quick one misses nothing"
    assert len(asked) == 2 or cast._timer is not None, "an IDR is asked for, now or when the interval is over"
    assert await drain(slow) == [], "what waited is dropped"
    cast.push_video(frame(20, key=True))
    cast.push_video(frame(21))
    assert await drain(slow) == [20 * 3600, 21 * 3600]
    assert slow.dropped == overflow + 3
    cast.close()


async def test_slow_listener_loses_the_oldest_sound() -> None:
    cast = Broadcaster()
    outlet = cast.open_audio()
    for index in range(20):
        cast.push_audio(EncodedAudio(b"x", index * 960))
    kept = AUDIO_QUEUE_MS // 20
    assert await drain(outlet) == [index * 960 for index in range(20 - kept, 20)]
    assert outlet.dropped == 20 - kept


async def test_keyframe_requests_are_limited_but_not_lost() -> None:
    asked: list[float] = []
    loop = asyncio.get_running_loop()
    again = asyncio.Event()

    def ask() -> None:
        asked.append(loop.time())
        again.set()

    cast = Broadcaster(ask)
    cast.open_video()
    cast.push_video(frame(0, key=True))
    for _ in range(50):
        cast.request_keyframe()
    assert len(asked) == 1, "the joiner's"
    again.clear()
    async with asyncio.timeout(2):
        await again.wait()
    assert asked[1] - asked[0] == pytest.approx(0.5, abs=0.1)
    cast.close()


async def test_sound_and_picture_share_one_line_of_time() -> None:
    now = SimpleNamespace(t=50.0)
    line = Timeline(now=lambda: now.t, wall=lambda: 1_700_000_050.0)
    line.observe(90_000, 90_000)  # one second into the stage clock, at t = 50
    now.t = 53.25
    line.observe(48_000, 48_000)  # late sound does not move the line
    assert line.ticks(53.25, 90_000) / 90_000 == pytest.approx(4.25, abs=1e-4)
    assert line.ticks(53.25, 48_000) / 48_000 == pytest.approx(4.25, abs=1e-4)
    assert line.ntp(53.25) / 2**32 - 2_208_988_800 == pytest.approx(1_700_000_053.25, abs=1e-3)


# --- SDP ------------------------------------------------------------------------------------------------

HEAD = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n"
TRANSPORT = (
    "c=IN IP4 0.0.0.0\r\na=rtcp-mux\r\na=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuv\r\n"
    "a=fingerprint:sha-256 " + ":".join(["AB"] * 32) + "\r\na=setup:actpass\r\n"
)
AUDIO = (
    "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n" + TRANSPORT + "a=mid:0\r\na=sendrecv\r\na=rtpmap:111 opus/48000/2\r\n"
    "a=candidate:1 1 udp 2113937151 10.0.0.1 5000 typ host\r\na=end-of-candidates\r\n"
)
VIDEO = (
    "m=video 9 UDP/TLS/RTP/SAVPF 102\r\n" + TRANSPORT + "a=mid:1\r\na=recvonly\r\na=rtpmap:102 H264/90000\r\n"
    "a=fmtp:102 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f\r\n"
)
GROUP = "a=group:BUNDLE 0 1\r\n"
GOOD = HEAD + GROUP + AUDIO + VIDEO


def test_offer_is_read_and_its_candidates_taken_out() -> None:
    offer = parse_offer(GOOD, "END_USER")
    assert [section.kind for section in offer.sections] == ["audio", "video"]
    assert offer.sends_audio
    assert offer.complete
    assert offer.candidates == ("candidate:1 1 udp 2113937151 10.0.0.1 5000 typ host",)
    assert "a=candidate" not in offer.sdp
    assert offer.ice_ufrag == "abcd"


@pytest.mark.parametrize(
    ("sdp", "role", "reason"),
    [
        ("", "END_USER", "must start with v=0"),
        ("hello", "END_USER", "must start with v=0"),
        ("v=0\r\nm=\r\n", "END_USER", "cannot be parsed|no media"),
        (HEAD, "END_USER", "no media sections"),
        ("v=0" + "x" * 70_000, "END_USER", "longer"),
        (HEAD + VIDEO, "END_USER", "must offer an audio section"),
        (HEAD + AUDIO.replace("sendrecv", "sendonly"), "END_USER", "must offer an audio section"),
        (HEAD + AUDIO.replace("sendrecv", "sendonly"), "PLAYER", "to receive video or audio"),
        (GOOD.replace("opus/48000/2", "PCMU/8000"), "END_USER", "no Opus"),
        (GOOD.replace("H264/90000", "VP8/90000"), "END_USER", "no H.264"),
        (GOOD.replace("packetization-mode=1", "packetization-mode=0"), "END_USER", "no H.264"),
        (GOOD.replace("packetization-mode=1", "packetization-mode"), "END_USER", "no H.264"),
        (GOOD.replace("fmtp:102", "fmtp:103"), "END_USER", "cannot be parsed"),
        (GOOD.replace("42e01f", "640c1f"), "PLAYER", "no H.264"),
        (GOOD.replace(GROUP, ""), "END_USER", "BUNDLE"),
        (GOOD.replace("a=rtcp-mux\r\n", ""), "END_USER", "rtcp-mux"),
        (GOOD.replace("a=ice-ufrag:abcd\r\n", ""), "END_USER", "ICE credentials"),
        (GOOD.replace("a=fingerprint", "a=finger"), "END_USER", "fingerprint"),
    ],
)
def test_bad_offer_is_refused_with_a_reason(sdp: str, role, reason: str) -> None:
    with pytest.raises(SdpRefused, match=reason):
        parse_offer(sdp, role)


@pytest.mark.parametrize(
    ("text", "usable"),
    [
        ("candidate:1 1 udp 2113937151 10.0.0.1 5000 typ host generation 0", True),
        ("a=candidate:1 1 UDP 1 fd00::1 5000 typ srflx raddr 0.0.0.0 rport 0", True),
        ("1 1 udp 1 abc.local 5000 typ host", True),
        ("candidate:1 1 tcp 1 10.0.0.1 9 typ host tcptype active", False),
        ("candidate:1 2 udp 1 10.0.0.1 9 typ host", False),
        ("candidate:1 1 udp 1 10.0.0.1 0 typ host", False),
        ("candidate:1 1 udp 1 203.0.113.1 443 typ relay raddr 0.0.0.0 rport 0", True),
        # What a client could have the server knock at on its behalf.
        ("candidate:1 1 udp 1 10.0.0.1 53 typ host", False),
        ("candidate:1 1 udp 1 224.0.0.251 5353 typ host", False),
        ("candidate:1 1 udp 1 ff02::1 5353 typ host", False),
        ("candidate:1 1 udp 1 255.255.255.255 5000 typ host", False),
        ("candidate:1 1 udp 1 0.0.0.0 5000 typ host", False),
    ],
)
def test_candidates(text: str, usable: bool) -> None:
    assert (parse_candidate(text) is not None) == usable


@pytest.mark.parametrize("text", ["candidate:", "candidate:1 x udp 1 a 5 typ host", "garbage"])
def test_malformed_candidate_is_refused(text: str) -> None:
    with pytest.raises(SdpRefused):
        parse_candidate(text)


def test_sdpfrag() -> None:
    text = (
        "a=ice-ufrag:EsAw\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\nm=audio 9 RTP/AVP 0\r\na=mid:0\r\n"
        "a=candidate:1 1 udp 1 10.0.0.1 5000 typ host\r\n"
        "m=video 9 RTP/AVP 0\r\na=mid:v\r\na=candidate:2 1 udp 1 10.0.0.2 5001 typ host\r\na=end-of-candidates\r\n"
    )
    assert parse_sdpfrag(text) == [
        ("candidate:1 1 udp 1 10.0.0.1 5000 typ host", "0", 0),
        ("candidate:2 1 udp 1 10.0.0.2 5001 typ host", "v", 1),
        ("", "v", 1),
    ]
    assert parse_sdpfrag("") == []
    assert parse_sdpfrag("a=candidate:x\n") == [("candidate:x", None, None)]
    late = "m=audio 9 x\na=mid:a\na=candidate:1\nm=video 9 x\na=candidate:2\na=mid:v\na=candidate:3\n\na=unknown:5"
    assert parse_sdpfrag(late) == [("candidate:1", "a", 0), ("candidate:2", None, 1), ("candidate:3", "v", 1)]


@pytest.mark.parametrize("text", ["nonsense", "a=candidate:1 1 udp 1 10.0.0.1 5000 typ host\n" * 200, "a=x\n" * 20_000])
def test_bad_sdpfrag_is_refused(text: str) -> None:
    with pytest.raises(SdpRefused):
        parse_sdpfrag(text)


# --- ICE servers ------------------------------------------------------------------------------------------


def test_turn_credentials_are_coturns_rest_scheme() -> None:
    settings = Settings(
        stun_urls=["stun:s.example:3478"], turn_urls=["turn:t.example:3478"], turn_secret="north", turn_ttl_s=600
    )
    stun, turn = ice_servers(settings, "user 1", 1_000_000.5)
    assert stun.as_dict() == {"urls": ["stun:s.example:3478"]}
    assert turn.username == "1000600:user_1"
    # printf 1000600:user_1 | openssl dgst -sha1 -hmac north -binary | base64
    assert turn.credential == "QsAL1u4GG2Dzrtl2+Ghwn5vRkps="
    assert turn.credential not in repr(turn)
    assert link_header(turn)[0].startswith('<turn:t.example:3478>; rel="ice-server"; username="1000600:user_1";')
    assert replace(turn, username=None, credential=None).as_dict() == {"urls": ["turn:t.example:3478"]}


def test_no_server_is_named_by_default() -> None:
    assert ice_servers(Settings(), "u", 0.0) == []
    assert IceServer(["stun:x"]).as_dict() == {"urls": ["stun:x"]}
