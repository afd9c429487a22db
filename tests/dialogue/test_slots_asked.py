"""Instructions that lack a slot: it is asked for, and the next turn fills it, or is something else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from thinking_server import Thinking, thinking

from visavis.dialogue import phrases
from visavis.dialogue.assistant.engine import Assistant
from visavis.dialogue.assistant.instructions import Instructions
from visavis.dialogue.assistant.slots import DROPPED
from visavis.dialogue.assistant.tools import Toolbox
from visavis.dialogue.assistant.types import Instruction, Passage, Role, Slot
from visavis.dialogue.endpoint import Endpoint
from visavis.dialogue.model import ModelClient
from visavis.dialogue.types import Sentence, Turn
from visavis.speech.types import Language
from visavis.urlpolicy import UrlPolicy

ROOMS = {
    "en": {"kitchen": ["cooking room", "galley"], "hall": ["lobby"]},
    "zh": {"厨房": ["灶间"], "大厅": ["门厅"]},
}
LIGHT = Instruction(
    "light",
    "turn on the light in the {room}\n打开{room}的灯",
    "Switches a light on.",
    [Slot("room", "Which room do you mean?\n请问是哪个房间的灯？", ROOMS)],  # type: ignore[dict-item]
    {"en": "The light in the {room} is on.", "zh": "{room}的灯开了。"},
)
SONG = Instruction("song", "play {song}\n播放{song}", slots=[Slot("song")], replies={"en": "Here is {song}."})
HEAT = Instruction(
    "heat",
    "set the {room} to {level} degrees",
    slots=[Slot("room"), Slot("level")],
    replies={"en": "The {room} gets {level} degrees."},
)
LAMP = Instruction("lamp", "把{房间}的{灯}打开", slots=[Slot("房间"), Slot("灯")], replies={"zh": "{房间}的{灯}开了。"})
VOLUME = Instruction("volume", "set the volume to {level}%", slots=[Slot("level")], replies={"en": "Volume {level}."})
EVERY = (LIGHT, SONG, HEAT, LAMP, VOLUME)


class Shelf:
    """Has this one stored answer."""

    async def search(self, query: str, language: Language, count: int) -> list[Passage]:
        return [Passage("At nine.", "FAQ", 0.9, question="opening hours")] if "opening hours" in query else []

    async def extract(self, passage: Passage, query: str, language: Language) -> str:
        raise AssertionError("it holds no document")


def assistant(llm: Thinking | None = None, instructions: Sequence[Instruction] = EVERY) -> Assistant:
    role = Role(instructions=instructions, endpoint=Endpoint(llm.url) if llm else None)
    model = ModelClient(UrlPolicy(["127.0.0.1"])) if llm else None
    return Assistant(role, model, Toolbox([], []), sure=0.6, library=Shelf())


async def answered(made: Assistant, text: str, speculative: bool = False) -> list[Sentence]:
    language = phrases.language_of(text, "en")
    return [one async for one in made.answer(Turn(text, language, speculative=speculative))]


async def talk(made: Assistant, *turns: tuple[str, str]) -> list[dict[str, str]]:
    """What was asked and is said; returns the slots of the instructions that were told, in order."""
    slots = []
    for question, answer in turns:
        said = await answered(made, question)
        assert " ".join(one.text for one in said) == answer, question
        slots += [dict(one.command.slots) for one in said if one.command]
    await made.aclose()
    return slots


UNKNOWN = phrases.UNKNOWN["en"]
ROOM_EN, ROOM_ZH = "Which room do you mean?", "请问是哪个房间的灯？"
OFFER_EN, OFFER_ZH = "I do not have that one. You can say: kitchen or hall.", "这个没有。您可以说厨房或大厅。"


@pytest.mark.parametrize(
    ("turns", "slots"),
    [
        ([("Turn on the light.", ROOM_EN), ("In the galley, please.", "The light in the kitchen is on.")], [{"room": "kitchen"}]),
        ([("请帮我打开灯。", ROOM_ZH), ("灶间吧。", "厨房的灯开了。")], [{"room": "厨房"}]),
        ([("Turn on the light in the", ROOM_EN), ("I think the lobby is best", "The light in the hall is on.")], [{"room": "hall"}]),
        ([("Turn on the light.", ROOM_EN), ("厨房。", "厨房的灯开了。")], [{"room": "厨房"}]),
        # What fits none of the values: they are offered, once.
        ([("Turn on the light.", ROOM_EN), ("The garage.", OFFER_EN), ("The hall.", "The light in the hall is on.")], [{"room": "hall"}]),
        ([("Turn on the light in the garage.", OFFER_EN), ("Kitchen", "The light in the kitchen is on.")], [{"room": "kitchen"}]),
        ([("打开车库的灯。", OFFER_ZH), ("大厅。", "大厅的灯开了。")], [{"room": "大厅"}]),
        ([("Turn on the light.", ROOM_EN), ("The garage.", OFFER_EN), ("The attic.", UNKNOWN), ("Kitchen", UNKNOWN)], []),
        # Something else is answered as such, and the instruction is dropped.
        ([("Turn on the light.", ROOM_EN), ("What are your opening hours?", "At nine."), ("Kitchen", UNKNOWN)], []),
        ([("Turn on the light.", ROOM_EN), ("Is the kitchen open?", UNKNOWN), ("Kitchen", UNKNOWN)], []),
        ([("Play.", "Which song?"), ("How old are you?", UNKNOWN), ("Yesterday", UNKNOWN)], []),
        ([("Turn on the light.", ROOM_EN), ("Play Yesterday.", "Here is Yesterday."), ("Kitchen", UNKNOWN)], [{"song": "Yesterday"}]),
        ([("Turn on the light.", ROOM_EN), ("Never mind.", DROPPED["en"]), ("Kitchen", UNKNOWN)], []),
        ([("打开灯。", ROOM_ZH), ("算了，不用了。", DROPPED["zh"])], []),
        # A slot without values takes what is said; the question is made of its name.
        ([("Play, please.", "Which song?"), ("It's The Wall, please.", "Here is The Wall.")], [{"song": "The Wall"}]),
        ([("把灯打开。", "请问是哪个房间？"), ("厨房", "厨房的灯开了。")], [{"灯": "灯", "房间": "厨房"}]),
        ([("播放", "请问是哪一个？"), ("在水一方", "Here is 在水一方.")], [{"song": "在水一方"}]),
        # One slot after the other.
        ([("Set to 22 degrees", "Which room?"), ("the study", "The study gets 22 degrees.")], [{"room": "study", "level": "22"}]),
        ([("Set the volume", "Which level?"), ("30%", "Volume 30.")], [{"level": "30"}]),
        # What only looks like one.
        ([("player", UNKNOWN), ("light", UNKNOWN), ("What is the light in the kitchen?", UNKNOWN)], []),
    ],
)  # fmt: skip
async def test_without_a_model(turns: list[tuple[str, str]], slots: list[dict[str, str]]) -> None:
    assert await talk(assistant(), *turns) == slots


async def test_with_a_model() -> None:
    """What is surely meant needs no model; of the rest the model makes what it can, and calls that lack something are asked back."""
    async with thinking() as llm:
        calls: dict[str, Any] = {
            "It is so dark here": [("call", "instruction_1", {})],
            "Give me some light in the barn": [("call", "instruction_1", {"room": "barn"})],
        }
        llm.script = lambda messages: calls.get(messages[-1]["content"], "A joke!")
        slots = await talk(
            assistant(llm),
            ("Turn on the light.", ROOM_EN),
            ("The galley.", "The light in the kitchen is on."),
            ("Turn on the light.", ROOM_EN),
            ("The barn.", OFFER_EN),
            ("The hall.", "The light in the hall is on."),
            ("Play.", "Which song?"),
            ("Yellow Submarine", "Here is Yellow Submarine."),
        )
        assert slots == [{"room": "kitchen"}, {"room": "hall"}, {"song": "Yellow Submarine"}]
        assert llm.asked == []
        slots = await talk(
            assistant(llm),
            ("It is so dark here", ROOM_EN),
            ("Kitchen.", "The light in the kitchen is on."),
            ("Give me some light in the barn", OFFER_EN),
            ("Then tell me a good joke instead", "A joke!"),
            ("Kitchen.", "A joke!"),
        )
        assert slots == [{"room": "kitchen"}]
        assert len(llm.asked) == 4


async def test_a_turn_that_may_not_be_one_neither_asks_nor_fills() -> None:
    made = assistant()
    guess = made.answer(Turn("Turn on the light.", "en", speculative=True))
    assert (await anext(guess)).text == ROOM_EN
    await guess.aclose()  # nobody heard it
    assert [one.text for one in await answered(made, "Kitchen")] == [UNKNOWN]
    await answered(made, "Turn on the light.")
    assert await answered(made, "Kitchen", speculative=True) == [], "it would have acted"
    assert [one.command is not None for one in await answered(made, "Kitchen")] == [True]
    await made.aclose()


def test_words_without_end_are_given_up_soon() -> None:
    """Each slot may hold anything: that must not make a sentence take for ever."""
    letters = [Instruction("x", "a {a} a {b} a {c} a {d} x", slots=[Slot(one) for one in "abcd"])]
    made = Instructions(letters)
    assert made.match("a " * 100, "en") is None
    assert made.begun("please " * 30, "en") is None
