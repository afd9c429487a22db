"""Buckets of an S3-compatible store, as the API names them: a bucket's name and an endpoint.

A project's store is the operator's to set (``visavis project bucket``). A configuration names one of its buckets, and its
endpoint only to be compared: no request makes this server write anywhere else.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any

from visavis.api.skeleton import Call
from visavis.contract.errors import ApiError, ErrorCode
from visavis.store import buckets
from visavis.store.buckets import BadBucketError, BucketStore, clean_endpoint
from visavis.store.objects import ObjectsError, S3Objects, check

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]|\.(?!\.)){1,61}[a-z0-9]")


def deliverable(switch: str) -> Callable[[Call, dict[str, Any]], Awaitable[None]]:
    """For ``ahead`` of a setting: whether something can really be delivered there, if its ``switch`` is on.

    What it makes raises ApiError: the names are none; or, with the switch on, the project has no store, the endpoint is
    another one's, or a small object cannot be written to the bucket.
    """

    async def ahead(call: Call, whole: dict[str, Any]) -> None:
        _named_well(whole)
        if whole.get(switch):
            await _check(call, whole["obs_bucket_name"], whole["obs_endpoint"])

    return ahead


def _named_well(whole: dict[str, Any]) -> None:
    if not _NAME.fullmatch(whole.get("obs_bucket_name", "")):
        raise ApiError(
            ErrorCode.INVALID_PARAMETER,
            "obs_bucket_name: 3 to 63 lower-case letters, digits, hyphens and single dots, letters or digits at both ends",
        )
    try:
        clean_endpoint(whole.get("obs_endpoint", ""))
    except BadBucketError:
        raise ApiError(
            ErrorCode.INVALID_PARAMETER,
            "obs_endpoint: a host's name, with https:// or http:// before it or not, and a port or none",
        ) from None


async def _check(call: Call, bucket: str, endpoint: str) -> None:
    store: BucketStore | None = await buckets.get(call.context.database, call.project_id)
    if store is None:
        raise ApiError(
            ErrorCode.BUCKET_UNUSABLE, "the project has no store: an operator sets one with `visavis project bucket`"
        )
    if not store.means(endpoint):
        raise ApiError(ErrorCode.BUCKET_UNUSABLE, "obs_endpoint: this is not the project's store")
    try:
        await check(S3Objects(store, bucket))
    except ObjectsError as error:
        raise ApiError(ErrorCode.BUCKET_UNUSABLE, f"obs_bucket_name: {error}") from None
