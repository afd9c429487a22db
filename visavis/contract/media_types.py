"""Voice, picture, subtitle, background and layer settings, as rooms carry them.

Types, ranges, enumerations and what is required are facts of the contract's data, and are checked before these views see
anything. A view has the fields that belong together, and says which combinations make no sense; tests hold the views against
the data.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from visavis.contract.base import Language, Request, spoken

FOUR_K = frozenset({(3840, 2160), (2160, 3840)})
RESIZE_SIZES = frozenset({(1920, 1080), (1080, 1920), (1280, 720), (720, 1280)}) | FOUR_K
CANVASES = ((1080, 1920), (1920, 1080))
"""What layers, subtitles and crops are measured on, whatever the size of the picture."""
MAX_CROP_PIXELS = 3840 * 2160

KEY_COLOR = "#00B140"
"""What lies behind the person in a keyed picture."""
Transparency = Literal["none", "key", "side"]
"""none: opaque. key: before KEY_COLOR. side: colours in the left half of a picture of double width, alpha as grey in the right."""

DEFAULT_SIZE = (720, 1280)
DEFAULT_VOICE = "default"

_COLOR = re.compile(r"^#?(?P<hex>[0-9A-Fa-f]{6})$")
_RGB = re.compile(r"^(?:rgb\()?\s*(\d{1,3})\s*,\s*(\d{1,3})\s*,\s*(\d{1,3})\s*\)?$")


def _spoken_here(value: str) -> str:
    spoken(value)
    return value


HereLanguage = Annotated[Language, AfterValidator(_spoken_here)]
"""A published language that visavis speaks."""


class VoiceConfig(Request):
    """``voice_config`` of a room."""

    voice_asset_id: str


class ChatVoiceConfig(Request):
    """One entry of a room's ``voice_config_list``."""

    voice_asset_id: str = DEFAULT_VOICE
    language: HereLanguage = "CN"


class SubtitleConfig(Request):
    """``video_config.subtitle_config``: subtitles burnt into the picture, canvas pixels. ``dx``, ``dy``: the box's *lower* left."""

    font_color: str | None = None
    stroke_color: str | None = None

    @model_validator(mode="after")
    def _colours(self) -> Self:
        for value in (self.font_color, self.stroke_color):
            if value:
                parse_color(value)
        return self


class VideoConfig(Request):
    """``video_config`` of a room. The RTC picture is always H.264 at 25 fps."""

    clip_mode: Literal["RESIZE", "CROP"] | None = None
    width: int
    height: int
    dx: int = 0
    dy: int = 0
    subtitle_config: SubtitleConfig | None = None

    @model_validator(mode="after")
    def _size(self) -> Self:
        if self.clip_mode == "CROP":
            self._crop(self.width, self.height, self.dx, self.dy)
        elif (self.width, self.height) not in RESIZE_SIZES:
            sizes = ", ".join(f"{w}x{h}" for w, h in sorted(RESIZE_SIZES))
            raise ValueError(f"{self.width}x{self.height} is not supported with clip_mode RESIZE, only {sizes}")
        return self

    @staticmethod
    def _crop(width: int, height: int, dx: int, dy: int) -> None:
        # 4:2:0 pictures have even sides and origins.
        if width < 64 or height < 64 or any(n % 2 for n in (width, height, dx, dy)):
            raise ValueError("a cropped picture is at least 64x64 with even sides and origin")
        if width * height > MAX_CROP_PIXELS:
            raise ValueError(f"{width}x{height} has more pixels than 3840x2160")
        if crop_canvas(width, height, dx, dy) is None:
            raise ValueError(
                f"{width}x{height} from ({dx}, {dy}) shows nothing of the canvas of 1920x1080 or 1080x1920"
            )


def crop_canvas(width: int, height: int, dx: int, dy: int) -> tuple[int, int] | None:
    """The canvas that a crop is cut from: the one it shows more of, of equals the portrait one. None: nothing of either."""

    def shown(canvas: tuple[int, int]) -> int:
        across = min(dx + width, canvas[0]) - max(dx, 0)
        down = min(dy + height, canvas[1]) - max(dy, 0)
        return max(0, across) * max(0, down)

    best = max(CANVASES, key=shown)
    return best if shown(best) else None


class BackgroundConfig(Request):
    """``background_config`` of a room: a colour or a picture behind the digital human; or (our extension) nothing."""

    background_type: Literal["IMAGE", "COLOR", "TRANSPARENT"]
    background_config: str | None = Field(None, description="URL of the picture")
    background_color_config: str | None = Field(None, description="RGB colour")
    background_asset_id: str | None = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.background_type == "COLOR":
            parse_color(self.background_color_config or "")
        elif self.background_type == "IMAGE":
            if self.background_config:
                check_url(self.background_config, "background_config")
            elif not self.background_asset_id:
                raise ValueError("background_type IMAGE needs background_config (a URL) or background_asset_id")
        return self


def check_url(url: str, field: str) -> None:
    """ValueError: not an http or https URL."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{field} must be an http or https URL")


def parse_color(text: str) -> str:
    """``#RRGGBB``, ``RRGGBB`` or ``R,G,B`` (also in ``rgb()``) as ``#RRGGBB``.

    Raises:
        ValueError: none of these.
    """
    if match := _COLOR.match(text.strip()):
        return f"#{match['hex'].upper()}"
    if match := _RGB.match(text.strip()):
        parts = [int(group) for group in match.groups()]
        if max(parts) <= 255:
            return "#" + "".join(f"{part:02X}" for part in parts)
    raise ValueError(f"{text!r} is not a colour: wanted #RRGGBB or R,G,B")


class LayerPosition(Request):
    """Top-left corner and order of a layer on the canvas. ``layer_index``: 1 is the lowest (of rooms of older versions it may
    be missing)."""

    dx: int
    dy: int
    layer_index: int | None = None


class LayerSize(Request):
    """Size of a layer on the canvas."""

    width: int | None = None
    height: int | None = None


class LayerRotation(Request):
    """Degrees, clockwise about the layer's centre."""

    angle: int = 0


class ImageLayer(Request):
    """A picture layer."""

    image_url: str | None = None

    @model_validator(mode="after")
    def _url(self) -> Self:
        if self.image_url:
            check_url(self.image_url, "image_url")
        return self


class VideoLayer(Request):
    """A video layer. ``loop_count``: how often it is played, 0: not at all, -1 (and not given): for ever. It has no sound here."""

    video_url: str | None = None
    loop_count: int | None = None

    @model_validator(mode="after")
    def _url(self) -> Self:
        if self.video_url:
            check_url(self.video_url, "video_url")
        return self


class TextLayer(Request):
    """A text layer; the text is Base64."""

    text_context: str | None = None
    font_name: str | None = None
    font_size: int | None = None
    font_color: str | None = None

    @model_validator(mode="after")
    def _readable(self) -> Self:
        if self.font_color:
            parse_color(self.font_color)
        if self.text_context:
            self.text(self.text_context)
        return self

    @staticmethod
    def text(encoded: str) -> str:
        """The text of ``text_context``. ValueError: not Base64 of UTF-8."""
        try:
            return base64.b64decode(encoded, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            raise ValueError("text_context must be Base64 of UTF-8 text") from None


class Layer(Request):
    """One entry of a room's ``layer_config``.

    ``sequence_no`` orders layers that have no ``position.layer_index``: higher is nearer to the viewer.
    """

    layer_type: Literal["HUMAN", "IMAGE", "VIDEO", "TEXT"]
    asset_id: str | None = None
    sequence_no: int | None = None
    position: LayerPosition | None = None
    size: LayerSize | None = None
    rotation: LayerRotation | None = None
    image_config: ImageLayer | None = None
    video_config: VideoLayer | None = None
    text_config: TextLayer | None = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.layer_type == "IMAGE" and not (self.asset_id or (self.image_config and self.image_config.image_url)):
            raise ValueError("a layer of type IMAGE needs asset_id or image_config.image_url")
        if self.layer_type == "VIDEO" and not (self.asset_id or (self.video_config and self.video_config.video_url)):
            raise ValueError("a layer of type VIDEO needs asset_id or video_config.video_url")
        if self.layer_type == "TEXT" and not (self.text_config and self.text_config.text_context):
            raise ValueError("a layer of type TEXT needs text_config.text_context")
        return self

    @property
    def url(self) -> str | None:
        """The URL of a picture or video; it goes before ``asset_id``."""
        if self.layer_type == "IMAGE":
            return self.image_config.image_url if self.image_config else None
        return self.video_config.video_url if self.layer_type == "VIDEO" and self.video_config else None

    @property
    def order(self) -> int | None:
        """Higher is nearer to the viewer; None: by its place in the list."""
        if self.position and self.position.layer_index is not None:
            return self.position.layer_index
        return self.sequence_no


MAX_VIDEO_LAYERS = 8
"""Each of them costs decoding all the time."""


def check_layers(layers: list[Layer]) -> list[Layer]:
    """ValueError: two persons, or too many videos."""
    if sum(layer.layer_type == "HUMAN" for layer in layers) > 1:
        raise ValueError("one layer of type HUMAN is drawn, not several")
    if sum(layer.layer_type == "VIDEO" for layer in layers) > MAX_VIDEO_LAYERS:
        raise ValueError(f"at most {MAX_VIDEO_LAYERS} layers of type VIDEO are played")
    return layers


def language_desc(language: str) -> str:
    """A language in words."""
    return "中文" if spoken(language) == "zh" else "English"


def default_subtitle(width: int, height: int) -> dict[str, int]:
    """A box in the lower fifth of the canvas of that orientation."""
    if width >= height:
        return {"dx": 160, "dy": 860, "width": 1600, "height": 160}
    return {"dx": 60, "dy": 1560, "width": 960, "height": 240}
