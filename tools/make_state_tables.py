"""Write the tables of states and layers into ``docs/architecture.md``, between the marks ``<!-- made: NAME -->`` and ``<!-- end -->``.

python tools/make_state_tables.py            # write them
python tools/make_state_tables.py --check    # exit status 1 if one is stale
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

from visavis.contract.jobs import TRANSITIONS as JOB
from visavis.contract.jobs import JobEventType, JobState
from visavis.session.chat import TRANSITIONS as CHAT
from visavis.session.chat import ChatEvent
from visavis.session.spec import ChatState

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "architecture.md"
_BLOCK = re.compile(r"(<!-- made: ([a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def chat_states() -> str:
    """State by event; an empty cell is an event that the table has no place for."""

    def cell(state: ChatState, event: ChatEvent) -> str:
        new = CHAT.get((state, event))
        return "" if new is None else "stays" if new is state else f"{new.name} ({new.value})"

    rows = [
        [f"{state.name} ({state.value})", *(cell(state, event) for event in ChatEvent)] for state in sorted(ChatState)
    ]
    return _table(["state", *(event.value for event in ChatEvent)], rows)


def job_states() -> str:
    """Event by state, with what the event does on the way."""

    def cell(state: JobState, event: JobEventType) -> str:
        found = JOB.get((state, event))
        if found is None:
            return ""
        effects = ", ".join(sorted(effect.name.lower() for effect in found.effects))
        name = "stays" if found.state is state else str(found.state)
        return f"{name}: {effects}" if effects else name

    live = [state for state in JobState if not state.final]
    return _table(["event", *live], [[event.value, *(cell(state, event) for state in live)] for event in JobEventType])


def layers() -> str:
    """As import-linter checks them, the highest first."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    found = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    return "```\n" + "".join(f"{layer.replace('visavis.', '')}\n" for layer in found) + "```\n"


MADE = {"chat-states": chat_states, "job-states": job_states, "layers": layers}


def page(text: str) -> str:
    """``text`` with fresh tables. Raises SystemExit if one has no place in it."""
    if missing := set(MADE) - {name for _, name, _ in _BLOCK.findall(text)}:
        raise SystemExit(f"{PAGE.name} has no place for {', '.join(sorted(missing))}")
    return _BLOCK.sub(lambda block: block[1] + MADE[block[2]]() + block[3], text)


def main() -> int:
    """Write or check; exit status."""
    before = PAGE.read_text()
    fresh = page(before)
    if "--check" in sys.argv[1:]:
        if before != fresh:
            print(f"{PAGE.name} is stale: run tools/{Path(__file__).name}", file=sys.stderr)
        return int(before != fresh)
    PAGE.write_text(fresh)
    return 0


if __name__ == "__main__":
    sys.exit(main())
