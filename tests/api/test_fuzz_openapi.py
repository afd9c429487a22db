"""schemathesis against a running server, by our own OpenAPI: what nobody thought of is refused in the contract's form, or works.

Two passes over every operation that is served. The *edges*: whatever schemathesis derives from a schema by rule (missing,
of another type, at and beyond a limit, other verbs, other content types), as it is. The *mixtures*: a valid request (the
generic suite's example, whose ids name things that exist) of which parts are replaced by random ones, valid and not, so that
they get behind the first "not found". Both are the same in every run.

A longer run, over new random mixtures and over schemathesis' own chains of calls, by seconds:

    VISAVIS_FUZZ_S=600 .venv/bin/python -m pytest tests/api/test_fuzz_openapi.py -k long --timeout 0 -s
"""

from __future__ import annotations

import contextlib
import copy
import os
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import contract_examples  # noqa: F401 - registers the examples
import hypothesis
import hypothesis.strategies as st
import pytest
import requests
import schemathesis
from contract_world import PROJECT, Ask, World, running
from hypothesis.stateful import run_state_machine_as_test
from jsonschema import Draft202012Validator
from schemathesis.checks import (
    not_a_server_error,
)
from schemathesis.config import SchemathesisConfig
from schemathesis.core.parameters import ParameterLocation
from schemathesis.generation.modes import GenerationMode
from schemathesis.specs.openapi import checks

from visavis.api import operations
from visavis.api.openapi import describe
from visavis.api.skeleton import handled
from visavis.contract.errors import ErrorCode
from visavis.contract.loading import contract
from visavis.contract.roles import Role
from visavis.store import identity, tokens

operations.load()
SERVED = sorted(handled())
DOCUMENT = describe(contract(), SERVED)
LONG_S = float(os.environ.get("VISAVIS_FUZZ_S", "0"))
EDGES, MIXTURES = 50, 4  # of an operation, in the suite

# What the checks of the contract say of a request that is not as the schema has it.
_RULES = ("Input should be", "should have at", "Field required", "wanted RFC 3339", "each part must be")
_LONGEST_URL = 60_000
_CODES = {code.code for code in ErrorCode}
_CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
    checks.unsupported_method,
    checks.allow_header_conformance,
    checks.negative_data_rejection,
]

_SETTINGS = hypothesis.settings(
    deadline=None,
    database=None,
    phases=[hypothesis.Phase.generate],
    suppress_health_check=list(hypothesis.HealthCheck),
    verbosity=hypothesis.Verbosity.quiet,
)


def _config() -> SchemathesisConfig:
    config = SchemathesisConfig()
    config.projects.default.generation.with_security_parameters = False
    config.projects.default.checks.negative_data_rejection.expected_statuses = ["400", "404", "405", "415"]
    return config


SCHEMA = schemathesis.openapi.from_dict(copy.deepcopy(DOCUMENT), config=_config())
OPERATIONS = {
    operation.definition.raw["operationId"]: operation
    for operation in (one.ok() for one in SCHEMA.get_all_operations())
}

each = pytest.mark.parametrize("name", SERVED)


class Fuzzer:
    """Sends schemathesis' cases to a world's server, and judges the answers."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.session = requests.Session()
        self.session.trust_env = False
        database, now = world.context.database, time.time()
        user = world.run(identity.put_user(database, PROJECT, "fuzz", "no password", now, Role.ADMIN))
        self.token = world.run(tokens.issue(database, user, PROJECT, now, 86400))
        self.sent = 0

    def send(self, case: Any) -> Any:
        """The answer, in the project, with a token."""
        self.sent += 1
        if "project_id" in (case.path_parameters or {}):
            case.path_parameters["project_id"] = PROJECT
        return case.call(
            base_url=self.world.url, session=self.session, headers={"X-Auth-Token": self.token}, timeout=30
        )


def _empty(value: Any) -> bool:
    return value in ("", [""], None)


def _nested(value: Any) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and any(isinstance(one, dict | list) for one in value))


def _lists(case: Any) -> set[str]:
    """The parameters of the query that are lists."""
    query = contract().operations[case.operation.definition.raw["operationId"]].query
    return {name for name, field in query.items() if field.item is not None}


def judge(case: Any, response: Any) -> None:
    """Raise an AssertionError, or schemathesis' failure, for an answer that breaks the contract."""
    if response.status_code == 400 and len(response.request.url) > _LONGEST_URL:
        return  # refused by the HTTP server itself, before there is an application
    # An empty parameter of a query counts as not given, whatever its rules; an object is text when it is sent, as good as any;
    # and one text is a list of one.
    lenient = any(
        _empty(value) or _nested(value) or (isinstance(value, str) and name in _lists(case))
        for name, value in (case.query or {}).items()
    )
    case.validate_response(response, checks=_CHECKS[:-1] if lenient else _CHECKS)
    assert response.headers.get("x-request-id")
    if response.status_code < 400:
        return
    told = f"{response.status_code} {response.text[:500]}"
    body = response.json()
    assert set(body) == {"error_code", "error_msg"}, told
    assert body["error_code"] in _CODES, told
    meta = case.meta
    if response.status_code == 400 and meta is not None and meta.generation.mode is GenerationMode.POSITIVE:
        # It may be refused for what it means, but the schema must not call valid what the contract's rules refuse.
        assert not any(rule in body["error_msg"] for rule in _RULES), f"valid by the schema: {told}"


@pytest.fixture(scope="module")
def fuzzer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fuzzer]:
    with running(tmp_path_factory.mktemp("fuzz")) as world:
        yield Fuzzer(world)


# --- the document -----------------------------------------------------------------------------------------


def test_the_document_is_openapi() -> None:
    SCHEMA.validate()
    for name, schema in DOCUMENT["components"]["schemas"].items():
        Draft202012Validator.check_schema(schema)
        assert schema["type"] == "object", name


def test_every_reference_leads_somewhere() -> None:
    def references(value: Any) -> Iterator[str]:
        if isinstance(value, dict):
            if isinstance(value.get("$ref"), str):
                yield value["$ref"]
            for inner in value.values():
                yield from references(inner)
        elif isinstance(value, list):
            for inner in value:
                yield from references(inner)

    found = set(references(DOCUMENT))
    assert len(found) > 100
    for reference in found:
        at: Any = DOCUMENT
        for step in reference.removeprefix("#/").split("/"):
            assert step in at, reference
            at = at[step]
    used = {one.rpartition("/")[2] for one in found if one.startswith("#/components/schemas/")}
    assert used == set(DOCUMENT["components"]["schemas"])


def test_each_operation_says_how_it_is_refused_and_who_may_call_it() -> None:
    assert set(OPERATIONS) == set(SERVED)
    schemes = DOCUMENT["components"]["securitySchemes"]
    assert {scheme["name"] for scheme in schemes.values()} == {"X-Auth-Token", "Authorization"}
    assert [list(one) for one in DOCUMENT["security"]] == [[name] for name in schemes]
    for path, verbs in DOCUMENT["paths"].items():
        for verb, one in verbs.items():
            name = one["operationId"]
            operation = contract().operations[name]
            assert (path, verb.upper()) == (operation.path, operation.verb)
            wanted = {str(operation.status), "400", "401", "403", "404", "409", "429", "500", "503"}
            assert wanted <= set(one["responses"]), name
            assert ("requestBody" in one) == ("413" in one["responses"]) == ("415" in one["responses"]), name
            in_path = {p["name"] for p in one["parameters"] if p["in"] == "path"}
            assert in_path == set(operation.path_names), name
            assert all(p["required"] for p in one["parameters"] if p["in"] == "path"), name
            names = [(p["in"], p["name"]) for p in one["parameters"]]
            assert len(set(names)) == len(names), name
            assert one["summary"], name
            assert one["tags"], name


# --- edges ------------------------------------------------------------------------------------------------


def edges(fuzzer: Fuzzer, name: str, most: int) -> None:
    """All that follows from the operation's schema, or so many of them."""
    modes = list(GenerationMode)
    generation = SCHEMA.config.generation
    SCHEMA.coverage_unexpected_methods_seen.clear()  # else the cases would depend on the tests before
    cases = list(SCHEMA.iter_coverage_cases(OPERATIONS[name], generation_modes=modes, generation_config=generation))
    assert len(cases) >= 5
    for case in cases if len(cases) <= most else random.Random(1).sample(cases, most):
        judge(case, fuzzer.send(case))


@each
def test_edges(fuzzer: Fuzzer, name: str) -> None:
    edges(fuzzer, name, EDGES)


# --- mixtures ---------------------------------------------------------------------------------------------


def mixed(case: Any, ask: Ask, chance: random.Random) -> None:
    """Put parts of a valid request into the case, where it is not wrong on purpose."""
    wrong = {place for place, one in case.meta.components.items() if one.mode is GenerationMode.NEGATIVE}
    if ParameterLocation.PATH not in wrong:
        case.path_parameters = {**(case.path_parameters or {}), **ask.path}
    if ParameterLocation.QUERY not in wrong and ask.query:
        case.query = _blend(ask.query, case.query or {}, chance)
    if ParameterLocation.BODY not in wrong and isinstance(case.body, dict | list) and not ask.files:
        case.body = _blend(ask.body, case.body, chance)


def _blend(valid: Any, other: Any, chance: random.Random) -> Any:
    """Of two valid values, one that has parts of both."""
    if isinstance(valid, dict) and isinstance(other, dict):
        blended = {}
        for key in {**valid, **other}:
            if key not in other or (key in valid and chance.random() < 0.6):
                blended[key] = valid[key]
            elif key not in valid:
                blended[key] = other[key]
            else:
                blended[key] = _blend(valid[key], other[key], chance)
        return blended
    if isinstance(valid, list) and isinstance(other, list) and valid and other and isinstance(valid[0], dict):
        return [_blend(valid[0], one, chance) for one in other]
    return valid if chance.random() < 0.3 else other


def mix(fuzzer: Fuzzer, name: str, examples: int, seed: Callable[[Any], Any]) -> None:
    """Try that many mixtures of valid and of wrong requests each."""
    operation = OPERATIONS[name]
    asked: list[Ask] = []

    def one(case: Any, number: int) -> None:
        # What deletes needs something new each time.
        if not asked or operation.method.upper() == "DELETE" or "delete" in name:
            asked[:] = [fuzzer.world.ask(name)]
        mixed(case, asked[0], random.Random(number))
        judge(case, fuzzer.send(case))

    for mode in GenerationMode:
        try:
            strategy = operation.as_strategy(generation_mode=mode)
            test = hypothesis.given(case=strategy, number=st.integers(0, 2**32))(one)
            seed(hypothesis.settings(_SETTINGS, max_examples=examples)(test))()
        except hypothesis.errors.Unsatisfiable:
            assert mode is GenerationMode.NEGATIVE, "no valid request could be made"


@each
def test_mixtures(fuzzer: Fuzzer, name: str) -> None:
    mix(fuzzer, name, MIXTURES, hypothesis.seed(1))


# --- chains -----------------------------------------------------------------------------------------------


def chain(fuzzer: Fuzzer, examples: int, seed: Callable[[Any], Any]) -> None:
    """Calls whose answers feed the next ones: schemathesis sees from the schemas what leads where."""

    class Chains(SCHEMA.as_state_machine()):  # type: ignore[misc]
        def call(self, case: Any, **_: Any) -> Any:
            return fuzzer.send(case)

        def validate_response(self, response: Any, case: Any, **_: Any) -> None:
            judge(case, response)

    settings = hypothesis.settings(_SETTINGS, max_examples=examples, stateful_step_count=12)
    # Ids that the server makes up lead on, so two examples that begin alike may differ later: hypothesis, which remembers
    # them as a tree, then gives up. That says nothing of the server; what it answered until then was judged.
    with contextlib.suppress(hypothesis.errors.FlakyStrategyDefinition):
        run_state_machine_as_test(seed(Chains), settings=settings)


def test_chains(fuzzer: Fuzzer) -> None:
    before = fuzzer.sent
    chain(fuzzer, 12, hypothesis.seed(1))
    assert fuzzer.sent - before > 50


# --- a long run -------------------------------------------------------------------------------------------


@pytest.mark.skipif(not LONG_S, reason="asked for with VISAVIS_FUZZ_S")
def test_long(tmp_path_factory: pytest.TempPathFactory, postgres: Any) -> None:
    """Rounds over all operations in random order until the time is over, each on a fresh server, on both databases in turn."""
    ends = time.monotonic() + LONG_S
    failures: dict[tuple[str, str], str] = {}
    sent, rounds = Counter[str](), 0

    def tried(name: str, told: str, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:
            failures.setdefault((name, type(error).__name__), f"{told}: {_told(error)}")

    while time.monotonic() < ends:
        number = random.randrange(2**32)
        database = "postgresql" if rounds % 2 else "sqlite"
        rounds += 1
        told, seed = f"{database}, seed {number}", hypothesis.seed(number)
        url = postgres.fresh() if database == "postgresql" else ""
        with running(tmp_path_factory.mktemp("long"), url) as world:
            fuzzer = Fuzzer(world)
            tried("chains", told, partial(chain, fuzzer, 40, seed))
            for name in random.Random(number).sample(SERVED, len(SERVED)):
                if time.monotonic() < ends:
                    tried(name, told, partial(mix, fuzzer, name, 12, seed))
                if time.monotonic() < ends and rounds <= 2:  # they are always the same
                    tried(name, told, partial(edges, fuzzer, name, 10_000))
            sent[database] += fuzzer.sent
    print(f"\n{rounds} rounds, requests: {dict(sent)}, failures: {len(failures)}")
    assert not failures, "\n\n".join(f"{name}: {told}" for (name, _), told in failures.items())


def _told(error: BaseException) -> str:
    inner = getattr(error, "exceptions", None)
    return f"{error}"[:1500] + "".join(f"\n  {_told(one)}" for one in inner or ())
