"""``visavis bench``: which measurements there are, and how their figures are printed."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from visavis.avatar.pack import SHIPPED, find
from visavis.bench import api, avatar, lips, media, speech
from visavis.bench.table import table
from visavis.errors import VisavisError

PARTS = ("api", "avatar", "lips", "media", "speech", "session")


def run(what: str, *, seconds: float, as_json: bool, database: str = "sqlite") -> int:
    """Run one part, or all; exit status. With ``as_json`` one part prints its object, "all" an object of parts.

    Args:
        seconds: of each session measured; the API is measured in slices of a tenth of it.
        database: of the API's measurement: "sqlite", "postgresql" or a URL.
    """
    if what not in (*PARTS, "all"):
        raise VisavisError(f"no measurement {what!r}; there are {', '.join(PARTS)}, response and all")
    if what == "avatar":
        avatar.run(json=as_json)
        return 0
    reports: dict[str, Any] = {}
    for part in PARTS if what == "all" else (what,):
        if not as_json:
            print(f"\n{part}", flush=True)
        reports[part] = _measure(part, seconds, as_json, database)
        if as_json or part == "avatar":
            continue
        if part == "api":
            print(api.table(reports[part]))
        else:
            table(reports[part])
    if as_json:
        json.dump(reports if what == "all" else reports[what], sys.stdout, indent=2)
        print()
    return 0


def _measure(part: str, seconds: float, as_json: bool, database: str) -> dict[str, Any]:
    match part:
        case "api":
            return asyncio.run(api.measure(seconds / 10, database))
        case "avatar":
            if as_json:
                return dict(avatar.measure(find("default", (SHIPPED,)), avatar.SIZES, avatar.SPOKEN))
            return dict(avatar.run())
        case "lips":
            return asyncio.run(lips.measure())
        case "media":
            return media.measure(seconds)
        case "speech":
            return asyncio.run(speech.measure())
        case _:
            from visavis.bench import session  # needs a browser and Playwright, which only developers install

            return asyncio.run(session.measure(seconds))
