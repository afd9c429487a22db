"""Routes of the RTC room: signalling for END_USER and PLAYER, state and stop (see docs/protocol.md)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import structlog
from fastapi import APIRouter, Depends, Request, Response
from pydantic import Field

from visavis.api.context import Context, Ctx
from visavis.api.parse import json_body
from visavis.contract.base import Request as Body
from visavis.contract.errors import ApiError, ErrorCode
from visavis.dispatch.types import JobNotRunning, SignalRefused
from visavis.rtc import tokens
from visavis.rtc.errors import SdpRefused
from visavis.rtc.ice import ice_servers, link_header
from visavis.rtc.sdpfrag import parse_sdpfrag
from visavis.session.signals import (
    Candidate,
    CandidatesSignal,
    LeaveSignal,
    OfferSignal,
    Signal,
    SignalReply,
)
from visavis.session.spec import RtcUser
from visavis.store import identity
from visavis.store import jobs as store
from visavis.store.jobs import Job

router = APIRouter(prefix="/rtc/v1/rooms/{rtc_room_id}")

_SDP = "application/sdp"
_SDP_FRAGMENT = "application/trickle-ice-sdpfrag"


class Member:
    """A user of an RTC room, with the job that the room is of."""

    def __init__(self, context: Context, job: Job, user: RtcUser) -> None:
        self.context = context
        self.job = job
        self.user = user

    def require(self, *user_types: str) -> None:
        """Raises ApiError: the user is of another type."""
        if self.user.user_type not in user_types:
            raise ApiError(ErrorCode.NO_PERMISSION, f"{self.user.user_type} may not do this")

    async def signal(self, signal: Signal) -> SignalReply:
        """Hand a signal to the job's worker."""
        if self.job.state.final:
            raise ApiError(ErrorCode.DIALOG_FINISHED)
        try:
            return await self.context.dispatcher.signal(self.job.id, signal)
        except JobNotRunning:
            raise ApiError(ErrorCode.STATE_UNAVAILABLE, "no worker holds the job") from None
        except SignalRefused as error:
            raise ApiError(ErrorCode.INVALID_PARAMETER, str(error)) from None


async def member(request: Request, context: Ctx, rtc_room_id: str) -> Member:
    """The holder of ``Authorization: Bearer {user_id}:{ctime}:{signature}``."""
    try:
        user_id, ctime, signature = tokens.parse_bearer(request.headers.get("authorization"))
        job = await store.by_rtc_room(context.database, rtc_room_id)
        user = next((user for user in job.users if user["user_id"] == user_id), None) if job else None
        if job is None or user is None:
            raise tokens.TokenRefused("the RTC token is not valid for this room and user")
        key = await identity.rtc_key(context.database, job.project_id)
        tokens.verify(key.app_key, key.app_id, rtc_room_id, user_id, ctime, signature, context.clock())
    except tokens.TokenRefused as error:
        context.metrics.auth_failures.labels("rtc").inc()
        raise ApiError(ErrorCode.INVALID_TOKEN, str(error)) from None
    structlog.contextvars.bind_contextvars(job_id=job.id, project_id=job.project_id)
    return Member(context, job, RtcUser.model_validate(user))


Me = Annotated[Member, Depends(member)]

Sdp = Annotated[str, Field(min_length=1, max_length=200_000)]
PeerId = Annotated[str, Field(min_length=1, max_length=128)]


class Offer(Body):
    """END_USER's offer, in the shape of Pipecat's SmallWebRTC."""

    sdp: Sdp
    type: Literal["offer"]
    pc_id: PeerId | None = None
    restart_pc: bool | None = None
    request_data: dict[str, Any] | None = None


class TrickledCandidate(Body):
    """One ICE candidate; empty text: there are no more."""

    candidate: str = Field(max_length=2048)
    sdp_mid: str | None = Field(None, max_length=64)
    sdp_mline_index: int | None = Field(None, ge=0, le=255)


class Trickle(Body):
    """ICE candidates of a peer."""

    pc_id: PeerId
    candidates: list[TrickledCandidate] = Field(max_length=256)


@router.get("/ice-servers")
async def show_ice_servers(me: Me) -> dict[str, Any]:
    """The STUN and TURN servers the caller may use, with fresh credentials."""
    servers = ice_servers(me.context.settings, me.user.user_id, me.context.clock())
    return {"ice_servers": [server.as_dict() for server in servers]}


@router.post("/offer")
async def offer(me: Me, body: Annotated[Offer, Depends(json_body(Offer))]) -> dict[str, str]:
    """Join as END_USER."""
    me.require("END_USER")
    reply = await me.signal(OfferSignal(user=me.user, sdp=body.sdp, pc_id=body.pc_id, restart_pc=bool(body.restart_pc)))
    return {"sdp": reply.sdp or "", "type": "answer", "pc_id": reply.pc_id}


@router.patch("/offer")
async def trickle(me: Me, body: Annotated[Trickle, Depends(json_body(Trickle))]) -> dict[str, str]:
    """Add ICE candidates to a peer of the caller."""
    me.require("END_USER")
    candidates = [Candidate.model_validate(candidate.model_dump()) for candidate in body.candidates]
    await me.signal(CandidatesSignal(user=me.user, pc_id=body.pc_id, candidates=candidates))
    return {"status": "success"}


@router.delete("/peers/{pc_id}", status_code=204)
async def leave(me: Me, pc_id: str) -> Response:
    """Close a peer of the caller."""
    await me.signal(LeaveSignal(user=me.user, pc_id=pc_id))
    return Response(status_code=204)


@router.get("/state")
async def state(me: Me) -> dict[str, Any]:
    """The show-state answer, with the caller's own entry only."""
    return await me.context.jobs.show(me.job, only_types=(me.user.user_type,))


@router.post("/stop")
async def stop(me: Me) -> dict[str, str]:
    """Stop the job."""
    me.require("END_USER")
    await me.context.jobs.stop(me.job)
    return {}


class Wakeup(Body):
    """What noticed that somebody is here."""

    wakeup_type: Literal["VOICE", "RADAR", "INFRARED", "CAMERA"]


@router.post("/wakeup")
async def wakeup(me: Me, body: Annotated[Wakeup, Depends(json_body(Wakeup))]) -> dict[str, str]:
    """Wake the digital human: for sensors of the device that shows it."""
    me.require("END_USER")
    await me.context.jobs.wake(me.job, body.wakeup_type)
    return {}


# --- WHEP -------------------------------------------------------------------------------------------


async def _text(request: Request, media_type: str) -> str:
    given = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if given != media_type:
        raise ApiError(ErrorCode.UNSUPPORTED_MEDIA_TYPE, f"wanted {media_type}")
    try:
        return (await request.body()).decode()
    except UnicodeDecodeError:
        raise ApiError(ErrorCode.INVALID_BODY, "not UTF-8") from None


@router.post("/whep", status_code=201)
async def whep(request: Request, me: Me, rtc_room_id: str) -> Response:
    """Join as a viewer."""
    me.require("PLAYER", "END_USER")
    sdp = await _text(request, _SDP)
    if not sdp.startswith("v=0"):
        raise ApiError(ErrorCode.INVALID_BODY, "not an SDP offer")
    reply = await me.signal(OfferSignal(user=me.user, sdp=sdp))
    answer = Response(reply.sdp, status_code=201, media_type=_SDP)
    answer.headers["Location"] = f"/rtc/v1/rooms/{rtc_room_id}/whep/{reply.pc_id}"
    for server in ice_servers(me.context.settings, me.user.user_id, me.context.clock()):
        for link in link_header(server):
            answer.headers.append("Link", link)
    return answer


@router.patch("/whep/{pc_id}", status_code=204)
async def whep_trickle(request: Request, me: Me, pc_id: str) -> Response:
    """Add ICE candidates to a viewer."""
    me.require("PLAYER", "END_USER")
    try:
        trickled = parse_sdpfrag(await _text(request, _SDP_FRAGMENT))
    except SdpRefused as error:
        raise ApiError(ErrorCode.INVALID_BODY, str(error)) from None
    candidates = [Candidate(candidate=text, sdp_mid=mid, sdp_mline_index=index) for text, mid, index in trickled]
    if not candidates:
        raise ApiError(ErrorCode.INVALID_BODY, "no candidates; ICE restarts are not supported: join again")
    await me.signal(CandidatesSignal(user=me.user, pc_id=pc_id, candidates=candidates))
    return Response(status_code=204)


@router.delete("/whep/{pc_id}")
async def whep_leave(me: Me, pc_id: str) -> Response:
    """Close a viewer."""
    me.require("PLAYER", "END_USER")
    await me.signal(LeaveSignal(user=me.user, pc_id=pc_id))
    return Response(status_code=200)
