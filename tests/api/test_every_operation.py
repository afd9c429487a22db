"""Every operation that is served, against the contract: through the official SDK, and by hand where that would not send it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import contract_examples
import pytest
from contract_world import OTHER, PROJECT, Ask, Spot, World, running, sdk_has, spots

from visavis.api import operations
from visavis.api.skeleton import handled
from visavis.contract.loading import contract
from visavis.contract.model import Field

operations.load()
SERVED = sorted(handled())

each = pytest.mark.parametrize("name", SERVED)

# What the checks of the contract say; what a service finds wrong with a valid value it says in other words.
_UTC = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z")
_RULES = ("Input should be", "should have at", "Field required", "wanted RFC 3339", "each part must be")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """For what is refused before anything is stored: SQLite is enough."""
    with running(tmp_path_factory.mktemp("contract")) as opened:
        yield opened


@pytest.fixture(scope="module")
def stored(database_kind: str, tmp_path_factory: pytest.TempPathFactory, postgres: Any) -> Iterator[World]:
    """For what is stored: on both databases."""
    url = postgres.fresh() if database_kind == "postgresql" else ""
    with running(tmp_path_factory.mktemp("stored"), url) as opened:
        yield opened


def test_every_served_operation_has_an_example() -> None:
    assert sorted(contract_examples.EXAMPLES) == SERVED


def test_the_published_table_says_served_of_what_is_tried_here() -> None:
    """docs/api.md: what it calls served has a handler, an example in this suite, and words for what it means here."""
    page = (Path(__file__).resolve().parents[2] / "docs" / "api.md").read_text()
    rows = [line.split(" | ") for line in page.splitlines() if re.match(r"\| \w+ \| `[A-Z]+ ", line)]
    table = {row[0].removeprefix("| "): row[1:] for row in rows}
    assert set(contract().operations) == set(table)
    assert len(rows) == len(table)
    assert sorted(name for name, (_, status, _) in table.items() if status != "not yet") == SERVED
    for name in SERVED:
        call, status, meaning = table[name]
        operation = contract().operations[name]
        assert call.startswith(f"`{operation.verb} "), name
        assert status == str(operation.status), name
        assert meaning.removesuffix(" |") not in ("", operation.summary), name


@each
def test_works_through_the_sdk_and_answers_every_field(stored: World, name: str) -> None:
    operation = contract().operations[name]
    ask = stored.ask(name)
    if operation.form or not sdk_has(name):
        answer = stored.call(name, ask)
        status, value = answer.status_code, answer.json()
    else:
        result = stored.by_sdk(name, ask)
        status, value = result.status_code, result.to_dict()
    assert status == operation.status
    if operation.answer:
        _complete(operation.answer, value, ask, ())


def _complete(shape: str, value: Any, ask: Ask, at: tuple[str, ...]) -> None:
    for field_name, one in contract().shapes[shape].fields.items():
        where = (*at, field_name)
        if ".".join(where) in ask.absent:
            continue
        # The SDK leaves out what is null, and calls some fields otherwise than the wire does.
        inner = value.get(field_name.replace("-", "_"))
        assert inner is not None, f"the answer lacks {'.'.join(where)}"
        if one.format == "date-time" or (field_name.endswith("_time") and isinstance(inner, str)):
            # Of a job that runs the end is told so: empty.
            assert inner == "" or _UTC.fullmatch(inner), f"{'.'.join(where)} is no time of RFC 3339 in UTC: {inner}"
        if one.item is not None:
            assert inner, f"{'.'.join(where)} is empty: the example should fill it"
            inner = inner[0]
        if one.leaf in contract().shapes:
            _complete(one.leaf, inner, ask, where)


@each
def test_unknown_fields_are_ignored(world: World, name: str) -> None:
    ask = world.ask(name)
    query = {**ask.query, "unknown_parameter": "x"}
    body = {**ask.body, "unknown_field": {"a": 1}} if isinstance(ask.body, dict) else ask.body
    answer = world.call(name, Ask(ask.path, query, body, ask.files, ask.headers))
    assert answer.is_success, answer.text


@each
def test_required_fields(world: World, name: str) -> None:
    operation = contract().operations[name]
    ask = world.kept(name)
    for spot in spots(operation, ask):
        if not spot.field.required or not spot.steps or (operation.partial and len(spot.steps) == 1):
            continue
        if spot.place == "body":
            _refused(world, name, spot, spot.put(ask, None))
        _refused(world, name, spot, spot.put(ask, ...))


@each
def test_types_ranges_and_enumerations(world: World, name: str) -> None:
    operation = contract().operations[name]
    ask = world.kept(name)
    for spot in spots(operation, ask):
        for value in _wrong(spot):
            _refused(world, name, spot, spot.put(ask, value))


@each
def test_the_edges_themselves_are_within(world: World, name: str) -> None:
    operation = contract().operations[name]
    ask = world.ask(name)
    for spot in spots(operation, ask):
        for value in _edges(spot.field):
            answer = world.call(name, spot.put(ask, value))
            assert answer.status_code < 500, answer.text
            if answer.status_code == 400:
                message = answer.json()["error_msg"]
                assert not any(rule in message for rule in _RULES), f"{spot.name}={str(value)[:60]!r}: {message}"


def _refused(world: World, name: str, spot: Spot, ask: Ask) -> None:
    answer = world.call(name, ask)
    told = f"{spot.place} {spot.name}: {answer.status_code} {answer.text}"
    assert (answer.status_code, answer.json().get("error_code")) == (400, "MSS.00000003"), told
    assert str(spot.steps[-1] if spot.steps else "") in answer.json()["error_msg"], told


def _wrong(spot: Spot) -> Iterator[Any]:
    one, text = spot.field, spot.place == "query"
    if one.item is not None:
        if not text:
            yield "no list"
            if one.min_items:
                yield []
        if one.max_items is not None and one.item == "str" and not one.enum:
            yield ["x" * (one.min_length or 1)] * (one.max_items + 1)
        if one.item == "str":
            yield from ([value] for value in _wrong_text(one, text))
        return
    if one.type == "str":
        yield from _wrong_text(one, text)
    elif one.type in ("int", "float"):
        yield "x"
        if not text:
            yield "1"
        if one.type == "int":
            yield 1.5
        if one.min is not None and not one.enum:
            yield one.min - 1 if one.type == "float" else int(one.min) - 1
        if one.max is not None and not one.enum:
            yield one.max + 1 if one.type == "float" else int(one.max) + 1
        if one.enum:
            yield max(int(value) for value in one.enum) + 1
        if not text:
            yield False
    elif one.type == "bool":
        yield "maybe"
        if not text:
            yield 1
    elif not text:
        yield "no object"


def _wrong_text(one: Field, text: bool) -> Iterator[Any]:
    if not text:
        yield 5
    if one.enum:
        yield "NO_SUCH_VALUE"
        return
    if one.format == "date-time":
        yield "yesterday"
        return
    if one.max_length is not None:
        yield "x" * (one.max_length + 1)
    if one.min_length and not (text and one.min_length == 1):
        yield "x" * (one.min_length - 1)


def _edges(one: Field) -> Iterator[Any]:
    if one.item is not None or one.enum:
        return
    if one.type in ("int", "float"):
        yield from (int(edge) if one.type == "int" else edge for edge in (one.min, one.max) if edge is not None)
    elif one.type == "str" and not one.format:
        yield from ("界" * edge for edge in (one.min_length, one.max_length) if edge is not None)


@each
def test_a_foreign_project_is_refused(world: World, name: str) -> None:
    answer = world.call(name, world.kept(name), project=OTHER, key=world.keys[PROJECT])
    assert (answer.status_code, answer.json()["error_code"]) == (403, "MSS.00010009")


@each
def test_another_project_s_things_are_not_there(world: World, name: str) -> None:
    ask = world.ask(name)
    if not any(len(value) == 32 for value in ask.path.values()):
        pytest.skip("it names nothing by id")
    answer = world.call(name, ask, project=OTHER)
    if contract().operations[name].verb == "DELETE":
        assert answer.is_success or answer.status_code == 404
        assert world.call(name, ask).is_success  # it was still there for its owner
    else:
        assert answer.status_code == 404, answer.text


@each
def test_credentials_are_needed(world: World, name: str) -> None:
    ask = world.kept(name)
    nobody = world.call(name, ask, signed=False)
    assert (nobody.status_code, nobody.json()["error_code"]) == (401, "MSS.00000004")
    key = world.keys[PROJECT]
    forged = type(key)(**{**{f: getattr(key, f) for f in key.__dataclass_fields__}, "sk": "wrong"})
    answer = world.call(name, ask, key=forged)
    assert (answer.status_code, answer.json()["error_code"]) == (401, "MSS.00000004")


@each
def test_third_party_users_are_named_in_ascii(world: World, name: str) -> None:
    ask = world.kept(name)
    answer = world.call(
        name, Ask(ask.path, ask.query, ask.body, ask.files, {**ask.headers, "X-App-UserId": "用户".encode()})
    )  # type: ignore[dict-item]
    assert (answer.status_code, answer.json()["error_code"]) == (400, "MSS.00000003")
    assert "X-App-UserId" in answer.json()["error_msg"]
