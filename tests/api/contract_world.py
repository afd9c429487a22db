"""A real server of the whole contract, and valid requests for it, for tests/api/test_every_operation.py.

An *example* of an operation is a function that makes what the operation needs (through the server itself, where it can) and
answers a valid request with every field that has a meaning: an ``Ask``. Examples are in ``examples_<group>.py`` beside this.
"""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import httpx
import uvicorn
from control_fakes import FakeDispatcher
from control_server import CATALOGUE, sign_request
from fastapi import FastAPI
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkmetastudio import v1 as sdk

from visavis.api.app import create_app
from visavis.contract.loading import contract
from visavis.contract.model import Field, Operation
from visavis.settings import Settings
from visavis.store import identity

T = TypeVar("T")

PROJECT, OTHER = "p1", "p2"


@dataclass(frozen=True)
class Ask:
    """A valid request. ``absent``: fields of the answer (dotted) that have no meaning here, and why."""

    path: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, Any] = field(default_factory=dict)
    body: Any = None
    files: Mapping[str, tuple[str, bytes]] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    absent: Mapping[str, str] = field(default_factory=dict)


Example = Callable[["World"], Ask]

EXAMPLES: dict[str, Example] = {}


def example(name: str) -> Callable[[Example], Example]:
    """Register the example of the operation of that name."""

    def register(function: Example) -> Example:
        assert name not in EXAMPLES, f"{name} has an example already"
        EXAMPLES[name] = function
        return function

    return register


# --- values -----------------------------------------------------------------------------------------------


def sample(one: Field, kind: str = "") -> Any:
    """A valid value of a field."""
    kind = kind or one.type
    if one.default is not None and kind == one.type:
        return one.default
    if kind.startswith("list["):
        return [sample(one, kind[5:-1])] * max(1, one.min_items or 0)
    if one.enum:
        return one.enum[0]
    if kind == "str":
        if one.format == "date-time":
            return "2027-01-10T08:43:17Z"
        text = "sample"[: one.max_length]
        return text.ljust(one.min_length or 0, "x")
    if kind in ("int", "float"):
        low = 0 if one.min is None else one.min
        value = low if one.max is None else min(max(low, 1), one.max)
        return int(value) if kind == "int" else float(value)
    return {"bool": True, "dict": {}}[kind] if kind in ("bool", "dict") else fill(kind)


def fill(shape: str, /, **given: Any) -> dict[str, Any]:
    """A body of that shape with all its fields: ``given`` ones, else samples. ``...`` leaves a field out."""
    fields = contract().shapes[shape].fields
    assert not set(given) - set(fields), f"{shape} has no {set(given) - set(fields)}"
    whole = {name: given[name] if name in given else sample(one) for name, one in fields.items()}
    return {name: value for name, value in whole.items() if value is not ...}


def sdk_has(name: str) -> bool:
    """Whether the official SDK has that operation."""
    return hasattr(sdk.MetaStudioClient, name)


# --- the server -------------------------------------------------------------------------------------------


class World:
    """A running server with two projects; requests are signed with the first one's key unless told otherwise."""

    def __init__(self, app: FastAPI, dispatcher: FakeDispatcher, url: str, loop: asyncio.AbstractEventLoop) -> None:
        self.app = app
        self.dispatcher = dispatcher
        self.url = url
        self._loop = loop
        self._kept: dict[str, Ask] = {}
        self._user = ""
        self.http = httpx.Client(base_url=url, timeout=20)
        self.keys = {name: self.run(self._project(name)) for name in (PROJECT, OTHER)}
        key = self.keys[PROJECT]
        self.client = (
            sdk.MetaStudioClient.new_builder()
            .with_credentials(BasicCredentials(key.ak, key.sk, PROJECT))
            .with_endpoint(url)
            .build()
        )

    @property
    def context(self) -> Any:
        """The server's own parts; for what has no operation yet."""
        return self.app.state.context

    def run(self, work: Awaitable[T]) -> T:
        """Something of the server's, in its loop."""

        async def waited() -> T:
            return await work

        return asyncio.run_coroutine_threadsafe(waited(), self._loop).result(20)

    async def _project(self, name: str) -> identity.AccessKey:
        await identity.ensure_project(self.context.database, name, time.time())
        return await identity.add_key(self.context.database, name, time.time())

    def ask(self, name: str) -> Ask:
        """The example of that operation, made afresh."""
        return EXAMPLES[name](self)

    @contextmanager
    def used_by(self, user: str) -> Iterator[None]:
        """Requests until its end are that third-party user's."""
        self._user = user
        try:
            yield
        finally:
            self._user = ""

    def kept(self, name: str) -> Ask:
        """The same, made once: for requests that are refused."""
        if name not in self._kept:
            self._kept[name] = self.ask(name)
        return self._kept[name]

    def request(
        self, name: str, ask: Ask, *, project: str = PROJECT, content: bytes | None = None, query: str = ""
    ) -> httpx.Request:
        """The request, not signed. ``content``: a body as it is, instead of the one asked for; ``query``: so, too."""
        operation = contract().operations[name]
        values = {"project_id": project, **ask.path}
        path = "/".join(
            quote(values[part[1:-1]], safe="") if part.startswith("{") else part for part in operation.path.split("/")
        )
        pairs = [(one, text) for one, value in ask.query.items() for text in _texts(operation.query.get(one), value)]
        headers = {**({"X-App-UserId": self._user} if self._user else {}), **ask.headers}
        if operation.form and content is None:
            request = self.http.build_request(
                operation.verb, path, params=pairs, headers=headers, files=dict(ask.files), data=ask.body
            )
        else:
            if content is None:
                content = b"" if ask.body is None else json.dumps(ask.body).encode()
            headers = {"Content-Type": "application/json", **headers}
            request = self.http.build_request(operation.verb, path, params=pairs, headers=headers, content=content)
        if query:
            request.url = request.url.copy_with(query=query.encode())
        return request

    def call(
        self, name: str, ask: Ask, *, project: str = PROJECT, key: identity.AccessKey | None = None, signed: bool = True
    ) -> httpx.Response:
        """Send a request; ``key``: the signer's, by default the project's."""
        request = self.request(name, ask, project=project)
        if signed:
            request.read()
            sign_request(request, key or self.keys[project], time.time())
        return self.http.send(request)

    def do(self, name: str, ask: Ask | None = None) -> Any:
        """The answer of a call that works; by default of the operation's example."""
        answer = self.call(name, ask if ask is not None else self.ask(name))
        assert answer.is_success, f"{name}: {answer.status_code} {answer.text}"
        return answer.json()

    def by_sdk(self, name: str, ask: Ask) -> Any:
        """The same through the official SDK: its models, its signature, its reading of the answer."""
        kind = next(n for n in vars(sdk) if n.lower() == name.replace("_", "") + "request")
        model = getattr(sdk, kind)
        attributes = {wire: attribute for attribute, wire in model.attribute_map.items()}
        given = {**ask.path, **ask.query, **ask.headers}
        arguments = {attributes[wire]: value for wire, value in given.items() if wire in attributes}
        if ask.body is not None:
            arguments["body"] = _model(model.openapi_types["body"], ask.body)
        return getattr(self.client, name)(model(**arguments))

    # --- things that many examples need -------------------------------------------------------------------

    def robot(self, **more: Any) -> str:
        """A robot's id."""
        return str(self.do("create_robot", Ask(body={"name": "robot", "app_type": 7, **more}))["robot_id"])

    def room(self, **more: Any) -> str:
        """A room's id."""
        body = {"room_name": "room", "concurrency": 2, **more}
        return str(self.do("create_smart_chat_room", Ask(body=body))["room_id"])


def _texts(one: Field | None, value: Any) -> list[str]:
    if isinstance(value, list):
        texts = [_text(part) for part in value]
        return [",".join(texts)] if one is not None and one.comma_separated else texts
    return [_text(value)]


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _model(kind: str, value: Any) -> Any:
    """A JSON value as the SDK's model of that type; what the SDK does not know is left out."""
    if kind.startswith("list["):
        return [_model(kind[5:-1], one) for one in value]
    model = getattr(sdk, kind, None)
    if model is None or not model.openapi_types:
        return value
    attributes = {wire: attribute for attribute, wire in model.attribute_map.items()}
    return model(
        **{attributes[w]: _model(model.openapi_types[attributes[w]], v) for w, v in value.items() if w in attributes}
    )


@contextmanager
def running(folder: Path, database_url: str = "", **more: Any) -> Iterator[World]:
    """A server on a free port, in a thread of its own. ``database_url`` empty: SQLite in the folder."""
    dispatcher = FakeDispatcher(capacity=10_000)
    usual = {"check_answers": True, "project_rate": 0, "url_allow": ["127.0.0.1"]}
    settings = Settings(data=folder, database_url=database_url, **{**usual, **more})
    app = create_app(settings, dispatcher, CATALOGUE)
    # Of protocol TCP by name: else asyncio leaves Nagle's algorithm on, and each answer waits 40 ms for an acknowledgement.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=2))
    loops: list[asyncio.AbstractEventLoop] = []
    started = threading.Event()

    async def serve() -> None:
        loops.append(asyncio.get_running_loop())
        server.config.load()
        server.lifespan = server.config.lifespan_class(server.config)
        await server.startup(sockets=[listener])
        started.set()
        await server.main_loop()
        await server.shutdown(sockets=[listener])

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    assert started.wait(30), "the server did not start"
    world = World(app, dispatcher, f"http://127.0.0.1:{listener.getsockname()[1]}", loops[0])
    try:
        yield world
    finally:
        world.http.close()
        server.should_exit = True
        thread.join(10)


# --- examples of whole resources --------------------------------------------------------------------------


@dataclass(frozen=True)
class Crud:
    """The operations of a resource; empty: it has none. ``made``: the example of ``create``."""

    id_field: str
    made: Example
    create: str
    list: str
    show: str
    update: str
    delete: str
    list_query: tuple[str, ...]


CRUDS: dict[str, Crud] = {}
"""Those of :func:`crud`, by the name of what creates."""


def crud(
    id_field: str,
    made: Example,
    *,
    create: str,
    list: str = "",  # noqa: A002 - the operation's name by what it does
    show: str = "",
    update: str = "",
    delete: str = "",
    list_query: tuple[str, ...] = (),
    change: Mapping[str, Any] | Callable[[World, Mapping[str, Any]], Mapping[str, Any]] | None = None,
    absent: Mapping[str, Mapping[str, str]] | None = None,
) -> None:
    """Examples of a resource's operations, given how one is made.

    Args:
        made: the example of ``create``; a dictionary as its body.
        list_query: fields of that body which the list is asked for.
        change: the update's body (or makes it, of the world and the body it was made with); by default all fields of its
            shape as they were made, else samples.
        absent: operation -> as in an Ask.
    """

    CRUDS[create] = Crud(id_field, made, create, list, show, update, delete, list_query)

    def told(name: str, ask: Ask) -> Ask:
        return replace(ask, absent={**ask.absent, **(absent or {}).get(name, {})})

    def new(world: World) -> tuple[Ask, str]:
        ask = made(world)
        return ask, str(world.do(create, ask)[id_field])

    def listing(world: World) -> Ask:
        ask, _ = new(world)
        return told(list, Ask(query={name: ask.body[name] for name in list_query}))

    def showing(world: World) -> Ask:
        return told(show, Ask(path={id_field: new(world)[1]}))

    def updating(world: World) -> Ask:
        ask, one = new(world)
        operation = contract().operations[update]
        assert operation.body is not None
        if callable(change):
            body = dict(change(world, ask.body))
        elif change is not None:
            body = dict(change)
        else:
            fields = contract().shapes[operation.body.type].fields
            body = fill(operation.body.type, **{name: ask.body[name] for name in fields if name in ask.body})
        return told(update, Ask(path={id_field: one}, body=body))

    def deleting(world: World) -> Ask:
        _, one = new(world)
        by_body = contract().operations[delete].body is not None
        return told(delete, Ask(body=[one]) if by_body else Ask(path={id_field: one}))

    example(create)(lambda world: told(create, made(world)))
    for name, function in ((list, listing), (show, showing), (update, updating), (delete, deleting)):
        if name:
            example(name)(function)


# --- what a request is made of ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Spot:
    """A field that a request carries: ``place`` is query or body, ``steps`` lead to it (keys, positions)."""

    place: str
    steps: tuple[str | int, ...]
    field: Field

    @property
    def name(self) -> str:
        return ".".join(str(step) for step in self.steps)

    def put(self, ask: Ask, value: Any) -> Ask:
        """The request with that value in this spot; ``...``: without it."""
        if self.place == "query":
            query = {name: one for name, one in ask.query.items() if name != self.steps[0]}
            if value is not ...:
                query[str(self.steps[0])] = value
            return replace(ask, query=query)
        if not self.steps:
            return replace(ask, body=value)
        body = json.loads(json.dumps(ask.body))
        inner = body
        for step in self.steps[:-1]:
            inner = inner[step]
        if value is ...:
            del inner[self.steps[-1]]
        else:
            inner[self.steps[-1]] = value
        return replace(ask, body=body)


def spots(operation: Operation, ask: Ask) -> Iterator[Spot]:
    """All fields of the contract for which the request has a place."""
    for name, one in operation.query.items():
        yield Spot("query", (name,), one)
    if operation.body is not None:
        yield from _spots((), operation.body, operation.body.type, ask.body)


def _spots(steps: tuple[str | int, ...], one: Field, kind: str, value: Any) -> Iterator[Spot]:
    if steps or kind.startswith("list["):
        yield Spot("body", steps, one)
    if isinstance(value, list) and value and kind.startswith("list["):
        yield from _inside((*steps, 0), kind[5:-1], value[0])
    else:
        yield from _inside(steps, kind, value)


def _inside(steps: tuple[str | int, ...], kind: str, value: Any) -> Iterator[Spot]:
    shape = contract().shapes.get(kind)
    if shape is not None and isinstance(value, dict):
        for name, one in shape.fields.items():
            yield from _spots((*steps, name), one, one.type, value.get(name))
