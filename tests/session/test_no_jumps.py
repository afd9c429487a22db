"""The decoded stream of a whole conversation: through idling, listening, thinking, talking and sleep nothing jumps or freezes."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from stage_film import FPS, Luma, Show, film, shelf

from visavis.avatar import cache
from visavis.avatar.layout import Layout
from visavis.avatar.pack import SHIPPED, Pack, find
from visavis.motion import Director, Mode, MotionFrame
from visavis.motion.loops import IDLE, loop
from visavis.session.script import STAGE_RATE

LAYOUT = Layout(360, 640)
CHANGE_S = 1.2
"""So long after its beginning a new state is still being gone over to."""
SPEECH = [("h", 0.08), ("ə", 0.08), ("l", 0.08), ("ˈoʊ", 0.2), ("m", 0.08), ("ɑ", 0.18), ("f", 0.1), ("u", 0.15), ("b", 0.08),
          ("i", 0.17), ("ɑ", 0.2), ("ʃ", 0.1), ("uː", 0.3)] * 2  # fmt: skip
Floats = npt.NDArray[np.float64]


class Watched(Director):
    """Remembers which of its frames were of a loop."""

    loops: dict[float, tuple[str, int] | None]

    def frame(self, t: float) -> MotionFrame:
        frame = super().frame(t)
        self.loops[round(t, 3)] = frame.loop
        return frame


@dataclass
class Seen:
    """What changes from each picture to the next. ``flow``: motion of the head, (x, y), pixels of a picture 180 wide;
    ``change``, ``mouth``: mean absolute difference of the whole picture and about the lips, grey levels. ``at``: when it comes."""

    at: Floats
    flow: Floats
    change: Floats
    mouth: Floats

    @property
    def speed(self) -> Floats:
        return np.asarray(np.linalg.norm(self.flow, axis=1))

    @property
    def jolt(self) -> Floats:
        """Change of the motion from one picture to the next: a jump is one, there and back."""
        return np.asarray(np.linalg.norm(np.diff(self.flow, axis=0, prepend=self.flow[:1]), axis=1))

    @property
    def frozen(self) -> int:
        """How many pictures in a row are the one before, to the bit."""
        longest = run = 0
        for change in self.change:
            run = run + 1 if change == 0 else 0
            longest = max(longest, run)
        return longest


@dataclass
class Take:
    """A filmed conversation."""

    times: Floats
    pictures: list[Luma]
    keyframes: Floats
    states: list[tuple[str, float]] = field(default_factory=list)
    loops: dict[float, tuple[str, int] | None] = field(default_factory=dict)
    replayed: int = 0

    def state(self, name: str) -> tuple[float, float]:
        names = [each for each, _ in self.states]
        begins = [begin for _, begin in self.states] + [np.inf]
        index = names.index(name)
        return begins[index], begins[index + 1]


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Pack:
    cache.configure(tmp_path_factory.mktemp("scenes"))
    return find("default", (SHIPPED,))


@pytest.fixture(scope="module")
def take(pack: Pack, tmp_path_factory: pytest.TempPathFactory) -> Take:
    """Each state long enough to be settled in; idle for longer than its loop lasts."""
    states: list[tuple[str, float]] = []
    director = Watched(np.random.default_rng(7), Mode.IDLE)
    director.loops = {}

    async def play(show: Show) -> None:
        async def go_on(name: str, seconds: float) -> None:
            states.append((name, show.stage.now))
            await show.until(show.stage.now + seconds)

        await go_on("idle", loop(IDLE, FPS).seconds + 2)
        show.face.person(True)
        await go_on("listening", 3.5)
        show.face.person(False)
        show.face.thinks()
        await go_on("thinking", 2.5)
        states.append(("talking", show.stage.now))
        ends = np.cumsum([length for _, length in SPEECH])
        phonemes = [(name, end - length, end) for (name, length), end in zip(SPEECH, ends, strict=True)]
        await show.say("Hello.", "en", np.full(round(ends[-1] * STAGE_RATE), 3000, np.int16), phonemes)
        show.face.answered()
        await go_on("idle again", 7)
        show.face.sleep(True)
        await go_on("asleep", 9)
        show.face.sleep(False)
        await go_on("awake", 5)

    loops = shelf(tmp_path_factory.mktemp("loops"), pack, LAYOUT)
    show = film(lambda: Show(pack, LAYOUT, director, loops), play)
    loops.close()
    times, pictures = show.reel.decoded()
    assert len(pictures) == len(show.reel.video)
    keys = np.array([each.pts / 90_000 for each in show.reel.video if each.keyframe])
    return Take(times, pictures, keys, states, director.loops, show.easel.stats.replayed_frames)


def look(pack: Pack, times: Floats, pictures: list[Luma]) -> Seen:
    """Optical flow of the head (Farneback 2003), where it is textured; and plain differences."""
    view, anchors = pack.manifest.views.portrait, pack.manifest.anchors
    scale = LAYOUT.width / view.width
    middle, top = (anchors.mouth.x - view.x) * scale, (anchors.crown.y - view.y) * scale
    chin, lips = (anchors.chin.y - view.y) * scale, (anchors.mouth.y - view.y) * scale
    half, reach = 0.4 * (chin - top), 0.6 * (chin - lips)
    head = np.s_[int(top) : int(chin + 20), int(middle - half) : int(middle + half)]
    mouth = np.s_[int(lips - reach) : int(lips + reach), int(middle - reach) : int(middle + reach)]
    small = [cv2.resize(each[head], None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA) for each in pictures]
    flow, change, about = [], [], []
    for (before, after), (reduced, next_reduced) in zip(pairwise(pictures), pairwise(small), strict=True):
        found = cv2.calcOpticalFlowFarneback(reduced, next_reduced, None, 0.5, 1, 13, 2, 5, 1.1, 0)  # type: ignore[call-overload]
        flow.append(np.median(found.reshape(-1, 2), axis=0))
        difference = cv2.absdiff(before, after)
        change.append(difference.mean())
        about.append(difference[mouth].mean())
    return Seen(times[1:], np.array(flow, float), np.array(change), np.array(about))


@pytest.fixture(scope="module")
def seen(pack: Pack, take: Take) -> Seen:
    return look(pack, take.times, take.pictures)


def within(seen: Seen, begin: float, end: float) -> npt.NDArray[np.bool_]:
    return (seen.at >= begin) & (seen.at < end)


def changing(take: Take, seen: Seen) -> npt.NDArray[np.bool_]:
    """Which pictures belong to the beginning of a state."""
    found = np.zeros(len(seen.at), bool)
    for _, begin in take.states[1:]:
        found |= within(seen, begin, begin + CHANGE_S)
    return found


def test_at_a_change_of_state_nothing_moves_faster_than_within_states(take: Take, seen: Seen) -> None:
    assert take.replayed > 400, "the loops took part, and were left and joined"
    new = changing(take, seen)
    for name, measure, bound in (("speed", seen.speed, 2.0), ("jolt", seen.jolt, 2.0), ("change", seen.change, 1.5)):
        print(f"\n{name}: {measure[new].max():.2f} at changes, {measure[~new].max():.2f} within states", end="")
        assert measure[new].max() <= bound * measure[~new].max(), (name, seen.at[new][measure[new].argmax()])
    # And within states there is no jump either: a nod takes ten pictures.
    assert seen.jolt.max() < 0.6, seen.at[seen.jolt.argmax()]
    assert seen.speed.max() < 1.0, seen.at[seen.speed.argmax()]


def test_the_mouth_moves_only_with_the_voice(take: Take, seen: Seen) -> None:
    begin, end = take.state("talking")
    speaking = within(seen, begin, end + 0.3)
    coded_anew = np.isin(np.round(seen.at, 3), np.round(take.keyframes, 3))
    moved = np.percentile(seen.mouth[speaking], 90)
    still = seen.mouth[~speaking & ~coded_anew].max()
    print(f"\nabout the lips: {moved:.1f} while it speaks, at most {still:.1f} else, "
          f"{seen.mouth[~speaking & coded_anew].max():.1f} at a keyframe")  # fmt: skip
    assert still < 0.6 * moved


def test_awake_it_never_freezes_and_no_picture_is_missing(take: Take, seen: Seen) -> None:
    begin, end = take.state("asleep")
    steps = np.round(np.diff(take.times) * FPS)
    # It takes a while to fall asleep; a sleeper's last picture may be three frame times old when it is woken.
    slow = (seen.at > begin) & (seen.at < end + 3 / FPS)
    assert (steps[~slow] == 1).all()
    assert set(steps[slow]) == {1, 3} | set(steps[seen.at >= end][:1])
    first = seen.at[seen.at >= end][0]
    assert first - end < 1.5 / FPS, "woken, it stirs at once"
    for part in (seen.at < begin, seen.at >= end):
        frozen = Seen(seen.at[part], seen.flow[part], seen.change[part], seen.mouth[part]).frozen
        print(f"\nidentical pictures in a row: {frozen}", end="")
        assert frozen <= 8, "a face that stands still for a third of a second is no film"


def test_the_idle_loop_has_no_seam_that_could_be_seen(take: Take, seen: Seen) -> None:
    idle = loop(IDLE, FPS)
    assert idle.seconds >= 12
    begin, end = take.state("idle")
    seams = [t for t, at in take.loops.items() if at == (IDLE, 0) and begin + 0.2 < t < end - 0.2]
    assert seams, "the loop came to its end"
    inside = within(seen, begin, end)
    coded_anew = np.isin(np.round(seen.at, 3), np.round(take.keyframes, 3))
    for t in seams:
        seam = np.abs(seen.at - t) < 2.5 / FPS
        rest = inside & ~seam
        print(
            f"\nseam at {t} s: speed {seen.speed[seam].max():.2f} (elsewhere up to {seen.speed[rest].max():.2f}), ",
            end="",
        )
        print(f"jolt {seen.jolt[seam].max():.2f} ({seen.jolt[rest].max():.2f}), ", end="")
        print(f"change {seen.change[seam].max():.2f} ({seen.change[rest & coded_anew].max():.2f})", end="")
        assert seen.speed[seam].max() <= seen.speed[rest].max()
        assert seen.jolt[seam].max() <= seen.jolt[rest].max()
        # The seam is a keyframe of the loop, like seven others.
        assert seen.change[seam].max() <= 1.2 * seen.change[rest & coded_anew].max()


@pytest.mark.parametrize("fault", ["a second is cut out", "it stands still for half a second", "a picture comes twice"])
def test_the_measures_see_a_jump_and_a_freeze(pack: Pack, take: Take, seen: Seen, fault: str) -> None:
    """At the change where the head moves most."""
    middle = int(np.searchsorted(take.times, take.state("thinking")[0] + 0.25))
    pictures = take.pictures[middle - 30 : middle + 60]
    if fault == "a second is cut out":
        spoilt = pictures[:30] + pictures[55:]
    elif fault == "it stands still for half a second":
        spoilt = pictures[:30] + [pictures[30]] * 12 + pictures[30:]
    else:
        spoilt = [*pictures[:30], pictures[26], *pictures[30:]]
    found = look(pack, np.arange(len(spoilt)) / FPS, spoilt)
    good = look(pack, np.arange(len(pictures)) / FPS, pictures)
    print(f"\n{fault}: jolt {found.jolt.max():.2f} (was {good.jolt.max():.2f}), frozen {found.frozen}")
    assert found.jolt.max() > 0.6 or found.frozen > 8
    assert good.jolt.max() <= 0.6
    assert good.frozen <= 8
