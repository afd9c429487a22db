"""Routes of assets: the voices, avatars and backgrounds that are built in, and what was uploaded."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query

from visavis.api.catalogue import DEFAULT, AvatarEntry, Catalogue
from visavis.api.context import Context, Ctx
from visavis.api.identity import ProjectId, project_of
from visavis.api.parse import Paging, json_body
from visavis.api.services.assets import backgrounds, shown
from visavis.contract.assets import Asset, AssetCreated, AssetList, CreateAsset, UpdateAsset
from visavis.contract.base import published, rfc3339
from visavis.contract.errors import ApiError, ErrorCode
from visavis.speech.types import Voice

router = APIRouter(prefix="/v1/{project_id}/digital-assets", dependencies=[Depends(project_of)])

VOICE, AVATAR, IMAGE = "VOICE_MODEL", "HUMAN_MODEL_2D", "IMAGE"
_SERVICE = "CHAT_2D"


def _voice(project_id: str, voice: Voice) -> Asset:
    languages = [published(language) for language in voice.languages]
    meta = {
        "model_type": "COMMON",
        "sex": voice.sex.upper(),
        "language": languages[0] if languages else "UNKNOW",
        "languages": languages,
        "is_realtime_voice": True,
    }
    return _asset(project_id, voice.id, voice.name, VOICE, {"voice_model_meta": meta}, [voice.sex.upper()])


def _avatar(project_id: str, avatar: AvatarEntry) -> Asset:
    meta = {"model_resolution": avatar.resolution, "is_real_background": False, "support_live": False}
    tags = [avatar.sex.upper()] if avatar.sex else []
    return _asset(project_id, avatar.id, avatar.name, AVATAR, {"human_model_2d_meta": meta}, tags, avatar.licence)


def _asset(
    project_id: str, asset_id: str, name: str, kind: str, meta: dict[str, Any], tags: list[str], about: str = ""
) -> Asset:
    # What is built in has no date of its own.
    return Asset(
        project_id=project_id,
        asset_id=asset_id,
        asset_name=name,
        asset_description=about,
        create_time=rfc3339(0),
        update_time=rfc3339(0),
        asset_type=kind,
        asset_state="ACTIVED",
        tags=tags,
        asset_extra_meta=meta,
        supported_service=[_SERVICE],
    )


def _all(project_id: str, catalogue: Catalogue) -> Iterator[Asset]:
    voices = catalogue.voices()
    if all(voice.id != DEFAULT for voice in voices):
        yield _voice(project_id, Voice(DEFAULT, "Default", ("zh", "en"), "female", ""))
    for voice in voices:
        yield _voice(project_id, voice)
    for avatar in catalogue.avatars():
        yield _avatar(project_id, avatar)
    for asset_id in backgrounds():
        name = asset_id.partition("-")[2].replace("_", " ").capitalize()
        yield _asset(project_id, asset_id, name, IMAGE, {}, ["BACKGROUND"])


def _among(wanted: str, *values: str) -> bool:
    """Whether one of ``values`` is in the comma-separated ``wanted``; nothing wanted: yes."""
    parts = {part.strip().upper() for part in wanted.split(",") if part.strip()}
    return not parts or any(value.upper() in parts for value in values)


Filter = Annotated[str, Query(max_length=1024)]


@router.get("")
async def list_assets(
    context: Ctx,
    project_id: ProjectId,
    page: Paging,
    name: Filter = "",
    asset_type: Filter = "",
    asset_state: Filter = "",
    asset_id: Filter = "",
    sex: Filter = "",
    language: Filter = "",
    supported_service: Filter = "",
    # The cloud's default is the tenant's own assets. Here all are listed unless one kind is asked for.
    asset_source: Literal["SYSTEM", "CUSTOMIZATION", "ALL"] = "ALL",
    is_realtime_voice: bool | None = None,
    sort_dir: Literal["asc", "desc"] = "asc",
) -> AssetList:
    """List what is built in, then what was uploaded, newest first."""

    def wanted(asset: Asset) -> bool:
        voice = asset.asset_extra_meta.get("voice_model_meta", {})
        return (
            name.lower() in asset.asset_name.lower()
            and _among(asset_type, asset.asset_type)
            and _among(asset_state, asset.asset_state)
            and _among(asset_id, asset.asset_id)
            and _among(sex, *asset.tags)
            and _among(language, *voice.get("languages", ()))
            and _among(supported_service, *asset.supported_service)
            and (is_realtime_voice is None or (bool(voice) and is_realtime_voice))
        )

    built_in = () if asset_source == "CUSTOMIZATION" else _all(project_id, context.catalogue)
    found = [asset for asset in built_in if wanted(asset)]
    if asset_source != "SYSTEM":
        uploaded = map(shown, await context.assets.listing(project_id))
        found += [asset for asset in uploaded if wanted(asset)]
    if sort_dir == "desc":
        found.reverse()
    return AssetList(count=len(found), assets=found[page.offset : page.offset + page.limit])


@router.get("/{asset_id}")
async def show_asset(context: Ctx, project_id: ProjectId, asset_id: str) -> Asset:
    """Show one asset."""
    built_in = _built_in(context, project_id, asset_id)
    return built_in or shown(await context.assets.get(project_id, asset_id))


@router.post("")
async def create_asset(
    context: Ctx, project_id: ProjectId, body: Annotated[CreateAsset, Depends(json_body(CreateAsset))]
) -> AssetCreated:
    """Make an asset for a picture or video; its file comes by ``POST /v1/{project_id}/files``."""
    return AssetCreated(asset_id=await context.assets.create(project_id, body))


@router.put("/{asset_id}")
async def update_asset(
    context: Ctx, project_id: ProjectId, asset_id: str, body: Annotated[UpdateAsset, Depends(json_body(UpdateAsset))]
) -> Asset:
    """Change the given fields of an uploaded asset."""
    _may_change(context, project_id, asset_id)
    await context.assets.change(project_id, asset_id, body)
    return shown(await context.assets.get(project_id, asset_id))


@router.delete("/{asset_id}")
async def delete_asset(context: Ctx, project_id: ProjectId, asset_id: str) -> dict[str, str]:
    """Delete an uploaded asset with its file, at once: there is no recycle bin."""
    _may_change(context, project_id, asset_id)
    await context.assets.remove(project_id, asset_id)
    return {}


def _built_in(context: Context, project_id: str, asset_id: str) -> Asset | None:
    return next((asset for asset in _all(project_id, context.catalogue) if asset.asset_id == asset_id), None)


def _may_change(context: Context, project_id: str, asset_id: str) -> None:
    if _built_in(context, project_id, asset_id) is not None:
        raise ApiError(ErrorCode.NO_PERMISSION, "what is built in cannot be changed")
