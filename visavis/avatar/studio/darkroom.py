"""Renders pictures through the bake environment and keeps them, so that an interrupted bake goes on."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from visavis.avatar.studio import environment
from visavis.avatar.studio.character import Character
from visavis.avatar.studio.environment import StudioError
from visavis.avatar.studio.styles import STYLES

Progress = Callable[[int, int, str], None]
Rectangle = tuple[int, int, int, int]
_SCRIPTS = Path(__file__).parent / "blender"
_WORKER = "visavis.avatar.studio.blender.worker"


@dataclass(frozen=True, slots=True)
class Shot:
    """A picture to take: the whole canvas, or the rectangle ``box`` of it."""

    id: str
    weights: dict[str, float]
    samples: int
    box: Rectangle | None = None


@dataclass(slots=True)
class Darkroom:
    """Takes pictures of one character. Files in ``work_dir`` are named by a hash of all that they depend on."""

    character: Character
    work_dir: Path
    threads: int = field(default_factory=lambda: os.cpu_count() or 1)
    seconds: dict[str, float] = field(default_factory=dict)

    def key(self, **inputs: object) -> str:
        """A name for what is made from the character, the scene scripts and ``inputs``."""
        digest = hashlib.sha256()
        for script in self._scripts():
            digest.update(script.read_bytes())
        what = {"character": self.character.scene(), "lock": _lock_digest(), **inputs}
        digest.update(json.dumps(what, sort_keys=True).encode())
        return digest.hexdigest()[:24]

    def _scripts(self) -> list[Path]:
        """The scene scripts that this character uses: a new hairdo for one does not make the others stale."""
        used = {STYLES[part][style] for part, style in self.character.styles().items()}
        others = {name for styles in STYLES.values() for name in styles.values()} - used
        return [path for path in sorted(_SCRIPTS.glob("*.py")) if path.stem not in others]

    def _path(self, shot: Shot) -> Path:
        return self.work_dir / f"{self.key(weights=shot.weights, samples=shot.samples, box=shot.box)}.png"

    def layout(self, banks: dict[str, list[dict[str, float]]]) -> dict[str, Any]:
        """Landmarks and the rectangles in which the banks' poses move anything."""
        path = self.work_dir / f"{self.key(banks=banks)}.json"
        if not path.is_file():
            for message in self._work([{"do": "layout", "banks": banks}]):
                if message["event"] == "layout":
                    part = path.with_suffix(".part")
                    part.write_text(json.dumps(message["layout"]))
                    part.replace(path)
        layout: dict[str, Any] = json.loads(path.read_text())
        return layout

    def depth(self, side: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
        """Metres towards the viewer before the head's turning axis, in ``side`` rows; and where there is anybody."""
        path = self.work_dir / f"{self.key(depth=side)}.npz"
        if not path.is_file():
            for _ in self._work([{"do": "depth", "side": side, "out": str(path)}]):
                pass
        with np.load(path) as found:
            return np.asarray(found["depth"], np.float32), np.asarray(found["known"], np.bool_)

    def take(self, shots: Sequence[Shot], progress: Progress) -> list[Path]:
        """The pictures of ``shots``, in order; what was taken before is not taken again."""
        paths = [self._path(shot) for shot in shots]
        missing = [(shot, path) for shot, path in zip(shots, paths, strict=True) if not path.is_file()]
        count, total = len(shots) - len(missing), len(shots)
        if missing:
            steps = [
                {"do": "render", "id": s.id, "out": str(p), "weights": s.weights, "samples": s.samples, "box": s.box}
                for s, p in missing
            ]
            left = Estimate([_work_of(shot, self.character) for shot, _ in missing])
            for message in self._work(steps):
                if message["event"] == "rendered":
                    count += 1
                    self.seconds[message["id"]] = message["seconds"]
                    progress(
                        count, total, f"{message['id']} ({message['seconds']} s), {left.after(message['seconds'])}"
                    )
        return paths

    def _work(self, steps: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        python, data = environment.ready()
        self.work_dir.mkdir(parents=True, exist_ok=True)
        job = self.work_dir / f"job-{os.getpid()}.json"
        scene = {"character": self.character.scene(), "data": str(data), "threads": self.threads, "steps": steps}
        job.write_text(json.dumps(scene))
        log = self.work_dir / "blender.log"
        search = {**os.environ, "PYTHONPATH": str(environment.REPOSITORY)}
        with log.open("w") as errors:
            command = [str(python), "-m", _WORKER, str(job)]
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, env=search)
            try:
                assert process.stdout is not None
                for line in process.stdout:
                    yield json.loads(line)
                code = process.wait()
            finally:
                if process.poll() is None:
                    process.terminate()
                    process.wait()
                job.unlink(missing_ok=True)
        if code:
            tail = "\n".join(log.read_text(errors="replace").strip().splitlines()[-5:])
            raise StudioError(f"the bake environment failed ({code}):\n{tail}")


def _work_of(shot: Shot, character: Character) -> float:
    """Roughly what a picture costs: its samples, and a part that is the same for each."""
    width, height = shot.box[2:] if shot.box else (character.canvas.width, character.canvas.height)
    return 2e5 + width * height * shot.samples


class Estimate:
    """Time left, from what the pictures so far took (the later ones count more: the load of the machine changes)."""

    def __init__(self, work: Sequence[float]) -> None:
        self._work = list(work)
        self._done = 0
        self._rate: float | None = None

    def after(self, seconds: float) -> str:
        """To be called after each picture, in their order: "about 12 min left"."""
        rate = seconds / self._work[self._done]
        self._done += 1
        self._rate = rate if self._rate is None else 0.8 * self._rate + 0.2 * rate
        left = self._rate * sum(self._work[self._done :])
        return f"about {left / 60:.0f} min left" if left >= 90 else f"about {left:.0f} s left"


def _lock_digest() -> str:
    lock = environment.LOCK
    return hashlib.sha256(lock.read_bytes()).hexdigest()[:12] if lock.is_file() else ""
