"""How well `visavis avatar import` reproduces a person whose motion is known: the table of docs/avatar-import.md.

    .venv/bin/python tools/prove_import.py [FOLDER] [--seconds 70] [--pack mira]

A shipped character is filmed with a motion of our own, imported from the film alone, and drawn again with the same motion. Film,
pack and a picture of both stay in FOLDER. Some minutes; `make setup-tests` first (the import's own environment).
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import tempfile
from pathlib import Path

from visavis.avatar.background import Background
from visavis.avatar.importing import import_person
from visavis.avatar.importing.proof import film, motion, reproduce, speech
from visavis.avatar.pack import SHIPPED, Pack, find


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
        source, out, consent="A rendered person needs none.", consent_by="Nobody", name="Proof", licence="CC0-1.0",
        progress=lambda done, total, what: print(f"\r{done * 100 // total:3d} % {what:40}", end="", flush=True),
    )  # fmt: skip
    print(f"\nimported: {out}\n{json.dumps(dataclasses.asdict(report), default=str)}")
    pack = Pack.open(out)
    # The mouth is judged, not the loop's own movement.
    still = dataclasses.replace(pack, manifest=pack.manifest.model_copy(update={"loop": None}))
    found = reproduce(source, frames, still, every=3, show=folder / "film-and-pack.png")
    print(json.dumps(dataclasses.asdict(found), indent=1))


if __name__ == "__main__":
    main()
