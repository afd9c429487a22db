"""The operator's own client of the API: sign in, make a room, make a link to the page. Public interface only."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

PORTRAIT = {"width": 720, "height": 1280}


@asynccontextmanager
async def owner_client(
    url: str, project_id: str, user: str, password: str, *, verify: bool | ssl.SSLContext = True
) -> AsyncIterator[httpx.AsyncClient]:
    """A client that is signed in. Raises httpx.HTTPError when the server refuses."""
    body = {
        "auth": {
            "identity": {
                "methods": ["password"],
                "password": {"user": {"name": user, "password": password, "domain": {"name": project_id}}},
            },
            "scope": {"project": {"id": project_id}},
        }
    }
    async with httpx.AsyncClient(base_url=url, verify=verify, timeout=10) as http:
        answer = await http.post("/v3/auth/tokens", json=body)
        answer.raise_for_status()
        http.headers["X-Auth-Token"] = answer.headers["X-Subject-Token"]
        yield http


async def any_room(http: httpx.AsyncClient, project_id: str) -> str | None:
    """The id of the project's first room, if it has one."""
    answer = await http.get(f"/v1/{project_id}/smart-chat-rooms", params={"limit": 1})
    answer.raise_for_status()
    found = answer.json().get("smart_chat_rooms") or []
    return str(found[0]["room_id"]) if found else None


async def make_room(http: httpx.AsyncClient, project_id: str, *, concurrency: int = 2) -> str:
    """A robot that answers about visavis, and a portrait room for it; returns the room's id."""
    robot = await http.post(f"/v1/{project_id}/digital-human-chat/robot", json={"name": "visavis", "app_type": 7})
    robot.raise_for_status()
    room = await http.post(
        f"/v1/{project_id}/smart-chat-rooms",
        json={
            "room_name": "visavis",
            "room_description": "Talk to visavis",
            "robot_id": robot.json()["robot_id"],
            "concurrency": concurrency,
            "default_language": "EN",
            "video_config": {**PORTRAIT, "codec": "H264", "bitrate": 2500, "frame_rate": "25"},
            "voice_config_list": [
                {"voice_asset_id": "default", "language": "EN"},
                {"voice_asset_id": "default", "language": "CN"},
            ],
        },
    )
    room.raise_for_status()
    return str(room.json()["room_id"])


async def one_time_link(http: httpx.AsyncClient, project_id: str, room_id: str) -> str:
    """A link to the page with a one-time code behind the #, which browsers never send."""
    answer = await http.post(f"/v1/{project_id}/digital-human-chat/once-code")
    answer.raise_for_status()
    base = str(http.base_url).rstrip("/")
    return f"{base}/#project={project_id}&room={room_id}&code={answer.json()['once_code']}"
