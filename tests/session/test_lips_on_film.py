"""Lips closed on every p, b, m, read from the video that a viewer decodes: real voices, stage, compositor and H.264."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pytest
from stage_film import FPS, Luma, Show, film

from visavis.avatar import cache
from visavis.avatar.choose import CLOSED, OPEN, TOUCHING, contact, opening
from visavis.avatar.compositor import Compositor
from visavis.avatar.layout import Layout
from visavis.avatar.pack import SHIPPED, Pack, find
from visavis.media.resample import Resampler
from visavis.motion import ARKIT, ARKIT_INDEX, Director, Head, Mode, MotionFrame
from visavis.motion.visemes import Viseme, visemes_of
from visavis.settings import Settings
from visavis.speech.embedded import EmbeddedSynthesiser
from visavis.speech.models import assemble
from visavis.speech.types import Language, PhonemeTiming

pytestmark = pytest.mark.models

LAYOUT = Layout(720, 1280)
SAID: dict[Language, str] = {
    "en": "My mother Pam baked a big apple pie, and Bob bought the map.",
    "zh": "妈妈明白，爸爸把面包和苹果摆在门边。",
}
FRAME = 1 / FPS
WIDE = (Viseme.aa, Viseme.E)
LONG = 0.1
"""Seconds that a vowel lasts whose opening cannot be lost between two pictures, nor swallowed by its neighbours."""


class StillDirector(Director):
    """Moves lips and lids as ever, and holds the head still: each picture can be laid over a reference."""

    def frame(self, t: float) -> MotionFrame:
        frame = super().frame(t)
        return MotionFrame(pts=frame.pts, blendshapes=frame.blendshapes, head=Head(), gaze=frame.gaze)


@dataclass(frozen=True)
class Mouths:
    """What each mouth of the pack looks like where mouths differ at all. ``openings``: by its coordinates."""

    where: npt.NDArray[np.bool_]
    looks: npt.NDArray[np.float32]
    openings: npt.NDArray[np.float32]
    closed: npt.NDArray[np.bool_]

    def read(self, picture: Luma) -> int:
        """The mouth that a picture shows."""
        seen = picture[self.where].astype(np.float32)
        return int(np.abs(self.looks - seen).mean(axis=1).argmin())


@pytest.fixture(scope="module", autouse=True)
def _scenes(tmp_path_factory: pytest.TempPathFactory) -> None:
    cache.configure(tmp_path_factory.mktemp("scenes"))


@pytest.fixture(scope="module")
def pack(_scenes: None) -> Pack:
    return find("default", (SHIPPED,))


@pytest.fixture(scope="module")
def mouths(pack: Pack) -> Mouths:
    compositor = Compositor(pack, LAYOUT)
    picture = np.zeros((LAYOUT.height * 3 // 2, LAYOUT.width), np.uint8)
    pictures, shapes = [], []
    for index, entry in enumerate(pack.manifest.mouth.entries):
        compositor._mouths.pick = lambda motion, index=index: index  # type: ignore[method-assign]
        compositor.draw(MotionFrame(), picture)
        pictures.append(picture[: LAYOUT.height].copy())
        shapes.append(np.zeros(len(ARKIT), np.float32))
        for name, weight in entry.blendshapes.items():
            shapes[-1][ARKIT_INDEX[name]] = weight
    where = np.std(pictures, axis=0) > 6
    return Mouths(
        where,
        np.stack([each[where] for each in pictures]).astype(np.float32),
        np.array([opening(each) for each in shapes], np.float32),
        np.array([contact(each) == TOUCHING for each in shapes]),
    )


@pytest.fixture(scope="module")
def voices() -> Iterator[EmbeddedSynthesiser]:
    engine = EmbeddedSynthesiser(assemble(Settings().models_dir))
    yield engine
    engine.close()


@dataclass(frozen=True)
class Spoken:
    language: Language
    pcm: npt.NDArray[np.int16]
    phonemes: list[tuple[str, float, float]]


@pytest.fixture(scope="module")
def speak(voices: EmbeddedSynthesiser) -> Callable[[Language], Spoken]:
    async def say(language: Language) -> Spoken:
        chunks = [chunk async for chunk in voices.say(SAID[language], "default", language)]
        resampler = Resampler(voices.sample_rate, 48_000)
        pcm = np.concatenate([*(resampler.push(chunk.pcm) for chunk in chunks), resampler.flush()])
        timings: list[PhonemeTiming] = [timing for chunk in chunks for timing in chunk.phonemes]
        return Spoken(language, pcm, [(each.phoneme, each.start, each.end) for each in timings])

    return lambda language: asyncio.run(say(language))


@dataclass(frozen=True)
class Film:
    """Of each picture: its time since the sentence began, and which mouth it shows."""

    times: npt.NDArray[np.float64]
    shown: npt.NDArray[np.intp]


def filmed(
    pack: Pack, mouths: Mouths, spoken: Spoken, phonemes: Sequence[tuple[str, float, float]], begin: float = 0.3
) -> Film:
    """The sentence, said at the stage time ``begin``, as a viewer sees it whose lips are moved by ``phonemes``."""

    async def play(show: Show) -> None:
        await show.until(begin)
        await show.say(SAID[spoken.language], spoken.language, spoken.pcm, phonemes)
        await show.until(show.stage.now + 0.3)

    show = film(lambda: Show(pack, LAYOUT, StillDirector(np.random.default_rng(4), Mode.IDLE)), play)
    times, pictures = show.reel.decoded()
    assert len(pictures) == len(show.reel.video)
    return Film(times - show.spoken[0][0], np.array([mouths.read(picture) for picture in pictures]))


def bilabials(phonemes: Sequence[tuple[str, float, float]]) -> list[tuple[str, float, float]]:
    return [each for each in phonemes if each[0] and visemes_of(each[0])[0][0] is Viseme.PP]


def closures(found: Film, mouths: Mouths, phonemes: Sequence[tuple[str, float, float]]) -> list[bool]:
    """Of each p, b, m: whether closed lips are on the screen while it lasts (a picture stays until the next)."""
    closed = mouths.closed[found.shown]
    return [
        bool(closed[(found.times > start - FRAME) & (found.times < end)].any()) for _, start, end in bilabials(phonemes)
    ]


def vowels(found: Film, mouths: Mouths, phonemes: Sequence[tuple[str, float, float]]) -> list[float]:
    """Of each long open vowel: how far the lips are opened at most."""
    wide = [each for each in phonemes if each[0] and visemes_of(each[0])[0][0] in WIDE and each[2] - each[1] >= LONG]
    apart = mouths.openings[found.shown]
    return [float(apart[(found.times >= start) & (found.times < end)].max()) for _, start, end in wide]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_lips_are_closed_on_p_b_m_and_open_on_vowels(
    pack: Pack, mouths: Mouths, speak: Callable[[Language], Spoken], language: Language
) -> None:
    spoken = speak(language)
    for begin in (0.3, 0.32):  # the sentence begins with a picture, or half way between two
        found = filmed(pack, mouths, spoken, spoken.phonemes, begin)
        shut, wide = closures(found, mouths, spoken.phonemes), vowels(found, mouths, spoken.phonemes)
        print(
            f"\n{language} from {begin} s: {sum(shut)} of {len(shut)} closed; vowels open by {np.round(wide, 2)};",
            end="",
        )
        print(f" {len(set(found.shown.tolist()))} mouths of {len(mouths.openings)} seen")
        assert len(shut) >= 10
        assert all(shut), [each for each, good in zip(bilabials(spoken.phonemes), shut, strict=True) if not good]
        assert len(wide) >= 4
        assert min(wide) > OPEN
        assert np.median(wide) > 0.12
        silent, speaking = found.times < -0.15, (found.times > 0.1) & (found.times < len(spoken.pcm) / 48_000 - 0.2)
        assert silent.any()
        assert (mouths.openings[found.shown[silent]] < CLOSED).all(), "before it speaks the mouth is closed"
        assert mouths.closed[found.shown[speaking]].mean() < 0.6, "and while it speaks it is not closed all along"


def test_the_measure_sees_lips_that_do_not_close_or_do_not_open(
    pack: Pack, mouths: Mouths, speak: Callable[[Language], Spoken]
) -> None:
    spoken = speak("en")
    gaping = [("ɑ" if each in bilabials(spoken.phonemes) else each[0], *each[1:]) for each in spoken.phonemes]
    found = filmed(pack, mouths, spoken, gaping)
    assert np.mean(closures(found, mouths, spoken.phonemes)) < 0.3
    late = [(name, start + 0.2, end + 0.2) for name, start, end in spoken.phonemes]
    found = filmed(pack, mouths, spoken, late)
    assert np.mean(closures(found, mouths, spoken.phonemes)) < 0.8
    found = filmed(pack, mouths, spoken, [])
    assert max(vowels(found, mouths, spoken.phonemes)) <= OPEN
