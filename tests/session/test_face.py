"""The face follows person, answer and voice whatever the order of their events."""

from __future__ import annotations

import numpy as np
import pytest

from visavis.motion.director import Director
from visavis.motion.life import Mode
from visavis.session.face import Face


class StillStage:
    now = 1.0
    speaking = False
    resting = False

    def rest(self, resting: bool) -> None:
        self.resting = resting


class Shown:
    def __init__(self) -> None:
        self.stage = StillStage()
        self.director = Director(np.random.default_rng(1))
        self.face = Face(self.director, self.stage)  # type: ignore[arg-type]

    def voice(self, sounding: bool) -> None:
        self.stage.speaking = sounding
        self.face.voice(sounding)

    @property
    def mode(self) -> Mode:
        return self.director.mode


@pytest.fixture
def shown() -> Shown:
    return Shown()


def test_a_whole_turn(shown: Shown) -> None:
    shown.face.person(True)
    assert shown.mode is Mode.LISTENING
    shown.face.person(False)
    shown.face.thinks()
    assert shown.mode is Mode.THINKING
    shown.voice(True)
    assert shown.mode is Mode.SPEAKING
    shown.face.answered()
    assert shown.mode is Mode.SPEAKING, "the answer is complete before it has been said"
    shown.voice(False)
    assert shown.mode is Mode.IDLE


def test_who_interrupts_is_listened_to(shown: Shown) -> None:
    shown.voice(True)
    shown.face.person(True)
    shown.face.answered()  # the old answer is cut ...
    shown.voice(False)  # ... and its voice falls silent
    assert shown.mode is Mode.LISTENING


def test_a_typed_question_into_an_answer_is_thought_about(shown: Shown) -> None:
    shown.voice(True)
    shown.face.answered()
    shown.face.thinks()
    shown.voice(False)
    assert shown.mode is Mode.THINKING
    shown.face.answered()
    assert shown.mode is Mode.IDLE


def test_asleep_it_stays_asleep_when_the_voice_falls_silent(shown: Shown) -> None:
    shown.voice(True)
    shown.face.sleep(True)
    shown.voice(False)
    shown.face.answered()
    assert shown.mode is Mode.ASLEEP
    assert shown.stage.resting
    shown.face.sleep(False)
    assert shown.mode is Mode.IDLE
    assert not shown.stage.resting


@pytest.mark.parametrize(
    ("gestures", "sentence", "language", "shown"),
    [
        (True, "Hello, nice to meet you!", "en", "greet"),
        (True, "你好！", "zh", "greet"),
        (True, "The museum opens at nine.", "en", None),
        (False, "Hello, nice to meet you!", "en", None),
    ],
)
def test_a_greeting_is_seen_if_the_room_wants_gestures(
    gestures: bool, sentence: str, language: str, shown: str | None
) -> None:
    director = Director(np.random.default_rng(1))
    face = Face(director, StillStage(), gestures=gestures)  # type: ignore[arg-type]
    face.says(sentence, language)
    named = {director.frame(1.0 + number / 25).gesture for number in range(50)}
    assert named - {None} == ({shown} if shown else set())
