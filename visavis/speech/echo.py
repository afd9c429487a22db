"""Takes the digital human's own voice out of what a microphone brings, on the server.

Browsers cancel the echo themselves, before anything is sent. What has no canceller (a native client, a browser told not to, a loudspeaker
bar behind a mixer) sends the answer back with the question: it would interrupt itself. What went out is known here to the sample;
what comes back of it comes after the way to the client, its jitter buffer, the room and the way back.

A filter learns that way and takes out what comes by it (:mod:`visavis.speech.echo_filter`). A gate decides for each block whether
somebody speaks: then what the filter left goes on as it is, else next to nothing does (:mod:`visavis.speech.echo_gate`). Where no
echo is found the microphone goes on untouched, to the bit. For loudspeakers as loud as the person there is WebRTC's canceller
(:mod:`visavis.speech.echo_aec3`), which makes whoever speaks over the voice hard to understand (measured in ``docs/turn-taking.md``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

import numpy as np

from visavis.media.resample import Resampler
from visavis.media.types import Pcm
from visavis.speech.echo_aec3 import Aec3
from visavis.speech.echo_filter import BLOCK, EchoFilter
from visavis.speech.echo_gate import EchoGate

RATE: Final = 16_000
SOUND_RATE: Final = 48_000
NEAREST_S: Final = 0.06
"""No echo comes back sooner: packets, the client's buffer, the sound card. The filter finds what comes up to 0.48 s behind that."""
MOST_ROUND_TRIP_S: Final = 1.0
KEPT_S: Final = 4.0
"""So much of what was said is kept."""
STRAYED_S: Final = 0.25
"""The two streams have drifted apart by so much: they are aligned anew."""

CLOSED: Final = 0.03
"""What is left of a block in which nothing but an echo is, -30 dB."""

_STEP: Final = SOUND_RATE // RATE
_KEPT: Final = int(KEPT_S * RATE)
_NEVER: Final = -(1 << 40)
_QUIET_AFTER: Final = int(1.5 * RATE)  # > NEAREST_S, the filter's length, and a room's last echo


class Remover(Protocol):
    """Takes out of a microphone what comes of the sound that went out."""

    def remove(self, pcm: Pcm, sound: Pcm) -> Pcm:
        """A multiple of 20 ms of the microphone without its echo, as long and without delay. ``sound``: what may come back in it."""
        ...

    def realign(self) -> None:
        """From here on the two may lie differently."""
        ...


class Gated:
    """The filter and the gate. Implements ``Remover``."""

    def __init__(self) -> None:
        self._filter = EchoFilter()
        self._gate = EchoGate()
        self._gain = 1.0

    def realign(self) -> None:
        self._filter.forget_sound()

    def remove(self, pcm: Pcm, sound: Pcm) -> Pcm:
        out = pcm.copy()
        for begin in range(0, len(pcm), BLOCK):
            block = slice(begin, begin + BLOCK)
            self._clean(out[block], sound[block])
        return out

    def _clean(self, pcm: Pcm, sound: Pcm) -> None:
        """One block, in its place."""
        microphone = pcm.astype(np.float32)
        heard = self._filter.cancel(microphone, sound.astype(np.float32))
        before, self._gain = self._gain, 1.0 if self._gate.opens(microphone, heard) else CLOSED
        if self._gate.moved:
            self._filter.doubt()
        if before == self._gain == 1.0 and not self._gate.present:
            return
        left = heard.left if self._gate.present else microphone
        pcm[:] = np.clip(np.round(left * np.linspace(before, self._gain, BLOCK)), -32768, 32767)


class EchoCanceller:
    """One microphone's canceller. All methods belong to one thread; ``clean`` costs some 12 ms of computing for each second of sound
    while the digital human speaks and shortly after, and nothing else. What was learnt is kept from one answer to the next."""

    def __init__(self, clock: Callable[[], int], *, loud: bool = False) -> None:
        """
        Args:
            clock: samples at 48 kHz that have gone out until now (:meth:`visavis.session.stage.Stage.clock`).
            loud: the echo is about as loud as the person.
        """
        self._clock = clock
        self._remover: Remover = Aec3(RATE) if loud else Gated()
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
        """What the microphone brought (mono int16 at 16 kHz) without the digital human's voice in it, as long and without delay.

        Raises ValueError: no multiple of 20 ms.
        """
        count = len(pcm)
        if count % BLOCK:
            raise ValueError(f"sound comes in blocks of {BLOCK} samples, not {count}")
        due = self._clock() // _STEP - count - int(NEAREST_S * RATE) - self._round_trip
        if self._read is None or abs(due - self._read) > STRAYED_S * RATE:
            self._read = due
            self._remover.realign()
        read = self._read
        self._read = read + count
        if self._end + _QUIET_AFTER + self._round_trip < read:
            return pcm  # nothing has sounded for so long that nothing of it can come back
        return self._remover.remove(pcm, self._get(read, count))

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
