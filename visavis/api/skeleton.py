"""From the contract to routes: what every operation has in common happens here, a handler only does what is its own.

A handler is registered with :func:`handles` and gets a :class:`Call` whose path, query and body are checked. What it answers is
the operation's answer: a dictionary, None (``{}``), a :class:`Reply` (with headers, or another status), or any response of
Starlette's. Operations without a handler have no route, and are answered as an unknown API.

Who reads needs to be a viewer of the project, who writes an operator, whatever the verb: ``Operation.writes`` says which.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from pydantic_core import to_json
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, NoMatchFound
from starlette.types import ASGIApp, Receive, Scope, Send

from visavis.api.auditing import note
from visavis.api.context import Context
from visavis.api.errors import http_response, response
from visavis.api.identity import Identity, enter, header, identify
from visavis.api.parse import check_json
from visavis.api.services.warming import changes_words
from visavis.contract import checking
from visavis.contract.errors import ApiError, ErrorCode
from visavis.contract.model import Contract, Operation, Shape
from visavis.store.identity import Role


@dataclass(slots=True)  # not frozen: that would triple the time to make one
class Call:
    """One request, checked.

    Attributes:
        app_user: X-App-UserId; empty: not sent.
        path: the path's parameters but ``project_id``.
        query: parameters of the right types, with defaults; what was not given and has no default is missing.
        body: what was given of the contract's fields (``null`` counts as not given), with defaults unless the operation
            changes something; None: the operation has no body.
        form: the parts of a form; files are Starlette's ``UploadFile``.
        header: the operation's own headers.
    """

    operation: Operation
    context: Context
    project_id: str
    caller: Identity
    app_user: str
    path: Mapping[str, str]
    query: Mapping[str, Any]
    body: Any
    form: Mapping[str, Any]
    header: Mapping[str, Any]
    request: Request

    @property
    def now(self) -> float:
        """Epoch seconds."""
        return self.context.clock()

    @property
    def expected_version(self) -> int | None:
        """The version that ``If-Match`` names; None: any will do.

        Raises:
            ApiError: it names none that could ever match.
        """
        tag = self.request.headers.get("if-match", "").strip()
        if not tag or tag == "*":
            return None
        number = tag.removeprefix("W/").strip('"')
        if not (number.isascii() and number.isdecimal() and len(number) < 10):
            raise ApiError(ErrorCode.VERSION_CONFLICT, "If-Match names another version")
        return int(number)


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer with headers, or with another status than the contract's."""

    body: Any
    headers: Mapping[str, str] = field(default_factory=dict)
    status: int | None = None


def etag(version: int) -> dict[str, str]:
    """The header that tells a thing's version; ``If-Match`` takes it."""
    return {"ETag": f'"{version}"'}


Handler = Callable[[Call], Awaitable[Any]]

_handlers: dict[str, Handler] = {}


def handles(name: str) -> Callable[[Handler], Handler]:
    """Register the handler of the operation of that name."""

    def register(handler: Handler) -> Handler:
        if name in _handlers:
            raise ValueError(f"{name} has a handler already")
        _handlers[name] = handler
        return handler

    return register


def handled() -> frozenset[str]:
    """The operations that have a handler. Those of ``visavis.api.operations`` count once that is loaded."""
    return frozenset(_handlers)


# --- routes -------------------------------------------------------------------------------------------


class _Node:
    """A place in the tree of paths: ``verbs`` end here, ``fixed`` segments and one parameter lead on."""

    __slots__ = ("fixed", "parameter", "verbs")

    def __init__(self) -> None:
        self.fixed: dict[str, _Node] = {}
        self.parameter: _Node | None = None
        self.verbs: dict[str, _Endpoint] = {}


class ContractRoutes(BaseRoute):
    """One route for all operations: found by their path's segments, so their number costs nothing."""

    def __init__(self, contract: Contract, handlers: Mapping[str, Handler]) -> None:
        if unknown := sorted(set(handlers) - set(contract.operations)):
            raise ValueError(f"handlers of operations that the contract lacks: {', '.join(unknown)}")
        self._root = _Node()
        for name, handler in handlers.items():
            operation = contract.operations[name]
            node = self._root
            for segment in operation.segments:
                if segment.startswith("{"):
                    node.parameter = node.parameter or _Node()
                    node = node.parameter
                else:
                    node = node.fixed.setdefault(segment, _Node())
            node.verbs[operation.verb] = _Endpoint(operation, handler, contract.shapes)

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether the path is an operation's; PARTIAL: it is, but not with this verb."""
        if scope["type"] != "http":
            return Match.NONE, {}
        values: list[str] = []
        segments = scope["path"][1:].split("/")
        node = self._walk(segments, values)
        if node is None:
            values.clear()
            node = self._find(self._root, segments, 0, values)
        if node is None:
            return Match.NONE, {}
        endpoint = node.verbs.get(scope["method"])
        if endpoint is None:
            return Match.PARTIAL, {"endpoint": _NotAllowed(sorted(node.verbs))}
        return Match.FULL, {
            "endpoint": endpoint,
            "route": endpoint.operation,  # its path is the label of metrics, its name that of the audit log
            "path_params": dict(zip(endpoint.operation.path_names, values, strict=True)),
        }

    def _walk(self, segments: list[str], values: list[str]) -> _Node | None:
        """The first guess, which is nearly always right: where a word leads on, it is the word."""
        node = self._root
        for segment in segments:
            fixed = node.fixed.get(segment)
            if fixed is None:
                fixed = node.parameter
                if fixed is None or not segment:
                    return None
                values.append(segment)
            node = fixed
        return node if node.verbs else None

    def _find(self, node: _Node, segments: list[str], at: int, values: list[str]) -> _Node | None:
        if at == len(segments):
            return node if node.verbs else None
        segment = segments[at]
        fixed = node.fixed.get(segment)
        if fixed is not None and (found := self._find(fixed, segments, at + 1, values)) is not None:
            return found
        if node.parameter is None or not segment:
            return None
        values.append(segment)
        found = self._find(node.parameter, segments, at + 1, values)
        if found is None:
            values.pop()
        return found

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request that matched."""
        await scope["endpoint"](scope, receive, send)

    def url_path_for(self, name: str, /, **path_params: Any) -> Any:
        """Nothing here has an address by name."""
        raise NoMatchFound(name, path_params)


class _NotAllowed:
    def __init__(self, verbs: list[str]) -> None:
        self._allow = ", ".join(verbs)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        raise ApiError(ErrorCode.METHOD_NOT_ALLOWED, headers={"Allow": self._allow})


class _Endpoint:
    """Serves one operation."""

    def __init__(self, operation: Operation, handler: Handler, shapes: Mapping[str, Shape]) -> None:
        self.operation = operation
        self._handler = handler
        self._changes_words = changes_words(operation)
        # The SDK's name for an answer that is a list as a whole; on the wire there is no such field.
        self._bare = operation.answer in shapes and shapes[operation.answer].fields.keys() == {"body"}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        context = cast(Context, scope["app"].state.context)
        # Who calls comes first: an unknown caller learns nothing of the validation.
        caller = await identify(request, context)
        operation = self.operation
        project_id = enter(request, context, caller, Role.OPERATOR if operation.writes else Role.VIEWER)
        if not operation.writes and operation.verb != "GET":
            note(request, reads=True)
        path = {name: value for name, value in scope["path_params"].items() if name != "project_id"}
        form = await request.form() if operation.form else None
        try:
            call = Call(
                operation=operation,
                context=context,
                project_id=project_id,
                caller=caller,
                app_user=header(request, b"x-app-userid"),
                path=checking.path_of(operation, path),
                query=checking.query_of(operation, request.query_params.multi_items()) if operation.query else {},
                body=checking.body_of(operation, await _json(request)) if operation.body else None,
                form=checking.form_of(operation, form) if form is not None else {},
                header=checking.headers_of(operation, request.headers.items()) if operation.header else {},
                request=request,
            )
            result = await self._handler(call)
            if self._changes_words:
                context.warming.changed(project_id)
        finally:
            if form is not None:
                await form.close()
        if isinstance(result, Response):
            await result(scope, receive, send)
        else:
            await self._answer(context, result, send)

    async def _answer(self, context: Context, result: Any, send: Send) -> None:
        status, more = None, []
        if isinstance(result, Reply):
            result, status, more = result.body, result.status, list(result.headers.items())
        body = {} if result is None else result
        if context.settings.check_answers:
            body = checking.answer_of(self.operation, body)
        if self._bare:
            body = body["body"]
        content = to_json(body)
        headers = [(b"content-length", b"%d" % len(content)), (b"content-type", b"application/json")]
        headers += [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in more]
        status = status or self.operation.status
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content})


async def _json(request: Request) -> bytes:
    raw = await request.body()
    if raw.strip():
        check_json(request)
    return raw


class ContractDoor:
    """The short way to the operations, past what FastAPI does for routes of its own.

    Pure ASGI, inside of ``RequestMiddleware``, which notes that an answer has begun. What is no operation, or not with this
    verb, goes on to the application.
    """

    def __init__(self, app: ASGIApp, routes: ContractRoutes) -> None:
        self._app = app
        self._routes = routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        match, found = self._routes.matches(scope)
        if match is not Match.FULL:
            await self._app(scope, receive, send)
            return
        scope.update(found)
        try:
            await found["endpoint"](scope, receive, send)
        except (ApiError, HTTPException) as error:
            if scope["state"].get("begun"):
                raise  # all that is left is to break the connection
            if isinstance(error, ApiError):
                scope["state"]["error_code"] = error.code.code  # for the audit log
                await response(error)(scope, receive, send)
            else:
                await http_response(error)(scope, receive, send)


def make_routes(contract: Contract) -> ContractRoutes:
    """The route of all operations that have a handler by now.

    Raises:
        ValueError: a handler is of no operation of the contract.
    """
    return ContractRoutes(contract, _handlers)
