"""Examples of jobs; their workers are played by the fake dispatcher."""

from __future__ import annotations

from contract_world import Ask, World, example

EXTEND = '{"city": "Shenzhen", "client_id": "hall", "extra_json_param": {"a": 1}}'


def _room(world: World) -> str:
    # The suite starts a job with each request that is not refused.
    return world.room(concurrency=100, robot_id=world.robot())


def _job(world: World) -> dict[str, str]:
    room_id = _room(world)
    job = world.do("start_smart_chat_job", Ask(path={"room_id": room_id}, body={"extend_param": EXTEND}))
    return {"room_id": room_id, "job_id": str(job["job_id"])}


@example("start_smart_chat_job")
def _start(world: World) -> Ask:
    return Ask(
        path={"room_id": _room(world)},
        query={"robot_id": world.robot()},
        body={"extend_param": EXTEND},
        absent={"state": "the SDK does not read it: it is of the page of 2024"},
    )


@example("create_smart_chat_job")
def _create(world: World) -> Ask:
    body = {"region": "cn-north-4", "client_id": "hall", "room_type": "RTC"}
    return Ask(path={"room_id": _room(world)}, body=body)


@example("list_smart_chat_job")
def _list(world: World) -> Ask:
    return Ask(path={"room_id": _job(world)["room_id"]}, query={"state": "WAITING,PROCESSING", "limit": 10})


@example("show_smart_chat_job")
def _show(world: World) -> Ask:
    return Ask(path=_job(world))


@example("stop_smart_chat_job")
def _stop(world: World) -> Ask:
    return Ask(path=_job(world))


@example("wake_smart_chat_job")
def _wake(world: World) -> Ask:
    return Ask(path=_job(world), body={"wakeup_type": "RADAR"})
