from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import lip_models
import numpy as np
import pytest

from visavis.avatar.neural import mel
from visavis.avatar.neural.factory import GROUP, create_engine, face_square
from visavis.avatar.neural.onnx_engine import EngineError, OnnxEngine
from visavis.avatar.neural.renderer import NeuralRenderer, SoundTrack
from visavis.avatar.neural.types import Patch, Picture, Sound
from visavis.avatar.pack import Pack
from visavis.avatar.planes import Placement, Rect
from visavis.avatar.types import I420, Listener
from visavis.motion.frame import ARKIT_INDEX, MotionFrame

RATE = 48_000
FACE = Rect(60, 40, 96, 96)


def tone(seconds: float, level: float = 0.5) -> np.ndarray:
    t = np.arange(int(seconds * RATE)) / RATE
    return (np.sin(2 * np.pi * 220 * t) * level * 32767).astype(np.int16)


class Grey:
    """An inner renderer: a grey picture with a darker square; remembers the mouths it was asked for."""

    width, height = 240, 320
    cacheable, key = True, "grey"

    def __init__(self) -> None:
        self.jaws: list[float] = []

    def draw(self, motion: MotionFrame, out: I420) -> bool:
        self.jaws.append(motion.weight("jawOpen"))
        first = len(self.jaws) == 1
        out[: self.height], out[self.height :] = 120, 128
        out[60:100, 80:120] = 90
        return first

    def subtitle(self, text: str | None, upto: int | None = None) -> None:
        pass


def bgr(out: I420) -> np.ndarray:
    return cv2.cvtColor(out, cv2.COLOR_YUV2BGR_I420).astype(int)


def drawn(renderer: NeuralRenderer, pts: float) -> tuple[bool, np.ndarray]:
    motion = MotionFrame(pts=pts)
    motion.blendshapes[ARKIT_INDEX["jawOpen"]] = 0.3
    out = np.zeros((480, 240), np.uint8)
    changed = renderer.draw(motion, out)
    return changed, bgr(out)


def red(picture: np.ndarray, rect: Rect) -> float:
    part = rect.of(picture)
    return float((part[..., 2] - part[..., 0]).mean())


@pytest.mark.parametrize("make", [lip_models.wav2lip, lip_models.lite_avatar])
def test_the_mouth_is_painted_while_sound_is_heard_and_only_there(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    inner = Grey()
    renderer = NeuralRenderer(inner, OnnxEngine(make(tmp_path)), FACE)
    assert isinstance(renderer, Listener)
    renderer.hear(tone(1.0), RATE, offset=2.0)
    _, silent = drawn(renderer, 0.5)
    changed, speaking = drawn(renderer, 2.5)
    mouth = Rect(FACE.x + 24, FACE.y + 60, 48, 24)
    assert changed
    assert np.abs(mouth.of(speaking) - mouth.of(silent)).mean() > 15
    away = np.abs(speaking - silent).max(axis=2)
    FACE.of(away)[48:] = 0
    assert away.max() == 0, "above the mouth and beside the face nothing changes"
    changed, after = drawn(renderer, 5.0)
    assert changed, "the idle mouth comes back"
    assert np.array_equal(after, silent)
    assert inner.jaws == [0.0] * 3, "the idle picture's mouth rests"


def test_loud_is_more_than_soft_and_the_edge_is_feathered(tmp_path: Path) -> None:
    renderer = NeuralRenderer(Grey(), OnnxEngine(lip_models.wav2lip(tmp_path)), FACE)
    renderer.hear(tone(1.0, 0.05), RATE, 0.0)
    renderer.hear(tone(1.0, 0.8), RATE, 1.0)
    (_, soft), (_, loud) = drawn(renderer, 0.5), drawn(renderer, 1.5)
    mouth = Rect(FACE.x + 24, FACE.y + 60, 48, 24)
    assert red(loud, mouth) > red(soft, mouth) + 3
    row = (loud[FACE.y + 72, :, 2] - loud[FACE.y + 72, :, 0])[FACE.x - 2 : FACE.x + 24]
    assert row[0] == 0
    assert np.abs(np.diff(row)).max() < row.max() * 0.5, "no hard edge"


def test_an_interruption_silences_the_mouth_at_once(tmp_path: Path) -> None:
    renderer = NeuralRenderer(Grey(), OnnxEngine(lip_models.wav2lip(tmp_path)), FACE)
    _, idle = drawn(renderer, 0.0)
    renderer.hear(tone(5.0), RATE, 0.0)
    assert not np.array_equal(drawn(renderer, 1.0)[1], idle)
    renderer.hush(1.0)
    assert np.array_equal(drawn(renderer, 1.28)[1], idle), "0.2 s of what was heard before are in its window"


def test_a_slow_engine_paints_fewer_pictures() -> None:
    painted: list[int] = []

    class Slow:
        sample_rate, before, after = 16_000, 0.0, 0.2

        def paint(self, sound: Sound, face: Picture) -> Patch:
            painted.append(len(sound))
            total = 0.0
            clock = __import__("time")
            began = clock.perf_counter()
            while clock.perf_counter() - began < 0.05:
                total += float(np.sum(face))
            return Patch(face, Rect(0, 0, face.shape[1], face.shape[0]), np.full(face.shape[:2], 255, np.uint8))

    renderer = NeuralRenderer(Grey(), Slow(), FACE)
    renderer.hear(tone(2.0), RATE, 0.0)
    for number in range(30):
        assert drawn(renderer, number / 25)[0]
    assert 8 <= len(painted) <= 16, "50 ms a picture: each second one"
    assert set(painted) == {3200}


def test_sound_is_found_by_time_at_any_rate() -> None:
    track = SoundTrack(16_000)
    track.add(tone(0.5), RATE, 1.0)
    track.add(tone(0.5)[::2], RATE // 2, 1.5)
    window = track.window(0.9, 16_000 * 2)
    loud = np.flatnonzero(np.abs(window) > 0.05) / 16_000 + 0.9
    assert abs(loud[0] - 1.0) < 0.005
    assert abs(loud[-1] - 2.0) < 0.005
    middle = window[1600 : 1600 + 16_000]
    spectrum = np.abs(np.fft.rfft(middle))
    assert abs(np.fft.rfftfreq(16_000, 1 / 16_000)[spectrum.argmax()] - 220) <= 2


def test_mel_of_a_tone_lies_in_its_band_and_silence_is_the_floor() -> None:
    t = np.arange(mel.samples_for(16)) / mel.RATE
    bands = mel.mel((0.5 * np.sin(2 * np.pi * 1000 * t)).astype(np.float32))
    assert bands.shape == (80, 16)
    edges = mel._hertz(np.linspace(mel._mels(55), mel._mels(7600), 82))
    peak = int(bands.mean(1).argmax())
    assert edges[peak] < 1000 < edges[peak + 2]
    assert mel.mel(np.zeros(800, np.float32)).max() == -4
    with pytest.raises(ValueError, match="at least 800"):
        mel.mel(np.zeros(10, np.float32))


def edited(folder: Path, old: str, new: str) -> Path:
    path = folder / "engine.toml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    return folder


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('mel_spectrogram = "audio"', 'mels = "audio"', "has no mels; it has mel_spectrogram, video_frames"),
        ('predicted_frames = "patch"', 'predicted_frames = "picture"', "does not give the value patch"),
        ('video_frames = "face"', 'video_frames = "mouth"', "takes mouth, which no stage before it gives"),
        ("steps = 16", "steps = 20", "shape of wav2lip: .*mel_spectrogram"),
        ("size = 96", "size = 8", "face.size"),
        ('file = "wav2lip.onnx"', 'file = "../wav2lip.onnx"', "stages.0.file"),
        ('file = "wav2lip.onnx"', 'file = "other.onnx"', "other.onnx: No such file"),
        ("version = 1", "version = 2", "version"),
        ("[audio]", "[audio", "engine.toml"),
    ],
)
def test_a_model_that_does_not_fit_is_refused_with_the_reason(tmp_path: Path, old: str, new: str, says: str) -> None:
    folder = edited(lip_models.wav2lip(tmp_path), old, new)
    with pytest.raises(EngineError, match=says):
        OnnxEngine(folder)


def test_changed_weights_are_refused(tmp_path: Path) -> None:
    folder = lip_models.wav2lip(tmp_path)
    (folder / "wav2lip.onnx").write_bytes((folder / "wav2lip.onnx").read_bytes() + b"\0")
    with pytest.raises(EngineError, match="sha256"):
        OnnxEngine(folder)
    with pytest.raises(EngineError, match=r"engine\.toml"):
        OnnxEngine(tmp_path / "nowhere")


def test_engines_are_found_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = lip_models.wav2lip(tmp_path)
    assert isinstance(create_engine("onnx", folder), OnnxEngine)
    with pytest.raises(EngineError, match="known: onnx"):
        create_engine("other", folder)
    with pytest.raises(EngineError, match="VISAVIS_LIP_ENGINE_FOLDER"):
        create_engine("onnx", None)

    class Point:
        name = "mine"

        def load(self) -> Callable[[Path], str]:
            return lambda folder: f"engine of {folder.name}"

    monkeypatch.setattr("visavis.avatar.neural.factory.entry_points", lambda group: [Point()] if group == GROUP else [])
    assert create_engine("mine", folder) == f"engine of {folder.name}"


def test_the_square_holds_the_face(pack: Pack) -> None:
    view = pack.manifest.views.portrait
    placement = Placement.of(view, (720, 1280), Rect(0, 0, 720, 1280))
    square = face_square(pack.manifest, placement)
    assert abs(square.width - square.height) <= 2
    for point in (pack.manifest.anchors.mouth, pack.manifest.anchors.chin, pack.manifest.anchors.left_eye):
        assert square.x < placement.x(point.x) < square.right
        assert square.y < placement.y(point.y) < square.bottom
