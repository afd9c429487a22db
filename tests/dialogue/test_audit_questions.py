"""The question audit: what is refused, what is not, and what happens when nobody can tell."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import structlog
from aiohttp import web
from dialogue_fakes import FakeDialogue
from listening import listening

from visavis.dialogue import phrases
from visavis.dialogue.audit.audited import Audited, Auditor, AuditSettings
from visavis.dialogue.audit.model import Moderator
from visavis.dialogue.audit.words import WordList, WordListError, load
from visavis.dialogue.installed import NotInstalledError
from visavis.dialogue.types import Sentence, Turn
from visavis.urlpolicy import OPERATORS

LIST = WordList(["dragon", "class war", "café", "违禁词", "e-bomb"])


@pytest.mark.parametrize(
    "text",
    [
        "Tell me about the DRAGON.",
        "d r a g o n please",
        "d.r.a.g.o.n",
        "ｄｒａｇｏｎ",
        "the class  war",
        "Class-war!",
        "a Cafe",
        "请说违禁词吧",
        "违 禁 词",
        "违。禁-词",
        "what about 违禁词",
        "an e-bomb",
        "dra\u200bgon",
    ],
)
def test_words_are_found_however_they_are_written(text: str) -> None:
    assert LIST.finds(text)


@pytest.mark.parametrize(
    "text", ["dragonfly", "a class, a war? no: class of war", "违法禁止", "", "…", "I a m fine", "禁词"]
)
def test_other_words_are_not(text: str) -> None:
    assert LIST.finds(text) == ""


def test_lists_are_files_by_language(tmp_path: Path) -> None:
    (tmp_path / "en.txt").write_text("# ours\n\ndragon\n", "utf-8")
    (tmp_path / "zh.txt").write_bytes("\ufeff违禁词\r\n".encode())
    words = load({"en": tmp_path / "en.txt", "zh": tmp_path / "zh.txt"})
    assert len(words) == 2
    assert words.finds("违禁词 dragon")
    with pytest.raises(WordListError, match=r"gone\.txt"):
        load({"en": tmp_path / "gone.txt"})


async def heard(audited: Audited, text: str, language: Any = "en", **more: Any) -> list[Sentence]:
    return [one async for one in audited.answer(Turn(text, language, **more))]


def auditor(tmp_path: Path, moderator: Moderator | None = None, **more: Any) -> Auditor:
    path = tmp_path / "words.txt"
    path.write_text("dragon\n违禁词\n", "utf-8")
    return Auditor(AuditSettings({"en": path}, moderator, **more), OPERATORS)


@pytest.mark.parametrize(("text", "language"), [("a dragon?", "en"), ("违禁词？", "zh")])
async def test_a_refused_question_reaches_no_engine(tmp_path: Path, text: str, language: Any) -> None:
    engine = FakeDialogue()
    audited = Audited(engine, auditor(tmp_path))
    with structlog.testing.capture_logs() as logs:
        for speculative in (True, False):
            (one,) = await heard(audited, text, language, speculative=speculative)
            assert (one.text, one.purpose, one.language) == (phrases.REFUSED[language], "refused", language)
    assert engine.turns == []
    assert text not in json.dumps(logs, ensure_ascii=False)
    assert (await heard(audited, "a cat"))[0].text == "You said a cat."
    await audited.aclose()
    assert engine.closed


class Moderation:
    """An endpoint that answers in the form of OpenAI's moderations."""

    def __init__(self, flags: Callable[[str], bool], status: int = 200) -> None:
        self.asked: list[tuple[dict[str, Any], str]] = []
        self.flags, self.status = flags, status
        self.held: asyncio.Event | None = None

    async def serve(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.asked.append((body, request.headers["Authorization"]))
        if self.held is not None:
            await self.held.wait()
        flagged = self.flags(body["input"])
        result = {"flagged": flagged, "categories": {"violence": flagged, "hate": False}, "category_scores": {}}
        return web.json_response({"id": "m", "model": "m", "results": [result]}, status=self.status)


async def test_a_model_judges_what_the_list_lets_through(tmp_path: Path) -> None:
    server, engine = Moderation(lambda text: "fight" in text), FakeDialogue()
    async with listening(server.serve) as url:
        judge = auditor(tmp_path, Moderator(f"{url}/v1", "m", "k"))
        audited = Audited(engine, judge)
        assert (await heard(audited, "a dragon"))[0].purpose == "refused"
        assert server.asked == [], "the list had decided"
        assert (await heard(audited, "a fight"))[0].purpose == "refused"
        for speculative in (True, False):
            assert (await heard(audited, "a cat", speculative=speculative))[0].text == "You said a cat."
        await judge.aclose()
    assert server.asked == [({"input": text, "model": "m"}, "Bearer k") for text in ("a fight", "a cat")]


async def test_what_is_shown_and_what_is_answered_are_judged_once(tmp_path: Path) -> None:
    server = Moderation(lambda text: "fight" in text)
    async with listening(server.serve) as url:
        judge = auditor(tmp_path, Moderator(f"{url}/v1", "m", "k"))
        audited = Audited(FakeDialogue(), judge)
        for text, fine in (("a cat", True), ("a fight", False), ("a dragon", False)):
            shown, said = await asyncio.gather(audited.admits(text, "en"), heard(audited, text))
            assert (shown, said[0].purpose == "refused") == (fine, not fine)
        await audited.aclose()
        await judge.aclose()
    assert [body["input"] for body, _ in server.asked] == ["a cat", "a fight"]


@pytest.mark.parametrize("trouble", ["slow", "broken", "away"])
@pytest.mark.parametrize("fail_open", [True, False])
async def test_without_a_judgement_the_setting_decides(tmp_path: Path, trouble: str, fail_open: bool) -> None:
    server, engine = Moderation(lambda _: False, 500 if trouble == "broken" else 200), FakeDialogue()
    server.held = asyncio.Event() if trouble == "slow" else None
    async with listening(server.serve) as url:
        address = "http://127.0.0.1:9/v1" if trouble == "away" else f"{url}/v1"
        judge = auditor(tmp_path, Moderator(address, "", "k"), wait_s=0.3, open=fail_open)
        audited = Audited(engine, judge)
        (one,) = await heard(audited, "a cat")
        assert await audited.admits("a cat", "en") is fail_open, (
            "what nobody judged is not shown, unless it is answered"
        )
        if server.held is not None:
            server.held.set()
        await judge.aclose()
    if fail_open:
        assert one.text == "You said a cat."
    else:
        assert (one.text, one.purpose, engine.turns) == (phrases.FAILED["en"], "error", [])


async def test_an_audit_of_ones_own_comes_by_entry_point(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "judge-1.0.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: judge\nVersion: 1.0\n")
    (package / "entry_points.txt").write_text("[visavis.audits]\nshort = judge_plugin:Short\n")
    (tmp_path / "judge_plugin.py").write_text(
        "class Short:\n"
        "    async def check(self, text, language):\n        return 'long' if len(text) > 9 else None\n"
        "    async def aclose(self):\n        pass\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    audited = Audited(FakeDialogue(), Auditor(AuditSettings({}, plugin="short"), OPERATORS))
    assert (await heard(audited, "a long question"))[0].purpose == "refused"
    assert (await heard(audited, "short"))[0].purpose == "answer"
    with pytest.raises(NotInstalledError, match="tall"):
        Auditor(AuditSettings({}, plugin="tall"), OPERATORS)
