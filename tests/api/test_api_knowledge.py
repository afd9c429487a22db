"""Skills, intents and questions through the SDK: what goes with what, the file of a skill, and who answers from them."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from contract_world import Ask, World, running

from visavis.dialogue.factory import DialogueFactory
from visavis.dialogue.types import Sentence, Turn
from visavis.urlpolicy import UrlPolicy

_numbers = count()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with running(tmp_path) as opened:
        yield opened


def ask(world: World, name: str, body: Any = None, path: Any = None, **query: Any) -> Any:
    """The SDK's answer as a dictionary, without the request's id."""
    answer = world.by_sdk(name, Ask(path=path or {}, query=query, body=body)).to_dict()
    return {name: value for name, value in answer.items() if name != "x_request_id"}


def skill(world: World, **headers: str) -> str:
    body = {"name": "Visitors", "identify": f"skill-{next(_numbers)}"}
    return str(world.do("create_knowledge_skill", Ask(body=body, headers=headers))["skill_id"])


def topic(world: World, skill_id: str, answer: str, *questions: str) -> dict[str, Any]:
    body = {
        "skill_id": skill_id,
        "name": "Topic",
        "answer": answer,
        "question_list": [{"question": text} for text in questions],
    }
    made: dict[str, Any] = ask(world, "create_intent_and_question", body)
    return made


def texts(world: World, intent_id: str) -> list[str]:
    """Oldest first."""
    listed = ask(world, "list_knowledge_question", intent_id=intent_id)["data"]
    return [one["question"] for one in reversed(listed)]


def test_an_intent_comes_with_its_questions_in_order(world: World) -> None:
    made = topic(world, skill(world), "Nine to five.", "When?", "How long?", "What hours?")
    assert [one["question"] for one in made["question_list"]] == ["When?", "How long?", "What hours?"]
    assert texts(world, made["intent_id"]) == ["When?", "How long?", "What hours?"]
    shown = ask(world, "show_knowledge_intent", path={"intent_id": made["intent_id"]})
    assert (shown["answer"], shown["identify"]) == ("Nine to five.", made["identify"])
    added = ask(
        world,
        "create_batch_knowledge_question",
        {"intent_id": made["intent_id"], "question_list": [{"question": "Open?"}, {"question": "Closed?"}]},
    )
    assert [one["question"] for one in added["question_list"]] == ["Open?", "Closed?"]
    page = ask(world, "list_knowledge_question", intent_id=made["intent_id"], offset=1, limit=2)
    assert (page["count"], [one["question"] for one in page["data"]]) == (5, ["Open?", "What hours?"])


def test_a_batch_changes_all_or_nothing(world: World) -> None:
    made = topic(world, skill(world), "Nine to five.", "When?", "How long?")
    first, second = (one["question_id"] for one in made["question_list"])
    wrong = [{"question_id": first, "question": "Changed?"}, {"question_id": "unknown", "question": "What?"}]
    answer = world.call("update_batch_knowledge_question", Ask(body={"question_list": wrong}))
    assert answer.status_code == 404
    assert "unknown" in answer.json()["error_msg"]
    assert texts(world, made["intent_id"]) == ["When?", "How long?"]
    twice = [{"question_id": first, "question": "A?"}, {"question_id": first, "question": "B?"}]
    assert world.call("update_batch_knowledge_question", Ask(body={"question_list": twice})).status_code == 400
    right = [{"question_id": second, "question": "For how long?"}]
    ask(world, "update_batch_knowledge_question", {"question_list": right})
    assert texts(world, made["intent_id"]) == ["When?", "For how long?"]


def test_too_many_questions_of_an_intent_are_none(world: World) -> None:
    intent = topic(world, skill(world), "Yes.", "Really?")["intent_id"]
    hundred = {"intent_id": intent, "question_list": [{"question": f"Q{number}?"} for number in range(100)]}
    ask(world, "create_batch_knowledge_question", hundred)
    answer = world.call("create_batch_knowledge_question", Ask(body=hundred))
    assert (answer.status_code, answer.json()["error_code"]) == (409, "MSS.00000003")
    assert ask(world, "list_knowledge_question", intent_id=intent)["count"] == 101


def test_a_skill_takes_all_that_is_in_it(world: World) -> None:
    one, other = skill(world), skill(world)
    made, kept = topic(world, one, "A.", "A?"), topic(world, other, "B.", "B?")
    question = made["question_list"][0]["question_id"]
    for _ in range(2):
        ask(world, "delete_knowledge_skill", [one, "unknown"])
    for name, path in (
        ("show_knowledge_skill", {"skill_id": one}),
        ("show_knowledge_intent", {"intent_id": made["intent_id"]}),
        ("show_knowledge_question", {"question_id": question}),
    ):
        assert world.call(name, Ask(path=path)).status_code == 404, name
    assert texts(world, kept["intent_id"]) == ["B?"]
    ask(world, "delete_knowledge_intent", [kept["intent_id"]])
    gone = {"question_id": kept["question_list"][0]["question_id"]}
    assert world.call("show_knowledge_question", Ask(path=gone)).status_code == 404


def test_an_intent_that_pacify_words_name_stays(world: World) -> None:
    skill_id = skill(world)
    made = topic(world, skill_id, "A.", "A?")
    words = {"robot_id": world.robot(), "pacify_words": "Well.", "language": "EN", "pacify_words_type": 1}
    named = ask(world, "create_pacify_words", {**words, "intent": made["identify"]})["pacify_words_id"]
    free = topic(world, skill_id, "B.", "B?")["intent_id"]
    for name, body in (
        ("delete_knowledge_intent", [free, made["intent_id"]]),
        ("delete_knowledge_skill", [skill_id]),
    ):
        answer = world.call(name, Ask(body=body))
        assert answer.status_code == 409, name
        assert "Topic" in answer.json()["error_msg"], name
    assert ask(world, "list_knowledge_intent", skill_id=skill_id)["count"] == 2
    ask(world, "delete_pacify_words", path={"pacify_words_id": named})
    ask(world, "delete_knowledge_skill", [skill_id])
    assert ask(world, "list_knowledge_skill")["count"] == 0


def test_a_skill_is_the_only_one_of_its_identify(world: World) -> None:
    body = {"name": "A", "identify": "reception"}
    first = ask(world, "create_knowledge_skill", body)["skill_id"]
    assert world.call("create_knowledge_skill", Ask(body=body)).status_code == 409
    second = ask(world, "create_knowledge_skill", {"name": "B", "identify": "shop"})["skill_id"]
    path = {"skill_id": second}
    assert world.call("update_knowledge_skill", Ask(path=path, body={"identify": "reception"})).status_code == 409
    ask(world, "update_knowledge_skill", {"identify": "shop", "name": "Shop"}, path)
    ask(world, "update_knowledge_skill", {"identify": "reception", "name": "Desk"}, {"skill_id": first})
    assert {one["name"] for one in ask(world, "list_knowledge_skill")["data"]} == {"Desk", "Shop"}


def test_a_skill_s_file_can_be_brought_into_another(world: World) -> None:
    source = skill(world)
    topic(world, source, "九点到五点。", "几点开门？", "=1+1?")
    topic(world, source, "On the left.", "Where are the lifts?")
    answer = world.by_sdk("export_knowledge_skill", Ask(path={"skill_id": source}, query={"export_type": 0}))
    files: list[bytes] = []
    answer.consume_download_stream(lambda stream: files.append(stream.content))
    archive = zipfile.ZipFile(io.BytesIO(files[0]))
    config = json.loads(archive.read("config.json"))
    assert sorted(archive.namelist()) == sorted(["config.json", *(f"{one}.json" for one in config["intents"])])
    target = skill(world)
    for identify in config["intents"]:
        body = json.loads(archive.read(f"{identify}.json"))
        ask(world, "create_intent_and_question", {"skill_id": target, **body})

    def known(skill_id: str) -> list[tuple[str, str, list[str]]]:
        intents = ask(world, "list_knowledge_intent", skill_id=skill_id)["data"]
        return [(one["name"], one["answer"], texts(world, one["intent_id"])) for one in reversed(intents)]

    assert known(target) == known(source)
    assert known(source)[0] == ("Topic", "九点到五点。", ["几点开门？", "=1+1?"])


# --- in conversation ----------------------------------------------------------------------------------------


def started(world: World, robot: str = "", **headers: str) -> list[str]:
    """The knowledge files that a new job answers from."""
    query = {"robot_id": robot} if robot else {}
    job = world.do("start_smart_chat_job", Ask(path={"room_id": world.room()}, query=query, body={}, headers=headers))
    return list(world.dispatcher.specs[job["job_id"]].robot.knowledge)


async def heard(files: list[str], question: str) -> list[Sentence]:
    dialogue = await DialogueFactory(0.55, 0.48, UrlPolicy([])).create(None, files)
    return [sentence async for sentence in dialogue.answer(Turn(question, "en"))]


async def test_stored_questions_are_answered_in_conversation(world: World) -> None:
    robot = world.robot()
    assert started(world, robot) == []  # nothing stored: what is shipped answers
    skill_id = skill(world)
    made = topic(world, skill_id, "The lifts are on the left.", "Where are the lifts?", "How do I get upstairs?", "  ")
    topic(world, skill_id, "Nobody asks for this.")
    topic(world, skill_id, "卫生间在右边。", "卫生间在哪里？")
    files = started(world, robot)
    lifts = Sentence("The lifts are on the left.", "en", "answer")
    assert await heard(files, "where is the lift") == [lifts]
    assert await heard(files, "洗手间在哪儿") == [Sentence("卫生间在右边。", "zh", "answer")]
    assert [one.purpose for one in await heard(files, "what is the capital of france")] == ["unknown"]
    assert started(world) == files  # also who starts without a robot
    answer = {"answer": "The lifts are on the right."}
    ask(world, "update_knowledge_intent", answer, {"intent_id": made["intent_id"]})
    assert (await heard(started(world, robot), "where is the lift"))[0].text == "The lifts are on the right."
    ask(world, "delete_knowledge_skill", [skill_id])
    assert started(world, robot) == []


def test_third_party_users_do_not_hear_each_other_s_knowledge(world: World) -> None:
    shared, theirs = skill(world), skill(world, **{"X-App-UserId": "anna"})
    topic(world, shared, "Shared.", "What is shared?")
    topic(world, theirs, "Of Anna.", "What is Anna's?")

    def answers(**headers: str) -> set[str]:
        (file,) = started(world, **headers)
        entries = json.loads(Path(file).read_text())["entries"]
        return {text for entry in entries for text in entry["answers"].values()}

    assert answers() == {"Shared."}
    assert answers(**{"X-App-UserId": "anna"}) == {"Shared.", "Of Anna."}
    assert answers(**{"X-App-UserId": "bert"}) == {"Shared."}


def test_a_robot_with_a_language_model_has_no_stored_answers(world: World) -> None:
    topic(world, skill(world), "Stored.", "What is stored?")
    model = {"llm_url": "https://127.0.0.1/v1", "app_id": "m", "app_key": "k"}
    assert started(world, world.robot(app_type=6, third_party_model_config=model)) == []
