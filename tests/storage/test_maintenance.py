"""Compaction changes how rows are stored, and nothing else."""

import os
import threading
import time
from itertools import repeat

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import storage_worker as worker
from deltalake import write_deltalake
from deltalake.exceptions import CommitFailedError

import telemetry
from storage import Move, Reader, Retention, Snapshot, Store, _tables, compact, maintain
from storage._files import DataFile
from storage._lease import lease
from storage._retention import DAY_US
from storage._rewrite import MERGE_FROM, TARGET_BYTES, Horizon, merge, plan
from storage._sql import connect
from storage._tables import Handle, Superseded
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
                compact(store, tables=["logs", "ledger", "state"])
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=maintain) for _ in range(2)]  # the second: a rival maintainer
    for thread in threads:
        thread.start()
    worker.drain(store.writer(), partition, 400, repeat(4))
    done.set()
    for thread in threads:
        thread.join()
    assert not failed
    assert files(store)["logs"] < 100
    assert len(reader.query("FROM logs")) == sum(worker.kind(n) == "logs" for n in range(400))
    assert worker.restored(store.writer(), partition) > 0


def test_one_maintainer_at_a_time(store: Store, partition: Partition, reader: Reader) -> None:
    """Delta Lake lets two merges of the same files double the rows; the lease does not."""
    fill(store, partition)
    with lease(store.location) as alone:
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
    for path in (store.location.folder / table).rglob("*"):
        os.utime(path, (time.time() - hours * 3600,) * 2)


def test_old_log_entries_and_orphans_go(store: Store, partition: Partition, reader: Reader) -> None:
    fill(store, partition)
    (store.location.folder / "logs" / "part-left-by-a-killed-writer.parquet").write_bytes(b"x")
    age(store, "logs", 30)
    (store.location.folder / "logs" / "part-being-written.parquet").write_bytes(b"x")
    before = worker.contents(reader)
    compact(store)
    age(store, "logs", 30)
    compact(store)
    names = [path.name for path in (store.location.folder / "logs").iterdir()]
    assert "part-left-by-a-killed-writer.parquet" not in names
    log = sorted(path.name for path in (store.location.folder / "logs" / "_delta_log").glob("*.json"))
    assert len(log) < 12
    assert worker.contents(reader) == before
    with store.reader() as late:
        assert worker.contents(late) == before


def test_reader_whose_files_are_gone_looks_again(store: Store, partition: Partition, reader: Reader) -> None:
    fill(store, partition)
    before = worker.contents(reader)
    old = Handle(store.location, "logs").files()
    compact(store)
    for path in old.paths:
        os.remove(path)
    # A reader that has not seen the compaction: as if it happened between its look and its read.
    blind = store.reader()
    stale = blind._handles["logs"]
    stale._files = (stale.version, old)
    assert blind.scan("logs", ["offset"]).num_rows == len(before["logs"])
    blind.close()


def test_a_stopped_writer_whose_log_was_cleaned_is_fenced(store: Store, partition: Partition) -> None:
    stale = store.writer()
    worker.restored(stale, partition)
    fill(store, partition)
    for _ in range(2):
        age(store, "logs", 30)
        trim(store)
    assert not (store.location.folder / "logs" / "_delta_log" / f"{1:020d}.json").exists()
    rows = pa.concat_tables([worker.rows("logs", 0, 5, partition)])
    with pytest.raises(Fenced):
        stale.commit({"logs": rows}, [Move.of(partition, 0, 5)])


def trim(store: Store) -> None:
    handle = Handle(store.location, "logs")
    handle.checkpoint()
    handle.trim_log()


def small(name: str, day: float, size: int = 1000) -> DataFile:
    return DataFile(name, 0, round(day * DAY_US), 10, size)


def test_files_are_merged_by_day_and_size() -> None:
    today = [small(f"a{n}", 1.5) for n in range(MERGE_FROM)]
    yesterday = [small(f"b{n}", 0.5) for n in range(3)]
    large = [small(f"c{n}", 1.5, TARGET_BYTES) for n in range(MERGE_FROM)]
    assert plan("logs", [*yesterday, *today, *large], full=False) == [today]
    assert plan("logs", [*yesterday, *today, *large], full=True) == [yesterday, today]
    assert plan("logs", today[1:], full=False) == []
    grown = [small(f"d{n}", 1.5, 2**20) for n in range(MERGE_FROM - 1)]  # merged once: not merged again with small ones
    assert plan("logs", [*today, *grown], full=False) == [today]
    assert plan("state", [*yesterday, *today], full=False) == [[*yesterday, *today]]
    half = [small(f"e{n}", 0.5, TARGET_BYTES * 2 // 5) for n in range(5)]
    assert [len(chunk) for chunk in plan("logs", half, full=True)] == [2, 2]


def everything(reader: Reader) -> dict[str, pa.Table]:
    """What readers can see, but how often something was written down."""
    tables = ("logs", "metrics", "templates", "lineage", "dead_letters")
    sums = "SELECT minute, service, severity_number, template_id, sum(count) FROM log_counts GROUP BY ALL ORDER BY ALL"
    account = """SELECT app_id, max(read), max(watermark), arg_max(closed, (next, closed)), arg_max(worker, next)
        FROM ledger GROUP BY ALL ORDER BY ALL"""
    first = 'SELECT template_id, arg_min(example, (first_seen, source, "partition", "offset")) FROM raw_templates'
    queries = [f"SELECT * FROM {table} ORDER BY ALL" for table in tables]
    return {sql: reader.query(sql) for sql in [*queries, sums, account, f"{first} GROUP BY 1 ORDER BY 1"]}


def templates(first: int, count: int) -> pa.Table:
    """Per-commit deltas of two templates, of which the second is late now and then."""
    rows = []
    for n in range(first, first + count):
        at = worker.START + (n if n % 2 else n // 2) * worker.SECOND
        origin = {"source": "a", "partition": 0, "offset": n}
        text = {"template_id": n % 2, "service": "cart", "template": f"t{n % 2} <*>", "example": f"t{n % 2} {n}"}
        rows.append({**text, "first_seen": at, "last_seen": at + n % 3, "count": n + 1, **origin})
    return pa.Table.from_pylist(rows, schema=telemetry.TEMPLATES)


def test_folding_changes_nothing_that_readers_see(store: Store, partition: Partition, reader: Reader) -> None:
    """Compacted in steps and at once, the views are those of the rows as written."""
    writer = store.writer()
    for n in range(0, 40, 2):
        worker.commit(writer, partition, n, n + 2, snapshot=True)
        writer.commit({"templates": templates(n, 2)}, [Move.of(partition, n, n + 2)])
        if n == 20:
            compact(store)
    before = everything(reader)
    compact(store)
    assert everything(reader) == before
    stored = reader.query("SELECT count(*) AS n FROM raw_templates")["n"].to_pylist()
    assert stored == [4]  # of each template its first row, and one for the rest
    assert reader.query("SELECT sum(count)::INT AS n FROM templates")["n"].to_pylist() == [sum(range(41))]


def test_retention_drops_rows_but_no_position_state_or_template_in_use(store: Store, partition: Partition) -> None:
    days = 86_400
    writer = store.writer()
    worker.commit(writer, partition, 0, 5, snapshot=True)
    writer.commit({"templates": templates(0, 4)}, [Move.of(partition, 0, 5)])
    worker.commit(writer, partition, 5, 10, snapshot=True)
    later = worker.rows("logs", 10, 12, partition)
    times = pa.array([worker.START + 20 * days * worker.SECOND] * len(later)).cast(telemetry.TIME)
    ledger = worker.ledger(12, partition)
    index = ledger.schema.get_field_index("watermark")
    tables = {
        "logs": later.set_column(0, later.schema.field("time"), times),
        "ledger": ledger.set_column(index, ledger.schema.field("watermark"), times[: len(ledger)]),
    }
    writer.commit(tables, [Move.of(partition, 10, 12)])
    done = {table.table: table.expired_rows for table in compact(store, Retention(14))}
    assert (done["logs"], done["metrics"], done["ledger"], done["state"]) == (8, 1, 0, 0)
    with store.reader() as reader:
        assert reader.query("SELECT count(*) AS n FROM logs")["n"].to_pylist() == [1]
        assert reader.query("SELECT max(read) AS n FROM ledger")["n"].to_pylist() == [12]
    again = store.writer()
    assert worker.restored(again, partition) == 10
    assert again.position("logs", partition.app_id) == 12
    assert again.position("metrics", partition.app_id) == 5


def test_files_that_were_followed_are_those_of_a_table_opened_afresh(store: Store, partition: Partition) -> None:
    """Through appends, merges, a file that broke and was given back, and one entry by delta-rs itself."""
    followed = {name: Handle(store.location, name) for name in telemetry.TABLES}

    def check() -> None:
        for name, handle in followed.items():
            handle.refresh()
            assert handle.files().each() == Handle(store.location, name).files().each()

    check()
    for start in range(0, 30, 5):
        worker.commit(store.writer(), partition, start, start + 5, snapshot=True)
        if start == 20:
            compact(store)
        check()
    os.remove(followed["logs"].files().paths[0])
    assert store.repair()
    check()
    rows = worker.rows("logs", 30, 35, partition)
    write_deltalake(store.location.table("logs"), rows, mode="append")
    check()


def test_two_merges_of_the_same_files_do_not_double_rows(store: Store, partition: Partition, reader: Reader) -> None:
    """Neither where both start from the same version, nor where one comes later with an old list of files."""
    fill(store, partition)
    before = worker.contents(reader)
    at = Horizon(0, 0, 0)
    first, second, third = (Handle(store.location, "logs") for _ in range(3))
    found = first.files().each()
    with connect(store.location, "512MiB") as connection:
        merge(store.location, first, found, connection, at)
        with pytest.raises(Superseded):
            merge(store.location, second, found, connection, at)
        first.refresh()
        third.refresh()
        stale = first.files().each()
        third.files()
        merge(store.location, first, stale, connection, at)
        third.refresh = lambda: False  # type: ignore[method-assign]
        with pytest.raises(CommitFailedError):
            merge(store.location, third, stale, connection, at)
    assert worker.contents(reader) == before


def test_background_turns_while_two_writers_write(store: Store, partition: Partition, reader: Reader) -> None:
    stop, failed = threading.Event(), []

    def turns() -> None:
        try:
            while not stop.is_set():
                maintain(store, Retention(14), clean=True, stop=stop)
        except BaseException as error:
            failed.append(error)

    other = Partition("app-b", "b")
    maintainer = threading.Thread(target=turns)
    rival = threading.Thread(target=lambda: worker.drain(store.writer(), other, 80, repeat(2)))
    maintainer.start()
    rival.start()
    worker.drain(store.writer(), partition, 80, repeat(2))
    rival.join()
    stop.set()
    maintainer.join()
    assert not failed
    maintain(
        store, Retention(14), clean=True, stop=threading.Event()
    )  # on a busy machine it may have had no turn at logs
    assert files(store)["logs"] < 40
    logs = sum(worker.kind(n) == "logs" for n in range(80))
    assert len(reader.query("FROM logs")) == len(reader.query('SELECT DISTINCT source, "offset" FROM logs')) == 2 * logs
    assert reader.query("SELECT sum(count)::INT AS n FROM log_counts")["n"].to_pylist() == [2 * logs]


def test_a_writer_outlives_the_checkpoint_it_was_opened_from(
    store: Store, partition: Partition, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A table that is seldom written: the log behind its handle is cut, the entry it stands on is not."""
    writer = store.writer()
    worker.commit(writer, partition, 0, 5, snapshot=False)
    trim(store)
    for start in range(5, 40, 5):
        worker.commit(writer, partition, start, start + 5, snapshot=False)
    log = store.location.folder / "logs" / "_delta_log"
    for path in sorted(log.glob("*.*"))[:-1]:
        os.utime(path, (time.time() - 3600,) * 2)
    trim(store)
    monkeypatch.setattr(_tables, "REOPEN_S", 0)
    worker.commit(writer, partition, 40, 45, snapshot=False)
    assert store.writer().position("logs", partition.app_id) == 45


@pytest.mark.parametrize("reopen_s", [0.0, 60.0])
def test_a_partition_that_comes_late_to_a_table_that_rests_finds_its_position(
    store: Store, partition: Partition, monkeypatch: pytest.MonkeyPatch, reopen_s: float
) -> None:
    """Nothing was committed since it was opened, but what it was opened from is gone."""
    fill(store, partition)
    worker.commit(store.writer(), Partition("app-b", "b"), 0, 5, snapshot=False)
    writer = store.writer()
    assert writer.position("logs", partition.app_id) == 60
    age(store, "logs", 30)
    trim(store)
    monkeypatch.setattr(_tables, "REOPEN_S", reopen_s)
    assert writer.position("logs", "app-b") == 5
    assert writer.position("logs", "app-c") is None


def test_a_merged_file_holds_all_rows_newest_slab_first(
    store: Store, partition: Partition, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Slabs are sorted one by one: no row is in two of them or in none, also of those at their ends."""
    monkeypatch.setattr("storage._rewrite.SLAB_ROWS", 16)
    writer = store.writer()
    for n in range(10):
        worker.commit(writer, partition, n * 20, n * 20 + 20, snapshot=False)
    compact(store)
    (path,) = Handle(store.location, "logs").files().paths
    rows = pq.read_table(path)
    assert sorted(rows["offset"].to_pylist()) == sorted(set(rows["offset"].to_pylist()))
    assert rows.num_rows == worker.rows("logs", 0, 200, partition).num_rows
    times = rows["time"].cast(pa.int64()).to_numpy()
    middle = len(times) // 2
    assert times[:middle].min() > times[-16:].max()
