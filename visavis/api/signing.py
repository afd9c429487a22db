"""SDK-HMAC-SHA256: the signature that the official SDKs put on a request with an AK/SK.

Canonical request, one part a line: method, URI (each segment percent-encoded, with a trailing slash), sorted query, the
signed headers, their names, and the payload's hash. The signature is the hexadecimal HMAC-SHA256, keyed with the SK, of
the algorithm, the time and the canonical request's hash.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import parse_qsl, quote

from visavis.errors import VisavisError

ALGORITHM = "SDK-HMAC-SHA256"
CLOCK_WINDOW_S = 15 * 60
UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"

_DATE_FORMAT = "%Y%m%dT%H%M%SZ"
_DATE = re.compile(r"^\d{8}T\d{6}Z$", re.ASCII)
_AUTHORIZATION = re.compile(
    rf"^{ALGORITHM} +Access=(?P<ak>[A-Za-z0-9]{{1,64}}), *SignedHeaders=(?P<headers>[a-z0-9;-]{{1,1024}}), *"
    r"Signature=(?P<signature>[0-9a-f]{64})$"
)


class BadSignatureError(VisavisError):
    """The request is not signed as it must be. The message may be shown to the caller."""


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """What a signature covers. ``headers``: lower-case names, in the order received; ``path`` is percent-decoded."""

    method: str
    path: str
    query: str
    headers: Sequence[tuple[str, str]]
    body: bytes


@dataclass(frozen=True, slots=True)
class Authorization:
    """A parsed ``Authorization`` header."""

    ak: str
    signed_headers: tuple[str, ...]
    signature: str


def parse(header: str) -> Authorization:
    """Read the header.

    Raises:
        BadSignatureError: malformed, or host or x-sdk-date are not signed.
    """
    match = _AUTHORIZATION.match(header.strip())
    if match is None:
        raise BadSignatureError(f"Authorization is malformed, wanted {ALGORITHM} Access=, SignedHeaders=, Signature=")
    names = tuple(match["headers"].split(";"))
    for required in ("host", "x-sdk-date"):
        if required not in names:
            raise BadSignatureError(f"the header {required} must be signed")
    return Authorization(match["ak"], names, match["signature"])


def verify(request: SignedRequest, authorization: Authorization, sk: str, now: float) -> None:
    """Check the signature (in constant time) and its age.

    Raises:
        BadSignatureError: wrong signature, altered request, or a clock more than 15 minutes away.
    """
    headers: dict[str, str] = {}
    for name, value in request.headers:
        headers[name] = f"{headers[name]},{value.strip()}" if name in headers else value.strip()
    missing = [name for name in authorization.signed_headers if name not in headers]
    if missing:
        raise BadSignatureError(f"signed headers are missing: {', '.join(missing)}")
    date = headers["x-sdk-date"]
    wanted = sign(request, headers, authorization.signed_headers, date, sk)
    if not hmac.compare_digest(wanted.encode(), authorization.signature.encode()):
        raise BadSignatureError("the signature does not match the request")
    # Only the holder of the key learns how the clocks differ.
    if abs(_epoch(date) - now) > CLOCK_WINDOW_S:
        raise BadSignatureError("X-Sdk-Date is more than 15 minutes away from the server's clock")


def sign(request: SignedRequest, headers: Mapping[str, str], signed_headers: Sequence[str], date: str, sk: str) -> str:
    """The signature, lower-case hexadecimal.

    Raises:
        BadSignatureError: the payload is not the one whose hash is given.
    """
    canonical = "\n".join(
        (
            request.method.upper(),
            _canonical_path(request.path),
            _canonical_query(request.query),
            "".join(f"{name}:{headers[name]}\n" for name in signed_headers),
            ";".join(signed_headers),
            _payload_hash(request.body, headers.get("x-sdk-content-sha256", "")),
        )
    )
    to_sign = "\n".join((ALGORITHM, date, hashlib.sha256(canonical.encode()).hexdigest()))
    return hmac.new(sk.encode(), to_sign.encode(), hashlib.sha256).hexdigest()


def _epoch(date: str) -> float:
    try:
        if not _DATE.match(date):
            raise ValueError(date)
        return datetime.strptime(date, _DATE_FORMAT).replace(tzinfo=UTC).timestamp()
    except ValueError:
        raise BadSignatureError("X-Sdk-Date is malformed, wanted YYYYMMDDTHHMMSSZ") from None


def _encode(text: str) -> str:
    return quote(text, safe="~")


def _canonical_path(path: str) -> str:
    encoded = "/".join(_encode(segment) for segment in path.split("/"))
    return encoded if encoded.endswith("/") else encoded + "/"


def _canonical_query(query: str) -> str:
    try:
        pairs = sorted(parse_qsl(query, keep_blank_values=True, max_num_fields=100))
    except ValueError:
        raise BadSignatureError("the query has too many fields") from None
    return "&".join(f"{_encode(key)}={_encode(value)}" for key, value in pairs)


def _payload_hash(body: bytes, declared: str) -> str:
    actual = hashlib.sha256(body).hexdigest()
    if not body or not declared:
        return actual
    if declared != UNSIGNED_PAYLOAD and not hmac.compare_digest(declared.lower().encode(), actual.encode()):
        raise BadSignatureError("X-Sdk-Content-Sha256 is not the payload's hash")
    return declared
