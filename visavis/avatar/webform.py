"""The web form of a pack: one binary file that holds all a browser needs to draw the person as the compositor does.

The browser loads numbers instead of formulas: the tables by which mouths and eyes are chosen, and the fields by which head
and breath displace the picture, are computed here, by the very code that the compositor uses. So the two cannot drift apart.

A file is ``VVW1``, the length of the header (u32, big-endian), the header (JSON, padded with spaces to 4 bytes), and then the
contents of its ``files``: name -> [offset behind the header, length, media type]. Numbers in them are little-endian.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt

from visavis.avatar import choose, geometry
from visavis.avatar.archive import PackError
from visavis.avatar.manifest import Bank
from visavis.avatar.pack import Pack
from visavis.avatar.planes import Plane

MAGIC: Final = b"VVW1"
QUALITY: Final = 95
"""Of the base picture, where it has to be coded anew: that of the shipped packs' patches."""
KEPT_BYTES: Final = 64 * 2**20
"""Web forms that a process keeps; the one asked for last is kept in any case."""


@dataclass(frozen=True, slots=True)
class WebForm:
    """A pack's web form. ``sha256``: of ``content``, hexadecimal; names it for ever."""

    content: bytes
    sha256: str


class Unsuitable(PackError):
    """The pack cannot be drawn by a browser; the message says why."""


_KEPT: Final[OrderedDict[tuple[str, int, int], WebForm]] = OrderedDict()
_LOCK: Final = threading.Lock()


def web_form(pack: Pack) -> WebForm:
    """The web form of ``pack``; made once (some tenths of a second), then kept.

    Raises:
        Unsuitable: a filmed loop: only the server draws those.
        PackError: a picture's pixels are damaged.
    """
    with _LOCK:
        form = _KEPT.pop(pack.key, None) or _made(pack)
        _KEPT[pack.key] = form
        while len(_KEPT) > 1 and sum(len(each.content) for each in _KEPT.values()) > KEPT_BYTES:
            _KEPT.popitem(last=False)
        return form


def unsuitable(pack: Pack) -> str:
    """Why a browser cannot draw ``pack``; empty: it can."""
    return "the avatar is a film" if pack.manifest.loop is not None else ""


def forget() -> None:
    """Drop the web forms that are kept."""
    with _LOCK:
        _KEPT.clear()


def _made(pack: Pack) -> WebForm:
    if reason := unsuitable(pack):
        raise Unsuitable(f"{pack.manifest.id}: {reason}")
    manifest, files = pack.manifest, _Files()
    base = pack.picture(manifest.base)
    files.add("base", *_webp(pack.members[manifest.base], base))
    mouth_mask, eyes_mask = geometry.masks(pack)
    model = {
        "format": "visavis-web-pack",
        "version": 1,
        "id": manifest.id,
        "name": manifest.name,
        "canvas": manifest.canvas.model_dump(),
        "views": manifest.views.model_dump(),
        "choose": choose.model(),
        "mouth": _bank(pack, "mouth", manifest.mouth, mouth_mask, files),
        "eyes": _bank(pack, "eyes", manifest.eyes, eyes_mask, files),
        "warp": _warp(pack, base, files),
        "files": files.listed,
    }
    header = json.dumps(model, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 4)
    content = b"".join((MAGIC, len(header).to_bytes(4, "big"), header, *files.contents))
    return WebForm(content, hashlib.sha256(content).hexdigest())


class _Files:
    """Contents behind the header, each beginning at a multiple of 4 bytes."""

    def __init__(self) -> None:
        self.listed: dict[str, tuple[int, int, str]] = {}
        self.contents: list[bytes] = []
        self._size = 0

    def add(self, name: str, content: bytes, media_type: str) -> str:
        self.listed[name] = (self._size, len(content), media_type)
        padded = content + b"\0" * (-len(content) % 4)
        self.contents.append(padded)
        self._size += len(padded)
        return name


def _bank(pack: Pack, name: str, bank: Bank, mask: Plane, files: _Files) -> dict[str, Any]:
    box = bank.box
    return {
        "box": box.model_dump(),
        "mask": files.add(f"{name}/mask", _png(mask), "image/png"),
        "entries": [
            {
                "id": entry.id,
                "file": files.add(
                    f"{name}/{entry.id}", pack.members[entry.file], _media_type(pack.members[entry.file])
                ),
                "blendshapes": entry.blendshapes,
            }
            for entry in bank.entries
        ],
    }


def _warp(pack: Pack, base: Plane, files: _Files) -> dict[str, Any]:
    found = geometry.fields(pack, base)
    return {
        "limits": found.limits,
        "cell": found.cell,
        "origin": found.origin,
        "columns": found.columns,
        "rows": found.rows,
        "fields": {
            name: {"file": files.add(f"warp/{name}", *_quantised(field)), "unit": _unit(field)}
            for name, field in found.fields.items()
        },
    }


def _unit(field: npt.NDArray[np.float32]) -> float:
    return max(float(np.abs(field).max()), 1e-6) / 32767


def _quantised(field: npt.NDArray[np.float32]) -> tuple[bytes, str]:
    return np.rint(field / _unit(field)).astype("<i2").tobytes(), "application/octet-stream"


def _webp(data: bytes, picture: Plane) -> tuple[bytes, str]:
    """The picture as WebP, unless it is one."""
    if _media_type(data) == "image/webp":
        return data, "image/webp"
    done, coded = cv2.imencode(".webp", picture, [cv2.IMWRITE_WEBP_QUALITY, QUALITY])
    if not done:
        return data, _media_type(data)  # too large for WebP (16383 a side)
    return coded.tobytes(), "image/webp"


def _png(picture: Plane) -> bytes:
    return bytes(cv2.imencode(".png", picture)[1])


def _media_type(data: bytes) -> str:
    return "image/webp" if data[:4] == b"RIFF" else "image/png"
