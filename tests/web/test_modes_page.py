"""The page in the other modes of talking: what the button does, what it says, and what leaves the microphone."""

from __future__ import annotations

import pytest
from page_server import FakeServer
from page_visitor import LINK, Visitor, until
from playwright.async_api import Page, expect
from test_page_layout import audit

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

SENDS = "visavis.debug.getSenders().find(s => s.track?.kind === 'audio').track.enabled"


async def talk_in(visitor: Visitor, mode: str, path: str = LINK, **more: object) -> Page:
    visitor.server.script.answer = {"talk_mode": mode, **more}
    return await visitor.talk(path)


async def test_push_to_talk_sends_only_while_the_button_is_held(server: FakeServer, visitor: Visitor) -> None:
    page = await talk_in(visitor, "push_to_talk")
    mic = page.locator("#mic")
    await expect(mic).to_have_accessible_name("Hold to talk")
    await expect(page.locator("#status-text")).to_have_text("Hold the button to talk")
    assert not await page.evaluate(SENDS), "nothing of the room is sent before the button is pressed"
    box = await mic.bounding_box()
    assert box
    await page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    await page.mouse.down()
    assert (await server.heard("talk"))["data"]["d"] == {"on": True}
    await expect(mic).to_have_attribute("aria-pressed", "true")
    await expect(mic).to_have_accessible_name("Let go to send")
    await expect(page.locator("#status-text")).to_have_text("Listening: go ahead")
    assert await page.evaluate(SENDS)
    await audit(page)
    await page.mouse.move(5, 5)  # the finger slips off: it still holds
    await expect(mic).to_have_attribute("aria-pressed", "true")
    await page.mouse.up()
    assert (await server.heard("talk", 2))["data"]["d"] == {"on": False}
    await expect(mic).to_have_attribute("aria-pressed", "false")
    assert not await page.evaluate(SENDS)


async def test_the_space_bar_is_the_button(server: FakeServer, visitor: Visitor) -> None:
    page = await talk_in(visitor, "push_to_talk")
    await page.locator("#dock").focus()
    await page.keyboard.down(" ")
    await page.keyboard.down(" ")  # repeats, as a held key does
    assert (await server.heard("talk"))["data"]["d"] == {"on": True}
    await page.keyboard.up(" ")
    assert (await server.heard("talk", 2))["data"]["d"] == {"on": False}
    for key in ("Enter", " "):
        await page.locator("#mic").focus()
        await page.keyboard.down(key)
        await expect(page.locator("#mic")).to_have_attribute("aria-pressed", "true")
        await page.keyboard.up(key)
        await expect(page.locator("#mic")).to_have_attribute("aria-pressed", "false")
    assert [each["data"]["d"]["on"] for each in server.messages if each["data"].get("t") == "talk"] == [True, False] * 3


async def test_a_tap_begins_and_the_next_or_a_silence_ends(server: FakeServer, visitor: Visitor) -> None:
    page = await talk_in(visitor, "tap_to_talk")
    mic = page.locator("#mic")
    await expect(mic).to_have_accessible_name("Tap to talk")
    await mic.click()
    assert (await server.heard("talk"))["data"]["d"] == {"on": True}
    await expect(mic).to_have_accessible_name("Tap when you are done")
    assert await page.evaluate(SENDS)
    await mic.click()
    assert (await server.heard("talk", 2))["data"]["d"] == {"on": False}
    await page.locator("#dock").focus()
    await page.keyboard.press(" ")
    await server.heard("talk", 3)
    server.event("microphone", mode="tap_to_talk", open=True)
    server.event("microphone", mode="tap_to_talk", open=False)
    await expect(mic).to_have_attribute("aria-pressed", "false")
    assert not await page.evaluate(SENDS), "a silence ended the turn: the microphone is off again"


async def test_half_duplex_shows_that_it_does_not_listen(server: FakeServer, visitor: Visitor) -> None:
    page = await talk_in(visitor, "half_duplex")
    await expect(page.locator("#status-text")).to_have_text("Listening")
    server.say("bot-started-speaking")
    server.event("microphone", mode="half_duplex", open=False)
    await expect(page.locator("#status-text")).to_have_text("Answering, not listening")
    await expect(page.locator("body")).to_have_attribute("data-talk", "closed")
    server.say("bot-stopped-speaking")
    server.event("microphone", mode="half_duplex", open=True)
    await expect(page.locator("#status-text")).to_have_text("Listening")


async def test_the_mode_can_be_changed_while_talking(server: FakeServer, visitor: Visitor) -> None:
    page = await talk_in(visitor, "full_duplex")
    await page.click("#details-open")
    await page.select_option("#talk-mode", "push_to_talk")
    assert (await server.heard("mode"))["data"]["d"] == {"mode": "push_to_talk"}
    await expect(page.locator("#mic")).to_have_accessible_name("Hold to talk")
    server.event("microphone", mode="half_duplex", open=True)  # somebody else changed it: an integrator's script
    await expect(page.locator("#talk-mode")).to_have_value("half_duplex")
    await expect(page.locator("#mic")).to_have_accessible_name("Switch the microphone off")
    await page.click("#language")
    await page.evaluate("visavis.mode = 'tap_to_talk'")
    await expect(page.locator("#mic")).to_have_accessible_name("点一下说话")
    await expect(page.locator("#status-text")).to_have_text("点一下按钮说话")


async def test_the_vendors_names_work(server: FakeServer, visitor: Visitor) -> None:
    page = await talk_in(visitor, "push_to_talk")
    assert await page.evaluate("visavis.startUserSpeak()")
    await server.heard("talk")
    assert await page.evaluate("visavis.stopUserSpeak()")
    await server.heard("talk", 2)
    await page.evaluate("visavis.interruptSpeaking()")
    await server.heard("interrupt")
    await page.evaluate("visavis.startChat({wakeupType: 'RADAR'})")
    assert (await server.heard("wake"))["data"]["d"] == {"wakeup_type": "RADAR"}
    await page.evaluate("visavis.stopChat()")
    await until(page, "visavis.state === 'ended'")


async def test_a_chat_begins_by_typing_under_the_vendors_name(server: FakeServer, visitor: Visitor) -> None:
    page = await visitor.open()
    await page.evaluate("visavis.startChat({interactionMode: 'TEXT'})")
    await until(page, "visavis.state === 'live'")
    await expect(page.locator("#ask-text")).to_be_visible()


async def test_the_server_is_told_who_takes_the_echo_out(server: FakeServer, visitor: Visitor) -> None:
    await visitor.context.add_init_script(
        "MediaStreamTrack.prototype.getSettings = () => ({echoCancellation: window.cancels !== false})"
    )
    await visitor.talk()
    assert (await server.heard("capture"))["data"]["d"] == {"echo_cancelled": True}
    await visitor.page.evaluate("window.cancels = false; visavis.debug")
    await visitor.page.evaluate("visavis.stop()")
    await visitor.context.add_init_script("window.cancels = false")
    await visitor.page.close()
    server.reset()
    await visitor.talk()
    assert (await server.heard("capture"))["data"]["d"] == {"echo_cancelled": False}


async def test_who_sleeps_shows_its_wake_word(server: FakeServer, visitor: Visitor) -> None:
    page = await talk_in(visitor, "full_duplex", wake_words=["Hey Mira"])
    server.event("enterSleep")
    await expect(page.locator("#veil")).to_contain_text("Say “Hey Mira”")


@pytest.mark.parametrize(
    "size", [{"width": 1440, "height": 900}, {"width": 360, "height": 640}, {"width": 1080, "height": 1920}]
)
async def test_the_button_is_whole_and_large_enough_everywhere(
    server: FakeServer, visitor: Visitor, size: dict[str, int]
) -> None:
    page = await talk_in(visitor, "push_to_talk")
    await page.set_viewport_size(size)
    for language in ("en", "zh"):
        await audit(page)
        box = await page.locator("#mic").bounding_box()
        assert box
        assert box["width"] >= 44
        assert box["height"] >= 44
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= size["width"]
        fits = (
            "(() => { const c = document.querySelector('#mic .caption'); return c.scrollWidth <= c.clientWidth + 1 })()"
        )
        assert await page.evaluate(fits), f"the words of the button are cut ({language}, {size})"
        await page.click("#language")


@pytest.mark.parametrize(
    "visitor", [{"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}], indirect=True
)
async def test_a_finger_holds_the_button(server: FakeServer, visitor: Visitor) -> None:
    page = await talk_in(visitor, "push_to_talk")
    box = await page.locator("#mic").bounding_box()
    assert box
    touch = await visitor.context.new_cdp_session(page)
    point = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}
    await touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [point]})
    assert (await server.heard("talk"))["data"]["d"] == {"on": True}
    await touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    assert (await server.heard("talk", 2))["data"]["d"] == {"on": False}
