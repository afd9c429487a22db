from __future__ import annotations

from contract_world import Ask, World, crud, example


def _made(_: World) -> Ask:
    return Ask(body={"plugin_provider": "BOCHA", "api_key": "a key"})


crud(
    "plugin_config_id",
    _made,
    create="create_plugin_config",
    list="list_plugin_config",
    show="show_plugin_config",
    update="update_plugin_config",
    delete="delete_plugin_config",
    list_query=("plugin_provider",),
)


@example("show_plugin_config_default_info")
def _defaults(_: World) -> Ask:
    return Ask()
