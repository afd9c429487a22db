"""The plug-ins of a role for a worker: which service, and the project's key to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from visavis.api.services import references
from visavis.session.spec import PluginSpec
from visavis.store import records
from visavis.store.database import Database
from visavis.store.records import Filter

DEFAULT: Final = ""
"""The provider of a plug-in whose service the operator names in the settings."""


async def plugin_specs(
    database: Database, project_id: str, plugin_config_list: Sequence[Mapping[str, Any]]
) -> list[PluginSpec]:
    """What a role's ``plugin_config_list`` names and is there, each kind once; the project's own service before the server's."""
    ids = [one["plugin_config_id"] for one in plugin_config_list if one.get("plugin_config_id")]
    wanted = Filter(ids=ids)
    _, there = await records.listing(database, project_id, references.PLUGIN_CONFIG, wanted, limit=None)
    known = {record.id: record for record in there} if ids else {}
    found: dict[str, PluginSpec] = {}
    for one in sorted(plugin_config_list, key=lambda one: one["plugin_source"] == "DEFAULT"):
        kind = one["plugin_type"]
        if one["plugin_source"] == "DEFAULT":
            found.setdefault(kind, PluginSpec(kind=kind, provider=DEFAULT))
        elif record := known.get(one.get("plugin_config_id", "")):
            told = record.document
            spec = PluginSpec(
                kind=told["plugin_type"], provider=told["plugin_provider"], api_key=record.secrets.get("api_key", "")
            )
            found.setdefault(spec.kind, spec)
    return list(found.values())
