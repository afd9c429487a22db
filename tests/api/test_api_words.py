"""What robots say besides answers (welcome speeches, pacify words) and what they listen for (hot words), through the SDK."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from contract_world import Ask, World, running


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with running(tmp_path_factory.mktemp("words")) as opened:
        yield opened


def ask(world: World, name: str, body: Any = None, path: Any = None, **query: Any) -> Any:
    """The SDK's answer as a dictionary, without the request's id."""
    answer = world.by_sdk(name, Ask(path=path or {}, query=query, body=body)).to_dict()
    return {name: value for name, value in answer.items() if name != "x_request_id"}


def refusal(world: World, name: str, body: Any = None, **path: str) -> tuple[int, str]:
    answer = world.call(name, Ask(path=path, body=body))
    return answer.status_code, answer.json()["error_msg"]


def welcome(world: World, robot: str, text: str, **more: Any) -> str:
    body = {"robot_id": robot, "welcome_speech": text, **more}
    return str(ask(world, "create_welcome_speech", body)["welcome_speech_id"])


def greeted(world: World, robot: str, language: str = "EN") -> str:
    """What a job of that robot is to say first."""
    room = world.room(default_language=language)
    job = world.by_sdk("start_smart_chat_job", Ask(path={"room_id": room}, query={"robot_id": robot}, body={}))
    return world.dispatcher.specs[job.job_id].robot.welcome


# --- welcome speeches -------------------------------------------------------------------------------------


def test_a_welcome_is_spoken_once_its_switch_is_on(world: World) -> None:
    robot = world.robot()
    welcome(world, robot, "Hello from before.", language="EN")
    welcome(world, robot, "Hello.", language="EN")
    assert greeted(world, robot) == ""
    ask(world, "update_welcome_speech_switch", {"robot_id": robot, "enable_welcome_speech": True, "language": "EN"})
    assert greeted(world, robot) == "Hello."
    assert greeted(world, robot, "CN") == ""
    ask(world, "update_welcome_speech_switch", {"robot_id": robot, "enable_welcome_speech": False, "language": "EN"})
    assert greeted(world, robot) == ""


def test_a_switch_for_all_languages_covers_what_was_set_for_one(world: World) -> None:
    robot = world.robot()

    def shown(**language: str) -> bool:
        answer = ask(world, "show_welcome_speech_switch", robot_id=robot, **language)
        return bool(answer["enable_welcome_speech"])

    def turn(on: bool, **language: str) -> None:
        ask(world, "update_welcome_speech_switch", {"robot_id": robot, "enable_welcome_speech": on, **language})

    assert (shown(), shown(language="EN")) == (False, False)
    turn(True)
    assert (shown(), shown(language="EN")) == (True, True)
    turn(False, language="EN")
    assert (shown(), shown(language="EN"), shown(language="CN")) == (True, False, True)
    turn(True)
    assert shown(language="EN") is True


def test_the_switch_of_a_speech_is_that_of_its_language(world: World) -> None:
    robot = world.robot()
    english, chinese = welcome(world, robot, "Hello.", language="en_US"), welcome(world, robot, "你好。", language="CN")
    assert ask(world, "update_welcome_speech", {"enable_welcome_speech": True}, {"welcome_speech_id": english})[
        "enable_welcome_speech"
    ]
    listed = ask(world, "list_welcome_speech", robot_id=robot)
    assert {one["language"]: one["enable_welcome_speech"] for one in listed["data"]} == {"EN": True, "CN": False}
    assert listed["count"] == 2
    only = world.do("list_welcome_speech", Ask(query={"robot_id": robot, "language": "zh_CN"}))  # a retired name
    assert [one["welcome_speech_id"] for one in only["data"]] == [chinese]
    assert (greeted(world, robot), greeted(world, robot, "CN")) == ("Hello.", "")


def test_a_speech_without_a_language_suits_every_language(world: World) -> None:
    robot = world.robot()
    welcome(world, robot, "Hi!")
    ask(world, "update_welcome_speech_switch", {"robot_id": robot, "enable_welcome_speech": True})
    assert (greeted(world, robot), greeted(world, robot, "CN")) == ("Hi!", "Hi!")
    welcome(world, robot, "你好。", language="CN")
    assert (greeted(world, robot), greeted(world, robot, "CN")) == ("Hi!", "你好。")


def test_words_are_of_robots_that_are_there(world: World) -> None:
    gone = "0" * 32
    for name, body in (
        ("create_welcome_speech", {"robot_id": gone, "welcome_speech": "Hi"}),
        ("update_welcome_speech_switch", {"robot_id": gone, "enable_welcome_speech": True}),
        ("update_hot_words_switch", {"robot_id": gone, "enable_hot_words": True}),
        ("update_pacify_words_switch", {"robot_id": gone, "enable_pacify_words": True, "language": "CN"}),
        ("update_pacify_words_trigger_time", {"robot_id": gone, "trigger_time": 5, "language": "CN"}),
    ):
        answer = world.call(name, Ask(body=body))
        assert (answer.status_code, answer.json()["error_code"]) == (404, "MSS.47010033"), name
    for name in ("show_welcome_speech_switch", "show_hot_words_switch", "show_pacify_words_intent", "list_hot_words"):
        assert world.call(name, Ask(query={"robot_id": gone})).status_code == 404, name


# --- pacify words -----------------------------------------------------------------------------------------


def pacify(world: World, robot: str, **more: Any) -> dict[str, Any]:
    body = {"robot_id": robot, "pacify_words": "One moment.", "language": "EN", "pacify_words_type": 0, **more}
    answer: dict[str, Any] = ask(world, "create_pacify_words", body)
    return answer


def test_pacify_words_go_with_intents_of_the_knowledge(world: World) -> None:
    robot = world.robot()
    skill = ask(world, "create_knowledge_skill", {"name": "Visitors", "identify": "visitors"})["skill_id"]
    known = {"skill_id": skill, "name": "Opening hours", "answer": "From nine to five."}
    intent = ask(world, "create_knowledge_intent", known)["identify"]
    offered = ask(world, "show_pacify_words_intent", robot_id=robot)["data"]
    assert {"intent": intent, "desc_cn": "Opening hours", "desc_en": "Opening hours"} in offered
    assert pacify(world, robot, pacify_words_type=1, intent=intent)["intent"] == intent
    assert pacify(world, robot, intent=intent)["intent"] == ""  # general words have none
    of_intent = ask(world, "list_pacify_words", robot_id=robot, pacify_words_type=1)
    assert (of_intent["count"], of_intent["data"][0]["intent"]) == (1, intent)
    body = {"robot_id": robot, "pacify_words": "Well.", "language": "EN", "pacify_words_type": 1}
    for more in ({}, {"intent": "no_such"}):
        status, message = refusal(world, "create_pacify_words", {**body, **more})
        assert status == 400
        assert "intent" in message


def test_pacify_words_are_switched_and_timed_by_language(world: World) -> None:
    robot = world.robot()
    english, chinese = ({"robot_id": robot, "language": language} for language in ("EN", "CN"))
    assert ask(world, "show_pacify_words_switch", **english) == {"enable_pacify_words": False}
    assert ask(world, "show_pacify_words_trigger_time", **english) == {"trigger_time": 3000}
    ask(world, "update_pacify_words_switch", {**english, "enable_pacify_words": True})
    ask(world, "update_pacify_words_trigger_time", {**english, "trigger_time": 800})
    assert ask(world, "show_pacify_words_switch", **english) == {"enable_pacify_words": True}
    assert ask(world, "show_pacify_words_trigger_time", **english) == {"trigger_time": 800}
    assert ask(world, "show_pacify_words_switch", **chinese) == {"enable_pacify_words": False}
    assert ask(world, "show_pacify_words_trigger_time", **chinese) == {"trigger_time": 3000}


def test_deleting_words_may_be_repeated(world: World) -> None:
    robot = world.robot()
    one, two, three = (pacify(world, robot)["pacify_words_id"] for _ in range(3))
    for _ in range(2):
        ask(world, "batch_delete_pacify_words", [one, two, "unknown"])
        ask(world, "delete_pacify_words", path={"pacify_words_id": one})
    left = ask(world, "list_pacify_words", robot_id=robot)
    assert [entry["pacify_words_id"] for entry in left["data"]] == [three]


# --- hot words --------------------------------------------------------------------------------------------

SIS = {"vocabulary_id": "v1", "sis_project_id": "s1", "region": 3, "language": "CN"}


def test_hot_words_of_each_vendor_are_laid_flat(world: World) -> None:
    robot = world.robot()
    made = ask(world, "create_hot_words", {"robot_id": robot, "hot_words_type": "SIS", "sis_hot_words": SIS})
    assert {name: made[name] for name in SIS} == SIS
    path = {"hot_words_id": made["hot_words_id"]}
    inner = {"vocabulary_id": "v2"}
    changed = ask(world, "update_hot_words", {"hot_words_type": "SIS", "sis_hot_words": inner}, path)
    assert {name: changed[name] for name in SIS} == {**SIS, "vocabulary_id": "v2"}
    other = {"vocabulary_id": "m1", "language": "EN"}
    ask(world, "update_hot_words", {"hot_words_type": "MOBVOI", "mobvoi_hot_words": other}, path)
    shown = ask(world, "show_hot_words", path=path)
    assert (shown["vocabulary_id"], shown["sis_project_id"], shown["region"]) == ("m1", "", 0)
    assert ask(world, "list_hot_words", robot_id=robot, hot_words_type="SIS")["count"] == 0
    assert ask(world, "list_hot_words", robot_id=robot, hot_words_type="MOBVOI", language="EN")["count"] == 1


def test_hot_words_need_what_their_type_says(world: World) -> None:
    robot = world.robot()
    status, message = refusal(world, "create_hot_words", {"robot_id": robot, "hot_words_type": "SIS"})
    assert status == 400
    assert "sis_hot_words" in message
    made = ask(world, "create_hot_words", {"robot_id": robot, "hot_words_type": "SIS", "sis_hot_words": SIS})
    change = {"hot_words_type": "MOBVOI", "mobvoi_hot_words": {"vocabulary_id": "m1"}}
    status, message = refusal(world, "update_hot_words", change, hot_words_id=made["hot_words_id"])
    assert status == 400
    assert "language" in message
    assert ask(world, "show_hot_words", path={"hot_words_id": made["hot_words_id"]})["vocabulary_id"] == "v1"


@pytest.mark.parametrize("app_type", [7, 5])
def test_the_hot_words_switch_is_the_robot_s_own(world: World, app_type: int) -> None:
    robot = world.robot(app_type=app_type)
    assert ask(world, "show_hot_words_switch", robot_id=robot) == {"enable_hot_words": False}
    ask(world, "update_hot_words_switch", {"robot_id": robot, "enable_hot_words": True})
    assert ask(world, "show_hot_words_switch", robot_id=robot) == {"enable_hot_words": True}
    if app_type == 7:
        assert ask(world, "show_robot", path={"robot_id": robot})["enable_hot_words"] is True
