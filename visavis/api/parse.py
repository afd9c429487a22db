"""Request bodies and paging, after the caller is known: an unknown caller learns nothing of the validation."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, TypeVar

from fastapi import Depends, Query, Request
from pydantic import TypeAdapter, ValidationError

from visavis.contract.checking import refuse
from visavis.contract.errors import ApiError, ErrorCode

T = TypeVar("T")


def json_body(kind: type[T], empty: T | None = None) -> Callable[[Request], Awaitable[T]]:
    """A dependency that reads the body as ``kind``; ``empty`` is what a missing body means (None: it is an error)."""
    adapter: TypeAdapter[T] = TypeAdapter(kind)

    async def read(request: Request) -> T:
        raw = await request.body()
        if not raw.strip() and empty is not None:
            return empty
        media_type = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
        if media_type != "application/json":
            raise ApiError(ErrorCode.UNSUPPORTED_MEDIA_TYPE, "wanted application/json")
        if b"\\u0000" in raw:
            raise ApiError(ErrorCode.INVALID_PARAMETER, "texts must not contain NUL")  # databases do not take it
        try:
            return adapter.validate_json(raw)
        except ValidationError as error:
            refuse(error)

    return read


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list."""

    offset: int
    limit: int


def _page(
    offset: Annotated[int, Query(ge=0, le=2147483647)] = 0, limit: Annotated[int, Query(ge=1, le=100)] = 100
) -> Page:
    return Page(offset, limit)


Paging = Annotated[Page, Depends(_page)]
