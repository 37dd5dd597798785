"""What a commit takes, what it drops, and how it notices that another writer owns the partition now."""

import itertools
import os
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import storage_worker as worker
from deltalake import TableFeatures

import telemetry
from storage import CORRELATOR, Move, Reader, Snapshot, Store, Writer, _tables, _tail
from storage._files import ROW_GROUP
from storage._tables import Handle
from telemetry import Fenced, Partition, StoreError

OTHER = Partition("app-b", "b", 3)


def offsets(reader: Reader) -> list[int]:
    return reader.scan("logs", ["offset"])["offset"].sort().to_pylist()


def commit_logs(writer: Writer, partition: Partition, start: int, stop: int) -> None:
    writer.commit({"logs": worker.rows("logs", start, stop, partition)}, [Move.of(partition, start, stop)])


def test_only_tables_with_rows_and_the_ledger_move(store: Store, partition: Partition) -> None:
    writer = store.writer()
    commit_logs(writer, partition, 0, 3)
    assert writer.position("logs", partition.app_id) == 3
    assert writer.position("ledger", partition.app_id) == 3
    assert writer.position("metrics", partition.app_id) is None
    assert {info.table for info in store.describe() if info.version} == {"logs", "ledger"}


def test_partitions_of_one_commit_are_told_apart(store: Store, partition: Partition, reader: Reader) -> None:
    writer = store.writer()
    commit_logs(writer, partition, 0, 3)
    both = pa.concat_tables([worker.rows("logs", 0, 10, partition), worker.rows("logs", 0, 2, OTHER)])
    writer.commit({"logs": both}, [Move.of(partition, 0, 10), Move.of(OTHER, 0, 2)])
    assert offsets(reader) == sorted([n for n in range(10) if worker.kind(n) == "logs"] + [0, 1])
    assert (writer.position("logs", "app-a"), writer.position("logs", "app-b")) == (10, 2)


def test_rival_that_came_before_fences(store: Store, partition: Partition, reader: Reader) -> None:
    first, second = store.writer(), store.writer()
    worker.restored(first, partition)
    commit_logs(second, partition, 0, 3)
    with pytest.raises(Fenced, match=r"app-a in table logs to 3, we left it at None"):
        commit_logs(first, partition, 0, 2)
    with pytest.raises(Fenced, match="restore it"):
        commit_logs(first, partition, 0, 2)
    worker.restored(first, partition)
    commit_logs(first, partition, 0, 9)
    assert offsets(reader) == [n for n in range(9) if worker.kind(n) == "logs"]


def reopen(writer: Writer) -> None:
    for handle in writer._handles.values():
        handle.drop()


def test_own_commits_and_reopening_do_not_hide_a_rival(store: Store, partition: Partition, reader: Reader) -> None:
    """Both move the handle's snapshot past the rival's commit, after which Delta itself finds no conflict."""
    for step in (lambda _: None, reopen):
        first, second = store.writer(), store.writer()
        at = {app: first.position("ledger", app) or 0 for app in ("app-a", "app-b")}
        commit_logs(second, partition, at["app-a"], at["app-a"] + 3)
        commit_logs(first, OTHER, at["app-b"], at["app-b"] + 3)
        step(first)
        before = offsets(reader)
        with pytest.raises(Fenced):
            commit_logs(first, partition, at["app-a"], at["app-a"] + 2)
        assert offsets(reader) == before


def test_rival_between_check_and_commit_fences(
    store: Store, partition: Partition, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = store.writer(), store.writer()
    worker.restored(first, partition)
    commit_logs(second, partition, 0, 3)
    monkeypatch.setattr(Handle, "refresh", lambda self: False)
    with pytest.raises(Fenced, match="another writer moved one of"):
        commit_logs(first, partition, 0, 2)
    monkeypatch.undo()
    assert offsets(reader) == [0, 1, 2]


def test_rival_of_another_partition_between_check_and_commit_is_no_concern(
    store: Store, partition: Partition, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = store.writer(), store.writer()
    worker.restored(first, partition)
    worker.restored(first, OTHER)
    for start in (0, 3):
        commit_logs(second, OTHER, start, start + 3)
    monkeypatch.setattr(Handle, "refresh", lambda self: False)
    commit_logs(first, partition, 0, 3)
    monkeypatch.undo()
    assert len(offsets(reader)) == 4 + 3
    with pytest.raises(Fenced):  # and what it passed over is known
        commit_logs(first, OTHER, 0, 3)


def test_a_log_that_was_cut_between_check_and_commit_fences(
    store: Store, partition: Partition, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next version's name is free again, but what is written there is part of nothing."""
    stopped, other = store.writer(), store.writer()
    worker.restored(stopped, partition)
    for start in range(0, 9, 3):
        commit_logs(other, OTHER, start, start + 3)
    log = store.location.folder / "logs" / "_delta_log"
    for path in log.iterdir():
        os.utime(path, (time.time() - 3600,) * 2)
    handle = Handle(store.location, "logs")
    handle.checkpoint()
    handle.trim_log()
    assert not (log / f"{1:020d}.json").exists()
    before = offsets(reader)
    monkeypatch.setattr(Handle, "refresh", lambda self: False)
    with pytest.raises(Fenced):
        commit_logs(stopped, partition, 0, 3)
    monkeypatch.undo()
    assert offsets(reader) == before
    worker.restored(stopped, partition)
    commit_logs(stopped, partition, 0, 3)
    assert len(offsets(reader)) == len(before) + 3


def test_a_checkpoint_of_an_entry_just_made_does_not_undo_it(
    store: Store, partition: Partition, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever stood still at an older version would find its name free, and take it."""
    writer, linked = store.writer(), _tail._linked
    worker.restored(writer, partition)

    def with_checkpoint(staged: Path, path: Path) -> bool:
        done = linked(staged, path)
        Handle(store.location, "logs").checkpoint()
        return done

    with monkeypatch.context() as patch:
        patch.setattr(_tail, "_linked", with_checkpoint)
        commit_logs(writer, partition, 0, 3)
    assert (store.location.folder / "logs" / "_delta_log" / f"{1:020d}.json").exists()
    commit_logs(writer, partition, 3, 6)
    assert offsets(reader) == [n for n in range(6) if worker.kind(n) == "logs"]


def test_commits_leave_nothing_but_entries_in_the_log(
    store: Store, partition: Partition, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_tables, "CHECKPOINT_AFTER", 4)  # no maintainer comes
    first, second = store.writer(), store.writer()
    worker.restored(first, partition)
    for start in range(0, 15, 3):
        commit_logs(second, partition, start, start + 3)
    monkeypatch.setattr(Handle, "refresh", lambda self: False)
    with pytest.raises(Fenced):
        commit_logs(first, partition, 0, 3)
    names = {path.name for path in (store.location.folder / "logs" / "_delta_log").iterdir()}
    entries = {f"{version:020d}.json" for version in range(6)}
    assert names == entries | {f"{4:020d}.checkpoint.parquet", "_last_checkpoint"}


def test_other_readers_of_delta_lake_see_the_same(store: Store, partition: Partition) -> None:
    for start in (0, 20):
        worker.commit(store.writer(), partition, start, start + 20, snapshot=False)
    table = store.location.table("logs")
    assert table.count() == sum(worker.kind(n) == "logs" for n in range(40))
    assert table.transaction_version(partition.app_id) == 40
    stated = pa.table(table.get_add_actions(flatten=True))
    assert sorted(zip(stated["min.offset"].to_pylist(), stated["max.offset"].to_pylist(), strict=True)) == [
        (0, 19),
        (20, 39),
    ]
    assert [one["operation"] for one in table.history()] == ["WRITE", "WRITE", "CREATE TABLE"]


def test_a_table_that_asks_more_of_its_writers_is_left_to_delta_lake(
    store: Store, partition: Partition, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.location.table("logs").alter.add_feature(TableFeatures.AppendOnly, allow_protocol_versions_increase=True)
    own: list[str] = []
    written = _tables.written
    monkeypatch.setattr(_tables, "written", lambda path, name, rows: own.append(name) or written(path, name, rows))
    first, second = store.writer(), store.writer()
    worker.restored(second, partition)
    commit_logs(first, partition, 0, 3)
    commit_logs(first, partition, 3, 6)
    assert own == []
    with pytest.raises(Fenced):
        commit_logs(second, partition, 0, 3)
    assert len(offsets(reader)) == sum(worker.kind(n) == "logs" for n in range(6))


def test_writers_of_different_partitions_do_not_meet(store: Store, partition: Partition, reader: Reader) -> None:
    first, second = store.writer(), store.writer()
    worker.restored(first, partition)
    worker.restored(second, OTHER)
    for start in (0, 2):
        commit_logs(first, partition, start, start + 2)
        commit_logs(second, OTHER, start, start + 2)
    assert offsets(reader) == [0, 0, 1, 1, 2, 2]


def test_rows_that_cannot_be_accounted_for_are_refused(store: Store, partition: Partition) -> None:
    writer = store.writer()
    logs = worker.rows("logs", 0, 3, partition)
    with pytest.raises(ValueError, match="at offset 2 lies beyond the move of app-a, which ends at 2"):
        writer.commit({"logs": logs}, [Move.of(partition, 0, 2)])
    worker.restored(writer, partition)
    with pytest.raises(ValueError, match=r"come from \('a', 0\), which has no move"):
        writer.commit({"logs": logs}, [Move.of(OTHER, 0, 3)])
    with pytest.raises(ValueError, match="want names of"):
        writer.commit({"log": logs}, [Move.of(partition, 0, 3)])
    with pytest.raises(ValueError, match="one move an app id"):
        writer.commit({"logs": logs}, [Move.of(partition, 0, 3)] * 2)
    with pytest.raises(ValueError, match="outside the commit's moves"):
        writer.commit({"logs": logs}, [Move.of(partition, 0, 3)], [Snapshot("partition:app-a", 4, 1, b"")])
    commit_logs(writer, partition, 0, 3)
    with pytest.raises(ValueError, match="starts at 5, but the tables end at 3"):
        commit_logs(writer, partition, 5, 6)


def anomalies(*positions: int) -> pa.Table:
    row = {"window_s": 10, "service": "cart", "kind": "metric", "signal": "cpu", "score": 2.0, "threshold": 1.0}
    more = {"detector": "robust", "explanation": "cpu is 2", "incident_id": None}
    rows = [{"time": worker.START + at, **row, **more, "position": at} for at in positions]
    return pa.Table.from_pylist(rows, schema=telemetry.ANOMALIES.append(pa.field("position", pa.int64())))


def test_correlator_rows_are_taken_by_position_whatever_the_ranges(store: Store, reader: Reader) -> None:
    writer = store.writer()
    writer.commit({"anomalies": anomalies(0, 10)}, [Move(CORRELATOR, 0, 20)], [Snapshot(CORRELATOR, 20, 1, b"x")])
    writer = store.writer()
    restored = writer.restore(CORRELATOR)
    assert restored is not None
    assert restored.position == 20
    writer.commit({"anomalies": anomalies(0, 10, 20, 30)}, [Move(CORRELATOR, 0, 40)])
    assert reader.query("SELECT time FROM anomalies ORDER BY time")["time"].cast(pa.int64()).to_pylist() == [
        worker.START + at for at in (0, 10, 20, 30)
    ]
    with pytest.raises(ValueError, match="want exactly one move without a source"):
        writer.commit({"anomalies": anomalies(50)}, [Move.of(OTHER, 0, 60)])


def test_idle_partition_lets_its_watermark_pass(store: Store, partition: Partition, reader: Reader) -> None:
    writer = store.writer()
    for _ in range(2):
        writer.commit({"ledger": worker.ledger(4, partition)}, [Move.of(partition, 4, 4)])
    assert reader.query("SELECT next FROM ledger")["next"].to_pylist() == [4, 4]


def test_rows_are_cast_and_stay_in_order(store: Store, partition: Partition) -> None:
    rows = worker.rows("metrics", 0, 60, partition)
    nullable = rows.cast(pa.schema([field.with_nullable(True) for field in rows.schema]))
    store.writer().commit({"metrics": nullable}, [Move.of(partition, 0, 60)])
    (file,) = Handle(store.location, "metrics").files().paths
    assert pq.read_table(file)["offset"].to_pylist() == rows["offset"].to_pylist()


def test_row_groups_of_a_large_commit_lie_latest_first(store: Store, partition: Partition, reader: Reader) -> None:
    count = 2 * ROW_GROUP + 5
    one = worker.rows("logs", 0, 1, partition)
    numbers = pa.array(range(count), pa.int64())
    rows = one.take(pa.array([0] * count)).set_column(
        one.schema.get_field_index("offset"), one.schema.field("offset"), numbers
    )
    store.writer().commit({"logs": rows}, [Move.of(partition, 0, count)])
    (path,) = Handle(store.location, "logs").files().paths
    stored = pq.ParquetFile(path)
    groups = [stored.read_row_group(n, ["offset"])["offset"].to_pylist() for n in range(stored.num_row_groups)]
    ends = [count, count - ROW_GROUP, count - 2 * ROW_GROUP, 0]
    assert groups == [list(range(first, last)) for last, first in itertools.pairwise(ends)]
    assert offsets(reader) == numbers.to_pylist()


def test_creating_a_store_twice_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from deltalake import DeltaTable

    create = DeltaTable.create

    def rival_first(path: str, **options: object) -> object:
        create(path, **options)  # type: ignore[arg-type]
        return create(path, **{**options, "mode": "error"})  # type: ignore[arg-type]

    monkeypatch.setattr(DeltaTable, "create", rival_first)
    Store.open(tmp_path / "store").writer().restore("partition:x")
    assert Store.exists(tmp_path / "store")


def test_errors_are_one_line(store: Store, partition: Partition, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="cannot create the table"):
        Store.open(tmp_path / "file" / "store")
    with pytest.raises(StoreError, match="want a local folder or s3://"):
        Store.open("ftp://bucket/store")
    with pytest.raises(StoreError) as refused:
        Store.open("s3://key:secret@bucket/store")
    assert "secret" not in str(refused.value)
    with pytest.raises(StoreError, match="no store at"):
        Store.open(tmp_path / "nothing", create=False)
    assert not (tmp_path / "nothing").exists()
    writer = store.writer()
    worker.restored(writer, partition)
    (store.location.folder / "logs").rename(store.location.folder / "moved")
    (store.location.folder / "logs").touch()
    with pytest.raises(StoreError) as caught:
        commit_logs(writer, partition, 0, 2)
    assert "\n" not in str(caught.value)
    assert "logs" in str(caught.value)
