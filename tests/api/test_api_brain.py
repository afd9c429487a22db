"""The interaction assistant's parts: secrets, references, recall, and answers in writing, through the official SDK."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from contract_world import Ask, World, running
from huaweicloudsdkmetastudio import v1 as sdk

from visavis.dialogue import phrases


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with running(tmp_path_factory.mktemp("brain")) as opened:
        yield opened


class Model:
    """A language model that remembers what it was asked, and answers ``reply``."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.keys: list[str] = []
        self.reply = "We open at nine."
        model = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                model.keys.append(self.headers["Authorization"])
                model.asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                body = json.dumps({"choices": [{"message": {"content": model.reply}}]}).encode()
                self.send_response(200 if model.reply else 500)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/v1"


@pytest.fixture
def model() -> Iterator[Model]:
    made = Model()
    thread = threading.Thread(target=made.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()


def refused(world: World, name: str, ask: Ask) -> tuple[int, str]:
    answer = world.call(name, ask)
    return answer.status_code, answer.json().get("error_msg", "")


def llm_config(world: World, url: str = "https://model.example/v1", **more: Any) -> str:
    body = sdk.CreateLlmConfigReq(name="Model", llm_url=url, api_key="sk-very-secret", model="large", **more)
    return str(world.client.create_llm_config(sdk.CreateLlmConfigRequest(body=body)).llm_config_id)


def library(world: World, pairs: dict[str, str] | None = None, **more: Any) -> str:
    body = {"name": "Visitors", "knowledge_type": "QUESTION_ANSWER", "language": "EN", **more}
    made = str(world.do("create_knowledge_library", Ask(body=body))["knowledge_library_id"])
    for question, answer in (pairs or {}).items():
        pair = sdk.CreateQuestionAnswerReq(knowledge_library_id=made, question=question, answer=answer)
        world.client.create_question_answer(sdk.CreateQuestionAnswerRequest(body=pair))
    return made


def role(world: World, libraries: list[str] | None = None, llm: str = "", **business: Any) -> str:
    chosen = [{"knowledge_type": "QUESTION_ANSWER", "knowledge_library_id_list": libraries}] if libraries else []
    body = {
        "name": "Guide",
        "description": "",
        "llm_source": "LLM_CONFIG" if llm else "DEEP_SEEK",
        "llm_config_id": llm,
        "role_business_list": [{"language": "EN", "knowledge_library_list": chosen, **business}],
    }
    return str(world.do("create_role", Ask(body=body))["role_id"])


def say(world: World, role_id: str, message: str, session: str = "s", **more: Any) -> str:
    body = sdk.CreateInteractiveChatReq(role_id=role_id, message=message, session_id=session, **more)
    return str(world.client.create_interactive_chat(sdk.CreateInteractiveChatRequest(body=body)).message)


# --- configurations -------------------------------------------------------------------------------------


def test_keys_are_never_shown_and_encrypted_where_they_are_kept(world: World) -> None:
    config = llm_config(world)
    plugin = world.do("create_plugin_config", Ask(body={"plugin_provider": "BOCHA", "api_key": "bocha-secret"}))
    answers = [
        world.call("show_llm_config", Ask(path={"llm_config_id": config})),
        world.call("list_llm_config", Ask()),
        world.call("show_plugin_config", Ask(path=plugin)),
        world.call("list_plugin_config", Ask()),
    ]
    assert all(answer.status_code == 200 for answer in answers)
    with sqlite3.connect(world.context.settings.data / "visavis.sqlite3") as database:
        stored = database.execute("SELECT document, secrets FROM records").fetchall()
    for secret in ("sk-very-secret", "bocha-secret"):
        assert not any(secret in answer.text for answer in answers)
        assert secret not in str(stored)


@pytest.mark.parametrize(
    ("url", "code"),
    [("ftp://model.example", "MSS.47010134"), ("http://u:p@model.example", "MSS.47010134"), ("model", "MSS.47010134")],
)
def test_a_model_s_address_must_be_one(world: World, url: str, code: str) -> None:
    body = {"name": "m", "llm_url": url, "api_key": "k"}
    answer = world.call("create_llm_config", Ask(body=body))
    assert (answer.status_code, answer.json()["error_code"]) == (400, code)


@pytest.mark.parametrize(
    "wrong",
    [
        {"mcp_server_url": "file:///etc/passwd"},
        {"mcp_server_url": "https://user:word@tools.example"},
        {"auth_header_name": "X Key"},
        {"auth_header_name": "X-Key\r\nHost"},
    ],
)
def test_an_mcp_server_s_address_and_header_must_be_such(world: World, wrong: dict[str, str]) -> None:
    status, message = refused(
        world, "create_mcp_server", Ask(body={"name": "t", "mcp_server_url": "https://tools.example", **wrong})
    )
    assert (status, next(iter(wrong)) in message) == (400, True)


def test_plug_ins_are_found_by_what_they_are_for(world: World) -> None:
    for provider in ("BOCHA", "AMAP_WEATHER"):
        world.do("create_plugin_config", Ask(body={"plugin_provider": provider}))
    found = world.client.list_plugin_config(sdk.ListPluginConfigRequest(plugin_type="WEATHER_QUERY")).data
    assert {one.plugin_provider for one in found} == {"AMAP_WEATHER"}
    defaults = world.client.show_plugin_config_default_info(sdk.ShowPluginConfigDefaultInfoRequest())
    assert {one.plugin_type: one.support_default for one in defaults.default_plugin_list} == {
        "WEATHER_QUERY": False,
        "WEB_SEARCH": False,
    }


def test_what_is_named_cannot_be_deleted(world: World) -> None:
    config, books = llm_config(world), library(world)
    role_id = role(world, [books], config)
    for name, one in (("delete_llm_config", config), ("delete_knowledge_library", books)):
        status, message = refused(world, name, Ask(body=[one]))
        assert (status, "Guide" in message) == (409, True)
    world.do("delete_role", Ask(body=[role_id]))
    world.do("delete_llm_config", Ask(body=[config]))
    instructions = world.do("create_instruction_library", Ask(body={"name": "Lights"}))["instruction_library_id"]
    slot = {"name": "room", "knowledge_library_list": [{"language": "EN", "knowledge_library_id": books}]}
    body = {"name": "on", "description": "", "instruction": "on", "slot_list": [slot]}
    made = world.do("create_instruction", Ask(body={"instruction_library_id": instructions, **body}))
    assert refused(world, "delete_knowledge_library", Ask(body=[books]))[0] == 409
    world.do("delete_instruction_library", Ask(body=[instructions]))
    assert refused(world, "show_instruction", Ask(path=made))[0] == 404
    world.do("delete_knowledge_library", Ask(body=[books]))


@pytest.mark.parametrize(
    "wrong",
    [
        {"slot_list": [{"name": "a"}, {"name": "a"}]},
        {"slot_list": [{"name": "a", "knowledge_library_list": [{"language": "EN", "knowledge_library_id": "none"}]}]},
        {"reply_words_list": [{"language": "EN", "reply_words": "a"}, {"language": "EN", "reply_words": "b"}]},
    ],
)
def test_an_instruction_that_contradicts_itself(world: World, wrong: dict[str, Any]) -> None:
    one = world.do("create_instruction_library", Ask(body={"name": "Lights"}))
    body = {**one, "name": "on", "description": "", "instruction": "on", **wrong}
    assert refused(world, "create_instruction", Ask(body=body))[0] == 400


# --- recall ---------------------------------------------------------------------------------------------


def recall(world: World, library_id: str, query: str, **more: Any) -> list[Any]:
    body = sdk.RecallKnowledgeLibraryRequestBody(
        knowledge_library_id=library_id, knowledge_type="QUESTION_ANSWER", query=query, **more
    )
    request = sdk.CheckRecallKnowledgeLibraryRequest(body=body)
    return list(world.client.check_recall_knowledge_library(request).body or [])


def test_a_library_recalls_what_was_meant(world: World) -> None:
    books = library(world, {"When are you open?": "From nine to five.", "How much is a ticket?": "Ten euros."})
    best = recall(world, books, "what are the opening hours", score=0.0)
    assert [one.content for one in best] == ["From nine to five.", "Ten euros."]
    assert best[0].score > 0.6 > best[1].score >= 0
    assert best[0].question_answer_id
    assert len(recall(world, books, "what are the opening hours", topk=1, score=0.0)) == 1
    assert recall(world, books, "How tall is Mount Everest?") == [], "unlike anything it holds"


def test_a_change_is_recalled_at_once(world: World) -> None:
    books = library(world, {"When are you open?": "From nine to five."})
    (found,) = recall(world, books, "When are you open?")
    change = {"answer": "From ten to six.", "similar_questions": "Can I park my car?"}
    world.do("update_question_answer", Ask(path={"question_answer_id": found.question_answer_id}, body=change))
    assert recall(world, books, "When are you open?")[0].content == "From ten to six."
    assert recall(world, books, "Can I park my car here?")[0].content == "From ten to six."
    world.do("delete_question_answer", Ask(body=[found.question_answer_id]))
    assert recall(world, books, "When are you open?") == []


def test_the_wire_has_the_list_itself(world: World) -> None:
    books = library(world, {"When are you open?": "From nine to five."})
    body = {"knowledge_library_id": books, "knowledge_type": "QUESTION_ANSWER", "query": "When are you open?"}
    assert world.do("check_recall_knowledge_library", Ask(body=body))[0]["content"] == "From nine to five."
    body["knowledge_type"] = "DOCUMENT"
    assert refused(world, "check_recall_knowledge_library", Ask(body=body))[0] == 400


# --- chat -----------------------------------------------------------------------------------------------


def test_a_model_answers_with_prompt_facts_and_what_was_said(world: World, model: Model) -> None:
    books = library(world, {"When are you open?": "From nine to five."}, score=0.0)
    role_id = role(world, [books], llm_config(world, model.url), prompt="You are a porter.")
    assert say(world, role_id, "When are you open?", session="sure") == "From nine to five.", "word for word"
    assert model.asked == []
    assert say(world, role_id, "What do you do on Sundays?") == "We open at nine."
    assert model.keys == ["Bearer sk-very-secret"]
    assert model.asked[0]["model"] == "large"
    system, user = model.asked[0]["messages"]
    assert system["content"].startswith("You are a porter.")
    assert "From nine to five." in system["content"]
    assert user == {"role": "user", "content": "What do you do on Sundays?"}
    model.reply = "On Mondays, too."
    say(world, role_id, "And on Mondays?")
    said = [(one["role"], one["content"]) for one in model.asked[1]["messages"][1:]]
    assert said == [
        ("user", "What do you do on Sundays?"),
        ("assistant", "We open at nine."),
        ("user", "And on Mondays?"),
    ]
    say(world, role_id, "Hello?", session="another")
    assert len(model.asked[2]["messages"]) == 2, "sessions know nothing of each other"
    with sqlite3.connect(world.context.settings.data / "visavis.sqlite3") as database:
        assert "We open at nine" not in str(database.execute("SELECT document, secrets FROM records").fetchall())


def test_a_model_that_fails_is_apologised_for(world: World, model: Model) -> None:
    role_id = role(world, llm=llm_config(world, model.url))
    model.reply = ""
    assert say(world, role_id, "Hello?") == phrases.FAILED["en"]


def test_an_address_inside_the_operator_s_network_is_not_called(world: World) -> None:
    role_id = role(world, llm=llm_config(world, "http://10.1.2.3/v1"))
    answer = world.call(
        "create_interactive_chat", Ask(body={"role_id": role_id, "message": "Hello?", "session_id": "s"})
    )
    assert (answer.status_code, answer.json()["error_code"]) == (400, "MSS.47010134")
    assert "internal address" in answer.json()["error_msg"]


def test_without_a_model_libraries_answer_word_for_word(world: World) -> None:
    books = library(world, {"When are you open?": "From nine to five."})
    role_id = role(world, [books])
    assert say(world, role_id, "when do you open", language="EN") == "From nine to five."
    assert say(world, role_id, "How tall is Mount Everest?") == phrases.UNKNOWN["en"]


def test_without_libraries_it_knows_what_visavis_knows_of_itself(world: World) -> None:
    assert "visavis" in say(world, role(world), "What is visavis?").lower()


def test_a_role_that_is_not_there(world: World) -> None:
    body = {"role_id": "nobody", "message": "Hello?", "session_id": "s"}
    assert refused(world, "create_interactive_chat", Ask(body=body))[0] == 404
