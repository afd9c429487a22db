"""What exists once for a robot or a project: switches, times, where recordings go.

A :class:`Setting` says what is particular about one, :func:`serve_setting` makes its handlers.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from visavis.api.services.resources import Parent, Prepare, secrets_of
from visavis.api.skeleton import Call, Reply, etag, handles
from visavis.contract.base import rfc3339
from visavis.contract.errors import ApiError, ErrorCode
from visavis.contract.loading import contract
from visavis.store import records
from visavis.store.records import Record


@dataclass(frozen=True, slots=True)
class Setting:
    """What exists once, or once for each value of ``keys``, such as a switch.

    Attributes:
        keys: the parameters (of the query or the body) that tell which one; none: the project has one.
        key_defaults: values of those that were not given.
        parent: raises ApiError unless the project has a parent of the first key's value.
        defaults: the answer while nothing was set. None: then there is nothing to show, nor to update.
        prepare: as a resource's.
        ahead: called with what it will be, before the transaction: may take its time, raises ApiError to refuse.
    """

    kind: str
    keys: tuple[str, ...] = ()
    key_defaults: Mapping[str, str] = field(default_factory=dict)
    parent: Parent | None = None
    defaults: Mapping[str, Any] | None = None
    not_found: ErrorCode = ErrorCode.NOT_FOUND
    prepare: Prepare | None = None
    ahead: Callable[[Call, dict[str, Any]], Awaitable[None]] | None = None


def serve_setting(setting: Setting, *, show: str = "", update: str = "", create: str = "", delete: str = "") -> None:
    """Register handlers of the operations of these names. Deleting what is not there is no error; creating what is, is one."""
    if show:
        handles(show)(lambda call: _show_setting(setting, call))
    if update:
        handles(update)(lambda call: _put_setting(setting, call, must_exist=setting.defaults is None))
    if create:
        handles(create)(lambda call: _put_setting(setting, call, must_exist=False, must_not=True))
    if delete:
        handles(delete)(lambda call: _delete_setting(setting, call))


def _key(setting: Setting, given: Mapping[str, Any]) -> str:
    return ":".join(str(given.get(name) or setting.key_defaults.get(name, "")) for name in setting.keys) or "one"


async def _which(setting: Setting, call: Call) -> tuple[str, str]:
    """(its id, its parent's id)."""
    given = {**call.query, **(call.body if isinstance(call.body, dict) else {}), **call.path}
    parent_id = str(given.get(setting.keys[0], "")) if setting.keys else ""
    if setting.parent is not None:
        await setting.parent(call, parent_id)
    return _key(setting, given), parent_id


async def _show_setting(setting: Setting, call: Call) -> Reply:
    record_id, _ = await _which(setting, call)
    record = await records.get(call.context.database, call.project_id, setting.kind, record_id)
    if record is None and setting.defaults is None:
        raise ApiError(setting.not_found)
    return _setting_reply(setting, call, record)


async def _put_setting(setting: Setting, call: Call, *, must_exist: bool, must_not: bool = False) -> Reply:
    record_id, parent_id = await _which(setting, call)
    given = {name: value for name, value in call.body.items() if name not in setting.keys}
    if setting.ahead is not None:
        now = await records.get(call.context.database, call.project_id, setting.kind, record_id)
        if not (must_exist and now is None) and not (must_not and now is not None):
            await setting.ahead(call, {**(now.whole if now else {}), **given})
    async with records.transaction(call.context.database) as steps:
        old = await steps.get(call.project_id, setting.kind, record_id)
        if must_exist and old is None:
            raise ApiError(setting.not_found)
        if must_not and old is not None:
            raise ApiError(ErrorCode.EXISTS)
        if call.expected_version is not None and call.expected_version != (old.version if old else 0):
            raise ApiError(ErrorCode.VERSION_CONFLICT, "If-Match names another version")
        if setting.prepare is not None:
            given = await setting.prepare(call, steps, given, old)
        whole = {**(old.whole if old else {}), **given}
        hidden = secrets_of(call.operation) | frozenset(old.secrets if old else ())
        record = await steps.put(
            Record(
                id=record_id,
                project_id=call.project_id,
                kind=setting.kind,
                document={name: value for name, value in whole.items() if name not in hidden},
                secrets={name: value for name, value in whole.items() if name in hidden},
                parent_id=parent_id,
                app_user_id=call.app_user,
            ),
            call.now,
        )
    return _setting_reply(setting, call, record)


async def _delete_setting(setting: Setting, call: Call) -> None:
    record_id, _ = await _which(setting, call)
    await records.remove_all(call.context.database, call.project_id, setting.kind, [record_id])


def _setting_reply(setting: Setting, call: Call, record: Record | None) -> Reply:
    headers = etag(record.version) if record is not None else {}
    if not call.operation.answer:
        return Reply(None, headers)
    whole = dict(setting.defaults or {})
    if record is not None:
        whole |= record.document
        whole |= {
            "project_id": record.project_id,
            "create_time": rfc3339(record.created_at),
            "update_time": rfc3339(record.updated_at),
        }
    given = {**call.query, **(call.body if isinstance(call.body, dict) else {})}
    whole |= {name: given.get(name, setting.key_defaults.get(name, "")) for name in setting.keys}
    fields = contract().shapes[call.operation.answer].fields
    return Reply({name: value for name, value in whole.items() if name in fields}, headers)
