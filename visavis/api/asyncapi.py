"""The drive WebSocket as AsyncAPI 3.0, from the very types that frames are read and written with, and the room's messages."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any, Final

from fastapi import APIRouter, Response
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from visavis import __version__
from visavis.api import asyncapi_room
from visavis.api.drive import PATH
from visavis.contract import drive
from visavis.contract.errors import ErrorCode

router = APIRouter()

SENT: Final = (
    drive.TextDrivePayload,
    drive.AudioDrivePayload,
    drive.InterruptPayload,
    drive.StopPayload,
    drive.HeartBeatPayload,
)
"""What a driver sends."""
TOLD: Final = (
    drive.StartChat,
    drive.ChatStateTold,
    drive.SpeechRecognized,
    drive.SpeakingStart,
    drive.SpeakingStop,
    drive.ChatInterrupted,
    drive.ContinueDrive,
    drive.HeartBeat,
    drive.JobFinished,
)
"""What it is told, besides results."""

_REFUSALS: Final = (
    ErrorCode.DRIVE_INTERNAL,
    ErrorCode.DRIVE_PARSE,
    ErrorCode.DRIVE_ROBOT_EMPTY,
    ErrorCode.DRIVE_UNKNOWN_ACTION,
    ErrorCode.DRIVE_TIMEOUT,
    ErrorCode.INVALID_PARAMETER,
    ErrorCode.JOB_NOT_FOUND,
    ErrorCode.DIALOG_NOT_FOUND,
    ErrorCode.TOO_FREQUENT,
    ErrorCode.DIALOG_FINISHED,
    ErrorCode.STATE_UNAVAILABLE,
    ErrorCode.ROBOT_NOT_FOUND,
)

_DESCRIPTION: Final = (
    "A third party drives a digital human (app_type 5): it is told what the person says, and sends the text or the sound "
    "that the digital human speaks. Frames are JSON text. The server first sends a Result (success), then START_CHAT. "
    "The room's data channel is described, too: what the person's client is told and may ask for."
)


@router.get("/asyncapi.json", include_in_schema=False)
async def asyncapi() -> Response:
    """The description of the drive WebSocket; it holds no secrets, and needs no credentials."""
    return Response(_served(), media_type="application/json")


@cache
def _served() -> bytes:
    return json.dumps(describe(), ensure_ascii=False).encode()


def describe() -> dict[str, Any]:
    """The document."""
    _, defs = models_json_schema(
        [(model, "validation") for model in SENT] + [(model, "serialization") for model in (*TOLD, drive.Result)],
        ref_template="#/components/schemas/{model}",
    )
    commands = [_command(model) for model in SENT]
    messages = {_command(model): _message(model) for model in SENT}
    messages |= {
        f"{_command(model)}_told" if model is drive.HeartBeat else _command(model): _message(model) for model in TOLD
    }
    messages["result"] = {
        "name": "result",
        "title": "Result",
        "summary": _summary(drive.Result),
        "description": "\n".join(f"- {code.code}: {code.message}" for code in (ErrorCode.SUCCESS, *_REFUSALS)),
        "payload": {"$ref": "#/components/schemas/Result"},
    }
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "visavis: driving a digital human, and talking with it",
            "version": __version__,
            "description": _DESCRIPTION,
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {
            "visavis": {
                "host": "{chat_access_address}",
                "protocol": "wss",
                "description": "as the answer that started the job names it; ws where the server is served without TLS",
                "variables": {"chat_access_address": {"default": "127.0.0.1:8080", "description": "host:port"}},
                "security": [{"$ref": f"#/components/securitySchemes/{name}"} for name in _security()],
            }
        },
        "channels": {
            "drive": {
                "address": PATH,
                "description": "One connection for each job; the newest driver wins.",
                "parameters": {
                    "project_id": {"description": "the project of the job and of the credentials"},
                    "job_id": {"description": "of a job that runs, whose robot has app_type 5"},
                },
                "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
                "bindings": {
                    "ws": {
                        "method": "GET",
                        "query": {
                            "type": "object",
                            "properties": {"token": {"type": "string", "description": "a one-time code"}},
                        },
                        "headers": {
                            "type": "object",
                            "properties": {"X-Auth-Token": {"type": "string", "description": "instead of the query"}},
                        },
                        "bindingVersion": "0.1.0",
                    }
                },
            },
            "room": asyncapi_room.channel(),
        },
        "operations": {
            "drive": _operation("receive", "What the driver sends", commands),
            "tell": _operation("send", "What the driver is told", [name for name in messages if name not in commands]),
            **asyncapi_room.operations(),
        },
        "components": {
            "messages": messages | asyncapi_room.messages(),
            "schemas": {name: _tidy(schema) for name, schema in sorted(defs["$defs"].items())},
            "securitySchemes": _security(),
        },
    }


def _command(model: type[BaseModel]) -> str:
    name: str = model.model_json_schema()["properties"]["command"]["const"]
    return name


def _summary(model: type[BaseModel]) -> str:
    return re.sub(r"\s+", " ", model.__doc__ or "").strip()


def _message(model: type[BaseModel]) -> dict[str, Any]:
    """A message in its envelope."""
    command = _command(model)
    told = model in TOLD
    request_id: dict[str, Any] = {"type": "string"} if told else {"type": "string", "default": "", "maxLength": 128}
    payload: dict[str, Any] = {
        "type": "object",
        "properties": {"request_id": request_id, "payload": {"$ref": f"#/components/schemas/{model.__name__}"}},
        "required": ["request_id", "payload"] if told else ["payload"],
    }
    if told:
        payload["additionalProperties"] = False
    return {"name": command, "title": command, "summary": _summary(model), "payload": payload}


def _operation(action: str, summary: str, names: list[str]) -> dict[str, Any]:
    return {
        "action": action,
        "summary": summary,
        "channel": {"$ref": "#/channels/drive"},
        "messages": [{"$ref": f"#/channels/drive/messages/{name}"} for name in names],
    }


def _security() -> dict[str, Any]:
    return {
        "once_code": {
            "type": "httpApiKey",
            "in": "query",
            "name": "token",
            "description": "A one-time code of the job's project: good for one connection, within five minutes.",
        },
        "token": {
            "type": "httpApiKey",
            "in": "header",
            "name": "X-Auth-Token",
            "description": "A token of a user who is an operator of the project. A signed request (SDK-HMAC-SHA256) will do as well.",
        },
    }


def _tidy(schema: Any) -> Any:
    """Without the titles that pydantic makes of field names, and with descriptions in one line."""
    if isinstance(schema, list):
        return [_tidy(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    out = {}
    for name, value in schema.items():
        if name == "title" and isinstance(value, str):
            continue
        if name == "description" and isinstance(value, str):
            value = re.sub(r"\s+", " ", value).strip()
        # A field may be called "title" or "description": what stands under "properties" are names, not keywords.
        out[name] = {key: _tidy(each) for key, each in value.items()} if name == "properties" else _tidy(value)
    return out
