"""A screen at a fixed place: its activation code, its device, and how it comes back by itself."""

from __future__ import annotations

import re

import pytest
from page_server import FakeServer, Refusal
from page_visitor import ACTIVATION as CODE
from page_visitor import KIOSK, Visitor, boxes, power_cut, until
from playwright.async_api import Page, expect

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

NO_STORAGE = """for (const name of ['localStorage', 'sessionStorage'])
  Object.defineProperty(window, name, { get() { throw new DOMException('no', 'SecurityError') } })"""


async def kept(page: Page) -> str:
    """Everything that the browser keeps of the page for later visits."""
    return str(await page.evaluate("JSON.stringify({...localStorage})"))


# --- the link and the device ------------------------------------------------------------------------------


async def test_a_code_leaves_the_address_and_the_history_at_once(visitor: Visitor, server: FakeServer) -> None:
    for number, code in enumerate((CODE, "C0DE")):
        page = await visitor.open(f"#project=P&room=R&code={code}")
        assert await page.evaluate("location.hash") == "#project=P&room=R"
        assert await page.evaluate("history.length") == 2  # the blank page and this one
        await page.reload()  # before it was used, it is not lost
        await page.click("#talk")
        call = await server.called("session", number + 1)
        assert call.headers["X-Once-Code"] == code
        assert call.body == {"project_id": "P", "room_id": "R"}
        await page.close()


async def test_the_device_keeps_its_name(visitor: Visitor, server: FakeServer) -> None:
    page = await visitor.talk(KIOSK)
    first = (await server.called("session")).headers["X-Device-Id"]
    assert re.fullmatch(r"[\x21-\x7e]{32,128}", first)
    await page.click("#end")
    await page.click("[data-action=restart]")
    assert (await server.called("session", 2)).headers["X-Device-Id"] == first
    page = await power_cut(visitor)
    await page.click("#talk")
    call = await server.called("session", 3)
    assert (call.headers["X-Device-Id"], call.headers["X-Once-Code"]) == (first, CODE)
    assert call.body == {"project_id": "P", "room_id": "R"}


async def test_two_browsers_are_two_devices(visitor: Visitor, server: FakeServer) -> None:
    names = set()
    for number in (1, 2):
        page = await visitor.open(KIOSK)
        await page.evaluate("localStorage.clear()")
        await page.click("#talk")
        names.add((await server.called("session", number)).headers["X-Device-Id"])
        await page.close()
    assert len(names) == 2


async def test_where_nothing_may_be_stored_it_works_for_the_visit(visitor: Visitor, server: FakeServer) -> None:
    await visitor.context.add_init_script(NO_STORAGE)
    page = await visitor.talk(KIOSK)
    assert CODE not in await page.evaluate("location.href")
    await page.click("#end")
    await page.click("[data-action=restart]")
    calls = [await server.called("session", number) for number in (1, 2)]
    assert calls[0].headers["X-Device-Id"] == calls[1].headers["X-Device-Id"]
    assert calls[1].headers["X-Once-Code"] == CODE


async def test_a_token_does_not_name_the_device(visitor: Visitor, server: FakeServer) -> None:
    page = await visitor.open("#project=P&room=R")
    await page.evaluate("visavis.start({project: 'P', room: 'R', token: 'tok', textOnly: true})")
    assert "X-Device-Id" not in (await server.called("session")).headers


async def test_a_link_elsewhere_is_not_answered_with_the_kept_code(visitor: Visitor, server: FakeServer) -> None:
    await visitor.talk(KIOSK)
    page = await power_cut(visitor, "#project=P&room=OTHER")
    await expect(page.locator("#signin")).to_be_visible()
    page = await power_cut(visitor, "#project=P&room=R")
    await expect(page.locator("#talk")).to_be_visible()


async def test_a_one_time_code_is_not_kept(visitor: Visitor, server: FakeServer) -> None:
    page = await visitor.talk()
    assert "C0DE" not in await kept(page)
    assert "C0DE" not in await page.evaluate("JSON.stringify({...sessionStorage})")


async def test_after_a_power_cut_it_waits_for_one_tap_where_sound_wants_one(
    visitor: Visitor, server: FakeServer
) -> None:
    """This browser holds sound back as ordinary ones do; how it comes back where it may: test_page_comeback.py."""
    await visitor.talk(KIOSK)
    await visitor.context.add_init_script(
        """const {play} = HTMLMediaElement.prototype;
        window.refused = [];
        HTMLMediaElement.prototype.play = function () {
          const promise = play.call(this);
          promise.catch((error) => refused.push(error.name));
          return promise }"""
    )
    page = await power_cut(visitor)
    await until(page, "refused.includes('NotAllowedError')")
    assert await page.evaluate("visavis.state") == "idle"
    await expect(page.locator("#talk")).to_have_text("Talk")
    await page.click("#talk")
    await server.heard("client-ready", 2)


# --- refusals ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("refusal", "kind", "english", "chinese", "actions"),
    [
        (Refusal(401, "MSS.47010043"), "activeFailed", "may not use this activation", "不能使用此激活码", ["code", "signin"]),
        (Refusal(429, "MSS.47010044", wait=300), "activeLocked", "locked for a while", "暂时被锁定", ["retry"]),
        (Refusal(401, "MSS.47010045"), "activeExpired", "has expired", "激活码已过期", ["retry", "signin"]),
        (Refusal(401, "MSS.47010046"), "codeExpired", "used up", "此链接已失效", ["code", "signin"]),
        (Refusal(429, "MSS.47010047", wait=61), "codeLocked", "Too many wrong links", "错误的链接尝试过多", ["retry"]),
    ],
    ids=lambda value: value.code if isinstance(value, Refusal) else "",
)  # fmt: skip
async def test_a_refusal_says_why_and_what_to_do(
    visitor: Visitor, server: FakeServer, refusal: Refusal, kind: str, english: str, chinese: str, actions: list[str]
) -> None:
    visitor.expect_refusals = True
    server.script.refuse["session"] = refusal
    page = await visitor.open(KIOSK)
    await page.click("#talk")
    message = page.locator("#message")
    await expect(message).to_have_attribute("data-kind", kind)
    await expect(page.locator("#message-title")).to_contain_text(english)
    await expect(page.locator("#message-title")).to_be_focused()
    assert await page.locator("#message-do li").count() >= 1
    assert await page.eval_on_selector_all("[data-action]", "all => all.map(e => e.dataset.action)") == actions
    again = page.locator("#message-again")
    if refusal.wait:
        await expect(again).to_have_text(
            re.compile(r"You can try again in (4:59|5:00)\." if refusal.wait == 300 else r"again in (1:01|1:00)\.")
        )
    else:
        await expect(again).to_be_hidden()
    assert await page.locator("[role=alert] #message-again").count() == 0  # not read out every second
    await page.click("#language")
    await expect(message).to_contain_text(chinese)
    if refusal.wait:
        await expect(again).to_contain_text("后可以重试")


async def test_a_lock_that_is_over_says_so(visitor: Visitor, server: FakeServer) -> None:
    visitor.expect_refusals = True
    server.script.refuse["session"] = Refusal(429, "MSS.47010044", wait=1)
    page = await visitor.open(KIOSK)
    await page.click("#talk")
    await expect(page.locator("#message-again")).to_have_text("You can try again now.")
    await expect(page.locator("#announce")).to_have_text("You can try again now.")  # once, for those who listen
    server.script.refuse.clear()
    await page.click("[data-action=retry]")
    await server.heard("client-ready")


async def test_a_code_that_failed_is_forgotten_and_one_that_expired_is_not(
    visitor: Visitor, server: FakeServer
) -> None:
    visitor.expect_refusals = True
    page = await visitor.talk(KIOSK)
    await page.click("#end")
    server.script.refuse["session"] = Refusal(401, "MSS.47010045")
    await page.click("[data-action=restart]")
    await expect(page.locator("#message")).to_have_attribute("data-kind", "activeExpired")
    assert CODE in await kept(page)
    server.script.refuse["session"] = Refusal(401, "MSS.47010043")
    await page.click("[data-action=retry]")
    await expect(page.locator("#message")).to_have_attribute("data-kind", "activeFailed")
    assert CODE not in await kept(page)
    await page.reload()
    await expect(page.locator("#signin")).to_be_visible()


async def test_a_new_link_in_the_same_tab_is_taken(visitor: Visitor, server: FakeServer) -> None:
    visitor.expect_refusals = True
    server.script.refuse["session"] = Refusal(401, "MSS.47010043")
    page = await visitor.open(KIOSK)
    await page.click("#talk")
    await expect(page.locator("#message")).to_have_attribute("data-kind", "activeFailed")
    server.script.refuse.clear()
    other = CODE.replace("7", "8")
    await page.evaluate("hash => location.hash = hash", f"#project=P&room=R&code={other}")
    await page.click("#talk")
    await server.heard("client-ready")
    assert (await server.called("session", 2)).headers["X-Once-Code"] == other
    assert await page.evaluate("location.hash") == "#project=P&room=R"


async def test_a_link_that_comes_during_a_conversation_waits_for_its_end(visitor: Visitor, server: FakeServer) -> None:
    page = await visitor.talk(KIOSK)
    other = CODE.replace("7", "8")
    await page.evaluate("hash => location.hash = hash", f"#project=P&room=R2&code={other}")
    await until(page, "location.hash === '#project=P&room=R2'")
    assert await page.evaluate("visavis.state") == "live"
    await page.click("#end")
    await page.click("[data-action=restart]")
    call = await server.called("session", 2)
    assert (call.headers["X-Once-Code"], call.body["room_id"]) == (other, "R2")


async def test_a_code_is_typed_with_the_keyboard_alone(visitor: Visitor, server: FakeServer) -> None:
    page = await visitor.open("#project=P&room=R")
    summary = page.locator("#code-card summary")
    await summary.focus()
    await page.keyboard.press("Enter")
    await page.keyboard.press("Tab")
    await expect(page.locator("#active-code")).to_be_focused()
    await page.keyboard.type("7k2qm 0xr4b")
    await page.keyboard.press("Enter")
    await expect(page.locator("#code-error")).to_contain_text("20 letters and digits")
    await expect(page.locator("#active-code")).to_have_attribute("aria-invalid", "true")
    await expect(page.locator("#active-code")).to_be_focused()
    await page.click("#language")
    await expect(page.locator("#code-error")).to_contain_text("20 位字母和数字")
    await page.fill("#active-code", "7k2qm oxr4b c9tna j5hew")  # O is read as 0: no code has an O
    await page.press("#active-code", "Enter")
    await server.heard("client-ready")
    assert (await server.called("session")).headers["X-Once-Code"] == CODE
    assert CODE in await kept(page)


async def test_without_a_room_in_the_link_no_code_is_asked_for(visitor: Visitor) -> None:
    page = await visitor.open("#project=P")
    await expect(page.locator("#signin")).to_be_visible()
    await expect(page.locator("#code-card")).to_be_hidden()


@pytest.mark.parametrize(
    "visitor",
    [
        {"viewport": {"width": 360, "height": 640}, "locale": "zh-CN"},
        {"viewport": {"width": 1080, "height": 1920}, "locale": "zh-CN"},
        {"viewport": {"width": 1440, "height": 900}},
    ],
    indirect=True,
    ids=["phone", "tall screen", "desktop"],
)
async def test_the_card_fits_and_its_buttons_are_large_enough_to_tap(visitor: Visitor, server: FakeServer) -> None:
    visitor.expect_refusals = True
    server.script.refuse["session"] = Refusal(401, "MSS.47010043")
    page = await visitor.open(KIOSK)
    await page.click("#talk")
    await expect(page.locator("#message")).to_be_visible()
    width, height = await page.evaluate("[innerWidth, innerHeight]")
    (card,) = await boxes(page, "#message")
    assert card["x"] >= 0
    assert card["x"] + card["width"] <= width
    assert not await page.evaluate("document.documentElement.scrollWidth > innerWidth")
    for action in ("code", "signin"):
        button = page.locator(f"[data-action={action}]")
        await button.scroll_into_view_if_needed()
        box = await button.bounding_box()
        assert box
        assert box["height"] >= 44
        assert box["y"] + box["height"] <= height
    await page.click("[data-action=code]")
    await expect(page.locator("#active-code")).to_be_focused()
    (field,) = await boxes(page, "#active-code")
    assert 0 <= field["y"] <= height - field["height"]
    await until(page, "document.documentElement.scrollWidth <= innerWidth")
