"""Columns come with newer versions: an older table gains them, and an older program leaves them alone."""

from pathlib import Path

import pyarrow as pa
import pytest
import storage_worker as worker
from deltalake import DeltaTable

import telemetry
from storage import Reader, Store, compact
from storage import _views as views
from storage._tables import Handle
from telemetry import Fenced, Partition, StoreError


def without(column: str) -> pa.Schema:
    schema = telemetry.LOGS
    return schema.remove(schema.get_field_index(column))


def commit(store: Store, partition: Partition, start: int, stop: int) -> None:
    worker.commit(store.writer(), partition, start, stop, snapshot=False)


@pytest.fixture
def old(tmp_path: Path, partition: Partition, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A store of a version that knew no `component`, with rows in it."""
    with monkeypatch.context() as patch:
        patch.setitem(telemetry.TABLES, "logs", without("component"))
        store = Store.open(tmp_path / "store")
        commit(store, partition, 0, 10)
    return store


def newer_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = worker.rows

    def with_component(table: str, *arguments: object) -> pa.Table:
        found = rows(table, *arguments)  # type: ignore[arg-type]
        if table != "logs":
            return found
        index = found.schema.get_field_index("component")
        return found.set_column(index, found.schema.field(index), pa.array(["web"] * len(found)))

    monkeypatch.setattr(worker, "rows", with_component)


def components(reader: Reader) -> set[str | None]:
    assert len(reader.query("FROM logs WHERE service IS NULL")) == 0
    return set(reader.query("SELECT component FROM logs")["component"].to_pylist())


def test_an_older_table_gains_the_column_and_old_rows_have_null(
    old: Store, partition: Partition, monkeypatch: pytest.MonkeyPatch
) -> None:
    with old.reader() as reader:  # before any newer process has written
        assert components(reader) == {None}
    store = Store.open(old.url)
    newer_rows(monkeypatch)
    commit(store, partition, 10, 20)
    with store.reader() as reader:
        assert components(reader) == {None, "web"}
        assert set(reader.scan("logs", ["component"])["component"].to_pylist()) == {None, "web"}
        compact(store)
        assert components(reader) == {None, "web"}
    assert DeltaTable(store.location.of("logs")).count() == 17 - 2  # any Delta reader sees one table


def test_an_older_program_leaves_a_newer_column_alone(
    store: Store, partition: Partition, monkeypatch: pytest.MonkeyPatch
) -> None:
    newer_rows(monkeypatch)
    commit(store, partition, 0, 10)
    monkeypatch.undo()
    with monkeypatch.context() as patch:
        patch.setitem(telemetry.TABLES, "logs", without("component"))
        patch.setitem(views._COLUMNS, "logs", views.columns(without("component")))
        older = Store.open(store.url)
        commit(older, partition, 10, 20)
        with older.reader() as reader:
            assert "component" not in reader.query("FROM logs").column_names
            assert len(reader.query("FROM logs")) == sum(worker.kind(n) == "logs" for n in range(20))
        compact(older)
    with store.reader() as reader:
        assert components(reader) == {None, "web"}


def test_a_writer_whose_table_gains_a_column_meanwhile_goes_on(old: Store, partition: Partition) -> None:
    writer = old.writer()
    worker.restored(writer, partition)
    Store.open(old.url)
    worker.commit(writer, partition, 10, 15, snapshot=False)
    with old.reader() as reader:
        assert len(reader.query("FROM logs")) == sum(worker.kind(n) == "logs" for n in range(15))


def test_columns_gained_between_check_and_commit_fence(
    old: Store, partition: Partition, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = old.writer()
    worker.restored(writer, partition)
    Store.open(old.url)
    with monkeypatch.context() as patch:
        patch.setattr(Handle, "refresh", lambda self: False)
        with pytest.raises(Fenced, match="given new columns"):
            worker.commit(writer, partition, 10, 15, snapshot=False)
    assert worker.restored(writer, partition) == 0
    worker.commit(writer, partition, 10, 15, snapshot=False)
    with old.reader() as reader:
        assert len(reader.query("FROM logs")) == sum(worker.kind(n) == "logs" for n in range(15))


def test_a_store_without_a_newer_table_is_still_a_store(
    tmp_path: Path, partition: Partition, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(telemetry, "TABLES", {n: s for n, s in telemetry.TABLES.items() if n != "edits"})
        commit(Store.open(tmp_path / "store"), partition, 0, 5)
    store = Store.open(tmp_path / "store", create=False)
    with store.reader() as reader:
        assert len(reader.query("FROM edits")) == 0
        assert len(reader.query("FROM logs")) > 0
    with pytest.raises(StoreError, match="no store at"):
        Store.open(tmp_path / "none", create=False)
