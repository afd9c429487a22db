"""Request bodies, after the caller is known: an unknown caller learns nothing of the validation."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from fastapi import Request
from pydantic import TypeAdapter, ValidationError

from visavis.contract.checking import refuse
from visavis.contract.errors import ApiError, ErrorCode

T = TypeVar("T")


def check_json(request: Request) -> None:
    """Whether the body says that it is JSON, or nothing. Raises ApiError: it says that it is something else."""
    media_type = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise ApiError(ErrorCode.UNSUPPORTED_MEDIA_TYPE, "wanted application/json")


def json_body(kind: type[T]) -> Callable[[Request], Awaitable[T]]:
    """A dependency that reads the body as ``kind``."""
    adapter: TypeAdapter[T] = TypeAdapter(kind)

    async def read(request: Request) -> T:
        raw = await request.body()
        check_json(request)
        if b"\\u0000" in raw:
            raise ApiError(ErrorCode.INVALID_PARAMETER, "texts must not contain NUL")  # databases do not take it
        try:
            return adapter.validate_json(raw)
        except ValidationError as error:
            refuse(error)

    return read
