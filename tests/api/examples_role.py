from __future__ import annotations

import time

from contract_world import PROJECT, Ask, World, crud

from visavis.api.services import references
from visavis.store import records
from visavis.store.records import Record


def _stored(world: World, kind: str) -> str:
    """Something that a role names, put where the server keeps it."""
    record = Record(records.new_id(), PROJECT, kind, {"name": kind}, name=kind, created_at=time.time())
    world.run(records.create(world.context.database, record))
    return record.id


def _made(world: World) -> Ask:
    library = _stored(world, references.KNOWLEDGE_LIBRARY)
    return Ask(
        body={
            "name": "Guide",
            "description": "Knows the building",
            "llm_source": "LLM_CONFIG",
            "llm_config_id": _stored(world, references.LLM_CONFIG),
            "instruction_library_id": _stored(world, references.INSTRUCTION_LIBRARY),
            "mcp_server_id_list": [_stored(world, references.MCP_SERVER)],
            "plugin_config_list": [
                {
                    "plugin_source": "PLUGIN_CONFIG",
                    "plugin_type": "WEB_SEARCH",
                    "plugin_config_id": _stored(world, references.PLUGIN_CONFIG),
                }
            ],
            "role_business_list": [
                {
                    "language": "CN",
                    "prompt": "Answer briefly.",
                    "knowledge_library_list": [{"knowledge_type": "DOCUMENT", "knowledge_library_id_list": [library]}],
                }
            ],
        }
    )


crud(
    "role_id",
    _made,
    create="create_role",
    list="list_role",
    show="show_role",
    update="update_role",
    delete="delete_role",
)
