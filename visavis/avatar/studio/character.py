"""The character file (TOML)."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from visavis.avatar.manifest import Box, Size, Weight
from visavis.avatar.studio.environment import StudioError
from visavis.avatar.studio.styles import STYLES
from visavis.motion.frame import ARKIT_INDEX

CHARACTERS = Path(__file__).parent / "characters"


class ViewBoxes(BaseModel):
    """The rectangles [x, y, width, height] that whole pictures show."""

    model_config = ConfigDict(extra="forbid")
    portrait: tuple[int, int, int, int]
    landscape: tuple[int, int, int, int]


class Character(BaseModel):
    """A person to bake. The sections with looks are for the scene scripts and not examined here."""

    model_config = ConfigDict(extra="forbid")
    id: str
    name: str
    licence: str
    made_by: str = ""
    arms: float
    canvas: Size
    camera: dict[str, float]
    views: ViewBoxes
    mouth_width: float = Field(default=2.4, gt=0.5, description="width of the mouth bank's mask, in eye distances")
    shape: dict[str, float]
    rest: dict[str, Weight]
    gain: dict[str, float] = {}
    teeth: dict[str, Any]
    skin: dict[str, Any]
    eyes: dict[str, Any]
    hair: dict[str, Any]
    brows: dict[str, Any]
    lashes: dict[str, Any]
    clothes: dict[str, Any]
    light: dict[str, Any]

    @field_validator("rest", "gain")
    @classmethod
    def _known(cls, value: dict[str, float]) -> dict[str, float]:
        unknown = sorted(set(value) - set(ARKIT_INDEX))
        if unknown:
            raise ValueError(f"not ARKit blendshapes: {', '.join(unknown)}")
        return value

    @field_validator("hair", "clothes")
    @classmethod
    def _styled(cls, value: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        known = STYLES[str(info.field_name)]
        if value.get("style") not in known:
            raise ValueError(f"style is one of {', '.join(known)}")
        return value

    def styles(self) -> dict[str, str]:
        """The styles of hair and clothes."""
        return {"hair": str(self.hair["style"]), "clothes": str(self.clothes["style"])}

    def scene(self) -> dict[str, Any]:
        """What pictures depend on."""
        return self.model_dump(exclude={"id", "name", "licence", "made_by", "views", "mouth_width"})


def find(character: str | Path) -> Path:
    """The file of a shipped character's name, or of a path."""
    path = Path(character)
    shipped = CHARACTERS / f"{character}.toml"
    if path.suffix != ".toml" and shipped.is_file():
        return shipped
    if path.is_file():
        return path
    names = ", ".join(sorted(p.stem for p in CHARACTERS.glob("*.toml")))
    raise StudioError(f"no character {character!r}: give a .toml file or one of: {names}")


def load(path: Path) -> Character:
    """Read a character file; StudioError when it is not one."""
    try:
        return Character.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (tomllib.TOMLDecodeError, ValidationError) as error:
        raise StudioError(f"{path}: {error}") from error


def box(values: tuple[int, int, int, int]) -> Box:
    """A manifest's box from [x, y, width, height]."""
    x, y, width, height = values
    return Box(x=x, y=y, width=width, height=height)
