"""Files that tell workers what the database holds: too long for a message, and the same for many jobs."""

from __future__ import annotations

import secrets
from pathlib import Path


def kept(path: Path, content: bytes) -> Path:
    """The file with this content. One that has it already stays as it is: workers know it, and made their index of it."""
    try:
        if path.read_bytes() == content:
            return path
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    # A name of its own: jobs that start at the same moment write the same file.
    new = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    new.write_bytes(content)
    new.replace(path)
    return path
