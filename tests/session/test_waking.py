"""Wake words: what wakes, what does not, and that nothing of the rest is told, asked or kept."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest
from engine_fakes import FakeEngines
from session_fakes import FakeDialogue
from test_conversation import question
from test_host import Running, _plain_logs, leak_free, running  # noqa: F401

from visavis.dialogue import phrases
from visavis.media.types import Pcm
from visavis.session.conversation import Parts
from visavis.session.hearing import EmbeddedRecogniser
from visavis.session.services import EmbeddedSynthesiser
from visavis.session.signals import SessionCommand
from visavis.session.spec import ChatState, JobSpec, TurnTakingSpec
from visavis.session.waking import PhraseTooShort, WakeWords, check
from visavis.settings import Settings
from visavis.speech.silero import SileroModel
from visavis.speech.types import Transcript

PHRASES = ["小慧小慧", "你好米拉", "Hey Mira", "Hello Visavis"]
WORDS = WakeWords(PHRASES)


@pytest.mark.parametrize(
    ("heard", "rest"),
    [
        ("小慧小慧，现在几点？", "现在几点？"),
        ("小惠小惠，你会说什么语言", "你会说什么语言"),
        ("嗯，小会小会，今天天气怎么样？", "今天天气怎么样？"),
        ("晓辉晓辉", ""),
        ("你好,米啦。", ""),
        ("您好迷拉 我想问路", "我想问路"),
        ("Hey Mira, what time is it?", "what time is it?"),
        ("Hey, Meera.", ""),
        ("hey myra what languages can you speak", "what languages can you speak"),
        ("Hey Mirror, open the door.", "open the door."),
        ("Hello vis-a-vis, who are you?", "who are you?"),
        ("Hello Vizavi", ""),
        ("Um, hey Mira, hey Mira, hello?", "hello?"),
    ],
)
def test_a_phrase_is_found_however_it_was_spelt(heard: str, rest: str) -> None:
    call = WORDS.find(heard)
    assert call is not None
    assert call.rest == rest


@pytest.mark.parametrize(
    "heard",
    [
        "现在几点了", "小朋友你好", "小会议室在哪里", "你好吗", "你好，我想问一下", "消费会不会太高", "我们今天去哪里吃饭",
        "Which languages can you speak?", "Hello there, how are you?", "Hey man, look at this", "Hey, Mike!",
        "Here are my keys", "Hey mister, come here", "Hello visitor", "", "...",
    ],
)  # fmt: skip
def test_other_speech_does_not_wake(heard: str) -> None:
    assert WORDS.find(heard) is None


def test_a_phrase_that_is_heard_everywhere_is_refused() -> None:
    for phrase in ("小", "ok", "!!!"):
        with pytest.raises(PhraseTooShort, match="too short"):
            check(phrase)
    for phrase in PHRASES:
        check(phrase)


# --- a whole session ---------------------------------------------------------------------------------------------------


class Ears:
    """A recogniser that hears ``text`` in all that is said."""

    sample_rate = 16_000

    def __init__(self) -> None:
        self.text = ""
        self.calls = 0

    async def transcribe(self, pcm: np.ndarray, language: str | None = None, *, words: Any = ()) -> Transcript:
        self.calls += 1
        return Transcript(self.text, "zh" if any(sign >= "\u4e00" for sign in self.text) else "en", 0.9)


class HearingEngines(FakeEngines):
    """With the real detector of speech."""

    def __init__(self) -> None:
        super().__init__()
        self.dialogue = FakeDialogue("Two o'clock.")
        self.ears = Ears()
        self.voice_activity = SileroModel(Settings().models_dir)

    async def parts(self, spec: JobSpec) -> Parts:
        return Parts(
            self.voice_activity.activity(),
            EmbeddedRecogniser(self.ears, None),
            self.dialogue,
            EmbeddedSynthesiser(self.synthesiser, spec.voices, "en"),
            self.ready,
        )


@pytest.fixture
def engines() -> FakeEngines:
    return HearingEngines()


async def speak(running: Running, pcm: Pcm) -> None:  # noqa: F811
    """As a microphone brings it: 20 ms every 20 ms."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    for index in range(0, len(pcm), 320):
        running.room.microphone.push(pcm[index : index + 320])
        if (delay := began + index / 16_000 - loop.time()) > 0:
            await asyncio.sleep(delay)


async def asleep(running: Running, **more: Any) -> Any:  # noqa: F811
    turn_taking = TurnTakingSpec(wake_words=["Hey Mira", "小慧小慧"], **more)
    room = await running.start(turn_taking=turn_taking)
    room.events.media()
    await running.host.command("j1", SessionCommand(kind="sleep"))
    await room.told.wait("enterSleep")
    return room


async def test_who_sleeps_hears_nothing_but_its_name_and_answers_what_follows(running: Running) -> None:  # noqa: F811
    room = await asleep(running)
    ears = running.engines.ears
    ears.text = "the lobby talks about lunch"
    told = len(room.told.entries)
    await speak(running, question())
    assert ears.calls, "it was listened to"
    assert room.told.entries[told:] == [], "and nothing of it was told"
    assert running.engines.dialogue.turns == []
    assert running.events.kinds.count("turn") == 0
    ears.text = "Hey Meera, what time is it?"
    await speak(running, question())
    turn: Any = await running.events.journal.wait("turn")
    assert (turn.heard, turn.answered) == ("what time is it?", "Two o'clock.")
    assert turn.language == "en"
    (active,) = room.told.of("enterActive")
    assert active["wakeupType"] == "VOICE"
    assert running.engines.dialogue.turns[-1].text == "what time is it?"
    assert not any("lunch" in message.text for message in running.engines.dialogue.turns[-1].history)
    # Awake, everything is meant for it.
    ears.text = "and tomorrow"
    await speak(running, question())
    again: Any = await running.events.journal.wait("turn", count=2)
    assert again.heard == "and tomorrow"


async def test_its_name_alone_is_answered(running: Running) -> None:  # noqa: F811
    room = await asleep(running)
    running.engines.ears.text = "小惠小惠"
    await speak(running, question())
    await room.told.wait("bot-stopped-speaking")
    assert [said[0] for said in running.engines.synthesiser.said] == [phrases.HERE["zh"]]
    assert running.engines.dialogue.turns == []


async def test_a_sensor_wakes_it_and_so_does_the_button(running: Running) -> None:  # noqa: F811
    room = await asleep(running, mode="push_to_talk")
    await running.host.command("j1", SessionCommand(kind="wake", text="RADAR"))
    assert (await room.told.wait("enterActive"))["wakeupType"] == "RADAR"
    await running.host.command("j1", SessionCommand(kind="sleep"))
    room.say("client-message", t="talk", d={"on": True})
    told: Any = await room.told.wait("enterActive", count=2)
    assert "wakeupType" not in told
    await running.host.command("j1", SessionCommand(kind="sleep"))
    room.say("client-message", t="wake", d={"wakeup_type": "CAMERA"})
    assert (await room.told.wait("enterActive", count=3))["wakeupType"] == "CAMERA"
    room.say("client-message", t="wake", d={"wakeup_type": "SMELL"})
    assert "wake" in (await room.told.wait("error"))["message"]


async def test_without_wake_words_any_speech_wakes(running: Running) -> None:  # noqa: F811
    room = await running.start()
    room.events.media()
    await running.host.command("j1", SessionCommand(kind="sleep"))
    await room.told.wait("enterSleep")
    running.engines.ears.text = "good morning"
    await speak(running, question())
    await room.told.wait("enterActive")
    assert (await running.events.journal.wait("turn")).heard == "good morning"


async def test_noise_of_the_room_does_not_keep_a_sleeping_job_alive(running: Running) -> None:  # noqa: F811
    running.engines.ears.text = "the lobby talks about lunch"
    turn_taking = TurnTakingSpec(wake_words=["Hey Mira"])
    room = await running.start(turn_taking=turn_taking, exit_mute_threshold_s=2.5, exit_warning_s=1.0)
    room.events.media()
    await running.host.command("j1", SessionCommand(kind="sleep"))
    await room.told.wait("enterSleep")
    await speak(running, question())
    assert (await running.finished()).reason == "MUTE_TIMEOUT"
    assert ChatState.LINKED not in [event.chat_state for event in running.events.journal.of("chat_state")[2:]], (
        "it never woke"
    )
