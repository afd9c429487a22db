from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
import yaml

from visavis.dialogue.encoder import Encoder
from visavis.dialogue.factory import DialogueFactory, UnknownDialogue
from visavis.dialogue.knowledge import Knowledge, KnowledgeError, load
from visavis.dialogue.retrieval import Index, Normaliser, choice
from visavis.dialogue.stored import StoredAnswers
from visavis.dialogue.types import Sentence, Turn
from visavis.urlpolicy import UrlPolicy

ANSWER, CLARIFY = 0.55, 0.48
PARAPHRASES: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("paraphrases.yaml").read_text("utf-8"))
KNOWLEDGE: Knowledge = load()


def entry(name: str) -> Any:
    return next(each for each in KNOWLEDGE.entries if each.id == name)


async def ask(dialogue: StoredAnswers, text: str, language: str = "en") -> list[Sentence]:
    return [sentence async for sentence in dialogue.answer(Turn(text, language))]  # type: ignore[arg-type]


def spoken(sentences: list[Sentence]) -> str:
    return " ".join(sentence.text for sentence in sentences)


def stored(shipped: Index) -> StoredAnswers:
    return StoredAnswers(shipped, ANSWER, CLARIFY)


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_paraphrases_find_their_entry(shipped: Index, language: str) -> None:
    wrong, low, total = [], [], 0
    for name, texts in PARAPHRASES[language].items():
        entry(name)
        for text in texts:
            hits = await shipped.search(text)
            total += 1
            if hits[0].entry.id != name:
                wrong.append((text, hits[0].entry.id, round(hits[0].score, 2)))
            elif hits[0].score < ANSWER:
                low.append((text, round(hits[0].score, 2)))
    assert total > 75
    assert len(wrong) / total <= 0.06, wrong
    assert len(low) / total <= 0.05, low


async def test_out_of_domain_is_not_answered(shipped: Index) -> None:
    best = {t: (await shipped.search(t))[0].score for ts in PARAPHRASES["out_of_domain"].values() for t in ts}
    assert len(best) >= 40
    assert [text for text, score in best.items() if score >= ANSWER] == []
    assert sum(score >= CLARIFY for score in best.values()) <= 5


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_every_stored_question_is_answered_verbatim_in_its_language(shipped: Index, language: str) -> None:
    dialogue = stored(shipped)
    for each in KNOWLEDGE.entries:
        question = each.questions[language][0]
        sentences = await ask(dialogue, question, language)
        glue = " " if language == "en" else ""
        assert glue.join(s.text for s in sentences) == each.answers[language], question
        assert {s.language for s in sentences} == {language}
        assert {s.purpose for s in sentences} == {"answer"}


async def test_the_languages_question_of_the_demo(shipped: Index) -> None:
    dialogue = stored(shipped)
    assert spoken(await ask(dialogue, "Which languages can you speak?")) == entry("languages").answers["en"]
    assert "普通话和英语" in spoken(await ask(dialogue, "你会说哪些语言？", "zh"))


async def test_the_answer_comes_in_the_turns_language_even_across_languages(shipped: Index) -> None:
    sentences = await ask(stored(shipped), "What are the opening costs, how much does it cost?", "zh")
    assert {s.language for s in sentences} == {"zh"}
    assert "".join(s.text for s in sentences) == entry("cost").answers["zh"]


@pytest.mark.parametrize(
    "heard", ["what is viz a vee", "What is vis-a-vis?", "WHAT IS VISA VIS", "微萨维是什么", "维萨维是什么呢"]
)
async def test_the_name_is_understood_as_recognisers_write_it(shipped: Index, heard: str) -> None:
    best = (await shipped.search(heard))[0]
    assert (best.entry.id, best.score >= ANSWER) == ("what-is-visavis", True)


async def test_punctuation_and_case_do_not_matter(shipped: Index) -> None:
    scores = [(await shipped.search(t))[0].score for t in ("Is it free?", "is it free", "IS IT, FREE!", "is  it free.")]
    assert scores == pytest.approx([scores[0]] * 4)


@pytest.mark.parametrize(("text", "language"), [("what is the capital of france", "en"), ("怎么做红烧肉", "zh")])
async def test_it_admits_not_to_know(shipped: Index, text: str, language: str) -> None:
    (sentence,) = await ask(stored(shipped), text, language)
    assert sentence.purpose == "unknown"
    assert sentence.language == language
    assert ("don't know" if language == "en" else "不知道") in sentence.text


@pytest.mark.parametrize("text", ["", "  ", "...", "？！"])
async def test_nothing_heard_is_said_so(shipped: Index, text: str) -> None:
    (sentence,) = await ask(stored(shipped), text)
    assert sentence.purpose == "unknown"
    assert "catch" in sentence.text


CITY = """
format: visavis-knowledge
version: 1
entries:
  - id: bus
    questions: {en: [How do I reach the museum by bus], zh: [坐公交车怎么去博物馆]}
    answers: {en: Take line nine. Get off at the museum., zh: 请坐九路车，在博物馆站下车。}
  - id: car
    questions: {en: [How do I reach the museum by car], zh: [开车怎么去博物馆]}
    answers: {en: Follow the ring road., zh: 请沿环路行驶。}
  - id: printer
    keywords: [MX-200]
    questions: {en: [The device does not start], zh: [设备无法启动]}
    answers: {en: Press the red button., zh: 请按红色按钮。}
"""


@pytest.fixture
def city(tmp_path: Path, encoder: Encoder) -> Index:
    path = tmp_path / "city.yaml"
    path.write_text(CITY, encoding="utf-8")
    return Index(load([path]), encoder)


@pytest.mark.parametrize(
    ("reply", "wanted"),
    [("Yes.", 0), ("the first one", 0), ("The second one, please.", 1), ("second", 1), ("no", None)],
)
async def test_it_asks_which_was_meant_and_understands_the_reply(city: Index, reply: str, wanted: int | None) -> None:
    dialogue = StoredAnswers(city, 0.97, 0.3)
    (question,) = await ask(dialogue, "how can i get to the museum")
    assert question.purpose == "clarify"
    order = [hit.entry for hit in (await city.search("how can i get to the museum"))[:2]]
    assert {each.id for each in order} == {"bus", "car"}
    assert all(each.questions["en"][0] in question.text for each in order)
    assert question.text.index(order[0].questions["en"][0]) < question.text.index(order[1].questions["en"][0])
    answer = await ask(dialogue, reply)
    if wanted is None:
        assert answer[0].purpose == "clarify"
        assert "other words" in answer[0].text
    else:
        assert (spoken(answer), answer[0].purpose) == (order[wanted].answers["en"], "answer")


@pytest.mark.parametrize(("reply", "wanted"), [("是的。", 0), ("第一个", 0), ("第二个吧", 1)])
async def test_it_asks_in_chinese(city: Index, reply: str, wanted: int) -> None:
    dialogue = StoredAnswers(city, 0.97, 0.3)
    (question,) = await ask(dialogue, "去博物馆要怎么走", "zh")
    assert question.text.startswith("您是想问")
    order = [hit.entry for hit in (await city.search("去博物馆要怎么走"))[:2]]
    assert spoken(await ask(dialogue, reply, "zh")) == order[wanted].answers["zh"]


async def test_a_new_question_after_asking_back_is_a_new_question(city: Index) -> None:
    dialogue = StoredAnswers(city, 0.9, 0.3)
    await ask(dialogue, "how can i get to the museum")
    assert spoken(await ask(dialogue, "the device does not start")) == "Press the red button."
    assert (await ask(dialogue, "yes"))[0].text != "Take line nine."  # the offer is over


async def test_an_exact_code_lifts_its_entry(city: Index) -> None:
    with_code = {h.entry.id: h.score for h in await city.search("what about the mx-200")}
    other_code = {h.entry.id: h.score for h in await city.search("what about the mx-2001")}
    assert with_code["printer"] > other_code["printer"] + 0.04


async def test_sentences_leave_one_by_one(city: Index) -> None:
    sentences = await ask(StoredAnswers(city, 0.5, 0.4), "how do i reach the museum by bus")
    assert [s.text for s in sentences] == ["Take line nine.", "Get off at the museum."]


def test_thresholds_in_the_wrong_order_are_refused(city: Index) -> None:
    with pytest.raises(ValueError, match="above"):
        StoredAnswers(city, 0.4, 0.5)


@pytest.mark.parametrize(
    ("reply", "options", "wanted"),
    [
        ("Yes, the second one", 2, 1),
        ("the second one", 1, None),
        ("number one", 2, 0),
        ("No.", 2, -1),
        ("都不是", 2, -1),
        ("对的", 2, 0),
        ("我是说第二个", 2, 1),
        ("yes but what does it cost", 2, None),
        ("第一次来怎么走", 2, None),
    ],
)
def test_replies(reply: str, options: int, wanted: int | None) -> None:
    assert choice(reply, options) == wanted


def test_aliases_are_whole_words() -> None:
    normaliser = Normaliser({"visa v": "visavis", "微萨维": "visavis"})
    assert normaliser.question("What is VISA V?") == "what is visavis?"
    assert normaliser.question("a visa voucher") == "a visa voucher?"
    assert normaliser.question("微萨维好吗？") == "visavis好吗？"


def test_the_encoder_serves_threads(encoder: Encoder) -> None:
    from concurrent.futures import ThreadPoolExecutor

    texts = [f"question number {k}" for k in range(12)]
    alone = [encoder.encode([text])[0] for text in texts]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda text: encoder.encode([text])[0], texts))
    for a, b in zip(alone, together, strict=True):
        assert float(a @ b) == pytest.approx(1.0, abs=1e-4)
    assert encoder.encode([]).shape == (0, 512)


async def test_the_factory_shares_indexes_and_notices_new_versions(tmp_path: Path, encoder: Encoder) -> None:
    factory = DialogueFactory(ANSWER, CLARIFY, UrlPolicy(), encoder)
    path = tmp_path / "city.yaml"
    path.write_text(CITY, encoding="utf-8")
    first, second = await asyncio.gather(factory.index([path]), factory.index([path]))
    assert first is second
    path.write_text(CITY.replace("Press the red button.", "Press the green button."), encoding="utf-8")
    dialogue = await factory.create(knowledge=[path])
    assert isinstance(dialogue, StoredAnswers)
    assert spoken(await ask(dialogue, "the device does not start")) == "Press the green button."
    with pytest.raises(KnowledgeError, match=r"gone\.yaml"):
        await factory.create(knowledge=[tmp_path / "gone.yaml"])
    with pytest.raises(UnknownDialogue, match="parrot"):
        await factory.create(engine="parrot")


async def test_plugins_come_by_entry_point(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encoder: Encoder) -> None:
    package = tmp_path / "parrot-1.0.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: parrot\nVersion: 1.0\n")
    (package / "entry_points.txt").write_text("[visavis.dialogues]\nparrot = parrot_plugin:build\n")
    (tmp_path / "parrot_plugin.py").write_text(
        "from dialogue_fakes import FakeDialogue\ndef build(context):\n    return FakeDialogue(lambda t: [t.text])\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    dialogue = await DialogueFactory(ANSWER, CLARIFY, UrlPolicy(), encoder).create(engine="parrot")
    assert [s.text async for s in dialogue.answer(Turn("polly", "en"))] == ["polly"]
