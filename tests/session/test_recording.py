"""Both channels of a recording on the stage's clock, what is left of it after a kill, and what a slow disk does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest
from session_fakes import FakeOutlet, Listener, small_stage

from visavis.session import recording
from visavis.session.recording import RATE, Recording
from visavis.session.script import Utterance

CHUNK = RATE * 40 // 1000
TICK = 960


def sound(path: Path) -> np.ndarray:
    """(2, n) samples of a file."""
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        assert (stream.rate, stream.codec_context.layout.name) == (RATE, "stereo")
        return np.concatenate([frame.to_ndarray().reshape(-1, 2).T for frame in container.decode(stream)], axis=1)


def tone(hertz: float, seconds: float, rate: int) -> np.ndarray:
    return (8000 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)).astype(np.int16)


class Talk:
    """The two sides and a clock that the test moves."""

    def __init__(self, folder: Path) -> None:
        self.now = 0.0
        self.recording = Recording(folder, lambda: round(self.now * 48_000))

    def person(self, pcm: np.ndarray, late: float = 0.0, drift: float = 0.0) -> None:
        """As it comes from the network, from now on: ``late`` seconds after it was said, by a clock ``drift`` too fast."""
        began = self.now
        for at in range(0, len(pcm), CHUNK):
            piece = pcm[at : at + CHUNK]
            self.now = began + (at + len(piece)) / RATE / (1 + drift) + late
            self.recording.heard(piece)

    def voice(self, pcm: np.ndarray, position: int) -> None:
        """As the stage plays it."""
        for at in range(0, len(pcm), TICK):
            self.now = max(self.now, (position + at) / 48_000)
            self.recording.said(pcm[at : at + TICK], position + at)


def where(channel: np.ndarray) -> tuple[float, float]:
    """Seconds of the first and the last loud sample."""
    loud = np.flatnonzero(np.abs(channel.astype(int)) > 2000)
    return loud[0] / RATE, loud[-1] / RATE


async def test_each_side_has_its_channel_and_its_time(tmp_path: Path) -> None:
    talk = Talk(tmp_path / "job")
    talk.person(tone(440, 2.0, RATE))  # 0 to 2 s
    talk.voice(tone(300, 1.5, 48_000), 3 * 48_000)  # 3 to 4.5 s
    talk.now = 700.0  # ten minutes in which nothing sounds
    talk.person(tone(440, 1.0, RATE))
    await talk.recording.close()
    both = sound(tmp_path / "job" / "0001.flac")
    assert both.shape[1] / RATE == pytest.approx(701.0, abs=0.05)
    left, right = both
    assert where(right) == pytest.approx((3.0, 4.5), abs=0.002)
    assert where(left[: 10 * RATE]) == pytest.approx((0.0, 2.0), abs=0.002)
    assert where(left[600 * RATE :]) == pytest.approx((100.0, 101.0), abs=0.05)
    assert not left[3 * RATE : 5 * RATE].any(), "the digital human is heard on the person's channel"
    assert not right[: 2 * RATE].any()
    assert np.array_equal(left[: 2 * RATE], tone(440, 2.0, RATE)), "what the person said is kept to the bit"


async def test_the_voice_is_placed_to_the_sample(tmp_path: Path) -> None:
    talk = Talk(tmp_path)
    click = np.zeros(TICK * 10, np.int16)
    click[4800:4830] = 20_000
    talk.recording.heard(np.zeros(CHUNK, np.int16))
    begin = round(talk.now * RATE) - CHUNK
    for second in (1, 2, 5):
        talk.voice(click, second * 48_000)
    await talk.recording.close()
    right = sound(tmp_path / "0001.flac")[1]
    for second in (1, 2, 5):
        at = second * RATE - begin
        energy = np.square(right[at : at + 3200].astype(float))
        centre = (energy * np.arange(len(energy))).sum() / energy.sum()
        assert centre == pytest.approx(4815 / 3, abs=1.0)


@pytest.mark.parametrize("drift", [0.002, -0.002])
async def test_a_microphone_whose_clock_drifts_stays_beside_the_voice(tmp_path: Path, drift: float) -> None:
    talk = Talk(tmp_path)
    quiet = np.zeros(60 * RATE, np.int16)
    talk.person(quiet, drift=drift)
    talk.person(tone(440, 0.4, RATE))
    ended = talk.now
    talk.voice(tone(300, 0.4, 48_000), round(ended * 48_000) // TICK * TICK)
    await talk.recording.close()
    left, right = sound(tmp_path / "0001.flac")
    # A minute would have carried it 120 ms away.
    assert where(right)[0] - where(left)[1] == pytest.approx(0.0, abs=0.05)


def loud(channel: np.ndarray) -> float:
    """How many seconds of it are loud."""
    return float((np.abs(channel.astype(int)) > 2000).sum()) / RATE


@pytest.mark.parametrize(("away", "came"), [(1.0, 1.0), (3.0, 2.0), (5.0, 0.4)])
async def test_what_the_network_held_back_is_kept_and_what_it_lost_is_silent(
    tmp_path: Path, away: float, came: float
) -> None:
    talk = Talk(tmp_path)
    talk.person(np.zeros(3 * RATE, np.int16))
    talk.now += away  # nothing comes, and then what was said in the last ``came`` seconds, at once
    for _ in range(round(came * 25)):
        talk.recording.heard(np.full(CHUNK, 5000, np.int16))
    talk.person(np.zeros(RATE, np.int16))
    talk.person(np.full(CHUNK * 10, 5000, np.int16))
    await talk.recording.close()
    left = sound(tmp_path / "0001.flac")[0]
    assert loud(left) == pytest.approx(came + 0.4, abs=0.01)
    assert where(left[:-RATE]) == pytest.approx((3 + away - came, 3 + away), abs=0.1)
    assert where(left)[1] == pytest.approx(talk.now, abs=0.1)


async def test_after_a_pause_the_person_is_in_time_again(tmp_path: Path) -> None:
    talk = Talk(tmp_path)
    talk.person(tone(440, 1.0, RATE))
    talk.now += 5.0  # muted
    talk.person(tone(440, 1.0, RATE))
    await talk.recording.close()
    left = sound(tmp_path / "0001.flac")[0]
    assert loud(left[2 * RATE : 5 * RATE]) == 0
    assert where(left[2 * RATE :]) == pytest.approx((4.0, 5.0), abs=0.05)


async def test_nothing_is_lost_when_the_process_was_stalled(tmp_path: Path) -> None:
    """The stage's clock is then set back; the person went on speaking."""
    talk = Talk(tmp_path)
    talk.person(np.full(RATE, 5000, np.int16))
    for _ in range(38):  # 1.5 s in which the clock stood
        talk.recording.heard(np.full(CHUNK, 5000, np.int16))
    talk.person(np.full(RATE, 5000, np.int16))
    talk.person(np.zeros(5 * RATE, np.int16))  # quiet enough to put it right
    talk.person(np.full(RATE, 5000, np.int16))
    await talk.recording.close()
    left = sound(tmp_path / "0001.flac")[0]
    assert loud(left) == pytest.approx(1 + 1.52 + 1 + 1, abs=0.01)
    assert where(left)[1] == pytest.approx(talk.now, abs=0.06)


async def test_it_goes_on_in_a_new_piece(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "PIECE_S", 2)
    talk = Talk(tmp_path)
    talk.person(tone(440, 5.0, RATE))
    await talk.recording.close()
    pieces = [tmp_path / f"{number:04}.flac" for number in (1, 2, 3)]
    assert np.array_equal(np.concatenate([sound(piece) for piece in pieces], axis=1)[0], tone(440, 5.0, RATE))


async def test_nothing_is_written_where_nothing_sounds(tmp_path: Path) -> None:
    talk = Talk(tmp_path / "job")
    await talk.recording.close()
    assert not (tmp_path / "job").exists()


async def test_a_disk_that_fails_ends_the_recording_only(tmp_path: Path) -> None:
    (tmp_path / "job").write_text("no folder")
    talk = Talk(tmp_path / "job")
    talk.person(tone(440, 5.0, RATE))
    await talk.recording.close()
    assert (tmp_path / "job").read_text() == "no folder"


KILLED = """
import os, sys, time
from pathlib import Path
import numpy as np
from visavis.session.recording import Recording
now = 0.0
recording = Recording(Path(sys.argv[1]), lambda: round(now * 48000))
noise = np.random.default_rng(1)
for _ in range(250):
    now += 0.04
    recording.heard(noise.integers(-3000, 3000, 640).astype(np.int16))
while not recording._blocks.empty():
    time.sleep(0.01)
time.sleep(0.2)
os.kill(os.getpid(), 9)
"""


def test_what_was_recorded_before_a_kill_can_be_played(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], env={**os.environ}, timeout=60)
    assert done.returncode == -9
    both = sound(tmp_path / "0001.flac")
    assert both.shape[1] / RATE > 6.5  # of 10 s, of which 2 to 3 s had not been written yet
    expected = np.random.default_rng(1)
    first = np.concatenate([expected.integers(-3000, 3000, 640).astype(np.int16) for _ in range(150)])
    assert np.array_equal(both[0][: len(first)], first)


async def test_the_stage_tells_what_sounds_and_where(tmp_path: Path) -> None:
    outlet, listener = FakeOutlet(), Listener()
    stage = small_stage(listener, outlet)
    told: list[tuple[np.ndarray, int]] = []
    stage.on_sound = lambda pcm, position: told.append((pcm.copy(), position))
    said = tone(300, 0.1, 48_000)
    utterance = Utterance("hello", "en", "c")
    await stage.push(utterance, said, ())
    stage.finish(utterance)
    for _ in range(12):
        stage._tick()
    positions = [position for _, position in told]
    assert positions == list(range(positions[0], positions[0] + len(told) * TICK, TICK))
    assert np.array_equal(np.concatenate([pcm for pcm, _ in told])[: len(said)], said)
    assert len(told) == 5, "silence was told"
