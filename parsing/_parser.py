"""The parsing stage: lines of one partition in, log records with templates and parameters out."""

import logging
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from parsing._assemble import Records
from parsing._columns import Flags, Ints, streams_in
from parsing._deltas import Rule, deltas
from parsing._fit import Captures, recipe
from parsing._frames import Given, Rest
from parsing._headers import HeaderReader, Headers
from parsing._jit import Kernels
from parsing._miner import Change, Miner
from parsing._read import read_lines, read_rows
from parsing._records import continues, cut_long
from parsing._services import OTHER, Services
from parsing._settings import ParserSettings
from parsing._templates import OVERFLOW_TEXT, with_tail
from parsing._times import INVALID
from parsing._years import Years
from telemetry import LINEAGE, LINES, LOGS, TEMPLATES, CorruptState, Parsed, template_id

log = logging.getLogger("faultline.parsing")

_kernels, _row_kernels = Kernels("parsing._kernels"), Kernels("parsing._row_kernels")
FORMAT_VERSION = 3
UNKNOWN_SERVICE = "unknown"
_NO_LOGS, _NO_TEMPLATES, _NO_RULES = (pa.RecordBatch.from_pylist([], schema) for schema in (LOGS, TEMPLATES, LINEAGE))
_SERVICE = LINES.get_field_index("service")


@dataclass
class Stream:
    """What is learnt about the lines of one service within a partition."""

    raw: HeaderReader
    inner: HeaderReader  # headers inside the bodies of structured records
    miner: Miner
    years: Years | None = None  # where the year is set
    headed: bool = False  # a line with a header has been seen
    last_us: Ints = field(default_factory=lambda: np.full(1, INVALID))  # the latest time of a line's own
    tailed: set[str] = field(default_factory=set)  # templates that also occurred with continuation lines
    warned: bool = False  # of templates beyond the limit

    def load(self, saved: dict[str, Any]) -> None:
        """Take over the part of a snapshot that is about this stream."""
        self.raw.restore(saved["raw"])
        self.inner.restore(saved["inner"])
        for reader, seen in zip((self.raw, self.inner), saved.get("watch", []), strict=False):
            reader.watch.restore(seen)
        self.miner.restore(saved["miner"])
        self.headed = saved["headed"]
        self.last_us[0] = INVALID if saved["last_time_us"] is None else saved["last_time_us"]
        self.tailed = set(saved["tailed"])
        if self.years and saved.get("years"):
            self.years.restore(saved["years"])


class Parser:
    """Parses the lines of one partition; one object a partition, not shared between threads.

    The result depends on the sequence of lines alone, not on how it is cut into batches. The last record is held back
    while later lines may still continue it; `release` lets it go early (a live stream that idles), after which its
    continuation lines, should they come, become a record of their own.
    """

    def __init__(self, settings: ParserSettings | None = None) -> None:
        self.settings = settings or ParserSettings()
        self._fallback = self.settings.service or UNKNOWN_SERVICE
        self._streams: dict[str, Stream] = {}
        self._learning = Services(self.settings.max_services)  # those that have a stream of their own
        self._services = Services(self.settings.max_services)
        self._warned = False
        self._held: Rest | None = None
        self._next = 0

    def process(self, lines: pa.RecordBatch | pa.Table, next: int, final: bool = False) -> Parsed:
        """Parse `lines` (schema LINES, the rows after those of the last call); `next` is the position after them.

        `final`: the partition ends here, nothing is held back. `Parsed.logs` has `late` false everywhere: lateness is
        known to the pipeline only.
        """
        return self.advance(lines, next, final)[0]

    def release(self) -> Parsed:
        """Let go of the lines held back."""
        return self._advance(None, flush=True)[0]

    @property
    def streams(self) -> dict[str, Stream]:
        """What was learnt, by service."""
        return self._streams

    @property
    def overflowing(self) -> list[str]:
        """Services whose templates reached the limit, so that new messages fall into `<*>`."""
        return sorted(name for name, stream in self._streams.items() if stream.miner.overflowing)

    @property
    def refused(self) -> int:
        """Records so far, of this object, whose service is one too many and goes by `__other__`."""
        return self._services.refused

    def stream(self, name: str) -> Stream:
        """Return the stream of this name, new if need be."""
        found = self._streams.get(name)
        if found is None:
            readers = (HeaderReader(self.settings), HeaderReader(self.settings))
            years = None if self.settings.year is None else Years(self.settings.year)
            found = self._streams[name] = Stream(*readers, Miner(self.settings), years)
        return found

    def advance(self, lines: pa.RecordBatch | pa.Table | None, next: int, final: bool) -> tuple[Parsed, Flags | None]:
        """Do what `process` does; also return which of the rows dealt with begin a record, None if all do."""
        self._next = next
        if isinstance(lines, pa.Table):
            parts = lines.to_batches()
            lines = pa.concat_batches(parts) if len(parts) > 1 else parts[0] if parts else None
        return self._advance(lines if lines else None, final)

    def _advance(self, batch: pa.RecordBatch | None, flush: bool) -> tuple[Parsed, Flags | None]:
        """Parse what can be parsed of the lines held back and of a batch; also return what `advance` does."""
        held, self._held = self._held, None
        if held is None and batch is None:
            return self._nothing(self._next), None
        rows = read_lines(held, batch)
        streams, number = self._streams_of(rows)
        if self.settings.format == "message":
            headers, starts, keep = Headers.none(rows.lines), None, len(rows)
        else:
            headers, starts, keep = self._read(rows, streams, number, flush)
        next = self._next
        if keep < len(rows):
            self._held, next = rows.after(keep), int(rows.offsets[keep])
        if keep == 0:
            return self._nothing(next), starts
        first = np.flatnonzero(starts) if starts is not None else None
        records = Records.build(rows, headers, keep, first, number, streams, self._fallback, self._services)
        self._warn_of_services()
        return self._templated(records, streams, keep, next), starts

    def _nothing(self, next: int) -> Parsed:
        return Parsed(_NO_LOGS, _NO_TEMPLATES, _NO_RULES, next)

    def _streams_of(self, rows: Given) -> tuple[list[Stream], Ints]:
        """Return the streams the rows belong to, and which of them each row does."""
        if rows.one_service:
            name = self._learning.admit(rows.service or self._fallback)
            return [self.stream(name)], np.zeros(len(rows), np.int64)
        service = rows.batch.column(_SERVICE)
        coded = pc.fill_null(service, self._fallback).dictionary_encode()
        number = coded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
        admitted = [self._learning.admit(name) for name in coded.dictionary.to_pylist()]
        place = {name: number for number, name in enumerate(dict.fromkeys(admitted))}
        return [self.stream(name) for name in place], np.array([place[name] for name in admitted], np.int64)[number]

    def _read(self, rows: Given, streams: list[Stream], number: Ints, flush: bool) -> tuple[Headers, Flags | None, int]:
        """Return the headers, which rows begin a record, and how many of them come before a record that may grow.

        Instead of which rows: None, where all of these do.
        """
        structured, offsets = rows.structured, rows.offsets
        headers, lines, parts = read_rows(rows, streams, number, self.settings.timezone)
        headed, known = np.empty(len(lines), np.bool_), np.array([stream.headed for stream in streams])
        starts = np.ones(len(lines), np.bool_)
        if not headers.matched.all():  # a line with a header continues nothing
            _row_kernels.headed_rows(headers.matched, structured, number, known.copy(), headed)
            _kernels.record_starts(structured, continues(lines, headers.matched, headed), number, offsets, starts)
            starts = cut_long(starts, lines.sizes)
            starts[headers.later] = False
        keep = len(lines)
        if not flush:
            alone = keep < 2 or offsets[-1] != offsets[-2]
            keep = starts.tobytes().rfind(1) if alone and not structured[-1] else keep
            keep = parts.held_from(keep, starts, offsets)
        _row_kernels.headed_rows(headers.matched[:keep], structured, number, known, headed)
        for stream, one in zip(streams, known.tolist(), strict=True):
            stream.headed = one
        starts = starts[:keep]
        return headers, None if np.count_nonzero(starts) == keep else starts, keep

    def _templated(self, records: Records, streams: list[Stream], keep: int, next: int) -> Parsed:
        """Give the records their templates, and fit these."""
        count = len(records.stream)
        shares = [(streams[one], mine) for one, mine in streams_in(records.stream, len(streams))]
        number = np.empty(count, np.int64)
        rules: list[Rule] = []
        for stream, mine in shares:
            found, changes = stream.miner.assign(records.messages.take(mine))
            if mine is None:
                number = found
            else:
                number[mine] = found
            if changes or records.tailed is not None:
                rows = np.arange(count) if mine is None else mine
                several = np.flatnonzero(records.tailed[rows]) if records.tailed is not None else rows[:0]
                rules += self._lineage(stream, number[rows], several, changes, rows, records)
                for row in rows[several]:
                    number[row] = stream.miner.templates.tailed(int(number[row]))
            self._warn_of_templates(stream)
        if len(shares) > 1:
            rules.sort(key=lambda rule: rule["row"])
        captures, fitting = _fitted(records, shares, number)
        if fitting < count:
            number[~captures.fits] = OVERFLOW_TEXT
            captures, _ = _fitted(records, shares, number)
        logs = records.columns.batch(captures)
        templates = deltas(records, shares, number, rules)
        lineage = pa.RecordBatch.from_pylist(rules, LINEAGE) if rules else _NO_RULES
        return Parsed(logs, templates, lineage, next, joined=keep - count)

    def _warn_of_templates(self, stream: Stream) -> None:
        if stream.miner.overflowing and not stream.warned and not self.settings.frozen:
            stream.warned = True
            [name] = [name for name, one in self._streams.items() if one is stream]
            log.warning(
                "service %r has reached max_clusters, %d templates: further kinds of messages are of the template <*>",
                name, self.settings.max_clusters,
            )  # fmt: skip

    def _warn_of_services(self) -> None:
        if self.refused and not self._warned:
            self._warned = True
            log.warning(
                "one partition has reached max_services, %d services: records of further ones are of the service %s",
                self.settings.max_services, OTHER,
            )  # fmt: skip

    def _lineage(
        self, stream: Stream, numbers: Ints, several: Ints, changes: list[Change], mine: Ints, records: Records
    ) -> list[Rule]:
        """Return the rules for the changes in one stream, in order; `several`: its records of more than one line."""
        rules: list[Rule] = []
        texts = stream.miner.templates.texts
        at = 0
        for change in changes:
            while at < len(several) and several[at] < change.row:
                stream.tailed.add(texts[int(numbers[several[at]])])
                at += 1
            row = int(mine[change.row])
            rules.append(_rule(change.old, change.new, row, records))
            if change.old in stream.tailed:
                stream.tailed.add(change.new)
                rules.append(_rule(with_tail(change.old), with_tail(change.new), row, records))
        stream.tailed.update(texts[int(numbers[row])] for row in several[at:])
        return rules

    def snapshot(self) -> bytes:
        """Return the state as of `Parsed.next` of the last call: lines held back are not in it, they come again."""
        streams = {
            name: {
                "raw": stream.raw.snapshot(),
                "inner": stream.inner.snapshot(),
                "watch": [stream.raw.watch.snapshot(), stream.inner.watch.snapshot()],
                "miner": stream.miner.snapshot(),
                "headed": stream.headed,
                "last_time_us": None if stream.last_us[0] == INVALID else int(stream.last_us[0]),
                "tailed": sorted(stream.tailed),
                "years": stream.years.snapshot() if stream.years else None,
            }
            for name, stream in self._streams.items()
        }
        services = {"learning": self._learning.snapshot(), "services": self._services.snapshot()}
        return orjson.dumps({"version": FORMAT_VERSION, "streams": streams, **services})

    @classmethod
    def restore(cls, payload: bytes, settings: ParserSettings | None = None) -> "Parser":
        """Return a parser that continues where `snapshot` was taken. Raises CorruptState for any other payload."""
        try:
            saved = orjson.loads(payload)
            if saved["version"] != FORMAT_VERSION:
                raise CorruptState(f"parser snapshot has format version {saved['version']}; want {FORMAT_VERSION}")
            parser = cls(settings)
            parser._learning = Services(parser.settings.max_services, saved["learning"])
            parser._services = Services(parser.settings.max_services, saved["services"])
            for name, one in saved["streams"].items():
                parser.stream(name).load(one)
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError, IndexError) as why:
            raise CorruptState(f"parser snapshot of {len(payload)} bytes cannot be read: {why!r}") from None
        return parser


def _fitted(records: Records, shares: list[tuple[Stream, Ints | None]], number: Ints) -> tuple[Captures, int]:
    """Return what the wildcards of each record's template stand for, and how many records fit; note the facts of these.

    `number`: the template's in its stream.
    """
    facts = records.columns.facts
    for stream, mine in shares:
        _kernels.take_facts(stream.miner.templates.facts, number, mine, facts)
    captures, fitting = Captures.of(facts[0]), 0
    for stream, mine in shares:
        fitting += captures.find(records.columns.bodies, stream.miner.templates, number, mine)
    return captures, fitting


def _rule(old: str, new: str, row: int, records: Records) -> Rule:
    made = recipe(old, new)
    assert made is not None, f"{new!r} does not cover {old!r}"
    return {
        "row": row,
        "time": int(records.columns.time_us[row]),
        "kind": "generalise",
        "from_id": template_id(old),
        "to_id": template_id(new),
        "template": new,
        "recipe": made,
        **records.origin(row),
    }
