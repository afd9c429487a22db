"""The ICE side of one peer connection, with restart.

aiortc gives each transport one ``aioice.Connection`` for life and cannot restart ICE. ``IceLink`` stands in its place:
it uses our ``RangeConnection`` and can put a new one under a running DTLS association, so that a client that changed
its network (RFC 8445, 9) goes on without a new handshake. It offers what ``RTCIceTransport`` and ``RTCIceGatherer``
use of a connection (read in aiortc 1.16) and is put into both by ``install``.
"""

from __future__ import annotations

import asyncio
from typing import Any

from aioice import Candidate
from aioice.ice import ConnectionEvent
from aiortc import RTCIceTransport

from visavis.log import get
from visavis.rtc.ports import IceConfig, RangeConnection

_log = get(__name__)


class IceLink:
    """Sends and receives datagrams over the current connection; a restarted one takes over when it is connected."""

    def __init__(self, config: IceConfig) -> None:
        self._config = config
        self._current = RangeConnection(config, ice_controlling=False)
        self._next: RangeConnection | None = None
        self._restart: asyncio.Task[None] | None = None
        self._closed = False

    def install(self, transport: RTCIceTransport) -> None:
        """Become the connection of ``transport``, before it gathers."""
        gatherer = transport.iceGatherer
        self._current.ice_controlling = transport._connection.ice_controlling
        target: Any = transport
        gathering: Any = gatherer
        target._connection = gathering._connection = self
        target._recv, target._send = self.recv, self.send

    async def restart(self, ufrag: str, password: str) -> None:
        """Gather for a new connection to the remote side's new credentials; it takes over once it is connected.

        One at a time: the caller sees to that.

        Raises:
            PortsExhausted: no port for it. ConnectionError: closed meanwhile.
        """
        await self._drop_next()
        connection = RangeConnection(self._config, ice_controlling=False)
        connection.remote_username, connection.remote_password = ufrag, password
        try:
            await connection.gather_candidates()
            if self._closed:  # meanwhile: nobody would ever give its ports back
                raise ConnectionError("the peer connection has been closed")
        except BaseException:
            await connection.close()
            raise
        self._next = connection
        self._restart = asyncio.create_task(self._take_over(connection))

    async def _take_over(self, connection: RangeConnection) -> None:
        try:
            await connection.connect()
        except ConnectionError:
            _log.info("ICE restart failed")
            return
        old, self._current, self._next = self._current, connection, None
        await old.close()

    async def _drop_next(self) -> None:
        if self._restart is not None and not self._restart.done():
            self._restart.cancel()
            await asyncio.gather(self._restart, return_exceptions=True)
        if self._next is not None:
            connection, self._next = self._next, None
            await connection.close()

    def abort(self) -> None:
        """Close the sockets at once, without a word to anyone."""
        for connection in (self._current, self._next):
            for protocol in connection._protocols if connection is not None else ():
                protocol.transport.close()

    # --- what aiortc uses of a connection -------------------------------------------------------------

    @property
    def _newest(self) -> RangeConnection:
        return self._next or self._current

    @property
    def ice_controlling(self) -> bool:
        return bool(self._newest.ice_controlling)

    @ice_controlling.setter
    def ice_controlling(self, value: bool) -> None:
        self._newest.ice_controlling = value

    @property
    def local_candidates(self) -> list[Candidate]:
        return self._newest.local_candidates

    @property
    def remote_candidates(self) -> list[Candidate]:
        return self._newest.remote_candidates

    @property
    def local_username(self) -> str:
        return str(self._newest.local_username)

    @property
    def local_password(self) -> str:
        return str(self._newest.local_password)

    @property
    def remote_is_lite(self) -> bool:
        return self._newest.remote_is_lite

    @remote_is_lite.setter
    def remote_is_lite(self, value: bool) -> None:
        self._newest.remote_is_lite = value

    @property
    def remote_username(self) -> str | None:
        return self._newest.remote_username

    @remote_username.setter
    def remote_username(self, value: str | None) -> None:
        self._newest.remote_username = value

    @property
    def remote_password(self) -> str | None:
        return self._newest.remote_password

    @remote_password.setter
    def remote_password(self, value: str | None) -> None:
        self._newest.remote_password = value

    async def gather_candidates(self) -> None:
        await self._current.gather_candidates()
        if self._closed:  # while it gathered: what it has bound since then is closed by nobody else
            self.abort()
            raise ConnectionError("the peer connection has been closed")

    async def add_remote_candidate(self, candidate: Candidate | None) -> None:
        """Add a candidate, or None at their end; after the end nothing more is taken."""
        connection = self._newest
        if not connection._remote_candidates_end:
            await connection.add_remote_candidate(candidate)

    async def connect(self) -> None:
        await self._current.connect()

    async def close(self) -> None:
        self._closed = True
        await self._drop_next()
        await self._current.close()

    async def get_event(self) -> ConnectionEvent | None:
        """The end of the current connection; a replaced one's end is not told."""
        while True:
            connection = self._current
            event = await connection.get_event()
            if connection is self._current or self._closed:
                return event

    async def recv(self) -> bytes:
        while True:
            connection = self._current
            try:
                return bytes(await connection.recv())
            except ConnectionError:
                if connection is self._current or self._closed:
                    raise

    async def send(self, data: bytes) -> None:
        await self._current.send(data)
