"""Speech by itself: one-time codes, English pronunciations, whether a voice is there."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from visavis.api.catalogue import DEFAULT
from visavis.api.skeleton import Call, handles
from visavis.contract.base import published, rfc3339
from visavis.contract.errors import ApiError, ErrorCode
from visavis.speech.readings import Readings
from visavis.speech.types import Voice
from visavis.store import codes

_readings: Final = Readings()
_DEFAULT: Final = Voice(DEFAULT, "Default", ("zh", "en"), "female", "")


@handles("create_tts_once_code")
async def create_once_code(call: Call) -> dict[str, Any]:
    """A code for one use, as the smart chat's."""
    return {"once_code": await codes.create(call.context.database, call.project_id, call.now)}


@handles("show_tts_phonetic_symbol")
async def show_readings(call: Call) -> dict[str, Any]:
    """The pronunciations of an English word."""
    try:
        found = await asyncio.to_thread(_readings, call.query["word"].strip())
    except ValueError as error:
        raise ApiError(ErrorCode.INVALID_PARAMETER, f"word: {error}") from None
    offset = call.query["offset"]
    return {"data": found[offset : offset + call.query["limit"]]}


@handles("check_voice_asset")
async def check_voice(call: Call) -> dict[str, Any]:
    """What is known of a voice that can be used."""
    wanted = call.path["voice_asset_id"]
    voices = [*call.context.catalogue.voices(), _DEFAULT]
    voice = next((one for one in voices if one.id == wanted), None)
    if voice is None:
        raise ApiError(ErrorCode.ASSET_NOT_FOUND, "voice_asset_id: no such voice")
    meta = {
        "sex": voice.sex.upper(),
        "language": published(voice.languages[0]) if voice.languages else "UNKNOW",
        "speed_ratio": 1.0,
        "volume_ratio": 1.0,
    }
    return {
        "asset_id": voice.id,
        "asset_name": voice.name,
        "asset_type": "VOICE_MODEL",
        "asset_state": "ACTIVED",
        # What is built in has no date of its own.
        "create_time": rfc3339(0),
        "update_time": rfc3339(0),
        "asset_extra_meta": {"voice_model_meta": meta},
        "files": [],
    }
