"""SDK-HMAC-SHA256: the signature that the official SDKs put on a request with an AK/SK.

Canonical request, one part a line: method, URI (each segment percent-encoded, with a trailing slash), sorted query, the
signed headers, their names, and the payload's hash. The signature is the hexadecimal HMAC-SHA256, keyed with the SK, of
the algorithm, the time and the canonical request's hash.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from operator import itemgetter
from urllib.parse import parse_qsl, quote

from visavis.errors import VisavisError

ALGORITHM = "SDK-HMAC-SHA256"
CLOCK_WINDOW_S = 15 * 60
UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"

_DATE = re.compile(r"^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$", re.ASCII)
# What percent-encoding leaves as it is; ids and the API's own words are nothing else.
_PLAIN_PATH = re.compile(r"[A-Za-z0-9_.~/-]*", re.ASCII)
_AUTHORIZATION = re.compile(
    rf"^{ALGORITHM} +Access=(?P<ak>[A-Za-z0-9]{{1,64}}), *SignedHeaders=(?P<headers>[a-z0-9;-]{{1,1024}}), *"
    r"Signature=(?P<signature>[0-9a-f]{64})$"
)


class BadSignatureError(VisavisError):
    """The request is not signed as it must be. The message may be shown to the caller."""


@dataclass(slots=True)  # not frozen: that would triple the time to make one, and there is one for every request
class SignedRequest:
    """What a signature covers. ``headers``: lower-case names, in the order received; ``path`` is percent-decoded."""

    method: str
    path: str
    query: str
    headers: Sequence[tuple[str, str]]
    body: bytes


@dataclass(slots=True)
class Authorization:
    """A parsed ``Authorization`` header."""

    ak: str
    signed_headers: tuple[str, ...]
    signature: str


def parse(header: str) -> Authorization:
    """Read the header.

    Raises:
        BadSignatureError: malformed, or x-sdk-date is not signed.
    """
    match = _AUTHORIZATION.match(header.strip())
    if match is None:
        raise BadSignatureError(f"Authorization is malformed, wanted {ALGORITHM} Access=, SignedHeaders=, Signature=")
    names = tuple(match["headers"].split(";"))
    # The host need not be: the Go SDK never signs it.
    if "x-sdk-date" not in names:
        raise BadSignatureError("the header x-sdk-date must be signed")
    return Authorization(match["ak"], names, match["signature"])


def verify(request: SignedRequest, authorization: Authorization, sk: str, now: float) -> None:
    """Check the signature (in constant time) and its age.

    Raises:
        BadSignatureError: wrong signature, altered request, or a clock more than 15 minutes away.
    """
    headers: dict[str, str] = {}
    for name, value in request.headers:
        value = value.strip()
        headers[name] = f"{headers[name]},{value}" if name in headers else value
    missing = [name for name in authorization.signed_headers if name not in headers]
    if missing:
        raise BadSignatureError(f"signed headers are missing: {', '.join(missing)}")
    date = headers["x-sdk-date"]
    signature = authorization.signature.encode()
    for canonical in _canonical_requests(request, headers, authorization.signed_headers):
        if hmac.compare_digest(_signature(canonical, date, sk).encode(), signature):
            break
    else:
        raise BadSignatureError("the signature does not match the request")
    # Only the holder of the key learns how the clocks differ.
    if abs(_epoch(date) - now) > CLOCK_WINDOW_S:
        raise BadSignatureError("X-Sdk-Date is more than 15 minutes away from the server's clock")


def sign(request: SignedRequest, headers: Mapping[str, str], signed_headers: Sequence[str], date: str, sk: str) -> str:
    """The signature, lower-case hexadecimal.

    Raises:
        BadSignatureError: the payload is not the one whose hash is given.
    """
    return _signature(next(_canonical_requests(request, headers, signed_headers)), date, sk)


def _canonical_requests(
    request: SignedRequest, headers: Mapping[str, str], signed_headers: Sequence[str]
) -> Iterator[str]:
    """The canonical request, and what some SDKs make of it: all say the same of the request, so that any may be signed.

    Java's leaves the values of a repeated parameter in their order; the SDKs do not agree on what is hashed of an empty
    body that is declared as unsigned.
    """
    declared = headers.get("x-sdk-content-sha256", "")
    payloads = [_payload_hash(request.body, declared)]
    if declared == UNSIGNED_PAYLOAD and not request.body:
        payloads.append(declared)
    fixed = (
        "".join([f"{name}:{headers[name]}\n" for name in signed_headers]),
        ";".join(signed_headers),
    )
    start = (request.method.upper(), _canonical_path(request.path))
    queries = _canonical_queries(request.query)
    for query in queries:
        for payload in payloads:
            yield "\n".join((*start, query, *fixed, payload))


def _signature(canonical: str, date: str, sk: str) -> str:
    to_sign = "\n".join((ALGORITHM, date, hashlib.sha256(canonical.encode()).hexdigest()))
    return hmac.digest(sk.encode(), to_sign.encode(), "sha256").hex()


@lru_cache(maxsize=256)  # many requests are of the same second
def _epoch(date: str) -> float:
    try:
        match = _DATE.match(date)
        if match is None:
            raise ValueError(date)
        year, month, day, hour, minute, second = map(int, match.groups())
        return datetime(year, month, day, hour, minute, second, tzinfo=UTC).timestamp()
    except ValueError:
        raise BadSignatureError("X-Sdk-Date is malformed, wanted YYYYMMDDTHHMMSSZ") from None


def _encode(text: str) -> str:
    return quote(text, safe="~")


def _canonical_path(path: str) -> str:
    plain = _PLAIN_PATH.fullmatch(path) is not None
    encoded = path if plain else "/".join(_encode(segment) for segment in path.split("/"))
    return encoded if encoded.endswith("/") else encoded + "/"


def _canonical_queries(query: str) -> list[str]:
    """Sorted by name and value; and by name only, where that is something else."""
    if not query:
        return [""]
    try:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=100)
    except ValueError:
        raise BadSignatureError("the query has too many fields") from None
    orders = [sorted(pairs), sorted(pairs, key=itemgetter(0))]
    return ["&".join(f"{_encode(key)}={_encode(value)}" for key, value in order) for order in _unlike(orders)]


def _unlike(orders: list[list[tuple[str, str]]]) -> list[list[tuple[str, str]]]:
    return orders[:1] if orders[0] == orders[1] else orders


def _payload_hash(body: bytes, declared: str) -> str:
    actual = hashlib.sha256(body).hexdigest()
    if not body or not declared:
        return actual
    if declared != UNSIGNED_PAYLOAD and not hmac.compare_digest(declared.lower().encode(), actual.encode()):
        raise BadSignatureError("X-Sdk-Content-Sha256 is not the payload's hash")
    return declared
