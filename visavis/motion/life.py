"""What a face does beside speaking: blinks, gaze, breath, sway, brows, sleep.

Everything is drawn from one seeded generator and sampled by stage time, so that a session replays exactly.
Signs as the viewer sees them: yaw right, pitch up, roll clockwise are positive.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from typing import Final

import numpy as np

from visavis.motion.articulation import Shapes, smootherstep
from visavis.motion.curves import Noise, Spring, bump
from visavis.motion.eyes import Blinks, Gaze
from visavis.motion.frame import ARKIT, ARKIT_INDEX, Head


class Mode(Enum):
    """What the digital human is doing."""

    IDLE = 0
    LISTENING = 1
    THINKING = 2
    SPEAKING = 3
    ASLEEP = 4


@dataclass(slots=True)
class Living:
    """A moment of life: eyes and brows in ``shapes`` (52,), head, gaze in radians, breath 0..1."""

    shapes: Shapes
    head: Head
    gaze: tuple[float, float]
    breath: float


# One row a mode, in the order of Mode; between modes the rows are mixed by smoothly moving weights.
# sway, extra sway while speaking, head pitch, head roll, head yaw (degrees), brows raised (inner, outer), brows down,
# breath period (s), pace of blinks
_LOOK: Final = np.array(
    [
        [1.3, 0.0, 0.0, 0.0, 0.0, 0.00, 0.00, 0.00, 4.0, 1.00],
        [0.9, 0.0, -0.6, 1.2, 0.0, 0.06, 0.05, 0.00, 4.2, 1.15],
        [1.1, 0.0, 0.8, -0.8, 1.8, 0.12, 0.00, 0.10, 4.2, 1.00],
        [1.5, 0.9, 0.0, 0.0, 0.0, 0.03, 0.03, 0.00, 3.6, 0.80],
        [0.0, 0.0, -5.0, 1.0, 0.0, 0.00, 0.00, 0.00, 6.0, 1.00],
    ]
)
_GLANCES: Final = {Mode.IDLE: 0.16, Mode.LISTENING: 0.03, Mode.THINKING: 0.3, Mode.SPEAKING: 0.1, Mode.ASLEEP: 0.0}

_RATE: Final = 7.0  # of the springs between modes, 1/s: eyes are shut 0.8 s after falling asleep
_BREATH_RATE: Final = 2.5
_LAST_BREATHS: Final = 2.5  # seconds asleep after which the visible breath fades
_SETTLED: Final = 7.0  # seconds asleep after which nothing moves any more
_BEAT: Final = 0.42  # length of a nod, seconds
_NOD_GAP: Final = 2.2
_LOOK_FULL: Final = 30.0  # degrees of gaze for an eyeLook shape of 1
_DEG: Final = math.pi / 180.0

_INNER = ARKIT_INDEX["browInnerUp"]
_OUTER = [ARKIT_INDEX["browOuterUpLeft"], ARKIT_INDEX["browOuterUpRight"]]
_DOWN = [ARKIT_INDEX["browDownLeft"], ARKIT_INDEX["browDownRight"]]
_LIDS = [ARKIT_INDEX["eyeBlinkLeft"], ARKIT_INDEX["eyeBlinkRight"]]
# The viewer's right is the person's left.
_GAZE_RIGHT = [ARKIT_INDEX["eyeLookOutLeft"], ARKIT_INDEX["eyeLookInRight"]]
_GAZE_LEFT = [ARKIT_INDEX["eyeLookInLeft"], ARKIT_INDEX["eyeLookOutRight"]]
_GAZE_UP = [ARKIT_INDEX["eyeLookUpLeft"], ARKIT_INDEX["eyeLookUpRight"]]
_GAZE_DOWN = [ARKIT_INDEX["eyeLookDownLeft"], ARKIT_INDEX["eyeLookDownRight"]]


def _one_hot(mode: Mode) -> list[float]:
    return [1.0 if mode is each else 0.0 for each in Mode]


class Life:
    """Seeded life, sampled at stage times that never run backwards."""

    def __init__(self, rng: np.random.Generator, mode: Mode = Mode.IDLE) -> None:
        blink, gaze, sway, talk, brow = rng.spawn(5)
        self._blinks = Blinks(blink)
        self._gaze = Gaze(gaze)
        self._sway = Noise(sway, 5, 0.06, 0.45)
        self._talk = Noise(talk, 3, 0.4, 1.1)
        self._brow = Noise(brow, 1, 0.1, 0.5)
        self._mode = mode
        self._since = -math.inf
        self._weights = Spring(_one_hot(mode), _RATE)
        self._breath_depth = Spring([0.0 if mode is Mode.ASLEEP else 1.0], _BREATH_RATE)
        self._breath_fading = mode is Mode.ASLEEP
        self._phase = 0.0
        self._last = 0.0
        self._beats: list[tuple[float, float]] = []  # (start, strength), in order
        self._nodded = -math.inf

    @property
    def mode(self) -> Mode:
        return self._mode

    def set_mode(self, mode: Mode, t: float) -> None:
        """Go over to ``mode`` from ``t`` on; head, brows and lids follow without a jump in place or speed."""
        if mode is self._mode:
            return
        if self._mode is Mode.ASLEEP:
            self._blinks.postpone(t + 1.1)  # one wakes with a blink
        self._mode, self._since = mode, t
        self._weights.retarget(t, _one_hot(mode))
        if mode is not Mode.ASLEEP and self._breath_fading:
            self._breath_depth.retarget(t, [1.0])
            self._breath_fading = False
        self._gaze.react(t)

    def beat(self, t: float, strength: float) -> None:
        """Stress with head and brows at ``t``, ``strength`` 0..1."""
        self._beats.append((t - _BEAT / 2, strength))
        self._beats.sort()

    def forget_beats(self, t: float) -> None:
        """Drop the beats that have not begun at ``t``."""
        self._beats = [beat for beat in self._beats if beat[0] < t]

    def nod(self, t: float) -> None:
        """Nod twice, slightly, as a listener does in a pause; too soon after the last nod it does nothing."""
        if self._mode is not Mode.LISTENING or t - self._nodded < _NOD_GAP:
            return
        self._nodded = t
        self._beats += [(t + 0.1, 1.6), (t + 0.1 + _BEAT, 0.9)]
        self._beats.sort()

    def settled(self, t: float) -> bool:
        """Asleep, and nothing moves until the mode changes."""
        return self._mode is Mode.ASLEEP and t - self._since >= _SETTLED

    def sample(self, t: float) -> Living:
        """Life at stage time ``t``."""
        settled = self.settled(t)
        if settled:
            self._weights.snap(t)
            self._breath_depth.snap(t)
            self._beats.clear()
        elif self._mode is Mode.ASLEEP and not self._breath_fading and t - self._since >= _LAST_BREATHS:
            self._breath_depth.retarget(t, [0.0])
            self._breath_fading = True
        weights = np.clip(self._weights.value(t), 0.0, 1.0)
        sway, talk, pitch, roll, yaw, inner, outer, down, period, pace = (float(v) for v in weights @ _LOOK)
        awake = 1.0 - float(weights[Mode.ASLEEP.value])
        stress, brow = self._stress(t), float(self._brow.value(t)[0])
        slow, quick = self._sway.value(t), self._talk.value(t)
        head = Head(
            yaw=_DEG * (yaw + sway * float(slow[0]) + talk * float(quick[0])),
            pitch=_DEG * (pitch + sway * 0.8 * float(slow[1]) + talk * float(quick[1]) - 1.3 * stress),
            roll=_DEG * (roll + sway * 0.6 * float(slow[2]) + talk * 0.6 * float(quick[2])),
            shift_x=0.006 * sway * float(slow[3]),
            shift_y=0.004 * sway * float(slow[4]) + 0.01 * (1.0 - awake) + 0.003 * stress,
        )
        shapes = np.zeros(len(ARKIT), np.float32)
        lively = awake * max(0.0, brow)
        shapes[_INNER] = inner + 0.05 * lively + 0.05 * stress
        shapes[_OUTER] = outer + 0.05 * lively + 0.07 * stress
        shapes[_DOWN] = down
        gaze = self._look(t, weights, settled, shapes)
        blink = 0.0 if self._mode is Mode.ASLEEP else self._blinks.value(t, pace)
        asleep = smootherstep((1.0 - awake) / 0.97)
        shapes[_LIDS] = max(blink, asleep, 0.5 * float(shapes[_GAZE_DOWN[0]]) * awake)
        np.clip(shapes, 0.0, 1.0, out=shapes)
        return Living(shapes, head, gaze, self._breathe(t, period))

    def _look(self, t: float, weights: np.ndarray, settled: bool, shapes: Shapes) -> tuple[float, float]:
        """Set the eyeLook shapes; gaze in radians."""
        asleep = float(weights[Mode.ASLEEP.value])
        yaw, pitch = 0.0, 0.0
        if not settled:
            yaw, pitch = self._gaze.value(t, _GLANCES[self._mode], self._mode is Mode.THINKING)
        yaw, pitch = yaw * (1 - asleep), pitch * (1 - asleep) - 5.0 * asleep
        shapes[_GAZE_RIGHT if yaw > 0 else _GAZE_LEFT] = min(1.0, abs(yaw) / _LOOK_FULL)
        shapes[_GAZE_UP if pitch > 0 else _GAZE_DOWN] = min(1.0, abs(pitch) / _LOOK_FULL)
        return yaw * _DEG, pitch * _DEG

    def _breathe(self, t: float, period: float) -> float:
        self._phase = (self._phase + max(0.0, min(t - self._last, 1.0)) / max(period, 1.0)) % 1.0
        self._last = max(t, self._last)
        depth = float(np.clip(self._breath_depth.value(t)[0], 0.0, 1.0))
        return depth * 0.5 * (1.0 - math.cos(2 * math.pi * self._phase))

    def _stress(self, t: float) -> float:
        while self._beats and t > self._beats[0][0] + _BEAT:
            self._beats.pop(0)
        return sum(strength * bump((t - start) / _BEAT) for start, strength in self._beats if start < t)
