"""A session that a third party drives: the real session, stage and pipeline, with fake engines, room and driver."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from typing import Any

import numpy as np
import pytest
import pytest_asyncio
from engine_fakes import Events, FakeEngines, FakeRoom, at_rest, job
from pipecat.frames.frames import UserStoppedSpeakingFrame
from session_fakes import FakeSynthesiser

from visavis.dialogue import phrases
from visavis.session import driven
from visavis.session import host as host_module
from visavis.session.driver import MAX_SOUND_S
from visavis.session.host import create_host
from visavis.session.script import TurnRecord, Utterance
from visavis.session.signals import DriveCommand, SessionCommand
from visavis.session.spec import RobotSpec
from visavis.session.turns.frames import HypothesisFrame
from visavis.session.types import CommandRefused
from visavis.settings import Settings

RATE = 16_000


def sound(seconds: float) -> str:
    tone = (np.sin(np.arange(round(seconds * RATE)) * 2 * np.pi * 200 / RATE) * 9000).astype("<i2")
    return base64.b64encode(tone.tobytes()).decode()


class Driving:
    """A job with its driver, whose part the test plays."""

    def __init__(self, engines: FakeEngines) -> None:
        self.engines, self.events = engines, Events()
        self.host = create_host(engines.settings, self.events)
        self.seen = 0

    @property
    def room(self) -> FakeRoom:
        return self.engines.rooms[-1]

    async def start(self, **more: Any) -> FakeRoom:
        await self.host.start(job(robot=RobotSpec(app_type=5), **more))
        self.room.events.media()
        return self.room

    async def drive(self, kind: str, **more: Any) -> None:
        more.setdefault("sample_rate", RATE if kind == "audio" else 0)
        await self.host.command("j1", SessionCommand(kind="drive", drive=DriveCommand(kind=kind, **more)))

    async def open(self) -> str:
        """Connect; the chat that is told."""
        before = len(self.told())
        await self.drive("open")
        return str((await self.next("START_CHAT", after=before)).chat_id)

    def told(self) -> list[Any]:
        return [event.told for event in self.events.journal.of("drive")]

    async def next(self, command: str, after: int | None = None) -> Any:
        """The next thing of that command that the driver is told, behind the one that was seen last."""
        after = self.seen if after is None else after

        def count() -> int:
            return sum(one.command == command for one in self.told()[:after])

        event: Any = await self.events.journal.wait(
            "drive", lambda event: event.told.command == command, count=count() + 1
        )
        self.seen = 1 + next(i for i, one in enumerate(self.told()) if one is event.told)
        return event.told

    async def refused(self, kind: str, **more: Any) -> str:
        with pytest.raises(CommandRefused) as refused:
            await self.drive(kind, **more)
        return refused.value.code


@pytest.fixture
def engines() -> FakeEngines:
    return FakeEngines()


@pytest_asyncio.fixture
async def driving(engines: FakeEngines, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Driving]:
    async def load(settings: Settings) -> FakeEngines:
        return engines

    monkeypatch.setattr(host_module.Engines, "load", load)
    async for _ in at_rest():
        it = Driving(engines)
        await it.host.load()
        yield it
        async with asyncio.timeout(10):
            await it.host.close()


async def test_text_is_spoken_clause_by_clause_as_it_streams(driving: Driving) -> None:
    room = await driving.start()
    chat = await driving.open()
    for seq, piece in enumerate(["Good morning every", "one, I am ", "driven. And I ", "say this"], 1):
        await driving.drive("text", chat_id=chat, seq=seq, is_last=False, text=piece)
    start = await driving.next("SPEAKING_START")
    assert (start.chat_id, start.data.text) == (chat, "Good morning everyone,"), "before the stream's end"
    assert [text for text, *_ in driving.engines.synthesiser.said][:1] == ["Good morning everyone,"]
    await driving.drive("text", chat_id=chat, seq=5, is_last=True, text=".")
    stop = await driving.next("SPEAKING_STOP")
    assert stop.data.text == "Good morning everyone, I am driven. And I say this."
    assert stop.data.duration_ms == 600, "three times what the fake synthesiser makes of anything"
    subtitles: Any = room.told.of("subtitle")
    assert [each["text"] for each in subtitles][:3] == ["Good morning everyone,", "I am driven.", "And I say this."]
    turn: Any = await driving.events.journal.wait("turn")
    assert (turn.chat_id, turn.heard, turn.answered) == (chat, "", stop.data.text)


async def test_sound_is_played_with_lips_and_its_text_as_subtitle(
    driving: Driving, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[float] = []
    director = driving.engines.director(job())
    monkeypatch.setattr(director, "speak_sound", lambda pcm, rate, start: heard.append(len(pcm) / rate))
    monkeypatch.setattr(driving.engines, "director", lambda spec: director)
    room = await driving.start()
    chat = await driving.open()
    await driving.drive("audio", chat_id=chat, seq=1, is_last=False, audio=sound(0.1), text="La la la.")
    await driving.drive("audio", chat_id=chat, seq=2, is_last=False, audio=sound(0.3))
    await driving.drive("audio", chat_id=chat, seq=3, is_last=True, audio="")
    assert (await driving.next("SPEAKING_START")).data.text == "La la la."
    stop = await driving.next("SPEAKING_STOP")
    assert (stop.data.text, stop.data.duration_ms) == ("La la la.", 400)
    assert sum(heard) == pytest.approx(0.4, abs=0.01), "the mouth heard all of it"
    said: Any = room.told.of("bot-output")
    assert [each["text"] for each in said] == ["La la la."]


async def test_text_and_sound_take_turns_in_their_order(driving: Driving) -> None:
    room = await driving.start()
    chat = await driving.open()
    await driving.drive("text", chat_id=chat, text="First words.")
    await driving.drive("audio", chat_id=chat, audio=sound(0.2), text="Then a song.")
    await driving.drive("text", chat_id=chat, text="Last words.")
    stops = [await driving.next("SPEAKING_STOP")]
    while not stops[-1].data.text.endswith("Last words."):
        stops.append(await driving.next("SPEAKING_STOP"))
    said: Any = room.told.of("bot-output")
    assert [each["text"] for each in said] == ["First words.", "Then a song.", "Last words."]


async def test_sound_without_words_shows_no_empty_subtitle(driving: Driving) -> None:
    room = await driving.start()
    await driving.drive("audio", chat_id=await driving.open(), audio=sound(0.2))
    await driving.next("SPEAKING_STOP")
    await room.told.wait("bot-stopped-speaking")
    assert room.told.of("bot-output") == []
    assert room.broadcaster.audio


async def test_a_question_begins_a_new_chat(driving: Driving) -> None:
    room = await driving.start()
    first = await driving.open()
    room.say("send-text", content="who are you?")
    began = await driving.next("START_CHAT")
    assert began.chat_id != first
    asked = await driving.next("SPEECH_RECOGNIZED")
    assert asked.chat_id == began.chat_id
    assert asked.data.model_dump() == {"text": "who are you?", "language": "EN", "input": "TEXT", "is_last": True}
    assert await driving.refused("text", chat_id=first, text="Too late.") == "old_chat"
    assert await driving.refused("text", chat_id=first, text="Too late.") == "cut", "it is told once"
    await driving.drive("text", chat_id=began.chat_id, text="I am driven.")
    await driving.next("SPEAKING_STOP")
    turn: Any = await driving.events.journal.wait("turn")
    assert (turn.heard, turn.answered, turn.interrupted) == ("who are you?", "I am driven.", False)
    assert driving.engines.dialogue.turns == [], "nobody else answers"


async def heard_so_far(driving: Driving, *texts: str) -> None:
    """What recognition made of a turn that is still open, and what it made of all of it."""
    answerer: Any = driving.host._sessions["j1"]._conversation._answerer
    for text in texts:
        await answerer.queue_frame(HypothesisFrame(text=text, language="en", settled=text == texts[-1]))


async def test_what_is_heard_so_far_replaces_itself_and_then_is_the_question(driving: Driving) -> None:
    await driving.start()
    chat = await driving.open()
    answerer: Any = driving.host._sessions["j1"]._conversation._answerer
    await heard_so_far(driving, "who", "who are you", "who are you")
    await answerer.queue_frame(UserStoppedSpeakingFrame())
    began = await driving.next("START_CHAT")
    await driving.next("SPEECH_RECOGNIZED")
    told = [one for one in driving.told() if one.command == "SPEECH_RECOGNIZED"]
    assert [(one.data.text, one.data.is_last) for one in told] == [
        ("who", False),
        ("who are you", False),
        ("who are you", True),
    ]
    assert {one.chat_id for one in told} == {began.chat_id} != {chat}
    order = [one.command for one in driving.told()[-4:]]
    assert order == ["SPEECH_RECOGNIZED", "SPEECH_RECOGNIZED", "START_CHAT", "SPEECH_RECOGNIZED"]


async def test_what_was_no_question_is_taken_back_and_cannot_be_answered(driving: Driving) -> None:
    await driving.start()
    chat = await driving.open()
    answerer: Any = driving.host._sessions["j1"]._conversation._answerer
    await heard_so_far(driving, "hm")
    so_far = await driving.next("SPEECH_RECOGNIZED")
    assert await driving.refused("text", chat_id=so_far.chat_id, text="Too early.") == "unknown_chat"
    await answerer.queue_frame(HypothesisFrame(text="", settled=True))
    await answerer.queue_frame(UserStoppedSpeakingFrame())
    back = await driving.next("SPEECH_RECOGNIZED")
    assert (back.chat_id, back.data.text, back.data.is_last) == (so_far.chat_id, "", False)
    await driving.drive("text", chat_id=chat, text="I am still in my chat.")
    assert (await driving.next("SPEAKING_STOP")).chat_id == chat


async def test_an_interruption_empties_everything_and_tells_what_was_said(driving: Driving) -> None:
    driving.engines.synthesiser = FakeSynthesiser(20.0)
    room = await driving.start()
    chat = await driving.open()
    await driving.drive("text", chat_id=chat, seq=1, is_last=False, text="One is said now. Two is not. ")
    await driving.next("SPEAKING_START")
    await driving.drive("interrupt", chat_id=chat)
    # What comes right behind it is a new stream, and is not lost with the old one.
    assert await driving.refused("text", chat_id=chat, seq=2, text="Nor is this.") == "cut"
    driving.engines.synthesiser.seconds = 0.2
    await driving.drive("text", chat_id=chat, seq=1, is_last=True, text="But this is.")
    cut = await driving.next("CHAT_INTERRUPTED")
    assert cut.chat_id == chat
    assert "Two" not in cut.data.text
    assert cut.data.duration_ms < 5000
    stop = await driving.next("SPEAKING_STOP")
    assert stop.data.text == "But this is."
    said: Any = room.told.of("bot-output")
    assert [each["text"] for each in said] == ["One is said now.", "But this is."]


async def test_the_page_s_button_interrupts_as_well(driving: Driving) -> None:
    room = await driving.start()
    chat = await driving.open()
    await driving.drive("audio", chat_id=chat, seq=1, is_last=False, audio=sound(5))
    await driving.next("SPEAKING_START")
    room.say("client-message", t="interrupt")
    cut = await driving.next("CHAT_INTERRUPTED")
    assert cut.data.duration_ms < 5000
    assert await driving.refused("audio", chat_id=chat, seq=2, is_last=False, audio=sound(1)) == "cut"
    await room.told.wait("bot-stopped-speaking")


async def test_who_interrupts_silence_is_told_so(driving: Driving) -> None:
    await driving.start()
    chat = await driving.open()
    await driving.drive("interrupt")
    cut = await driving.next("CHAT_INTERRUPTED")
    assert (cut.chat_id, cut.data.text, cut.data.duration_ms) == (chat, "", 0)


async def test_an_hour_of_sound_does_not_pile_up(driving: Driving) -> None:
    await driving.start()
    chat = await driving.open()
    refused, taken = "", 0
    for seq in range(1, 601):
        try:
            await driving.drive("audio", chat_id=chat, seq=seq, is_last=False, audio=sound(6))
            taken += 1
        except CommandRefused as error:
            refused = refused or error.code
    # Besides what the books hold, the stage takes 30 s and one piece that waits before it.
    assert taken * 6 <= MAX_SOUND_S + 30 + 2 * 6
    assert refused == "full"
    assert await driving.refused("audio", chat_id=chat, seq=taken + 2, is_last=False, audio=sound(1)) == "stalled"
    assert await driving.refused("audio", chat_id=chat, seq=taken + 1, is_last=False, audio=sound(6)) == "full"
    await driving.drive("interrupt", chat_id=chat)
    await driving.next("CHAT_INTERRUPTED")
    await driving.drive("audio", chat_id=chat, seq=1, is_last=True, audio=sound(0.2))
    assert (await driving.next("SPEAKING_STOP")).data.duration_ms == 200, "nothing of the hour is left"


async def test_too_much_text_is_refused_until_there_is_room(driving: Driving) -> None:
    driving.engines.synthesiser = FakeSynthesiser(0.0)
    await driving.start()
    chat = await driving.open()
    text = "So it goes. " * 300
    await driving.drive("text", chat_id=chat, seq=1, is_last=False, text=text)
    await driving.drive("text", chat_id=chat, seq=2, is_last=False, text=text)
    assert await driving.refused("text", chat_id=chat, seq=3, is_last=False, text=text) == "full"
    go_on = await driving.next("CONTINUE_DRIVE")
    assert (go_on.chat_id, go_on.data.seq) == (chat, 3)
    await driving.drive("text", chat_id=chat, seq=3, is_last=True, text="The end.")


async def test_seq_must_be_in_order(driving: Driving) -> None:
    await driving.start()
    chat = await driving.open()
    assert await driving.refused("text", chat_id=chat, seq=2, text="x") == "seq"
    await driving.drive("text", chat_id=chat, seq=1, is_last=False, text="Hello")
    assert await driving.refused("text", chat_id=chat, seq=3, is_last=False, text="x") == "seq"
    assert await driving.refused("audio", chat_id=chat, seq=2, is_last=False, audio=sound(0.1)) == "seq"
    await driving.drive("text", chat_id=chat, seq=2, is_last=True, text=" there.")
    assert (await driving.next("SPEAKING_STOP")).data.text == "Hello there."
    assert await driving.refused("text", chat_id=chat, seq=3, text="x") == "seq"
    await driving.drive("audio", chat_id=chat, seq=1, is_last=False, audio=sound(0.1))
    assert await driving.refused("audio", chat_id=chat, seq=2, audio=sound(0.1), sample_rate=8000) == "rate"
    assert await driving.refused("text", chat_id="elsewhere", text="x") == "unknown_chat"


async def test_a_stream_that_dries_up_is_said_to_its_end_and_may_go_on(
    driving: Driving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driven, "STREAM_IDLE_S", 0.1)
    await driving.start()
    chat = await driving.open()
    await driving.drive("text", chat_id=chat, seq=1, is_last=False, text="I was thinking")
    assert (await driving.next("SPEAKING_STOP")).data.text == "I was thinking"
    await driving.drive("text", chat_id=chat, seq=2, is_last=True, text="of you.")
    assert (await driving.next("SPEAKING_STOP")).data.text == "of you."


async def test_a_stream_without_an_end_is_told_in_parts(driving: Driving, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driven, "MOST_SAID", 3)
    driving.engines.synthesiser = FakeSynthesiser(0.0)
    await driving.start()
    chat = await driving.open()
    for seq in range(1, 8):
        await driving.drive("text", chat_id=chat, seq=seq, is_last=seq == 7, text=f"This is part {seq}! ")
    told = [await driving.next("SPEAKING_STOP") for _ in range(2)]
    turns: Any = driving.events.journal.of("turn")
    assert len(turns) >= 2
    assert all(one.chat_id == chat for one in [*told, *turns])


async def test_a_question_without_a_driver_is_answered_with_an_apology(driving: Driving) -> None:
    room = await driving.start()
    room.say("send-text", content="anybody there?")
    said: Any = await room.told.wait("bot-output")
    assert said["text"] == phrases.FAILED["en"]
    assert driving.told() == []
    error: Any = await room.told.wait("error")
    assert "driver" in error["message"]


async def test_a_driver_that_comes_back_gets_the_open_question(driving: Driving) -> None:
    room = await driving.start()
    await driving.open()
    room.say("send-text", content="where were you?")
    asked = await driving.next("SPEECH_RECOGNIZED")
    await driving.drive("close")
    assert await driving.open() == asked.chat_id
    again = await driving.next("SPEECH_RECOGNIZED")
    assert (again.chat_id, again.data.text, again.data.input) == (asked.chat_id, "where were you?", "TEXT")
    await driving.drive("text", chat_id=asked.chat_id, text="Here.")
    await driving.next("SPEAKING_STOP")
    assert await driving.open() != asked.chat_id, "answered: another chat"


async def test_another_driver_takes_over_while_the_first_one_s_words_are_spoken(driving: Driving) -> None:
    driving.engines.synthesiser = FakeSynthesiser(0.6)
    await driving.start()
    first = await driving.open()
    await driving.drive("text", chat_id=first, text="I go on.")
    await driving.next("SPEAKING_START")
    second = await driving.open()
    assert second != first
    assert await driving.refused("text", chat_id=first, text="Me again.") == "old_chat"
    stop = await driving.next("SPEAKING_STOP")
    assert (stop.chat_id, stop.data.text) == (first, "I go on.")
    await driving.drive("text", chat_id=second, text="My turn.")
    assert (await driving.next("SPEAKING_STOP")).chat_id == second


async def test_what_the_page_has_said_is_not_the_driver_s(driving: Driving) -> None:
    room = await driving.start(**{"sleep_after_s": 60})
    await driving.open()
    await driving.host.command("j1", SessionCommand(kind="say", text="From the page."))
    await room.told.wait("bot-stopped-speaking")
    assert [one.command for one in driving.told()] == ["START_CHAT"]


async def test_a_job_that_answers_by_itself_has_no_driver(driving: Driving) -> None:
    await driving.host.start(job())
    assert await driving.refused("open") == "not_driven"


@pytest.mark.parametrize(
    ("pieces", "cut"),
    [
        (
            ["你好，", "欢迎来到我们的展厅，", "请随便看看。", "谢谢"],
            ["你好，欢迎来到我们的展厅，", "请随便看看。", "谢谢"],
        ),
        (["It costs 1,250 ", "euros, I think. ", "Yes"], ["It costs 1,250 euros,", "I think.", "Yes"]),
        (["Ask Dr. ", "Wilson to", "day. Or", " me."], ["Ask Dr. Wilson today.", "Or me."]),
        (["Yes! ", "Of course, ", "I do."], ["Yes!", "Of course, I do."]),
        (["No mark at all"], ["No mark at all"]),
        (["We go. ", "We do. ", "They"], ["We go.", "We do.", "They"]),
        (["x " * 150, "end"], ["x " * 149 + "x end"]),
        (
            [
                "Run this, please. ``",
                "`sh\nrm -r x! Really? Yes.\n`",
                "``\nIt is [done? Yes!](https://a.ex",
                "ample/?b=1!) now.",
            ],
            ["Run this, please.", "It is done?", "Yes!", "now."],
        ),
    ],
)
def test_the_first_clause_leaves_early(pieces: list[str], cut: list[str]) -> None:
    language = "zh" if "\u4e00" <= pieces[0][0] <= "\u9fff" else "en"
    clauses = driven.Clauses(language)
    out = [text for piece in pieces for text in clauses.push(piece)]
    assert [*out, *clauses.finish()] == cut


def test_how_much_was_spoken_counts_sound_not_text() -> None:
    record = TurnRecord("c", "", "en", utterances=[Utterance("", "en", "c", samples=48_000, played=24_000)])
    from visavis.session.driver import _spoken

    assert _spoken(record).model_dump() == {"text": "", "duration_ms": 500}
