"""The life of jobs over HTTP, with a fake dispatcher in the workers' part."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from control_fakes import FakeDispatcher
from control_server import HOST, Server, jobs

from visavis.api.app import _shut
from visavis.dispatch.types import DispatchError
from visavis.session.signals import ChatStateEvent, HeartbeatEvent, HeldEvent, TurnEvent
from visavis.session.spec import ChatState

MakeServer = Callable[..., Awaitable[Server]]

SEED_FIELDS = {
    "job_id": str,
    "state": str,
    "duration": float,
    "start_time": str,
    "end_time": str,
    "create_time": str,
    "lastupdate_time": str,
    "error_info": dict,
    "rtc_room_info": dict,
    "chat_subtitle_config": dict,
    "video_config": dict,
    "voice_config_list": list,
    "chat_state": int,
    "language": str,
    "chat_video_type": str,
    "chat_access_address": str,
    "is_transparent": bool,
    "default_language": str,
    "client_id": str,
    "is_pool_mode": bool,
    "job_finish_reason": str,
    "chat_access_rest_address": str,
}


def error(answer: Any) -> tuple[int, str]:
    body = answer.json()
    assert set(body) == {"error_code", "error_msg"}
    assert answer.headers["x-request-id"]
    return answer.status_code, body["error_code"]


async def running(server: Server, **room: Any) -> tuple[str, str]:
    room_id = await server.room(**room)
    job_id = (await server.start(room_id))["job_id"]
    await server.until(room_id, job_id, lambda job: job["state"] == "PROCESSING")
    return room_id, job_id


async def linked(server: Server, **room: Any) -> tuple[str, str]:
    room_id, job_id = await running(server, **room)
    server.dispatcher.link(job_id)
    await server.until(room_id, job_id, lambda job: job["chat_state"] == 2)
    return room_id, job_id


async def test_the_state_answer_has_every_field(server: Server) -> None:
    subtitle = {"dx": 1, "dy": 2, "width": 300, "height": 40}
    voice = {
        "voice_asset_id": "zh-lin",
        "speed": 50,
        "pitch": 200,
        "volume": 90,
        "provider": "MOBVOI",
        "language": "CN",
    }
    room_id = await server.room(
        chat_subtitle_config=subtitle,
        voice_config_list=[voice],
        video_config={"width": 1920, "height": 1080},
        chat_video_type="HUB",
    )
    job_id = (await server.start(room_id, body={"extend_param": '{"client_id": "hall"}'}))["job_id"]
    await server.until(room_id, job_id, lambda job: job["state"] == "PROCESSING")
    server.clock.now += 12.5
    job = await server.show(room_id, job_id)
    assert {field: type(job[field]) for field in SEED_FIELDS} == SEED_FIELDS
    assert set(job) == set(SEED_FIELDS)
    assert job["duration"] == 12.5
    assert job["start_time"] == job["create_time"] == "2027-01-15T08:00:00Z"
    assert job["end_time"] == job["job_finish_reason"] == ""
    assert job["error_info"] == {"error_code": "MSS.00000000", "error_msg": "success"}
    assert job["chat_subtitle_config"] == subtitle
    assert job["video_config"] == {"width": 1920, "height": 1080}
    assert job["voice_config_list"] == [{**voice, "language_desc": "中文"}]
    assert (job["chat_state"], job["language"], job["default_language"]) == (0, "CN", "CN")
    assert (job["chat_video_type"], job["client_id"]) == ("HUB", "hall")
    assert job["chat_access_address"] == job["chat_access_rest_address"] == HOST
    assert set(job["rtc_room_info"]) == {"app_id", "room_id", "users"}
    for user in job["rtc_room_info"]["users"]:
        assert set(user) == {"user_type", "user_id", "signature", "ctime"}
        assert user["ctime"] == int(server.clock.now - 12.5) + 7200


async def test_waiting_until_a_worker_holds_it(make_server: MakeServer) -> None:
    server = await make_server(FakeDispatcher(holds=False))
    room_id = await server.room()
    started = await server.start(room_id)
    job_id = started["job_id"]
    job = await server.show(room_id, job_id)
    assert started["state"] == job["state"] == "WAITING"
    assert (job["start_time"], job["duration"]) == ("", 0.0)
    server.dispatcher.tell(HeldEvent(job_id=job_id, worker="w"))
    await server.until(room_id, job_id, lambda job: job["state"] == "PROCESSING")


async def test_heartbeats_move_lastupdate_time_only(server: Server) -> None:
    room_id, job_id = await running(server)
    before = await server.show(room_id, job_id)
    server.clock.now += 60
    server.dispatcher.heartbeat(job_id, frames=10)
    after = await server.until(room_id, job_id, lambda job: job["lastupdate_time"] != before["lastupdate_time"])
    assert after["lastupdate_time"] == "2027-01-15T08:01:00Z"
    assert {**after, "lastupdate_time": "", "duration": 0} == {**before, "lastupdate_time": "", "duration": 0}


async def test_chat_states_are_shown(server: Server) -> None:
    room_id, job_id = await running(server)
    for state in (ChatState.LINKED, ChatState.FALLING_ASLEEP, ChatState.ASLEEP, ChatState.LINKED, ChatState.CLOSING):
        server.dispatcher.tell(ChatStateEvent(job_id=job_id, chat_state=state))
        await server.until(room_id, job_id, lambda job, state=state: job["chat_state"] == state)


async def test_stop_after_a_conversation(server: Server) -> None:
    room_id, job_id = await linked(server)
    answer = await server.call("POST", f"{jobs(room_id)}/{job_id}/stop")
    assert (answer.status_code, answer.json()) == (200, {})
    job = await server.show(room_id, job_id)
    assert (job["state"], job["job_finish_reason"], job["chat_state"]) == ("SUCCEED", "NORMAL", 1)
    assert job["end_time"]
    assert server.dispatcher.stop_reasons[job_id] == "NORMAL"
    again = await server.call("POST", f"{jobs(room_id)}/{job_id}/stop")
    assert error(again) == (409, "MSS.47010012")


async def test_stop_before_anyone_linked(server: Server) -> None:
    room_id, job_id = await running(server)
    await server.call("POST", f"{jobs(room_id)}/{job_id}/stop")
    job = await server.show(room_id, job_id)
    assert (job["state"], job["job_finish_reason"]) == ("CANCELED", "")
    assert server.dispatcher.stop_reasons[job_id] == "CANCELED"


async def test_a_stop_that_the_worker_does_not_know_ends_the_job_all_the_same(server: Server) -> None:
    room_id, job_id = await linked(server)
    server.dispatcher.running.clear()
    assert (await server.call("POST", f"{jobs(room_id)}/{job_id}/stop")).status_code == 200
    assert (await server.show(room_id, job_id))["state"] == "SUCCEED"


async def test_a_stop_that_the_worker_does_not_answer_returns_all_the_same(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("visavis.api.services.jobs._STOP_WAIT_S", 0.05)
    room_id, job_id = await linked(server)
    server.dispatcher.answers_stop = False
    assert (await server.call("POST", f"{jobs(room_id)}/{job_id}/stop")).status_code == 200
    assert (await server.show(room_id, job_id))["state"] == "PROCESSING"
    server.dispatcher.finish(job_id, "NORMAL")
    await server.until(room_id, job_id, lambda job: job["state"] == "SUCCEED")


async def test_silence_ends_it(server: Server) -> None:
    room_id, job_id = await linked(server, exit_mute_threshold=30)
    assert server.dispatcher.specs[job_id].exit_mute_threshold_s == 30
    server.dispatcher.finish(job_id, "MUTE_TIMEOUT")
    job = await server.until(room_id, job_id, lambda job: job["state"] == "SUCCEED")
    assert job["job_finish_reason"] == "MUTE_TIMEOUT"


async def test_a_worker_s_death_fails_it(server: Server) -> None:
    room_id, job_id = await linked(server)
    server.dispatcher.finish(job_id, "FAILED", "worker 3 died of signal 9")
    job = await server.until(room_id, job_id, lambda job: job["state"] == "FAILED")
    assert job["error_info"] == {"error_code": "MSS.47000001", "error_msg": "worker 3 died of signal 9"}


async def test_nobody_links(make_server: MakeServer) -> None:
    server = await make_server(link_timeout_s=0.05)
    room_id, job_id = await running(server)
    await server.until(room_id, job_id, lambda job: job["state"] == "CANCELED")
    assert server.dispatcher.stop_reasons[job_id] == "CANCELED"


async def test_linking_ends_the_watch_for_it(make_server: MakeServer) -> None:
    server = await make_server(link_timeout_s=0.3)
    room_id, job_id = await linked(server)
    other_room, other = await running(server)
    # The second job was started later: when its time is over, the first one's is too.
    await server.until(other_room, other, lambda job: job["state"] == "CANCELED")
    assert (await server.show(room_id, job_id))["state"] == "PROCESSING"


async def test_concurrent_starts(server: Server) -> None:
    room_id = await server.room(concurrency=3)
    answers = await asyncio.gather(*(server.call("POST", jobs(room_id)) for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [200] * 3 + [409] * 5
    assert len(server.dispatcher.running) == 3


async def test_a_full_dispatcher_leaves_the_room_free(make_server: MakeServer) -> None:
    server = await make_server(FakeDispatcher(capacity=0))
    room_id = await server.room(concurrency=1)
    for _ in range(2):
        assert error(await server.call("POST", jobs(room_id))) == (503, "MSS.20010089")
    listed = (await server.call("GET", jobs(room_id) + "?state=FAILED")).json()
    assert listed["count"] == 2
    assert listed["smart_chat_jobs"][0]["error_info"]["error_code"] == "MSS.20010089"
    server.dispatcher.capacity = 1
    await server.start(room_id)


async def test_a_broken_dispatcher_leaves_the_room_free(server: Server) -> None:
    room_id = await server.room(concurrency=1)
    server.dispatcher.start_error = DispatchError("pipe at /secret/path broke")
    answer = await server.call("POST", jobs(room_id))
    assert error(answer) == (500, "MSS.00000001")
    assert "secret" not in answer.text
    server.dispatcher.start_error = None
    await server.start(room_id)


async def test_a_bad_event_does_not_end_the_others(server: Server) -> None:
    room_id, job_id = await running(server)
    server.dispatcher.heartbeat("nobody")
    server.dispatcher.tell(HeldEvent(job_id=job_id, worker="again"))
    server.dispatcher.link(job_id)
    await server.until(room_id, job_id, lambda job: job["chat_state"] == 2)


async def test_the_language_of_the_last_turn(server: Server) -> None:
    room_id, job_id = await linked(server)
    server.dispatcher.tell(
        TurnEvent(job_id=job_id, chat_id="c", heard="hi", answered="hello", language="en", stages={"answer": 0.4})
    )
    job = await server.until(room_id, job_id, lambda job: job["language"] == "EN")
    assert job["default_language"] == "CN"


async def test_lists(server: Server) -> None:
    room_id = await server.room(concurrency=9)
    ids = []
    for _ in range(3):
        ids.append((await server.start(room_id))["job_id"])
        server.clock.now += 1
    page = (await server.call("GET", jobs(room_id) + "?offset=1&limit=1")).json()
    assert page["count"] == 3
    assert [job["job_id"] for job in page["smart_chat_jobs"]] == [ids[1]]
    missing = {"rtc_room_info", "chat_state", "language", "chat_access_address", "chat_access_rest_address"}
    assert set(page["smart_chat_jobs"][0]) == set(SEED_FIELDS) - missing
    assert (await server.call("GET", jobs(room_id) + "?state=SUCCEED,%20FAILED")).json()["count"] == 0
    assert (await server.call("GET", jobs(room_id) + "?state=HEARTBEAT")).json()["count"] == 0


async def test_the_robot_of_the_call_the_room_or_made_for_the_room(server: Server) -> None:
    named, called = await server.robot(name="named"), await server.robot(name="called")
    room_id = await server.room(robot_id=named, concurrency=9)
    bare = await server.room(concurrency=9)
    of_room = await server.robot(name="of room", room_id=bare)

    async def robot_of(room: str, query: str = "") -> str | None:
        job = (await server.call("POST", jobs(room) + query)).json()["job_id"]
        return server.dispatcher.specs[job].robot.robot_id

    assert await robot_of(room_id) == named
    assert await robot_of(room_id, f"?robot_id={called}") == called
    assert await robot_of(bare) == of_room
    assert await robot_of(await server.room()) is None


async def test_what_a_worker_is_told(make_server: MakeServer) -> None:
    server = await make_server(
        turn_urls=["turn:turn.test:3478"], turn_secret="s", sleep_after_s=20, sleep_warning_s=5, exit_warning_s=3
    )
    robot = await server.robot(
        app_type=6,
        language="EN",
        tail_silence_time=900,
        third_party_model_config={
            "app_id": "qwen",
            "app_key": "sk-1",
            "llm_url": "http://llm:8000/v1/",
            "chat_rounds": 2,
        },
    )
    room_id = await server.room(
        robot_id=robot,
        model_asset_id="bob",
        voice_config={"voice_asset_id": "en-amy", "volume": 200},
        video_config={"clip_mode": "CROP", "width": 600, "height": 800, "dx": 20, "dy": 40, "bitrate": 20000},
        background_config={"background_type": "COLOR", "background_color_config": "1,2,3"},
    )
    spec = server.dispatcher.specs[(await server.start(room_id))["job_id"]]
    assert spec.avatar_id == "bob"
    assert [(v.voice_id, v.language, v.volume) for v in spec.voices] == [("en-amy", None, 200)]
    video = spec.video
    assert (video.clip_mode, video.width, video.height, video.dx, video.dy) == ("CROP", 600, 800, 20, 40)
    assert (video.fps, video.bitrate_kbps) == (25, 8000)
    assert spec.background.color == "#010203"
    assert (spec.language, spec.default_language) == ("en", "zh")
    llm = spec.robot.llm
    assert llm is not None
    assert (llm.protocol, llm.model, llm.api_key, llm.chat_rounds) == ("openai", "qwen", "sk-1", 2)
    assert (spec.sleep_after_s, spec.sleep_warning_s, spec.exit_warning_s) == (20, 5, 3)
    assert spec.ice_servers[0].urls == ["turn:turn.test:3478"]
    assert spec.ice_servers[0].credential


@pytest.mark.parametrize(
    ("url", "protocol"),
    [
        ("http://x/v1", "openai"),
        ("https://x/api/v3/chat/completions", "openai"),
        ("https://x/digital-human/chat", "metastudio"),
        ("https://x/v1/avatar", "metastudio"),
    ],
)
async def test_the_model_s_protocol(server: Server, url: str, protocol: str) -> None:
    robot = await server.robot(app_type=6, third_party_model_config={"llm_url": url, "app_id": "a", "app_key": "k"})
    room_id = await server.room(robot_id=robot)
    llm = server.dispatcher.specs[(await server.start(room_id))["job_id"]].robot.llm
    assert llm is not None
    assert llm.protocol == protocol


async def test_rtc_tokens_outlive_themselves(make_server: MakeServer) -> None:
    server = await make_server(rtc_token_ttl_s=7200)
    room_id, job_id = await linked(server)
    began = server.clock.now

    async def ctime() -> int:
        return int((await server.show(room_id, job_id))["rtc_room_info"]["users"][0]["ctime"])

    assert await ctime() == began + 7200
    server.clock.now = began + 3599
    assert await ctime() == began + 7200
    server.clock.now = began + 3600
    assert await ctime() == began + 3600 + 7200
    server.clock.now = began + 86400
    assert 3600 <= await ctime() - server.clock.now <= 7200


async def test_public_address(make_server: MakeServer) -> None:
    server = await make_server(public_address="avatar.example:443")
    started = await server.start(await server.room())
    assert started["chat_access_address"] == "avatar.example:443"


async def test_a_new_server_fails_what_the_old_one_left(make_server: MakeServer) -> None:
    old = await make_server()
    room_id, job_id = await linked(old)
    new = await make_server()  # on the same data: the old one counts as dead
    new.keys["p1"] = old.keys["p1"]
    job = await new.show(room_id, job_id)
    assert job["state"] == "FAILED"
    assert job["error_info"]["error_msg"] == "the server restarted while the job ran"


async def test_a_stopping_server_ends_its_jobs(make_server: MakeServer) -> None:
    dispatcher = FakeDispatcher()
    server = await make_server(dispatcher)
    room_id, job_id = await linked(server)
    silent_room, silent = await linked(server)
    dispatcher.running.pop(silent)  # its worker never answers
    await _shut(dispatcher, server.context.jobs, server.app.state.events)
    assert dispatcher.closed
    assert (await server.show(room_id, job_id))["state"] == "SUCCEED"
    job = await server.show(silent_room, silent)
    assert (job["state"], job["error_info"]["error_msg"]) == ("FAILED", "the server stopped while the job ran")


async def test_heartbeats_of_an_ended_job_make_no_metrics(server: Server) -> None:
    _, job_id = await linked(server)
    server.dispatcher.heartbeat(job_id, fps=25.0, frames=50)
    server.dispatcher.finish(job_id, "NORMAL")
    server.dispatcher.tell(HeartbeatEvent(job_id=job_id, stats={"fps": 25.0, "frames": 75}))
    await linked(server)  # what was told before that has been taken in
    text = (await server.http.get("/metrics")).text
    assert "visavis_frames_total 50.0" in text
    assert f'visavis_session_fps{{job_id="{job_id}"}}' not in text


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("avatar.example", "avatar.example:80"),
        ("[2001:db8::1]:9000", "[2001:db8::1]:9000"),
        ("evil/../x", "127.0.0.1:8080"),
    ],
)
async def test_the_address_is_the_one_that_the_client_used(server: Server, host: str, address: str) -> None:
    room_id = await server.room()
    answer = await server.call("POST", jobs(room_id), headers={"Host": host})
    assert answer.json()["chat_access_address"] == address
