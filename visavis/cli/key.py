"""``visavis key``: access keys."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Annotated

import typer

from visavis.cli.options import DataOption, JsonOption, print_rows, settings_with
from visavis.contract.base import rfc3339
from visavis.contract.roles import Role

if TYPE_CHECKING:
    from visavis.store.identity import AccessKey

key_app = typer.Typer(no_args_is_help=True, help="Access keys (AK/SK) with which SDKs sign their requests.")

_Ak = Annotated[str, typer.Argument(metavar="AK", help="The access key, as `visavis key list` shows it")]


@key_app.command("create")
def create(
    project: Annotated[str, typer.Option("--project", envvar="VISAVIS_PROJECT", help="Project id; made if it is new")],
    role: Annotated[Role, typer.Option(envvar="VISAVIS_ROLE", help="The most that it allows")] = Role.ADMIN,
    user: Annotated[
        str,
        typer.Option(
            envvar="VISAVIS_USER", help="Whose key it is: it never allows more than its user [default: nobody's]"
        ),
    ] = "",
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Create an access key. The secret is shown this once."""
    from visavis.store import keys

    _print(keys.create_key(settings_with(data=data), project, role=role, user=user), as_json=as_json)


@key_app.command("list")
def listing(
    project: Annotated[str, typer.Option("--project", envvar="VISAVIS_PROJECT", help="Of this project only")] = "",
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the access keys, ended and revoked ones too. Their secrets are never shown again."""
    from visavis.store import keys

    now = time.time()
    rows = [
        {
            "ak": key.ak,
            "project_id": key.project_id,
            "user": key.user,
            "role": key.role,
            "state": key.state(now),
            "temporary": key.temporary,
            "created_at": rfc3339(key.created_at),
            "expires_at": rfc3339(key.expires_at),
        }
        for key in keys.list_keys(settings_with(data=data), project)
    ]
    print_rows(rows, as_json=as_json)


@key_app.command("rotate")
def rotate(
    ak: _Ak,
    grace_hours: Annotated[
        float,
        typer.Option(min=0, max=8760, envvar="VISAVIS_GRACE_HOURS", help="How long the old key goes on; 0: not at all"),
    ] = 24.0,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Create a key in place of another one. Both are valid for the time of grace; then the old one ends by itself."""
    from visavis.store import keys

    key = keys.rotate_key(settings_with(data=data), ak, grace_hours * 3600)
    _print(key, as_json=as_json)
    typer.echo(f"{ak} ends {f'in {grace_hours:g} hours' if grace_hours else 'now'}.", err=True)


@key_app.command("revoke")
def revoke(ak: _Ak, data: DataOption = None) -> None:
    """End a key at once and for good, in running servers too; with it the temporary keys that were made with it."""
    from visavis.store import keys

    keys.revoke_key(settings_with(data=data), ak)
    typer.echo(f"{ak} is revoked")


def _print(key: AccessKey, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({"ak": key.ak, "sk": key.sk, "project_id": key.project_id}))
        return
    typer.echo(f"AK          {key.ak}\nSK          {key.sk}\nproject_id  {key.project_id}")
    typer.echo("The SK is not shown again: keep it (SDKs read HUAWEICLOUD_SDK_AK and HUAWEICLOUD_SDK_SK).", err=True)
