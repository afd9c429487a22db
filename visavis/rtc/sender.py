"""Sends our own encoded packets over a peer connection, in the place of aiortc's ``RTCRtpSender``.

aiortc's sender packs every packet again for each viewer and stamps sender reports with the time of sending, so encoding
time would shift lips against voice. This one sends units that were packed once and reports times of the stage clock. It
offers what ``RTCPeerConnection`` and ``RTCDtlsTransport`` use of a sender (read in aiortc 1.16).
"""

from __future__ import annotations

import asyncio
import random
import secrets
import uuid
from collections.abc import Callable
from struct import Struct
from typing import Final, Literal

from aiortc import RTCRtpSender
from aiortc.codecs import is_rtx
from aiortc.mediastreams import MediaStreamTrack
from aiortc.rtcdtlstransport import RTCDtlsTransport
from aiortc.rtcrtpparameters import RTCRtpSendParameters
from aiortc.rtp import (
    RTCP_PSFB_APP,
    RTCP_PSFB_FIR,
    RTCP_PSFB_PLI,
    RTCP_RTPFB_NACK,
    AnyRtcpPacket,
    HeaderExtensions,
    HeaderExtensionsMap,
    RtcpByePacket,
    RtcpPsfbPacket,
    RtcpRrPacket,
    RtcpRtpfbPacket,
    RtcpSdesPacket,
    RtcpSenderInfo,
    RtcpSourceInfo,
    RtcpSrPacket,
    unpack_remb_fci,
)
from aiortc.stats import RTCStatsReport

from visavis.media.clock import SAMPLE_RATE, VIDEO_RATE
from visavis.rtc.broadcast import Broadcaster, Outlet, Unit

Kind = Literal["audio", "video"]

_HEADER: Final = Struct("!BBHLL")
_WORD: Final = Struct("!H")
_HISTORY: Final = 512  # packets kept for retransmission: over a second of 2.5 Mbit/s
_OPUS_LOOKAHEAD: Final = 312  # samples by which decoded sound lags its packet's time (libopus, 48 kHz): 6.5 ms
_BURST: Final = 16  # packets sent at once; only an IDR is larger, and it is spread over some milliseconds
_BURST_PAUSE_S: Final = 0.002


class EncodedSender:
    """One medium to one viewer. Opens its outlet once the transport is up, so that nothing queues before."""

    def __init__(
        self,
        kind: Kind,
        replaces: RTCRtpSender,
        broadcaster: Broadcaster,
        *,
        on_activity: Callable[[], None],
        on_bitrate: Callable[[int], None] | None = None,
    ) -> None:
        """``on_activity``: RTCP came from the viewer. ``on_bitrate``: its estimate of the path (REMB), bit/s."""
        self.kind = kind
        self.clock_rate = VIDEO_RATE if kind == "video" else SAMPLE_RATE
        # Told in the sender reports, so that receivers do not play voice 6.5 ms after the lips.
        self._codec_delay = 0 if kind == "video" else _OPUS_LOOKAHEAD
        self.track: MediaStreamTrack | None = None
        self.rtt: float | None = None
        self.packets_sent = self.octets_sent = self.retransmitted = 0
        self.transport: RTCDtlsTransport = replaces.transport
        self._broadcaster = broadcaster
        self._timeline = broadcaster.timeline
        self._on_activity, self._on_bitrate = on_activity, on_bitrate
        # What aiortc reads of a sender: identity for the SDP, and whether the direction lets it send.
        self._ssrc, self._rtx_ssrc = replaces._ssrc, replaces._rtx_ssrc
        self._stream_id = replaces._stream_id
        self._track_id = str(uuid.uuid4())
        self._enabled = True

        self._outlet: Outlet | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._extensions = HeaderExtensionsMap()
        self._mid = self._cname = ""
        self._payload_type = 0
        self._rtx_payload_type: int | None = None
        # Random starts (RFC 3550, 5.1); the sequence in its lower half: SRTP's roll-over counter wants no early wrap.
        self._sequence = secrets.randbelow(1 << 15)
        self._rtx_sequence = secrets.randbelow(1 << 15)
        self._origin = secrets.randbits(32)
        self._history: list[tuple[int, int, bool, bytes] | None] = [None] * _HISTORY
        self._reports: dict[int, float] = {}

    def setTransport(self, transport: RTCDtlsTransport) -> None:  # noqa: N802
        self.transport = transport

    def replaceTrack(self, track: MediaStreamTrack | None) -> None:  # noqa: N802
        raise NotImplementedError("an EncodedSender has no track")

    async def getStats(self) -> RTCStatsReport:  # noqa: N802
        return RTCStatsReport()

    def heard_at(self, position: int) -> int:
        """The RTP timestamp at which this viewer hears the sample ``position`` of the stage clock (sound senders only)."""
        return self._origin + position + self._codec_delay & 0xFFFFFFFF

    @property
    def dropped(self) -> int:
        """Units that this viewer's queue dropped."""
        return self._outlet.dropped if self._outlet else 0

    async def send(self, parameters: RTCRtpSendParameters) -> None:
        """Called by aiortc once DTLS is up (again on renegotiation, which changes nothing)."""
        if self._tasks:
            return
        self._mid, self._cname = parameters.muxId, parameters.rtcp.cname or ""
        self._payload_type = parameters.codecs[0].payloadType or 0
        for codec in parameters.codecs:
            if is_rtx(codec) and codec.parameters["apt"] == self._payload_type:
                self._rtx_payload_type = codec.payloadType
        self._extensions.configure(parameters)
        self.transport._register_rtp_sender(self, parameters)
        broadcaster = self._broadcaster
        self._outlet = broadcaster.open_video() if self.kind == "video" else broadcaster.open_audio()
        self._tasks = [asyncio.create_task(self._run_rtp(self._outlet)), asyncio.create_task(self._run_rtcp())]

    async def stop(self) -> None:
        """Say goodbye and end; quick."""
        if self._outlet is None:
            return
        self._broadcaster.close_outlet(self._outlet)
        self._outlet = None
        self.transport._unregister_rtp_sender(self)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._send_quietly(bytes(RtcpByePacket(sources=[self._ssrc])))

    # --- out ---------------------------------------------------------------------------------------

    async def _run_rtp(self, outlet: Outlet) -> None:
        reported = False
        try:
            while True:
                unit = await outlet.get()
                if not self._enabled:
                    continue
                await self._send_unit(unit)
                if not reported:
                    # At once, or the receiver plays its first second unsynchronised.
                    reported = True
                    await self._send_report()
        except ConnectionError:
            self._broadcaster.close_outlet(outlet)

    async def _send_unit(self, unit: Unit) -> None:
        timestamp = self._origin + unit.pts & 0xFFFFFFFF
        last = len(unit.payloads) - 1
        for index, payload in enumerate(unit.payloads):
            if index and index % _BURST == 0:
                await asyncio.sleep(_BURST_PAUSE_S)
            sequence = self._sequence
            self._sequence = sequence + 1 & 0xFFFF
            if self.kind == "video":
                self._history[sequence % _HISTORY] = (sequence, timestamp, index == last, payload)
            packet = self._pack(self._payload_type, sequence, timestamp, self._ssrc, index == last, payload)
            await self.transport._send_rtp(packet)
            self.packets_sent += 1
            self.octets_sent += len(payload)

    def _pack(self, payload_type: int, sequence: int, timestamp: int, ssrc: int, marker: bool, payload: bytes) -> bytes:
        sent = self._timeline.ntp(self._timeline.now()) >> 14 & 0x00FFFFFF
        profile, value = self._extensions.set(HeaderExtensions(mid=self._mid, abs_send_time=sent))
        first = 0x90 if value else 0x80
        header = _HEADER.pack(first, marker << 7 | payload_type, sequence, timestamp, ssrc)
        if not value:
            return header + payload
        return b"".join((header, _WORD.pack(profile), _WORD.pack(len(value) >> 2), value, payload))

    async def _run_rtcp(self) -> None:
        while True:
            # RFC 3550, 6.3.1: spread around the interval of one second.
            await asyncio.sleep(0.5 + random.random())
            if self.packets_sent:
                await self._send_report()

    async def _send_report(self) -> None:
        at = self._timeline.now()
        ntp = self._timeline.ntp(at)
        info = RtcpSenderInfo(
            ntp_timestamp=ntp,
            rtp_timestamp=self._origin + self._timeline.ticks(at, self.clock_rate) + self._codec_delay & 0xFFFFFFFF,
            packet_count=self.packets_sent & 0xFFFFFFFF,
            octet_count=self.octets_sent & 0xFFFFFFFF,
        )
        self._reports[ntp >> 16 & 0xFFFFFFFF] = at
        while len(self._reports) > 8:
            del self._reports[next(iter(self._reports))]
        names = RtcpSdesPacket(chunks=[RtcpSourceInfo(ssrc=self._ssrc, items=[(1, self._cname.encode())])])
        await self._send_quietly(bytes(RtcpSrPacket(ssrc=self._ssrc, sender_info=info)) + bytes(names))

    async def _send_quietly(self, packet: bytes) -> None:
        try:
            await self.transport._send_rtp(packet)
        except ConnectionError:
            return  # the peer is going; whoever owns it learns from the transport

    # --- in ----------------------------------------------------------------------------------------

    async def _handle_rtcp_packet(self, packet: AnyRtcpPacket) -> None:
        """Called by the transport with the viewer's feedback."""
        self._on_activity()
        if isinstance(packet, RtcpRrPacket | RtcpSrPacket):
            for report in packet.reports:
                sent = self._reports.get(report.lsr) if report.ssrc == self._ssrc and report.lsr else None
                if sent is not None:
                    self.rtt = max(0.0, self._timeline.now() - sent - report.dlsr / 65536)
        elif isinstance(packet, RtcpRtpfbPacket) and packet.fmt == RTCP_RTPFB_NACK:
            for sequence in packet.lost:
                await self._retransmit(sequence)
        elif isinstance(packet, RtcpPsfbPacket) and packet.fmt in (RTCP_PSFB_FIR, RTCP_PSFB_PLI):
            self._broadcaster.request_keyframe()
        elif isinstance(packet, RtcpPsfbPacket) and packet.fmt == RTCP_PSFB_APP and self._on_bitrate is not None:
            try:
                bitrate, sources = unpack_remb_fci(packet.fci)
            except ValueError:
                return
            if self._ssrc in sources:
                self._on_bitrate(bitrate)

    async def _retransmit(self, sequence: int) -> None:
        kept = self._history[sequence % _HISTORY]
        if kept is None or kept[0] != sequence:
            return
        _, timestamp, marker, payload = kept
        if self._rtx_payload_type is None:
            packet = self._pack(self._payload_type, sequence, timestamp, self._ssrc, marker, payload)
        else:
            # RFC 4588: the original sequence number goes before the payload.
            packet = self._pack(
                self._rtx_payload_type, self._rtx_sequence, timestamp, self._rtx_ssrc, marker,
                _WORD.pack(sequence) + payload,
            )  # fmt: skip
            self._rtx_sequence = self._rtx_sequence + 1 & 0xFFFF
        self.retransmitted += 1
        await self._send_quietly(packet)
