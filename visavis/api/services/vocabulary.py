"""Vocabularies: how a project wants words to be read, in groups that belong to voices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from visavis.api.catalogue import has_voice
from visavis.api.services.resources import Resource, require
from visavis.api.services.wordlists import ENTRY, GROUP, KIND_OF
from visavis.api.skeleton import Call
from visavis.contract.errors import ApiError, ErrorCode
from visavis.speech import ipa, pinyin, say_as
from visavis.speech.lexicon import composed
from visavis.speech.normalise import has_han
from visavis.store.records import Filter, Record, Transaction

MOST_GROUPS: Final = 100
MOST_ENTRIES: Final = 1000
"""Of one group; of no group, as many."""


async def _group(call: Call, steps: Transaction, given: dict[str, Any], _: Record | None) -> dict[str, Any]:
    if "asset_ids" not in given:
        return given
    voices = list(dict.fromkeys(given["asset_ids"]))
    if unknown := [one for one in voices if not has_voice(call.context.catalogue, one)]:
        raise ApiError(ErrorCode.INVALID_PARAMETER, f"asset_ids: no voice {unknown[0]!r} here")
    return {**given, "asset_ids": voices}


async def _entry(call: Call, steps: Transaction, given: dict[str, Any], old: Record | None) -> dict[str, Any]:
    whole = {"key": "", "value": "", **(old.document if old is not None else {}), **given}
    check_reading(whole)
    group = call.body.get("group_id", old.parent_id if old is not None else "")
    if group:
        await require(call, steps, GROUP, [group], "group_id")
    # A group that reads a word in two ways would read it in neither.
    owner = old.app_user_id if old is not None else call.app_user
    same = Filter(parent_id=group, app_user_id=owner, fields={"key": whole["key"]})
    _, there = await steps.listing(call.project_id, ENTRY, same, limit=None)
    if any(old is None or one.id != old.id for one in there):
        raise ApiError(ErrorCode.EXISTS, "key: the group has that word already")
    return whole


async def _ids(call: Call, page: Sequence[Record]) -> list[dict[str, Any]]:
    return [{"id": record.id} for record in page]


GROUPS = Resource(
    kind=GROUP,
    id_field="group_id",
    name_field="group_name",
    children=(ENTRY,),
    most=MOST_GROUPS,
    prepare=_group,
    views=_ids,
)

ENTRIES = Resource(
    kind=ENTRY,
    id_field="vocabulary_id",
    name_field="key",
    parent_field="group_id",
    most=MOST_ENTRIES,
    prepare=_entry,
    views=_ids,
)


def check_reading(entry: Mapping[str, str]) -> None:
    """Whether an entry's ``key`` (the word) can be read as its ``type`` and ``value`` say.

    Raises:
        ApiError: it cannot; it names the field.
    """
    key, value = composed(entry["key"]).strip(), entry["value"].strip()
    kind = KIND_OF[entry["type"]]
    if not key:
        raise _wrong("key: a word is needed")
    if not value and kind != "linked":
        raise _wrong(f"value: type {entry['type']} needs one")
    if kind == "pinyin" and not has_han(key):
        raise _wrong("key: type CHINESE_G2P is of Chinese characters")
    if kind == "ipa" and not any("a" <= letter <= "z" for letter in key.lower()):
        raise _wrong("key: type PHONETIC_SYMBOL is of English words")
    try:
        if kind == "pinyin":
            characters = [has_han(one) for one in key]
            pinyin.syllables(value, len(characters) if all(characters) else None)
        elif kind == "ipa":
            ipa.to_phonemes(value)
        elif kind == "say-as":
            say_as.check(key, value)
    except ValueError as error:
        raise _wrong(f"value: {entry['type']}: {error}") from None


def _wrong(detail: str) -> ApiError:
    return ApiError(ErrorCode.INVALID_PARAMETER, detail)
