"""Bowen, the second shipped character: his file fits the scene scripts, and the mesh takes his shape."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from visavis.avatar.studio import banks, character, environment
from visavis.avatar.studio.bake import place
from visavis.avatar.studio.character import Character
from visavis.avatar.studio.darkroom import Darkroom
from visavis.avatar.studio.styles import STYLES

SCRIPTS = Path(character.__file__).parent / "blender"
BAKE_PYTHON = environment._python(environment._folder())


@pytest.fixture(scope="module")
def bowen() -> Character:
    return character.load(character.find("bowen"))


def script(name: str) -> ast.Module:
    return ast.parse((SCRIPTS / f"{name}.py").read_text(encoding="utf-8"))


def numbers_read(tree: ast.Module) -> set[str]:
    """Keys that a scene script cannot do without: look["key"]."""
    return {
        str(node.slice.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Subscript)
        and isinstance(node.value, ast.Name)
        and node.value.id == "look"
        and isinstance(node.slice, ast.Constant)
    }


def test_he_is_shipped_and_is_not_mira(bowen: Character) -> None:
    mira = character.load(character.find("mira"))
    assert (bowen.id, bowen.name, bowen.licence) == ("bowen", "Bowen", "CC0-1.0")
    assert bowen.canvas == mira.canvas
    assert any("male-old" in name for name in bowen.shape)
    assert (bowen.hair["style"], bowen.clothes["style"]) != (mira.hair["style"], mira.clothes["style"])
    assert bowen.light != mira.light


@pytest.mark.parametrize(("section", "function"), [("hair", "grow"), ("clothes", "dress")])
def test_his_styles_are_there_and_have_all_their_numbers(bowen: Character, section: str, function: str) -> None:
    look: dict[str, Any] = getattr(bowen, section)
    tree = script(STYLES[section][look["style"]])
    assert function in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    needed = numbers_read(tree)
    assert len(needed) > 5
    assert needed <= set(look)
    # What no script reads would be a number that does nothing.
    scalp = set(re.findall(r'look(?:\.get\(|\[)"(\w+)"', (SCRIPTS / "scalp.py").read_text())) | {"style", "strands"}
    assert set(look) <= needed | (scalp if section == "hair" else {"style"})


@pytest.mark.parametrize(("name", "section"), [("skin", "skin"), ("brows", "brows"), ("lashes", "lashes")])
def test_the_shared_scripts_find_their_numbers(bowen: Character, name: str, section: str) -> None:
    assert numbers_read(script(name)) - {"count", "length", "curl", "fan", "radius"} <= set(getattr(bowen, section))


def test_both_sides_of_the_face_have_their_shape(bowen: Character) -> None:
    for name, weight in bowen.shape.items():
        if "/l-" in name:
            assert abs(bowen.shape[name.replace("/l-", "/r-")] - weight) < 0.05, name


def test_the_roll_neck_is_folded_everywhere(bowen: Character) -> None:
    look = bowen.clothes
    assert len(look["angle"]) == len(look["top"]) == len(look["edge"]) == len(look["flare"])
    assert np.all(np.diff(look["angle"]) > 0)
    assert np.all(np.array(look["top"]) - np.array(look["edge"]) >= 0.028)


def test_his_hair_is_grey_at_the_sides_and_recedes(bowen: Character) -> None:
    look = bowen.hair
    brightness = [sum(shade) for shade in look["shades"]]
    assert brightness == sorted(brightness)
    assert look["grey_sides"] > look["grey_top"] + 0.2
    line = np.array(look["line_y"]), np.array(look["line_z"])
    assert np.all(np.diff(line[0]) > 0)
    # The corners of the forehead are barer than its middle.
    assert np.interp(-0.106, *line) > np.interp(-0.120, *line)


@pytest.mark.skipif(not BAKE_PYTHON.exists(), reason="the bake environment is not installed")
def test_the_scene_is_built_and_his_face_is_where_the_banks_expect_it(bowen: Character, tmp_path: Path) -> None:
    few = {
        "mouth": [entry.weights for entry in banks.MOUTHS if entry.id in ("rest", "aa", "ou", "pp")],
        "eyes": [entry.weights for entry in banks.EYES if entry.id in ("open", "blink_100", "brows_up")],
    }
    cropped = bowen.model_copy(update={"hair": {**bowen.hair, "strands": 600, "locks": 40}})  # the face is the same
    layout = Darkroom(cropped, tmp_path).layout(few)
    at = {name: np.array(point) for name, point in layout["anchors"].items()}
    apart = at["right_eye"][0] - at["left_eye"][0]
    assert 120 < apart < 260
    assert abs(at["left_eye"][1] - at["right_eye"][1]) < 1
    assert at["crown"][1] < at["left_eye"][1] < at["nose"][1] < at["mouth"][1] < at["chin"][1] < at["neck"][1]
    x, y, width, height = bowen.views.portrait
    for name, point in at.items():
        assert x < point[0] < x + width, name
        assert y < point[1] < y + height, name
    boxes = place(layout, (bowen.canvas.width, bowen.canvas.height))
    mouth, eyes = boxes["mouth"], boxes["eyes"]
    assert eyes[1] + eyes[3] <= mouth[1] + 1
    assert mouth[1] < at["mouth"][1] < at["chin"][1] < mouth[1] + mouth[3]
