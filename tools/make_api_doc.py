"""Write the table of operations in ``docs/api.md`` from the contract's data, the handlers, and the review's words.

python tools/make_api_doc.py            # write it
python tools/make_api_doc.py --check    # exit status 1 if it is stale
"""

from __future__ import annotations

import json
import sys
import tomllib
from pathlib import Path

from visavis.api import operations
from visavis.api.skeleton import handled
from visavis.contract.loading import contract
from visavis.contract.model import Operation

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "api.md"
REVIEWS = Path(__file__).with_name("contract_review")

BEGIN = "<!-- operations: made by tools/make_api_doc.py; change tools/contract_review/, not this table -->"
END = "<!-- end of operations -->"

PREFIXES = (
    ("/v1/{project_id}/digital-human-chat/", "C/"),
    ("/v1/{project_id}/wise-brain-manager/", "W/"),
    ("/v1/{project_id}/ttsc/", "T/"),
    ("/v1/{project_id}/", "P/"),
)


def meanings() -> dict[str, str]:
    """What operations do here, in the review's words."""
    found: dict[str, str] = {}
    for path in sorted(REVIEWS.glob("*.toml")):
        for name, facts in tomllib.loads(path.read_text()).get("operation", {}).items():
            if "meaning" in facts:
                found[name] = facts["meaning"]
    return found


def short(path: str) -> str:
    for prefix, letter in PREFIXES:
        if path.startswith(prefix):
            return letter + path.removeprefix(prefix)
    return path


def row(operation: Operation, served: bool, meaning: str) -> str:
    """A line of the table. What is served says what it does here: a summary alone would be no promise."""
    if served and (not meaning or "|" in meaning):
        raise SystemExit(f"{operation.name}: tools/contract_review/ needs its meaning here, in words without |")
    status = str(operation.status) if served else "not yet"
    return (
        f"| {operation.name} | `{operation.verb} {short(operation.path)}` | {status} | {meaning or operation.summary} |"
    )


def table() -> str:
    """The table, with a line that counts."""
    operations.load()
    served = handled()
    said = meanings()
    everything = contract().operations
    groups = sorted({operation.group for operation in everything.values()})
    lines = [
        BEGIN,
        "",
        f"{len(served)} of {len(everything)} operations are served. `P` = `/v1/{{project_id}}`, `C` = `P/digital-human-chat`, "
        '`W` = `P/wise-brain-manager`, `T` = `P/ttsc`. "Not yet" is answered 404 `MSS.00010003`.',
        "",
        "| operation | call | status | meaning here |",
        "| --- | --- | --- | --- |",
    ]
    for group in groups:
        lines += [
            row(operation, name in served, said.get(name, ""))
            for name, operation in sorted(everything.items(), key=lambda item: (item[1].path, item[1].verb))
            if operation.group == group
        ]
    return "\n".join([*lines, "", END])


def page() -> str:
    """docs/api.md with a fresh table."""
    text = PAGE.read_text()
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        raise SystemExit(f"{PAGE.name} must hold the lines {BEGIN} and {END} once each")
    head, rest = text.split(BEGIN)
    return head + table() + rest.split(END)[1]


def main() -> int:
    """Write or check the page; exit status."""
    fresh = page()
    if "--check" in sys.argv[1:]:
        stale = PAGE.read_text() != fresh
        if stale:
            print(f"{PAGE.name} is stale: run tools/{Path(__file__).name}", file=sys.stderr)
        return int(stale)
    PAGE.write_text(fresh)
    print(json.dumps({"written": PAGE.name, "operations": len(contract().operations)}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
