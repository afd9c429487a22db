from pathlib import Path

import av
import numpy as np
import pytest

from visavis.media.recorder import Mp4Recorder, RecorderError


def picture(light: int) -> av.VideoFrame:
    array = np.full((240 * 3 // 2, 320), 128, np.uint8)
    array[:240] = light
    return av.VideoFrame.from_ndarray(array, format="yuv420p")


def sound(hz: float, start: int, samples: int = 960) -> np.ndarray:
    return (9000 * np.sin(2 * np.pi * hz * (start + np.arange(samples)) / 48_000)).astype(np.int16)


def test_flash_and_beep_stay_together(tmp_path: Path) -> None:
    """Two seconds on a clock that starts at 1000 s; light and a tone begin together after one second."""
    path = tmp_path / "out.mp4"
    with Mp4Recorder(path) as recorder:
        for step in range(100):
            at = 1000 + step * 0.02
            on = 1.0 <= step * 0.02 < 1.5
            if not 20 <= step < 30:  # a gap in the sound: silence is filled in
                pcm = sound(900, step * 960) if on else np.zeros(960, np.int16)
                stereo = np.repeat(pcm, 2)[np.newaxis]
                frame = av.AudioFrame.from_ndarray(stereo, format="s16", layout="stereo")
                frame.sample_rate = 48_000
                recorder.write_audio(frame, at)
            if step % 2 == 0:
                recorder.write_video(picture(220 if on else 30), at)
        assert recorder.frames == 50
        assert recorder.duration_s == pytest.approx(2.0, abs=0.02)
    with av.open(str(path)) as file:
        video, audio = file.streams.video[0], file.streams.audio[0]
        assert (video.codec_context.name, audio.codec_context.name) == ("h264", "aac")
        assert (video.width, video.height) == (320, 240)
        lights = [(float(frame.time), int(frame.to_ndarray()[0, 0])) for frame in file.decode(video)]
    with av.open(str(path)) as file:
        heard = [(float(frame.time), frame.to_ndarray().reshape(-1)) for frame in file.decode(file.streams.audio[0])]
    flash = next(time for time, light in lights if light > 120)
    start = heard[0][0]
    pcm = np.concatenate([one for _, one in heard])
    beep = start + int(np.argmax(np.abs(pcm) > 0.1)) / 48_000
    assert len(lights) == 50
    assert flash == pytest.approx(1.0, abs=0.001)
    assert beep == pytest.approx(flash, abs=0.005)
    assert len(pcm) / 48_000 == pytest.approx(2.0, abs=0.05)


def test_only_sound_is_a_valid_file(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    with Mp4Recorder(path) as recorder:
        recorder.write_pcm(sound(500, 0, 48_000), 5.0)
    with av.open(str(path)) as file:
        assert not file.streams.video
        assert sum(frame.samples for frame in file.decode(audio=0)) >= 48_000


def test_unwritable_path_is_told(tmp_path: Path) -> None:
    with pytest.raises(RecorderError, match="cannot record"):
        Mp4Recorder(tmp_path / "missing" / "out.mp4")


def test_change_of_size_is_refused(tmp_path: Path) -> None:
    with Mp4Recorder(tmp_path / "out.mp4") as recorder:
        recorder.write_video(picture(1), 0.0)
        with pytest.raises(RecorderError, match="size"):
            recorder.write_video(av.VideoFrame(64, 64, "yuv420p"), 0.04)
