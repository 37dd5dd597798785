"""Whatever crashes, replays and rivals do, the tables end up as one undisturbed run leaves them."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from itertools import cycle, repeat
from pathlib import Path
from typing import Any

import pytest
import storage_worker as worker
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storage import Store
from storage._tables import Handle
from telemetry import Partition

Contents = dict[str, list[dict[str, Any]]]
TOTAL = 60
PARTITION = Partition("app-a", "a")


class Crash(BaseException):
    """The process is killed here."""


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Contents:
    store = Store.open(tmp_path_factory.mktemp("undisturbed"))
    worker.drain(store.writer(), PARTITION, TOTAL, repeat(TOTAL))
    with store.reader() as reader:
        found = worker.contents(reader)
    assert found["ledger"] == [{"app_id": "app-a", "next": 60, "read": 60, "stored": 56, "dead": 4}]
    return found


def crash_at_append(patch: pytest.MonkeyPatch, number: int, after: bool) -> None:
    """Kill the run at its n-th append to any table, just before or just after it is committed."""
    append, count = Handle.append, iter(range(number + 1))

    def crashing(handle: Handle, rows: Any, transactions: Any) -> None:
        last = next(count) == number
        if last and not after:
            raise Crash
        append(handle, rows, transactions)
        if last:
            raise Crash

    patch.setattr(Handle, "append", crashing)


crashes = st.tuples(st.integers(0, 14), st.booleans(), st.lists(st.integers(1, 25), min_size=1, max_size=4))


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(runs=st.lists(crashes, min_size=1, max_size=4), last=st.integers(1, TOTAL))
def test_crash_between_any_two_tables_loses_and_doubles_nothing(
    runs: list[tuple[int, bool, list[int]]],
    last: int,
    undisturbed: Contents,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    store = Store.open(tmp_path_factory.mktemp("store"))
    for number, after, sizes in runs:
        with pytest.MonkeyPatch.context() as patch:
            crash_at_append(patch, number, after)
            try:
                worker.drain(store.writer(), PARTITION, TOTAL, cycle(sizes))
            except Crash:
                continue
            break
    worker.drain(store.writer(), PARTITION, TOTAL, repeat(last))
    with store.reader() as reader:
        assert worker.contents(reader) == undisturbed


def test_snapshot_is_never_ahead_of_a_table(store: Store) -> None:
    """Each attempt gets one table further and dies; until all are written, the state of the commit is not there."""
    worker.commit(store.writer(), PARTITION, 0, 20, snapshot=True)
    for _ in ("logs", "metrics", "log_counts", "dead_letters", "ledger"):
        with pytest.MonkeyPatch.context() as patch:
            crash_at_append(patch, 0, after=True)
            writer = store.writer()
            assert worker.restored(writer, PARTITION) == 20
            with pytest.raises(Crash):
                worker.commit(writer, PARTITION, 20, 40, snapshot=True)
    assert worker.restored(store.writer(), PARTITION) == 20
    worker.commit(store.writer(), PARTITION, 20, 40, snapshot=True)
    assert worker.restored(store.writer(), PARTITION) == 40


def test_the_check_can_fail_sums_over_replayed_rows_count_twice(
    store: Store, undisturbed: Contents, monkeypatch: pytest.MonkeyPatch
) -> None:
    from storage import Writer

    monkeypatch.setattr(Writer, "fresh", lambda self, table, rows, moves: rows)
    with pytest.MonkeyPatch.context() as patch:
        crash_at_append(patch, 2, after=True)  # logs, metrics and log_counts are written, the ledger is not
        with pytest.raises(Crash):
            worker.commit(store.writer(), PARTITION, 0, 20, snapshot=False)
    worker.drain(store.writer(), PARTITION, TOTAL, repeat(TOTAL))
    with store.reader() as reader:
        found = worker.contents(reader)
    assert found["logs"] == undisturbed["logs"]
    assert found["log_counts"] != undisturbed["log_counts"]


def test_two_threads_that_both_own_the_partition(store: Store, undisturbed: Contents) -> None:
    fenced: list[int] = []
    barrier = threading.Barrier(2)
    failed: list[BaseException] = []

    def zombie(seed: int) -> None:
        rng = random.Random(seed)
        sizes: Iterator[int] = (rng.randint(1, 9) for _ in repeat(None))
        try:
            writer = store.writer()
            barrier.wait()
            worker.drain(writer, PARTITION, TOTAL, sizes, lambda: fenced.append(seed))
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=zombie, args=[seed]) for seed in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert fenced
    with store.reader() as reader:
        assert worker.contents(reader) == undisturbed


def start_worker(folder: Path, total: int, *sources: str) -> "subprocess.Popen[str]":
    command = [sys.executable, worker.__file__, str(folder), str(total), *sources]
    root = str(Path(worker.__file__).parents[2])
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": root})
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def test_killed_stopped_and_rival_processes(store: Store) -> None:
    """Three processes at a time own the same two partitions; some are killed, one is stopped and goes on later."""
    total = 150
    rng = random.Random(7)
    processes = [start_worker(store.location.folder, total, *order) for order in (("a", "b"), ("b", "a"), ("a", "b"))]
    zombie = processes.pop()
    time.sleep(0.2)
    zombie.send_signal(signal.SIGSTOP)
    for _ in range(2):
        time.sleep(rng.uniform(0.05, 0.4))
        victim = processes.pop(0)
        victim.kill()
        victim.communicate()
        processes.append(start_worker(store.location.folder, total, "a", "b"))
    zombie.send_signal(signal.SIGCONT)
    for process in [*processes, zombie]:
        process.communicate(timeout=120)
        assert process.returncode == 0
    with store.reader() as reader:
        found = worker.contents(reader)
    expected = {(worker.kind(n), source, n) for n in range(total) for source in "ab"}
    tables = ("logs", "metrics", "dead_letters")
    stored = [(name, row["source"], row["offset"]) for name in tables for row in found[name]]
    assert len(stored) == len(expected)
    assert set(stored) == expected
    logs = sum(worker.kind(n) == "logs" for n in range(total)) * 2
    assert sum(row["n"] for row in found["log_counts"]) == logs
    assert [row["next"] for row in found["ledger"]] == [total, total]
