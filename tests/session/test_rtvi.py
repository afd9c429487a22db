from __future__ import annotations

import json

import pytest

from visavis.session import rtvi


def test_a_server_event() -> None:
    body = json.loads(rtvi.event("jobEnd", jobId="j", reason="NORMAL"))
    assert body["label"] == "rtvi-ai"
    assert body["type"] == "server-message"
    assert body["data"] == {"event": "jobEnd", "jobId": "j", "reason": "NORMAL"}
    assert body["id"]


def test_chinese_stays_readable() -> None:
    assert "你好" in rtvi.user_transcription("你好", "u")


def test_ping_is_nothing() -> None:
    assert rtvi.parse("ping: 1234") is None


def test_a_client_message_is_unpacked() -> None:
    text = json.dumps(
        {"label": "rtvi-ai", "type": "client-message", "id": "7", "data": {"t": "say", "d": {"text": "x"}}}
    )
    assert rtvi.parse(text) == rtvi.ClientMessage("say", "7", {"text": "x"})


def test_send_text() -> None:
    text = json.dumps({"type": "send-text", "id": 3, "data": {"content": "Hello"}})
    assert rtvi.parse(text) == rtvi.ClientMessage("send-text", "3", {"content": "Hello"})


@pytest.mark.parametrize(
    "text",
    ["{", "[]", "{}", '{"type": 3}', '{"type":"x","data":[1]}', '{"type":"client-message","data":{}}', "x" * 20_000],
    ids=lambda text: text[:20],
)
def test_nonsense_is_refused(text: str) -> None:
    with pytest.raises(rtvi.BadClientMessage):
        rtvi.parse(text)
