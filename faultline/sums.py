"""What one commit adds up over its rows: counts a minute, what each template gained, and the ledger's account."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

import telemetry

if TYPE_CHECKING:
    from collections.abc import Sequence

    from storage import Move, Writer


_MINUTE_US = 60_000_000


def with_sums(tables: Mapping[str, pa.Table], writer: "Writer", moves: "Sequence[Move]") -> dict[str, pa.Table]:
    """Add per-minute counts and count the templates, each over the rows its own table does not have yet."""
    found = dict(tables)
    definitions = found.pop("templates", telemetry.TEMPLATES.empty_table())
    if logs := found.get("logs"):
        found["log_counts"] = log_counts(writer.fresh("log_counts", logs, moves))
        found["templates"] = template_deltas(writer.fresh("templates", logs, moves), definitions)
    return found


def log_counts(logs: pa.Table) -> pa.Table:
    """Return LOG_COUNTS partial sums of log rows."""
    keys = ["minute", "service", "severity_number", "template_id", "source", "partition"]
    minutes = pa.array(logs["time"].cast(pa.int64()).to_numpy() // _MINUTE_US * _MINUTE_US).cast(telemetry.TIME)
    sums = logs.append_column("minute", minutes).group_by(keys).aggregate([("offset", "count"), ("offset", "max")])
    return _shape(sums, telemetry.LOG_COUNTS, {"count": "offset_count", "offset": "offset_max"})


def template_deltas(logs: pa.Table, definitions: pa.Table) -> pa.Table:
    """Return TEMPLATES deltas: what `logs` adds to each template that `definitions` gives the text of.

    The example is of the earliest record, however the rows are spread over commits.
    """
    keys = ["template_id", "service", "source", "partition"]
    sums = logs.group_by(keys).aggregate([("time", "min"), ("time", "max"), ("offset", "count"), ("offset", "max")])
    texts = (
        definitions.filter(pc.greater(definitions["count"], 0))
        .select([*keys, "template", "example", "first_seen"])
        .sort_by("first_seen")
        .group_by(keys, use_threads=False)
        .aggregate([("template", "first"), ("example", "first")])
    )
    joined = sums.join(texts, keys, join_type="inner")
    names = {
        "first_seen": "time_min",
        "last_seen": "time_max",
        "count": "offset_count",
        "offset": "offset_max",
        "template": "template_first",
        "example": "example_first",
    }
    return _shape(joined, telemetry.TEMPLATES, names)


def _shape(table: pa.Table, schema: pa.Schema, names: Mapping[str, str]) -> pa.Table:
    columns = [table[names.get(column.name, column.name)].cast(column.type) for column in schema]
    return pa.Table.from_arrays(columns, schema=schema)
