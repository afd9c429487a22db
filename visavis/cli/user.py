"""``visavis user``: who signs in with a password, and what each may do in which project."""

from __future__ import annotations

from typing import Annotated

import typer

from visavis.cli.options import DataOption, JsonOption, print_rows, read_password, settings_with
from visavis.contract.base import rfc3339
from visavis.contract.roles import Role

user_app = typer.Typer(
    no_args_is_help=True,
    help="Users, who sign in with a password, and their roles: a viewer reads, an operator writes too, "
    "an admin manages identities and agencies too. Passwords are asked for, or read from the standard input.",
)

_Name = Annotated[str, typer.Argument(metavar="NAME", help="The user's name")]
_Project = Annotated[str, typer.Option("--project", envvar="VISAVIS_PROJECT", help="Project id")]


@user_app.command("create")
def create(
    name: _Name,
    project: Annotated[str, typer.Option("--project", envvar="VISAVIS_PROJECT", help="Project id; made if it is new")],
    role: Annotated[Role, typer.Option(envvar="VISAVIS_ROLE", help="What the user may do there")] = Role.OPERATOR,
    data: DataOption = None,
) -> None:
    """Create a user."""
    from visavis.store import keys

    keys.create_user(settings_with(data=data), project, name, read_password(), role, new=True)
    typer.echo(f"user {name} is there: {role.value} in project {project}")


@user_app.command("list")
def listing(
    project: Annotated[str, typer.Option("--project", envvar="VISAVIS_PROJECT", help="Of this project only")] = "",
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the users and their roles, a line a project."""
    from visavis.store import keys

    rows = [
        {"name": user.name, "project_id": user.project_id, "role": user.role, "created_at": rfc3339(user.created_at)}
        for user in keys.list_users(settings_with(data=data), project)
    ]
    print_rows(rows, as_json=as_json)


@user_app.command("role")
def role(
    name: _Name, wanted: Annotated[Role, typer.Argument(metavar="ROLE")], project: _Project, data: DataOption = None
) -> None:
    """Let a user into a project, or change its role there; at once, for its keys and tokens too. ROLE: viewer, operator, admin."""
    from visavis.store import keys

    keys.set_role(settings_with(data=data), project, name, wanted)
    typer.echo(f"user {name} is {wanted.value} in project {project}")


@user_app.command("password")
def password(name: _Name, data: DataOption = None) -> None:
    """Change a user's password. Its tokens and temporary keys end at once."""
    from visavis.store import keys

    keys.set_password(settings_with(data=data), name, read_password())
    typer.echo(f"user {name} has a new password; its tokens and temporary keys ended")


@user_app.command("logout")
def logout(name: _Name, data: DataOption = None) -> None:
    """End a user's tokens and temporary keys at once."""
    from visavis.store import keys

    keys.end_sessions(settings_with(data=data), name)
    typer.echo(f"the tokens and temporary keys of user {name} ended")


@user_app.command("remove")
def remove(name: _Name, project: _Project, data: DataOption = None) -> None:
    """Shut a user out of a project at once: its keys and tokens there end for good."""
    from visavis.store import keys

    keys.remove_member(settings_with(data=data), project, name)
    typer.echo(f"user {name} is no longer in project {project}")
