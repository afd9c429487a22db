"""A model that judges questions: an OpenAI-compatible moderation endpoint."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

from visavis.dialogue.audit.types import AuditError
from visavis.speech.types import Language
from visavis.urlpolicy import UrlPolicy, UrlRefused

_LARGEST: Final = 256 * 1024
_NAMED: Final = 5


@dataclass(frozen=True, slots=True)
class Moderator:
    """Where it is. ``url``: the base URL, or the .../moderations URL; ``model``: empty: the endpoint's own."""

    url: str
    model: str = ""
    api_key: str = field(default="", repr=False)


class ModelAudit:
    """Asks a moderation endpoint about every question. One per worker."""

    def __init__(self, moderator: Moderator, policy: UrlPolicy) -> None:
        self._moderator = moderator
        base = moderator.url.rstrip("/")
        self._url = base if base.endswith("/moderations") else f"{base}/moderations"
        self._client = httpx.AsyncClient(
            transport=policy.transport(keep_alive=True),
            trust_env=False,
            follow_redirects=False,
            timeout=httpx.Timeout(None),  # who asks limits the whole
        )

    async def check(self, text: str, language: Language) -> str | None:
        """The categories that it flags; None: it flags nothing. Raises AuditError."""
        body: dict[str, Any] = {"input": text}
        if self._moderator.model:
            body["model"] = self._moderator.model
        headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
        if self._moderator.api_key:
            headers["Authorization"] = f"Bearer {self._moderator.api_key}"
        try:
            async with self._client.stream("POST", self._url, json=body, headers=headers) as response:
                content = bytearray()
                async for chunk in response.aiter_raw():
                    content += chunk
                    if len(content) > _LARGEST:
                        raise AuditError("the answer is too long")
            if not response.is_success:
                raise AuditError(f"HTTP {response.status_code}")
            return _flagged(json.loads(bytes(content)))
        except UrlRefused as error:
            raise AuditError(str(error)) from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise AuditError(type(error).__name__) from None
        except (ValueError, RecursionError):
            raise AuditError("the answer is not JSON") from None

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()


def _flagged(answer: Any) -> str | None:
    results = answer.get("results") if isinstance(answer, dict) else None
    if not isinstance(results, list) or not results or not all(isinstance(one, dict) for one in results):
        raise AuditError("the answer has no results")
    named: list[str] = []
    for one in results:
        if one.get("flagged") is True:
            categories = one.get("categories")
            named += (
                [str(name)[:40] for name, is_so in (categories or {}).items() if is_so]
                if isinstance(categories, dict)
                else []
            )
            named = named or ["flagged"]
    return ", ".join(named[:_NAMED]) or None
