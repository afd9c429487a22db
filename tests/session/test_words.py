"""A conversation whose voices read words in another way: what goes to synthesis, what is shown, what is heard."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import soxr
from session_fakes import FakeDialogue, FakeRecogniser, FakeSynthesiser
from test_conversation import Talk

from visavis.session.spec import VoiceSpec
from visavis.settings import Settings
from visavis.speech import lexicon as lexicons
from visavis.speech.cache import CachedSynthesiser, Phrase
from visavis.speech.embedded import EmbeddedSynthesiser
from visavis.speech.lexicon import Entry, Lexicon, to_json
from visavis.speech.models import assemble
from visavis.speech.types import NORMAL, Language, SpeechChunk, Voice, VoiceSettings
from visavis.speech.whisper import WhisperRecogniser


def words(path: Path, *entries: Entry) -> str:
    path.write_text(to_json(Lexicon(entries)), "utf-8")
    return str(path)


async def said(talk: Talk, *texts: str) -> list[str]:
    """What was shown of the texts, which are spoken one after the other."""
    stage = asyncio.create_task(talk.stage.run())
    run = asyncio.create_task(talk.conversation.run())
    await talk.conversation.ready()
    try:
        for number, text in enumerate(texts, 1):
            await talk.conversation.say(text)
            await talk.journal.wait("done", count=number)
    finally:
        run.cancel()
        stage.cancel()
        await asyncio.gather(run, stage, return_exceptions=True)
    return [str(text) for text in talk.journal.of("started")]


async def test_each_voice_reads_its_words_and_subtitles_show_what_was_written(tmp_path: Path) -> None:
    english = words(tmp_path / "en.json", Entry("CEO", "alias", "chief executive"), Entry("café", "ipa", "kæˈfeɪ"))
    mandarin = words(tmp_path / "zh.json", Entry("重庆", "pinyin", "chong2 qing4"))
    voices = [
        VoiceSpec(voice_id="v-en", language="en", lexicon=english),
        VoiceSpec(voice_id="v-zh", language="zh", lexicon=mandarin, speed=120),
    ]
    talk = Talk(FakeRecogniser(), FakeDialogue(), FakeSynthesiser(0.2), voices=voices)
    texts = ("Our CEO's cafe\u0301.", "CEO在重庆。", "No other word.")
    assert await said(talk, *texts) == list(texts)
    found = [
        (text, voice, [(one.word, one.value) for one in settings.readings])
        for text, voice, _, settings in talk.synthesiser.said
    ]
    assert found == [
        ("Our CEO's café.", "v-en", [("CEO", "chief executive"), ("café", "kæˈfeɪ")]),
        ("CEO在重庆。", "v-zh", [("重庆", "chong2 qing4")]),
        ("No other word.", "v-en", []),
    ]
    assert talk.synthesiser.said[1][3].speed == 120
    assert talk.synthesiser.said[2][3] == NORMAL


async def test_words_that_cannot_be_read_cost_the_words_and_not_the_sentence(tmp_path: Path) -> None:
    (tmp_path / "damaged.json").write_text("{")
    for path in (tmp_path / "damaged.json", tmp_path / "nowhere.json"):
        talk = Talk(FakeRecogniser(), FakeDialogue(), FakeSynthesiser(0.2), voices=[VoiceSpec(lexicon=str(path))])
        assert await said(talk, "Hello.") == ["Hello."]
        assert talk.synthesiser.said[0][3] == NORMAL


class Recorded:
    """The real voices, with what they said."""

    def __init__(self, inner: CachedSynthesiser) -> None:
        self._inner, self.sample_rate = inner, inner.sample_rate
        self.pcm: list[np.ndarray] = []

    def voices(self) -> Sequence[Voice]:
        return self._inner.voices()

    async def say(
        self, text: str, voice: str, language: Language, settings: VoiceSettings = NORMAL
    ) -> AsyncIterator[SpeechChunk]:
        pieces = []
        async for chunk in self._inner.say(text, voice, language, settings):
            pieces.append(chunk.pcm)
            yield chunk
        self.pcm.append(np.concatenate(pieces))


@pytest.mark.models
async def test_the_readings_are_heard(tmp_path: Path) -> None:
    models_dir = assemble(Settings().models_dir)
    inner = CachedSynthesiser(EmbeddedSynthesiser(models_dir), tmp_path / "said")
    recogniser = WhisperRecogniser(models_dir)
    lexicon = words(
        tmp_path / "words.json", Entry("苹果", "pinyin", "xiang1 jiao1"), Entry("apple", "ipa", "/bəˈnænə/")
    )
    english, mandarin = "I ate the apple this morning.", "今天我想吃苹果。"

    async def heard(lexicon: str, *texts: str) -> list[str]:
        recorded = Recorded(inner)
        talk = Talk(FakeRecogniser(), FakeDialogue(), recorded, voices=[VoiceSpec(lexicon=lexicon)])
        assert await said(talk, *texts) == list(texts), "what is shown stays as it was written"
        transcripts = []
        for pcm in recorded.pcm:
            sound = np.concatenate([pcm, np.zeros(6000, np.int16)])
            at_16k = soxr.resample(sound, 24_000, 16_000).astype(np.int16)
            transcripts.append((await recogniser.transcribe(at_16k)).text.lower())
        return transcripts

    # Made beforehand: on a busy machine Mandarin takes longer than a conversation waits.
    settings = VoiceSettings(readings=lexicons.load(Path(lexicon)).find(mandarin))
    assert await inner.warm([Phrase(mandarin, "default", "zh", settings)]) == 1
    try:
        (plain,) = await heard("", english)
        read_english, read_mandarin = await heard(lexicon, english, mandarin)
    finally:
        inner.close()
        recogniser.close()
    assert [one in plain for one in ("apple", "banana")] == [True, False], plain
    assert [one in read_english for one in ("apple", "banana")] == [False, True], read_english
    assert [one in read_mandarin for one in ("苹果", "香蕉")] == [False, True], read_mandarin
