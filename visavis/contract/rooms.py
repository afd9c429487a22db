"""What of a room's fields belongs together. The fields themselves are the contract's data."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any

from pydantic import AfterValidator, Field, ValidationError

from visavis.contract.base import Request
from visavis.contract.checking import refuse
from visavis.contract.loading import contract
from visavis.contract.media_types import (
    BackgroundConfig,
    ChatVoiceConfig,
    HereLanguage,
    Layer,
    VideoConfig,
    VoiceConfig,
    check_layers,
)

SHAPE = "CreateSmartChatRoomReq"
"""The shape of a room as requests have it."""


class RoomView(Request):
    """The fields of a room that must fit each other, or what is here."""

    model_asset_id: str | None = None
    default_language: HereLanguage | None = None
    video_config: VideoConfig | None = None
    voice_config: VoiceConfig | None = None
    voice_config_list: list[ChatVoiceConfig] = Field(default_factory=list)
    background_config: BackgroundConfig | None = None
    layer_config: Annotated[list[Layer], AfterValidator(check_layers)] = Field(default_factory=list)


def view(given: Mapping[str, Any]) -> RoomView:
    """The given fields of a room, seen together.

    Args:
        given: as the contract's check has let them through.

    Raises:
        ApiError: they do not fit.
    """
    try:
        return RoomView.model_validate(given)
    except ValidationError as error:
        refuse(error)


@cache
def room_defaults() -> Mapping[str, Any]:
    """Published (or, where the publication is silent, chosen) values of what was never given."""
    return contract().shapes[SHAPE].defaults
