"""Which mode the face is in: it follows the person, the answer and the voice, whose events overlap."""

from __future__ import annotations

from visavis.dialogue.actions import action_for
from visavis.motion.director import Director
from visavis.motion.life import Mode
from visavis.session.stage import Stage


class Face:
    """Sets the director's mode. A voice covers what the face would show without it; sleep covers idling."""

    def __init__(self, director: Director, stage: Stage, *, gestures: bool = False) -> None:
        """``gestures``: nod, shake, smile or greet, as fits what is said."""
        self._director, self._stage, self._gestures = director, stage, gestures
        self._mood = Mode.IDLE
        self._asleep = False

    def person(self, speaking: bool) -> None:
        """The person begins or stops to speak."""
        if not speaking:
            self._director.pause(self._stage.now)
        self._mood = Mode.LISTENING if speaking else Mode.THINKING
        self._director.set_mode(self._mood, self._stage.now)

    def thinks(self) -> None:
        """A question is complete."""
        self._mood = Mode.THINKING
        self._director.set_mode(self._mood, self._stage.now)

    def answered(self) -> None:
        """There is nothing more to think about; who listens again meanwhile goes on listening."""
        if self._mood is Mode.THINKING:
            self._mood = Mode.IDLE
        self._show()

    def voice(self, sounding: bool) -> None:
        """The digital human's voice begins or stops."""
        if sounding:
            self._mood = Mode.IDLE if self._mood is Mode.THINKING else self._mood
            self._director.set_mode(Mode.SPEAKING, self._stage.now)
        else:
            self._show()

    def says(self, sentence: str, language: str) -> None:
        """A sentence begins to sound."""
        if self._gestures and (gesture := action_for(sentence, language)) is not None:
            self._director.gesture(gesture, self._stage.now)

    def sleep(self, asleep: bool) -> None:
        """Fall asleep, or wake."""
        self._asleep = asleep
        if asleep:
            self._mood = Mode.IDLE
            self._director.set_mode(Mode.ASLEEP, self._stage.now)
            self._stage.rest(True)
        else:
            self._stage.rest(False)
            self._show()

    def _show(self) -> None:
        if not self._stage.speaking:
            resting = self._asleep and self._mood is Mode.IDLE
            self._director.set_mode(Mode.ASLEEP if resting else self._mood, self._stage.now)
