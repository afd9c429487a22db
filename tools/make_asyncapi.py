"""Write ``docs/asyncapi.yaml`` from the types of the drive WebSocket's frames, so that the description cannot lie.

python tools/make_asyncapi.py            # write it
python tools/make_asyncapi.py --check    # exit status 1 if it is stale
"""

from __future__ import annotations

import sys
from pathlib import Path

import yaml

from visavis.api.asyncapi import describe

PAGE = Path(__file__).resolve().parents[1] / "docs" / "asyncapi.yaml"

HEAD = """\
# Made by tools/make_asyncapi.py from visavis/contract/drive.py and visavis/api/asyncapi.py: change those, not this file.
# The server answers the same at GET /asyncapi.json; docs/drive.md is for people.
"""


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: object) -> bool:
        return True


def page() -> str:
    """The file's text."""
    return HEAD + yaml.dump(describe(), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=118)


def main() -> int:
    if "--check" in sys.argv[1:]:
        if not PAGE.exists() or PAGE.read_text() != page():
            print(f"{PAGE.name} is stale: run tools/make_asyncapi.py", file=sys.stderr)
            return 1
        return 0
    PAGE.write_text(page())
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
