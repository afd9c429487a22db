"""Render the shipped backgrounds: a study, an office, an evening window. Everything in them is made here, by rule and chance.

    .venv-studio/bin/python tools/make_backdrops.py FOLDER [--size 720] [--samples 24] [study office evening]

writes a PNG each (square, so that it covers both orientations); `.venv/bin/python tools/make_backdrops.py --pack FOLDER` makes the
WebP files of them in visavis/avatar/backgrounds. The camera stands where a person's portrait is taken and focuses on that
person, who is not there: what is behind lies far out of focus, and what is worth seeing lies where it shows in both orientations.
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
SIDE = 1440
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
        self.spheres: dict[str, Any] = {}

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
        made = self.bpy.data.objects.new("ball", self._sphere(material))
        made.location, made.scale = at, (radius, radius, radius * squash)
        self.scene.collection.objects.link(made)

    def _sphere(self, material: Any) -> Any:
        """One mesh of radius 1 for all balls of a material: operators would take minutes for a thousand of them."""
        if material.name not in self.spheres:
            across, down = 20, 12
            points = [
                (
                    math.sin(math.pi * row / down) * math.cos(2 * math.pi * column / across),
                    math.sin(math.pi * row / down) * math.sin(2 * math.pi * column / across),
                    math.cos(math.pi * row / down),
                )
                for row in range(down + 1)
                for column in range(across)
            ]
            faces = [
                (row * across + a, (row + 1) * across + a, (row + 1) * across + b, row * across + b)
                for row in range(down)
                for a, b in zip(range(across), [*range(1, across), 0], strict=True)
            ]
            mesh = self.bpy.data.meshes.new("sphere")
            mesh.from_pydata(points, [], faces)
            mesh.polygons.foreach_set("use_smooth", [True] * len(mesh.polygons))
            mesh.materials.append(material)
            self.spheres[material.name] = mesh
        return self.spheres[material.name]

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
    """Shelves of books, a lamp that is lit, a window with day behind it at the left."""
    chance, wood = studio.chance, studio.material((0.13, 0.066, 0.032), 0.45)
    dark, back, first = studio.material((0.07, 0.038, 0.02), 0.5), 2.1, -0.32
    studio.box((first, 4), (back + 0.34, back + 0.4), (-0.2, 3.6), dark)
    studio.box((-4, 4), (-3, back + 0.4), (-0.25, -0.2), dark)
    sides = [first + 1.02 * index for index in range(5)]
    for x in sides:
        studio.box((x - 0.028, x + 0.028), (back, back + 0.34), (-0.2, 3.4), wood)
    rows = [-0.15 + 0.385 * row for row in range(9)]
    for z in rows:
        studio.box((first, 4), (back, back + 0.34), (z - 0.028, z), wood)
        for left in sides[:-1]:
            books(studio, left + 0.035, left + 0.985, back, z)
    # The wall at the left, with a tall window between curtains.
    wall = studio.material((0.3, 0.27, 0.22), 0.9)
    studio.box((-1.32, first), (back + 0.1, back + 0.2), (2.75, 3.6), wall)
    studio.box((-0.52, first), (back + 0.1, back + 0.2), (-0.2, 2.75), wall)
    studio.box((-1.32, -0.52), (back + 0.1, back + 0.2), (-0.2, 0.5), wall)
    studio.box((-4, -1.32), (back + 0.1, back + 0.2), (-0.2, 3.6), wall)
    frame = studio.material((0.5, 0.46, 0.4), 0.5)
    for x in (-1.3, -0.92, -0.54):
        studio.box((x - 0.02, x + 0.02), (back + 0.14, back + 0.18), (0.5, 2.75), frame)
    for z in (0.52, 1.25, 2.0, 2.73):
        studio.box((-1.32, -0.52), (back + 0.14, back + 0.18), (z - 0.02, z + 0.02), frame)
    studio.box((-9, 4), (9, 9.1), (1.6, 9), studio.material((0.86, 0.9, 0.96), 1, glow=1.7))
    for _ in range(150):
        shade = chance.uniform(0.4, 1.7)
        green = studio.material((0.11 * shade, 0.15 * shade, 0.06 * shade), 0.9, glow=0.6)
        studio.ball(
            (chance.uniform(-6.5, 0), chance.uniform(6, 8), chance.uniform(-0.5, 1.9)), chance.uniform(0.2, 0.5), green
        )
    cloth = studio.material((0.34, 0.29, 0.23), 0.95)
    for index in range(9):
        studio.rod((-0.56 + 0.03 * index, back - 0.02 + 0.02 * (index % 2), 1.4), 0.026, 3.0, cloth)
        studio.rod((-1.52 + 0.03 * index, back - 0.02 + 0.02 * (index % 2), 1.4), 0.026, 3.0, cloth)
    # A lamp with a shade of cloth, where it is seen beside the head in either orientation; a plant before the window.
    brass = studio.material((0.5, 0.34, 0.13), 0.25, metal=1)
    studio.rod((0.5, 1.5, 0.75), 0.014, 1.7, brass)
    studio.rod((0.5, 1.5, 1.7), 0.16, 0.24, studio.material((1.0, 0.47, 0.17), 0.9, glow=2.2))
    studio.plant(-1.0, 1.75, 0.35, 1.05)
    studio.light((0.5, 1.5, 1.95), (0.5, 2.1, 2.9), 0.3, 18, (1.0, 0.6, 0.3))
    studio.light((0.5, 1.5, 1.5), (0.5, 2.1, 0.4), 0.3, 14, (1.0, 0.6, 0.3))
    studio.light((-3.0, -0.6, 2.6), (0.9, 2.2, 1.2), 1.8, 70, (1.0, 0.92, 0.8))
    studio.sky((0.75, 0.8, 0.9), 0.12)
    return 0.35


BINDINGS = [
    (0.22, 0.035, 0.03),
    (0.035, 0.07, 0.13),
    (0.05, 0.1, 0.06),
    (0.27, 0.18, 0.08),
    (0.34, 0.29, 0.21),
    (0.11, 0.05, 0.035),
    (0.06, 0.06, 0.065),
    (0.22, 0.1, 0.04),
]


def books(studio: Studio, left: float, right: float, back: float, z: float) -> None:
    """One board of a shelf: sets of volumes that are alike, single books, gaps with a pot or a lying pile."""
    chance, x = studio.chance, left
    while x < right - 0.06:
        if chance.random() < 0.1:
            wide = min(chance.uniform(0.12, 0.24), right - x)
            if wide > 0.15 and chance.random() < 0.5:
                studio.ball((x + wide / 2, back + 0.12, z + 0.07), 0.065, studio.material((0.3, 0.26, 0.2), 0.4), 1.2)
            elif wide > 0.15:
                for level in range(chance.randint(1, 3)):
                    cover = studio.material(chance.choice(BINDINGS), 0.65)
                    studio.box(
                        (x, x + wide), (back + 0.04, back + 0.22), (z + 0.04 * level, z + 0.04 * level + 0.036), cover
                    )
            x += wide + 0.01
            continue
        alike = chance.choice((1, 1, 1, 2, 4, 7))
        thick, tall, shade = chance.uniform(0.018, 0.05), chance.uniform(0.2, 0.31), chance.uniform(0.6, 1.2)
        cover = studio.material(tuple(part * shade for part in chance.choice(BINDINGS)), 0.65)
        for _ in range(alike):
            if x + thick > right:
                return
            depth = back + 0.03 + chance.uniform(0, 0.03)
            studio.box((x, x + thick), (depth, back + 0.3), (z, z + tall), cover, chance.choice((0, 0, 0, 0, 0.05)))
            x += thick + 0.002


def office(studio: Studio) -> float:
    """A wide bright room: glass from wall to wall with trees behind it, desks, plants, lamps that hang in rows, a wall of slats."""
    chance = studio.chance
    white, floor = studio.material((0.74, 0.73, 0.71), 0.7), studio.material((0.3, 0.215, 0.145), 0.32)
    studio.box((-6, 6), (-3, 11), (-0.1, 0), floor)
    studio.box((-6, 6), (-3, 11), (3.2, 3.3), white)
    studio.box((5.2, 5.4), (-3, 11), (0, 3.3), studio.material((0.2, 0.29, 0.31), 0.8))
    slat = studio.material((0.36, 0.215, 0.12), 0.5)
    studio.box((-2.75, -2.7), (-1, 6.4), (0, 3.2), studio.material((0.07, 0.045, 0.03), 0.7))
    for index in range(46):
        studio.box((-2.7, -2.64), (-0.8 + 0.155 * index, -0.7 + 0.155 * index), (0, 3.2), slat)
    # The far wall: glass, behind it trees, roofs and a hazy sky.
    frame = studio.material((0.13, 0.135, 0.14), 0.4)
    for x in [-5.2 + 1.3 * index for index in range(9)]:
        studio.box((x - 0.045, x + 0.045), (8, 8.1), (0, 3.2), frame)
    for z in (0.75, 2.5):
        studio.box((-6, 6), (8, 8.08), (z - 0.035, z + 0.035), frame)
    studio.box((-6, 6), (8, 8.1), (0, 0.4), white)
    for index in range(12):
        t = index / 11
        sky = (0.86 - 0.34 * t, 0.88 - 0.2 * t, 0.9 + 0.04 * t)
        studio.box((-16, 16), (24, 24.1), (-1 + index, index), studio.material(sky, 1, glow=1.75))
    for _ in range(16):
        x, wide, shade = chance.uniform(-13, 12), chance.uniform(1.2, 3), chance.uniform(0.85, 1.1)
        house = studio.material((0.5 * shade, 0.5 * shade, 0.54 * shade), 0.9, glow=0.7)
        studio.box((x, x + wide), (23, 23.9), (-1, chance.uniform(1.2, 4.2)), house)
    for _ in range(26):
        x, y, top = chance.uniform(-9, 9), chance.uniform(12, 19), chance.uniform(1.3, 2.7)
        tint = chance.uniform(0.7, 1.2)
        for _ in range(26):
            shade = tint * chance.uniform(0.45, 1.7)
            leaf = studio.material((0.1 * shade, 0.135 * shade, 0.055 * shade), 0.9, glow=0.75)
            reach = chance.gauss(0, 0.42)
            at = (x + reach, y + chance.gauss(0, 0.4), top - abs(chance.gauss(0, 0.75)) - 0.5 * abs(reach))
            studio.ball(at, chance.uniform(0.12, 0.32), leaf)
    wood, black = studio.material((0.46, 0.3, 0.18), 0.45), studio.material((0.03, 0.03, 0.035), 0.35)
    for y in (2.6, 4.4, 6.2):
        for x in (-2.5, 1.0):
            studio.box((x, x + 1.7), (y, y + 0.85), (0.7, 0.74), wood)
            for leg in (x + 0.06, x + 1.64):
                studio.box((leg - 0.025, leg + 0.025), (y + 0.1, y + 0.7), (0, 0.7), black)
            for screen in (x + 0.2, x + 0.92):
                studio.box((screen, screen + 0.58), (y + 0.5, y + 0.53), (0.9, 1.24), black)
                glass = studio.material((0.3, 0.42, 0.55), 0.6, glow=0.35)
                studio.box((screen + 0.02, screen + 0.56), (y + 0.495, y + 0.5), (0.92, 1.22), glass)
                studio.box((screen + 0.27, screen + 0.31), (y + 0.5, y + 0.56), (0.74, 0.95), black)
            seat = studio.material((0.32, 0.12, 0.05) if x > 0 else (0.1, 0.16, 0.18), 0.8)
            studio.box((x + 0.6, x + 1.08), (y - 0.5, y - 0.43), (0.5, 1.02), seat)
    for x in (-1.6, 0.4, 2.4):
        for y in (3, 5, 7):
            lamp = studio.material((1.0, 0.9, 0.76), 1, glow=4)
            studio.box((x - 0.05, x + 0.05), (y - 0.7, y + 0.7), (2.72, 2.78), lamp)
    studio.plant(-1.55, 2.1, 0, 1.75)
    studio.plant(1.75, 3.5, 0, 1.9)
    studio.plant(0.55, 7.2, 0, 1.5)
    studio.light((1.5, 7.7, 2.9), (0.6, 2.5, 0), 2.5, 520, (1.0, 0.93, 0.82))
    studio.light((-1.5, 0, 2.9), (0, 4, 0.6), 2.5, 90, (1, 0.95, 0.88))
    studio.sky((0.85, 0.92, 1.0), 0.32)
    return 0.3


def evening(studio: Studio) -> float:
    """A high window at dusk: the lights of a city in the haze, the room dark, a lamp lit."""
    chance = studio.chance
    frame = studio.material((0.03, 0.027, 0.025), 0.5)
    for x in (-2.1, -0.5, 1.1, 2.7):
        studio.box((x - 0.035, x + 0.035), (2.0, 2.12), (-1, 4), frame)
    studio.box((-5, 5), (2.0, 2.1), (0.62, 0.69), frame)
    studio.box((-5, 5), (1.7, 2.1), (-0.5, 0.62), studio.material((0.1, 0.065, 0.04), 0.6))
    # Dusk: bands from a deep blue above to a glow above the roofs.
    for index in range(96):
        t = min(1.0, max(0.0, (index - 14) / 70))
        low, middle, high = (1.0, 0.37, 0.13), (0.36, 0.22, 0.36), (0.018, 0.04, 0.13)
        a, b, share = (low, middle, t / 0.3) if t < 0.3 else (middle, high, (t - 0.3) / 0.7)
        colour = tuple(p + (q - p) * share for p, q in zip(a, b, strict=True))
        z = -22 + 1.1 * index
        studio.box((-140, 140), (120, 120.1), (z, z + 1.1), studio.material(colour, 1, glow=0.42))
    lights = [(1.0, 0.5, 0.17), (1.0, 0.58, 0.25), (1.0, 0.66, 0.36), (0.75, 0.8, 0.9), (1.0, 0.4, 0.11)]
    for _ in range(110):
        y = chance.uniform(26, 112)
        x, wide, deep = chance.uniform(-0.85, 0.85) * y, chance.uniform(4, 9), chance.uniform(4, 8)
        top = chance.uniform(-0.16, 0.04) * y + 10 * chance.random() ** 5 * (y / 60)
        # The farther off, the more of the glowing air lies before a house.
        haze = (y / 120) ** 1.4
        air = tuple(round(haze * part, 2) for part in (0.2, 0.095, 0.115))
        wall = studio.material(tuple(0.012 + part for part in air), 0.8, glow=0.45)
        studio.box((x, x + wide), (y, y + deep), (-40, top), wall)
        colour, lit = chance.choice(lights), chance.uniform(0.1, 0.38)
        for column in range(int(wide / 0.9)):
            for floor in range(24):
                z = top - 1.2 - 1.25 * floor
                if z < -0.24 * y or chance.random() > lit:
                    continue
                at = x + 0.35 + 0.9 * column
                own = colour if chance.random() < 0.75 else chance.choice(lights)
                glow = chance.choice((1.0, 2.0, 2.0, 4.0)) * (1 - 0.5 * haze)
                studio.box((at, at + 0.5), (y - 0.06, y), (z, z + 0.75), studio.material(own, 1, glow=round(glow, 1)))
    # In the room: a lamp on the sill, a plant.
    studio.rod((0.6, 1.75, 0.86), 0.014, 0.5, studio.material((0.5, 0.36, 0.15), 0.3, metal=1))
    studio.rod((0.6, 1.75, 1.22), 0.15, 0.24, studio.material((1.0, 0.42, 0.13), 0.9, glow=1.5))
    studio.plant(-0.85, 1.75, 0.6, 1.0)
    studio.light((0.6, 1.6, 1.4), (-0.6, 1.9, 0.7), 0.3, 7, (1.0, 0.55, 0.25))
    studio.light((-2.6, -1, 2.6), (-1.0, 2, 0.9), 1.5, 10, (0.6, 0.66, 1.0))
    studio.sky((0.08, 0.1, 0.2), 0.3)
    return 0.6


# How far out of focus: a window far away needs less.
ROOMS: dict[str, tuple[Callable[[Studio], float], float]] = {
    "study": (study, 0.55),
    "office": (office, 0.8),
    "evening": (evening, 1.0),
}


def pack(folder: Path) -> None:
    """PNG to WebP, as good as MAX_BYTES allow."""
    from PIL import Image

    TARGET.mkdir(exist_ok=True)
    for name in ROOMS:
        source = folder / f"{name}.png"
        if not source.exists():
            continue
        # Nothing in it is sharper than a few pixels: enlarging it loses nothing, while coding it small would show.
        picture = Image.open(source).convert("RGB").resize((SIDE, SIDE), Image.Resampling.LANCZOS)
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
    parser.add_argument("--size", type=int, default=720)
    parser.add_argument("--samples", type=int, default=24)
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
