"""Faces in pictures: MediaPipe, in its own process and environment, fed through pipes."""

from __future__ import annotations

import contextlib
import json
import queue
import struct
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

import cv2
import numpy as np
import numpy.typing as npt

from visavis.avatar.importing import environment
from visavis.avatar.importing.environment import ImportRefused

Picture = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]

POINTS: Final = 478
SCORES: Final = 51
MAX_SIDE: Final = 1280
"""Pictures are scaled down to this before the search: the model looks at faces of 256 pixels."""
_FACE_BYTES: Final = 4 * (POINTS * 3 + SCORES + 16)
_WAITING: Final = 4
_WORKER: Final = Path(__file__).with_name("worker.py")


@dataclass(frozen=True, slots=True)
class Face:
    """One face of a picture.

    ``points``: shape (478, 3), pixels (z: towards the viewer is negative, same scale); ``scores``: shape (51,), as the model
    gives them, in the order of ARKIT without tongueOut; ``rotation``: shape (3, 3), of the head, in the picture's axes (x
    right, y down, z away from the viewer).
    """

    points: Floats
    scores: Floats
    rotation: Floats

    @property
    def height(self) -> float:
        """From hairline to chin, pixels."""
        return float(np.linalg.norm(self.points[10, :2] - self.points[152, :2]))


_FLIP: Final = np.array([1, -1, -1], np.float32)
"""The model's y points up and its z towards the viewer."""


def angles(rotation: Floats) -> Floats:
    """(yaw, pitch, roll) in radians of rotations of shape (..., 3, 3): to the viewer's right, down, clockwise positive."""
    yaw = -np.arctan2(rotation[..., 0, 2], rotation[..., 2, 2])
    pitch = np.arcsin(np.clip(-rotation[..., 1, 2], -1, 1))
    roll = np.arctan2(rotation[..., 1, 0], rotation[..., 1, 1])
    return np.asarray(np.stack([yaw, pitch, roll], -1), np.float32)


def find_faces(
    pictures: Iterable[Picture],
    width: int,
    height: int,
    *,
    fps: float | None,
    say: Callable[[str], None] = lambda _: None,
) -> Iterator[tuple[Picture, list[Face]]]:
    """Each of ``pictures`` (BGR, height x width) with its faces (at most two, the larger first), in order.

    ``fps``: the rate of a film, whose faces are tracked; None: unrelated pictures.

    Raises:
        ImportRefused: the landmark environment cannot be made or breaks down.
    """
    python = environment.ready(say)
    scale = min(1.0, MAX_SIDE / max(width, height))
    size = max(2, round(width * scale)), max(2, round(height * scale))
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [str(python), "-I", str(_WORKER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log
        )
        assert process.stdin is not None
        assert process.stdout is not None
        waiting: queue.Queue[Picture | Exception | None] = queue.Queue(_WAITING)
        stop = threading.Event()
        feeder = threading.Thread(
            target=_feed, args=(pictures, process.stdin, size, fps, waiting, stop), name="faces", daemon=True
        )
        feeder.start()
        try:
            while (picture := waiting.get()) is not None:
                if isinstance(picture, Exception):
                    raise picture
                faces = _answer(process.stdout, width, height)
                if faces is None:
                    process.wait()
                    log.seek(0)
                    tail = log.read().decode(errors="replace").strip().splitlines()[-3:]
                    raise ImportRefused("the face finder broke down: " + " / ".join(tail))
                yield picture, faces
        finally:
            stop.set()
            process.kill()
            process.wait()
            while feeder.is_alive():  # it may wait for room
                try:
                    waiting.get(timeout=0.1)
                except queue.Empty:
                    continue
            process.stdout.close()


def _feed(
    pictures: Iterable[Picture],
    pipe: IO[bytes],
    size: tuple[int, int],
    fps: float | None,
    waiting: queue.Queue[Picture | Exception | None],
    stop: threading.Event,
) -> None:
    try:
        ask = {"width": size[0], "height": size[1], "faces": 2, "video": fps is not None}
        pipe.write(json.dumps(ask).encode() + b"\n")
        for index, picture in enumerate(pictures):
            if stop.is_set():
                return
            small = picture
            if (picture.shape[1], picture.shape[0]) != size:
                small = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
            waiting.put(picture)
            pipe.write(struct.pack("<q", round(index * 1000 / (fps or 25))))
            pipe.write(cv2.cvtColor(small, cv2.COLOR_BGR2RGB).tobytes())
            pipe.flush()
    except (BrokenPipeError, ConnectionResetError):
        pass  # the reader sees the end of the answers
    except Exception as error:
        waiting.put(error)
        return
    finally:
        with contextlib.suppress(OSError):  # broken: the reader sees it
            pipe.close()
    waiting.put(None)


def _answer(pipe: IO[bytes], width: int, height: int) -> list[Face] | None:
    head = pipe.read(4)
    if len(head) < 4:
        return None
    faces = []
    for _ in range(struct.unpack("<i", head)[0]):
        data = pipe.read(_FACE_BYTES)
        if len(data) < _FACE_BYTES:
            return None
        values = np.frombuffer(data, np.float32)
        points = values[: POINTS * 3].reshape(POINTS, 3) * np.array([width, height, width], np.float32)
        scores = values[POINTS * 3 : POINTS * 3 + SCORES]
        rotation = values[-16:].reshape(4, 4)[:3, :3] * _FLIP * _FLIP[:, None]
        faces.append(Face(np.asarray(points, np.float32), scores.copy(), np.asarray(rotation, np.float32)))
    return sorted(faces, key=lambda face: -face.height)
