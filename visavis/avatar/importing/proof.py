"""Proof of the import: a film of a character whose every motion is known, and what an imported pack makes of that motion."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import av
import cv2
import numpy as np
import numpy.typing as npt

from visavis.avatar.background import Background
from visavis.avatar.choose import CLOSED, opening
from visavis.avatar.compositor import open_renderer
from visavis.avatar.importing.align import Aligner
from visavis.avatar.importing.film import probe
from visavis.avatar.importing.landmarks import Floats, find_faces
from visavis.avatar.importing.measure import measure
from visavis.avatar.importing.patches import Region, brought, mouth_region
from visavis.avatar.layout import Layout
from visavis.avatar.pack import Pack
from visavis.motion.director import Director
from visavis.motion.frame import MotionFrame
from visavis.motion.life import Mode

Picture = npt.NDArray[np.uint8]
Phoneme = tuple[str, float, float]

FPS: Final = 25
# Sentences in IPA: all visemes, many bilabials and round vowels.
_SENTENCES: Final = (
    "ɡʊd mˈɔɹnɪŋ, aɪ æm vˈɛɹi plˈizd tə mˈit ju",
    "wi bˈɪld pˈipəl hu spˈik, ænd ðeɪ mˈuv ðɛɹ lˈɪps",
    "maɪ mˈʌðəɹ bˈɔt fˈaɪv blˈu bˈoʊts fɹəm ðə ʃˈɑp",
    "ʃi sˈɛlz ʃˈɛlz, hi wˈɔks hˈoʊm wɪð ə jˈɛloʊ ʌmbɹˈɛlə",
    "ðə wˈɛðəɹ təmˈɑɹoʊ wɪl bi wˈɔɹm, sˈʌni ænd kˈɑm",
    "pˈʊt ðə bˈʊk ɑn ðə tˈeɪbəl ænd oʊpən ðə wˈɪndoʊ",
    "tʃˈɑklət ænd dʒˈus ɑɹ tˈu θˈɪŋz aɪ lˈʌv mˈoʊst",
    "haʊ mˈɛni pˈaʊndz əv ˈæpəlz duː ju wˈɑnt",
)


def speech(seconds: float, first: float = 0.0, pause: float = 0.9) -> list[tuple[float, list[Phoneme]]]:
    """Sentences of an even speaker from ``first`` on: (beginning, phonemes with start and end), seconds."""
    said: list[tuple[float, list[Phoneme]]] = []
    at, turn = first, 0
    while True:
        phonemes: list[Phoneme] = []
        time = 0.0
        for letter in _SENTENCES[turn % len(_SENTENCES)]:
            length = 0.0 if letter == "ˈ" else 0.05 if letter == " " else 0.22 if letter == "," else 0.078
            if letter in "aɑɔoʊuiɛæeɪʌə":
                length = 0.095
            if length:
                phonemes.append((letter, time, time + length))
            time += length
        if at + time > seconds:
            return said
        said.append((at, phonemes))
        at += time + pause
        turn += 1


def motion(seconds: float, said: Sequence[tuple[float, list[Phoneme]]], seed: int = 7) -> Iterator[MotionFrame]:
    """The motion of someone alive who says ``said``, 25 frames a second."""
    director = Director(np.random.default_rng(seed), Mode.IDLE)
    for at, phonemes in said:
        director.speak(phonemes, at)
    for index in range(round(seconds * FPS)):
        yield director.frame(index / FPS)


def film(
    path: Path,
    pack: Pack,
    frames: Sequence[MotionFrame],
    *,
    width: int = 720,
    height: int = 1280,
    background: Background | None = None,
    change: Callable[[Picture, int], Picture] = lambda picture, _: picture,
    crf: int = 16,
) -> None:
    """Draw ``frames`` with ``pack`` into an H.264 video. ``change``: what is done to picture (BGR) number ``index``."""
    renderer = open_renderer(pack, Layout(width, height, background=background or Background()))
    planes = np.zeros((height * 3 // 2, width), np.uint8)
    with av.open(str(path), "w") as container:
        stream = None
        for index, frame in enumerate(frames):
            renderer.draw(frame, planes)
            bgr = np.asarray(cv2.cvtColor(planes, cv2.COLOR_YUV2BGR_I420), np.uint8)
            changed = change(bgr, index)
            if stream is None:
                stream = container.add_stream("libx264", FPS, options={"crf": str(crf), "preset": "veryfast"})
                stream.width, stream.height, stream.pix_fmt = changed.shape[1], changed.shape[0], "yuv420p"
            yuv = planes if changed is bgr else np.asarray(cv2.cvtColor(changed, cv2.COLOR_BGR2YUV_I420), np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(yuv), format="yuv420p")))
        if stream is not None:
            container.mux(stream.encode(None))


@dataclass(frozen=True, slots=True)
class Reproduction:
    """How well a pack made of a film reproduces it when it is given the motion that the film was made with.

    Apertures (lip distance in units of jawOpen) are measured by the same landmarks in film and reproduction.

    Attributes:
        correlation, error: of the apertures; error: root mean square. known: correlation of the reproduction's aperture with the
            motion's own.
        closed: part of the pictures with closed lips (by the motion) that show closed lips; film_closed: the same of the film
            itself, which is as well as the landmarks can tell.
        psnr, ssim: of the mouth region brought to one place, means over the pictures, dB and -1..1. floor_psnr, floor_ssim:
            those of the resting mouth against the film: what a still face would get.
    """

    pictures: int
    correlation: float
    error: float
    known: float
    closed: float
    film_closed: float
    psnr: float
    ssim: float
    floor_psnr: float
    floor_ssim: float


def reproduce(
    film_path: Path, frames: Sequence[MotionFrame], pack: Pack, *, every: int = 2, show: Path | None = None
) -> Reproduction:
    """Draw ``pack`` with the motion ``frames`` of the film ``film_path`` and compare every ``every``-th picture.

    ``show``: where to put a picture of film (above) and reproduction (below) at a few moments.
    """
    source = probe(film_path)
    renderer = open_renderer(pack, Layout(source.width, source.height))
    numbers = range(0, len(frames), every)
    drawn = np.zeros((source.height * 3 // 2, source.width), np.uint8)

    def redrawn() -> Iterator[Picture]:
        for number, frame in enumerate(frames):
            renderer.draw(frame, drawn)
            if number in numbers:
                yield np.asarray(cv2.cvtColor(drawn, cv2.COLOR_YUV2BGR_I420), np.uint8)

    pairs = zip(
        find_faces((p for _, p in source.chosen(numbers)), source.width, source.height, fps=source.fps / every),
        find_faces(redrawn(), source.width, source.height, fps=source.fps / every),
        strict=False,
    )
    aligner: Aligner | None = None
    region: Region | None = None
    points: list[tuple[Floats, Floats]] = []
    turns: list[tuple[Floats, Floats]] = []
    scores: list[tuple[float, float, float, float]] = []
    cells: list[Picture] = []
    rest: Picture | None = None
    for count, ((original, here), (again, there)) in enumerate(pairs):
        if not here or not there:
            continue
        if aligner is None or region is None:
            aligner = Aligner(again, there[0].points)
            region = mouth_region(there[0].points, (source.width, source.height))
            rest = region.of(again).copy()
        one = brought(original, aligner.align(original, here[0].points), region.box)
        two = brought(again, aligner.align(again, there[0].points), region.box)
        assert rest is not None
        scores.append((*_likeness(one, two, region.mask), *_likeness(one, rest, region.mask)))
        points.append((here[0].points, there[0].points))
        turns.append((here[0].rotation, there[0].rotation))
        if count % max(1, len(numbers) // 40) == 0:
            cells.append(np.vstack([one, two]))
    seen = np.ones(len(points), np.bool_)
    film_measures, again_measures = (
        measure(np.stack([p[k] for p in points]), np.stack([t[k] for t in turns]), seen) for k in (0, 1)
    )
    truth = np.array([max(0.0, opening(frames[number].blendshapes)) for number in list(numbers)[: len(points)]])
    shut = truth < CLOSED
    if show is not None:
        cv2.imwrite(str(show), np.vstack([np.hstack(cells[k : k + 10]) for k in range(0, len(cells) // 10 * 10, 10)]))
    means = np.mean(scores, axis=0)
    a, b = film_measures.aperture, again_measures.aperture
    return Reproduction(
        len(points), float(np.corrcoef(a, b)[0, 1]), float(np.sqrt(((a - b) ** 2).mean())), float(np.corrcoef(truth, b)[0, 1]),
        float((b[shut] < CLOSED).mean()), float((a[shut] < CLOSED).mean()), *(float(value) for value in means),
    )  # fmt: skip


def _likeness(one: Picture, two: Picture, mask: Picture) -> tuple[float, float]:
    """PSNR (dB) and SSIM (Wang et al. 2004) of luma where ``mask`` is more than half."""
    a, b = (cv2.cvtColor(each, cv2.COLOR_BGR2GRAY).astype(np.float32) for each in (one, two))
    inside = mask > 127
    error = float(((a - b)[inside] ** 2).mean())

    def blur(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        return np.asarray(cv2.GaussianBlur(values, (0, 0), 1.5), np.float32)

    mean_a, mean_b = blur(a), blur(b)
    var_a, var_b, both = blur(a * a) - mean_a**2, blur(b * b) - mean_b**2, blur(a * b) - mean_a * mean_b
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    ssim = (2 * mean_a * mean_b + c1) * (2 * both + c2) / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2))
    return 10 * float(np.log10(255**2 / max(error, 1e-6))), float(ssim[inside].mean())
