"""Checks what is sent and what is answered against the contract.

The checkers are pydantic-core validators that are built from the data at their first use, and kept: a request costs one pass
over its JSON, and yields plain dictionaries.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from enum import Enum
from functools import cache
from typing import Any, NoReturn

from pydantic_core import SchemaValidator, ValidationError, core_schema, from_json

from visavis.contract.errors import ApiError, ErrorCode
from visavis.contract.loading import contract
from visavis.contract.model import Field, Operation

_SHOWN_ERRORS = 3
_WHOLE = re.compile(r"[+-]?[0-9]{1,19}")
_DECIMAL = re.compile(r"[+-]?[0-9]{1,19}(?:\.[0-9]{1,19})?")
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")  # behind an even number of backslashes it is an escape
_TRUTH = {"true": True, "false": False}


class _Use(Enum):
    """What a shape is checked for. A change: no default is filled in. A part of one: nothing is required either."""

    CREATE = "create"
    CHANGE = "change"
    PARTIAL = "partial"
    ANSWER = "answer"


# --- schemas ------------------------------------------------------------------------------------------


def _time(text: str) -> str:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    # fromisoformat takes more than RFC 3339 does: dates without times, weeks, times without offset.
    if moment is None or moment.tzinfo is None or len(text) < len("2021-01-10T08:43:17Z"):
        raise ValueError("wanted RFC 3339, e.g. 2021-01-10T08:43:17Z")
    return text


def _one(field: Field, kind: str, use: _Use) -> core_schema.CoreSchema:
    """The schema of one value of the type ``kind`` (of a list: of an item)."""
    asked = use is not _Use.ANSWER
    if field.enum and not field.comma_separated and kind in ("str", "int"):
        known = core_schema.literal_schema(list(field.enum) if asked else [*field.enum, ""])
        # False equals 0, but is none of the numbers.
        strict = asked and kind == "int"
        return core_schema.chain_schema([core_schema.int_schema(strict=True), known]) if strict else known
    if kind == "str":
        if not asked:
            return core_schema.str_schema(strict=True)
        text = core_schema.str_schema(strict=True, min_length=field.min_length, max_length=field.max_length)
        if field.format == "date-time":
            return core_schema.no_info_after_validator_function(_time, text)
        if field.enum:
            return core_schema.no_info_after_validator_function(_each_of(field.enum), text)
        return text
    if kind == "int":
        low, high = (field.min, field.max) if asked else (None, None)
        return core_schema.int_schema(strict=True, ge=_int(low), le=_int(high))
    if kind == "float":
        low, high = (field.min, field.max) if asked else (None, None)
        return core_schema.float_schema(strict=True, allow_inf_nan=False, ge=low, le=high)
    if kind == "bool":
        return core_schema.bool_schema(strict=True)
    if kind == "dict":
        return core_schema.dict_schema(core_schema.str_schema(strict=True), core_schema.any_schema())
    if kind == "file":
        return core_schema.any_schema()
    return _object(kind, use)


def _int(value: float | None) -> int | None:
    return None if value is None else int(value)


def _each_of(enum: Sequence[str | int]) -> Any:
    def check(text: str) -> str:
        parts = [part.strip() for part in text.split(",") if part.strip()]
        if set(parts) - set(enum):
            raise ValueError(f"each part must be one of {', '.join(map(str, enum))}")
        return ",".join(parts)

    return check


def _value(field: Field, use: _Use) -> core_schema.CoreSchema:
    if field.item is None:
        return _one(field, field.type, use)
    items = _one(field, field.item, use)
    if use is _Use.ANSWER:
        return core_schema.list_schema(items, strict=True)
    return core_schema.list_schema(items, strict=True, min_length=field.min_items, max_length=field.max_items)


def _object(name: str, use: _Use) -> core_schema.CoreSchema:
    return _record(contract().shapes[name].fields, use)


def _record(fields: Mapping[str, Field], use: _Use) -> core_schema.CoreSchema:
    # Of a partial change, what it nests is whole: a list's entry cannot be half an entry.
    inner = _Use.CHANGE if use is _Use.PARTIAL else use
    entries = {}
    for name, field in fields.items():
        schema = _value(field, inner)
        required = field.required and use in (_Use.CREATE, _Use.CHANGE)
        if not required:
            schema = core_schema.nullable_schema(schema)
        entries[name] = core_schema.typed_dict_field(schema, required=required)
    return core_schema.typed_dict_schema(
        entries, strict=True, extra_behavior="forbid" if use is _Use.ANSWER else "ignore"
    )


@cache
def _body(name: str) -> SchemaValidator:
    operation = contract().operations[name]
    assert operation.body is not None
    return SchemaValidator(_value(operation.body, _use(operation)))


def _use(operation: Operation) -> _Use:
    if operation.partial:
        return _Use.PARTIAL
    return _Use.CHANGE if operation.changes else _Use.CREATE


@cache
def _parameters(name: str, place: str) -> SchemaValidator:
    return SchemaValidator(_record(getattr(contract().operations[name], place), _Use.CREATE))


@cache
def _answer(shape: str) -> SchemaValidator:
    return SchemaValidator(_object(shape, _Use.ANSWER))


# --- requests -----------------------------------------------------------------------------------------


def body_of(operation: Operation, raw: bytes) -> Any:
    """The JSON body as plain values: known fields only, ``null`` taken as not given, defaults filled in unless the
    operation changes something. A missing body counts as ``{}``. None: the operation has no body.

    Raises:
        ApiError: not JSON, or not as the contract has it. The error names fields and rules, never values.
    """
    field = operation.body
    if field is None:
        return None
    if b"\\u0000" in raw and _NUL.search(raw):
        raise ApiError(ErrorCode.INVALID_PARAMETER, "texts must not contain NUL")  # databases do not take it
    if not raw.strip() and field.item is None:
        raw = b"{}"
    try:
        given = _body(operation.name).validate_json(raw)
    except ValidationError as error:
        given = _once_more(operation, raw, error)
    value = _pruned(given)
    return value if operation.changes else _filled(value, field.type)


def _once_more(operation: Operation, raw: bytes, error: ValidationError) -> Any:
    """The body where all that is wrong with it is whole numbers written as 30.0, which JSON Schema calls integers too (what
    some languages make of 60 / 2); else raises as :func:`body_of`. Rare, so that it may cost a second pass.
    """
    wrong = error.errors(include_url=False, include_context=False)
    if not all(one["type"] in ("int_type", "literal_error") and _whole(one["input"]) for one in wrong):
        refuse(error)
    value = from_json(raw)
    for one in wrong:
        *steps, last = one["loc"]
        inner = value
        for step in steps:
            inner = inner[step]
        inner[last] = int(one["input"])
    try:
        return _body(operation.name).validate_python(value)
    except ValidationError as second:
        refuse(second)


def _whole(value: object) -> bool:
    return isinstance(value, float) and value.is_integer() and abs(value) < 2**53


def filled_inside(shape: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The given fields of that shape, with the defaults of what they nest: for changes that replace nested things whole."""
    fields = contract().shapes[shape].fields
    return {name: _filled(value, fields[name].type) for name, value in given.items()}


def query_of(operation: Operation, items: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """The query's parameters, converted to their types, with defaults. Unknown ones are ignored, and empty ones count as
    not given. ``items``: names and values as they came, names may repeat.

    Raises:
        ApiError: one is missing or not as the contract has it.
    """
    return _texts_of(operation, "query", items)


def headers_of(operation: Operation, items: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """The operation's own headers, as :func:`query_of`; other headers are ignored. Names as the contract spells them."""
    names = {name.lower(): name for name in operation.header}
    return _texts_of(operation, "header", ((names.get(name.lower(), ""), value) for name, value in items))


def path_of(operation: Operation, values: Mapping[str, str]) -> dict[str, str]:
    """The path's parameters; those with a rule are checked.

    Raises:
        ApiError: one is not as the contract has it.
    """
    if operation.path_param:
        _texts_of(operation, "path_param", values.items())
    return dict(values)


def form_of(operation: Operation, values: Mapping[str, Any]) -> dict[str, Any]:
    """The parts of a form: files as they are, texts converted.

    Raises:
        ApiError: one is missing or not as the contract has it.
    """
    texts = [(name, value) for name, value in values.items() if isinstance(value, str)]
    files = {name: value for name, value in values.items() if not isinstance(value, str)}
    return _texts_of(operation, "form", texts, files)


def _texts_of(
    operation: Operation, place: str, items: Iterable[tuple[str, str]], more: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    fields: Mapping[str, Field] = getattr(operation, place)
    if not fields:
        return {}
    given: dict[str, Any] = dict(more or {})
    for name, text in items:
        field = fields.get(name)
        if field is None or not text:
            continue
        if field.item is None:
            given[name] = _converted(name, text, field.type)
        else:
            parts = [part for part in text.split(",") if part] if field.comma_separated else [text]
            given.setdefault(name, []).extend(_converted(name, part, field.item) for part in parts)
    try:
        checked = _parameters(operation.name, place).validate_python(given)
    except ValidationError as error:
        refuse(error)
    for name, field in fields.items():
        if field.default is not None:
            checked.setdefault(name, field.default)
    return dict(checked)


def _converted(name: str, text: str, kind: str) -> Any:
    if kind == "int":
        if _WHOLE.fullmatch(text):
            return int(text)
        raise ApiError(ErrorCode.INVALID_PARAMETER, f"{name}: Input should be a whole number")
    if kind == "float":
        if _DECIMAL.fullmatch(text):
            return float(text)
        raise ApiError(ErrorCode.INVALID_PARAMETER, f"{name}: Input should be a number")
    if kind == "bool":
        if (value := _TRUTH.get(text.lower())) is not None:
            return value
        raise ApiError(ErrorCode.INVALID_PARAMETER, f"{name}: Input should be true or false")
    return text


def _pruned(value: Any) -> Any:
    """Without what is null, at every depth."""
    if isinstance(value, dict):
        return {key: _pruned(one) for key, one in value.items() if one is not None}
    if isinstance(value, list):
        return [_pruned(one) for one in value]
    return value


def _filled(value: Any, kind: str) -> Any:
    """With the defaults of what was not given, at every depth."""
    if isinstance(value, list):
        inner = kind.removeprefix("list[").removesuffix("]")
        return [_filled(one, inner) for one in value]
    shape = contract().shapes.get(kind)
    if shape is None or not isinstance(value, dict):
        return value
    whole = {**shape.defaults, **value}
    return {key: _filled(one, shape.fields[key].type) for key, one in whole.items()}


def refuse(error: ValidationError) -> NoReturn:
    """Raise a validation's error as the contract's."""
    raise complaint(error.errors(include_url=False, include_input=False, include_context=False)) from None


def complaint(errors: Sequence[Mapping[str, Any]]) -> ApiError:
    """Validation errors as an answer. It names fields and rules, never values: a value may be a secret."""
    if any(error["type"] == "json_invalid" for error in errors):
        return ApiError(ErrorCode.INVALID_BODY, "the body is not JSON")
    shown = []
    for error in errors[:_SHOWN_ERRORS]:
        where = ".".join(str(part) for part in _inside(error["loc"]))
        shown.append(f"{where}: {error['msg']}" if where else str(error["msg"]))
    return ApiError(ErrorCode.INVALID_PARAMETER, "; ".join(shown))


def _inside(where: Sequence[Any]) -> Sequence[Any]:
    """Without the place that FastAPI puts before the field; a field may be called so, too."""
    return where[1:] if len(where) > 1 and where[0] in ("query", "path", "header", "body") else where


# --- answers ------------------------------------------------------------------------------------------


class WrongAnswerError(AssertionError):
    """An answer of ours that is not as the contract has it: a defect of visavis."""


def answer_of(operation: Operation, value: Any) -> Any:
    """The answer, checked: known fields only, of the right types and enumerations.

    Raises:
        WrongAnswerError: it is not as the contract has it.
    """
    if not operation.answer:
        if value not in (None, {}):
            raise WrongAnswerError(f"{operation.name}: the contract has no answer's body, got {sorted(value)}")
        return {}
    try:
        return _answer(operation.answer).validate_python(value)
    except ValidationError as error:
        raise WrongAnswerError(f"{operation.name}: {error}") from None
