"""Welcome speeches and their switch, as the API handles them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from visavis.api.services import greeting
from visavis.api.services.greeting import FIELD
from visavis.api.services.resources import Resource, robot_exists
from visavis.api.skeleton import Call
from visavis.store.records import Filter, Record, Transaction


async def switch(call: Call, steps: Transaction, robot_id: str, language: str, on: bool) -> None:
    """Turn a robot's welcome speeches on or off; ``language`` empty: of every language, whatever was set for one."""
    if not language:
        _, there = await steps.listing(call.project_id, greeting.SWITCH, Filter(parent_id=robot_id), limit=None)
        await steps.remove(call.project_id, greeting.SWITCH, [one.id for one in there if one.document["language"]])
    record = Record(
        id=f"{robot_id}:{language}",
        project_id=call.project_id,
        kind=greeting.SWITCH,
        parent_id=robot_id,
        app_user_id=call.app_user,
        document={"language": language, FIELD: on},
    )
    await steps.put(record, call.now)


async def _prepare(call: Call, steps: Transaction, given: dict[str, Any], old: Record | None) -> dict[str, Any]:
    """Whether a speech is on is not the speech's own: it is the switch of its language."""
    given = dict(given)
    on = given.pop(FIELD, None)
    if old is not None and on is not None:
        await switch(call, steps, old.parent_id, old.document.get("language", ""), on)
    return given


async def _views(call: Call, page: Sequence[Record]) -> list[dict[str, Any]]:
    known = {
        robot_id: await greeting.switches(call.context.database, call.project_id, robot_id)
        for robot_id in {record.parent_id for record in page}
    }
    return [{FIELD: greeting.is_on(known[record.parent_id], record.document.get("language", ""))} for record in page]


SPEECHES = Resource(
    kind=greeting.SPEECH,
    id_field="welcome_speech_id",
    parent_field="robot_id",
    parent=robot_exists,
    filters=("language",),
    defaults={"language": ""},
    prepare=_prepare,
    views=_views,
)
