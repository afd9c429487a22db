"""Words appear as they sound: their times in the sound, and what a client is told of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import soxr

from visavis.session.announcer import Announcer
from visavis.session.script import STAGE_RATE, TurnRecord, Utterance
from visavis.session.spec import JobSpec, RobotSpec, RtcUser
from visavis.session.subtitles import Timing, said, timed
from visavis.settings import Settings
from visavis.speech.embedded import EmbeddedSynthesiser
from visavis.speech.models import assemble
from visavis.speech.types import Language
from visavis.speech.whisper import WhisperRecogniser

# "Well, come in." as an engine tells it: a pause at the mark.
WELL: list[Timing] = [
    *[("", 0.0, 0.05), ("w", 0.05, 0.15), ("ɛ", 0.15, 0.3), ("l", 0.3, 0.4), ("", 0.4, 0.7)],
    *[("k", 0.7, 0.8), ("ʌ", 0.8, 0.9), ("m", 0.9, 1.0), ("ɪ", 1.0, 1.1), ("n", 1.1, 1.2), ("", 1.2, 1.4)],
]


def test_words_share_the_sound_between_pauses() -> None:
    words = timed("Well, come in.", "en", WELL, 1.4, True)
    assert [word.text for word in words] == ["Well, ", "come ", "in."]
    assert (words[0].start, words[0].end) == pytest.approx((0.05, 0.4))
    assert words[1].start == pytest.approx(0.7), "behind the pause, not in it"
    assert words[1].end == pytest.approx(words[2].start)
    assert words[2].end == pytest.approx(1.2)


def test_marks_that_nobody_pauses_at_do_no_harm() -> None:
    words = timed("Well, well, come, in.", "en", WELL, 1.4, True)
    starts = [word.start for word in words]
    assert starts == sorted(starts)
    assert words[-1].end == pytest.approx(1.2)


def test_numbers_take_the_time_of_their_words() -> None:
    def share(number: str) -> float:
        words = timed(f"In {number} there", "en", [("a", 0.0, 4.0)], 4.0, True)
        return words[1].end - words[1].start

    assert share("1987") > 1.5 * share("6")


def test_without_phonemes_words_share_the_length() -> None:
    words = timed("我们九点开门。", "zh", None, 2.1, True)
    assert [word.text for word in words] == ["我", "们", "九", "点", "开", "门。"]
    assert words[0].start == 0.0
    assert words[-1].end == pytest.approx(2.1)


def test_while_a_clause_is_still_to_come_the_first_has_its_times() -> None:
    text = "我们早上九点开门，下午五点关门。"
    first: list[Timing] = [("a", 0.05 * n, 0.05 * n + 0.05) for n in range(40)]
    words = timed(text, "zh", first, 2.2, False)
    opened = next(word for word in words if word.text == "门，")
    assert opened.end == pytest.approx(2.0, abs=0.05)
    assert all(word.start >= 2.0 for word in words[words.index(opened) + 1 :])
    assert said(words, 2.2) in (8, 9)


@pytest.mark.parametrize("text", ["", "…", "!!!", "   ", "😀"])
def test_what_is_never_said_has_no_words(text: str) -> None:
    assert timed(text, "en", None, 0.0, True) == []


def test_an_interrupted_sentence_keeps_whole_words_that_sounded() -> None:
    utterance = Utterance("Well, come in.", "en", "c", started=True, complete=True)
    utterance.add(round(1.4 * STAGE_RATE), WELL)
    for seconds, heard in ((0.3, ""), (0.65, "Well,"), (0.9, "Well,"), (1.02, "Well, come"), (1.4, "Well, come in.")):
        utterance.played = round(seconds * STAGE_RATE)
        assert utterance.heard == heard


# --- what the client is told -----------------------------------------------------------------------------------


class Told:
    def __init__(self, **spec: Any) -> None:
        users = [RtcUser(user_type="END_USER", user_id="u")]
        job = JobSpec(job_id="j", project_id="p", room_id="r", rtc_room_id="rtc", users=users, **spec)
        self.messages: list[dict[str, Any]] = []
        self.tell = Announcer(job, lambda text: self.messages.append(json.loads(text)))

    def words(self) -> list[tuple[str, float]]:
        found = self.of("bot-tts-text")
        return [(one["text"], one["pts"]) for one in found]

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [one["data"] for one in self.messages if one["type"] == kind]


def play(told: Told, utterance: Utterance, begin: float, until: float) -> None:
    """The stage's ticks: 20 ms each, the utterance's sound from ``begin`` of the stage clock on."""
    while utterance.played < min(until * STAGE_RATE, utterance.samples):
        utterance.played += 960
        told.tell.played(utterance, begin + utterance.played / STAGE_RATE)


def test_each_word_is_told_once_as_it_sounds_with_its_place_on_the_stage_clock() -> None:
    told = Told()
    utterance = Utterance("Well, come in.", "en", "c", started=True, complete=True)
    utterance.add(round(1.4 * STAGE_RATE), WELL)
    told.tell.sentence(utterance, 10.0)
    play(told, utterance, 10.0, 0.65)
    assert told.words() == [("Well, ", 10.05)], "what has not sounded is not told"
    play(told, utterance, 10.0, 1.4)
    assert told.words() == [("Well, ", 10.05), ("come ", 10.7), ("in.", pytest.approx(11.0, abs=0.08))]
    subtitle = told.of("server-message")[0]
    assert (subtitle["event"], subtitle["text"], subtitle["words"]) == ("subtitle", "Well, come in.", True)


def test_a_voice_that_goes_back_a_little_tells_no_word_twice() -> None:
    told = Told()
    utterance = Utterance("Well, come in.", "en", "c", started=True, complete=True)
    utterance.add(round(1.4 * STAGE_RATE), WELL)
    play(told, utterance, 10.0, 0.8)
    utterance.played -= round(0.3 * STAGE_RATE)  # a cough: it begins the word again
    play(told, utterance, 12.0, 1.4)
    assert [text for text, _ in told.words()] == ["Well, ", "come ", "in."]


def test_what_is_heard_so_far_is_no_final_transcription() -> None:
    told = Told()
    told.tell.partial("When do")
    told.tell.partial("")
    told.tell.partial("When do")
    told.tell.heard(TurnRecord("c", "When do you open?", "en"))
    assert [(one["text"], one["final"]) for one in told.of("user-transcription")] == [
        ("When do", False),
        ("When do you open?", True),
    ]


def test_what_turns_out_to_be_nothing_is_taken_back() -> None:
    told = Told()
    told.tell.nothing()
    assert told.messages == []
    told.tell.partial("Hm")
    told.tell.nothing()
    assert [(one["text"], one["final"]) for one in told.of("user-transcription")] == [("Hm", False), ("", True)]


def test_what_bridges_a_wait_is_not_remembered() -> None:
    filler = Utterance("One moment.", "en", "c", "filler", samples=1, played=1, complete=True, started=True)
    answer = Utterance("At nine.", "en", "c", samples=1, played=1, complete=True, started=True)
    record = TurnRecord("c", "When?", "en", utterances=[filler, answer])
    assert record.spoken == "At nine."


def test_who_changes_the_language_is_told_so_once() -> None:
    told = Told(default_language="zh")
    for language, text in (("zh", "你好"), ("en", "Hello"), ("en", "Hello again"), ("zh", "再见")):
        told.tell.heard(TurnRecord("c", text, language))  # type: ignore[arg-type]
    assert [one["language"] for one in told.of("server-message") if one["event"] == "languageInfoChange"] == [
        "EN",
        "CN",
    ]


def test_hot_questions_are_told_where_there_are_any() -> None:
    told = Told(robot=RobotSpec(hot_questions={"en": ["Who are you?"], "zh": ["你是谁？"]}))
    told.tell.hot_questions()
    assert told.of("server-message") == [
        {"event": "hotQuestions", "questions": {"EN": ["Who are you?"], "CN": ["你是谁？"]}}
    ]
    nothing = Told()
    nothing.tell.hot_questions()
    assert nothing.messages == []


# --- real voices, heard again -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def voices() -> Iterator[tuple[EmbeddedSynthesiser, WhisperRecogniser]]:
    folder = assemble(Settings().models_dir)
    speaker, ears = EmbeddedSynthesiser(folder), WhisperRecogniser(folder)
    yield speaker, ears
    speaker.close()
    ears.close()


@pytest.mark.models
@pytest.mark.parametrize(
    ("text", "language", "cut", "heard", "not_yet"),
    [
        ("Well, the museum opens at 9:30 on weekdays, and it closes at six.", "en", "and ", "weekdays", "closes"),
        ("You can reach the third floor by the lift next to the entrance.", "en", "by ", "floor", "lift"),
        ("博物馆每天早上九点开门，下午五点半关门。", "zh", "下", "开门", "下午"),
    ],
)
async def test_a_word_begins_when_it_is_said_to(
    voices: tuple[EmbeddedSynthesiser, WhisperRecogniser],
    text: str,
    language: Language,
    cut: str,
    heard: str,
    not_yet: str,
) -> None:
    speaker, ears = voices
    chunks = [chunk async for chunk in speaker.say(text, "default", language)]
    pcm = np.concatenate([chunk.pcm for chunk in chunks])
    timings = [(one.phoneme, one.start, one.end) for chunk in chunks for one in chunk.phonemes]
    words = timed(text, language, timings, len(pcm) / speaker.sample_rate, True)
    start = next(word.start for word in words if word.text == cut)
    before = np.concatenate([pcm[: round(start * speaker.sample_rate)], np.zeros(speaker.sample_rate // 4, np.int16)])
    understood = (
        await ears.transcribe(np.asarray(soxr.resample(before, speaker.sample_rate, 16000), np.int16), language)
    ).text
    assert heard in understood
    assert not_yet not in understood
