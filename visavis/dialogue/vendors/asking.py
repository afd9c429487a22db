"""One question over HTTP, answered by one JSON object."""

from __future__ import annotations

import json
from typing import Any

import httpx

from visavis.dialogue.vendors.types import LARGEST, VendorError
from visavis.urlpolicy import UrlPolicy


class Asking:
    """A client of one service. No redirects, no proxies, nothing compressed."""

    def __init__(self, policy: UrlPolicy) -> None:
        self._client = httpx.AsyncClient(
            transport=policy.transport(keep_alive=True),
            trust_env=False,
            follow_redirects=False,
            timeout=httpx.Timeout(None, connect=2.5),  # the dialogue limits the whole
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def post(self, url: str, body: bytes, headers: dict[str, str]) -> dict[str, Any]:
        """The object that is answered with success.

        Raises:
            VendorError: anything else was answered.
            UrlRefused: the address may not be called.
            httpx.HTTPError: the service is not reached.
        """
        told = {"Accept": "application/json", "Accept-Encoding": "identity", **headers}
        async with self._client.stream("POST", url, content=body, headers=told) as response:
            content = bytearray()
            async for chunk in response.aiter_raw():
                content += chunk
                if len(content) > LARGEST:
                    raise VendorError("the answer is too long")
        try:
            answer = json.loads(bytes(content))
        except (ValueError, RecursionError):
            answer = None
        if not response.is_success:
            raise VendorError(f"HTTP {response.status_code}{_told(answer)}")
        if not isinstance(answer, dict):
            raise VendorError("the answer is no JSON object")
        return answer


def _told(answer: Any) -> str:
    """What a refusal says, in the forms that the vendors publish."""
    if not isinstance(answer, dict):
        return ""
    code = answer.get("error_code") or answer.get("code") or ""
    message = answer.get("error_msg") or answer.get("message") or answer.get("desc") or ""
    return f": {str(code)[:40]} {str(message)[:200]}".rstrip(": ")
