"""What ``visavis bench response`` prints and draws."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from visavis.bench.response import measure, plot
from visavis.bench.table import table


def run(options: measure.Options, *, as_json: bool, picture: Path | None) -> int:
    """Measure, print, and draw to ``picture``; exit status. Raises VisavisError, before anything starts if it can be known then."""
    if picture is not None:
        plot.check(picture)
    report = measure.run(options)
    if picture is not None:
        plot.draw(report, picture)
    if as_json:
        json.dump(report, sys.stdout, indent=2, ensure_ascii=False)
        print()
    else:
        table({name: value for name, value in report.items() if name != "list"})
    return 0
