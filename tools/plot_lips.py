"""Draw how far the lips are open while a held-out sentence is spoken: docs/pictures/lips.png.

Usage: python tools/plot_lips.py [OUT.png] (needs the development requirements and the speech models).
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np

mpl.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from visavis.avatar.choose import opening
from visavis.avatar.manifest import BankEntry
from visavis.avatar.studio import banks
from visavis.bench.lips import BEFORE, FPS, Spoken, film, heard, speak, timed
from visavis.motion.visemes import Viseme, visemes_of

CHOSEN = {"en": 2, "zh": 3}
"""Which of the held-out sentences."""
SHADES = {Viseme.PP: ("#d62728", "p b m"), Viseme.FF: ("#9467bd", "f v")}


def draw(axes: Axes, spoken: Spoken, entries: list[BankEntry]) -> None:
    """One sentence: the sound, the track, the pictures shown for it, and those shown for the sound alone."""
    at = np.arange(len(spoken.pcm)) / spoken.rate + BEFORE
    axes.fill_between(at, -0.12 + spoken.pcm / 32768 * 0.12, -0.12, color="#bbbbbb", linewidth=0, label="sound")
    named = set()
    for phoneme, start, end in spoken.phonemes:
        for viseme in {viseme for viseme, _ in visemes_of(phoneme)} & SHADES.keys():
            colour, name = SHADES[viseme]
            axes.axvspan(start + BEFORE, end + BEFORE, color=colour, alpha=0.16, label=None if name in named else name)
            named.add(name)
    times = np.arange(0, len(spoken.pcm) / spoken.rate + 2 * BEFORE, 0.005)
    mouth = timed(spoken)
    axes.plot(times, [max(0.0, opening(mouth(float(t)))) for t in times], color="#1f77b4", linewidth=1, label="track")
    for make, colour, name in ((timed, "black", "pictures"), (heard, "#2ca02c", "pictures, from sound alone")):
        shot = film(spoken, make, entries)
        steps = [max(0.0, opening(mouth)) for mouth in shot.shown]
        axes.step(shot.times, steps, where="post", color=colour, linewidth=0.9, label=name)
    axes.set_xlim(BEFORE - 0.15, times[-1] - BEFORE + 0.15)
    axes.set_ylabel("lips apart (jawOpen = 1)")
    axes.set_title(spoken.text, fontsize=10)


def main(out: Path) -> None:
    mpl.rcParams["font.family"] = ["DejaVu Sans", "Noto Sans CJK JP"]
    entries = [BankEntry(id=entry.id, file=entry.id, blendshapes=entry.weights) for entry in banks.MOUTHS]
    (spoken,) = asyncio.run(speak(100))
    figure, rows = plt.subplots(2, 1, figsize=(11, 6.4), layout="constrained")
    for axes, (language, index) in zip(rows, CHOSEN.items(), strict=True):
        draw(axes, [each for each in spoken if each.language == language][index], entries)
    figure.legend(*rows[0].get_legend_handles_labels(), loc="outside lower center", fontsize=8, ncols=6)
    rows[1].set_xlabel(f"seconds; pictures at {FPS} a second")
    figure.savefig(out, dpi=110)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[1] / "docs" / "pictures" / "lips.png")
