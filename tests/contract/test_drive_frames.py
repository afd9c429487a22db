"""Frames of the drive WebSocket: what is read of them, and that nothing a driver can send breaks the reading."""

from __future__ import annotations

import base64
import contextlib
import json
import struct
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from visavis.api.services.drive_sound import SoundStream, decode
from visavis.contract.drive import COMMANDS, AudioData, DriveError, TextDrivePayload, parse


def frame(command: str, data: Any = None, **more: Any) -> str:
    payload = {"job_id": "j", "chat_id": "c", "command": command, "data": data, **more}
    return json.dumps({"request_id": "r", "payload": payload})


@pytest.mark.parametrize(
    ("data", "beside", "read"),
    [
        ({"text": "a"}, {}, (None, True)),
        ({"text": "a", "is_last": False}, {}, (None, True)),
        ({"text": "a", "seq": 1}, {}, (1, False)),
        ({"text": "a", "seq": 1, "is_last": True}, {}, (1, True)),
        ({"text": "a"}, {"seq": 3, "is_last": True}, (3, True)),
        ({"text": "a", "seq": 2}, {"seq": 3}, (2, False)),
        ({"text": "", "seq": 2, "is_last": True}, {}, (2, True)),
        ({"text": " ", "seq": 2}, {}, (2, False)),
    ],
)
def test_the_place_in_a_stream(data: dict[str, Any], beside: dict[str, Any], read: tuple[int | None, bool]) -> None:
    payload = parse(frame("TEXT_DRIVE", data, **beside)).payload
    assert isinstance(payload, TextDrivePayload)
    assert (payload.data.seq, payload.data.last) == read


@pytest.mark.parametrize("data", [{"text": " "}, {"text": ""}, {"text": "", "seq": 1}, {"text": "", "is_last": True}])
def test_text_that_says_nothing(data: dict[str, Any]) -> None:
    with pytest.raises(DriveError, match="there is no text"):
        parse(frame("TEXT_DRIVE", data))


@pytest.mark.parametrize("request_id", [None, 7, "x" * 200, "\ud800", "a\nb"])
def test_an_odd_request_id_is_no_reason_to_refuse(request_id: Any) -> None:
    read = parse(json.dumps({"request_id": request_id, "payload": {"command": "HEART_BEAT"}})).request_id
    assert read == ("x" * 128 if request_id == "x" * 200 else "")


def test_an_error_names_the_field_but_not_what_stood_there() -> None:
    with pytest.raises(DriveError) as error:
        parse(frame("AUDIO_DRIVE", {"audio": ["hush"]}))
    assert "payload.data.audio" in error.value.detail
    assert "hush" not in error.value.detail
    assert error.value.request_id == "r"


_JSON: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None)
@given(
    st.fixed_dictionaries(
        {},
        optional={
            "command": st.sampled_from(COMMANDS) | _JSON,
            "job_id": st.just("j") | _JSON,
            "chat_id": st.just("c") | _JSON,
            "robot_id": _JSON,
            "seq": st.integers() | _JSON,
            "data": st.fixed_dictionaries(
                {}, optional=dict.fromkeys(("text", "audio", "seq", "is_last", "sample_rate"), _JSON)
            )
            | _JSON,
        },
    )
    | _JSON
)
def test_whatever_comes_is_read_or_refused(payload: Any) -> None:
    for text in (json.dumps({"request_id": "r", "payload": payload}), json.dumps(payload)):
        with contextlib.suppress(DriveError):
            assert parse(text).payload.command in COMMANDS


def _sound(raw: bytes, **more: Any) -> AudioData:
    return AudioData(audio=base64.b64encode(raw).decode(), **more)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=60), st.booleans(), st.none() | st.integers(8000, 48_000))
def test_whatever_sound_comes_is_decoded_or_refused(raw: bytes, wav: bool, rate: int | None) -> None:
    content = b"RIFF\0\0\0\0WAVE" + raw if wav else raw
    try:
        pcm, stream = decode(
            None, AudioData.model_construct(audio=base64.b64encode(content).decode(), sample_rate=rate)
        )
    except DriveError:
        return
    assert len(pcm) % 2 == 0
    assert 8000 <= stream.rate <= 48_000


def test_a_header_with_more_chunks() -> None:
    head = b"RIFF\0\0\0\0WAVE" + b"LIST" + struct.pack("<I", 3) + b"abc\0"
    head += b"fmt " + struct.pack("<IHHIIHH", 18, 0xFFFE, 1, 22_050, 44_100, 2, 16) + b"\0\0"
    pcm, stream = decode(None, _sound(head + b"data" + struct.pack("<I", 4) + b"\1\2\3\4trailer!"))
    assert (pcm, stream) == (b"\1\2\3\4", SoundStream(22_050, 0))
    assert decode(stream, _sound(b"more")) == (b"", stream), "the file's sound is over"
    with pytest.raises(DriveError, match="22050"):
        decode(stream, _sound(b"more", sample_rate=16_000))
