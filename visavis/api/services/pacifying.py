"""Whether, and after how long, a robot soothes who waits for its answer: one value for each of its languages."""

from __future__ import annotations

from typing import Any

from visavis.api.services.languages import in_present_names, present_name
from visavis.api.services.resources import robot_exists
from visavis.api.services.robot_words import PerLanguage
from visavis.api.skeleton import Call, handles
from visavis.store import records
from visavis.store.records import Record


def serve_per_language(one: PerLanguage, *, show: str, update: str) -> None:
    """Register handlers of the operations of these names."""

    async def showing(call: Call) -> dict[str, Any]:
        robot_id, language = call.query["robot_id"], present_name(call.query["language"])
        await robot_exists(call, robot_id)
        return {one.field: await one.of(call.context.database, call.project_id, robot_id, language)}

    async def updating(call: Call) -> None:
        body = in_present_names(call).body
        await robot_exists(call, body["robot_id"])
        record = Record(
            id=f"{body['robot_id']}:{body['language']}",
            project_id=call.project_id,
            kind=one.kind,
            parent_id=body["robot_id"],
            app_user_id=call.app_user,
            document={"language": body["language"], one.field: body[one.field]},
        )
        await records.put(call.context.database, record, call.now)

    handles(show)(showing)
    handles(update)(updating)
