"""A simpler pack from a photo: the mouths and lids that it does not show are made from it (:mod:`.still`)."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from visavis.avatar.archive import PackError, picture_size
from visavis.avatar.importing import still
from visavis.avatar.importing.environment import ImportRefused
from visavis.avatar.importing.filmed import Report
from visavis.avatar.importing.judge import MIN_FACE, SECOND, refuse_bad_light
from visavis.avatar.importing.landmarks import Face, Picture, angles, find_faces
from visavis.avatar.importing.matte import Opaque, choose_matte
from visavis.avatar.importing.measure import frontal
from visavis.avatar.importing.packing import Cuttings, Entry, Person, write_pack
from visavis.avatar.importing.patches import Region, eyes_region, matched, mouth_region
from visavis.avatar.importing.survey import light_of
from visavis.avatar.studio.banks import MOUTHS

Progress = Callable[[int, int, str], None]

MAX_BYTES: Final = 64 * 2**20
MAX_SIDE: Final = 8192
CANVAS_SIDE: Final = 1920
_TURNED: Final = math.radians(18)
_LIDS: Final = (0.2, 0.4, 0.6, 0.8, 1.0)
_OPEN_MOUTH: Final = 0.03
_OPEN_EYES: Final = 0.055


def _read(path: Path) -> Picture:
    """The photo, upright, no larger than a canvas, with even sides; BGR. ImportRefused: it cannot be used."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ImportRefused(f"{path.name}: larger than {MAX_BYTES} bytes")
        data = path.read_bytes()
        width, height = picture_size(data)
    except OSError as error:
        raise ImportRefused(f"{path.name}: {error.strerror or error}") from None
    except PackError as error:
        raise ImportRefused(f"{path.name}: {error}") from None
    if min(width, height) < 256 or max(width, height) > MAX_SIDE:
        raise ImportRefused(f"{path.name}: {width}x{height} pixels; each side must have 256 to {MAX_SIDE}")
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    if picture is None:
        raise ImportRefused(f"{path.name}: its pixels are damaged")
    scale = min(1.0, CANVAS_SIDE / max(picture.shape[:2]))
    size = round(picture.shape[1] * scale / 2) * 2, round(picture.shape[0] * scale / 2) * 2
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)


def _judged(picture: Picture) -> Face:
    """The face of the photo. ImportRefused: none, two, or one that no avatar can be made of."""
    _, faces = next(find_faces([picture], picture.shape[1], picture.shape[0], fps=None))
    if not faces:
        raise ImportRefused("no face is seen in the photo")
    if len(faces) > 1 and faces[1].height > SECOND * faces[0].height:
        raise ImportRefused("two persons are in the photo: only one may be seen")
    face = faces[0]
    if face.height < MIN_FACE:
        raise ImportRefused(
            f"the face is too small: {face.height:.0f} pixels from hairline to chin, {MIN_FACE} are needed"
        )
    refuse_bad_light(*light_of(picture, face.points))
    if np.abs(angles(face.rotation)[:2] * (1.0, 0.7)).max() > _TURNED:
        raise ImportRefused("the head is turned away: the person must look into the camera")
    at = frontal(face.points[None], face.rotation[None])[0]
    if np.linalg.norm(at[13, :2] - at[14, :2]) > _OPEN_MOUTH:
        raise ImportRefused("the mouth is open: it must be closed, without showing teeth")
    if (np.linalg.norm(at[159, :2] - at[145, :2]) + np.linalg.norm(at[386, :2] - at[374, :2])) / 2 < _OPEN_EYES:
        raise ImportRefused("the eyes are not open")
    return face


def import_photo(source: Path, out: Path, person: Person, *, progress: Progress) -> Report:
    """Make the pack ``out`` of the photo ``source``. ImportRefused: it is not fit, with the reason; nothing is written."""
    picture = _read(source)
    progress(0, 100, "looking for the face")
    face = _judged(picture)
    points = face.points
    matte = choose_matte([picture], [points])
    base = matte.cut(picture, points)
    solid = None if isinstance(matte, Opaque) else base[..., 3]
    canvas = picture.shape[1], picture.shape[0]
    mouth, eyes = mouth_region(points, canvas, solid), eyes_region(points, canvas, solid)
    mouths = [Entry("rest", mouth.of(picture).copy(), {})]
    for done, entry in enumerate(MOUTHS):
        progress(10 + 80 * done // len(MOUTHS), 100, "bending mouths")
        if entry.weights:
            bent = _within(picture, mouth, lambda part, at, shapes=entry.weights: still.mouth(part, at, shapes), points)
            mouths.append(Entry(entry.id, bent, entry.weights))
    looks = [Entry("open", eyes.of(picture).copy(), {})]
    for shut in _LIDS:
        bent = _within(picture, eyes, lambda part, at, shut=shut: still.lids(part, at, shut), points)
        looks.append(Entry(f"blink_{round(shut * 100)}", bent, {"eyeBlinkLeft": shut, "eyeBlinkRight": shut}))
    progress(95, 100, "packing")
    write_pack(
        out, person, Cuttings(base, points, mouth, mouths, eyes, looks, None), "visavis avatar import, from a photo"
    )
    progress(100, 100, "packed")
    notes = [
        "from a photo: teeth and the mouth's inside are drawn, the eyes do not look aside; a film gives a better avatar"
    ]
    if isinstance(matte, Opaque):
        notes.append(f"the background stays (no clean outline: quality {matte.quality:.2f})")
    return Report(out, len(mouths), len(looks), matte.kind, matte.quality, None, None, 0.0, tuple(notes))


def _within(
    picture: Picture,
    region: Region,
    bend: Callable[..., Picture],
    points: np.ndarray[tuple[int, ...], np.dtype[np.float32]],
) -> Picture:
    """The region's part of ``picture`` with some surroundings through ``bend`` (part, its landmarks), matched at its edge."""
    x, y, width, height = region.box
    room = width // 4
    left, top = max(0, x - room), max(0, y - room)
    part = np.ascontiguousarray(picture[top : y + height + room, left : x + width + room])
    bent = bend(part, points - np.array([left, top, 0], np.float32))
    own = np.ascontiguousarray(bent[y - top : y - top + height, x - left : x - left + width])
    return matched(own, region.of(picture), region.mask)
