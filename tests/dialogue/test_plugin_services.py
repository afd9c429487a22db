"""Weather and search plug-ins against servers of the test's own, which answer in the real services' forms."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import structlog
from aiohttp import web
from listening import listening

from visavis.dialogue.assistant.plugins import Plugin, PluginServices, Service, plugin_tools
from visavis.dialogue.assistant.types import Tool, ToolError
from visavis.urlpolicy import UrlPolicy

KEY = "key-of-the-project"
Answer = Callable[[web.Request, Any], Any]


@asynccontextmanager
async def service(answers: Mapping[str, Answer | Any]) -> AsyncIterator[tuple[str, list[web.Request]]]:
    """Answers each path with JSON; unknown paths with 404."""
    seen: list[web.Request] = []

    async def serve(request: web.Request) -> web.StreamResponse:
        seen.append(request)
        answer = answers.get(request.path)
        if answer is None:
            return web.json_response({"reason": f"no {request.path}"}, status=404)
        body = await request.json() if request.can_read_body else None
        told = answer(request, body) if callable(answer) else answer
        return told if isinstance(told, web.StreamResponse) else web.json_response(told)

    async with listening(serve) as url:
        yield url, seen


def tool(plugin: Plugin, services: PluginServices | None = None) -> Tool:
    (made,) = plugin_tools([plugin], UrlPolicy(), services)
    return made


def weather(url: str, provider: str = "open-meteo", **more: Any) -> Tool:
    return tool(Plugin("WEATHER_QUERY"), PluginServices(weather=Service(provider, url, KEY), **more))


def search(url: str, provider: str) -> Tool:
    return tool(Plugin("WEB_SEARCH"), PluginServices(search=Service(provider, url, KEY)))


PLACES = {"results": [{"name": "Berlin", "latitude": 52.52437, "longitude": 13.41053, "country": "Germany"}]}
FORECAST = {
    "latitude": 52.52,
    "longitude": 13.419998,
    "current_units": {"temperature_2m": "°C"},
    "current": {
        "time": "2026-11-23T20:00",
        "temperature_2m": 3.4,
        "relative_humidity_2m": 81,
        "weather_code": 61,
        "wind_speed_10m": 12.2,
    },
    "daily": {
        "time": ["2026-11-23", "2026-11-24"],
        "weather_code": [61, 3],
        "temperature_2m_max": [5.1, 7],
        "temperature_2m_min": [1.0, -0.4],
        "precipitation_probability_max": [90, None],
    },
}


async def test_open_meteo_tells_the_weather_of_a_place() -> None:
    async with service({"/v1/search": PLACES, "/v1/forecast": FORECAST}) as (url, seen):
        result = await weather(url).call({"place": "Berlin"})
    assert not result.failed
    assert result.text.splitlines() == [
        "Berlin, Germany",
        "now (2026-11-23T20:00): light rain, 3.4°C, 81% humidity, 12.2 km/h wind",
        "2026-11-23: light rain, 1°C at least, 5.1°C at most, 90% chance of rain",
        "2026-11-24: overcast, -0.4°C at least, 7°C at most",
    ]
    assert result.sources == ("127.0.0.1",)
    assert seen[0].query["name"] == "Berlin"
    assert (seen[1].query["latitude"], seen[1].query["apikey"]) == ("52.5244", KEY)


async def test_nobody_named_a_place() -> None:
    async with service({"/v1/search": PLACES, "/v1/forecast": FORECAST}) as (url, seen):
        assert (await weather(url).call({})).failed
        assert seen == []
        assert "Berlin" in (await weather(url, place="Berlin").call({"place": " "})).text
        assert seen[0].query["name"] == "Berlin"


async def test_a_place_that_is_unknown_is_said_so() -> None:
    async with service({"/v1/search": {"generationtime_ms": 0.5}}) as (url, _):
        result = await weather(url).call({"place": "Nowhere"})
    assert result.failed
    assert "Nowhere" in result.text


AMAP = {
    "/v3/geocode/geo": {"status": "1", "info": "OK", "geocodes": [{"adcode": "110000", "city": "北京市"}]},
}
LIVE = {
    "province": "北京",
    "city": "北京市",
    "adcode": "110000",
    "weather": "晴",
    "temperature": "8",
    "winddirection": "北",
    "windpower": "≤3",
    "humidity": "20",
    "reporttime": "2026-11-23 20:00:00",
}
CAST = {"date": "2026-11-24", "dayweather": "多云", "nightweather": "晴", "daytemp": "9", "nighttemp": "-1"}


async def test_amap_with_the_project_s_own_key() -> None:
    def forecast(request: web.Request, _: Any) -> Any:
        assert (request.query["city"], request.query["key"]) == ("110000", KEY)
        more = {"lives": [LIVE]} if request.query["extensions"] == "base" else {"forecasts": [{"casts": [CAST]}]}
        return {"status": "1", "info": "OK", "infocode": "10000", **more}

    async with service({**AMAP, "/v3/weather/weatherInfo": forecast}) as (url, _):
        services = PluginServices(urls={"amap_weather": url})
        result = await tool(Plugin("WEATHER_QUERY", "AMAP_WEATHER", KEY), services).call({"place": "北京"})
    assert "晴" in result.text
    assert "8°C" in result.text
    assert "2026-11-24：白天多云9°C" in result.text


async def test_amap_s_refusal_is_told_without_the_key() -> None:
    denied = {"status": "0", "info": "INVALID_USER_KEY", "infocode": "10001"}
    async with service({"/v3/geocode/geo": denied}) as (url, _):
        amap = tool(Plugin("WEATHER_QUERY", "AMAP_WEATHER", KEY), PluginServices(urls={"amap_weather": url}))
        with pytest.raises(ToolError, match="INVALID_USER_KEY") as refused:
            await amap.call({"place": "北京"})
    assert KEY not in str(refused.value)


def found(*names: str) -> list[dict[str, str]]:
    title, address, text = names
    return [{title: f"Page {n}", address: f"https://site{n}.example/", text: f"Text {n}. " * 200} for n in range(9)]


def bocha(request: web.Request, body: Any) -> Any:
    assert request.headers["Authorization"] == f"Bearer {KEY}"
    assert (body["query"], body["summary"]) == ("opening hours", True)
    return {"code": 200, "log_id": "1", "msg": None, "data": {"webPages": {"value": found("name", "url", "summary")}}}


def brave(request: web.Request, _: Any) -> Any:
    assert request.headers["X-Subscription-Token"] == KEY
    assert request.query["q"] == "opening hours"
    return {"type": "search", "web": {"type": "search", "results": found("title", "url", "description")}}


def searxng(request: web.Request, _: Any) -> Any:
    assert (request.query["q"], request.query["format"]) == ("opening hours", "json")
    return {"query": "opening hours", "number_of_results": 0, "results": found("title", "url", "content")}


@pytest.mark.parametrize(
    ("provider", "path", "answer"),
    [
        ("bocha", "/v1/web-search", bocha),
        ("brave", "/res/v1/web/search", brave),
        ("searxng", "/search", searxng),
    ],
)
async def test_each_search_service(provider: str, path: str, answer: Answer) -> None:
    async with service({path: answer}) as (url, _):
        result = await search(url, provider).call({"query": "opening hours"})
    lines = result.text.splitlines()
    assert len(lines) == 5, "results are bounded"
    assert lines[0].startswith("1. Page 0: Text 0.")
    assert all(len(line) < 530 for line in lines)
    assert result.sources[:2] == ("https://site0.example/", "https://site1.example/")


@pytest.mark.parametrize(
    "answer",
    [
        lambda *_: web.json_response({"message": f"bad {KEY}"}, status=401),
        lambda *_: web.Response(text="<html>"),
        lambda *_: web.Response(body=b"[" + b" " * (3 << 20) + b"]"),
        lambda *_: web.Response(status=302, headers={"Location": "http://127.0.0.1/"}),
    ],
)
async def test_a_service_that_fails_is_an_error_without_the_key(answer: Answer) -> None:
    async with service({"/res/v1/web/search": answer}) as (url, _):
        with pytest.raises(ToolError) as refused:
            await search(url, "brave").call({"query": "x"})
    assert KEY not in str(refused.value)


@pytest.mark.parametrize(
    ("plugin", "services", "told"),
    [
        (Plugin("WEATHER_QUERY"), PluginServices(), "VISAVIS_WEATHER_PROVIDER"),
        (Plugin("WEB_SEARCH"), PluginServices(), "VISAVIS_SEARCH_PROVIDER"),
        (Plugin("WEB_SEARCH", "BOCHA"), PluginServices(), "BOCHA: api_key is missing"),
        (Plugin("WEB_SEARCH"), PluginServices(search=Service("searxng")), "VISAVIS_SEARCH_URL"),
        (Plugin("WEB_SEARCH", "NOBODY", "k"), PluginServices(), "'nobody' is not installed"),
    ],
)
def test_what_is_missing_is_named(plugin: Plugin, services: PluginServices, told: str) -> None:
    with structlog.testing.capture_logs() as logs:
        assert plugin_tools([plugin], UrlPolicy(), services) == []
    assert told in logs[0]["reason"]


async def test_providers_come_by_entry_point(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "oracle-1.0.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: oracle\nVersion: 1.0\n")
    (package / "entry_points.txt").write_text("[visavis.plugins]\noracle = oracle_plugin:Oracle\n")
    (tmp_path / "oracle_plugin.py").write_text(
        "from visavis.dialogue.plugins.tools import SearchTool\n"
        "class Oracle(SearchTool):\n"
        "    async def search(self, query, count):\n        return [(query, '', self.access.url)]\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    result = await search("https://delphi.example", "oracle").call({"query": "when"})
    assert (result.text, result.sources) == ("1. when: https://delphi.example", ("when",))
