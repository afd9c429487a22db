"""The mouth against real speech: timings of the embedded synthesisers, loudness of their sound."""

from __future__ import annotations

import numpy as np
import pytest

from visavis.motion import ARKIT_INDEX, SpeechTrack
from visavis.motion.visemes import is_known
from visavis.settings import Settings
from visavis.speech.embedded import EmbeddedSynthesiser
from visavis.speech.models import assemble
from visavis.speech.types import Language

Phonemes = list[tuple[str, float, float]]
JAW, PRESS = ARKIT_INDEX["jawOpen"], ARKIT_INDEX["mouthPressLeft"]


TEXTS: list[tuple[Language, str, str]] = [  # full of p, b, m; without any
    (
        "en",
        "Maybe Bob brought my problem up, but probably people remember more.",
        "She has a large dog that likes to sit on the old stone stairs.",
    ),
    ("zh", "妈妈不怕麻烦，爸爸买苹果。", "他今天坐火车去学校，看了三个小时的书。"),
]


async def spoken(engine: EmbeddedSynthesiser, text: str, language: Language) -> tuple[Phonemes, np.ndarray]:
    phonemes: Phonemes = []
    sound = []
    async for chunk in engine.say(text, "default", language):
        sound.append(chunk.pcm)
        phonemes += [(p.phoneme, p.start, p.end) for p in chunk.phonemes]
    return phonemes, np.concatenate(sound).astype(np.float64)


def mouths_of(phonemes: Phonemes) -> tuple[np.ndarray, np.ndarray]:
    """Frame times and mouths; the sentence begins at 1 s."""
    assert [p for p, _, _ in phonemes if not is_known(p)] == []
    track = SpeechTrack()
    track.add(phonemes, 1.0)
    times = np.arange(0.5, phonemes[-1][2] + 1.5, 0.04)
    return times, np.array([track.sample(float(t)) for t in times])


@pytest.mark.models
@pytest.mark.parametrize(("language", "bilabial", "other"), TEXTS)
async def test_lips_meet_in_every_bilabial_and_the_jaw_follows_the_voice(
    language: Language, bilabial: str, other: str
) -> None:
    engine = EmbeddedSynthesiser(assemble(Settings().models_dir))
    try:
        first, second = await spoken(engine, bilabial, language), await spoken(engine, other, language)
    finally:
        engine.close()
    times, mouths = mouths_of(first[0])
    closures = [(a + 1.0, b + 1.0) for p, a, b in first[0] if p in ("p", "b", "m")]
    assert len(closures) >= 6
    for start, end in closures:
        shown = mouths[(times > start - 0.04) & (times < end + 0.025)]
        assert ((shown[:, JAW] <= 0.05) & (shown[:, PRESS] >= 0.3)).any(), (start, end)
    assert mouths[0].max() == mouths[-1].max() == 0.0
    times, mouths = mouths_of(second[0])
    assert 0.2 < mouths[:, JAW].max() <= 0.33
    rate, half = engine.sample_rate, int(0.02 * engine.sample_rate)
    pcm = np.pad(second[1], rate)

    def fit(lag: float) -> float:
        """How well the jaw fits the loudness ``lag`` seconds later."""
        at = [int((t + lag) * rate) for t in times]
        loud = [np.sqrt(np.mean(pcm[c - half : c + half] ** 2)) if half < c < len(pcm) - half else 0.0 for c in at]
        return float(np.corrcoef(loud, mouths[:, JAW])[0, 1])

    fits = {lag: fit(lag / 1000) for lag in range(-160, 161, 20)}
    assert fits[0] > 0.5
    assert abs(max(fits, key=lambda lag: fits[lag])) <= 60, fits  # milliseconds
