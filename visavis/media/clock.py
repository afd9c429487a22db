"""The stage's clock: real time, counted in audio samples.

Sound decides when anything happens (a listener hears a gap of 10 ms, but hardly sees a late frame), so the one clock
of a session counts samples at 48 kHz; a video frame at 25 fps lasts 1920 of them.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

SAMPLE_RATE: Final = 48_000
"""Sample rate of the stage and of Opus in RTP (RFC 7587), Hz."""

VIDEO_RATE: Final = 90_000
"""RTP clock of video, Hz."""


@dataclass(slots=True)
class Lateness:
    """How punctual a clock's waits were. ``slipped_s``: time given up because the lag had grown beyond repair."""

    ticks: int = 0
    late: int = 0
    worst_s: float = 0.0
    slips: int = 0
    slipped_s: float = 0.0


class SampleClock:
    """Paces a producer in samples.

    ``wait(n)`` returns when sample ``n`` is due. Deadlines are absolute, so errors do not add up. A producer that was
    held up catches up at no more than twice real time (no bursts); when it lags by more than ``max_lag_s`` the clock
    slips: the lost time is given up, so that sound goes on delayed instead of being rushed or cut.
    """

    def __init__(
        self,
        *,
        rate: int = SAMPLE_RATE,
        late_s: float = 0.020,
        max_lag_s: float = 0.25,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """``late_s``: a wait that returns later than this counts as late. ``now``: monotonic seconds."""
        self.rate = rate
        self.lateness = Lateness()
        self._late_s = late_s
        self._max_lag_s = max_lag_s
        self._now = now
        self._sleep = sleep
        self._origin: float | None = None
        self._last_samples = 0
        self._last_return = 0.0

    def start(self, at: float | None = None) -> None:
        """Sample 0 is due at ``at`` (monotonic seconds; None: now)."""
        self._origin = self._now() if at is None else at
        self._last_samples = 0
        self._last_return = self._origin

    @property
    def started(self) -> bool:
        return self._origin is not None

    @property
    def samples(self) -> int:
        """The sample that is due now; 0 before the start."""
        return 0 if self._origin is None else int((self._now() - self._origin) * self.rate)

    def due(self, samples: int) -> float:
        """When sample ``samples`` is due, monotonic seconds. Starts the clock if need be."""
        if self._origin is None:
            self.start()
        assert self._origin is not None
        return self._origin + samples / self.rate

    async def wait(self, samples: int) -> float:
        """Wait until ``samples`` is due.

        Returns:
            How late it is, seconds (0: on time or less than a scheduler's tick late).
        """
        deadline = self.due(samples)
        # Half the nominal distance since the last return: a late producer catches up at twice real time at most.
        earliest = self._last_return + (samples - self._last_samples) / self.rate / 2
        present = self._now()
        target = max(deadline, earliest)
        if target > present:
            await self._sleep(target - present)
            present = self._now()
        lag = max(0.0, present - deadline)
        self._account(lag)
        self._last_samples, self._last_return = samples, present
        return lag

    def _account(self, lag: float) -> None:
        note = self.lateness
        note.ticks += 1
        note.worst_s = max(note.worst_s, lag)
        if lag > self._late_s:
            note.late += 1
        if lag > self._max_lag_s:
            assert self._origin is not None
            self._origin += lag
            note.slips += 1
            note.slipped_s += lag
