"""A real aiortc client and a real room, over loopback."""

import asyncio
import contextlib
import itertools
import re
import time

import numpy as np
import pytest
from aioice.ice import StunProtocol
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.rtp import RtcpSrPacket
from rtc_support import LOOPBACK, DirectSignalling, Inbox, colour, pitch, show, sound
from test_rtc_ports import free_range

from visavis.rtc.client import ClientError, RoomClient
from visavis.rtc.errors import PeerUnknown, PortsExhausted, RoomClosed, RoomFull, SdpRefused
from visavis.rtc.ports import IceConfig, RangeConnection
from visavis.rtc.room import MESSAGE_BURST, Room, RoomEvents
from visavis.rtc.sender import EncodedSender


class Told:
    """Notes the room's events and lets a test wait for one."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self._changed = asyncio.Event()
        self.events = RoomEvents(
            connected=lambda: self._note("connected"),
            media=lambda: self._note("media"),
            disconnected=lambda: self._note("disconnected"),
            resumed=lambda: self._note("resumed"),
            left=lambda: self._note("left"),
            message=lambda text: self._note(f"message {text}"),
            viewers=lambda count: self._note(f"viewers {count}"),
        )

    def _note(self, what: str) -> None:
        self.log.append(what)
        self._changed.set()

    async def wait(self, what: str, timeout: float = 5) -> None:
        async with asyncio.timeout(timeout):
            while what not in self.log:
                self._changed.clear()
                await self._changed.wait()


def person(room: Room, **options) -> RoomClient:
    return RoomClient(DirectSignalling(room), config=LOOPBACK, **options)


def viewer(room: Room, name: str = "viewer", **options) -> RoomClient:
    return RoomClient(DirectSignalling(room, "PLAYER", name), speaks=False, config=LOOPBACK, **options)


async def test_picture_sound_voice_and_messages(record_property) -> None:
    told, seen, heard = Told(), Inbox(), Inbox()
    async with show(told.events) as (room, _):
        started = time.monotonic()
        async with person(room, on_video=seen, on_audio=heard) as client:
            record_property("connect_s", time.monotonic() - started)
            await seen.count(1)
            assert time.monotonic() - started < 1.0, "first picture"
            pictures, sounds = await seen.count(25), await heard.count(60)
            assert colour(pictures[-1]) == pytest.approx((81, 90, 240), abs=3)
            assert pitch(sound(sounds[10:60]), 48_000) == pytest.approx(600, abs=5)
            steps = np.diff([one.pts for one in pictures[2:]])
            assert np.median(steps) == pytest.approx(0.04, abs=1e-6), "25 fps on the stage clock"
            record_property("latency_s", float(np.median([one.arrived - one.pts for one in pictures])))

            assert room.send("before and after")
            async with asyncio.timeout(2):
                assert await client.messages.get() == "before and after"
            client.send("ping")
            client.send("hello")
            await told.wait("message hello")

            room.microphone._chunks.clear()
            tone = (8000 * np.sin(2 * np.pi * 440 * np.arange(48_000) / 48_000)).astype(np.int16)
            speaking = asyncio.create_task(client.speak(tone))
            chunks = []
            async with asyncio.timeout(5):
                async for chunk in room.microphone:
                    assert chunk.shape == (320,)
                    if np.abs(chunk).max() > 2000:
                        chunks.append(chunk)
                    if len(chunks) == 40:
                        break
            await speaking
            assert pitch(np.concatenate(chunks), 16_000) == pytest.approx(440, abs=5)
        await told.wait("left")
        assert [one for one in told.log if not one.startswith("message")] == ["connected", "media", "left"]
        assert told.log.count("message ping") == 0
        assert room.stats()["viewers"] == 0


async def test_offer_is_answered_quickly_with_h264_and_all_candidates() -> None:
    async with show(config=IceConfig(public_ip="203.0.113.7", addresses=("127.0.0.1",))) as (room, _):
        signalling = DirectSignalling(room)
        durations = []
        answered = signalling.offer

        async def timed(*arguments):
            started = time.monotonic()
            try:
                return await answered(*arguments)
            finally:
                durations.append(time.monotonic() - started)

        signalling.offer = timed  # type: ignore[method-assign]
        async with RoomClient(signalling, config=LOOPBACK):
            answer = signalling.answer
        assert durations[0] < 0.15
        assert "a=end-of-candidates" in answer
        assert "profile-level-id=42e01f" in answer
        assert "packetization-mode=1" in answer
        assert "VP8" not in answer
        assert "PCMU" not in answer
        assert " 203.0.113.7 " in answer
        assert " 127.0.0.1 " in answer
        assert {line for line in answer.splitlines() if line.startswith("a=msid:")}.__len__() == 2
        streams = {line.split()[0] for line in answer.splitlines() if line.startswith("a=msid:")}
        assert len(streams) == 1, "one stream, or browsers do not synchronise lips and voice"


async def test_keyframe_request_of_a_viewer_makes_an_idr() -> None:
    seen = Inbox()
    async with show() as (room, stage), person(room, on_video=seen) as client:
        await seen.count(20)  # 0.8 s: the joiner's IDR is past its interval
        before = len(stage.forced)
        receiver = client._pc.getTransceivers()[1].receiver
        (peer,) = room._peers.values()
        video = next(one for one in peer.senders if one.kind == "video")
        await receiver._send_rtcp_pli(video._ssrc)
        await seen.count(len(seen.items) + 5)
        assert len(stage.forced) == before + 1


async def test_late_joiner_sees_within_a_second_and_disturbs_nobody() -> None:
    told, first = Told(), Inbox()
    heard = Inbox()
    async with show(told.events) as (room, stage), person(room, on_video=first, on_audio=heard):
        await first.count(30)
        since = len(first.items)
        for number in range(3):
            late = Inbox()
            started = time.monotonic()
            async with viewer(room, f"v{number}", on_video=late):
                await late.count(1)
                assert time.monotonic() - started < 1.0
                await late.count(5)
                assert colour(late.items[-1]) == pytest.approx((81, 90, 240), abs=3)
        await told.wait("viewers 0")
        await first.count(since + 25)
        pts = [one.pts for one in first.items[since:]]
        assert max(np.diff(pts)) < 0.045, "no picture of the END_USER was lost"
        audio = [one.pts for one in heard.items[20:]]
        assert max(np.diff(audio)) < 0.025, "nor any sound"
        assert stage.broadcaster.viewers == 1


async def test_slow_viewer_does_not_hold_up_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    stuck = asyncio.Event()
    async with show() as (room, _):
        seen, late = Inbox(), Inbox()
        async with person(room, on_video=seen), viewer(room, on_video=late):
            await late.count(3)
            slow = next(peer for peer in room._peers.values() if peer.role == "PLAYER")

            async def hang(sender, unit, original=EncodedSender._send_unit) -> None:
                if sender in slow.senders and not stuck.is_set():
                    await stuck.wait()
                await original(sender, unit)

            monkeypatch.setattr(EncodedSender, "_send_unit", hang)
            since = len(seen.items)
            await seen.count(since + 40)
            assert max(np.diff([one.pts for one in seen.items[since:]])) < 0.045
            assert slow.dropped > 10
            stuck.set()
            got = len(late.items)
            await late.count(got + 10)
            assert colour(late.items[-1]) == pytest.approx((81, 90, 240), abs=3), "it recovers with an IDR"


async def test_sender_reports_of_sound_and_picture_agree() -> None:
    """Flash and beep of one instant get the same time from RTCP, although they are encoded and sent apart."""
    seen, heard = Inbox(), Inbox()
    async with show() as (room, stage):
        stage.light = lambda at: 220 if at % 1 < 0.5 else 30
        stage.loudness = lambda at: 9000.0 if at % 1 < 0.5 else 0.0
        reports: dict[int, list[tuple[float, int]]] = {}

        async with person(room, on_video=seen, on_audio=heard) as client:
            for transceiver in client._pc.getTransceivers():
                receiver, note = transceiver.receiver, transceiver.receiver._handle_rtcp_packet

                async def keep(packet, note=note, kind=transceiver.kind) -> None:
                    if isinstance(packet, RtcpSrPacket):
                        info = packet.sender_info
                        reports.setdefault(kind, []).append((info.ntp_timestamp / 2**32, info.rtp_timestamp))
                    await note(packet)

                receiver._handle_rtcp_packet = keep
            await seen.count(85, timeout=15)
            await heard.count(160, timeout=15)
            flashes = rises([(one.pts, float(colour(one)[0]) > 120) for one in seen.items])
            loud = []
            for one in heard.items:
                pcm = np.abs(one.frame.to_ndarray().reshape(-1, 2)[:, 0])
                loud += [
                    (one.pts + index / 48_000, pcm[index : index + 48].max() > 1500) for index in range(0, 960, 48)
                ]
            beeps = rises(loud)
            pairs = [(flash, min(beeps, key=lambda beep: abs(beep - flash))) for flash in flashes]
            assert len(pairs) >= 2
            offsets = [beep - flash for flash, beep in pairs]
            assert max(map(abs, offsets)) < 0.005, offsets
            # Every report of one medium lies on one line: no jitter of sending is in it.
            for kind, rate in (("video", 90_000), ("audio", 48_000)):
                (t0, r0), *rest = reports[kind]
                drift = [abs((t - t0) - ((r - r0 + 2**31) % 2**32 - 2**31) / rate) for t, r in rest]
                assert rest
                assert max(drift) < 0.001


def rises(samples: list[tuple[float, bool]]) -> list[float]:
    return [now for (_, was), (now, on) in itertools.pairwise(samples) if on and not was]


async def test_reload_replaces_the_end_user_and_viewers_stay() -> None:
    told, watching, seen = Told(), Inbox(), Inbox()
    async with show(told.events) as (room, _):
        first = person(room)
        await first.connect()
        async with viewer(room, on_video=watching):
            await watching.count(3)
            async with person(room, on_video=seen) as second:
                await seen.count(5)
                async with asyncio.timeout(3):
                    await first.closed.wait()
                assert second.pc_id != first.pc_id
                assert room.players == 1
                assert "left" not in told.log, "the person never left"
                assert told.log.count("connected") == 2
                await watching.count(len(watching.items) + 10)
                with pytest.raises(RoomFull, match="another END_USER"):
                    await RoomClient(DirectSignalling(room, user_id="stranger"), config=LOOPBACK).connect()
                await seen.count(len(seen.items) + 5)
        await first.close()
        await told.wait("left")


async def test_room_limits_and_owners() -> None:
    async with show(max_players=1) as (room, _), viewer(room) as one:
        with pytest.raises(RoomFull, match="1 viewers"):
            await viewer(room, "other").connect()
        for call in (
            lambda: room.candidates(one.pc_id, [("", None, None)], "stranger"),
            lambda: room.candidates("nobody", []),
        ):
            with pytest.raises(PeerUnknown):
                call()
        with pytest.raises(PeerUnknown):
            await room.leave(one.pc_id, "stranger")
        with pytest.raises(SdpRefused, match="CAPTURE"):
            await room.offer("CAPTURE", "u", "v=0")
        with pytest.raises(SdpRefused, match="malformed"):
            room.candidates(one.pc_id, [("candidate:1 x", None, 0)])
        with pytest.raises(SdpRefused, match="more than"):
            room.candidates(
                one.pc_id, [(f"candidate:1 1 udp 1 10.0.0.1 {port} typ host", "0", 0) for port in range(1, 200)]
            )
        assert room.players == 1
    with pytest.raises(RoomClosed):
        await room.offer("PLAYER", "u", (await bare_offer()).sdp)


async def bare_offer() -> RTCSessionDescription:
    pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    pc.addTransceiver("audio", direction="recvonly")
    await pc.setLocalDescription(await pc.createOffer())
    try:
        return pc.localDescription
    finally:
        await pc.close()


async def test_port_range_is_kept_and_exhaustion_told() -> None:
    low, high = free_range(2)
    config = IceConfig((low, high), addresses=("127.0.0.1",))
    async with show(config=config) as (room, _):
        seen = Inbox()
        one, two = person(room, on_video=seen), viewer(room)
        await one.connect()
        await two.connect()
        for client in (one, two):
            ports = {
                int(line.split()[5])
                for line in client.signalling.answer.splitlines()
                if line.startswith("a=candidate:")
            }
            assert all(low <= port <= high for port in ports)
        with pytest.raises(PortsExhausted, match="VISAVIS_UDP_PORTS"):
            await viewer(room, "third").connect()
        assert room.players == 1
        # A reload fits although every port is taken: the old connection's is free by then.
        again = person(room)
        await again.connect()
        for client in (two, again, one):
            await client.close()
        third = viewer(room, "third")
        await third.connect()
        await third.close()


async def test_ice_restart_goes_on_without_a_new_handshake() -> None:
    told, seen = Told(), Inbox()
    async with show(told.events) as (room, _), person(room, on_video=seen) as client:
        await seen.count(10)
        (peer,) = room._peers.values()
        assert peer._offer is not None
        pc, link = client._pc, client._link
        # A client that changed networks: new sockets and credentials, the same certificate.
        old = link._current
        answer = await restart(client, room)
        assert old is not link._current
        assert f"a=ice-ufrag:{peer._link.local_username}" in answer
        count = len(seen.items)
        await seen.count(count + 20)
        assert pc.connectionState == "connected"
        assert told.log.count("connected") == 1
        assert "left" not in told.log
        client.send("still here")
        await told.wait("message still here")


async def restart(client: RoomClient, room: Room) -> str:
    """What a browser does after restartIce(): an offer of the same connection with new ICE credentials."""
    link, pc = client._link, client._pc
    fresh = type(link._current)(LOOPBACK, ice_controlling=True)
    await fresh.gather_candidates()
    sdp = pc.localDescription.sdp.replace(link.local_username, fresh.local_username)
    sdp = sdp.replace(link.local_password, fresh.local_password)
    lines = [line for line in sdp.splitlines() if not line.startswith(("a=candidate:", "a=end-of-candidates"))]
    _, answer = await room.offer("END_USER", "user", "\r\n".join(lines) + "\r\n", client.pc_id)
    values = dict(line[2:].split(":", 1) for line in answer.splitlines() if line.startswith("a=ice-"))
    fresh.remote_username, fresh.remote_password = values["ice-ufrag"], values["ice-pwd"]
    room.candidates(client.pc_id, [(f"candidate:{one.to_sdp()}", "0", 0) for one in fresh.local_candidates])
    link._next = fresh
    await link._take_over(fresh)
    return answer


async def test_restart_pc_keeps_the_id_and_a_foreign_offer_needs_it() -> None:
    async with show() as (room, _):
        first = person(room)
        await first.connect()
        offer = await full_offer()
        with pytest.raises(SdpRefused, match="restart_pc"):
            await room.offer("END_USER", "user", offer, first.pc_id)
        pc_id, answer = await room.offer("END_USER", "user", offer, first.pc_id, restart=True)
        assert pc_id == first.pc_id
        assert "m=video" in answer
        await first.close()


async def test_two_reloads_at_the_same_time_leave_one_connection() -> None:
    async with show() as (room, _):
        offer = await full_offer()
        pc_id, _ = await room.offer("END_USER", "user", offer)
        made: list[object] = []
        add = room._wire
        room._wire = lambda peer, events: (made.append(peer), add(peer, events))[1]  # type: ignore[method-assign]
        await asyncio.gather(*(room.offer("END_USER", "user", offer, pc_id, restart=True) for _ in range(3)))
        assert len(made) == 3
        assert [one for one in made if one._closing is None] == list(room._peers.values())  # type: ignore[attr-defined]
        assert len(room._peers) == 1


@pytest.mark.parametrize("first", [True, False])
async def test_closing_while_it_gathers_keeps_no_port(monkeypatch: pytest.MonkeyPatch, first: bool) -> None:
    """A client that offers and leaves at once must not use up the ports."""
    bound: list[object] = []
    gathering, go_on = asyncio.Event(), asyncio.Event()
    bind = RangeConnection._bind

    async def slow_bind(self: RangeConnection, addresses: list[str]) -> list[StunProtocol]:
        gathering.set()
        await go_on.wait()
        protocols = await bind(self, addresses)
        bound.extend(one.transport for one in protocols)
        return protocols

    async with show() as (room, _):
        if first:
            monkeypatch.setattr(RangeConnection, "_bind", slow_bind)
            offering = asyncio.create_task(room.offer("END_USER", "user", await full_offer()))
        else:
            offer = await full_offer()
            pc_id, _ = await room.offer("END_USER", "user", offer)
            monkeypatch.setattr(RangeConnection, "_bind", slow_bind)
            again = re.sub(r"a=ice-(ufrag|pwd):.*", lambda m: f"a=ice-{m[1]}:{'x' * 24}", offer)
            offering = asyncio.create_task(room.offer("END_USER", "user", again, pc_id))
        await gathering.wait()
        (peer,) = room._peers.values()
        await room.leave(peer.pc_id, "user")
        go_on.set()
        with pytest.raises(SdpRefused):
            await offering
        assert bound
        assert all(transport.is_closing() for transport in bound)  # type: ignore[attr-defined]
        assert not room._peers


async def test_repeated_offers_name_no_more_addresses() -> None:
    async with show() as (room, _):
        offer = await full_offer()
        pc_id, _ = await room.offer("END_USER", "user", offer)
        (peer,) = room._peers.values()
        for batch in range(4):
            more = "".join(
                f"a=candidate:1 1 udp 1 127.0.0.1 {40_000 + 100 * batch + port} typ host\r\n" for port in range(100)
            )
            await room.offer("END_USER", "user", offer + more, pc_id)
        await asyncio.gather(*peer._tasks)
        assert len(peer._link.remote_candidates) <= 128


async def test_a_flood_of_messages_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    told, arrived = Told(), Told()
    async with show(told.events) as (room, _), person(room) as client:
        take = room._messages.take

        def counted(now: float) -> bool:
            taken = take(now)
            arrived._note(f"{len(arrived.log) + 1}")
            return taken

        monkeypatch.setattr(room._messages, "take", counted)
        room.send("open")
        async with asyncio.timeout(5):
            await client.messages.get()
        for number in range(4 * MESSAGE_BURST):
            client.send(f"flood {number}")
        await arrived.wait(str(4 * MESSAGE_BURST))
        assert MESSAGE_BURST <= len([line for line in told.log if line.startswith("message flood")]) < 2 * MESSAGE_BURST
        room._messages._at -= 10  # ten seconds later it is heard again
        client.send("sorry")
        await told.wait("message sorry")


@pytest.mark.parametrize("how", ["unfinished message", "channels"])
async def test_a_client_that_fills_the_memory_is_sent_away(how: str) -> None:
    told = Told()
    async with show(told.events) as (room, _), person(room) as client:
        room.send("open")
        async with asyncio.timeout(5):
            await client.messages.get()
        (peer,) = room._peers.values()
        if how == "channels":
            for number in range(20):
                client._pc.createDataChannel(str(number))
        else:
            # As if it had sent two megabytes of a message that does not end.
            peer._pc.sctp._advertised_rwnd -= 2 << 20  # type: ignore[union-attr]
            client.send("and more")
        await told.wait("left")
        assert not room._peers


async def full_offer() -> str:
    pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    for kind, direction in (("audio", "sendrecv"), ("video", "sendrecv"), ("video", "sendrecv")):
        pc.addTransceiver(kind, direction=direction)
    await pc.setLocalDescription(await pc.createOffer())
    try:
        return str(pc.localDescription.sdp)
    finally:
        await pc.close()


async def test_further_video_sections_are_answered_inactive() -> None:
    """Pipecat's clients always offer a camera and a screen."""
    async with show() as (room, _):
        _, answer = await room.offer("END_USER", "user", await full_offer())
        directions = [line for line in answer.splitlines() if line in ("a=sendrecv", "a=sendonly", "a=inactive")]
        assert directions == ["a=sendrecv", "a=sendonly", "a=inactive"]


async def test_wrong_fingerprint_never_connects() -> None:
    told = Told()
    async with show(told.events) as (room, _):
        client = person(room)
        honest = client.signalling.offer

        async def forged(sdp: str, *rest):
            lines = [
                line[:-2] + ("00" if line[-2:] != "00" else "11") if line.startswith("a=fingerprint:") else line
                for line in sdp.splitlines()
            ]
            return await honest("\r\n".join(lines) + "\r\n", *rest)

        client.signalling.offer = forged  # type: ignore[method-assign]
        # The client's own handshake may seem complete before the server has looked at its certificate.
        with contextlib.suppress(ClientError):
            await client.connect(timeout=3)
        await told.wait("left")
        assert told.log == ["left"], "never connected, and nothing was heard of it"
        assert not room.end_user_connected
        await client.close()


async def test_client_that_vanishes_is_noticed_and_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("visavis.rtc.peer.SILENCE_S", 0.5)
    monkeypatch.setattr("aioice.ice.CONSENT_INTERVAL", 0.2)
    monkeypatch.setattr("aioice.ice.CONSENT_FAILURES", 2)
    told, seen = Told(), Inbox()
    async with show(told.events) as (room, _):
        client = person(room, on_video=seen)
        await client.connect()
        await seen.count(3)
        client._link.abort()  # the cable is pulled: no goodbye
        await told.wait("disconnected")
        await told.wait("left", timeout=10)
        assert told.log.index("disconnected") < told.log.index("left")
        assert room.stats()["viewers"] == 0
        client.pc_id = None
        await client.close()


async def test_peer_that_never_connects_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("visavis.rtc.peer.CONNECT_TIMEOUT_S", 0.3)
    told = Told()
    async with show(told.events) as (room, _):
        await room.offer("END_USER", "user", await full_offer())
        await told.wait("left")
        assert room.stats()["viewers"] == 0


async def test_closing_leaves_nothing_behind() -> None:
    before = asyncio.all_tasks()
    async with show() as (room, _):
        clients = [person(room), viewer(room, "a"), viewer(room, "b")]
        for client in clients:
            await client.connect()
        pending = asyncio.create_task(room.offer("PLAYER", "c", (await bare_offer()).sdp))
        await asyncio.sleep(0)
        started = time.monotonic()
        await room.close()
        assert time.monotonic() - started < 1.0
        with pytest.raises((RoomClosed, SdpRefused)):
            await pending
        async with asyncio.timeout(3):
            for client in clients:
                await client.closed.wait()
                await client.close()
        async with asyncio.timeout(2):
            async for _ in room.microphone:
                pass  # it ends
    left = {task for task in asyncio.all_tasks() - before if not task.done()}
    assert not left, left


def test_a_failing_listener_is_not_fatal() -> None:
    async def run() -> None:
        def fail() -> None:
            raise RuntimeError("listener")

        seen = Inbox()
        async with show(RoomEvents(connected=fail, media=fail)) as (room, _), person(room, on_video=seen):
            await seen.count(5)

    asyncio.run(run())


async def test_loss_is_repaired_by_retransmission(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every 10th video packet is lost on the way; NACK brings it back, so that no picture is missing."""
    seen = Inbox()
    async with show() as (room, stage):
        rng = np.random.default_rng(1)
        stage.light = lambda at: int(rng.integers(30, 220))
        async with person(room, on_video=seen):
            (peer,) = room._peers.values()
            video = next(one for one in peer.senders if one.kind == "video")
            await seen.count(10)
            transport = video.transport
            original, count = transport._send_rtp, 0

            async def lossy(data: bytes) -> None:
                nonlocal count
                if data[1] & 0x7F == video._payload_type:
                    count += 1
                    if count % 10 == 0:
                        return
                await original(data)

            monkeypatch.setattr(transport, "_send_rtp", lossy)
            since = len(seen.items)
            await seen.count(since + 60)
            assert video.retransmitted >= 4
            gaps = np.diff([one.pts for one in seen.items[since:]])
            assert np.mean(gaps < 0.045) > 0.9
