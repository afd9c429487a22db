"""What a face does beside speaking, unlike any moment before: gaze, blinks, breath, sway, brows, nods, posture, sleep.

Everything is drawn from one seeded generator and sampled by stage time, so that a session replays exactly.
Signs as the viewer sees them: yaw right, pitch up, roll clockwise are positive. What a face does while nothing at all
happens is not made here: see :mod:`visavis.motion.loops` and :mod:`visavis.motion.flow`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from typing import Final

import numpy as np

from visavis.motion.articulation import smootherstep
from visavis.motion.curves import Noise, Spring, bump
from visavis.motion.eyes import Blinks, Gaze
from visavis.motion.pose import (
    BREATH,
    CHANNELS,
    DOWN,
    INNER,
    OUTER,
    PITCH,
    ROLL,
    SHIFT_X,
    SHIFT_Y,
    YAW,
    Pose,
)


class Mode(Enum):
    """What the digital human is doing."""

    IDLE = 0
    LISTENING = 1
    THINKING = 2
    SPEAKING = 3
    ASLEEP = 4


# One row a mode, in the order of Mode; between modes the rows are mixed by smoothly moving weights.
# sway, extra sway while speaking, head pitch, head roll, head yaw to the side one looks to (degrees), brows raised
# (inner, outer), brows down, breath period (s), pace of blinks
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
_POSTURE_RATE: Final = 2.2  # of a change of posture: two seconds and a half
_POSTURE: Final = np.array([0.012, 0.9, 1.1])  # shift x (heights of the face), roll and yaw (degrees) at most
_POSTURE_GAPS: Final = (6.0, 14.0)  # seconds between two of them
_BEAT: Final = 0.42  # length of a nod, seconds
_NOD_PITCH: Final = 2.2  # degrees the head dips at a beat of strength 1
_BEAT_BROWS: Final = (0.09, 0.12)  # how far the brows rise at it, inner and outer
_NOD_GAP: Final = 1.6  # seconds after a nod within which none begins
_NOD_GAPS: Final = (2.2, 5.5)  # seconds between the nods of one who listens
_DOUBLE_NOD: Final = 0.4  # part of them that are two in a row


@dataclass(frozen=True, slots=True)
class _Beat:
    start: float
    strength: float
    brows: float

    def at(self, t: float) -> float:
        return self.strength * bump((t - self.start) / _BEAT)


def _one_hot(mode: Mode) -> list[float]:
    return [1.0 if mode is each else 0.0 for each in Mode]


class Life:
    """Seeded life, sampled at stage times that never run backwards."""

    def __init__(self, rng: np.random.Generator, mode: Mode = Mode.IDLE) -> None:
        blink, gaze, sway, talk, brow, self._nods, self._postures = rng.spawn(7)
        self._blinks = Blinks(blink)
        self._gaze = Gaze(gaze)
        self._sway = Noise(sway, 5, 0.06, 0.45)
        self._talk = Noise(talk, 3, 0.4, 1.1)
        self._brow = Noise(brow, 1, 0.1, 0.5)
        self._mode = mode
        self._weights = Spring(_one_hot(mode), _RATE)
        self._side = Spring([0.0], 4.0)
        self._posture = Spring([0.0, 0.0, 0.0], _POSTURE_RATE)
        self._next_posture = self._postures.uniform(*_POSTURE_GAPS)
        self._phase = 0.0
        self._last = 0.0
        self._beats: list[_Beat] = []  # in order of their beginning
        self._nodded = -math.inf
        self._next_nod = math.inf

    @property
    def mode(self) -> Mode:
        return self._mode

    def set_mode(self, mode: Mode, t: float) -> None:
        """Go over to ``mode`` from ``t`` on; head, brows and lids follow without a jump in place or speed."""
        if mode is self._mode:
            return
        if self._mode is Mode.ASLEEP:
            self._blinks.postpone(t + 1.1)  # one wakes with a blink
        self._mode = mode
        self._weights.retarget(t, _one_hot(mode))
        self._gaze.react(t)
        self._side.retarget(t, [self._gaze.side])
        # Who begins to listen does not nod at the first word.
        self._next_nod = t + self._nods.uniform(*_NOD_GAPS) if mode is Mode.LISTENING else math.inf

    def take_over(self, t: float, pose: Pose, rising: bool) -> None:
        """Go on from ``pose`` at ``t``, where breath (``rising``: in) and eyes are concerned."""
        depth = min(1.0, max(0.0, pose.breath()))
        phase = math.acos(1.0 - 2.0 * depth) / (2 * math.pi)
        self._phase, self._last = (phase if rising else 1.0 - phase), t
        self._gaze.hold(t, pose.gaze)
        if self._mode is not Mode.ASLEEP:
            self._gaze.react(t)

    def take_over_blink(self, start: float) -> None:
        """A blink has begun at ``start``."""
        self._blinks.postpone(start)

    def beat(self, t: float, strength: float, brows: float = 1.0) -> None:
        """Stress with the head (``strength`` 0..1) and the brows (``brows`` 0..1, a part of it) around ``t``."""
        self._add_beats(_Beat(t - _BEAT / 2, strength, brows))

    def forget_beats(self, t: float) -> None:
        """Drop the beats that have not begun at ``t``."""
        self._beats = [beat for beat in self._beats if beat.start < t]

    def nod(self, t: float) -> None:
        """Nod twice, slightly, as a listener does in a pause; too soon after the last nod it does nothing."""
        if self._mode is not Mode.LISTENING or t - self._nodded < _NOD_GAP:
            return
        self._nodded = t
        self._next_nod = t + self._nods.uniform(*_NOD_GAPS)
        self._add_beats(_Beat(t + 0.1, 1.0, 0.2), _Beat(t + 0.1 + _BEAT, 0.6, 0.0))

    @property
    def breathing_in(self) -> bool:
        return self._phase < 0.5

    def beating(self, t: float) -> bool:
        """Whether a beat is going on at ``t`` or to come."""
        self._drop_beats(t)
        return bool(self._beats)

    def sample(self, t: float) -> Pose:
        """Life at stage time ``t``."""
        self._stir(t)
        weights = np.clip(self._weights.value(t), 0.0, 1.0)
        sway, talk, pitch, roll, yaw, inner, outer, down, period, pace = (float(v) for v in weights @ _LOOK)
        awake = 1.0 - float(weights[Mode.ASLEEP.value])
        side = float(self._side.value(t)[0])
        stress, brow = self._stress(t)
        slow, quick = self._sway.value(t), self._talk.value(t)
        leaning = awake * self._posture.value(t)
        lively = 0.025 * awake * (1.0 + float(self._brow.value(t)[0]))
        smooth = np.zeros(CHANNELS)
        smooth[YAW] = side * yaw + sway * slow[0] + talk * quick[0] + leaning[2]
        smooth[PITCH] = pitch + 0.8 * sway * slow[1] + talk * quick[1] - _NOD_PITCH * stress
        smooth[ROLL] = roll + 0.6 * sway * slow[2] + 0.6 * talk * quick[2] + leaning[1]
        smooth[SHIFT_X] = 0.006 * sway * slow[3] + leaning[0]
        smooth[SHIFT_Y] = 0.004 * sway * slow[4] + 0.01 * (1.0 - awake) + 0.003 * stress
        smooth[INNER] = inner + lively + _BEAT_BROWS[0] * brow
        smooth[OUTER] = outer + lively + _BEAT_BROWS[1] * brow
        smooth[DOWN] = down
        smooth[BREATH] = self._breathe(t, period)
        asleep = smootherstep((1.0 - awake) / 0.97)
        blink = 0.0 if self._mode is Mode.ASLEEP else self._blinks.value(t, pace)
        yaw, pitch = self._gaze.value(t, _GLANCES[self._mode], self._mode is Mode.THINKING)
        gaze = (yaw * awake, pitch * awake - 5.0 * (1.0 - awake))
        return Pose(smooth, gaze, max(blink, asleep))

    def _stir(self, t: float) -> None:
        """What happens by itself at its time: a listener's nod, another posture."""
        if t >= self._next_nod:
            rng = self._nods
            if t - self._next_nod < 0.5 and t - self._nodded >= _NOD_GAP:  # else there were no frames: not made up for
                self._nodded = t
                strength = rng.uniform(0.5, 1.0)
                self._add_beats(_Beat(t, strength, rng.uniform(0.0, 0.4)))
                if rng.random() < _DOUBLE_NOD:
                    self._add_beats(_Beat(t + 0.9 * _BEAT, 0.6 * strength, 0.0))
            self._next_nod = t + rng.uniform(*_NOD_GAPS)
        if t >= self._next_posture:
            self._next_posture = t + self._postures.uniform(*_POSTURE_GAPS)
            self._posture.retarget(t, _POSTURE * self._postures.uniform(-1.0, 1.0, 3))

    def _breathe(self, t: float, period: float) -> float:
        self._phase = (self._phase + max(0.0, min(t - self._last, 1.0)) / max(period, 1.0)) % 1.0
        self._last = max(t, self._last)
        return 0.5 * (1.0 - math.cos(2 * math.pi * self._phase))

    def _add_beats(self, *beats: _Beat) -> None:
        self._beats = sorted([*self._beats, *beats], key=lambda beat: beat.start)

    def _drop_beats(self, t: float) -> None:
        while self._beats and t > self._beats[0].start + _BEAT:
            self._beats.pop(0)

    def _stress(self, t: float) -> tuple[float, float]:
        """Of the head, and of the brows."""
        self._drop_beats(t)
        started = [beat for beat in self._beats if beat.start < t]
        return sum(beat.at(t) for beat in started), sum(beat.brows * beat.at(t) for beat in started)
