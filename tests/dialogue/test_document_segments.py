"""Documents read and cut: what their text becomes, and that no word is lost."""

from __future__ import annotations

import io
import json
import random
import subprocess
import sys
import zipfile

import pytest

from visavis.dialogue.documents.blocks import Block, DocumentError
from visavis.dialogue.documents.reading import MAX_CHARACTERS, decoded, read, type_of
from visavis.dialogue.documents.recall import segment_wordings
from visavis.dialogue.documents.segmenting import MAX_SEGMENTS, Rule, Segment, cut, segments


def test_plain_text_has_paragraphs_and_chapters() -> None:
    content = "Preface line one\nline two\n\nChapter 1: Hours\nWe open at nine.\n\n第二章 门票\n成人票八十元。\n"
    assert read("txt", content.encode()) == [
        Block("Preface line one\nline two"),
        Block("Chapter 1: Hours", 1),
        Block("We open at nine."),
        Block("第二章 门票", 1),
        Block("成人票八十元。"),
    ]
    assert read("txt", "one\ntwo".encode("utf-16")) == [Block("one"), Block("two")]


def test_markdown_loses_its_markup_but_no_words() -> None:
    content = """---
title: not text
---
Hours
=====
We **open** at [nine](https://x.example), `daily`, in snake_case_names.

- one
- *two*

```python
# no heading
a = 1
```
## Way ##
| a | b |
|---|---|
| 1 | 2 |
"""
    assert read("md", content.encode()) == [
        Block("Hours", 1),
        Block("We open at nine, daily, in snake_case_names."),
        Block("- one\n- two"),
        Block("# no heading\na = 1"),
        Block("Way", 2),
        Block("| a | b |\n| 1 | 2 |"),
    ]


def test_html_is_what_a_reader_sees() -> None:
    content = (
        "<html><head><title>x</title><style>p{}</style></head><body><h1>Opening <b>hours</b></h1><p>At&nbsp;nine &amp;"
        "\n  ten<br>daily</p><script>alert('no')</script><ul><li>one<li>two</ul>"
        "<table><tr><th>Day<td>Hour</tr><tr><td>Mon</td><td> 9 </td></tr></table><pre>a\n  b</pre>tail"
    )
    assert read("html", content.encode()) == [
        Block("Opening hours", 1),
        Block("At nine & ten\ndaily"),
        Block("one"),
        Block("two"),
        Block("Day | Hour"),
        Block("Mon | 9"),
        Block("a\n  b"),
        Block("tail"),
    ]


def test_rows_of_a_table_tell_their_columns() -> None:
    assert read("csv", "名称;价格\n成人;80\n学生;\n".encode("gb18030")) == [
        Block("名称: 成人\n价格: 80"),
        Block("名称: 学生"),
    ]


@pytest.mark.parametrize(
    ("file_type", "content"),
    [
        ("txt", b"\x00\x01binary"),
        ("txt", b"\xff\xfe\x00"),
        ("md", b"  \n\n"),
        ("html", b"<style>p{}</style>"),
        ("docx", b"not an archive"),
        ("txt", b"x" * (MAX_CHARACTERS + 1)),
    ],
)
def test_what_is_no_document(file_type: str, content: bytes) -> None:
    with pytest.raises(DocumentError):
        read(file_type, content)


def test_entities_in_word_files_are_refused() -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("word/document.xml", '<!DOCTYPE d [<!ENTITY a "aaaa">]><d>&a;</d>')
    with pytest.raises(DocumentError, match="entities"):
        read("docx", packed.getvalue())


def test_types_go_by_the_extension() -> None:
    assert (type_of("A.B.MD"), type_of("x.htm")) == ("md", "htm")
    for name in ("x.doc", "md", "x.", ""):
        with pytest.raises(DocumentError, match="docx"):
            type_of(name)


def test_characters_are_read_as_they_were_written() -> None:
    for encoding in ("utf-8", "utf-8-sig", "gb18030", "utf-16"):
        assert decoded("第一行\r\n第二行".encode(encoding)) == "第一行\n第二行"
    assert decoded('<meta charset="big5">開放'.encode("big5"), html=True).endswith("開放")


def test_headings_begin_segments_and_are_their_titles() -> None:
    blocks = [Block("A", 1), Block("B", 2), Block("one"), Block("two"), Block("C", 2), Block("D", 1), Block("three")]
    assert segments(blocks, Rule()) == [
        Segment("A / B", "one\ntwo"),
        Segment("A / C", "C"),
        Segment("D", "three"),
    ]
    assert segments(blocks, Rule(by_title=False), most=1) == [Segment("", "A\nB\none\ntwo\nC\nD\nthree")]


def test_long_text_is_cut_between_sentences() -> None:
    text = "The first sentence is here. The second one is longer than that. Third."
    assert list(cut(text, 40)) == ["The first sentence is here.", "The second one is longer than that.", "Third."]
    assert list(cut("第一句话在这里。第二句话也在这里！第三句", 12)) == ["第一句话在这里。", "第二句话也在这里！第三句"]
    assert list(cut("x" * 25, 10)) == ["x" * 10, "x" * 10, "x" * 5]


def test_too_many_segments_are_refused() -> None:
    blocks = [Block("one. " * (MAX_SEGMENTS + 1))]
    with pytest.raises(DocumentError, match="segments"):
        segments(blocks, Rule(separators=(".",)))


@pytest.mark.parametrize("seed", range(300))
def test_no_word_is_lost_and_no_segment_too_long(seed: int) -> None:
    dice = random.Random(seed)
    texts = ["".join(dice.choices("ab .。\n，", k=dice.randint(1, 90))) for _ in range(dice.randint(1, 12))]
    blocks = [Block(text, dice.choice([0, 0, 0, 1, 2, 3])) for text in texts if text.strip()] or [Block("a")]
    separators = tuple(dice.sample(["\n", "。", "a", "ab"], dice.randint(0, 3)))
    rule = Rule(dice.randint(10, 60), dice.random() < 0.5, separators)
    found = segments(blocks, rule)
    assert all(one.text.strip() and len(one.text) <= rule.size for one in found)
    said = "".join("".join(one.text for one in found).split())
    if not rule.by_title:
        assert said == "".join("".join(block.text for block in blocks).split())
    else:
        body = "".join("".join(block.text for block in blocks if not block.level).split())
        rest = iter(said)
        assert all(character in rest for character in body), "in the document's order"


def test_a_segment_is_found_by_its_title_its_sentences_and_itself() -> None:
    assert segment_wordings("Hours", "Open at nine. Closed on Mondays.") == (
        "Hours",
        "Hours Open at nine. Closed on Mondays.",
        "Open at nine.",
        "Closed on Mondays.",
    )
    assert segment_wordings("", "---") == ("---",)


def test_the_reading_process_answers_in_json() -> None:
    asked = {"type": "md", "size": 100, "by_title": True, "separators": [], "most": None}
    for content, answer in ((b"# A\n\nb", {"segments": [["A", "b"]]}), (b"", {"error": "there is no text in it"})):
        ended = subprocess.run(
            [sys.executable, "-P", "-m", "visavis.dialogue.documents", json.dumps(asked)],
            input=content,
            capture_output=True,
            check=True,
        )
        assert json.loads(ended.stdout) == answer
