"""Assets in the store: nothing is lost or doubled when several do the same at once, or when the tables grow."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from alembic import command
from sqlalchemy import Connection, text

from visavis.settings import Settings
from visavis.store import asset_files, asset_transfers, assets
from visavis.store.asset_transfers import Transfer
from visavis.store.assets import AssetFile, UploadedAsset
from visavis.store.database import Database, alembic_config


async def an_asset(database: Database, project_id: str = "p1", state: str = "ACTIVED", **more: Any) -> UploadedAsset:
    asset = UploadedAsset(assets.new_id(), project_id, "a", "IMAGE", state, {"tags": ["x"]}, 1.0, 1.0, **more)
    await assets.create(database, asset)
    return asset


def a_file(asset: UploadedAsset, size: int = 10, **more: Any) -> AssetFile:
    file = AssetFile(assets.new_id(), asset.project_id, asset.id, "f", size, "", "", "CREATING", {}, expires_at=100.0)
    return replace(file, **more)


def an_offer(asset: UploadedAsset, to: str = "p2") -> Transfer:
    shown = [{"asset_id": asset.id}]
    return Transfer(assets.new_id(), "TRANSFER_OUT", "p1", to, shown, "PROCESSING", "", True, False, 1.0, 100.0)


async def test_announcements_at_once_stay_within_the_quota(database: Database) -> None:
    made = [await an_asset(database, state="CREATING") for _ in range(6)]
    results = await asyncio.gather(
        *(asset_files.announce(database, a_file(asset), ["t"], 35, 1.0) for asset in made), return_exceptions=True
    )
    assert sum(isinstance(result, list) for result in results) == 3
    assert sum(isinstance(result, asset_files.NoSpaceError) for result in results) == 3


async def test_an_upload_is_taken_once(database: Database) -> None:
    asset = await an_asset(database, state="CREATING")
    whole, parted = a_file(asset), a_file(asset, 4, category="OTHER", parts=2, meta={"announced": True})
    await asset_files.announce(database, whole, ["t"], 0, 1.0)
    await asset_files.announce(database, parted, ["a", "b"], 0, 1.0)
    assert await asset_files.admit(database, whole.id, "t", 50.0) is not None
    assert await asset_files.admit(database, whole.id, "t", 100.0) is None, "expired"
    assert await asset_files.admit(database, parted.id, "a", 50.0) is None, "a part's token is no file's"
    assert await asset_files.admit_part(database, parted.id, 2, "a", 50.0) is None, "nor another part's"
    once = await asyncio.gather(*(asset_files.uploaded(database, whole.id) for _ in range(5)))
    assert once.count(True) == 1
    part = await asyncio.gather(
        *(asset_files.uploaded_part(database, parted, 1, 3, 4, 0) for _ in range(5)), return_exceptions=True
    )
    assert part.count(True) == 1
    with pytest.raises(asset_files.NoSpaceError):
        await asset_files.uploaded_part(database, parted, 2, 2, 4, 0)


async def test_a_transfer_is_accepted_once_and_whole(database: Database) -> None:
    asset = await an_asset(database)
    offers = [await asset_transfers.offer(database, an_offer(asset))]
    with pytest.raises(asset_transfers.NotMovableError, match="already"):
        await asset_transfers.offer(database, an_offer(asset))
    results = await asyncio.gather(
        *(asset_transfers.accept(database, offers[0].id, 0, 2.0, "C") for _ in range(4)), return_exceptions=True
    )
    assert [one[0].state for one in results if isinstance(one, tuple)] == ["ACCEPT"]
    assert sum(isinstance(one, asset_transfers.TransferStateError) for one in results) == 3
    assert await assets.get(database, "p1", asset.id) is None
    moved = await assets.get(database, "p2", asset.id)
    assert moved is not None
    assert (moved.state, moved.settings, moved.version) == ("ACTIVED", {"tags": ["x"]}, 2)


async def test_information_is_spent_once(database: Database) -> None:
    def copy() -> UploadedAsset:
        return UploadedAsset(assets.new_id(), "p2", "a", "IMAGE", "ACTIVED", {}, 1.0, 1.0)

    results = await asyncio.gather(
        *(asset_transfers.replicate(database, copy(), "hash", 100.0, 0, 2.0) for _ in range(4)), return_exceptions=True
    )
    assert results.count(None) == 1
    assert len(await assets.listing(database, "p2")) == 1


async def test_changes_at_once_are_all_kept(database: Database) -> None:
    asset = await an_asset(database)

    def tagged(number: int) -> Callable[[UploadedAsset], UploadedAsset]:
        return lambda old: replace(old, settings={"tags": [*old.settings["tags"], str(number)]})

    await asyncio.gather(*(assets.change(database, "p1", asset.id, tagged(number), 2.0) for number in range(8)))
    found = await assets.get(database, "p1", asset.id)
    assert found is not None
    assert (sorted(found.settings["tags"]), found.version) == ([*map(str, range(8)), "x"], 9)
    with pytest.raises(assets.AssetVersionError):
        await assets.change(database, "p1", asset.id, tagged(0), 2.0, expected=8)
    assert await assets.change(database, "p2", asset.id, tagged(0), 2.0) is None


@pytest.fixture
def grown(tmp_path: Any, database_kind: str, postgres: Any) -> Settings:
    """Of a database of the test's own: its tables come and go."""
    return Settings(data=tmp_path, database_url=postgres.fresh() if database_kind == "postgresql" else "")


async def test_what_an_older_version_stored_is_kept_and_what_it_cannot_know_is_not(grown: Settings) -> None:
    from visavis.store import identity

    database = await Database.open(grown)
    try:
        await identity.ensure_project(database, "p1", 1.0)
        old = await an_asset(database, state="CREATING")
        for kind, state in (("HUMAN_MODEL_2D", "ACTIVED"), ("IMAGE", "DELETING")):
            await assets.create(database, UploadedAsset(assets.new_id(), "p1", "new", kind, state, {}, 1.0, 1.0))
        await asset_files.announce(database, a_file(old), ["t"], 0, 1.0)
        huge = await an_asset(database, state="CREATING")
        await asset_files.announce(database, a_file(huge, 2**40), ["t"], 0, 1.0)
        await asset_files.add_ready(database, a_file(old, category="COVER", state="CREATED"))

        def to(revision: str) -> Callable[[Connection], None]:
            step = command.downgrade if revision == "0004" else command.upgrade
            return lambda connection: step(alembic_config(connection), revision)

        async with database.write() as connection:
            await connection.run_sync(to("0004"))
            assert (await connection.execute(text("SELECT name FROM assets"))).scalars().all() == ["a", "a"]
            assert (await connection.execute(text("SELECT size FROM asset_files"))).scalars().all() == [10]
            await connection.run_sync(to("head"))
        kept = await assets.get(database, "p1", old.id)
        assert kept is not None
        assert (kept.settings, kept.version, kept.due_at) == ({"tags": ["x"]}, 1, None)
        assert [(file.category, file.parts, file.size) for file in kept.files] == [("MAIN", 0, 10)]
        await asset_files.announce(database, a_file(kept, 2**40, category="OTHER"), ["t"], 0, 1.0)
    finally:
        await database.close()
