"""Knowledge libraries in conversation: from a worker's files to passages, sentences, and what they are cited as."""

from __future__ import annotations

import asyncio
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import structlog

from visavis.dialogue.assistant.citations import cited
from visavis.dialogue.assistant.libraries import Libraries, LibraryFile
from visavis.dialogue.assistant.types import Passage
from visavis.dialogue.documents.extract import fitting
from visavis.dialogue.documents.reading import read
from visavis.dialogue.documents.segmenting import Rule, segments
from visavis.dialogue.encoder import Encoder
from visavis.dialogue.knowledge import vectors as kept
from visavis.dialogue.knowledge.library import packed

VISITS = [
    {"text": "We open at nine and close at five.", "question": "When are you open?", "similar": ["Opening hours?"]},
    {"text": "A ticket costs twelve euros.", "question": "How much is a ticket?"},
]
GUIDE = """# Visiting
The museum has three floors. Dogs must stay outside. The café on the roof serves lunch until three o'clock.

# Tours
Guided tours start every day at eleven at the main entrance. They last ninety minutes and are free of charge.
"""
CHINESE = """# 参观
博物馆一共有三层楼。狗不能带进馆内。屋顶的咖啡厅供应午餐到下午三点。

# 导览
每天上午十一点在正门有免费导览。全程大约九十分钟。
"""


def document(text: str, name: str) -> list[dict[str, Any]]:
    found = segments(read("md", text.encode()), Rule(120), None)
    return [{"text": one.text, "title": one.title, "file": name, "number": n} for n, one in enumerate(found, 1)]


def written(path: Path, name: str, items: list[dict[str, Any]]) -> LibraryFile:
    path.write_bytes(packed(name, items))
    return LibraryFile(str(path), name, least=0.35, count=3)


async def test_a_conversation_recalls_from_all_libraries_of_its_language(tmp_path: Path, encoder: Encoder) -> None:
    libraries = Libraries(encoder, wait_s=60)
    library = await libraries.open(
        {
            "en": [
                written(tmp_path / "qa.json", "Visitors", VISITS),
                written(tmp_path / "doc.json", "Guide", document(GUIDE, "guide.md")),
            ],
            "zh": [written(tmp_path / "zh.json", "指南", document(CHINESE, "guide-zh.md"))],
        }
    )
    (first, *_) = await library.search("what are your opening hours", "en", 5)
    assert (first.question, first.text) == ("When are you open?", "We open at nine and close at five.")
    assert first.source == "Visitors / When are you open?"
    assert first.score > 0.7
    (tour, *_) = await library.search("is there a guided tour", "en", 5)
    assert tour.question == ""
    assert tour.source.startswith("Guide / guide.md #")
    assert "Tours" in tour.source
    (han, *_) = await library.search("有没有导览", "zh", 5)
    assert "免费导览" in han.text
    assert han.source.startswith("指南 / guide-zh.md #")
    assert await library.search("how do volcanoes form", "en", 5) == []
    assert await library.search("…", "en", 5) == []


async def test_a_language_without_libraries_is_answered_from_the_others(tmp_path: Path, encoder: Encoder) -> None:
    library = await Libraries(encoder, wait_s=60).open({"en": [written(tmp_path / "qa.json", "Visitors", VISITS)]})
    (first, *_) = await library.search("门票多少钱？", "zh", 3)
    assert first.text == "A ticket costs twelve euros."


@pytest.mark.parametrize(
    ("text", "question", "language", "wanted", "unwanted"),
    [
        (GUIDE.split("# Tours")[0], "where can I have lunch", "en", "café", "Dogs"),
        (GUIDE.split("# Tours")[0], "may I bring my dog", "en", "Dogs must stay outside.", "floors"),
        (CHINESE.split("# 导览")[0], "在哪里吃午饭", "zh", "咖啡厅", "三层楼"),
    ],
)
async def test_without_a_model_the_fitting_sentence_is_read_out(
    encoder: Encoder, text: str, question: str, language: Any, wanted: str, unwanted: str
) -> None:
    told = await fitting(text.partition("\n")[2], question, language, encoder)
    assert wanted in told
    assert unwanted not in told
    assert len(told) < 200


async def test_nothing_is_read_out_of_what_cannot_be_spoken(encoder: Encoder) -> None:
    assert await fitting("--- ***\n|||", "what", "en", encoder) == ""


async def test_a_changed_library_is_another_one_and_the_old_is_kept(tmp_path: Path, encoder: Encoder) -> None:
    libraries = Libraries(encoder, wait_s=60)
    file = written(tmp_path / "qa.json", "Visitors", VISITS)
    before = await libraries.open({"en": [file]})
    assert (await before.search("how much is a ticket", "en", 1))[0].text == "A ticket costs twelve euros."
    dearer = [VISITS[0], {**VISITS[1], "text": "A ticket costs fifteen euros now."}]
    after = await libraries.open({"en": [written(tmp_path / "qa.json", "Visitors", dearer)]})
    assert (await after.search("how much is a ticket", "en", 1))[0].text == "A ticket costs fifteen euros now."
    assert (await before.search("how much is a ticket", "en", 1))[0].text == "A ticket costs twelve euros."
    again = await libraries.open({"en": [file]})
    shelves: Any = (after, again)
    assert shelves[0]._books["en"][0].ready is shelves[1]._books["en"][0].ready, "the same version is opened once"


async def test_a_damaged_or_late_library_leaves_the_others(tmp_path: Path, encoder: Encoder) -> None:
    good = written(tmp_path / "qa.json", "Visitors", VISITS)
    (tmp_path / "bad.json").write_text('{"format": "else"}')
    files = [LibraryFile(str(tmp_path / "bad.json")), LibraryFile(str(tmp_path / "gone.json")), good]
    with structlog.testing.capture_logs() as logs:
        library = await Libraries(encoder, wait_s=60).open({"en": files})
        assert len(await library.search("how much is a ticket", "en", 1)) == 1
    assert {one["file"] for one in logs if one["log_level"] == "error"} == {"bad.json", "gone.json"}
    held = Libraries(encoder, wait_s=0.05)
    await held._building.acquire()  # another library is being made ready
    late = await held.open({"en": [good]})
    assert await late.search("how much is a ticket", "en", 1) == [], "a question does not wait for long"
    held._building.release()
    await asyncio.gather(*held._opened.values())
    assert len(await late.search("how much is a ticket", "en", 1)) == 1


async def test_many_texts_are_encoded_by_a_quiet_process_and_kept(
    tmp_path: Path, encoder: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = [f"question number {number}?" for number in range(100)]
    file = tmp_path / "big.json"
    rows = await asyncio.to_thread(kept.vectors, texts, file, encoder)
    assert rows.shape == (100, Encoder.DIMENSIONS)
    assert float(rows[7] @ encoder.encode([texts[7]])[0]) == pytest.approx(1.0, abs=2e-3)

    def never(*_: Any, **__: Any) -> Any:
        raise AssertionError("encoded again")

    monkeypatch.setattr(subprocess, "run", never)
    changed = [*texts[:90], "is it new?"]
    assert kept.vectors(changed, file, encoder).shape == (91, Encoder.DIMENSIONS)
    (tmp_path / "big.vectors.npz").write_bytes(b"damaged")
    assert kept.vectors(texts[:3], file, encoder).shape == (3, Encoder.DIMENSIONS)


PASSAGES = [Passage("…", "guide.md #1", 0.6), Passage("…", "faq / Price", 0.5), Passage("…", "guide.md #4", 0.5)]


@pytest.mark.parametrize(
    ("text", "spoken", "source"),
    [
        ("We open at nine [1].", "We open at nine.", "guide.md #1"),
        ("We open at nine.[2]", "We open at nine.", "faq / Price"),
        ("Nine [1][3] to five.", "Nine to five.", "guide.md #1; guide.md #4"),
        ("九点开门【2】。", "九点开门。", "faq / Price"),
        ("九点开门［1，3］。", "九点开门。", "guide.md #1; guide.md #4"),
        ("See [^2] there.", "See there.", "faq / Price"),
        ("Nine o'clock [9].", "Nine o'clock.", ""),
        ("[2]", "", "faq / Price"),
        ("Call 1800 [ask] (now).", "Call 1800 [ask] (now).", ""),
    ],
)
def test_marks_are_read_and_never_spoken(text: str, spoken: str, source: str) -> None:
    assert cited(text, PASSAGES) == (spoken, source)


def test_without_passages_nothing_is_a_mark() -> None:
    assert cited("Press [1] twice.", []) == ("Press [1] twice.", "")


def test_the_same_items_make_the_same_file() -> None:
    assert packed("a", iter(VISITS)) == packed("a", VISITS)
    assert json.loads(packed("指南", VISITS))["name"] == "指南"


@pytest.mark.parametrize(
    ("head", "rows"),
    [
        ("question,answer", [("When are you open?", "At nine."), ("Where is the exit?", "Behind you.")]),
        ("编号;问题;答案", [("1;几点开门？", "早上九点。"), ("2;出口在哪里？", "在您身后。")]),
    ],
)
def test_a_table_of_questions_and_answers_is_recalled_row_by_row(head: str, rows: list[tuple[str, str]]) -> None:
    mark = "," if "," in head else ";"
    table = "\n".join([head, *(f"{question}{mark}{answer}" for question, answer in rows), f"{rows[0][0]}{mark}"])
    found = segments(read("csv", table.encode()), Rule(500), None)
    assert [one.text for one in found] == [answer for _, answer in rows]
    assert [one.title for one in found] == [question.rpartition(mark)[2] for question, _ in rows]
