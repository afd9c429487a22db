"""Draw what requests cost as the store grows: docs/pictures/bench-api.png.

Usage: visavis bench api --json > REPORT.json; python tools/plot_api.py REPORT.json [OTHER.json] [OUT.png]
(needs the development requirements). A second report is drawn dashed, e.g. of PostgreSQL.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt

OUT = Path("docs/pictures/bench-api.png")
LISTS = {"jobs": "#1f77b4", "rooms": "#2ca02c", "roles": "#d62728"}
STYLES = ("-", "--")


def draw(reports: list[dict[str, Any]], out: Path) -> None:
    """Left the state call beside the bare route, right the first and the last page of each list."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4), constrained_layout=True)
    for report, style in zip(reports, STYLES, strict=False):
        rows, name = report["stored"], report["database"]
        sizes = [int(size) for size in rows]
        for kind, colour, label in (
            ("bare", "#888888", "bare FastAPI route"),
            ("show", "#1f77b4", "show state, signed"),
        ):
            rates = [row[kind]["per_s"] for row in rows.values()]
            left.plot(sizes, rates, style, color=colour, marker="o", label=f"{label} ({name})")
        for one, colour in LISTS.items():
            for place, marker in (("first", "o"), ("deep", "v")):
                times = [row[f"{one}_{place}"]["p50_ms"] for row in rows.values()]
                page = "first page" if place == "first" else "last page"
                right.plot(sizes, times, style, color=colour, marker=marker, label=f"{one}, {page} ({name})")
    left.set(title="Requests a second on one core", xscale="log", xlabel="jobs stored", ylim=(0, None))
    right.set(title="A page of a list, ms (p50)", xscale="log", xlabel="stored", ylim=(0, None))
    for axes in (left, right):
        axes.grid(alpha=0.3)
        axes.legend(fontsize=7)
    figure.savefig(out, dpi=110)


if __name__ == "__main__":
    given = [Path(each) for each in sys.argv[1:]]
    pictures = [each for each in given if each.suffix == ".png"]
    draw([json.loads(each.read_text()) for each in given if each.suffix != ".png"], pictures[0] if pictures else OUT)
