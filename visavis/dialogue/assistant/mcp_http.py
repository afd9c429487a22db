"""HTTP to MCP servers that users name: only addresses that may be called, and answers of bounded size.

The MCP client brings an HTTP library of its own (``httpx2``, of the same shape as ``httpx``), so the check of ``visavis.urlpolicy`` is
tied to it here.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Final

import httpx2

from visavis.urlpolicy import UrlPolicy, UrlRefused

MAX_ANSWER: Final = 1 << 20
"""Bytes of one answer."""
MAX_EVENT: Final = 1 << 18
"""Bytes of one event of a stream that stays open."""
_CONNECT_S: Final = 3.0
_READ_S: Final = 30.0  # of silence: a call is given up long before, but its connection is not always told


def client(policy: UrlPolicy, headers: Mapping[str, str]) -> httpx2.AsyncClient:
    """A client for one server. ``headers``: sent with every request. No proxies; redirects are not followed by itself."""
    return httpx2.AsyncClient(
        transport=_Checked(policy),
        headers={**headers, "Accept-Encoding": "identity"},
        timeout=httpx2.Timeout(_READ_S, connect=_CONNECT_S),
        trust_env=False,
        follow_redirects=False,
    )


class _Checked(httpx2.AsyncHTTPTransport):
    """Connects to the very address that was checked; the Host header and TLS keep the name."""

    def __init__(self, policy: UrlPolicy) -> None:
        super().__init__(trust_env=False)
        self._policy = policy

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        named = request.url
        try:
            target = await self._policy.check(str(named))
        except UrlRefused as error:
            raise httpx2.ConnectError(str(error), request=request) from error
        if "host" not in request.headers:
            request.headers["host"] = named.netloc.decode("ascii")
        request.extensions = {**request.extensions, "sni_hostname": named.host}
        failure: httpx2.TransportError | None = None
        for address in target.addresses:
            request.url = named.copy_with(host=address)
            try:
                response = await super().handle_async_request(request)
            except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
                failure = error
                continue
            finally:
                request.url = named  # redirects are told from it
            return await self._bounded(request, response)
        assert failure is not None  # there is at least one address
        raise failure

    async def _bounded(self, request: httpx2.Request, response: httpx2.Response) -> httpx2.Response:
        stream = response.stream
        assert isinstance(stream, httpx2.AsyncByteStream)
        if response.headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
            await stream.aclose()
            raise httpx2.RemoteProtocolError("the answer is compressed, which was not asked for", request=request)
        if request.method != "GET":  # those stay open for the whole session, and their events are bounded
            response.stream = _Bounded(stream)
        return response


class _Bounded(httpx2.AsyncByteStream):
    """A body that breaks when it is too long."""

    def __init__(self, stream: httpx2.AsyncByteStream) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        async for chunk in self._stream:
            size += len(chunk)
            if size > MAX_ANSWER:
                raise httpx2.ReadError("the answer is too long")
            yield chunk

    async def aclose(self) -> None:
        await self._stream.aclose()
