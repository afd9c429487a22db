"""The room's messages (RTVI, on the END_USER's data channel) for the AsyncAPI document: what is told, what may be asked."""

from __future__ import annotations

from typing import Any, Final

Schema = dict[str, Any]

_TEXT: Final[Schema] = {"type": "string"}
_SECONDS: Final[Schema] = {"type": "number"}
_YES_OR_NO: Final[Schema] = {"type": "boolean"}
_LANGUAGE: Final[Schema] = {"type": "string", "enum": ["CN", "EN"]}
_PTS: Final[Schema] = {"type": "number", "description": "seconds of the stage clock"}
_MODES: Final = ["full_duplex", "half_duplex", "push_to_talk", "tap_to_talk"]

TOLD: Final[dict[str, tuple[str, dict[str, Schema], tuple[str, ...]]]] = {
    "bot-ready": ("Answers client-ready.", {"version": _TEXT, "about": {"type": "object"}}, ("version",)),
    "user-started-speaking": ("The person begins to speak.", {}, ()),
    "user-stopped-speaking": ("The person stops speaking.", {}, ()),
    "user-transcription": (
        "What was heard. Not final: so far; the next one replaces it, and a final one without text takes it back.",
        {"text": _TEXT, "user_id": _TEXT, "timestamp": {"type": "string", "format": "date-time"}, "final": _YES_OR_NO},
        ("text", "user_id", "timestamp", "final"),
    ),
    "bot-started-speaking": ("The sound really starts.", {}, ()),
    "bot-stopped-speaking": ("The sound really stops.", {}, ()),
    "bot-output": (
        "A sentence begins to sound: it is appended to the answer.",
        {"text": _TEXT, "spoken": {"const": True}, "aggregated_by": {"const": "sentence"}},
        ("text", "spoken", "aggregated_by"),
    ),
    "bot-tts-text": (
        "A word (of Chinese a character) begins to sound, with the marks behind it. The words of a sentence are its text.",
        {"text": _TEXT, "chat_id": _TEXT, "pts": _PTS},
        ("text", "chat_id", "pts"),
    ),
    "bot-interruption": ("The digital human was silenced.", {"spoken": {**_TEXT, "description": "what sounded"}}, ("spoken",)),
    "error": (
        "A message that makes no sense, or a part that failed; the session goes on unless it is fatal.",
        {"message": _TEXT, "fatal": _YES_OR_NO},
        ("message", "fatal"),
    ),
}  # fmt: skip
"""RTVI messages of the server: what they say, their data, and what of it is always there."""

EVENTS: Final[dict[str, tuple[str, dict[str, Schema], tuple[str, ...]]]] = {
    "jobInfoChange": (
        "The chat state: 0 waiting, 1 closing, 2 linked, 3 asleep, 4 falling asleep.",
        {"chat_state": {"type": "integer", "minimum": 0, "maximum": 4}, "restTime": _SECONDS},
        ("chat_state",),
    ),
    "subtitle": (
        "A sentence begins to sound; empty text: no more. words: each word is told as bot-tts-text when it sounds.",
        {"text": _TEXT, "language": _TEXT, "chat_id": _TEXT, "pts": _PTS, "words": {"const": True}},
        ("text", "language", "chat_id", "pts"),
    ),
    "hotQuestions": (
        "What may be asked with one tap, by language; where the robot proposes anything, behind bot-ready.",
        {"questions": {"type": "object", "additionalProperties": {"type": "array", "items": _TEXT}}},
        ("questions",),
    ),
    "enterSleep": ("It falls asleep.", {}, ()),
    "enterActive": (
        "It wakes up.",
        {"wakeupType": {"type": "string", "enum": ["VOICE", "RADAR", "INFRARED", "CAMERA"]}},
        (),
    ),
    "microphone": (
        "Who may speak when, and whether what is said now is heard.",
        {"mode": {"type": "string", "enum": _MODES}, "open": _YES_OR_NO},
        ("mode", "open"),
    ),
    "jobEndMention": ("The job ends soon.", {"jobId": _TEXT, "restTime": _SECONDS}, ("jobId", "restTime")),
    "jobEnd": (
        "The job is over.",
        {"jobId": _TEXT, "reason": {"type": "string", "enum": ["NORMAL", "MUTE_TIMEOUT", "CANCELED", "FAILED"]}},
        ("jobId", "reason"),
    ),
    "languageInfoChange": (
        "The conversation goes on in this language: the person changed it, or asked for it.",
        {"language": {"type": "string", "enum": ["CN", "EN", "AUTO"]}},
        ("language",),
    ),
    "instruction": (
        "An instruction of the role was recognised: what the client is to do.",
        {"name": _TEXT, "instruction": _TEXT, "slots": {"type": "object", "additionalProperties": _TEXT}},
        ("name", "instruction", "slots"),
    ),
    "latency": (
        "How quick an answer was: seconds since the end of the person's speech, by stage.",
        {"chat_id": _TEXT, "stages": {"type": "object", "additionalProperties": _SECONDS}},
        ("chat_id", "stages"),
    ),
}
"""Events of a server-message, likewise."""

ASKED: Final[dict[str, tuple[str, dict[str, Schema], tuple[str, ...]]]] = {
    "client-ready": ("The client listens; answered by bot-ready.", {}, ()),
    "send-text": ("A question that was typed, or tapped.", {"content": _TEXT}, ("content",)),
    "disconnect-bot": ("End the job.", {}, ()),
}
"""RTVI messages of the client."""

COMMANDS: Final[dict[str, tuple[str, dict[str, Schema], tuple[str, ...]]]] = {
    "interrupt": ("Be silent.", {}, ()),
    "wake": ("Wake up.", {"wakeup_type": {"type": "string", "enum": ["VOICE", "RADAR", "INFRARED", "CAMERA"]}}, ()),
    "sleep": ("Fall asleep.", {}, ()),
    "stop": ("End the job.", {}, ()),
    "say": ("Speak a text as it is.", {"text": _TEXT}, ("text",)),
    "language": (
        "Expect this language only.",
        {"language": {**_LANGUAGE, "enum": ["CN", "EN", "AUTO"]}},
        ("language",),
    ),
    "mode": ("Who may speak when.", {"mode": {"type": "string", "enum": _MODES}}, ("mode",)),
    "talk": ("The button to talk is pressed, or let go.", {"on": _YES_OR_NO}, ("on",)),
    "capture": ("Whether the client cancels its own echo.", {"echo_cancelled": _YES_OR_NO}, ("echo_cancelled",)),
}
"""What a client-message asks for (its t), with its d."""

_Table = dict[str, tuple[str, dict[str, Schema], tuple[str, ...]]]


def channel() -> dict[str, Any]:
    """The channel of the room."""
    names = [*map(_name, TOLD), *map(_name, EVENTS), *map(_name, ASKED), *(f"asked_{name}" for name in COMMANDS)]
    return {
        "address": None,
        "description": (
            "The data channel that the END_USER's offer opens (POST /rtc/v1/rooms/{rid}/offer): RTVI messages, JSON text. "
            "docs/protocol.md is for people."
        ),
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in names},
    }


def operations() -> dict[str, Any]:
    """What goes over it in both directions."""
    told = [*map(_name, TOLD), *map(_name, EVENTS)]
    asked = [*map(_name, ASKED), *(f"asked_{name}" for name in COMMANDS)]
    return {
        "ask": _operation("receive", "What the person's client asks for", asked),
        "show": _operation("send", "What the person's client is told", told),
    }


def messages() -> dict[str, Any]:
    """All of its messages."""
    found: dict[str, Any] = {}
    for table in (TOLD, ASKED):
        for name, (summary, data, always) in table.items():
            found[_name(name)] = _message(name, summary, name, _object(data, always))
    for name, (summary, data, always) in EVENTS.items():
        inner = _object({"event": {"const": name}, **data}, ("event", *always))
        found[_name(name)] = _message(name, summary, "server-message", inner)
    for name, (summary, data, always) in COMMANDS.items():
        inner = _object({"t": {"const": name}, "d": _object(data, always)}, ("t", *(("d",) if always else ())))
        found[f"asked_{name}"] = _message(name, summary, "client-message", inner)
    return found


def _name(name: str) -> str:
    return name.replace("-", "_")


def _object(data: dict[str, Schema], always: tuple[str, ...]) -> Schema:
    return {"type": "object", "properties": data, **({"required": list(always)} if always else {})}


def _message(name: str, summary: str, kind: str, data: Schema) -> dict[str, Any]:
    payload = _object({"label": {"const": "rtvi-ai"}, "type": {"const": kind}, "id": _TEXT, "data": data}, ("type",))
    return {"name": name, "title": name, "summary": summary, "payload": payload}


def _operation(action: str, summary: str, names: list[str]) -> dict[str, Any]:
    return {
        "action": action,
        "summary": summary,
        "channel": {"$ref": "#/channels/room"},
        "messages": [{"$ref": f"#/channels/room/messages/{name}"} for name in names],
    }
