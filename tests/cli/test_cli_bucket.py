"""``visavis project bucket`` and ``erase``: what they keep, show and refuse, with a real S3 server."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_command import refused
from cli_command import visavis as command
from typer.testing import CliRunner, Result

from visavis.cli.main import app
from visavis.errors import VisavisError

sys.path.append(str(Path(__file__).parents[1] / "api"))

from bucket_server import BUCKET, BucketServer, bucket_server


@pytest.fixture(scope="module")
def store() -> Iterator[BucketServer]:
    with bucket_server() as server:
        yield server


def visavis(*arguments: str | Path, **variables: str) -> Result:
    """The command in this process: many processes would take a minute."""
    return CliRunner(env=variables).invoke(app, [str(argument) for argument in arguments])


def said_no(done: Result, *words: str) -> None:
    assert isinstance(done.exception, VisavisError), done.output
    for word in words:
        assert word in str(done.exception)
    assert done.stdout == ""


def test_the_store_is_set_shown_and_removed_and_its_secret_never_seen(tmp_path: Path, store: BucketServer) -> None:
    def bucket(*arguments: str, **variables: str) -> str:
        done = visavis("project", "bucket", "p1", "--data", tmp_path, *arguments, **variables)
        assert done.exit_code == 0, done.output
        assert store.secret not in done.stdout + done.stderr
        return done.stdout

    assert visavis("project", "create", "p1", "--data", tmp_path).exit_code == 0
    said_no(visavis("project", "bucket", "p1", "--data", tmp_path), "no store", "--endpoint")
    place = ("--endpoint", store.endpoint, "--access-key", store.key)
    wrong = visavis(
        "project", "bucket", "p1", "--data", tmp_path, *place, "--try", BUCKET, VISAVIS_BUCKET_SECRET="wrong"
    )
    said_no(wrong, "signature")
    said_no(visavis("project", "bucket", "p1", "--data", tmp_path), "no store")

    bucket(*place, "--try", BUCKET, "--alias", "obs.example", VISAVIS_BUCKET_SECRET=store.secret)
    shown = json.loads(bucket("--json"))
    assert shown == {
        "project_id": "p1",
        "endpoint": store.endpoint,
        "region": "us-east-1",
        "path_style": True,
        "access_key": store.key,
        "aliases": ["https://obs.example"],
    }
    assert store.endpoint in bucket()
    assert not any(store.secret.encode() in path.read_bytes() for path in tmp_path.iterdir())
    assert "--secret" not in visavis("project", "bucket", "--help").stdout
    log = visavis("audit", "--data", tmp_path).stdout
    assert "project bucket" in log
    bucket("--remove")
    said_no(visavis("project", "bucket", "p1", "--data", tmp_path, "--remove"), "no store")


@pytest.mark.parametrize(
    ("project", "endpoint", "words"),
    [
        ("p1", "ftp://store.example", "https://host"),
        ("p1", "https://store.example/bucket", "scheme, host and port"),
        ("p1", "https://key:secret@store.example", "scheme, host and port"),
        ("p1", "https://store.example:99999", "no URL"),
        ("nowhere", "https://store.example", "no project"),
    ],
)
def test_what_cannot_be_a_store_is_refused(tmp_path: Path, project: str, endpoint: str, words: str) -> None:
    visavis("project", "create", "p1", "--data", tmp_path)
    done = visavis(
        "project", "bucket", project, "--data", tmp_path, "--endpoint", endpoint, "--access-key", "k",
        VISAVIS_BUCKET_SECRET="hush",
    )  # fmt: skip
    said_no(done, words)
    assert "hush" not in str(done.exception)


def test_the_secret_is_read_from_the_standard_input(tmp_path: Path, store: BucketServer) -> None:
    visavis("project", "create", "p1", "--data", tmp_path)
    place = [
        "project",
        "bucket",
        "p1",
        "--data",
        str(tmp_path),
        "--endpoint",
        store.endpoint,
        "--access-key",
        store.key,
    ]
    done = CliRunner().invoke(app, [*place, "--try", BUCKET], input=f"{store.secret}\n")
    assert done.exit_code == 0, done.output
    said_no(CliRunner().invoke(app, place, input=""), "standard input")


def test_failures_end_in_one_line(tmp_path: Path) -> None:
    refused(command("project", "bucket", "p1", "--data", tmp_path), "p1", "no store", "--endpoint")


def test_erase_says_what_it_did(tmp_path: Path) -> None:
    visavis("project", "create", "p1", "--data", tmp_path)
    done = visavis("project", "erase", "p1", "--user-id", "nobody", "--data", tmp_path, "--json")
    assert json.loads(done.stdout) == {"turns": 0, "recordings": 0, "objects": 0, "left": 0}
    said_no(visavis("project", "erase", "p2", "--user-id", "nobody", "--data", tmp_path), "no project")
    assert visavis("project", "erase", "p1", "--user-id", "", "--data", tmp_path).exit_code == 2
