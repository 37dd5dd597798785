"""Times ahead of the clock: such a row is kept and put where it was seen, so that no sender's clock moves ours.

The clock is when the row was seen: what the broker, the journal or the shipper noted, or when the file was last
touched. None of these change when input is read again, so neither does what is decided here.
"""

import numpy as np
import pyarrow as pa

import telemetry
from ingest._tables import Ints
from ingest._times import Mask

AHEAD_US = 600_000_000
"""A row whose time is more than this after it was seen has a wrong time."""
STATED_TIME = "faultline.stated_time"
"""Attribute of such a row: the time it stated."""


def is_ahead(times: Ints, seen_us: Ints | int, written_us: int | None) -> Mask:
    """Return which times (us) are ahead of the clock; `written_us`: when all rows were there (a file read whole)."""
    seen = seen_us if written_us is None else np.maximum(seen_us, written_us)
    return np.asarray(times > seen + AHEAD_US)


def settled(rows: pa.Table, seen_us: Ints | int, written_us: int | None) -> pa.Table:
    """Return rows of `logs`, `metrics` or `spans` with those ahead of the clock marked.

    They are late, their time is when they were seen (`seen_us`: one time, or one a row), and the time they stated is
    the attribute `faultline.stated_time`.
    """
    stated = rows["time"].cast(pa.int64()).to_numpy()
    ahead = is_ahead(stated, seen_us, written_us)
    if not ahead.any():
        return rows
    columns = {name: rows[name] for name in rows.column_names}
    columns["time"] = pa.array(np.where(ahead, seen_us, stated)).cast(telemetry.TIME)
    columns["late"] = pa.array(ahead | rows["late"].to_numpy())
    columns["attributes"] = _with_stated(rows, ahead)
    return pa.table(columns, schema=rows.schema)


def _with_stated(rows: pa.Table, ahead: Mask) -> pa.Array:
    notes = rows["attributes"].to_pylist()
    for row in np.flatnonzero(ahead).tolist():
        notes[row] = [*(notes[row] or ()), (STATED_TIME, rows["time"][row].as_py().isoformat())]
    return pa.array(notes, telemetry.ATTRIBUTES)
