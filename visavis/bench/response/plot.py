"""Draw where the time to the answer goes: a stacked bar for each turn, and the medians by language."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from visavis.bench.response.report import PARTS
from visavis.errors import VisavisError

COLOURS: Final = ("#4c78a8", "#f58518", "#54a24b", "#e45756", "#b279a2", "#9d9d9d")


def check(path: Path) -> None:
    """Raises VisavisError if nothing can be drawn to ``path``: better before minutes of measuring than after."""
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise VisavisError("--plot needs matplotlib: make setup-tests") from None
    if not path.parent.is_dir():
        raise VisavisError(f"--plot {path}: there is no folder {path.parent}")
    if path.suffix.lower() not in (".png", ".svg", ".pdf"):
        raise VisavisError(f"--plot {path}: wanted a .png, .svg or .pdf")


def draw(report: dict[str, Any], path: Path) -> None:
    """Left the median of each part, over all and by language; right the responses of all turns in order of their length."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(
        1, 2, figsize=(11, 4.2), constrained_layout=True, gridspec_kw={"width_ratios": [1, 1.5]}
    )
    groups = report["split_ms"]
    bottoms = dict.fromkeys(groups, 0.0)
    for part, colour in zip(PARTS, COLOURS, strict=True):
        heights = [groups[name][part]["p50"] or 0.0 for name in groups]
        left.bar(list(groups), heights, bottom=[bottoms[name] for name in groups], color=colour, label=part)
        for name, height in zip(groups, heights, strict=True):
            bottoms[name] += height
    left.axhline(700, color="#000000", linewidth=0.8, linestyle=":")
    left.set(ylabel="ms", title="End of speech to first sound: medians of the parts")
    left.legend(fontsize=7)
    times = sorted(turn["response_ms"] for turn in report["list"] if turn["response_ms"] is not None)
    right.plot([100 * (at + 1) / len(times) for at in range(len(times))], times, marker=".", color=COLOURS[0])
    for level in (700, 1200):
        right.axhline(level, color="#000000", linewidth=0.8, linestyle=":")
    response = report["response_ms"]
    title = (
        f"{report['turns']} turns: p50 {response['p50']:.0f} ms, p95 {response['p95']:.0f} ms" if times else "no answer"
    )
    right.set(xlabel="% of turns", ylabel="ms", title=title, ylim=(0, None))
    for axes in (left, right):
        axes.grid(alpha=0.3)
    figure.savefig(path, dpi=110)
    plt.close(figure)
