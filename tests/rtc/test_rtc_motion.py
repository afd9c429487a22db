"""A client that draws for itself gets motion instead of pictures, on the clock of the sound it hears."""

from __future__ import annotations

import asyncio

from rtc_support import LOOPBACK, DirectSignalling, Inbox, show

from visavis.motion.frame import MotionFrame
from visavis.motion.wire import decode_motion, encode_motion
from visavis.rtc.broadcast import Broadcaster
from visavis.rtc.client import RoomClient
from visavis.rtc.room import RoomEvents


class Motions:
    """Collects motion messages."""

    def __init__(self) -> None:
        self.items: list[bytes] = []
        self._changed = asyncio.Event()

    def __call__(self, message: bytes) -> None:
        self.items.append(message)
        self._changed.set()

    async def count(self, number: int) -> list[bytes]:
        async with asyncio.timeout(10):
            while len(self.items) < number:
                self._changed.clear()
                await self._changed.wait()
        return self.items


def feed(broadcaster: Broadcaster) -> None:
    """Pushes a motion with each sound packet; the jaw tells its number."""
    push_audio = broadcaster.push_audio
    count = 0

    def pushing(packet: object) -> None:
        nonlocal count
        motion = MotionFrame(pts=packet.pts / 48_000)
        motion.head.yaw = (count % 100) / 100
        broadcaster.push_motion(encode_motion(motion), packet.pts)
        count += 1
        push_audio(packet)

    broadcaster.push_audio = pushing


async def test_motion_comes_with_the_time_of_the_sound_and_no_picture() -> None:
    motions, heard, texts = Motions(), Inbox(), asyncio.Queue()
    events = RoomEvents(message=texts.put_nowait)
    async with show(events) as (room, stage):
        feed(stage.broadcaster)
        async with RoomClient(DirectSignalling(room), on_audio=heard, on_motion=motions, config=LOOPBACK) as person:
            await motions.count(50)
            await heard.count(20)
            assert stage.broadcaster.motion_viewers == 1
            assert stage.broadcaster.picture_viewers == 0, "nothing need be drawn"
            # The other data channel still is the one of messages, both ways.
            person.send("hello")
            assert await asyncio.wait_for(texts.get(), 5) == "hello"
            assert room.send("good day")
            assert await asyncio.wait_for(person.messages.get(), 5) == "good day"
            decoded = [decode_motion(message) for message in motions.items]
            rtps = {frame.pts: rtp for frame, rtp in decoded}
            # The stamp says when this moment is heard: 48 000 ticks a second of the stage clock, one offset for all.
            offsets = {(rtp - round(pts * 48_000)) & 0xFFFFFFFF for pts, rtp in rtps.items()}
            assert len(offsets) == 1
            sender = next(s for peer in room._peers.values() for s in peer.senders if s.kind == "audio")
            assert offsets == {sender._origin + 312 & 0xFFFFFFFF}
        assert stage.broadcaster.motion_viewers == 0


async def test_a_viewer_draws_for_itself_beside_one_who_watches() -> None:
    motions, seen = Motions(), Inbox()
    async with show() as (room, stage):
        feed(stage.broadcaster)
        own = DirectSignalling(room, "PLAYER", "own")
        other = DirectSignalling(room, "PLAYER", "other")
        async with (
            RoomClient(own, speaks=False, on_motion=motions, config=LOOPBACK),
            RoomClient(other, speaks=False, on_video=seen, config=LOOPBACK),
        ):
            await asyncio.gather(motions.count(20), seen.count(10))
            assert (stage.broadcaster.motion_viewers, stage.broadcaster.picture_viewers) == (1, 1)


async def test_who_does_not_read_is_skipped_not_queued() -> None:
    motions = Motions()
    joined = asyncio.Event()
    async with show() as (room, stage), RoomClient(DirectSignalling(room), on_motion=motions, config=LOOPBACK):
        stage.broadcaster.on_motion_viewer = joined.set
        if not stage.broadcaster.motion_viewers:
            await asyncio.wait_for(joined.wait(), 5)
        peer = next(iter(room._peers.values()))
        message = encode_motion(MotionFrame())
        for position in range(5000):
            stage.broadcaster.push_motion(message, position)
        assert peer._motion is not None
        assert peer._motion.bufferedAmount < 8192
        await motions.count(1)
        assert len(motions.items) < 200


async def test_a_new_viewer_is_told_of_at_once() -> None:
    told = asyncio.Event()
    async with show() as (room, stage):
        stage.broadcaster.on_motion_viewer = told.set
        async with RoomClient(DirectSignalling(room), on_motion=Motions(), config=LOOPBACK):
            await asyncio.wait_for(told.wait(), 5)
