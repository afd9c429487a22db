"""Which addresses the server may call on behalf of a user.

A URL in a request (a model's endpoint, a background picture) must not reach the operator's own network:
loopback, private, link-local and other special addresses are refused unless the operator allows them.
The check is made on the resolved address and the connection goes to that very address, so that a name that
changes its answer between check and use (DNS rebinding) gains nothing.
"""

from __future__ import annotations

import asyncio
import copy
import ipaddress
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

import httpx

from visavis.errors import VisavisError

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Resolve = Callable[[str, int], Awaitable[list[str]]]
"""Host and port to addresses; raises OSError."""

_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")


class UrlRefused(VisavisError):
    """The URL may not be called (or is none); the message says why and may be shown to the user."""


class BadAllowList(VisavisError, ValueError):
    """An entry of the operator's allow list that names neither a host nor an address nor a network."""


@dataclass(frozen=True, slots=True)
class Target:
    """A URL taken apart, with the addresses it may be called at (at least one)."""

    url: str
    scheme: str
    host: str
    port: int
    addresses: tuple[str, ...]


async def resolve(host: str, port: int) -> list[str]:
    """The addresses of a host, by the system's resolver."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(info[4][0]) for info in found))


class UrlPolicy:
    """Checks URLs against the operator's allow list."""

    def __init__(
        self, allow: Sequence[str] = (), schemes: Sequence[str] = ("http", "https"), resolver: Resolve = resolve
    ) -> None:
        """``allow``: host names (``model.internal``, ``*.internal``), addresses or networks (``10.0.0.0/8``) that
        may be called although they are internal. Raises BadAllowList on an entry that is neither."""
        self._schemes = tuple(schemes)
        self._resolver = resolver
        self._hosts: set[str] = set()
        self._suffixes: list[str] = []
        self._networks: list[_Network] = []
        for item in allow:
            self._allow(item.strip().lower().rstrip("."))

    def _allow(self, item: str) -> None:
        try:
            self._networks.append(ipaddress.ip_network(item.strip("[]"), strict=False))
            return
        except ValueError:
            pass
        if not item or "/" in item or ":" in item or " " in item:
            raise BadAllowList(f"url_allow: {item!r} is neither a host name nor an address nor a network")
        if item.startswith("*."):
            self._suffixes.append(item[1:])
        else:
            self._hosts.add(item)

    def speaking(self, *schemes: str) -> UrlPolicy:
        """The same policy for URLs of other schemes."""
        other = copy.copy(self)
        other._schemes = schemes
        return other

    async def check(self, url: str) -> Target:
        """Resolve and check a URL. Raises UrlRefused."""
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:
            raise UrlRefused(f"not a URL: {error}") from error
        scheme, host = parts.scheme.lower(), (parts.hostname or "").rstrip(".")
        if scheme not in self._schemes:
            raise UrlRefused(f"URL scheme {scheme!r} is not allowed; use {' or '.join(self._schemes)}")
        if not host:
            raise UrlRefused("the URL has no host")
        if parts.username is not None or parts.password is not None:
            raise UrlRefused("a URL with a user name or password is not allowed")
        port = port or (443 if scheme == "https" else 80)
        return Target(url, scheme, host, port, await self.addresses(host, port))

    async def addresses(self, host: str, port: int) -> tuple[str, ...]:
        """The addresses at which a host may be called. Raises UrlRefused."""
        host = host.lower().rstrip(".")
        literal = _literal(host)
        try:
            found = [host] if literal else await self._resolver(host, port)
        except (OSError, UnicodeError) as error:
            raise UrlRefused(f"the host {host!r} cannot be resolved") from error
        if not found:
            raise UrlRefused(f"the host {host!r} has no address")
        trusted = host in self._hosts or any(host.endswith(suffix) for suffix in self._suffixes)
        for address in found:
            # One internal address among several is enough to refuse: which one is used would be chance.
            if not trusted and not self._may(ipaddress.ip_address(address.split("%")[0])):
                raise UrlRefused(f"the host {host!r} is at an internal address; the operator may allow it (url_allow)")
        return tuple(found)

    def _may(self, address: _Address) -> bool:
        if any(address in network for network in self._networks if network.version == address.version):
            return True
        inner = _inner(address)
        if inner is not None:
            return self._may(inner)
        if isinstance(address, ipaddress.IPv6Address) and address.is_site_local:
            return False  # deprecated, hence "global" to the library, yet routed in old networks
        return address.is_global and not address.is_multicast and not address.is_reserved

    @asynccontextmanager
    async def client(
        self, timeout: httpx.Timeout | float = 10.0, verify: ssl.SSLContext | bool = True
    ) -> AsyncIterator[httpx.AsyncClient]:
        """An httpx client that only reaches allowed addresses, for any number of hosts. No redirects, no proxies."""
        transport = self.transport(verify)
        async with httpx.AsyncClient(
            transport=transport, trust_env=False, follow_redirects=False, timeout=timeout
        ) as client:
            yield client

    def transport(self, verify: ssl.SSLContext | bool = True, keep_alive: bool = False) -> httpx.AsyncBaseTransport:
        """A transport that checks at connect time and connects to the very address it has checked.

        ``keep_alive``: reuse connections; only for a client of a single host, because connections are found again
        by their address and two names may share one.
        """
        return _CheckedTransport(self, verify, keep_alive)


OPERATORS: Final = UrlPolicy(["0.0.0.0/0", "::/0"])
"""For addresses that the operator gave and no user: they may be anywhere, also at this machine."""


def _literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host.split("%")[0])
    except ValueError:
        return False
    return True


def _inner(address: _Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that an IPv6 address carries (mapped, 6to4, NAT64), if any."""
    if isinstance(address, ipaddress.IPv4Address):
        return None
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour


class _CheckedTransport(httpx.AsyncHTTPTransport):
    """Connects to a checked address; the Host header and TLS keep the name."""

    def __init__(self, policy: UrlPolicy, verify: ssl.SSLContext | bool, keep_alive: bool) -> None:
        limits = httpx.Limits(max_keepalive_connections=20 if keep_alive else 0)
        super().__init__(verify=verify, trust_env=False, limits=limits)
        self._policy = policy

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        name = request.url.host
        target = await self._policy.check(str(request.url))
        if "host" not in request.headers:
            request.headers["host"] = request.url.netloc.decode("ascii")
        request.extensions = {**request.extensions, "sni_hostname": name}
        named = request.url
        failure: httpx.ConnectError | httpx.ConnectTimeout | None = None
        for address in target.addresses:
            request.url = named.copy_with(host=address)
            try:
                return await super().handle_async_request(request)
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                failure = error
        assert failure is not None  # there is at least one address
        raise failure
