from __future__ import annotations

import multiprocessing
from pathlib import Path

import av
import numpy as np
import pytest

from visavis.media.h264 import H264Encoder
from visavis.media.loops import EncodedLoop, LoopError, LoopShape, encode_loop
from visavis.media.types import I420, EncodedFrame

SHAPE = LoopShape(width=320, height=240, fps=25, count=60, gop=20, bitrate_kbps=1000)


def bar(index: int, out: I420) -> None:
    """A bright bar that wanders once through the picture in a loop."""
    out[:240], out[240:] = 40, 128
    x = index * 320 // SHAPE.count
    out[:240, x : x + 16] = 200


def seen(frames: list[EncodedFrame]) -> list[int]:
    """Where the bar stands in each decoded picture."""
    decoder = av.CodecContext.create("h264", "r")
    pictures = [p for frame in frames for p in decoder.decode(av.Packet(frame.data))] + decoder.decode(None)
    return [int(p.to_ndarray(format="gray").mean(0).argmax()) for p in pictures]


def sps(data: bytes) -> bytes:
    return next(p for p in data.replace(b"\0\0\0\1", b"\0\0\1").split(b"\0\0\1") if p and p[0] & 31 == 7)


def test_a_loop_is_decoded_round_and_round_and_can_be_entered_at_each_idr(tmp_path: Path) -> None:
    loop = encode_loop(tmp_path / "a.loop", SHAPE, bar)
    assert [index for index in range(60) if loop.starts_at(index)] == [0, 20, 40]
    indices = [*range(40, 60), *range(60), *range(10)]
    found = seen([loop.unit(index, n * 3600) for n, index in enumerate(indices)])
    assert len(found) == len(indices)
    assert all(abs(x - index * 320 // 60) <= 16 for x, index in zip(found, indices, strict=True))


def test_a_live_stream_goes_over_to_the_loop_and_back(tmp_path: Path) -> None:
    loop = encode_loop(tmp_path / "a.loop", SHAPE, bar)
    live = H264Encoder(320, 240, 25, 1000)
    picture = np.zeros((360, 320), np.uint8)
    units, wanted = [], []
    for n, index in enumerate([*range(10, 20), *range(20, 35), *range(35, 50)]):
        bar(index, picture)
        replayed = 10 <= n < 25
        units.append(loop.unit(index, n * 3600) if replayed else live.encode(picture, n * 3600, n in (0, 25)))
        wanted.append(index * 320 // 60)
    found = seen(units)
    assert len(found) == len(wanted)
    assert all(abs(a - b) <= 16 for a, b in zip(found, wanted, strict=True))
    assert sps(units[0].data) == sps(units[10].data), "a decoder need not be set up anew"


def test_a_damaged_loop_is_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "a.loop"
    encode_loop(path, SHAPE, bar)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(LoopError, match="cut short"):
        EncodedLoop(path)
    assert len(seen([encode_loop(path, SHAPE, bar).unit(index, index) for index in range(60)])) == 60
    assert sorted(file.suffix for file in tmp_path.iterdir()) == [".lock", ".loop"]


def _make(path: Path, drawn: multiprocessing.Queue[int]) -> None:
    def draw(index: int, out: I420) -> None:
        drawn.put(index)
        bar(index, out)

    encode_loop(path, SHAPE, draw)


def test_two_processes_draw_it_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    drawn: multiprocessing.Queue[int] = context.Queue()
    both = [context.Process(target=_make, args=(tmp_path / "a.loop", drawn)) for _ in range(2)]
    for process in both:
        process.start()
    run_in = list(range(60 - SHAPE.gop, 60))  # the loop's end, coded first and thrown away
    indices = [drawn.get(timeout=20) for _ in range(60 + len(run_in))]
    for process in both:
        process.join(20)
    assert indices == [*run_in, *range(60)]
    assert drawn.empty()


def test_what_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LoopError):
        encode_loop(tmp_path / "file" / "a.loop", SHAPE, bar)
    with pytest.raises(LoopError, match="0 pictures"):
        encode_loop(tmp_path / "b.loop", LoopShape(320, 240, 25, 0, 20, 1000), bar)
