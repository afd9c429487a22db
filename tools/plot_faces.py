"""Draw the pictures of docs/avatars.md from the shipped packs, with the compositor that the server uses.

    python tools/plot_faces.py                     # docs/pictures/avatar-{mira,bowen}.jpg, avatar-faces.jpg, avatar-banks.jpg, demo.jpg
    python tools/plot_faces.py --before OLD.zip    # avatar-before-after.jpg too: an older pack of Mira beside today's

Needs the development requirements.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np

from visavis.avatar.background import Background, shipped
from visavis.avatar.compositor import open_renderer
from visavis.avatar.layout import Layout
from visavis.avatar.manifest import BankEntry
from visavis.avatar.pack import Pack
from visavis.motion.frame import ARKIT_INDEX, MotionFrame

ROOT = Path(__file__).parents[1]
PACKS, OUT = ROOT / "visavis" / "avatar" / "packs", ROOT / "docs" / "pictures"
PEOPLE = {"mira": "study", "bowen": "office"}
FACES: dict[str, dict[str, float]] = {
    "at rest": {},
    "smile": {"mouthSmileLeft": 0.7, "mouthSmileRight": 0.7, "cheekSquintLeft": 0.4, "cheekSquintRight": 0.4},
    "ah": {"jawOpen": 0.6},
    "f": {"mouthRollLower": 0.7, "mouthUpperUpLeft": 0.3, "mouthUpperUpRight": 0.3},
    "oo": {"mouthPucker": 0.8, "mouthFunnel": 0.4, "jawOpen": 0.12},
    "asleep": {"eyeBlinkLeft": 1.0, "eyeBlinkRight": 1.0},
}


def face(pack: Pack, size: tuple[int, int], background: Background, shapes: dict[str, float]) -> np.ndarray:
    """One picture as a viewer gets it before encoding: shape (height, width, 3), BGR."""
    motion = MotionFrame()
    for name, weight in shapes.items():
        motion.blendshapes[ARKIT_INDEX[name]] = weight
    out = np.zeros((size[1] * 3 // 2, size[0]), np.uint8)
    open_renderer(pack, Layout(*size, background=background)).draw(motion, out)
    return cv2.cvtColor(out, cv2.COLOR_YUV2BGR_I420)


def head(picture: np.ndarray) -> np.ndarray:
    """The part around the face of a portrait 720x1280."""
    return picture[150:690, 130:590]


def bank(pack: Pack, entries: list[BankEntry], width: int, columns: int) -> np.ndarray:
    """All entries of a bank as they lie in the pack."""
    cells = []
    for entry in entries:
        picture = pack.picture(entry.file)[:, :, :3]
        cells.append(
            cv2.resize(picture, (width, picture.shape[0] * width // picture.shape[1]), interpolation=cv2.INTER_AREA)
        )
    cells += [np.zeros_like(cells[0])] * (-len(cells) % columns)
    return np.vstack([np.hstack(cells[at : at + columns]) for at in range(0, len(cells), columns)])


def save(name: str, picture: np.ndarray) -> None:
    cv2.imwrite(str(OUT / f"{name}.jpg"), picture, [cv2.IMWRITE_JPEG_QUALITY, 86])
    print(OUT / f"{name}.jpg", picture.shape[1], picture.shape[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--before", type=Path)
    arguments = parser.parse_args()
    rows, sheets, after = [], [], {}
    for name, place in PEOPLE.items():
        pack = Pack.open(PACKS / f"{name}.zip")
        background = Background("IMAGE", image=shipped()[place])
        shown = {say: face(pack, (720, 1280), background, shapes) for say, shapes in FACES.items()}
        save(f"avatar-{name}", shown["at rest"])
        if name == "mira":
            save("demo", np.hstack([cv2.resize(head(shown[say]), (405, 475)) for say in ("at rest", "ah", "oo")]))
        after[name] = [shown["at rest"], shown["ah"]]
        rows.append(
            np.hstack([cv2.resize(head(one), (276, 324), interpolation=cv2.INTER_AREA) for one in shown.values()])
        )
        sheets += [bank(pack, pack.manifest.mouth.entries, 120, 12), bank(pack, pack.manifest.eyes.entries, 120, 12)]
    save("avatar-faces", np.vstack(rows))
    save("avatar-banks", np.vstack(sheets))
    if arguments.before:
        old = Pack.open(arguments.before)
        before = [face(old, (720, 1280), Background(), FACES[say]) for say in ("at rest", "ah")]
        save("avatar-before-after", np.hstack([head(one) for one in [*before, *after["mira"]]]))


if __name__ == "__main__":
    main()
