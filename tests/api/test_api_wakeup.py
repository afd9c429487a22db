"""Waking by an API call, with the project's key and with the RTC token; and how a room's people take turns."""

from __future__ import annotations

import pytest
from control_server import Server
from test_api_rtc import code, enter

from visavis.session.signals import SessionCommand
from visavis.session.spec import TurnTakingSpec

WAYS = ("VOICE", "RADAR", "INFRARED", "CAMERA")


@pytest.mark.parametrize("way", WAYS)
async def test_a_sensor_wakes_the_job_of_its_screen(server: Server, way: str) -> None:
    room = await enter(server)
    answer = await room.call("POST", "/wakeup", json={"wakeup_type": way})
    assert (answer.status_code, answer.json()) == (200, {})
    assert server.dispatcher.commands == [(room.job_id, SessionCommand(kind="wake", text=way))]


async def test_only_who_talks_may_wake_and_only_in_known_ways(server: Server) -> None:
    room = await enter(server)
    assert code(await room.call("POST", "/wakeup", "PLAYER", json={"wakeup_type": "RADAR"}))[0] == 403
    for body in ({}, {"wakeup_type": "SMELL"}, {"wakeup_type": None}, []):
        assert code(await room.call("POST", "/wakeup", json=body))[0] == 400
    assert server.dispatcher.commands == []


async def test_the_owner_wakes_it_too_until_it_has_ended(server: Server) -> None:
    room = await enter(server)
    path = f"/digital-human-chat/smart-chat-rooms/{room.room_id}/smart-chat-jobs/{room.job_id}/wakeup"
    answer = await server.call("POST", path, {"wakeup_type": "RADAR"})
    assert answer.status_code == 200
    assert server.dispatcher.commands == [(room.job_id, SessionCommand(kind="wake", text="RADAR"))]
    unknown = path.replace(room.job_id, "0" * 32)
    assert (await server.call("POST", unknown, {"wakeup_type": "RADAR"})).status_code == 404
    await room.call("POST", "/stop")
    assert code(await server.call("POST", path, {"wakeup_type": "RADAR"})) == (409, "MSS.47010012")


async def test_a_room_says_how_people_take_turns(server: Server) -> None:
    wish = {"talk_mode": "push_to_talk", "wake_words": ["Hey Mira", "小慧小慧"], "echo_cancellation": "on"}
    room_id = await server.room(**wish)
    job = await server.start(room_id)
    assert server.dispatcher.specs[job["job_id"]].turn_taking == TurnTakingSpec(
        mode="push_to_talk", wake_words=wish["wake_words"], echo="on"
    )
    shown = (await server.call("GET", f"/smart-chat-rooms/{room_id}")).json()
    assert {name: shown[name] for name in wish} == wish
    plain = await server.start(await server.room())
    assert server.dispatcher.specs[plain["job_id"]].turn_taking == TurnTakingSpec()


@pytest.mark.parametrize(
    "wish",
    [
        {"talk_mode": "telepathy"}, {"echo_cancellation": True}, {"wake_words": "Mira"}, {"wake_words": ["小"]},
        {"wake_words": ["ok"]}, {"wake_words": ["Hey Mira"] * 17}, {"wake_words": ["x" * 33]},
    ],
)  # fmt: skip
async def test_what_makes_no_sense_is_refused(server: Server, wish: dict[str, object]) -> None:
    refused = await server.call("POST", "/smart-chat-rooms", {"room_name": "r", **wish})
    assert refused.status_code == 400
    assert next(iter(wish)) in refused.json()["error_msg"]


async def test_the_page_is_told_the_mode_and_the_wake_words(server: Server) -> None:
    for wish in ({}, {"talk_mode": "tap_to_talk", "wake_words": ["Hey Mira"]}):
        room_id = await server.room(**wish)
        once = (await server.call("POST", "/digital-human-chat/once-code")).json()["once_code"]
        answer = await server.http.post(
            "/page/v1/sessions", json={"project_id": "p1", "room_id": room_id}, headers={"X-Once-Code": once}
        )
        told = answer.json()
        assert told["talk_mode"] == wish.get("talk_mode", "full_duplex")
        assert told["wake_words"] == wish.get("wake_words", [])
