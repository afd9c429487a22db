"""Encryption of secrets at rest: AES-256-GCM with a key from the settings or a key file in the data folder."""

from __future__ import annotations

import base64
import hashlib
import os
import secrets
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from visavis.errors import VisavisError
from visavis.settings import Settings

_KEY_FILE = "secret.key"
_NONCE_BYTES = 12
# A fixed salt lets every process with the same settings read the same database; the key is the operator's, not a user's
# password.
_SALT = b"visavis secret key v1"


class VaultError(VisavisError):
    """A stored secret cannot be read, or the key file cannot be used."""


class Vault:
    """Encrypts and decrypts short texts. A value decrypts for the ``purpose`` it was sealed for only."""

    def __init__(self, key: bytes) -> None:
        self._aead = AESGCM(key)

    @classmethod
    def open(cls, settings: Settings) -> Vault:
        """The vault of an installation; makes the key file (mode 0600) on the first use.

        Raises:
            VaultError: the key file is damaged or readable by others.
        """
        if settings.secret_key:
            return cls(Scrypt(salt=_SALT, length=32, n=2**14, r=8, p=1).derive(settings.secret_key.encode()))
        return cls(_key_file(settings.data / _KEY_FILE))

    def seal(self, text: str, purpose: str) -> str:
        """``text`` encrypted, as base64 text."""
        nonce = os.urandom(_NONCE_BYTES)
        return base64.b64encode(nonce + self._aead.encrypt(nonce, text.encode(), purpose.encode())).decode()

    def unseal(self, sealed: str, purpose: str) -> str:
        """The inverse of :meth:`seal`.

        Raises:
            VaultError: damaged, of another purpose, or encrypted with another key.
        """
        try:
            raw = base64.b64decode(sealed, validate=True)
            return self._aead.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], purpose.encode()).decode()
        except (InvalidTag, ValueError):
            raise VaultError("a stored secret cannot be read: was the secret key changed?") from None


def _key_file(path: Path) -> bytes:
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        # Written aside and linked into place: two processes that start together agree on one key, never on half of one.
        fresh = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_hex(32) + "\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            path.hardlink_to(fresh)
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
    if path.stat().st_mode & 0o077:
        raise VaultError(f"the key file {path.name} must be readable by its owner only (chmod 600)")
    try:
        key = bytes.fromhex(path.read_text().strip())
    except ValueError:
        key = b""
    if len(key) != 32:
        raise VaultError(f"the key file {path.name} is damaged: wanted 64 hexadecimal digits")
    return key


def digest(secret: str) -> str:
    """What is stored of a random secret of full length (tokens, one-time codes) that only needs to be recognised."""
    return hashlib.sha256(secret.encode()).hexdigest()
