import hashlib
import hmac

import pytest

from visavis.rtc import tokens
from visavis.rtc.tokens import TokenRefused

KEY, APP, ROOM, USER = "s3cret-key", "app1", "room1", "user:1"
CTIME = 2_000_000_000


@pytest.fixture
def signature() -> str:
    return tokens.sign(KEY, APP, ROOM, USER, CTIME)


def test_signature_is_the_published_formula(signature: str) -> None:
    text = b"app1+room1+user:1+2000000000"
    assert signature == hmac.new(b"s3cret-key", text, hashlib.sha256).hexdigest()


def test_bearer_round_trip(signature: str) -> None:
    user, ctime, got = tokens.parse_bearer(tokens.bearer(USER, CTIME, signature))
    assert (user, ctime, got) == (USER, CTIME, signature)
    tokens.verify(KEY, APP, ROOM, user, ctime, got, now=CTIME - 1)


@pytest.mark.parametrize(
    "change",
    [
        {"app_key": "other"},
        {"app_id": "app2"},
        {"room_id": "room2"},
        {"user_id": "user:2"},
        {"ctime": CTIME + 1},
        {"signature": "0" * 64},
        {"signature": ""},
        {"signature": "é"},
    ],
)
def test_foreign_token_is_refused(signature: str, change: dict[str, object]) -> None:
    arguments = {
        "app_key": KEY, "app_id": APP, "room_id": ROOM, "user_id": USER, "ctime": CTIME, "signature": signature,
    }  # fmt: skip
    with pytest.raises(TokenRefused) as refused:
        tokens.verify(**{**arguments, **change}, now=0.0)  # type: ignore[arg-type]
    assert signature not in str(refused.value)
    assert KEY not in str(refused.value)


def test_expired_token_is_refused(signature: str) -> None:
    tokens.verify(KEY, APP, ROOM, USER, CTIME, signature, now=CTIME - 0.001)
    with pytest.raises(TokenRefused, match="expired"):
        tokens.verify(KEY, APP, ROOM, USER, CTIME, signature, now=float(CTIME))


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer",
        "Bearer u:1",
        "Basic u:1:" + "0" * 64,
        "Bearer u:x:" + "0" * 64,
        "Bearer u:1:" + "0" * 63,
        "Bearer u:1:" + "g" * 64,
        "Bearer :1:" + "0" * 64,
        "Bearer u:4294967296:" + "0" * 64,
        "Bearer " + "u" * 2000 + ":1:" + "0" * 64,
    ],
)
def test_malformed_header_is_refused(header: str | None) -> None:
    with pytest.raises(TokenRefused):
        tokens.parse_bearer(header)
