from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import av
import numpy as np
import pytest
import structlog
from session_fakes import FakeOutlet, FakeRenderer, Listener

from visavis.media.h264 import H264Encoder
from visavis.media.opus import OpusEncoder
from visavis.motion.director import Director
from visavis.motion.life import Mode
from visavis.session.easel import Easel
from visavis.session.script import STAGE_RATE, Utterance
from visavis.session.stage import MAX_QUEUED, Stage


class Bench:
    def __init__(self) -> None:
        self.outlet, self.renderer, self.listener = FakeOutlet(), FakeRenderer(), Listener()
        self.journal = self.listener.heard_journal
        self.director = Director(np.random.default_rng(5))
        self.stage = Stage(
            director=self.director,
            easel=Easel(self.renderer, H264Encoder(64, 48), self.outlet),
            audio=OpusEncoder(),
            outlet=self.outlet,
            listener=self.listener,
        )

    def sound(self) -> np.ndarray:
        """What a viewer would hear, 48 kHz mono float."""
        decoder = av.CodecContext.create("libopus", "r")
        decoder.sample_rate = STAGE_RATE
        decoder.layout = "mono"
        decoded = [frame.to_ndarray() for p in self.outlet.audio for frame in decoder.decode(av.Packet(p.data))]
        sound = np.concatenate([block.reshape(-1) for block in decoded])
        return sound.astype(np.float64) / (32768 if sound.dtype == np.int16 else 1)


@asynccontextmanager
async def playing() -> AsyncIterator[Bench]:
    bench = Bench()
    task = asyncio.create_task(bench.stage.run())
    try:
        yield bench
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def tone(seconds: float, hz: float = 440.0) -> np.ndarray:
    return (np.sin(np.arange(int(seconds * STAGE_RATE)) * 2 * np.pi * hz / STAGE_RATE) * 12000).astype(np.int16)


def loud(sound: np.ndarray) -> np.ndarray:
    """Which 20 ms blocks are loud."""
    blocks = sound[: len(sound) // 960 * 960].reshape(-1, 960)
    return np.sqrt((blocks**2).mean(1)) > 0.05


async def test_what_is_pushed_is_heard_with_its_pitch_and_length() -> None:
    async with playing() as bench:
        utterance = Utterance("Tone.", "en", "c")
        await bench.stage.push(utterance, tone(0.4), [("a", 0.0, 0.4)])
        bench.stage.finish(utterance)
        await bench.journal.wait("ended")
    assert [name for name, _ in bench.journal.entries] == ["speaking", "started", "ended", "speaking"]
    assert utterance.heard == "Tone."
    sound = bench.sound()
    assert 0.36 <= loud(sound).sum() * 0.02 <= 0.46
    spectrum = np.abs(np.fft.rfft(sound))
    assert abs(np.fft.rfftfreq(len(sound), 1 / STAGE_RATE)[spectrum.argmax()] - 440) < 5


async def test_lips_move_with_the_sound_and_not_without() -> None:
    async with playing() as bench:
        utterance = Utterance("Ah.", "en", "c")
        await bench.stage.push(utterance, tone(0.6), [("ɑ", 0.0, 0.6)])
        bench.stage.finish(utterance)
        start = await bench.journal.wait("started") and bench.stage.now
        await bench.journal.wait("ended")
    jaw = {frame.pts: frame.weight("jawOpen") for frame in bench.renderer.drawn}
    assert max(jaw.values()) > 0.1
    peak = max(jaw, key=lambda pts: jaw[pts])
    assert start - 0.02 <= peak <= start + 0.6


async def test_clear_silences_at_once_and_tells_what_was_heard() -> None:
    async with playing() as bench:
        first, second = Utterance("one two three four five six", "en", "c"), Utterance("never", "en", "c")
        for utterance in (first, second):
            await bench.stage.push(utterance, tone(3.0), [("a", 0.0, 3.0)])
            bench.stage.finish(utterance)
        await bench.journal.wait("started")
        packets = asyncio.Event()
        bench.outlet.on_audio = lambda packet: packets.set() if len(bench.outlet.audio) >= 60 else None
        await packets.wait()
        cut = bench.stage.clear()
        sent = len(bench.outlet.audio)
        quiet = asyncio.Event()
        bench.outlet.on_audio = lambda packet: quiet.set() if len(bench.outlet.audio) >= sent + 20 else None
        await quiet.wait()
    assert cut == [first, second]
    assert first.heard
    assert first.text.startswith(first.heard)
    assert first.heard != first.text
    assert second.heard == ""
    assert not loud(bench.sound())[sent + 2 :].any()
    closing = [frame.weight("jawOpen") for frame in bench.renderer.drawn[-4:]]
    assert max(closing) < 0.05


async def test_pictures_come_at_25_a_second_on_the_clock_of_the_sound() -> None:
    async with playing() as bench:
        done = asyncio.Event()
        bench.outlet.on_video = lambda frame: done.set() if len(bench.outlet.video) >= 15 else None
        await done.wait()
    pts = [frame.pts for frame in bench.outlet.video]
    assert set(np.diff(pts)) == {3600}
    assert bench.outlet.video[0].keyframe
    audio = [packet.pts for packet in bench.outlet.audio]
    assert set(np.diff(audio)) == {960}
    assert abs(audio[-1] / 48_000 - pts[-1] / 90_000) <= 0.08


async def test_a_keyframe_is_made_when_a_viewer_asks() -> None:
    async with playing() as bench:
        asked = asyncio.Event()

        def ask(frame: object) -> None:
            if len(bench.outlet.video) == 5:
                bench.stage.keyframe()
            if len(bench.outlet.video) == 9:
                asked.set()

        bench.outlet.on_video = ask
        await asked.wait()
    assert any(frame.keyframe for frame in bench.outlet.video[5:9])


async def test_without_viewers_nothing_is_drawn_until_one_comes() -> None:
    bench = Bench()
    bench.outlet.viewers = 0
    task = asyncio.create_task(bench.stage.run())
    later = asyncio.Event()
    asyncio.get_running_loop().call_later(0.2, later.set)
    await later.wait()
    assert bench.renderer.drawn == []
    seen = asyncio.Event()
    bench.outlet.on_video = lambda frame: seen.set()
    bench.outlet.viewers = 1
    bench.stage.keyframe()
    await asyncio.wait_for(seen.wait(), 2)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert bench.outlet.video[0].keyframe
    assert bench.outlet.video[0].pts >= 0.15 * 90_000  # the clock went on with real time


async def test_asleep_it_draws_each_third_picture_on_the_clock_and_sends_no_sound() -> None:
    async with playing() as bench:
        began = asyncio.get_running_loop().time()
        bench.director.set_mode(Mode.ASLEEP, bench.stage.now)
        bench.stage.rest(True)
        resting, later = asyncio.Event(), asyncio.Event()
        rested: list[object] = []

        def see(frame: object) -> None:
            if bench.director.resting(bench.stage.now):
                rested.append(frame)
            if len(rested) == 3:  # from the first one's moment there may still be sound
                resting.set()
            if len(rested) == 15:
                later.set()

        bench.outlet.on_video = see
        await asyncio.wait_for(resting.wait(), 10)
        sounded = len(bench.outlet.audio)
        await asyncio.wait_for(later.wait(), 10)
        assert len(bench.outlet.audio) == sounded
        apart = np.diff([frame.pts for frame in bench.outlet.video[-12:]])
        assert np.median(apart) == 0.12 * 90_000
        assert apart.min() >= 0.12 * 90_000
        passed = asyncio.get_running_loop().time() - began
        assert bench.stage.now == pytest.approx(passed, abs=0.06), "the clock goes with real time"
        shut = bench.renderer.drawn[-1]
        assert min(shut.weight("eyeBlinkLeft"), shut.weight("eyeBlinkRight")) > 0.9
        bench.stage.rest(False)
        bench.director.set_mode(Mode.IDLE, bench.stage.now)
        awake = asyncio.Event()
        before = len(bench.renderer.drawn)
        bench.outlet.on_video = lambda frame: awake.set() if len(bench.renderer.drawn) >= before + 10 else None
        await asyncio.wait_for(awake.wait(), 1.5)


async def test_who_pushes_too_much_waits_and_an_interruption_frees_him() -> None:
    async with playing() as bench:
        utterance = Utterance("long", "en", "c")
        await bench.stage.push(utterance, np.zeros(MAX_QUEUED, np.int16), ())
        more = asyncio.create_task(bench.stage.push(utterance, tone(0.1), ()))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(more), 0.1)
        bench.stage.clear()
        await asyncio.wait_for(more, 1)
        packets = len(bench.outlet.audio)
        quiet = asyncio.Event()
        bench.outlet.on_audio = lambda packet: quiet.set() if len(bench.outlet.audio) >= packets + 10 else None
        await asyncio.wait_for(quiet.wait(), 2)
    assert not loud(bench.sound()).any(), "what waited belongs to the utterance that was cut"
    assert bench.journal.of("speaking")[-1:] in ([], [False])


async def test_sound_and_lips_begin_together_after_a_time_without_viewers(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench()
    bench.outlet.viewers = 0
    lips: list[float] = []
    monkeypatch.setattr(bench.director, "speak", lambda phonemes, offset: lips.append(offset))
    bench.listener.utterance_started = lambda utterance, pts: bench.journal.note("at", pts)  # type: ignore[method-assign]
    task = asyncio.create_task(bench.stage.run())
    later = asyncio.Event()
    asyncio.get_running_loop().call_later(0.4, later.set)
    await later.wait()
    utterance = Utterance("Ah.", "en", "c")
    await bench.stage.push(utterance, tone(0.1), [("a", 0.0, 0.1)])
    bench.stage.finish(utterance)
    heard = await bench.journal.wait("at")
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert lips[0] > 0.3
    assert abs(lips[0] - heard) < 0.1


async def test_a_face_that_cannot_be_drawn_does_not_fill_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    with structlog.testing.capture_logs() as logs:
        async with playing() as bench:

            def fail(motion: object, out: object) -> bool:
                raise RuntimeError("no paint")

            monkeypatch.setattr(bench.renderer, "draw", fail)
            many = asyncio.Event()
            bench.outlet.on_audio = lambda packet: many.set() if bench.stage.stats.failed_frames >= 20 else None
            await asyncio.wait_for(many.wait(), 5)
            failed = bench.stage.stats.failed_frames
    lines = [entry for entry in logs if "could not be drawn" in entry["event"]]
    assert 1 <= len(lines) <= failed.bit_length() + 1
    assert isinstance(lines[0]["exc_info"], RuntimeError)
