"""``visavis secrets``: the keys that stored secrets are encrypted with."""

from __future__ import annotations

import sys

import typer

from visavis.cli.options import DataOption, JsonOption, print_rows, settings_with

secrets_app = typer.Typer(
    no_args_is_help=True, help="The keys that stored secrets are encrypted with. Servers may go on beside all of this."
)


@secrets_app.command("status")
def status(data: DataOption = None, as_json: JsonOption = False) -> None:
    """List the keys by their ids, and how many stored secrets need each."""
    from visavis.store import rotation

    rows = [
        {"key": use.id or "(old form)", "newest": use.newest, "secrets": use.secrets}
        for use in rotation.status(settings_with(data=data))
    ]
    print_rows(rows, as_json=as_json)


@secrets_app.command("rotate")
def rotate(data: DataOption = None) -> None:
    """Encrypt all stored secrets anew, under a new key in the key file (or, with VISAVIS_SECRET_KEY, under that key).

    The key before stays in the file, to read with, until `visavis secrets prune` or the next rotation.
    """
    from visavis.store import rotation

    count = rotation.rotate(settings_with(data=data), _progress)
    typer.echo(f"{count} secrets are encrypted with the new key")


@secrets_app.command("prune")
def prune(data: DataOption = None) -> None:
    """Remove all keys but the newest from the key file, after making sure that nothing needs them."""
    from visavis.store import rotation

    count = rotation.prune(settings_with(data=data), _progress)
    typer.echo(f"{count} older keys removed; backups of before the rotation need them: keep those with their key file")


def _progress(done: int) -> None:
    if sys.stderr.isatty():
        typer.echo(f"\r{done} ", err=True, nl=False)
