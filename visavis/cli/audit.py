"""``visavis audit``: who changed what."""

from __future__ import annotations

import re
import time
from typing import Annotated

import typer

from visavis.cli.options import DataOption, JsonOption, print_rows, settings_with
from visavis.contract.base import from_rfc3339, rfc3339
from visavis.errors import VisavisError

_AGO = re.compile(r"^(\d{1,6})([smhd])$")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def audit(
    project: Annotated[str, typer.Option("--project", envvar="VISAVIS_PROJECT", help="Of this project only")] = "",
    who: Annotated[
        str, typer.Option(envvar="VISAVIS_AUDIT_WHO", help="A user's name or id, an AK, or 'command line'")
    ] = "",
    operation: Annotated[str, typer.Option(envvar="VISAVIS_AUDIT_OPERATION", help="E.g. create_robot")] = "",
    target: Annotated[str, typer.Option(envvar="VISAVIS_AUDIT_TARGET", help="The id of what was changed")] = "",
    since: Annotated[
        str, typer.Option(envvar="VISAVIS_AUDIT_SINCE", help="From then on: 30m, 12h, 7d, or 2026-01-31T08:00:00Z")
    ] = "",
    until: Annotated[str, typer.Option(envvar="VISAVIS_AUDIT_UNTIL", help="Before then")] = "",
    failed: Annotated[
        bool, typer.Option("--failed", envvar="VISAVIS_AUDIT_FAILED", help="What was refused only")
    ] = False,
    limit: Annotated[
        int, typer.Option(min=1, max=1_000_000, envvar="VISAVIS_AUDIT_LIMIT", help="At most so many, the newest")
    ] = 100,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show who changed what, newest first: every write through the API and every command that changes something."""
    from visavis.store import audit as store
    from visavis.store.commands import run

    wanted = store.Filter(project, who, operation, target, _time("--since", since), _time("--until", until), failed)
    found = run(settings_with(data=data), lambda database: store.listing(database, wanted, limit))
    rows = [
        {
            "at": rfc3339(shown.entry.at),
            "project_id": shown.entry.project_id,
            "who": shown.who,
            "operation": shown.entry.operation,
            "target": shown.entry.target,
            "status": shown.entry.status or None,
            "error_code": shown.entry.error_code,
            "request_id": shown.entry.request_id,
        }
        for shown in found
    ]
    print_rows(rows, as_json=as_json)


def _time(flag: str, text: str) -> float | None:
    if not text:
        return None
    if ago := _AGO.match(text):
        return time.time() - int(ago[1]) * _SECONDS[ago[2]]
    try:
        return from_rfc3339(text)
    except ValueError:
        raise VisavisError(f"{flag} {text!r}: wanted 30m, 12h, 7d, or a time like 2026-01-31T08:00:00Z") from None
