"""MCP servers: where a role's tools are."""

from __future__ import annotations

import re
from typing import Any

from visavis.api.services import references
from visavis.api.services.resources import Resource, serve
from visavis.api.skeleton import Call
from visavis.contract.base import is_web_url
from visavis.contract.errors import ApiError, ErrorCode
from visavis.store.records import Record, Transaction

_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")


async def _checked(_: Call, __: Transaction, given: dict[str, Any], ___: Record | None) -> dict[str, Any]:
    if "mcp_server_url" in given and not is_web_url(given["mcp_server_url"]):
        raise ApiError(
            ErrorCode.INVALID_PARAMETER, "mcp_server_url: wanted http(s)://host[:port]/path without a password"
        )
    header = given.get("auth_header_name", "")
    if header and not _HEADER_NAME.fullmatch(header):
        raise ApiError(ErrorCode.INVALID_PARAMETER, "auth_header_name: it is no name of an HTTP header")
    return given


MCP_SERVERS = Resource(
    kind=references.MCP_SERVER,
    id_field="mcp_server_id",
    name_field="name",
    defaults={"auth_header_name": ""},
    prepare=_checked,
    guard=references.named_by(references.ROLE),
)

serve(
    MCP_SERVERS,
    list="list_mcp_server",
    create="create_mcp_server",
    show="show_mcp_server",
    update="update_mcp_server",
    delete="delete_mcp_server",
)
