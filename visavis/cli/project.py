"""``visavis project``: the tenants."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from visavis.cli.options import DataOption, JsonOption, print_rows, read_secret, settings_with
from visavis.contract.base import rfc3339

if TYPE_CHECKING:
    from visavis.store.buckets import BucketStore

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


_Project = Annotated[str, typer.Argument(metavar="PROJECT", help="The project's id")]


@project_app.command("bucket")
def bucket(
    project: _Project,
    endpoint: Annotated[
        str,
        typer.Option(envvar="VISAVIS_BUCKET_ENDPOINT", help="Of the S3-compatible store, e.g. https://s3.example:9000"),
    ] = "",
    access_key: Annotated[
        str,
        typer.Option(
            envvar="VISAVIS_BUCKET_ACCESS_KEY",
            help="That signs requests to it. Its secret is asked for, or read from the standard input or "
            "VISAVIS_BUCKET_SECRET",
        ),
    ] = "",
    region: Annotated[
        str, typer.Option(envvar="VISAVIS_BUCKET_REGION", help="That requests are signed for")
    ] = "us-east-1",
    path_style: Annotated[
        bool,
        typer.Option(
            envvar="VISAVIS_BUCKET_PATH_STYLE",
            help="Whether the bucket's name stands in the path (MinIO, Ceph), or before the host's name (AWS, OBS)",
        ),
    ] = True,
    alias: Annotated[
        list[str] | None,
        typer.Option(
            envvar="VISAVIS_BUCKET_ALIAS",
            help="Another endpoint that requests may name in its place, e.g. the cloud's; several: again",
        ),
    ] = None,
    try_bucket: Annotated[
        str,
        typer.Option(
            "--try",
            metavar="BUCKET",
            envvar="VISAVIS_BUCKET_TRY",
            help="First write to this bucket, to see that it works",
        ),
    ] = "",
    remove: Annotated[bool, typer.Option("--remove", envvar="VISAVIS_BUCKET_REMOVE", help="Forget the store")] = False,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Set the store that a project's dialogue reports and recordings go to; without --endpoint: show it.

    The buckets in it, and what goes there, are for the API to name (audio-record-config, dialog-report-config); see docs/recordings.md.
    The secret is kept encrypted and never shown.
    """
    from visavis.store import erasing
    from visavis.store.buckets import BadBucketError, BucketStore

    settings = settings_with(data=data)
    if remove:
        erasing.remove_bucket(settings, project)
        typer.echo(
            f"project {project} has no store any more; what waits for it is kept {settings.delivery_days:g} days"
        )
        return
    if not endpoint:
        found = erasing.bucket_of(settings, project)
        if found is None:
            raise BadBucketError(f"project {project!r} has no store: set one with --endpoint and --access-key")
        _show(found, as_json=as_json)
        return
    if not access_key:
        raise BadBucketError("--access-key is missing")
    secret = settings.bucket_secret or read_secret("Secret")
    store = BucketStore(project, endpoint, access_key, secret, region, path_style, tuple(alias or ()))
    _show(erasing.set_bucket(settings, store, try_bucket), as_json=as_json)


def _show(store: BucketStore, *, as_json: bool) -> None:
    shown = {
        "project_id": store.project_id,
        "endpoint": store.endpoint,
        "region": store.region,
        "path_style": store.path_style,
        "access_key": store.access_key,
        "aliases": list(store.aliases),
    }
    if as_json:
        typer.echo(json.dumps(shown))
        return
    for name, value in shown.items():
        typer.echo(f"{name:<11} {', '.join(value) or '-' if isinstance(value, list) else value}")


@project_app.command("erase")
def erase(
    project: _Project,
    user_id: Annotated[
        str,
        typer.Option(
            "--user-id", envvar="VISAVIS_USER_ID", help="X-App-UserId that jobs were started with, or a job's END_USER"
        ),
    ],
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Erase what a person said and heard: the turns and recordings of its jobs, here and in the project's bucket.

    What cannot be deleted in the bucket now, a server goes on trying to; the command then ends with status 1. It may run beside a server.
    """
    from visavis.store import erasing

    if not user_id.strip():
        raise typer.BadParameter("it must not be empty", param_hint="--user-id")
    done = erasing.erase(settings_with(data=data), project, user_id)
    if as_json:
        shown = {"turns": done.turns, "recordings": done.recordings, "objects": done.objects, "left": done.left}
        typer.echo(json.dumps(shown))
    else:
        typer.echo(
            f"erased: {done.turns} turns and {done.recordings} recordings here, {done.objects} objects in the bucket"
        )
    if done.left:
        typer.echo(
            f"{done.left} objects are still in the bucket ({done.reason}): a running server goes on trying", err=True
        )
        raise typer.Exit(1)
