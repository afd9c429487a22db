"""Buckets of an S3-compatible store, as the API names them: a bucket's name and an endpoint."""

from __future__ import annotations

import re
from typing import Any

from visavis.api.skeleton import Call
from visavis.contract.errors import ApiError, ErrorCode
from visavis.store.records import Record, Transaction

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]|\.(?!\.)){1,61}[a-z0-9]")
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_ENDPOINT = re.compile(rf"(?:https://)?{_LABEL}(?:\.{_LABEL})*(?::(?P<port>[1-9][0-9]{{0,4}}))?/?")


async def checked(call: Call, steps: Transaction, given: dict[str, Any], old: Record | None) -> dict[str, Any]:
    """For ``prepare`` of a setting: the fields as given.

    Raises:
        ApiError: the bucket's name, or the endpoint, is none.
    """
    if "obs_bucket_name" in given and not _NAME.fullmatch(given["obs_bucket_name"]):
        raise ApiError(
            ErrorCode.INVALID_PARAMETER,
            "obs_bucket_name: 3 to 63 lower-case letters, digits, hyphens and single dots, letters or digits at both ends",
        )
    if "obs_endpoint" in given:
        match = _ENDPOINT.fullmatch(given["obs_endpoint"])
        if match is None or int(match["port"] or 443) > 65535:
            raise ApiError(
                ErrorCode.INVALID_PARAMETER,
                "obs_endpoint: a host's name, with https:// before it or not, and a port or none",
            )
    return given
