"""What is in the way, in words, in both languages."""

from __future__ import annotations

import pytest
from page_server import FakeServer, Refusal
from page_visitor import LINK, Visitor, until
from playwright.async_api import Page, expect

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


async def told(page: Page, kind: str, english: str, chinese: str) -> None:
    """The card says it in English, and after a press on the switch in Chinese."""
    await expect(page.locator("#message")).to_have_attribute("data-kind", kind)
    await expect(page.locator("#message")).to_contain_text(english)
    assert await page.locator("#message-do li").count() >= 1
    if not await page.locator("#message.over").count():
        await page.click("#language")
        await expect(page.locator("#message")).to_contain_text(chinese)
        assert await page.evaluate("document.documentElement.lang") == "zh-CN"
        await page.click("#language")


@pytest.mark.parametrize(
    ("error", "kind", "english", "chinese"),
    [
        ("NotAllowedError", "micDenied", "microphone is not allowed", "未获准使用麦克风"),
        ("NotFoundError", "micMissing", "No microphone found", "没有找到麦克风"),
        ("NotReadableError", "micBusy", "microphone is in use", "麦克风正被占用"),
    ],
)
async def test_no_microphone(
    visitor: Visitor, server: FakeServer, error: str, kind: str, english: str, chinese: str
) -> None:
    page = await visitor.open()
    await page.evaluate(
        "name => navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('no', name))", error
    )
    await page.click("#talk")
    await told(page, kind, english, chinese)
    assert server.calls == []  # the one-time code is not spent on it
    assert "C0DE" not in await page.evaluate("location.hash")
    await page.click("[data-action=text]")
    await server.heard("client-ready")


async def test_plain_http_from_another_machine(visitor: Visitor, server: FakeServer) -> None:
    page = await visitor.open(host="visavis.test")
    await page.click("#talk")
    await told(page, "insecure", "--tls self", "--tls self")
    await page.click("[data-action=text]")
    await server.heard("client-ready")


@pytest.mark.parametrize(
    ("call", "refusal", "kind", "english", "chinese"),
    [
        ("session", Refusal(400, "MSS.20010135"), "roomFull", "This room is taken", "房间已满"),
        ("session", Refusal(503, "MSS.20010089"), "resourceFull", "fully occupied", "服务器已满"),
        ("session", Refusal(401, "MSS.47010046"), "codeExpired", "This link is used up", "此链接已失效"),
        ("session", Refusal(404, "MSS.20010045"), "roomMissing", "There is no such room", "没有这个房间"),
        ("session", Refusal(403, "MSS.47015010"), "drivenElsewhere", "driven by another program", "由其他程序驱动"),
        ("session", Refusal(429, "APIGW.0308"), "tooMany", "Too many requests", "请求过于频繁"),
        ("session", Refusal(500, "MSS.00000001"), "serverError", "The server had a fault", "服务器出现故障"),
        ("ice", Refusal(401, "MSS.00010008"), "passExpired", "pass to this conversation", "通行证已过期"),
        ("offer", Refusal(404, "MSS.20010074"), "jobGone", "conversation is over", "那场对话已经结束"),
    ],
)
async def test_refusals(
    visitor: Visitor, server: FakeServer, call: str, refusal: Refusal, kind: str, english: str, chinese: str
) -> None:
    visitor.expect_refusals = True
    server.script.refuse[call] = refusal
    page = await visitor.open()
    await page.click("#talk")
    await told(page, kind, english, chinese)
    await page.click("#message-details summary")
    await expect(page.locator("#message-details")).to_contain_text(refusal.code)
    await expect(page.locator("#message-details")).to_contain_text("req-1234")


async def test_try_again_after_a_full_room(visitor: Visitor, server: FakeServer) -> None:
    visitor.expect_refusals = True
    server.script.refuse["session"] = Refusal(400, "MSS.20010135")
    page = await visitor.open()
    await page.click("#talk")
    await page.wait_for_selector("#message:not([hidden])")
    server.script.refuse.clear()
    await page.click("[data-action=retry]")
    await server.heard("client-ready")
    assert (await server.called("session", 2)).headers["X-Once-Code"] == "C0DE"


async def test_an_expired_token_leads_back_to_sign_in(visitor: Visitor, server: FakeServer) -> None:
    visitor.expect_refusals = True
    server.script.rooms = [{"room_id": "r1", "room_name": "Lobby", "concurrency": 2}]
    page = await visitor.open("#project=demo")
    await page.fill("#user", "ann")
    await page.fill("#password", "x")
    await page.click("#signin-button")
    server.script.refuse["session"] = Refusal(401, "MSS.00010008")
    await page.click("#talk")
    await told(page, "tokenExpired", "You are signed out", "登录已过期")
    await page.click("[data-action=signin]")
    await expect(page.locator("#signin")).to_be_visible()
    assert await page.input_value("#password") == ""


async def test_a_wrong_password_is_said_at_the_form(visitor: Visitor, server: FakeServer) -> None:
    visitor.expect_refusals = True
    server.script.refuse["token"] = Refusal(401, "MSS.00000004")
    page = await visitor.open("#project=demo")
    await page.fill("#user", "ann")
    await page.fill("#password", "wrong")
    await page.press("#password", "Enter")
    await expect(page.locator("#signin-error")).to_contain_text("did not match")
    await expect(page.locator("#password")).to_be_focused()
    await page.click("#language")
    await expect(page.locator("#signin-error")).to_contain_text("登录信息不正确")


async def test_server_gone_before_the_start(visitor: Visitor, server: FakeServer) -> None:
    visitor.expect_refusals = True
    page = await visitor.open()
    await page.route("**/page/v1/sessions", lambda route: route.abort())
    await page.click("#talk")
    await told(page, "serverGone", "does not answer", "服务器没有应答")


async def test_no_way_through_for_media(visitor: Visitor, server: FakeServer) -> None:
    server.script.deaf = True
    page = await visitor.open(connect=1500)
    await page.click("#talk")
    await told(page, "iceFailed", "open its UDP ports (--udp-ports)", "放行 UDP 端口")
    await page.click("#message-details summary")
    details = page.locator("#message-details dl")
    await expect(details).to_contain_text("host udp")  # the candidate types that were tried
    await expect(details).to_contain_text("none given by the server")
    server.script.deaf = False
    await page.click("[data-action=retry]")  # the job still runs: it is joined, not started again
    await server.heard("client-ready")
    assert len([call for call in server.calls if call.name == "session"]) == 1


async def test_connected_but_no_picture(visitor: Visitor, server: FakeServer) -> None:
    server.script.media = False
    page = await visitor.open(noMedia=300)
    await page.click("#talk")
    await server.heard("client-ready")
    await told(page, "noMedia", "no picture arrives", "没有画面")
    assert await page.evaluate("visavis.state") == "live"
    await page.click("#message-details summary")
    await expect(page.locator("#message-details")).to_contain_text("0 B")
    server.script.media = True
    await page.evaluate("async () => Object.assign((await import('/web/timing.js')).TIMING, {noMedia: 5000})")
    await page.click("[data-action=retry]")
    await page.wait_for_selector("#stage[data-picture]")
    await expect(page.locator("#message")).to_be_hidden()


async def test_server_dies_in_the_middle(visitor: Visitor, server: FakeServer) -> None:
    visitor.expect_refusals = True
    page = await visitor.talk(backoff=[20, 20], lost=200)
    await page.route("**/rtc/v1/**", lambda route: route.abort())
    await server.hang_up()
    await told(page, "serverGone", "does not answer", "服务器没有应答")


async def test_a_job_that_failed_meanwhile_is_said_to_have_failed(visitor: Visitor, server: FakeServer) -> None:
    page = await visitor.talk(backoff=[20, 20], lost=200)
    server.script.job_state = {"state": "FAILED", "error_info": {"error_code": "X", "error_msg": "worker died"}}
    await server.hang_up()
    await told(page, "ended-FAILED", "broke off on the server", "对话中断")
    await page.click("#message-details summary")
    await expect(page.locator("#message-details")).to_contain_text("worker died")
    await expect(page.locator("#message-details")).to_contain_text("job-1")


@pytest.mark.parametrize(
    ("reason", "english", "chinese"),
    [
        ("NORMAL", "has ended", "对话已结束"),
        ("MUTE_TIMEOUT", "nobody spoke", "长时间无人说话"),
        ("CANCELED", "cancelled", "已取消"),
        ("FAILED", "broke off", "对话中断"),
    ],
)
async def test_the_reason_of_the_end(
    visitor: Visitor, server: FakeServer, reason: str, english: str, chinese: str
) -> None:
    page = await visitor.talk()
    server.event("jobEnd", jobId="job-1", reason=reason)
    await told(page, f"ended-{reason}", english, chinese)


async def test_the_microphone_is_unplugged(visitor: Visitor, server: FakeServer) -> None:
    page = await visitor.talk()
    await page.evaluate("visavis.debug.getSenders()[0].track.dispatchEvent(new Event('ended'))")
    await told(page, "micMissing", "unplugged", "")
    await page.evaluate("window.before = visavis.debug.getSenders()[0].track")
    await page.click("[data-action=retry]")
    await until(page, "visavis.debug.getSenders()[0].track !== before")
    assert await page.evaluate("visavis.state") == "live"


async def test_no_webrtc(visitor: Visitor) -> None:
    await visitor.context.add_init_script("delete window.RTCPeerConnection")
    page = await visitor.open(LINK)
    await page.click("#talk")
    await told(page, "unsupported", "lacks WebRTC", "不支持 WebRTC")


async def test_sound_held_back_until_a_press(visitor: Visitor, server: FakeServer) -> None:
    page = await visitor.open()
    await page.evaluate(
        """() => { const {play} = HTMLMediaElement.prototype;
        HTMLMediaElement.prototype.play = function () {
          HTMLMediaElement.prototype.play = play;
          return Promise.reject(new DOMException('no gesture', 'NotAllowedError')) } }"""
    )
    await page.click("#talk")
    await told(page, "soundBlocked", "holds the sound back", "")
    await page.click("[data-action=sound]")
    await page.wait_for_selector("#stage[data-picture]")
    await expect(page.locator("#message")).to_be_hidden()
