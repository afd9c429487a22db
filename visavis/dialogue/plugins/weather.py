"""Weather services: any that speaks Open-Meteo's protocol, and Amap's."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlsplit

from visavis.dialogue.assistant.types import ToolError, ToolResult
from visavis.dialogue.plugins.asking import asked, objects, text_of
from visavis.dialogue.plugins.tools import WeatherTool

_DAYS: Final = 4

_SKY: Final = {
    0: "clear",
    1: "mainly clear",
    2: "partly cloudy",
    3: "overcast",
    45: "fog",
    48: "freezing fog",
    51: "light drizzle",
    53: "drizzle",
    55: "dense drizzle",
    56: "light freezing drizzle",
    57: "freezing drizzle",
    61: "light rain",
    63: "rain",
    65: "heavy rain",
    66: "light freezing rain",
    67: "freezing rain",
    71: "light snow",
    73: "snow",
    75: "heavy snow",
    77: "snow grains",
    80: "light showers",
    81: "showers",
    82: "violent showers",
    85: "light snow showers",
    86: "heavy snow showers",
    95: "thunderstorm",
    96: "thunderstorm with light hail",
    99: "thunderstorm with hail",
}
"""WMO weather interpretation codes, as far as Open-Meteo uses them."""


class OpenMeteo(WeatherTool):
    """Open-Meteo: a place's name is looked up first. Its free service needs no key, and is not for commercial use."""

    async def weather(self, place: str) -> ToolResult:
        access = self.access
        base = access.url.rstrip("/")
        public = not base
        base = base or "https://api.open-meteo.com"
        # The public service has a host of its own for names; one's own has everything in one place.
        names = "https://geocoding-api.open-meteo.com" if public else base
        key = {"apikey": access.api_key} if access.api_key else {}
        language = "zh" if any("\u4e00" <= one <= "\u9fff" for one in place) else "en"
        query = {"name": place, "count": "1", "language": language, "format": "json", **key}
        found = objects(await self._ask(f"{names}/v1/search", query), "results")
        if not found:
            return ToolResult(f"No place of the name {place} is known.", failed=True)
        there = found[0]
        latitude, longitude = there.get("latitude"), there.get("longitude")
        if not isinstance(latitude, int | float) or not isinstance(longitude, int | float):
            raise ToolError("the place has no coordinates")
        query = {
            "latitude": f"{latitude:.4f}",
            "longitude": f"{longitude:.4f}",
            "current": "temperature_2m,relative_humidity_2m,weather_code,wind_speed_10m",
            "daily": "weather_code,temperature_2m_max,temperature_2m_min,precipitation_probability_max",
            "timezone": "auto",
            "forecast_days": str(_DAYS),
            **key,
        }
        forecast = await self._ask(f"{base}/v1/forecast", query)
        where = ", ".join(filter(None, (text_of(there, "name"), text_of(there, "country"))))
        lines = [where, *_current(forecast), *_daily(forecast)]
        if len(lines) == 1:
            raise ToolError("the forecast is empty")
        return ToolResult("\n".join(lines), sources=(urlsplit(base).hostname or base,))

    async def _ask(self, url: str, query: dict[str, str]) -> Any:
        return await asked(self.access.policy, url, query=query, secret=self.access.api_key)


def _current(forecast: Any) -> list[str]:
    now = forecast.get("current") if isinstance(forecast, dict) else None
    if not isinstance(now, dict):
        return []
    told = [
        _sky(now.get("weather_code")),
        _figure(now.get("temperature_2m"), "°C"),
        _figure(now.get("relative_humidity_2m"), "% humidity"),
        _figure(now.get("wind_speed_10m"), " km/h wind"),
    ]
    return [f"now ({text_of(now, 'time')}): {', '.join(filter(None, told))}"]


def _daily(forecast: Any) -> list[str]:
    days = forecast.get("daily") if isinstance(forecast, dict) else None
    if not isinstance(days, dict) or not isinstance(days.get("time"), list):
        return []
    lines = []
    for number, day in enumerate(days["time"][:_DAYS]):
        told = [
            _sky(_at(days, "weather_code", number)),
            _figure(_at(days, "temperature_2m_min", number), "°C at least"),
            _figure(_at(days, "temperature_2m_max", number), "°C at most"),
            _figure(_at(days, "precipitation_probability_max", number), "% chance of rain"),
        ]
        lines.append(f"{str(day)[:10]}: {', '.join(filter(None, told))}")
    return lines


def _at(days: dict[str, Any], name: str, number: int) -> Any:
    values = days.get(name)
    return values[number] if isinstance(values, list) and number < len(values) else None


def _sky(code: Any) -> str:
    return _SKY.get(code, "") if isinstance(code, int) else ""


def _figure(value: Any, unit: str) -> str:
    return f"{value:g}{unit}" if isinstance(value, int | float) else ""


class Amap(WeatherTool):
    """Amap (AMAP_WEATHER): a place's name is turned into its code first. It needs a key."""

    async def weather(self, place: str) -> ToolResult:
        if not self.access.api_key:
            raise ToolError("the weather service (AMAP_WEATHER) has no api_key")
        base = self.access.url.rstrip("/") or "https://restapi.amap.com"
        codes = objects(await self._ask(f"{base}/v3/geocode/geo", address=place), "geocodes")
        code = text_of(codes[0], "adcode") if codes else ""
        if not code:
            return ToolResult(f"No place of the name {place} is known.", failed=True)
        url = f"{base}/v3/weather/weatherInfo"
        lives = objects(await self._ask(url, city=code, extensions="base"), "lives")
        forecasts = objects(await self._ask(url, city=code, extensions="all"), "forecasts")
        lines = [
            f"{text_of(now, 'province')}{text_of(now, 'city')}（{text_of(now, 'reporttime')}）：{text_of(now, 'weather')}，"
            f"{text_of(now, 'temperature')}°C，湿度{text_of(now, 'humidity')}%，"
            f"{text_of(now, 'winddirection')}风{text_of(now, 'windpower')}级"
            for now in lives[:1]
        ]
        lines += [
            f"{text_of(day, 'date')}：白天{text_of(day, 'dayweather')}{text_of(day, 'daytemp')}°C，"
            f"夜间{text_of(day, 'nightweather')}{text_of(day, 'nighttemp')}°C"
            for day in (objects(forecasts[0], "casts") if forecasts else [])[:_DAYS]
        ]
        if not lines:
            raise ToolError("the forecast is empty")
        return ToolResult("\n".join(lines), sources=(urlsplit(base).hostname or base,))

    async def _ask(self, url: str, **query: str) -> Any:
        secret = self.access.api_key
        answer = await asked(self.access.policy, url, query={**query, "key": secret}, secret=secret)
        # Refusals come with success, too: status "0", and why.
        if not isinstance(answer, dict) or answer.get("status") != "1":
            raise ToolError(
                f"the service reports {text_of(answer, 'infocode')} {text_of(answer, 'info')[:100]}".rstrip()
            )
        return answer
