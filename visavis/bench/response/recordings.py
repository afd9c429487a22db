"""Recordings to speak into the page, and their manifest (the format is described in docs/bench-response.md)."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Literal

import av
import numpy as np
import soxr
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from visavis.errors import VisavisError
from visavis.speech.types import Language, Pcm

SHIPPED: Final = Path(__file__).parents[3] / "demo" / "recordings"
MANIFEST: Final = "manifest.json"
MAX_MANIFEST: Final = 4 * 2**20
MAX_FILE: Final = 16 * 2**20
MAX_SECONDS: Final = 60.0

_Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000)]


class RecordingsError(VisavisError):
    """A manifest or a recording cannot be used; the message names the file and the reason."""


class Recording(BaseModel):
    """One recording.

    Attributes:
        file: its name in the manifest's folder.
        kind: "question" wants an answer; "sound" is heard during an answer and wants none.
        starts_s, ends_s: when speech (or the sound) begins and ends in the file, seconds.
        language: of a question, and of its answer; of a sound with words.
        group: what figures are split by, e.g. "short", "noise", "pause", "cough".
        expect: ids of the entries whose stored answer is right.
        answers: texts one of which a right answer contains, beside those.
        pauses_s: silences inside the question, seconds: an answer must not begin in them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    file: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]
    kind: Literal["question", "sound"]
    seconds: float = Field(0.0, ge=0, le=MAX_SECONDS)
    starts_s: float = Field(ge=0, le=MAX_SECONDS, allow_inf_nan=False)
    ends_s: float = Field(gt=0, le=MAX_SECONDS, allow_inf_nan=False)
    language: Language | None = None
    group: Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,40}$")] = "other"
    text: str = Field("", max_length=2000)
    expect: tuple[_Text, ...] = Field((), max_length=20)
    answers: tuple[_Text, ...] = Field((), max_length=20)
    pauses_s: tuple[float, ...] = Field((), max_length=20)
    snr_db: float | None = Field(None, allow_inf_nan=False)
    speaker: str = Field("", max_length=200)

    @model_validator(mode="after")
    def _whole(self) -> Recording:
        if self.starts_s >= self.ends_s:
            raise ValueError("starts_s is not before ends_s")
        if self.kind == "question" and self.language is None:
            raise ValueError("a question needs its language")
        if self.kind == "question" and not (self.expect or self.answers):
            raise ValueError("a question needs what it expects: expect or answers")
        return self

    @property
    def hesitates(self) -> bool:
        """Whether its speaker pauses or says "um" before the end."""
        return bool(self.pauses_s) or self.group in ("pause", "um")


class _Manifest(BaseModel):
    model_config = ConfigDict(extra="forbid")

    format: Literal["visavis-recordings"]
    version: Literal[1]
    recordings: list[Recording] = Field(min_length=1, max_length=10_000)


@dataclass(frozen=True)
class Recordings:
    """A folder of them."""

    folder: Path
    questions: Sequence[Recording]
    sounds: Sequence[Recording]

    def content(self, recording: Recording) -> bytes:
        """The file as it is. Raises RecordingsError."""
        path = self.folder / recording.file
        try:
            if path.stat().st_size > MAX_FILE:
                raise RecordingsError(f"{path.name}: larger than {MAX_FILE // 2**20} MiB")
            return path.read_bytes()
        except OSError as error:
            raise RecordingsError(f"{path.name}: cannot be read: {error.strerror}") from error


def load(folder: Path) -> Recordings:
    """Read and check a folder's manifest, and that each file is sound of at least the length told. Raises RecordingsError."""
    manifest = _read(folder / MANIFEST)
    names = [recording.file for recording in manifest.recordings]
    if twice := {name for name in names if names.count(name) > 1}:
        raise RecordingsError(f"{MANIFEST}: {min(twice)!r} is listed twice")
    questions = [recording for recording in manifest.recordings if recording.kind == "question"]
    if not questions:
        raise RecordingsError(f"{MANIFEST}: no question is listed")
    recordings = Recordings(folder, questions, [each for each in manifest.recordings if each.kind == "sound"])
    for recording in manifest.recordings:
        seconds = len(decode(recordings.content(recording), 16_000, recording.file)) / 16_000
        if recording.ends_s > seconds + 0.05:
            raise RecordingsError(f"{recording.file}: ends_s is {recording.ends_s}, and the file has {seconds:.2f} s")
    return recordings


def decode(content: bytes, rate: int, name: str = "the file") -> Pcm:
    """Mono int16 at ``rate``. Raises RecordingsError for what is no sound, or longer than a minute."""
    try:
        with av.open(io.BytesIO(content), "r") as file:
            stream = file.streams.audio[0]
            resampler = av.AudioResampler("s16", "mono", stream.rate)
            blocks: list[Pcm] = []
            total = 0
            for frame in file.decode(stream):
                for block in resampler.resample(frame):
                    blocks.append(block.to_ndarray()[0].astype(np.int16))
                    total += len(blocks[-1])
                if total > MAX_SECONDS * stream.rate:
                    raise RecordingsError(f"{name}: longer than {MAX_SECONDS:.0f} s")
            source = stream.rate
    except (av.error.FFmpegError, IndexError, ValueError) as error:
        raise RecordingsError(f"{name}: not sound that can be decoded") from error
    if not blocks:
        raise RecordingsError(f"{name}: no sound in it")
    resampled: Pcm = soxr.resample(np.concatenate(blocks), source, rate)
    return resampled


def _read(path: Path) -> _Manifest:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_MANIFEST + 1)
    except OSError as error:
        raise RecordingsError(f"{path}: cannot be read: {error.strerror}") from error
    if len(data) > MAX_MANIFEST:
        raise RecordingsError(f"{path.name}: larger than {MAX_MANIFEST // 2**20} MiB")
    try:
        raw = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise RecordingsError(f"{path.name}: not JSON") from error
    try:
        return _Manifest.model_validate(raw)
    except ValidationError as error:
        problems = [_explain(raw, each["loc"], each["msg"]) for each in error.errors()[:5]]
        raise RecordingsError(f"{path.name}: {'; '.join(problems)}") from error


def _explain(raw: object, where: tuple[int | str, ...], message: str) -> str:
    """Name a recording by its file instead of by its number."""
    place = ".".join(str(part) for part in where)
    if len(where) >= 2 and where[0] == "recordings" and isinstance(raw, dict) and isinstance(where[1], int):
        entry = raw["recordings"][where[1]]
        name = entry.get("file") if isinstance(entry, dict) else None
        rest = ".".join(str(part) for part in where[2:])
        place = (str(name)[:100] if name else f"recording number {where[1] + 1}") + (f" {rest}" if rest else "")
    return f"{place or 'the file'}: {message.removeprefix('Value error, ')}"
