"""From a job's specification to the picture's layout: canvas coordinates become pixels of the stage."""

from __future__ import annotations

from pathlib import Path

from visavis.avatar.background import Background, upright_size
from visavis.avatar.film import film_size
from visavis.avatar.layout import (
    HumanLayer,
    ImageLayer,
    Layer,
    Layout,
    Place,
    Subtitles,
    TextLayer,
    TextStyle,
    VideoLayer,
)
from visavis.contract.media_types import CANVASES, crop_canvas
from visavis.errors import VisavisError
from visavis.session.spec import JobSpec, LayerSpec, TextStyleSpec, VideoSpec


def layout(spec: JobSpec) -> Layout:
    """The picture that ``spec`` asks for. Reads layers' files for their sizes (blocking, short).

    Raises:
        VisavisError: a crop beside the canvas.
        PackError: a layer's file is missing or not what it is said to be.
    """
    video = spec.video
    stage = _stage(video)
    canvas = CANVASES[1] if stage[0] > stage[1] else CANVASES[0]
    scaler = _Scaler(canvas, stage)
    background = spec.background
    return Layout(
        width=video.width,
        height=video.height,
        stage=stage,
        offset=(video.dx, video.dy) if video.clip_mode == "CROP" else (0, 0),
        background=Background(
            background.kind,
            background.color,
            Path(background.image) if background.image else None,
            scaler.rect(background.rect) if background.rect else None,
        ),
        layers=_layers(spec.layers, scaler),
        transparency=video.transparency,
        key=video.key,
        subtitles=_subtitles(spec, scaler),
    )


def _stage(video: VideoSpec) -> tuple[int, int]:
    if video.clip_mode != "CROP":
        return video.width, video.height
    canvas = crop_canvas(video.width, video.height, video.dx, video.dy)
    if canvas is None:
        raise VisavisError(
            f"the crop {video.width}x{video.height} from ({video.dx}, {video.dy}) shows nothing of the stage"
        )
    return canvas


class _Scaler:
    """Canvas pixels to stage pixels."""

    def __init__(self, canvas: tuple[int, int], stage: tuple[int, int]) -> None:
        self.canvas = canvas
        self.across, self.down = stage[0] / canvas[0], stage[1] / canvas[1]

    def place(self, x: float, y: float, width: float, height: float, rotation: float = 0.0) -> Place:
        return Place(x * self.across, y * self.down, width * self.across, height * self.down, rotation)

    def rect(self, rect: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
        left, top = round(rect[0] * self.across), round(rect[1] * self.down)
        right, bottom = round((rect[0] + rect[2]) * self.across), round((rect[1] + rect[3]) * self.down)
        return left, top, max(1, right - left), max(1, bottom - top)

    def style(self, style: TextStyleSpec) -> TextStyle:
        return TextStyle(
            font=style.font,
            size=max(1, round(style.size * self.down)),
            color=style.color,
            stroke_color=style.stroke_color,
            stroke=style.stroke * self.down,
            opacity=style.opacity,
        )


def _layers(specs: list[LayerSpec], scaler: _Scaler) -> tuple[Layer, ...]:
    layers: tuple[Layer, ...] = tuple(_layer(spec, scaler) for spec in specs)
    if not any(isinstance(layer, HumanLayer) for layer in layers):
        return HumanLayer(), *layers
    return layers


def _layer(spec: LayerSpec, scaler: _Scaler) -> Layer:
    if spec.kind == "HUMAN":
        if spec.width is None and spec.height is None:
            # Without a size it has the stage's own, which may still be moved.
            moved = (spec.x, spec.y, spec.rotation) != (0, 0, 0)
            return HumanLayer(scaler.place(spec.x, spec.y, *scaler.canvas, spec.rotation) if moved else None)
        width, height = _sized(spec, scaler.canvas)
        return HumanLayer(scaler.place(spec.x, spec.y, width, height, spec.rotation))
    if spec.kind == "TEXT":
        width = spec.width or max(1, scaler.canvas[0] - spec.x)
        height = spec.height or max(1, scaler.canvas[1] - spec.y)
        place = scaler.place(spec.x, spec.y, width, height, spec.rotation)
        return TextLayer(spec.text, place, scaler.style(spec.style))
    file = Path(spec.file)
    if spec.kind == "IMAGE":
        width, height = _sized(spec, upright_size(file))
        return ImageLayer(file, scaler.place(spec.x, spec.y, width, height, spec.rotation))
    width, height = _sized(spec, film_size(file))
    return VideoLayer(file, scaler.place(spec.x, spec.y, width, height, spec.rotation), spec.loops)


def _sized(spec: LayerSpec, own: tuple[int, int]) -> tuple[float, float]:
    """The layer's size; what is missing keeps the proportions of its ``own`` size."""
    if spec.width is not None and spec.height is not None:
        return spec.width, spec.height
    if spec.width is not None:
        return spec.width, spec.width * own[1] / own[0]
    if spec.height is not None:
        return spec.height * own[0] / own[1], spec.height
    return own


def _subtitles(spec: JobSpec, scaler: _Scaler) -> Subtitles | None:
    burned = spec.burned
    if burned is None:
        return None
    place = scaler.place(burned.x, burned.bottom - burned.height, burned.width, burned.height)
    return Subtitles(place, scaler.style(burned.style))
