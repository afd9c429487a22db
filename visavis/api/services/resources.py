"""Handlers of what the API stores by kind: list, create, show, update, delete, all from one description.

A :class:`Resource` says what is particular about a kind; :func:`serve` makes its handlers. What the answers look like is
taken from the contract: an answer has those fields of its shape for which the record has a value. What exists once for a
robot (or a project), such as a switch, is in ``single.py``.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from visavis.api.auditing import note
from visavis.api.skeleton import Call, Reply, etag, handles
from visavis.contract.base import from_rfc3339, rfc3339
from visavis.contract.errors import ApiError, ErrorCode
from visavis.contract.loading import contract
from visavis.contract.model import Operation
from visavis.store import records, robots
from visavis.store.records import Filter, Record, Transaction

MOST = 1000
"""How many of a kind a project (or a parent) may have, unless its resource says otherwise."""

Prepare = Callable[[Call, Transaction, dict[str, Any], Record | None], Awaitable[dict[str, Any]]]
Views = Callable[[Call, Sequence[Record]], Awaitable[list[dict[str, Any]]]]
Guard = Callable[[Call, Transaction, list[str]], Awaitable[None]]
Parent = Callable[[Call, str], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Resource:
    """A kind of record, and how the API names its parts.

    Attributes:
        kind: in the database; at most 32 characters.
        id_field: in the path, and in answers.
        list_key: the list's field of a list's answer.
        name_field: the field that lists are searched by (a query parameter of that name matches parts, whatever the case).
        name_query: that parameter, where it has another name.
        parent_field: the field, and the query parameter, that names the parent; empty: there is none.
        parent: raises ApiError unless the project has a parent of that id.
        filters: query parameters that must equal the document's field of that name.
        children: kinds that are deleted with their parent of this kind.
        not_found: what an unknown id is answered with.
        defaults: what answers have for fields that were never given.
        shown_secrets: secret fields that answers have; others are never shown.
        most: how many there may be of one project (of one parent, if there are any).
        prepare: (call, transaction, given fields, old record or None) -> fields to store; raises ApiError on a bad
            reference. It runs within the transaction, so what it looks up cannot change before the record is written.
        guard: (call, transaction, ids) raises ApiError where something forbids the deletion.
        views: (call, records) -> for each record, fields of the answer that the document does not have as they are.
    """

    kind: str
    id_field: str
    list_key: str = "data"
    name_field: str = ""
    name_query: str = ""
    parent_field: str = ""
    parent: Parent | None = None
    filters: tuple[str, ...] = ()
    children: tuple[str, ...] = ()
    not_found: ErrorCode = ErrorCode.NOT_FOUND
    defaults: Mapping[str, Any] = field(default_factory=dict)
    shown_secrets: frozenset[str] = frozenset()
    most: int = MOST
    prepare: Prepare | None = None
    guard: Guard | None = None
    views: Views | None = None


def serve(
    resource: Resource,
    *,
    list: str = "",  # noqa: A002 - the operation's name by what it does
    create: str = "",
    show: str = "",
    update: str = "",
    delete: str = "",
) -> None:
    """Register handlers of the operations of these names; empty: there is none, or it has a handler of its own."""
    for name, handler in ((list, listing), (create, creating), (show, showing), (update, updating), (delete, deleting)):
        if name:
            handles(name)(_bound(handler, resource))


def _bound(handler: Callable[[Resource, Call], Awaitable[Any]], resource: Resource) -> Callable[[Call], Awaitable[Any]]:
    async def handle(call: Call) -> Any:
        return await handler(resource, call)

    return handle


# --- what each does (also for handlers that do more) ------------------------------------------------------


async def listing(resource: Resource, call: Call) -> dict[str, Any]:
    """A page of the kind, newest first unless ``sort_dir`` says otherwise."""
    query = call.query
    parent_id = query.get(resource.parent_field) if resource.parent_field else None
    if parent_id is not None:
        await _check_parent(resource, call, parent_id)
    wanted = Filter(
        parent_id=parent_id,
        name=query.get(resource.name_query or resource.name_field, "") if resource.name_field else "",
        app_user_id=call.app_user or None,
        fields={name: query[name] for name in resource.filters if name in query},
        since=_time(query, "start_time"),
        until=_time(query, "end_time"),
    )
    offset, limit = query.get("offset", 0), query.get("limit", 100)
    # The contract's default would turn every list around that ever was "newest first".
    order = "asc" if call.request.query_params.get("sort_dir") == "asc" else "desc"
    count, page = await records.listing(
        call.context.database,
        call.project_id,
        resource.kind,
        wanted,
        offset=offset,
        limit=limit,
        order=order,  # type: ignore[arg-type]
    )
    shape = contract().shapes[call.operation.answer]
    entries = await _answers(resource, call, page, shape.fields[resource.list_key].leaf)
    whole = {"offset": offset, "limit": limit, "count": count, resource.list_key: entries}
    return {name: value for name, value in whole.items() if name in shape.fields}


async def creating(resource: Resource, call: Call) -> Reply:
    """A new record of the body."""
    given = dict(call.body)
    parent_id = _given_parent(resource, call, given)
    if resource.parent_field:
        await _check_parent(resource, call, parent_id)
    now = call.now
    async with records.transaction(call.context.database) as steps:
        if resource.prepare is not None:
            given = await resource.prepare(call, steps, given, None)
        record = Record(
            id=records.new_id(),
            project_id=call.project_id,
            kind=resource.kind,
            document=given,
            parent_id=parent_id,
            app_user_id=call.app_user,
            created_at=now,
        )
        try:
            record = await steps.create(_filed(resource, call.operation, record), most=resource.most)
        except records.TooManyRecordsError as error:
            raise ApiError(ErrorCode.QUOTA_EXCEEDED, str(error)) from None
    note(call.request, target=record.id)
    return await _reply(resource, call, record)


async def showing(resource: Resource, call: Call) -> Reply:
    """The record of the path's id."""
    return await _reply(resource, call, await found(resource, call))


async def found(resource: Resource, call: Call, record_id: str = "") -> Record:
    """The record of that id (default: the path's), which must be the caller's to see.

    Raises:
        ApiError: there is none.
    """
    wanted = record_id or call.path[resource.id_field]
    record = await records.get(call.context.database, call.project_id, resource.kind, wanted)
    if record is None or not _theirs(call, record):
        raise ApiError(resource.not_found, resource.id_field)
    return record


async def updating(resource: Resource, call: Call) -> Reply:
    """Change the given fields of the path's record; of those that nest others, all of them."""
    given = dict(call.body)
    given.pop(resource.parent_field, None)  # a thing stays where it is
    record_id = call.path[resource.id_field]
    async with records.transaction(call.context.database) as steps:
        old = await steps.get(call.project_id, resource.kind, record_id)
        if old is None or not _theirs(call, old):
            raise ApiError(resource.not_found, resource.id_field)
        if resource.prepare is not None:
            given = await resource.prepare(call, steps, given, old)

        def change(record: Record) -> Record:
            merged = replace(record, document={**record.whole, **given}, secrets={})
            return _filed(resource, call.operation, merged, kept=frozenset(record.secrets))

        try:
            record = await steps.update(
                call.project_id, resource.kind, record_id, change, call.now, expected=call.expected_version
            )
        except records.VersionConflictError:
            raise ApiError(ErrorCode.VERSION_CONFLICT, "If-Match names another version") from None
        assert record is not None
    return await _reply(resource, call, record)


async def deleting(resource: Resource, call: Call) -> None:
    """Delete the body's ids (all or none), or the path's. Ids that are not there are ignored: deletions may be repeated."""
    ids = list_of_ids(call.body) if call.body is not None else [call.path[resource.id_field]]
    async with records.transaction(call.context.database) as steps:
        _, there = await steps.listing(call.project_id, resource.kind, Filter(ids=ids), limit=None)
        mine = [record for record in there if _theirs(call, record)]
        if call.expected_version is not None and any(record.version != call.expected_version for record in mine):
            raise ApiError(ErrorCode.VERSION_CONFLICT, "If-Match names another version")
        theirs = [record.id for record in mine]
        if resource.guard is not None and theirs:
            await resource.guard(call, steps, theirs)
        await steps.remove(call.project_id, resource.kind, theirs, children=resource.children)


def list_of_ids(body: Any) -> list[str]:
    """The ids of a delete's body: a list of them, or an object with one list."""
    if isinstance(body, dict):
        body = next((value for value in body.values() if isinstance(value, list)), [])
    return list(dict.fromkeys(body))


async def robot_exists(call: Call, robot_id: str) -> None:
    """A parent's check: the project has that robot, and the third-party user who calls (if one does) may use it.

    Raises:
        ApiError: it has not, or it is another third-party user's.
    """
    robot = await robots.get(call.context.database, call.project_id, robot_id)
    if robot is None or (call.app_user and robot.app_user_id not in ("", call.app_user)):
        raise ApiError(ErrorCode.ROBOT_NOT_FOUND)


def parent_in(resource: Resource) -> Parent:
    """A parent's check: the project has that record of another resource."""

    async def check(call: Call, parent_id: str) -> None:
        await found(resource, call, parent_id)

    return check


async def require(call: Call, steps: Transaction, kind: str, ids: Sequence[str], field_name: str) -> None:
    """For ``prepare``: every one of ``ids`` is a record of that kind.

    Raises:
        ApiError: one is not; it names ``field_name``.
    """
    wanted = list(dict.fromkeys(ids))
    if wanted and await steps.count(call.project_id, kind, Filter(ids=wanted)) != len(wanted):
        raise ApiError(ErrorCode.INVALID_PARAMETER, f"{field_name}: names what is not there")


# --- parts ------------------------------------------------------------------------------------------------


def _given_parent(resource: Resource, call: Call, given: dict[str, Any]) -> str:
    if not resource.parent_field:
        return ""
    return str(given.pop(resource.parent_field, "") or call.query.get(resource.parent_field, ""))


async def _check_parent(resource: Resource, call: Call, parent_id: str) -> None:
    if resource.parent is not None:
        await resource.parent(call, parent_id)


def _theirs(call: Call, record: Record) -> bool:
    """Third-party users are separated: with X-App-UserId, only what was made with the same one is there."""
    return not call.app_user or record.app_user_id == call.app_user


def _time(query: Mapping[str, Any], name: str) -> float | None:
    return from_rfc3339(query[name]) if name in query else None


def secrets_of(operation: Operation) -> frozenset[str]:
    """The fields of the operation's body that are encrypted at rest."""
    shape = contract().shapes.get(operation.body.type) if operation.body is not None else None
    return shape.secrets if shape is not None else frozenset()


def _filed(resource: Resource, operation: Operation, record: Record, kept: frozenset[str] = frozenset()) -> Record:
    """The record with its secrets apart, and its name where lists look for it."""
    hidden = secrets_of(operation) | kept
    name = record.document.get(resource.name_field, "") if resource.name_field else ""
    return replace(
        record,
        document={key: value for key, value in record.document.items() if key not in hidden},
        secrets={key: value for key, value in record.document.items() if key in hidden},
        name=str(name)[:256],
    )


async def _reply(resource: Resource, call: Call, record: Record) -> Reply:
    headers = etag(record.version)
    if not call.operation.answer:
        return Reply(None, headers)
    (answer,) = await _answers(resource, call, [record], call.operation.answer)
    return Reply(answer, headers)


async def _answers(resource: Resource, call: Call, page: Sequence[Record], shape: str) -> list[dict[str, Any]]:
    more = await resource.views(call, page) if resource.views is not None else [{} for _ in page]
    fields = contract().shapes[shape].fields
    answers = []
    for record, extra in zip(page, more, strict=True):
        whole = {
            **resource.defaults,
            **record.document,
            **{name: value for name, value in record.secrets.items() if name in resource.shown_secrets},
            resource.id_field: record.id,
            "project_id": record.project_id,
            "create_time": rfc3339(record.created_at),
            "update_time": rfc3339(record.updated_at),
            **extra,
        }
        if resource.parent_field:
            whole[resource.parent_field] = record.parent_id
        answers.append({name: value for name, value in whole.items() if name in fields})
    return answers
