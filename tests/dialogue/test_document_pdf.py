"""PDF files read: paragraphs, headings, what is on every page, and files that want to do harm."""

from __future__ import annotations

import io
import json
import random
import subprocess
import sys
import zlib
from typing import Any

import pytest
from pdf_maker import pdf

from visavis.dialogue.documents import pdf as reader
from visavis.dialogue.documents.blocks import Block, DocumentError
from visavis.dialogue.documents.reading import read, type_of


def test_lines_become_paragraphs_and_divided_words_whole_ones() -> None:
    pages = [
        [
            "The museum opens at nine in the morn-",
            "ing and closes at five. It is closed on",
            "Mondays and on holidays.",
            "Visitors who come late are asked to wait",
            "in the well-kept garden. Nobody is",
            "turned away.",
            "\u2022 Dogs stay outside.",
            "\u2022 Children are welcome.",
        ]
    ]
    assert read("pdf", pdf(pages)) == [
        Block(
            "The museum opens at nine in the morning and closes at five. It is closed on Mondays and on holidays.",
        ),
        Block("Visitors who come late are asked to wait in the well-kept garden. Nobody is turned away."),
        Block("\u2022 Dogs stay outside."),
        Block("\u2022 Children are welcome."),
    ]


def test_chinese_lines_are_joined_without_blanks() -> None:
    pages = [
        ["博物馆早上九点开门，下午五", "点关门。使用 GPU 的展", "品在二楼。"],
        ["请 不 要 拍 照 ，谢谢。", "第二章 门票", "每张十元。"],
    ]
    assert read("pdf", pdf(pages)) == [
        Block("博物馆早上九点开门，下午五点关门。使用 GPU 的展品在二楼。"),
        Block("请不要拍照，谢谢。"),
        Block("第二章 门票", 1),
        Block("每张十元。"),
    ]


def test_a_paragraph_goes_on_behind_headers_footers_and_page_numbers() -> None:
    bodies = [
        ["A guide that goes from one page to the", "next one stays one paragraph, because"],
        ["the page has an end but the sentence", "has none until here."],
        ["Room 12 is closed in 2024."],
    ]
    pages = [["Museum guide", *body, f"Page {n} of 3", "All rights reserved"] for n, body in enumerate(bodies, 1)]
    assert read("pdf", pdf(pages)) == [
        Block(
            "A guide that goes from one page to the next one stays one paragraph, because the page has an end "
            "but the sentence has none until here."
        ),
        Block("Room 12 is closed in 2024."),
    ]


def test_what_only_looks_like_a_header_stays() -> None:
    chapters = [[f"Chapter {number}", f"It is about number {number * 7}."] for number in range(1, 5)]
    assert [block.level for block in read("pdf", pdf(chapters))] == [1, 0] * 4
    assert [block.text for block in read("pdf", pdf([["Twice"], ["Twice"]]))] == ["Twice Twice"]
    rooms = [[f"Room {number}", "It is closed."] for number in (4, 17, 9, 30)]
    assert "Room 17" in " ".join(block.text for block in read("pdf", pdf(rooms)))


def test_bookmarks_are_headings() -> None:
    pages = [["Opening hours", "We open at nine."], ["Tickets", "They are free."]]
    made = pdf(pages, bookmarks=[("Opening Hours", 0), ("Tickets", 1), ("Nowhere on the page", 1)])
    assert read("pdf", made) == [
        Block("Opening hours", 1),
        Block("We open at nine."),
        Block("Tickets", 1),
        Block("They are free."),
    ]


def test_characters_of_the_font_become_usual_ones() -> None:
    assert read("pdf", pdf([["The o\ufb03ce \u2f42\u5316\u2ed4"]])) == [Block("The office 文化门")]


def test_rows_and_short_lines_stay_apart() -> None:
    pages = [
        ["Monday closed", "Tuesday 9 to 5", "This line is as long as a line of a paragraph is.", "Page 1"],
        ["End", "Page 2"],
    ]
    assert [block.text for block in read("pdf", pdf(pages))] == [
        "Monday closed",
        "Tuesday 9 to 5",
        "This line is as long as a line of a paragraph is. End",
    ]


def encrypted(password: str) -> bytes:
    import pypdf

    writer = pypdf.PdfWriter(clone_from=io.BytesIO(pdf([["Nobody may print this."]])))
    writer.encrypt(password, "owner", algorithm="AES-256")
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def test_what_may_be_read_without_a_password_is_read() -> None:
    assert read("pdf", encrypted("")) == [Block("Nobody may print this.")]
    assert type_of("A.PDF") == "pdf"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (encrypted("secret"), "encrypted"),
        (pdf([[], []]), "pictures, perhaps scanned"),
        (pdf([["no names"]], private=True), "fonts"),
        (b"%PDF-1.7 and nothing else", "no PDF file, or it is damaged"),
        (pdf([["cut off"]])[:700], "no PDF file, or it is damaged"),
        (pdf([["x"]] * (reader.MAX_PAGES + 1)), "2001 pages"),
        (pdf([["x"]]).replace(b"/Kids [", b"/Kids [1 0 R "), "damaged"),
    ],
    ids=["password", "scanned", "private", "nothing", "cut off", "pages", "loop"],
)
def test_what_cannot_be_read_says_why(content: bytes, reason: str) -> None:
    with pytest.raises(DocumentError, match=reason):
        read("pdf", content)


def test_too_many_characters_are_refused() -> None:
    with pytest.raises(DocumentError, match="more than 1000 characters"):
        reader.pdf(pdf([["x" * 100] * 11]), 1000)


def asked(content: bytes) -> dict[str, Any]:
    """The answer of the reading process."""
    wanted = {"type": "pdf", "size": 500, "by_title": True, "separators": [], "most": None}
    ended = subprocess.run(
        [sys.executable, "-P", "-m", "visavis.dialogue.documents", json.dumps(wanted)],
        input=content,
        capture_output=True,
        check=True,
        timeout=60,
    )
    return dict(json.loads(ended.stdout))


def test_a_page_that_unpacks_to_hundreds_of_megabytes_is_refused() -> None:
    bomb = zlib.compress(b"BT " + b" " * 300_000_000)
    assert len(bomb) < 400_000
    assert asked(pdf([["x"]], raw=bomb)) == {"error": "it is too large when unpacked"}


def test_damage_anywhere_is_a_reason_and_never_more() -> None:
    whole = pdf([["The museum opens at nine.", "第二章 门票"]] * 3, bookmarks=[("Hours", 0)])
    dice = random.Random(4)
    read_well = refused = 0
    for _ in range(60):
        broken = bytearray(whole)
        for _ in range(dice.randint(1, 20)):
            broken[dice.randrange(len(broken))] = dice.randrange(256)
        try:
            assert read("pdf", bytes(broken))
            read_well += 1
        except DocumentError:
            refused += 1
    assert read_well > 5
    assert refused > 5
