"""Importing a photo: mouths and lids that it does not show, and what is refused."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from visavis.avatar.compositor import open_renderer
from visavis.avatar.importing import import_person
from visavis.avatar.importing.environment import ImportRefused
from visavis.avatar.importing.filmed import Report
from visavis.avatar.importing.landmarks import find_faces
from visavis.avatar.layout import Layout
from visavis.avatar.pack import SHIPPED, Pack, check
from visavis.motion.frame import ARKIT_INDEX, MotionFrame

Picture = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]

WIDTH, HEIGHT = 480, 854
CONSENT = {"consent": "I agree that an avatar is made of me.", "consent_by": "Nobody"}


def drawn(pack: Pack, **shapes: float) -> Picture:
    renderer = open_renderer(pack, Layout(WIDTH, HEIGHT))
    frame = MotionFrame()
    for name, weight in shapes.items():
        frame.blendshapes[ARKIT_INDEX[name]] = weight
    planes = np.zeros((HEIGHT * 3 // 2, WIDTH), np.uint8)
    renderer.draw(frame, planes)
    return np.asarray(cv2.cvtColor(planes, cv2.COLOR_YUV2BGR_I420), np.uint8)


@pytest.fixture(scope="module")
def portrait(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("photos") / "portrait.png"
    cv2.imwrite(str(path), drawn(Pack.open(SHIPPED / "mira.zip")))
    return path


@pytest.fixture(scope="module")
def imported(portrait: Path) -> tuple[Path, Report]:
    out = portrait.with_name("pack.zip")
    return out, import_person(portrait, out, **CONSENT)


def test_the_pack_is_fit(imported: tuple[Path, Report]) -> None:
    path, report = imported
    assert check(path) == []
    manifest = Pack.open(path).manifest
    assert manifest.loop is None
    assert manifest.consent is not None
    assert report.mouths >= 50
    assert report.eyes >= 5
    assert any("from a photo" in note for note in report.notes)


def test_lips_open_and_lids_shut(imported: tuple[Path, Report]) -> None:
    pack = Pack.open(imported[0])
    pictures = [
        drawn(pack),
        drawn(pack, jawOpen=0.32, mouthLowerDownLeft=0.2, mouthLowerDownRight=0.2),
        drawn(pack, mouthPressLeft=0.35, mouthPressRight=0.35, jawOpen=0.02, mouthClose=0.04),
        drawn(pack, jawOpen=0.11, mouthFunnel=0.26, mouthPucker=0.42),
        drawn(pack, eyeBlinkLeft=1.0, eyeBlinkRight=1.0),
    ]
    faces = [found[0].points for _, found in find_faces(pictures, WIDTH, HEIGHT, fps=None)]

    def apart(points: np.ndarray[tuple[int, ...], np.dtype[np.float32]], one: int, other: int) -> float:
        return float(
            np.linalg.norm(points[one, :2] - points[other, :2]) / np.linalg.norm(points[33, :2] - points[263, :2])
        )

    rest, wide, pressed, round_lips, asleep = faces
    assert apart(rest, 13, 14) < 0.015
    assert apart(pressed, 13, 14) < 0.015
    assert apart(wide, 13, 14) > 0.06
    assert apart(round_lips, 61, 291) < 0.88 * apart(rest, 61, 291)
    assert apart(asleep, 159, 145) < 0.45 * apart(rest, 159, 145)
    # A closed mouth shows no teeth, an open one does: light pixels between the lips.
    mouth = (wide[13, :2] + wide[14, :2]) / 2
    x, y = round(float(mouth[0])), round(float(mouth[1]))
    around = pictures[1][y - 14 : y + 14, x - 8 : x + 8].astype(np.int16)
    saturation = around.max(axis=2) - around.min(axis=2)
    assert (around.max(axis=2) < 80).any(), "no dark inside"
    assert ((around.min(axis=2) > 90) & (saturation < 60)).any(), "no teeth"


def test_what_is_not_moved_stays(imported: tuple[Path, Report], portrait: Path) -> None:
    pack = Pack.open(imported[0])
    before, after = drawn(pack), drawn(pack, jawOpen=0.32)
    box, view = pack.manifest.mouth.box, pack.manifest.views.portrait
    scale = WIDTH / view.width
    top, bottom = (box.y - view.y) * scale - 6, (box.y + box.height - view.y) * scale + 6
    difference = np.abs(before.astype(np.int16) - after).max(axis=2)
    difference[max(0, int(top)) : int(bottom)] = 0
    assert difference.max() <= 2


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("empty", "no face is seen"),
        ("two", "two persons"),
        ("dark", "too dark"),
        ("small", "too small"),
        ("open", "mouth is open"),
    ],
)
def test_photos_that_are_refused(name: str, reason: str, portrait: Path, tmp_path: Path) -> None:
    picture = np.asarray(cv2.imread(str(portrait)), np.uint8)
    if name == "empty":
        picture = np.full_like(picture, 180)
    elif name == "two":
        picture = np.hstack([picture, picture[:, ::-1]])
    elif name == "dark":
        picture = (picture * 0.2).astype(np.uint8)
    elif name == "small":
        small = cv2.resize(picture, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        picture = np.asarray(cv2.copyMakeBorder(small, 0, 0, 100, 100, cv2.BORDER_REPLICATE), np.uint8)
    else:
        picture = drawn(Pack.open(SHIPPED / "mira.zip"), jawOpen=0.32)
    path = tmp_path / "photo.png"
    cv2.imwrite(str(path), picture)
    with pytest.raises(ImportRefused, match=reason):
        import_person(path, tmp_path / "no.zip", **CONSENT)
    assert not (tmp_path / "no.zip").exists()


def test_a_broken_photo_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n broken")
    with pytest.raises(ImportRefused, match=r"photo\.png"):
        import_person(path, tmp_path / "no.zip", **CONSENT)
