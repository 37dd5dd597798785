"""The writer: appends rows exactly once, whoever crashed before and whoever else believes to own the partition.

Each table remembers, per app id, the position its rows reach (a Delta application transaction). A commit writes the
tables one after the other, data first, the ledger next, state last. A crash in between leaves some tables ahead;
the replay then drops rows below each table's own position.

Fencing: Delta Lake refuses a commit only if its app id was committed after the snapshot the handle stands on, and
every commit of one's own moves that snapshot; versions are never compared. So before each append the handle is
brought up to date and must show exactly the position this writer left or claimed. A rival that comes in between
meets Delta's own check.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

import telemetry
from storage import _state
from storage._location import Location
from storage._state import Snapshot
from storage._tables import Handle, one_line, store_errors
from telemetry import Fenced, Partition, StoreError

CORRELATOR = "correlator"
"""App id of the one component that looks across partitions; its positions are window ends in microseconds."""


@dataclass(frozen=True)
class Move:
    """What a commit covers of one app id: positions [start, next). `start` may be lower or, on replay, higher than
    need be; it only shows that the commit leaves no gap behind what is stored.

    `source` and `number` are the columns `source` and `partition` of its rows; a `source` of None means that its
    rows carry no origin but an extra int64 column `position`.
    """

    app_id: str
    start: int
    next: int
    source: str | None = None
    number: int = 0

    @classmethod
    def of(cls, partition: Partition, start: int, next: int) -> "Move":
        """Return the move of an input's partition."""
        return cls(partition.app_id, start, next, partition.source, partition.number)


class Writer:
    """Appends to the tables of one store. One thread at a time; open one writer a process.

    After any error the app ids of the failed commit are released: call `restore` for each, seek the source to what
    it says, and go on.
    """

    def __init__(self, location: Location, opened: Mapping[str, Handle] | None = None) -> None:
        """`opened`: tables that are open already; they are this writer's alone from now on."""
        self._location = location
        self._handles = {name: Handle(location, name) for name in telemetry.TABLES} | dict(opened or {})
        self._claims: dict[str, dict[str, int | None]] = {}
        self._lost: set[str] = set()

    def position(self, table: str, app_id: str) -> int | None:
        """Return the position up to which `table` holds rows of an app id, as claimed; None: it holds none."""
        return self._claimed(app_id)[table]

    def seen(self, table: str, app_id: str) -> int | None:
        """Return the position `table` has for an app id now, whoever moved it; claims nothing. Raises StoreError."""
        handle = self._handles[table]
        handle.refresh()
        return handle.position(app_id)

    def restore(self, component: str, format_version: int = 1) -> Snapshot | None:
        """Claim a component's app id afresh and return its newest snapshot that is not ahead of the ledger.

        None: start from the beginning; rows that are already stored will be dropped. Raises CorruptState if no
        snapshot passes its checksum or its format is another, StoreError if the tables cannot be read.
        """
        app_id = component.removeprefix(_state._PARTITION)
        ledger = self._claim(app_id)["ledger"]
        if ledger is None:
            return None
        return _state.choose(self._snapshots(component, ledger), component, format_version)

    def reclaim(self, moves: Sequence[Move]) -> None:
        """Claim the app ids of a failed commit at where the tables are, to try the very same commit again.

        What it has written already is dropped then. Raises StoreError if the tables cannot be read.
        """
        for move in moves:
            self._claim(move.app_id)

    def fresh(self, table: str, rows: pa.Table, moves: Sequence[Move]) -> pa.Table:
        """Return the rows at or above the position `table` has reached.

        What is summed up for `table` must be summed over these only: after a crash, a sum over all replayed rows
        would count again what the table already holds.
        """
        floors = [self._claimed(move.app_id)[table] for move in moves]
        return _unwritten(table, rows, moves, floors)[0]

    def commit(self, tables: Mapping[str, pa.Table], moves: Sequence[Move], states: Sequence[Snapshot] = ()) -> None:
        """Append rows (schemas of `telemetry.TABLES`) and snapshots, and move the positions of their app ids.

        Tables without origin columns carry an extra int64 column `position`, which is not stored. Rows below a
        table's position are dropped. The ledger's position moves even without a ledger row.
        Raises Fenced if another writer has moved a position, StoreError if a table cannot be written, ValueError if
        rows or snapshots belong to no move, lie beyond it, or a move would leave a gap behind.
        """
        if unknown := set(tables) - set(telemetry.TABLES) | set(tables) & {"state"}:
            raise ValueError(f"cannot commit rows to {sorted(unknown)}: want names of telemetry.TABLES but state")
        _check_moves(moves, states)
        for move in moves:
            self._check_gap(move)
        rows = {**tables, "state": _state.to_table(states)}
        try:
            for name in telemetry.TABLES:
                self._commit_table(name, rows.get(name), moves)
        except BaseException:
            for move in moves:
                self._claims.pop(move.app_id, None)
                self._lost.add(move.app_id)
            raise

    def _claimed(self, app_id: str) -> dict[str, int | None]:
        if app_id in self._lost:
            raise Fenced(f"{app_id} is not ours since the last commit failed: restore it and seek again")
        return self._claims[app_id] if app_id in self._claims else self._claim(app_id)

    def _claim(self, app_id: str) -> dict[str, int | None]:
        self._location.each(Handle.refresh, self._handles.values())
        claim = {name: handle.position(app_id) for name, handle in self._handles.items()}
        self._claims[app_id] = claim
        self._lost.discard(app_id)
        return claim

    def _check_gap(self, move: Move) -> None:
        ledger = self._claimed(move.app_id)["ledger"]
        if ledger is not None and move.start > ledger:
            raise ValueError(
                f"commit of {move.app_id} starts at {move.start}, but the tables end at {ledger}: "
                "what lies between would be lost; start at or below the ledger's position"
            )

    def _commit_table(self, name: str, rows: pa.Table | None, moves: Sequence[Move]) -> None:
        """Append what one table lacks of this commit."""
        if not moves or (name != "ledger" and (rows is None or rows.num_rows == 0)):
            return
        rows = telemetry.TABLES[name].empty_table() if rows is None else rows
        handle = self._handles[name]
        handle.refresh()
        floors = handle.positions([move.app_id for move in moves])
        self._check_fence(name, moves, floors)
        rows, touched = _unwritten(name, rows, moves, floors)
        if name == "ledger":
            touched |= {i for i, floor in enumerate(floors) if floor is None or moves[i].next > floor}
        if not touched:
            return
        reached = {moves[i].app_id: max(moves[i].next, floors[i] or 0) for i in touched}
        self._append(handle, _prepared(name, rows), reached)
        for app_id, position in reached.items():
            self._claims[app_id][name] = position

    def _check_fence(self, table: str, moves: Sequence[Move], floors: Sequence[int | None]) -> None:
        for move, found in zip(moves, floors, strict=True):
            if found != (expected := self._claimed(move.app_id)[table]):
                raise Fenced(
                    f"another writer moved {move.app_id} in table {table} to {found}, we left it at {expected}: "
                    "restore and seek again"
                )

    def _append(self, handle: Handle, rows: pa.Table, reached: Mapping[str, int]) -> None:
        from deltalake import Transaction
        from deltalake.exceptions import CommitFailedError

        try:
            with store_errors(f"write to the table {handle.path}"):
                handle.append(rows, [Transaction(app_id, position) for app_id, position in reached.items()])
        except StoreError as error:
            handle.drop()
            cause = error.__cause__
            if isinstance(cause, CommitFailedError) and "etadata changed" in str(cause):
                raise Fenced(
                    f"the table {handle.name} has been given new columns meanwhile: restore and seek again"
                ) from cause
            if isinstance(cause, CommitFailedError) and "oncurrent transaction" in str(cause):
                raise Fenced(
                    f"another writer moved one of {sorted(reached)} in table {handle.name} ({one_line(cause)}): "
                    "restore and seek again"
                ) from cause
            raise

    def _snapshots(self, component: str, not_ahead_of: int) -> pa.Table:
        """Return the newest rows of `state` for a component, newest first."""
        state = self._handles["state"]
        try:
            return _state.newest(self._location, state.files().furthest(), component, not_ahead_of)
        except (pa.ArrowException, OSError) as error:
            raise StoreError(f"cannot read the table {state.path}: {one_line(error)}") from error


def _check_moves(moves: Sequence[Move], states: Sequence[Snapshot]) -> None:
    by_app = {move.app_id: move for move in moves}
    if len(by_app) != len(moves):
        raise ValueError("want one move an app id")
    for state in states:
        if state.app_id not in by_app or state.position > by_app[state.app_id].next:
            raise ValueError(f"snapshot of {state.component} at {state.position} lies outside the commit's moves")


def _unwritten(
    table: str, rows: pa.Table, moves: Sequence[Move], floors: Sequence[int | None]
) -> tuple[pa.Table, set[int]]:
    """Return the rows at or above their move's floor, and the indices of the moves that have any."""
    column = next(name for name in ("offset", "position", "next") if name in rows.column_names)
    positions = rows[column].to_numpy()
    owner = _owners(table, rows, moves)
    # Ledger and state rows state the position they reach; every other row lies below it.
    inclusive = int(table in ("ledger", "state"))
    ceilings = np.array([move.next + inclusive for move in moves], dtype=np.int64)
    beyond = np.flatnonzero(positions >= ceilings[owner])
    if len(beyond):
        worst = beyond[0]
        raise ValueError(
            f"row of {table} at {column} {positions[worst]} lies beyond the move of {moves[owner[worst]].app_id}, "
            f"which ends at {moves[owner[worst]].next}"
        )
    lowest = np.iinfo(np.int64).min
    keep = positions >= np.array([lowest if f is None else f for f in floors], dtype=np.int64)[owner]
    if keep.all():
        return rows, _distinct(owner)
    return rows.filter(pa.array(keep)), _distinct(owner[keep])


def _distinct(owner: Any) -> set[int]:
    """Return the values of an array that comes in runs of the same value."""
    return set(owner[_run_starts(owner)].tolist())


def _run_starts(values: Any) -> Any:
    """Return where in an array a run of the same value begins."""
    return np.flatnonzero(np.concatenate((values[:1] == values[:1], values[1:] != values[:-1])))


def _owners(table: str, rows: pa.Table, moves: Sequence[Move]) -> Any:
    """Return for each row the index of the move it belongs to."""
    if "app_id" in rows.column_names:
        return _match(table, rows["app_id"], {move.app_id: i for i, move in enumerate(moves)})
    if table == "state":
        ids = pa.array([c.removeprefix(_state._PARTITION) for c in rows["component"].to_pylist()], pa.string())
        return _match(table, ids, {move.app_id: i for i, move in enumerate(moves)})
    if "source" in rows.column_names:
        return _origins(table, rows, moves)
    homeless = [i for i, move in enumerate(moves) if move.source is None]
    if len(homeless) != 1:
        raise ValueError(
            f"rows of {table} carry no origin: want exactly one move without a source, got {len(homeless)}"
        )
    return np.full(rows.num_rows, homeless[0], dtype=np.int64)


def _origins(table: str, rows: pa.Table, moves: Sequence[Move]) -> Any:
    encoded = rows["source"].combine_chunks().dictionary_encode()
    encoded = encoded.combine_chunks() if isinstance(encoded, pa.ChunkedArray) else encoded
    names = encoded.dictionary.to_pylist()
    pairs = (encoded.indices.to_numpy().astype(np.int64) << 32) | rows["partition"].to_numpy()
    starts = _run_starts(pairs)
    unique, inverse = np.unique(pairs[starts], return_inverse=True)
    index = {(move.source, move.number): i for i, move in enumerate(moves)}
    owners = np.empty(len(unique), dtype=np.int64)
    for i, pair in enumerate(unique.tolist()):
        origin = (names[pair >> 32], pair & 0xFFFFFFFF)
        if origin not in index:
            raise ValueError(f"rows of {table} come from {origin}, which has no move in this commit")
        owners[i] = index[origin]
    return np.repeat(owners[inverse], np.diff(starts, append=len(pairs)))


def _match(table: str, ids: pa.ChunkedArray, index: Mapping[str, int]) -> Any:
    values = ids.to_pylist()
    if stray := set(values) - set(index):
        raise ValueError(f"rows of {table} belong to {sorted(stray)}, which have no move in this commit")
    return np.array([index[value] for value in values], dtype=np.int64)


def _prepared(name: str, rows: pa.Table) -> pa.Table:
    """Return rows with the table's columns and types. They stay in the order they came: merging sorts them."""
    schema = telemetry.TABLES[name]
    rows = rows.select(schema.names)
    return rows if rows.schema.equals(schema) else rows.cast(schema)
