"""Records from lines: joined bodies, times, severities and attributes, as Arrow columns."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from parsing._attributes import attribute_column
from parsing._columns import Ints, one_chunk
from parsing._headers import Headers
from parsing._settings import ParserSettings
from telemetry import LOGS, TIME, severity_number, syslog_severity_number

if TYPE_CHECKING:
    from parsing._parser import Stream

# PostgreSQL's word for what is no error, and Redis' marks (debug, verbose, notice, warning).
_OWN_LEVELS = {"LOG": 9, ".": 5, "-": 9, "*": 10, "#": 13, **{f"DEBUG{n}": 5 for n in range(1, 6)}}


@dataclass
class Records:
    """Log records before they have a template; arrays have one entry a record."""

    first: Ints  # row of the record's first line
    tailed: NDArray[np.bool_]  # it has continuation lines that are not blank
    stream: Ints
    rows: pa.Table  # first lines
    messages: pa.Array  # first lines without header
    bodies: pa.Array  # messages with continuation lines
    time_us: Ints
    columns: dict[str, pa.Array]  # service, component, severity, trace and span id, attributes
    filtered: int

    @classmethod
    def build(
        cls,
        rows: pa.Table,
        keep: int,
        headers: Headers,
        starts: NDArray[np.bool_],
        number: Ints,
        streams: Sequence["Stream"],
        settings: ParserSettings,
    ) -> "Records":
        """Make records of the first `keep` rows; `starts` says which of them begin one."""
        first = np.flatnonzero(starts)
        lines = np.diff(np.append(first, keep))
        taken = rows.take(pa.array(first))
        messages = pa.array(headers.message[first], pa.string())
        bodies = _joined(messages, rows, first, lines)
        time_us, inherited = _times(taken, headers, first, number[first], streams)
        columns = _columns(taken, headers, first, settings)
        columns["attributes"] = attribute_column(taken, headers, first, inherited)
        tailed = _tailed(messages, bodies, lines)
        return cls(first, tailed, number[first], taken, messages, bodies, time_us, columns, 0)

    def origin(self, record: int) -> dict[str, Any]:
        """Return source, partition and offset of a record."""
        return {name: self.rows[name][record].as_py() for name in ("source", "partition", "offset")}


def logs_table(records: Records, ids: Ints, params: pa.ListArray) -> pa.Table:
    """Return the records as rows of `logs`."""
    own = {
        "time": pa.array(records.time_us).cast(pa.timestamp("us")).cast(TIME),
        "body": records.bodies,
        "template_id": pa.array(ids),
        "params": params,
        "late": pa.array(np.zeros(len(ids), np.bool_)),
        **records.columns,
    }
    columns = [own[name] if name in own else records.rows[name] for name in LOGS.names]
    return pa.table(columns, names=LOGS.names).cast(LOGS)


def _joined(messages: pa.Array, rows: pa.Table, first: Ints, lines: Ints) -> pa.Array:
    several = np.flatnonzero(lines > 1)
    if len(several) == 0:
        return messages
    bodies = one_chunk(rows["body"])
    texts = [
        "\n".join([messages[int(i)].as_py(), *bodies.slice(int(first[i]) + 1, int(lines[i]) - 1).to_pylist()])
        for i in several
    ]
    mask = np.zeros(len(messages), np.bool_)
    mask[several] = True
    return pc.replace_with_mask(messages, pa.array(mask), pa.array(texts, pa.string()))


def _tailed(messages: pa.Array, bodies: pa.Array, lines: Ints) -> NDArray[np.bool_]:
    tailed = lines > 1
    for record in np.flatnonzero(tailed):
        body, message = bodies[int(record)].as_py(), messages[int(record)].as_py()
        tailed[record] = bool(body[len(message) :].strip(" \t\n\r\x0b\x0c"))
    return tailed


def _times(
    rows: pa.Table, headers: Headers, first: Ints, number: Ints, streams: Sequence["Stream"]
) -> tuple[Ints, NDArray[np.bool_]]:
    """Return each record's time, and whether it is that of the record before it in its stream.

    In order: the envelope's, the header's, the time of the record before, the observed time.
    """
    stated = one_chunk(rows["time"])
    known = stated.is_valid().to_numpy(zero_copy_only=False)
    us = stated.cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False).copy()
    own = headers.timed[first] & ~known
    us[own] = headers.time_us[first][own]
    known = known | own
    inherited = np.zeros(len(us), np.bool_)
    observed = rows["observed_time"].cast(pa.int64()).to_numpy()
    for one in np.unique(number):
        stream = streams[one]
        mine = np.flatnonzero(number == one)
        places = np.where(known[mine], np.arange(len(mine)), -1)
        last = np.maximum.accumulate(places)
        missing = ~known[mine]
        before = us[mine][np.maximum(last, 0)]
        if stream.last_time_us is None:
            fill = np.where(last >= 0, before, observed[mine])
            inherited[mine] = missing & (last >= 0)
        else:
            fill = np.where(last >= 0, before, stream.last_time_us)
            inherited[mine] = missing
        us[mine[missing]] = fill[missing]
        if known[mine].any():
            stream.last_time_us = int(us[mine[known[mine]][-1]])
    return us, inherited


def _columns(rows: pa.Table, headers: Headers, first: Ints, settings: ParserSettings) -> dict[str, pa.Array]:
    def text(column: str, name: str) -> pa.Array:
        stated = one_chunk(rows[column])
        if name not in headers.text:
            return stated
        found = pa.array(headers.text[name][first], pa.string())
        return pc.coalesce(stated, pc.if_else(pc.equal(found, ""), pa.scalar(None, pa.string()), found))

    severity = text("severity_text", "level")
    service = pc.fill_null(text("service", "service"), settings.service or "unknown")
    return {
        "service": service,
        "component": text("component", "component"),
        "severity_text": severity,
        "severity_number": _severity_numbers(rows, severity, headers, first),
        "trace_id": text("trace_id", "trace_id"),
        "span_id": text("span_id", "span_id"),
    }


def _severity_numbers(rows: pa.Table, severity: pa.Array, headers: Headers, first: Ints) -> pa.Array:
    """Return severity numbers: the envelope's, that of the level as written, or that of a syslog priority."""
    numbers = pc.coalesce(one_chunk(rows["severity_number"]), _numbers(severity))
    if "priority" not in headers.text:
        return numbers
    coded = pa.array(headers.text["priority"][first], pa.string()).dictionary_encode()
    known = [syslog_severity_number(int(text)) if text else None for text in coded.dictionary.to_pylist()]
    return pc.coalesce(numbers, pa.array(known, pa.int8()).take(coded.indices))


def _numbers(severity: pa.Array) -> pa.Array:
    coded = severity.dictionary_encode()
    words = coded.dictionary.to_pylist()
    numbers = pa.array([_OWN_LEVELS.get(word) or severity_number(word) for word in words], pa.int8())
    return numbers.take(coded.indices)
