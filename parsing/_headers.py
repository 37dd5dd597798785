"""Take headers off a column of lines: layouts are learnt line by line, and applied to whole columns at once.

What is decided for a line depends on that line and the lines before it, never on later ones, so no line waits for
the format to be known and batch boundaries do not matter. Known layouts are tried in a fixed order; a line that fits
none, or only a bare "<time> <message>" although a level seems to follow, is sniffed, and its layout joins the list.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import re2
from numpy.typing import NDArray

from parsing._columns import Ints, one_chunk
from parsing._layouts import LEVEL_WORDS, Layout, compiled, pattern_layout, whole
from parsing._settings import ParserSettings
from parsing._sniff import sniff
from parsing._times import BY_NAME, INVALID, TIME_LAYOUTS, Times, read_times

_MOST_LAYOUTS = 16
_LEVEL_FOLLOWS = rf"^[\[(<]?(?:{LEVEL_WORDS})\b"
# A line worth a look: a clock, a compact or epoch time, a level at its beginning, or a trace id.
_PROMISING = re2.compile(
    r"\d:\d\d|\d{6} \d{6}\b|\d\.\d\d\.\d\d|\b1\d{9}|\d{8}[T_-]\d{6}|^\[?(?i:" + LEVEL_WORDS + r")[\]:]|^(?i:trace_?id)"
)


@dataclass
class Headers:
    """Header fields of a column of lines, all of its length; text fields are "" where absent."""

    matched: NDArray[np.bool_]
    timed: NDArray[np.bool_]
    time_us: Ints
    year_assumed: NDArray[np.bool_]
    date_assumed: NDArray[np.bool_]
    text: dict[str, NDArray[Any]]
    message: NDArray[Any]
    extra: dict[int, dict[str, str]] = field(default_factory=dict)  # row -> further attributes

    @classmethod
    def blank(cls, lines: pa.Array) -> "Headers":
        """Return the headers of lines that have none: each line is its message."""
        rows = len(lines)
        return cls(
            matched=np.zeros(rows, np.bool_),
            timed=np.zeros(rows, np.bool_),
            time_us=np.full(rows, INVALID, np.int64),
            year_assumed=np.zeros(rows, np.bool_),
            date_assumed=np.zeros(rows, np.bool_),
            text={},
            message=np.asarray(lines.to_numpy(zero_copy_only=False), object).copy(),
        )

    def column(self, name: str) -> NDArray[Any]:
        """Return the text field `name`, made if need be."""
        return self.text.setdefault(name, np.full(len(self.matched), "", object))

    def put(self, rows: Ints, part: "Headers") -> None:
        """Take over the headers of some rows."""
        for name in ("matched", "timed", "time_us", "year_assumed", "date_assumed", "message"):
            getattr(self, name)[rows] = getattr(part, name)
        for name, values in part.text.items():
            self.column(name)[rows] = values

    def put_times(self, rows: Ints, times: Times) -> None:
        """Take over the times of some rows."""
        self.time_us[rows] = times.us
        self.timed[rows] = times.us != INVALID
        self.year_assumed[rows] = times.year_assumed
        self.date_assumed[rows] = times.date_assumed


@dataclass
class HeaderReader:
    """The layouts seen in one stream of lines so far, in the order in which they are tried."""

    settings: ParserSettings
    layouts: list[Layout] = field(default_factory=list)
    fixed: bool = False

    def __post_init__(self) -> None:
        if self.settings.format not in ("auto", "message"):
            self.layouts, self.fixed = [pattern_layout(self.settings.format)], True

    def read(self, lines: pa.Array, observed_us: Ints, leading: bool = True) -> Headers:
        """Return the headers of `lines` (strings, no nulls). `leading`: columns may stand before the time."""
        headers = Headers.blank(lines)
        if self.settings.format == "message" or len(lines) == 0:
            return headers
        todo = np.arange(len(lines))
        while len(todo):
            left = self._apply_known(lines, todo, observed_us, headers)
            at = self._learn(lines, left, leading)
            if at < 0:
                break
            todo = left[at:]
        return headers

    def _learn(self, lines: pa.Array, left: Ints, leading: bool) -> int:
        """Sniff the rows in `left` in order until one teaches a new layout; return its place in `left`, or -1."""
        if self.fixed or len(self.layouts) >= _MOST_LAYOUTS:
            return -1
        for place, row in enumerate(left):
            text = lines[int(row)].as_py()
            if not text or not _PROMISING.search(text[:300]):
                continue
            found = sniff(text, leading)
            if found is None or any(found.regex == known.regex for known in self.layouts):
                continue
            if compiled(found.regex).match(text) is None:
                continue
            self._add(found)
            return place
        return -1

    def _add(self, layout: Layout) -> None:
        """Put the layout behind all that say at least as much; a bare one always comes last."""
        place = next((i for i, known in enumerate(self.layouts) if known.bare and not layout.bare), len(self.layouts))
        self.layouts.insert(place, layout)

    def _apply_known(self, lines: pa.Array, rows: Ints, observed_us: Ints, headers: Headers) -> Ints:
        """Fill in the rows that fit a known layout; return those left to sniff, in order."""
        again: list[Ints] = []
        for layout in self.layouts:
            if len(rows) == 0:
                break
            taken = lines if len(rows) == len(lines) else lines.take(pa.array(rows))
            groups = pc.extract_regex(taken, whole(layout.regex))
            valid = groups.is_valid().to_numpy(zero_copy_only=False)
            hits = rows[valid]
            if len(hits) == 0:
                continue
            parts = groups if valid.all() else groups.filter(pa.array(valid))
            self._store(layout, parts, hits, observed_us, headers)
            if layout.bare and not self.fixed:
                follows = pc.match_substring_regex(parts.field("message"), _LEVEL_FOLLOWS)
                again.append(hits[follows.to_numpy(zero_copy_only=False)])
            rows = rows[~valid]
        return np.sort(np.concatenate([rows, *again]))

    def _store(self, layout: Layout, parts: pa.StructArray, rows: Ints, observed_us: Ints, headers: Headers) -> None:
        headers.matched[rows] = True
        for name in (parts.type.field(i).name for i in range(parts.type.num_fields)):
            base = name.rstrip("2")
            if base in ("time", "message"):
                continue
            values = parts.field(name).to_numpy(zero_copy_only=False)
            column = headers.column(base)
            column[rows] = values if name == base else np.where(column[rows] == "", values, column[rows])
        headers.message[rows] = parts.field("message").to_numpy(zero_copy_only=False)
        if parts.type.get_field_index("time") >= 0:
            self._store_times(layout, one_chunk(parts.field("time")), rows, observed_us, headers)

    def _store_times(self, layout: Layout, column: pa.Array, rows: Ints, observed_us: Ints, headers: Headers) -> None:
        time = layout.time
        if time is None:
            first = str(column[0])
            time = next((t for t in TIME_LAYOUTS if re2.fullmatch(t.regex, first)), None)
            if time is None:
                return
        times = read_times(column, time, observed_us[rows], self.settings.year, self.settings.timezone)
        headers.put_times(rows, times)

    def snapshot(self) -> list[list[Any]]:
        """Return the layouts as JSON."""
        return [[one.pattern, one.regex, one.time.name if one.time else None, one.columns] for one in self.layouts]

    def restore(self, saved: list[list[Any]]) -> None:
        """Take over what `snapshot` returned."""
        self.layouts = [
            Layout(pattern, regex, BY_NAME[time] if time else None, columns) for pattern, regex, time, columns in saved
        ]
