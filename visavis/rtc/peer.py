"""One peer connection of the room: the digital human out, and of an END_USER the voice and messages in."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from aiortc import RTCConfiguration, RTCPeerConnection, RTCRtpTransceiver, RTCSessionDescription
from aiortc.exceptions import InvalidAccessError, InvalidStateError, OperationError
from aiortc.rtcdatachannel import RTCDataChannel
from aiortc.rtcrtpsender import RTCRtpSender

from visavis.log import get
from visavis.media.types import Pcm
from visavis.motion.wire import stamp
from visavis.rtc.broadcast import Broadcaster
from visavis.rtc.errors import SdpRefused
from visavis.rtc.ice_link import IceLink
from visavis.rtc.offer import Offer, Role, parse_candidate
from visavis.rtc.ports import IceConfig
from visavis.rtc.receiver import OpusReceiver
from visavis.rtc.sender import EncodedSender

_log = get(__name__)

CONNECT_TIMEOUT_S: Final = 30.0
"""A peer that is not connected by then is closed."""

SILENCE_S: Final = 5.0
"""No RTP and no RTCP for so long: disconnected. (ICE consent gives a peer up after some 30 s.)"""

_CLOSE_S: Final = 0.8
_MAX_UNSENT: Final = 64  # messages kept until the data channel opens; then the oldest go
_MAX_BUFFERED: Final = 1 << 18  # bytes in an open data channel; beyond that messages are dropped
_MOTION_BUFFERED: Final = 4096  # bytes in a motion channel; beyond that frames are skipped, later ones are worth more
MOTION_CHANNEL: Final = "motion"
"""Label of the data channel of a client that draws for itself."""
_MAX_CANDIDATES: Final = 128
_MAX_CHANNELS: Final = 16


def _ignore(*_: object) -> None:
    pass


@dataclass(slots=True)
class PeerEvents:
    """What a peer tells, on the event loop. ``closed`` comes once, last.

    connected: ICE and DTLS are up. media: its first sound came. disconnected: nothing came for ``SILENCE_S``; resumed:
    something came again. message: text of the data channel. bitrate: REMB, bit/s. audio: 40 ms int16 mono at 16 kHz.
    """

    connected: Callable[[], None] = _ignore
    media: Callable[[], None] = _ignore
    disconnected: Callable[[], None] = _ignore
    resumed: Callable[[], None] = _ignore
    message: Callable[[str], None] = _ignore
    bitrate: Callable[[int], None] = _ignore
    audio: Callable[[Pcm], None] = _ignore
    closed: Callable[[], None] = _ignore


class Peer:
    """A server-side peer connection: ``answer`` once, then ``add_candidates``, ``renegotiate``, at last ``close``."""

    def __init__(
        self, pc_id: str, user_id: str, role: Role, broadcaster: Broadcaster, config: IceConfig, events: PeerEvents
    ) -> None:
        self.pc_id, self.user_id, self.role = pc_id, user_id, role
        self.connected = False
        self.chunks = 0
        self.senders: list[EncodedSender] = []
        self.receiver: OpusReceiver | None = None
        self._broadcaster, self._events = broadcaster, events
        self._link = IceLink(config)
        self._installed = False
        # Servers are the link's business; the empty list keeps aiortc from its default STUN server.
        self._pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._pc.on("connectionstatechange", self._state_changed)
        self._pc.on("datachannel", self._channel_opened)
        self._offer: Offer | None = None
        self._channel: RTCDataChannel | None = None
        self._motion: RTCDataChannel | None = None
        self._unsent: deque[str] = deque(maxlen=_MAX_UNSENT)
        self._candidates = 0
        self._negotiating = asyncio.Lock()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._closing: asyncio.Task[None] | None = None
        self._last_heard = 0.0
        self._silent = False
        self._timer: asyncio.TimerHandle | None = None

    # --- signalling --------------------------------------------------------------------------------

    async def answer(self, offer: Offer) -> str:
        """Answer the first offer with all candidates of the server.

        Raises:
            SdpRefused: the offer does not fit. PortsExhausted: no UDP port. The peer is closed in both cases.
        """
        self._timer = asyncio.get_running_loop().call_later(CONNECT_TIMEOUT_S, self._give_up)
        try:
            for section in offer.sections:
                if section.kind in ("audio", "video"):
                    self._add_transceiver(section.kind, section.used, section.receives)
            sdp = await self._negotiate(offer)
        except BaseException:
            await self.close()
            raise
        self._spawn(self._add(self._within_limit(offer.candidates), offer.complete))
        return sdp

    async def renegotiate(self, offer: Offer) -> str:
        """Answer a further offer of the same peer connection; new ICE credentials restart ICE.

        Raises:
            SdpRefused: it is not of this peer connection (another certificate, other sections).
        """
        async with self._negotiating:
            return await self._renegotiate(offer)

    async def _renegotiate(self, offer: Offer) -> str:
        before = self._offer
        if before is None or self._closing is not None:
            raise SdpRefused("this peer connection is closed; send an offer without pc_id")
        if offer.fingerprints != before.fingerprints:
            raise SdpRefused("the offer is of another peer connection; send it with restart_pc")
        kinds = [section.kind for section in offer.sections]
        if kinds[: len(before.sections)] != [section.kind for section in before.sections]:
            raise SdpRefused("the offer's sections differ from the first offer's; send it with restart_pc")
        for section in offer.sections[len(before.sections) :]:
            if section.kind in ("audio", "video"):
                self._pc.addTransceiver(section.kind, direction="inactive")
        if offer.ice_ufrag != before.ice_ufrag:
            self._candidates = 0
            try:
                await self._link.restart(offer.ice_ufrag, offer.ice_password)
            except ConnectionError as error:
                raise SdpRefused("this peer connection is closed; send an offer without pc_id") from error
        sdp = await self._negotiate(offer)
        self._spawn(self._add(self._within_limit(offer.candidates), offer.complete))
        return sdp

    def add_candidates(self, candidates: Sequence[str]) -> None:
        """Add trickled candidates; an empty one ends them. Resolving mDNS names goes on in the background.

        Raises:
            SdpRefused: one is malformed, or there are too many.
        """
        ended = any(not text.strip() for text in candidates)
        usable = [text for text in candidates if text.strip()]
        for text in usable:
            parse_candidate(text)
        self._candidates += len(usable)
        if self._candidates > _MAX_CANDIDATES:
            raise SdpRefused(f"more than {_MAX_CANDIDATES} ICE candidates")
        if self._closing is None:
            self._spawn(self._add(usable, ended))

    def _within_limit(self, candidates: Sequence[str]) -> Sequence[str]:
        """Those of an offer that may still be used: every one makes the server send to an address of its choice."""
        usable = candidates[: max(0, _MAX_CANDIDATES - self._candidates)]
        self._candidates += len(usable)
        return usable

    async def _add(self, candidates: Sequence[str], ended: bool) -> None:
        parsed = []
        for text in candidates:
            try:
                parsed.append(parse_candidate(text))
            except SdpRefused as error:
                _log.debug("candidate ignored", pc_id=self.pc_id, reason=str(error))
        await asyncio.gather(*(self._link.add_remote_candidate(one) for one in parsed if one is not None))
        if ended:
            await self._link.add_remote_candidate(None)

    async def _negotiate(self, offer: Offer) -> str:
        pc = self._pc
        try:
            await pc.setRemoteDescription(RTCSessionDescription(offer.sdp, "offer"))
            if not self._installed:
                self._install()
            self._ask_for_copies()
            await pc.setLocalDescription(await pc.createAnswer())
        except (ValueError, OperationError, InvalidStateError, InvalidAccessError) as error:
            raise SdpRefused(f"the offer cannot be answered: {error or type(error).__name__}") from error
        except ConnectionError as error:
            raise SdpRefused("this peer connection was closed before it was answered") from error
        self._offer = offer
        return str(pc.localDescription.sdp)

    def _ask_for_copies(self) -> None:
        """Ask for sound in which each packet carries a copy of the one before (in-band FEC); aiortc's answers do not."""
        for transceiver in self._pc.getTransceivers():
            for codec in transceiver._codecs:
                if codec.mimeType.lower() == "audio/opus":
                    codec.parameters.update(minptime=10, useinbandfec=1)

    def _install(self) -> None:
        """Put our link into the one transport that BUNDLE left."""
        transceivers = self._pc.getTransceivers()
        transports = {one.receiver.transport for one in transceivers}
        if self._pc.sctp is not None:
            transports.add(self._pc.sctp.transport)
        alive = [one for one in transports if one.transport.state != "closed"]
        if len(alive) != 1:
            raise SdpRefused("the offer must put all its sections into one BUNDLE group")
        for one in transceivers:
            # aiortc leaves a second section of a kind on its old, stopped transport.
            one.receiver.setTransport(alive[0])
            one.sender.setTransport(alive[0])
        self._link.install(alive[0].transport)
        if self._pc.sctp is not None:
            self._bound_messages(self._pc.sctp)
        self._installed = True

    def _bound_messages(self, sctp: Any) -> None:
        """aiortc announces how many bytes it takes of unfinished messages, but keeps whatever a client sends."""
        receive = sctp._receive_data_chunk

        async def receiving(chunk: object) -> None:
            await receive(chunk)
            if sctp._advertised_rwnd < -_MAX_BUFFERED or len(sctp._data_channels) > _MAX_CHANNELS:
                self._misused()

        sctp._receive_data_chunk = receiving

    def _misused(self) -> None:
        if self._closing is None:
            _log.warning("peer sends more than it may", pc_id=self.pc_id)
            self._closing = asyncio.create_task(self._close())

    def _add_transceiver(self, kind: str, used: bool, receives: bool) -> None:
        if not used:
            self._pc.addTransceiver(kind, direction="inactive")
        elif kind == "video":
            transceiver = self._pc.addTransceiver("video", direction="sendonly" if receives else "inactive")
            transceiver.setCodecPreferences([_H264])
            self._put_sender(transceiver, EncodedSender(
                "video", transceiver.sender, self._broadcaster, on_activity=self._heard,
                on_bitrate=partial(self._fire, self._events.bitrate),
            ))  # fmt: skip
        else:
            speaks = self.role == "END_USER"
            transceiver = self._pc.addTransceiver("audio", direction="sendrecv" if speaks else "sendonly")
            transceiver.setCodecPreferences([_OPUS])
            sender = EncodedSender("audio", transceiver.sender, self._broadcaster, on_activity=self._heard)
            self._put_sender(transceiver, sender)
            if speaks:
                receiver = OpusReceiver(transceiver.receiver, on_pcm=self._sound, on_activity=self._heard)
                receiver._set_rtcp_ssrc(sender._ssrc)
                self.receiver = receiver
                replaced: Any = transceiver
                replaced._RTCRtpTransceiver__receiver = receiver

    def _put_sender(self, transceiver: RTCRtpTransceiver, sender: EncodedSender) -> None:
        # aiortc has no way to name a class for its senders and receivers; tests/rtc/test_rtc_room.py guards this.
        replaced: Any = transceiver
        replaced._RTCRtpTransceiver__sender = sender
        self.senders.append(sender)

    # --- data channel --------------------------------------------------------------------------------

    def send(self, text: str) -> bool:
        """Send a message; before the channel opens it waits (64 at most). False: dropped, the client does not read."""
        channel = self._channel
        if channel is None or channel.readyState != "open":
            self._unsent.append(text)
            return True
        if channel.bufferedAmount > _MAX_BUFFERED:
            return False
        channel.send(text)
        return True

    def _channel_opened(self, channel: RTCDataChannel) -> None:
        if channel.label == MOTION_CHANNEL:
            self._motion = channel
            channel.on("close", lambda: self._broadcaster.close_motion(self._send_motion))
            self._broadcaster.open_motion(self._send_motion)
            return
        self._channel = channel
        channel.on("message", self._message)
        while self._unsent:
            channel.send(self._unsent.popleft())

    def _send_motion(self, message: bytes, position: int) -> None:
        channel = self._motion
        if channel is None or channel.readyState != "open" or channel.bufferedAmount > _MOTION_BUFFERED:
            return
        audio = next((sender for sender in self.senders if sender.kind == "audio"), None)
        channel.send(stamp(message, audio.heard_at(position)) if audio is not None else message)

    def _message(self, message: str | bytes) -> None:
        if isinstance(message, str) and self._closing is None:
            self._fire(self._events.message, message)

    # --- life ----------------------------------------------------------------------------------------

    @property
    def dropped(self) -> int:
        """Units that the viewer's queues dropped."""
        return sum(sender.dropped for sender in self.senders)

    async def close(self) -> None:
        """End the connection, within a second. ``events.closed`` has been told when this returns."""
        if self._closing is None:
            self._closing = asyncio.create_task(self._close())
        await asyncio.shield(self._closing)

    async def _close(self) -> None:
        self.connected = False
        self._broadcaster.close_motion(self._send_motion)
        if self._timer is not None:
            self._timer.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        try:
            async with asyncio.timeout(_CLOSE_S):
                await self._pc.close()
                await self._link.close()
        except TimeoutError:
            # A TURN server that does not answer must not hold a port and a task for half a minute.
            _log.warning("peer did not close in time", pc_id=self.pc_id)
            self._link.abort()
        except Exception:  # whatever aiortc stumbles over, the room and the port are not to be kept by it
            _log.exception("peer did not close", pc_id=self.pc_id)
            self._link.abort()
        self._fire(self._events.closed)

    def _state_changed(self) -> None:
        state = self._pc.connectionState
        if self._closing is not None:
            return
        if state == "connected" and not self.connected:
            self.connected = True
            self._last_heard = asyncio.get_running_loop().time()
            self._watch(SILENCE_S)
            self._fire(self._events.connected)
            if self.role == "END_USER" and self._offer is not None and not self._offer.sends_audio:
                self._fire(self._events.media)  # someone who only types: nothing more will come
        elif state in ("failed", "closed"):
            self._closing = asyncio.create_task(self._close())

    def _give_up(self) -> None:
        if self._closing is None:
            _log.info("peer never connected", pc_id=self.pc_id, waited_s=CONNECT_TIMEOUT_S)
            self._closing = asyncio.create_task(self._close())

    def _heard(self) -> None:
        self._last_heard = asyncio.get_running_loop().time()
        if self._silent:
            self._silent = False
            self._fire(self._events.resumed)

    def _watch(self, after: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(after, self._check_silence)

    def _check_silence(self) -> None:
        left = self._last_heard + SILENCE_S - asyncio.get_running_loop().time()
        if left <= 0 and not self._silent:
            self._silent = True
            self._fire(self._events.disconnected)
        self._watch(left if left > 0 else SILENCE_S)

    def _sound(self, pcm: Pcm) -> None:
        if self._closing is not None:
            return
        self.chunks += 1
        if self.chunks == 1:
            self._fire(self._events.media)
        self._fire(self._events.audio, pcm)

    def _fire(self, event: Callable[..., None], *arguments: object) -> None:
        try:
            event(*arguments)
        except Exception:  # a listener's fault must not end the transport
            _log.exception("listener failed", pc_id=self.pc_id)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.warning("peer task failed", pc_id=self.pc_id, error=repr(error))


_H264: Final = next(
    codec
    for codec in RTCRtpSender.getCapabilities("video").codecs
    if codec.mimeType == "video/H264" and codec.parameters.get("profile-level-id") == "42e01f"
)
_OPUS: Final = next(codec for codec in RTCRtpSender.getCapabilities("audio").codecs if codec.mimeType == "audio/opus")
