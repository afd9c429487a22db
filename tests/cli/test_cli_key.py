"""``visavis key create``, and what a data folder holds afterwards."""

from __future__ import annotations

import asyncio
import json
import stat
from pathlib import Path

import pytest
from cli_command import refused, visavis

from visavis.settings import Settings
from visavis.store import identity
from visavis.store.database import Database
from visavis.store.identity import AccessKey


def stored(data: Path, ak: str, **settings: str) -> AccessKey | None:
    """The key as the server's signature check finds it."""

    async def look() -> AccessKey | None:
        database = await Database.open(Settings(data=data, **settings))  # type: ignore[arg-type]
        try:
            return await identity.find_key(database, ak, 0.0)
        finally:
            await database.close()

    return asyncio.run(look())


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_json_is_the_key_and_nothing_else_and_the_store_knows_it(tmp_path: Path) -> None:
    data = tmp_path / "new" / "data"
    done = visavis("key", "create", "--data", data, "--project", "p1", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    printed = json.loads(done.stdout)
    assert set(printed) == {"ak", "sk", "project_id"}
    assert printed["project_id"] == "p1"
    assert stored(data, printed["ak"]) == AccessKey(**printed)

    files = [path for path in data.rglob("*") if path.is_file()]
    assert (data / "visavis.sqlite3") in files
    for path in files:
        assert printed["sk"].encode() not in path.read_bytes(), f"the SK is in {path.name} in clear"
    assert printed["ak"].encode() in b"".join(path.read_bytes() for path in files), "the search finds what is in clear"
    assert mode(data) == 0o700
    assert mode(data / "secret.key") == 0o600


def test_each_call_makes_another_key_also_by_environment(tmp_path: Path) -> None:
    first, second = (
        visavis("key", "create", VISAVIS_DATA=str(tmp_path), VISAVIS_PROJECT="p1", VISAVIS_JSON="1") for _ in range(2)
    )
    keys = [json.loads(done.stdout) for done in (first, second)]
    assert keys[0]["ak"] != keys[1]["ak"]
    for key in keys:
        assert stored(tmp_path, key["ak"]) == AccessKey(**key)


def test_words_for_people_keep_the_hint_out_of_the_output(tmp_path: Path) -> None:
    done = visavis("key", "create", "--data", tmp_path, "--project", "p1")
    rows = dict(line.split() for line in done.stdout.splitlines())
    found = stored(tmp_path, rows["AK"])
    assert found
    assert (found.sk, found.project_id) == (rows["SK"], rows["project_id"])
    assert "not shown again" in done.stderr
    assert rows["SK"] not in done.stderr


def test_logs_go_to_standard_error_as_json(tmp_path: Path) -> None:
    done = visavis("key", "create", "--data", tmp_path, "--project", "p1", "--json", VISAVIS_LOG_LEVEL="info")
    assert json.loads(done.stdout).keys() == {"ak", "sk", "project_id"}
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert lines, "the first call makes the tables, and says so"
    assert all(line["level"] == "info" and line["event"] for line in lines)


def test_a_secret_key_of_the_operator_leaves_no_key_file(tmp_path: Path) -> None:
    done = visavis("key", "create", "--data", tmp_path, "--project", "p1", "--json", VISAVIS_SECRET_KEY="correct horse")
    key = json.loads(done.stdout)
    assert not (tmp_path / "secret.key").exists()
    assert stored(tmp_path, key["ak"], secret_key="correct horse") == AccessKey(**key)


@pytest.mark.parametrize("project", ["", "a b", "../x", "x" * 65])
def test_a_project_id_that_cannot_stand_in_a_url(tmp_path: Path, project: str) -> None:
    refused(visavis("key", "create", "--data", tmp_path, "--project", project), "project id", repr(project))
    assert not (tmp_path / "visavis.sqlite3").exists()


def test_a_data_folder_that_is_a_file(tmp_path: Path) -> None:
    taken = tmp_path / "data"
    taken.write_text("")
    refused(visavis("key", "create", "--data", taken, "--project", "p1"), str(taken))


def test_a_key_file_that_others_can_read(tmp_path: Path) -> None:
    visavis("key", "create", "--data", tmp_path, "--project", "p1")
    (tmp_path / "secret.key").chmod(0o644)
    refused(visavis("key", "create", "--data", tmp_path, "--project", "p1"), "secret.key", "chmod 600")


@pytest.mark.parametrize(
    ("url", "words"),
    [("nonsense", "URL"), ("sqlite+aiosqlite:///{file}", "not a database"), ("sqlite+nodriver:///x", "nodriver")],
)
def test_a_database_that_cannot_be_used(tmp_path: Path, url: str, words: str) -> None:
    (tmp_path / "file").write_text("hello " * 200)
    url = url.format(file=tmp_path / "file")
    refused(visavis("key", "create", "--data", tmp_path, "--project", "p1", VISAVIS_DATABASE_URL=url), words)
