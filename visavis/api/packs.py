"""What a browser needs to draw the digital human for itself: the scene, and the avatar's pack in its web form.

Only the members of a running job's RTC room get them, and only the pack that this job shows.
"""

from __future__ import annotations

import asyncio
import hashlib
import threading
from collections import OrderedDict
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, Header, Request, Response

from visavis.api.context import Ctx
from visavis.api.rtc import Me, Member, member
from visavis.avatar import webform, webscene
from visavis.avatar.layout import Layout
from visavis.avatar.pack import Pack, find, search_folders
from visavis.avatar.scenery import fingerprint
from visavis.avatar.webform import WebForm
from visavis.avatar.webscene import Surroundings
from visavis.contract.errors import ApiError, ErrorCode
from visavis.errors import VisavisError
from visavis.session.picture import layout as layout_of
from visavis.session.spec import JobSpec

router = APIRouter(prefix="/rtc/v1")

_FOR_EVER: Final = "private, max-age=31536000, immutable"
_ASK_AGAIN: Final = "private, no-cache"
_SCENES_KEPT: Final = 8


@dataclass(frozen=True, slots=True)
class _Drawing:
    """A job's picture, opened."""

    pack: Pack
    layout: Layout

    @property
    def unsuitable(self) -> str:
        """Why a browser cannot draw it; empty: it can."""
        return webform.unsuitable(self.pack) or webscene.unsuitable(self.layout)


_scenes: Final[OrderedDict[str, Surroundings]] = OrderedDict()
_scenes_lock: Final = threading.Lock()


def _opened(spec: JobSpec, folders: Any) -> _Drawing:
    pack = Pack.open(Path(spec.avatar_file)) if spec.avatar_file else find(spec.avatar_id, folders)
    return _Drawing(pack, layout_of(spec))


def _surroundings(layout: Layout) -> Surroundings:
    key = fingerprint(layout)
    with _scenes_lock:
        found = _scenes.pop(key, None) or webscene.surroundings(layout)
        _scenes[key] = found
        while len(_scenes) > _SCENES_KEPT:
            _scenes.popitem(last=False)
        return found


async def _drawing(me: Member) -> _Drawing:
    me.require("END_USER", "PLAYER")
    spec = me.context.jobs.spec_of(me.job)
    if spec is None:
        raise ApiError(ErrorCode.DIALOG_FINISHED)
    try:
        return await asyncio.to_thread(_opened, spec, search_folders(me.context.settings.data))
    except VisavisError as error:
        raise ApiError(ErrorCode.STATE_UNAVAILABLE, str(error)) from None


async def _form(drawing: _Drawing) -> WebForm:
    try:
        return await asyncio.to_thread(webform.web_form, drawing.pack)
    except VisavisError as error:
        raise ApiError(ErrorCode.STATE_UNAVAILABLE, str(error)) from None


async def _around(drawing: _Drawing) -> Surroundings:
    try:
        return await asyncio.to_thread(_surroundings, drawing.layout)
    except VisavisError as error:
        raise ApiError(ErrorCode.STATE_UNAVAILABLE, str(error)) from None


@router.get("/rooms/{rtc_room_id}/scene")
async def scene(me: Me, rtc_room_id: str) -> dict[str, Any]:
    """What the job's picture consists of, and where its parts are."""
    drawing = await _drawing(me)
    if reason := drawing.unsuitable:
        return {"client": False, "reason": reason}
    form, around, layout = await _form(drawing), await _around(drawing), drawing.layout
    place = webscene.human_of(layout).place
    base = f"/rtc/v1/rooms/{rtc_room_id}/scene"
    return {
        "client": True,
        "reason": "",
        "pack": {
            "id": drawing.pack.manifest.id,
            "sha256": form.sha256,
            "bytes": len(form.content),
            "href": f"/rtc/v1/packs/{form.sha256}",
        },
        "width": layout.width,
        "height": layout.height,
        "stage": layout.stage or (layout.width, layout.height),
        "offset": layout.offset,
        "human": asdict(place) if place else None,
        "transparent": layout.transparency != "none",
        "under": f"{base}/under" if around.under else None,
        "over": f"{base}/over" if around.over else None,
    }


@router.get("/rooms/{rtc_room_id}/scene/{part}")
async def scene_picture(request: Request, me: Me, part: Literal["under", "over"]) -> Response:
    """The picture behind or before the person, WebP."""
    drawing = await _drawing(me)
    if drawing.unsuitable:
        raise ApiError(ErrorCode.API_NOT_FOUND)
    around = await _around(drawing)
    content = around.under if part == "under" else around.over
    if content is None:
        raise ApiError(ErrorCode.API_NOT_FOUND)
    return _answer(request, content, hashlib.sha256(content).hexdigest(), "image/webp", _ASK_AGAIN)


async def _member_by_header(
    request: Request, context: Ctx, x_rtc_room: Annotated[str, Header(max_length=64)] = ""
) -> Member:
    """A pack's address names its content and nothing else, so that browsers keep it; the room comes in ``X-Rtc-Room``."""
    return await member(request, context, x_rtc_room)


@router.get("/packs/{sha256}")
async def pack(request: Request, sha256: str, me: Annotated[Member, Depends(_member_by_header)]) -> Response:
    """The pack of the caller's job in its web form."""
    drawing = await _drawing(me)
    if drawing.unsuitable:
        raise ApiError(ErrorCode.API_NOT_FOUND)
    form = await _form(drawing)
    if sha256 != form.sha256:
        raise ApiError(ErrorCode.API_NOT_FOUND)
    return _answer(request, form.content, form.sha256, "application/octet-stream", _FOR_EVER)


def _answer(request: Request, content: bytes, digest: str, media_type: str, cache: str) -> Response:
    headers = {"ETag": f'"{digest[:32]}"', "Cache-Control": cache, "Cross-Origin-Resource-Policy": "cross-origin"}
    known = [tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")]
    if headers["ETag"] in known or "*" in known:
        return Response(status_code=304, headers=headers)
    return Response(content, media_type=media_type, headers=headers)
