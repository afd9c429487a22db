"""The self-signed certificate."""

from __future__ import annotations

import asyncio
import datetime
import socket
import ssl
import stat
from pathlib import Path

import pytest
from cryptography import x509

from visavis.cli import certificate
from visavis.cli.certificate import self_signed


def load(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def alternatives(path: Path) -> set[str]:
    names = load(path).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    hosts: list[str] = names.get_values_for_type(x509.DNSName)
    return {*hosts, *map(str, names.get_values_for_type(x509.IPAddress))}


ALWAYS = {"localhost", "127.0.0.1", "::1", socket.gethostname().lower()}


def test_it_names_this_machine_and_what_was_asked_for(tmp_path: Path) -> None:
    names = ["0.0.0.0", "", "203.0.113.7", "talk.example.org:8443", "192.168.1.5:80", "2001:db8::7"]
    names += ["[2001:db8::8]:443", "bücher.example"]
    made, _ = self_signed(tmp_path / "tls", names)
    assert alternatives(made) == ALWAYS | {
        "203.0.113.7", "talk.example.org", "192.168.1.5", "2001:db8::7", "2001:db8::8",
        "xn--bcher-kva.example",
    }  # fmt: skip


def test_browsers_take_its_length_and_the_key_is_private(tmp_path: Path) -> None:
    made, key = self_signed(tmp_path / "tls", [])
    loaded = load(made)
    length = loaded.not_valid_after_utc - loaded.not_valid_before_utc
    assert datetime.timedelta(days=390) < length < datetime.timedelta(days=398)
    assert loaded.not_valid_before_utc < datetime.datetime.now(datetime.UTC)
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert stat.S_IMODE(key.parent.stat().st_mode) == 0o700
    ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(made, key)  # they belong together


def test_it_is_used_again(tmp_path: Path) -> None:
    made, key = self_signed(tmp_path, ["talk.example.org"])
    before = made.read_bytes(), key.read_bytes()
    assert self_signed(tmp_path, ["talk.example.org"]) == (made, key)
    assert self_signed(tmp_path, []) == (made, key), "fewer names than it has"
    assert (made.read_bytes(), key.read_bytes()) == before


def test_a_new_name_needs_a_new_one(tmp_path: Path) -> None:
    self_signed(tmp_path, [])
    made, key = self_signed(tmp_path, ["talk.example.org"])
    assert "talk.example.org" in alternatives(made)
    ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(made, key)


@pytest.mark.parametrize(("days", "renewed"), [(5, True), (0, True), (9, False)])
def test_it_is_renewed_a_week_before_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, days: int, renewed: bool
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(certificate, "VALID_DAYS", days)
        made, key = self_signed(tmp_path, [])
        before = load(made).serial_number
    key.chmod(0o644)  # as some copying leaves it
    self_signed(tmp_path, [])
    assert (load(made).serial_number != before) is renewed
    if renewed:
        assert load(made).not_valid_after_utc > datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=300)
        assert stat.S_IMODE(key.stat().st_mode) == 0o600


def test_a_missing_or_damaged_half_is_replaced(tmp_path: Path) -> None:
    made, key = self_signed(tmp_path, [])
    key.unlink()
    self_signed(tmp_path, [])
    made.write_text("nonsense")
    self_signed(tmp_path, [])
    ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(made, key)


async def test_a_client_that_trusts_it_may_connect_by_address(tmp_path: Path) -> None:
    made, key = self_signed(tmp_path, [])
    served = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    served.load_cert_chain(made, key)
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=served)
    async with server:
        port = server.sockets[0].getsockname()[1]
        trust = ssl.create_default_context(cafile=str(made))
        for host in ("127.0.0.1", "localhost"):
            _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trust, server_hostname=host)
            writer.close()
        with pytest.raises(ssl.SSLCertVerificationError):
            await asyncio.open_connection("127.0.0.1", port, ssl=trust, server_hostname="other.example")
