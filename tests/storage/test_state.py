"""Which snapshot a restart takes."""

import logging
import random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from storage import Move, Snapshot, Store, _state, compact
from storage._tables import Handle
from telemetry import CorruptState

COMPONENT = "partition:app-a"


def committed(store: Store, *positions: int) -> None:
    writer = store.writer()
    for position in positions:
        snapshot = Snapshot(COMPONENT, position, 1, b"at %d" % position)
        writer.commit({}, [Move("app-a", 0, position, "a")], [snapshot])


def spoil(store: Store, position: int, **columns: object) -> None:
    """Store a snapshot at a position behind the writer's back."""
    (row,) = _state.to_table([Snapshot(COMPONENT, position, 1, b"x")]).to_pylist()
    table = pa.Table.from_pylist([{**row, **columns}], schema=_state.to_table([]).schema)
    Handle(store.location, "state").append(table, [])


def test_newest_snapshot_of_the_component(store: Store) -> None:
    assert store.writer().restore(COMPONENT) is None
    committed(store, 5, 9, 12)
    assert store.writer().restore(COMPONENT) == Snapshot(COMPONENT, 12, 1, b"at 12")
    assert store.writer().restore("partition:app-b") is None


def test_snapshot_ahead_of_the_ledger_is_passed_over(store: Store) -> None:
    committed(store, 5)
    spoil(store, 7)
    restored = store.writer().restore(COMPONENT)
    assert restored is not None
    assert restored.position == 5


def test_newest_among_many_whatever_the_files_they_lie_in(store: Store) -> None:
    writer, rng, reached = store.writer(), random.Random(3), {"a": 0, "b": 0}
    for turn in range(30):
        name = rng.choice(["a", "b"])
        start, reached[name] = reached[name], reached[name] + rng.randrange(9)
        at = rng.randrange(start, reached[name] + 1)  # positions of both overlap, and some are there twice
        snapshot = Snapshot(f"partition:{name}", at, 1, b"%d" % turn)
        writer.commit({}, [Move(name, start, reached[name], name)], [snapshot])
        if turn == 14:
            compact(store)
    files = Handle(store.location, "state").files()
    stored = pa.concat_tables(pq.read_table(path) for path in files.paths).to_pylist()
    assert len(files.paths) < 20
    for name, end in reached.items():
        for ceiling in (end, end // 2, end // 4, -1):
            want = [row for row in stored if row["component"] == f"partition:{name}" and row["position"] <= ceiling]
            want.sort(key=lambda row: (row["position"], row["time"]), reverse=True)
            assert _state.newest(store.location, files.furthest(), f"partition:{name}", ceiling).to_pylist() == want[:3]


def test_corrupt_snapshot_is_reported_and_an_older_one_taken(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    committed(store, 5)
    spoil(store, 5, checksum="0" * 32)
    with caplog.at_level(logging.ERROR):
        assert store.writer().restore(COMPONENT) == Snapshot(COMPONENT, 5, 1, b"at 5")
    assert "partition:app-a at position 5 fails its checksum" in caplog.text


def test_no_intact_snapshot_or_another_format_is_an_error(store: Store) -> None:
    committed(store, 5)
    with pytest.raises(CorruptState, match="format version 1; this program reads version 2"):
        store.writer().restore(COMPONENT, format_version=2)
    rows = _state.to_table([Snapshot(COMPONENT, 5, 1, b"x")])
    broken = rows.set_column(rows.schema.get_field_index("checksum"), "checksum", pa.array(["0" * 32]))
    with pytest.raises(CorruptState, match="all 1 snapshots"):
        _state.choose(broken, COMPONENT, 1)
