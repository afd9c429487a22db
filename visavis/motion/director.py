"""The director: one motion frame from speech, gestures, life and its loops."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from visavis.motion.articulation import SpeechTrack
from visavis.motion.flow import Flow
from visavis.motion.frame import MotionFrame
from visavis.motion.gestures import Gesture, Gestures, smile_into
from visavis.motion.hearing import HearingTrack
from visavis.motion.life import Mode
from visavis.motion.loops import ASLEEP
from visavis.motion.pose import Pose
from visavis.motion.stress import beats

_BEAT_GAP: Final = 0.7  # seconds between two syllables that the head marks
_MARKED: Final = 0.8  # part of the prominent syllables that it does mark
_BROWED: Final = 0.55  # part of the marks in which the brows take part


class Director:
    """Directs one face. Deterministic for a given generator and the same calls; times never run backwards."""

    def __init__(self, rng: np.random.Generator, mode: Mode = Mode.IDLE, fps: float = 25) -> None:
        """``fps``: at which rate frames are asked for; the loops have a frame for each. Raises ValueError for a rate
        at which a loop has no whole number of frames."""
        self._beats, life = rng.spawn(2)
        self._flow = Flow(life, mode, fps)
        self._speech = SpeechTrack()
        self._heard = HearingTrack()
        self._gestures = Gestures()
        self._last_beat = -np.inf
        self._now = 0.0

    @property
    def mode(self) -> Mode:
        return self._flow.mode

    def speak(self, phonemes: Sequence[tuple[str, float, float]], offset: float) -> None:
        """Move lips to a sentence: (phoneme, start, end) in seconds from its beginning, heard from ``offset`` on.

        Raises ValueError on impossible times.
        """
        self._speech.add(phonemes, offset)
        for middle, strength in beats(phonemes, _BEAT_GAP):
            at = offset + middle
            if at - self._last_beat >= _BEAT_GAP and self._beats.random() < _MARKED:
                brows = float(self._beats.uniform(0.5, 1.0)) if self._beats.random() < _BROWED else 0.0
                self._flow.life.beat(at, strength * float(self._beats.uniform(0.7, 1.0)), brows)
                self._last_beat = at

    def speak_sound(self, pcm: npt.NDArray[np.int16], sample_rate: int, offset: float) -> None:
        """Move lips to sound that has no phoneme timings, heard from ``offset`` on (see :mod:`visavis.motion.hearing`)."""
        self._heard.add(pcm, sample_rate, offset)

    def gesture(self, name: Gesture, t: float) -> None:
        """Nod, shake the head, smile or greet from ``t`` on (now or to come), beside whatever else goes on.

        One that goes on already is not begun anew. Raises ValueError for an unknown name.
        """
        self._gestures.add(name, t)

    def hush(self, t: float) -> None:
        """Stop speaking at ``t``: the mouth closes within 120 ms; later sentences and gestures are forgotten."""
        self._speech.clear(t)
        self._heard.clear(t)
        self._flow.life.forget_beats(t)
        self._gestures.forget(t)
        self._last_beat = min(self._last_beat, t)

    def set_mode(self, mode: Mode, t: float) -> None:
        """Go over to ``mode`` smoothly from ``t`` on."""
        self._flow.set_mode(mode, t)

    def pause(self, t: float) -> None:
        """The person pauses: a listening face nods slightly."""
        self._flow.life.nod(t)

    def resting(self, t: float) -> bool:
        """Whether the frames from ``t`` on are those of the asleep loop, until something is called."""
        on = self._flow.on_loop(t)
        return on is not None and on[0].name == ASLEEP and self._silent(t)

    def frame(self, t: float) -> MotionFrame:
        """The motion at stage time ``t`` (seconds). A time before the last one counts as the last one.

        Where nothing goes on, the frame is one of a loop's (:attr:`MotionFrame.loop`), and its blendshapes are shared.
        """
        now = self._now = max(self._now, t)
        on, silent, mouth = self._flow.on_loop(now), self._silent(now), self._speech.sample(now)
        if on is not None and silent:
            frame = on[0].frame(on[1])
            frame.pts = t
            return frame
        pose = self._flow.sample(now)
        added, smile = self._gestures.sample(now)
        pose = Pose(pose.smooth + added, pose.gaze, pose.lids)
        shapes = pose.shapes()
        shapes += mouth
        if not self._heard.resting(now):
            np.maximum(shapes, self._heard.sample(now), out=shapes)
        smile_into(shapes, smile)
        np.clip(shapes, 0.0, 1.0, out=shapes)
        return MotionFrame(
            pts=t,
            blendshapes=shapes,
            head=pose.head(),
            gaze=pose.radians(),
            breath=pose.breath(),
            gesture=self._gestures.begun(now),
        )

    def _silent(self, t: float) -> bool:
        """Whether neither mouth nor gestures move at ``t``."""
        return self._speech.resting(t) and self._heard.resting(t) and not self._gestures.active(t)
