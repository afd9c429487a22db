"""A conversation through the page, against a server that follows docs/protocol.md."""

from __future__ import annotations

import re

import pytest
from page_server import SUBTITLE, FakeServer
from page_visitor import Visitor, boxes, until
from playwright.async_api import Page, expect

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


async def lines(page: Page) -> list[tuple[str, str]]:
    """The transcript as (class, text)."""
    return [tuple(each) for each in await page.eval_on_selector_all(
        "#transcript li", "all => all.map(li => [li.className, li.querySelector('p').textContent])"
    )]  # fmt: skip


async def test_one_press_starts_and_sound_and_picture_arrive(visitor: Visitor, server: FakeServer) -> None:
    page = await visitor.talk()
    call = await server.called("session")
    assert call.headers["X-Once-Code"] == "C0DE"
    assert call.body == {"project_id": "P", "room_id": "R"}
    offer = await server.called("offer")
    assert offer.headers["Authorization"].startswith("Bearer u1:")
    assert offer.headers["Authorization"].endswith(":abcd")
    assert offer.body["type"] == "offer"
    assert "pc_id" not in offer.body
    # The server's codec comes first in the offer's picture, and sound goes both ways.
    video = offer.body["sdp"].split("m=video")[1]
    first = video.split("UDP/TLS/RTP/SAVPF ")[1].split(" ")[0]
    assert re.search(rf"a=fmtp:{first} .*packetization-mode=1;profile-level-id=42", video)
    assert "a=recvonly" in video
    assert "a=sendrecv" in offer.body["sdp"].split("m=audio")[1].split("m=video")[0]
    # One stream carries both, audible, so that the browser keeps lips and voice together.
    media = await page.evaluate(
        "() => { const v = document.querySelector('video');"
        " return [v.srcObject.getTracks().map(t => t.kind).sort(), v.muted, v.paused, v.videoWidth, v.volume] }"
    )
    assert media == [["audio", "video"], False, False, 360, 1]
    await until(
        page,
        "[...(await visavis.debug.getStats()).values()]"
        ".some(s => s.type === 'inbound-rtp' && s.kind === 'audio' && s.totalAudioEnergy > 0)",
    )
    assert await page.evaluate("location.hash") == "#project=P&room=R"  # the code is gone
    assert await page.text_content("#status-text") == "Listening"
    assert any(each.startswith("candidate:") for each in server.candidates)
    assert server.candidates.count("") == 1  # the end of candidates is told


async def test_transcript_tells_who_said_what_and_marks_interruption(visitor: Visitor, server: FakeServer) -> None:
    page = await visitor.talk()
    server.say("user-transcription", text="What is this?", user_id="u1", final=True)
    server.say("bot-started-speaking")
    server.say("bot-output", text="This is visavis.", spoken=True)
    server.say("bot-output", text="It talks with you all day long.", spoken=True)
    await expect(page.locator("#status-text")).to_have_text("Speaking")
    server.say("bot-interruption", spoken="This is visavis. It talks")
    server.say("bot-stopped-speaking")
    server.say("user-transcription", text="你好", user_id="u1", final=True)
    await page.wait_for_selector("#transcript li:nth-child(3)")
    assert await lines(page) == [
        ("you", "What is this?"),
        ("them interrupted", "This is visavis. It talks"),
        ("you", "你好"),
    ]
    assert await page.text_content("#transcript .mark") == "interrupted"
    spoken = await page.text_content("#announce")
    assert "You: What is this?" in spoken
    assert "Digital human: This is visavis." in spoken


async def test_subtitle_stands_in_the_jobs_box(visitor: Visitor, server: FakeServer) -> None:
    page = await visitor.talk()
    server.event("subtitle", text="Good morning.", language="EN", chat_id="c", pts=1.0)
    await page.wait_for_selector("#subtitle:not([hidden])")
    video, box = await boxes(page, "#video", "#subtitle")
    scale = video["height"] / 1920
    assert video["width"] == pytest.approx(1080 * scale, abs=1)  # a portrait picture is not cut on a wide screen
    assert box["x"] == pytest.approx(video["x"] + SUBTITLE["dx"] * scale, abs=1)
    assert box["y"] == pytest.approx(video["y"] + SUBTITLE["dy"] * scale, abs=1)
    assert box["width"] == pytest.approx(SUBTITLE["width"] * scale, abs=1)
    assert box["height"] == pytest.approx(SUBTITLE["height"] * scale, abs=1)
    server.event("subtitle", text="A very long sentence that goes on, " * 5, language="EN", chat_id="c", pts=2.0)
    await expect(page.locator("#subtitle p")).to_contain_text("very long")
    words = await page.locator("#subtitle p").bounding_box()
    assert words["x"] >= box["x"] - 1
    assert words["width"] <= box["width"] + 1
    server.event("subtitle", text="", language="EN", chat_id="c", pts=3.0)
    await page.wait_for_selector("#subtitle[hidden]", state="attached")


async def test_a_box_under_the_controls_rises_above_them(visitor: Visitor, server: FakeServer) -> None:
    server.script.subtitle = {"dx": 0, "dy": 1720, "width": 1080, "height": 200}
    page = await visitor.talk()
    server.event("subtitle", text="Good morning.", language="EN", chat_id="c", pts=1.0)
    await page.wait_for_selector("#subtitle:not([hidden])")
    box, dock = await boxes(page, "#subtitle", "#dock")
    assert box["y"] + box["height"] <= dock["y"]


async def test_every_control_reaches_the_server(visitor: Visitor, server: FakeServer) -> None:
    page = await visitor.talk()
    server.say("bot-started-speaking")
    await expect(page.locator("#interrupt")).to_have_attribute("aria-disabled", "false")
    await page.click("#interrupt")
    await server.heard("interrupt")
    server.say("bot-stopped-speaking")
    await page.click("#type")
    await page.fill("#ask-text", "How are you?")
    await page.press("#ask-text", "Enter")
    assert (await server.heard("send-text"))["data"] == {"content": "How are you?"}
    server.say("user-transcription", text="How are you?", user_id="u1", final=True)  # its echo is not written twice
    server.say("bot-output", text="Fine.", spoken=True)
    await page.wait_for_selector("#transcript li.them")
    assert await lines(page) == [("you", "How are you?"), ("them", "Fine.")]
    await page.click("#details-open")
    await page.select_option("#speech-language", "EN")
    assert (await server.heard("language"))["data"]["d"] == {"language": "EN"}


@pytest.mark.parametrize("visitor", [{"viewport": {"width": 360, "height": 640}}, {}], indirect=True, ids=["phone", ""])
async def test_who_is_recorded_sees_and_hears_of_it(visitor: Visitor, server: FakeServer) -> None:
    server.script.answer = {"recorded": True}
    page = await visitor.talk()
    sign = page.locator("#recorded")
    await expect(sign).to_be_visible()
    await expect(sign).to_have_text("Recorded")
    await expect(sign).to_have_attribute("title", re.compile("keeps the sound or the words"))
    await expect(page.locator("#announce")).to_contain_text("keeps the sound or the words")
    assert not await page.evaluate("document.documentElement.scrollWidth > innerWidth")
    shown, *others = await boxes(page, "#recorded", ".top-buttons", "#status", "#dock")
    for other in others:
        beside = shown["x"] >= other["x"] + other["width"] or other["x"] >= shown["x"] + shown["width"]
        assert beside or shown["y"] >= other["y"] + other["height"] or other["y"] >= shown["y"] + shown["height"]
    for name in ("#recorded", "#status"):
        assert await page.locator(name).evaluate("element => element.scrollWidth <= element.clientWidth")
    await page.click("#end")
    await expect(sign).to_be_hidden()


async def test_who_is_not_recorded_is_told_nothing(visitor: Visitor, server: FakeServer) -> None:
    page = await visitor.talk()
    await expect(page.locator("#recorded")).to_be_hidden()
    assert "keeps the sound" not in (await page.text_content("#announce") or "")


async def test_mute_is_real_and_visible(visitor: Visitor, server: FakeServer) -> None:
    page = await visitor.talk()
    sending = "visavis.debug.getSenders().find(s => s.track?.kind === 'audio').track.enabled"
    assert await page.evaluate(sending) is True
    await until(page, "parseFloat(document.querySelector('#mic').style.getPropertyValue('--level')) > 0")
    await page.click("#mic")
    assert await page.evaluate(sending) is False
    await expect(page.locator("#status-text")).to_have_text("Microphone off")
    await expect(page.locator("#mic")).to_have_attribute("aria-pressed", "true")
    await expect(page.locator("#mic")).to_have_accessible_name("Switch the microphone on")
    await page.click("#mic")
    assert await page.evaluate(sending) is True


async def test_sleep_dims_and_wakes(visitor: Visitor, server: FakeServer) -> None:
    page = await visitor.talk()
    server.event("jobInfoChange", chat_state=4, restTime=9)
    await expect(page.locator("#status-text")).to_have_text(re.compile(r"Falling asleep in [89] s"))
    await expect(page.locator("#notice")).to_be_visible()
    server.event("jobInfoChange", chat_state=3)
    server.event("enterSleep")
    await expect(page.locator("#veil")).to_be_visible()
    await expect(page.locator("#status-text")).to_have_text("Asleep")
    await expect(page.locator("#notice")).to_be_hidden()
    await until(page, "getComputedStyle(document.querySelector('video')).filter.includes('brightness(0.6)')")
    await page.click("#wake")
    await server.heard("wake")
    server.event("jobInfoChange", chat_state=2)
    server.event("enterActive")
    await expect(page.locator("#veil")).to_be_hidden()


async def test_the_end_is_warned_of_and_counted_down(visitor: Visitor, server: FakeServer) -> None:
    page = await visitor.talk()
    server.event("jobEndMention", jobId="job-1", restTime=8)
    await expect(page.locator("#notice")).to_contain_text("ends in 8 s")
    await expect(page.locator("#notice")).to_contain_text("ends in 7 s")
    server.say("user-started-speaking")
    await expect(page.locator("#notice")).to_be_hidden()


async def test_stop_ends_the_job_and_frees_the_microphone(visitor: Visitor, server: FakeServer) -> None:
    page = await visitor.talk()
    await page.evaluate("window.pc = visavis.debug; window.track = pc.getSenders()[0].track")
    await page.click("#end")
    await server.called("stop")
    await expect(page.locator("#message-title")).to_have_text("The conversation has ended")
    await expect(page.locator("#message-do")).to_contain_text("works once")
    assert await page.evaluate("[pc.connectionState, track.readyState, visavis.state]") == ["closed", "ended", "ended"]
    await page.click("[data-action=signin]")
    await expect(page.locator("#signin")).to_be_visible()
    assert await page.input_value("#project") == "P"


async def test_a_server_that_does_not_tell_the_end_is_not_waited_for(visitor: Visitor, server: FakeServer) -> None:
    server.script.tell_end = False
    page = await visitor.talk(closing=200)
    await page.click("#end")
    await expect(page.locator("#message-title")).to_have_text("The conversation has ended")
    await server.called("leave")


async def test_stopped_while_it_starts_the_job_is_stopped_too(visitor: Visitor, server: FakeServer) -> None:
    page = await visitor.open()
    gate = page.expect_request("**/page/v1/sessions")
    await page.route("**/page/v1/sessions", lambda route: held.append(route))
    held: list = []
    async with gate:
        await page.click("#talk")
    await page.click("#end")
    await expect(page.locator("#message-title")).to_have_text("The conversation has ended")
    await held[0].continue_()
    await server.called("stop")


async def test_events_have_the_vendors_names(visitor: Visitor, server: FakeServer) -> None:
    page = await visitor.open()
    names = """jobInfoChange speakingStart speakingStop speechRecognized semanticRecognized enterSleep enterActive
      languageInfoChange jobEndMention jobEnd error"""
    await page.evaluate(
        "names => names.forEach(n => visavis.addEventListener(n, e => heard.push([n, e.detail])))", names.split()
    )
    await page.evaluate("void visavis.start()")
    await server.heard("client-ready")
    server.event("jobInfoChange", chat_state=2)
    server.event("subtitle", text="Hi.", language="EN", chat_id="c7", pts=0.1)
    server.say("user-transcription", text="Hello", user_id="u1", final=True)
    server.say("bot-started-speaking")
    server.say("bot-output", text="Hi.", spoken=True)
    server.say("bot-stopped-speaking")
    server.event("languageInfoChange", language="EN")
    server.event("enterSleep")
    server.event("enterActive")
    server.event("jobEndMention", jobId="job-1", restTime=5)
    server.say("error", message="engine hiccup", fatal=False)
    server.event("jobEnd", jobId="job-1", reason="MUTE_TIMEOUT")
    await until(page, "heard.some(e => e[0] === 'jobEnd')")
    heard = await page.evaluate("heard")
    assert sorted({name for name, _ in heard}) == sorted(names.split())
    details = dict(heard)
    assert details["jobInfoChange"] == {"jobId": "job-1", "chatState": 2}
    assert details["speechRecognized"] == {"jobId": "job-1", "chatId": "c7", "text": "Hello", "isLast": True}
    assert details["semanticRecognized"]["text"] == "Hi."
    assert details["jobEndMention"] == {"jobId": "job-1", "restTime": 5}
    assert details["jobEnd"] == {"jobId": "job-1", "reason": "MUTE_TIMEOUT"}
    await expect(page.locator("#message-title")).to_have_text("Ended: nobody spoke for a long time")


async def test_latency_of_the_last_turn_is_shown_by_stage(visitor: Visitor, server: FakeServer) -> None:
    page = await visitor.talk()
    server.event("latency", chat_id="c", stages={"endpoint": 0.5, "recognise": 0.9, "answer": 0.95, "play": 1.2})
    await page.click("#details-open")
    await expect(page.locator("#latency .total")).to_have_text("From your last word to the first sound: 1.20 s")
    assert await page.locator("#latency .num").all_text_contents() == ["0.50 s", "0.40 s", "0.05 s", "0.25 s"]
    await expect(page.locator("#figures")).to_contain_text("360×640")
    await expect(page.locator("#figures")).to_contain_text("H264")


async def test_keyboard_alone_is_enough(visitor: Visitor, server: FakeServer) -> None:
    page = await visitor.open()
    for _ in range(6):
        await page.keyboard.press("Tab")
        if await page.evaluate("document.activeElement.id") == "talk":
            break
    ring = await page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert ring == "solid"
    await page.keyboard.press("Enter")
    await server.heard("client-ready")
    await page.wait_for_selector("#stage[data-picture]")
    server.event("jobInfoChange", chat_state=2)
    await page.keyboard.press("m")
    await expect(page.locator("#mic")).to_have_attribute("aria-pressed", "true")
    await page.keyboard.down(" ")  # hold to speak
    await expect(page.locator("#mic")).to_have_attribute("aria-pressed", "false")
    await page.keyboard.up(" ")
    await expect(page.locator("#mic")).to_have_attribute("aria-pressed", "true")
    server.say("bot-started-speaking")
    await expect(page.locator("#status-text")).to_have_text("Speaking")
    await page.keyboard.press("Escape")
    await server.heard("interrupt")
    server.say("bot-stopped-speaking")
    await page.keyboard.press("t")
    await page.keyboard.type("my mt question")  # letters in a text box are letters
    await page.keyboard.press("Enter")
    assert (await server.heard("send-text"))["data"]["content"] == "my mt question"
    await expect(page.locator("#status-text")).not_to_have_text("Speaking")
    await page.keyboard.press("Escape")
    await expect(page.locator("#ask")).to_be_hidden()
    await page.keyboard.press("?")
    await expect(page.locator("#help")).to_be_visible()
    await page.focus("#shortcuts")
    await page.keyboard.press(" ")  # single keys off
    await page.keyboard.press("Escape")
    await page.keyboard.press("m")
    await expect(page.locator("#mic")).to_have_attribute("aria-pressed", "true")
    await page.focus("#end")
    await page.keyboard.press("Enter")
    await server.called("stop")


async def test_sign_in_and_choose_a_room(visitor: Visitor, server: FakeServer) -> None:
    server.script.rooms = [
        {"room_id": "r1", "room_name": "Lobby", "default_language": "EN", "concurrency": 2},
        {"room_id": "r2", "room_name": "展厅", "default_language": "CN", "concurrency": 0},
    ]
    page = await visitor.open("")
    await page.fill("#project", "demo")
    await page.fill("#user", "ann")
    await page.click("#signin-button")
    await expect(page.locator("#signin-error")).to_contain_text("fill in")
    await page.fill("#password", "s3cret")
    await page.press("#password", "Enter")
    await page.click("[data-room=r2]", force=True)  # closed: nothing happens
    await page.click("[data-room=r1]")
    who = (await server.called("token")).body["auth"]
    assert who["identity"]["methods"] == ["password"]
    assert who["identity"]["password"]["user"] == {"name": "ann", "password": "s3cret", "domain": {"name": "ann"}}
    assert who["scope"] == {"project": {"name": "demo"}}
    assert (await server.called("rooms")).headers["X-Auth-Token"] == "tok-1"
    stored = await page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}])")
    assert "s3cret" not in stored
    assert "tok-1" not in await page.evaluate("JSON.stringify({...localStorage})")
    await page.click("#talk")
    await server.heard("client-ready")
    call = await server.called("session")
    assert call.headers["X-Auth-Token"] == "tok-1"
    assert "X-Once-Code" not in call.headers
    assert call.body == {"project_id": "p-id", "room_id": "r1"}
    await page.wait_for_selector("#stage[data-picture]")
    await page.click("#end")
    await page.click("[data-action=restart]")  # signed in: a new conversation is one press away
    await server.called("session", 2)


async def test_a_reload_comes_back_to_the_running_job(visitor: Visitor, server: FakeServer) -> None:
    page = await visitor.talk()
    await page.reload()
    await server.called("leave")
    await expect(page.locator("#talk")).to_have_text("Continue")
    await page.click("#talk")
    await server.heard("client-ready", 2)
    assert len([call for call in server.calls if call.name == "session"]) == 1


async def test_typing_needs_no_microphone(visitor: Visitor, server: FakeServer) -> None:
    page = await visitor.open()
    await page.evaluate("() => { navigator.mediaDevices.getUserMedia = () => { throw new Error('asked') } }")
    await page.click("#talk-text-only")
    await server.heard("client-ready")
    server.event("jobInfoChange", chat_state=2)
    await expect(page.locator("#ask-text")).to_be_focused()
    await expect(page.locator("#status-text")).to_have_text("Listening to what you type")
    # Silence flows, or the room would wait for its END_USER for ever.
    await until(
        page,
        "[...(await visavis.debug.getStats()).values()]"
        ".some(s => s.type === 'outbound-rtp' && s.kind === 'audio' && s.packetsSent > 10)",
    )


async def test_a_broken_connection_is_made_anew(visitor: Visitor, server: FakeServer) -> None:
    page = await visitor.talk(backoff=[50, 50, 50], lost=200)
    await server.hang_up()
    await expect(page.locator("#status-text")).to_contain_text("Trying again")
    offer = await server.called("offer", 2)
    assert offer.body["pc_id"] == "pc-1"
    assert offer.body["restart_pc"] is True
    await server.heard("client-ready", 2)
    server.event("jobInfoChange", chat_state=2)
    await expect(page.locator("#status-text")).to_have_text("Listening")
    assert len([call for call in server.calls if call.name == "session"]) == 1
