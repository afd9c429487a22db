"""Assets as answers have them: what is built in, what was uploaded, and what of it a search wants."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from visavis.api.catalogue import DEFAULT, AvatarEntry, Catalogue
from visavis.api.services.asset_content import described
from visavis.api.services.asset_uploads import download_url
from visavis.api.services.assets import AVATAR, backgrounds
from visavis.contract.assets import BIN, FROZEN
from visavis.contract.base import from_rfc3339, published, rfc3339
from visavis.speech.types import Voice
from visavis.store.assets import MAIN, AssetFile, UploadedAsset
from visavis.store.vault import Vault

VOICE: Final = "VOICE_MODEL"
SERVICE: Final = "CHAT_2D"
_CAPABILITY: Final = {
    f"is_support_{what}": True
    for what in (
        "break_strength",
        "break_time",
        "phoneme",
        "phoneme_en",
        "prosody",
        "speed",
        "srt",
        "ssml_say_as",
        "ssml_sub",
        "voice_cache",
        "word",
    )
}
"""What texts may ask of every voice that is built in."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An asset as answers have it, and what only searches need to know. ``created``, ``updated``: epoch seconds."""

    shown: dict[str, Any]
    created: float = 0.0
    updated: float = 0.0
    provider: str = ""
    shared: bool = False


class Links:
    """Makes the URLs that files are fetched by."""

    def __init__(self, base: str, vault: Vault, now: float) -> None:
        self._base, self._vault, self._now = base, vault, now

    def of(self, asset: UploadedAsset, file: AssetFile) -> str:
        """The file's URL; empty where it cannot be fetched now."""
        if asset.state in (BIN, FROZEN):
            return ""
        return download_url(self._base, self._vault, file, self._now)


# --- what is built in -----------------------------------------------------------------------------------------------


def _voice(project_id: str, voice: Voice) -> Entry:
    languages = [published(language) for language in voice.languages]
    meta = {
        "model_type": "COMMON",
        "sex": voice.sex.upper(),
        "language": languages[0] if languages else "UNKNOW",
        "languages": languages,
        "is_realtime_voice": True,
        "voice_capability": _CAPABILITY,
    }
    shown = _built_in(project_id, voice.id, voice.name, VOICE, {"voice_model_meta": meta}, [voice.sex.upper()])
    return Entry(shown, provider=voice.engine)


def _avatar(project_id: str, avatar: AvatarEntry) -> Entry:
    meta = {"model_resolution": avatar.resolution, "is_real_background": False, "support_live": False}
    tags = [avatar.sex.upper()] if avatar.sex else []
    extra = {"human_model_2d_meta": meta}
    return Entry(_built_in(project_id, avatar.id, avatar.name, AVATAR, extra, tags, avatar.licence))


def _built_in(
    project_id: str, asset_id: str, name: str, kind: str, extra: dict[str, Any], tags: list[str], about: str = ""
) -> dict[str, Any]:
    return {
        "project_id": project_id,
        "asset_id": asset_id,
        "asset_name": name,
        "asset_description": about,
        # What is built in has no date of its own.
        "create_time": rfc3339(0),
        "update_time": rfc3339(0),
        "asset_type": kind,
        "asset_state": "ACTIVED",
        "tags": tags,
        "asset_extra_meta": extra,
        "system_properties": [],
        "files": [],
        "asset_order": 0,
        "supported_service": [SERVICE],
    }


def built_in(project_id: str, catalogue: Catalogue) -> Iterator[Entry]:
    """Voices, avatars and backgrounds of this installation."""
    voices = catalogue.voices()
    if all(voice.id != DEFAULT for voice in voices):
        yield _voice(project_id, Voice(DEFAULT, "Default", ("zh", "en"), "female", ""))
    for voice in voices:
        yield _voice(project_id, voice)
    for avatar in catalogue.avatars():
        yield _avatar(project_id, avatar)
    for asset_id in backgrounds():
        name = asset_id.partition("-")[2].replace("_", " ").capitalize()
        yield Entry(_built_in(project_id, asset_id, name, "IMAGE", {}, ["BACKGROUND"]))


# --- what was uploaded ----------------------------------------------------------------------------------------------


def entry(asset: UploadedAsset, links: Links, now: float) -> Entry:
    """An uploaded asset."""
    shared = (asset.settings.get("shared") or {}).get("until", 0.0) > now
    meta = asset.settings.get("asset_extra_meta", {}).get("voice_model_meta", {})
    provider = meta.get("external_voice_meta", {}).get("provider", "")
    return Entry(shown(asset, links), asset.created_at, asset.updated_at, provider, shared)


def shown(asset: UploadedAsset, links: Links) -> dict[str, Any]:
    """An uploaded asset as answers have it."""
    settings = asset.settings
    plans = settings.get("auto_operation_config") or []
    return {
        "project_id": asset.project_id,
        "asset_id": asset.id,
        "asset_name": asset.name,
        "asset_description": settings.get("asset_description", ""),
        "app_user_id": asset.app_user_id,
        "create_time": rfc3339(asset.created_at),
        "update_time": rfc3339(asset.updated_at),
        "asset_type": asset.kind,
        "asset_state": asset.state,
        "reason": asset.reason,
        "tags": settings.get("tags", []),
        "asset_extra_meta": extra_meta(asset),
        "system_properties": settings.get("system_properties", []),
        "files": [_file(asset, file, links) for file in sorted(asset.files, key=lambda one: one.category != MAIN)],
        "asset_order": settings.get("asset_order", 0),
        "supported_service": settings.get("supported_service", [SERVICE]),
        "auto_operation_config": [{name: one[name] for name in ("operation", "operation_time")} for one in plans],
    }


def extra_meta(asset: UploadedAsset) -> dict[str, Any]:
    """What its owner told, and over it what was found in its file."""
    whole = dict(asset.settings.get("asset_extra_meta", {}))
    for name, found in described(asset.kind, asset.main.meta if asset.main else {}).items():
        whole[name] = {**whole.get(name, {}), **found}
    return whole


def _file(asset: UploadedAsset, file: AssetFile, links: Links) -> dict[str, Any]:
    return {
        "file_id": file.id,
        "file_name": file.name,
        "file_md5": file.md5,
        "file_size": file.size,
        "file_type": file.extension or file.name.rpartition(".")[2].lower()[:64],
        "asset_file_category": file.category,
        "state": file.state,
        "reason": file.reason,
        "download_url": links.of(asset, file),
    }


def summary(asset: UploadedAsset, links: Links) -> dict[str, Any]:
    """The few words that a list of chosen assets has. A picture is its own cover."""
    files = [file for file in asset.files if file.state == "CREATED"]
    covers = [file for file in files if file.category == "COVER"]
    if not covers and asset.kind == "IMAGE" and asset.main:
        covers = [asset.main]
    url = links.of(asset, covers[-1]) if covers else ""
    return {
        "asset_id": asset.id,
        "asset_name": asset.name,
        "asset_state": asset.state,
        "asset_type": asset.kind,
        "cover_url": url,
        "thumbnail_url": url,
    }


# --- searching ------------------------------------------------------------------------------------------------------

Wanted = Callable[[Entry, Any], bool]


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _among(text: str, *values: str) -> bool:
    """Whether one of ``values`` is in the comma-separated ``text``, whatever the case."""
    wanted = {part.upper() for part in _parts(text)}
    return not wanted or any(value.upper() in wanted for value in values)


def _meta(of: Entry, kind: str) -> dict[str, Any]:
    found: dict[str, Any] = of.shown["asset_extra_meta"].get(kind) or {}
    return found


def _human(of: Entry) -> dict[str, Any] | None:
    return _meta(of, "human_model_2d_meta") if of.shown["asset_type"] == AVATAR else None


def _human_says(name: str) -> Wanted:
    def says(of: Entry, value: Any) -> bool:
        meta = _human(of)
        return meta is not None and bool(meta.get(name, False)) is value

    return says


def _voice_says(of: Entry, value: Any) -> bool:
    return of.shown["asset_type"] == VOICE and bool(_meta(of, "voice_model_meta").get("is_realtime_voice")) is value


def _has_properties(of: Entry, text: str) -> bool:
    there = {(one.get("key", "").lower(), one.get("value", "").lower()) for one in of.shown["system_properties"]}
    wanted = [part.partition(":") for part in _parts(text)]
    return all((key.strip().lower(), value.strip().lower()) in there for key, _, value in wanted)


def _speaks(of: Entry, text: str) -> bool:
    meta = _meta(of, "voice_model_meta")
    return _among(text, *meta.get("languages", ()), *([meta["language"]] if "language" in meta else []))


def _sex(of: Entry, text: str) -> bool:
    return _among(text, *of.shown["tags"], _meta(of, "voice_model_meta").get("sex", ""))


def _version(of: Entry, text: str) -> bool:
    meta = _human(of)
    return meta is not None and _among(text, meta.get("model_version", ""))


def _devices(of: Entry) -> list[str]:
    return [name.lower() for name in (_human(of) or {}).get("device_names", ())]


_FILTERS: Final[dict[str, Wanted]] = {
    "asset_type": lambda of, text: _among(text, of.shown["asset_type"]),
    "asset_state": lambda of, text: _among(text, of.shown["asset_state"]),
    "asset_id": lambda of, ids: of.shown["asset_id"] in ids,
    "start_time": lambda of, text: of.created >= from_rfc3339(text),
    "end_time": lambda of, text: of.created <= from_rfc3339(text),
    # Nothing here is of a style, and no digital human walks.
    "style_id": lambda of, text: False,
    "is_movable": lambda of, value: _human(of) is not None and not value,
    "sex": _sex,
    "language": _speaks,
    "system_property": _has_properties,
    "action_editable": _human_says("is_action_editable"),
    "is_with_action_library": _human_says("is_with_action_library"),
    "voice_provider": lambda of, text: of.shown["asset_type"] == VOICE and _among(text, of.provider),
    "is_realtime_voice": _voice_says,
    "human_model_2d_version": _version,
    "include_device_name": lambda of, text: text.lower() in _devices(of),
    "exclude_device_name": lambda of, text: _human(of) is not None and text.lower() not in _devices(of),
    "supported_service": lambda of, text: _among(text, *of.shown["supported_service"]),
    "app_user_id": lambda of, text: of.shown.get("app_user_id", "") == text,
    "role": lambda of, text: of.shared,
}


def _named(of: Entry, text: str, exact: bool) -> bool:
    name = of.shown["asset_name"].lower()
    return text.lower() == name if exact else text.lower() in name


def _tagged(of: Entry, text: str, exact: bool, all_of_them: bool) -> bool:
    there = [tag.lower() for tag in of.shown["tags"]]
    hits = [any(part == tag if exact else part in tag for tag in there) for part in _parts(text.lower())]
    return all(hits) if all_of_them else any(hits)


def matching(entries: Iterable[Entry], query: Mapping[str, Any]) -> list[Entry]:
    """Those that the parameters of a search want."""
    exact = set(query.get("accurate_query_field", ()))
    filters = [(_FILTERS[name], value) for name, value in query.items() if name in _FILTERS]
    united = query.get("tag_combination_type") == "UNION_SET"
    return [
        one
        for one in entries
        if ("name" not in query or _named(one, query["name"], bool(exact & {"name", "asset_name"})))
        and ("tag" not in query or _tagged(one, query["tag"], bool(exact & {"tag", "tags"}), not united))
        and all(wants(one, value) for wants, value in filters)
    ]


_KEYS: Final[dict[str, Callable[[Entry], float]]] = {
    "create_time": lambda one: one.created,
    "update_time": lambda one: one.updated,
    "asset_order": lambda one: one.shown["asset_order"],
}


def ordered(entries: list[Entry], key: str | None, direction: str) -> list[Entry]:
    """Without a key: what is built in, then what was uploaded, newest first; ``desc`` is the other way round."""
    if not key:
        return entries[::-1] if direction == "desc" else entries
    newest = sorted(entries, key=lambda one: one.created, reverse=True)
    return sorted(newest, key=_KEYS[key], reverse=direction == "desc")
