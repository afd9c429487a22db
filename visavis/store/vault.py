"""Encryption of secrets at rest, in envelopes.

A secret is encrypted (AES-256-GCM) with a data key, and the data key with the installation's key (the key-encryption
key); both lie in the database, side by side in one text::

    v1.<id of the installation's key>.<wrapped data key>.<nonce and secret>

The installation's key comes from the settings, or from a key file. The file may hold older keys behind the newest one,
a line each: they still read, and :mod:`visavis.store.rotation` brings everything over to the newest. A running server
sees a changed file at its next secret, so that nothing needs to stop for that.
"""

from __future__ import annotations

import base64
import hashlib
import os
import secrets
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from visavis.errors import VisavisError
from visavis.settings import Settings

_KEY_FILE: Final = "secret.key"
_KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_VERSION: Final = "v1"
_WRAPPING: Final = b"visavis data key"
_DATA_KEYS_KEPT: Final = 1024
_NO_FILE: Final = (0, 0, 0)
# A fixed salt lets every process with the same settings read the same database; the key is the operator's, not a user's
# password.
_SALT: Final = b"visavis secret key v1"


class VaultError(VisavisError):
    """A stored secret cannot be read, or the key file cannot be used."""


@dataclass(frozen=True, slots=True)
class _Envelope:
    """A sealed text, taken apart. ``key_id`` empty: of the first version, sealed with the installation's key itself."""

    key_id: str
    wrapped: str
    body: bytes


@dataclass(frozen=True, slots=True)
class _Current:
    """What new secrets are sealed with; ``head`` is what their texts begin with."""

    key_id: str
    head: str
    data: AESGCM


class Vault:
    """Encrypts and decrypts short texts. A value decrypts for the ``purpose`` it was sealed for only.

    Args:
        keys: the installation's keys (32 bytes each), the newest first.
        file: where they were read from, to be looked at again when it changes.
    """

    def __init__(self, *keys: bytes, file: Path | None = None) -> None:
        self._file = file
        self._seen = _stamp(file)
        self._use(keys)

    def _use(self, keys: tuple[bytes, ...]) -> None:
        self._keys = {id_of_key(key): AESGCM(key) for key in keys}
        newest, data_key = id_of_key(keys[0]), os.urandom(_KEY_BYTES)
        wrapped = _text(_encrypt(self._keys[newest], data_key, _WRAPPING))
        # In one assignment: another thread seals with the old ones or the new ones, never with a mixture.
        self._current = _Current(newest, f"{_VERSION}.{newest}.{wrapped}.", AESGCM(data_key))
        self._unwrapped: OrderedDict[str, AESGCM] = OrderedDict()

    @classmethod
    def open(cls, settings: Settings) -> Vault:
        """The vault of an installation; makes the key file (mode 0600) on the first use.

        Raises:
            VaultError: the key file is damaged or readable by others.
        """
        if settings.secret_key:
            given = (settings.secret_key, *settings.secret_keys_before)
            return cls(*(Scrypt(salt=_SALT, length=_KEY_BYTES, n=2**14, r=8, p=1).derive(k.encode()) for k in given))
        path = key_file(settings)
        _make_key_file(path)
        return cls(*read_keys(path), file=path)

    @property
    def newest(self) -> str:
        """Id of the key that new secrets are sealed under: 8 hexadecimal digits, safe to show."""
        self._look()
        return self._current.key_id

    @property
    def key_ids(self) -> tuple[str, ...]:
        """Ids of all keys that it reads with, the newest first."""
        self._look()
        return tuple(self._keys)

    def seal(self, text: str, purpose: str) -> str:
        """``text`` encrypted, as ASCII text."""
        self._look()
        current = self._current
        return current.head + _text(_encrypt(current.data, text.encode(), purpose.encode()))

    def unseal(self, sealed: str, purpose: str) -> str:
        """The inverse of :meth:`seal`.

        Raises:
            VaultError: damaged, of another purpose, or encrypted with another key.
        """
        try:
            envelope = _opened(sealed)
            if not envelope.key_id:
                return self._unseal_first_version(envelope.body, purpose)
            return _decrypt(self._data_key(envelope), envelope.body, purpose.encode()).decode()
        except (InvalidTag, ValueError, KeyError):
            raise VaultError("a stored secret cannot be read: was the secret key changed?") from None

    def _data_key(self, envelope: _Envelope) -> AESGCM:
        if envelope.key_id not in self._keys:
            self._look()
        if (found := self._unwrapped.get(envelope.wrapped)) is None:
            found = AESGCM(_decrypt(self._keys[envelope.key_id], _bytes(envelope.wrapped), _WRAPPING))
            self._unwrapped[envelope.wrapped] = found
            while len(self._unwrapped) > _DATA_KEYS_KEPT:
                self._unwrapped.popitem(last=False)
        return found

    def _unseal_first_version(self, body: bytes, purpose: str) -> str:
        for key in self._keys.values():
            try:
                return _decrypt(key, body, purpose.encode()).decode()
            except InvalidTag:
                continue
        raise InvalidTag

    def _look(self) -> None:
        """Read the key file again when it changed: one ``stat``, a microsecond."""
        if self._file is None or (stamp := _stamp(self._file)) == self._seen:
            return
        if stamp != _NO_FILE:  # being restored: what was read stays good
            self._use(read_keys(self._file))
        self._seen = stamp


def key_id_of(sealed: str) -> str:
    """Under which key a text is sealed; empty: in the form of the first version.

    Raises:
        VaultError: it is no sealed text.
    """
    try:
        return _opened(sealed).key_id
    except ValueError:
        raise VaultError("a stored secret is damaged") from None


def key_file(settings: Settings) -> Path:
    """Where the installation's keys lie, unless the settings hold them."""
    return settings.secret_key_file or settings.data / _KEY_FILE


def read_keys(path: Path) -> tuple[bytes, ...]:
    """The keys of a key file, the newest first.

    Raises:
        VaultError: damaged, or readable by others.
    """
    if path.stat().st_mode & 0o077:
        raise VaultError(f"the key file {path.name} must be readable by its owner only (chmod 600)")
    try:
        keys = tuple(bytes.fromhex(line) for line in path.read_text().split())
    except ValueError:
        keys = ()
    if not keys or any(len(key) != _KEY_BYTES for key in keys):
        raise VaultError(f"the key file {path.name} is damaged: wanted 64 hexadecimal digits a line")
    return keys


def write_keys(path: Path, keys: tuple[bytes, ...]) -> None:
    """Replace a key file at once: whoever reads it sees the old keys or the new ones."""
    fresh = _written_aside(path, keys)
    fresh.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def new_key() -> bytes:
    """A key for a key file."""
    return os.urandom(_KEY_BYTES)


def _make_key_file(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists():
        return
    # Written aside and linked into place: two processes that start together agree on one key, never on half of one.
    fresh = _written_aside(path, (new_key(),))
    try:
        path.hardlink_to(fresh)
    except FileExistsError:
        pass
    finally:
        fresh.unlink()


def _written_aside(path: Path, keys: tuple[bytes, ...]) -> Path:
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.writelines(f"{key.hex()}\n" for key in keys)
        file.flush()
        os.fsync(file.fileno())
    return fresh


def _stamp(file: Path | None) -> tuple[int, int, int]:
    if file is None:
        return _NO_FILE
    try:
        found = file.stat()
    except FileNotFoundError:
        return _NO_FILE
    return found.st_ino, found.st_mtime_ns, found.st_size


def id_of_key(key: bytes) -> str:
    """What a key is called in sealed texts and messages: 8 hexadecimal digits."""
    return hashlib.sha256(b"visavis key id" + key).hexdigest()[:8]


def _opened(sealed: str) -> _Envelope:
    version, dot, rest = sealed.partition(".")
    if not dot:
        return _Envelope("", "", base64.b64decode(sealed, validate=True))
    key_id, wrapped, body = rest.split(".")
    if version != _VERSION:
        raise ValueError(version)
    return _Envelope(key_id, wrapped, _bytes(body))


def _encrypt(key: AESGCM, plain: bytes, purpose: bytes) -> bytes:
    nonce = os.urandom(_NONCE_BYTES)
    return nonce + key.encrypt(nonce, plain, purpose)


def _decrypt(key: AESGCM, sealed: bytes, purpose: bytes) -> bytes:
    return key.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], purpose)


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode()


def _bytes(text: str) -> bytes:
    return base64.b64decode(text, altchars=b"-_", validate=True)


def digest(secret: str) -> str:
    """What is stored of a random secret of full length (tokens, one-time codes) that only needs to be recognised."""
    return hashlib.sha256(secret.encode()).hexdigest()
