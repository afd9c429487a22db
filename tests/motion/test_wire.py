"""Motion frames as messages: what goes in comes out, and nothing else is taken."""

from __future__ import annotations

import json
import math
import shutil
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest

from visavis.motion import ARKIT, ARKIT_INDEX, Head, MotionFrame
from visavis.motion.wire import MAX_GESTURE, SIZE, WireError, decode_motion, encode_motion, stamp


def lively(seed: int = 1) -> MotionFrame:
    rng = np.random.default_rng(seed)
    return MotionFrame(
        pts=123456.789,
        blendshapes=rng.random(len(ARKIT), np.float32),
        head=Head(*(float(v) for v in rng.uniform(-0.4, 0.4, 5))),
        gaze=(0.31, -0.22),
        breath=0.73,
        gesture="nod",
    )


def test_a_frame_arrives_as_it_was_sent() -> None:
    sent = lively()
    message = encode_motion(sent, rtp=4_000_000_000)
    got, rtp = decode_motion(message)
    assert len(message) == SIZE + len("nod")
    assert rtp == 4_000_000_000
    assert got.pts == sent.pts  # to the sample, after hours
    assert np.abs(got.blendshapes - sent.blendshapes).max() < 1e-5
    for name in ("yaw", "pitch", "roll", "shift_x", "shift_y"):
        assert getattr(got.head, name) == pytest.approx(getattr(sent.head, name), abs=4e-5)
    assert got.gaze == pytest.approx(sent.gaze, abs=4e-5)
    assert got.breath == pytest.approx(sent.breath, abs=1e-5)
    assert got.gesture == "nod"


def test_it_is_small() -> None:
    assert len(encode_motion(lively())) <= 150


def test_a_message_is_encoded_once_and_stamped_for_each_viewer() -> None:
    plain = encode_motion(lively())
    assert decode_motion(plain)[1] is None
    for rtp in (0, 1, 2**32 - 1):
        assert stamp(plain, rtp) == encode_motion(lively(), rtp)
        assert decode_motion(stamp(plain, rtp))[1] == rtp
    assert decode_motion(stamp(plain, 2**32 + 7))[1] == 7  # RTP timestamps wrap


def test_what_is_out_of_range_is_bounded() -> None:
    wild = lively()
    wild.blendshapes[:4] = (-1.0, 2.0, math.nan, math.inf)
    wild.head = Head(yaw=math.nan, pitch=99.0, roll=-99.0, shift_x=math.inf)
    wild.breath, wild.gaze = 7.0, (math.inf, 0.0)
    got, _ = decode_motion(encode_motion(wild))
    assert got.blendshapes[:4].tolist() == [0.0, 1.0, 0.0, 1.0]
    assert (got.head.yaw, got.head.shift_x, got.gaze[0]) == (0.0, 0.0, 0.0)
    assert got.head.pitch == pytest.approx(2, abs=1e-3)
    assert got.head.roll == pytest.approx(-2, abs=1e-3)
    assert got.breath == 1.0


@pytest.mark.parametrize("name", ["", "点头", "x" * 200, "点" * 100])
def test_names_of_gestures_are_text_of_bounded_length(name: str) -> None:
    frame = MotionFrame(gesture=name or None)
    got, _ = decode_motion(encode_motion(frame))
    assert (got.gesture or "") == name.encode()[:MAX_GESTURE].decode(errors="ignore")


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"\x02" + encode_motion(MotionFrame())[1:],
        encode_motion(MotionFrame())[:-1],
        encode_motion(MotionFrame()) + b"x",
        encode_motion(MotionFrame(gesture="nod"))[:-1] + b"\xff",
    ],
    ids=["empty", "another version", "cut off", "too long", "no text"],
)
def test_what_is_no_frame_is_refused(message: bytes) -> None:
    with pytest.raises(WireError):
        decode_motion(message)


def test_fields_lie_where_the_protocol_says() -> None:
    """The table in docs/protocol.md, read by another reader than ours."""
    frame = MotionFrame(
        pts=1.5, head=Head(yaw=0.25, pitch=-0.5, roll=0.125, shift_x=1.0, shift_y=-1.0), gaze=(0.5, -0.25)
    )
    frame.breath = 1.0
    frame.blendshapes[ARKIT_INDEX["jawOpen"]] = 1.0
    message = encode_motion(frame, rtp=0x01020304)
    assert message[:8] == bytes((1, 1, 0, 0, 1, 2, 3, 4))
    assert struct.unpack_from("!d", message, 8) == (1.5,)
    assert struct.unpack_from("!7h", message, 16) == (4096, -8192, 2048, 16384, -16384, 8192, -4096)
    assert struct.unpack_from("!H", message, 30) == (65535,)
    weights = struct.unpack_from("!52H", message, 32)
    assert weights[24] == 65535
    assert sum(weights) == 65535


@pytest.mark.skipif(shutil.which("node") is None, reason="needs Node.js; tests/web reads the same in Chromium")
def test_the_browser_s_reader_reads_the_same() -> None:
    wire = Path(__file__).parents[2] / "visavis" / "web" / "render" / "wire.js"
    script = (
        f"import({json.dumps(wire.as_uri())}).then(({{decodeMotion}}) => {{"
        "const raw = Uint8Array.from(Buffer.from(process.argv[1], 'hex')).buffer;"
        "const frame = decodeMotion(raw); console.log(JSON.stringify({...frame, weights: [...frame.weights]}))})"
    )
    message = encode_motion(lively(), rtp=77)
    done = subprocess.run(["node", "-e", script, message.hex()], capture_output=True, text=True, check=True)
    read = json.loads(done.stdout)
    wanted, _ = decode_motion(message)
    assert (read["pts"], read["rtp"], read["gesture"]) == (wanted.pts, 77, "nod")
    assert read["weights"] == pytest.approx(wanted.blendshapes.tolist(), abs=1e-6)
    assert read["pose"]["pitch"] == pytest.approx(wanted.head.pitch)
    assert read["gaze"] == pytest.approx(list(wanted.gaze))
