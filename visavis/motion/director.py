"""The director: one motion frame from speech and life."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from visavis.motion.articulation import SpeechTrack
from visavis.motion.envelope import EnvelopeTrack
from visavis.motion.frame import MotionFrame
from visavis.motion.life import Life, Mode
from visavis.motion.visemes import Viseme, visemes_of

_BEAT_GAP: Final = 0.7  # seconds between two stressed syllables that the head marks
_LONG_VOWEL: Final = 0.11  # seconds; where a voice tells no stress, long open vowels are taken for it
_OPEN: Final = frozenset((Viseme.aa, Viseme.E, Viseme.oh))


class Director:
    """Directs one face. Deterministic for a given generator and the same calls; times never run backwards."""

    def __init__(self, rng: np.random.Generator, mode: Mode = Mode.IDLE) -> None:
        self._beats, life = rng.spawn(2)
        self._life = Life(life, mode)
        self._speech = SpeechTrack()
        self._envelope = EnvelopeTrack()
        self._last_beat = -np.inf
        self._now = 0.0

    @property
    def mode(self) -> Mode:
        return self._life.mode

    def speak(self, phonemes: Sequence[tuple[str, float, float]], offset: float) -> None:
        """Move lips to a sentence: (phoneme, start, end) in seconds from its beginning, heard from ``offset`` on.

        Raises ValueError on impossible times.
        """
        self._speech.add(phonemes, offset)
        marked = any("ˈ" in phoneme for phoneme, _, _ in phonemes)
        stressed = False
        for phoneme, start, end in phonemes:
            stressed = stressed or "ˈ" in phoneme
            vowel = any(viseme in _OPEN for viseme, _ in visemes_of(phoneme))
            if not vowel or not (stressed if marked else end - start >= _LONG_VOWEL):
                continue
            stressed = False
            at = offset + (start + end) / 2
            if at - self._last_beat >= _BEAT_GAP and self._beats.random() < 0.7:
                self._life.beat(at, float(self._beats.uniform(0.4, 1.0)))
                self._last_beat = at

    def speak_sound(self, pcm: npt.NDArray[np.int16], sample_rate: int, offset: float) -> None:
        """Move the jaw to the loudness of sound that has no phoneme timings, heard from ``offset`` on."""
        self._envelope.add(pcm, sample_rate, offset)

    def hush(self, t: float) -> None:
        """Stop speaking at ``t``: the mouth closes within 120 ms and later sentences are forgotten."""
        self._speech.clear(t)
        self._envelope.clear(t)
        self._life.forget_beats(t)
        self._last_beat = min(self._last_beat, t)

    def set_mode(self, mode: Mode, t: float) -> None:
        """Go over to ``mode`` smoothly from ``t`` on."""
        self._life.set_mode(mode, t)

    def pause(self, t: float) -> None:
        """The person pauses: a listening face nods slightly."""
        self._life.nod(t)

    def resting(self, t: float) -> bool:
        """Whether every frame from ``t`` on equals the next, until something is called: asleep and settled."""
        return self._life.settled(t) and self._speech.resting(t) and self._envelope.resting(t)

    def frame(self, t: float) -> MotionFrame:
        """The motion at stage time ``t`` (seconds). A time before the last one counts as the last one."""
        self._now = max(self._now, t)
        living = self._life.sample(self._now)
        shapes = living.shapes
        shapes += self._speech.sample(self._now)
        if not self._envelope.resting(self._now):
            np.maximum(shapes, self._envelope.sample(self._now), out=shapes)
        np.clip(shapes, 0.0, 1.0, out=shapes)
        return MotionFrame(pts=t, blendshapes=shapes, head=living.head, gaze=living.gaze, breath=living.breath)
