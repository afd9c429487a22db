"""``visavis avatar import``: an avatar from a film of someone talking, or from a photo."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from visavis.errors import VisavisError


def avatar_import(
    source: Annotated[Path, typer.Argument(help="A film (1 to 5 minutes of someone talking) or a photo")],
    out: Annotated[
        Path | None,
        typer.Option(
            envvar="VISAVIS_IMPORT_OUT", help="The pack to write [default: avatars/ID.zip in the data folder]"
        ),
    ] = None,
    consent: Annotated[
        str | None,
        typer.Option(
            envvar="VISAVIS_IMPORT_CONSENT", help="What the person shown agreed to, in their words; kept in the pack"
        ),
    ] = None,
    consent_by: Annotated[
        str | None, typer.Option(envvar="VISAVIS_IMPORT_CONSENT_BY", help="Who gave the consent: the person's name")
    ] = None,
    name: Annotated[str | None, typer.Option(envvar="VISAVIS_IMPORT_NAME", help="Name [default: the file's]")] = None,
    avatar_id: Annotated[
        str | None, typer.Option("--id", envvar="VISAVIS_IMPORT_ID", help="Id of the avatar [default: from the name]")
    ] = None,
    licence: Annotated[
        str, typer.Option(envvar="VISAVIS_IMPORT_LICENCE", help="Licence of the pictures")
    ] = "private: use only as agreed in the consent",
    min_seconds: Annotated[
        float, typer.Option(envvar="VISAVIS_IMPORT_MIN_SECONDS", help="Shortest film that is taken")
    ] = 60.0,
    data: Annotated[
        Path | None, typer.Option("--data", envvar="VISAVIS_DATA", help="Data folder [default: data]")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", envvar="VISAVIS_JSON", help="Print JSON, for scripts")] = False,
) -> None:
    """Make an avatar of a person: from a film of 1 to 5 minutes, or (simpler) from a photo.

    The first import makes .venv-import, an environment of its own for MediaPipe (230 MB). A film that is not fit is refused with
    the reason. Without the consent of the person shown there is no import.
    """
    from visavis.avatar.importing import id_of, import_person
    from visavis.cli.options import settings_with
    from visavis.cli.progress import Progress

    if consent is None and sys.stdin.isatty():
        consent = typer.prompt("What did the person shown agree to (in their words)?")
    if consent_by is None and consent and sys.stdin.isatty():
        consent_by = typer.prompt("Who gave this consent (name)?")
    if not consent or not consent_by:
        raise VisavisError(
            'an import needs the consent of the person shown: --consent "what they agreed to" --consent-by NAME'
        )
    folder = settings_with(data=data).data / "avatars"
    with Progress("import", sys.stderr) as progress:
        target = out or folder / f"{avatar_id or id_of(name or source.stem)}.zip"
        report = import_person(
            source, target, consent=consent, consent_by=consent_by, name=name, avatar_id=avatar_id, licence=licence,
            min_seconds=min_seconds, progress=progress.step,
        )  # fmt: skip
    if as_json:
        typer.echo(json.dumps(asdict(report) | {"pack": str(report.pack)}, ensure_ascii=False))
        return
    typer.echo(f"{report.pack}: {report.mouths} mouths, {report.eyes} eyes, {report.pack.stat().st_size / 1e6:.1f} MB")
    typer.echo(f"background: {report.matte} (quality {report.matte_quality:.2f})")
    if report.loop_seconds is not None:
        typer.echo(f"idle loop: {report.loop_seconds:.1f} s, seam {report.loop_seam:.1f} times a usual moment")
    for note in report.notes:
        typer.echo(f"note: {note}")
