"""What an uploaded file is, by its content: a fault ends the upload."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from visavis.api.catalogue import resolution_of
from visavis.api.services.asset_magic import HEAD, kind_of
from visavis.api.services.pictures import MAX_BYTES, PictureRefusedError, check_file, picture_size
from visavis.contract.assets import TEMPORARY
from visavis.errors import VisavisError

_TIMEOUT_S: Final = 180.0
_LOOKS: Final = {"HUMAN_MODEL_2D": "pack", "VIDEO": "video", "AUDIO": "sound", "MUSIC": "sound", "PPT": "slides"}
_META: Final = {
    "HUMAN_MODEL_2D": "human_model_2d_meta",
    "IMAGE": "image_meta",
    "VIDEO": "video_meta",
    "AUDIO": "audio_meta",
    "MUSIC": "audio_meta",
    "PPT": "ppt_meta",
}
_FITS: Final = {"video": ("mp4", "webm"), "sound": ("wav", "mp3", "ogg", "flac", "mp4")}
_MISFIT: Final = {
    "video": "is neither MP4, QuickTime nor WebM",
    "sound": "is neither WAV, MP3, Ogg, FLAC nor M4A",
}
_SUFFIX: Final = re.compile(r"\.([A-Za-z0-9]{1,8})$")
_ENVIRONMENT: Final = ("PATH", "HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "TMPDIR")


class ContentRefusedError(VisavisError):
    """The file is not what it should be; the message goes on from "the file"."""


@dataclass(frozen=True, slots=True)
class Content:
    """What a file was found to be. ``meta``: facts; ``cover``: whether a picture of it was made."""

    extension: str
    meta: dict[str, Any]
    cover: bool = False


async def look(path: Path, kind: str, category: str, name: str, cover: Path) -> Content:
    """Look at the file ``path`` of an asset of type ``kind``; ``name`` as it was uploaded, ``cover``: where a picture of it goes.

    Raises:
        ContentRefusedError: it is not what it should be.
    """
    if category in ("OTHER", "PACKAGE") or (kind == "COMMON_FILE" and category in ("MAIN", TEMPORARY)):
        return Content(_suffix(name), {})
    if category in ("COVER", "PAGE") or kind == "IMAGE":
        return await asyncio.to_thread(_picture, path)
    if category == "SAMPLE":
        return await _sample(path, cover)
    return await _examined(_LOOKS[kind], path, cover)


async def _sample(path: Path, cover: Path) -> Content:
    kind = await _kind(path)
    if kind in ("png", "jpg"):
        return await asyncio.to_thread(_picture, path)
    found = await _examined("video" if kind in _FITS["video"] else "sound", path, cover)
    return Content(found.extension, found.meta)


async def _kind(path: Path) -> str:
    return kind_of(await asyncio.to_thread(_head, path))


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(HEAD)


def _suffix(name: str) -> str:
    match = _SUFFIX.search(name)
    return match[1].lower() if match else ""


def _picture(path: Path) -> Content:
    try:
        extension = check_file(path, "picture")
    except PictureRefusedError as error:
        raise ContentRefusedError(str(error)) from None
    with path.open("rb") as file:
        _, width, height = picture_size(file.read(MAX_BYTES))
    mode = "Horizontal" if width >= height else "Vertical"
    size = path.stat().st_size
    return Content(extension, {"codec": extension, "width": width, "height": height, "mode": mode, "size": size})


async def _examined(look: str, path: Path, cover: Path) -> Content:
    kind = await _kind(path)
    if look in _FITS and kind not in _FITS[look]:
        raise ContentRefusedError(_MISFIT[look])
    environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
    environment["PYTHONPATH"] = os.pathsep.join(part for part in sys.path if part)
    command = (sys.executable, "-m", "visavis.api.services.asset_examiner", look, kind, str(path), str(cover))
    process = await asyncio.create_subprocess_exec(
        *command,
        env=environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            output, _ = await process.communicate()
    except TimeoutError:
        raise ContentRefusedError("takes too long to look at") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    try:
        found = json.loads(output)
    except ValueError:
        raise ContentRefusedError("cannot be read: it takes too much memory or time, or is damaged") from None
    if "fault" in found:
        raise ContentRefusedError(str(found["fault"]))
    return Content(found["extension"], found["meta"], found["cover"])


def described(kind: str, meta: dict[str, Any]) -> dict[str, Any]:
    """``asset_extra_meta`` of what was found in a MAIN file: ``{"image_meta": {...}}`` and the like."""
    if not meta or kind not in _META:
        return {}
    if kind == "HUMAN_MODEL_2D":
        return {_META[kind]: {"model_resolution": resolution_of(meta["height"]), "is_real_background": False}}
    return {_META[kind]: meta}
