"""Merging small files into larger ones: which go together, and what the merged file holds.

Merged rows of logs lie in slabs, newest first, and inside a slab by service, template and time, in small row groups. So
a time range skips most slabs, the latest rows of a service are found in one or two row groups of the first slab, and
those of a template in one of each, which a bloom filter tells; like beside like also takes a quarter less room than by
time alone. Other tables are sorted by time, newest first. Where rows are partial sums or only their newest matter,
merging folds them; the views show the same before and after.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING
from uuid import uuid4

import pyarrow as pa

import telemetry
from storage import _views
from storage._files import TIME_COLUMNS, DataFile, NewFile, stats
from storage._location import Location
from storage._tables import Handle

if TYPE_CHECKING:
    import duckdb

MERGE_FROM = 8
"""The background leaves fewer files of about the same size alone."""
TARGET_BYTES = 32 * 2**20
TARGET_ROWS = 1_000_000
ROW_GROUP = 8192
SLAB_ROWS = 131_072
"""Rows of a stretch of time that are sorted by service: more find less in a row group, fewer find it in more slabs.

Each is sorted by itself, in several times its size of memory.
"""
_BLOOM = {"template_id": {"ndv": 512, "fpp": 0.01}}  # ids are hashes: least and greatest of a row group say little
_TIERS = (256 * 2**10, 4 * 2**20)  # sizes between which a file's tier changes; each row is merged once a tier
_DAY_US = 86_400_000_000
_HOUR_US = 3_600_000_000
_WHOLE = ("templates", "state")
KEPT_SNAPSHOTS = 3
_ROLLBACK = "INTERVAL 15 minutes"  # older than any version of the tables that can still be read


@dataclass(frozen=True)
class Horizon:
    """Times (us) that folding goes by: the oldest log row there is, the newest ledger row, and when state is stale."""

    oldest_log: int
    newest_ledger: int
    stale_state: int


def plan(table: str, files: Sequence[DataFile], full: bool) -> list[list[DataFile]]:
    """Return groups of files to merge, oldest first.

    Files are merged with others of their day and, unless `full`, of about their size, so that each row is rewritten
    a few times only. `templates` and `state` are folded as a whole, as what they keep depends on all rows.
    """
    least = 2 if full else MERGE_FROM
    if table in _WHOLE:
        largest = max((file.size for file in files), default=0)
        rest = sum(file.size for file in files) - largest
        worth = full or rest * 4 >= largest or len(files) >= 16 * MERGE_FROM
        return [list(files)] if len(files) >= least and worth else []
    small = [file for file in files if file.size < TARGET_BYTES // 2 and file.rows < TARGET_ROWS // 2]
    key = lambda file: (file.last // _DAY_US, 0 if full else _tier(file.size))  # noqa: E731
    groups = [list(group) for _, group in groupby(sorted(small, key=key), key)]
    return [chunk for group in groups if len(group) >= least for chunk in _chunks(group) if len(chunk) > 1]


def _tier(size: int) -> int:
    return sum(size >= limit for limit in _TIERS)


def _chunks(files: Iterable[DataFile]) -> Iterable[list[DataFile]]:
    chunk: list[DataFile] = []
    size = rows = 0
    for file in files:
        size, rows = size + file.size, rows + file.rows
        if chunk and (size > TARGET_BYTES or rows > TARGET_ROWS):
            yield chunk
            chunk, size, rows = [], file.size, file.rows
        chunk.append(file)
    yield chunk


def merge(
    location: Location, handle: Handle, files: Sequence[DataFile], connection: "duckdb.DuckDBPyConnection", at: Horizon
) -> int:
    """Replace files by one that holds their rows, folded where the table allows; return its size in bytes.

    Raises CommitFailedError or Superseded where a rival was faster.
    """
    paths = [f"{handle.path}/{file.name}" for file in files]
    new = _write(location, handle, _folds(handle.name, _views.source(handle.name, paths), files, at), connection)
    handle.refresh()
    handle.replace([file.name for file in files], [new], [], changed=False)
    return new.size


def _write(
    location: Location, handle: Handle, queries: Sequence[str], connection: "duckdb.DuckDBPyConnection"
) -> NewFile:
    import pyarrow.parquet as pq

    schema, name = telemetry.TABLES[handle.name], f"merged-{uuid4()}.parquet"
    plain = [f for f in ("offset", "position", "line", "time", "observed_time", "minute") if f in schema.names]
    metadata: list[pq.FileMetaData] = []
    with location.create(f"{handle.path}/{name}") as file:
        with (
            pq.ParquetWriter(
                file,
                schema,
                compression="zstd",
                compression_level=3,
                use_dictionary=[f.name for f in schema if f.name not in plain],
                column_encoding=dict.fromkeys(plain, "DELTA_BINARY_PACKED"),
                write_page_checksum=True,
                bloom_filter_options=_BLOOM if "template_id" in schema.names else None,
                metadata_collector=metadata,
            ) as writer,
            connection.cursor() as cursor,
        ):
            for query in queries:
                for batch in cursor.sql(query).to_arrow_reader(ROW_GROUP):  # one row group a batch
                    writer.write_batch(pa.record_batch(batch.columns, schema.names).cast(schema))
        size = file.tell()
    return NewFile(name, size, stats(handle.name, metadata[0]))


def _folds(table: str, rows: str, files: Sequence[DataFile], at: Horizon) -> list[str]:
    """Return the queries for the rows of a file merged from `files`, which `rows` reads, one after the other."""
    columns = ", ".join(f'"{name}"' for name in telemetry.TABLES[table].names)
    folds = {"templates": _TEMPLATES, "log_counts": _LOG_COUNTS, "ledger": _LEDGER, "state": _STATE}
    if table not in folds:
        tie = ', "offset" DESC' if "offset" in telemetry.TABLES[table].names else ""
        alike = "service, template_id, " if table == "logs" else ""
        order = f'ORDER BY {alike}"{TIME_COLUMNS[table]}" DESC{tie}'
        slabs = _slabs(TIME_COLUMNS[table], files)
        return [f"SELECT {columns} FROM {rows} WHERE {slab} {order}" for slab in slabs]  # noqa: S608 - our own names
    names = {"rows": rows, "columns": columns, "kept": KEPT_SNAPSHOTS, "rollback": _ROLLBACK}
    names |= {
        "oldest": f"make_timestamptz({at.oldest_log}::BIGINT)",
        "stale": f"make_timestamptz({at.stale_state}::BIGINT)",
    }
    hour = at.newest_ledger // _HOUR_US * _HOUR_US
    return [folds[table].format(**names, hour=f"make_timestamptz({hour}::BIGINT)")]


def _slabs(column: str, files: Sequence[DataFile]) -> list[str]:
    """Return conditions that part the rows of files into slabs, the newest first: stretches of time of equal length."""
    first, last = min(file.first for file in files), max(file.last for file in files)
    count = -(-sum(file.rows for file in files) // SLAB_ROWS)
    ends = [f"make_timestamptz({last - (last - first) * n // count}::BIGINT)" for n in range(1, count)]
    above = [*(f'"{column}" > {end}' for end in ends), "true"]
    below = ["true", *(f'"{column}" <= {end}' for end in ends)]
    return [f"{one} AND {other}" for one, other in zip(above, below, strict=True)]


# The first row of each template stays as it is, as its example is the first ever seen; the rest become one.
# A template that no stored row can have any more goes.
_TEMPLATES = """
WITH numbered AS (
    SELECT *, row_number() OVER (PARTITION BY template_id, service, source, "partition"
        ORDER BY first_seen, "offset") = 1 AS head FROM {rows}),
folded AS (
    SELECT template_id, service, max(template) AS template, min(first_seen) AS first_seen, max(last_seen) AS last_seen,
        sum("count")::BIGINT AS "count", arg_max(example, (last_seen, "offset")) AS example, source, "partition",
        arg_max("offset", (last_seen, "offset")) AS "offset"
    FROM numbered GROUP BY template_id, service, source, "partition", head)
SELECT {columns} FROM folded
QUALIFY max(last_seen) OVER (PARTITION BY template_id, service) >= {oldest}
ORDER BY last_seen DESC, template_id, service
"""
_LOG_COUNTS = """
SELECT minute, service, severity_number, template_id, sum("count")::BIGINT AS "count", source, "partition",
    max("offset") AS "offset"
FROM {rows} GROUP BY minute, service, severity_number, template_id, source, "partition"
ORDER BY minute DESC, service, template_id, severity_number, source, "partition"
"""
# Totals and watermarks only grow, and readers take the greatest of each or the newest row's: of the hours past, one row
# an hour is enough.
_GREATEST = ("time", "next", "watermark")
_LEDGER_KEYS = ("app_id", "source", "partition")
_LEDGER_COLUMNS = ", ".join(
    f'"{name}"'
    if name in _LEDGER_KEYS
    else f'max("{name}") AS "{name}"'
    if name in _GREATEST
    else f'arg_max("{name}", (next, closed, time)) AS "{name}"'
    for name in telemetry.LEDGER.names
)
_LEDGER = (
    f"SELECT {_LEDGER_COLUMNS} "  # noqa: S608 - our own names
    """FROM {rows}
GROUP BY app_id, source, "partition", CASE WHEN time < {hour} THEN date_trunc('hour', time) ELSE time END
ORDER BY time DESC, app_id
"""
)
# The newest snapshots of each component, and one that is older than any state the tables can be taken back to. Of a
# component that has been away for long, the newest.
_STATE = """
WITH aged AS (SELECT component, position, time, max(time) OVER (PARTITION BY component) AS latest FROM {rows}),
ranked AS (
    SELECT *, row_number() OVER (PARTITION BY component ORDER BY position DESC, time DESC) AS rank,
        row_number() OVER (PARTITION BY component, time < latest - {rollback}
            ORDER BY position DESC, time DESC) AS rank_of_age
    FROM aged),
kept AS (
    SELECT component, position, time FROM ranked
    WHERE rank = 1 OR (latest >= {stale} AND (rank <= {kept} OR (time < latest - {rollback} AND rank_of_age = 1))))
SELECT {columns} FROM {rows} SEMI JOIN kept USING (component, position, time)
"""
