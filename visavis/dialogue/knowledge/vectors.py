"""Vectors of texts, kept beside the file they are of, and made by a process that disturbs nobody.

Encoding a text takes more than a millisecond on both cores; a library has thousands. In a worker that would cost frames, so that more
than a few are encoded by ``python -m visavis.dialogue.knowledge.vectors FILE``: at the lowest priority, on one core, the texts as
JSON on its standard input. Texts that the file beside has already are not encoded again: a library that changed a little is soon ready.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from visavis import log
from visavis.dialogue.encoder import Encoder, Vectors
from visavis.errors import VisavisError

_LOG = log.get(__name__)

_FEW: Final = 64
"""Texts that are encoded at once and here."""
_BATCH: Final = 32
_KEY_BYTES: Final = 16
_NICE: Final = 15
_LONGEST_S: Final = 1800.0
_PASSED_ON: Final = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "VIRTUAL_ENV")
_ONE_CORE: Final = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


class VectorsError(VisavisError):
    """The texts could not be encoded."""


def vectors(texts: Sequence[str], beside: Path, encoder: Encoder) -> Vectors:
    """Unit vectors of the texts, shape (len(texts), 512). Blocks, for seconds to minutes when many are new.

    Args:
        beside: the file that the texts are of; their vectors are kept next to it.

    Raises:
        VectorsError: the process that encodes them failed.
    """
    place = beside.with_suffix(".vectors.npz")
    known = _kept(place)
    missing = [text for text in dict.fromkeys(texts) if _key(text) not in known]
    if len(missing) > _FEW:
        _encode_apart(texts, place)
        known = _kept(place)
    elif missing:
        for begin in range(0, len(missing), _BATCH):
            batch = missing[begin : begin + _BATCH]
            known.update(zip(map(_key, batch), encoder.encode(batch).astype(np.float16), strict=True))
    rows = np.empty((len(texts), Encoder.DIMENSIONS), np.float32)
    try:
        for number, text in enumerate(texts):
            rows[number] = known[_key(text)]
    except KeyError:
        raise VectorsError(f"{place.name}: vectors are missing") from None
    return rows


def _key(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=_KEY_BYTES).digest()


def _kept(place: Path) -> dict[bytes, Vectors]:
    """What the file has; nothing, where there is none or it is damaged."""
    try:
        with np.load(place) as whole:
            keys, rows = whole["keys"], whole["rows"]
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        _LOG.warning("kept vectors are unreadable", file=place.name, reason=type(error).__name__)
        return {}
    if keys.shape != (len(rows), _KEY_BYTES) or rows.shape[1:] != (Encoder.DIMENSIONS,):
        return {}
    return {key.tobytes(): row for key, row in zip(keys, rows, strict=True)}


def _encode_apart(texts: Sequence[str], place: Path) -> None:
    environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    try:
        subprocess.run(
            (sys.executable, "-P", "-m", "visavis.dialogue.knowledge.vectors", str(place)),
            input=json.dumps(list(texts)).encode(),
            env=environment | _ONE_CORE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            check=True,
            timeout=_LONGEST_S,
        )
    except (OSError, subprocess.SubprocessError) as error:
        told = getattr(error, "stderr", None) or b""
        _LOG.error("encoding failed", reason=type(error).__name__, told=told[-300:].decode("utf-8", "replace"))
        raise VectorsError("the library cannot be encoded") from error


def write(texts: Sequence[str], place: Path, encoder: Encoder) -> None:
    """Encode what ``place`` lacks of the texts, and keep there what they need and nothing else."""
    known = _kept(place)
    unique = list(dict.fromkeys(texts))
    missing = [text for text in unique if _key(text) not in known]
    for begin in range(0, len(missing), _BATCH):
        batch = missing[begin : begin + _BATCH]
        known.update(zip(map(_key, batch), encoder.encode(batch).astype(np.float16), strict=True))
    keys = [_key(text) for text in unique]
    rows = np.array([known[key] for key in keys], np.float16).reshape(len(keys), Encoder.DIMENSIONS)
    new = place.with_name(f".{place.name}.{secrets.token_hex(8)}.npz")
    try:
        np.savez(new, keys=np.frombuffer(b"".join(keys), np.uint8).reshape(len(keys), _KEY_BYTES), rows=rows)
        new.replace(place)
    finally:
        new.unlink(missing_ok=True)


def main() -> None:
    """Encode the texts on standard input into the file that is named."""
    with contextlib.suppress(OSError):
        os.nice(_NICE)
    write(json.load(sys.stdin), Path(sys.argv[1]), Encoder())


if __name__ == "__main__":
    main()
