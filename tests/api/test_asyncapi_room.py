"""The room's messages in the published description: what a session really tells, and what the page really asks, fits it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from jsonschema import Draft202012Validator, ValidationError

from visavis.api.asyncapi import describe
from visavis.dialogue.types import Command
from visavis.session.announcer import Announcer
from visavis.session.script import STAGE_RATE, TurnRecord, Utterance
from visavis.session.spec import ChatState, JobSpec, RobotSpec, RtcUser

DOCUMENT = describe()
MESSAGES = DOCUMENT["components"]["messages"]
ROOT = Path(__file__).resolve().parents[2]


def names(operation: str) -> set[str]:
    return {one["$ref"].rpartition("/")[2] for one in DOCUMENT["operations"][operation]["messages"]}


def name_of(message: dict[str, Any]) -> str:
    kind = message["type"]
    if kind == "server-message":
        kind = message["data"]["event"]
    return str(kind).replace("-", "_")


def check(name: str, message: dict[str, Any]) -> None:
    """Against its schema, strictly: nothing that is not described."""
    schema = json.loads(json.dumps(MESSAGES[name]["payload"]))
    schema["additionalProperties"] = schema["properties"]["data"]["additionalProperties"] = False
    Draft202012Validator(schema).validate(message)


def all_that_is_told() -> list[dict[str, Any]]:
    """Everything that an announcer can say."""
    told: list[dict[str, Any]] = []
    robot = RobotSpec(hot_questions={"en": ["Who are you?"]})
    users = [RtcUser(user_type="END_USER", user_id="u")]
    spec = JobSpec(job_id="j", project_id="p", room_id="r", rtc_room_id="rtc", users=users, robot=robot)
    tell = Announcer(spec, lambda text: told.append(json.loads(text)))
    tell.ready("1")
    tell.hot_questions()
    tell.error("the dialogue failed")
    tell.woken_by = "RADAR"
    tell.chat_state(ChatState.FALLING_ASLEEP)
    tell.chat_state(ChatState.ASLEEP, ChatState.FALLING_ASLEEP)
    tell.chat_state(ChatState.LINKED, ChatState.ASLEEP)
    tell.microphone(SimpleNamespace(mode="push_to_talk", open=False))  # type: ignore[arg-type]
    tell.command(Command("lamp", "turn it on", {"room": "hall"}))
    tell.end_is_near(5.0)
    tell.end("NORMAL")
    for speaking in (True, False):
        tell.person_speaks(speaking)
        tell.speaks(speaking, 1.0)
    tell.partial("When")
    marks = {"end_of_speech": 1.0, "endpoint": 1.2}
    utterance = Utterance("At nine.", "en", "c", started=True, complete=True)
    utterance.add(STAGE_RATE, [("a", 0.0, 1.0)])
    record = TurnRecord("c", "When?", "en", marks, [utterance], interrupted=True)
    tell.heard(record)
    tell.sentence(utterance, 2.0)
    utterance.played = STAGE_RATE
    tell.played(utterance, 3.0)
    tell.turn(record)
    return told


def test_all_that_a_session_tells_fits_and_all_that_is_described_is_told() -> None:
    told = all_that_is_told()
    for message in told:
        check(name_of(message), message)
    assert {name_of(message) for message in told} == names("show")


def test_it_can_refuse() -> None:
    with pytest.raises(ValidationError):
        check("jobEnd", {"type": "server-message", "data": {"event": "jobEnd", "jobId": "j"}})
    with pytest.raises(ValidationError):
        check("bot_output", {"type": "bot-output", "data": {"text": "x", "spoken": True, "aggregated_by": "word"}})


def test_what_the_server_reads_is_what_is_described() -> None:
    """The cases of the one place that reads them, by their names."""
    source = (ROOT / "visavis" / "session" / "requests.py").read_text()
    lines = re.findall(r"^            case (.*)$", source, re.MULTILINE)
    cases = {name for line in lines for name in re.findall(r"\"([a-z-]+)\"", line.split(" if ")[0])}
    assert cases == {MESSAGES[name]["name"] for name in names("ask")}


def test_the_page_for_people_names_every_one_of_them() -> None:
    page = (ROOT / "docs" / "protocol.md").read_text()
    missing = [one for one in names("ask") | names("show") if f"`{MESSAGES[one]['name']}`" not in page]
    assert missing == []
