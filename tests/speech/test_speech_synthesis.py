"""The embedded voices, with the real models."""

from __future__ import annotations

import asyncio
import contextlib
import time

import numpy as np
import pytest
from speech_measure import Spoken, collect, error_rate, fundamental_hz, lateness, level_db

from visavis.speech.embedded import EmbeddedSynthesiser
from visavis.speech.phonemes import ENGLISH, MANDARIN, PHONEMES
from visavis.speech.types import Language, VoiceSettings
from visavis.speech.voices import CATALOGUE, UnknownVoice
from visavis.speech.whisper import WhisperRecogniser

pytestmark = pytest.mark.models

ENGLISH_TEXT = "The library opens early in the morning, and it closes late."
MANDARIN_TEXT = "我会说普通话和英语，您可以随时打断我。"


_said: dict[tuple[object, ...], Spoken] = {}


async def say(
    synthesiser: EmbeddedSynthesiser, text: str, language: Language, voice: str = "default", **settings: int
) -> Spoken:
    """Each sentence is made once for all tests."""
    key = (text, language, voice, *settings.items())
    if key not in _said:
        _said[key] = await say_anew(synthesiser, text, language, voice, **settings)
    return _said[key]


async def say_anew(
    synthesiser: EmbeddedSynthesiser, text: str, language: Language, voice: str = "default", **settings: int
) -> Spoken:
    return await collect(synthesiser.say(text, voice, language, VoiceSettings(**settings)))


def loud_seconds(spoken: Spoken) -> list[float]:
    """Start times of the 10 ms slots that are clearly audible."""
    slots = spoken.pcm[: len(spoken.pcm) // 240 * 240].reshape(-1, 240) / 32768
    return [i * 0.01 for i, slot in enumerate(slots) if np.sqrt(np.square(slot).mean()) > 0.05]


@pytest.mark.parametrize(
    ("text", "language", "bound"),
    [
        (ENGLISH_TEXT, "en", 0.05),
        (MANDARIN_TEXT, "zh", 0.07),
        ("On Monday, I would like to talk about digital people.", "en", 0.1),
        ("您直接说就可以。", "zh", 0.13),
    ],
)
async def test_what_is_said_is_understood_and_in_the_right_language(
    synthesiser: EmbeddedSynthesiser, recogniser: WhisperRecogniser, text: str, language: Language, bound: float
) -> None:
    heard = await recogniser.transcribe((await say(synthesiser, text, language)).at_16k())
    assert heard.language == language
    assert error_rate(text, heard.text) <= bound, heard.text
    assert heard.confidence > 0.6


@pytest.mark.parametrize(
    ("language", "texts"),
    [
        (
            "en",
            ("I saw a safe city by the sea.", "She is a user of a shower.", "We see a song, a sofa and a soap opera."),
        ),
        ("zh", ("我想说三个小时。", "那是一座沙发。", "你先洗一洗手。", "一个叔叔和老师。")),
    ],
)
async def test_times_are_those_of_the_sound(
    synthesiser: EmbeddedSynthesiser, language: Language, texts: tuple[str, ...]
) -> None:
    """Lips follow these times: 50 ms late is seen."""
    assert abs(lateness([await say(synthesiser, text, language) for text in texts])) <= 0.02


async def test_numbers_and_foreign_words_are_spoken(
    synthesiser: EmbeddedSynthesiser, recogniser: WhisperRecogniser
) -> None:
    spoken = await say(synthesiser, "今天是3月5日，我们用GPU。", "zh")
    heard = await recogniser.transcribe(spoken.at_16k(), "zh")
    assert "3月5日" in heard.text.replace("三", "3").replace("五", "5")
    # The letters are read in English: Mandarin has no such consonant.
    assert [timing.phoneme for timing in spoken.phonemes].count("ʤ") == 1


@pytest.mark.parametrize(
    ("text", "language", "voice"),
    [
        (ENGLISH_TEXT, "en", "default"),
        ("你好，很高兴认识你。", "zh", "default"),
        ("Good morning, everyone.", "en", "en-michael"),
    ],
)
@pytest.mark.parametrize("speed", [100, 150])
async def test_timings_cover_the_sound_and_follow_it(
    synthesiser: EmbeddedSynthesiser, text: str, language: Language, voice: str, speed: int
) -> None:
    spoken = await say(synthesiser, text, language, voice, speed=speed)
    assert spoken.phonemes[0].start == pytest.approx(0, abs=0.001)
    assert spoken.phonemes[-1].end == pytest.approx(spoken.seconds, abs=0.025)
    for one, other in zip(spoken.phonemes, spoken.phonemes[1:], strict=False):
        assert one.start < one.end
        assert other.start == pytest.approx(one.end, abs=0.001)
    used = {timing.phoneme for timing in spoken.phonemes} - {""}
    assert used <= (ENGLISH if language == "en" else MANDARIN)
    # Where the timings say silence, it is quiet, and nearly all that is loud has a phoneme.
    loud = loud_seconds(spoken)
    silent = [(t.start, t.end) for t in spoken.phonemes if t.phoneme == ""]
    in_silence = [at for at in loud if any(begin + 0.03 < at < end - 0.04 for begin, end in silent)]
    assert len(in_silence) <= 0.03 * len(loud)
    assert loud[0] < 0.12


async def test_chunks_follow_one_another_with_their_own_phonemes(synthesiser: EmbeddedSynthesiser) -> None:
    spoken = await say(synthesiser, "你好，很高兴认识你。", "zh")
    assert len(spoken.chunks) >= 2
    at = 0.0
    for chunk in spoken.chunks:
        assert chunk.start == pytest.approx(at, abs=0.001)
        at += len(chunk.pcm) / synthesiser.sample_rate
        assert chunk.phonemes[0].start == pytest.approx(chunk.start, abs=0.001)
        assert chunk.phonemes[-1].end == pytest.approx(at, abs=0.001)


@pytest.mark.parametrize(("text", "language"), [(ENGLISH_TEXT, "en"), ("很高兴认识你。", "zh")])
async def test_speed_pitch_and_volume_act(synthesiser: EmbeddedSynthesiser, text: str, language: Language) -> None:
    normal = await say(synthesiser, text, language)
    fast = await say(synthesiser, text, language, speed=160)
    assert 0.5 * normal.seconds < fast.seconds < 0.75 * normal.seconds
    low, high = [await say(synthesiser, text, language, pitch=pitch) for pitch in (60, 160)]
    base = fundamental_hz(normal.pcm)
    assert fundamental_hz(low.pcm) < 0.87 * base
    assert fundamental_hz(high.pcm) > 1.15 * base
    assert low.seconds == pytest.approx(normal.seconds, rel=0.05)
    quiet = await say(synthesiser, text, language, volume=90)
    assert level_db(quiet.pcm) == pytest.approx(level_db(normal.pcm) - 5, abs=0.5)


async def test_slow_and_loud(synthesiser: EmbeddedSynthesiser) -> None:
    normal = await say(synthesiser, ENGLISH_TEXT, "en")
    slow_and_loud = await say(synthesiser, ENGLISH_TEXT, "en", speed=60, volume=240)
    assert slow_and_loud.seconds > 1.4 * normal.seconds
    assert level_db(slow_and_loud.pcm) > level_db(normal.pcm) + 4
    assert np.abs(slow_and_loud.pcm).max() < 32767


async def test_both_default_voices_are_about_equally_loud(synthesiser: EmbeddedSynthesiser) -> None:
    english = await say(synthesiser, ENGLISH_TEXT, "en")
    mandarin = await say(synthesiser, MANDARIN_TEXT, "zh")
    assert level_db(english.pcm) == pytest.approx(level_db(mandarin.pcm), abs=2.5)


async def test_every_voice_of_the_catalogue_speaks(synthesiser: EmbeddedSynthesiser) -> None:
    listed = {voice.id: voice for voice in synthesiser.voices()}
    assert list(listed) == ["default", *CATALOGUE]
    pitches = {}
    for voice_id, voice in listed.items():
        language = voice.languages[0]
        spoken = await say(synthesiser, "Good day." if language == "en" else "你好。", language, voice_id)
        assert 0.3 < spoken.seconds < 2.5, voice_id
        assert -32 < level_db(spoken.pcm) < -14, voice_id
        pitches.setdefault(voice.sex, []).append(fundamental_hz(spoken.pcm))
    assert np.median(pitches["male"]) < 0.8 * np.median(pitches["female"])


async def test_an_english_voice_given_chinese_still_speaks_it(
    synthesiser: EmbeddedSynthesiser, recogniser: WhisperRecogniser
) -> None:
    spoken = await say(synthesiser, "你好，世界。", "zh", "en-heart")
    assert {timing.phoneme for timing in spoken.phonemes} >= {"ʂ", "ʨ"}
    assert (await recogniser.transcribe(spoken.at_16k(), "zh")).text.strip("。 ") != ""


async def test_an_unknown_voice_is_refused_by_name(synthesiser: EmbeddedSynthesiser) -> None:
    with pytest.raises(UnknownVoice, match=r"'nobody'.*en-heart.*zh-xiaoxiao"):
        await say(synthesiser, "Hello.", "en", "nobody")


@pytest.mark.parametrize("text", ["", "😀", "……", "ㄅ"])
async def test_nothing_to_say_gives_no_sound(synthesiser: EmbeddedSynthesiser, text: str) -> None:
    assert (await say(synthesiser, text, "zh")).chunks == []


async def test_a_very_long_sentence_without_punctuation_is_spoken_whole(synthesiser: EmbeddedSynthesiser) -> None:
    text = " ".join(["wonderful"] * 80)
    spoken = await say(synthesiser, text, "en")
    assert sum(timing.phoneme == "w" for timing in spoken.phonemes) == 80
    assert {timing.phoneme for timing in spoken.phonemes} - {""} <= PHONEMES


@pytest.mark.parametrize("how", ["cancel", "close"])
async def test_cancelling_stops_the_work_and_frees_the_engine(synthesiser: EmbeddedSynthesiser, how: str) -> None:
    long_clause = "我们一起来学习" * 8  # about 8 s of work in one piece
    began = time.perf_counter()
    await say_anew(synthesiser, "好的。", "zh")
    short_time = time.perf_counter() - began
    async with contextlib.aclosing(synthesiser.say("好的，" + long_clause, "default", "zh")) as stream:
        await anext(stream)  # the long clause is being made now
        began = time.perf_counter()
        if how == "cancel":
            waiting = asyncio.create_task(collect(stream))
            await asyncio.sleep(0)
            waiting.cancel()
            await asyncio.wait({waiting})
            assert waiting.cancelled()
    again = await say_anew(synthesiser, "好的。", "zh")
    assert again.seconds > 0.2
    # Relative, because the machine may be busy: the long clause alone would take over ten times as long.
    assert time.perf_counter() - began < 4 * short_time


async def test_two_sessions_at_once_get_their_own_sentences(synthesiser: EmbeddedSynthesiser) -> None:
    alone = [await say(synthesiser, text, language) for text, language in (("好的，再见。", "zh"), ("Goodbye.", "en"))]
    together = await asyncio.gather(
        say_anew(synthesiser, "好的，再见。", "zh"), say_anew(synthesiser, "Goodbye.", "en")
    )
    for one, other in zip(alone, together, strict=True):
        assert np.array_equal(one.pcm, other.pcm)
