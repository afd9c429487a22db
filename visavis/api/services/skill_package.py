"""A skill as a file: a ZIP archive, packed as iFLYTEK's skill import asks for (``export_type`` 0).

``config.json`` lists the intents by their ``identify``; ``<identify>.json`` of each is the body of create_intent_and_question
but for the ``skill_id``, so that a file can be brought into another skill, or another server, as it is.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Sequence
from typing import Any, Final

from visavis.api.services.topics import Topic
from visavis.store.records import Record

_VERSION: Final = "2.1"
"""Of iFLYTEK's package format."""
_DATE: Final = (2020, 1, 1, 0, 0, 0)
"""Of all files within: the same knowledge makes the same archive."""


def packed(skill: Record, topics: Sequence[Topic]) -> bytes:
    """The archive of a skill."""
    config = {
        "version": _VERSION,
        "name": skill.name,
        "identify": skill.document["identify"],
        "intents": {
            topic.intent.document["identify"]: {
                "chineseName": topic.intent.name,
                "entranceIntent": True,
                "confirmation": {"required": False, "prompts": []},
                "assistWords": {},
                "slots": {},
            }
            for topic in topics
        },
    }
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        _write(archive, "config.json", config)
        for topic in topics:
            inner = topic.intent.document
            body = {
                "name": inner["name"],
                "answer": inner["answer"],
                "question_list": [{"question": question} for question in topic.questions],
            }
            _write(archive, f"{inner['identify']}.json", body)
    return out.getvalue()


def _write(archive: zipfile.ZipFile, name: str, value: dict[str, Any]) -> None:
    entry = zipfile.ZipInfo(name, _DATE)
    entry.compress_type = zipfile.ZIP_DEFLATED
    archive.writestr(entry, json.dumps(value, ensure_ascii=False, indent=2).encode())
