"""The synthetic person as a filmed pack: its loop is the neutral picture moved by known matrices."""

from __future__ import annotations

import io
import json
import math
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import synthetic
from synthetic import Picture

COUNT = 25
SCALE = 0.5
"""Of the synthetic canvas: films are dear to prepare."""


def matrix(index: int) -> list[float]:
    """Where picture ``index`` shows the point (x, y): the loop is one slow circle with a little tilt."""
    turn = 2 * math.pi * index / COUNT
    angle = math.radians(1.5) * math.sin(turn)
    cos, sin = math.cos(angle), math.sin(angle)
    x, y = 270.0, 560.0
    return [
        cos, -sin, x - cos * x + sin * y + 14 * math.cos(turn) - 14, sin, cos, y - sin * x - cos * y + 6 * math.sin(turn),
    ]  # fmt: skip


def video(pictures: list[Picture], codec: str = "libx264", size: tuple[int, int] | None = None) -> bytes:
    """I420 pictures as an mp4."""
    file = io.BytesIO()
    height, width = pictures[0].shape[0] * 2 // 3, pictures[0].shape[1]
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream(codec, 25, options={"crf": "12"} if codec == "libx264" else {})
        stream.width, stream.height, stream.pix_fmt = *(size or (width, height)), "yuv420p"
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="yuv420p")))
        container.mux(stream.encode(None))
    return file.getvalue()


def _scaled(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _scaled(item) for key, item in value.items()}
    return value * SCALE if isinstance(value, float) else round(value * SCALE) if isinstance(value, int) else value


def members(alpha: bool = True) -> dict[str, bytes]:
    """The pack's files."""
    files = synthetic.members("filmed")
    manifest = json.loads(files["manifest.json"])
    for part in ("canvas", "anchors", "views"):
        manifest[part] = _scaled(manifest[part])
    for bank in ("mouth", "eyes"):
        manifest[bank]["box"] = _scaled(manifest[bank]["box"])
    for name in [name for name in files if name.endswith(".png")]:
        image = cv2.imdecode(np.frombuffer(files[name], np.uint8), cv2.IMREAD_UNCHANGED)
        half = cv2.resize(image, None, fx=SCALE, fy=SCALE, interpolation=cv2.INTER_AREA)
        if name.endswith("mask.png"):
            half[[0, -1]] = 0
            half[:, [0, -1]] = 0
        files[name] = cv2.imencode(".png", half)[1].tobytes()
    base = cv2.imdecode(np.frombuffer(files["base.png"], np.uint8), cv2.IMREAD_UNCHANGED)
    size = base.shape[1], base.shape[0]
    pictures, alphas = [], []
    for index in range(COUNT):
        move = np.array(matrix(index)).reshape(2, 3)
        # Pixel centres of pictures lie half a pixel beside the manifest's coordinates.
        move[:, 2] += move[:, :2] @ (0.5, 0.5) - 0.5
        moved = cv2.warpAffine(base, move, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        pictures.append(cv2.cvtColor(moved[..., :3], cv2.COLOR_BGR2YUV_I420))
        luma = np.full((size[1] * 3 // 2, size[0]), 128, np.uint8)
        luma[: size[1]] = np.rint(16 + moved[..., 3] * (219 / 255.0))
        alphas.append(luma)
    files["loop.mp4"] = video(pictures)
    if alpha:
        files["alpha.mp4"] = video(alphas)
    manifest["loop"] = {
        "file": "loop.mp4",
        "alpha": "alpha.mp4" if alpha else None,
        "fps": 25,
        "frames": [{"matrix": matrix(index)} for index in range(COUNT)],
    }
    files["manifest.json"] = json.dumps(manifest).encode()
    return files


def make_film(path: Path, alpha: bool = True) -> Path:
    """Write the filmed pack."""
    return synthetic.write_zip(path, members(alpha))
