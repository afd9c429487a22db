"""A WebRTC client of the room, for the demo, benchmarks and tests: a person with a microphone, or a viewer."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final, Self

import av
import numpy as np
from aiortc import (
    MediaStreamTrack,
    RTCBundlePolicy,
    RTCConfiguration,
    RTCPeerConnection,
    RTCRtpReceiver,
    RTCRtpTransceiver,
    RTCSessionDescription,
)
from aiortc.mediastreams import MediaStreamError
from aiortc.rtcdatachannel import RTCDataChannel
from aiortc.rtp import AnyRtcpPacket, RtcpSrPacket

from visavis.media.clock import SAMPLE_RATE, VIDEO_RATE, SampleClock
from visavis.media.resample import Resampler
from visavis.media.types import Pcm
from visavis.rtc.errors import RtcError
from visavis.rtc.ice_link import IceLink
from visavis.rtc.ports import IceConfig
from visavis.rtc.signalling import EndUserSignalling, Signalling, WhepSignalling

_FRAME: Final = SAMPLE_RATE // 50
_NTP_EPOCH_OFFSET: Final = 2_208_988_800
_MAX_MESSAGES: Final = 1024
_MAX_EARLY: Final = 256  # frames kept until the first sender report tells their time


class ClientError(RtcError):
    """The client could not connect; the message says why."""


@dataclass(frozen=True, slots=True)
class Received:
    """A decoded picture or sound.

    ``pts``: when it belongs, seconds since 1970 on the server's clock, the same for pictures and sound (from RTCP
    sender reports). ``arrived``: when it was decoded here, ``time.time()``.
    """

    frame: av.VideoFrame | av.AudioFrame
    pts: float
    arrived: float


class RoomClient:
    """One connection to a room. ``async with`` connects and closes.

    Callbacks run on the event loop. Messages of the data channel come from ``messages`` in order.
    """

    def __init__(
        self,
        signalling: Signalling,
        *,
        speaks: bool = True,
        on_video: Callable[[Received], None] | None = None,
        on_audio: Callable[[Received], None] | None = None,
        on_motion: Callable[[bytes], None] | None = None,
        config: IceConfig | None = None,
    ) -> None:
        """``speaks``: offer a microphone and a data channel (END_USER). ``on_motion``: ask for motion messages
        (:mod:`visavis.motion.wire`) instead of pictures. ``config``: None: the room's ICE servers."""
        self.signalling = signalling
        self.pc_id: str | None = None
        self.speaks = speaks
        self.connected = asyncio.Event()
        self.closed = asyncio.Event()
        self.messages: asyncio.Queue[str] = asyncio.Queue(_MAX_MESSAGES)
        self.microphone = _Microphone()
        self._on_video, self._on_audio, self._on_motion = on_video, on_audio, on_motion
        self._config = config
        self._pc: RTCPeerConnection | None = None
        self._link: IceLink | None = None
        self._channel: RTCDataChannel | None = None
        self._pumps: list[asyncio.Task[None]] = []

    @classmethod
    def end_user(cls, base_url: str, rtc_room_id: str, bearer: str, *, verify: bool = True, **options: Any) -> Self:
        """A person who talks. ``bearer``: of ``tokens.bearer``; ``options``: as the constructor takes them."""
        return cls(EndUserSignalling(base_url, rtc_room_id, bearer, verify), **options)

    @classmethod
    def watch(cls, base_url: str, rtc_room_id: str, bearer: str, *, verify: bool = True, **options: Any) -> Self:
        """A viewer, by WHEP."""
        return cls(WhepSignalling(base_url, rtc_room_id, bearer, verify), speaks=False, **options)

    async def __aenter__(self) -> Self:
        await self.connect()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def connect(self, timeout: float = 15.0) -> None:
        """Connect: offer, trickle, until ICE and DTLS are up.

        Raises:
            SignallingError (the server refused), ClientError (no connection within ``timeout`` seconds).
        """
        try:
            async with asyncio.timeout(timeout):
                await self._connect()
                waits = {asyncio.create_task(self.connected.wait()), asyncio.create_task(self.closed.wait())}
                try:
                    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    for wait in waits:
                        wait.cancel()
            if not self.connected.is_set():
                raise ClientError("the connection failed: no pair of ICE candidates works")
        except TimeoutError as error:
            await self.close()
            raise ClientError(f"not connected within {timeout:g} s") from error
        except BaseException:
            await self.close()
            raise

    async def _connect(self) -> None:
        config = self._config or IceConfig(servers=tuple(await self.signalling.ice_servers()))
        pc = self._pc = RTCPeerConnection(RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE))
        pc.on("connectionstatechange", self._state_changed)
        if self.speaks:
            audio = pc.addTransceiver(self.microphone, direction="sendrecv")
        else:
            audio = pc.addTransceiver("audio", direction="recvonly")
        # One bundled transport: the first one's. Our link in it also works where there is only a loopback interface.
        self._link = IceLink(config)
        self._link.install(audio.receiver.transport.transport)
        if self.speaks:
            self._channel = pc.createDataChannel("rtvi-ai")
            self._channel.on("message", self._message)
        self._listen(audio, SAMPLE_RATE, self._on_audio)
        if self._on_motion is None:
            self._listen(pc.addTransceiver("video", direction="recvonly"), VIDEO_RATE, self._on_video)
        else:
            motion = pc.createDataChannel("motion", ordered=False, maxRetransmits=0)
            motion.on("message", self._on_motion)
        await pc.setLocalDescription(await pc.createOffer())
        lines = pc.localDescription.sdp.splitlines()
        bare = [line for line in lines if not line.startswith(("a=candidate:", "a=end-of-candidates"))]
        found = dict.fromkeys(line[2:] for line in lines if line.startswith("a=candidate:"))
        self.pc_id, answer = await self.signalling.offer("\r\n".join(bare) + "\r\n")
        await pc.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        await self.signalling.candidates(self.pc_id, [*((text, audio.mid, 0) for text in found), ("", audio.mid, 0)])

    async def speak(self, pcm: Pcm, rate: int = SAMPLE_RATE) -> None:
        """Say ``pcm`` (mono int16 at ``rate`` Hz) into the microphone; returns when its last sample was sent."""
        if rate != SAMPLE_RATE:
            resampler = Resampler(rate, SAMPLE_RATE, "HQ")
            pcm = np.concatenate([resampler.push(pcm), resampler.flush()])
        await self.microphone.speak(pcm)

    def send(self, text: str) -> None:
        """Send a message over the data channel. Raises ClientError when it is not open."""
        if self._channel is None or self._channel.readyState != "open":
            raise ClientError("the data channel is not open")
        self._channel.send(text)

    async def close(self) -> None:
        """Leave the room, tell it so, and release everything."""
        pc, self._pc = self._pc, None
        self.microphone.stop()
        for pump in self._pumps:
            pump.cancel()
        await asyncio.gather(*self._pumps, return_exceptions=True)
        if pc is not None:
            try:
                if self.pc_id is not None:
                    await self.signalling.leave(self.pc_id)
            except RtcError:
                pass  # the server may be gone, or closed this connection first
            finally:
                await pc.close()
                if self._link is not None:
                    await self._link.close()
        await self.signalling.aclose()
        self.closed.set()

    def _state_changed(self) -> None:
        state = self._pc.connectionState if self._pc is not None else "closed"
        if state == "connected":
            self.connected.set()
        elif state in ("failed", "closed"):
            self.closed.set()

    def _message(self, message: str | bytes) -> None:
        if isinstance(message, str):
            if self.messages.full():
                self.messages.get_nowait()
            self.messages.put_nowait(message)

    def _listen(self, transceiver: RTCRtpTransceiver, rate: int, handler: Callable[[Received], None] | None) -> None:
        times = _SenderTimes(transceiver.receiver, rate)
        self._pumps.append(asyncio.create_task(self._pump(transceiver.receiver, times, handler)))

    async def _pump(
        self, receiver: RTCRtpReceiver, times: _SenderTimes, handler: Callable[[Received], None] | None
    ) -> None:
        await self.connected.wait()
        early: deque[tuple[Any, float]] = deque(maxlen=_MAX_EARLY)
        track = receiver.track
        while track is not None:
            try:
                frame = await track.recv()
            except MediaStreamError:
                return
            early.append((frame, time.time()))
            while early and times.known:
                one, arrived = early.popleft()
                if handler is not None:
                    handler(Received(one, times.of(one.pts), arrived))


class _SenderTimes:
    """Tells when a frame belongs, from RTCP sender reports.

    aiortc counts a track's time from its first frame and keeps no report; both are changed here for one receiver.
    """

    def __init__(self, receiver: RTCRtpReceiver, rate: int) -> None:
        self._rate = rate
        self._report: tuple[float, int] | None = None
        self._unwrapped: int | None = None
        self._handle = receiver._handle_rtcp_packet
        changed: Any = receiver
        changed._handle_rtcp_packet = self._rtcp
        changed._RTCRtpReceiver__timestamp_mapper = self

    @property
    def known(self) -> bool:
        return self._report is not None

    def map(self, timestamp: int) -> int:
        """In the place of aiortc's mapper: the RTP timestamp itself, unwrapped."""
        if self._unwrapped is None:
            self._unwrapped = timestamp
        self._unwrapped += (timestamp - self._unwrapped + 0x80000000 & 0xFFFFFFFF) - 0x80000000
        return self._unwrapped

    def of(self, timestamp: int) -> float:
        assert self._report is not None
        at, reference = self._report
        return at + ((timestamp - reference + 0x80000000 & 0xFFFFFFFF) - 0x80000000) / self._rate

    async def _rtcp(self, packet: AnyRtcpPacket) -> None:
        if isinstance(packet, RtcpSrPacket):
            info = packet.sender_info
            self._report = (info.ntp_timestamp / (1 << 32) - _NTP_EPOCH_OFFSET, info.rtp_timestamp)
        await self._handle(packet)


class _Microphone(MediaStreamTrack):
    """Silence in real time, and in it what is spoken."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self._clock = SampleClock()
        self._sent = 0
        self._speech: deque[tuple[Pcm, asyncio.Future[None]]] = deque()
        self._offset = 0

    async def speak(self, pcm: Pcm) -> None:
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._speech.append((pcm, done))
        await done

    def stop(self) -> None:
        super().stop()
        while self._speech:
            _, done = self._speech.popleft()
            if not done.done():
                done.cancel()

    async def recv(self) -> av.AudioFrame:
        if self.readyState != "live":
            raise MediaStreamError
        await self._clock.wait(self._sent)
        pcm = np.zeros(_FRAME, np.int16)
        while self._speech and self._speech[0][1].cancelled():
            self._speech.popleft()  # whoever said it was told to be quiet
            self._offset = 0
        if self._speech:
            speech, done = self._speech[0]
            piece = speech[self._offset : self._offset + _FRAME]
            pcm[: len(piece)] = piece
            self._offset += _FRAME
            if self._offset >= len(speech):
                self._speech.popleft()
                self._offset = 0
                if not done.done():
                    done.set_result(None)
        frame = av.AudioFrame.from_ndarray(pcm[np.newaxis], format="s16", layout="mono")
        frame.sample_rate, frame.time_base, frame.pts = SAMPLE_RATE, Fraction(1, SAMPLE_RATE), self._sent
        self._sent += _FRAME
        return frame
