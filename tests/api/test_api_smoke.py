from __future__ import annotations

from conftest import Server


async def test_a_job_runs(server: Server) -> None:
    robot = await server.robot()
    room = await server.room(robot_id=robot)
    started = await server.start(room)
    shown = await server.until(room, started["job_id"], lambda job: job["state"] == "PROCESSING")
    print(shown)
    server.dispatcher.link(started["job_id"])
    await server.until(room, started["job_id"], lambda job: job["chat_state"] == 2)
    r = await server.call("POST", f"/digital-human-chat/smart-chat-rooms/{room}/smart-chat-jobs/{started['job_id']}/stop")
    assert r.status_code == 200, r.text
    shown = await server.show(room, started["job_id"])
    assert shown["state"] == "SUCCEED"
