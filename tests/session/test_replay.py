from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from session_fakes import FakeRenderer

from visavis.media.types import EncodedFrame
from visavis.motion.frame import MotionFrame
from visavis.session.replay import SLACK, LoopShelf, Repeated, Replay

COUNT = 150


class Swing:
    """A motion that repeats."""

    frames = COUNT

    def frame(self, index: int) -> MotionFrame:
        return MotionFrame(pts=index / 25, breath=index / COUNT, loop=("idle", index))


@pytest.fixture
def shelf(tmp_path: Path) -> LoopShelf:
    return LoopShelf(tmp_path, {"idle": Repeated(Swing()), "asleep": Repeated(Swing(), stride=3)})


def ready(shelf: LoopShelf, renderer: FakeRenderer, name: str = "idle") -> Replay:
    """A replay whose loop has been made."""
    replay = Replay(shelf, renderer, 500, FakeRenderer)
    assert shelf.get(name, renderer, 500, FakeRenderer) is None
    for made in shelf._made.values():
        made.result(20)
    return replay


def at(replay: Replay, index: int, keyframe: bool = False, name: str = "idle") -> EncodedFrame | None:
    return replay.unit(MotionFrame(loop=(name, index % COUNT)), index * 3600, keyframe)


def test_it_joins_the_loop_at_an_idr_and_stays_over_its_end(shelf: LoopShelf) -> None:
    replay = ready(shelf, FakeRenderer())
    units = [at(replay, index) for index in range(30, 260)]
    assert all(unit is None for unit in units[:20])
    assert all(units[20:])
    assert units[20] is not None
    assert units[20].keyframe
    assert [unit.pts for unit in units[20:] if unit] == [index * 3600 for index in range(50, 260)]


def test_it_leaves_when_the_face_does_something_else(shelf: LoopShelf) -> None:
    replay = ready(shelf, FakeRenderer())
    assert at(replay, 0)
    assert replay.replaying
    assert replay.unit(MotionFrame(), 3600, False) is None
    assert not replay.replaying
    assert at(replay, 2) is None, "there is no IDR here"
    assert at(replay, 50)


def test_a_viewer_that_needs_an_idr_gets_a_drawn_one_at_once(shelf: LoopShelf) -> None:
    replay = ready(shelf, FakeRenderer())
    assert at(replay, 0)
    assert at(replay, 1, keyframe=True) is None
    assert at(replay, 2) is None
    unit = at(replay, 50, keyframe=True)
    assert unit is not None
    assert unit.keyframe


def test_after_a_short_stall_it_lags_and_after_a_long_one_it_starts_anew(shelf: LoopShelf) -> None:
    replay = ready(shelf, FakeRenderer())
    assert at(replay, 0)
    assert at(replay, 1 + SLACK), "no gap in the chain of references: the picture after the first"
    assert at(replay, 2 + SLACK)
    assert at(replay, 40) is None
    assert at(replay, 50)


def test_a_sleeper_is_sent_by_thirds(shelf: LoopShelf) -> None:
    replay = ready(shelf, FakeRenderer(), "asleep")
    units = [at(replay, index, name="asleep") for index in range(0, 150, 3)]
    assert all(units)
    assert len({unit.data for unit in units if unit}) > 3


def test_what_moves_by_itself_is_never_replayed(shelf: LoopShelf) -> None:
    renderer = FakeRenderer()
    renderer.cacheable = False
    replay = Replay(shelf, renderer, 500, FakeRenderer)
    assert at(replay, 0) is None
    assert not shelf._made


def test_a_loop_that_cannot_be_drawn_is_drawn_live(shelf: LoopShelf) -> None:
    class Broken(FakeRenderer):
        def draw(self, motion: MotionFrame, out: np.ndarray) -> bool:
            raise RuntimeError("no picture")

    replay = Replay(shelf, FakeRenderer(), 500, Broken)
    assert at(replay, 0) is None
    for made in shelf._made.values():
        assert made.result(20) is None
    assert at(replay, 0) is None
    assert len(shelf._made) == 1, "it is not tried again and again"


def test_another_picture_has_another_file(shelf: LoopShelf, tmp_path: Path) -> None:
    ready(shelf, FakeRenderer())
    other = FakeRenderer()
    other.key = "bb"
    ready(shelf, other)
    assert len(list(tmp_path.glob("*.loop"))) == 2
