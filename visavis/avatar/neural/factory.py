"""The lip engine that the settings name: ``onnx`` is built in, others are plug-ins."""

from __future__ import annotations

from importlib.metadata import entry_points
from pathlib import Path

from visavis.avatar.manifest import Manifest
from visavis.avatar.neural.onnx_engine import EngineError, OnnxEngine
from visavis.avatar.neural.types import LipEngine
from visavis.avatar.planes import Placement, Rect

GROUP = "visavis.lip_engines"
CHIN_ROOM = 0.12
"""How far the square reaches below the chin, in heights of the face: an open jaw must fit."""


def create_engine(name: str, folder: Path | None) -> LipEngine:
    """Load the engine ``name`` from ``folder`` (blocking). Raises EngineError: unknown name, or it cannot be loaded."""
    if folder is None:
        raise EngineError(f"lip engine {name!r}: no folder is named (VISAVIS_LIP_ENGINE_FOLDER)")
    if name == "onnx":
        return OnnxEngine(folder)
    found = {point.name: point for point in entry_points(group=GROUP)}
    if name not in found:
        raise EngineError(f"there is no lip engine {name!r}; known: {', '.join(sorted({'onnx', *found}))}")
    engine: LipEngine = found[name].load()(folder)
    return engine


def face_square(manifest: Manifest, placement: Placement) -> Rect:
    """The square of the output around the face, from the middle of the forehead to below the chin."""
    anchors = manifest.anchors
    height = anchors.chin.y - anchors.crown.y
    bottom = anchors.chin.y + CHIN_ROOM * height
    top = anchors.crown.y + 0.25 * height
    side = bottom - top
    left = anchors.mouth.x - side / 2
    return placement.rect(Rect(round(left), round(top), round(side), round(side)))
