"""What no schema generates: bodies, queries, paths and headers that are broken or odd on the wire. Never a 5xx, always our form.

On PostgreSQL, which refuses more than SQLite does; on SQLite with ``--database sqlite``, or where there is no PostgreSQL.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import contract_examples  # noqa: F401 - registers the examples
import httpx
import pytest
from contract_world import PROJECT, Ask, World, running, spots
from control_server import sign_request
from postgres_server import program

from visavis.api import operations
from visavis.api.skeleton import handled
from visavis.contract.errors import ErrorCode
from visavis.contract.loading import contract
from visavis.contract.model import Field

operations.load()
SERVED = sorted(handled())
WITH_BODY = [name for name in SERVED if contract().operations[name].body is not None]
WITH_ID = [name for name in SERVED if len(contract().operations[name].path_names) > 1]
CODES = {code.code for code in ErrorCode}

# How bodies are read is the same for all operations: some are enough.
SOME = WITH_BODY[::12]

NOT_JSON = {
    "nothing but a bracket": b"[",
    "two values": b"{} {}",
    "a trailing comma": b'{"name": "a",}',
    "single quotes": b"{'name': 'a'}",
    "UTF-16": '{"name": "a"}'.encode("utf-16"),
    "UTF-8 that is none": b'{"name": "\xff\xfe"}',
    "half a surrogate pair": b'{"name": "\\ud800"}',
    "a comment": b'{"name": "a" /* b */}',
    "very deep lists": b"[" * 100_000,
    "very deep objects": b'{"name":' * 100_000,
    "a control character": b'{"name": "a\x01b"}',
    "no word of JSON": b"nul",
}

ODD_NUMBERS = {
    "NaN": b"NaN",
    "infinity": b"-Infinity",
    "a number beyond all": b"1e999",
    "5000 digits": b"9" * 5000,
    "65 bits": b"18446744073709551616",
    "minus zero": b"-0.0",
    "true": b"true",
}
ODD_TEXTS = {
    "NUL": b'"a\\u0000b"',
    "SQL": b'"\'); DROP TABLE records; --%_\\\\"',
    "right to left": '"\u202e\u200f\ufeff\U0010ffff"'.encode(),
    "a format": b'"%s %(name)s {0} {name!r} ${HOME} {{x}}"',
}
ODD_OBJECTS = {
    "many": json.dumps([{}] * 2000).encode(),
    "nested": b'{"a":' * 150 + b"1" + b"}" * 150,
    "odd keys": b'{"": {"": ""}, "\\ud83d\\ude00": 1, "__proto__": {}, "a": 1, "a": 2}',
    "text": b'"{}"',
}

QUERIES_OF_ALL = ("NAME=%ff%fe", "NAME=a%00b", "NAME=1&NAME=2&NAME=a", "NAME", "NAME=%ED%A0%80", "NAME=,,,&&;;")
QUERIES_OF_NUMBERS = ("NAME=" + "9" * 5000, "NAME=%D9%A1%D9%A2", "NAME=1e5", "NAME=%2B-1", "NAME=0x10", "NAME=1_000")
QUERIES_OF_TIMES = (
    "NAME=0000-00-00T00:00:00Z",
    "NAME=9999-12-31T23:59:60%2B24:00",
    "NAME=0001-01-01T00:00:00%2B14:00",
    "NAME=9999-12-31T23:59:59-14:00",
    "NAME=2021-W01-1T00:00:00Z",
)
QUERIES_OF_TEXTS = ("NAME=%25_%5C%27%22;--", "NAME[]=1&NAME[a]=2", "NAME=%zz&NAME=%", "NAME=" + "a," * 5000)

ODD_IDS = ("\udcff", "..", "a/b", "😀", "x" * 4000, "'", "%", "%2e%2e", "null", " ", "{room_id}")

ODD_HEADERS = (
    {"If-Match": '"x", W/"1"'},
    {"If-Match": '"99999999999999999999"'},
    {"X-App-UserId": "a" * 129},
    {"X-App-UserId": "a\tb"},
    {"Content-Type": "application/json; charset=utf-16"},
    {"Content-Type": 'application/json;;=";'},
    {"Content-Type": "text/plain"},
    {"Content-Type": "multipart/form-data"},
    {"Content-Encoding": "gzip"},
    {"Accept": "application/xml"},
    {"Range": "bytes=5-1"},
    {"X-Forwarded-For": "'", "Forwarded": "for=_x;;", "X-Forwarded-Proto": "gopher"},
    {"Cookie": "a=b; =; ;;"},
    {"X-HTTP-Method-Override": "DELETE"},
    {"X-Request-Id": "a\tb" * 100},
)

_MARK = "here is the odd value"


@pytest.fixture(scope="module")
def world(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory, postgres: Any) -> Iterator[World]:
    strict = pytestconfig.getoption("--database") != "sqlite" and program("postgres") is not None
    with running(tmp_path_factory.mktemp("raw"), postgres.fresh() if strict else "") as opened:
        yield opened


def send(world: World, request: httpx.Request) -> httpx.Response:
    """Signed."""
    request.read()
    sign_request(request, world.keys[PROJECT], time.time())
    return world.http.send(request)


def plain(answer: httpx.Response, told: str) -> None:
    """Nothing broke, and if it was refused, then in the contract's form."""
    assert answer.status_code < 500, f"{told}: {answer.status_code} {answer.text[:300]}"
    assert answer.headers["x-request-id"], told
    if answer.status_code >= 400:
        body = answer.json()
        assert set(body) == {"error_code", "error_msg"}, told
        assert body["error_code"] in CODES, told
    elif answer.headers["content-type"] == "application/json":
        json.loads(answer.content, parse_constant=_refuse)


def _refuse(text: str) -> None:
    raise AssertionError(f"{text} is not JSON")


@pytest.mark.parametrize("name", SOME)
def test_bodies_that_are_not_json(world: World, name: str) -> None:
    ask = world.ask(name)
    for told, content in NOT_JSON.items():
        answer = send(world, world.request(name, ask, content=content))
        plain(answer, told)
        assert (answer.status_code, answer.json()["error_code"]) == (400, "MSS.00000002"), told


@pytest.mark.parametrize("name", WITH_BODY)
def test_odd_values_in_every_place(world: World, name: str) -> None:
    operation = contract().operations[name]
    ask = world.ask(name)
    for spot in spots(operation, ask):
        if spot.place == "body":
            for told, value in _odd_values(spot.field).items():
                body = json.dumps(spot.put(ask, _MARK).body)
                content = body.encode().replace(json.dumps(_MARK).encode(), value)
                plain(send(world, world.request(name, ask, content=content)), f"{spot.name}: {told}")


def _odd_values(one: Field) -> dict[str, bytes]:
    if one.type in ("int", "float"):
        return ODD_NUMBERS
    if one.leaf != "str":
        return ODD_OBJECTS
    return ODD_TEXTS if one.item is None else {told: b"[%b]" % value for told, value in ODD_TEXTS.items()}


@pytest.mark.parametrize("name", SERVED)
def test_odd_queries(world: World, name: str) -> None:
    operation = contract().operations[name]
    ask = world.ask(name)
    valid = [part for part in world.request(name, ask).url.query.decode().split("&") if part]
    for one, texts in ((one, _odd_queries(field)) for one, field in operation.query.items()):
        others = [part for part in valid if not part.startswith(f"{one}=")]
        for text in texts:
            query = "&".join([*others, text.replace("NAME", one)])
            plain(send(world, world.request(name, ask, query=query)), query[:200])
    plain(send(world, world.request(name, ask, query="&".join([*valid, "=&%00=&a[b][c]=%ff&;"]))), "unknown")


def _odd_queries(one: Field) -> tuple[str, ...]:
    if one.type in ("int", "float", "bool"):
        return QUERIES_OF_ALL + QUERIES_OF_NUMBERS
    return QUERIES_OF_ALL + (QUERIES_OF_TIMES if one.format else QUERIES_OF_TEXTS)


@pytest.mark.parametrize("name", WITH_ID)
def test_odd_ids_in_paths(world: World, name: str) -> None:
    ask = world.ask(name)
    for one in ask.path:
        for odd in ODD_IDS:
            escaped = "".join(f"%{byte:02X}" for byte in odd.encode("utf-8", "surrogateescape"))
            request = world.request(name, Ask({**ask.path, one: "THE-ID"}, ask.query, ask.body, ask.files))
            path = request.url.raw_path.replace(b"THE-ID", escaped.encode())
            request.url = request.url.copy_with(raw_path=path)
            answer = send(world, request)
            plain(answer, f"{one}={odd!r}")
            assert not answer.is_success or contract().operations[name].verb == "DELETE", f"{one}={odd!r}: {answer}"


@pytest.mark.parametrize("name", SERVED[::7])
def test_odd_headers(world: World, name: str) -> None:
    for headers in ODD_HEADERS:
        request = world.request(name, world.ask(name))
        request.headers.update(headers)
        plain(send(world, request), str(headers))


def test_paths_that_are_no_operation_s(world: World) -> None:
    for path in (
        "/v1",
        "/v1/p1",
        "/v1/p1/",
        "//v1//p1",
        "/v1/p1/smart-chat-rooms/",
        "/v1/%2e%2e/metrics",
        "/" + "a/" * 500,
    ):
        request = world.http.build_request("GET", path)
        plain(send(world, request), path)
    for verb in ("PATCH", "TRACE", "PROPFIND", "OPTIONS", "HEAD"):
        answer = send(world, world.http.build_request(verb, f"/v1/{PROJECT}/wise-brain-manager/role"))
        assert answer.status_code == 405, verb
        assert answer.headers["allow"] == "GET, POST", verb
        assert answer.headers["x-request-id"]


@pytest.mark.parametrize(("text", "is_nul"), [("\\\\u0000", False), ("\\u0000", True), ("\\\\\\u0000", True)])
def test_a_backslash_is_no_nul(world: World, text: str, is_nul: bool) -> None:
    ask = world.ask("create_hot_question")
    content = json.dumps({**ask.body, "question": _MARK}).replace(_MARK, f"a{text}b").encode()
    answer = send(world, world.request("create_hot_question", ask, content=content))
    assert answer.status_code == (400 if is_nul else 200), answer.text


@pytest.mark.parametrize("number", [b"5.0", b"5e0", b"0.5e1"])
def test_a_whole_number_may_be_written_so(world: World, number: bytes) -> None:
    ask = world.ask("create_active_code")
    content = json.dumps({**ask.body, "valid_period": _MARK}).encode().replace(json.dumps(_MARK).encode(), number)
    answer = send(world, world.request("create_active_code", ask, content=content))
    assert answer.json()["valid_period"] == 5, answer.text
    for wrong in (b"5.5", b"1e300", b"-5.0"):
        refused = send(world, world.request("create_active_code", ask, content=content.replace(number, wrong)))
        assert refused.status_code == 400, wrong
        assert "valid_period" in refused.json()["error_msg"]
