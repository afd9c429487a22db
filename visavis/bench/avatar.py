"""What a picture costs: composing it, encoding it, and a face that is idle or asleep.

Processor time (``process_time``), not wall clock: other work on the machine then disturbs it least. The
motion is what a session draws: a sentence spoken over and over by the real director, with life.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from json import dumps
from pathlib import Path
from typing import Final, TypedDict

import numpy as np
import typer

from visavis.avatar.compositor import Compositor, forget, prepare
from visavis.avatar.pack import SHIPPED, Pack, find
from visavis.media.h264 import H264Encoder
from visavis.motion import Director, Mode, MotionFrame

SIZES: Final = ((720, 1280), (1080, 1920), (1280, 720), (1920, 1080))
FPS: Final = 25
SPOKEN: Final = 6.0
"""Seconds of speech that are measured, after a second to warm up."""
ASLEEP_AFTER: Final = 10.0
"""Seconds after which a sleeper lies still."""

# "hello, I am a digital human and I talk to you", about as a synthesiser times it.
_SENTENCE: Final = "h ə l ˈoʊ , aɪ æ m ə d ˈɪ dʒ ɪ t ə l h j ˈuː m ə n , æ n d aɪ t ˈɔː k t ə j uː ,"
_PHONEME: Final = 0.075


class SizeReport(TypedDict):
    """Milliseconds of processor time. ``cold_start_ms``, ``warm_start_ms``: of wall clock, to make a compositor."""

    compose_ms: float
    compose_p99_ms: float
    encode_ms: float
    idle_ms_per_s: float
    asleep_ms_per_s: float
    cold_start_ms: float
    warm_start_ms: float


class Report(TypedDict):
    """What :func:`measure` answers; sizes are named "720x1280"."""

    avatar: str
    sizes: dict[str, SizeReport]


def measure(pack: Pack, sizes: tuple[tuple[int, int], ...], seconds: float) -> Report:
    """Measure ``pack`` at ``sizes``; takes some ten seconds a size."""
    return Report(
        avatar=pack.manifest.id,
        sizes={f"{width}x{height}": _size(pack, width, height, seconds) for width, height in sizes},
    )


def _size(pack: Pack, width: int, height: int, seconds: float) -> SizeReport:
    forget()
    cold = _wall_ms(lambda: Compositor(pack, width, height))
    prepare(pack, [(width, height)])
    warm = _wall_ms(lambda: Compositor(pack, width, height))
    speaking = _costs(pack, width, height, Mode.SPEAKING, 1.0, seconds)
    idle = _costs(pack, width, height, Mode.IDLE, 1.0, seconds)
    asleep = _costs(pack, width, height, Mode.ASLEEP, ASLEEP_AFTER, 2.0)
    return SizeReport(
        compose_ms=round(float(speaking[:, 0].mean()), 2),
        compose_p99_ms=round(float(np.percentile(speaking[:, 0], 99)), 2),
        encode_ms=round(float(speaking[:, 1].mean()), 2),
        idle_ms_per_s=round(float(idle.sum(axis=1).mean()) * FPS, 1),
        asleep_ms_per_s=round(float(asleep.sum(axis=1).mean()) * FPS, 1),
        cold_start_ms=round(cold, 1),
        warm_start_ms=round(warm, 1),
    )


def _wall_ms(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return (time.perf_counter() - start) * 1000


def _costs(
    pack: Pack, width: int, height: int, mode: Mode, skip: float, seconds: float
) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Milliseconds of each frame, columns compose and encode; an unchanged picture is not encoded."""
    compositor, encoder = Compositor(pack, width, height), H264Encoder(width, height, FPS)
    out = np.empty((height * 3 // 2, width), np.uint8)
    costs = []
    for number, motion in enumerate(_motion(mode, skip + seconds)):
        start = time.process_time_ns()
        changed = compositor.draw(motion, out)
        drawn = time.process_time_ns()
        if changed:
            encoder.encode(out, number * 90_000 // FPS)
        costs.append((drawn - start, time.process_time_ns() - drawn))
    return np.array(costs[int(skip * FPS) :], np.float64) / 1e6


def _motion(mode: Mode, seconds: float) -> list[MotionFrame]:
    director = Director(np.random.default_rng(7), mode)
    if mode is Mode.SPEAKING:
        phonemes = [(name, i * _PHONEME, (i + 1) * _PHONEME) for i, name in enumerate(_SENTENCE.split())]
        length = phonemes[-1][2]
        for turn in range(int(seconds / length) + 1):
            director.speak(phonemes, turn * length)
    return [director.frame(number / FPS) for number in range(int(seconds * FPS))]


def run(json: bool = False, folders: tuple[Path, ...] = (SHIPPED,)) -> Report:
    """Measure the default avatar and print the figures, as JSON or as a table."""
    report = measure(find("default", folders), SIZES, SPOKEN)
    if json:
        typer.echo(dumps(report))
        return report
    columns = tuple(next(iter(report["sizes"].values())))
    typer.echo(f"avatar {report['avatar']}, milliseconds")
    typer.echo("  ".join(["size".ljust(10), *columns]))
    for size, figures in report["sizes"].items():
        cells = [str(value).rjust(len(column)) for column, value in zip(columns, figures.values(), strict=True)]
        typer.echo("  ".join([size.ljust(10), *cells]))
    return report


if __name__ == "__main__":
    run("--json" in sys.argv[1:])
