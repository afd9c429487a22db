"""Where the media's UDP sockets are bound and what address is announced for them.

aioice binds to any free port and announces the address it bound to. A server needs more: a port range that a firewall
can open, shared by the worker processes, and, behind a 1:1 NAT, the public address. ``RangeConnection`` overrides the
one method of aioice that creates host candidates, ``Connection.get_component_candidates`` (read in aioice 0.13);
``tests/rtc/test_rtc_ports.py`` fails when aioice moves what is relied on.
"""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import random
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from aioice import Candidate, Connection, TransportPolicy, turn
from aioice.candidate import candidate_foundation, candidate_priority
from aioice.ice import StunProtocol, relayed_candidate, server_reflexive_candidate
from aiortc import RTCIceServer
from aiortc.rtcicetransport import connection_kwargs

from visavis.errors import VisavisError
from visavis.log import get
from visavis.rtc.errors import PortsExhausted
from visavis.rtc.ice import IceServer
from visavis.settings import Settings

_log = get(__name__)
_SERVER_TIMEOUT_S: Final = 2
"""An answer waits no longer for a STUN or TURN server."""


@dataclass(frozen=True, slots=True)
class IceConfig:
    """How the server side of a peer connection reaches the world.

    Attributes:
        port_range: UDP ports, both ends included; None: any.
        public_ip: address to announce besides the bound ones ("" none).
        servers: STUN and TURN servers the server itself uses (the first of each kind).
        addresses: local addresses to bind; empty: all of the machine, loopback only if there is no other.
        relay_only: use nothing but the TURN server.
    """

    port_range: tuple[int, int] | None = None
    public_ip: str = ""
    servers: Sequence[IceServer] = field(default_factory=tuple)
    addresses: Sequence[str] = field(default_factory=tuple)
    relay_only: bool = False

    def __post_init__(self) -> None:
        try:
            if self.public_ip:
                ipaddress.ip_address(self.public_ip)
            for address in self.addresses:
                ipaddress.ip_address(address)
            self.kwargs()
        except ValueError as error:
            raise VisavisError(f"bad RTC settings: {error}") from error

    @classmethod
    def from_settings(cls, settings: Settings, servers: Sequence[IceServer] = ()) -> IceConfig:
        """The operator's settings; ``servers`` usually are those of the job."""
        return cls(settings.udp_port_range, settings.public_ip, tuple(servers))

    def kwargs(self) -> dict[str, Any]:
        """aioice's arguments for the STUN and TURN servers. Raises ValueError for a malformed URL."""
        found = connection_kwargs([RTCIceServer(list(one.urls), one.username, one.credential) for one in self.servers])
        if self.public_ip:
            found.pop("stun_server", None)  # it could only tell what is known already, and costs a round trip
        if self.relay_only:
            found["transport_policy"] = TransportPolicy.RELAY
        return found


def bind_udp(address: str, port_range: tuple[int, int] | None, start: random.Random | None = None) -> socket.socket:
    """A non-blocking UDP socket on ``address`` at a free port of the range (tried in turn from a random one).

    Raises:
        PortsExhausted: none is free.
        OSError: the address cannot be bound at all.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    low, high = port_range or (0, 0)
    first = (start or random).randint(low, high)
    sock = socket.socket(family, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        for step in range(high - low + 1):
            try:
                sock.bind((address, low + (first - low + step) % (high - low + 1)))
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
            else:
                return sock
    except BaseException:
        sock.close()
        raise
    sock.close()
    raise PortsExhausted(f"all UDP ports {low}-{high} of {address} are in use; widen VISAVIS_UDP_PORTS")


def primary_address(addresses: Sequence[str], towards: str) -> str | None:
    """Which of ``addresses`` the machine sends from to ``towards`` (nothing is sent), else the first of that family."""
    version = ipaddress.ip_address(towards).version
    same = [one for one in addresses if ipaddress.ip_address(one).version == version]
    with socket.socket(socket.AF_INET6 if version == 6 else socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((towards, 9))
            own = str(probe.getsockname()[0])
        except OSError:
            own = ""
    return own if own in same else next(iter(same), None)


class RangeConnection(Connection):
    """aioice's connection with its sockets in a port range and a public address announced."""

    def __init__(self, config: IceConfig, **kwargs: Any) -> None:
        super().__init__(**config.kwargs(), **kwargs)
        self._config = config

    async def get_component_candidates(
        self, component: int, addresses: list[str], timeout: int = _SERVER_TIMEOUT_S
    ) -> list[Candidate]:
        """Host candidates of every address, then server-reflexive and relayed ones.

        Raises:
            PortsExhausted: no address has a free port.
        """
        if not self._config.relay_only:
            addresses = list(self._config.addresses) or addresses or ["127.0.0.1"]
        protocols = await self._bind(addresses)
        self._protocols += protocols
        candidates: list[Candidate] = []
        public = self._config.public_ip
        primary = primary_address(addresses, public) if public else None
        for rank, protocol in enumerate(protocols):
            host, port = protocol.transport.get_extra_info("sockname")[:2]
            own = _host_candidate(component, host, port, 65_000 - rank)
            protocol.local_candidate = own
            if host == primary and host != public:
                candidates.insert(0, _host_candidate(component, public, port, 65_535))
            candidates.append(own)
        return candidates + await self._from_servers(component, protocols, min(timeout, _SERVER_TIMEOUT_S))

    async def _bind(self, addresses: Sequence[str]) -> list[StunProtocol]:
        loop = asyncio.get_running_loop()
        protocols: list[StunProtocol] = []
        exhausted: PortsExhausted | None = None
        for address in addresses:
            try:
                sock = bind_udp(address, self._config.port_range)
            except PortsExhausted as error:
                exhausted = error
                continue
            except OSError as error:
                _log.debug("address not bound", address=address, error=str(error))
                continue
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, turn.UDP_SOCKET_BUFFER_SIZE)
            _, protocol = await loop.create_datagram_endpoint(lambda: StunProtocol(self), sock=sock)
            protocols.append(protocol)
        if not protocols and exhausted:
            raise exhausted
        return protocols

    async def _from_servers(self, component: int, hosts: list[StunProtocol], timeout: float) -> list[Candidate]:
        waits: list[asyncio.Task[tuple[Candidate, StunProtocol | None]]] = []
        if self.stun_server:
            waits += [
                asyncio.create_task(server_reflexive_candidate(one, self.stun_server))
                for one in hosts
                if ipaddress.ip_address(one.local_candidate.host).version == 4
            ]
        if self.turn_server:
            relay = relayed_candidate(
                component=component,
                hide_related_address=False,
                protocol_factory=lambda: StunProtocol(self),
                turn_server=self.turn_server,
                turn_username=self.turn_username,
                turn_password=self.turn_password,
                turn_ssl=self.turn_ssl,
                turn_transport=self.turn_transport,
            )
            waits.append(asyncio.create_task(relay))
        if not waits:
            return []
        done, pending = await asyncio.wait(waits, timeout=timeout)
        for task in pending:
            task.cancel()
        candidates = []
        for task in done:
            if error := task.exception():
                _log.warning("STUN or TURN server failed", error=str(error) or type(error).__name__)
                continue
            candidate, protocol = task.result()
            candidates.append(candidate)
            if protocol is not None:
                self._protocols.append(protocol)
        if pending:
            _log.warning("STUN or TURN server does not answer", waited_s=timeout)
        return candidates


def _host_candidate(component: int, host: str, port: int, preference: int) -> Candidate:
    return Candidate(
        foundation=candidate_foundation("host", "udp", host),
        component=component,
        transport="udp",
        priority=candidate_priority(component, "host", preference),
        host=host,
        port=port,
        type="host",
    )
