"""Relay only, through Debian's coturn with its REST credentials."""

import asyncio
import shutil
import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from rtc_support import LOOPBACK, DirectSignalling, Inbox, colour, show

from visavis.rtc.client import ClientError, RoomClient
from visavis.rtc.ice import IceServer, ice_servers
from visavis.rtc.ports import IceConfig
from visavis.settings import Settings

TURNSERVER = shutil.which("turnserver") or "/usr/bin/turnserver"
pytestmark = pytest.mark.skipif(not Path(TURNSERVER).exists(), reason="coturn's turnserver is not installed")
SECRET = "a-shared-secret"


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@pytest.fixture
async def turn(tmp_path: Path) -> AsyncIterator[Settings]:
    """A running coturn; yields settings that name it."""
    port = free_port()
    arguments = [
        "-n", "--listening-ip=127.0.0.1", "--relay-ip=127.0.0.1", f"--listening-port={port}", "--no-tls", "--no-dtls",
        "--use-auth-secret", f"--static-auth-secret={SECRET}", "--realm=visavis.test", "--allow-loopback-peers",
        "--cli-password=unused", "--no-cli", f"--userdb={tmp_path / 'db'}", f"--pidfile={tmp_path / 'pid'}",
        "--log-file=stdout", "--simple-log", "--no-multicast-peers",
    ]  # fmt: skip
    process = await asyncio.create_subprocess_exec(
        TURNSERVER, *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, cwd=tmp_path
    )
    assert process.stdout is not None
    drained = asyncio.create_task(_answers(port))
    reading = asyncio.create_task(process.stdout.read())
    try:
        async with asyncio.timeout(10):
            await drained
        yield Settings(turn_urls=[f"turn:127.0.0.1:{port}"], turn_secret=SECRET, turn_ttl_s=60)
    finally:
        drained.cancel()
        process.kill()
        await process.wait()
        await reading


async def _answers(port: int) -> None:
    """Until the TCP listener of the same port accepts, coturn is not up."""
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.05)
        else:
            writer.close()
            return


async def test_relay_only_client_gets_the_picture(turn: Settings) -> None:
    seen = Inbox()
    servers = ice_servers(turn, "user", time.time())
    async with show() as (room, _):
        config = IceConfig(servers=servers, relay_only=True)
        async with RoomClient(DirectSignalling(room), on_video=seen, config=config) as client:
            await seen.count(20)
            assert colour(seen.items[-1]) == pytest.approx((81, 90, 240), abs=3)
            (local,) = client._link.local_candidates
            assert local.type == "relay"
            (peer,) = room._peers.values()
            (pair,) = peer._link._current._nominated.values()
            assert pair.remote_addr == (local.host, local.port), "the server talks to the relay"
            async with asyncio.timeout(3):
                await anext(room.microphone)


async def test_server_relays_too_when_it_has_a_turn_server(turn: Settings) -> None:
    seen = Inbox()
    config = IceConfig(servers=ice_servers(turn, "server", time.time()), relay_only=True)
    async with show(config=config) as (room, _):
        signalling = DirectSignalling(room)
        async with RoomClient(signalling, on_video=seen, config=LOOPBACK):
            await seen.count(5)
        candidates = [line for line in signalling.answer.splitlines() if line.startswith("a=candidate")]
        assert candidates
        assert all(" typ relay" in line for line in candidates)


@pytest.mark.parametrize("fault", ["expired", "wrong secret"])
async def test_bad_credentials_are_refused(turn: Settings, fault: str) -> None:
    if fault == "expired":
        servers = ice_servers(turn, "user", time.time() - 3600)
    else:
        (good,) = ice_servers(turn, "user", time.time())
        servers = [IceServer(good.urls, good.username, "d3Jvbmc=")]
    async with show() as (room, _):
        client = RoomClient(DirectSignalling(room), config=IceConfig(servers=servers, relay_only=True))
        with pytest.raises(ClientError):
            await client.connect(timeout=2)
        assert not room.end_user_connected
