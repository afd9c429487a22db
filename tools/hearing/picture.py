"""The picture of the card: one sentence of each kind, the model beside timed speech and loudness."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hearing import measure
from hearing.corpus import Said
from visavis.motion.hearing_features import HOP
from visavis.motion.hearing_net import Weights

_INK, _TIMED, _HEARD, _LOUD = "#24292f", "#8c959f", "#0969da", "#d4a72c"


def _rich(voices: Sequence[Said]) -> Said:
    """The sentence with most closures a second, not too long for a picture."""
    short = [said for said in voices if 2.0 < said.seconds < 4.5] or list(voices)
    return max(short, key=lambda said: sum(s[:1] in ("p", "b", "m") for s, _, _ in said.phonemes) / said.seconds)


def draw(weights: Weights, held_out: Sequence[Said], foreign: Sequence[Said], path: Path) -> None:
    """Write a PNG."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    rows = [
        (f"{name}: {said.voice}{noise}", said, decibels)
        for name, voices in (
            ("English, held-out voice", [s for s in held_out if s.language == "en"]),
            ("Mandarin, held-out voice", [s for s in held_out if s.language == "zh"]),
            ("a synthesiser never heard", foreign),
        )
        if voices
        for said, decibels, noise in (
            [(_rich(voices), None, "")] + ([(_rich(voices), 10.0, ", 10 dB noise")] if "English" in name else [])
        )
    ]
    plt.rcParams.update({"font.size": 9, "axes.edgecolor": _TIMED, "text.color": _INK, "axes.labelcolor": _INK})
    figure, axes = plt.subplots(len(rows), 1, figsize=(11, 2.0 * len(rows)), squeeze=False)
    for axis, (title, said, decibels) in zip(axes[:, 0], rows, strict=True):
        of = measure.scene([said], decibels, 3)
        times = np.arange(of.frames) * HOP
        mouths, _ = measure.model_mouths(weights, of)
        axis.fill_between(times, measure.opening(measure.reference_mouths(of)), color=_TIMED, alpha=0.35, lw=0)
        axis.plot(times, measure.opening(measure.loudness_mouths(of)), color=_LOUD, lw=1.0)
        axis.plot(times, measure.opening(mouths), color=_HEARD, lw=1.6)
        shut = measure.closed(mouths)
        axis.plot(times[shut], np.full(shut.sum(), -0.025), "s", ms=2.2, color=_HEARD)
        for symbol, start, end in of.phonemes:
            if symbol[:1] in ("p", "b", "m"):
                axis.axvspan(start, end, color=_INK, alpha=0.1, lw=0)
            if symbol and end - start > 0.03:
                axis.text((start + end) / 2, 0.53, symbol, ha="center", va="center", fontsize=7)
        axis.set(xlim=(0.4, times[-1] - 0.3), ylim=(-0.05, 0.57), ylabel="opening", title="")
        axis.set_title(title, loc="left", fontsize=9)
        for side in ("top", "right"):
            axis.spines[side].set_visible(False)
    axes[-1, 0].set_xlabel("seconds")
    handles = [
        plt.Rectangle((0, 0), 1, 1, color=_TIMED, alpha=0.35, label="timed speech (reference)"),
        plt.Line2D([], [], color=_HEARD, lw=1.6, label="heard (this model); dots: lips closed"),
        plt.Line2D([], [], color=_LOUD, lw=1.0, label="loudness alone"),
        plt.Rectangle((0, 0), 1, 1, color=_INK, alpha=0.1, label="p, b, m"),
    ]
    figure.legend(handles=handles, loc="upper center", ncol=4, frameon=False, fontsize=9)
    figure.tight_layout(rect=(0, 0, 1, 0.965))
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path, dpi=110, pil_kwargs={"optimize": True})
    plt.close(figure)
