"""The parsing stage: lines of one partition in, log records with templates and parameters out."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from parsing._assemble import Records, logs_table
from parsing._columns import Ints, Spans, distinct, one_chunk, streams_in
from parsing._fit import fit_column, recipe
from parsing._headers import HeaderReader, Headers
from parsing._miner import Change, Miner
from parsing._read import read_rows
from parsing._records import continues, cut_long, message_breaks
from parsing._settings import ParserSettings
from telemetry import LINEAGE, LINES, LOGS, TEMPLATES, TIME, WILDCARD, CorruptState, Parsed, template_id

FORMAT_VERSION = 1
UNKNOWN_SERVICE = "unknown"
_EXAMPLE = 2000  # characters of a body kept as a template's example


@dataclass
class Stream:
    """What is learnt about the lines of one service within a partition."""

    raw: HeaderReader
    inner: HeaderReader  # headers inside the bodies of structured records
    miner: Miner
    headed: bool = False  # a line with a header has been seen
    last_time_us: int | None = None
    tailed: set[str] = field(default_factory=set)  # templates that also occurred with continuation lines

    def load(self, saved: dict[str, Any]) -> None:
        """Take over the part of a snapshot that is about this stream."""
        self.raw.restore(saved["raw"])
        self.inner.restore(saved["inner"])
        self.miner.restore(saved["miner"])
        self.headed, self.last_time_us = saved["headed"], saved["last_time_us"]
        self.tailed = set(saved["tailed"])


class Parser:
    """Parses the lines of one partition; one object a partition, not shared between threads.

    The result depends on the sequence of lines alone, not on how it is cut into batches. The last record is held back
    while later lines may still continue it; `release` lets it go early (a live stream that idles), after which its
    continuation lines, should they come, become a record of their own.
    """

    def __init__(self, settings: ParserSettings | None = None) -> None:
        self.settings = settings or ParserSettings()
        self._streams: dict[str, Stream] = {}
        self._held: pa.Table = LINES.empty_table()
        self._next = 0
        self._template_ids: dict[str, int] = {}

    def process(self, lines: pa.Table, next: int, final: bool = False) -> Parsed:
        """Parse `lines` (schema LINES, the rows after those of the last call); `next` is the position after them.

        `final`: the partition ends here, nothing is held back. `Parsed.logs` has `late` false everywhere: lateness is
        known to the pipeline only.
        """
        return self.advance(lines, next, final)[0]

    def release(self) -> Parsed:
        """Let go of the lines held back."""
        parsed, _ = self._advance(self._held, flush=True)
        return parsed

    @property
    def streams(self) -> dict[str, Stream]:
        """What was learnt, by service."""
        return self._streams

    @property
    def overflowing(self) -> list[str]:
        """Services whose templates reached the limit, so that new messages fall into `<*>`."""
        return sorted(name for name, stream in self._streams.items() if stream.miner.overflowing)

    def stream(self, name: str) -> Stream:
        """Return the stream of this name, new if need be."""
        found = self._streams.get(name)
        if found is None:
            readers = (HeaderReader(self.settings), HeaderReader(self.settings))
            found = self._streams[name] = Stream(*readers, Miner(self.settings))
        return found

    def advance(self, lines: pa.Table | None, next: int, final: bool) -> tuple[Parsed, Ints]:
        """Do what `process` does; also return the record number (0-based, within this call) of each row dealt with."""
        rows = self._held if lines is None else pa.concat_tables([self._held, lines]) if self._held.num_rows else lines
        self._next = next
        return self._advance(rows, flush=final)

    def _advance(self, rows: pa.Table, flush: bool) -> tuple[Parsed, Ints]:
        """Parse what can be parsed of `rows`; also return the record number of each row dealt with."""
        if rows.num_rows == 0:
            self._held = LINES.empty_table()
            return Parsed(LOGS.empty_table(), TEMPLATES.empty_table(), LINEAGE.empty_table(), self._next), np.zeros(
                0, np.int64
            )
        rows = rows.combine_chunks() if rows["body"].num_chunks > 1 else rows
        names, number = self._stream_of(rows)
        headers, headed = read_rows(rows, names, number, self)
        starts, open_end = self._starts(rows, number, headers, headed)
        keep = rows.num_rows
        if open_end and not flush:
            keep = int(np.flatnonzero(starts)[-1])
        self._held = rows.slice(keep)
        next = int(rows["offset"][keep].as_py()) if keep < rows.num_rows else self._next
        parsed = self._emit(rows, keep, names, number, headers, starts[:keep], headed, next)
        return parsed, np.cumsum(starts[:keep]) - 1

    def _stream_of(self, rows: pa.Table) -> tuple[list[str], Ints]:
        fallback = self.settings.service or UNKNOWN_SERVICE
        coded = one_chunk(pc.fill_null(rows["service"], fallback)).dictionary_encode()
        return coded.dictionary.to_pylist(), coded.indices.to_numpy(zero_copy_only=False).astype(np.int64)

    def _starts(
        self, rows: pa.Table, number: Ints, headers: Headers, headed: NDArray[np.bool_]
    ) -> tuple[NDArray[np.bool_], bool]:
        """Return which rows begin a record, and whether the last record may still grow."""
        structured = rows["structured"].to_numpy()
        if self.settings.format == "message":
            return np.ones(len(number), np.bool_), False
        lines = Spans.of(one_chunk(rows["body"]))
        starts = structured | ~continues(lines, headers.matched, headed)
        starts[0] = True
        starts[1:] |= (number[1:] != number[:-1]) | structured[:-1]
        offsets = rows["offset"].to_numpy()
        starts |= message_breaks(offsets)
        starts = cut_long(starts, lines.sizes)
        alone = len(offsets) < 2 or offsets[-1] != offsets[-2]
        return starts, bool(alone and not structured[-1])

    def _emit(
        self,
        rows: pa.Table,
        keep: int,
        names: list[str],
        number: Ints,
        headers: Headers,
        starts: NDArray[np.bool_],
        headed: NDArray[np.bool_],
        next: int,
    ) -> Parsed:
        if keep == 0:
            return Parsed(LOGS.empty_table(), TEMPLATES.empty_table(), LINEAGE.empty_table(), next)
        for one, mine in streams_in(number[:keep], len(names)):
            self.stream(names[one]).headed = bool(headed[mine].any())
        records = Records.build(
            rows, keep, headers, starts, number, [self.stream(name) for name in names], self.settings
        )
        return self._templated(records, names, keep, next)

    def _templated(self, records: Records, names: list[str], keep: int, next: int) -> Parsed:
        count = len(records.first)
        texts: list[str] = []
        template = np.zeros(count, np.int64)
        lineage: list[dict[str, Any]] = []
        for one, mine in streams_in(records.stream, len(names)):
            stream = self.stream(names[one])
            stream.miner.tidy()
            whole = len(mine) == count
            numbers, changes = stream.miner.assign(records.messages if whole else records.messages.take(mine))
            several = np.flatnonzero(records.tailed[mine])
            lineage += self._lineage(stream, numbers, several, changes, mine, records)
            base = len(texts)
            texts += stream.miner.texts
            template[mine] = numbers + base
            for row in several:
                texts.append(_with_tail(stream.miner.texts[int(numbers[row])]))
                template[mine[row]] = len(texts) - 1
        params, fits = fit_column(records.bodies, texts, template)
        if not fits.all():
            texts.append(WILDCARD)
            template[~fits] = len(texts) - 1
            params, _ = fit_column(records.bodies, texts, template)
        used, inverse = distinct(template)
        ids = np.array([self._id(texts[int(one)]) for one in used], np.int64)[inverse]
        logs = logs_table(records, ids, params)
        lineage.sort(key=lambda rule: rule["row"])
        templates = _with_targets(
            _deltas(logs, records.time_us, [texts[int(one)] for one in used], inverse), logs, lineage
        )
        lineage = [{name: rule[name] for name in LINEAGE.names} for rule in lineage]
        return Parsed(
            logs, templates, pa.Table.from_pylist(lineage, LINEAGE), next, joined=keep - count - records.filtered,
            filtered=records.filtered,
        )  # fmt: skip

    def _id(self, text: str) -> int:
        known = self._template_ids.get(text)
        if known is None:
            if len(self._template_ids) >= 100_000:
                self._template_ids.clear()
            known = self._template_ids[text] = template_id(text)
        return known

    def _lineage(
        self, stream: Stream, numbers: Ints, several: Ints, changes: list[Change], mine: Ints, records: Records
    ) -> list[dict[str, Any]]:
        """Return the rules for the changes in one stream, in order; `several`: its records of more than one line."""
        rules: list[dict[str, Any]] = []
        at = 0
        for change in changes:
            while at < len(several) and several[at] < change.row:
                stream.tailed.add(stream.miner.texts[int(numbers[several[at]])])
                at += 1
            row = int(mine[change.row])
            rules.append(self._rule(change.old, change.new, row, records))
            if change.old in stream.tailed:
                stream.tailed.add(change.new)
                rules.append(self._rule(_with_tail(change.old), _with_tail(change.new), row, records))
        stream.tailed.update(stream.miner.texts[int(numbers[row])] for row in several[at:])
        return rules

    def _rule(self, old: str, new: str, row: int, records: Records) -> dict[str, Any]:
        made = recipe(old, new)
        assert made is not None, f"{new!r} does not cover {old!r}"
        return {
            "row": row,
            "time": int(records.time_us[row]),
            "kind": "generalise",
            "from_id": self._id(old),
            "to_id": self._id(new),
            "template": new,
            "recipe": made,
            **records.origin(row),
        }

    def snapshot(self) -> bytes:
        """Return the state as of `Parsed.next` of the last call: lines held back are not in it, they come again."""
        streams = {
            name: {
                "raw": stream.raw.snapshot(),
                "inner": stream.inner.snapshot(),
                "miner": stream.miner.snapshot(),
                "headed": stream.headed,
                "last_time_us": stream.last_time_us,
                "tailed": sorted(stream.tailed),
            }
            for name, stream in self._streams.items()
        }
        return orjson.dumps({"version": FORMAT_VERSION, "streams": streams})

    @classmethod
    def restore(cls, payload: bytes, settings: ParserSettings | None = None) -> "Parser":
        """Return a parser that continues where `snapshot` was taken. Raises CorruptState for any other payload."""
        try:
            saved = orjson.loads(payload)
            if saved["version"] != FORMAT_VERSION:
                raise CorruptState(f"parser snapshot has format version {saved['version']}; want {FORMAT_VERSION}")
            parser = cls(settings)
            for name, one in saved["streams"].items():
                parser.stream(name).load(one)
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError, IndexError) as why:
            raise CorruptState(f"parser snapshot of {len(payload)} bytes cannot be read: {why!r}") from None
        return parser


def _with_tail(template: str) -> str:
    """Return the template of a record whose first line has `template` and that has continuation lines."""
    return f"{template} {WILDCARD}".strip()


def _deltas(logs: pa.Table, time_us: Ints, texts: list[str], template: Ints) -> pa.Table:
    """Return the TEMPLATES rows of one call: per (template, service), in order of first appearance."""
    from parsing._kernels import summarise

    own = {name: one_chunk(logs[name]) for name in ("template_id", "service", "body", "source", "partition", "offset")}
    services = own["service"].dictionary_encode()
    several = len(services.dictionary)
    pairs, group = template, template
    if several > 1:
        pairs, group = distinct(template * several + services.indices.to_numpy(zero_copy_only=False))
    first, last, earliest, latest, count = np.zeros((5, len(texts) if several == 1 else len(pairs)), np.int64)
    summarise(group, time_us, first, last, earliest, latest, count)
    order = np.argsort(first)
    first, last = first[order], last[order]
    at, until = pa.array(first), pa.array(last)
    columns = {
        "template_id": own["template_id"].take(at),
        "service": own["service"].take(at),
        "template": pa.array([texts[one] for one in template[first]], pa.string()),
        "first_seen": _as_times(earliest[order]),
        "last_seen": _as_times(latest[order]),
        "count": count[order],
        "example": pc.utf8_slice_codeunits(own["body"].take(at), 0, _EXAMPLE),
        **{name: own[name].take(until) for name in ("source", "partition", "offset")},
    }
    return pa.table([columns[name] for name in TEMPLATES.names], schema=TEMPLATES)


def _as_times(us: Ints) -> pa.Array:
    return pa.array(us).view(TIME)


def _with_targets(templates: pa.Table, logs: pa.Table, lineage: list[dict[str, Any]]) -> pa.Table:
    """Add a row of count 0 for each template that a rule leads to but no record of this call has."""
    known = set(templates["template_id"].to_pylist())
    rows = []
    for rule in lineage:
        if rule["to_id"] not in known:
            known.add(rule["to_id"])
            record = logs.slice(rule["row"], 1).select(["service", "time", "body", "source", "partition", "offset"])
            one = record.to_pylist()[0]
            body = one.pop("body")[:_EXAMPLE]
            seen = one.pop("time")
            counts = {"first_seen": seen, "last_seen": seen, "count": 0, "example": body}
            rows.append({"template_id": rule["to_id"], "template": rule["template"], **counts, **one})
    return pa.concat_tables([templates, pa.Table.from_pylist(rows, TEMPLATES)]) if rows else templates
