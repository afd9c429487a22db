"""A spoken conversation with report and recording on: what lies in the bucket afterwards says what was said, by whom."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from huaweicloudsdkcore.exceptions.exceptions import ClientRequestException
from huaweicloudsdkmetastudio.v1 import model
from running import Cloud, RunningServer, guest, recorded, serving, words

from visavis.settings import Settings
from visavis.speech.types import Recogniser
from visavis.store import erasing

sys.path.append(str(Path(__file__).parents[1] / "api"))

from bucket_server import BUCKET, BucketServer, bucket_server

pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def store() -> Iterator[BucketServer]:
    with bucket_server() as server:
        yield server


@pytest.fixture(scope="module")
def recording_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with serving(tmp_path_factory.mktemp("bucket") / "data", workers="1") as running:
        yield running


def turned_on(server: RunningServer, store: BucketServer) -> Cloud:
    """A new project with both configurations, through the SDK."""
    cloud = server.cloud(f"project-{uuid.uuid4().hex[:8]}")
    place = {"obs_bucket_name": BUCKET, "obs_endpoint": store.endpoint}
    report = model.CreateDialogReportConfigReq(enable_dialog_report=True, **place)
    with pytest.raises(ClientRequestException, match="visavis project bucket"):
        cloud.sdk.create_dialog_report_config(model.CreateDialogReportConfigRequest(body=report))
    erasing.set_bucket(Settings(data=server.data), store.store(cloud.project), BUCKET)
    cloud.sdk.create_dialog_report_config(model.CreateDialogReportConfigRequest(body=report))
    record = model.CreateAudioRecordConfigReq(enable_audio_record=True, **place)
    cloud.sdk.create_audio_record_config(model.CreateAudioRecordConfigRequest(body=record))
    assert cloud.sdk.show_audio_record_config(model.ShowAudioRecordConfigRequest()).enable_audio_record is True
    return cloud


async def arrived(store: BucketServer, job_id: str) -> tuple[str, str]:
    """The names of the job's recording and report, once both are there; each look is a request of its own."""
    async with asyncio.timeout(60):
        while len(keys := [key for key in await asyncio.to_thread(store.keys) if job_id in key]) < 2:
            pass
    sound, report = keys
    assert (sound.split("/")[0], report.split("/")[0]) == ("audio-record", "dialog-report")
    return sound, report


def alike(wanted: str, got: str) -> float:
    """The share of the wanted words that were got."""
    return len(words(wanted) & words(got)) / len(words(wanted))


def channels(content: bytes, folder: Path) -> np.ndarray:
    """(2, n) int16 at 16 kHz."""
    path = folder / "recording.flac"
    path.write_bytes(content)
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        assert (stream.rate, stream.channels) == (16_000, 2)
        return np.concatenate([frame.to_ndarray().reshape(-1, 2).T for frame in container.decode(stream)], axis=1)


async def test_the_question_is_on_one_channel_and_the_answer_on_the_other(
    recording_server: RunningServer, store: BucketServer, recogniser: Recogniser, tmp_path: Path
) -> None:
    cloud = await asyncio.to_thread(turned_on, recording_server, store)
    room_id = await asyncio.to_thread(cloud.room)
    async with guest(cloud, room_id, keep_pictures=False) as visitor:
        pcm, rate = recorded("en.wav")
        await visitor.client.speak(pcm, rate)
        heard = await visitor.until("user-transcription")
        await visitor.until("latency")
        answered = " ".join(m["data"]["text"] for m in visitor.log if m["type"] == "bot-output")
    sound_key, report_key = await arrived(store, visitor.job.job_id)
    person, human = channels(await asyncio.to_thread(store.read, sound_key), tmp_path)
    asked = await recogniser.transcribe(person, "en")
    said = await recogniser.transcribe(human, "en")
    assert alike(heard["text"], asked.text) > 0.6, (asked.text, heard["text"])
    assert alike(answered, said.text) > 0.7, (said.text, answered)
    assert alike(answered, asked.text) < 0.5, "the answer is heard on the person's channel"
    assert alike(heard["text"], said.text) < 0.5, "the question is heard on the digital human's channel"

    # One clock: from the end of the question to the answer it is as long as the server measured.
    question_end, answer_begin = _loud(person)[1], _loud(human)[0]
    (measured,) = (m["data"]["stages"]["play"] for m in visitor.log if (m.get("data") or {}).get("event") == "latency")
    print(f"question ended {question_end:.2f} s, answer began {answer_begin:.2f} s, measured {measured:.3f} s")
    assert answer_begin - question_end == pytest.approx(measured, abs=0.6), (question_end, answer_begin, measured)

    head, turn = await asyncio.to_thread(store.lines, report_key)
    assert (head["state"], head["room_id"], head["finish_reason"]) == ("SUCCEED", room_id, "NORMAL")
    assert turn["asked"] == heard["text"]
    assert words(turn["answered"]) == words(answered)
    assert turn["latency_s"]["play"] == pytest.approx(measured, abs=0.01)
    async with asyncio.timeout(10):
        while await asyncio.to_thread(lambda: list((recording_server.data / "recordings").glob("*"))):
            pass  # it is deleted as soon as the upload is written down


def _loud(channel: np.ndarray) -> tuple[float, float]:
    """Seconds of the first and the last 20 ms that are loud."""
    blocks = np.abs(channel[: len(channel) // 320 * 320].reshape(-1, 320).astype(float)).max(1)
    loud = np.flatnonzero(blocks > 1200)
    return loud[0] * 0.02, loud[-1] * 0.02


async def test_what_a_killed_worker_recorded_is_delivered(
    recording_server: RunningServer, store: BucketServer, recogniser: Recogniser, tmp_path: Path
) -> None:
    cloud = await asyncio.to_thread(turned_on, recording_server, store)
    room_id = await asyncio.to_thread(cloud.room)
    async with guest(cloud, room_id, keep_pictures=False, stop=False) as visitor:
        pcm, rate = recorded("en.wav")
        await visitor.client.speak(pcm, rate)
        await visitor.until("bot-stopped-speaking")
        await visitor.client.speak(np.zeros(3 * rate, np.int16), rate)
        _kill_workers(recording_server)
    sound_key, report_key = await arrived(store, visitor.job.job_id)
    person, _ = channels(await asyncio.to_thread(store.read, sound_key), tmp_path)
    asked = await recogniser.transcribe(person, "en")
    head, turn = await asyncio.to_thread(store.lines, report_key)
    assert (head["state"], head["error_code"]) == ("FAILED", "MSS.47000001")
    assert alike(turn["asked"], asked.text) > 0.6, (asked.text, turn["asked"])


def _kill_workers(server: RunningServer) -> None:
    assert server.process is not None
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
    names = {int(pid): Path(f"/proc/{pid}/comm").read_text().strip() for pid in children}
    workers = [pid for pid, name in names.items() if name.startswith("vv-")]
    assert workers
    for pid in workers:
        os.kill(pid, signal.SIGKILL)
