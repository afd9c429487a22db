"""A pack from a film of someone talking."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from visavis.avatar.importing import film as films
from visavis.avatar.importing.align import Aligner, Matrix
from visavis.avatar.importing.environment import ImportRefused
from visavis.avatar.importing.idle import make_idle
from visavis.avatar.importing.judge import MIN_SECONDS, judge, refuse_unless_long_enough
from visavis.avatar.importing.landmarks import Picture
from visavis.avatar.importing.matte import Matte, Opaque, choose_matte
from visavis.avatar.importing.measure import Measures, measure
from visavis.avatar.importing.packing import Cuttings, Entry, Person, write_pack
from visavis.avatar.importing.patches import (
    Region,
    brought,
    edge_error,
    eyes_region,
    matched,
    mouth_region,
    settled,
)
from visavis.avatar.importing.seam import Stretch, find_stretch
from visavis.avatar.importing.select import Chosen, choose_base, choose_eyes, choose_mouths, shapes_of
from visavis.avatar.importing.survey import Survey, survey

Progress = Callable[[int, int, str], None]
_SAMPLES: Final = 5
_WORST_EDGE: Final = 9.0
"""Grey levels: a patch whose edge differs more from the base's is left out."""
# Parts of the whole work, per mille.
_SURVEY, _PATCHES, _IDLE = 550, 150, 290


@dataclass(frozen=True, slots=True)
class Report:
    """What became of an import.

    ``matte``: how the background was taken away, and how well (0..1); ``loop_seconds``, ``loop_seam``: of the idle loop (see
    :class:`~.idle.Idle`; None for a photo); ``edge``: mean difference of patches and base at their edges, grey levels.
    """

    pack: Path
    mouths: int
    eyes: int
    matte: str
    matte_quality: float
    loop_seconds: float | None
    loop_seam: float | None
    edge: float
    notes: tuple[str, ...]


def import_film(
    source: Path, out: Path, person: Person, *, progress: Progress, min_seconds: float = MIN_SECONDS
) -> Report:
    """Make the pack ``out`` of the film ``source``. ImportRefused: it is not fit, with the reason; nothing is written."""
    film = films.probe(source)
    refuse_unless_long_enough(film.seconds, min_seconds)
    seen = survey(film, lambda done, total, what: progress(_SURVEY * done // total, 1000, what))
    judge(seen, min_seconds)
    measures = measure(seen.points, seen.rotation, seen.found)
    progress(_SURVEY, 1000, "looking for an idle loop")
    stretch = find_stretch(seen, measures)
    if stretch is None:
        raise ImportRefused("there is no second in the film in which the face is seen throughout")
    chosen = _choose(seen, measures, stretch)
    samples, points = _samples(seen, chosen.base)
    matte = choose_matte(samples, points)
    base = matte.cut(samples[0], points[0])
    solid = None if isinstance(matte, Opaque) else base[..., 3]
    canvas = film.width, film.height
    mouth, eyes = mouth_region(points[0], canvas, solid), eyes_region(points[0], canvas, solid)
    entries, edge = _cut_all(
        seen, measures, chosen, samples[0], (mouth, eyes),
        lambda done, total: progress(_SURVEY + _PATCHES * done // total, 1000, "cutting out mouths and eyes"),
    )  # fmt: skip
    before = _SURVEY + _PATCHES
    idle = make_idle(
        seen, stretch, samples[0], points[0], mouth, matte,
        lambda done, total: progress(before + _IDLE * done // total, 1000, "making the idle loop"),
    )  # fmt: skip
    made = Cuttings(base, points[0], mouth, entries[0], eyes, entries[1], idle)
    write_pack(out, person, made, "visavis avatar import, from a film")
    progress(1000, 1000, "packed")
    return Report(
        out, len(entries[0]), len(entries[1]), matte.kind, matte.quality, len(idle.matrices) / 25, idle.seam, edge,
        tuple(_notes(film, entries, stretch, matte)),
    )  # fmt: skip


def _choose(seen: Survey, measures: Measures, stretch: Stretch) -> Chosen:
    """The base is taken from the loop if it shows a neutral face, else from anywhere."""
    within = np.zeros(len(seen), np.bool_)
    within[stretch.first : stretch.end] = True
    base = choose_base(seen, measures, within)
    lids, gazes = choose_eyes(seen, measures, base)
    return Chosen(base, choose_mouths(seen, measures, base), lids, gazes)


def _samples(seen: Survey, base: int) -> tuple[list[Picture], list[np.ndarray[tuple[int, ...], np.dtype[np.float32]]]]:
    """A few pictures spread over the film and their landmarks, the base's first."""
    faces = np.flatnonzero(seen.found)
    spread = [int(faces[round(k * (len(faces) - 1) / _SAMPLES)]) for k in range(1, _SAMPLES)]
    numbers = [base, *(number for number in spread if number != base)]
    pictures = dict(seen.film.chosen(numbers))
    return [pictures[number] for number in numbers], [seen.points[number] for number in numbers]


def _cut_all(
    seen: Survey,
    measures: Measures,
    chosen: Chosen,
    base: Picture,
    regions: tuple[Region, Region],
    step: Callable[[int, int], None],
) -> tuple[tuple[list[Entry], list[Entry]], float]:
    """The entries of both banks, the base's own first, and the mean difference at their edges."""
    aligner = Aligner(base, seen.points[chosen.base])
    mouths, lids, gazes = set(chosen.mouths), dict(chosen.lids), set(chosen.gazes)
    wanted = (mouths | set(lids) | gazes) - {chosen.base}
    found: tuple[list[Entry], list[Entry]] = (
        [Entry("rest", regions[0].of(base).copy(), {})],
        [Entry("open", regions[1].of(base).copy(), {})],
    )
    edges: list[float] = []
    for done, (number, picture) in enumerate(seen.film.chosen(wanted)):
        matrix = aligner.align(picture, seen.points[number])
        for bank, (kind, region) in enumerate(zip(("mouth", "eyes"), regions, strict=True)):
            if number not in (mouths if kind == "mouth" else set(lids) | gazes):
                continue
            patch, edge = _cut_one(picture, matrix, base, region)
            if edge > _WORST_EDGE:
                continue
            edges.append(edge)
            found[bank].append(Entry(f"f{number}", patch, shapes_of(measures, number, kind)))
        step(done + 1, len(wanted))
    return found, float(np.mean(edges)) if edges else 0.0


def _cut_one(picture: Picture, matrix: Matrix, base: Picture, region: Region) -> tuple[Picture, float]:
    target = region.of(base)
    patch = settled(brought(picture, matrix, region.box), target, region.mask)
    patch = matched(patch, target, region.mask)
    return patch, edge_error(patch, target, region.mask)


def _notes(film: films.Film, entries: tuple[list[Entry], list[Entry]], stretch: Stretch, matte: Matte) -> list[str]:
    notes = []
    if abs(film.fps - 25) > 0.5:
        notes.append(
            f"the film has {film.fps:.1f} pictures a second: its idle life is played at {25 / film.fps:.2f} times its pace"
        )
    if len(entries[0]) < 60:
        notes.append(f"only {len(entries[0])} mouths: more speech in the film gives smoother lips")
    if not any(entry.shapes.get("eyeBlinkLeft", 0) > 0.85 for entry in entries[1]):
        notes.append("no blink was found: the eyes will not shut wholly")
    if len(stretch) / film.fps < 4:
        notes.append(f"the idle loop is only {len(stretch) / film.fps:.1f} s long")
    if isinstance(matte, Opaque):
        notes.append(f"the background stays (no clean outline: quality {matte.quality:.2f}); film before a plain wall")
    return notes
