"""The asset library as far as it is served: what is built in, and uploaded pictures and videos."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from visavis.contract.base import Answer, Request, ShortId

UploadedType = Literal["IMAGE", "VIDEO"]
"""What can be uploaded."""

Tags = Annotated[list[Annotated[str, Field(max_length=128)]], Field(max_length=50)]
MAX_FILE_BYTES = {"IMAGE": 10 * 1024 * 1024, "VIDEO": 64 * 1024 * 1024}


class AssetFields(Request):
    """What create and update share."""

    asset_description: str | None = Field(None, max_length=4096)
    tags: Tags | None = None
    asset_order: int | None = Field(None, ge=0, le=2147483647)
    supported_service: Annotated[list[ShortId], Field(max_length=10)] | None = None
    system_properties: Annotated[list[dict[str, str | None]], Field(max_length=50)] | None = None


class CreateAsset(AssetFields):
    """Body of ``POST /v1/{project_id}/digital-assets``."""

    asset_name: str = Field(min_length=1, max_length=256)
    asset_type: UploadedType


class UpdateAsset(AssetFields):
    """Body of ``PUT /v1/{project_id}/digital-assets/{asset_id}``. Only the given fields change."""

    asset_name: str | None = Field(None, min_length=1, max_length=256)
    asset_state: Literal["ACTIVED", "UNACTIVED"] | None = None


class AssetCreated(Answer):
    """Answer of create."""

    asset_id: str


class CreateFile(Request):
    """Body of ``POST /v1/{project_id}/files``. ``file_md5``: Base64 of the digest, as in RFC 1864."""

    file_name: str = Field(min_length=1, max_length=256)
    file_md5: str | None = Field(None, pattern=r"^[A-Za-z0-9+/]{22}==$")
    file_size: int = Field(ge=1, le=5368709120)
    file_type: str | None = Field(None, min_length=1, max_length=64)
    asset_id: ShortId = Field(min_length=1)
    asset_file_category: str = Field("MAIN", min_length=1, max_length=128)


class FileCreated(Answer):
    """Answer: where to send the file with PUT."""

    file_id: str
    upload_url: str = Field(repr=False)


class ConfirmFile(Request):
    """Body of ``POST /v1/{project_id}/files/{file_id}/complete``."""

    state: Literal["CREATED", "FAILED", "CANCELLED"]


class AssetFile(Answer):
    """A file of an asset."""

    file_id: str
    file_name: str
    file_md5: str
    file_size: int
    file_type: str
    asset_file_category: str
    state: str


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
    system_properties: list[dict[str, str | None]] = Field(default_factory=list)
    files: list[AssetFile] = Field(default_factory=list)
    asset_order: int = 0
    supported_service: list[str]


class AssetList(Answer):
    """Answer of ``GET /v1/{project_id}/digital-assets``."""

    count: int
    assets: list[Asset]
