"""What is remembered of a conversation: so many rounds of it, with what tools said."""

from __future__ import annotations

import json
from typing import Any

import pytest
from thinking_server import Thinking, last, thinking

from visavis.dialogue.assistant.calls import Call
from visavis.dialogue.assistant.engine import Assistant
from visavis.dialogue.assistant.remembering import ToolMemory, exchange
from visavis.dialogue.assistant.tools import Toolbox
from visavis.dialogue.assistant.types import Role, Tool, ToolError, ToolResult
from visavis.dialogue.endpoint import Endpoint, recent
from visavis.dialogue.model import ModelClient
from visavis.dialogue.types import Message, Turn
from visavis.urlpolicy import UrlPolicy


class Weather:
    """A tool that knows two days, and fails at others."""

    name, description, acts = "weather", "The weather.", False
    schema = {"type": "object", "properties": {"place": {"type": "string"}}}  # noqa: RUF012

    async def call(self, arguments: Any) -> ToolResult:
        if arguments.get("place") == "Atlantis":
            raise ToolError("no such place")
        return ToolResult(f"{arguments['place']}: today sun, tomorrow rain.")


class Conversation:
    """As a session holds it: turns in order, with what was really said."""

    def __init__(self, llm: Thinking, chat_rounds: int = 5) -> None:
        weather: Tool = Weather()
        role = Role(endpoint=Endpoint(llm.url, chat_rounds=chat_rounds))
        self.assistant = Assistant(role, ModelClient(UrlPolicy(["127.0.0.1"])), Toolbox([weather], []), sure=0.6)
        self.history: list[Message] = []
        self.llm = llm

    async def ask(self, text: str, *, cut_after: int = 99, speculative: bool = False) -> list[str]:
        """What is said; an answer that is cut is heard as far as that."""
        said = []
        sentences = self.assistant.answer(Turn(text, "en", tuple(self.history), speculative=speculative))
        async for sentence in sentences:
            said.append(sentence.text)
            if len(said) >= cut_after:
                break
        await sentences.aclose()
        self.history += [Message("user", text), *([Message("assistant", " ".join(said))] if said else [])]
        return said

    def told(self) -> list[str]:
        """What the tool said, as far as the model's last request has it."""
        return [one["content"] for one in self.llm.messages if one["role"] == "tool"]


def looking(messages: list[dict[str, Any]]) -> Any:
    """Asks the tool about a place that is named, and answers all else from what it was told."""
    if messages[-1]["role"] == "tool":
        return f"It is so. {last(messages)}"
    asked = messages[-1]["content"].rstrip("?").split()[-1]
    if asked in ("Jena", "Berlin", "Atlantis"):
        return [("call", "weather", {"place": asked})]
    return "It will be as I was told."


SAID = "Jena: today sun, tomorrow rain."


async def test_a_follow_up_finds_what_the_tool_said() -> None:
    async with thinking() as llm:
        llm.script = looking
        talk = Conversation(llm)
        await talk.ask("How is the weather in Jena?")
        await talk.ask("And tomorrow?")
        _, *messages = llm.messages
        assert [one["role"] for one in messages] == ["user", "assistant", "tool", "assistant", "user"]
        call = messages[1]["tool_calls"][0]
        assert (call["function"]["name"], json.loads(call["function"]["arguments"])) == ("weather", {"place": "Jena"})
        assert (messages[2]["tool_call_id"], messages[2]["content"]) == (call["id"], SAID)
        assert messages[3]["content"] == f"It is so. {SAID}"
        assert len(llm.asked) == 3, "nothing was looked up again"
        await talk.assistant.aclose()


async def test_it_is_forgotten_with_its_round() -> None:
    async with thinking() as llm:
        llm.script = looking
        for rounds, found in ((1, []), (3, [SAID])):
            talk = Conversation(llm, chat_rounds=rounds)
            for question in ("How is the weather in Jena?", "Thanks", "And tomorrow?"):
                await talk.ask(question)
            assert talk.told() == found
            await talk.ask("And then?")
            assert talk.told() == []
            await talk.assistant.aclose()


async def test_an_interrupted_answer_leaves_what_was_found() -> None:
    async with thinking() as llm:
        llm.script = looking
        talk = Conversation(llm)
        assert await talk.ask("How is the weather in Jena?", cut_after=1) == ["It is so."]
        await talk.ask("And tomorrow?")
        assert talk.told() == [SAID]
        assert [one["content"] for one in llm.messages[1:]][-2:] == ["It is so.", "And tomorrow?"]
        await talk.assistant.aclose()


async def test_a_question_that_was_none_leaves_nothing_and_so_does_a_tool_that_failed() -> None:
    async with thinking() as llm:
        llm.script = looking
        talk = Conversation(llm)
        guess = talk.assistant.answer(Turn("How is the weather in Jena?", "en", speculative=True))
        await anext(guess)
        await guess.aclose()
        await talk.ask("How is the weather in Atlantis?")
        talk.history.insert(0, Message("user", "How is the weather in Jena?"))
        await talk.ask("And tomorrow?")
        assert talk.told() == []
        await talk.assistant.aclose()


def kept(memory: ToolMemory, question: str, text: str, arguments: str = "{}") -> None:
    memory.keep(question, exchange("", [Call("c", "find", {"a": 1}, arguments)], [ToolResult(text)]))


def test_what_is_told_again_is_bounded_and_the_newest_of_it() -> None:
    memory = ToolMemory()
    for number in range(30):
        kept(memory, f"Question {number}", f"{number} " + "x" * 5000)
    said = [{"role": role, "content": f"Question {number}"} for number in range(30) for role in ("user", "assistant")]
    woven = memory.woven([*said, {"role": "user", "content": "Question 29"}])
    told = [one["content"] for one in woven if one["role"] == "tool"]
    assert [int(text.split()[0]) for text in told] == [26, 27, 28, 29]
    assert all(len(text) <= 1500 and text.endswith("[cut]") for text in told)
    assert woven[-1] == {"role": "user", "content": "Question 29"}
    assert [one for one in woven if one["role"] != "tool" and "tool_calls" not in one][:-1] == said
    kept(memory, "Much", "found", arguments=json.dumps({"a": "x" * 5000}))
    assert len(memory.woven([{"role": "user", "content": "Much"}, {"role": "user", "content": "And?"}])) == 2


@pytest.mark.parametrize(
    ("rounds", "first"), [(0, None), (1, None), (2, "C"), (3, "B"), (4, "welcome"), (9, "welcome")]
)
def test_a_round_begins_with_its_question(rounds: int, first: str | None) -> None:
    """Whether it was answered or not: what a model is told never begins with half of a round."""
    spoken = [
        ("assistant", "welcome"),
        ("user", "A"),
        ("assistant", "a"),
        ("user", "B"),
        ("user", "C"),
        ("assistant", "c"),
    ]
    history = [Message(role, text) for role, text in spoken]  # type: ignore[arg-type]
    found = recent(history, rounds)
    assert (found[0].text if found else None) == first
    assert list(found) == history[len(history) - len(found) :]
