"""Looks into an uploaded file, in a process of its own: what strangers made is not decoded within the server.

``python -m visavis.api.services.asset_examiner LOOK KIND FILE COVER`` with LOOK pack, video, sound or slides, and KIND as
:func:`visavis.api.services.asset_magic.kind_of` answers it, writes one JSON object: ``{"fault": why}``, or
``{"extension": ..., "meta": {...}, "cover": whether a picture of it was written to COVER (PNG)}``.
"""

from __future__ import annotations

import json
import resource
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

# Libraries are loaded where they are needed: some take longer than the look.
if TYPE_CHECKING:
    import av

MAX_MEMORY: Final = 4 * 2**30
MAX_CPU_S: Final = 120
MAX_PIXELS: Final = 32_000_000
MAX_SLIDES_MEMBERS: Final = 20_000
COVER_SIDE: Final = 512
_SHOWN_FAULTS: Final = 3
_OLE: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_FORMATS: Final = {"mp4": "mp4", "webm": "matroska", "wav": "wav", "mp3": "mp3", "ogg": "ogg", "flac": "flac"}


class Fault(Exception):
    """What is wrong with the file."""


def pack(path: Path, kind: str, cover: Path) -> dict[str, Any]:
    """An avatar pack, as ``visavis avatar check`` looks at it."""
    from visavis.avatar.pack import Pack, check

    faults = [fault.removeprefix(f"{path.name}: ") for fault in check(path)]
    if faults:
        raise Fault("is no usable avatar pack: " + "; ".join(faults[:_SHOWN_FAULTS]))
    opened = Pack.open(path)
    manifest = opened.manifest
    _write_cover(opened.picture(manifest.base), cover)
    meta = {
        "pack": manifest.id,
        "name": manifest.name,
        "licence": manifest.licence,
        "width": manifest.canvas.width,
        "height": manifest.canvas.height,
    }
    return {"extension": "zip", "meta": meta, "cover": True}


def video(path: Path, kind: str, cover: Path) -> dict[str, Any]:
    """A video that can be decoded: its first picture is."""
    with path.open("rb") as file, _opened(file, kind) as container:
        if not container.streams.video:
            raise Fault("holds no pictures")
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        width, height = stream.codec_context.width, stream.codec_context.height
        if not 0 < width * height <= MAX_PIXELS:
            raise Fault(f"is {width}x{height}, at most {MAX_PIXELS // 10**6} megapixels are taken")
        frame = next(iter(container.decode(stream)), None)
        if frame is None:
            raise Fault("holds no picture that can be decoded")
        _write_cover(frame.to_ndarray(format="bgr24"), cover)
        meta = {
            "width": width,
            "height": height,
            "mode": "Horizontal" if width >= height else "Vertical",
            "video_codec": stream.codec_context.name,
            "frame_rate": f"{float(stream.average_rate or 0):.3f}".rstrip("0").rstrip("."),
            "video_bit_rate": _kbps(stream.bit_rate or container.bit_rate),
            "duration": _seconds(container),
            **(_sound_of(container.streams.audio[0]) if container.streams.audio else {}),
        }
    return {"extension": kind, "meta": meta, "cover": True}


def sound(path: Path, kind: str, cover: Path) -> dict[str, Any]:
    """Music or speech."""
    with path.open("rb") as file, _opened(file, kind) as container:
        if not container.streams.audio:
            raise Fault("holds no sound")
        stream = container.streams.audio[0]
        if next(iter(container.decode(stream)), None) is None:
            raise Fault("holds no sound that can be decoded")
        meta = {"duration": _seconds(container), **_sound_of(stream)}
    return {"extension": "m4a" if kind == "mp4" else kind, "meta": meta, "cover": False}


def slides(path: Path, kind: str, cover: Path) -> dict[str, Any]:
    """A presentation. Its pages are counted where that needs no rendering."""
    with path.open("rb") as file:
        head = file.read(8)
    if head == _OLE:
        return {"extension": "ppt", "meta": {}, "cover": False}
    if head.startswith(b"%PDF-"):
        return {"extension": "pdf", "meta": {}, "cover": False}
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError):
        names = []
    if "ppt/presentation.xml" not in names or len(names) > MAX_SLIDES_MEMBERS:
        raise Fault("is neither PPTX, PPT nor PDF")
    pages = sum(name.startswith("ppt/slides/slide") and name.endswith(".xml") for name in names)
    return {"extension": "pptx", "meta": {"page_count": pages}, "cover": False}


def _opened(file: Any, kind: str) -> av.container.InputContainer:
    import av

    # The format is given, so that nothing is guessed: a playlist would make the reader open other files.
    container: av.container.InputContainer = av.open(file, "r", format=_FORMATS[kind])
    return container


def _sound_of(stream: av.AudioStream) -> dict[str, Any]:
    codec = stream.codec_context
    return {
        "audio_codec": codec.name,
        "audio_channels": codec.channels,
        "sample": codec.sample_rate,
        "audio_bit_rate": _kbps(stream.bit_rate),
    }


def _kbps(bits: int | None) -> int:
    return round((bits or 0) / 1000)


def _seconds(container: av.container.InputContainer) -> int:
    return max(0, round((container.duration or 0) / 1_000_000))


def _write_cover(picture: Any, cover: Path) -> None:
    import cv2

    height, width = picture.shape[:2]
    scale = min(1.0, COVER_SIDE / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    _, coded = cv2.imencode(".png", cv2.resize(picture, size, interpolation=cv2.INTER_AREA))
    cover.write_bytes(coded.tobytes())


_LOOKS: Final[dict[str, Callable[[Path, str, Path], dict[str, Any]]]] = {
    "pack": pack,
    "video": video,
    "sound": sound,
    "slides": slides,
}


def examine(look: str, kind: str, path: Path, cover: Path) -> dict[str, Any]:
    """What is in the file, or what is wrong with it."""
    try:
        return _LOOKS[look](path, kind, cover)
    except Fault as fault:
        return {"fault": str(fault)}
    except Exception as error:
        # Whatever a library makes of a damaged file: it is not usable.
        return {"fault": f"cannot be read ({getattr(error, 'strerror', None) or type(error).__name__})"}


def main() -> None:
    """Examine one file within bounds of memory and time."""
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY, MAX_MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (MAX_CPU_S, MAX_CPU_S))
    look, kind, path, cover = sys.argv[1:]
    print(json.dumps(examine(look, kind, Path(path), Path(cover))))


if __name__ == "__main__":
    main()
