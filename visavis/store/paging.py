"""Pages of long lists: the last one costs as little as the first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Column, Row, Select
from sqlalchemy.ext.asyncio import AsyncConnection


async def newest_first(
    connection: AsyncConnection,
    query: Select[Any],
    order: Sequence[Column[Any]],
    count: int,
    offset: int,
    limit: int,
) -> list[Row[Any]]:
    """One page of what the query finds, by falling ``order``.

    A database walks over all that an offset skips. So the further half of a list is read from its other end.

    Args:
        order: columns of an index; together they are different for each row.
        count: how many rows the query finds.
    """
    if offset <= count // 2:
        page = query.order_by(*(column.desc() for column in order)).offset(offset).limit(limit)
        return list(await connection.execute(page))
    size = min(limit, count - offset)
    if size <= 0:
        return []
    page = query.order_by(*(column.asc() for column in order)).offset(count - offset - size).limit(size)
    return list(await connection.execute(page))[::-1]
