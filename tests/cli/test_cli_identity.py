"""``visavis key|user|project|secrets|audit``, as an operator types them, on both databases where they store something."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest
from cli_command import environment, refused
from typer.testing import CliRunner

from visavis.cli.main import app
from visavis.errors import VisavisError
from visavis.settings import Settings
from visavis.store import identity, tokens
from visavis.store.commands import run as in_store
from visavis.store.database import Database

T = TypeVar("T")


class Shell:
    """Commands on one data folder, in this process: starting one of its own takes a second each."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def __call__(self, *words: str, stdin: str = "") -> str:
        """What the command prints on standard output; it must work."""
        variables = {"VISAVIS_DATA": str(self.settings.data), "VISAVIS_DATABASE_URL": self.settings.database_url}
        done = CliRunner(env=variables).invoke(app, list(words), input=stdin, catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.stdout

    def json(self, *words: str) -> Any:
        return json.loads(self(*words, "--json"))

    def fails(self, *words: str, stdin: str = "") -> str:
        """The one line that an expected failure ends in."""
        with pytest.raises(VisavisError) as caught:
            self(*words, stdin=stdin)
        return str(caught.value)

    def store(self, work: Callable[[Database], Awaitable[T]]) -> T:
        return in_store(self.settings, work)


@pytest.fixture
def shell(tmp_path: Path, database_url: str) -> Shell:
    return Shell(Settings(data=tmp_path, database_url=database_url))


def test_projects(shell: Shell) -> None:
    assert shell("project", "list") == ""
    shell("project", "create", "p1", "--name", "cn-north-4")
    shell("project", "create", "p2")
    shell("key", "create", "--project", "p1")
    listed = shell.json("project", "list")
    assert [(row["id"], row["name"], row["users"], row["keys"]) for row in listed] == [
        ("p1", "cn-north-4", 0, 1),
        ("p2", "p2", 0, 0),
    ]
    head, first, _ = shell("project", "list").splitlines()
    assert head.split() == ["ID", "NAME", "USERS", "KEYS", "CREATED_AT"]
    assert first.split()[:4] == ["p1", "cn-north-4", "0", "1"]
    assert "already" in shell.fails("project", "create", "p1")
    assert "named 'cn-north-4'" in shell.fails("project", "create", "p3", "--name", "cn-north-4")
    assert "letters" in shell.fails("project", "create", "a b")


def test_users_and_their_roles(shell: Shell) -> None:
    told = shell("user", "create", "ann", "--project", "p1", stdin="correct horse\n")
    assert "operator" in told
    shell("user", "create", "bob", "--project", "p1", "--role", "viewer", stdin="battery staple\n")
    shell("project", "create", "p2")
    shell("user", "role", "bob", "admin", "--project", "p2")
    rows = [(row["name"], row["project_id"], row["role"]) for row in shell.json("user", "list")]
    assert rows == [("ann", "p1", "operator"), ("bob", "p1", "viewer"), ("bob", "p2", "admin")]
    assert [row["name"] for row in shell.json("user", "list", "--project", "p2")] == ["bob"]
    shell("user", "remove", "bob", "--project", "p1")
    shell("user", "remove", "ann", "--project", "p1")
    rows = [(row["name"], row["project_id"], row["role"]) for row in shell.json("user", "list")]
    assert rows == [("ann", "", ""), ("bob", "p2", "admin")]
    for words, complaint in (
        (("user", "create", "ann", "--project", "p1"), "already"),
        (("user", "create", "eve", "--project", "a/b"), "project id"),
        (("user", "create", "e\tve", "--project", "p1"), "printable"),
        (("user", "role", "eve", "viewer", "--project", "p1"), "no user 'eve'"),
        (("user", "role", "bob", "viewer", "--project", "p9"), "no project 'p9'"),
        (("user", "remove", "bob", "--project", "p1"), "not in project 'p1'"),
        (("user", "logout", "eve"), "no user 'eve'"),
        (("user", "password", "eve"), "no user 'eve'"),
    ):
        assert complaint in shell.fails(*words, stdin="long enough\n"), words


def test_passwords_come_from_the_standard_input(shell: Shell) -> None:
    shell("user", "create", "ann", "--project", "p1", stdin="correct horse\n")
    user = shell.store(lambda database: identity.find_user(database, "ann"))
    assert user is not None
    token = shell.store(lambda database: tokens.issue(database, user.id, "p1", 1.0, 60.0))
    printed = shell("user", "password", "ann", stdin="battery staple \n")
    assert "battery" not in printed
    changed = shell.store(lambda database: identity.find_user(database, "ann"))
    assert changed is not None
    assert identity.password_matches(changed.password_hash, "battery staple "), "a space at its end belongs to it"
    assert shell.store(lambda database: tokens.find(database, token, 2.0)) is None
    for stdin, complaint in (("", "none"), ("\n", "none"), ("short\n", "8 to 128")):
        assert complaint in shell.fails("user", "password", "ann", stdin=stdin)
    done = CliRunner().invoke(app, ["user", "password", "ann", "as an argument"])
    assert done.exit_code == 2


def test_logout(shell: Shell) -> None:
    shell("user", "create", "ann", "--project", "p1", stdin="correct horse\n")
    user = shell.store(lambda database: identity.find_user(database, "ann"))
    assert user is not None
    token = shell.store(lambda database: tokens.issue(database, user.id, "p1", 1.0, 60.0))
    shell("user", "logout", "ann")
    assert shell.store(lambda database: tokens.find(database, token, 2.0)) is None


def test_keys_from_making_to_revoking(shell: Shell) -> None:
    first = shell.json("key", "create", "--project", "p1")
    shell("user", "create", "ann", "--project", "p1", stdin="correct horse\n")
    second = shell.json("key", "create", "--project", "p1", "--user", "ann", "--role", "viewer")
    shell.json("key", "create", "--project", "p2")
    rows = shell.json("key", "list", "--project", "p1")
    assert [(row["ak"], row["user"], row["role"], row["state"]) for row in rows] == [
        (first["ak"], "", "admin", "valid"),
        (second["ak"], "ann", "viewer", "valid"),
    ]
    assert len(shell.json("key", "list")) == 3
    for secret in (first["sk"], second["sk"]):
        assert secret not in shell("key", "list")

    successor = shell.json("key", "rotate", second["ak"], "--grace-hours", "2")
    assert successor["sk"] != second["sk"]
    rows = {row["ak"]: row for row in shell.json("key", "list")}
    assert rows[second["ak"]]["state"] == "ending"
    assert rows[second["ak"]]["expires_at"]
    assert (rows[successor["ak"]]["user"], rows[successor["ak"]]["role"]) == ("ann", "viewer")
    shell("key", "rotate", first["ak"], "--grace-hours", "0")
    assert {row["ak"]: row["state"] for row in shell.json("key", "list")}[first["ak"]] == "ended"

    shell("key", "revoke", successor["ak"])
    assert {row["ak"]: row["state"] for row in shell.json("key", "list")}[successor["ak"]] == "revoked"
    assert "revoked already" in shell.fails("key", "revoke", successor["ak"])
    assert "no valid access key" in shell.fails("key", "rotate", successor["ak"])
    assert "not in project 'p2'" in shell.fails("key", "create", "--project", "p2", "--user", "ann")


def test_every_change_is_in_the_audit_log(shell: Shell) -> None:
    key = shell.json("key", "create", "--project", "p1")
    shell("user", "create", "ann", "--project", "p1", stdin="correct horse\n")
    shell("user", "role", "ann", "viewer", "--project", "p1")
    shell("key", "list")
    shell.fails("key", "revoke", "UNKNOWN")
    shell("key", "revoke", key["ak"])
    rows = shell.json("audit")
    assert [(row["operation"], row["project_id"], row["target"], row["who"]) for row in rows] == [
        ("key revoke", "p1", key["ak"], "command line"),
        ("user role viewer", "p1", "ann", "command line"),
        ("user create", "p1", "ann", "command line"),
        ("key create", "p1", key["ak"], "command line"),
    ]
    for secret in (key["sk"], "correct horse"):
        assert secret not in json.dumps(rows)
    assert [row["target"] for row in shell.json("audit", "--operation", "user create")] == ["ann"]
    assert len(shell.json("audit", "--limit", "1")) == 1
    assert len(shell.json("audit", "--since", "1h", "--target", key["ak"])) == 2
    assert shell.json("audit", "--until", "2020-01-01T00:00:00Z") == []
    assert shell.json("audit", "--failed") == shell.json("audit", "--project", "p9") == []
    assert shell("audit").splitlines()[0].split()[:3] == ["AT", "PROJECT_ID", "WHO"]
    for wrong in ("yesterday", "5", "2020-01-01T00:00:00"):
        assert "--since" in shell.fails("audit", "--since", wrong)


def test_new_keys_for_stored_secrets(shell: Shell) -> None:
    key = shell.json("key", "create", "--project", "p1")
    (old,) = shell.json("secrets", "status")
    assert (old["newest"], old["secrets"]) == (True, 2)
    assert shell("secrets", "rotate").startswith("2 secrets")
    new, kept = shell.json("secrets", "status")
    assert (new["newest"], new["secrets"], kept["key"], kept["secrets"]) == (True, 2, old["key"], 0)
    assert shell("secrets", "prune").startswith("1 older key")
    assert [row["key"] for row in shell.json("secrets", "status")] == [new["key"]]
    found = shell.store(lambda database: identity.find_key(database, key["ak"], 1.0))
    assert found is not None
    assert found.sk == key["sk"]
    assert [row["operation"] for row in shell.json("audit")][:2] == ["secrets prune", "secrets rotate"]


def test_tables_back_and_forward(shell: Shell) -> None:
    shell("database", "upgrade")
    shell("project", "create", "p1")
    assert "no revision '0815'" in shell.fails("database", "downgrade", "0815")
    shell("database", "downgrade", "0002")
    shell("database", "upgrade")
    assert [row["id"] for row in shell.json("project", "list")] == ["p1"]


def test_a_password_at_a_terminal_is_asked_for_twice_and_not_shown(tmp_path: Path) -> None:
    here, there = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "visavis.cli.main", "user", "create", "ann", "--project", "p1", "--data", str(tmp_path)],
        env=environment(), stdin=there, stdout=there, stderr=there, start_new_session=True,
    )  # fmt: skip
    os.close(there)
    shown = b""

    def until(words: bytes) -> None:
        nonlocal shown
        while words not in shown:
            shown += os.read(here, 1024)

    until(b"Password: ")  # the space comes when typing is no longer shown
    os.write(here, b"correct horse\n")
    until(b"Repeat for confirmation: ")
    os.write(here, b"correct horse\n")
    until(b"user ann is there")
    assert process.wait(60) == 0
    os.close(here)
    assert b"horse" not in shown


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("postgresql://nobody:very-secret@127.0.0.1:1/none", ["the database cannot be used"]),
        ("mysql://somewhere/none", ["the database cannot be used"]),
        ("nonsense", ["the database cannot be used"]),
    ],
)
def test_a_database_that_cannot_be_used(tmp_path: Path, url: str, words: list[str]) -> None:
    command = [sys.executable, "-m", "visavis.cli.main", "key", "list", "--data", str(tmp_path)]
    done = subprocess.run(command, env=environment(VISAVIS_DATABASE_URL=url), capture_output=True, text=True)
    refused(done, *words)
    assert "very-secret" not in done.stderr
