"""Conversations in writing: the dialogue of one is kept for its next message, for a while."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator
from typing import Any

import pytest
from contract_world import Ask, World, running
from huaweicloudsdkmetastudio import v1 as sdk
from mcp_server import command
from thinking_server import last, thinking

from visavis.api.services.chatting_open import OpenDialogues
from visavis.dialogue.types import Sentence, Turn


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with running(tmp_path_factory.mktemp("chat"), mcp_stdio={"tests": command()}) as opened:
        yield opened


def role(world: World, **fields: Any) -> str:
    body = {"name": "Guide", "description": "", "llm_source": "DEEP_SEEK", "role_business_list": [], **fields}
    return str(world.do("create_role", Ask(body=body))["role_id"])


def light(world: World) -> str:
    """An instruction library: a light, whose rooms are in a library."""
    rooms = world.do(
        "create_knowledge_library",
        Ask(body={"name": "Rooms", "knowledge_type": "QUESTION_ANSWER", "language": "EN"}),
    )["knowledge_library_id"]
    for question, answer in (("galley", "kitchen"), ("lobby", "hall")):
        pair = {"knowledge_library_id": rooms, "question": question, "answer": answer}
        world.do("create_question_answer", Ask(body=pair))
    library = world.do("create_instruction_library", Ask(body={"name": "Lights"}))["instruction_library_id"]
    values = [{"language": "EN", "knowledge_library_id": rooms}]
    body = {
        "instruction_library_id": library,
        "name": "light",
        "description": "",
        "instruction": "turn on the light in the {room}",
        "slot_list": [{"name": "room", "knowledge_library_list": values}],
        "reply_words_list": [{"language": "EN", "reply_words": "Light in the {room}!"}],
    }
    world.do("create_instruction", Ask(body=body))
    return str(library)


def say(world: World, role_id: str, message: str, session: str = "s") -> str:
    body = sdk.CreateInteractiveChatReq(role_id=role_id, message=message, session_id=session)
    return str(world.client.create_interactive_chat(sdk.CreateInteractiveChatRequest(body=body)).message)


def test_a_slot_is_asked_for_and_filled_by_the_next_message(world: World) -> None:
    made = role(world, instruction_library_id=light(world))
    assert say(world, made, "Turn on the light, please.") == "Which room?"
    assert say(world, made, "The galley.", session="another") != "Light in the kitchen!", "another conversation"
    assert say(world, made, "The barn.") == "I do not have that one. You can say: kitchen or hall."
    assert say(world, made, "The galley.") == "Light in the kitchen!"


async def test_tools_stay_connected_and_what_they_said_is_known(world: World) -> None:
    """The program that has the tool counts: it is one and the same for a conversation, until its role changes."""
    async with thinking() as llm:

        def script(messages: list[dict[str, Any]]) -> Any:
            if messages[-1]["role"] == "tool":
                return last(messages)
            if "Ring" in last(messages):
                return [("call", "ring", {})]
            return " ".join(one["content"] for one in messages if one["role"] == "tool") or "Nothing."

        llm.script = script

        def conversation() -> list[str]:
            model = world.do("create_llm_config", Ask(body={"name": "M", "llm_url": llm.url, "api_key": "k"}))
            tools = world.do("create_mcp_server", Ask(body={"name": "T", "mcp_server_url": "stdio:tests"}))
            made = role(world, llm_source="LLM_CONFIG", **model, mcp_server_id_list=list(tools.values()))
            said = [say(world, made, text) for text in ("Ring!", "Ring again!", "And what did you do?")]
            said.append(say(world, made, "Ring!", session="another"))
            world.do("update_role", Ask(path={"role_id": made}, body={"name": "Porter"}))
            said.append(say(world, made, "Ring!"))
            change = {"role_business_list": [{"language": "EN", "prompt": "Be kind."}]}
            world.do("update_role", Ask(path={"role_id": made}, body=change))
            said.append(say(world, made, "Ring!"))
            return said

        said = await asyncio.to_thread(conversation)
    first, second = "It rang 1 times.", "It rang 2 times."
    assert said == [first, second, f"{first} {second}", first, "It rang 3 times.", first]


# --- what is kept -----------------------------------------------------------------------------------------


class Kept:
    """A dialogue that tells when it was closed."""

    def __init__(self) -> None:
        self.turns: list[Turn] = []
        self.over = asyncio.Event()

    async def answer(self, turn: Turn) -> AsyncGenerator[Sentence, None]:
        self.turns.append(turn)
        yield Sentence("Yes.", "en")

    async def aclose(self) -> None:
        self.over.set()


class Failing(Kept):
    async def answer(self, turn: Turn) -> AsyncGenerator[Sentence, None]:
        raise ValueError("no")
        yield


async def used(chats: OpenDialogues, key: str, made_of: str = "", make: type[Kept] = Kept) -> Kept:
    async def made() -> Kept:
        return make()

    async with chats.borrow(key, made_of, made) as dialogue:
        async for _ in dialogue.answer(Turn("Hi", "en")):
            pass
        assert isinstance(dialogue, Kept)
        return dialogue


async def test_a_dialogue_is_kept_until_its_time_is_over() -> None:
    chats = OpenDialogues(keep_s=0.05)
    one = await used(chats, "a")
    assert await used(chats, "a") is one
    assert await used(chats, "b") is not one
    await asyncio.wait_for(one.over.wait(), 5)
    again = await used(chats, "a")
    assert again is not one
    assert len(one.turns) == 2
    await chats.aclose()
    assert again.over.is_set()


async def test_what_has_changed_failed_or_is_too_much_is_not_kept() -> None:
    chats = OpenDialogues()
    old = await used(chats, "a", "old role")
    new = await used(chats, "a", "new role")
    assert new is not old
    await asyncio.wait_for(old.over.wait(), 5)
    with pytest.raises(ValueError, match="no"):
        await used(chats, "c", make=Failing)
    assert (await used(chats, "c")).turns
    for number in range(64):
        await used(chats, str(number))
    await asyncio.wait_for(new.over.wait(), 5)
    await chats.aclose()
    late = await used(chats, "a")
    await asyncio.wait_for(late.over.wait(), 5)


async def test_two_messages_at_once_do_not_share_a_dialogue() -> None:
    chats = OpenDialogues()

    async def made() -> Kept:
        return Kept()

    async with chats.borrow("a", "", made) as first, chats.borrow("a", "", made) as second:
        assert first is not second
    kept = await used(chats, "a")
    assert kept in (first, second)
    await chats.aclose()
    for dialogue in (first, second):
        assert isinstance(dialogue, Kept)
        assert dialogue.over.is_set()
