# mypy: ignore-errors
# Runs in the bake environment only, where numpy is older and bpy has no types.
"""Small helpers to build shader trees and meshes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import bpy
import numpy as np

from visavis.avatar.studio.blender.body import Human, vertex_normals

Colour = Sequence[float]


def rgba(colour: Colour) -> tuple[float, float, float, float]:
    """``colour`` with an opaque alpha."""
    return (colour[0], colour[1], colour[2], 1.0)


class Shader:
    """A Principled material under construction.

    ``follow``: patterns stick to the surface (attribute "rest" of a :class:`Part`) instead of staying put in space while it moves.
    """

    def __init__(self, name: str, follow: bool = False) -> None:
        self.material = bpy.data.materials.new(name)
        self.material.use_nodes = True
        self.tree = self.material.node_tree
        self.principled = self.tree.nodes["Principled BSDF"]
        self._coordinates = None
        self._follow = follow

    def set(self, **values: object) -> None:
        """Set inputs of the Principled node: ``subsurface_weight=1`` is its input "Subsurface Weight"."""
        for key, value in values.items():
            name = {"ior": "IOR", "specular": "Specular IOR Level"}.get(key, key.replace("_", " ").title())
            self.wire(value, self.principled.inputs[name])

    def node(self, kind: str, **fields: object):
        node = self.tree.nodes.new(kind)
        for name, value in fields.items():
            setattr(node, name, value)
        return node

    def wire(self, source: object, socket: object) -> None:
        """Link an output, or set a constant."""
        if hasattr(source, "is_output"):
            self.tree.links.new(source, socket)
        else:
            socket.default_value = source

    @property
    def position(self):
        """Object coordinates (of the neutral pose, if the material follows the surface)."""
        if self._coordinates is None:
            if self._follow:
                self._coordinates = self.node("ShaderNodeAttribute", attribute_name="rest").outputs["Vector"]
            else:
                self._coordinates = self.node("ShaderNodeTexCoord").outputs["Object"]
        return self._coordinates

    @property
    def axes(self):
        """x, y and z of :attr:`position`."""
        split = self.node("ShaderNodeSeparateXYZ")
        self.wire(self.position, split.inputs[0])
        return tuple(split.outputs)

    def scaled(self, scale: Sequence[float]):
        node = self.node("ShaderNodeMapping")
        self.wire(self.position, node.inputs["Vector"])
        node.inputs["Scale"].default_value = scale
        return node.outputs[0]

    def noise(self, scale: float, detail: float = 4, vector: object = None):
        node = self.node("ShaderNodeTexNoise")
        node.inputs["Scale"].default_value = scale
        node.inputs["Detail"].default_value = detail
        self.wire(vector or self.position, node.inputs["Vector"])
        return node.outputs[0]

    def voronoi(self, scale: float, feature: str = "F1"):
        node = self.node("ShaderNodeTexVoronoi", feature=feature)
        node.inputs["Scale"].default_value = scale
        self.wire(self.position, node.inputs["Vector"])
        return node.outputs[0]

    def attribute(self, name: str):
        return self.node("ShaderNodeAttribute", attribute_name=name).outputs["Fac"]

    def texture(self, path: Path):
        node = self.node("ShaderNodeTexImage")
        node.image = bpy.data.images.load(str(path), check_existing=True)
        node.image.colorspace_settings.name = "Non-Color"
        return node.outputs[0]

    def math(self, operation: str, first: object, second: object = 0.0):
        node = self.node("ShaderNodeMath", operation=operation)
        self.wire(first, node.inputs[0])
        self.wire(second, node.inputs[1])
        return node.outputs[0]

    def ranged(self, value: object, low: float, high: float, to_low: float = 0.0, to_high: float = 1.0):
        node = self.node("ShaderNodeMapRange")
        self.wire(value, node.inputs[0])
        for index, number in enumerate((low, high, to_low, to_high), 1):
            node.inputs[index].default_value = number
        return node.outputs[0]

    def mix(self, first: object, second: object, factor: object):
        node = self.node("ShaderNodeMix", data_type="RGBA")
        self.wire(first, node.inputs[6])
        self.wire(second, node.inputs[7])
        self.wire(factor, node.inputs[0])
        return node.outputs[2]

    def lerp(self, first: object, second: object, factor: object):
        node = self.node("ShaderNodeMix", data_type="FLOAT")
        self.wire(factor, node.inputs[0])
        self.wire(first, node.inputs[2])
        self.wire(second, node.inputs[3])
        return node.outputs[0]

    def fold(self, operation: str, *values: object):
        """``values`` joined by a math operation: ``fold("ADD", a, b, c)``."""
        out = values[0]
        for value in values[1:]:
            out = self.math(operation, out, value)
        return out

    def bump(self, height: object, strength: float, distance: float, under: object = None):
        node = self.node("ShaderNodeBump")
        node.inputs["Strength"].default_value = strength
        node.inputs["Distance"].default_value = distance
        self.wire(height, node.inputs["Height"])
        if under is not None:
            self.wire(under, node.inputs["Normal"])
        return node.outputs[0]


def add_object(name: str, data: object):
    """A new object of the scene."""
    item = bpy.data.objects.new(name, data)
    bpy.context.scene.collection.objects.link(item)
    return item


def mesh_object(name: str, vertices: np.ndarray, faces: list[list[int]]):
    """A smooth-shaded mesh object."""
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata(np.asarray(vertices).tolist(), [], faces)
    for polygon in mesh.polygons:
        polygon.use_smooth = True
    return add_object(name, mesh)


class Part:
    """A part of the human's mesh as an object that follows the pose."""

    def __init__(
        self, human: Human, name: str, selected: np.ndarray, *, offset: float = 0.0, levels: int = 2, shift: float = 0.0
    ) -> None:
        self.faces = [human.faces[i] for i in selected]
        corners = np.concatenate([np.array(face) for face in self.faces])
        self.ids = np.unique(corners)
        self.shift = shift
        index = {int(vertex): position for position, vertex in enumerate(self.ids)}
        points = human.vertices
        if offset:
            points = points + offset * vertex_normals(points, self.faces)
        self.object = mesh_object(
            name, self._moved(points[self.ids]), [[index[i] for i in face] for face in self.faces]
        )
        rest = self.object.data.attributes.new("rest", "FLOAT_VECTOR", "POINT")
        rest.data.foreach_set("vector", human.vertices[self.ids].astype(np.float32).ravel())
        layer = self.object.data.uv_layers.new(name="UVMap")
        uv = np.concatenate([np.array(human.face_uv[i]) for i in selected])
        layer.data.foreach_set("uv", human.uv[uv].astype(np.float32).ravel())
        if levels:
            modifier = self.object.modifiers.new("subdivision", "SUBSURF")
            modifier.levels = 1
            modifier.render_levels = levels

    def _moved(self, points: np.ndarray) -> np.ndarray:
        return points + np.array([0.0, 0.0, self.shift])

    def pose(self, vertices: np.ndarray) -> None:
        self.object.data.vertices.foreach_set("co", self._moved(vertices[self.ids]).astype(np.float32).ravel())
        self.object.data.update()

    def freeze(self, levels: int, smooth: int = 0) -> None:
        """Make the subdivided (and smoothed) mesh the object's own, so that vertex attributes are fine."""
        self.object.modifiers.clear()
        if smooth:
            modifier = self.object.modifiers.new("smooth", "SMOOTH")
            modifier.factor = 0.5
            modifier.iterations = smooth
        modifier = self.object.modifiers.new("subdivision", "SUBSURF")
        modifier.levels = levels
        graph = bpy.context.evaluated_depsgraph_get()
        mesh = bpy.data.meshes.new_from_object(self.object.evaluated_get(graph))
        self.object.modifiers.clear()
        self.object.data = mesh
        for polygon in mesh.polygons:
            polygon.use_smooth = True


def coordinates(item: object) -> np.ndarray:
    """The vertices of a mesh object."""
    out = np.empty(len(item.data.vertices) * 3, np.float32)
    item.data.vertices.foreach_get("co", out)
    return out.reshape(-1, 3)


def set_attribute(mesh: object, name: str, values: np.ndarray) -> None:
    """Give each vertex a number that shaders can read."""
    attribute = mesh.attributes.new(name, "FLOAT", "POINT")
    attribute.data.foreach_set("value", np.asarray(values, np.float32))


def curves_object(name: str, paths: np.ndarray, radius: np.ndarray, material: object):
    """Hair curves: ``paths`` (strands, points, 3), ``radius`` for each point."""
    strands, points, _ = paths.shape
    curves = bpy.data.hair_curves.new(name)
    curves.add_curves([points] * strands)
    curves.position_data.foreach_set("vector", paths.astype(np.float32).ravel())
    attribute = curves.attributes.get("radius") or curves.attributes.new("radius", "FLOAT", "POINT")
    attribute.data.foreach_set("value", np.broadcast_to(radius, (strands, points)).astype(np.float32).ravel())
    curves.materials.append(material)
    return add_object(name, curves)


def move_curves(item: object, paths: np.ndarray) -> None:
    """Put new points into a hair curves object."""
    item.data.position_data.foreach_set("vector", paths.astype(np.float32).ravel())
    item.data.update_tag()
