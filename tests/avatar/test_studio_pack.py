"""The shipped packs: whole, within its rectangles, seamless, and with mouths that open."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

import visavis.avatar
from visavis.avatar.manifest import Bank, Box, Manifest

PACKS = Path(visavis.avatar.__file__).parent / "packs"


@pytest.fixture(scope="module", params=["mira", "bowen"])
def path(request: pytest.FixtureRequest) -> Path:
    return PACKS / f"{request.param}.zip"


@pytest.fixture(scope="module")
def pack(path: Path) -> Iterator[zipfile.ZipFile]:
    with zipfile.ZipFile(path) as opened:
        yield opened


@pytest.fixture(scope="module")
def manifest(pack: zipfile.ZipFile) -> Manifest:
    return Manifest.model_validate_json(pack.read("manifest.json"))


def picture(pack: zipfile.ZipFile, name: str) -> np.ndarray:
    image = cv2.imdecode(np.frombuffer(pack.read(name), np.uint8), cv2.IMREAD_UNCHANGED)
    assert image is not None, name
    return image


@pytest.fixture(scope="module")
def base(pack: zipfile.ZipFile, manifest: Manifest) -> np.ndarray:
    return picture(pack, manifest.base)


def cut(image: np.ndarray, box: Box) -> np.ndarray:
    return image[box.y : box.y + box.height, box.x : box.x + box.width]


def both(manifest: Manifest) -> list[Bank]:
    return [manifest.mouth, manifest.eyes]


def test_size_and_licence(path: Path, manifest: Manifest) -> None:
    assert path.stat().st_size < 20_000_000
    assert manifest.id == path.stem
    assert manifest.licence == "CC0-1.0"


def test_no_file_is_missing_or_unused(pack: zipfile.ZipFile, manifest: Manifest) -> None:
    assert manifest.depth is not None
    named = {"manifest.json", manifest.base, manifest.depth.file}
    for bank in both(manifest):
        named |= {bank.mask, *(entry.file for entry in bank.entries)}
    assert set(pack.namelist()) == named


def test_pictures_fit_their_rectangles(pack: zipfile.ZipFile, manifest: Manifest, base: np.ndarray) -> None:
    assert base.shape == (manifest.canvas.height, manifest.canvas.width, 4)
    for bank in both(manifest):
        size = (bank.box.height, bank.box.width)
        assert 0 <= bank.box.x <= manifest.canvas.width - bank.box.width
        assert 0 <= bank.box.y <= manifest.canvas.height - bank.box.height
        assert picture(pack, bank.mask).shape == size
        for entry in bank.entries:
            assert picture(pack, entry.file).shape == (*size, 3)


def test_masks_end_in_zero_and_lie_on_the_person(pack: zipfile.ZipFile, manifest: Manifest, base: np.ndarray) -> None:
    for bank in both(manifest):
        mask = picture(pack, bank.mask)
        assert max(mask[0].max(), mask[-1].max(), mask[:, 0].max(), mask[:, -1].max()) == 0
        assert mask.max() == 255
        assert cut(base, bank.box)[:, :, 3][mask > 0].min() >= 245


def test_first_entry_is_the_base(pack: zipfile.ZipFile, manifest: Manifest, base: np.ndarray) -> None:
    for bank in both(manifest):
        first = bank.entries[0]
        assert first.blendshapes == {}
        mask = picture(pack, bank.mask)
        difference = np.abs(picture(pack, first.file).astype(int) - cut(base, bank.box)[:, :, :3].astype(int)).mean(2)
        assert difference[mask > 200].mean() < 2
        # Half-way through the feather the base is half neutral patch already: what is left must not show.
        assert (difference * (mask / 255.0))[(mask > 0) & (mask <= 200)].mean() < 2


def test_no_seam(pack: zipfile.ZipFile, manifest: Manifest, base: np.ndarray) -> None:
    """What blending an entry changes near the mask's edge stays under two grey levels on average."""
    for bank in both(manifest):
        mask = picture(pack, bank.mask).astype(np.float32) / 255
        below = cut(base, bank.box)[:, :, :3].astype(np.float32)
        edge = (mask > 0) & (mask < 0.5)
        for entry in bank.entries:
            change = np.abs(picture(pack, entry.file).astype(np.float32) - below) * mask[:, :, None]
            assert change.mean(2)[edge].mean() < 2, entry.id


def test_mouths_are_many(manifest: Manifest) -> None:
    assert len(manifest.mouth.entries) >= 96


def test_depth_has_a_nose_before_the_ears(pack: zipfile.ZipFile, manifest: Manifest) -> None:
    depth = manifest.depth
    assert depth is not None
    grey = picture(pack, depth.file)
    assert grey.ndim == 2
    assert grey.shape[0] <= manifest.canvas.height
    scale = grey.shape[0] / manifest.canvas.height
    level = depth.near + (depth.far - depth.near) * grey.astype(float) / 255

    def at(x: float, y: float) -> float:
        return float(level[int(y * scale), int(x * scale)])

    a = manifest.anchors
    eyes = (at(a.left_eye.x, a.left_eye.y) + at(a.right_eye.x, a.right_eye.y)) / 2
    assert at(a.nose.x, a.nose.y) > eyes + 20
    assert eyes > at(a.neck.x, a.neck.y)
    apart = a.right_eye.x - a.left_eye.x
    assert 0.5 * apart < eyes < 3 * apart  # before the axis of the head, by about half its depth
    # Nothing tears: however the head turns (less than 12 degrees in all), two neighbouring cells move apart by less than their width.
    steps = np.abs(np.diff(level, axis=1))
    assert np.percentile(steps, 99) * np.sin(np.radians(12)) < 1 / scale


def bright(pack: zipfile.ZipFile, manifest: Manifest, name: str) -> int:
    """Pixels as light as enamel between the corners of the mouth."""
    entry = next(e for e in manifest.mouth.entries if e.id == name)
    box, a = manifest.mouth.box, manifest.anchors
    half = int(0.22 * (a.right_eye.x - a.left_eye.x))
    x, y = int(a.mouth.x) - box.x, int(a.mouth.y) - box.y
    part = picture(pack, entry.file)[y - half : y + half, x - half : x + half].astype(int)
    # Teeth are nearly grey, skin and lips red.
    return int(((part[:, :, 2] - part[:, :, 0] < 40) & (part[:, :, 1] > 110)).sum())


def test_teeth_show_in_open_mouths_and_not_in_closed_ones(pack: zipfile.ZipFile, manifest: Manifest) -> None:
    closed = bright(pack, manifest, "pp")
    for name in ("aa", "eh", "ih"):  # an s may be a slit (Bowen), a th shows the tongue
        assert bright(pack, manifest, name) > closed + 60, name


def test_open_jaws_differ(pack: zipfile.ZipFile, manifest: Manifest) -> None:
    box, at = manifest.mouth.box, manifest.anchors.mouth
    x, y = int(at.x) - box.x, int(at.y) - box.y
    rest = picture(pack, manifest.mouth.entries[0].file)[y - 20 : y + 60, x - 50 : x + 50].astype(int)
    opened = 0
    for entry in manifest.mouth.entries:
        if entry.blendshapes.get("jawOpen", 0) < 0.2:
            continue
        now = picture(pack, entry.file)[y - 20 : y + 60, x - 50 : x + 50].astype(int)
        assert np.abs(now - rest).mean() > 5, entry.id
        assert (now.max(2) < 70).sum() > (rest.max(2) < 70).sum(), entry.id
        opened += 1
    assert opened >= 1


def test_lids_close(pack: zipfile.ZipFile, manifest: Manifest) -> None:
    box, at = manifest.eyes.box, manifest.anchors.left_eye
    x, y = int(at.x) - box.x, int(at.y) - box.y
    spot = {e.id: picture(pack, e.file)[y - 12 : y + 12, x - 12 : x + 12].mean() for e in manifest.eyes.entries}
    assert spot["blink_100"] > spot["open"] + 30  # skin instead of iris


def test_views_have_their_shape_and_hold_the_head(manifest: Manifest) -> None:
    for view, wide, tall in ((manifest.views.portrait, 9, 16), (manifest.views.landscape, 16, 9)):
        assert view.width * tall == view.height * wide
        for name in ("crown", "chin", "left_eye", "right_eye"):
            point = getattr(manifest.anchors, name)
            assert view.x < point.x < view.x + view.width
            assert view.y < point.y < view.y + view.height
    a = manifest.anchors
    assert a.crown.y < a.left_eye.y < a.nose.y < a.mouth.y < a.chin.y < a.neck.y
