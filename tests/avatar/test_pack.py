"""Packs: sound ones open, hostile and broken ones are refused with words that say why."""

from __future__ import annotations

import importlib.util
import io
import json
import re
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import synthetic

from visavis.avatar import archive
from visavis.avatar.pack import SHIPPED, Pack, PackError, check, find, listing, search_folders


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    return synthetic.members()


def _manifest(files: dict[str, bytes], change: Callable[[dict[str, Any]], None]) -> dict[str, bytes]:
    manifest = json.loads(files["manifest.json"])
    change(manifest)
    return files | {"manifest.json": json.dumps(manifest).encode()}


def _refused(path: Path, words: str) -> None:
    """Both ways of looking at a pack find the fault, and name it."""
    with pytest.raises(PackError, match=words):
        Pack.open(path)
    faults = check(path)
    assert faults
    assert any(re.search(words, fault) for fault in faults)


def test_sound_pack_opens_and_has_no_faults(pack_path: Path) -> None:
    pack = Pack.open(pack_path)
    assert check(pack_path) == []
    assert pack.picture("base.png").shape == (1920, 1080, 4)
    assert pack.picture("mouth/mask.png").shape == (340, 400)
    assert pack.listed()["mouths"] == len(synthetic.MOUTHS)


@pytest.mark.parametrize(
    "name",
    ["../evil.png", "/etc/passwd", "a/../../b", "C:\\x", "a\\b", "a//b", "x\x01y", "n" * 300],
)
def test_unsafe_names_are_refused(files: dict[str, bytes], tmp_path: Path, name: str) -> None:
    _refused(synthetic.write_zip(tmp_path / "p.zip", files | {name: b"x"}), "unsafe member name")
    assert [path.name for path in tmp_path.iterdir()] == ["p.zip"]


def test_symbolic_link_is_refused(files: dict[str, bytes], tmp_path: Path) -> None:
    path = synthetic.write_zip(tmp_path / "p.zip", files)
    with zipfile.ZipFile(path, "a") as archive_:
        link = zipfile.ZipInfo("link.png")
        link.external_attr = 0o120777 << 16
        archive_.writestr(link, "/etc/passwd")
    _refused(path, "symbolic link")


def test_bomb_is_refused_by_its_declared_size(files: dict[str, bytes], tmp_path: Path) -> None:
    _refused(synthetic.write_zip(tmp_path / "p.zip", files | {"big.png": bytes(70 * 2**20)}), "unpacks to")
    _refused(synthetic.write_zip(tmp_path / "q.zip", files | {"big.png": bytes(20 * 2**20)}), "suspiciously well")


def test_bomb_that_lies_about_its_size_is_refused(files: dict[str, bytes], tmp_path: Path) -> None:
    path = synthetic.write_zip(tmp_path / "p.zip", files | {"zz.png": bytes(300_000)})
    data = bytearray(path.read_bytes())
    # The uncompressed size, in the local header and in the central directory.
    for signature, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        at = -1
        while (at := data.find(signature, at + 1)) >= 0:
            if struct.unpack_from("<I", data, at + offset)[0] == 300_000:
                struct.pack_into("<I", data, at + offset, 10)
    path.write_bytes(bytes(data))
    _refused(path, "not a sound zip|not as long")


def test_too_many_or_too_large_files_are_refused(
    files: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = synthetic.write_zip(tmp_path / "p.zip", files | {f"f{i}.txt": b"" for i in range(archive.MAX_MEMBERS)})
    _refused(many, "members, at most")
    path = synthetic.write_zip(tmp_path / "q.zip", files)
    with monkeypatch.context() as patch:
        patch.setattr(archive, "MAX_TOTAL", 1000)
        _refused(path, "unpacks to more")
    monkeypatch.setattr(archive, "MAX_ARCHIVE", 1000)
    _refused(path, "at most 1000 are allowed")


def test_not_a_zip_file_truncated_and_missing(files: dict[str, bytes], tmp_path: Path) -> None:
    path = tmp_path / "p.zip"
    _refused(path, "no such file")
    path.write_bytes(b"hello")
    _refused(path, "not a sound zip")
    synthetic.write_zip(path, files)
    path.write_bytes(path.read_bytes()[:-3000])
    _refused(path, "not a sound zip")
    _refused(tmp_path, "not a file")


def test_two_members_of_one_name(files: dict[str, bytes], tmp_path: Path) -> None:
    path = synthetic.write_zip(tmp_path / "p.zip", files)
    with zipfile.ZipFile(path, "a") as archive_, pytest.warns(UserWarning, match="Duplicate"):
        archive_.writestr("base.png", b"other")
    _refused(path, "two members")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda m: m.update(version=2), "version"),
        (lambda m: m.update(format="zip"), "format"),
        (lambda m: m.update(surprise=1), "surprise"),
        (lambda m: m.update(id="Bad Id"), "id"),
        (lambda m: m.pop("anchors"), "anchors"),
        (lambda m: m["anchors"]["chin"].update(y=float("nan")), "anchors.chin.y"),
        (lambda m: m["anchors"]["chin"].update(x=float("inf")), "anchors.chin.x"),
        (lambda m: m["anchors"]["chin"].update(y=100), "one below the other"),
        (lambda m: m["anchors"]["neck"].update(y=700), "neck"),
        (lambda m: m["anchors"]["left_eye"].update(x=900), "left of right_eye"),
        (lambda m: m["anchors"]["nose"].update(x=1e7), "far outside"),
        (lambda m: m["mouth"]["box"].update(x=900), "beyond the canvas"),
        (lambda m: m["mouth"]["box"].update(width=402), "must be 402x340"),
        (lambda m: m["views"]["portrait"].update(x=5000), "shows nothing"),
        (lambda m: m["mouth"]["entries"][0]["blendshapes"].update(jawOpne=1), "jawOpne"),
        (lambda m: m["mouth"]["entries"][0]["blendshapes"].update(jawOpen=float("nan")), "jawOpen"),
        (lambda m: m["mouth"]["entries"][0]["blendshapes"].update(jawOpen=1.5), "jawOpen"),
        (lambda m: m["mouth"]["entries"][0].update(id="a1"), "same id"),
        (lambda m: m["mouth"]["entries"][0].update(file="mouth/none.png"), "mouth/none.png: the picture is missing"),
        (lambda m: m["mouth"]["entries"][0].update(file="manifest.json"), "not a PNG"),
        (lambda m: m["mouth"].update(entries=[]), "entries"),
        (lambda m: m.update(canvas={"width": 99999, "height": 99999}), "canvas"),
    ],
)
def test_wrong_manifest_is_refused(
    files: dict[str, bytes], tmp_path: Path, change: Callable[[dict[str, Any]], None], words: str
) -> None:
    _refused(synthetic.write_zip(tmp_path / "p.zip", _manifest(files, change)), words)


def test_missing_or_malformed_manifest(files: dict[str, bytes], tmp_path: Path) -> None:
    without = {name: data for name, data in files.items() if name != "manifest.json"}
    _refused(synthetic.write_zip(tmp_path / "p.zip", without), "manifest.json is missing")
    _refused(synthetic.write_zip(tmp_path / "q.zip", files | {"manifest.json": b"{"}), "manifest.json")
    _refused(synthetic.write_zip(tmp_path / "r.zip", files | {"manifest.json": b"\xff\xfe"}), "manifest.json")


def test_truncated_picture_is_refused_when_opened(files: dict[str, bytes], tmp_path: Path) -> None:
    cut = files["mouth/a2.png"][:-200]
    _refused(
        synthetic.write_zip(tmp_path / "p.zip", files | {"mouth/a2.png": cut}), "a2.png: the PNG picture is cut short"
    )


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _raw_png(width: int, height: int, colour: int, pixels: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0)
    chunks = _chunk(b"IHDR", header) + _chunk(b"IDAT", zlib.compress(pixels)) + _chunk(b"IEND", b"")
    return archive.PNG_SIGNATURE + chunks


def test_picture_with_wrong_pixels_is_found_by_check(files: dict[str, bytes], tmp_path: Path) -> None:
    few = _raw_png(400, 340, 2, bytes(1000))
    path = synthetic.write_zip(tmp_path / "p.zip", files | {"mouth/a2.png": few})
    assert check(path) == ["mouth/a2.png: it holds fewer pixels than it declares"]
    bomb = _raw_png(400, 340, 2, bytes(80 * 2**20))
    path = synthetic.write_zip(tmp_path / "q.zip", files | {"mouth/a2.png": bomb})
    assert check(path) == ["mouth/a2.png: it holds more pixels than it declares"]
    damaged = bytearray(files["mouth/a2.png"])
    damaged[len(damaged) // 2] ^= 0xFF
    path = synthetic.write_zip(tmp_path / "r.zip", files | {"mouth/a2.png": bytes(damaged)})
    assert "damaged" in check(path)[0]


def test_picture_of_wrong_kind(files: dict[str, bytes], tmp_path: Path) -> None:
    flat = np.zeros((1920, 1080, 3), np.uint8)
    opaque = cv2.imencode(".png", flat)[1].tobytes()
    _refused(synthetic.write_zip(tmp_path / "p.zip", files | {"base.png": opaque}), "has 3 channels, must have 4")
    deep = cv2.imencode(".png", flat.astype(np.uint16))[1].tobytes()
    _refused(synthetic.write_zip(tmp_path / "q.zip", files | {"base.png": deep}), "8 bits")


def test_mask_that_would_show_a_seam_is_reported(files: dict[str, bytes], tmp_path: Path) -> None:
    hard = cv2.imencode(".png", np.full((340, 400), 255, np.uint8))[1].tobytes()
    assert "seam" in check(synthetic.write_zip(tmp_path / "p.zip", files | {"mouth/mask.png": hard}))[0]
    none = cv2.imencode(".png", np.zeros((340, 400), np.uint8))[1].tobytes()
    assert "empty" in check(synthetic.write_zip(tmp_path / "p.zip", files | {"mouth/mask.png": none}))[0]


def test_catalogue(tmp_path: Path) -> None:
    folders = [tmp_path / "none", tmp_path / "a", tmp_path / "b"]
    synthetic.make_pack(tmp_path / "a" / "zoe.zip", "zoe")
    synthetic.make_pack(tmp_path / "a" / "other-name.zip", "kim")
    second = synthetic.make_pack(tmp_path / "b" / "zoe.zip", "zoe")
    (tmp_path / "a" / "broken.zip").write_bytes(b"no")
    listed = listing(folders)
    assert [(entry["id"], entry["mouths"], entry["width"]) for entry in listed] == [("kim", 9, 1080), ("zoe", 9, 1080)]
    assert json.loads(json.dumps(listed)) == listed
    assert find("zoe", folders).path != second
    assert find("kim", folders).manifest.id == "kim"
    with pytest.raises(PackError, match="there is no avatar 'nobody'"):
        find("nobody", folders)
    with pytest.raises(PackError, match=r"broken\.zip: not a sound zip"):
        find("broken", folders)


def test_default_is_a_shipped_pack_before_all_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shipped, data = tmp_path / "shipped", tmp_path / "data"
    monkeypatch.setattr("visavis.avatar.pack.SHIPPED", shipped)
    synthetic.make_pack(data / "avatars" / "aaa.zip", "aaa")
    folders = search_folders(data)
    assert find("default", folders).manifest.id == "aaa"
    synthetic.make_pack(shipped / "mmm.zip", "mmm")
    assert find("default", tuple(reversed(folders))).manifest.id == "mmm"
    assert [entry["shipped"] for entry in listing(folders)] == [True, False]


def test_reading_stops_at_the_declared_size() -> None:
    """The reader itself, without the zip module's own checks in between."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as writer:
        writer.writestr("a.txt", b"x" * 1000)
    with zipfile.ZipFile(buffer) as reader:
        reader.infolist()[0].file_size = 999
        with pytest.raises((PackError, zipfile.BadZipFile)):
            archive._read_members("p.zip", reader)


def _webp(image: np.ndarray, quality: int) -> bytes:
    return cv2.imencode(".webp", image, [cv2.IMWRITE_WEBP_QUALITY, quality])[1].tobytes()


@pytest.mark.parametrize("quality", [85, 101], ids=["lossy", "lossless"])
@pytest.mark.parametrize("channels", [3, 4])
def test_patches_may_be_webp(files: dict[str, bytes], tmp_path: Path, quality: int, channels: int) -> None:
    patch = cv2.imdecode(np.frombuffer(files["mouth/a2.png"], np.uint8), cv2.IMREAD_UNCHANGED)
    patch[:40, :40, 3] = 0
    data = _webp(np.ascontiguousarray(patch[..., :channels]), quality)
    path = synthetic.write_zip(tmp_path / "p.zip", files | {"mouth/a2.png": data})
    assert check(path) == []
    decoded = Pack.open(path).picture("mouth/a2.png")
    assert decoded.shape == (340, 400, 4)
    assert abs(decoded[60:-60, 60:-60, :3].astype(int) - patch[60:-60, 60:-60, :3]).mean() < 3
    assert decoded[0, 0, 3] == (255 if channels == 3 else 0)


def test_broken_webp_is_refused(files: dict[str, bytes], tmp_path: Path) -> None:
    patch = cv2.imdecode(np.frombuffer(files["mouth/a2.png"], np.uint8), cv2.IMREAD_COLOR)
    data = _webp(patch, 85)
    _refused(synthetic.write_zip(tmp_path / "p.zip", files | {"mouth/a2.png": data[:-50]}), "WebP picture is cut short")
    small = _webp(np.ascontiguousarray(patch[:-2]), 85)
    _refused(synthetic.write_zip(tmp_path / "q.zip", files | {"mouth/a2.png": small}), "is 400x338, must be 400x340")
    damaged = bytearray(data)
    damaged[20:60] = bytes(40)
    assert check(synthetic.write_zip(tmp_path / "r.zip", files | {"mouth/a2.png": bytes(damaged)}))


def test_shipped_packs_are_without_fault() -> None:
    for path in sorted(SHIPPED.glob("*.zip")):
        assert check(path) == []


def test_mira_is_the_default(tmp_path: Path) -> None:
    assert find("default", search_folders(tmp_path)).manifest.id == "mira"
    assert [entry["id"] for entry in listing(search_folders(tmp_path))] == ["mira", "bowen"]


def _deep(files: dict[str, bytes], grey: np.ndarray, **depth: float) -> dict[str, bytes]:
    coded = cv2.imencode(".png", grey)[1].tobytes()
    chosen = {"file": "depth.png", "near": 0.0, "far": 100.0} | depth
    return _manifest(files, lambda m: m.update(depth=chosen)) | {"depth.png": coded}


def test_depth_pictures(files: dict[str, bytes], tmp_path: Path) -> None:
    path = tmp_path / "p.zip"
    grey = np.zeros((192, 108), np.uint8)
    assert check(synthetic.write_zip(path, _deep(files, grey))) == []
    _refused(synthetic.write_zip(path, _deep(files, np.zeros((1921, 1080), np.uint8))), "at most 1080x1920")
    _refused(synthetic.write_zip(path, _deep(files, np.zeros((192, 108, 3), np.uint8))), "must be grey")
    _refused(synthetic.write_zip(path, _deep(files, grey.astype(np.uint16))), "8 bits")
    _refused(synthetic.write_zip(path, _deep(files, grey, far=1e6)), "depth.far")
    _refused(synthetic.write_zip(path, _deep(files, grey, near=float("nan"))), "depth.near")
    missing = _deep(files, grey)
    del missing["depth.png"]
    _refused(synthetic.write_zip(path, missing), "depth.png: the picture is missing")
    few = _deep(files, grey) | {"depth.png": _raw_png(108, 192, 0, bytes(100))}
    assert check(synthetic.write_zip(path, few)) == ["depth.png: it holds fewer pixels than it declares"]


def test_largest_sizes(files: dict[str, bytes], tmp_path: Path) -> None:
    def largest(portrait: dict[str, int], landscape: dict[str, int]) -> dict[str, tuple[int, int]]:
        views = {"portrait": {"x": 0, "y": 0} | portrait, "landscape": {"x": 0, "y": 0} | landscape}
        return Pack.open(
            synthetic.write_zip(tmp_path / "p.zip", _manifest(files, lambda m: m.update(views=views)))
        ).largest()

    full = {"width": 1080, "height": 1920}
    assert largest(full, {"width": 3413, "height": 1920}) == {"portrait": (1080, 1920), "landscape": (3840, 2160)}
    assert largest({"width": 1440, "height": 2560}, full)["portrait"] == (2160, 3840)
    assert largest({"width": 600, "height": 1067}, full)["portrait"] == (720, 1280)


def test_the_schema_is_the_models() -> None:
    """docs/avatar-pack.schema.json is made by tools/make_pack_schema.py: run it after changing the manifest."""
    root = Path(__file__).resolve().parents[2]
    spec = importlib.util.spec_from_file_location("make_pack_schema", root / "tools" / "make_pack_schema.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert (root / "docs" / "avatar-pack.schema.json").read_text(encoding="utf-8") == module.schema()


def test_content_names_a_pack_not_its_place(files: dict[str, bytes], tmp_path: Path) -> None:
    first, second = (Pack.open(synthetic.write_zip(tmp_path / name, files)) for name in ("a.zip", "b.zip"))
    changed = Pack.open(synthetic.write_zip(tmp_path / "c.zip", _manifest(files, lambda m: m.update(name="Else"))))
    assert first.key != second.key
    assert first.digest == second.digest != changed.digest
