"""One request to a service, answered by JSON."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any, Final

import httpx

from visavis.dialogue.assistant.types import ToolError
from visavis.urlpolicy import UrlPolicy, UrlRefused

_LARGEST: Final = 2 << 20
_LONGEST_S: Final = 8.0


async def asked(
    policy: UrlPolicy,
    url: str,
    *,
    query: Mapping[str, str] | None = None,
    body: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
    secret: str = "",
) -> Any:
    """What the service answers with success, as JSON. With a ``body`` it is posted.

    Args:
        secret: what no message may quote.

    Raises:
        ToolError: it may not be called, is not reached in time, or answers anything else.
    """
    told = {"Accept": "application/json", "Accept-Encoding": "identity", **(headers or {})}
    try:
        async with (
            asyncio.timeout(_LONGEST_S),
            policy.client(timeout=_LONGEST_S) as client,
            client.stream(
                "POST" if body is not None else "GET", url, params=query or None, json=body, headers=told
            ) as response,
        ):
            content = bytearray()
            async for chunk in response.aiter_raw():
                content += chunk
                if len(content) > _LARGEST:
                    raise ToolError("the service answers too much")
        if not response.is_success:
            raise ToolError(f"the service answers HTTP {response.status_code}{_reason(bytes(content), secret)}")
        return json.loads(bytes(content))
    except TimeoutError:
        raise ToolError(f"the service did not answer within {_LONGEST_S:g} s") from None
    except UrlRefused as error:
        raise ToolError(str(error)) from None
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise ToolError(f"the service is not reached ({type(error).__name__})") from None
    except (ValueError, RecursionError):
        raise ToolError("the service does not answer with JSON") from None


def _reason(content: bytes, secret: str) -> str:
    """What a refusal says, as far as it is one of the usual forms."""
    try:
        answer = json.loads(content)
    except (ValueError, RecursionError):
        return ""
    if not isinstance(answer, dict):
        return ""
    said = next((answer[name] for name in ("reason", "message", "msg", "error", "info") if answer.get(name)), "")
    text = str(said)[:200]
    return f": {text.replace(secret, '***') if secret else text}" if text else ""


def text_of(value: Any, name: str) -> str:
    """The field's text; "" where it is none."""
    text = value.get(name) if isinstance(value, dict) else None
    return text.strip() if isinstance(text, str) else ""


def objects(value: Any, *path: str) -> list[dict[str, Any]]:
    """The objects of the list at ``path``; none where it is no list."""
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
