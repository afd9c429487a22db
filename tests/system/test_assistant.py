"""The interaction assistant of a real job: all that makes it is stored through the SDK, and it is asked and heard over RTC."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from huaweicloudsdkmetastudio.v1 import model
from mcp_server import KEY as TOOL_KEY
from mcp_server import command, mcp_http
from running import Cloud, Guest, RunningServer, guest, serving
from thinking_server import last, thinking

from visavis.dialogue import phrases
from visavis.dialogue.waiting import LOOKING, THINKING

pytestmark = [pytest.mark.system, pytest.mark.timeout(180)]

KEY = "sk-of-the-role"
DOCUMENT = (Path(__file__).parents[2] / "docs" / "assistant.md").read_text()
SAMPLES = re.findall(r"^```python\n(.*?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL)
"""The document's tool, and the program that makes its robot."""
KNOWN = ("Where is the cloakroom?", "The cloakroom is behind the stairs.")


@dataclass
class Brain:
    """A server, and what its roles are made of."""

    server: RunningServer
    cloud: Cloud
    tools_url: str

    def do(self, request: str, response: str, **fields: Any) -> str:
        """Create something; its id."""
        call = getattr(self.cloud.sdk, f"create_{request}")
        words = "".join(word.title() for word in request.split("_"))
        body = getattr(model, f"Create{words}Req")(**fields)
        return str(getattr(call(getattr(model, f"Create{words}Request")(body=body)), response))

    def role(self, llm_url: str, businesses: list[Any], **more: Any) -> str:
        """A robot that plays a role with that model."""
        llm = self.do("llm_config", "llm_config_id", name="Large", llm_url=llm_url, api_key=KEY, model="large")
        role = self.do(
            "role",
            "role_id",
            name="Guide",
            description="",
            llm_source="LLM_CONFIG",
            llm_config_id=llm,
            role_business_list=businesses,
            **more,
        )
        return self.cloud.robot(wise_brain_config=model.WiseBrainConfig(role_id=role))


@pytest.fixture(scope="module")
def brain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Brain]:
    folder = tmp_path_factory.mktemp("assistant")
    shop = folder / "shop.py"
    shop.write_text(SAMPLES[0])
    with mcp_http() as tools_url:
        environment = {
            "url_allow": '["127.0.0.1"]',
            "warm_answers": "false",
            "workers": "1",
            "mcp_stdio": json.dumps({"tests": command(), "shop": [sys.executable, str(shop)]}),
            "mcp_credentials": json.dumps({tools_url: TOOL_KEY}),
            "tool_s": "3",
        }
        with serving(folder / "data", **environment) as server:
            yield Brain(server, server.cloud(), tools_url)


@asynccontextmanager
async def talking(brain: Brain, robot: str) -> AsyncIterator[Guest]:
    room = await asyncio.to_thread(brain.cloud.room, robot_id=robot)
    async with guest(brain.cloud, room, keep_pictures=False) as visitor:
        yield visitor


async def answered(visitor: Guest, question: str, sentences: int = 1) -> list[str]:
    """What it says, sentence by sentence, until it is silent again."""
    visitor.tell("send-text", content=question)
    said: list[str] = []
    while len(said) < sentences:
        said.append((await visitor.until("bot-output", lambda data: data["aggregated_by"] == "sentence"))["text"])
    await visitor.until("bot-stopped-speaking")
    return said


async def test_a_role_with_tools_over_http_and_stdio(brain: Brain) -> None:
    async with thinking() as llm:

        def script(messages: list[dict[str, Any]]) -> Any:
            asked = next(one["content"] for one in reversed(messages) if one["role"] == "user")
            if messages[-1]["role"] == "tool":
                return f"The tool says: {last(messages)}"
            if "open" in asked:
                return [("call", "opening_hours", {"day": "Monday"})]
            if "wait" in asked:
                return [("call", "slow", {"seconds": 1.5})]
            if "story" in asked:
                return "Once upon a time there was a porter. " * 8
            if "哪" in asked:
                return "我们在柏林。"
            return "You are welcome."

        llm.script = script
        business = [
            model.RoleBusinessReq(language="EN", prompt="You are the porter of Kay's."),
            model.RoleBusinessReq(language="CN", prompt="你是凯记的门房。"),
        ]
        http = await asyncio.to_thread(
            brain.do,
            "mcp_server",
            "mcp_server_id",
            name="Web",
            mcp_server_url=brain.tools_url,
            auth_header_name="X-Tool-Key",
        )
        stdio = await asyncio.to_thread(
            brain.do, "mcp_server", "mcp_server_id", name="Own", mcp_server_url="stdio:tests"
        )
        robot = await asyncio.to_thread(brain.role, llm.url, business, mcp_server_id_list=[http, stdio])
        async with talking(brain, robot) as visitor:
            said = await answered(visitor, "When are you open on Monday?")
            assert said == ["The tool says: On Monday from 9 to 17."]
            assert llm.keys[0] == f"Bearer {KEY}"
            assert llm.asked[0]["model"] == "large"
            system, user = llm.asked[0]["messages"]
            assert system["content"].startswith("You are the porter of Kay's.")
            assert user == {"role": "user", "content": "When are you open on Monday?"}
            assert {"opening_hours", "opening_hours_2", "ring", "ring_2"} <= set(llm.tools(0)), "of both servers"
            made, told = llm.messages[2:]
            assert made["tool_calls"][0]["function"] == {"name": "opening_hours", "arguments": '{"day": "Monday"}'}
            assert told == {"role": "tool", "tool_call_id": "c0", "content": "On Monday from 9 to 17."}

            said = await answered(visitor, "Please wait for it.", 2)
            assert said == [LOOKING.words["en"], "The tool says: It took a while."]

            visitor.tell("send-text", content="Tell me a story.")
            await visitor.until("bot-started-speaking")
            visitor.command("interrupt")
            heard = (await visitor.until("bot-interruption"))["spoken"]

            assert await answered(visitor, "你们在哪里？") == ["我们在柏林。"]
            system, *history = llm.messages
            assert system["content"].startswith("你是凯记的门房。")
            assert [one["content"] for one in history if one["role"] == "tool"] == [
                "On Monday from 9 to 17.",
                "It took a while.",
            ], "what tools said is told with its turn"
            spoken = [one for one in history if one["role"] != "tool" and "tool_calls" not in one]
            assert [(one["role"], one["content"]) for one in spoken] == [
                ("user", "When are you open on Monday?"),
                ("assistant", "The tool says: On Monday from 9 to 17."),
                ("user", "Please wait for it."),
                ("assistant", "The tool says: It took a while."),
                ("user", "Tell me a story."),
                *([("assistant", heard)] if heard else []),
                ("user", "你们在哪里？"),
            ], "what passed the time is no part of what was said"
            assert len(heard) < 100, "it was interrupted"
    assert KEY not in brain.server.log
    assert TOOL_KEY not in brain.server.log


async def test_whatever_fails_something_sensible_is_heard_within_three_seconds(brain: Brain) -> None:
    async with thinking() as llm:
        business = [model.RoleBusinessReq(language="CN", prompt="你是凯记的门房。")]
        own = await asyncio.to_thread(brain.do, "mcp_server", "mcp_server_id", name="Own", mcp_server_url="stdio:tests")
        robot = await asyncio.to_thread(brain.role, llm.url, business, mcp_server_id_list=[own])
        async with talking(brain, robot) as visitor:

            def calling(name: str) -> Any:
                return lambda messages: "没有查到。" if messages[-1]["role"] == "tool" else [("call", name, {})]

            for script, *sentences in (
                (lambda _: web.Response(status=429, headers={"Retry-After": "60"}), phrases.FAILED["zh"]),
                (lambda _: web.Response(body=b"x" * 10_000_000), phrases.FAILED["zh"]),
                (lambda _: ["我们九点开门。", "但是星期", "BREAK"], "我们九点开门。", phrases.BROKEN["zh"]),
                (lambda _: [3.0, "我们九点开门。"], THINKING.words["zh"], "我们九点开门。"),
                (calling("hang"), LOOKING.words["zh"], "没有查到。"),
                (calling("huge"), "没有查到。"),
                (lambda _: "一切正常。", "一切正常。"),
            ):
                llm.script = script
                began = time.monotonic()
                visitor.tell("send-text", content="你们几点开门？")
                await visitor.until("bot-started-speaking")
                assert time.monotonic() - began < 3.2, sentences  # with what the test's own client takes
                said: list[str] = [one["data"]["text"] for one in visitor.log if _sentence(one)]
                while len(said) < len(sentences):
                    told = await visitor.until("bot-output", lambda data: data["aggregated_by"] == "sentence")
                    said.append(told["text"])
                await visitor.until("bot-stopped-speaking")
                visitor.log.clear()
                assert said == sentences
    assert KEY not in brain.server.log


def _sentence(message: dict[str, Any]) -> bool:
    return message["type"] == "bot-output" and message["data"]["aggregated_by"] == "sentence"


async def test_the_example_of_the_documentation(brain: Brain, tmp_path: Path) -> None:
    async with thinking() as llm:
        llm.script = lambda messages: (
            f"We have {last(messages)}." if messages[-1]["role"] == "tool" else [("call", "stock", {"article": "lamp"})]
        )
        credentials = brain.cloud.sdk._credentials
        environment = {
            "AK": credentials.ak,
            "SK": credentials.sk,
            "PROJECT": brain.cloud.project,
            "ENDPOINT": brain.server.url,
            "LLM_URL": llm.url,
            "LLM_KEY": KEY,
        }
        sample = tmp_path / "sample.py"
        sample.write_text(SAMPLES[1])
        run = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, str(sample)],
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            check=True,
        )
        async with talking(brain, run.stdout.strip()) as visitor:
            assert await answered(visitor, "How many lamps do you have?") == ["We have lamp: 12 pieces."]
            visitor.tell("send-text", content="Please show me the blue lamp.")
            told = await visitor.until("instruction")
            assert told == {
                "event": "instruction",
                "name": "show",
                "instruction": "show me the {article}",
                "slots": {"article": "blue lamp"},
            }
            assert (await visitor.until("bot-output"))["text"] == "Here is the blue lamp."


# --- what is asked back, and what is remembered -----------------------------------------------------------


def library(brain: Brain, language: str, pairs: dict[str, str]) -> str:
    kind = "QUESTION_ANSWER"
    made = brain.do("knowledge_library", "knowledge_library_id", name="L", knowledge_type=kind, language=language)
    for question, answer in pairs.items():
        brain.do("question_answer", "question_answer_id", knowledge_library_id=made, question=question, answer=answer)
    return made


def lights(brain: Brain) -> str:
    """An instruction whose slot has values in both languages."""
    rooms = {"EN": {"galley": "kitchen", "lobby": "hall"}, "CN": {"灶间": "厨房", "门厅": "大厅"}}
    made = brain.do("instruction_library", "instruction_library_id", name="Lights")
    values = [
        model.SlotKnowledgeLibraryInfo(language=language, knowledge_library_id=library(brain, language, pairs))
        for language, pairs in rooms.items()
    ]
    brain.do(
        "instruction",
        "instruction_id",
        instruction_library_id=made,
        name="light",
        description="",
        instruction="turn on the light in the {room}\n打开{room}的灯",
        slot_list=[
            model.InstructionSlotInfo(
                name="room", description="Which room?\n请问是哪个房间？", knowledge_library_list=values
            )
        ],
        reply_words_list=[
            model.InstructionReplyWordsInfo(language="EN", reply_words="The light in the {room} is on."),
            model.InstructionReplyWordsInfo(language="CN", reply_words="{room}的灯开了。"),
        ],
    )
    return made


async def begun(visitor: Guest, question: str) -> str:
    """The first sentence of what is said; the next question cuts it."""
    visitor.tell("send-text", content=question)
    return str((await visitor.until("bot-output", lambda data: data["aggregated_by"] == "sentence"))["text"])


def contents(messages: list[dict[str, Any]]) -> list[str]:
    return [one["content"] for one in messages if one["role"] in ("user", "assistant") and one["content"]]


async def test_slots_tools_and_stored_answers_of_a_role(brain: Brain) -> None:
    async with thinking() as llm:

        def script(messages: list[dict[str, Any]]) -> Any:
            if messages[-1]["role"] == "tool":
                return last(messages)
            if "Monday" in last(messages):
                return [("call", "opening_hours", {"day": "Monday"})]
            return "As I said." if "English" in messages[0]["content"] else "如我所说。"

        llm.script = script

        def robot() -> str:
            own = brain.do("mcp_server", "mcp_server_id", name="Own", mcp_server_url="stdio:tests")
            books = library(brain, "EN", dict([KNOWN]))
            chosen = model.RoleKnowledgeLibraryReq(knowledge_type="QUESTION_ANSWER", knowledge_library_id_list=[books])
            business = [
                model.RoleBusinessReq(language="EN", prompt="You are a porter.", knowledge_library_list=[chosen]),
                model.RoleBusinessReq(language="CN", prompt="你是门房。"),
            ]
            return brain.role(llm.url, business, mcp_server_id_list=[own], instruction_library_id=lights(brain))

        async with talking(brain, await asyncio.to_thread(robot)) as visitor:
            assert await begun(visitor, "Turn on the light, please.") == "Which room?"
            assert (await begun(visitor, "The barn.")).startswith("I do not have that one.")
            visitor.tell("send-text", content="The galley.")
            told = await visitor.until("instruction")
            assert (told["name"], told["slots"]) == ("light", {"room": "kitchen"})
            assert await begun(visitor, "打开灯。") == "请问是哪个房间？"
            assert await begun(visitor, "门厅。") == "大厅的灯开了。"
            assert llm.asked == [], "all of this needs no model"
            await visitor.until("bot-stopped-speaking")

            assert await answered(visitor, KNOWN[0]) == [KNOWN[1]]
            assert await answered(visitor, "When are you open on Monday?") == ["On Monday from 9 to 17."]
            assert await answered(visitor, "And what did I ask?") == ["As I said."]
            assert [one["content"] for one in llm.messages if one["role"] == "tool"] == ["On Monday from 9 to 17."]
            assert contents(llm.messages)[-5:] == [
                *KNOWN,
                "When are you open on Monday?",
                "On Monday from 9 to 17.",
                "And what did I ask?",
            ]
            assert await begun(visitor, "那中文呢？") == "如我所说。"
            assert llm.messages[0]["content"].startswith("你是门房。")
            assert contents(llm.messages)[-3:] == ["And what did I ask?", "As I said.", "那中文呢？"]


async def test_chat_rounds_of_a_language_model(brain: Brain) -> None:
    """As the robot has it, and as update_robot changes it; with an answer that was interrupted, and another language."""
    async with thinking() as llm:
        llm.script = lambda messages: (
            "Once upon a time there was a porter. " * 8 if "story" in last(messages) else "Yes."
        )

        def config(rounds: int) -> model.ThirdPartyModelConfig:
            return model.ThirdPartyModelConfig(app_id="m", app_key="k", llm_url=llm.url, chat_rounds=rounds)

        made = await asyncio.to_thread(brain.cloud.robot, app_type=6, third_party_model_config=config(1))
        async with talking(brain, made) as visitor:
            assert await answered(visitor, "One?") == ["Yes."]
            assert await begun(visitor, "Two?") == "Yes."
            assert contents(llm.messages) == ["Two?"]
        change = model.UpdateRobotReq(third_party_model_config=model.ThirdPartyModelConfig(chat_rounds=3))
        request = model.UpdateRobotRequest(robot_id=made, body=change)
        await asyncio.to_thread(brain.cloud.sdk.update_robot, request)
        async with talking(brain, made) as visitor:
            assert await answered(visitor, "One?") == ["Yes."]
            visitor.tell("send-text", content="Tell me a story.")
            await visitor.until("bot-started-speaking")
            visitor.command("interrupt")
            heard = (await visitor.until("bot-interruption"))["spoken"]
            assert len(heard) < 100, "it was interrupted"
            visitor.log.clear()
            story = ["Tell me a story.", *([heard] if heard else [])]
            assert await answered(visitor, "还有呢？") == ["Yes."]
            assert contents(llm.messages) == ["One?", "Yes.", *story, "还有呢？"]
            await begun(visitor, "Four?")
            assert contents(llm.messages) == [*story, "还有呢？", "Yes.", "Four?"]
