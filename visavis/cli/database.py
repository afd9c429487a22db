"""``visavis database``: the tables' revision."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from visavis.cli.options import DataOption, settings_with

database_app = typer.Typer(
    no_args_is_help=True, help="The database's tables. A server brings them up to date by itself."
)


@database_app.command("upgrade")
def upgrade(data: DataOption = None) -> None:
    """Make the tables, or bring them up to date, without a server."""
    from visavis.store.commands import run

    run(settings_with(data=data), lambda _: asyncio.sleep(0))
    typer.echo("the tables are up to date")


@database_app.command("downgrade")
def downgrade(
    revision: Annotated[str, typer.Argument(metavar="REVISION", help="Of the tables, e.g. 0003")],
    data: DataOption = None,
) -> None:
    """Bring the tables back to what an older version uses: with this version, the server stopped, after a backup.

    What the older version does not know is lost.
    """
    from visavis.store.commands import go_back

    go_back(settings_with(data=data), revision)
    typer.echo(f"the tables are those of revision {revision}: start the older version now")
