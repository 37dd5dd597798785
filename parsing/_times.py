"""How logs write times: one table of layouts, a regular expression and the order of fields for each."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from parsing._columns import Ints, Spans
from parsing._jit import Kernels
from parsing._zones import ZONES

_MONTH = r"(?i:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*"
_DAY = r"(?i:mon|tue|wed|thu|fri|sat|sun)[a-z]*"
_MONTH_NUMBER = r"(?:0?[1-9]|1[0-2])"
_CLOCK = r"\d{1,2}:\d{2}:\d{2}"
_FRACTION = r"(?:[.,:]\d{1,9})?"
_HALF = r"(?: ?[AaPp][Mm]\b)?"
_ZONES = rf"Z|(?:UTC|GMT)(?:[+-]\d{{2}}:?\d{{2}})?|{'|'.join(ZONES)}|[+-]\d{{2}}:?\d{{2}}"
_ZONE = rf"(?: ?(?:{_ZONES})\b|[+-]\d{{2}}\b)?"
_HALF_OR_ZONE = rf"(?: ?(?:[AaPp][Mm]|{_ZONES})\b(?:\[\w+/\w+\])?|[+-]\d{{2}}\b)?"
_DATE = r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}"


@dataclass(frozen=True)
class TimeLayout:
    """One way of writing a time: `name` in strftime letters as shown to people, `regex` (RE2), fields and widths."""

    name: str
    regex: str
    fields: tuple[tuple[str, int], ...]

    @cached_property
    def reading(self) -> tuple[Ints, Ints]:
        """Return the letters and widths of the fields, as compiled code reads them."""
        letters, widths = zip(*self.fields, strict=True)
        return np.array([ord(letter) for letter in letters], np.int64), np.array(widths, np.int64)

    @property
    def of_syslog(self) -> bool:
        """Return whether it ends as times of RFC 3164 do: a host and a tag are likely to follow."""
        return self.name.endswith("%b %d %H:%M:%S.%f")

    def has(self, letter: str) -> bool:
        """Return whether a field of this letter is part of the layout."""
        return any(letter == field for field, _ in self.fields)

    @cached_property
    def dated(self) -> bool:
        """Return whether the layout names a day (an epoch does)."""
        return self.has("d") or self.has("s")

    @cached_property
    def lacks_year(self) -> bool:
        """Return whether the layout names a day but no year."""
        return self.has("d") and not (self.has("Y") or self.has("y"))


def _layout(name: str, regex: str, fields: str) -> TimeLayout:
    """Fields are letters with an optional width after them, separated by blanks."""
    parsed = tuple((item[0], int(item[1:] or 18)) for item in fields.split())
    return TimeLayout(name, regex, parsed)


TIME_LAYOUTS = (
    _layout(
        "%Y-%m-%d %H:%M:%S.%f %z",
        rf"{_DATE}(?:[T_\t-]| {{1,2}})\d{{1,2}}[:.]\d{{2}}[:.]\d{{2}}{_FRACTION}{_HALF_OR_ZONE}",
        "Y4 m2 d2 H2 M2 S2 f p z",
    ),
    _layout("%a %Y-%m-%d %H:%M:%S %z", rf"{_DAY},? {_DATE} {_CLOCK}{_FRACTION}{_ZONE}", "Y4 m2 d2 H2 M2 S2 f z"),
    _layout(
        "%Y%m%d-%H:%M:%S:%f", rf"\d{{8}}[-T_ ]\d{{1,2}}:\d{{1,2}}:\d{{1,2}}{_FRACTION}{_ZONE}", "Y4 m2 d2 H2 M2 S2 f z"
    ),
    _layout(
        "%Y%m%dT%H%M%S",
        rf"(?:\d{{8}}[T_-]\d{{6}}|(?:19|20)\d\d[01]\d[0-3]\d ?[0-2]\d[0-5]\d[0-5]\d)(?:[.,:]\d{{1,9}}|\d{{3}})?{_ZONE}",
        "Y4 m2 d2 H2 M2 S2 f z",
    ),
    _layout(  # the year of a time of syslog that a collector wrote its date before
        "%Y.%m.%d * %b %d %H:%M:%S.%f",
        rf"{_DATE} \S+ {_MONTH} +\d{{1,2}} {_CLOCK}{_FRACTION}",
        "Y4 m2 d2 w b d2 H2 M2 S2 f",
    ),
    _layout(
        "%Y-%b-%d %H:%M:%S.%f",
        rf"\d{{4}}[-/ ]{_MONTH}[-/ ]\d{{1,2}}[T ]{_CLOCK}{_FRACTION}{_ZONE}",
        "Y4 b d2 H2 M2 S2 f z",
    ),
    _layout(
        "%a %b %d %H:%M:%S.%f %Y",
        rf"{_DAY},? {_MONTH} +\d{{1,2}} {_CLOCK}{_FRACTION}{_ZONE} \d{{4}}",
        "b d2 H2 M2 S2 f z Y4",
    ),
    _layout(
        "%a, %d %b %Y %H:%M:%S %z",
        rf"{_DAY},? \d{{1,2}}[ -]{_MONTH}[ -](?:\d{{4}}|\d{{2}}) {_CLOCK}{_FRACTION}{_ZONE}",
        "d2 b Y4 H2 M2 S2 f z",
    ),
    _layout(
        "%d/%b/%Y:%H:%M:%S %z", rf"\d{{1,2}}/{_MONTH}/\d{{4}}[: ]{_CLOCK}{_FRACTION}{_ZONE}", "d2 b Y4 H2 M2 S2 f z"
    ),
    _layout(
        "%d %b %Y %H:%M:%S.%f",
        rf"\d{{1,2}}[ -]{_MONTH}[ -](?:\d{{4}}|\d{{2}})(?: |::?){_CLOCK}{_FRACTION}{_HALF}{_ZONE}",
        "d2 b Y4 H2 M2 S2 f p z",
    ),
    _layout(
        "%b %d %Y %H:%M:%S.%f",
        rf"{_MONTH} +\d{{1,2}},? \d{{4}},? {_CLOCK}{_FRACTION}{_HALF}{_ZONE}",
        "b d2 Y4 H2 M2 S2 f p z",
    ),
    _layout("%b %d %H:%M:%S.%f", rf"(?:{_DAY},? )?{_MONTH} +\d{{1,2}} {_CLOCK}{_FRACTION}", "b d2 H2 M2 S2 f"),
    _layout("%d %b %H:%M:%S.%f", rf"\d{{1,2}}[ -]{_MONTH} {_CLOCK}{_FRACTION}", "d2 b H2 M2 S2 f"),
    _layout(
        "%m/%d/%Y %H:%M:%S %p",
        rf"{_MONTH_NUMBER}[/-]\d{{1,2}}[/-]\d{{4}},? {_CLOCK}{_FRACTION} [AaPp][Mm]{_ZONE}",
        "m2 d2 Y4 H2 M2 S2 f p z",
    ),
    _layout(
        "%d.%m.%Y %H:%M:%S.%f",
        rf"\d{{1,2}}[.-]{_MONTH_NUMBER}[.-]\d{{4}},? {_CLOCK}{_FRACTION}{_ZONE}",
        "d2 m2 Y4 H2 M2 S2 f z",
    ),
    _layout(
        "%m/%d/%Y %H:%M:%S.%f",
        rf"{_MONTH_NUMBER}[/-]\d{{1,2}}[/-]\d{{4}},? {_CLOCK}{_FRACTION}{_ZONE}",
        "m2 d2 Y4 H2 M2 S2 f z",
    ),
    _layout(
        "%d/%m/%Y %H:%M:%S.%f",
        rf"\d{{1,2}}/{_MONTH_NUMBER}/\d{{4}},? {_CLOCK}{_FRACTION}{_HALF}{_ZONE}",
        "d2 m2 Y4 H2 M2 S2 f p z",
    ),
    _layout(
        "%y/%m/%d %H:%M:%S.%f",
        rf"\d{{2}}[/-](?:0[1-9]|1[0-2])[/-]\d{{2}} {_CLOCK}{_FRACTION}{_ZONE}",
        "y2 m2 d2 H2 M2 S2 f z",
    ),
    _layout(
        "%m/%d/%y %H:%M:%S.%f",
        rf"{_MONTH_NUMBER}/\d{{1,2}}/\d{{2}},? {_CLOCK}{_FRACTION}{_HALF}{_ZONE}",
        "m2 d2 y2 H2 M2 S2 f p z",
    ),
    _layout(
        "%d.%m.%y %H:%M:%S.%f",
        rf"\d{{1,2}}\.{_MONTH_NUMBER}\.\d{{2}},? {_CLOCK}{_FRACTION}{_ZONE}",
        "d2 m2 y2 H2 M2 S2 f z",
    ),
    _layout("%y%m%d %H%M%S", r"\d{6} \d{6}\b", "y2 m2 d2 H2 M2 S2"),
    _layout("%y%m%d %H:%M:%S", rf"\d{{6}} +{_CLOCK}{_FRACTION}", "y2 m2 d2 H2 M2 S2 f"),
    _layout("%m%d %H:%M:%S.%f", rf"\d{{4}} {_CLOCK}{_FRACTION}", "m2 d2 H2 M2 S2 f"),
    _layout("%m-%d %H:%M:%S.%f", rf"\d{{2}}[-/.]\d{{2}} {_CLOCK}{_FRACTION}{_ZONE}", "m2 d2 H2 M2 S2 f z"),
    _layout("%Y-%m-%d %H:%M %z", rf"{_DATE}[T ]\d{{1,2}}:\d{{2}}{_HALF}{_ZONE}", "Y4 m2 d2 H2 M2 p z"),
    _layout("%m/%d/%Y %H:%M %p", rf"{_MONTH_NUMBER}/\d{{1,2}}/\d{{4}},? \d{{1,2}}:\d{{2}}{_HALF}", "m2 d2 Y4 H2 M2 p"),
    _layout("%H:%M:%S.%f", rf"{_CLOCK}{_FRACTION}", "H2 M2 S2 f"),
    _layout("%I:%M%p", r"\d{1,2}:\d{2}[AP]M\b", "H2 M2 p"),
    _layout("%s.%f", r"1\d{9}(?:\.\d{1,9}|,\d{3}|\d{3}(?:\d{3}){0,2})?\b", "s19 f"),
)
"""In the order in which they are tried. A naive numeric day and month are read month first with slashes, where there is
such a month, and day first with dots; two-digit leading years are read year first, where there is such a month."""

BY_NAME = {layout.name: layout for layout in TIME_LAYOUTS}
_time_kernels = Kernels("parsing._time_kernels")
INVALID = np.iinfo(np.int64).min
_DAY_US = 86_400_000_000


@dataclass(frozen=True)
class Times:
    """Times of a column: microseconds since the epoch UTC (INVALID where unreadable) and what had to be assumed."""

    us: Ints
    zoned: NDArray[np.bool_]  # a zone is written
    year_assumed: NDArray[np.bool_]
    date_assumed: NDArray[np.bool_]


def read_times(texts: Spans, layout: TimeLayout, observed_us: Ints, year: int | None, timezone: str) -> Times:
    """Read times of one layout.

    A missing year is `year`, or the one that puts the time at most a day after `observed_us` (shape [rows]) and least
    far before it; a missing date likewise. Times without a zone are in `timezone`.
    """
    rows = len(texts)
    fields, widths = layout.reading
    observed_days = years = np.zeros(rows, np.int64)
    if layout.lacks_year or not layout.dated:
        observed_days = observed_us // _DAY_US
        years = np.full(rows, year, np.int64) if year is not None else _year_of(observed_days)
    us, zoned = np.empty(rows, np.int64), np.zeros(rows, np.bool_)
    _time_kernels.parse_times(texts.data, texts.begins, texts.ends, fields, widths, years, observed_days, us, zoned)
    if layout.lacks_year and year is None:
        late = us > observed_us + _DAY_US
        again = np.empty(rows, np.int64)
        earlier = years - 1
        _time_kernels.parse_times(
            texts.data, texts.begins, texts.ends, fields, widths, earlier, observed_days, again, zoned
        )
        us = np.where(late, again, us)
    if not layout.dated:
        us = np.where((us > observed_us + _DAY_US // 2) & (us != INVALID), us - _DAY_US, us)
    valid = us != INVALID
    if timezone != "UTC":
        us = to_utc(us, valid & ~zoned, timezone)
    none = np.zeros(rows, np.bool_)
    return Times(us, zoned, valid if layout.lacks_year else none, none if layout.dated else valid)


def _year_of(days: Ints) -> Ints:
    return days.astype("datetime64[D]").astype("datetime64[Y]").astype(np.int64) + 1970


def to_utc(us: Ints, naive: NDArray[np.bool_], timezone: str) -> Ints:
    """Return times of which the naive ones are local in `timezone`, all in UTC."""
    if not naive.any():
        return us
    local = pa.array(us[naive], pa.timestamp("us"))
    known = pc.assume_timezone(local, timezone, ambiguous="earliest", nonexistent="earliest")
    out = us.copy()
    out[naive] = known.cast(pa.int64()).to_numpy(zero_copy_only=False)
    return out
