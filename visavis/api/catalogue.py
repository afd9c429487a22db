"""What voices and avatars this installation has. The server is given one catalogue when it is made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from visavis.speech.types import Voice

DEFAULT = "default"
"""An id that always works: the installation's first avatar, each language's first voice."""


@dataclass(frozen=True, slots=True)
class AvatarEntry:
    """An avatar pack that rooms can name by ``id`` (``model_asset_id`` in the contract). ``resolution``: 1080P or 4K."""

    id: str
    name: str
    licence: str = ""
    sex: str = ""
    resolution: str = "1080P"


def resolution_of(canvas_height: int) -> str:
    """4K for a canvas (height in pixels) that a picture of 2160x3840 enlarges by no more than a ninth, else 1080P."""
    return "4K" if canvas_height >= 0.9 * 3840 else "1080P"


class Catalogue(Protocol):
    """Answers from memory: it is asked on every room's creation."""

    def voices(self) -> Sequence[Voice]: ...

    def avatars(self) -> Sequence[AvatarEntry]: ...


@dataclass(frozen=True, slots=True)
class FixedCatalogue:
    """A catalogue of given lists."""

    voice_list: Sequence[Voice] = ()
    avatar_list: Sequence[AvatarEntry] = ()

    def voices(self) -> Sequence[Voice]:
        return self.voice_list

    def avatars(self) -> Sequence[AvatarEntry]:
        return self.avatar_list


@dataclass(frozen=True, slots=True)
class Extended:
    """A catalogue with more avatars: packs that a project uploaded. What was there before comes first."""

    whole: Catalogue
    more: Sequence[AvatarEntry] = ()

    def voices(self) -> Sequence[Voice]:
        return self.whole.voices()

    def avatars(self) -> Sequence[AvatarEntry]:
        return [*self.whole.avatars(), *self.more]


def four_k(catalogue: Catalogue, avatar_id: str) -> bool:
    """Whether that avatar (empty or "default": the first one) is made for pictures of 3840x2160."""
    avatars = catalogue.avatars()
    if avatar_id in ("", DEFAULT):
        return bool(avatars) and avatars[0].resolution == "4K"
    return any(avatar.id == avatar_id and avatar.resolution == "4K" for avatar in avatars)


def has_voice(catalogue: Catalogue, voice_id: str) -> bool:
    """Whether a room may name that voice."""
    return voice_id == DEFAULT or any(voice.id == voice_id for voice in catalogue.voices())


def has_avatar(catalogue: Catalogue, avatar_id: str) -> bool:
    """Whether a room may name that avatar; empty: the default one."""
    return avatar_id in ("", DEFAULT) or any(avatar.id == avatar_id for avatar in catalogue.avatars())
