import asyncio
import inspect
import random
import socket

import aioice
import pytest
from aioice import Connection
from aiortc import RTCPeerConnection

from visavis.errors import VisavisError
from visavis.rtc.errors import PortsExhausted
from visavis.rtc.ice import IceServer
from visavis.rtc.ports import IceConfig, RangeConnection, bind_udp, primary_address


def free_range(size: int) -> tuple[int, int]:
    """Adjacent UDP ports that are free on loopback."""
    for low in random.sample(range(21_000, 31_000, size), 200):
        sockets = []
        try:
            for port in range(low, low + size):
                sockets.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
                sockets[-1].bind(("127.0.0.1", port))
            return low, low + size - 1
        except OSError:
            continue
        finally:
            for sock in sockets:
                sock.close()
    raise AssertionError("no free ports")


def test_every_port_of_the_range_is_used_then_exhausted() -> None:
    low, high = free_range(6)
    sockets = []
    try:
        sockets += [bind_udp("127.0.0.1", (low, high)) for _ in range(6)]
        assert {sock.getsockname()[1] for sock in sockets} == set(range(low, high + 1))
        with pytest.raises(PortsExhausted, match=f"{low}-{high}"):
            bind_udp("127.0.0.1", (low, high))
    finally:
        for sock in sockets:
            sock.close()


def test_foreign_address_is_an_error() -> None:
    with pytest.raises(OSError, match="assign"):
        bind_udp("203.0.113.9", None)


async def test_candidates_are_in_the_range_and_announce_the_public_address_first() -> None:
    low, high = free_range(4)
    connection = RangeConnection(IceConfig((low, high), "203.0.113.7", addresses=("127.0.0.1",)), ice_controlling=False)
    await connection.gather_candidates()
    try:
        public, private = connection.local_candidates
        assert (public.host, private.host) == ("203.0.113.7", "127.0.0.1")
        assert public.port == private.port
        assert low <= public.port <= high
        assert public.type == "host"
        assert public.priority > private.priority
    finally:
        await connection.close()


async def test_exhaustion_leaves_the_gathering_with_the_reason() -> None:
    low, high = free_range(1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", low))
        connection = RangeConnection(IceConfig((low, high), addresses=("127.0.0.1",)), ice_controlling=False)
        with pytest.raises(PortsExhausted):
            await connection.gather_candidates()
        await connection.close()


async def test_silent_stun_server_does_not_hold_the_answer_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("visavis.rtc.ports._SERVER_TIMEOUT_S", 0.2)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as deaf:
        deaf.bind(("127.0.0.1", 0))
        servers = (IceServer([f"stun:127.0.0.1:{deaf.getsockname()[1]}"]),)
        connection = RangeConnection(IceConfig(servers=servers, addresses=("127.0.0.1",)), ice_controlling=False)
        started = asyncio.get_running_loop().time()
        await connection.gather_candidates()
        assert asyncio.get_running_loop().time() - started < 1
        assert [one.type for one in connection.local_candidates] == ["host"]
        deaf.setblocking(False)
        assert deaf.recv(100), "it was asked"
        await connection.close()
        # With a public address there is nothing to ask.
        assert "stun_server" not in IceConfig(public_ip="203.0.113.7", servers=servers).kwargs()


def test_primary_address_is_the_one_that_routes() -> None:
    assert primary_address(["10.9.9.9", "127.0.0.1"], "127.0.0.1") == "127.0.0.1"
    assert primary_address(["10.9.9.9", "fd00::1"], "203.0.113.1") == "10.9.9.9"
    assert primary_address(["fd00::1"], "203.0.113.1") is None


@pytest.mark.parametrize(
    "options",
    [
        {"public_ip": "example.com"},
        {"addresses": ("localhost",)},
        {"servers": (IceServer(["http://x"]),)},
        {"servers": (IceServer(["turn:"]),)},
    ],
)
def test_bad_settings_are_told(options) -> None:
    with pytest.raises(VisavisError, match="bad RTC settings"):
        IceConfig(**options)


async def test_aioice_and_aiortc_are_still_as_they_were_read() -> None:
    """What the overrides rely on; a release that moves it must fail here and not in someone's call."""
    assert aioice.__version__.startswith("0.13.")
    method = inspect.signature(Connection.get_component_candidates)
    assert list(method.parameters) == ["self", "component", "addresses", "timeout"]
    connection = Connection(ice_controlling=False)
    for name in ("_protocols", "_remote_candidates_end", "stun_server", "turn_server", "turn_ssl", "turn_transport"):
        assert hasattr(connection, name), name
    pc = RTCPeerConnection()
    transceiver = pc.addTransceiver("audio")
    ice = transceiver.receiver.transport.transport
    assert ice._connection is ice.iceGatherer._connection
    for name in ("_recv", "_send"):
        assert hasattr(ice, name), name
    for name in ("sender", "receiver"):
        assert hasattr(transceiver, f"_RTCRtpTransceiver__{name}"), name
    for name in ("_ssrc", "_rtx_ssrc", "_stream_id", "_track_id", "_enabled"):
        assert hasattr(transceiver.sender, name), name
    assert hasattr(transceiver.receiver, "_RTCRtpReceiver__timestamp_mapper")
    await pc.close()
