"""Hot words shift recognition to names and terms, and to nothing else: real models, recordings of six voices."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from speech_measure import error_rate

from visavis.speech import hot_words
from visavis.speech.types import Pcm
from visavis.speech.whisper import WhisperRecogniser

FOLDER = Path(__file__).parent / "audio" / "hot_words"
SAID: list[dict[str, Any]] = json.loads((FOLDER / "said.json").read_text("utf-8"))
WORDS = list(dict.fromkeys(word for one in SAID for word in one["words"]))
"""All of them go with every recording: 18 words of both languages."""


def sound(name: str) -> Pcm:
    resampler = av.AudioResampler("s16", "mono", 16000)
    with av.open(str(FOLDER / name)) as file:
        frames = [piece for frame in file.decode(audio=0) for piece in resampler.resample(frame)]
    return np.concatenate([frame.to_ndarray()[0] for frame in frames])


@pytest.mark.models
async def test_terms_that_are_misheard_are_heard_with_hot_words(recogniser: WhisperRecogniser) -> None:
    before = after = total = 0
    errors: dict[str, list[float]] = {"plain": [], "hot": []}
    for one in SAID:
        if not one["words"]:
            continue
        plain = (await recogniser.transcribe(sound(one["file"]))).text
        hot = (await recogniser.transcribe(sound(one["file"]), words=WORDS)).text
        total += len(one["words"])
        before += sum(word in plain for word in one["words"])
        after += sum(word.lower() in hot.lower() for word in one["words"])
        errors["plain"].append(error_rate(one["said"], plain))
        errors["hot"].append(error_rate(one["said"], hot))
    assert total >= 18
    assert before <= 0.25 * total, "the recordings are no test: the words are understood without help"
    assert after >= 0.85 * total
    assert np.mean(errors["hot"]) < 0.5 * np.mean(errors["plain"])
    # Two recognitions of one recording may differ by themselves: one may be unlucky.
    assert sum(hot > plain for hot, plain in zip(errors["hot"], errors["plain"], strict=True)) <= 1


@pytest.mark.models
async def test_what_has_nothing_to_do_with_them_stays_as_it_is(recogniser: WhisperRecogniser) -> None:
    unrelated = [one for one in SAID if not one["words"]]
    assert len(unrelated) >= 9
    for one in unrelated:
        pcm = sound(one["file"])
        assert (await recogniser.transcribe(pcm, words=WORDS)).text == (await recogniser.transcribe(pcm)).text


@pytest.mark.models
@pytest.mark.parametrize("level", [0, 100, 4000])
async def test_noise_is_no_hot_word(recogniser: WhisperRecogniser, level: int) -> None:
    noise = (np.random.default_rng(3).standard_normal(24000) * level).astype(np.int16)
    assert (await recogniser.transcribe(noise, words=WORDS)).text == ""


@pytest.mark.models
async def test_hundreds_of_hot_words_cost_little(recogniser: WhisperRecogniser) -> None:
    """Whatever is not like what was heard is told by its letters, before the model is asked."""
    pcm = sound(SAID[-1]["file"])
    many = [f"{first}{second}ex" for first in ("Bra", "Clo", "Dri", "Fen", "Gos") for second in "bcdfgklmnprstvz" * 6]
    await recogniser.transcribe(pcm, words=many)

    async def cost(words: list[str]) -> float:
        began = time.process_time()
        await recogniser.transcribe(pcm, words=words)
        return time.process_time() - began

    without = min([await cost([]) for _ in range(3)])
    assert min([await cost(many) for _ in range(3)]) < 2 * without


@pytest.mark.parametrize(
    ("heard", "word", "wanted"),
    [
        ("Where is Siabhin a Conquo?", "Siobhan Okonkwo", "Where is Siobhan Okonkwo?"),
        ("deploy VZV here", "Visavis", "deploy Visavis here"),
        ("the Zen 4 a license", "Zenphora", "the Zenphora license"),
        ("请问瑞林在几楼", "芮琳", "请问芮琳在几楼"),
        ("红骨计画什么时候开始?", "鸿鹄计划", "鸿鹄计划什么时候开始?"),
    ],
)
def test_what_sounds_alike_is_proposed_in_its_place(heard: str, word: str, wanted: str) -> None:
    (proposal,) = hot_words.proposals(heard, hot_words.clean((word,)))
    assert proposal.put_into(heard) == wanted


@pytest.mark.parametrize(
    ("heard", "word"),
    [
        ("I would like to book a table for two.", "Kubernetes"),
        ("今天天气怎么样", "璟玥厅"),
        ("I met Siobhan there.", "Siobhan"),  # it is there already
        ("", "Visavis"),
        ("?!", "Visavis"),
    ],
)
def test_nothing_is_proposed_for_what_sounds_different(heard: str, word: str) -> None:
    assert hot_words.proposals(heard, hot_words.clean((word,))) == []


def test_of_two_words_for_one_place_the_likelier_counts() -> None:
    chosen = [
        hot_words.Proposal("Kestrel", 4, 10, 0.3),
        hot_words.Proposal("Castle", 4, 10, 0.3),
        hot_words.Proposal("Nakagawa", 0, 3, 0.1),
    ]
    assert hot_words.put_together("Mr. casual room", chosen) == "Nakagawa Kestrel room"


def test_only_words_count() -> None:
    words = ("  Visavis ", "visavis", "", "!!", "x" * 41, "昇腾", "a")
    assert hot_words.clean(words) == ("Visavis", "昇腾")
    assert len(hot_words.clean(tuple(f"Name{n}ovich" for n in range(900)))) == hot_words.MOST
