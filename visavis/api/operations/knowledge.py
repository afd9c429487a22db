"""Knowledge: skills, their intents, and the questions of those."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from starlette.responses import Response

from visavis.api.auditing import note
from visavis.api.services import knowledge, topics
from visavis.api.services.knowledge import INTENTS, QUESTIONS, SKILLS
from visavis.api.services.resources import found, list_of_ids, serve
from visavis.api.services.skill_package import packed
from visavis.api.skeleton import Call, handles
from visavis.contract.errors import ApiError, ErrorCode
from visavis.store import records
from visavis.store.records import Record

serve(
    SKILLS,
    list="list_knowledge_skill",
    create="create_knowledge_skill",
    show="show_knowledge_skill",
    update="update_knowledge_skill",
)
serve(
    INTENTS,
    list="list_knowledge_intent",
    create="create_knowledge_intent",
    show="show_knowledge_intent",
    update="update_knowledge_intent",
    delete="delete_knowledge_intent",
)
serve(
    QUESTIONS,
    list="list_knowledge_question",
    create="create_knowledge_question",
    show="show_knowledge_question",
    update="update_knowledge_question",
    delete="delete_knowledge_question",
)


@handles("delete_knowledge_skill")
async def delete_skills(call: Call) -> None:
    """Delete skills with all that is in them."""
    async with records.transaction(call.context.database) as steps:
        await knowledge.remove_skills(call, steps, list_of_ids(call.body))


@handles("create_intent_and_question")
async def create_intent_and_question(call: Call) -> dict[str, Any]:
    """A new intent with its questions: all of it or nothing."""
    body = call.body
    await found(SKILLS, call, body["skill_id"])
    texts = [one["question"] for one in body.get("question_list", [])]
    async with records.transaction(call.context.database) as steps:
        intent = await knowledge.add_intent(call, steps, body["skill_id"], body["name"], body["answer"])
        questions = await knowledge.add_questions(call, steps, intent.id, texts)
    note(call.request, target=intent.id)
    return {
        "intent_id": intent.id,
        "identify": intent.document["identify"],
        "question_list": [knowledge.question_view(one) for one in questions],
    }


@handles("create_batch_knowledge_question")
async def create_questions(call: Call) -> dict[str, Any]:
    """New questions of an intent: all of them or none."""
    intent_id = call.body["intent_id"]
    await found(INTENTS, call, intent_id)
    async with records.transaction(call.context.database) as steps:
        questions = await knowledge.add_questions(
            call, steps, intent_id, [one["question"] for one in call.body["question_list"]]
        )
    note(call.request, target=intent_id)
    return {"question_list": [knowledge.question_view(one) for one in questions]}


@handles("update_batch_knowledge_question")
async def update_questions(call: Call) -> None:
    """Change several questions: all of them or none."""
    changes = {one["question_id"]: one["question"] for one in call.body["question_list"]}
    if len(changes) != len(call.body["question_list"]):
        raise ApiError(ErrorCode.INVALID_PARAMETER, "question_list: a question occurs twice")
    async with records.transaction(call.context.database) as steps:
        # In the order of their ids, so that two such calls never wait for each other.
        for question_id in sorted(changes):
            old = await steps.get(call.project_id, QUESTIONS.kind, question_id)
            if old is None or (call.app_user and old.app_user_id != call.app_user):
                raise ApiError(ErrorCode.NOT_FOUND, f"question_id {question_id}")

            def change(record: Record, text: str = changes[question_id]) -> Record:
                return replace(record, document={**record.document, "question": text})

            await steps.update(call.project_id, QUESTIONS.kind, question_id, change, call.now)


@handles("export_knowledge_skill")
async def export(call: Call) -> Response:
    """The skill as a file."""
    skill = await found(SKILLS, call)
    known = await topics.of_skill(call.context.database, call.project_id, skill.id)
    name = quote(f"{skill.document['identify']}.zip", safe="")
    return Response(
        await asyncio.to_thread(packed, skill, known),
        media_type="application/zip",
        headers={"Content-Disposition": f"attachment; filename=\"skill.zip\"; filename*=UTF-8''{name}"},
    )
