"""The client's side of our HTTP protocol (docs/protocol.md): how a client exchanges offers with a room."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol
from urllib.parse import urljoin

import httpx

from visavis.rtc.errors import RtcError
from visavis.rtc.ice import IceServer
from visavis.rtc.sdpfrag import Trickled


class SignallingError(RtcError):
    """The server refused a call or cannot be reached. ``status`` 0: not reached."""

    def __init__(self, message: str, status: int = 0, error_code: str = "") -> None:
        super().__init__(message)
        self.status, self.error_code = status, error_code


class Signalling(Protocol):
    """How a client talks to a room."""

    async def ice_servers(self) -> list[IceServer]: ...

    async def offer(self, sdp: str, pc_id: str | None = None, restart: bool = False) -> tuple[str, str]: ...

    async def candidates(self, pc_id: str, candidates: Sequence[Trickled]) -> None: ...

    async def leave(self, pc_id: str) -> None: ...

    async def aclose(self) -> None: ...


class _Http:
    def __init__(self, base_url: str, rtc_room_id: str, bearer: str, verify: bool | str = True) -> None:
        """``base_url``: scheme and host; ``bearer``: ``tokens.bearer(...)``; ``verify``: False for self-signed TLS."""
        self._root = f"{base_url.rstrip('/')}/rtc/v1/rooms/{rtc_room_id}"
        self._http = httpx.AsyncClient(headers={"Authorization": bearer}, verify=verify, timeout=15)

    async def _call(self, method: str, url: str, **options: Any) -> httpx.Response:
        try:
            response = await self._http.request(method, url, **options)
        except httpx.HTTPError as error:
            raise SignallingError(f"{method} {url}: {error or type(error).__name__}") from error
        if response.is_success:
            return response
        try:
            body = response.json()
            code, text = str(body.get("error_code", "")), str(body.get("error_msg", ""))
        except (ValueError, AttributeError):
            code, text = "", response.text[:200]
        raise SignallingError(f"{method} {url}: {response.status_code} {code} {text}", response.status_code, code)

    async def ice_servers(self) -> list[IceServer]:
        """The STUN and TURN servers the room offers."""
        body = (await self._call("GET", f"{self._root}/ice-servers")).json()
        return [IceServer(one["urls"], one.get("username"), one.get("credential")) for one in body["ice_servers"]]

    async def aclose(self) -> None:
        await self._http.aclose()


class EndUserSignalling(_Http):
    """END_USER: JSON offers with trickle (the shape of Pipecat's SmallWebRTC)."""

    async def offer(self, sdp: str, pc_id: str | None = None, restart: bool = False) -> tuple[str, str]:
        """(pc_id, answer). Raises SignallingError."""
        body: dict[str, Any] = {"sdp": sdp, "type": "offer"}
        if pc_id is not None:
            body |= {"pc_id": pc_id, "restart_pc": restart}
        answer = (await self._call("POST", f"{self._root}/offer", json=body)).json()
        return answer["pc_id"], answer["sdp"]

    async def candidates(self, pc_id: str, candidates: Sequence[Trickled]) -> None:
        entries = [{"candidate": text, "sdp_mid": mid, "sdp_mline_index": index} for text, mid, index in candidates]
        await self._call("PATCH", f"{self._root}/offer", json={"pc_id": pc_id, "candidates": entries})

    async def leave(self, pc_id: str) -> None:
        await self._call("DELETE", f"{self._root}/peers/{pc_id}")


class WhepSignalling(_Http):
    """PLAYER: WHEP. ``pc_id`` is the resource's address."""

    async def offer(self, sdp: str, pc_id: str | None = None, restart: bool = False) -> tuple[str, str]:
        """(address of the resource, answer). Raises SignallingError."""
        response = await self._call(
            "POST", f"{self._root}/whep", content=sdp, headers={"Content-Type": "application/sdp"}
        )
        return urljoin(str(response.url), response.headers["Location"]), response.text

    async def candidates(self, pc_id: str, candidates: Sequence[Trickled]) -> None:
        lines: list[str] = []
        mid_before: str | None = None
        for text, mid, _ in candidates:
            if mid is not None and mid != mid_before:
                lines += ["m=audio 9 RTP/AVP 0", f"a=mid:{mid}"]
                mid_before = mid
            lines.append(f"a={text}" if text else "a=end-of-candidates")
        content = "".join(f"{line}\r\n" for line in lines)
        await self._call("PATCH", pc_id, content=content, headers={"Content-Type": "application/trickle-ice-sdpfrag"})

    async def leave(self, pc_id: str) -> None:
        await self._call("DELETE", pc_id)
