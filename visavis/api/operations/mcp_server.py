"""MCP servers: where a role's tools are. The value of the header that opens one is encrypted and never shown."""

from __future__ import annotations

import re
from typing import Any

from visavis.api.services import references
from visavis.api.services.resources import Resource, serve
from visavis.api.skeleton import Call
from visavis.contract.base import is_web_url
from visavis.contract.errors import ApiError, ErrorCode
from visavis.store.records import Record, Transaction

_STDIO = "stdio:"
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")


async def _checked(call: Call, __: Transaction, given: dict[str, Any], ___: Record | None) -> dict[str, Any]:
    if "mcp_server_url" in given and not _known(call, given["mcp_server_url"]):
        raise ApiError(
            ErrorCode.INVALID_PARAMETER,
            "mcp_server_url: wanted http(s)://host[:port]/path without a password, or stdio:NAME of one that the operator runs",
        )
    header = given.get("auth_header_name", "")
    if header and not _HEADER_NAME.fullmatch(header):
        raise ApiError(ErrorCode.INVALID_PARAMETER, "auth_header_name: it is no name of an HTTP header")
    value = given.get("auth_header_value", "")
    if value and not (value.isascii() and value.isprintable()):
        raise ApiError(ErrorCode.INVALID_PARAMETER, "auth_header_value: it cannot stand in an HTTP header")
    return given


def _known(call: Call, url: str) -> bool:
    """Whether it is a server's address. Programs are the operator's: users name one of those that the settings have."""
    name = url.removeprefix(_STDIO)
    return is_web_url(url) if name == url else name in call.context.settings.mcp_stdio


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
