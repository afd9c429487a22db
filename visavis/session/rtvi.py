"""RTVI messages over the data channel (``docs/protocol.md``): what the server says, what the client may ask."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

RTVI_VERSION = "1.0.0"
MAX_MESSAGE = 16_384
"""Longest message accepted from a client, characters."""


def message(kind: str, data: dict[str, Any] | None = None, message_id: str | None = None) -> str:
    """One RTVI message as JSON text."""
    body: dict[str, Any] = {"label": "rtvi-ai", "type": kind, "id": message_id or uuid.uuid4().hex[:8]}
    if data is not None:
        body["data"] = data
    return json.dumps(body, ensure_ascii=False)


def event(name: str, **more: Any) -> str:
    """A ``server-message`` that carries one of our events."""
    return message("server-message", {"event": name, **more})


def user_transcription(text: str, user_id: str, *, final: bool = True) -> str:
    """What was heard; not ``final``: so far, while the person still speaks."""
    stamp = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return message("user-transcription", {"text": text, "user_id": user_id, "timestamp": stamp, "final": final})


@dataclass(frozen=True, slots=True)
class ClientMessage:
    """A message of the client: RTVI type, id and data; ``client-message`` is unpacked to its own t and d."""

    kind: str
    id: str
    data: dict[str, Any]


class BadClientMessage(ValueError):
    """The client sent something that is not an RTVI message."""


def parse(text: str) -> ClientMessage | None:
    """Parse a client's message. None: nothing to do (a ``ping``). Raises BadClientMessage."""
    if text.startswith("ping"):
        return None
    if len(text) > MAX_MESSAGE:
        raise BadClientMessage(f"a message of {len(text)} characters; at most {MAX_MESSAGE} are accepted")
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        raise BadClientMessage("not JSON") from None
    try:
        json.dumps(body, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        # JSON can escape half a character; nothing that stores, speaks or sends text takes it.
        raise BadClientMessage("text that is not Unicode") from None
    if not isinstance(body, dict) or not isinstance(body.get("type"), str):
        raise BadClientMessage("no type")
    data = body.get("data") or {}
    if not isinstance(data, dict):
        raise BadClientMessage("data is not an object")
    kind, message_id = body["type"], str(body.get("id", ""))
    if kind == "signalling":  # Pipecat's own renegotiation chatter
        return None
    if kind == "client-message":
        inner = data.get("d") or {}
        if not isinstance(data.get("t"), str) or not isinstance(inner, dict):
            raise BadClientMessage("client-message without t")
        return ClientMessage(data["t"], message_id, inner)
    return ClientMessage(kind, message_id, data)
