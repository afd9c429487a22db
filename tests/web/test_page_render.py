"""The renderer in a real Chromium: its picture is the compositor's, its edges are real, and it asks for no more than the pack."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
import pytest_asyncio
from page_motion import BEARER, FLAGS, MotionServer, Picture, shipped, ssim, text
from page_visitor import chromium
from playwright.async_api import Browser, Page

from visavis.avatar import webscene
from visavis.avatar.background import Background
from visavis.avatar.choose import EyesChooser, MouthChooser
from visavis.avatar.compositor import Compositor
from visavis.avatar.layout import HumanLayer, ImageLayer, Layout, Place, TextLayer, TextStyle
from visavis.motion import ARKIT_INDEX, Director, Head, Mode, MotionFrame
from visavis.motion.wire import encode_motion

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

Pair = tuple[str, Picture, Picture]
"""The frame's name, RGBA of the browser, RGB of the server."""
BENCH = Path(__file__).with_name("render_bench.js").read_text()
HEADERS = {"Authorization": BEARER + "1:00", "X-Rtc-Room": "r 1"}
SENTENCE = ["h", "ə", "l", "ˈoʊ", "m", "ɑ", "f", "u", "b", "i", "ɑ", "ʃ", "uː"]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server() -> AsyncIterator[MotionServer]:
    fake = MotionServer()
    await fake.start()
    yield fake
    await fake.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with chromium(["--headless=new", "--no-sandbox", *FLAGS]) as launched:
        yield launched


@pytest_asyncio.fixture(loop_scope="module")
async def page(browser: Browser, server: MotionServer) -> AsyncIterator[Page]:
    server.reset()
    opened = await browser.new_page(viewport={"width": 800, "height": 1300})
    await opened.goto(f"http://127.0.0.1:{server.port}/blank")
    await opened.evaluate(BENCH)
    yield opened
    await opened.close()


def frame(
    pts: float, head: Head | None = None, gaze: tuple[float, float] = (0, 0), breath: float = 0.0, **w: float
) -> MotionFrame:
    made = MotionFrame(pts=pts, head=head or Head(), gaze=gaze, breath=breath)
    for name, weight in w.items():
        made.blendshapes[ARKIT_INDEX[name]] = weight
    return made


def lively() -> dict[str, list[MotionFrame]]:
    """What a session sends: each name's last frame is compared, those before lead up to it (choices remember)."""
    speaker = Director(np.random.default_rng(5), Mode.IDLE)
    speaker.speak([(phoneme, 0.1 * n, 0.1 * n + 0.1) for n, phoneme in enumerate(SENTENCE)], 0.4)
    speech = [speaker.frame(0.04 * n) for n in range(50)]
    sleeper = Director(np.random.default_rng(6), Mode.IDLE)
    sleeper.set_mode(Mode.ASLEEP, 0.0)
    asleep = [sleeper.frame(0.04 * n) for n in range(60)]
    return {
        "rest": [frame(0)],
        "speech 1": speech[:15],
        "speech 2": speech[15:21],
        "speech 3": speech[21:27],
        "speech 4": speech[27:34],
        "speech 5": speech[34:42],
        "speech 6": speech[42:],
        "blink": [frame(0, eyeBlinkLeft=1, eyeBlinkRight=1)],
        "look aside": [frame(0, gaze=(0.35, 0.1))],
        "turn": [frame(0, Head(yaw=0.3), breath=0.5)],
        "nod and tilt": [frame(0, Head(yaw=-0.1, pitch=-0.12, roll=0.09), breath=1.0)],
        "shift": [frame(0, Head(pitch=0.1, shift_x=0.04, shift_y=-0.03), mouthSmileLeft=0.4, mouthSmileRight=0.4)],
        "asleep": asleep,
    }


async def opened(page: Page, server: MotionServer, width: int, height: int, **more: Any) -> None:
    await page.evaluate(
        "options => bench.open(options)",
        {"href": f"/rtc/v1/packs/{server.form.sha256}", "headers": HEADERS, "width": width, "height": height, **more},
    )


async def drawn(page: Page, motion: MotionFrame, width: int, height: int) -> tuple[int, int, Picture]:
    """(mouth, eyes, RGBA multiplied by alpha) of a frame that travelled as a message."""
    mouth, eyes, _, data = await page.evaluate("message => bench.draw(message)", text(encode_motion(motion)))
    pixels = np.frombuffer(base64.b64decode(data), np.uint8).reshape(height, width, 4)[::-1]
    return mouth, eyes, np.ascontiguousarray(pixels)


def grey(rgb: Picture) -> Picture:
    return np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), np.uint8)


async def side_by_side(
    page: Page, server: MotionServer, layout: Layout, motions: dict[str, list[MotionFrame]]
) -> list[Pair]:
    """Each name's last frame by both renderers, in the same layout."""
    around, place = webscene.surroundings(layout), webscene.human_of(layout).place
    size = layout.width, layout.height
    await opened(
        page, server, *size,
        under=text(around.under or b""), over=text(around.over or b""), human=asdict(place) if place else None,
        stage={"width": layout.stage[0], "height": layout.stage[1]} if layout.stage else None, offset=layout.offset,
    )  # fmt: skip
    compositor = Compositor(shipped(), layout)
    picture = np.zeros((compositor.height * 3 // 2, compositor.width), np.uint8)
    pairs = []
    for name, frames in motions.items():
        before = [text(encode_motion(motion)) for motion in frames[:-1]]
        await page.evaluate("messages => messages.forEach(message => void bench.pick(message))", before)
        for motion in frames[:-1]:
            compositor.draw(motion, picture)
        compositor.draw(frames[-1], picture)
        _, _, mine = await drawn(page, frames[-1], *size)
        pairs.append((name, mine, np.asarray(cv2.cvtColor(picture, cv2.COLOR_YUV2RGB_I420), np.uint8)))
    return pairs


def alike(mine: Picture, theirs: Picture) -> npt.NDArray[np.float64]:
    return ssim(grey(np.ascontiguousarray(mine[..., :3])), grey(np.ascontiguousarray(theirs)))


@pytest.mark.parametrize(("width", "height"), [(720, 1280), (1280, 720)])
async def test_both_renderers_draw_the_same(page: Page, server: MotionServer, width: int, height: int) -> None:
    motions = lively()
    if width > height:
        motions = {name: motions[name] for name in ("rest", "speech 1", "turn", "asleep")}
    # The face by itself: a still background must not outvote it.
    x, y, w, h = (240, 320, 240, 320) if height > width else (520, 160, 240, 280)
    pairs = await side_by_side(page, server, Layout(width, height), motions)
    for name, mine, theirs in pairs:
        found = alike(mine, theirs)
        face, colours = found[y : y + h, x : x + w].mean(), np.abs(mine[..., :3].astype(int) - theirs).mean()
        print(f"{width}x{height} {name}: {found.mean():.4f}, face {face:.4f}, mean difference {colours:.2f}")
        assert found.mean() > 0.97, (name, found.mean())
        assert face > 0.95, (name, face)
        assert colours < 3, (name, colours)
    # The frames compared are different pictures, or the comparison would say nothing.
    assert min(np.abs(theirs.astype(int) - pairs[0][2]).mean() for _, _, theirs in pairs[1:]) > 0.05


@pytest.fixture(scope="module")
def badge(tmp_path_factory: pytest.TempPathFactory) -> Path:
    picture = np.zeros((120, 240, 4), np.uint8)
    cv2.ellipse(picture, (120, 60), (110, 50), 0, 0, 360, (40, 90, 220, 255), -1, cv2.LINE_AA)
    path = tmp_path_factory.mktemp("layers") / "badge.png"
    cv2.imwrite(str(path), picture)
    return path


async def test_layers_and_places_are_the_same(page: Page, server: MotionServer, badge: Path) -> None:
    layers = (
        ImageLayer(badge, Place(40, 60, 300, 150, 12)),
        HumanLayer(Place(180, 300, 495, 880, 6)),
        TextLayer("Mira 你好", Place(60, 1080, 600, 120), TextStyle(size=64, color="#FFE060", stroke=3)),
        ImageLayer(badge, Place(400, 980, 200, 100, -20)),
    )
    layout = Layout(720, 1280, background=Background("COLOR", "#204060"), layers=layers)
    motions = {name: lively()[name] for name in ("rest", "turn", "speech 4")}
    for name, mine, theirs in await side_by_side(page, server, layout, motions):
        found = alike(mine, theirs)
        print(f"layers {name}: {found.mean():.4f}, person {found[400:900, 250:600].mean():.4f}")
        assert found.mean() > 0.97, name
        assert found[400:900, 250:600].mean() > 0.95, name


async def test_a_crop_is_the_same(page: Page, server: MotionServer) -> None:
    layout = Layout(540, 720, stage=(1080, 1920), offset=(270, 300))
    ((_, mine, theirs),) = await side_by_side(page, server, layout, {"turn": lively()["turn"]})
    assert alike(mine, theirs).mean() > 0.97


async def test_alpha_is_the_same(page: Page, server: MotionServer) -> None:
    """The server's side-by-side picture: colours over black on the left, alpha on the right."""
    layout = Layout(720, 1280, transparency="side")
    ((_, mine, theirs),) = await side_by_side(page, server, layout, {"turn": lively()["turn"]})
    assert alike(mine, theirs[:, :720]).mean() > 0.97
    alpha = np.abs(mine[..., 3].astype(float) - np.clip((theirs[:, 720:, 0].astype(float)), 0, 255))
    assert np.percentile(alpha, 99.5) < 16
    assert alpha.mean() < 1


async def test_both_choose_the_same_pictures_all_along(page: Page, server: MotionServer) -> None:
    await opened(page, server, 360, 640)
    director = Director(np.random.default_rng(8), Mode.IDLE)
    for sentence in range(4):
        start = 0.5 + 2.0 * sentence
        timed = [(phoneme, 0.12 * n, 0.12 * n + 0.12) for n, phoneme in enumerate(SENTENCE[sentence:])]
        director.speak(timed, start)
    frames = [director.frame(0.04 * n) for n in range(220)]
    messages = [text(encode_motion(motion)) for motion in frames]
    theirs = await page.evaluate(
        "messages => messages.map(each => { const { mouth, eyes } = bench.pick(each); return [mouth, eyes] })", messages
    )
    entries = shipped().manifest
    mouths, eyes = MouthChooser(entries.mouth.entries), EyesChooser(entries.eyes.entries)
    ours = [[mouths.pick(motion), eyes.pick(motion)] for motion in frames]
    assert len({mouth for mouth, _ in ours}) > 8  # she does speak
    assert len({lids for _, lids in ours}) > 3  # and blinks
    # Weights are rounded on the way: a tie may fall the other way, once in a great while.
    assert np.mean(np.array(ours) == np.array(theirs)) > 0.99


async def test_another_mouth_would_be_noticed(page: Page, server: MotionServer) -> None:
    """The measure that the agreement rests on drops below its bounds when the wrong mouth or pose is shown."""
    await opened(page, server, 720, 1280)
    _, _, rest = await drawn(page, frame(0), 720, 1280)
    _, _, ah = await drawn(page, frame(0, jawOpen=0.35), 720, 1280)
    _, _, turned = await drawn(page, frame(0, Head(yaw=0.12)), 720, 1280)
    face = np.s_[320:640, 240:480]
    assert ssim(grey(np.ascontiguousarray(rest[..., :3])), grey(np.ascontiguousarray(ah[..., :3])))[face].mean() < 0.95
    assert (
        ssim(grey(np.ascontiguousarray(rest[..., :3])), grey(np.ascontiguousarray(turned[..., :3])))[face].mean() < 0.9
    )


async def test_edges_are_true_over_a_chequered_page(page: Page, server: MotionServer) -> None:
    await opened(page, server, 720, 1280, css="position: absolute; left: 0; top: 0")
    chequers = "repeating-conic-gradient(rgb(255 0 255) 0% 25%, rgb(0 255 0) 0% 50%) 0 0 / 64px 64px"
    await page.evaluate("chequers => Object.assign(document.body.style, { margin: 0, background: chequers })", chequers)
    _, _, mine = await drawn(page, frame(0, Head(yaw=0.1), breath=0.7), 720, 1280)
    shot = cv2.imdecode(np.frombuffer(await page.screenshot(), np.uint8), cv2.IMREAD_COLOR)
    shown = cv2.cvtColor(shot, cv2.COLOR_BGR2RGB)[:1280, :720].astype(int)
    alpha = mine[..., 3:].astype(float) / 255
    y, x = np.mgrid[0:1280, 0:720]
    odd = ((x // 32 + y // 32) % 2).astype(bool)[..., None]
    for first, second in (((255, 0, 255), (0, 255, 0)), ((0, 255, 0), (255, 0, 255))):
        page_colours = np.where(odd, np.array(first), np.array(second))
        wanted = mine[..., :3] + (1 - alpha) * page_colours
        if (near := np.abs(shown - wanted).max(axis=2) <= 3).mean() > 0.99:
            break
    assert near.mean() > 0.995
    clear, solid = mine[..., 3] == 0, mine[..., 3] == 255
    edge = ~clear & ~solid
    assert clear[:150].all()  # above her head there is nothing
    assert solid[560:700, 300:420].all()  # and her face is no ghost
    assert 1000 < edge.sum() < 60_000
    assert near[edge].mean() > 0.97


async def test_only_the_pack_is_asked_for_and_once(page: Page, server: MotionServer) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url.removeprefix(f"http://127.0.0.1:{server.port}")))
    await opened(page, server, 360, 640)
    for motions in lively().values():
        await drawn(page, motions[-1], 360, 640)
    packs = [url for url in asked if "/rtc/" in url]
    assert packs == [f"/rtc/v1/packs/{server.form.sha256}"]
    assert all(url.startswith("/web/render/") for url in asked if url not in packs)


async def test_patches_are_bounded_in_memory_and_come_back(page: Page, server: MotionServer) -> None:
    budget = 4 * 2**20
    await opened(page, server, 360, 640, budget=budget)
    _, _, before = await drawn(page, frame(0), 360, 640)
    most = await page.evaluate(
        """async () => {
          const { mouth, eyes } = bench.pack.model;
          let most = 0;
          for (const [at] of mouth.entries.entries()) most = Math.max(most, await bench.show(at, at % eyes.entries.length));
          return most;
        }"""
    )
    assert most <= budget
    await page.evaluate("() => { bench.mouths.nearest.before = bench.eyes.nearest.before = null }")
    _, _, after = await drawn(page, frame(0), 360, 640)
    assert np.abs(after.astype(int) - before).max() <= 2


async def test_a_damaged_pack_is_refused(page: Page, server: MotionServer) -> None:
    said = await page.evaluate(
        """async ({ href, headers }) => {
          const { WebPack } = await import('/web/render/pack.js');
          const whole = await (await fetch(href, { headers })).arrayBuffer();
          const tries = [whole.slice(0, 6), whole.slice(0, whole.byteLength - 100), new Uint8Array(100).buffer];
          return tries.map(each => { try { new WebPack(each); return ''; } catch (error) { return error.name + ': ' + error.message; } });
        }""",
        {"href": f"/rtc/v1/packs/{server.form.sha256}", "headers": HEADERS},
    )
    assert said == ["PackError: not a web pack", "PackError: the web pack is cut off", "PackError: not a web pack"]


async def test_what_a_frame_costs(page: Page, server: MotionServer) -> None:
    """Not a bound of the renderer: SwiftShader draws on the processor. It must only not stand still."""
    await opened(page, server, 720, 1280)
    director = Director(np.random.default_rng(9), Mode.IDLE)
    director.speak([(phoneme, 0.1 * n, 0.1 * n + 0.1) for n, phoneme in enumerate(SENTENCE)], 0.1)
    took = [
        (await page.evaluate("message => bench.draw(message, false)", text(encode_motion(director.frame(0.04 * n)))))[2]
        for n in range(15)
    ]
    print(f"\nms a frame at 720x1280 on SwiftShader: median {np.median(took):.1f}")
    assert np.median(took) < 1000


def brief(pts: float, **more: Any) -> dict[str, Any]:
    pose = dict.fromkeys(("yaw", "pitch", "roll", "shift_x", "shift_y", "breath"), 0.0)
    return {"pts": pts, "pose": {**pose, **more}}


async def test_frames_wait_in_order_and_bounded_and_are_held_when_late(page: Page) -> None:
    found = await page.evaluate(
        """async frames => {
          const { MotionBuffer, MOST } = await import('/web/render/buffer.js');
          const buffer = new MotionBuffer();
          const passed = [];
          const at = now => {
            const found = buffer.at(now, frame => passed.push(frame.pts));
            return found && [found.frame.pts, found.pose.yaw];
          };
          const out = [at(0)];
          for (const frame of frames) buffer.add(frame);
          out.push(at(0.01), at(0.06), at(0.08), at(5), at(6));
          buffer.add(frames[0]);
          out.push(buffer.late);
          for (let n = 0; n < 500; n++) buffer.add({ ...frames[0], pts: 100 + n });
          out.push(buffer.size <= MOST, buffer.dropped > 0, passed);
          return out;
        }""",
        # They come out of order, one twice, and between 0.12 and 1.2 many are lost.
        [brief(0.08, yaw=0.2), brief(0.0), brief(0.04, yaw=0.1), brief(0.04, yaw=9), brief(0.12, yaw=0.3), brief(1.2, yaw=5)],
    )  # fmt: skip
    assert found[0] is None
    assert found[1] == [0, pytest.approx(0.025)]
    assert found[2] == [pytest.approx(0.04), pytest.approx(0.15)]
    assert found[3] == [pytest.approx(0.08), pytest.approx(0.2)]
    assert found[4] == [1.2, 5]  # held: nothing is known of what comes
    assert found[5] == [1.2, 5]
    assert found[6] == 2
    assert found[7:9] == [True, True]
    assert found[9] == [0.0, 0.04, 0.08, 0.12, 1.2]


async def test_the_clock_shows_what_is_heard(page: Page) -> None:
    """Sound is played 180 ms after it was sent, RTP timestamps wrap, measurements jitter: lips stay within a few milliseconds."""
    rng = np.random.default_rng(2)
    steps = [(n / 60, float(rng.normal(0, 0.006))) for n in range(240)]
    found = await page.evaluate(
        """async steps => {
          const { StageClock } = await import('/web/render/clock.js');
          const clock = new StageClock();
          const origin = 4294960000;
          const out = [];
          for (const [at, noise] of steps) {
            const sent = 10 + at;                       // stage time of what is sent now; it arrives 30 ms later
            clock.arrived(sent - 0.03, at);
            const frame = { pts: sent - 0.03, rtp: (origin + Math.round((sent - 0.03 - 10) * 48000)) % 2 ** 32 };
            const heard = 10 + at - 0.18;
            const rtp = (((origin + Math.round((heard - 10) * 48000)) % 2 ** 32) + 2 ** 32) % 2 ** 32;
            clock.heard(rtp, at + noise, frame);
            out.push(clock.now(at) - heard);
          }
          const before = clock.now(4);
          const after = clock.now(9);                   // asleep: no sound, the clock runs on
          const jumped = clock.arrived(3, 9);           // another stage
          return { out, ran: after - before, jumped, now: clock.now(9) };
        }""",
        steps,
    )
    assert max(abs(error) for error in found["out"][60:]) < 0.008
    assert found["ran"] == pytest.approx(5)
    assert found["jumped"] is True
    assert found["now"] == pytest.approx(3 - 0.12)


@pytest.mark.parametrize("rate", [12, 60])
async def test_the_clock_follows_sound_that_is_stretched_or_stalls(page: Page, rate: int) -> None:
    """A browser plays a fifth faster to shorten its buffer, then stands still for 0.15 s and for 0.3 s; pictures may be few."""
    found = await page.evaluate(
        """async rate => {
          const { StageClock } = await import('/web/render/clock.js');
          const clock = new StageClock();
          const frame = { pts: 0, rtp: 0 };
          const stretched = [], after = [];
          let heard = 1, last = 0;
          for (let step = 1; step < 6 * rate; step++) {
            const at = step / rate;
            const stall = (at >= 2 && at < 2.15) || (at >= 4 && at < 4.3);
            heard += stall ? 0 : (at < 1 ? 1.2 : 1) / rate;
            clock.heard(Math.round(heard * 48000), at, frame);
            const apart = Math.abs(clock.now(at) - heard);
            if (at > 0.5 && at < 1) stretched.push(apart);
            if ((at > 2.75 && at < 4) || at > 4.9) after.push(apart);
          }
          return { stretched: Math.max(...stretched), after: Math.max(...after) };
        }""",
        rate,
    )
    assert found["stretched"] < 0.05
    assert found["after"] < 0.01
