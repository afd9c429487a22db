"""The intents that pacify words can go with: those of the stored knowledge."""

from __future__ import annotations

from typing import Any

from visavis.api.services.knowledge import INTENTS
from visavis.api.services.resources import robot_exists
from visavis.api.skeleton import Call, handles
from visavis.store import records
from visavis.store.records import Filter


@handles("show_pacify_words_intent")
async def show(call: Call) -> dict[str, Any]:
    """All of them: knowledge belongs to the project, so every robot has the same ones."""
    await robot_exists(call, call.query["robot_id"])
    wanted = Filter(app_user_id=call.app_user or None)
    _, there = await records.listing(
        call.context.database, call.project_id, INTENTS.kind, wanted, limit=None, order="asc"
    )
    return {
        "data": [
            {"intent": one.document["identify"], "desc_cn": one.document["name"], "desc_en": one.document["name"]}
            for one in there
        ]
    }
