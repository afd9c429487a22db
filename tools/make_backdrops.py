"""Render the shipped backgrounds: a study, an office, an evening window. Everything in them is made here, by rule and chance.

    .venv-studio/bin/python tools/make_backdrops.py FOLDER [--size 1440] [--samples 48] [study office evening]

writes a PNG each (square, so that it covers both orientations); `.venv/bin/python tools/make_backdrops.py --pack FOLDER` makes the
WebP files of them in visavis/avatar/backgrounds. The camera stands where a person's portrait is taken and focuses on that
person, who is not there: what is behind lies far out of focus.
"""

from __future__ import annotations

import argparse
import math
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

TARGET = Path(__file__).parents[1] / "visavis" / "avatar" / "backgrounds"
MAX_BYTES = 240_000
EYE = 1.5


class Studio:
    """A Blender scene with short words for what these rooms are built of. Metres; the camera looks along +y."""

    def __init__(self, bpy: Any, seed: int, f_stop: float, focus: float = 1.1) -> None:
        self.bpy, self.chance = bpy, random.Random(seed)
        bpy.ops.wm.read_factory_settings(use_empty=True)
        self.scene = bpy.context.scene
        camera = bpy.data.cameras.new("camera")
        camera.lens, camera.sensor_width = 38, 36
        camera.dof.use_dof, camera.dof.focus_distance, camera.dof.aperture_fstop = True, focus, f_stop
        holder = bpy.data.objects.new("camera", camera)
        holder.location, holder.rotation_euler = (0, -1.1, EYE), (math.radians(90), 0, 0)
        self.scene.collection.objects.link(holder)
        self.scene.camera = holder
        self.materials: dict[Any, Any] = {}

    def sky(self, colour: tuple[float, float, float], strength: float) -> None:
        world = self.bpy.data.worlds.new("sky")
        world.use_nodes = True
        node = world.node_tree.nodes["Background"]
        node.inputs[0].default_value, node.inputs[1].default_value = (*colour, 1), strength
        self.scene.world = world

    def material(self, colour: tuple[float, ...], rough: float = 0.6, glow: float = 0.0, metal: float = 0.0) -> Any:
        key = (tuple(round(part, 3) for part in colour), rough, glow, metal)
        if key not in self.materials:
            made = self.bpy.data.materials.new("m")
            made.use_nodes = True
            shader = made.node_tree.nodes["Principled BSDF"].inputs
            shader["Base Color"].default_value = (*colour, 1)
            shader["Roughness"].default_value, shader["Metallic"].default_value = rough, metal
            shader["Emission Color"].default_value, shader["Emission Strength"].default_value = (*colour, 1), glow
            self.materials[key] = made
        return self.materials[key]

    def box(
        self, x: tuple[float, float], y: tuple[float, float], z: tuple[float, float], material: Any, turn: float = 0
    ) -> Any:
        middle = [(low + high) / 2 for low, high in (x, y, z)]
        half = [(high - low) / 2 for low, high in (x, y, z)]
        corners = [[(-1) ** (index >> axis & 1) * half[axis] for axis in range(3)] for index in range(8)]
        faces = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
        mesh = self.bpy.data.meshes.new("box")
        mesh.from_pydata(corners, [], faces)
        mesh.materials.append(material)
        made = self.bpy.data.objects.new("box", mesh)
        made.location, made.rotation_euler = middle, (0, turn, 0)
        self.scene.collection.objects.link(made)
        return made

    def ball(self, at: tuple[float, float, float], radius: float, material: Any, squash: float = 1) -> None:
        self.bpy.ops.mesh.primitive_uv_sphere_add(radius=radius, location=at, segments=24, ring_count=16)
        made = self.bpy.context.object
        made.scale = (1, 1, squash)
        made.data.materials.append(material)
        self.bpy.ops.object.shade_smooth()

    def rod(self, at: tuple[float, float, float], radius: float, length: float, material: Any) -> None:
        self.bpy.ops.mesh.primitive_cylinder_add(radius=radius, depth=length, location=at, vertices=32)
        self.bpy.context.object.data.materials.append(material)

    def light(
        self,
        at: tuple[float, float, float],
        to: tuple[float, float, float],
        size: float,
        watt: float,
        colour: tuple[float, float, float],
    ) -> None:
        made = self.bpy.data.lights.new("light", "AREA")
        made.energy, made.size, made.color = watt, size, colour
        holder = self.bpy.data.objects.new("light", made)
        holder.location = at
        way = [b - a for a, b in zip(at, to, strict=True)]
        flat = math.hypot(way[0], way[1])
        holder.rotation_euler = (math.atan2(flat, -way[2]), 0, math.atan2(way[1], way[0]) - math.pi / 2)
        self.scene.collection.objects.link(holder)

    def plant(self, x: float, y: float, z: float, height: float, leaves: int = 46) -> None:
        """A pot with long leaves that bend outwards."""
        pot = self.material((0.62, 0.6, 0.56), 0.5)
        self.rod((x, y, z + height * 0.13), height * 0.14, height * 0.26, pot)
        for _ in range(leaves):
            angle, reach = self.chance.uniform(0, 2 * math.pi), self.chance.uniform(0.25, 0.55) * height
            top, wide = self.chance.uniform(0.55, 1.0) * height, self.chance.uniform(0.025, 0.05) * height
            green = self.chance.uniform(0.6, 1.25)
            points, faces = [], []
            for step in range(9):
                t = step / 8
                out, up = reach * t**1.6, height * 0.26 + (top - height * 0.26) * math.sin(t * 1.9)
                half = wide * math.sin(math.pi * min(1, t * 0.94 + 0.06)) + 0.001
                across, along = (-math.sin(angle), math.cos(angle)), (math.cos(angle), math.sin(angle))
                points += [
                    (x + along[0] * out + across[0] * half * side, y + along[1] * out + across[1] * half * side, z + up)
                    for side in (-1, 1)
                ]
                if step:
                    faces.append((2 * step - 2, 2 * step - 1, 2 * step + 1, 2 * step))
            mesh = self.bpy.data.meshes.new("leaf")
            mesh.from_pydata(points, [], faces)
            mesh.materials.append(self.material((0.05 * green, 0.16 * green, 0.045 * green), 0.45))
            self.scene.collection.objects.link(self.bpy.data.objects.new("leaf", mesh))

    def render(self, path: Path, size: int, samples: int, exposure: float) -> None:
        scene = self.scene
        scene.render.engine = "CYCLES"
        scene.cycles.samples, scene.cycles.use_denoising, scene.cycles.denoiser = samples, True, "OPENIMAGEDENOISE"
        scene.cycles.max_bounces, scene.cycles.sample_clamp_indirect = 6, 4
        scene.render.resolution_x = scene.render.resolution_y = size
        scene.view_settings.view_transform, scene.view_settings.exposure = "AgX", exposure
        scene.render.image_settings.file_format = "PNG"
        scene.render.filepath = str(path)
        self.bpy.ops.render.render(write_still=True)


def study(studio: Studio) -> float:
    """Shelves of books, a lamp, light from a window at the left."""
    chance, wood = studio.chance, studio.material((0.19, 0.105, 0.055), 0.5)
    dark = studio.material((0.11, 0.062, 0.034), 0.5)
    back = 2.1
    studio.box((-4, 4), (back + 0.34, back + 0.4), (-0.2, 3.6), dark)
    studio.box((-4, 4), (-3, back), (-0.25, -0.2), dark)
    for x in (-2.75, -1.6, -0.45, 0.7, 1.85, 3.0):
        studio.box((x - 0.025, x + 0.025), (back, back + 0.34), (-0.2, 3.4), wood)
    bindings = [
        (0.32, 0.05, 0.04),
        (0.05, 0.1, 0.19),
        (0.08, 0.16, 0.1),
        (0.42, 0.3, 0.14),
        (0.5, 0.44, 0.34),
        (0.16, 0.07, 0.05),
        (0.09, 0.09, 0.1),
        (0.33, 0.16, 0.06),
        (0.6, 0.55, 0.46),
    ]
    for row in range(9):
        z = -0.15 + 0.385 * row
        studio.box((-4, 4), (back, back + 0.34), (z - 0.028, z), wood)
        for left in (-2.725, -1.575, -0.425, 0.725, 1.875):
            x = left
            while x < left + 1.08:
                if chance.random() < 0.045:
                    x += chance.uniform(0.1, 0.3)
                    continue
                thick, tall = chance.uniform(0.018, 0.058), chance.uniform(0.2, 0.32)
                if x + thick > left + 1.09:
                    break
                shade = chance.uniform(0.7, 1.25)
                colour = tuple(part * shade for part in chance.choice(bindings))
                studio.box(
                    (x, x + thick),
                    (back + 0.03 + chance.uniform(0, 0.04), back + 0.3),
                    (z, z + tall),
                    studio.material(colour, 0.65),
                    chance.choice((0, 0, 0, 0, 0.06)),
                )
                x += thick + 0.002
    # A lamp with a shade of cloth on a small table, right; a plant, left.
    studio.box((0.75, 1.9), (1.35, 1.95), (0.72, 0.77), wood)
    studio.rod((1.2, 1.65, 0.92), 0.025, 0.3, studio.material((0.55, 0.4, 0.16), 0.25, metal=1))
    studio.ball((1.2, 1.65, 0.86), 0.085, studio.material((0.2, 0.26, 0.24), 0.2))
    studio.rod((1.2, 1.65, 1.2), 0.17, 0.26, studio.material((1.0, 0.62, 0.3), 0.9, glow=2.6))
    studio.plant(-1.25, 1.6, 0.1, 1.25)
    studio.light((-3.4, -0.2, 2.4), (0.4, 2.2, 1.3), 1.8, 190, (1.0, 0.9, 0.76))
    studio.light((1.2, 1.65, 1.5), (1.2, 2.2, 2.2), 0.3, 14, (1.0, 0.62, 0.32))
    studio.sky((0.75, 0.8, 0.9), 0.18)
    return 0.35


def office(studio: Studio) -> float:
    """A wide bright room: a row of windows, desks, plants, lamps that hang in rows."""
    chance = studio.chance
    white, floor = studio.material((0.78, 0.79, 0.8), 0.7), studio.material((0.42, 0.4, 0.38), 0.4)
    studio.box((-6, 6), (-3, 11), (-0.1, 0), floor)
    studio.box((-6, 6), (-3, 11), (3.2, 3.3), white)
    studio.box((5.2, 5.4), (-3, 11), (0, 3.3), studio.material((0.24, 0.36, 0.4), 0.8))
    # The far wall: glass from wall to wall, behind it the sky and green trees.
    frame = studio.material((0.16, 0.17, 0.18), 0.4)
    for x in [-5.2 + 1.3 * index for index in range(9)]:
        studio.box((x - 0.045, x + 0.045), (8, 8.1), (0, 3.2), frame)
    for z in (0.75, 2.5):
        studio.box((-6, 6), (8, 8.08), (z - 0.035, z + 0.035), frame)
    studio.box((-6, 6), (8, 8.1), (0, 0.4), white)
    studio.box((-14, 14), (22, 22.1), (-1, 12), studio.material((0.55, 0.74, 0.96), 1, glow=2.2))
    for _ in range(70):
        shade = chance.uniform(0.5, 1.3)
        green = studio.material((0.1 * shade, 0.24 * shade, 0.08 * shade), 0.9, glow=0.55)
        studio.ball(
            (chance.uniform(-11, 11), chance.uniform(14, 20), chance.uniform(-0.6, 1.5)),
            chance.uniform(0.5, 1.2),
            green,
        )
    wood, black = studio.material((0.5, 0.33, 0.2), 0.45), studio.material((0.03, 0.03, 0.035), 0.35)
    for y in (2.6, 4.4, 6.2):
        for x in (-3.5, 1.6):
            studio.box((x, x + 1.9), (y, y + 0.85), (0.7, 0.74), wood)
            for leg in (x + 0.06, x + 1.84):
                studio.box((leg - 0.03, leg + 0.03), (y + 0.1, y + 0.7), (0, 0.7), black)
            for screen in (x + 0.3, x + 1.05):
                studio.box((screen, screen + 0.58), (y + 0.5, y + 0.53), (0.9, 1.24), black)
                studio.box(
                    (screen + 0.02, screen + 0.56),
                    (y + 0.495, y + 0.5),
                    (0.92, 1.22),
                    studio.material((0.3, 0.5, 0.75), 0.6, glow=0.5),
                )
                studio.box((screen + 0.27, screen + 0.31), (y + 0.5, y + 0.56), (0.74, 0.95), black)
            studio.box(
                (x + 0.65, x + 1.15), (y - 0.55, y - 0.48), (0.45, 1.05), studio.material((0.12, 0.2, 0.24), 0.8)
            )
    for x in (-2.9, -1.0, 1.0, 2.9):
        for y in (3, 5, 7):
            studio.box(
                (x - 0.06, x + 0.06), (y - 0.7, y + 0.7), (2.72, 2.78), studio.material((1.0, 0.93, 0.82), 1, glow=6)
            )
    studio.plant(-2.0, 3.1, 0, 1.9)
    studio.plant(3.4, 4.2, 0, 2.1)
    studio.plant(-4.1, 6.6, 0, 2.0)
    studio.light((0, 7.6, 2.6), (0, 0, 1.0), 5, 420, (0.9, 0.96, 1.0))
    studio.light((-5, 0, 2.8), (0, 4, 0.8), 2.5, 160, (1, 0.97, 0.92))
    studio.sky((0.85, 0.92, 1.0), 0.5)
    return 0.0


def evening(studio: Studio) -> float:
    """A high window at dusk: the lights of a city, the room dark and warm."""
    chance = studio.chance
    frame = studio.material((0.035, 0.032, 0.03), 0.5)
    for x in (-2.6, -0.95, 0.95, 2.6):
        studio.box((x - 0.04, x + 0.04), (2.0, 2.12), (-1, 4), frame)
    studio.box((-5, 5), (2.0, 2.1), (0.28, 0.36), frame)
    studio.box((-5, 5), (1.6, 2.1), (-0.5, 0.28), studio.material((0.1, 0.07, 0.05), 0.6))
    # Dusk: bands from a deep blue above to a glow above the roofs.
    for index in range(48):
        t = index / 47
        low, middle, high = (1.0, 0.42, 0.18), (0.42, 0.3, 0.48), (0.028, 0.05, 0.16)
        a, b, share = (low, middle, t / 0.35) if t < 0.35 else (middle, high, (t - 0.35) / 0.65)
        colour = tuple(p + (q - p) * share for p, q in zip(a, b, strict=True))
        studio.box(
            (-140, 140), (120, 120.1), (-22 + 2.4 * index, -19.6 + 2.4 * index), studio.material(colour, 1, glow=0.5)
        )
    lights = [(1.0, 0.62, 0.28), (1.0, 0.75, 0.45), (0.8, 0.88, 1.0), (1.0, 0.5, 0.18), (0.6, 0.75, 1.0)]
    for _ in range(95):
        y = chance.uniform(24, 100)
        x, wide, deep = chance.uniform(-0.85, 0.85) * y, chance.uniform(4, 9), chance.uniform(4, 8)
        top = chance.uniform(-8, 6) + 12 * chance.random() ** 4 * (y / 60)
        tint = chance.uniform(0.6, 1.2)
        studio.box(
            (x, x + wide), (y, y + deep), (-40, top), studio.material((0.02 * tint, 0.022 * tint, 0.034 * tint), 0.6)
        )
        colour = chance.choice(lights)
        for column in range(int(wide / 0.9)):
            for floor in range(20):
                z = top - 1.2 - 1.25 * floor
                if z < -24 or chance.random() > 0.36:
                    continue
                at = x + 0.35 + 0.9 * column
                own = colour if chance.random() < 0.7 else chance.choice(lights)
                glow = chance.choice((2.0, 4.0, 8.0))
                studio.box((at, at + 0.5), (y - 0.06, y), (z, z + 0.75), studio.material(own, 1, glow=glow))
    # A warm reflection of the room: a shelf lamp at the right, a chair's back at the left.
    studio.rod((2.15, 1.55, 0.82), 0.02, 0.9, studio.material((0.5, 0.36, 0.15), 0.3, metal=1))
    studio.rod((2.15, 1.55, 1.42), 0.2, 0.3, studio.material((1.0, 0.56, 0.24), 0.9, glow=2.2))
    studio.plant(-2.0, 1.5, -0.1, 1.7)
    studio.light((2.1, 1.2, 1.7), (-1.5, 1.6, 0.4), 0.5, 16, (1.0, 0.6, 0.32))
    studio.light((-2.6, -1, 2.6), (-1.5, 2, 0.6), 1.5, 16, (0.5, 0.62, 1.0))
    studio.sky((0.08, 0.1, 0.2), 0.3)
    return 0.5


# How far out of focus: a window far away needs less.
ROOMS: dict[str, tuple[Callable[[Studio], float], float]] = {
    "study": (study, 0.55),
    "office": (office, 0.8),
    "evening": (evening, 1.3),
}


def pack(folder: Path) -> None:
    """PNG to WebP, as good as MAX_BYTES allow."""
    from PIL import Image

    TARGET.mkdir(exist_ok=True)
    for name in ROOMS:
        source = folder / f"{name}.png"
        if not source.exists():
            continue
        picture = Image.open(source).convert("RGB")
        target = TARGET / f"{name}.webp"
        for quality in range(92, 40, -4):
            picture.save(target, quality=quality, method=6)
            if target.stat().st_size <= MAX_BYTES:
                break
        print(f"{target.name}: {picture.size}, quality {quality}, {target.stat().st_size} bytes")


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("rooms", nargs="*", help=f"of {', '.join(ROOMS)}; without any: all")
    parser.add_argument("--size", type=int, default=1440)
    parser.add_argument("--samples", type=int, default=48)
    parser.add_argument("--pack", action="store_true", help="make the WebP files of rendered pictures")
    given = parser.parse_args()
    if given.pack:
        return pack(given.folder)
    import bpy

    given.folder.mkdir(parents=True, exist_ok=True)
    for index, name in enumerate(given.rooms or ROOMS):
        build, f_stop = ROOMS[name]
        studio = Studio(bpy, 11 + index + len(name), f_stop)
        exposure = build(studio)
        studio.render(given.folder / f"{name}.png", given.size, given.samples, exposure)


if __name__ == "__main__":
    main()
