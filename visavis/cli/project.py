"""``visavis project``: the tenants."""

from __future__ import annotations

from typing import Annotated

import typer

from visavis.cli.options import DataOption, JsonOption, print_rows, settings_with
from visavis.contract.base import rfc3339

project_app = typer.Typer(no_args_is_help=True, help="Projects: everything belongs to one, and none sees another's.")


@project_app.command("create")
def create(
    project: Annotated[str, typer.Argument(metavar="ID", help="1 to 64 letters, digits, '-' and '_'")],
    name: Annotated[
        str,
        typer.Option(
            envvar="VISAVIS_PROJECT_NAME",
            help="What SDKs without a project id look for: the name of their region [default: the id]",
        ),
    ] = "",
    data: DataOption = None,
) -> None:
    """Create a project."""
    from visavis.store import keys

    keys.create_project(settings_with(data=data), project, name)
    typer.echo(f"project {project} is there; next: visavis key create --project {project}")


@project_app.command("list")
def listing(data: DataOption = None, as_json: JsonOption = False) -> None:
    """List the projects, with how many users and keys they have."""
    from visavis.store import keys

    rows = [
        {
            "id": project.id,
            "name": project.name,
            "users": project.users,
            "keys": project.keys,
            "created_at": rfc3339(project.created_at),
        }
        for project in keys.list_projects(settings_with(data=data))
    ]
    print_rows(rows, as_json=as_json)
