"""Readings by ear: the real voices speak with and without them, and the recogniser hears the difference."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
from fakes import FakeSynthesiser
from speech_measure import Spoken, collect, fundamental_hz

from visavis.speech.cache import CachedSynthesiser, Phrase
from visavis.speech.embedded import EmbeddedSynthesiser
from visavis.speech.lexicon import Entry, Lexicon
from visavis.speech.types import NORMAL, Language, SpeechChunk, VoiceSettings
from visavis.speech.whisper import WhisperRecogniser


async def say(
    synthesiser: EmbeddedSynthesiser, text: str, language: Language, *entries: Entry, voice: str = "default"
) -> Spoken:
    settings = VoiceSettings(readings=Lexicon(entries).find(text))
    return await collect(synthesiser.say(text, voice, language, settings))


def sounds(spoken: Spoken) -> str:
    return "".join(one.phoneme for one in spoken.phonemes)


@pytest.mark.models
@pytest.mark.parametrize(
    ("text", "language", "entry", "without", "heard"),
    [
        ("今天我想吃苹果。", "zh", Entry("苹果", "pinyin", "xiang1 jiao1"), "苹果", "香蕉"),
        ("I ate the apple this morning.", "en", Entry("apple", "ipa", "/bəˈnænə/"), "apple", "banana"),
        ("Our CEO is here.", "en", Entry("CEO", "alias", "chief executive officer"), "CEO", "Chief Executive Officer"),
    ],
)
async def test_another_reading_is_heard(
    synthesiser: EmbeddedSynthesiser,
    recogniser: WhisperRecogniser,
    text: str,
    language: Language,
    entry: Entry,
    without: str,
    heard: str,
) -> None:
    plain = (await recogniser.transcribe((await say(synthesiser, text, language)).at_16k(), language)).text
    other = (await recogniser.transcribe((await say(synthesiser, text, language, entry)).at_16k(), language)).text
    assert (without.lower() in plain.lower(), heard.lower() in plain.lower()) == (True, False), plain
    assert (without.lower() in other.lower(), heard.lower() in other.lower()) == (False, True), other


@pytest.mark.models
async def test_a_tone_is_heard_as_pitch(synthesiser: EmbeddedSynthesiser) -> None:
    """The recogniser writes what makes sense, so the last syllable is measured: tone 2 rises, tone 4 falls."""
    rise = {}
    for tone in (2, 4):
        spoken = await say(synthesiser, "他叫小马。", "zh", Entry("马", "pinyin", f"ma{tone}"))
        assert sounds(spoken).endswith("ma")
        vowel = [one for one in spoken.phonemes if one.phoneme][-1]
        begin, end = round(vowel.start * 24_000), round(vowel.end * 24_000)
        middle = (begin + end) // 2
        halves = spoken.pcm[begin - 600 : middle + 600], spoken.pcm[middle - 600 : end + 600]
        rise[tone] = fundamental_hz(halves[1]) / fundamental_hz(halves[0])
    assert rise[2] > 1.06, rise
    assert rise[4] < 0.94, rise


@pytest.mark.models
async def test_times_stay_those_of_the_sound(synthesiser: EmbeddedSynthesiser) -> None:
    entries = (Entry("GPU", "say-as", "spell"), Entry("Paris, France", "linked"), Entry("2024", "say-as", "number"))
    text = "In 2024 a GPU was sold in Paris, France and in London."
    plain, spoken = await say(synthesiser, text, "en"), await say(synthesiser, text, "en", *entries)
    assert "pɛɹəsfɹæns" in sounds(spoken)
    assert "tuzɪɹOtufɔɹ" in sounds(spoken)
    # The pause at the comma is gone.
    assert [one.phoneme for one in plain.phonemes].count("") > [one.phoneme for one in spoken.phonemes].count("")
    assert spoken.phonemes[0].start == pytest.approx(0, abs=0.001)
    assert spoken.phonemes[-1].end == pytest.approx(spoken.seconds, abs=0.025)
    for one, other in zip(spoken.phonemes, spoken.phonemes[1:], strict=False):
        assert other.start == pytest.approx(one.end, abs=0.001)


@pytest.mark.models
async def test_an_english_voice_speaks_a_chinese_reading(synthesiser: EmbeddedSynthesiser) -> None:
    for entry in (Entry("Beijing", "alias", "北京"), Entry("北京", "pinyin", "bei3 jing1")):
        spoken = await say(synthesiser, entry.word, "en", entry, voice="en-heart")
        assert "ʨiŋ" in sounds(spoken), entry


class Counting(FakeSynthesiser):
    async def say(
        self, text: str, voice: str, language: Language, settings: VoiceSettings = NORMAL
    ) -> AsyncIterator[SpeechChunk]:
        word = settings.readings[0].value if settings.readings else text
        async for chunk in super().say(word, voice, language, settings):
            yield chunk


async def test_what_was_said_with_a_reading_is_kept_apart(tmp_path: Path) -> None:
    inner = Counting()
    cached = CachedSynthesiser(inner, tmp_path)

    async def heard(*entries: Entry) -> np.ndarray:
        settings = VoiceSettings(readings=Lexicon(entries).find("apple pie"))
        return (await collect(cached.say("apple pie", "default", "en", settings))).pcm

    one, two = Entry("apple", "alias", "banana"), Entry("apple", "alias", "fig")
    plain, banana, fig = await heard(), await heard(one), await heard(two)
    assert len({len(plain), len(banana), len(fig)}) == 3
    assert inner.said == ["apple pie", "banana", "fig"]
    assert [len(await heard(*entries)) for entries in ((), (one,), (two,))] == [len(plain), len(banana), len(fig)]
    # A word that is not in the sentence changes nothing: what was stored without it is found.
    assert len(await heard(Entry("pear", "alias", "plum"))) == len(plain)
    assert await cached.warm([Phrase("apple pie", "default", "en")]) == 0
    assert len(inner.said) == 3
