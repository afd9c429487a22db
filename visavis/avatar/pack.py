"""Avatar packs: opening one, finding faults in one, and the catalogue of those at hand."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypedDict

import cv2
import numpy as np
import numpy.typing as npt
from pydantic import ValidationError

from visavis.avatar.archive import PNG_SIGNATURE, PackError, picture_header, png_pixels_fault, read_archive
from visavis.avatar.manifest import Bank, Manifest

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
MAX_MANIFEST: Final = 2**20
MAX_BANK_PIXELS: Final = 300_000_000
"""All pictures of a bank together: bounds the memory of a renderer (4 bytes a pixel at the pack's own size)."""

Picture = npt.NDArray[np.uint8]


class Listed(TypedDict):
    """One pack of the catalogue. ``mouths``, ``eyes``: pictures in its banks; width, height: of its canvas."""

    id: str
    name: str
    mouths: int
    eyes: int
    width: int
    height: int
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
            licence=manifest.licence,
            shipped=self.path.parent == SHIPPED,
            path=str(self.path),
        )


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
    if faults:
        return faults
    return list(_content_faults(pack))


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
            yield from sorted(folder.glob("*.zip"))


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
