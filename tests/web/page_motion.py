"""A page server that also serves the shipped pack and sends motion frames; and how two pictures are compared."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from aiohttp import web
from page_server import FakeServer

from visavis.avatar.background import Background
from visavis.avatar.pack import SHIPPED, Pack, find
from visavis.avatar.webform import WebForm, web_form
from visavis.motion import MotionFrame
from visavis.motion.wire import encode_motion

Picture = npt.NDArray[np.uint8]

FLAGS = ("--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist")
"""WebGL without a graphics card."""
BEARER = "Bearer u1:"


def shipped() -> Pack:
    return find("default", (SHIPPED,))


class MotionServer(FakeServer):
    """Serves the scene and the pack to whoever shows the RTC token; ``scene`` may be changed by a test."""

    def __init__(self) -> None:
        super().__init__()
        self.form: WebForm = web_form(shipped())
        self.refused: list[str] = []

    def reset(self) -> None:
        super().reset()
        self.scene: dict[str, Any] = {"client": True, "under": True, "over": False}
        self.pack_status = 200

    def _more_routes(self, app: web.Application) -> None:
        app.router.add_get("/rtc/v1/rooms/{rid}/scene", self._scene)
        app.router.add_get("/rtc/v1/rooms/{rid}/scene/under", self._under)
        app.router.add_get("/rtc/v1/packs/{sha}", self._pack)
        app.router.add_get("/blank", lambda _: web.Response(text="<!doctype html><body>", content_type="text/html"))

    def _check(self, request: web.Request) -> None:
        if not request.headers.get("Authorization", "").startswith(BEARER):
            raise web.HTTPUnauthorized

    async def _scene(self, request: web.Request) -> web.Response:
        self._check(request)
        if refused := await self._note("scene", request):
            return refused
        rid = request.match_info["rid"]
        width, height = self.script.video["width"], self.script.video["height"]
        return web.json_response(
            {
                "client": self.scene["client"],
                "reason": "" if self.scene["client"] else "the avatar is a film",
                "pack": {
                    "id": "mira",
                    "sha256": self.form.sha256,
                    "bytes": len(self.form.content),
                    "href": f"/rtc/v1/packs/{self.form.sha256}",
                },
                "width": width,
                "height": height,
                "stage": [width, height],
                "offset": [0, 0],
                "human": None,
                "transparent": not self.scene["under"],
                "under": f"/rtc/v1/rooms/{rid}/scene/under" if self.scene["under"] else None,
                "over": None,
            }
        )

    async def _under(self, request: web.Request) -> web.Response:
        self._check(request)
        size = self.script.video["width"], self.script.video["height"]
        return web.Response(body=coded(Background().draw(*size)), content_type="image/webp")

    async def _pack(self, request: web.Request) -> web.Response:
        self._check(request)
        await self._note("pack", request)
        assert request.headers["X-Rtc-Room"] == "r 1"
        if self.pack_status != 200:
            return web.Response(status=self.pack_status)
        headers = {"Cache-Control": "private, max-age=31536000, immutable", "ETag": f'"{self.form.sha256[:32]}"'}
        return web.Response(body=self.form.content, content_type="application/octet-stream", headers=headers)

    # --- what a test sends -------------------------------------------------------------------------

    def send(self, frame: MotionFrame) -> None:
        """Send a frame, as of this moment of the sound."""
        self.motion.send(encode_motion(frame, self.rtp(frame.pts)))

    def rtp(self, pts: float) -> int:
        """The sound's RTP timestamp at the stage time ``pts``; the tone's own time is the stage's."""
        sent = self.sound._RTCRtpSender__rtp_timestamp  # aiortc begins at a random number and does not tell it
        return (sent + round((pts - self.now) * 48000)) % 2**32

    @property
    def now(self) -> float:
        """The stage time of the packet sent last."""
        return (self.sound.track.index - 1) / 50

    async def play(self, frames: list[MotionFrame]) -> None:
        """Send frames at 25 a second, their times counted from now on."""
        loop, began, first = asyncio.get_running_loop(), asyncio.get_running_loop().time(), self.now
        for index, frame in enumerate(frames):
            await asyncio.sleep(max(0.0, began + index / 25 - loop.time()))
            frame.pts = first + index / 25
            self.send(frame)


def coded(picture: Picture) -> bytes:
    return bytes(cv2.imencode(".webp", picture, [cv2.IMWRITE_WEBP_QUALITY, 101])[1])


def ssim(a: Picture, b: Picture) -> npt.NDArray[np.float64]:
    """The map of structural similarity of two grey pictures (Wang et al. 2004: Gaussian window of 11, sigma 1.5)."""
    x, y = a.astype(np.float64), b.astype(np.float64)

    def blurred(picture: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return np.asarray(cv2.GaussianBlur(picture, (11, 11), 1.5))

    mean_x, mean_y = blurred(x), blurred(y)
    var_x, var_y = blurred(x * x) - mean_x**2, blurred(y * y) - mean_y**2
    both = blurred(x * y) - mean_x * mean_y
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    return ((2 * mean_x * mean_y + c1) * (2 * both + c2)) / ((mean_x**2 + mean_y**2 + c1) * (var_x + var_y + c2))


def text(data: bytes) -> str:
    return base64.b64encode(data).decode()
