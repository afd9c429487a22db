"""Avatar packs: opening one, finding faults in one, and the catalogue of those at hand."""

from __future__ import annotations

import hashlib
import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final, TypedDict

import cv2
import numpy as np
import numpy.typing as npt
from pydantic import ValidationError

from visavis.avatar.archive import PNG_SIGNATURE, PackError, picture_header, png_pixels_fault, read_archive
from visavis.avatar.manifest import Bank, Depth, Loop, Manifest
from visavis.avatar.moving_video import pictures, probe

__all__ = [
    "SHIPPED",
    "Listed",
    "Pack",
    "PackError",
    "check",
    "find",
    "listing",
    "search_folders",
]

SHIPPED: Final = Path(__file__).parent / "packs"
"""The folder of the packs that come with visavis."""
DEFAULT: Final = "default"
_FIRST: Final = "mira"
"""The shipped pack that "default" means: it comes before the others of its folder."""
MAX_MANIFEST: Final = 2**20
MAX_BANK_PIXELS: Final = 300_000_000
"""All pictures of a bank together: bounds the memory of a renderer (4 bytes a pixel at the pack's own size)."""

_MAX_DIGESTS: Final = 256
_SIZES: Final = ((1440, (2160, 3840)), (720, (1080, 1920)), (0, (720, 1280)))
"""(least pixels on the short side of a view, the published size that it is sharp enough for)."""
MIN_SCALE: Final = 0.25
MAX_SCALE: Final = 4.0
"""How much smaller and larger, in area, a film's head may become than in the base picture."""

Picture = npt.NDArray[np.uint8]


class Listed(TypedDict):
    """One pack of the catalogue. ``mouths``, ``eyes``: pictures in its banks; width, height: of its canvas.

    ``largest``: the largest published sizes that it is sharp at, "portrait" and "landscape": [width, height].
    """

    id: str
    name: str
    mouths: int
    eyes: int
    width: int
    height: int
    largest: dict[str, list[int]]
    licence: str
    shipped: bool
    path: str


@dataclass(frozen=True)
class Pack:
    """An opened pack: its manifest and its pictures, still compressed. Immutable, shared by all sessions.

    ``key`` names the file's content (path, time of change, size), for caches.
    """

    path: Path
    manifest: Manifest
    members: dict[str, bytes]
    key: tuple[str, int, int]

    @cached_property
    def digest(self) -> str:
        """SHA-256 of all members, hexadecimal: the same for the same content, wherever the file lies."""
        return _digest(self)

    @classmethod
    def open(cls, path: Path) -> Pack:
        """Read and check the pack ``path`` (headers of pictures, not their pixels: see :func:`check`).

        Raises:
            PackError: with the first fault found.
        """
        pack = cls._load(path)
        for fault in pack._faults():
            raise PackError(f"{path.name}: {fault}")
        return pack

    @classmethod
    def _load(cls, path: Path) -> Pack:
        members = read_archive(path)
        status = path.stat()
        raw = members.get("manifest.json")
        if raw is None:
            raise PackError(f"{path.name}: manifest.json is missing")
        if len(raw) > MAX_MANIFEST:
            raise PackError(f"{path.name}: manifest.json is larger than {MAX_MANIFEST} bytes")
        try:
            manifest = Manifest.model_validate_json(raw)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"]) or "manifest.json"
            raise PackError(f"{path.name}: manifest.json: {where}: {first['msg']}") from error
        return cls(path, manifest, members, (str(path.resolve()), status.st_mtime_ns, status.st_size))

    def _faults(self) -> Iterator[str]:
        manifest = self.manifest
        yield from _layout_faults(manifest)
        canvas = manifest.canvas
        yield from self._picture_faults(manifest.base, canvas.width, canvas.height, (4,))
        for name, bank in (("mouth", manifest.mouth), ("eyes", manifest.eyes)):
            box = bank.box
            if len({entry.id for entry in bank.entries}) != len(bank.entries):
                yield f"{name}: two entries have the same id"
            if box.width * box.height * len(bank.entries) > MAX_BANK_PIXELS:
                yield f"{name}: more than {MAX_BANK_PIXELS} pixels in all"
            yield from self._picture_faults(bank.mask, box.width, box.height, (1,))
            for entry in bank.entries:
                yield from self._picture_faults(entry.file, box.width, box.height, (3, 4))
        if manifest.depth is not None:
            yield from self._depth_faults(manifest.depth)
        if manifest.loop is not None:
            yield from self._loop_faults(manifest.loop)

    def _depth_faults(self, depth: Depth) -> Iterator[str]:
        canvas, data = self.manifest.canvas, self.members.get(depth.file)
        try:
            found = picture_header(data) if data is not None else None
        except PackError as error:
            yield f"{depth.file}: {error}"
            return
        if found is None:
            yield f"{depth.file}: the picture is missing"
        elif found[0] > canvas.width or found[1] > canvas.height:
            yield f"{depth.file}: is {found[0]}x{found[1]}, at most {canvas.width}x{canvas.height} (the canvas) are allowed"
        elif found[2] != 1:
            yield f"{depth.file}: has {found[2]} channels, must be grey"

    def _loop_faults(self, loop: Loop) -> Iterator[str]:
        canvas, count = self.manifest.canvas, len(loop.frames)
        if canvas.width % 2 or canvas.height % 2:
            yield "loop: a canvas with a film must have even sides"
        for name in (loop.file, *([loop.alpha] if loop.alpha else [])):
            data = self.members.get(name)
            if data is None:
                yield f"{name}: the video is missing"
                continue
            try:
                probe(data, canvas.width, canvas.height, count)
            except PackError as error:
                yield f"{name}: {error}"
        for index, frame in enumerate(loop.frames):
            a, b, c, d, e, f = frame.matrix
            if not MIN_SCALE <= a * e - b * d <= MAX_SCALE:
                yield f"loop.frames.{index}: the matrix changes the face's area to {a * e - b * d:.3g} of what it was"
                return
            nose = self.manifest.anchors.nose
            x, y = a * nose.x + b * nose.y + c, d * nose.x + e * nose.y + f
            if not (0 <= x <= canvas.width and 0 <= y <= canvas.height):
                yield f"loop.frames.{index}: the matrix moves the face off the canvas"
                return

    def _picture_faults(self, name: str, width: int, height: int, channels: tuple[int, ...]) -> Iterator[str]:
        data = self.members.get(name)
        if data is None:
            yield f"{name}: the picture is missing"
            return
        try:
            found = picture_header(data)
        except PackError as error:
            yield f"{name}: {error}"
            return
        if found[:2] != (width, height):
            yield f"{name}: is {found[0]}x{found[1]}, must be {width}x{height}"
        elif found[2] not in channels:
            yield f"{name}: has {found[2]} channels, must have {' or '.join(map(str, channels))}"

    def picture(self, name: str) -> Picture:
        """Decode the picture ``name``: shape (height, width) if it is grey, else (height, width, 4) as BGRA.

        Raises:
            PackError: its pixels are damaged.
        """
        image = cv2.imdecode(np.frombuffer(self.members[name], np.uint8), cv2.IMREAD_UNCHANGED)
        width, height, channels = picture_header(self.members[name])
        if image is None or image.shape[:2] != (height, width) or image.dtype != np.uint8:
            raise PackError(f"{self.path.name}: {name}: the picture's pixels are damaged")
        if channels == 3 and image.ndim == 3 and image.shape[2] == 3:
            image = cv2.cvtColor(image, cv2.COLOR_BGR2BGRA)
        if (1 if image.ndim == 2 else image.shape[2]) != (1 if channels == 1 else 4):
            raise PackError(f"{self.path.name}: {name}: the picture's channels are not what it says")
        return np.ascontiguousarray(image, np.uint8)

    def largest(self) -> dict[str, tuple[int, int]]:
        """The largest published size, (width, height), that each view has pixels for.

        2160x3840 needs a view of at least 1440 pixels on its short side, 1080x1920 one of 720; else it is 720x1280.
        """
        views, found = self.manifest.views, {}
        for name, view in (("portrait", views.portrait), ("landscape", views.landscape)):
            short = min(view.width, view.height)
            size = next(size for least, size in _SIZES if short >= least)
            found[name] = size if name == "portrait" else (size[1], size[0])
        return found

    def listed(self) -> Listed:
        """The pack's line in the catalogue."""
        manifest = self.manifest
        return Listed(
            id=manifest.id,
            name=manifest.name,
            mouths=len(manifest.mouth.entries),
            eyes=len(manifest.eyes.entries),
            width=manifest.canvas.width,
            height=manifest.canvas.height,
            largest={name: list(size) for name, size in self.largest().items()},
            licence=manifest.licence,
            shipped=self.path.parent == SHIPPED,
            path=str(self.path),
        )


_DIGESTS: Final[dict[tuple[str, int, int], str]] = {}


def _digest(pack: Pack) -> str:
    # Packs are opened again for each session; those of one key have one content.
    found = _DIGESTS.get(pack.key)
    if found is None:
        total = hashlib.sha256()
        for name in sorted(pack.members):
            total.update(f"{len(name)} {len(pack.members[name])} {name}".encode())
            total.update(pack.members[name])
        found = total.hexdigest()
        if len(_DIGESTS) >= _MAX_DIGESTS:
            _DIGESTS.clear()
        _DIGESTS[pack.key] = found
    return found


def _layout_faults(manifest: Manifest) -> Iterator[str]:
    canvas, anchors = manifest.canvas, manifest.anchors
    for name, bank in (("mouth", manifest.mouth), ("eyes", manifest.eyes)):
        yield from _box_faults(name, bank, canvas.width, canvas.height)
    for name, point in anchors:
        if not (-canvas.width <= point.x <= 2 * canvas.width and -canvas.height <= point.y <= 2 * canvas.height):
            yield f"anchors.{name}: far outside the canvas"
    heights = [anchors.crown.y, (anchors.left_eye.y + anchors.right_eye.y) / 2, anchors.mouth.y, anchors.chin.y]
    if any(upper >= lower for upper, lower in itertools.pairwise(heights)):
        yield "anchors: crown, eyes, mouth and chin must lie one below the other"
    if anchors.neck.y < anchors.chin.y:
        yield "anchors: the neck must not lie above the chin"
    if anchors.left_eye.x >= anchors.right_eye.x:
        yield "anchors: left_eye must lie left of right_eye, as the viewer sees them"
    if math.dist((0, anchors.crown.y), (0, anchors.chin.y)) < 24:
        yield "anchors: the head is less than 24 pixels high"
    for name, view in manifest.views:
        if not (-8192 <= view.x <= 8192 and -8192 <= view.y <= 8192):
            yield f"views.{name}: too far from the canvas"
        elif not (
            view.x < canvas.width and view.y < canvas.height and view.x + view.width > 0 and view.y + view.height > 0
        ):
            yield f"views.{name}: shows nothing of the canvas"


def _box_faults(name: str, bank: Bank, width: int, height: int) -> Iterator[str]:
    box = bank.box
    if box.x < 0 or box.y < 0 or box.x + box.width > width or box.y + box.height > height:
        yield f"{name}: its box reaches beyond the canvas"


def check(path: Path) -> list[str]:
    """All faults of the pack ``path``, each as a sentence; empty if it can be used. Decodes every picture."""
    try:
        pack = Pack._load(path)
    except PackError as error:
        return [str(error)]
    faults = list(pack._faults())
    if faults:
        return faults
    manifest = pack.manifest
    names = [manifest.base]
    for bank in (manifest.mouth, manifest.eyes):
        names += [bank.mask, *(entry.file for entry in bank.entries)]
    if manifest.depth is not None:
        names.append(manifest.depth.file)
    for name in dict.fromkeys(names):
        data = pack.members[name]
        fault = png_pixels_fault(data) if data.startswith(PNG_SIGNATURE) else None
        if fault:
            faults.append(f"{name}: {fault}")
            continue
        try:
            pack.picture(name)
        except PackError as error:
            faults.append(str(error).removeprefix(f"{path.name}: "))
    if manifest.loop is not None:
        faults += _film_faults(pack, manifest.loop)
    if faults:
        return faults
    return list(_content_faults(pack))


def _film_faults(pack: Pack, loop: Loop) -> Iterator[str]:
    """Faults that only decoding shows."""
    canvas = pack.manifest.canvas
    for name in (loop.file, *([loop.alpha] if loop.alpha else [])):
        try:
            for _ in pictures(pack.members[name], canvas.width, canvas.height, len(loop.frames)):
                pass
        except PackError as error:
            yield f"{name}: {error}"


def _content_faults(pack: Pack) -> Iterator[str]:
    """Faults that only the pixels show."""
    manifest = pack.manifest
    if not pack.picture(manifest.base)[..., 3].any():
        yield f"{manifest.base}: wholly transparent"
    for name, bank in (("mouth", manifest.mouth), ("eyes", manifest.eyes)):
        mask = pack.picture(bank.mask)
        if not mask.any():
            yield f"{name}: its mask is empty"
        edge = max(mask[0].max(), mask[-1].max(), mask[:, 0].max(), mask[:, -1].max())
        if edge > 8:
            yield f"{name}: its mask is {edge} at the edge of the box, which would show as a seam (must be 8 or less)"


def search_folders(data: Path) -> tuple[Path, ...]:
    """Where packs are looked for: the shipped ones, then the user's (``avatars`` in the data folder)."""
    return SHIPPED, data / "avatars"


def _paths(folders: Iterable[Path]) -> Iterator[Path]:
    for folder in folders:
        if folder.is_dir():
            yield from sorted(folder.glob("*.zip"), key=lambda path: (path.stem != _FIRST, path.name))


def listing(folders: Sequence[Path]) -> list[Listed]:
    """The usable packs in ``folders``, in their order; of several with one id only the first."""
    found: dict[str, Listed] = {}
    for path in _paths(folders):
        try:
            listed = Pack.open(path).listed()
        except PackError:
            continue
        found.setdefault(listed["id"], listed)
    return list(found.values())


def find(avatar_id: str, folders: Sequence[Path]) -> Pack:
    """The pack ``avatar_id``; "default" (or empty): the first one there is, the shipped ones before all others.

    Raises:
        PackError: there is none of that id, or it is broken.
    """
    if avatar_id in ("", DEFAULT):
        folders = [SHIPPED, *(folder for folder in folders if folder != SHIPPED)]
    # The file is usually called like the pack: look there first rather than open them all.
    paths = sorted(_paths(folders), key=lambda path: path.stem != avatar_id)
    broken: PackError | None = None
    for path in paths:
        try:
            pack = Pack.open(path)
        except PackError as error:
            if path.stem == avatar_id:
                broken = error
            continue
        if avatar_id in ("", DEFAULT, pack.manifest.id):
            return pack
    raise broken or PackError(f"there is no avatar {avatar_id!r}")
