"""Every command explains itself, and every setting can come from the environment."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import typer
from cli_command import refused
from cli_command import visavis as visavis_command
from typer.testing import CliRunner

import visavis
from visavis.cli.main import app
from visavis.settings import Settings

ROOT: Any = typer.main.get_command(app)


def commands(command: Any, *names: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    yield names, command
    for name, sub in getattr(command, "commands", {}).items():
        yield from commands(sub, *names, name)


ACTIONS = {"version", "install_completion", "show_completion"}
"""Options that are asked for, not set."""
ALL = dict(commands(ROOT))


def options(command: Any) -> list[Any]:
    return [param for param in command.params if param.param_type_name == "option" and param.name not in ACTIONS]


def test_the_commands_of_the_issue_exist() -> None:
    wanted = {("serve",), ("demo",), ("bench",), ("key", "create"), ("avatar", "bake")}
    wanted |= {("avatar", name) for name in ("list", "check")} | {("models", n) for n in ("list", "assemble", "verify")}
    assert wanted <= ALL.keys()


@pytest.mark.parametrize("names", ALL, ids=" ".join)
def test_help(names: tuple[str, ...]) -> None:
    done = CliRunner(env={"COLUMNS": "200", "NO_COLOR": "1"}).invoke(app, [*names, "--help"])
    assert done.exit_code == 0, done.output
    for option in options(ALL[names]):
        assert option.opts[0] in done.output
        assert option.envvar, f"{option.opts[0]} cannot be set in the environment"
        assert f"env var: {option.envvar}" in done.output
    for name, sub in getattr(ALL[names], "commands", {}).items():
        assert name in done.output
        assert sub.help, f"{name} says nothing about itself"


def test_every_flag_of_serve_sets_the_setting_of_its_name() -> None:
    of_the_command = {"VISAVIS_DEMO_ROOM", "VISAVIS_JSON"}
    flags = {option.name: option.envvar for option in options(ALL[("serve",)])}
    assert of_the_command < set(flags.values())
    settings = {name: variable for name, variable in flags.items() if variable not in of_the_command}
    assert settings.keys() <= Settings.model_fields.keys()
    assert all(variable == f"VISAVIS_{name.upper()}" for name, variable in settings.items())


def test_the_command_itself_in_its_own_process() -> None:
    done = visavis_command("--version")
    assert (done.returncode, done.stdout.strip()) == (0, visavis.__version__)
    done = visavis_command("serve", "--help", VISAVIS_LOG_LEVEL="nonsense")
    assert done.returncode == 0, "help is there when the settings are wrong, too"
    done = visavis_command("serv")
    assert done.returncode == 2
    assert "No such command" in done.stderr
    done = visavis_command("serve", VISAVIS_PORT="many")
    assert done.returncode == 2
    assert "VISAVIS_PORT" in done.stderr


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"VISAVIS_LOG_LEVEL": "LOUD"}, ["VISAVIS_LOG_LEVEL", "DEBUG, INFO, WARNING, ERROR"]),
        ({"VISAVIS_WORKERS": "0", "VISAVIS_HEARTBEAT_S": "x"}, ["VISAVIS_WORKERS", "VISAVIS_HEARTBEAT_S"]),
        ({"VISAVIS_URL_ALLOW": "model.lan"}, ["VISAVIS_URL_ALLOW", "JSON"]),
        ({"VISAVIS_URL_ALLOW": '["http://model.lan"]'}, ["url_allow", "http://model.lan"]),
        ({"VISAVIS_UDP_PORTS": "5-1"}, ["udp_ports", "5-1"]),
        ({"VISAVIS_TLS_CERT": "/nowhere.pem"}, ["VISAVIS_TLS_CERT", "/nowhere.pem"]),
        ({"VISAVIS_TLS_KEY": __file__}, ["VISAVIS_TLS_CERT", "certificate"]),
        ({"VISAVIS_TLS": "yes"}, ["VISAVIS_TLS"]),
    ],
    ids=lambda value: "" if isinstance(value, list) else " ".join(value),
)
def test_settings_that_cannot_be_used(variables: dict[str, str], words: list[str]) -> None:
    refused(visavis_command("models", "list", **variables), *words)


def test_a_wrong_setting_s_value_is_not_repeated() -> None:
    # A list of tokens that somebody forgot to quote as JSON must not end in a log.
    done = visavis_command("models", "list", VISAVIS_STT_OPTIONS="api-key-123")
    refused(done, "VISAVIS_STT_OPTIONS")
    assert "api-key-123" not in done.stderr


def test_bench_of_something_unknown() -> None:
    refused(visavis_command("bench", "weather"), "'weather'", "avatar, lips, media, speech")
