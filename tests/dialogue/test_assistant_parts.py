"""Parts of the assistant: instructions, the first clause, calls, prompts, fillers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from typing import Any

import pytest

from visavis.dialogue.assistant.calls import Calls
from visavis.dialogue.assistant.clauses import ClauseStream
from visavis.dialogue.assistant.instructions import Instructions, Told, called, functions
from visavis.dialogue.assistant.prompting import system
from visavis.dialogue.assistant.tools import Toolbox, ToolLimits
from visavis.dialogue.assistant.types import Instruction, Passage, Slot, Tool, ToolError, ToolResult
from visavis.dialogue.replies import CallDelta, ModelError
from visavis.dialogue.types import Sentence
from visavis.dialogue.waiting import LOOKING, Handover, Wait, soothed
from visavis.speech.types import Language

LIGHT = Instruction(
    "light",
    "Turn on the light in the {room}\nlight in the {room}\n打开{room}的灯",
    "Switches a light on.",
    [Slot("room", "Which room.", {"en": {"kitchen": ["cooking room", "galley"]}, "zh": {"厨房": ["灶间"]}})],
    {"en": "The light in the {room} is on.", "zh": "{room}的灯开了。"},
)
SONG = Instruction("song", "play {song}", slots=[Slot("song")], replies={"en": "Here is {song}."})
DOOR = Instruction("Open the door", "开门", replies={"zh": "门开了。"})


@pytest.mark.parametrize(
    ("said", "language", "name", "slots", "reply"),
    [
        ("Could you please turn on the light in the kitchen?", "en", "light", {"room": "kitchen"}, "The light in the kitchen is on."),
        ("Light in the galley!", "en", "light", {"room": "kitchen"}, "The light in the kitchen is on."),
        ("请帮我打开灶间的灯好吗？", "zh", "light", {"room": "厨房"}, "厨房的灯开了。"),
        ("Hey, play Yellow Submarine, please.", "en", "song", {"song": "Yellow Submarine"}, "Here is Yellow Submarine."),
        ("Open the door!", "en", "Open the door", {}, "门开了。"),
        ("请开门。", "zh", "Open the door", {}, "门开了。"),
    ],
)  # fmt: skip
def test_an_instruction_is_recognised(
    said: str, language: Language, name: str, slots: dict[str, str], reply: str
) -> None:
    told = Instructions([LIGHT, SONG, DOOR]).match(said, language)
    assert told is not None
    assert (told.command.name, dict(told.command.slots), told.reply) == (name, slots, reply)


@pytest.mark.parametrize(
    "said",
    [
        "Turn on the light in the attic.",
        "Why did you turn on the light in the kitchen yesterday?",
        "Do not open the door!",
        "Who opened the door?",
        "play",
        "",
        "a" * 100_000,
        "请" * 5000,
    ],
)
def test_what_is_no_instruction(said: str) -> None:
    assert Instructions([LIGHT, SONG, DOOR]).match(said, "en") is None


def test_the_instruction_that_says_more_wins() -> None:
    both = Instructions([SONG, Instruction("stop the song", "play nothing")])
    told = both.match("play nothing", "en")
    assert told is not None
    assert told.command.name == "stop the song"


def test_a_wording_of_slots_only_fits_nothing() -> None:
    assert Instructions([Instruction("any", "{what}", slots=[Slot("what")])]).match("Hello there", "en") is None


def test_a_model_may_call_an_instruction() -> None:
    offered = functions([LIGHT, SONG], "en")
    instruction, function = offered["instruction_1"]
    assert function["function"]["parameters"]["properties"]["room"]["enum"] == ["kitchen"]
    told = called(instruction, {"room": "Galley"}, "en")
    assert isinstance(told, Told)
    assert told.reply == "The light in the kitchen is on."
    for wrong in ({}, {"room": "attic"}, {"room": ["kitchen"]}):
        assert "room" in str(called(instruction, wrong, "en"))


# --- the first clause -------------------------------------------------------------------------------------


def streamed(text: str, language: Language, step: int = 3) -> tuple[list[str], int]:
    """The pieces that it is cut into, and how much had come when the first one left."""
    cutter = ClauseStream(language)
    cut: list[str] = []
    first = 0
    for at in range(0, len(text), step):
        new = cutter.push(text[at : at + step])
        if new and not cut:
            first = at + step
        cut += new
    return cut + cutter.finish(), first


@pytest.mark.parametrize(
    ("text", "language", "cut"),
    [
        (
            "The museum opens at nine o'clock in the morning, but on Mondays it stays closed. Come tomorrow.",
            "en",
            ["The museum opens at nine o'clock in the morning,", "but on Mondays it stays closed.", "Come tomorrow."],
        ),
        ("Yes, we are open. And on Mondays, as always, we are closed.", "en",
         ["Yes, we are open.", "And on Mondays, as always, we are closed."]),
        ("The whole of it costs 10,000 euros at 9:30 today.", "en", ["The whole of it costs 10,000 euros at 9:30 today."]),
        ("博物馆早上九点钟开门，但是星期一不开门。明天来吧。", "zh", ["博物馆早上九点钟开门，", "但是星期一不开门。", "明天来吧。"]),
        ("好的，没问题。", "zh", ["好的，没问题。"]),
        ("他说“博物馆早上九点钟开门，星期一不开门”。", "zh", ["他说“博物馆早上九点钟开门，星期一不开门”。"]),
    ],
)  # fmt: skip
def test_the_first_clause_of_a_long_sentence_leaves_early(text: str, language: Language, cut: list[str]) -> None:
    found, came = streamed(text, language)
    assert found == cut
    if len(cut) == 3:
        assert came < text.index(cut[1]) + 18, "the sentence had not ended"


# --- calls and tools --------------------------------------------------------------------------------------


def test_calls_are_put_together() -> None:
    calls = Calls()
    for delta in (
        CallDelta(0, "a", "find"),
        CallDelta(0, arguments='{"x":'),
        CallDelta(1, "b", "other", '{"y": '),
        CallDelta(0, arguments=" 1}"),
        CallDelta(1, arguments="oops"),
        CallDelta(0, "c", "third", "{}"),  # numbered like the first, but another
    ):
        calls.add(delta)
    assert [(one.id, one.name, one.arguments) for one in calls.finish()] == [
        ("a", "find", {"x": 1}),
        ("b", "other", None),
        ("c", "third", {}),
    ]
    with pytest.raises(ModelError):
        calls.add(CallDelta(0, arguments="x" * 20_000))


class Fake:
    """A tool."""

    def __init__(self, name: str, does: Any = "fine", schema: Mapping[str, Any] | None = None) -> None:
        self.name, self._does, self.schema = name, does, schema or {"type": "object"}
        self.description, self.acts = "d" * 5000, False

    async def call(self, arguments: Mapping[str, Any]) -> ToolResult:
        if isinstance(self._does, Exception):
            raise self._does
        if self._does is None:
            await asyncio.Event().wait()
        return ToolResult(str(self._does))


async def test_tools_have_names_that_models_take_and_answers_of_a_bounded_size() -> None:
    tools: list[Tool] = [
        Fake("weather.of/today"),
        Fake("weather of today"),
        Fake("查询", "x" * 10_000_000),
        Fake("n" * 100, ToolError("no key")),
        Fake("boom", RuntimeError("secret words")),
        Fake("hang", None),
        Fake("list", schema={"type": "array"}),
        Fake("vast", schema={"type": "object", "description": "x" * 20_000}),
        Fake("half", "\ud83d"),
    ]
    box = Toolbox(tools, [], ToolLimits(call_s=0.1))
    offer = await box.offer()
    assert list(offer.tools) == ["weather_of_today", "weather_of_today_2", "tool", "n" * 64, "boom", "hang", "half"]
    assert len(json.dumps(offer.functions)) < 10_000

    async def says(name: str, arguments: str = "{}") -> ToolResult:
        calls = Calls()
        calls.add(CallDelta(0, "a", name, arguments))
        return await box.call(offer, calls.finish()[0])

    assert (await says("weather_of_today")).text == "fine"
    assert len((await says("tool")).text) == 6000
    assert await says("n" * 64) == ToolResult("The tool failed: no key", True)
    assert "secret" not in (await says("boom")).text
    assert "in time" in (await says("hang")).text
    assert (await says("half")).text.encode()
    for name, arguments in (("nothing", "{}"), ("weather_of_today", "[1]"), ("weather_of_today", "{")):
        assert (await says(name, arguments)).failed


# --- prompts ----------------------------------------------------------------------------------------------


def test_a_prompt_of_another_language_is_used_with_an_instruction_in_the_turn_s() -> None:
    prompts: dict[Language, str] = {"en": "You are a porter."}
    text = system(prompts, "zh", [Passage("九点开门。", "hours.pdf", 0.9)], tools=True)
    assert text.startswith("You are a porter.")
    assert "请用中文回答" in text
    assert "[1] (hours.pdf) 九点开门。" in text
    assert "answer in English" in system({}, "en")


# --- fillers ----------------------------------------------------------------------------------------------


async def test_a_filler_is_said_once_while_something_takes_long() -> None:
    go = asyncio.Event()
    short = Wait(0.02, LOOKING.words)

    async def steps() -> AsyncGenerator[Sentence | Wait, None]:
        yield short
        await go.wait()
        yield short  # still nothing said: no second filler
        await asyncio.sleep(0.05)
        yield Sentence("Nine.", "en")
        yield short
        await asyncio.sleep(0.05)
        yield Sentence("Bye.", "en")

    said = []
    async for sentence in soothed(steps(), "en"):
        said.append((sentence.text, sentence.purpose))
        go.set()
    filler = (LOOKING.words["en"], "filler")
    assert said == [filler, ("Nine.", "answer"), filler, ("Bye.", "answer")]


async def test_closing_ends_what_is_waited_for() -> None:
    ended = asyncio.Event()

    async def steps() -> AsyncGenerator[Sentence | Wait, None]:
        yield Wait(0.01, LOOKING.words)
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    handover = Handover()
    sentences = soothed(steps(), "zh", handover)
    assert (await anext(sentences)).text == LOOKING.words["zh"]
    assert handover.begun
    assert not handover.taken.is_set()
    await sentences.aclose()
    assert ended.is_set()
