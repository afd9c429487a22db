"""The contract as OpenAPI 3.1: of the operations that are served, from the same data that requests are checked against."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cache
from typing import Any

from fastapi import APIRouter, Response

from visavis import __version__
from visavis.api.skeleton import handled
from visavis.contract.errors import ErrorCode
from visavis.contract.loading import contract
from visavis.contract.model import Contract, Field, Operation

router = APIRouter()

_ERROR = "Error"

# What these operations answer is a file.
_DOWNLOADS = {"download_document": "application/octet-stream", "export_knowledge_skill": "application/zip"}

# Refusals by status, as components; what each operation can be refused with is in _refusals.
_REFUSALS = {
    400: "The request is not as the contract has it, or not possible",
    401: "Credentials are missing, wrong or expired",
    403: "The credentials are another project's, or their role does not suffice",
    404: "What the path or the body names is not there",
    409: "Its state, or what refers to it, forbids this; or there are too many",
    412: "If-Match names another version",
    413: "The body is too large",
    415: "The body is not of the content type that is wanted",
    429: "Too many requests; Retry-After tells for how many seconds to wait",
    500: "The server failed",
    503: "The server has no room for this now",
}
_NAMES = {
    400: "Invalid", 401: "Unauthorized", 403: "Forbidden", 404: "NotFound", 409: "Conflict", 412: "VersionConflict",
    413: "TooLarge", 415: "UnsupportedMediaType", 429: "Throttled", 500: "Failed", 503: "Full",
}  # fmt: skip
_TYPES = {"str": "string", "int": "integer", "float": "number", "bool": "boolean", "dict": "object"}


@router.get("/openapi.json", include_in_schema=False)
async def openapi() -> Response:
    """The description of what this server serves; it holds no secrets, and needs no credentials."""
    return Response(_served(), media_type="application/json")


@cache
def _served() -> bytes:
    return json.dumps(describe(contract(), handled()), ensure_ascii=False).encode()


def describe(whole: Contract, names: Iterable[str]) -> dict[str, Any]:
    """An OpenAPI document of the operations of these names."""
    document = _Document(whole)
    paths: dict[str, dict[str, Any]] = {}
    for name in sorted(names):
        operation = whole.operations[name]
        paths.setdefault(operation.path, {})[operation.verb.lower()] = document.operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "visavis",
            "version": __version__,
            "description": "Smart chat as MetaStudio publishes it, served by visavis. docs/api.md tells what each operation means here.",
        },
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": dict(sorted(document.schemas.items())),
            "responses": {_NAMES[status]: _refusal(status) for status in _REFUSALS},
            "headers": {
                "RequestId": {"description": "The request's id in the logs", "schema": {"type": "string"}},
                "RetryAfter": {"description": "Seconds", "schema": {"type": "integer", "minimum": 1}},
                "ETag": {"description": "The version; If-Match takes it", "schema": {"type": "string"}},
            },
            "securitySchemes": {
                "token": {"type": "apiKey", "in": "header", "name": "X-Auth-Token"},
                "signature": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "Authorization",
                    "description": "SDK-HMAC-SHA256 with an access key, over X-Sdk-Date and host among others",
                },
            },
        },
        "security": [{"token": []}, {"signature": []}],
    }


def _refusal(status: int) -> dict[str, Any]:
    headers = {"X-Request-Id": {"$ref": "#/components/headers/RequestId"}}
    if status == 429:
        headers["Retry-After"] = {"$ref": "#/components/headers/RetryAfter"}
    schema = {"$ref": f"#/components/schemas/{_ERROR}"}
    return {"description": _REFUSALS[status], "headers": headers, "content": {"application/json": {"schema": schema}}}


def _refusals(operation: Operation) -> dict[str, Any]:
    """What it may be refused with. Whatever names nothing by id may still be asked for in vain: of a robot of the query, say."""
    statuses = set(_REFUSALS)
    if not operation.writes:
        statuses -= {412}
    if operation.body is None and not operation.form:
        statuses -= {413, 415}
    return {str(status): {"$ref": f"#/components/responses/{_NAMES[status]}"} for status in sorted(statuses)}


class _Document:
    """Collects the schemas that operations refer to. A shape in an answer is called so: its rules are looser."""

    def __init__(self, whole: Contract) -> None:
        self._contract = whole
        self.schemas: dict[str, Any] = {
            _ERROR: {
                "type": "object",
                "required": ["error_code", "error_msg"],
                "properties": {
                    "error_code": {"type": "string", "enum": sorted({code.code for code in ErrorCode})},
                    "error_msg": {"type": "string", "minLength": 1},
                },
                "additionalProperties": False,
            }
        }

    def operation(self, operation: Operation) -> dict[str, Any]:
        described: dict[str, Any] = {
            "operationId": operation.name,
            "tags": [operation.group],
            "summary": operation.summary,
            "parameters": self._parameters(operation),
            "responses": {
                str(operation.status): {
                    "description": "Done",
                    "headers": {
                        "X-Request-Id": {"$ref": "#/components/headers/RequestId"},
                        "ETag": {"$ref": "#/components/headers/ETag"},
                    },
                    "content": self._content(operation),
                },
                **_refusals(operation),
            },
        }
        if operation.body is not None:
            schema = self._value(operation.body, answer=False)
            shape = self._contract.shapes.get(operation.body.type)
            if operation.partial and shape is not None:
                schema = self._object(shape.name, answer=False)
                schema.pop("required", None)
            needed = operation.body.item is not None or "required" in schema or self._needs(operation.body.type)
            described["requestBody"] = {"required": needed, "content": {"application/json": {"schema": schema}}}
        elif operation.form:
            parts = {name: self._value(one, answer=False) for name, one in operation.form.items()}
            schema = {
                "type": "object",
                "properties": parts,
                "required": [n for n, f in operation.form.items() if f.required],
            }
            described["requestBody"] = {"required": True, "content": {"multipart/form-data": {"schema": schema}}}
        return described

    def _needs(self, kind: str) -> bool:
        shape = self._contract.shapes.get(kind)
        return shape is not None and any(one.required for one in shape.fields.values())

    def _content(self, operation: Operation) -> dict[str, Any]:
        if operation.name in _DOWNLOADS:
            return {_DOWNLOADS[operation.name]: {"schema": {"type": "string", "format": "binary"}}}
        if not operation.answer:
            return {"application/json": {"schema": {"type": "object", "maxProperties": 0}}}
        fields = self._contract.shapes[operation.answer].fields
        if fields.keys() == {"body"}:  # the answer is a list as a whole (see skeleton.py)
            return {"application/json": {"schema": self._value(fields["body"], answer=True)}}
        return {"application/json": {"schema": self._reference(operation.answer, answer=True)}}

    def _parameters(self, operation: Operation) -> list[dict[str, Any]]:
        app_user = Field("str", max_length=128)
        listed = [(name, "path", operation.path_param.get(name, Field("str", True))) for name in operation.path_names]
        listed += [(name, "query", one) for name, one in operation.query.items()]
        listed += [(name, "header", one) for name, one in (*operation.header.items(), ("X-App-UserId", app_user))]
        result = []
        for name, place, one in listed:
            parameter: dict[str, Any] = {"name": name, "in": place, "schema": self._value(one, answer=False)}
            if one.required or place == "path":
                parameter["required"] = True
            # What is empty counts as not given.
            if place == "query" and not one.required:
                parameter["allowEmptyValue"] = True
            elif place == "query" and one.type == "str" and not one.enum:
                parameter["schema"]["minLength"] = one.min_length or 1
            if one.comma_separated and one.item is not None:
                parameter |= {"style": "form", "explode": False}
            result.append(parameter)
        return result

    # --- schemas --------------------------------------------------------------------------------------

    def _reference(self, name: str, *, answer: bool) -> dict[str, Any]:
        key = f"{name}.Answer" if answer else name
        if key not in self.schemas:
            self.schemas[key] = {}  # a shape may hold itself
            self.schemas[key] = self._object(name, answer=answer)
        return {"$ref": f"#/components/schemas/{key}"}

    def _object(self, name: str, *, answer: bool) -> dict[str, Any]:
        fields = self._contract.shapes[name].fields
        schema: dict[str, Any] = {
            "type": "object",
            "properties": {field: self._field(one, answer=answer) for field, one in fields.items()},
        }
        if not answer and (required := [field for field, one in fields.items() if one.required]):
            schema["required"] = required
        return schema

    def _field(self, one: Field, *, answer: bool) -> dict[str, Any]:
        schema = self._value(one, answer=answer)
        if one.default is not None and not answer:
            schema["default"] = one.default
        if one.secret:
            schema["writeOnly" if not answer else "format"] = True if not answer else "password"
        if one.required or answer:
            return schema
        return {"anyOf": [schema, {"type": "null"}]}  # null: not given

    def _value(self, one: Field, *, answer: bool) -> dict[str, Any]:
        if one.item is None:
            return self._one(one, one.type, answer=answer)
        schema: dict[str, Any] = {"type": "array", "items": self._one(one, one.item, answer=answer)}
        if not answer:
            schema |= _given(minItems=one.min_items, maxItems=one.max_items)
        return schema

    def _one(self, one: Field, kind: str, *, answer: bool) -> dict[str, Any]:
        if kind in self._contract.shapes:
            return self._reference(kind, answer=answer)
        if kind == "file":
            return {"type": "string", "format": "binary"}
        schema: dict[str, Any] = {"type": _TYPES[kind]}
        if one.enum and not one.comma_separated:
            schema["enum"] = [*one.enum, ""] if answer and kind == "str" else list(one.enum)
        if answer:
            return schema
        if one.format:
            schema["format"] = one.format
        if one.enum and one.comma_separated and kind == "str":
            each = "|".join(str(value) for value in one.enum)
            schema["pattern"] = rf"^\s*({each})?\s*(,\s*({each})?\s*)*$"
        return schema | _given(minLength=one.min_length, maxLength=one.max_length, minimum=one.min, maximum=one.max)


def _given(**rules: float | None) -> dict[str, float]:
    return {name: value for name, value in rules.items() if value is not None}
