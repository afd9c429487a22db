"""A small pack drawn with OpenCV: a face whose mouths and eyes are told apart by their pixels.

Not a person to look at; a fixture whose every pixel is known. Other tests use :func:`make_pack` too.
"""

from __future__ import annotations

import io
import json
import math
import zipfile
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.uint8]

WIDTH, HEIGHT = 1080, 1920
MOUTH_BOX = {"x": 340, "y": 700, "width": 400, "height": 340}
EYES_BOX = {"x": 300, "y": 430, "width": 480, "height": 230}
ANCHORS = {
    "left_eye": {"x": 440, "y": 560},
    "right_eye": {"x": 640, "y": 560},
    "nose": {"x": 540, "y": 690},
    "mouth": {"x": 540, "y": 800},
    "chin": {"x": 540, "y": 960},
    "crown": {"x": 540, "y": 250},
    "neck": {"x": 540, "y": 1120},
}
SKIN, HAIR, COAT, SHIRT = (150, 175, 215), (35, 45, 60), (95, 65, 45), (225, 225, 225)

MOUTHS: dict[str, dict[str, float]] = {
    "rest": {},
    "pressed": {"mouthPressLeft": 0.5, "mouthPressRight": 0.5},
    "a1": {"jawOpen": 0.1},
    "a2": {"jawOpen": 0.2},
    "a3": {"jawOpen": 0.32},
    "e2": {"jawOpen": 0.12, "mouthStretchLeft": 0.4, "mouthStretchRight": 0.4},
    "o2": {"jawOpen": 0.18, "mouthFunnel": 0.4},
    "u1": {"jawOpen": 0.06, "mouthPucker": 0.6},
    "smile": {"mouthSmileLeft": 0.4, "mouthSmileRight": 0.4},
}
EYES: dict[str, dict[str, float]] = {
    "open": {},
    "half": {"eyeBlinkLeft": 0.5, "eyeBlinkRight": 0.5},
    "shut": {"eyeBlinkLeft": 1.0, "eyeBlinkRight": 1.0},
    "left": {"eyeLookInLeft": 0.4, "eyeLookOutRight": 0.4},
    "right": {"eyeLookOutLeft": 0.4, "eyeLookInRight": 0.4},
}


def _base() -> Picture:
    """A new picture of the person without mouth and eyes, straight alpha, BGRA."""
    return _bare().copy()


@cache
def _bare() -> Picture:
    image = np.zeros((HEIGHT, WIDTH, 4), np.uint8)

    def shape(colour: tuple[int, int, int]) -> tuple[int, int, int, int]:
        return (*colour, 255)

    cv2.ellipse(image, (540, 620), (330, 400), 0, 0, 360, shape(HAIR), -1, cv2.LINE_AA)
    cv2.rectangle(image, (210, 620), (870, 1040), shape(HAIR), -1)
    cv2.rectangle(image, (440, 900), (640, 1250), shape(tuple(c - 25 for c in SKIN)), -1)  # type: ignore[arg-type]
    cv2.ellipse(image, (540, 1700), (520, 520), 0, 180, 360, shape(COAT), -1, cv2.LINE_AA)
    cv2.rectangle(image, (20, 1700), (1060, HEIGHT), shape(COAT), -1)
    cv2.ellipse(image, (540, 1230), (140, 330), 0, 0, 180, shape(SHIRT), -1, cv2.LINE_AA)
    for y in range(1300, HEIGHT, 60):  # texture, so that a shift of the trunk can be measured
        cv2.line(image, (60, y), (400, y), shape((115, 85, 65)), 6, cv2.LINE_AA)
        cv2.line(image, (680, y), (1020, y), shape((115, 85, 65)), 6, cv2.LINE_AA)
    cv2.ellipse(image, (540, 640), (240, 320), 0, 0, 360, shape(SKIN), -1, cv2.LINE_AA)
    cv2.line(image, (540, 640), (520, 700), shape((120, 140, 185)), 8, cv2.LINE_AA)
    cv2.line(image, (520, 700), (560, 705), shape((120, 140, 185)), 8, cv2.LINE_AA)
    # Soft outline, as hair has it.
    alpha = cv2.GaussianBlur(image[..., 3], (0, 0), 2.0)
    solid = image[..., 3] > 0
    filled = cv2.dilate(image[..., :3], np.ones((15, 15), np.uint8))
    image[..., :3] = np.where(solid[..., None], image[..., :3], filled)
    image[..., 3] = alpha
    return image


def _draw_mouth(image: Picture, shapes: dict[str, float]) -> None:
    wide = 90 + 90 * shapes.get("mouthStretchLeft", 0) + 70 * shapes.get("mouthSmileLeft", 0)
    wide -= 70 * shapes.get("mouthPucker", 0) + 60 * shapes.get("mouthFunnel", 0)
    gap = 260 * shapes.get("jawOpen", 0)
    lip = 26 - 24 * shapes.get("mouthPressLeft", 0)
    centre = (540, int(800 + gap / 2))
    cv2.ellipse(image, centre, (int(wide), int(lip + gap / 2)), 0, 0, 360, (95, 95, 190, 255), -1, cv2.LINE_AA)
    if gap > 2:
        cv2.ellipse(image, centre, (int(wide * 0.8), int(gap / 2)), 0, 0, 360, (20, 20, 50, 255), -1, cv2.LINE_AA)
    else:
        cv2.line(image, (int(540 - wide), 800), (int(540 + wide), 800), (60, 60, 130, 255), 4, cv2.LINE_AA)


def _draw_eyes(image: Picture, shapes: dict[str, float]) -> None:
    look = 60 * (shapes.get("eyeLookOutLeft", 0) - shapes.get("eyeLookInLeft", 0))
    lids = shapes.get("eyeBlinkLeft", 0)
    for x in (440, 640):
        cv2.line(image, (x - 60, 490), (x + 60, 490), (50, 60, 80, 255), 12, cv2.LINE_AA)
        height = round(28 * (1 - lids))
        if height < 2:
            cv2.line(image, (x - 52, 566), (x + 52, 566), (70, 80, 110, 255), 6, cv2.LINE_AA)
            continue
        cv2.ellipse(image, (x, 560), (52, height), 0, 0, 360, (240, 240, 240, 255), -1, cv2.LINE_AA)
        cv2.circle(image, (int(x + look), 560), min(24, height), (60, 70, 90, 255), -1, cv2.LINE_AA)
        cv2.circle(image, (int(x + look), 560), min(11, height), (15, 15, 15, 255), -1, cv2.LINE_AA)


def _mask(box: dict[str, int]) -> Picture:
    """255 within, feathered to 0 at the edge."""
    mask = np.zeros((box["height"], box["width"]), np.uint8)
    mask[24:-24, 24:-24] = 255
    mask = cv2.GaussianBlur(mask, (0, 0), 8)
    mask[[0, -1]] = 0
    mask[:, [0, -1]] = 0
    return np.asarray(mask, np.uint8)


def _png(image: Picture) -> bytes:
    done, data = cv2.imencode(".png", image, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    assert done
    return data.tobytes()


def members(avatar_id: str = "synthetic", tint: int = 0, mouth_top: int = MOUTH_BOX["y"]) -> dict[str, bytes]:
    """The pack's files.

    ``tint`` is added to every patch: a badly matched bank, to prove that seams are found. ``mouth_top``: where the
    mouth's box begins; above 660 it overlaps the eyes'.
    """
    bottom = MOUTH_BOX["y"] + MOUTH_BOX["height"]
    mouth_box = MOUTH_BOX | {"y": mouth_top, "height": bottom - mouth_top}
    neutral = _base()
    _draw_mouth(neutral, {})
    _draw_eyes(neutral, {})
    files = {"base.png": _png(neutral)}
    banks: dict[str, Any] = {}
    for bank, box, entries, draw, bare in (
        ("mouth", mouth_box, MOUTHS, _draw_mouth, _draw_eyes),
        ("eyes", EYES_BOX, EYES, _draw_eyes, _draw_mouth),
    ):
        listed = []
        for name, shapes in entries.items():
            image = _base()
            bare(image, {})
            draw(image, shapes)
            patch = image[box["y"] : box["y"] + box["height"], box["x"] : box["x"] + box["width"]]
            if tint:
                patch = np.asarray(cv2.add(patch, (tint, tint, tint, 0)), np.uint8)
            files[f"{bank}/{name}.png"] = _png(np.ascontiguousarray(patch))
            listed.append({"id": name, "file": f"{bank}/{name}.png", "blendshapes": shapes})
        files[f"{bank}/mask.png"] = _png(_mask(box))
        banks[bank] = {"box": box, "mask": f"{bank}/mask.png", "entries": listed}
    manifest = {
        "format": "visavis-avatar-pack",
        "version": 1,
        "id": avatar_id,
        "name": "Synthetic",
        "licence": "Apache-2.0",
        "made_by": "tests/avatar/synthetic.py",
        "canvas": {"width": WIDTH, "height": HEIGHT},
        "base": "base.png",
        "anchors": ANCHORS,
        "views": {
            "portrait": {"x": 0, "y": 0, "width": 1080, "height": 1920},
            "landscape": {"x": -1167, "y": 0, "width": 3413, "height": 1920},
        },
        **banks,
    }
    files["manifest.json"] = json.dumps(manifest).encode()
    return files


def write_zip(path: Path, files: dict[str, bytes]) -> Path:
    """Write ``files`` as a zip file."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(buffer.getvalue())
    return path


def make_pack(path: Path, avatar_id: str = "synthetic") -> Path:
    """Write the synthetic pack to ``path`` (a .zip file) and return it. 9 mouths, 5 eyes, 1080x1920."""
    return write_zip(path, members(avatar_id))


def rgb(i420: Picture) -> Picture:
    """An I420 picture as RGB, by this file's own arithmetic (BT.601 limited range)."""
    height, width = i420.shape[0] * 2 // 3, i420.shape[1]
    flat = i420.reshape(-1).astype(np.float32)
    luma, chroma = width * height, width * height // 4
    y = (flat[:luma].reshape(height, width) - 16) * 255 / 219
    u, v = (
        np.kron(flat[luma + i * chroma : luma + (i + 1) * chroma].reshape(height // 2, -1) - 128, np.ones((2, 2)))
        * 255
        / 224
        for i in (0, 1)
    )
    picture = np.stack([y + 1.402 * v, y - 0.344136 * u - 0.714136 * v, y + 1.772 * u], axis=-1)
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)


def save(path: str, i420: Picture) -> None:
    """Save an I420 picture, to be looked at."""
    cv2.imwrite(path, rgb(i420)[..., ::-1])


def degrees(angle: float) -> float:
    """Degrees as radians."""
    return angle * math.pi / 180


if __name__ == "__main__":
    import sys

    print(make_pack(Path(sys.argv[1])))
