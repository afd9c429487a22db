"""The plug-ins of a role as tools that its model may call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from visavis import log
from visavis.dialogue.assistant.types import Tool, ToolError
from visavis.dialogue.installed import NotInstalledError, loaded
from visavis.dialogue.plugins.search import Bocha, Brave, SearXng
from visavis.dialogue.plugins.types import ENTRY_POINTS, Access, Kind, Maker, Plugin, Service
from visavis.dialogue.plugins.weather import Amap, OpenMeteo
from visavis.urlpolicy import OPERATORS, UrlPolicy

__all__ = ["Plugin", "PluginServices", "Service", "plugin_tools"]

_LOG = log.get(__name__)

_BUILT_IN: Final[Mapping[tuple[Kind, str], Maker]] = {
    ("WEATHER_QUERY", "open-meteo"): OpenMeteo,
    ("WEATHER_QUERY", "amap_weather"): Amap,
    ("WEB_SEARCH", "searxng"): SearXng,
    ("WEB_SEARCH", "brave"): Brave,
    ("WEB_SEARCH", "bocha"): Bocha,
}


@dataclass(frozen=True, slots=True)
class PluginServices:
    """What the operator has set. ``weather``, ``search``: the services of plug-ins that name none of their own. ``place``: whose
    weather is meant when nobody says. ``urls``: by provider in lower case, another address than the published one."""

    weather: Service = field(default_factory=Service)
    search: Service = field(default_factory=Service)
    place: str = ""
    urls: Mapping[str, str] = field(default_factory=dict)

    def of(self, kind: Kind) -> Service:
        """The operator's service of that kind; its provider is "" where there is none."""
        return self.weather if kind == "WEATHER_QUERY" else self.search


def plugin_tools(plugins: Sequence[Plugin], policy: UrlPolicy, services: PluginServices | None = None) -> list[Tool]:
    """A tool for each plug-in that can work; what is missing for one that cannot is logged."""
    services = services or PluginServices()
    tools: list[Tool] = []
    for plugin in plugins:
        if why := lacking(plugin, services):
            _LOG.error("a plug-in cannot be used", kind=plugin.kind, reason=why)
            continue
        provider, access = _access(plugin, policy, services)
        maker = _BUILT_IN.get((plugin.kind, provider)) or loaded(ENTRY_POINTS, provider)
        try:
            tools.append(maker(access))
        except ToolError as error:
            _LOG.error("a plug-in cannot be used", kind=plugin.kind, reason=str(error))
    return tools


def lacking(plugin: Plugin, services: PluginServices) -> str:
    """Why the plug-in cannot work; "" if it can, as far as that is seen without asking the service."""
    service = services.of(plugin.kind)
    if not plugin.provider and not service.provider:
        setting = "VISAVIS_WEATHER_PROVIDER" if plugin.kind == "WEATHER_QUERY" else "VISAVIS_SEARCH_PROVIDER"
        return f"plugin_source DEFAULT: this server has no such service ({setting})"
    provider = (plugin.provider or service.provider).lower()
    if (plugin.kind, provider) not in _BUILT_IN:
        try:
            loaded(ENTRY_POINTS, provider)
        except NotInstalledError as error:
            return str(error)
    key = plugin.api_key if plugin.provider else service.api_key
    if not key and provider in ("amap_weather", "bocha", "brave"):
        return f"{provider.upper()}: api_key is missing"
    if provider == "searxng" and not (services.urls.get(provider) or service.url):
        return "SEARXNG: its address is missing (VISAVIS_SEARCH_URL)"
    return ""


def _access(plugin: Plugin, policy: UrlPolicy, services: PluginServices) -> tuple[str, Access]:
    service = services.of(plugin.kind)
    place = services.place
    if plugin.provider:
        provider = plugin.provider.lower()
        url = services.urls.get(provider, "")
        return provider, Access(url, plugin.api_key, OPERATORS if url else policy, place)
    return service.provider.lower(), Access(service.url, service.api_key, OPERATORS if service.url else policy, place)
