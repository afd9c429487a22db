"""What a room shows besides the person: its background and layers, with their files at hand."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from visavis.api.services import spec
from visavis.api.services.assets import Assets
from visavis.api.services.pictures import Kind, PictureRefusedError, Pictures
from visavis.contract.errors import ApiError, ErrorCode
from visavis.contract.media_types import Layer, TextLayer, parse_color
from visavis.session.spec import BackgroundSpec, LayerSpec, TextStyleSpec
from visavis.store.rooms import Room

_KINDS: dict[str, Kind] = {"IMAGE": "picture", "VIDEO": "video"}


class Scenes:
    """Fetches what rooms name by URL, and finds what they name by asset."""

    def __init__(self, pictures: Pictures, assets: Assets) -> None:
        self._pictures = pictures
        self._assets = assets

    async def of(self, room: Room) -> tuple[BackgroundSpec, list[LayerSpec]]:
        """The room's background, and its layers from bottom to top.

        Raises:
            ApiError: a file cannot be fetched, or an asset is gone.
        """
        layers = ordered([Layer.model_validate(each) for each in room.settings.get("layer_config") or []])
        try:
            async with asyncio.TaskGroup() as group:
                behind = group.create_task(self._background(room))
                files = [group.create_task(self._file(room.project_id, layer)) for layer in layers]
        except* ApiError as errors:
            # One reason is enough.
            first = errors.exceptions[0]
            raise (first if isinstance(first, ApiError) else ApiError(ErrorCode.START_FAILED)) from None
        picture = behind.result()
        background = spec.background_spec(room, str(picture) if picture else None)
        return background, [layer_spec(layer, file.result()) for layer, file in zip(layers, files, strict=True)]

    async def pack(self, room: Room) -> str:
        """The path of the room's avatar where that is an uploaded pack; empty: it is one of the installation's.

        Raises:
            ApiError: the pack is there, but cannot be used now.
        """
        try:
            path = await self._assets.pack(room.project_id, room.settings.get("model_asset_id") or "")
        except ApiError as error:
            raise ApiError(ErrorCode.START_FAILED, error.detail or error.error_msg) from None
        return str(path) if path else ""

    async def _background(self, room: Room) -> Path | None:
        config: dict[str, Any] = room.settings.get("background_config") or {}
        if config.get("background_type") != "IMAGE" or spec.transparent(room):
            return None
        if url := config.get("background_config"):
            return await self._fetch(url, "picture", "background picture")
        return await self._asset(
            room.project_id, config.get("background_asset_id") or "", "IMAGE", "background_asset_id"
        )

    async def _file(self, project_id: str, layer: Layer) -> Path | None:
        if layer.layer_type not in _KINDS:
            return None
        kind = _KINDS[layer.layer_type]
        if layer.url:
            return await self._fetch(layer.url, kind, f"layer's {kind}")
        return await self._asset(project_id, layer.asset_id or "", layer.layer_type, "layer_config.asset_id")

    async def _fetch(self, url: str, kind: Kind, what: str) -> Path:
        try:
            return await self._pictures.fetch(url, kind, what)
        except PictureRefusedError as error:
            raise ApiError(ErrorCode.START_FAILED, str(error)) from None

    async def _asset(self, project_id: str, asset_id: str, kind: str, field: str) -> Path:
        try:
            return await self._assets.path(project_id, asset_id, kind, field)
        except ApiError as error:
            # It was there when the room was made.
            raise ApiError(ErrorCode.START_FAILED, error.detail or error.error_msg) from None


def ordered(layers: list[Layer]) -> list[Layer]:
    """Bottom to top, without those that are not shown (videos that are played no times).

    By ``position.layer_index``, else ``sequence_no``; layers with neither lie below the others. Equals in the list's order.
    """
    shown = [
        layer
        for layer in layers
        if not (layer.layer_type == "VIDEO" and layer.video_config and layer.video_config.loop_count == 0)
    ]
    return sorted(shown, key=lambda layer: (layer.order is not None, layer.order or 0))


def layer_spec(layer: Layer, file: Path | None) -> LayerSpec:
    """A layer for the worker; ``file``: of a picture or video."""
    position, size = layer.position, layer.size
    loops = layer.video_config.loop_count if layer.video_config else None
    return LayerSpec(
        kind=layer.layer_type,
        x=position.dx if position else 0,
        y=position.dy if position else 0,
        width=size.width if size else None,
        height=size.height if size else None,
        rotation=layer.rotation.angle if layer.rotation else 0,
        file=str(file) if file else "",
        loops=-1 if loops is None else loops,
        text=TextLayer.text(layer.text_config.text_context or "") if layer.text_config else "",
        style=_style(layer.text_config),
    )


def _style(text: TextLayer | None) -> TextStyleSpec:
    if text is None:
        return TextStyleSpec()
    return TextStyleSpec(
        font=text.font_name or None, size=text.font_size or 48, color=parse_color(text.font_color or "#FFFFFF")
    )
