# mypy: ignore-errors
# Runs in the bake environment only, where numpy is older and bpy has no types.
"""The whole scene: the dressed person, light and camera; poses and pictures."""

from __future__ import annotations

import math
import time
from importlib import import_module
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from bpy_extras.object_utils import world_to_camera_view
from mathutils import Vector

from visavis.avatar.studio.blender.body import load_human
from visavis.avatar.studio.blender.brows import Brows
from visavis.avatar.studio.blender.eyes import eyeballs
from visavis.avatar.studio.blender.lashes import Lashes, WetLine
from visavis.avatar.studio.blender.nodes import Part, add_object, rgba
from visavis.avatar.studio.blender.scalp import Scalp
from visavis.avatar.studio.blender.skin import paint
from visavis.avatar.studio.blender.teeth import Mouth
from visavis.avatar.studio.styles import STYLES

GAZE_DEGREES = 30.0  # how far the eyes turn at weight 1
# How far the face units themselves turn the balls: the lids' motion is scaled to match.
UNIT_DEGREES = {"Up": 11.8, "Down": 17.8, "In": 25.0, "Out": 24.0}


def _style(part: str, look: dict[str, Any]) -> Any:
    return import_module(f"{__package__}.{STYLES[part][look['style']]}")


class Stage:
    """A character ready to be photographed."""

    def __init__(self, character: dict[str, Any], data: Path) -> None:
        self.character = character
        bpy.ops.wm.read_factory_settings(use_empty=True)
        self.human = load_human(data, character["shape"], character["arms"])
        groups, centres = self.human.groups, self.human.centres
        skin = groups == "body"
        bust = ((centres[:, 2] > 0.30) & (np.abs(centres[:, 0]) < 0.13)) | (centres[:, 2] > 0.47)
        self.body = Part(self.human, "body", np.where(skin & bust)[0], levels=character["skin"]["levels"])
        self.scalp = scalp = Scalp(self.human, character["hair"])
        paint(self.human, self.body, scalp.cover(), character["skin"])
        self.mouth = Mouth(self.human, character["teeth"])
        self.eyes = eyeballs(self.human, character["eyes"])
        clothes = _style("clothes", character["clothes"]).dress(self.human, character["clothes"])
        if character["hair"]["strands"]:
            _style("hair", character["hair"]).grow(self.human, scalp, clothes, character["hair"])
        self.followers = [
            self.body, self.mouth, Brows(self.human, character["brows"]), Lashes(self.human, character["lashes"]),
            WetLine(self.human),
        ]  # fmt: skip
        self._light(character["light"])
        self._camera(character["camera"], character["canvas"])

    def _light(self, light: dict[str, Any]) -> None:
        for lamp in light["lamps"]:
            data = bpy.data.lights.new(lamp["name"], "AREA")
            data.size, data.energy, data.color = lamp["size"], lamp["watts"], lamp["colour"]
            item = add_object(lamp["name"], data)
            item.location = lamp["at"]
            # A lamp may shine in eyes and on wet lips only, and leave the modelling of the face to the others.
            item.visible_diffuse = lamp.get("diffuse", True)
            aim = Vector(lamp.get("aim", light["aim"])) - Vector(lamp["at"])
            item.rotation_euler = aim.to_track_quat("-Z", "Y").to_euler()
        world = bpy.data.worlds.new("world")
        bpy.context.scene.world = world
        world.use_nodes = True
        background = world.node_tree.nodes["Background"]
        background.inputs[0].default_value = rgba(light["sky"])
        background.inputs[1].default_value = light["sky_strength"]
        view = bpy.context.scene.view_settings
        view.view_transform, view.look, view.exposure = "AgX", light["look"], light["exposure"]

    def _camera(self, camera: dict[str, Any], canvas: dict[str, Any]) -> None:
        scene = bpy.context.scene
        data = bpy.data.cameras.new("camera")
        data.lens, data.sensor_fit, data.sensor_height = camera["lens"], "VERTICAL", 36
        item = add_object("camera", data)
        scene.camera = item
        tall, plane = camera["frame_height"], float(self.human.eye_left[1])
        distance = tall / 2 / math.tan(math.atan(18 / camera["lens"]))
        eye = float(self.human.eye_left[2])
        middle = eye + (camera["eye_line"] - 0.5) * tall
        item.location = (0, plane - distance, eye)
        item.rotation_euler = (math.pi / 2, 0, 0)
        data.shift_y = (middle - eye) / tall * min(1.0, canvas["height"] / canvas["width"])
        render = scene.render
        render.resolution_x, render.resolution_y, render.resolution_percentage = canvas["width"], canvas["height"], 100
        render.engine, render.film_transparent, render.use_persistent_data = "CYCLES", True, True
        render.image_settings.color_mode, render.image_settings.compression = "RGBA", 30
        cycles = scene.cycles
        cycles.device, cycles.use_denoising, cycles.denoiser = "CPU", True, "OPENIMAGEDENOISE"
        cycles.max_bounces, cycles.transparent_max_bounces = 6, 16
        cycles.use_adaptive_sampling, cycles.seed = False, 0
        scene.render.hair_type = "STRIP"

    def pose(self, weights: dict[str, float]) -> np.ndarray:
        """Put the face into ``weights`` on top of the character's resting expression."""
        vertices = self.human.posed(self._full(weights))
        for follower in self.followers:
            follower.pose(vertices)
        for side, ball, inner in (("Left", self.eyes[0], -1), ("Right", self.eyes[1], 1)):
            look = {way: weights.get(f"eyeLook{way}{side}", 0.0) for way in UNIT_DEGREES}
            pitch, yaw = look["Up"] - look["Down"], (look["In"] - look["Out"]) * inner
            ball.rotation_euler = (-math.radians(pitch * GAZE_DEGREES), 0, math.radians(yaw * GAZE_DEGREES))
        return vertices

    def _full(self, weights: dict[str, float]) -> dict[str, float]:
        gain = self.character["gain"]
        full = {name: weight * gain.get(name, 1.0) for name, weight in weights.items()}
        for name in weights:
            if name.startswith("eyeLook"):
                way = name.removeprefix("eyeLook").removesuffix("Left").removesuffix("Right")
                full[name] = weights[name] * GAZE_DEGREES / UNIT_DEGREES[way]
        rounded = min(1.0, weights.get("mouthPucker", 0.0) + weights.get("mouthFunnel", 0.0))
        for name, weight in self.character["rest"].items():
            # A pursed mouth does not smile, and a lid that hangs a little at rest closes no farther than shut.
            keep = 1 - rounded if name.startswith("mouthSmile") else 1.0
            keep = max(0.0, 1 - weights.get(name, 0.0)) if name.startswith("eyeBlink") else keep
            # Lips that meet at rest are let go as the jaw opens.
            keep = max(0.0, 1 - 8 * weights.get("jawOpen", 0.0)) if name == "mouthClose" else keep
            full[name] = full.get(name, 0.0) + weight * keep
        return full

    def project(self, points: np.ndarray) -> np.ndarray:
        """Canvas pixels of ``points``."""
        scene, canvas = bpy.context.scene, self.character["canvas"]
        bpy.context.view_layer.update()
        out = [world_to_camera_view(scene, scene.camera, Vector(point)) for point in np.atleast_2d(points)]
        return np.array([[p.x * canvas["width"], (1 - p.y) * canvas["height"]] for p in out])

    def render(self, path: Path, samples: int, box: list[int] | None, scale: float = 1.0) -> float:
        """Render the canvas, or the rectangle ``box`` [x, y, width, height] of it; seconds taken."""
        scene, canvas = bpy.context.scene, self.character["canvas"]
        scene.cycles.samples = samples
        render = scene.render
        render.resolution_percentage = round(100 * scale)
        render.use_border = render.use_crop_to_border = box is not None
        if box is not None:
            x, y, width, height = box
            wide, tall = canvas["width"], canvas["height"]
            render.border_min_x, render.border_max_x = (x + 0.25) / wide, (x + width + 0.25) / wide
            render.border_min_y, render.border_max_y = (tall - y - height + 0.25) / tall, (tall - y + 0.25) / tall
        render.filepath = str(path)
        begun = time.monotonic()
        bpy.ops.render.render(write_still=True)
        return time.monotonic() - begun
