"""What somebody stores reaches the workers by itself, before any job starts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import structlog
from control_server import Server, jobs

from visavis.api.services.warming import Warming
from visavis.contract.loading import contract
from visavis.dialogue.knowledge import load
from visavis.dialogue.knowledge.library import unpacked
from visavis.session.sayable import Sayable, sayable

MakeServer = Callable[..., Awaitable[Server]]
CHAT, BRAIN = "/digital-human-chat", "/wise-brain-manager"


@pytest_asyncio.fixture
async def prompt(server: Server) -> AsyncIterator[Server]:
    """A server that waits for no quiet: each change is told at once."""
    server.context.warming._quiet_s = 0.0
    yield server


async def post(server: Server, path: str, body: Any, project: str = "p1") -> dict[str, Any]:
    answer = await server.call("POST", path, body, project)
    assert answer.status_code == 200, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def told(server: Server, project: str, wanted: Callable[[dict[str, Sayable]], bool]) -> dict[str, Sayable]:
    """What the workers know of the project's rooms, as soon as ``wanted`` holds."""
    dispatcher = server.dispatcher
    async with asyncio.timeout(5):
        while not wanted(dispatcher.prepared.get(project, {})):
            dispatcher.told.clear()
            await dispatcher.told.wait()
    return dispatcher.prepared[project]


async def welcomed(server: Server, text: str, project: str = "p1") -> str:
    """A room whose robot says this welcome."""
    robot = await server.robot(project, language="EN")
    body = {"robot_id": robot, "welcome_speech": text, "language": "EN"}
    await post(server, f"{CHAT}/welcome-speech", body, project)
    switch = {"robot_id": robot, "language": "EN", "enable_welcome_speech": True}
    answer = await server.call("POST", f"{CHAT}/welcome-speech-switch", switch, project)
    assert answer.status_code == 200, answer.text
    return await server.room(project, robot_id=robot, default_language="EN")


async def skilled(server: Server, question: str, answer: str, project: str = "p1") -> None:
    skill = {"name": "Visitors", "identify": "visitors"}
    made = await post(server, f"{CHAT}/knowledge/skill", skill, project)
    intent = {"skill_id": made["skill_id"], "name": "When", "answer": answer, "question_list": [{"question": question}]}  # fmt: skip
    await post(server, f"{CHAT}/knowledge/intent-question", intent, project)


def answers(what: Sayable) -> set[str]:
    """All stored answers that were told, of skills and of libraries."""
    entries = load([Path(path) for path in what.knowledge or []]).entries if what.knowledge else ()
    found = {text for entry in entries for text in entry.answers.values()}
    return found | {item.text for path in what.libraries for item in unpacked(Path(path)).items}


async def test_what_is_stored_reaches_the_workers_without_a_job(prompt: Server) -> None:
    room = await welcomed(prompt, "Welcome to the museum.")
    await told(prompt, "p1", lambda rooms: room in rooms and rooms[room].first == ["Welcome to the museum."])
    await skilled(prompt, "When are you open?", "From nine to five.")
    rooms = await told(prompt, "p1", lambda rooms: bool(rooms[room].knowledge))
    assert answers(rooms[room]) == {"From nine to five."}
    assert rooms[room].languages == ["en"]
    assert [voice.voice_id for voice in rooms[room].voices] == ["default"]


async def test_the_questions_of_a_role_s_library_too(prompt: Server) -> None:
    library = {"name": "Visitors", "knowledge_type": "QUESTION_ANSWER", "language": "EN"}
    library_id = (await post(prompt, f"{BRAIN}/knowledge-library", library))["knowledge_library_id"]
    chosen = [{"knowledge_type": "QUESTION_ANSWER", "knowledge_library_id_list": [library_id]}]
    business = [{"language": "EN", "prompt": "", "knowledge_library_list": chosen}]
    role = {"name": "Guide", "description": "", "llm_source": "DEEP_SEEK", "role_business_list": business}
    role_id = (await post(prompt, f"{BRAIN}/role", role))["role_id"]
    robot = await prompt.robot(wise_brain_config={"role_id": role_id})
    room = await prompt.room(robot_id=robot)
    await told(prompt, "p1", lambda rooms: room in rooms)
    pair = {"knowledge_library_id": library_id, "question": "When?", "answer": "From nine to five."}
    await post(prompt, f"{BRAIN}/question-answer", pair)
    rooms = await told(prompt, "p1", lambda rooms: answers(rooms[room]) == {"From nine to five."})
    assert rooms[room].knowledge == [], "it knows something of its own"


async def test_it_is_what_a_job_is_told_that_starts_then(prompt: Server) -> None:
    """Or its sound would not be found."""
    room = await welcomed(prompt, "Welcome to the museum.")
    await skilled(prompt, "When are you open?", "From nine to five.")
    rooms = await told(prompt, "p1", lambda rooms: room in rooms and bool(rooms[room].knowledge))
    job = prompt.dispatcher.specs[(await prompt.start(room))["job_id"]]
    assert rooms[room] == sayable(job.robot, job.voices, job.language, job.default_language)


async def test_one_project_s_words_are_never_told_as_another_s(prompt: Server) -> None:
    await prompt.project("p2")
    ours, theirs = await welcomed(prompt, "Ours."), await welcomed(prompt, "Theirs.", "p2")
    await skilled(prompt, "Who?", "We.")
    await skilled(prompt, "Who?", "They.", "p2")
    with structlog.testing.capture_logs() as logs:
        first = await told(prompt, "p1", lambda rooms: ours in rooms and bool(rooms[ours].knowledge))
        second = await told(prompt, "p2", lambda rooms: theirs in rooms and bool(rooms[theirs].knowledge))
    assert (list(first), list(second)) == ([ours], [theirs])
    assert (first[ours].first, answers(first[ours])) == (["Ours."], {"We."})
    assert (second[theirs].first, answers(second[theirs])) == (["Theirs."], {"They."})
    assert not [entry for entry in logs if "Ours" in str(entry) or "Theirs" in str(entry)]


async def test_third_party_users_hear_their_own(prompt: Server) -> None:
    headers = {"X-App-UserId": "amy"}
    made = await prompt.call("POST", "/smart-chat-rooms", {"room_name": "r", "concurrency": 1}, headers=headers)
    amys, everybodys = made.json()["room_id"], await prompt.room(room_name="other", default_language="EN")
    skill = {"name": "Amy's", "identify": "amy"}
    mine = (await prompt.call("POST", f"{CHAT}/knowledge/skill", skill, headers=headers)).json()["skill_id"]
    intent = {"skill_id": mine, "name": "t", "answer": "For Amy.", "question_list": [{"question": "Who?"}]}
    assert (await prompt.call("POST", f"{CHAT}/knowledge/intent-question", intent, headers=headers)).status_code == 200
    rooms = await told(prompt, "p1", lambda rooms: len(rooms) == 2 and bool(rooms[amys].knowledge))
    assert answers(rooms[amys]) == {"For Amy."}
    assert rooms[everybodys].knowledge is None, "what visavis knows about itself"


async def test_what_is_deleted_is_not_prepared_any_more(prompt: Server) -> None:
    room = await welcomed(prompt, "Welcome to the museum.")
    await told(prompt, "p1", lambda rooms: room in rooms)
    answer = await prompt.call("DELETE", f"/smart-chat-rooms/{room}")
    assert answer.status_code < 300, answer.text
    await told(prompt, "p1", lambda rooms: not rooms)


async def test_rooms_that_say_the_same_are_told_once(prompt: Server) -> None:
    room = await welcomed(prompt, "Welcome to the museum.")
    robot = (await prompt.call("GET", f"/smart-chat-rooms/{room}")).json()["robot_id"]
    prompt.clock.now += 1
    last = await prompt.room(robot_id=robot, default_language="EN", room_name="another")
    rooms = await told(prompt, "p1", lambda rooms: last in rooms)
    assert list(rooms) == [last]


async def test_a_room_whose_robot_cannot_work_does_not_hold_up_the_others(prompt: Server) -> None:
    role = {"name": "Guide", "description": "", "llm_source": "DEEP_SEEK", "role_business_list": []}
    role_id = (await post(prompt, f"{BRAIN}/role", role))["role_id"]
    robot = await prompt.robot(wise_brain_config={"role_id": role_id})
    broken = await prompt.room(robot_id=robot)
    assert (await prompt.call("POST", jobs(broken))).status_code >= 400
    room = await welcomed(prompt, "Welcome to the museum.")
    rooms = await told(prompt, "p1", lambda rooms: room in rooms)
    assert list(rooms) == [room]


async def test_what_was_stored_before_the_server_started_is_told_as_well(
    prompt: Server, make_server: MakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = await welcomed(prompt, "Welcome to the museum.")
    monkeypatch.setattr(Warming.__init__, "__defaults__", (0.0, 0.0))
    again = await make_server()
    rooms = await told(again, "p1", lambda rooms: bool(rooms))
    assert (list(rooms), rooms[room].first) == ([room], ["Welcome to the museum."])


async def test_a_long_import_is_told_once_when_it_is_over_or_once_a_while(server: Server) -> None:
    room = await server.room()
    dispatcher, calls = server.dispatcher, []
    prepare = dispatcher.prepare

    def counted(project_id: str, rooms: Any) -> None:
        calls.append(project_id)
        prepare(project_id, rooms)

    dispatcher.prepare = counted  # type: ignore[method-assign]
    warming = Warming(server.settings, server.context.database, dispatcher, quiet_s=0.05, at_least_every_s=60)
    for _ in range(100):
        warming.changed("p1")
    await told(server, "p1", lambda rooms: room in rooms)
    assert calls == ["p1"]
    await warming.close()
    hurried = Warming(server.settings, server.context.database, dispatcher, quiet_s=60, at_least_every_s=0)
    dispatcher.told.clear()
    hurried.changed("p1")
    async with asyncio.timeout(5):
        await dispatcher.told.wait()
    await hurried.close()
    assert calls == ["p1", "p1"]


async def test_nothing_is_told_where_answers_are_not_to_be_prepared(make_server: MakeServer) -> None:
    server = await make_server(warm_answers=False)
    warming = server.context.warming
    warming._quiet_s = 0.0
    await server.room()
    assert warming._timer is None
    assert warming._work is None
    assert server.dispatcher.prepared == {}


async def test_only_what_changes_words_is_noticed(server: Server) -> None:
    warming = server.context.warming
    room = await server.room()
    assert list(warming._waiting) == ["p1"]
    warming._waiting.clear()
    await server.call("GET", f"/smart-chat-rooms/{room}")
    await server.start(room)
    await server.call("PUT", f"/smart-chat-rooms/{room}", {"concurrency": -1})  # refused
    await server.call("POST", f"{BRAIN}/knowledge-library/recall", {})
    assert not warming._waiting


def test_the_groups_that_are_watched_are_of_the_contract() -> None:
    from visavis.api.services import warming

    operations = contract().operations.values()
    assert {one.group for one in operations} >= warming._GROUPS
    watched = {one.name for one in operations if warming.changes_words(one)}
    assert {
        "create_question_answer",
        "update_robot",
        "save_ttsc_vocabulary_configs",
        "save_ttsc_tenant_configs",
    } <= watched
    assert not {"create_async_tts_job", "start_smart_chat_job", "show_welcome_speech"} & watched
