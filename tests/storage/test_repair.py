"""A broken file is found at start, and what it held is read again, once."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import repeat
from pathlib import Path
from typing import Any

import pytest
import storage_worker as worker

from storage import Repair, Store, compact
from storage._tables import Handle
from telemetry import Fenced, Partition, QueryError


def fill(store: Store, partition: Partition, commits: int) -> None:
    writer = store.writer()
    for n in range(commits):
        worker.commit(writer, partition, n * 5, n * 5 + 5, snapshot=True)


def newest(store: Store, table: str, back: int = 0) -> Path:
    """The file of the last commit but `back`."""
    return Path(Handle(store.location, table).files().paths[back])


def read_again(store: Store, partition: Partition, total: int) -> None:
    worker.drain(store.writer(), partition, total, repeat(4))


def whole(store: Store, partition: Partition, total: int, undisturbed: Path) -> bool:
    """Whether a store holds what one undisturbed run leaves."""
    reference = Store.open(undisturbed)
    worker.drain(reference.writer(), partition, total, repeat(total))
    with store.reader() as reader, reference.reader() as other:
        return worker.contents(reader) == worker.contents(other)


@pytest.mark.parametrize(
    ("table", "broken"),
    [
        *(("logs", broken) for broken in ("missing", "cut", "overwritten", "footer")),
        *(("log_counts", "cut"), ("ledger", "missing")),
    ],
)
def test_a_broken_file_is_read_again(
    table: str, broken: str, store: Store, partition: Partition, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    fill(store, partition, 8)
    path = newest(store, table, 2)
    if broken == "missing":
        path.unlink()
    elif broken == "cut":
        path.write_bytes(path.read_bytes()[:-100])
    elif broken == "footer":  # as it is where its last blocks never reached the disk
        path.write_bytes(path.read_bytes()[:-200] + b"\0" * 196 + b"PAR1")
    else:  # as long as before
        path.write_bytes(b"\0" * path.stat().st_size)
    with caplog.at_level(logging.ERROR):
        (done,) = store.repair()
    assert (done.table, done.files, done.read_again) == (table, 1, True)
    assert f"table {table}: found broken 1 files with {done.rows} rows" in caplog.text
    position = worker.restored(store.writer(), partition)
    assert position < 40
    read_again(store, partition, 45)
    assert whole(store, partition, 45, tmp_path / "undisturbed")
    assert store.repair() == []


def test_a_broken_merged_file_gives_way_to_those_it_was_made_of(
    store: Store, partition: Partition, tmp_path: Path
) -> None:
    fill(store, partition, 6)
    compact(store)
    worker.commit(store.writer(), partition, 30, 35, snapshot=False)
    newest(store, "logs", 1).unlink()
    assert [done.table for done in store.repair()] == ["logs"]
    read_again(store, partition, 40)
    assert whole(store, partition, 40, tmp_path / "undisturbed")


def test_a_file_older_than_all_versions_is_given_up_and_the_rest_goes_on(
    store: Store, partition: Partition, caplog: pytest.LogCaptureFixture
) -> None:
    worker.commit(store.writer(), partition, 0, 5, snapshot=True)
    rows = len(worker.rows("logs", 0, 5, partition))
    first = newest(store, "logs")
    worker.commit(store.writer(), partition, 5, 10, snapshot=True)
    Handle(store.location, "logs").table.create_checkpoint()
    for entry in (store.location.folder / "logs" / "_delta_log").glob("0000000000000000000[01].json"):
        entry.unlink()
    first.unlink()
    with caplog.at_level(logging.ERROR):
        assert store.repair() == [Repair("logs", 1, rows, read_again=False)]
    assert "its rows are lost to this store" in caplog.text
    assert worker.restored(store.writer(), partition) == 10
    with store.reader() as reader:
        assert len(reader.query("FROM logs")) == len(worker.rows("logs", 5, 10, partition))


def test_two_that_start_at_once_repair_once(
    store: Store, partition: Partition, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(store, partition, 4)
    newest(store, "logs").unlink()
    replace, done = Handle.replace, list[Repair]()

    def rival_first(*args: Any, **options: Any) -> None:
        monkeypatch.undo()
        done.extend(store.repair())
        replace(*args, **options)

    monkeypatch.setattr(Handle, "replace", rival_first)
    assert store.repair() == []
    assert len(done) == 1
    read_again(store, partition, 20)
    assert whole(store, partition, 20, tmp_path / "undisturbed")


def test_a_writer_that_goes_on_meanwhile_is_fenced(store: Store, partition: Partition, tmp_path: Path) -> None:
    fill(store, partition, 4)
    writer = store.writer()
    worker.restored(writer, partition)
    newest(store, "logs").unlink()
    store.repair()
    with pytest.raises(Fenced):
        worker.commit(writer, partition, 20, 25, snapshot=False)
    read_again(store, partition, 25)
    assert whole(store, partition, 25, tmp_path / "undisturbed")


def test_changed_bytes_are_found_by_reading_everything(store: Store, partition: Partition, tmp_path: Path) -> None:
    """Or they change nothing that is read, or end a query with a hint."""
    fill(store, partition, 6)
    compact(store)
    assert list(store.broken_files()) == []
    path = newest(store, "logs")
    content = path.read_bytes()
    right, found = every_row(store), 0
    for at in range(4, len(content) - 4, len(content) // 40):
        path.write_bytes(content[:at] + bytes([content[at] ^ 16]) + content[at + 1 :])
        if list(store.broken_files()):
            found += 1
        else:
            assert every_row(store) in (right, None)
    assert found > 10
    path.write_bytes(content[:200] + b"\xff" * 200 + content[400:])
    assert store.repair() == []
    assert [done.table for done in store.repair(full=True)] == ["logs"]
    read_again(store, partition, 40)
    assert whole(store, partition, 40, tmp_path / "undisturbed")


def every_row(store: Store) -> list[Any] | None:
    with store.reader() as reader:
        try:
            return reader.query("FROM logs").to_pylist()
        except QueryError as error:
            return None if "faultline doctor --full" in str(error) else [error]


def torn(store: Store, table: str, broken: str, back: int = 0) -> None:
    """Leave a table's newest log entry but `back`, or its checkpoint, as a loss of power may."""
    log = store.location.folder / table / "_delta_log"
    if broken == "checkpoint":
        Handle(store.location, table).checkpoint()
    path = sorted(log.glob("*.checkpoint.parquet" if broken == "checkpoint" else "*.json"))[-1 - back]
    good = path.read_bytes()
    path.write_bytes({"empty": b"", "half": good[: len(good) // 2]}.get(broken, b"\0" * len(good)))


@pytest.mark.parametrize("table", ["logs", "log_counts", "metrics", "ledger", "state"])
@pytest.mark.parametrize(("broken", "back"), [("empty", 0), ("half", 0), ("zeros", 1), ("checkpoint", 0)])
def test_a_torn_log_is_read_again(
    table: str, broken: str, back: int, store: Store, partition: Partition, tmp_path: Path
) -> None:
    fill(store, partition, 8)
    torn(store, table, broken, back)
    again = Store.open(store.url)
    assert again.repair() == []
    read_again(again, partition, 45)
    assert whole(again, partition, 45, tmp_path / "undisturbed")


def test_the_first_rows_of_a_source_are_read_again_though_the_table_never_knew_it(
    store: Store, partition: Partition, tmp_path: Path
) -> None:
    worker.commit(store.writer(), partition, 0, 20, snapshot=True)
    torn(store, "logs", "empty")
    again = Store.open(store.url)
    assert worker.restored(again.writer(), partition) == 0
    read_again(again, partition, 20)
    assert whole(again, partition, 20, tmp_path / "undisturbed")


def test_a_look_at_the_files_does_not_mind_writers_that_come_and_go(
    store: Store, partition: Partition, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file under way has another name once it is whole: between its listing and the look at it."""
    fill(store, partition, 2)
    real = os.scandir

    @contextmanager
    def scandir(folder: str) -> Iterator[Iterator[os.DirEntry[str]]]:
        under_way = Path(folder) / "part-00000-c000.zstd.parquet#1"
        under_way.touch()
        with real(folder) as entries:
            found = list(entries)
        under_way.unlink()
        yield iter(found)

    monkeypatch.setattr(os, "scandir", scandir)
    assert store.repair() == []
