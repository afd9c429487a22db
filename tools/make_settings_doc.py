"""Write ``docs/settings.md`` from the settings class and the command line, so that the page cannot lie.

python tools/make_settings_doc.py            # write it
python tools/make_settings_doc.py --check    # exit status 1 if it is stale
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from visavis.cli.main import app
from visavis.settings import Settings

PAGE = Path(__file__).resolve().parents[1] / "docs" / "settings.md"
PREFIX = "VISAVIS_"

SECTIONS = {
    "host": "HTTP, data, TLS",
    "dispatcher": "Workers",
    "udp_ports": "Media and network",
    "sleep_after_s": "Sleep and silence",
    "recogniser": "Speech",
    "answer_threshold": "Dialogue",
    "url_allow": "URLs that users give",
    "log_level": "Logs, metrics",
    "secret_key": "Secrets, identities, limits",
}
"""A section begins at the setting of this name, and goes on to the next one's, in the order of the class."""

OUTSIDE = (
    ("VISAVIS_IMPORT_VENV", "environment of `visavis avatar import` (default `.venv-import`)"),
    ("VISAVIS_STUDIO_VENV", "environment of `visavis avatar bake` (default `.venv-studio`)"),
    ("PYTHON", "the interpreter that `make setup` builds `.venv` with (default `python3`; 3.11 or newer)"),
    ("OMP_NUM_THREADS, OPENBLAS_NUM_THREADS, ...", "threads of numerical libraries in workers: 1, unless you set them"),
    ("OMP_WAIT_POLICY", "PASSIVE, unless you set it: threads that spin while they wait cost frames"),
)

HEAD = """\
# Settings

<!-- Made by tools/make_settings_doc.py from visavis/settings.py and visavis/cli/main.py: change those, not this page. -->

Every setting is an environment variable; some are flags of `visavis serve` too (a flag wins). Durations are in seconds. Lists
and objects are JSON, e.g. `VISAVIS_STUN_URLS='["stun:stun.example.org:3478"]'`. A value that is not allowed stops the start
with a message. Settings are read once, at the start; the workers get theirs from the server. What is marked *secret* is never
logged.
"""


def rule(schema: dict[str, Any]) -> str:
    """What a value must be, in words."""
    options = [one for one in schema.get("anyOf", [schema]) if one.get("type") != "null"]
    one = options[0]
    words = {"integer": "whole number", "number": "number", "boolean": "true or false", "array": "JSON list",
             "object": "JSON object"}.get(one.get("type", ""), "path" if one.get("format") == "path" else "text")  # fmt: skip
    limits = [
        f"{sign} {one[key]:g}"
        for key, sign in (("minimum", ">="), ("exclusiveMinimum", ">"), ("maximum", "<="))
        if key in one
    ]
    if pattern := one.get("pattern"):
        plain = re.fullmatch(r"\^\((?:\?i:)?([a-z|]*)\)\$", pattern)
        words = (
            ", ".join(f"`{word}`" if word else "empty" for word in plain[1].split("|"))
            if plain
            else f"matches `{pattern.replace('|', chr(92) + '|')}`"
        )
    return f"{words} {', '.join(limits)}".strip()


def default(value: object) -> str:
    """A default as one would type it."""
    if value is None or value in ("", [], {}):
        return ""
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def command_options() -> Iterator[tuple[str, str, str, str]]:
    """(command, flag, environment variable, help) of every option that has a variable."""
    root = typer.main.get_command(app)

    def walk(command: Any, name: str) -> Iterator[tuple[str, str, str, str]]:
        for child, sub in getattr(command, "commands", {}).items():
            yield from walk(sub, f"{name} {child}".strip())
        for option in command.params:
            if option.envvar:
                flag = "/".join([option.opts[0], *option.secondary_opts])
                yield name, flag, str(option.envvar), option.help or ""

    yield from walk(root, "")


def page() -> str:
    """The whole page."""
    names = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
    options = list(command_options())
    flags = {variable: flag for command, flag, variable, _ in options if command == "serve"}
    properties = Settings.model_json_schema()["properties"]
    unknown = set(SECTIONS) - set(properties)
    if unknown or next(iter(properties)) not in SECTIONS:
        raise SystemExit(
            f"SECTIONS of {Path(__file__).name} must name settings that exist, the first among them: {unknown}"
        )
    lines = [HEAD]
    for name, schema in properties.items():
        if name in SECTIONS:
            lines += [
                f"\n## {SECTIONS[name]}\n",
                "| variable | flag | default | must be | meaning |",
                "| --- | --- | --- | --- | --- |",
            ]
        variable = f"{PREFIX}{name.upper()}"
        field = Settings.model_fields[name]
        value = field.get_default(call_default_factory=True)
        flag = f"`{flags[variable]}`" if variable in flags else ""
        meaning = (field.description or "") + ("" if field.repr else " (*secret*)")
        lines.append(f"| `{variable}` | {flag} | {default(value)} | {rule(schema)} | {meaning} |")
    lines += ["\n## Of single commands\n", "| command | variable | flag | meaning |", "| --- | --- | --- | --- |"]
    for command, flag, variable, text in sorted(set(options)):
        if variable not in names:
            lines.append(f"| `visavis {command}` | `{variable}` | `{flag}` | {text} |")
    lines += ["\n## Read from elsewhere\n", "| variable | meaning |", "| --- | --- |"]
    lines += [f"| `{variable}` | {text} |" for variable, text in OUTSIDE]
    lines += [
        "\nThe effective settings, secrets left out (but a password within `VISAVIS_DATABASE_URL` is shown):\n",
        "```",
        EFFECTIVE,
        "```",
    ]
    return "\n".join(lines) + "\n"


EFFECTIVE = ".venv/bin/python -c 'from visavis.settings import Settings; print(Settings())'"


def main() -> int:
    """Write or check the page; exit status."""
    fresh = page()
    if "--check" in sys.argv[1:]:
        stale = not PAGE.exists() or PAGE.read_text() != fresh
        if stale:
            print(f"{PAGE.name} is stale: run tools/{Path(__file__).name}", file=sys.stderr)
        return int(stale)
    PAGE.write_text(fresh)
    print(json.dumps({"written": PAGE.name, "settings": len(Settings.model_fields)}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
