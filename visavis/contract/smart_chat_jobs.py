"""What a start call asks for. The answers' fields are the contract's data."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from pydantic import Field

from visavis.contract.base import Request
from visavis.contract.errors import ApiError, ErrorCode


@dataclass(frozen=True, slots=True)
class StartJob:
    """One start.

    Attributes:
        extend_param: a JSON object as text; None or empty: none.
        client_id: of who asked, where the call has a field of its own for it; else ``extend_param`` may hold one.
        own_robot: the room must have a robot of its own; else visavis answers about itself where there is none.
    """

    extend_param: str | None = None
    client_id: str = ""
    own_robot: bool = False


class ExtendParam(Request):
    """What ``extend_param`` may hold."""

    city: str = Field(default="", max_length=256)
    client_id: str = Field(default="", max_length=256)
    extra_json_param: Any = None


def parse_extend_param(text: str | None) -> ExtendParam:
    """Read the JSON text of ``extend_param``.

    Raises:
        ApiError: not a JSON object, or a field of the wrong type.
    """
    if not text:
        return ExtendParam()
    try:
        if not isinstance(json.loads(text), dict):
            raise ValueError("wanted a JSON object")
        return ExtendParam.model_validate_json(text)
    except (ValueError, RecursionError):
        raise ApiError(
            ErrorCode.EXTEND_PARAM_INVALID, "wanted a JSON object with city, client_id, extra_json_param"
        ) from None
