"""How well `visavis avatar import` reproduces a person whose motion is known: the table of docs/avatar-import.md.

    .venv/bin/python tools/prove_import.py [FOLDER] [--seconds 70] [--pack mira]

A shipped character is filmed with a motion of our own, imported from the film alone, and drawn again with the same motion. Film,
packs and a picture of all three (docs/pictures/avatar-import.jpg is one) stay in FOLDER. Some minutes; `make setup-tests` first
(the import's own environment).
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

import av
import cv2
import numpy as np
import numpy.typing as npt

from visavis.avatar.background import Background
from visavis.avatar.choose import opening
from visavis.avatar.compositor import open_renderer
from visavis.avatar.importing import import_person
from visavis.avatar.importing.proof import film, motion, reproduce, speech
from visavis.avatar.layout import Layout
from visavis.avatar.pack import SHIPPED, Pack, find
from visavis.motion.frame import MotionFrame

Picture = npt.NDArray[np.uint8]
CELL = (360, 380)
CONSENT = {"consent": "A rendered person needs none.", "consent_by": "Nobody", "licence": "CC0-1.0"}


def still(pack: Pack) -> Pack:
    """The pack without its own movement: what is asked for is what is seen."""
    return dataclasses.replace(pack, manifest=pack.manifest.model_copy(update={"loop": None}))


def shots(path: Path, numbers: Sequence[int]) -> list[Picture]:
    """Those pictures of a film (BGR)."""
    with av.open(str(path)) as container:
        found = {n: one.to_ndarray(format="bgr24") for n, one in enumerate(container.decode(video=0)) if n in numbers}
    return [found[number] for number in numbers]


def drawn(pack: Pack, frames: Sequence[MotionFrame], color: str) -> list[Picture]:
    """The pack's pictures of these motions (BGR)."""
    renderer = open_renderer(pack, Layout(720, 1280, background=Background("COLOR", color)))
    planes = np.zeros((1920, 720), np.uint8)
    pictures = []
    for frame in frames:
        renderer.draw(frame, planes)
        pictures.append(np.asarray(cv2.cvtColor(planes, cv2.COLOR_YUV2BGR_I420), np.uint8))
    return pictures


def sheet(folder: Path, frames: Sequence[MotionFrame], filmed: Pack) -> Path:
    """Film, pack of the film and pack of one picture at three moments, and the mouths of film and pack below each other."""
    by_opening = np.argsort([opening(frame.blendshapes) for frame in frames])
    moments = [int(by_opening[-1]), int(by_opening[len(frames) * 9 // 10]), int(by_opening[len(frames) // 4])]
    photo = folder / "portrait.png"
    cv2.imwrite(str(photo), shots(folder / "film.mp4", [0])[0])
    import_person(photo, folder / "photo.zip", name="Proof", **CONSENT)
    asked = [frames[number] for number in moments]
    rows = {
        "the film": shots(folder / "film.mp4", moments),
        "pack from the film": drawn(filmed, asked, "#3A6E70"),
        "pack from one picture": drawn(still(Pack.open(folder / "photo.zip")), asked, "#8F689E"),
    }
    bands = []
    for name, pictures in rows.items():
        band = np.hstack([cv2.resize(picture[170:930], CELL, interpolation=cv2.INTER_AREA) for picture in pictures])
        cv2.rectangle(band, (0, 0), (330, 23), (30, 30, 30), -1)
        cv2.putText(band, name, (6, 17), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (255, 255, 255), 1, cv2.LINE_AA)
        bands.append(band)
    mouths = cv2.imread(str(folder / "film-and-pack.png"))
    mouths = mouths[: mouths.shape[0] // 4, : mouths.shape[1] * 8 // 10]
    scale = bands[0].shape[1] / mouths.shape[1]
    bands.append(cv2.resize(mouths, (bands[0].shape[1], round(mouths.shape[0] * scale)), interpolation=cv2.INTER_AREA))
    path = folder / "avatar-import.jpg"
    cv2.imwrite(str(path), np.vstack(bands), [cv2.IMWRITE_JPEG_QUALITY, 88])
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", default=Path(tempfile.gettempdir()) / "visavis-import")
    parser.add_argument("--seconds", type=float, default=70.0)
    parser.add_argument("--pack", default="mira")
    arguments = parser.parse_args()
    folder: Path = arguments.folder
    folder.mkdir(parents=True, exist_ok=True)
    frames = list(motion(arguments.seconds, speech(arguments.seconds, 0.8)))
    source, out = folder / "film.mp4", folder / "imported.zip"
    film(source, find(arguments.pack, [SHIPPED]), frames, background=Background("COLOR", "#00B140"))
    print(f"filmed {arguments.seconds:.0f} s: {source}", flush=True)
    report = import_person(
        source, out, name="Proof", **CONSENT,
        progress=lambda done, total, what: print(f"\r{done * 100 // total:3d} % {what:40}", end="", flush=True),
    )  # fmt: skip
    print(f"\nimported: {out}\n{json.dumps(dataclasses.asdict(report), default=str)}")
    # The mouth is judged, not the loop's own movement.
    pack = still(Pack.open(out))
    found = reproduce(source, frames, pack, every=3, show=folder / "film-and-pack.png")
    print(json.dumps(dataclasses.asdict(found), indent=1))
    print(f"drawn: {sheet(folder, frames, pack)}")


if __name__ == "__main__":
    main()
