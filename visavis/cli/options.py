"""What the commands share: where the data is, JSON output, settings from the environment, tables and passwords."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from pydantic_settings import SettingsError

from visavis import log
from visavis.errors import VisavisError
from visavis.settings import Settings

DataOption = Annotated[
    Path | None,
    typer.Option("--data", envvar="VISAVIS_DATA", help="Folder of the database, keys and caches [default: data]"),
]
JsonOption = Annotated[bool, typer.Option("--json", envvar="VISAVIS_JSON", help="Print JSON, for scripts")]


def settings_with(**given: Any) -> Settings:
    """Settings from the environment, with those flags that were given. Raises VisavisError: one cannot be used.

    Sets up the logs, too: a short command reports warnings, or what ``VISAVIS_LOG_LEVEL`` asks for.
    """
    try:
        settings = Settings(**{name: value for name, value in given.items() if value is not None})
        _ = settings.udp_port_range  # checked when it is read
    except ValidationError as error:
        raise VisavisError("; ".join(_reason(each["loc"], each["msg"]) for each in error.errors())) from None
    except SettingsError as error:
        field = re.search(r'"(\w+)"', str(error))
        raise VisavisError(_reason((field[1] if field else "",), "this is no JSON")) from None
    except ValueError as error:
        raise VisavisError(str(error)) from None
    if settings.url_allow:
        from visavis.urlpolicy import UrlPolicy

        UrlPolicy(settings.url_allow)
    for name in ("tls_cert", "tls_key"):
        if (path := getattr(settings, name)) and not path.is_file():
            raise VisavisError(_reason((name,), f"there is no file {path}"))
    if settings.tls_key and not settings.tls_cert:
        raise VisavisError(_reason(("tls_cert",), "a key needs its certificate"))
    log.configure(settings.log_level if "log_level" in settings.model_fields_set else "WARNING", settings.log_format)
    return settings


def _reason(where: Sequence[int | str], problem: str) -> str:
    """What is wrong with a setting, by its environment variable; without its value, which may be a secret."""
    name = str(where[0]) if where else ""
    field = Settings.model_fields.get(name)
    return f"VISAVIS_{name.upper()}: {problem}" + (f" ({field.description})" if field else "")


def print_rows(rows: Sequence[dict[str, Any]], *, as_json: bool) -> None:
    """A list: JSON, or a table with a line a row (nothing at all when there are none)."""
    if as_json:
        typer.echo(json.dumps(rows, ensure_ascii=False))
        return
    if not rows:
        return
    table = [[name.upper() for name in rows[0]], *([_cell(value) for value in row.values()] for row in rows)]
    widths = [max(len(line[column]) for line in table) for column in range(len(table[0]))]
    for line in table:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _cell(value: Any) -> str:
    # What may come from elsewhere must not steer the terminal.
    return "".join(letter if letter.isprintable() else "?" for letter in str(value)) if value not in (None, "") else "-"


def read_password() -> str:
    """A password: asked for twice at a terminal, else the first line of the standard input. Never an argument."""
    if sys.stdin.isatty():
        return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))
    password = sys.stdin.readline().rstrip("\r\n")
    if not password:
        raise VisavisError("the password is read from the standard input: there was none")
    return password


def read_secret(prompt: str) -> str:
    """A secret that was made elsewhere: asked for at a terminal, else the first line of the standard input."""
    if sys.stdin.isatty():
        return str(typer.prompt(prompt, hide_input=True, err=True))
    secret = sys.stdin.readline().strip()
    if not secret:
        raise VisavisError("the secret is read from the standard input: there was none")
    return secret
