"""Makes tests/avatar/golden/*.png: pictures of the synthetic pack, to be looked at whenever they are made anew."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import cv2
import synthetic
from compositor_tools import motion, shown

from visavis.avatar.background import Background
from visavis.avatar.layout import HumanLayer, Layout, Place
from visavis.avatar.pack import Pack
from visavis.motion.frame import Head, MotionFrame

FOLDER = Path(__file__).parent / "golden"
_BLUE = Background("COLOR", "#3366CC")
CASES: dict[str, tuple[Layout, MotionFrame]] = {
    "rest": (Layout(180, 320, background=_BLUE), motion()),
    "talking": (
        Layout(180, 320, background=_BLUE),
        motion(Head(0.09, -0.05, 0.03, 0.01, 0.01), breath=1.0, jawOpen=0.32, eyeBlink=0.5),
    ),
    "turned-away": (Layout(180, 320, background=_BLUE), motion(Head(-0.14, 0.1, -0.055), breath=0.5, eyeBlink=1.0)),
    "wide": (Layout(320, 180, background=_BLUE), motion(Head(0.05), jawOpen=0.2)),
    "placed": (
        Layout(240, 320, background=_BLUE, layers=(HumanLayer(Place(60, 60, 120, 213, 15)),)),
        motion(Head(0.05, 0.05), jawOpen=0.32),
    ),
}


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        pack = Pack.open(synthetic.make_pack(Path(folder) / "synthetic.zip"))
        for name, (layout, frame) in CASES.items():
            cv2.imwrite(str(FOLDER / f"{name}.png"), synthetic.rgb(shown(pack, layout, frame))[..., ::-1])
            print(FOLDER / f"{name}.png", file=sys.stderr)
