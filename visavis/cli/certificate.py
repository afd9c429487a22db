"""A self-signed certificate, so that browsers on other machines get a secure origin (and with it a microphone)."""

from __future__ import annotations

import datetime
import ipaddress
import os
import socket
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

VALID_DAYS = 397
"""Browsers refuse certificates of more than 398 days."""


def self_signed(folder: Path, names: Iterable[str]) -> tuple[Path, Path]:
    """The certificate and key in ``folder``; made anew when there is none for these names, or a week before its end.

    ``names``: host names and addresses besides localhost and this machine's own; "host:port" and "" are understood.
    """
    certificate, key = folder / "cert.pem", folder / "key.pem"
    wanted = _alternatives(names)
    if _usable(certificate, key, wanted):
        return certificate, key
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    private = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "visavis")])
    now = datetime.datetime.now(datetime.UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=VALID_DAYS))
        .add_extension(x509.SubjectAlternativeName(wanted), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(private, hashes.SHA256())
    )
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    _write(key, pem, 0o600)
    _write(certificate, built.public_bytes(serialization.Encoding.PEM), 0o644)
    return certificate, key


def _usable(certificate: Path, key: Path, wanted: Iterable[x509.GeneralName]) -> bool:
    """Whether the two files belong together, name what is wanted and last another week."""
    try:
        loaded = x509.load_pem_x509_certificate(certificate.read_bytes())
        private = serialization.load_pem_private_key(key.read_bytes(), password=None)
        named = loaded.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (FileNotFoundError, ValueError, x509.ExtensionNotFound):
        return False
    return (
        loaded.not_valid_after_utc > datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=7)
        and loaded.public_key() == private.public_key()
        and set(wanted) <= set(named)
    )


def _write(path: Path, content: bytes, mode: int) -> None:
    """A new file, so that ``mode`` holds from its first byte."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(content)


def _alternatives(names: Iterable[str]) -> list[x509.GeneralName]:
    found: dict[str, x509.GeneralName] = {}
    for name in ("localhost", "127.0.0.1", "::1", socket.gethostname(), *names):
        bare = name.count(":") > 1 and not name.startswith("[")  # an IPv6 address has no port without brackets
        host = name if bare else urlsplit(f"//{name}").hostname
        if not host:
            continue
        try:
            address = ipaddress.ip_address(host)
            if not address.is_unspecified:
                found[host] = x509.IPAddress(address)
        except ValueError:
            found[host] = x509.DNSName(host.encode("idna").decode())
    return list(found.values())
