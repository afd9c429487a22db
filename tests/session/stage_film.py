"""The real stage, filmed: what a viewer decodes, on a clock that waits for the easel instead of the wall.

Stage, easel, replay, director, face, compositor and encoder are those of a session. Only time is not: it passes when
nothing is left to do until the next timer, so that no picture is ever late, however busy the machine, and a minute of
stage takes as long as its pictures.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt

from visavis.avatar.compositor import open_renderer
from visavis.avatar.layout import Layout
from visavis.avatar.pack import Pack
from visavis.avatar.types import Renderer
from visavis.media.h264 import H264Encoder
from visavis.media.opus import OpusEncoder
from visavis.media.types import EncodedAudio, EncodedFrame
from visavis.motion.director import Director
from visavis.motion.loops import ASLEEP, IDLE, loop
from visavis.session.easel import Easel
from visavis.session.face import Face
from visavis.session.replay import LoopShelf, Repeated, Replay
from visavis.session.script import Utterance
from visavis.session.stage import REST_STRIDE, Stage

FPS = 25
Luma = npt.NDArray[np.uint8]


def bitrate_kbps(layout: Layout) -> int:
    """2500 at 720x1280, as a room's, and of other sizes as much a pixel."""
    return round(2500 * layout.width * layout.height / (720 * 1280))


class _Patient(selectors.DefaultSelector):
    """Instead of waiting for a timer it turns the clock forward, unless a thread is at work."""

    loop: PatientLoop

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None or timeout <= 0:
            return super().select(timeout)
        if self.loop.working:
            return super().select(None)  # a thread that is done wakes the loop
        self.loop.passed += timeout
        return super().select(0)


class PatientLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock stands still while threads work for it."""

    def __init__(self) -> None:
        self.passed = 0.0
        self.working = 0
        selector = _Patient()
        selector.loop = self
        super().__init__(selector)

    def time(self) -> float:
        return self.passed

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> asyncio.Future[Any]:
        done = super().run_in_executor(executor, func, *args)
        self.working += 1
        done.add_done_callback(self._back)
        return done

    def _back(self, _: object) -> None:
        self.working -= 1


@dataclass
class Reel:
    """An outlet that keeps what was sent."""

    viewers: int = 1
    motion_viewers: int = 0
    video: list[EncodedFrame] = field(default_factory=list)
    audio: list[EncodedAudio] = field(default_factory=list)

    @property
    def picture_viewers(self) -> int:
        return self.viewers

    def push_motion(self, message: bytes, position: int) -> None:
        raise AssertionError("nobody draws for himself")

    def push_video(self, frame: EncodedFrame) -> None:
        self.video.append(frame)

    def push_audio(self, packet: EncodedAudio) -> None:
        self.audio.append(packet)

    def decoded(self) -> tuple[npt.NDArray[np.float64], list[Luma]]:
        """Stage times and luma of the pictures, as a viewer sees them who was there from the first on."""
        decoder = av.CodecContext.create("h264", "r")
        decoder.thread_count = 1
        times, pictures = [], []
        for frame in self.video:
            packet = av.Packet(frame.data)
            packet.pts = frame.pts
            for picture in decoder.decode(packet):
                times.append(picture.pts / 90_000)
                pictures.append(_luma(picture))
        for picture in decoder.decode(None):
            times.append(picture.pts / 90_000)
            pictures.append(_luma(picture))
        return np.array(times), pictures


def _luma(picture: av.VideoFrame) -> Luma:
    plane = picture.planes[0]
    return np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)[:, : plane.width].copy()


class Show:
    """A session's stage and face, without room, hearing and answers. Times: seconds of the stage clock."""

    def __init__(self, pack: Pack, layout: Layout, director: Director, shelf: LoopShelf | None = None) -> None:
        """``shelf``: with it, idling and sleeping are replayed as in a session."""
        kbps = bitrate_kbps(layout)

        def renderer() -> Renderer:
            return open_renderer(pack, layout)

        drawn = renderer()
        self.reel = Reel()
        self.face: Face
        replay = Replay(shelf, drawn, kbps, renderer) if shelf else None
        encoder = H264Encoder(drawn.width, drawn.height, FPS, kbps)
        self.easel = Easel(drawn, encoder, self.reel, FPS, replay)
        self.stage = Stage(
            director=director, easel=self.easel, audio=OpusEncoder(), outlet=self.reel, listener=self, fps=FPS
        )
        self.face = Face(director, self.stage, gestures=True)
        self.spoken: list[tuple[float, float]] = []
        """When each utterance sounded."""
        self._quiet = asyncio.Event()

    # --- what the stage tells, handled as a session does -----------------------------------------------

    def utterance_started(self, utterance: Utterance, pts: float) -> None:
        self.face.says(utterance.text, utterance.language)
        self.spoken.append((pts, np.inf))

    def utterance_ended(self, utterance: Utterance, interrupted: bool) -> None:
        if self.spoken:
            self.spoken[-1] = (self.spoken[-1][0], self.stage.now)

    def speaking_changed(self, speaking: bool) -> None:
        self.face.voice(speaking)
        if speaking:
            self._quiet.clear()
        else:
            self._quiet.set()

    # --- what a test does ------------------------------------------------------------------------------

    async def until(self, seconds: float) -> None:
        """The stage has come to that time."""
        loop = asyncio.get_running_loop()
        due: asyncio.Future[None] = loop.create_future()
        loop.call_later(max(0.0, seconds - self.stage.now), due.set_result, None)
        await due

    async def say(self, text: str, language: Any, pcm: npt.NDArray[np.int16], phonemes: Sequence[Any]) -> None:
        """Say it (mono, 48 kHz; phonemes with their times) and hear it out."""
        self._quiet.clear()
        utterance = Utterance(text, language, "film")
        await self.stage.push(utterance, pcm, phonemes)
        self.stage.finish(utterance)
        await self._quiet.wait()


def film(make: Callable[[], Show], play: Callable[[Show], Awaitable[None]]) -> Show:
    """Run a show from stage time 0 until ``play`` returns."""

    async def run() -> Show:
        show = make()
        stage = asyncio.create_task(show.stage.run())
        try:
            await play(show)
        finally:
            stage.cancel()
            await asyncio.gather(stage, return_exceptions=True)
        return show

    with asyncio.Runner(loop_factory=PatientLoop) as runner:
        return runner.run(run())


def shelf(folder: Path, pack: Pack, layout: Layout) -> LoopShelf:
    """The loops of a worker, made already for this picture."""
    shelf = LoopShelf(
        folder, {IDLE: Repeated(loop(IDLE, FPS), FPS), ASLEEP: Repeated(loop(ASLEEP, FPS), FPS, REST_STRIDE)}
    )

    def renderer() -> Renderer:
        return open_renderer(pack, layout)

    for name in (IDLE, ASLEEP):
        shelf.get(name, renderer(), bitrate_kbps(layout), renderer)
    for made in shelf._made.values():
        assert made.result(60) is not None
    return shelf
