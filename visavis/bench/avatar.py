"""What a picture costs: composing it, encoding it, and what a face costs that is idle, asleep, or drawn by the client.

Processor time (``thread_time``), not wall clock: other work on the machine then disturbs it least. The motion is what a
session draws: a sentence spoken over and over by the real director, with life; behind the person stands a picture, before it
lie a picture and a text.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from json import dumps
from pathlib import Path
from typing import Final, TypedDict

import cv2
import numpy as np
import typer

from visavis.avatar.background import Background
from visavis.avatar.compositor import Compositor, forget, open_renderer, prepare
from visavis.avatar.layout import HumanLayer, ImageLayer, Layout, Place, TextLayer, TextStyle
from visavis.avatar.pack import SHIPPED, Pack, find
from visavis.avatar.types import Renderer
from visavis.media.h264 import H264Encoder
from visavis.media.loops import LoopShape, encode_loop
from visavis.motion import Director, Mode, MotionFrame
from visavis.motion.loops import ASLEEP, IDLE, loop
from visavis.motion.wire import encode_motion
from visavis.session.stage import REST_STRIDE

Costs = np.ndarray[tuple[int, ...], np.dtype[np.float64]]

SIZES: Final = ((720, 1280), (1080, 1920), (1280, 720), (1920, 1080))
FPS: Final = 25
SPOKEN: Final = 6.0
"""Seconds of speech that are measured, after a second to warm up."""
LOOPED: Final = 8.0
"""Seconds of an encoded loop that are measured."""
_BITRATE: Final = 2500

# "hello, I am a digital human and I talk to you", about as a synthesiser times it.
_SENTENCE: Final = "h ə l ˈoʊ , aɪ æ m ə d ˈɪ dʒ ɪ t ə l h j ˈuː m ə n , æ n d aɪ t ˈɔː k t ə j uː ,"
_PHONEME: Final = 0.075


class SizeReport(TypedDict):
    """Milliseconds of processor time a picture, of the cheaper 98 % of pictures; ``compose_p99_ms`` of all.

    ``share``: composing against encoding (medians of the same pictures).

    ``plain_ms``: composing without layers. ``cold_start_ms``, ``warm_start_ms``: of wall clock, to make a compositor whose
    scene lies in no file, or in one.
    """

    compose_ms: float
    compose_p99_ms: float
    encode_ms: float
    share: float
    plain_ms: float
    cold_start_ms: float
    warm_start_ms: float


class Report(TypedDict):
    """What :func:`measure` answers; sizes are named "720x1280".

    The others are milliseconds of processor time a second, of the first size: ``idle_ms_per_s``, ``asleep_ms_per_s``: sending
    the encoded loop; ``idle_drawn_ms_per_s``: drawing and encoding the same, as when a video layer plays;
    ``client_render_ms_per_s``: motion for a client that draws for itself, the director's work included.
    """

    avatar: str
    sizes: dict[str, SizeReport]
    idle_ms_per_s: float
    asleep_ms_per_s: float
    idle_drawn_ms_per_s: float
    client_render_ms_per_s: float


def measure(pack: Pack, sizes: tuple[tuple[int, int], ...], seconds: float) -> Report:
    """Measure ``pack`` at ``sizes``; takes some ten seconds a size."""
    with tempfile.TemporaryDirectory() as folder:
        measured = {f"{width}x{height}": _size(pack, width, height, seconds, Path(folder)) for width, height in sizes}
        width, height = sizes[0]
        return Report(
            avatar=pack.manifest.id,
            sizes=measured,
            idle_ms_per_s=_looped(pack, IDLE, width, height, 1, Path(folder)),
            asleep_ms_per_s=_looped(pack, ASLEEP, width, height, REST_STRIDE, Path(folder)),
            idle_drawn_ms_per_s=_drawn_idle(pack, width, height, seconds),
            client_render_ms_per_s=_client(seconds),
        )


def layered(width: int, height: int, folder: Path) -> Layout:
    """The layout that is measured: a picture behind the person, a picture (a logo) and a line of text before it."""
    back, logo = folder / f"back-{width}x{height}.png", folder / "logo.png"
    if not back.exists():
        ramp = np.linspace(60, 200, height)[:, None, None] + np.linspace(-20, 20, width)[None, :, None]
        cv2.imwrite(str(back), np.repeat(ramp, 3, axis=2).astype(np.uint8))
    if not logo.exists():
        picture = np.zeros((200, 200, 4), np.uint8)
        cv2.circle(picture, (100, 100), 90, (40, 120, 220, 255), -1, cv2.LINE_AA)
        cv2.imwrite(str(logo), picture)
    side = min(width, height) * 0.15
    return Layout(
        width,
        height,
        background=Background("IMAGE", image=back),
        layers=(
            HumanLayer(),
            ImageLayer(logo, Place(0.04 * width, 0.04 * height, side, side)),
            TextLayer(
                "visavis", Place(0.1 * width, 0.86 * height, 0.8 * width, 0.08 * height), TextStyle(size=height // 24)
            ),
        ),
    )


def _size(pack: Pack, width: int, height: int, seconds: float, folder: Path) -> SizeReport:
    layout = layered(width, height, folder)
    # Kernels and scene are made (or found) here; what is then timed opens the scene's file.
    prepare(pack, [(width, height)])
    forget()
    cold = _wall_ms(lambda: Compositor(pack, layout))
    warm = _wall_ms(lambda: Compositor(pack, layout))
    frames = _motion(Mode.SPEAKING, 1.0 + seconds)
    spoken = _costs(open_renderer(pack, layout), frames)[FPS:]
    plain = _costs(open_renderer(pack, Layout(width, height)), frames)[FPS:]
    compose, encode = spoken[:, 0], spoken[:, 1]
    return SizeReport(
        compose_ms=round(_mean(compose), 3),
        compose_p99_ms=round(float(np.percentile(compose, 99)), 3),
        encode_ms=round(_mean(encode), 3),
        share=round(float(np.median(compose) / max(float(np.median(encode)), 1e-9)), 3),
        plain_ms=round(_mean(plain[:, 0]), 3),
        cold_start_ms=round(cold, 1),
        warm_start_ms=round(warm, 1),
    )


def _mean(costs: Costs) -> float:
    """The mean without the dearest fiftieth: that is the machine's other work (a page fetched, an interrupt)."""
    return float(costs[costs <= np.percentile(costs, 98)].mean())


def _wall_ms(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return (time.perf_counter() - start) * 1000


def _costs(renderer: Renderer, frames: list[MotionFrame]) -> Costs:
    """Milliseconds of each frame, columns compose and encode; an unchanged picture is not encoded."""
    encoder = H264Encoder(renderer.width, renderer.height, FPS, _BITRATE)
    out = np.empty((renderer.height * 3 // 2, renderer.width), np.uint8)
    costs = []
    for number, motion in enumerate(frames):
        start = time.thread_time_ns()
        changed = renderer.draw(motion, out)
        drawn = time.thread_time_ns()
        if changed:
            encoder.encode(out, number * 90_000 // FPS)
        costs.append((drawn - start, time.thread_time_ns() - drawn))
    return np.array(costs, np.float64) / 1e6


def _motion(mode: Mode, seconds: float) -> list[MotionFrame]:
    director = Director(np.random.default_rng(7), mode)
    if mode is Mode.SPEAKING:
        phonemes = [(name, i * _PHONEME, (i + 1) * _PHONEME) for i, name in enumerate(_SENTENCE.split())]
        length = phonemes[-1][2]
        for turn in range(int(seconds / length) + 1):
            director.speak(phonemes, turn * length)
    return [director.frame(number / FPS) for number in range(int(seconds * FPS))]


def _looped(pack: Pack, name: str, width: int, height: int, stride: int, folder: Path) -> float:
    """What a second of the loop ``name`` costs a session that sends it: the motion's frames, each one's access unit."""
    source, renderer = loop(name, FPS), open_renderer(pack, Layout(width, height))
    count = max(1, min(source.frames, round(LOOPED * FPS)) // stride)
    shape = LoopShape(width, height, FPS, count, count, _BITRATE)

    def draw(index: int, out: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> None:
        renderer.draw(source.frame(index * stride), out)

    encoded = encode_loop(folder / f"{name}.loop", shape, draw)
    director = Director(np.random.default_rng(7), Mode.ASLEEP if name == ASLEEP else Mode.IDLE)
    total = round(LOOPED * FPS)
    start = time.thread_time_ns()
    for number in range(total):
        director.frame(number / FPS)
        if number % stride == 0:
            encoded.unit(number // stride % count, number * 90_000 // FPS)
    return round((time.thread_time_ns() - start) / 1e6 / LOOPED, 3)


def _drawn_idle(pack: Pack, width: int, height: int, seconds: float) -> float:
    source = loop(IDLE, FPS)
    frames = [source.frame(number) for number in range(round((1 + seconds) * FPS))]
    return round(float(_costs(open_renderer(pack, Layout(width, height)), frames)[FPS:].sum(axis=1).mean()) * FPS, 2)


def _client(seconds: float) -> float:
    """A second of motion for a client that draws: the director's frames as messages."""
    director = Director(np.random.default_rng(7), Mode.IDLE)
    total = round(seconds * FPS)
    start = time.thread_time_ns()
    for number in range(total):
        encode_motion(director.frame(number / FPS), 0)
    return round((time.thread_time_ns() - start) / 1e6 / max(total / FPS, 1e-9), 3)


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
    for name in ("idle_ms_per_s", "asleep_ms_per_s", "idle_drawn_ms_per_s", "client_render_ms_per_s"):
        typer.echo(f"{name:<24} {report[name]}")
    return report


if __name__ == "__main__":
    run("--json" in sys.argv[1:])
