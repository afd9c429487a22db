"""What a job is told of the project's words when it starts: the welcome, and what to answer from."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from collections.abc import Sequence
from typing import Any, Final

from visavis.api.services import greeting, references, robot_words, topics
from visavis.api.services.role_briefing import check_answers, role_spec
from visavis.api.services.topics import Topic
from visavis.api.services.worker_files import kept
from visavis.contract.errors import ApiError, ErrorCode
from visavis.session.spec import RobotSpec
from visavis.settings import Settings
from visavis.store import records
from visavis.store.database import Database

FOLDER: Final = "knowledge"
"""Where files for workers are kept, in the data folder."""

_HAN = re.compile(r"[\u3400-\u9fff]")


async def briefed(
    database: Database,
    settings: Settings,
    project_id: str,
    robot: RobotSpec,
    language: str,
    app_user: str,
    role_id: str = "",
) -> RobotSpec:
    """The robot with its welcome, its knowledge and its role.

    Args:
        language: that the conversation begins in, by its published name.
        app_user: the third-party user that the job is started for; empty: nobody in particular.
        role_id: of an interaction assistant; empty: it has none.

    Raises:
        ApiError: the role is not there, or has nothing to answer with.
    """
    folder = settings.data / FOLDER
    more: dict[str, Any] = {}
    if robot.robot_id:
        more["welcome"] = await greeting.to_speak(database, project_id, robot.robot_id, language)
        more |= await robot_words.told(database, project_id, robot.robot_id)
    if robot.llm is None and not robot.driven:
        entries = _entries(await topics.heard_by(database, project_id, app_user))
        if entries:
            name = hashlib.sha256(f"{project_id}\n{app_user}".encode()).hexdigest()[:32]
            whole = {"format": "visavis-knowledge", "version": 1, "entries": entries}
            content = json.dumps(whole, ensure_ascii=False).encode()
            more["knowledge"] = [str(await asyncio.to_thread(kept, folder / f"{name}.json", content))]
    if role_id:
        role = await records.get(database, project_id, references.ROLE, role_id)
        if role is None or (app_user and role.app_user_id not in ("", app_user)):
            raise ApiError(ErrorCode.ROBOT_UNUSABLE, "its role_id names what is not there")
        more["role"] = await role_spec(database, settings, folder, role)
        check_answers(more["role"])
    return robot.model_copy(update=more)


def _entries(known: Sequence[Topic]) -> list[dict[str, Any]]:
    """Topics as a knowledge file has them; one that nothing asks for, or that says nothing, is left out."""
    entries = []
    for topic in known:
        answer = topic.intent.document["answer"].strip()
        questions: dict[str, list[str]] = {}
        for question in topic.questions:
            if text := question.strip():
                questions.setdefault(_language(text), []).append(text)
        if questions and answer:
            identify = topic.intent.document["identify"]
            entries.append({"id": identify, "questions": questions, "answers": {_language(answer): answer}})
    return entries


def _language(text: str) -> str:
    return "zh" if _HAN.search(text) else "en"
