"""Compaction changes how rows are stored, and nothing else."""

import os
import threading
import time
from itertools import repeat

import pyarrow as pa
import pytest
import storage_worker as worker

from storage import Move, Reader, Snapshot, Store, compact
from storage._maintenance import _lease
from storage._tables import Handle
from telemetry import Fenced, Partition


def fill(store: Store, partition: Partition, commits: int = 12) -> None:
    writer = store.writer()
    for n in range(commits):
        worker.commit(writer, partition, n * 5, n * 5 + 5, snapshot=True)


def files(store: Store) -> dict[str, int]:
    return {info.table: info.files for info in store.describe()}


def test_compaction_keeps_rows_and_merges_files(store: Store, partition: Partition, reader: Reader) -> None:
    fill(store, partition)
    before = worker.contents(reader)
    assert files(store)["logs"] == 12
    done = {done.table: done for done in compact(store)}
    assert (done["logs"].files_before, done["logs"].files_after) == (12, 1)
    assert files(store)["logs"] == 1
    assert worker.contents(reader) == before
    assert all(again.files_before == again.files_after for again in compact(store))


def test_three_newest_snapshots_of_each_component_stay(store: Store, partition: Partition, reader: Reader) -> None:
    fill(store, partition)
    other = "it's another"
    store.writer().commit({}, [Move(other, 0, 7)], [Snapshot(other, 7, 1, b"x")])
    compact(store)
    kept = reader.query("SELECT component, position FROM state ORDER BY ALL").to_pylist()
    assert [row["position"] for row in kept] == [7, 50, 55, 60]
    assert worker.restored(store.writer(), partition) == 60
    again = store.writer().restore(other)
    assert again is not None
    assert again.payload == b"x"


def test_compaction_while_writing(store: Store, partition: Partition, reader: Reader) -> None:
    done = threading.Event()
    failed: list[BaseException] = []

    def maintain() -> None:
        try:
            while not done.is_set():
                compact(store, ["logs", "ledger", "state"])
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=maintain) for _ in range(2)]  # the second: a rival maintainer
    for thread in threads:
        thread.start()
    worker.drain(store.writer(), partition, 100, repeat(4))
    done.set()
    for thread in threads:
        thread.join()
    assert not failed
    assert files(store)["logs"] < 25
    assert len(reader.query("FROM logs")) == sum(worker.kind(n) == "logs" for n in range(100))
    assert worker.restored(store.writer(), partition) > 0


def test_one_maintainer_at_a_time(store: Store, partition: Partition, reader: Reader) -> None:
    """Delta Lake lets two merges of the same files double the rows; the lease does not."""
    fill(store, partition)
    with _lease(store) as alone:
        assert alone
        assert compact(store) == []
    assert compact(store)
    assert len(reader.query("FROM logs")) == sum(worker.kind(n) == "logs" for n in range(60))


def test_positions_and_fencing_survive_compaction(store: Store, partition: Partition) -> None:
    stale = store.writer()
    worker.restored(stale, partition)
    fill(store, partition)
    compact(store)
    assert store.writer().position("logs", partition.app_id) == 60
    with pytest.raises(Fenced):
        worker.commit(stale, partition, 0, 5, snapshot=False)


def age(store: Store, table: str, hours: float) -> None:
    for path in (store.folder / table).rglob("*"):
        os.utime(path, (time.time() - hours * 3600,) * 2)


def test_old_log_entries_and_orphans_go(store: Store, partition: Partition, reader: Reader) -> None:
    fill(store, partition)
    (store.folder / "logs" / "part-left-by-a-killed-writer.parquet").write_bytes(b"x")
    age(store, "logs", 30)
    (store.folder / "logs" / "part-being-written.parquet").write_bytes(b"x")
    before = worker.contents(reader)
    compact(store)
    age(store, "logs", 30)
    compact(store)
    names = [path.name for path in (store.folder / "logs").iterdir()]
    assert "part-left-by-a-killed-writer.parquet" not in names
    log = sorted(path.name for path in (store.folder / "logs" / "_delta_log").glob("*.json"))
    assert len(log) < 12
    assert worker.contents(reader) == before
    with store.reader() as late:
        assert worker.contents(late) == before


def test_reader_whose_files_are_gone_looks_again(store: Store, partition: Partition, reader: Reader) -> None:
    fill(store, partition)
    before = worker.contents(reader)
    old = Handle(store.folder, "logs").files().paths
    compact(store)
    for path in old:
        os.remove(path)
    # A reader that has not seen the compaction: as if it happened between its look and its read.
    blind = store.reader()
    stale = blind._handles["logs"]
    stale._files = (stale.version, stale.files())
    stale._files[1].paths[:] = old
    assert blind.scan("logs", ["offset"]).num_rows == len(before["logs"])
    blind.close()


def test_a_stopped_writer_whose_log_was_cleaned_is_fenced(store: Store, partition: Partition) -> None:
    stale = store.writer()
    worker.restored(stale, partition)
    fill(store, partition)
    for _ in range(2):
        age(store, "logs", 30)
        Handle(store.folder, "logs").trim_log()
    assert not (store.folder / "logs" / "_delta_log" / f"{1:020d}.json").exists()
    rows = pa.concat_tables([worker.rows("logs", 0, 5, partition)])
    with pytest.raises(Fenced):
        stale.commit({"logs": rows}, [Move.of(partition, 0, 5)])
