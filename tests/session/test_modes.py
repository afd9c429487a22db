"""A whole session in the other modes of talking, with the real detector of speech."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest
from engine_fakes import FakeEngines
from session_fakes import FakeSynthesiser
from test_conversation import question
from test_host import Running, _plain_logs, leak_free, running  # noqa: F401
from test_waking import Ears, HearingEngines, speak

from visavis.dialogue import phrases
from visavis.session import hearing
from visavis.session.spec import JobSpec, RobotSpec, TurnTakingSpec
from visavis.speech.types import Transcript

SPOKEN = question()[:-19_200]
QUIET = np.zeros(16_000, np.int16)


@pytest.fixture
def engines() -> FakeEngines:
    made = HearingEngines()
    made.ears.text = "what time is it"
    return made


async def enter(running: Running, mode: str, **more: Any) -> Any:  # noqa: F811
    room = await running.start(turn_taking=TurnTakingSpec(mode=mode), **more)
    room.events.media()
    room.say("client-ready")
    told = await room.told.wait("microphone")
    assert told["mode"] == mode
    return room


def button(room: Any, on: bool) -> None:
    room.say("client-message", t="talk", d={"on": on})


async def test_push_to_talk_answers_at_the_release_and_hears_nothing_else(running: Running) -> None:  # noqa: F811
    # A long tail silence would keep any other turn open.
    room = await enter(running, "push_to_talk", robot=RobotSpec(tail_silence_ms=3000))
    assert room.told.of("microphone")[-1]["open"] is False
    await speak(running, np.concatenate([SPOKEN, QUIET]))
    assert running.engines.ears.calls == 0, "nobody listens before the button is pressed"
    button(room, True)
    await room.told.wait("microphone", lambda data: data["open"])
    half = len(SPOKEN) // 2
    await speak(running, SPOKEN[:half])
    await speak(running, QUIET)  # a pause under the button ends nothing
    assert running.engines.dialogue.turns == [] or running.engines.dialogue.turns[-1].speculative
    await speak(running, SPOKEN[half:])
    button(room, False)
    await speak(running, np.zeros(6400, np.int16))
    turn: Any = await running.events.journal.wait("turn")
    assert (turn.heard, turn.answered) == ("what time is it", "Two o'clock.")
    assert turn.stages["turn"] < 2.0, "the tail silence is not waited for"


async def test_a_press_cuts_the_answer(running: Running) -> None:  # noqa: F811
    running.engines.synthesiser = FakeSynthesiser(8.0)
    room = await enter(running, "push_to_talk")
    room.say("send-text", content="tell me a story")
    await room.told.wait("bot-started-speaking")
    button(room, True)
    await room.told.wait("bot-interruption")
    await room.told.wait("bot-stopped-speaking")
    button(room, False)
    await room.told.wait("microphone", lambda data: not data["open"], count=2)


async def test_a_tap_listens_to_one_turn(running: Running) -> None:  # noqa: F811
    room = await enter(running, "tap_to_talk")
    button(room, True)
    await room.told.wait("microphone", lambda data: data["open"])
    await speak(running, np.concatenate([SPOKEN, QUIET]))
    await running.events.journal.wait("turn")
    await room.told.wait("microphone", lambda data: not data["open"], count=2)
    calls = running.engines.ears.calls
    await speak(running, np.concatenate([SPOKEN, QUIET]))
    assert running.engines.ears.calls == calls, "the silence closed the microphone"
    assert running.events.kinds.count("turn") == 1


async def test_half_duplex_cannot_be_spoken_over(running: Running) -> None:  # noqa: F811
    running.engines.synthesiser = FakeSynthesiser(4.0)
    room = await enter(running, "half_duplex")
    room.say("send-text", content="tell me a story")
    await room.told.wait("bot-started-speaking")
    await speak(running, np.concatenate([SPOKEN, QUIET[:4800]]))
    assert running.engines.ears.calls == 0
    turn: Any = await running.events.journal.wait("turn")
    assert not turn.interrupted
    await room.told.wait("microphone", lambda data: data["open"], count=2)
    await speak(running, np.concatenate([SPOKEN, QUIET]))
    again: Any = await running.events.journal.wait("turn", count=2)
    assert again.heard == "what time is it"


async def test_the_mode_is_changed_by_the_page_and_nonsense_is_refused(running: Running) -> None:  # noqa: F811
    room = await enter(running, "full_duplex")
    room.say("client-message", t="mode", d={"mode": "push_to_talk"})
    assert await room.told.wait("microphone", lambda data: data["mode"] == "push_to_talk") == {
        "event": "microphone", "mode": "push_to_talk", "open": False,
    }  # fmt: skip
    for name, data in (
        ("mode", {"mode": "telepathy"}),
        ("mode", {"mode": []}),
        ("talk", {"on": "yes"}),
        ("capture", {}),
    ):
        before = len(room.told.of("error"))
        room.say("client-message", t=name, d=data)
        assert name in (await room.told.wait("error", count=before + 1))["message"]


@pytest.mark.parametrize("mode", ["full_duplex", "half_duplex", "push_to_talk", "tap_to_talk"])
async def test_silence_ends_the_job_in_every_mode(running: Running, mode: str) -> None:  # noqa: F811
    room = await enter(running, mode, exit_mute_threshold_s=0.6, exit_warning_s=0.3)
    assert (await room.told.wait("jobEndMention"))["restTime"] == 0.3
    assert (await running.finished()).reason == "MUTE_TIMEOUT"


@pytest.mark.parametrize("mode", ["full_duplex", "half_duplex", "push_to_talk", "tap_to_talk"])
async def test_it_falls_asleep_in_every_mode_and_a_press_wakes_it(running: Running, mode: str) -> None:  # noqa: F811
    room = await enter(running, mode, sleep_after_s=0.3, sleep_warning_s=0.2)
    await room.told.wait("enterSleep")
    button(room, True)
    await room.told.wait("enterActive")


async def test_what_was_clearly_said_and_not_understood_is_asked_for_once(running: Running) -> None:  # noqa: F811
    running.engines.ears.text = ""
    room = await enter(running, "full_duplex")
    await speak(running, question())
    await room.told.wait("bot-stopped-speaking")
    assert [said[0] for said in running.engines.synthesiser.said] == [phrases.NOT_HEARD["en"]]
    await speak(running, question())
    assert len(running.engines.synthesiser.said) == 1, "not twice in a row"
    running.engines.ears.text = "what time is it"
    await speak(running, question())
    assert (await running.events.journal.wait("turn", lambda turn: turn.heard != "")).heard == "what time is it"


def test_the_mode_crosses_to_a_worker_as_json() -> None:
    spec = TurnTakingSpec(mode="tap_to_talk", wake_words=["Hey Mira"], echo="on")
    assert TurnTakingSpec.model_validate_json(spec.model_dump_json()) == spec
    assert JobSpec.model_fields["turn_taking"].default == TurnTakingSpec()


# --- what hangs ---------------------------------------------------------------------------------------------------------


class Stuck(Ears):
    """Recognises nothing before it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()

    async def transcribe(self, pcm: np.ndarray, language: str | None = None, *, words: Any = ()) -> Transcript:
        await self.gate.wait()
        return await super().transcribe(pcm, language, words=words)


async def test_slow_recognition_asks_for_patience_and_the_answer_follows(running: Running) -> None:  # noqa: F811
    ears = running.engines.ears = Stuck()
    ears.text = "what time is it"
    room = await enter(running, "full_duplex")
    loop = asyncio.get_running_loop()
    speaking = asyncio.create_task(speak(running, question()))
    await room.told.wait("user-stopped-speaking")
    silent_since = loop.time()
    await room.told.wait("bot-started-speaking")
    assert loop.time() - silent_since < 3
    assert running.engines.synthesiser.said[0][0] == phrases.MOMENT["en"]
    await speaking
    ears.gate.set()
    turn: Any = await running.events.journal.wait("turn", lambda turn: turn.heard != "")
    assert (turn.heard, turn.answered) == ("what time is it", "Two o'clock.")


async def test_recognition_that_hangs_ends_and_the_next_question_is_heard(
    running: Running,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hearing, "HANGS_S", 0.5)
    ears = running.engines.ears = Stuck()
    ears.text = "what time is it"
    room = await enter(running, "full_duplex")
    await speak(running, question())
    assert (await room.told.wait("error"))["message"] == "speech recognition failed"
    await room.told.wait("bot-output", lambda data: data["text"] == phrases.NOT_HEARD["en"])
    ears.gate.set()
    await speak(running, question())
    turn: Any = await running.events.journal.wait("turn", lambda turn: turn.heard != "")
    assert turn.answered == "Two o'clock."
