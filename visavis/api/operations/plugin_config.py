"""Plug-ins: services that a role may ask, with the project's own keys. The key is encrypted and never shown."""

from __future__ import annotations

from typing import Any

from visavis.api.services import references
from visavis.api.services.resources import Resource, serve
from visavis.api.skeleton import Call, handles
from visavis.store.records import Record, Transaction

_TYPE_OF = {"BOCHA": "WEB_SEARCH", "AMAP_WEATHER": "WEATHER_QUERY"}


async def _typed(_: Call, __: Transaction, given: dict[str, Any], old: Record | None) -> dict[str, Any]:
    # What a plug-in is for follows from who provides it; lists are narrowed by either.
    return given if old else {**given, "plugin_type": _TYPE_OF[given["plugin_provider"]]}


PLUGIN_CONFIGS = Resource(
    kind=references.PLUGIN_CONFIG,
    id_field="plugin_config_id",
    filters=("plugin_provider", "plugin_type"),
    prepare=_typed,
    guard=references.named_by(references.ROLE),
)

serve(
    PLUGIN_CONFIGS,
    list="list_plugin_config",
    create="create_plugin_config",
    show="show_plugin_config",
    update="update_plugin_config",
    delete="delete_plugin_config",
)


@handles("show_plugin_config_default_info")
async def _defaults(call: Call) -> dict[str, Any]:
    """Which services the operator has set for plug-ins of source DEFAULT."""
    settings = call.context.settings
    has = {"WEATHER_QUERY": bool(settings.weather_provider), "WEB_SEARCH": bool(settings.search_provider)}
    return {"default_plugin_list": [{"plugin_type": one, "support_default": has[one]} for one in sorted(has)]}
