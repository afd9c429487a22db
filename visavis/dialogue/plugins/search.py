"""Search services: any that speaks SearXNG's or Brave's protocol, and Bocha's."""

from __future__ import annotations

from typing import Any

from visavis.dialogue.assistant.types import ToolError
from visavis.dialogue.plugins.asking import asked, objects, text_of
from visavis.dialogue.plugins.tools import SearchTool

_Found = list[tuple[str, str, str]]


class SearXng(SearchTool):
    """A SearXNG of the operator's own. Its JSON output must be enabled (``search: formats: [html, json]``)."""

    async def search(self, query: str, count: int) -> _Found:
        base = self.access.url.rstrip("/")
        if not base:
            raise ToolError("the search service has no address")
        url = base if base.endswith("/search") else f"{base}/search"
        headers = {"Authorization": f"Bearer {self.access.api_key}"} if self.access.api_key else {}
        answer = await asked(
            self.access.policy, url, query={"q": query, "format": "json"}, headers=headers, secret=self.access.api_key
        )
        return _texts(objects(answer, "results"), "title", "url", "content")[:count]


class Brave(SearchTool):
    """Brave's search API. It needs a key."""

    async def search(self, query: str, count: int) -> _Found:
        key = _needed(self.access.api_key, "BRAVE")
        base = self.access.url.rstrip("/") or "https://api.search.brave.com"
        url = base if base.endswith("/web/search") else f"{base}/res/v1/web/search"
        answer = await asked(
            self.access.policy,
            url,
            query={"q": query, "count": str(count)},
            headers={"X-Subscription-Token": key},
            secret=key,
        )
        return _texts(objects(answer, "web", "results"), "title", "url", "description")


class Bocha(SearchTool):
    """Bocha's search API. It needs a key."""

    async def search(self, query: str, count: int) -> _Found:
        key = _needed(self.access.api_key, "BOCHA")
        base = self.access.url.rstrip("/") or "https://api.bochaai.com"
        url = base if base.endswith("/web-search") else f"{base}/v1/web-search"
        answer = await asked(
            self.access.policy,
            url,
            body={"query": query, "summary": True, "freshness": "noLimit", "count": count},
            headers={"Authorization": f"Bearer {key}"},
            secret=key,
        )
        code = answer.get("code", 200) if isinstance(answer, dict) else None
        if str(code) != "200":
            raise ToolError(f"the service reports {str(code)[:20]} {text_of(answer, 'msg')[:100]}".rstrip())
        pages = objects(answer, "data", "webPages", "value")
        return [
            (text_of(one, "name"), text_of(one, "url"), text_of(one, "summary") or text_of(one, "snippet"))
            for one in pages
        ]


def _needed(key: str, provider: str) -> str:
    if not key:
        raise ToolError(f"the search service ({provider}) has no api_key")
    return key


def _texts(results: list[dict[str, Any]], *names: str) -> _Found:
    title, url, text = names
    return [(text_of(one, title), text_of(one, url), text_of(one, text)) for one in results]
