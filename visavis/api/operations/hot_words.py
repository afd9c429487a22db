"""Hot words: names and terms that a robot is to hear right. Requests have them in the forms of two vendors."""

from __future__ import annotations

from typing import Any

from visavis.api.services import robot_words
from visavis.api.services.languages import serve_by_language
from visavis.api.services.resources import Resource, robot_exists
from visavis.api.skeleton import Call
from visavis.contract.errors import ApiError, ErrorCode
from visavis.contract.loading import contract
from visavis.store.records import Record, Transaction

_NESTED = {"SIS": "sis_hot_words", "MOBVOI": "mobvoi_hot_words"}


async def _prepare(call: Call, steps: Transaction, given: dict[str, Any], old: Record | None) -> dict[str, Any]:
    """Answers lay flat what requests nest by vendor."""
    vendor = given["hot_words_type"]
    nested = _NESTED[vendor]
    inner = dict(given.get(nested, {}))
    same_vendor = old is not None and old.document["hot_words_type"] == vendor
    if not same_vendor:
        # Another vendor's vocabulary is another thing: nothing of the old one may stay.
        wanted = contract().shapes["CreateSisHotWords" if vendor == "SIS" else "CreateMobvoiHotWords"].fields
        if missing := [name for name, field in wanted.items() if field.required and name not in inner]:
            raise ApiError(ErrorCode.INVALID_PARAMETER, f"{nested}: hot_words_type {vendor} needs {', '.join(missing)}")
        inner = {"region": 0, "sis_project_id": "", **inner}
    own = {"words": given["words"]} if "words" in given else {}
    return {"hot_words_type": vendor, **inner, **own}


HOT_WORDS = Resource(
    kind=robot_words.HOT_WORDS,
    id_field="hot_words_id",
    parent_field="robot_id",
    parent=robot_exists,
    filters=("hot_words_type", "language", "region"),
    prepare=_prepare,
)

serve_by_language(
    HOT_WORDS,
    list="list_hot_words",
    create="create_hot_words",
    show="show_hot_words",
    update="update_hot_words",
    delete=("delete_hot_words",),
)
