"""Roles: who a robot of app_type 7 is, what model it thinks with, and what it may look up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from visavis.api.services import references
from visavis.api.services.resources import Resource, require, serve
from visavis.api.skeleton import Call
from visavis.contract.base import rfc3339
from visavis.contract.errors import ApiError, ErrorCode
from visavis.store import records
from visavis.store.records import Filter, Record, Transaction, new_id


async def _prepare(call: Call, steps: Transaction, given: dict[str, Any], old: Record | None) -> dict[str, Any]:
    whole = {**(old.document if old else {}), **given}
    if whole["llm_source"] == "LLM_CONFIG" and not whole.get("llm_config_id"):
        raise ApiError(ErrorCode.INVALID_PARAMETER, "llm_config_id: llm_source LLM_CONFIG needs it")
    businesses = given.get("role_business_list", [])
    libraries = [
        library
        for business in businesses
        for chosen in business.get("knowledge_library_list", [])
        for library in chosen["knowledge_library_id_list"]
    ]
    plugins = [
        plugin["plugin_config_id"] for plugin in given.get("plugin_config_list", []) if "plugin_config_id" in plugin
    ]
    for kind, ids, name in (
        (references.LLM_CONFIG, _one(given, "llm_config_id"), "llm_config_id"),
        (references.INSTRUCTION_LIBRARY, _one(given, "instruction_library_id"), "instruction_library_id"),
        (references.MCP_SERVER, given.get("mcp_server_id_list", []), "mcp_server_id_list"),
        (references.PLUGIN_CONFIG, plugins, "plugin_config_list"),
        (references.KNOWLEDGE_LIBRARY, libraries, "role_business_list"),
    ):
        await require(call, steps, kind, ids, name)
    if "role_business_list" in given:
        given = {**given, "role_business_list": _businesses(businesses, old, call.now)}
    return given


def _one(given: dict[str, Any], name: str) -> list[str]:
    return [given[name]] if given.get(name) else []


def _businesses(given: list[dict[str, Any]], old: Record | None, now: float) -> list[dict[str, Any]]:
    """What the role does in each language; a language that it had keeps its id and the time of its making."""
    before = {business["language"]: business for business in old.document["role_business_list"]} if old else {}
    if len({business["language"] for business in given}) != len(given):
        raise ApiError(ErrorCode.INVALID_PARAMETER, "role_business_list: a language occurs twice")
    result = []
    for business in given:
        known = before.get(business["language"], {})
        result.append(
            {
                **business,
                "role_business_id": known.get("role_business_id", new_id()),
                "create_time": known.get("create_time", rfc3339(now)),
                "update_time": rfc3339(now),
            }
        )
    return result


async def _views(call: Call, page: Sequence[Record]) -> list[dict[str, Any]]:
    servers = {one for record in page for one in record.document.get("mcp_server_id_list", [])}
    libraries = {
        library
        for record in page
        for business in record.document["role_business_list"]
        for chosen in business.get("knowledge_library_list", [])
        for library in chosen["knowledge_library_id_list"]
    }
    server_names = await _names(call, references.MCP_SERVER, servers)
    library_names = await _names(call, references.KNOWLEDGE_LIBRARY, libraries)
    views = []
    for record in page:
        businesses = []
        for business in record.document["role_business_list"]:
            chosen = [
                {
                    "knowledge_type": one["knowledge_type"],
                    "knowledge_library_info_list": [
                        {"knowledge_library_id": library, "name": library_names[library]}
                        for library in one["knowledge_library_id_list"]
                        if library in library_names
                    ],
                }
                for one in business.get("knowledge_library_list", [])
            ]
            businesses.append({**business, "role_id": record.id, "knowledge_library_list": chosen})
        views.append(
            {
                "role_business_list": businesses,
                "mcp_server_info_list": [
                    {"mcp_server_id": server, "name": server_names[server]}
                    for server in record.document.get("mcp_server_id_list", [])
                    if server in server_names
                ],
            }
        )
    return views


async def _names(call: Call, kind: str, ids: set[str]) -> dict[str, str]:
    if not ids:
        return {}
    _, found = await records.listing(call.context.database, call.project_id, kind, Filter(ids=sorted(ids)), limit=None)
    return {record.id: record.name for record in found}


ROLES = Resource(
    kind=references.ROLE,
    id_field="role_id",
    name_field="name",
    defaults={"llm_config_id": "", "instruction_library_id": "", "plugin_config_list": []},
    prepare=_prepare,
    guard=references.used_by_robots,
    views=_views,
    children=("role_chat",),  # what was said to the role in writing goes with it
)

serve(ROLES, list="list_role", create="create_role", show="show_role", update="update_role", delete="delete_role")
