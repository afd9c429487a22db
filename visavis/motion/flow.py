"""Between life and its loops: out of a loop when something happens, back onto it when nothing does.

The pose is a mixture of both whose share glides (C2), so that neither place nor speed jumps, whenever the mode changes.
Lids and gaze have one owner at a time: the loop only once it has the pose to itself, life until then.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from visavis.motion.curves import Glide
from visavis.motion.life import Life, Mode
from visavis.motion.loops import ASLEEP, IDLE, Loop, loop
from visavis.motion.pose import BREATH, CHANNELS, PITCH, ROLL, SHIFT_X, SHIFT_Y, YAW, Pose

LEAVE: Final = 0.7
"""Seconds a face takes to leave a loop ..."""
JOIN: Final = 1.6
"""... and to glide back onto it ..."""
SETTLE: Final = {Mode.IDLE: 0.9, Mode.ASLEEP: 1.5}
"""... this many seconds after its mode was set (the lids are shut by then)."""
_LOOP: Final = {Mode.IDLE: IDLE, Mode.ASLEEP: ASLEEP}

# How much it matters for where a loop is joined: what moves most visibly must not have far to go.
_WEIGHTS: Final = np.zeros(CHANNELS)
_WEIGHTS[[YAW, PITCH, ROLL, SHIFT_X, SHIFT_Y, BREATH]] = (1.0, 1.0, 1.0, 60.0, 60.0, 2.5)


class Flow:
    """Life and loops as one; ``Life``'s calls go to :attr:`life`, but for the mode. Times never run backwards."""

    def __init__(self, rng: np.random.Generator, mode: Mode, fps: float) -> None:
        """Begins on the loop of ``mode``, if it has one. Raises ValueError for a rate that the loops cannot have."""
        phase, living = rng.spawn(2)
        self.life = Life(living, mode)
        self._fps = fps
        self._loops = {mode: loop(name, fps) for mode, name in _LOOP.items()}
        self._on: Loop = self._loops.get(mode, self._loops[Mode.IDLE])
        self._joined = mode in _LOOP
        self._away = Glide(0.0 if self._joined else 1.0)
        self._offset = int(phase.integers(self._on.frames))  # the loop's frame at the stage's frame 0
        self._since = -np.inf

    @property
    def mode(self) -> Mode:
        return self.life.mode

    def set_mode(self, mode: Mode, t: float) -> None:
        """Go over to ``mode`` smoothly from ``t`` on."""
        if mode is self.life.mode:
            return
        self.leave(t)
        self._since = t
        self.life.set_mode(mode, t)

    def leave(self, t: float) -> None:
        """Something happens at ``t``: leave the loop, if the face is on it or on its way."""
        if self._joined:
            self._hand_over(t)
            self._joined = False
        if self._away.target != 1.0:
            self._away.retarget(t, 1.0, LEAVE)
        self._since = max(self._since, t)

    def on_loop(self, t: float) -> tuple[Loop, int] | None:
        """The loop and its frame at ``t``, if the face is on it; None: sample."""
        self._move(t)
        return (self._on, self._index(t)) if self._joined else None

    def sample(self, t: float) -> Pose:
        """The pose at ``t``; a loop's own, not to be changed, if the face is on it."""
        self._move(t)
        if self._joined:
            return self._on.pose(self._index(t))
        pose = self.life.sample(t)
        away = self._away.value(t)
        if away != 1.0:
            pose.smooth += (1.0 - away) * (self._on.pose(self._index(t)).smooth - pose.smooth)
        if self._away.target == 0.0 and self._away.done(t):
            self._join(t, pose)
        return pose

    def _join(self, t: float, pose: Pose) -> None:
        """Let the loop have lids and gaze from the next frame on, unless a blink is under way on either side."""
        resting = pose.lids == 0.0 or self.life.mode is Mode.ASLEEP
        k = self._index(t)
        self._joined = resting and not self._on.blinking(k) and not self._on.blinking(k + 1)

    def _move(self, t: float) -> None:
        """Begin to glide onto the loop of the mode, if it is time to; leave it to mark a syllable."""
        if self._joined and self.life.beating(t):
            self.leave(t)
        wanted = self._loops.get(self.life.mode)
        if wanted is None or self._joined or self._away.target == 0.0:
            return
        if t < self._since + SETTLE[self.life.mode] or self.life.beating(t):
            return
        if self._away.done(t):
            self._on = wanted
            self._offset = self._nearest(t) - round(t * self._fps)
        elif wanted is not self._on:
            return  # still leaving another one
        self._away.retarget(t, 0.0, JOIN)

    def _index(self, t: float) -> int:
        return (self._offset + round(t * self._fps)) % self._on.frames

    def _nearest(self, t: float) -> int:
        """The frame at which to join: the one from which the loop is nearest to where life is, and goes the same way."""
        here = self.life.sample(t).smooth
        poses = np.array([self._on.pose(k).smooth for k in range(self._on.frames)])
        rising = np.roll(poses[:, BREATH], -1) - poses[:, BREATH]
        # Half way through the glide the loop leads: by then it has gone on by so many frames.
        ahead = np.roll(poses, -round(JOIN / 2 * self._fps), axis=0)
        cost = (((ahead - here) * _WEIGHTS)[:, :BREATH] ** 2).sum(axis=1)
        cost += ((poses[:, BREATH] - here[BREATH]) * _WEIGHTS[BREATH]) ** 2
        cost += np.where((rising > 0) == self.life.breathing_in, 0.0, 1.0)
        return int(cost.argmin())

    def _hand_over(self, t: float) -> None:
        k = self._index(t)
        here, there = self._on.pose(k), self._on.pose(k + 1)
        self.life.take_over(t, here, rising=bool(there.smooth[BREATH] >= here.smooth[BREATH]))
        if self._on.blinking(k):
            first = k
            while self._on.blinking(first - 1):
                first -= 1
            self.life.take_over_blink(t - (k - first) / self._fps)
        elif self.life.mode is not Mode.ASLEEP:
            self.life.take_over_blink(t + 1.5)
