"""Finding fonts: by fontconfig where it is installed, else by a bounded search of the usual folders."""

from __future__ import annotations

import os
import shutil
import subprocess
from functools import lru_cache
from pathlib import Path
from typing import Final

from PIL import ImageFont

from visavis import log

DEFAULT_FAMILY: Final = "sans-serif"
_FOLDERS: Final = (
    Path("/usr/share/fonts"),
    Path("/usr/local/share/fonts"),
    Path.home() / ".local/share/fonts",
    Path.home() / ".fonts",
)
_SUFFIXES: Final = (".ttf", ".ttc", ".otf")
_MAX_FILES: Final = 4000
_TIMEOUT_S: Final = 5.0
_CHINESE: Final = "中"
# Families that have Chinese letters, in the order of preference of the search without fontconfig.
_CHINESE_FILES: Final = ("notosanscjk", "sourcehan", "wqy-microhei", "wqy", "droidsansfallback", "notoserifcjk", "cjk")
_LATIN_FILES: Final = ("dejavusans.", "liberationsans-regular", "notosans-regular")

_log = log.get("fonts")


@lru_cache(maxsize=64)
def font_file(family: str | None, chinese: bool) -> tuple[str, int] | None:
    """(path, face index) of the best font of ``family`` (None: any); with Chinese letters, if ``chinese``.

    Of a family that lacks Chinese letters another font is taken. None: there is none; that is logged once.
    """
    name = _clean(family) or DEFAULT_FAMILY
    found = _by_fontconfig(name, chinese) or _by_search(name, chinese)
    if found is None:
        _log.warning(
            "no font found",
            family=name,
            chinese=chinese,
            cure="install a font with Chinese letters, e.g. the Debian package fonts-wqy-microhei (tools/setup.sh does)",
        )
    elif family and _clean(family).replace(" ", "").lower() not in Path(found[0]).stem.replace("-", "").lower():
        _log.info("font replaced", wanted=name, taken=Path(found[0]).name)
    return found


@lru_cache(maxsize=64)
def load_font(family: str | None, size: int, chinese: bool) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """The font at ``size`` pixels; Pillow's own small Latin one where no file is found."""
    found = font_file(family, chinese) or (font_file(family, False) if chinese else None)
    if found is not None:
        try:
            return ImageFont.truetype(found[0], size, index=found[1])
        except OSError:
            _log.warning("font unreadable", file=Path(found[0]).name)
    return ImageFont.load_default(size)


def _clean(family: str | None) -> str:
    """Without what has a meaning in fontconfig's patterns."""
    return "".join(letter for letter in family or "" if letter.isalnum() or letter in " _").strip()[:64]


def _by_fontconfig(family: str, chinese: bool) -> tuple[str, int] | None:
    program = shutil.which("fc-match")
    if program is None:
        return None
    pattern = f"{family}:charset={ord(_CHINESE):x}:lang=zh-cn" if chinese else family
    try:
        answer = subprocess.run(
            [program, "-f", "%{file}\n%{index}", pattern],
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=True,
        ).stdout.split("\n")
        path, index = answer[0], int(answer[1])
    except (OSError, subprocess.SubprocessError, ValueError, IndexError):
        return None
    # fontconfig answers with the nearest font, even one that lacks what was asked for.
    if not path.lower().endswith(_SUFFIXES) or (chinese and not has_letter(path, index, _CHINESE)):
        return None
    return path, index & 0xFFFF


def _by_search(family: str, chinese: bool) -> tuple[str, int] | None:
    wanted = family.replace(" ", "").lower()
    preferred = _CHINESE_FILES if chinese else _LATIN_FILES

    def rank(path: str) -> tuple[int, int, str]:
        name = Path(path).name.lower()
        plain = name.replace("-", "").replace("_", "")
        order = next((index for index, part in enumerate(preferred) if part in name), len(preferred))
        return (0 if wanted in plain else 1), order + (0 if "regular" in name or "bold" not in name else 1), name

    for path in sorted(_files(), key=rank)[:64]:
        if not chinese or has_letter(path, 0, _CHINESE):
            return path, 0
    return None


@lru_cache(maxsize=1)
def _files() -> tuple[str, ...]:
    found: list[str] = []
    for folder in _FOLDERS:
        for root, _, names in os.walk(folder):
            found += [str(Path(root) / name) for name in names if name.lower().endswith(_SUFFIXES)]
            if len(found) > _MAX_FILES:
                return tuple(found[:_MAX_FILES])
    return tuple(found)


def has_letter(path: str, index: int, letter: str) -> bool:
    """Whether the font draws ``letter`` otherwise than what no font has (a noncharacter)."""
    try:
        font = ImageFont.truetype(path, 24, index=index & 0xFFFF)
        return bytes(font.getmask(letter)) != bytes(font.getmask("\uffff"))
    except OSError:
        return False
