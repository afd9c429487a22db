"""A small stage and a signalling without HTTP, to drive real rooms and real clients over loopback."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import numpy as np

from visavis.media.clock import SampleClock
from visavis.media.h264 import H264Encoder
from visavis.media.opus import OpusEncoder
from visavis.rtc.broadcast import Broadcaster
from visavis.rtc.client import Received
from visavis.rtc.ice import IceServer
from visavis.rtc.ports import IceConfig
from visavis.rtc.room import Room, RoomEvents
from visavis.rtc.sdpfrag import Trickled

LOOPBACK = IceConfig(addresses=("127.0.0.1",))


class Stage:
    """25 fps of one colour and a tone, really encoded; both may be changed as a function of the stage clock."""

    def __init__(self, width: int = 320, height: int = 240) -> None:
        self.broadcaster = Broadcaster(self._need_idr)
        self.yuv = (81, 90, 240)  # red
        self.hz = 600.0
        self.light: Callable[[float], int] | None = None
        self.paint: Callable[[np.ndarray, float], None] | None = None  # draws on the luma plane
        self.loudness: Callable[[float], float] = lambda _: 8000.0
        self.forced: list[int] = []
        self.video = H264Encoder(width, height, bitrate_kbps=800)
        self.audio = OpusEncoder()
        self._idr = False
        self._picture = np.empty((height * 3 // 2, width), np.uint8)
        self._height = height

    def _need_idr(self) -> None:
        self._idr = True

    async def run(self) -> None:
        clock = SampleClock(max_lag_s=10)
        sample = 0
        while True:
            await clock.wait(sample)
            if sample % 1920 == 0:
                y, u, v = self.yuv
                if self.light is not None:
                    y, u, v = self.light(sample / 48_000), 128, 128
                self._picture[: self._height] = y
                self._picture[self._height : self._height * 5 // 4] = u
                self._picture[self._height * 5 // 4 :] = v
                if self.paint is not None:
                    self.paint(self._picture[: self._height], sample / 48_000)
                idr, self._idr = self._idr, False
                if idr:
                    self.forced.append(sample)
                self.broadcaster.push_video(self.video.encode(self._picture, sample * 15 // 8, idr))
            times = (sample + np.arange(960)) / 48_000
            pcm = (self.loudness(sample / 48_000) * np.sin(2 * np.pi * self.hz * times)).astype(np.int16)
            self.broadcaster.push_audio(self.audio.encode(pcm, sample))
            sample += 960


class DirectSignalling:
    """Calls the room instead of a server."""

    def __init__(
        self, room: Room, user_type: str = "END_USER", user_id: str = "user", servers: Sequence[IceServer] = ()
    ) -> None:
        self.room, self.user_type, self.user_id, self.servers = room, user_type, user_id, list(servers)
        self.answer = ""

    async def ice_servers(self) -> list[IceServer]:
        return self.servers

    async def offer(self, sdp: str, pc_id: str | None = None, restart: bool = False) -> tuple[str, str]:
        pc_id, self.answer = await self.room.offer(self.user_type, self.user_id, sdp, pc_id, restart)
        return pc_id, self.answer

    async def candidates(self, pc_id: str, candidates: Sequence[Trickled]) -> None:
        self.room.candidates(pc_id, candidates, self.user_id)

    async def leave(self, pc_id: str) -> None:
        await self.room.leave(pc_id, self.user_id)

    async def aclose(self) -> None:
        pass


class Inbox:
    """Collects what a client receives and lets a test wait for it."""

    def __init__(self) -> None:
        self.items: list[Received] = []
        self._changed = asyncio.Event()

    def __call__(self, item: Received) -> None:
        self.items.append(item)
        self._changed.set()

    async def until(self, enough: Callable[[list[Received]], bool], timeout: float = 10) -> list[Received]:
        async with asyncio.timeout(timeout):
            while not enough(self.items):
                self._changed.clear()
                await self._changed.wait()
        return self.items

    async def count(self, number: int, timeout: float = 10) -> list[Received]:
        return await self.until(lambda items: len(items) >= number, timeout)


@asynccontextmanager
async def show(
    events: RoomEvents | None = None, config: IceConfig = LOOPBACK, *, patience: float = 20, **options: int
) -> AsyncIterator[tuple[Room, Stage]]:
    """A room with a running stage; on leaving, everything must be over within two seconds."""
    stage = Stage()
    room = Room(stage.broadcaster, config, events, **options)
    running = asyncio.create_task(stage.run())
    try:
        async with asyncio.timeout(patience):  # rather than the plugin's, which cannot stop aiortc's decoder threads
            yield room, stage
    finally:
        running.cancel()
        async with asyncio.timeout(2):
            await room.close()
        await asyncio.gather(running, return_exceptions=True)


def colour(item: Received) -> tuple[int, int, int]:
    """Y, U and V at the picture's middle."""
    picture = item.frame.to_ndarray(format="yuv420p")
    height = item.frame.height
    return tuple(int(picture[row, picture.shape[1] // 4]) for row in (height // 2, height * 9 // 8, height * 11 // 8))  # type: ignore[return-value]


def sound(items: Sequence[Received]) -> np.ndarray:
    """All sound of ``items``, mono."""
    return np.concatenate([one.frame.to_ndarray().reshape(-1, 2)[:, 0] for one in items])


def pitch(pcm: np.ndarray, rate: int) -> float:
    """The loudest frequency, Hz."""
    spectrum = np.abs(np.fft.rfft(pcm.astype(float) * np.hanning(len(pcm))))
    return float(np.argmax(spectrum) * rate / len(pcm))
