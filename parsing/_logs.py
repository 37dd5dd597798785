"""Rows of `logs`: what each column of them is made of, which is written down first and made into a table at once."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from parsing._columns import Ints, Rows, Spans, all_same
from parsing._fit import Captures
from parsing._frames import ARROW, FILLED, GIVEN, LINE, ZEROS, Frame, Given, described
from parsing._headers import Headers
from parsing._severities import LEVELS, PRIORITIES
from telemetry import LINES, LOGS

_FRAME = Frame(LOGS)
_LINE = {name: place for place, name in enumerate(LINES.names)}
_LOG = {name: place for place, name in enumerate(LOGS.names)}
_TIME, _SEVERITY, _FACTS = range(3)  # rows of `Columns.numbers`
_ID = _FACTS + 1
# Of records that are as their lines are: the columns of these, but for what is made anew.
_SOURCES = np.array([(LINE, _LINE.get(name, 0), 0) for name in LOGS.names])
_SOURCES[_LOG["time"]] = GIVEN, _TIME, 0
_SOURCES[_LOG["template_id"]] = GIVEN, _ID, 0
_SOURCES[_LOG["params"], 0], _SOURCES[_LOG["late"], 0] = GIVEN, ZEROS  # lateness is known to the pipeline only
_SERVICE = _LINE["service"]
_TEXTS = {
    "component": "component",
    "service": "service",
    "severity_text": "level",
    "trace_id": "trace_id",
    "span_id": "span_id",
}
"""Columns, and the header's fields they are of where the envelope states nothing."""


@dataclass(slots=True)
class Columns:
    """What the columns of some records are made of, in the words of `_frames`; data 0 are the bytes of their bodies."""

    sources: Ints
    lines: Given  # first lines of the records; others may be behind them
    numbers: Ints  # shape [5, record]: time (us), severity (0: none), facts of the template
    bodies: Spans
    begins: Ints
    ends: Ints
    one_service: str | None = None  # all name this one
    kept: list[object] = field(default_factory=list)  # arrays, and what describes them
    _service: pa.Array | None = None  # if not that of the lines
    service_at: int = 0  # where this is described

    @classmethod
    def of(cls, rows: Given, headers: Headers, at: Rows, bodies: Spans, alike: bool, fallback: str) -> "Columns":
        """Return the columns of records whose first lines are `rows`, `at` within `headers`.

        Times and templates are to come. What the envelope states wins over what the header says. `alike`: the records
        are the first of `headers`, and their bodies its messages. `fallback`: the service of those that name none.
        """
        count = len(bodies)
        made = cls(_SOURCES, rows, np.empty((5, count), np.int64), bodies, headers.begins, headers.ends)
        texts = made._put_texts(headers, at, alike) if headers.seen or not alike else {}
        made._put_severity(rows, headers, at, texts.get("severity_text"))
        made._fill_service(rows, texts.get("service"), fallback)
        return made

    def _put_texts(self, headers: Headers, at: Rows, alike: bool) -> dict[str, Spans]:
        """Take over the bodies, and the texts of headers; return what came of these, by column."""
        asked = [name for name, field in _TEXTS.items() if field in headers.seen]
        fields = ["message", *[_TEXTS[name] for name in asked]]
        places: Sequence[int] = headers.places(fields) if alike else range(len(fields))
        if not alike:
            self.begins, self.ends = headers.taken(fields, at)
            self.begins[0], self.ends[0] = self.bodies.begins, self.bodies.ends
        self._make("body", GIVEN, places[0])
        return {name: self._put_text(name, place) for name, place in zip(asked, places[1:], strict=True)}

    def put(self, name: str, column: pa.Array) -> int:
        """Make a column of an array; return where that is described."""
        kept, address = described(column)
        self.kept += kept, column
        self._make(name, ARROW, address)
        return address

    def _make(self, name: str, what: int, which: int) -> None:
        if self.sources is _SOURCES:
            self.sources = _SOURCES.copy()
        self.sources[_LOG[name]] = what, which, 0

    def _stated(self, name: str) -> pa.Array:
        return self.lines.batch.column(_LINE[name]).slice(0, len(self.bodies))

    def _put_text(self, name: str, place: int) -> Spans:
        """Take over a text of the header where the envelope states none; return what came of it."""
        count = len(self.bodies)
        found = Spans(self.bodies.data, self.begins[place][:count], self.ends[place][:count])
        if not self.lines.has(_LINE[name]):
            self._make(name, FILLED, place)
            return found
        both = pc.coalesce(self._stated(name), found.column(empty_is_null=True))
        self.put(name, both)
        return Spans.of(both)

    def _put_severity(self, rows: Given, headers: Headers, at: Rows, level: Spans | None) -> None:
        """Take over the severities that the texts, or else the priorities of syslog, tell where none is stated."""
        if level is None and rows.has(_LINE["severity_text"]):
            level = Spans.of(self._stated("severity_text"))
        numbers = LEVELS.of(level) if level is not None else None
        if "priority" in headers.seen:
            priorities = PRIORITIES.of(headers.spans("priority", at))
            numbers = priorities if numbers is None else np.where(numbers, numbers, priorities)
        if numbers is None:
            return
        self.numbers[_SEVERITY] = numbers
        self._make("severity_number", FILLED, _SEVERITY)
        if rows.has(_LINE["severity_number"]):
            found = pa.array(numbers.astype(np.int8), mask=numbers == 0)
            self.put("severity_number", pc.coalesce(self._stated("severity_number"), found))

    def _fill_service(self, rows: Given, found: Spans | None, fallback: str) -> None:
        """Find the service of each record."""
        if found is not None:
            self.put_service(pc.fill_null(found.column(empty_is_null=True), fallback))
            self.one_service = self.service[0].as_py() if all_same(self.service) else None
        elif rows.lacks(_SERVICE):
            self.put_service(pc.fill_null(self._stated("service"), fallback))
            self.one_service = fallback if rows.one_service else None
        else:
            self.one_service = rows.service

    def put_service(self, service: pa.Array) -> None:
        """Set the service of each record."""
        self._service = service
        self.service_at = self.put("service", service)

    @property
    def service(self) -> pa.Array:
        """The service of each record."""
        return self._stated("service") if self._service is None else self._service

    @property
    def facts(self) -> Ints:
        """The facts of each record's template (see `Templates`), to be filled in."""
        facts: Ints = self.numbers[_FACTS:]
        return facts

    @property
    def time_us(self) -> Ints:
        """The time of each record, to be filled in."""
        time_us: Ints = self.numbers[_TIME]
        return time_us

    def batch(self, captures: Captures) -> pa.RecordBatch:
        """Return the rows of `logs`; `captures`: of their templates."""
        lists, data = (captures.at, captures.begins, captures.ends), self.bodies.data
        places = data, data, self.begins, self.ends
        return _FRAME.batch(len(self.bodies), self.sources, self.lines.columns, self.numbers, *places, lists)
