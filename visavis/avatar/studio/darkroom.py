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

from visavis.avatar.studio import environment
from visavis.avatar.studio.character import Character
from visavis.avatar.studio.environment import StudioError

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
        for script in sorted(_SCRIPTS.glob("*.py")):
            digest.update(script.read_bytes())
        what = {"character": self.character.scene(), "lock": _lock_digest(), **inputs}
        digest.update(json.dumps(what, sort_keys=True).encode())
        return digest.hexdigest()[:24]

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
            for message in self._work(steps):
                if message["event"] == "rendered":
                    count += 1
                    self.seconds[message["id"]] = message["seconds"]
                    progress(count, total, f"{message['id']} ({message['seconds']} s)")
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


def _lock_digest() -> str:
    lock = environment.LOCK
    return hashlib.sha256(lock.read_bytes()).hexdigest()[:12] if lock.is_file() else ""
