"""Runs lip models in ONNX form: one network (Wav2Lip) or a chain (LiteAvatar: sound -> mouth parameters -> picture).

A folder holds ``engine.toml`` and the weights; the file says what each network takes and gives, so that a model is
fitted by writing a few lines. Weights are pinned by sha256. On a GPU if ONNX Runtime has one, else on the processor.
"""

from __future__ import annotations

import hashlib
import tomllib
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import cv2
import numpy as np
import numpy.typing as npt
import onnxruntime
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from visavis import log
from visavis.avatar.neural import mel
from visavis.avatar.neural.types import Patch, Picture, Sound
from visavis.avatar.planes import Rect
from visavis.errors import VisavisError

PROVIDERS: Final = ("CUDAExecutionProvider", "ROCMExecutionProvider", "CoreMLExecutionProvider", "CPUExecutionProvider")
"""In order of preference."""

_log = log.get("neural")
_Array = npt.NDArray[np.float32]


class EngineError(VisavisError):
    """A lip engine's folder is incomplete, or its model does not fit its description."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Audio(_Strict):
    """What the first network hears. mel: shape (1, 1, 80, ``steps``), see :mod:`visavis.avatar.neural.mel`, beginning at the
    picture's moment; pcm: shape (1, samples) at ``rate``, from ``before`` s before the moment to ``after`` s after it."""

    kind: Literal["mel", "pcm"]
    steps: int = Field(default=16, ge=1, le=200)
    rate: int = Field(default=16_000, ge=8_000, le=48_000)
    before: float = Field(default=0.0, ge=0, le=2)
    after: float = Field(default=0.2, ge=0, le=2)

    @model_validator(mode="after")
    def _mel_begins_at_the_moment(self) -> Audio:
        if self.kind == "mel" and self.rate != mel.RATE:
            raise ValueError(f"mel is made from {mel.RATE} Hz")
        return self


class Face(_Strict):
    """What the painting network sees: the square around the face, ``size`` pixels a side, channels first, blue first.

    masked_pair: six channels, the face with its lower half black, then the whole face; plain: three; none: it is not shown
    one. ``low``, ``high``: the numbers that stand for 0 and 255.
    """

    kind: Literal["masked_pair", "plain", "none"] = "masked_pair"
    size: int = Field(default=96, ge=16, le=1024)
    rgb: bool = False
    low: float = 0.0
    high: float = 1.0


class Painted(_Strict):
    """The value ``patch``, shape (1, 3, h, w): which part of the face's square it covers (left, top, right, bottom as shares
    of it), its channel order and range; and how wide its edge is feathered (share of its width)."""

    box: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0)
    rgb: bool = False
    low: float = 0.0
    high: float = 1.0
    feather: float = Field(default=0.08, ge=0, le=0.5)
    lower_half: bool = Field(default=True, description="only what lies below the middle is shown")

    @model_validator(mode="after")
    def _box_is_one(self) -> Painted:
        left, top, right, bottom = self.box
        if not (0 <= left < right <= 1 and 0 <= top < bottom <= 1):
            raise ValueError(f"box {self.box}: wanted 0 <= left < right <= 1 and 0 <= top < bottom <= 1")
        return self


class Stage(_Strict):
    """One network: ``inputs`` and ``outputs`` map the names in the ONNX file to values. The values "audio" and "face" are
    given; the last stage gives "patch"."""

    file: str = Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}$")
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    inputs: dict[str, str]
    outputs: dict[str, str]


class Description(_Strict):
    """``engine.toml``."""

    format: Literal["visavis-lip-engine"]
    version: Literal[1]
    name: str
    licence: str
    audio: Audio
    face: Face = Face()
    painted: Painted = Painted()
    stages: list[Stage] = Field(min_length=1, max_length=8)


class OnnxEngine:
    """A :class:`~visavis.avatar.neural.types.LipEngine`."""

    def __init__(self, folder: Path) -> None:
        """Load ``folder``. Raises EngineError with the reason if anything is missing or does not fit."""
        self.description = _read(folder)
        available = onnxruntime.get_available_providers()
        providers = [name for name in PROVIDERS if name in available]
        options = onnxruntime.SessionOptions()
        # One picture at a time beside encoders: more threads would only take their cores.
        options.intra_op_num_threads = 1
        self._stages = [(stage, _session(folder, stage, providers, options)) for stage in self.description.stages]
        self.provider: str = self._stages[-1][1].get_providers()[0]
        audio = self.description.audio
        if audio.kind == "mel":
            self._samples = mel.samples_for(audio.steps)
            self.before = mel.WINDOW / 2 / mel.RATE
        else:
            self._samples = round((audio.before + audio.after) * audio.rate)
            self.before = audio.before
        self.sample_rate = audio.rate
        self.after = self._samples / audio.rate - self.before
        self._try()
        _log.info("lip engine loaded", engine=self.description.name, provider=self.provider)

    def paint(self, sound: Sound, face: Picture) -> Patch:
        values: dict[str, _Array] = {"audio": self._audio(sound), "face": self._face(face)}
        for stage, session in self._stages:
            given = {name: values[value] for name, value in stage.inputs.items()}
            values.update(zip(stage.outputs.values(), session.run(list(stage.outputs), given), strict=True))
        return self._patch(values["patch"], face)

    def _audio(self, sound: Sound) -> _Array:
        if self.description.audio.kind == "mel":
            return mel.mel(sound)[None, None]
        return np.asarray(sound[None], np.float32)

    def _face(self, face: Picture) -> _Array:
        wanted = self.description.face
        small = cv2.resize(face, (wanted.size, wanted.size), interpolation=cv2.INTER_AREA)
        channels = (small[..., ::-1] if wanted.rgb else small).transpose(2, 0, 1).astype(np.float32) / 255
        if wanted.kind == "masked_pair":
            masked = channels.copy()
            masked[:, wanted.size // 2 :] = 0
            channels = np.concatenate([masked, channels])
        return np.asarray(wanted.low + (wanted.high - wanted.low) * channels, np.float32)[None]

    def _patch(self, painted: _Array, face: Picture) -> Patch:
        how = self.description.painted
        height, width = face.shape[:2]
        left, top = round(how.box[0] * width), round(how.box[1] * height)
        box = Rect(left, top, round(how.box[2] * width) - left, round(how.box[3] * height) - top)
        levels = (painted[0].transpose(1, 2, 0) - how.low) / (how.high - how.low)
        picture = np.clip(np.nan_to_num(levels) * 255 + 0.5, 0, 255).astype(np.uint8)
        picture = np.ascontiguousarray(picture[..., ::-1] if how.rgb else picture)
        scaled = cv2.resize(picture, (box.width, box.height), interpolation=cv2.INTER_CUBIC)
        return Patch(np.asarray(scaled, np.uint8), box, _mask(box, how))

    def _try(self) -> None:
        """Paint once: a model that does not fit its description is found when the server starts, not when it speaks."""
        size = max(self.description.face.size, 64)
        try:
            self.paint(np.zeros(self._samples, np.float32), np.zeros((size, size, 3), np.uint8))
        except Exception as error:  # onnxruntime has no common base class for its errors
            raise EngineError(f"lip engine {self.description.name}: {_first_line(error)}") from None


def _read(folder: Path) -> Description:
    path = folder / "engine.toml"
    try:
        content: dict[str, Any] = tomllib.loads(path.read_text("utf-8"))
        description = Description.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise EngineError(f"engine.toml: {where}: {first['msg']}") from None
    except (OSError, ValueError) as error:
        raise EngineError(f"engine.toml: {error}") from None
    known = {"audio", "face"}
    for stage in description.stages:
        if unknown := sorted(set(stage.inputs.values()) - known):
            raise EngineError(f"engine.toml: {stage.file} takes {', '.join(unknown)}, which no stage before it gives")
        known |= set(stage.outputs.values())
    if "patch" not in description.stages[-1].outputs.values():
        raise EngineError("engine.toml: the last stage does not give the value patch")
    return description


def _session(
    folder: Path, stage: Stage, providers: list[str], options: onnxruntime.SessionOptions
) -> onnxruntime.InferenceSession:
    try:
        weights = (folder / stage.file).read_bytes()
    except OSError as error:
        raise EngineError(f"{stage.file}: {error.strerror or error}") from None
    if hashlib.sha256(weights).hexdigest() != stage.sha256:
        raise EngineError(f"{stage.file}: its sha256 is not the one in engine.toml")
    try:
        session = onnxruntime.InferenceSession(weights, options, providers=providers)
    except Exception as error:
        raise EngineError(f"{stage.file}: {_first_line(error)}") from None
    for ours, theirs in ((stage.inputs, session.get_inputs()), (stage.outputs, session.get_outputs())):
        names = {one.name for one in theirs}
        if unknown := sorted(set(ours) - names):
            raise EngineError(f"{stage.file} has no {', '.join(unknown)}; it has {', '.join(sorted(names))}")
    return session


def _mask(box: Rect, how: Painted) -> npt.NDArray[np.uint8]:
    """255 inside, falling to 0 at the edge."""
    x, y = (np.arange(side) + 0.5 for side in (box.width, box.height))
    top = box.height / 2 if how.lower_half else 0
    inside = np.minimum(
        np.minimum(x, box.width - x)[None, :],
        np.minimum(y - top, box.height - y)[:, None],
    )
    edge = max(1.0, how.feather * box.width)
    return np.asarray(np.clip(inside / edge, 0, 1) * 255 + 0.5, np.uint8)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:300]
