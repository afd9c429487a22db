"""One job's RTC room: its END_USER, its viewers, and the one broadcast they share."""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from typing import Final

from visavis.media.types import Pcm
from visavis.rtc.broadcast import Broadcaster
from visavis.rtc.errors import PeerUnknown, RoomClosed, RoomFull, SdpRefused
from visavis.rtc.offer import Offer, Role, parse_offer
from visavis.rtc.peer import Peer, PeerEvents
from visavis.rtc.ports import IceConfig
from visavis.rtc.receiver import CHUNK_MS
from visavis.rtc.sdpfrag import Trickled

MICROPHONE_MS: Final = 1000
"""The user's sound in waiting. When full, the oldest goes: who listens so late must not listen to the past."""

MESSAGE_BURST: Final = 64
"""Messages that an END_USER may send at once; what it sends beyond that and ``MESSAGES_PER_S`` is dropped."""

MESSAGES_PER_S: Final = 16


def _ignore(*_: object) -> None:
    pass


@dataclass(slots=True)
class RoomEvents:
    """What the room tells of its END_USER, on the event loop; listeners must not block.

    connected: transport up (again after a page reload). media: its first sound arrived (or it connected without a
    microphone): the person is there. disconnected: nothing came for 5 s; resumed: it is back. left: it is gone.
    message: text of the data channel. bitrate: its estimate of the path, bit/s. viewers: a PLAYER joined or left.
    """

    connected: Callable[[], None] = _ignore
    media: Callable[[], None] = _ignore
    disconnected: Callable[[], None] = _ignore
    resumed: Callable[[], None] = _ignore
    left: Callable[[], None] = _ignore
    message: Callable[[str], None] = _ignore
    bitrate: Callable[[int], None] = _ignore
    viewers: Callable[[int], None] = _ignore


class Microphone:
    """What the END_USER says: an async iterator of int16 mono, shape (320,), 16 kHz: 20 ms. For one consumer.

    It outlives reconnections and ends when the room closes.
    """

    def __init__(self) -> None:
        self._chunks: deque[Pcm] = deque(maxlen=MICROPHONE_MS // CHUNK_MS)
        self._waiter: asyncio.Future[None] | None = None
        self._closed = False
        self.received = self.dropped = 0

    def push(self, pcm: Pcm) -> None:
        """Add a chunk; never waits."""
        self.received += 1
        self.dropped += len(self._chunks) == self._chunks.maxlen
        self._chunks.append(pcm)
        self._wake()

    def close(self) -> None:
        """End the iteration."""
        self._closed = True
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def __aiter__(self) -> AsyncIterator[Pcm]:
        return self

    async def __anext__(self) -> Pcm:
        while not self._chunks:
            if self._closed:
                raise StopAsyncIteration
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        return self._chunks.popleft()


class _Allowance:
    """A token bucket: ``burst`` at once, ``per_s`` in the long run."""

    def __init__(self, burst: int, per_s: float) -> None:
        self._burst, self._per_s = float(burst), per_s
        self._left, self._at = self._burst, 0.0

    def take(self, now: float) -> bool:
        """Take one. ``now``: monotonic seconds. False: none is left."""
        self._left = min(self._burst, self._left + (now - self._at) * self._per_s)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


class Room:
    """Peers of one job. All methods belong to one event loop; ``close`` leaves nothing behind."""

    def __init__(
        self,
        broadcaster: Broadcaster,
        config: IceConfig | None = None,
        events: RoomEvents | None = None,
        *,
        max_players: int = 16,
    ) -> None:
        self.broadcaster = broadcaster
        self.microphone = Microphone()
        self._config = config or IceConfig()
        self._events = events or RoomEvents()
        self._max_players = max_players
        self._peers: dict[str, Peer] = {}
        self._end_user: Peer | None = None
        self._one_end_user = asyncio.Lock()
        self._messages = _Allowance(MESSAGE_BURST, MESSAGES_PER_S)
        self._closed = False

    # --- signalling ------------------------------------------------------------------------------------

    async def offer(
        self, user_type: str, user_id: str, sdp: str, pc_id: str | None = None, restart: bool = False
    ) -> tuple[str, str]:
        """Answer an offer.

        Args:
            user_type: END_USER (talks; one at a time: its newer connection replaces the older) or PLAYER (watches).
            pc_id: renegotiate this connection of the same user; unknown ids start a new one.
            restart: with ``pc_id``: replace that connection, keeping its id.

        Returns:
            (pc_id, answer SDP with all candidates of the server).

        Raises:
            SdpRefused, RoomFull, RoomClosed, PortsExhausted; PeerUnknown when ``pc_id`` is another user's.
        """
        role = _role(user_type)
        offer = parse_offer(sdp, role)
        self._check_open()
        known = self._peers.get(pc_id) if pc_id else None
        if known is not None:
            self._check_owner(known, user_id)
            if known.role != role:
                raise SdpRefused(f"this peer connection is one of a {known.role}")
            if not restart:
                return known.pc_id, await known.renegotiate(offer)
        if role == "PLAYER":
            return await self._join(known, user_id, role, offer)
        async with self._one_end_user:
            # Looked up anew: another offer may have replaced it while this one waited.
            known = self._peers.get(pc_id) if pc_id else None
            return await self._join(known or self._end_user, user_id, role, offer, keep_id=known is not None)

    def candidates(self, pc_id: str, candidates: Iterable[Trickled], user_id: str | None = None) -> None:
        """Add trickled candidates, each (candidate, sdp_mid, sdp_mline_index); an empty candidate ends them.

        Raises:
            PeerUnknown, SdpRefused.
        """
        self._find(pc_id, user_id).add_candidates([candidate for candidate, _, _ in candidates])

    async def leave(self, pc_id: str, user_id: str | None = None) -> None:
        """End a connection. Raises PeerUnknown."""
        await self._find(pc_id, user_id).close()

    # --- what the session uses ---------------------------------------------------------------------------

    def send(self, text: str) -> bool:
        """Send a message to the END_USER's data channel. False: nobody there, or it does not read."""
        return self._end_user.send(text) if self._end_user is not None else False

    @property
    def end_user_connected(self) -> bool:
        return self._end_user is not None and self._end_user.connected

    @property
    def players(self) -> int:
        """How many PLAYERs are in the room."""
        return sum(peer.role == "PLAYER" for peer in self._peers.values())

    def stats(self) -> dict[str, float]:
        """Counters for heartbeats."""
        senders = [sender for peer in self._peers.values() for sender in peer.senders]
        trips = [sender.rtt for sender in senders if sender.rtt is not None]
        return {
            "viewers": float(len(self._peers)),
            "packets_sent": float(sum(sender.packets_sent for sender in senders)),
            "retransmitted": float(sum(sender.retransmitted for sender in senders)),
            "units_dropped": float(sum(peer.dropped for peer in self._peers.values())),
            "keyframe_requests": float(self.broadcaster.keyframe_requests),
            "microphone_dropped": float(self.microphone.dropped),
            "rtt_s": max(trips, default=0.0),
        }

    async def close(self) -> None:
        """End every connection, within about a second."""
        self._closed = True
        await asyncio.gather(*(peer.close() for peer in list(self._peers.values())))
        self.broadcaster.close()
        self.microphone.close()

    # --- inside ------------------------------------------------------------------------------------------

    async def _join(
        self, replaced: Peer | None, user_id: str, role: Role, offer: Offer, keep_id: bool = True
    ) -> tuple[str, str]:
        """A new peer, in the place of ``replaced`` if there is one."""
        if role == "END_USER" and replaced is not None and replaced.user_id != user_id:
            raise RoomFull("another END_USER is in this room")
        if role == "PLAYER" and replaced is None and self.players >= self._max_players:
            raise RoomFull(f"the room already has {self._max_players} viewers")
        pc_id = replaced.pc_id if replaced is not None and keep_id else secrets.token_urlsafe(12)
        if replaced is not None:
            # First, so that its port is free for the new one in a narrow port range.
            self._forget(replaced)
            await replaced.close()
        self._check_open()
        events = PeerEvents()
        peer = Peer(pc_id, user_id, role, self.broadcaster, self._config, events)
        self._wire(peer, events)
        # Known before it is answered: it counts, and ``close`` finds it.
        self._peers[pc_id] = peer
        if role == "END_USER":
            self._end_user = peer
        answer = await peer.answer(offer)
        if self._closed:
            await peer.close()
            raise RoomClosed("the room has been closed")
        return pc_id, answer

    def _wire(self, peer: Peer, events: PeerEvents) -> None:
        told = self._events
        events.closed = lambda: self._gone(peer)
        if peer.role == "PLAYER":
            events.connected = lambda: told.viewers(self.players)
            return
        events.connected, events.media = told.connected, told.media
        events.disconnected, events.resumed = told.disconnected, told.resumed
        events.bitrate, events.audio = told.bitrate, self.microphone.push
        events.message = self._message

    def _message(self, text: str) -> None:
        if text == "ping":  # the keep-alive of Pipecat's clients, not RTVI
            return
        if self._messages.take(asyncio.get_running_loop().time()):
            self._events.message(text)

    def _gone(self, peer: Peer) -> None:
        if self._peers.get(peer.pc_id) is not peer:
            return  # replaced
        self._forget(peer)
        if peer.role == "END_USER":
            self._events.left()
        else:
            self._events.viewers(self.players)

    def _forget(self, peer: Peer) -> None:
        if self._peers.get(peer.pc_id) is peer:
            del self._peers[peer.pc_id]
        if self._end_user is peer:
            self._end_user = None

    def _find(self, pc_id: str, user_id: str | None) -> Peer:
        peer = self._peers.get(pc_id)
        if peer is None:
            raise PeerUnknown("there is no such peer connection in this room")
        self._check_owner(peer, user_id)
        return peer

    @staticmethod
    def _check_owner(peer: Peer, user_id: str | None) -> None:
        if user_id is not None and peer.user_id != user_id:
            raise PeerUnknown("there is no such peer connection in this room")

    def _check_open(self) -> None:
        if self._closed:
            raise RoomClosed("the room has been closed")


def _role(user_type: str) -> Role:
    if user_type == "END_USER":
        return "END_USER"
    if user_type == "PLAYER":
        return "PLAYER"
    raise SdpRefused(f"users of type {user_type} cannot connect to this room")
