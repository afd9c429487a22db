"""Takes the digital human's own voice out of what a microphone brings: WebRTC's canceller (AEC3), on the server.

Browsers cancel the echo themselves, before anything is sent. What has no canceller (a native client, a browser told not to, a loudspeaker
bar behind a mixer) sends the answer back with the question: it would interrupt itself. What went out is known here to the sample;
what comes back of it comes after the way to the client, its jitter buffer, the room and the way back.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from pywebrtc_audio import EchoCanceller as _Aec3

from visavis.media.resample import Resampler
from visavis.media.types import Pcm

RATE: Final = 16_000
SOUND_RATE: Final = 48_000
NEAREST_S: Final = 0.06
"""No echo comes back sooner: packets, the client's buffer, the sound card. AEC3 finds a delay of up to 0.45 s beyond that by itself."""
MOST_ROUND_TRIP_S: Final = 1.0
KEPT_S: Final = 4.0
"""So much of what was said is kept."""
STRAYED_S: Final = 0.25
"""The two streams have drifted apart by so much: they are aligned anew."""

_STEP: Final = SOUND_RATE // RATE
_KEPT: Final = int(KEPT_S * RATE)
_NEVER: Final = -(1 << 40)
_QUIET_AFTER: Final = int(1.5 * RATE)


class EchoCanceller:
    """One microphone's canceller. All methods belong to one thread; ``clean`` costs some 7 ms of computing for each second of sound
    while the digital human speaks and shortly after, and nothing else."""

    def __init__(self, clock: Callable[[], int]) -> None:
        """``clock``: samples at 48 kHz that have gone out until now (:meth:`visavis.session.stage.Stage.clock`)."""
        self._clock = clock
        self._aec: _Aec3 | None = None
        self._ring = np.zeros(_KEPT, np.int16)
        self._end = _NEVER  # what lies from here on in the ring is not known yet, or silent
        self._resampler = Resampler(SOUND_RATE, RATE)
        self._next = -1
        self._write = 0
        self._read: int | None = None
        self._round_trip = 0

    def path(self, round_trip_s: float) -> None:
        """What is known of the network: a packet's way there and back, in seconds."""
        self._round_trip = int(min(max(round_trip_s, 0.0), MOST_ROUND_TRIP_S) * RATE)

    def played(self, pcm: Pcm, position: int) -> None:
        """What goes out at ``position`` of the clock: mono int16 at 48 kHz. Silence need not be told."""
        if position != self._next:
            self._resampler = Resampler(SOUND_RATE, RATE)
            self._write = max(position // _STEP, self._end - _KEPT // 2)
        self._next = position + len(pcm)
        self._put(self._resampler.push(pcm))

    def clean(self, pcm: Pcm) -> Pcm:
        """What the microphone brought (mono int16 at 16 kHz, a multiple of 10 ms) without the digital human's voice in it."""
        count = len(pcm)
        due = self._clock() // _STEP - count - int(NEAREST_S * RATE) - self._round_trip
        if self._read is None or abs(due - self._read) > STRAYED_S * RATE:
            self._read = due
        read = self._read
        self._read = read + count
        if self._end + _QUIET_AFTER + self._round_trip < read:
            return pcm  # nothing has sounded for so long that nothing of it can come back
        if self._aec is None:
            self._aec = _Aec3(RATE, 1)
        return self._aec.process(np.ascontiguousarray(pcm), self._get(read, count))

    def _put(self, pcm: Pcm) -> None:
        begin = self._write
        self._silence(begin)
        self._ring[np.arange(begin, begin + len(pcm)) % _KEPT] = pcm
        self._write = self._end = begin + len(pcm)

    def _silence(self, until: int) -> None:
        """Nothing sounded between the last sound and ``until``."""
        count = until - self._end
        if count >= _KEPT:
            self._ring[:] = 0
        elif count > 0:
            self._ring[np.arange(self._end, until) % _KEPT] = 0

    def _get(self, begin: int, count: int) -> Pcm:
        out = np.zeros(count, np.int16)
        first, last = max(begin, self._end - _KEPT, 0), min(begin + count, self._end)
        if first < last:
            out[first - begin : last - begin] = self._ring[np.arange(first, last) % _KEPT]
        return out
