"""The disk cache: the second time nothing is made, and nothing damaged is ever played."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from pathlib import Path

import numpy as np
from fakes import FakeSynthesiser
from speech_measure import Spoken, collect

from visavis.speech.cache import CachedSynthesiser, Phrase
from visavis.speech.types import VoiceSettings


async def say(cached: CachedSynthesiser, text: str, **settings: int) -> Spoken:
    return await collect(cached.say(text, "default", "en", VoiceSettings(**settings)))


def files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.speech"))


def kinds(folder: Path) -> set[str]:
    return {path.suffix for path in folder.iterdir()}


async def test_a_hit_is_the_same_sound_and_timings_and_makes_nothing(tmp_path: Path) -> None:
    first_engine, second_engine = FakeSynthesiser(), FakeSynthesiser()
    first = await say(CachedSynthesiser(first_engine, tmp_path), "Hello there world")
    cached = CachedSynthesiser(second_engine, tmp_path)
    second = await say(cached, "Hello there world")
    assert first_engine.said == ["Hello there world"]
    assert second_engine.said == []
    assert np.array_equal(first.pcm, second.pcm)
    assert first.phonemes == second.phonemes
    assert [len(chunk.pcm) for chunk in first.chunks] == [len(chunk.pcm) for chunk in second.chunks]


async def test_a_hit_starts_within_five_milliseconds(tmp_path: Path) -> None:
    cached = CachedSynthesiser(FakeSynthesiser(), tmp_path)
    sentence = " ".join(["hello"] * 20)  # 7 s of sound
    await say(cached, sentence)
    best = 1.0
    for _ in range(5):  # the machine may be busy; the best of a few tells what it costs
        began = time.perf_counter()
        stream = cached.say(sentence, "default", "en")
        await anext(stream)
        best = min(best, time.perf_counter() - began)
        await stream.aclose()
    assert best < 0.005


async def test_text_voice_language_settings_and_version_all_tell_sentences_apart(tmp_path: Path) -> None:
    engine = FakeSynthesiser()
    cached = CachedSynthesiser(engine, tmp_path)
    for phrase in (
        Phrase("Hello", "default", "en"),
        Phrase("Hello.", "default", "en"),
        Phrase("Hello", "fake-male", "en"),
        Phrase("Hello", "default", "zh"),
        Phrase("Hello", "default", "en", VoiceSettings(speed=120)),
        Phrase("Hello", "default", "en", VoiceSettings(pitch=120)),
        Phrase("Hello", "default", "en", VoiceSettings(volume=120)),
    ):
        await collect(cached.say(phrase.text, phrase.voice, phrase.language, phrase.settings))
    await say(CachedSynthesiser(engine, tmp_path, version="2"), "Hello")
    assert len(engine.said) == len(files(tmp_path)) == 8


async def test_a_damaged_entry_is_made_again(tmp_path: Path) -> None:
    engine = FakeSynthesiser()
    cached = CachedSynthesiser(engine, tmp_path)
    good = await say(cached, "Hello")
    (entry,) = files(tmp_path)
    content = entry.read_bytes()
    for damaged in (content[:-1] + bytes([content[-1] ^ 1]), content[:-40], b"", b"not json\n123", b'{"sha256": 1}\n'):
        entry.write_bytes(damaged)
        made = len(engine.said)
        assert np.array_equal((await say(cached, "Hello")).pcm, good.pcm)
        assert len(engine.said) == made + 1
        assert entry.read_bytes() == content


def aged(folder: Path, before: set[Path], age: int) -> None:
    """Date the one file that was not there ``before``."""
    (new,) = set(files(folder)) - before
    os.utime(new, (1000 + age, 1000 + age))


async def test_the_least_recently_used_go_first(tmp_path: Path) -> None:
    engine = FakeSynthesiser()
    roomy = CachedSynthesiser(engine, tmp_path)
    for age, text in enumerate(["dddd", "cccc", "bbbb", "aaaa"]):
        before = set(files(tmp_path))
        await say(roomy, text)
        aged(tmp_path, before, age)
    await say(roomy, "dddd")  # the oldest is used again
    size = files(tmp_path)[0].stat().st_size
    CachedSynthesiser(engine, tmp_path, max_bytes=round(2.5 * size))
    said = len(engine.said)
    await say(roomy, "dddd")
    await say(roomy, "aaaa")
    assert len(engine.said) == said
    await say(roomy, "cccc")
    assert len(engine.said) == said + 1


async def test_an_interrupted_sentence_is_not_kept_and_its_synthesis_ends(tmp_path: Path) -> None:
    engine = FakeSynthesiser()
    cached = CachedSynthesiser(engine, tmp_path)
    async with contextlib.aclosing(cached.say("one two three", "default", "en")) as stream:
        await anext(stream)
    assert engine.cancelled == 1
    assert engine.chunks_made == 1
    assert files(tmp_path) == []


async def test_a_folder_that_cannot_be_written_costs_only_the_cache(tmp_path: Path) -> None:
    engine = FakeSynthesiser()
    folder = tmp_path / "cache"
    cached = CachedSynthesiser(engine, folder)
    folder.rmdir()
    folder.write_text("a file in its place")
    assert (await say(cached, "Hello")).seconds > 0.2
    assert (await say(cached, "Hello")).seconds > 0.2
    assert engine.said == ["Hello", "Hello"]


async def test_warming_makes_what_is_missing_once(tmp_path: Path) -> None:
    engine = FakeSynthesiser()
    cached = CachedSynthesiser(engine, tmp_path)
    await say(cached, "one")
    phrases = [Phrase(text, "default", "en") for text in ("one", "two", "three", "two")]
    assert await cached.warm(phrases) == 2
    assert engine.said == ["one", "two", "three"]
    assert await cached.warm(phrases) == 0
    assert kinds(tmp_path) == {".speech"}


async def test_warming_steps_aside_for_a_session_and_goes_on_afterwards(tmp_path: Path) -> None:
    gate = asyncio.Event()
    engine = FakeSynthesiser(gate)
    cached = CachedSynthesiser(engine, tmp_path)
    warming = asyncio.create_task(cached.warm([Phrase("slow words", "default", "en")]))
    await engine.until(lambda: engine.said == ["slow words"])
    speaking = asyncio.create_task(say(cached, "urgent"))
    await engine.until(lambda: engine.said == ["slow words", "urgent"] and engine.cancelled == 1)
    gate.set()
    assert (await speaking).seconds > 0.2
    assert await warming == 1
    assert engine.said == ["slow words", "urgent", "slow words"]


async def test_warming_can_be_cancelled(tmp_path: Path) -> None:
    engine = FakeSynthesiser(asyncio.Event())  # never opens
    cached = CachedSynthesiser(engine, tmp_path)
    warming = asyncio.create_task(cached.warm([Phrase("one", "default", "en")]))
    await engine.until(lambda: engine.said == ["one"])
    warming.cancel()
    await asyncio.wait({warming})
    assert warming.cancelled()
    assert engine.cancelled == 1
    assert files(tmp_path) == []
