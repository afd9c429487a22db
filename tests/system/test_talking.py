"""A whole conversation through the public interfaces: the SDK, the RTC room, the state call."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import av
import numpy as np
import pytest
from running import Cloud, Guest, RunningServer, Senses, guest, mouth_box, movement, recorded, to_16k, token_of, words

from visavis.avatar.pack import find, search_folders
from visavis.rtc.client import Received, RoomClient
from visavis.rtc.signalling import SignallingError
from visavis.speech.types import Recogniser

pytestmark = [pytest.mark.system, pytest.mark.timeout(180)]


RECORDINGS = Path(__file__).parents[2] / "demo" / "recordings"


def sound_of(name: str) -> tuple[np.ndarray, int]:
    """A recorded question, of the demo's own or of the bench's."""
    if name.endswith(".wav"):
        return recorded(name)
    with av.open(str(RECORDINGS / name)) as file:
        stream = file.streams.audio[0]
        resampler = av.AudioResampler("s16", "mono", stream.rate)
        frames = [part for frame in [*file.decode(stream), None] for part in resampler.resample(frame)]
        return np.concatenate([frame.to_ndarray()[0] for frame in frames]), stream.rate


async def question(visitor: Guest, name: str) -> dict[str, str]:
    """Ask a recording and hear the answer out."""
    pcm, rate = sound_of(name)
    await visitor.client.speak(pcm, rate)
    heard = await visitor.until("user-transcription")
    await visitor.until("bot-stopped-speaking")
    return {"heard": heard["text"], "answered": " ".join(
        m["data"]["text"] for m in visitor.log if m["type"] == "bot-output"
    )}  # fmt: skip


async def test_english_and_mandarin_asked_aloud_are_answered_aloud_with_moving_lips(
    server: RunningServer, cloud: Cloud, recogniser: Recogniser
) -> None:
    room_id = await asyncio.to_thread(cloud.room)
    async with guest(cloud, room_id) as visitor:
        state = await visitor.until_shown(2)
        assert state.state == "PROCESSING"

        talk = await question(visitor, "en.wav")
        assert "languages" in talk["heard"].lower()
        spoke = [m for m in visitor.log if m["type"] == "bot-started-speaking"]
        assert spoke
        sound = visitor.senses.sound()
        said = await recogniser.transcribe(to_16k(sound))
        assert said.language == "en", said.text
        wanted = words(talk["answered"])
        assert len(wanted & words(said.text)) / len(wanted) > 0.7, (said.text, talk["answered"])

        box = mouth_box(find("default", search_folders(server.data)), 720, 1280)
        loud = _loud_spans(visitor.senses)
        speaking = visitor.senses.luma(box, loud[0] + 0.1, loud[1] - 0.1)
        first = visitor.senses.pictures[0].pts
        silent = visitor.senses.luma(box, first, loud[0] - 0.3)
        assert movement(speaking) > 2.5 * movement(silent), (movement(speaking), movement(silent))
        assert (
            speaking.min((1, 2)).min() < silent.min((1, 2)).min() - 5 or speaking.std(0).max() > 2 * silent.std(0).max()
        )

        visitor.log.clear()
        mark = visitor.senses.sounds[-1].pts
        talk = await question(visitor, "zh.wav")
        assert re.search(r"[\u4e00-\u9fff]", talk["heard"])
        said = await recogniser.transcribe(to_16k(visitor.senses.sound(mark)))
        assert said.language == "zh", said.text
        wanted = words(talk["answered"])
        assert len(wanted & words(said.text)) / len(wanted) > 0.6, (said.text, talk["answered"])
        stages = next(m["data"]["stages"] for m in visitor.log if (m.get("data") or {}).get("event") == "latency")
        assert list(stages) == ["endpoint", "recognise", "turn", "answer", "speak", "play"]

        # And back again, in the same conversation.
        visitor.log.clear()
        mark = visitor.senses.sounds[-1].pts
        talk = await question(visitor, "en-short-1.flac")
        assert "name" in talk["heard"].lower()
        said = await recogniser.transcribe(to_16k(visitor.senses.sound(mark)))
        assert said.language == "en", said.text
        wanted = words(talk["answered"])
        assert len(wanted & words(said.text)) / len(wanted) > 0.7, (said.text, talk["answered"])
        told = [
            m["data"]["language"] for m in visitor.log if (m.get("data") or {}).get("event") == "languageInfoChange"
        ]
        assert told == ["EN"]
    ended = await asyncio.to_thread(cloud.show, room_id, visitor.job.job_id)
    assert (ended.state, ended.job_finish_reason, ended.chat_state) == ("SUCCEED", "NORMAL", 1)
    assert ended.duration > 3
    assert "visavis_" in server.metrics()


def _loud_spans(senses: Senses) -> tuple[float, float]:
    """Server times of the first and the last loud sound."""
    loud = [one.pts for one in senses.sounds if np.abs(one.frame.to_ndarray().astype(float)).max() > 1500]
    return loud[0], loud[-1]


async def test_speaking_over_it_silences_it(cloud: Cloud) -> None:
    room_id = await asyncio.to_thread(cloud.room)
    async with guest(cloud, room_id, keep_pictures=False) as visitor:
        visitor.command(
            "say",
            text="I will now speak for a very long time about nothing in particular, until somebody stops me, "
            "because this sentence simply does not want to come to an end, however long you listen to it.",
        )
        await visitor.until("bot-started-speaking")
        await visitor.until("bot-tts-text", lambda word: word["text"].startswith("speak"))  # something was heard of it
        pcm, rate = recorded("en.wav")
        await visitor.client.speak(pcm, rate)
        cut = await visitor.until("bot-interruption")
        assert cut["spoken"]
        assert not cut["spoken"].endswith("listen to it.")
        await visitor.until("user-transcription")
        stopped = [m["type"] for m in visitor.log]
        assert "bot-stopped-speaking" in stopped


async def test_the_button_interrupts_and_typed_text_is_answered(cloud: Cloud) -> None:
    room_id = await asyncio.to_thread(cloud.room)
    async with guest(cloud, room_id, keep_pictures=False) as visitor:
        visitor.tell("send-text", content="Which languages can you speak?")
        await visitor.until("bot-started-speaking")
        visitor.command("interrupt")
        await visitor.until("bot-interruption")
        await visitor.until("bot-stopped-speaking")
        visitor.command("nonsense")
        error = await visitor.until("error")
        assert "nonsense" in error["message"]


async def test_viewers_come_and_go_without_disturbing(cloud: Cloud) -> None:
    room_id = await asyncio.to_thread(cloud.room)
    async with guest(cloud, room_id) as visitor:
        base, rid = cloud.url, visitor.job.rtc_room_info.room_id
        for _ in range(2):
            senses = Senses()
            seen = asyncio.Event()

            def see(received: object, senses: Senses = senses, seen: asyncio.Event = seen) -> None:
                senses.see(received)
                if len(senses.pictures) >= 10:
                    seen.set()

            async with RoomClient.watch(base, rid, token_of(visitor.job, "PLAYER"), on_video=see):
                await asyncio.wait_for(seen.wait(), 15)
            assert senses.pictures[0].frame.width == 720
        times = np.array([one.pts for one in visitor.senses.pictures])
        assert np.diff(times).max() < 0.3
        sound = np.array([one.pts for one in visitor.senses.sounds])
        assert np.diff(sound).max() < 0.1


async def test_tokens_are_bound_to_room_and_user_and_time(cloud: Cloud) -> None:
    room_id = await asyncio.to_thread(cloud.room)
    async with guest(cloud, room_id, keep_pictures=False) as visitor:
        other = await asyncio.to_thread(cloud.start, room_id)
        try:
            rid = visitor.job.rtc_room_info.room_id
            right = token_of(visitor.job)
            user, ctime, signature = right.removeprefix("Bearer ").split(":")
            wrong = {
                "of another room": token_of(other),
                "expired": f"Bearer {user}:{int(ctime) - 10_000_000}:{signature}",
                "of another user": f"Bearer {token_of(visitor.job, 'PLAYER').split()[1].split(':')[0]}:{ctime}:{signature}",
                "forged": f"Bearer {user}:{ctime}:{'0' * 64}",
                "malformed": "Bearer x",
            }
            for what, token in wrong.items():
                with pytest.raises(SignallingError) as refused:
                    await RoomClient.end_user(cloud.url, rid, token).connect()
                assert refused.value.status in (401, 403), what
                assert refused.value.error_code.startswith("MSS."), what
        finally:
            await asyncio.to_thread(cloud.stop, room_id, other.job_id)


@pytest.mark.parametrize(("width", "height"), [(1280, 720), (1080, 1920), (1920, 1080)])
async def test_the_published_sizes(cloud: Cloud, width: int, height: int) -> None:
    room_id = await asyncio.to_thread(cloud.room, width=width, height=height)
    async with guest(cloud, room_id) as visitor:
        first: asyncio.Future[Received] = asyncio.get_running_loop().create_future()
        visitor.senses.on_picture = lambda picture: None if first.done() else first.set_result(picture)
        shown = await visitor.show()
        assert (shown.video_config.width, shown.video_config.height) == (width, height)
        visitor.tell("send-text", content="Hello")
        await visitor.until("bot-started-speaking")
        frame = (await asyncio.wait_for(first, 20)).frame
        assert (frame.width, frame.height) == (width, height)
