"""Lips against what is said: are they closed in every p, b, m, at the teeth in f and v, open in vowels, and in time?

Measured on sentences that nothing was tuned or trained on, spoken by the embedded synthesisers, and on the *pictures*: for each
frame of a video of 25 a second the entry of the pack's bank that would be shown. Each sentence is filmed at several phases of the
frame clock, for a closure must not be lost between two frames.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from visavis.avatar.choose import APART, BITTEN, TOUCHING, MouthChooser, contact, opening
from visavis.avatar.manifest import BankEntry
from visavis.avatar.pack import SHIPPED, find
from visavis.motion import ARKIT, ARKIT_INDEX, MotionFrame, SpeechTrack
from visavis.motion.hearing import HearingTrack
from visavis.motion.visemes import Viseme, visemes_of
from visavis.settings import Settings
from visavis.speech.embedded import EmbeddedSynthesiser
from visavis.speech.models import assemble
from visavis.speech.types import Language, Pcm, VoiceSettings

Phonemes = Sequence[tuple[str, float, float]]
Shapes = npt.NDArray[np.float32]
Times = npt.NDArray[np.float64]

FPS: Final = 25
PHASES: Final = 4
"""How often each sentence is filmed, every time a part of a frame later."""
EARLY: Final = 0.04
"""Lips may close this much before the sound stops, seconds ..."""
LATE: Final = 0.02
"""... and still be closed this much after its release."""
FAST: Final = 160
"""Speed of the fast reading; 100 is normal."""
BEFORE: Final = 0.6
"""Seconds of silence filmed before and after a sentence."""
_LONG_VOWEL: Final = 0.08
_OPEN_VOWELS: Final = frozenset((Viseme.aa, Viseme.E, Viseme.oh))

HELD_OUT: Final[dict[Language, tuple[str, ...]]] = {
    "en": (
        "My mother bakes a blueberry pie for her grandpa every November.",
        "Bumpy roads make the bus passengers jump up and down.",
        "Five brave firemen saved a very old fisherman from the river.",
        "Could you repeat the number before I put it in the form?",
        "The museum opens at half past eight, but the cafe remains shut till noon.",
        "Peter promised to bring a map, a lamp and some pepper.",
        "We have never moved above the fifth floor of this office.",
        "Remember to empty the bottle and put it back on the table.",
    ),
    "zh": (
        "明明每天早上跑步，然后买一杯豆浆和两个包子。",
        "这部电影的票卖得非常快，我们没买到。",
        "爸爸把玻璃瓶摆在门边的木板上。",
        "飞机马上就要起飞，请把手机放好。",
        "北方的冬天风很大，出门要穿厚棉袄。",
        "服务员帮我们搬行李，还送了一份地图。",
    ),
}


@dataclass(frozen=True, slots=True)
class LipScore:
    """What was seen of one film, or of several together. None: there was nothing to judge.

    Attributes:
        bilabials: how many p, b, m there were; closure_recall: in which part of them closed lips were shown.
        labiodentals: how many f, v; teeth_recall: in which part of them the lower lip was shown at the teeth.
        vowels: how many long open vowels; opening_recall: in which part of them open lips were shown.
        onset_ms: when closed lips were first shown, less when the sound of a bilabial began: median; negative: early.
        onset_p90_ms: the size of that, which nine in ten do not exceed.
        release_ms: when open lips were shown again, less when the bilabial's sound ended: median.
        correlation: between how far lips were open and the reference track's opening, frame by frame.
    """

    bilabials: int
    closure_recall: float | None
    labiodentals: int
    teeth_recall: float | None
    vowels: int
    opening_recall: float | None
    onset_ms: float | None
    onset_p90_ms: float | None
    release_ms: float | None
    correlation: float


@dataclass(frozen=True, slots=True)
class Film:
    """Frames of one sentence: times (n,), seconds; mouths (n, 52) as shown; the phonemes on the same clock; the reference
    track's mouths (n, 52) at the same times."""

    times: Times
    shown: Shapes
    phonemes: Phonemes
    reference: Shapes


def show(entries: Sequence[BankEntry], frames: Iterable[Shapes]) -> Shapes:
    """The mouths of the pictures that are shown for motion ``frames``, each (52,): shape (n, 52)."""
    bank = np.zeros((len(entries), len(ARKIT)), np.float32)
    for row, entry in zip(bank, entries, strict=True):
        for name, weight in entry.blendshapes.items():
            row[ARKIT_INDEX[name]] = weight
    chooser = MouthChooser(entries)
    return np.stack([bank[chooser.pick(MotionFrame(blendshapes=frame))] for frame in frames])


def score(films: Sequence[Film]) -> LipScore:
    """Judge ``films`` of pictures (:func:`show`) or of any track's frames. Raises ValueError if there is none."""
    if not films:
        raise ValueError("no film to judge")
    closed: list[bool] = []
    bitten: list[bool] = []
    apart: list[bool] = []
    onsets: list[float] = []
    releases: list[float] = []
    for film in films:
        contacts = np.array([contact(mouth) for mouth in film.shown])
        for phoneme, start, end in film.phonemes:
            visemes = {viseme for viseme, _ in visemes_of(phoneme)}
            within = (film.times > start - EARLY) & (film.times < end + LATE)
            if Viseme.PP in visemes:
                closed.append(bool((contacts[within] == TOUCHING).any()))
                if (times := _closure(film.times, contacts == TOUCHING, within)) is not None:
                    onsets.append(times[0] - start)
                    releases.append(times[1] - end)
            elif Viseme.FF in visemes:
                bitten.append(bool((contacts[within] == BITTEN).any()))
            elif visemes & _OPEN_VOWELS and end - start >= _LONG_VOWEL:
                apart.append(bool((contacts[(film.times >= start) & (film.times <= end)] == APART).any()))
    return LipScore(
        bilabials=len(closed),
        closure_recall=_part(closed),
        labiodentals=len(bitten),
        teeth_recall=_part(bitten),
        vowels=len(apart),
        opening_recall=_part(apart),
        onset_ms=_milliseconds(np.median(onsets)) if onsets else None,
        onset_p90_ms=_milliseconds(np.percentile(np.abs(onsets), 90)) if onsets else None,
        release_ms=_milliseconds(np.median(releases)) if releases else None,
        correlation=round(_correlation(films), 3),
    )


def _closure(times: Times, shut: npt.NDArray[np.bool_], within: npt.NDArray[np.bool_]) -> tuple[float, float] | None:
    """When closed lips are first shown for the sound ``within``, and when open ones again; None if none are, or if they were
    shut long before or after it (a pause)."""
    inside = np.flatnonzero(shut & within)
    if not len(inside):
        return None
    first, last = int(inside[0]), int(inside[-1])
    while first > 0 and shut[first - 1]:
        first -= 1
    while last + 1 < len(shut) and shut[last + 1]:
        last += 1
    if times[last] - times[first] > 0.3:
        return None
    return float(times[first]), float(times[last] + times[1] - times[0])


def _correlation(films: Sequence[Film]) -> float:
    shown = np.concatenate([[opening(mouth) for mouth in film.shown] for film in films])
    wanted = np.concatenate([[opening(mouth) for mouth in film.reference] for film in films])
    if shown.std() < 1e-6 or wanted.std() < 1e-6:
        return 0.0
    return float(np.corrcoef(np.maximum(shown, 0.0), np.maximum(wanted, 0.0))[0, 1])


def _part(found: Sequence[bool]) -> float | None:
    return round(sum(found) / len(found), 4) if found else None


def _milliseconds(seconds: np.floating[Any]) -> float:
    return round(1000 * float(seconds), 1)


# --- films of spoken sentences ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Spoken:
    """A sentence: its sound (mono, ``rate`` a second) and its phonemes in seconds from its beginning."""

    language: Language
    text: str
    pcm: Pcm
    rate: int
    phonemes: Phonemes


Mouth = Callable[[float], Shapes]
"""A mouth, shape (52,), at a time in seconds; asked for forwards."""


def timed(spoken: Spoken) -> Mouth:
    """The mouth of the phonemes' times, the sentence beginning at :data:`BEFORE`."""
    track = SpeechTrack()
    track.add(spoken.phonemes, BEFORE)
    return track.sample


def heard(spoken: Spoken) -> Mouth:
    """The mouth of the sound alone."""
    track = HearingTrack()
    track.add(spoken.pcm, spoken.rate, BEFORE)
    return track.sample


def film(spoken: Spoken, make: Callable[[Spoken], Mouth], entries: Sequence[BankEntry], phase: float = 0.0) -> Film:
    """Film ``spoken`` with the mouth of ``make`` at :data:`FPS`, the first frame ``phase`` seconds late."""
    length = len(spoken.pcm) / spoken.rate
    times = np.arange(0.0, length + 2 * BEFORE, 1 / FPS) + phase
    mouth, reference = make(spoken), timed(spoken)
    moved = [mouth(float(t)) for t in times]
    return Film(
        times,
        show(entries, moved),
        [(phoneme, start + BEFORE, end + BEFORE) for phoneme, start, end in spoken.phonemes],
        np.stack([reference(float(t)) for t in times]),
    )


def judge(spoken: Sequence[Spoken], make: Callable[[Spoken], Mouth], entries: Sequence[BankEntry]) -> LipScore:
    """The score of all sentences at :data:`PHASES` phases of the frame clock."""
    phases = [k / FPS / PHASES for k in range(PHASES)]
    return score([film(sentence, make, entries, phase) for sentence in spoken for phase in phases])


async def speak(*speeds: int) -> list[list[Spoken]]:
    """The held-out sentences in both languages, in the default voices: once for each of ``speeds`` (100: normal)."""
    engine = await asyncio.to_thread(EmbeddedSynthesiser, assemble(Settings().models_dir))
    try:
        return [
            [
                await _say(engine, text, language, VoiceSettings(speed=speed))
                for language, texts in HELD_OUT.items()
                for text in texts
            ]
            for speed in speeds
        ]
    finally:
        engine.close()


async def _say(engine: EmbeddedSynthesiser, text: str, language: Language, settings: VoiceSettings) -> Spoken:
    pieces: list[Pcm] = []
    phonemes: list[tuple[str, float, float]] = []
    async for chunk in engine.say(text, "default", language, settings):
        pieces.append(chunk.pcm)
        phonemes += [(p.phoneme, p.start, p.end) for p in chunk.phonemes]
    return Spoken(language, text, np.concatenate(pieces), engine.sample_rate, phonemes)


async def measure(avatar: str = "default") -> dict[str, Any]:
    """Speak the held-out sentences (normal and fast) and judge the pictures of ``avatar``; takes a minute or two."""
    pack = find(avatar, (SHIPPED,))
    entries = pack.manifest.mouth.entries
    report: dict[str, Any] = {"avatar": pack.manifest.id, "mouths": len(entries)}
    for name, spoken in zip(("normal", "fast"), await speak(100, FAST), strict=True):
        for source, make in (("timed", timed), ("heard", heard)):
            scores = {
                language: asdict(judge([s for s in spoken if s.language == language], make, entries))
                for language in HELD_OUT
            }
            report.setdefault(source, {})[name] = scores
    return report
