"""What refers to what: the kinds of records that others name, and who names them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import or_, select

from visavis.contract.errors import ApiError, ErrorCode
from visavis.store.records import Transaction
from visavis.store.tables import robots

if TYPE_CHECKING:
    from visavis.api.skeleton import Call

ROLE = "role"
LLM_CONFIG = "llm_config"
MCP_SERVER = "mcp_server"
PLUGIN_CONFIG = "plugin_config"
KNOWLEDGE_LIBRARY = "knowledge_library"
INSTRUCTION_LIBRARY = "instruction_library"


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from _texts(one)
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one)


def named_by(*kinds: str) -> Callable[[Call, Transaction, list[str]], Awaitable[None]]:
    """A resource's guard: nothing may be deleted that a record of one of these kinds names anywhere.

    Raises:
        ApiError: one does; it tells which, by name or id.
    """

    async def guard(call: Call, steps: Transaction, ids: list[str]) -> None:
        for kind in kinds:
            _, there = await steps.listing(call.project_id, kind, limit=None)
            for record in there:
                if not set(ids).isdisjoint(_texts(record.document)):
                    raise ApiError(ErrorCode.IN_USE, f"{kind} {record.name or record.id}")

    return guard


async def used_by_robots(call: Call, steps: Transaction, ids: Sequence[str]) -> None:
    """A guard of roles: no robot of the project may be one of these.

    Raises:
        ApiError: one is.
    """
    role = robots.c.settings[("wise_brain_config", "role_id")].as_string()
    query = select(robots.c.name).where(robots.c.project_id == call.project_id, or_(*(role == one for one in ids)))
    row = (await steps.connection.execute(query.limit(1))).first()
    if row is not None:
        raise ApiError(ErrorCode.IN_USE, f"robot {row.name}")
