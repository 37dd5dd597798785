"""Rows of split templates, summed up by the values that part them.

A split makes templates of rows that were counted as one, so `log_counts` and `templates` do not know their counts. They
are summed from `logs`, once a data file (files never change), and kept in the reader's memory.
"""

# ruff: noqa: S608 - every name in these statements is our own, every path is quoted

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import pyarrow as pa

import telemetry
from storage import _views
from storage._edits import Run, Split
from storage._lineage import Recipe, Rule

if TYPE_CHECKING:
    import duckdb

MOST_VALUES = 1000
"""Values of one run that are told apart; rows with others stay with the template they were split from."""
_EXAMPLE = 2000  # characters of a body

_Keys = dict[int, tuple[tuple[Run, ...], tuple[frozenset[str], ...]]]


class SplitRows:
    """The sums of one reader. `look` first, until it finds nothing new; then `load`."""

    def __init__(self, connection: "duckdb.DuckDBPyConnection") -> None:
        self._connection = connection
        self._values: dict[tuple[int, Run], set[str]] = {}
        self._looked: set[str] = set()  # files
        self._keys: _Keys = {}
        self._open: set[tuple[int, Run]] = set()  # runs whose values were found file by file, up to the last `load`
        self._loaded: set[str] = set()  # files

    def values(self, from_id: int, run: Run) -> Iterable[str]:
        """Return the values of a run of a stored id's parameters seen so far."""
        return self._values.get((from_id, run), ())

    def look(self, runs: Iterable[tuple[int, Run]], files: Sequence[str]) -> bool:
        """Find the values of these (stored id, run) in the files of `logs`; return whether any value is new."""
        wanted = set(runs)
        if wanted != self._values.keys():
            self._values, self._looked = {one: set() for one in sorted(wanted, key=repr)}, set()
        before = {one: frozenset(found) for one, found in self._values.items()}
        fresh = [file for file in files if file not in self._looked]
        if fresh and self._values:
            self._find(fresh)
        self._looked = set(files)
        return any(before[one] != found for one, found in self._values.items())

    def _find(self, files: Sequence[str]) -> None:
        runs = list(self._values)
        recipes = pa.array([[_parts(run)] for _, run in runs], telemetry.RECIPE)
        ids = pa.array([from_id for from_id, _ in runs], pa.int64())
        self._connection.register("wanted", pa.table({"n": range(len(runs)), "from_id": ids, "run": recipes}))
        found = self._connection.execute(
            f"SELECT DISTINCT n, {_views.rendered('wanted.run')}[1] FROM {_views.source('logs', files)} logs "
            "JOIN wanted ON template_id = from_id"
        ).fetchall()
        self._connection.unregister("wanted")
        for n, value in found:
            self._values[runs[n]].add(value)
        for run in runs:
            self._values[run] = set(sorted(self._values[run])[:MOST_VALUES])

    def load(self, splits: Sequence[Split], files: Sequence[str]) -> None:
        """Sum up the rows of files not summed up yet, and write where each key's rows go. The map must be written."""
        keys: _Keys = {split.from_id: (split.runs, split.known) for split in splits}
        if self._is_new(keys):
            self._connection.execute(f"DELETE FROM {_views.ROWS}")
            self._loaded = set()
        if gone := self._loaded.difference(files):
            self._connection.execute(f"DELETE FROM {_views.ROWS} WHERE list_contains(?, file)", [sorted(gone)])
        fresh = [file for file in files if file not in self._loaded]
        if keys and fresh:
            self._connection.execute(f"INSERT INTO {_views.ROWS} {_views.split_sums(fresh, _EXAMPLE)}")
        self._keys, self._loaded, self._open = keys, set(files), set(self._values)
        self._write_routes({split.from_id: split for split in splits})

    def _is_new(self, keys: _Keys) -> bool:
        """Return whether rows summed up before may have other keys now.

        Where every value is told apart, one that is new was in no file before.
        """
        if keys.keys() != self._keys.keys():
            return True
        for id, (runs, known) in keys.items():
            old_runs, old_known = self._keys[id]
            if runs != old_runs:
                return True
            for run, values, old in zip(runs, known, old_known, strict=True):
                growing = (id, run) in self._open and (id, run) in self._values
                if (old - values) if growing else (old != values):
                    return True
        return False

    def _write_routes(self, splits: dict[int, Split]) -> None:
        found = self._connection.execute(f"SELECT DISTINCT from_id, key FROM {_views.ROWS}").fetchall()
        rules = [splits[id].route([_value(one) for one in key]) for id, key in found]
        table = rule_table(rules).append_column("key", pa.array([key for _, key in found], pa.list_(pa.string())))
        self._connection.execute(f"DELETE FROM {_views.ROUTES}")
        self._connection.register("routes", table)
        self._connection.execute(f"INSERT INTO {_views.ROUTES} SELECT from_id, key, to_id, recipe FROM routes")
        self._connection.unregister("routes")


def rule_table(rules: Sequence[Rule]) -> pa.Table:
    """Return rules as a table of from_id, to_id, recipe."""
    return pa.table(
        {
            "from_id": pa.array([rule.from_id for rule in rules], pa.int64()),
            "to_id": pa.array([rule.to_id for rule in rules], pa.int64()),
            "recipe": recipe_column([rule.recipe for rule in rules]),
        }
    )


def recipe_column(recipes: Sequence[Recipe | None]) -> pa.Array:
    """Return recipes as an Arrow column."""
    return pa.array([None if one is None else [_parts(run) for run in one] for one in recipes], telemetry.RECIPE)


def _parts(run: Run) -> list[dict[str, object]]:
    return [{"text": text, "param": param} for text, param in run]


def _value(key: str) -> str | None:
    return key[1:] if key else None
