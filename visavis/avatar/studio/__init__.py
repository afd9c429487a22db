"""The avatar studio: bakes a character file into an avatar pack. Importing it is light; baking needs bpy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

Progress = Callable[[int, int, str], None]


def bake(
    character: Path, out: Path, *, work_dir: Path, progress: Progress = lambda done, total, what: None, samples: int = 4
) -> Path:
    """Bake ``character`` (a TOML file) to the pack ``out``; an interrupted bake goes on where it stopped.

    ``progress`` is called with (pictures done, pictures in all, what). Returns the contact sheet's path.
    """
    from visavis.avatar.studio.bake import bake_pack

    return bake_pack(character, out, work_dir=work_dir, progress=progress, samples=samples)


def bake_command(character: str, out: Path, work_dir: Path | None = None, samples: int = 4) -> int:
    """``visavis avatar bake CHARACTER --out PACK.zip``: a shipped character's name or a file. Returns an exit code."""
    from visavis.avatar.studio.character import find
    from visavis.errors import VisavisError

    def show(done: int, total: int, what: str) -> None:
        print(f"[{done}/{total}] {what}", flush=True)

    try:
        source = find(character)
        work = work_dir or Path("build") / "studio" / source.stem
        sheet = bake(source, out, work_dir=work, progress=show, samples=samples)
    except VisavisError as error:
        print(f"bake failed: {error}")
        return 1
    print(f"pack: {out} ({out.stat().st_size / 1e6:.1f} MB), contact sheet: {sheet}")
    return 0
