"""Words on the page: subtitles that appear with the sound, what is being said, and questions to be asked with one tap."""

from __future__ import annotations

import pytest
from page_server import FakeServer
from page_visitor import Visitor, boxes, until
from playwright.async_api import Page, expect
from test_page_talk import lines

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

SHOWN = "(() => { const p = document.querySelector('#subtitle p'); return p.firstChild.data })()"
QUESTIONS = {"EN": ["What can you do?", "Who made you?"], "CN": ["你会做什么？"]}


def word(server: FakeServer, text: str, pts: float = 0.0) -> None:
    server.say("bot-tts-text", text=text, chat_id="c", pts=pts)


async def begin(page: Page, server: FakeServer, text: str, language: str = "EN") -> None:
    server.say("bot-output", text=text, spoken=True, aggregated_by="sentence")
    server.event("subtitle", text=text, language=language, chat_id="c", pts=1.0, words=True)
    await page.wait_for_selector("#subtitle:not([hidden])")


async def test_a_subtitle_appears_word_by_word_where_it_will_stand(visitor: Visitor, server: FakeServer) -> None:
    page = await visitor.talk()
    await begin(page, server, "We open at nine, at nine sharp.")
    assert await page.evaluate(SHOWN) == ""
    before = await page.locator("#subtitle p").bounding_box()
    for text in ("We ", "open ", "at ", "nine, ", "at "):
        word(server, text)
    await until(page, f"{SHOWN} === 'We open at nine, at '")
    assert await page.locator("#subtitle p").bounding_box() == before, "the words that stand do not move"
    assert await page.evaluate("getComputedStyle(document.querySelector('#subtitle .unsaid')).visibility") == "hidden"
    word(server, "nine ")
    word(server, "sharp.")
    await until(page, f"{SHOWN} === 'We open at nine, at nine sharp.'")
    assert await lines(page) == [("them", "We open at nine, at nine sharp.")], "the transcript has it once"
    server.event("subtitle", text="", language="", chat_id="", pts=3.0, words=True)
    await page.wait_for_selector("#subtitle", state="hidden")


async def test_chinese_appears_character_by_character(visitor: Visitor, server: FakeServer) -> None:
    page = await visitor.talk()
    await begin(page, server, "我们九点开门。", "CN")
    for text in "我们九":
        word(server, text)
    await until(page, f"{SHOWN} === '我们九'")


async def test_a_word_that_got_lost_is_shown_with_the_next(visitor: Visitor, server: FakeServer) -> None:
    page = await visitor.talk()
    await begin(page, server, "One two three.")
    word(server, "two ")
    await until(page, f"{SHOWN} === 'One two '")


async def test_what_was_not_said_disappears_with_an_interruption(visitor: Visitor, server: FakeServer) -> None:
    page = await visitor.talk()
    await begin(page, server, "One two three four.")
    word(server, "One ")
    await until(page, f"{SHOWN} === 'One '")
    word(server, "two ")  # on its way when the person interrupts
    server.say("bot-interruption", spoken="One")
    await page.wait_for_selector("#subtitle", state="hidden")
    await until(page, "document.querySelector('#transcript .mark')")
    assert await lines(page) == [("them interrupted", "One")]
    server.say("user-transcription", text="Stop.", user_id="u1", final=True)
    await page.wait_for_selector("#transcript li:nth-child(2)")
    assert await page.evaluate("document.querySelector('#subtitle').hidden")


async def test_a_server_that_tells_no_words_shows_the_sentence(visitor: Visitor, server: FakeServer) -> None:
    page = await visitor.talk()
    server.event("subtitle", text="Good morning.", language="EN", chat_id="c", pts=1.0)
    await until(page, f"{SHOWN} === 'Good morning.'")


async def test_what_is_being_said_is_replaced_until_it_is_whole(visitor: Visitor, server: FakeServer) -> None:
    page = await visitor.talk()
    await page.evaluate(
        "visavis.addEventListener('speechRecognized', e => heard.push([e.detail.text, e.detail.isLast]))"
    )
    server.say("user-started-speaking")
    server.say("user-transcription", text="When do", user_id="u1", final=False)
    await page.wait_for_selector("#transcript li")
    assert await page.text_content("#status-text") == "Hearing you"
    server.say("user-transcription", text="When do you", user_id="u1", final=False)
    server.say("user-transcription", text="When do you open?", user_id="u1", final=True)
    server.say("bot-output", text="At nine.", spoken=True, aggregated_by="sentence")
    await page.wait_for_selector("#transcript li:nth-child(2)")
    assert await lines(page) == [("you", "When do you open?"), ("them", "At nine.")]
    assert await page.evaluate("heard") == [["When do", False], ["When do you", False], ["When do you open?", True]]


async def test_what_turns_out_to_be_nothing_leaves_the_transcript(visitor: Visitor, server: FakeServer) -> None:
    page = await visitor.talk()
    server.say("user-transcription", text="Hm", user_id="u1", final=False)
    await page.wait_for_selector("#transcript li")
    server.say("user-transcription", text="", user_id="u1", final=True)
    await page.wait_for_selector("#transcript li", state="detached")


async def test_integrators_are_told_sentences_once(visitor: Visitor, server: FakeServer) -> None:
    page = await visitor.talk()
    await page.evaluate("visavis.addEventListener('semanticRecognized', e => heard.push(e.detail.text))")
    await begin(page, server, "One two.")
    word(server, "One ")
    word(server, "two.")
    await until(page, f"{SHOWN} === 'One two.'")
    assert await page.evaluate("heard") == ["One two."]


# --- hot questions ------------------------------------------------------------------------------------------


async def test_one_tap_asks(visitor: Visitor, server: FakeServer) -> None:
    page = await visitor.talk()
    assert await page.evaluate("document.querySelector('#questions').hidden"), "none, until the server tells some"
    server.event("hotQuestions", questions=QUESTIONS)
    asking = page.get_by_role("group", name="What you may ask").get_by_role("button")
    await expect(asking).to_have_text(QUESTIONS["EN"])
    await asking.first.click()
    assert (await server.heard("send-text"))["data"]["content"] == "What can you do?"
    assert await lines(page) == [("you", "What can you do?")]


async def test_questions_follow_the_conversations_language(visitor: Visitor, server: FakeServer) -> None:
    page = await visitor.talk()
    server.event("hotQuestions", questions=QUESTIONS)
    server.event("languageInfoChange", language="CN")
    await expect(page.locator("#questions button")).to_have_text(QUESTIONS["CN"])
    assert await page.get_attribute("#questions", "lang") == "zh-CN"
    server.event("languageInfoChange", language="EN")
    await expect(page.locator("#questions button")).to_have_text(QUESTIONS["EN"])


async def test_questions_step_back_while_somebody_speaks(visitor: Visitor, server: FakeServer) -> None:
    page = await visitor.talk()
    server.event("hotQuestions", questions=QUESTIONS)
    await page.wait_for_selector("#questions:not([hidden])")
    server.say("bot-started-speaking")
    await page.wait_for_selector("#questions", state="hidden")
    server.say("bot-stopped-speaking")
    await page.wait_for_selector("#questions:not([hidden])")


async def test_questions_are_asked_with_the_keyboard_alone(visitor: Visitor, server: FakeServer) -> None:
    page = await visitor.talk()
    server.event("hotQuestions", questions=QUESTIONS)
    await page.wait_for_selector("#questions:not([hidden])")
    await page.focus("#questions button")
    await page.keyboard.press("Tab")
    assert await page.evaluate("document.activeElement.textContent") == "Who made you?"
    await page.keyboard.press("Enter")
    assert (await server.heard("send-text"))["data"]["content"] == "Who made you?"


@pytest.mark.parametrize("size", [(320, 568), (390, 844), (844, 390), (1440, 900), (1080, 1920)])
async def test_questions_fit_every_screen(visitor: Visitor, server: FakeServer, size: tuple[int, int]) -> None:
    page = await visitor.talk()
    await page.set_viewport_size({"width": size[0], "height": size[1]})
    server.event(
        "hotQuestions", questions={"EN": [f"A rather long question, number {n}, isn't it?" for n in range(12)]}
    )
    await page.wait_for_selector("#questions:not([hidden])")
    box, dock = await boxes(page, "#questions", "#dock")
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= size[0]
    assert box["y"] >= 0
    assert box["y"] + box["height"] <= dock["y"] + 1
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    await page.locator("#questions button").last.scroll_into_view_if_needed()
    await page.locator("#questions button").last.click()
    assert "number 11" in (await server.heard("send-text"))["data"]["content"]
