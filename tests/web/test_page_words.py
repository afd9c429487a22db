"""The page's files: every module loads, every word exists in both languages and is used."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from page_server import WEB, FakeServer
from page_visitor import Visitor

MODULES = sorted(WEB.rglob("*.js"))
# Keys that are put together at run time: prefix and where the rest comes from.
COMPOSED = ("problem.", "state.", "stage.", "ended.", "action.", "detail.", "transcript.", "details.", "dock.")


def used_keys() -> set[str]:
    source = "\n".join(path.read_text() for path in [*MODULES, WEB / "index.html"] if path.parent.name != "i18n")
    return set(re.findall(r"""["'`]([a-z]+\.[A-Za-z.]+)["'`]""", source))


@pytest.mark.parametrize("path", [*MODULES, *WEB.rglob("*.css")], ids=lambda path: path.name)
def test_files_are_small_and_fetch_nothing_from_elsewhere(path: Path) -> None:
    text = path.read_text()
    assert text.count("\n") < 300
    assert not re.search(r"https?://(?!www\.w3\.org|localhost)[a-z]", text)
    assert "eval(" not in text
    assert "innerHTML" not in text
    if path.suffix == ".js":
        assert text.startswith("// @ts-check\n")


def test_the_page_holds_no_inline_script_or_style() -> None:
    html = (WEB / "index.html").read_text()
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|<script(?![^>]*\ssrc=)", html)
    assert re.findall(r"""(?:src|href)="(?!#|web/)([^"]*)""", html) == []


@pytest.mark.browser
@pytest.mark.asyncio(loop_scope="module")
async def test_every_module_parses_and_links(visitor: Visitor, server: FakeServer) -> None:
    page = await visitor.open()
    for path in MODULES:
        await page.evaluate("path => import(path)", f"/web/{path.relative_to(WEB)}")


@pytest.mark.browser
@pytest.mark.asyncio(loop_scope="module")
async def test_every_word_exists_in_both_languages(visitor: Visitor, server: FakeServer) -> None:
    page = await visitor.open()
    en, zh = await page.evaluate(
        "async () => { const {DICTIONARIES: d} = await import('/web/i18n.js'); return [d.en, d.zh] }"
    )
    assert list(en) == list(zh)
    for key in en:
        assert en[key].strip(), key
        assert zh[key].strip(), key
        # The same things to fill in, the same number of points, Chinese in the Chinese one.
        assert sorted(re.findall(r"\{\w+\}", en[key])) == sorted(re.findall(r"\{\w+\}", zh[key])), key
        assert en[key].count("|") == zh[key].count("|"), key
        if key != "page.language":
            assert re.search(r"[\u4e00-\u9fff]", zh[key]), key
            assert key == "page.languageLabel" or not re.search(r"[\u4e00-\u9fff]", en[key]), key
    used = used_keys()
    kinds, states = await page.evaluate(
        "async () => [Object.keys((await import('/web/problems.js')).ACTIONS),"
        " Object.keys((await import('/web/machine.js')).TABLE)]"
    )
    actions = {"retry", "text", "signin", "code", "restart", "sound", "dismiss"}
    needed = {key for key in used if key.split(".")[0] in {each.split(".")[0] for each in en}}
    needed -= {"page.addEventListener", "problem.details", "details.map", "details.push", "state.error"}
    needed |= {f"problem.{kind}.{part}" for kind in kinds for part in ("title", "text", "do")}
    needed |= {f"state.{state}" for state in states if state != "live"} | {f"action.{each}" for each in actions}
    assert needed - set(en) == set()
    unused = {key for key in en if key not in needed and not key.startswith(COMPOSED)}
    assert unused == set()


@pytest.mark.browser
@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    ("visitor", "button"),
    [
        ({"locale": "zh-TW"}, "开始对话"),
        ({"locale": "zh-CN"}, "开始对话"),
        ({"locale": "en-GB"}, "Talk"),
        ({"locale": "fr-FR"}, "Talk"),
    ],
    indirect=["visitor"],
)
async def test_language_comes_from_the_browser_and_is_remembered(visitor: Visitor, button: str) -> None:
    page = await visitor.open()
    assert await page.text_content("#talk-text") == button
    await page.click("#language")
    other = await page.text_content("#talk-text")
    assert other != button
    await page.reload()
    assert await page.text_content("#talk-text") == other


@pytest.mark.browser
@pytest.mark.asyncio(loop_scope="module")
async def test_the_table_of_states_leads_everywhere_and_refuses_the_rest(visitor: Visitor) -> None:
    page = await visitor.open()
    table = await page.evaluate("async () => (await import('/web/machine.js')).TABLE")
    reached = {to for row in table.values() for to in row.values()}
    assert reached | {"idle"} == set(table)
    refused = await page.evaluate(
        """async () => { const {TABLE, next} = await import('/web/machine.js');
        const events = [...new Set(Object.values(TABLE).flatMap(row => Object.keys(row)))];
        let count = 0;
        for (const state in TABLE) for (const event of events) {
          try { if (next(state, event) !== TABLE[state][event]) return 'wrong' }
          catch { if (TABLE[state][event]) return 'refused'; count++ }
        }
        const rows = Object.values(TABLE);
        return count === events.length * rows.length - rows.flatMap(Object.keys).length }"""
    )
    assert refused is True
