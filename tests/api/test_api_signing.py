"""SDK-HMAC-SHA256, held against the official SDK's own signer."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

import pytest
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.sdk_request import SdkRequest
from huaweicloudsdkcore.signer.signer import Signer

from visavis.api import signing

AK, SK = "AKAKAKAKAK", "sk-of-the-test"
NOW = 1_800_000_000.0


def sdk_signed(
    method: str = "POST",
    path: str = "/v1/p1/digital-human-chat/robot",
    query: list[tuple[str, Any]] | None = None,
    body: str = '{"name":"机器人"}',
    content_type: str | None = "application/json",
    at: float = NOW,
    **headers: str,
) -> tuple[signing.SignedRequest, str]:
    """What our server receives of a request that the SDK signs, and its Authorization header."""
    params = {"X-Sdk-Date": datetime.fromtimestamp(at, UTC).strftime("%Y%m%dT%H%M%SZ"), "User-Agent": "sdk/1.0"}
    if content_type:
        params["Content-Type"] = content_type
    params.update({name.replace("_", "-"): value for name, value in headers.items()})
    request = SdkRequest(
        method=method,
        schema="http",
        host="server.test:8080",
        resource_path=path,
        uri=path,
        query_params=query or [],
        header_params=params,
        body=body,
        stream=False,
        signing_algorithm=None,
    )
    Signer(BasicCredentials(AK, SK, "p1")).sign(request)
    authorization = request.header_params.pop("Authorization")
    _, _, raw_query = request.uri.partition("?")
    received = [
        # The SDK hands header values over as latin-1 text of UTF-8 bytes.
        (name.lower(), value.encode("latin-1").decode())
        for name, value in request.header_params.items()
    ]
    return signing.SignedRequest(method, unquote(path), raw_query, received, request.body or b""), authorization


def check(request: signing.SignedRequest, authorization: str, now: float = NOW, sk: str = SK) -> None:
    signing.verify(request, signing.parse(authorization), sk, now)


def changed(request: signing.SignedRequest, **parts: Any) -> signing.SignedRequest:
    fields = {name: getattr(request, name) for name in ("method", "path", "query", "headers", "body")}
    return signing.SignedRequest(**{**fields, **parts})


@pytest.mark.parametrize(
    "case",
    [
        {},
        {"method": "GET", "body": ""},
        {"method": "GET", "body": "", "query": [("limit", 10), ("room_name", "a b+c/ü=&~*'")]},
        {"method": "GET", "body": "", "query": [("b", ["2", "1"]), ("a", True), ("c", "")]},
        {"path": "/v1/p1/digital-human-chat/robot/a%20b~c"},
        {"content_type": "text/plain"},
        {"content_type": "text/plain", "body": ""},
        {"content_type": None},
        {"X_App_UserId": "  spaced  "},
        {"X_App_UserId": "用户"},
    ],
    ids=str,
)
def test_what_the_sdk_signs_is_accepted(case: dict[str, Any]) -> None:
    check(*sdk_signed(**case))


def test_a_changed_request_is_refused() -> None:
    request, authorization = sdk_signed(query=[("limit", 1)])
    headers = list(request.headers)
    for altered in (
        changed(request, body=b'{"name":"other"}'),
        changed(request, body=b""),
        changed(request, method="PUT"),
        changed(request, path="/v1/p2/digital-human-chat/robot"),
        changed(request, query="limit=2"),
        changed(request, query="limit=1&offset=1"),
        changed(request, headers=[(n, "other.test" if n == "host" else v) for n, v in headers]),
        changed(request, headers=[*headers, ("host", "other.test")]),
    ):
        with pytest.raises(signing.BadSignatureError, match="does not match"):
            check(altered, authorization)
    with pytest.raises(signing.BadSignatureError, match="does not match"):
        check(request, authorization, sk="other")
    with pytest.raises(signing.BadSignatureError, match="missing: user-agent"):
        check(changed(request, headers=[(n, v) for n, v in headers if n != "user-agent"]), authorization)


@pytest.mark.parametrize("offset", [-900, -899, 0, 899, 900])
def test_inside_the_clock_window(offset: int) -> None:
    check(*sdk_signed(), now=NOW + offset)


@pytest.mark.parametrize("offset", [-901, 901, 86400])
def test_outside_the_clock_window(offset: int) -> None:
    with pytest.raises(signing.BadSignatureError, match="15 minutes"):
        check(*sdk_signed(), now=NOW + offset)


def test_the_clock_is_told_to_key_holders_only() -> None:
    with pytest.raises(signing.BadSignatureError, match="does not match"):
        check(*sdk_signed(), now=NOW + 5000, sk="guess")


def test_unsigned_payload() -> None:
    request, authorization = sdk_signed(content_type="text/plain", body="anything")
    assert ("x-sdk-content-sha256", signing.UNSIGNED_PAYLOAD) in request.headers
    check(changed(request, body=b"something else"), authorization)


def test_a_declared_hash_must_be_the_payload_s() -> None:
    request, authorization = sdk_signed(X_Sdk_Content_Sha256="0" * 64)
    with pytest.raises(signing.BadSignatureError, match="payload's hash"):
        check(request, authorization)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("SDK-HMAC-SHA256", "malformed"),
        ("SDK-HMAC-SHA256 Access=A, SignedHeaders=host;x-sdk-date, Signature=xyz", "malformed"),
        (f"SDK-HMAC-SHA256 Access=A, SignedHeaders=host, Signature={'0' * 64}", "x-sdk-date must be signed"),
    ],
)
def test_bad_headers(header: str, message: str) -> None:
    with pytest.raises(signing.BadSignatureError, match=message):
        signing.parse(header)


@pytest.mark.parametrize("date", ["yesterday", "20261399T000000Z", "2026-01-01T00:00:00Z"])
def test_a_signed_date_that_is_none(date: str) -> None:
    request = signing.SignedRequest("GET", "/", "", [("host", "h"), ("x-sdk-date", date)], b"")
    signature = signing.sign(request, dict(request.headers), ("host", "x-sdk-date"), date, SK)
    with pytest.raises(signing.BadSignatureError, match="malformed"):
        signing.verify(request, signing.Authorization(AK, ("host", "x-sdk-date"), signature), SK, NOW)


def test_a_query_of_too_many_fields_is_refused() -> None:
    request, authorization = sdk_signed()
    with pytest.raises(signing.BadSignatureError, match="too many"):
        check(changed(request, query="&".join(f"a{i}=1" for i in range(101))), authorization)
