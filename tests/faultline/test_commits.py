"""Commits beside the loop: rows are read on while one is stored, in bounded memory, and a rival costs nothing."""

import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from faultline.pipeline import Pipeline
from faultline.settings import Settings
from ingest import FilesSource
from storage import Store
from telemetry import StoreError

LINES = 60_000
LINE = "2026-01-05T08:%02d:%02d.%03dZ INFO shop.Cart - added %d\n"


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("in") / "cart.log"
    path.write_text("".join(LINE % (n // 60_000, n // 1000 % 60, n % 1000, n) for n in range(LINES)))
    return path


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Commits of log rows wait until it is set."""
    opened = threading.Event()
    from storage._writer import Writer

    real = Writer.commit

    def commit(self, tables, moves, states=()):
        if "logs" in tables:
            assert opened.wait(60)
        real(self, tables, moves, states)

    monkeypatch.setattr(Writer, "commit", commit)
    yield opened
    opened.set()


def pipeline_on(lines: Path, store: Store) -> Pipeline:
    settings = Settings.model_validate({"commit": {"max_bytes": 2**20, "interval_s": 0.1}})
    return Pipeline(FilesSource([lines], once=True), store, settings)


def stored(store: Store) -> list[int]:
    with store.reader() as reader:
        return sorted(reader.query("SELECT line FROM logs")["line"].to_pylist())


def test_rows_are_read_on_while_a_commit_is_stored_but_no_more_than_the_next_commit_holds(
    lines: Path, gate: threading.Event, tmp_path: Path
):
    store = Store.open(tmp_path / "s")
    with closing(pipeline_on(lines, store)) as pipeline:
        read = [0]
        for _ in range(12):
            pipeline.step()
            read.append(pipeline.accounting.total.read)
        assert pipeline.rows_committed == 0
        assert stored(store) == []
        assert read[2] > read[1] > 0
        assert read[-1] == read[-2] < LINES
        gate.set()
        while pipeline.accounting.total.read < LINES:
            pipeline.step()
        assert pipeline.flush(snapshot=True)
        assert pipeline.rows_committed == LINES
    assert stored(store) == list(range(1, LINES + 1))


def test_what_went_wrong_in_a_commit_comes_out_of_the_loop(lines: Path, tmp_path: Path, monkeypatch):
    def failing(*_: object) -> None:
        raise StoreError("the disk is on fire")

    monkeypatch.setattr("storage._tables.Handle.append", failing)
    pipeline = pipeline_on(lines, Store.open(tmp_path / "s"))
    with closing(pipeline), pytest.raises(StoreError, match="on fire"):
        pipeline.step() or pipeline.flush()


def test_a_rival_that_commits_first_makes_a_pipeline_read_again_and_nothing_is_there_twice(
    lines: Path, gate: threading.Event, tmp_path: Path
):
    store = Store.open(tmp_path / "s")
    with closing(pipeline_on(lines, store)) as slow, closing(pipeline_on(lines, store)) as fast:
        for _ in range(5):
            slow.step()
        gate.set()  # both go for the same rows now, and either may be first
        for pipeline in (fast, slow):
            while pipeline.accounting.total.read < LINES:
                pipeline.step()
            assert pipeline.flush(snapshot=True)
    assert stored(store) == list(range(1, LINES + 1))


def test_after_a_restart_the_first_rows_that_are_new_are_committed_at_once(lines: Path, tmp_path: Path):
    """What is read again, from the last snapshot up to the last commit, is not what people wait for."""
    store = Store.open(tmp_path / "s")
    never = Settings.model_validate({"commit": {"interval_s": 60, "snapshot_s": 600}})

    def begin() -> Pipeline:
        return Pipeline(FilesSource([lines], once=True), store, never)

    with closing(begin()) as first:
        first.step()
        assert first.flush(snapshot=True)
        for _ in range(3):
            first.step()
        assert first.flush()
        known = first.accounting.total.read
    with closing(begin()) as second:
        while second.accounting.total.read < known:
            second.step()
            assert second.rows_committed == 0
        second.step()
        second._settle(60)
        assert second.rows_committed > 0
    assert len(stored(store)) > known - 2
