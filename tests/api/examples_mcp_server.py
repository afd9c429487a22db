from __future__ import annotations

from contract_world import Ask, World, crud


def _made(_: World) -> Ask:
    return Ask(body={"name": "Tools", "mcp_server_url": "https://tools.example/mcp", "auth_header_name": "X-Tools-Key"})


crud(
    "mcp_server_id",
    _made,
    create="create_mcp_server",
    list="list_mcp_server",
    show="show_mcp_server",
    update="update_mcp_server",
    delete="delete_mcp_server",
)
