"""Importing a film: what becomes of one whose motion is known, and what is refused."""

from __future__ import annotations

import dataclasses
import io
import itertools
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from visavis.avatar.background import Background
from visavis.avatar.importing import import_person
from visavis.avatar.importing.environment import LOCK, ImportRefused
from visavis.avatar.importing.film import probe
from visavis.avatar.importing.filmed import Report
from visavis.avatar.importing.judge import judge
from visavis.avatar.importing.landmarks import find_faces
from visavis.avatar.importing.proof import film, motion, reproduce, speech
from visavis.avatar.importing.survey import Survey, survey
from visavis.avatar.pack import SHIPPED, Pack, check
from visavis.cli.main import app
from visavis.errors import VisavisError
from visavis.motion.frame import MotionFrame

Picture = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]

WIDTH, HEIGHT = 432, 768
SECONDS = 7.0
CONSENT = {"consent": "I agree that an avatar is made of me.", "consent_by": "Nobody"}


@pytest.fixture(scope="module")
def mira() -> Pack:
    return Pack.open(SHIPPED / "mira.zip")


@pytest.fixture(scope="module")
def frames() -> list[MotionFrame]:
    return list(motion(SECONDS, speech(SECONDS, 0.8, pause=0.6)))


@pytest.fixture(scope="module")
def talking(mira: Pack, frames: list[MotionFrame], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("films") / "talking.mp4"
    film(path, mira, frames, width=WIDTH, height=HEIGHT, background=Background("COLOR", "#00B140"))
    return path


@pytest.fixture(scope="module")
def surveyed(talking: Path) -> Survey:
    return survey(dataclasses.replace(probe(talking), seconds=2.0))


@pytest.fixture(scope="module")
def imported(
    talking: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Report, list[tuple[int, int, str]]]:
    out = tmp_path_factory.mktemp("imported") / "avatars" / "mira.zip"
    steps: list[tuple[int, int, str]] = []
    report = import_person(
        talking, out, **CONSENT, name="Mira, filmed", licence="CC0-1.0", min_seconds=5,
        progress=lambda done, total, what: steps.append((done, total, what)),
    )  # fmt: skip
    return out, report, steps


def test_the_pack_is_fit_and_says_whom_it_shows(imported: tuple[Path, Report, list[tuple[int, int, str]]]) -> None:
    path, report, steps = imported
    assert check(path) == []
    manifest = Pack.open(path).manifest
    assert (manifest.id, manifest.name, manifest.licence) == ("mira-filmed", "Mira, filmed", "CC0-1.0")
    assert manifest.consent is not None
    assert (manifest.consent.statement, manifest.consent.given_by) == (CONSENT["consent"], CONSENT["consent_by"])
    assert report.mouths == len(manifest.mouth.entries) >= 40
    assert report.edge < 4
    done = [step[0] for step in steps]
    assert done == sorted(done)
    assert done[-1] == 1000
    assert not list(path.parent.glob(".*.part"))


def test_it_reproduces_the_film(
    imported: tuple[Path, Report, list[tuple[int, int, str]]], talking: Path, frames: list[MotionFrame]
) -> None:
    pack = Pack.open(imported[0])
    # The mouth is judged, not the loop's own movement.
    still = dataclasses.replace(pack, manifest=pack.manifest.model_copy(update={"loop": None}))
    found = reproduce(talking, frames, still, every=3)
    assert found.pictures >= 55
    assert found.known > 0.9
    assert found.correlation > 0.85
    assert found.error < 0.06
    assert found.closed > 0.85
    assert found.psnr > found.floor_psnr
    assert found.ssim > found.floor_ssim + 0.02


def videos(path: Path) -> tuple[list[Picture], list[Picture]]:
    """Colours (BGR) and alpha of the loop's pictures."""
    with zipfile.ZipFile(path) as pack:
        loop = json.loads(pack.read("manifest.json"))["loop"]
        with av.open(io.BytesIO(pack.read(loop["file"]))) as colours:
            pictures = [frame.to_ndarray(format="bgr24") for frame in colours.decode(video=0)]
        with av.open(io.BytesIO(pack.read(loop["alpha"]))) as shapes:
            alpha = [frame.to_ndarray(format="gray") for frame in shapes.decode(video=0)]
    return pictures, alpha


def test_the_loop_goes_round_and_its_matrices_follow_the_head(
    imported: tuple[Path, Report, list[tuple[int, int, str]]],
) -> None:
    path, report, _ = imported
    pack = Pack.open(path)
    loop = pack.manifest.loop
    assert loop is not None
    assert report.loop_seconds is not None
    assert report.loop_seconds >= 4
    pictures, alpha = videos(path)
    assert len(pictures) == len(alpha) == len(loop.frames) == round(report.loop_seconds * 25)
    assert pictures[0].shape == (HEIGHT, WIDTH, 3)
    # Across the seam no more changes than between some neighbours.
    changes = [float(np.abs(a.astype(np.int16) - b).mean()) for a, b in itertools.pairwise(pictures)]
    seam = float(np.abs(pictures[0].astype(np.int16) - pictures[-1]).mean())
    assert seam < 2.5 * np.percentile(changes, 98)
    # Where the manifest says the base's eyes and nose are, they are found.
    base = pack.picture(pack.manifest.base)
    some = [0, len(pictures) // 3, len(pictures) // 2, len(pictures) - 1]
    solid = [np.ascontiguousarray(base[..., :3]), *(pictures[k] for k in some)]
    faces = [found[0].points for _, found in find_faces(solid, WIDTH, HEIGHT, fps=None)]
    for number, points in zip(some, faces[1:], strict=True):
        matrix = np.array(loop.frames[number].matrix).reshape(2, 3)
        stable = [33, 133, 263, 362, 1, 168]
        expected = faces[0][stable, :2] @ matrix[:, :2].T + matrix[:, 2]
        assert np.abs(expected - points[stable, :2]).mean() < 2.0
        # The mouth is at rest in every picture.
        eyes = np.linalg.norm(points[33, :2] - points[263, :2])
        assert np.linalg.norm(points[13, :2] - points[14, :2]) < 0.03 * eyes


def test_the_green_is_gone(imported: tuple[Path, Report, list[tuple[int, int, str]]]) -> None:
    path, report, _ = imported
    assert report.matte == "plain background"
    base = Pack.open(path).picture("base.png")
    face = Pack.open(path).manifest.anchors.nose
    assert base[round(face.y), round(face.x), 3] == 255
    assert base[5, 5, 3] == 0
    visible = base[..., 3] > 30
    blue, green, red = (base[..., k][visible].astype(np.int16) for k in range(3))
    assert float((green > np.maximum(blue, red) + 25).mean()) < 0.002
    _, alpha = videos(path)
    assert alpha[0][5, 5] < 5
    assert alpha[0][round(face.y), round(face.x)] > 250


def test_lips_that_touch_are_labelled_closed(imported: tuple[Path, Report, list[tuple[int, int, str]]]) -> None:
    pack = Pack.open(imported[0])
    entries = pack.manifest.mouth.entries
    assert entries[0].blendshapes == {}
    openness = [entry.blendshapes.get("jawOpen", 0) - entry.blendshapes.get("mouthClose", 0) for entry in entries]
    assert max(openness) > 0.15
    assert sum(value < 0.03 for value in openness) >= 4
    views = pack.manifest.views
    for view in (views.portrait, views.landscape):
        assert view.y <= pack.manifest.anchors.crown.y
        assert view.y + view.height >= pack.manifest.anchors.chin.y + 10
    blinks = [entry.blendshapes.get("eyeBlinkLeft", 0) for entry in pack.manifest.eyes.entries]
    assert blinks[0] == 0


def refused(source: Path, tmp_path: Path, reason: str, seconds: float = 1.0) -> None:
    out = tmp_path / "out" / "no.zip"
    with pytest.raises(ImportRefused, match=reason):
        import_person(source, out, **CONSENT, min_seconds=seconds)
    assert not out.parent.exists()


def test_a_short_film_is_refused(talking: Path, tmp_path: Path) -> None:
    out = tmp_path / "no.zip"
    with pytest.raises(ImportRefused, match=r"too short: 7\.0 s, at least 60 s"):
        import_person(talking, out, **CONSENT)
    assert not out.exists()


def _changed(talking: Path, path: Path, change: object, seconds: float = 1.6) -> Path:
    """A film of the first pictures of ``talking``, changed."""
    assert callable(change)
    source = probe(talking)
    with av.open(str(path), "w") as container:
        stream = None
        for index, picture in enumerate(source.pictures(round(seconds * 25))):
            changed = np.ascontiguousarray(change(picture, index), np.uint8)
            if stream is None:
                stream = container.add_stream("libx264", 25, options={"preset": "ultrafast"})
                stream.width, stream.height, stream.pix_fmt = changed.shape[1], changed.shape[0], "yuv420p"
            container.mux(stream.encode(av.VideoFrame.from_ndarray(changed, format="bgr24")))
        assert stream is not None
        container.mux(stream.encode(None))
    return path


def test_two_persons_are_refused(talking: Path, tmp_path: Path) -> None:
    path = _changed(talking, tmp_path / "two.mp4", lambda picture, _: np.hstack([picture, picture[:, ::-1]]))
    refused(path, tmp_path, r"two persons are in the film \(\d+% of it, first at 0\.\d s\)")


def test_a_dark_film_is_refused(talking: Path, tmp_path: Path) -> None:
    path = _changed(talking, tmp_path / "dark.mp4", lambda picture, _: (picture * 0.22).astype(np.uint8))
    refused(path, tmp_path, "badly lit: too dark")


def test_a_burnt_out_film_is_refused(talking: Path, tmp_path: Path) -> None:
    path = _changed(talking, tmp_path / "bright.mp4", lambda picture, _: cv2.convertScaleAbs(picture, None, 1.6, 40))
    refused(path, tmp_path, "badly lit: too bright")


def test_a_film_without_a_face_is_refused(talking: Path, tmp_path: Path) -> None:
    def headless(picture: Picture, _: int) -> Picture:
        return np.asarray(cv2.resize(picture[-HEIGHT // 3 :], (WIDTH, HEIGHT)), np.uint8)

    path = _changed(talking, tmp_path / "empty.mp4", headless)
    refused(path, tmp_path, "no face is seen")


def test_a_cut_is_refused(talking: Path, tmp_path: Path) -> None:
    def cut(picture: Picture, index: int) -> Picture:
        return picture if index < 20 else np.roll(picture, 90, axis=1)

    refused(_changed(talking, tmp_path / "cut.mp4", cut), tmp_path, r"the picture jumps at 0\.8 s")


def test_silence_is_refused(surveyed: Survey) -> None:
    silent = dataclasses.replace(surveyed, points=np.repeat(surveyed.points[:1], len(surveyed), axis=0))
    with pytest.raises(ImportRefused, match="lips hardly move"):
        judge(silent, 1.0)


def test_a_head_turned_away_is_refused(surveyed: Survey) -> None:
    judge(surveyed, 1.0)
    angle = np.radians(35)
    turn = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]], np.float32)
    with pytest.raises(ImportRefused, match="turned away in 100%"):
        judge(dataclasses.replace(surveyed, rotation=surveyed.rotation @ turn), 1.0)


def test_a_small_face_is_refused(surveyed: Survey) -> None:
    with pytest.raises(ImportRefused, match=r"too small: \d+ pixels"):
        judge(dataclasses.replace(surveyed, points=surveyed.points * 0.4), 1.0)


def test_a_face_seen_now_and_then_is_refused(surveyed: Survey) -> None:
    found = surveyed.found.copy()
    found[::2] = False
    with pytest.raises(ImportRefused, match="seen in only 50%"):
        judge(dataclasses.replace(surveyed, found=found), 1.0)


def test_what_is_no_film_is_refused(tmp_path: Path) -> None:
    text = tmp_path / "film.mp4"
    text.write_text("no film at all")
    refused(text, tmp_path, "not a video that can be read")
    # A playlist must not make the server read other files.
    secret = tmp_path / "secret.ts"
    secret.write_bytes(b"\x47" * 188 * 20)
    text.write_text(f"#EXTM3U\n#EXTINF:10,\n{secret}\n#EXT-X-ENDLIST\n")
    refused(text, tmp_path, "not a video that can be read")
    tiny = tmp_path / "tiny.mp4"
    with av.open(str(tiny), "w") as container:
        stream = container.add_stream("libx264", 25)
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        for packet in stream.encode(av.VideoFrame.from_ndarray(np.zeros((120, 160, 3), np.uint8), format="bgr24")):
            container.mux(packet)
        container.mux(stream.encode(None))
    refused(tiny, tmp_path, "160x120 pixels")


def test_rates_are_kept_even(tmp_path: Path) -> None:
    for rate, wanted in ((24, 24.0), (30, 30.0), (50, 25.0), (60, 30.0)):
        path = tmp_path / f"{rate}.mp4"
        with av.open(str(path), "w") as container:
            stream = container.add_stream("libx264", rate, options={"preset": "ultrafast"})
            stream.width, stream.height, stream.pix_fmt = 640, 360, "yuv420p"
            for index in range(rate):
                picture = np.full((360, 640, 3), 2 * index + 20, np.uint8)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
            container.mux(stream.encode(None))
        found = probe(path)
        assert found.fps == pytest.approx(wanted)
        levels = [float(picture.mean()) for picture in found.pictures()]
        assert len(levels) == round(wanted)
        assert np.diff(levels[1:]) == pytest.approx(2 * rate / wanted, rel=0.6)


def test_no_import_without_consent(talking: Path, tmp_path: Path) -> None:
    out = tmp_path / "no.zip"
    with pytest.raises(VisavisError, match="consent of the person shown"):
        import_person(talking, out, consent="yes", consent_by="Nobody")
    with pytest.raises(VisavisError, match="consent of the person shown"):
        import_person(talking, out, consent="I agree to everything.", consent_by=" ")
    answer = CliRunner().invoke(app, ["avatar", "import", str(talking), "--out", str(out)])
    assert isinstance(answer.exception, VisavisError)
    assert "--consent" in str(answer.exception)
    assert not out.exists()


def test_the_command_says_in_one_line_why_it_refuses(talking: Path, tmp_path: Path) -> None:
    command = [
        str(Path(sys.executable).with_name("visavis")),
        "avatar",
        "import",
        str(talking),
        "--data",
        str(tmp_path),
    ]
    command += ["--consent", CONSENT["consent"], "--consent-by", CONSENT["consent_by"]]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("visavis: the film is too short: 7.0 s")
    assert not list(tmp_path.rglob("*.zip"))


def test_importing_the_package_is_light() -> None:
    code = "import sys, visavis.avatar.importing; print([m for m in ('av', 'cv2', 'numpy', 'pydantic') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_environment_is_locked() -> None:
    lines = [line for line in LOCK.read_text().splitlines() if line[:1].isalpha()]
    assert any(line.startswith("mediapipe==") for line in lines)
    assert all("==" in line for line in lines)
    assert "://" not in LOCK.read_text()
    assert LOCK.read_text().count("--hash=sha256:") >= len(lines)
