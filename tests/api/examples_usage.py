from __future__ import annotations

from contract_world import PROJECT, Ask, World, example

from visavis.contract.base import from_rfc3339
from visavis.contract.jobs import JobState
from visavis.store import jobs
from visavis.store.jobs import Job

_NOT_SOLD = "nothing is bought or allotted here"


@example("show_summary_usage_data")
def _sum(world: World) -> Ask:
    return Ask(query={"business_type": "CHAT_2D", "resource_type": "chat_time_2d_model", "unit": "MIN", "user_id": "u"})


@example("show_usage_data")
def _by_day(world: World) -> Ask:
    began = from_rfc3339("2020-01-10T12:00:00Z")
    job = Job(
        id=jobs.new_id(),
        project_id=PROJECT,
        room_id=world.room(),
        robot_id="",
        rtc_room_id=jobs.new_id(),
        users=[],
        settings={},
        language="EN",
        created_at=began,
        updated_at=began + 60,
        state=JobState.SUCCEED,
        started_at=began,
        ended_at=began + 60,
    )
    world.run(jobs.place(world.context.database, job))
    return Ask(
        query={
            "start_time": "2020-01-10T00:00:00Z",
            "end_time": "2020-01-11T00:00:00Z",
            "limit": 10,
            "offset": 0,
            "unit": "HOUR",
            "business_type": "CHAT_2D",
            "resource_type": "chat_time_2d_model",
            "user_id": "u",
        },
        absent={
            f"time_list.resources_usage.{name}": _NOT_SOLD
            for name in ("amount", "charging_mode", "resource_source", "sub_resource_type")
        }
        | {
            f"time_list.resources_usage.{name}": "ours: the SDK's models leave it out; test_api_kiosk.py has it"
            for name in ("number", "room_id")
        },
    )
