"""One row an input line, for the command `parse`; and the formats found, in words."""

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from parsing._columns import Flags, Spans, one_chunk
from parsing._fit import fit_column
from parsing._layouts import Layout
from parsing._parser import Parser
from telemetry import LOGS, TIME, Parsed, template_id

PARSED_LINES = pa.schema(
    [
        pa.field("line", pa.int64(), nullable=False),  # 1-based
        pa.field("record", pa.int64(), nullable=False),  # line that began the record
        pa.field("time", TIME, nullable=False),
        pa.field("severity_text", pa.string()),
        pa.field("service", pa.string(), nullable=False),
        pa.field("component", pa.string()),
        pa.field("message", pa.string(), nullable=False),
        pa.field("template_id", pa.int64(), nullable=False),
        pa.field("template", pa.string(), nullable=False),
        pa.field("params", pa.list_(pa.string()), nullable=False),
    ]
)
"""What `parse_lines` returns. Filling `params` into `template` restores, up to white space, the `message` of a row that
begins a record (continuation lines included, after "\\n"); the `message` of a continuation line is the line itself."""


def parse_lines(batches: Iterable[pa.Table], parser: Parser) -> pa.Table:
    """Parse the lines of one partition (tables of schema LINES, in order) to the end; one row a line (PARSED_LINES).

    Templates are final: those that were generalised later in the input are shown as they ended up. `parser` is a fresh
    one; afterwards `explain(parser)` tells what formats it found.
    """
    parts: list[Parsed] = []
    starts: list[Flags] = []
    kept: list[pa.Table] = []
    for batch in batches:
        kept.append(batch.select(["line", "body"]))
        parts.append(_advanced(parser, batch, starts))
    parts.append(_advanced(parser, None, starts))
    if not kept:
        return PARSED_LINES.empty_table()
    logs = pa.Table.from_batches([part.logs for part in parts], LOGS)
    lineage = {rule["from_id"]: rule["to_id"] for part in parts for rule in _rules(part)}
    texts = {i: text for part in parts for i, text in _texts(part)}
    return _rows(pa.concat_tables(kept), np.concatenate(starts), logs, lineage, texts)


def _advanced(parser: Parser, batch: pa.Table | None, starts: list[Flags]) -> Parsed:
    """Parse a batch, or what was held back; add to `starts` which rows begin a record."""
    parsed, begins = parser.advance(batch, 0, final=batch is None)
    starts.append(np.ones(parsed.logs.num_rows, np.bool_) if begins is None else begins)
    return parsed


def _rules(part: Parsed) -> list[dict[str, int]]:
    rules: list[dict[str, int]] = part.lineage.select(["from_id", "to_id"]).to_pylist()
    return rules


def _texts(part: Parsed) -> Iterable[tuple[int, str]]:
    return zip(part.templates["template_id"].to_pylist(), part.templates["template"].to_pylist(), strict=True)


def _rows(lines: pa.Table, begins: Flags, logs: pa.Table, lineage: dict[int, int], texts: dict[int, str]) -> pa.Table:
    coded = one_chunk(logs["template_id"]).dictionary_encode()
    ids, inverse = coded.dictionary.to_numpy(), coded.indices.to_numpy().astype(np.int64)
    final = [texts[_follow(int(one), lineage)] for one in ids]
    params, _ = fit_column(Spans.of(one_chunk(logs["body"])), final, inverse)
    own = (
        pc.fill_null(lines["line"], pa.array(np.arange(1, lines.num_rows + 1)))
        if lines["line"].null_count
        else lines["line"]
    )
    record = np.cumsum(begins) - 1
    at = pa.array(record)
    bodies = one_chunk(lines["body"])
    first = pa.array(np.flatnonzero(begins)[record])
    columns = {
        "line": own,
        "record": one_chunk(own).take(first),
        **{name: logs[name].take(at) for name in ("time", "severity_text", "service", "component")},
        "message": pc.if_else(pa.array(begins), one_chunk(logs["body"]).take(at), bodies),
        "template_id": pa.array(np.array([template_id(text) for text in final], np.int64)[inverse]).take(at),
        "template": pa.array(final, pa.string()).take(pa.array(inverse)).take(at),
        "params": params.take(at),
    }
    return pa.table([columns[name] for name in PARSED_LINES.names], schema=PARSED_LINES)


def _follow(one: int, lineage: dict[int, int]) -> int:
    seen = set()
    while one in lineage and one not in seen:
        seen.add(one)
        one = lineage[one]
    return one


def explain(parser: Parser) -> str:
    """Return the header formats found, one paragraph a service, and what is assumed about their times."""
    if parser.settings.format == "message":
        return (
            "Lines carry no header (format is set to message): each line is a record and its time is when it was read."
        )
    paragraphs = []
    for name, stream in parser.streams.items():
        layouts = stream.raw.layouts + [one for one in stream.inner.layouts if one not in stream.raw.layouts]
        if not layouts:
            paragraphs.append(f"{name}: no header found; whole lines are messages.")
            continue
        lines = [f"{name}: {len(layouts)} header format{'s' * (len(layouts) > 1)}, tried in this order:"]
        lines += [f"  {one.pattern}{_assumed(one, parser)}" for one in layouts]
        paragraphs.append("\n".join(lines))
    return "\n".join(paragraphs) or "No lines were read."


def _assumed(layout: Layout, parser: Parser) -> str:
    time, settings = layout.time, parser.settings
    if time is None:
        return ""
    notes = []
    if time.lacks_year:
        year = (
            f"the year set, {settings.year}, and up where times begin again"
            if settings.year
            else "the year nearest before the time of reading"
        )
        notes.append(f"year missing, taken from {year}")
    if not time.dated:
        notes.append("date missing, taken from the time of reading")
    if not time.has("s"):
        notes.append(f"a time without a zone is {settings.timezone}")
    return f"   ({'; '.join(notes)})"
