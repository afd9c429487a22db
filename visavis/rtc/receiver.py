"""Receives the user's voice, in the place of aiortc's ``RTCRtpReceiver``.

aiortc's receiver holds back four packets (80 ms), decodes in a thread of its own and queues without bound. A talk
wants the sound at once: packets are decoded as they come, wait only while one before them is missing, and leave as
16 kHz mono in chunks of 20 ms. How many wait for a missing one follows the network: where packets come in after they were
given up, later ones are given more time. What stays missing is bridged (:mod:`visavis.media.opus_decoder`). It offers what
``RTCPeerConnection`` and ``RTCDtlsTransport`` use of a receiver (read in aiortc 1.16).
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from typing import Final

import numpy as np
from aiortc import RTCRtpReceiver
from aiortc.mediastreams import MediaStreamTrack
from aiortc.rtcdtlstransport import RTCDtlsTransport
from aiortc.rtcrtpparameters import RTCRtpReceiveParameters
from aiortc.rtcrtpreceiver import StreamStatistics
from aiortc.rtp import AnyRtcpPacket, RtcpReceiverInfo, RtcpRrPacket, RtcpSrPacket, RtpPacket
from aiortc.stats import RTCStatsReport

from visavis.media.clock import SAMPLE_RATE
from visavis.media.h264 import EncoderError
from visavis.media.opus_decoder import OpusDecoder
from visavis.media.resample import Resampler
from visavis.media.types import Pcm

OUT_RATE: Final = 16_000
CHUNK_MS: Final = 20
"""As long as a packet: what is said is not held back to fill a longer one."""
CHUNK_SAMPLES: Final = OUT_RATE * CHUNK_MS // 1000
_REORDER: Final = (
    3  # packets (60 ms) that wait for a missing one before it is given up, on a network that keeps their order
)
_MOST_REORDER: Final = 20  # 400 ms
_CALM: Final = 250  # packets (5 s) in a row without one that came too late: one fewer waits
_MAX_FILL: Final = SAMPLE_RATE // 2  # silence put in for lost or unsent sound, at most


class OpusReceiver:
    """Decodes one Opus stream. ``on_pcm`` gets int16 mono of shape (320,) at 16 kHz, on the event loop."""

    kind = "audio"

    def __init__(
        self, replaces: RTCRtpReceiver, *, on_pcm: Callable[[Pcm], None], on_activity: Callable[[], None]
    ) -> None:
        self.transport: RTCDtlsTransport = replaces.transport
        self.lost = self.late = self.received = 0
        self._track: MediaStreamTrack | None = None
        self._enabled = True
        self._on_pcm, self._on_activity = on_pcm, on_activity
        self._rtcp_ssrc: int | None = None
        self._rtcp_task: asyncio.Task[None] | None = None
        self._payload_types: frozenset[int] = frozenset()
        self._statistics: dict[int, StreamStatistics] = {}
        self._last_report: dict[int, tuple[int, float]] = {}
        self._ssrc: int | None = None
        self._reset()

    def _reset(self) -> None:
        self._decoder = OpusDecoder()
        self._resampler = Resampler(SAMPLE_RATE, OUT_RATE)
        self._held: dict[int, RtpPacket] = {}
        self._next_sequence: int | None = None
        self._next_timestamp = 0
        self._missing = False
        self._wait, self._calm = _REORDER, 0
        self._rest: Pcm = np.zeros(0, np.int16)

    @property
    def track(self) -> MediaStreamTrack | None:
        return self._track

    def setTransport(self, transport: RTCDtlsTransport) -> None:  # noqa: N802
        self.transport = transport

    async def getStats(self) -> RTCStatsReport:  # noqa: N802
        return RTCStatsReport()

    def _set_rtcp_ssrc(self, ssrc: int) -> None:
        self._rtcp_ssrc = ssrc

    def _handle_disconnect(self) -> None:
        """The transport is gone; the peer hears of it elsewhere."""

    async def receive(self, parameters: RTCRtpReceiveParameters) -> None:
        """Called by aiortc once DTLS is up (again on renegotiation, which changes nothing)."""
        if self._rtcp_task is not None:
            return
        self._payload_types = frozenset(
            codec.payloadType
            for codec in parameters.codecs
            if codec.mimeType.lower() == "audio/opus" and codec.payloadType is not None
        )
        self.transport._register_rtp_receiver(self, parameters)
        self._rtcp_task = asyncio.create_task(self._run_rtcp())

    async def stop(self) -> None:
        if self._rtcp_task is None:
            return
        self.transport._unregister_rtp_receiver(self)
        self._rtcp_task.cancel()
        await asyncio.gather(self._rtcp_task, return_exceptions=True)

    # --- RTP ---------------------------------------------------------------------------------------

    async def _handle_rtp_packet(self, packet: RtpPacket, arrival_time_ms: int) -> None:
        self._on_activity()
        if not self._enabled or packet.payload_type not in self._payload_types:
            return
        if packet.ssrc != self._ssrc:
            self._ssrc = packet.ssrc
            self._reset()
        statistics = self._statistics.get(packet.ssrc)
        if statistics is None:
            self._statistics = {packet.ssrc: (statistics := StreamStatistics(SAMPLE_RATE))}
        statistics.add(packet)
        if self._next_sequence is None:
            self._next_sequence, self._next_timestamp = packet.sequence_number, packet.timestamp
        ahead = packet.sequence_number - self._next_sequence & 0xFFFF
        if ahead >= 0x8000:
            self._came_late(0x10000 - ahead)
            return
        self._calm += 1
        if self._calm >= _CALM:
            self._wait, self._calm = max(_REORDER, self._wait - 1), 0
        self._held[packet.sequence_number] = packet
        if ahead and len(self._held) >= self._wait:
            self._missing = True
            wanted = self._next_sequence
            first = min(self._held, key=lambda number: number - wanted & 0xFFFF)
            self.lost += first - wanted & 0xFFFF
            self._next_sequence = first
        while (ready := self._held.pop(self._next_sequence, None)) is not None:
            self._next_sequence = self._next_sequence + 1 & 0xFFFF
            self._play(ready)

    def _came_late(self, behind: int) -> None:
        """A packet came that was given up (or came twice) when ``behind`` packets after it had been played."""
        if behind <= _MOST_REORDER:
            self.late += 1
            self._wait, self._calm = min(_MOST_REORDER, max(self._wait, behind + 1)), 0

    def _play(self, packet: RtpPacket) -> None:
        if not packet.payload:
            return
        missing, self._missing = self._missing, False
        gap = packet.timestamp - self._next_timestamp & 0xFFFFFFFF
        if 0 < gap < 0x80000000:
            # Lost, or not sent while the person was silent (DTX): the listener needs the time to pass all the same.
            gap = min(gap, _MAX_FILL)
            self._emit(self._decoder.bridge(gap, packet.payload) if missing else np.zeros(gap, np.int16))
        self._next_timestamp = packet.timestamp
        try:
            pcm = self._decoder.decode(packet.payload)
        except EncoderError:
            self.lost += 1
            return
        self.received += 1
        self._emit(pcm)
        self._next_timestamp = packet.timestamp + len(pcm) & 0xFFFFFFFF

    def _emit(self, pcm: Pcm) -> None:
        self._rest = np.concatenate((self._rest, self._resampler.push(pcm)))
        while len(self._rest) >= CHUNK_SAMPLES:
            chunk, self._rest = self._rest[:CHUNK_SAMPLES], self._rest[CHUNK_SAMPLES:]
            self._on_pcm(chunk)

    # --- RTCP --------------------------------------------------------------------------------------

    async def _handle_rtcp_packet(self, packet: AnyRtcpPacket) -> None:
        self._on_activity()
        if isinstance(packet, RtcpSrPacket):
            middle = packet.sender_info.ntp_timestamp >> 16 & 0xFFFFFFFF
            self._last_report = {packet.ssrc: (middle, time.monotonic())}

    async def _run_rtcp(self) -> None:
        while True:
            await asyncio.sleep(0.5 + random.random())
            if self._rtcp_ssrc is None or not self._statistics:
                continue
            reports = []
            for ssrc, statistics in self._statistics.items():
                middle, at = self._last_report.get(ssrc, (0, 0.0))
                delay = min(int((time.monotonic() - at) * 65536), 0xFFFFFFFF) if middle else 0
                reports.append(
                    RtcpReceiverInfo(
                        ssrc=ssrc,
                        fraction_lost=statistics.fraction_lost,
                        packets_lost=statistics.packets_lost,
                        highest_sequence=statistics.cycles + (statistics.max_seq or 0),
                        jitter=statistics.jitter,
                        lsr=middle,
                        dlsr=delay,
                    )
                )
            try:
                await self.transport._send_rtp(bytes(RtcpRrPacket(ssrc=self._rtcp_ssrc, reports=reports)))
            except ConnectionError:
                return
