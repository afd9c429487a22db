"""A peer whose transport fails while it closes is gone all the same."""

from __future__ import annotations

import pytest
import structlog

from visavis.rtc.broadcast import Broadcaster
from visavis.rtc.peer import Peer, PeerEvents
from visavis.rtc.ports import IceConfig


async def test_a_transport_that_fails_to_close_does_not_keep_the_peer(monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[str] = []
    events = PeerEvents(closed=lambda: closed.append("closed"))
    peer = Peer("pc", "u", "END_USER", Broadcaster(), IceConfig(), events)

    async def fail() -> None:
        raise RuntimeError("stuck")

    monkeypatch.setattr(peer._pc, "close", fail)
    with structlog.testing.capture_logs() as logs:
        await peer.close()
        await peer.close()
    assert closed == ["closed"]
    assert [entry["log_level"] for entry in logs] == ["error"]
