"""The language model that runs on this machine, as roles and robots name it (docs/local-model.md)."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from visavis.contract.errors import ApiError, ErrorCode
from visavis.session.spec import LlmSpec
from visavis.settings import Settings

HOST: Final = "local-model"
"""``http://local-model/v1`` as ``llm_url`` means this machine's model; the name is reserved, and resolved by nobody."""


def is_local(url: str) -> bool:
    """Whether the address means this machine's model."""
    return (urlsplit(url).hostname or "").lower() == HOST


def local_model(settings: Settings, chat_rounds: int) -> LlmSpec:
    """Where this machine's model is. Raises ApiError: there is none."""
    if not settings.local_model_url:
        raise ApiError(ErrorCode.ROBOT_UNUSABLE, f"llm_url names {HOST}, and this server runs no model (local_model)")
    return LlmSpec(
        url=settings.local_model_url, api_key=settings.local_model_key, chat_rounds=chat_rounds, trusted=True
    )
