"""Masks, patches and the contact sheet."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from visavis.avatar.studio.environment import StudioError

Image = npt.NDArray[np.uint8]
Rectangle = tuple[int, int, int, int]


def read(path: Path) -> Image:
    """A picture as BGRA."""
    image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if image is None or image.ndim != 3 or image.shape[2] != 4 or image.dtype != np.uint8:
        raise StudioError(f"not an 8-bit RGBA picture: {path}")
    return np.asarray(image, np.uint8)


def encode(image: Image, suffix: str, quality: int = 95) -> bytes:
    """``suffix``: ".png" or ".webp"."""
    options = [cv2.IMWRITE_PNG_COMPRESSION, 9] if suffix == ".png" else [cv2.IMWRITE_WEBP_QUALITY, quality]
    done, data = cv2.imencode(suffix, image, options)
    if not done:
        raise StudioError(f"cannot encode a picture as {suffix}")
    return data.tobytes()


def feathered(width: int, height: int, feather: int) -> Image:
    """255 inside, falling smoothly to 0 at the edges, with round corners."""
    x = np.minimum(np.arange(width), np.arange(width)[::-1]) / feather
    y = np.minimum(np.arange(height), np.arange(height)[::-1]) / feather
    inner_x, inner_y = 1 - np.clip(x, 0, 1), 1 - np.clip(y, 0, 1)
    depth = 1 - np.hypot(inner_x[None, :], inner_y[:, None])
    depth = np.clip(depth, 0, 1)
    smooth = depth * depth * (3 - 2 * depth)
    mask: Image = np.round(smooth * 255).astype(np.uint8)
    return mask


def narrowed(mask: Image, width: int, feather: int) -> Image:
    """``mask`` within ``width`` pixels about its middle: what lies beside it (hair) never moves and must not shimmer."""
    height, whole = mask.shape
    inset = max(0, (whole - width) // 2)
    out = np.zeros_like(mask)
    out[:, inset : whole - inset] = np.minimum(
        mask[:, inset : whole - inset], feathered(whole - 2 * inset, height, feather)
    )
    return out


def solid_only(mask: Image, patches: Sequence[Image]) -> Image:
    """``mask``, kept away from where any of the patches is not opaque."""
    alpha = np.min(np.stack([patch[:, :, 3] for patch in patches]), axis=0)
    holes = (alpha < 250).astype(np.uint8)
    if not holes.any():
        return mask
    away = cv2.distanceTransform(1 - cv2.dilate(holes, np.ones((5, 5), np.uint8)), cv2.DIST_L2, 3)
    keep = np.clip(away / 12.0, 0, 1)
    kept: Image = np.round(mask * (keep * keep * (3 - 2 * keep))).astype(np.uint8)
    return kept


def paste(base: Image, patch: Image, box: Rectangle, mask: Image) -> None:
    """Blend ``patch`` into ``base`` (in place) by ``mask``, colours only."""
    x, y, width, height = box
    region = base[y : y + height, x : x + width, :3]
    weight = mask[:, :, None].astype(np.float32) / 255
    blended = patch[:, :, :3] * weight + region * (1 - weight)
    region[:] = np.round(blended).astype(np.uint8)


def steady(patch: Image, neutral: Image) -> Image:
    """``patch`` with the neutral picture wherever it differs by no more than the renderer's noise.

    What does not move (nose, hair, neck) is then the same in all entries and does not shimmer while speaking.
    """
    change = patch[:, :, :3].astype(np.float32) - neutral[:, :, :3]
    # Noise changes its sign from pixel to pixel and goes away in a blur; motion stays.
    size = np.abs(cv2.GaussianBlur(change, (0, 0), 4)).max(axis=2)
    moved = np.clip((size - 1.3) / 2.2, 0, 1)
    moved = cv2.dilate(moved, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (13, 13)))
    moved = cv2.GaussianBlur(moved * moved * (3 - 2 * moved), (0, 0), 4)
    out = patch.copy()
    out[:, :, :3] = np.clip(np.round(neutral[:, :, :3] + change * moved[:, :, None]), 0, 255).astype(np.uint8)
    return out


def bleed(base: Image) -> Image:
    """Give transparent pixels the colour of the nearest visible ones, so that scaling draws no dark rim."""
    out = base.copy()
    weight = base[:, :, 3].astype(np.float32) / 255
    colour = base[:, :, :3].astype(np.float32) * weight[:, :, None]
    total = cv2.GaussianBlur(weight, (0, 0), 6)
    spread = cv2.GaussianBlur(colour, (0, 0), 6) / np.maximum(total, 1e-4)[:, :, None]
    empty = base[:, :, 3] == 0
    out[empty, :3] = np.clip(spread[empty], 0, 255).astype(np.uint8)
    out[empty & (total < 1e-3), :3] = 0
    return out


def smooth_alpha(base: Image) -> Image:
    """Calm the sampling noise of the edge (the denoiser leaves alpha alone)."""
    out = base.copy()
    alpha = base[:, :, 3]
    calm = cv2.GaussianBlur(cv2.medianBlur(alpha, 3), (0, 0), 0.7)
    edge = cv2.dilate(((alpha > 0) & (alpha < 255)).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    out[:, :, 3] = np.where(edge, calm, alpha)
    return out


def contact_sheet(pictures: Sequence[tuple[str, Image]], columns: int = 8, width: int = 220) -> Image:
    """All patches in rows, with their names."""
    cells = []
    for name, picture in pictures:
        height = round(picture.shape[0] * width / picture.shape[1])
        cell = cv2.resize(picture[:, :, :3], (width, height), interpolation=cv2.INTER_AREA)
        label = np.full((22, width, 3), 30, np.uint8)
        cv2.putText(label, name, (6, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (235, 235, 235), 1, cv2.LINE_AA)
        cells.append(np.vstack([cell, label]))
    rows = []
    for start in range(0, len(cells), columns):
        row = cells[start : start + columns]
        tall = max(cell.shape[0] for cell in row)
        row = [np.vstack([cell, np.full((tall - cell.shape[0], width, 3), 30, np.uint8)]) for cell in row]
        row += [np.full((tall, width, 3), 30, np.uint8)] * (columns - len(row))
        rows.append(np.hstack(row))
    return np.asarray(np.vstack(rows), np.uint8)
