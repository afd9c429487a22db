"""Records: what is stored comes back, projects stay apart, changes do not get lost."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from sqlalchemy import select

from visavis.store import records
from visavis.store.database import Database
from visavis.store.records import (
    ExistsError,
    Filter,
    Record,
    TooManyRecordsError,
    Transaction,
    VersionConflictError,
)
from visavis.store.tables import records as table


def thing(name: str = "thing", at: float = 10.0, **more: object) -> Record:
    fields = {"id": records.new_id(), "project_id": "p1", "kind": "thing", "document": {"name": name}, "name": name}
    return Record(**{**fields, "created_at": at, **more})  # type: ignore[arg-type]


async def names(database: Database, wanted: Filter = records.EVERYTHING, **page: object) -> list[str]:
    _, found = await records.listing(database, "p1", "thing", wanted, **page)  # type: ignore[arg-type]
    return [record.name for record in found]


async def test_a_record_comes_back(database: Database) -> None:
    made = thing(
        document={"name": "é界", "list": [1, {"a": None}]}, secrets={"key": "S3CRET"}, parent_id="r", app_user_id="u"
    )
    await records.create(database, made)
    shown = await records.get(database, "p1", "thing", made.id)
    assert shown == replace(made, version=1, updated_at=10.0)
    assert shown.whole["key"] == "S3CRET"
    assert "S3CRET" not in repr(shown)


async def test_secrets_are_encrypted_at_rest(database: Database) -> None:
    await records.create(database, thing(secrets={"key": "S3CRET"}), thing("open"))
    async with database.read() as connection:
        rows = [" ".join(map(str, row)) for row in await connection.execute(select(table))]
    assert len(rows) == 2
    assert not any("S3CRET" in row for row in rows)


async def test_projects_and_kinds_are_apart(database: Database) -> None:
    made = thing()
    await records.create(database, made)
    await records.create(database, replace(made, kind="other"), replace(made, project_id="p2"))
    assert await records.get(database, "p2", "other", made.id) is None
    assert await records.remove_all(database, "p2", "thing", [made.id]) == [made.id]
    assert await records.get(database, "p1", "thing", made.id) is not None
    assert await records.update_record(database, "p2", "thing", made.id, lambda old: old, 11.0) is None


async def test_an_id_is_given_once(database: Database) -> None:
    made = thing()
    await records.create(database, made)
    with pytest.raises(ExistsError):
        await records.create(database, thing("second"), made)
    assert await names(database) == ["thing"]  # all or none


async def test_so_many_and_no_more(database: Database) -> None:
    for parent in ("r1", "r2"):
        for _ in range(2):
            await records.create(database, thing(parent_id=parent), most=2)
    with pytest.raises(TooManyRecordsError):
        await records.create(database, thing(parent_id="r1"), most=2)


async def test_a_change_raises_the_version_and_keeps_the_rest(database: Database) -> None:
    made = thing(secrets={"key": "k"})
    await records.create(database, made)

    def change(old: Record) -> Record:
        return replace(old, name="new", id="other", project_id="p2", created_at=0.0)

    changed = await records.update_record(database, "p1", "thing", made.id, change, 20.0)
    assert changed == replace(made, name="new", version=2, updated_at=20.0)
    assert await records.get(database, "p1", "thing", made.id) == changed
    assert await records.update_record(database, "p1", "thing", "unknown", change, 20.0) is None


async def test_a_change_for_an_old_version_is_refused(database: Database) -> None:
    made = thing()
    await records.create(database, made)
    await records.update_record(database, "p1", "thing", made.id, lambda old: old, 11.0, expected=1)
    with pytest.raises(VersionConflictError):
        await records.update_record(database, "p1", "thing", made.id, lambda old: old, 12.0, expected=1)
    shown = await records.get(database, "p1", "thing", made.id)
    assert shown is not None
    assert (shown.version, shown.updated_at) == (2, 11.0)


async def test_no_change_is_lost_under_concurrent_writers(database: Database) -> None:
    made = thing(document={"count": 0})
    await records.create(database, made)

    def more(old: Record) -> Record:
        return replace(old, document={"count": old.document["count"] + 1})

    await asyncio.gather(*(records.update_record(database, "p1", "thing", made.id, more, float(i)) for i in range(20)))
    shown = await records.get(database, "p1", "thing", made.id)
    assert shown is not None
    assert (shown.document, shown.version) == ({"count": 20}, 21)


async def test_what_exists_once_is_put(database: Database) -> None:
    switch = thing(id="r1:CN", document={"on": True})
    assert (await records.put(database, switch, 30.0)).created_at == 30.0
    put = await records.put(database, replace(switch, document={"on": False}), 40.0)
    assert (put.document, put.version, put.created_at, put.updated_at) == ({"on": False}, 2, 30.0, 40.0)


async def test_pages_newest_first_or_oldest(database: Database) -> None:
    await records.create(database, *(thing(str(i), at=float(i)) for i in range(5)))
    assert await names(database) == ["4", "3", "2", "1", "0"]
    assert await names(database, offset=1, limit=2) == ["3", "2"]
    assert await names(database, limit=2, order="asc") == ["0", "1"]
    assert await names(database, limit=None) == ["4", "3", "2", "1", "0"]
    for offset, limit, count in ((0, 2, 5), (0, 100, 5), (4, 2, 5), (5, 2, 5), (100, 2, 5), (0, 5, 5)):
        assert (await records.listing(database, "p1", "thing", offset=offset, limit=limit))[0] == count


async def test_equal_times_still_make_pages_without_gaps(database: Database) -> None:
    await records.create(database, *(thing(str(i)) for i in range(7)))
    pages = [name for offset in range(0, 7, 2) for name in await names(database, offset=offset, limit=2)]
    assert sorted(pages) == [str(i) for i in range(7)]


async def test_names_are_found_by_their_parts(database: Database) -> None:
    await records.create(database, thing("Hall 100%", at=3.0), thing("HALLWAY", at=2.0), thing("大厅_a", at=1.0))
    assert await names(database, Filter(name="hall")) == ["Hall 100%", "HALLWAY"]
    assert await names(database, Filter(name="%")) == ["Hall 100%"]
    assert await names(database, Filter(name="_")) == ["大厅_a"]
    assert await names(database, Filter(name="大厅")) == ["大厅_a"]
    assert (await records.listing(database, "p1", "thing", Filter(name="hall"), limit=1))[0] == 2


async def test_filters(database: Database) -> None:
    await records.create(
        database,
        thing("a", at=1.0, parent_id="r1", document={"language": "CN", "number": 1, "on": True}),
        thing("b", at=2.0, parent_id="r2", app_user_id="u", document={"language": "EN", "number": 1, "on": False}),
        thing("c", at=3.0, parent_id="r2", document={"language": "EN", "number": 2, "on": True}),
    )
    assert await names(database, Filter(parent_id="r2")) == ["c", "b"]
    assert await names(database, Filter(app_user_id="u")) == ["b"]
    assert await names(database, Filter(fields={"language": "EN"})) == ["c", "b"]
    assert await names(database, Filter(fields={"number": 1, "on": True})) == ["a"]
    assert await names(database, Filter(since=2.0, until=2.0)) == ["b"]
    assert await names(database, Filter(ids=[])) == []
    assert await records.count_of(database, "p1", "thing", Filter(fields={"on": True})) == 2


async def test_a_parent_s_children_go_with_it(database: Database) -> None:
    parent = thing(kind="library")
    await records.create(database, parent, thing("child", parent_id=parent.id), thing("stranger", parent_id="other"))
    gone = await records.remove_all(database, "p1", "library", ["unknown", parent.id, parent.id], children=["thing"])
    assert gone == [parent.id]
    assert await names(database) == ["stranger"]
    assert await records.remove_all(database, "p1", "library", [parent.id]) == []


async def test_a_check_forbids_the_whole_deletion(database: Database) -> None:
    first, second = thing("first"), thing("second")
    await records.create(database, first, second)

    async def forbid(steps: Transaction) -> None:
        assert await steps.count("p1", "thing") == 2
        raise PermissionError

    with pytest.raises(PermissionError):
        await records.remove_all(database, "p1", "thing", [first.id, second.id], check=forbid)
    assert await records.count_of(database, "p1", "thing") == 2
