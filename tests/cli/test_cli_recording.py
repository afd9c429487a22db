"""What ``visavis demo`` saves: an MP4 and its captions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest

from visavis.cli import demo_record
from visavis.cli.demo_record import Recording
from visavis.media.recorder import RecorderError
from visavis.rtc.client import Received

BEGAN = 1_800_000_000.0


def picture(at: float) -> Received:
    frame = av.VideoFrame.from_ndarray(np.full((96, 64), 120, np.uint8), format="yuv420p")
    return Received(frame, BEGAN + at, BEGAN + at)


def sound(at: float, seconds: float = 0.02) -> Received:
    frame = av.AudioFrame.from_ndarray(np.zeros((1, round(48_000 * seconds)), np.int16), format="s16", layout="mono")
    frame.sample_rate = 48_000
    return Received(frame, BEGAN + at, BEGAN + at)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Sets the wall clock to so many seconds after the beginning."""

    def put(at: float) -> None:
        monkeypatch.setattr(demo_record.time, "time", lambda: BEGAN + at)

    put(0)
    return put


def recorded(tmp_path: Path) -> Recording:
    return Recording(tmp_path / "c.mp4", tmp_path / "c.vtt")


def captions(recording: Recording) -> list[tuple[str, str]]:
    """(times, text) of each cue; checks the file's frame."""
    blocks = recording.captions_path.read_text(encoding="utf-8").rstrip("\n").split("\n\n")
    assert blocks[0] == "WEBVTT"
    cues = [block.split("\n") for block in blocks[1:]]
    assert all(len(cue) == 2 for cue in cues), "a cue is one line of times and one of text"
    return [(times, text) for times, text in cues]


def test_captions_begin_and_end_when_they_were_shown(tmp_path: Path, clock: Callable[[float], None]) -> None:
    with recorded(tmp_path) as recording:
        recording.subtitle("too early: there is no picture yet")
        for index in range(100):
            recording.video(picture(index * 0.04))
        for at, text in ((0.5, "Hello."), (1.25, "你好，世界。"), (2.0, ""), (3.1239, "Good-bye.")):
            clock(at)
            recording.subtitle(text)
    assert captions(recording) == [
        ("00:00:00.500 --> 00:00:01.250", "Hello."),
        ("00:00:01.250 --> 00:00:02.000", "你好，世界。"),
        ("00:00:03.123 --> 00:00:03.960", "Good-bye."),
    ]


def test_hours_and_text_that_looks_like_markup(tmp_path: Path, clock: Callable[[float], None]) -> None:
    with recorded(tmp_path) as recording:
        recording.video(picture(0))
        recording.video(picture(4000))
        clock(3661.5)
        recording.subtitle("a < b & c --> d\n\n  and\tmore")
        clock(3662)
        recording.subtitle("")
    assert captions(recording) == [("01:01:01.500 --> 01:01:02.000", "a &lt; b &amp; c --&gt; d and more")]


def test_a_conversation_without_words_or_pictures(tmp_path: Path) -> None:
    with recorded(tmp_path) as recording:
        recording.audio(sound(0))
        recording.subtitle("unseen")
    assert captions(recording) == []
    assert (recording.frames, recording.seconds) == (0, 0)


def test_the_video_holds_what_came(tmp_path: Path) -> None:
    with recorded(tmp_path) as recording:
        recording.audio(sound(-0.02))
        assert not recording.first_picture.is_set()
        for index in range(50):
            recording.video(picture(index * 0.04))
            recording.audio(sound(index * 0.04, 0.04))
        assert recording.first_picture.is_set()
    assert recording.dropped == 0
    assert recording.frames == 50
    assert recording.seconds == pytest.approx(2.0, abs=0.05)
    with av.open(str(recording.path)) as file:
        assert sum(1 for _ in file.decode(video=0)) == 50
        assert file.streams.audio[0].duration * file.streams.audio[0].time_base == pytest.approx(2.0, abs=0.1)


def test_a_picture_that_cannot_be_written_is_told_at_the_end(tmp_path: Path) -> None:
    small = av.VideoFrame.from_ndarray(np.full((48, 32), 120, np.uint8), format="yuv420p")
    recording = recorded(tmp_path)

    def record() -> None:
        with recording:
            recording.video(picture(0))
            recording.video(Received(small, BEGAN + 0.04, BEGAN))
            recording.video(picture(0.08))

    with pytest.raises(RecorderError, match="size changed"):
        record()
    assert recording.captions_path.exists()
