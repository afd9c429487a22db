"""A robot's words reach its jobs: hot words, pacify words and hot questions, each with its switch and language."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from contract_world import Ask, World, running

from visavis.session.spec import RobotSpec


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with running(tmp_path_factory.mktemp("robot_words")) as opened:
        yield opened


def do(world: World, name: str, body: Any = None, path: Any = None) -> Any:
    answer = world.call(name, Ask(path=path or {}, body=body))
    assert answer.status_code < 300, answer.text
    return answer.json() if answer.content else None


def started(world: World, robot: str) -> RobotSpec:
    job = world.by_sdk("start_smart_chat_job", Ask(path={"room_id": world.room()}, query={"robot_id": robot}, body={}))
    spec: RobotSpec = world.dispatcher.specs[job.job_id].robot
    return spec


def add_hot_words(world: World, robot: str, language: str, vocabulary: str = "nobody-knows", **more: Any) -> str:
    inner = {"vocabulary_id": vocabulary, "language": language}
    body = {"robot_id": robot, "hot_words_type": "MOBVOI", "mobvoi_hot_words": inner, **more}
    return str(do(world, "create_hot_words", body)["hot_words_id"])


def test_hot_words_count_by_language_while_they_are_on(world: World) -> None:
    robot = world.robot(app_type=7)
    one = add_hot_words(world, robot, "en_US", words=["Visavis", "Okonkwo"])
    add_hot_words(world, robot, "CN", words=["昇腾"])
    add_hot_words(world, robot, "Thai", words=["nobody speaks it here"])
    assert started(world, robot).hot_words == {}, "off until they are turned on"
    do(world, "update_hot_words_switch", {"robot_id": robot, "enable_hot_words": True})
    assert started(world, robot).hot_words == {"en": ["Visavis", "Okonkwo"], "zh": ["昇腾"]}
    assert do(world, "show_hot_words", path={"hot_words_id": one})["words"] == ["Visavis", "Okonkwo"]
    do(world, "update_hot_words", {"hot_words_type": "MOBVOI", "words": ["Zenphora"]}, {"hot_words_id": one})
    assert started(world, robot).hot_words["en"] == ["Zenphora"]
    do(world, "delete_hot_words", path={"hot_words_id": one})
    assert "en" not in started(world, robot).hot_words


def test_a_vocabulary_group_of_that_id_gives_its_words(world: World) -> None:
    group = do(world, "create_ttsc_vocabulary_groups", {"group_name": "names"})["id"]
    entry = {"group_id": group, "key": "Nakagawa", "type": "ALIAS", "value": "naka gawa"}
    do(world, "create_ttsc_vocabulary_configs", entry)
    robot = world.robot(app_type=7)
    add_hot_words(world, robot, "EN", group, words=["Kestrel"])
    do(world, "update_hot_words_switch", {"robot_id": robot, "enable_hot_words": True})
    assert started(world, robot).hot_words == {"en": ["Kestrel", "Nakagawa"]}


@pytest.mark.parametrize("words", [["x" * 41], [""], ["a"] * 501, "Visavis"])
def test_words_that_are_none_are_refused(world: World, words: Any) -> None:
    inner = {"vocabulary_id": "v", "language": "EN"}
    body = {"robot_id": world.robot(), "hot_words_type": "MOBVOI", "mobvoi_hot_words": inner, "words": words}
    answer = world.call("create_hot_words", Ask(body=body))
    assert answer.status_code == 400
    assert "words" in answer.json()["error_msg"]


def test_pacify_words_with_their_time_and_their_switch_of_each_language(world: World) -> None:
    robot = world.robot()
    for text in ("One moment.", "Let me see."):
        body = {"robot_id": robot, "pacify_words": text, "pacify_words_type": 0, "language": "EN"}
        do(world, "create_pacify_words", body)
    do(
        world,
        "create_pacify_words",
        {"robot_id": robot, "pacify_words": "请稍等。", "pacify_words_type": 0, "language": "CN"},
    )
    assert started(world, robot).pacify == {}
    do(world, "update_pacify_words_switch", {"robot_id": robot, "language": "EN", "enable_pacify_words": True})
    do(world, "update_pacify_words_trigger_time", {"robot_id": robot, "language": "EN", "trigger_time": 1200})
    told = started(world, robot).pacify
    assert set(told) == {"en"}
    assert (told["en"].trigger_ms, told["en"].general) == (1200, ["One moment.", "Let me see."])
    do(world, "update_pacify_words_switch", {"robot_id": robot, "language": "zh_CN", "enable_pacify_words": True})
    assert started(world, robot).pacify["zh"].trigger_ms == 3000


def test_hot_questions_come_oldest_first_in_their_languages(world: World) -> None:
    robot = world.robot()
    for language, text in (("EN", "What can you do?"), ("CN", "你会做什么？"), ("EN", "Who made you?"), ("fr", "?")):
        do(world, "create_hot_question", {"robot_id": robot, "hot_question": text, "language": language})
    assert started(world, robot).hot_questions == {"en": ["What can you do?", "Who made you?"], "zh": ["你会做什么？"]}
    other = world.robot()
    assert started(world, other).hot_questions == {}
