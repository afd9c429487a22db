"""Whoever talks through the page is told that the conversation is kept."""

from __future__ import annotations

import pytest
from control_server import Server

from visavis.api.services.reporting import SWITCHES
from visavis.store import records
from visavis.store.records import Record


@pytest.mark.parametrize("kind", SWITCHES)
async def test_the_page_learns_that_it_is_recorded(server: Server, kind: object) -> None:
    setting, switch = next(pair for each, pair in SWITCHES.items() if each is kind)
    room_id = await server.room(concurrency=9)

    async def recorded(project: str = "p1", room: str = room_id) -> bool:
        code = (await server.call("POST", "/digital-human-chat/once-code", project=project)).json()["once_code"]
        body = {"project_id": project, "room_id": room}
        answer = await server.http.post("/page/v1/sessions", json=body, headers={"X-Once-Code": code})
        assert answer.status_code == 200, answer.text
        return bool(answer.json()["recorded"])

    assert not await recorded()
    for on in (True, False):
        async with records.transaction(server.context.database) as steps:
            document = {switch: on, "obs_bucket_name": "bucket"}
            await steps.put(Record(id="one", project_id="p1", kind=setting, document=document), server.clock())
        assert await recorded() is on
