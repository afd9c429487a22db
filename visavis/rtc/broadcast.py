"""One encode for all viewers: encoded media in, bounded queues out.

Each viewer has one outlet for pictures and one for sound. Pushing never waits: an outlet that is not emptied in time
drops what is old. All of it belongs to one event loop.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from visavis.media.clock import SAMPLE_RATE, VIDEO_RATE
from visavis.media.types import EncodedAudio, EncodedFrame
from visavis.rtc.packetizer import packetize_h264

VIDEO_QUEUE_MS: Final = 400
"""A viewer's pictures in waiting. When full: all are dropped, and the viewer waits for the next IDR."""

AUDIO_QUEUE_MS: Final = 60
"""A viewer's sound in waiting. When full: the oldest is dropped. Short, so that an interruption is heard at once."""

KEYFRAME_INTERVAL_S: Final = 0.5
"""At most one IDR is asked for in this time, however many viewers want one."""

MotionSink = Callable[[bytes, int], None]
"""Takes a motion message and its place on the stage clock, 1/48000 s; drops it rather than wait."""

_NTP_EPOCH_OFFSET: Final = 2_208_988_800  # seconds from 1900 to 1970


@dataclass(frozen=True, slots=True)
class Unit:
    """One access unit or sound packet, cut for the wire. ``pts`` in ticks of the medium's RTP clock."""

    payloads: tuple[bytes, ...]
    pts: int
    keyframe: bool = True


class Timeline:
    """Maps the stage clock to real time, the same way for pictures and sound.

    RTCP sender reports of both are computed from this one line, so a receiver finds them in sync exactly, whatever
    encoding or sending took (RFC 3550, 6.4.1).
    """

    def __init__(self, now: Callable[[], float] = time.monotonic, wall: Callable[[], float] = time.time) -> None:
        self.now = now
        self._wall_offset = wall() - now()
        self._zero: float | None = None

    def observe(self, pts: int, rate: int) -> None:
        """The first medium pushed fixes where the stage clock's zero lies."""
        if self._zero is None:
            self._zero = self.now() - pts / rate

    def ticks(self, at: float, rate: int) -> int:
        """The stage clock at monotonic time ``at``, in ticks of ``rate`` Hz."""
        return round((at - (self._zero if self._zero is not None else at)) * rate)

    def ntp(self, at: float) -> int:
        """Monotonic time ``at`` as a 64-bit NTP timestamp."""
        seconds = at + self._wall_offset + _NTP_EPOCH_OFFSET
        whole = int(seconds)
        return whole << 32 | int((seconds - whole) * (1 << 32))


class Outlet:
    """One viewer's queue of one medium; a single consumer awaits ``get``."""

    def __init__(self, limit_ticks: int) -> None:
        self._limit = limit_ticks
        self._units: deque[Unit] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self.dropped = 0

    async def get(self) -> Unit:
        """The next unit; waits for one."""
        while not self._units:
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        return self._units.popleft()

    def put(self, unit: Unit) -> None:
        """Add a unit; never waits."""
        raise NotImplementedError

    def _append(self, unit: Unit) -> None:
        self._units.append(unit)
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _full(self, unit: Unit) -> bool:
        return bool(self._units) and unit.pts - self._units[0].pts >= self._limit


class AudioOutlet(Outlet):
    """When full, the oldest sound goes."""

    def __init__(self) -> None:
        super().__init__(SAMPLE_RATE * AUDIO_QUEUE_MS // 1000)

    def put(self, unit: Unit) -> None:
        while self._full(unit):
            self._units.popleft()
            self.dropped += 1
        self._append(unit)


class VideoOutlet(Outlet):
    """Starts with an IDR; when full, everything goes and the next IDR starts anew."""

    def __init__(self, need_keyframe: Callable[[], None]) -> None:
        super().__init__(VIDEO_RATE * VIDEO_QUEUE_MS // 1000)
        self._need_keyframe = need_keyframe
        self._wants_idr = True

    def put(self, unit: Unit) -> None:
        if unit.keyframe:
            # What waits before an IDR is of no use any more.
            self.dropped += len(self._units)
            self._units.clear()
            self._wants_idr = False
        elif self._wants_idr:
            self.dropped += 1
            return
        elif self._full(unit):
            self.dropped += len(self._units) + 1
            self._units.clear()
            self._wants_idr = True
            self._need_keyframe()
            return
        self._append(unit)


class Broadcaster:
    """Takes each encoded picture and sound packet once and hands it to every viewer.

    ``on_keyframe_needed`` is called (on the event loop) when a viewer joined, lost data or fell behind: make the next
    picture an IDR, and if the picture rests, encode it once more. It is called at most once per
    ``KEYFRAME_INTERVAL_S``; requests within that time are not lost but kept for its end.
    """

    def __init__(self, on_keyframe_needed: Callable[[], None] | None = None, timeline: Timeline | None = None) -> None:
        self.on_keyframe_needed = on_keyframe_needed
        self.on_motion_viewer: Callable[[], None] | None = None
        self.timeline = timeline or Timeline()
        self.keyframe_requests = 0
        self._video: set[VideoOutlet] = set()
        self._audio: set[AudioOutlet] = set()
        self._motion: set[MotionSink] = set()
        self._last_idr = float("-inf")
        self._last_ask = float("-inf")
        self._timer: asyncio.TimerHandle | None = None

    @property
    def viewers(self) -> int:
        """How many watch or listen at the moment."""
        return max(len(self._video), len(self._audio), len(self._motion))

    @property
    def picture_viewers(self) -> int:
        """How many want pictures; nothing need be drawn for the others."""
        return len(self._video)

    @property
    def motion_viewers(self) -> int:
        """How many draw for themselves and want motion."""
        return len(self._motion)

    def push_video(self, frame: EncodedFrame) -> None:
        """Send a picture to every viewer. Never blocks."""
        self.timeline.observe(frame.pts, VIDEO_RATE)
        if self._video:
            if frame.keyframe:  # one that nobody saw helps nobody
                self._last_idr = self.timeline.now()
                self._cancel_timer()
            unit = Unit(packetize_h264(frame.data), frame.pts, frame.keyframe)
            for outlet in self._video:
                outlet.put(unit)

    def push_audio(self, packet: EncodedAudio) -> None:
        """Send 20 ms of sound to every viewer. Never blocks."""
        self.timeline.observe(packet.pts, SAMPLE_RATE)
        if self._audio:
            unit = Unit((packet.data,), packet.pts)
            for outlet in self._audio:
                outlet.put(unit)

    def push_motion(self, message: bytes, position: int) -> None:
        """Send a motion message (:mod:`visavis.motion.wire`) to who draws for himself. ``position``: 1/48000 s. Never blocks."""
        for sink in tuple(self._motion):
            sink(message, position)

    def open_motion(self, sink: MotionSink) -> None:
        """A new viewer that draws for itself; ``on_motion_viewer`` is called, so that it need not wait for a movement."""
        self._motion.add(sink)
        if self.on_motion_viewer is not None:
            self.on_motion_viewer()

    def close_motion(self, sink: MotionSink) -> None:
        """It left."""
        self._motion.discard(sink)

    def open_video(self) -> VideoOutlet:
        """A new viewer's pictures, beginning with an IDR that is asked for at once."""
        outlet = VideoOutlet(self.request_keyframe)
        self._video.add(outlet)
        self.request_keyframe()
        return outlet

    def open_audio(self) -> AudioOutlet:
        """A new viewer's sound."""
        outlet = AudioOutlet()
        self._audio.add(outlet)
        return outlet

    def close_outlet(self, outlet: Outlet) -> None:
        """The viewer left."""
        self._video.discard(outlet)
        self._audio.discard(outlet)

    def request_keyframe(self) -> None:
        """A viewer needs an IDR (it joined, or sent PLI or FIR)."""
        if self._timer is not None:
            return
        wait = max(self._last_idr, self._last_ask) + KEYFRAME_INTERVAL_S - self.timeline.now()
        if wait <= 0:
            self._ask()
        else:
            self._timer = asyncio.get_running_loop().call_later(wait, self._ask)

    def close(self) -> None:
        """Forget all viewers and pending requests."""
        self._cancel_timer()
        self._video.clear()
        self._audio.clear()
        self._motion.clear()

    def _ask(self) -> None:
        self._timer = None
        self._last_ask = self.timeline.now()
        self.keyframe_requests += 1
        if self.on_keyframe_needed is not None:
            self.on_keyframe_needed()

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
