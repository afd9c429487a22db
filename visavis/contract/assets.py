"""The asset library as far as this slice serves it: what is built in can be listed."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from visavis.contract.base import Answer


class Asset(Answer):
    """One asset."""

    project_id: str
    asset_id: str
    asset_name: str
    asset_description: str
    create_time: str
    update_time: str
    asset_type: str
    asset_state: str
    tags: list[str]
    asset_extra_meta: dict[str, Any]
    system_properties: list[dict[str, str]] = Field(default_factory=list)
    files: list[dict[str, Any]] = Field(default_factory=list)
    asset_order: int = 0
    supported_service: list[str]


class AssetList(Answer):
    """Answer of ``GET /v1/{project_id}/digital-assets``."""

    count: int
    assets: list[Asset]
