"""How far event time has come, as the ledger says: the end of what detection may look at.

A partition holds windows open until its watermark has passed them. Which partitions count: those of the input at
hand, whichever worker reads them, and any other that somebody is seen to write to this store.
"""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from faultline.worker import MAX_SPAN_US

if TYPE_CHECKING:
    from storage import Reader

_ALIVE_S = 30.0
"""A partition that is not of our input holds windows open this long after it last moved."""
_TABLES = ("logs", "metrics", "spans")
_LEDGER = {
    "app_id": "app_id",
    "mark": "epoch_us(max(watermark))",
    "closed": "arg_max(closed, (next, closed))",  # what was read to its end may go on later: its newest row counts
    "next": "max(next)",
}


class Watermarks:
    """Reads the ledger of one store. Times are microseconds since the epoch. Methods raise StoreError."""

    def __init__(self, reader: "Reader", width_us: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._reader, self._width, self._clock = reader, width_us, clock
        self._next: dict[str, int] = {}
        self._moved: dict[str, float] = {}  # when a partition was last seen to move, by our clock
        self.newest: int | None = None
        """The highest watermark of a partition that has not ended."""

    def limit(self, apps: frozenset[str], final: bool = False) -> int | None:
        """Return the event time below which only late rows can come; None: a partition of `apps` has said nothing yet.

        `final`: nothing more will come, so it is the end of the last window with rows.
        """
        found = self._reader.aggregate("ledger", _LEDGER)
        rows = found.to_pylist() if found else []
        self._watch(rows)
        marks = [row["mark"] for row in rows if not row["closed"] and row["mark"] is not None]
        self.newest = max(marks, default=None)
        ours = [row for row in rows if row["app_id"] in apps]
        if len(ours) < len(apps) or not ours:
            return None
        if final or all(row["closed"] for row in ours):
            return self._last_time()
        counted = [row["mark"] for row in rows if not row["closed"] and self._counts(row["app_id"], apps)]
        return None if None in counted else min(counted)

    def _watch(self, rows: list[dict[str, Any]]) -> None:
        now = self._clock()
        for row in rows:
            app = row["app_id"]
            if self._next.get(app, row["next"]) != row["next"]:
                self._moved[app] = now
            self._next[app] = row["next"]

    def _counts(self, app: str, apps: frozenset[str]) -> bool:
        return app in apps or self._clock() - self._moved.get(app, -_ALIVE_S) < _ALIVE_S

    def _last_time(self) -> int | None:
        """The end of the window that holds the newest row."""
        known = [time for table in _TABLES if (time := extreme(self._reader, "max", table)) is not None]
        return (max(known) // self._width + 1) * self._width if known else None


def extreme(reader: "Reader", which: str, table: str, since: int | None = None) -> int | None:
    """Return the `min` or `max` time (of spans: their end) of the rows at or after `since` that are not late."""
    end = f"+ least(greatest(duration_us, 0), {MAX_SPAN_US})" if table == "spans" else ""
    bound = "" if since is None else "AND time >= make_timestamptz(?)"
    sql = f"SELECT {which}(epoch_us(time) {end}) AS t FROM raw_{table} WHERE NOT late {bound}"  # noqa: S608 (our words)
    value = reader.query(sql, () if since is None else (since,)).to_pylist()[0]["t"]
    return None if value is None else int(value)


def earliest(reader: "Reader", since: int | None) -> int | None:
    """Return the time of the first row at or after `since` that is not late; None: there is none."""
    known = [time for table in _TABLES if (time := extreme(reader, "min", table, since)) is not None]
    return min(known, default=None)
