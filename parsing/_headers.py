"""Take headers off a column of lines: layouts are learnt line by line, and applied to whole columns at once.

What is decided for a line depends on that line and the lines before it, never on later ones, so no line waits for
the format to be known and batch boundaries do not matter. Known layouts are tried in a fixed order; a line that fits
none, or only a bare "<time> <message>" although a level seems to follow, is sniffed, and its layout joins the list.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import Any

import numpy as np
import pyarrow.compute as pc
import re2
from numpy.typing import NDArray

from parsing._columns import Bytes, Flags, Ints, Rows, Spans, appended
from parsing._header_time import time_column
from parsing._jit import Kernels
from parsing._layouts import LEVEL_WORDS, Layout, compiled, pattern_layout
from parsing._program import program
from parsing._settings import ParserSettings
from parsing._sniff import sniff
from parsing._times import BY_NAME, INVALID, TIME_LAYOUTS, TimeLayout, read_times, to_utc
from parsing._watch import Watch
from parsing._years import NOMINAL, Years

FIELDS = (
    *("message", "time", "level", "priority", "component", "service", "pid", "thread", "host", "client"),
    *("user", "database", "trace_id", "span_id", "data"),
)
_PLACE = {name: place for place, name in enumerate(FIELDS)}
_NONE, _UNDECIDED = -1, -2
_row_kernels, _vm = Kernels("parsing._row_kernels"), Kernels("parsing._vm")
_MOST_LAYOUTS = 16
_AT_ONCE = 256
# What a header goes on with: a level, host and tag, a wide column, a logger and its context.
_MORE_FOLLOWS = (
    rf"^[\[(<]?(?:{LEVEL_WORDS})\b|^(?:info|debug|warn|trace)\s|^\S+ [\w./()-]+: |^\S+ [^\[\]:]{{1,60}}\[\d+\]: "
    r"|^[A-Za-z]\w*\s{2,}\S|^[A-Za-z_]\w*(?:\.\w+)+ \[|^\[\w+(?:\.\w+)+\] "
)
# A line worth a look: a clock, a compact or epoch time, a level at its beginning, or a trace id.
_PROMISING = (
    r"\d:\d\d|\d{6} \d{6}\b|\d\.\d\d\.\d\d|\b1\d{9}|\d{8}[T_-]\d{6}|\b20\d{12}|^\[?(?i:" + LEVEL_WORDS + r")[\]:]"
    r"|^(?i:trace_?id)|^[A-Z]{4}\[\d{4}|^[a-z]{4}: |^[VDIWEF]/|^\d+ +\[|^[A-Z]+ +(?:\[[^\[\]]+\] +)?[\w$]+\."
)
_LOOKED_AT = 300  # bytes
_NO_FLAGS, _NO_TIMES = np.zeros(0, np.bool_), np.zeros(0, np.int64)
_NOTHING = _NO_FLAGS, _NO_FLAGS, _NO_TIMES, _NO_FLAGS, _NO_FLAGS, _NO_FLAGS.view(np.int8), _NO_FLAGS


@lru_cache(maxsize=256)
def _places(names: tuple[str, ...]) -> Ints:
    return np.array([_PLACE[name] for name in names], np.int64)


@dataclass(slots=True)
class Headers:
    """Header fields of a column of lines, as places in one byte buffer; absent ones are empty.

    `begins`, `ends`: shape [field, row], fields in the order of FIELDS. `seen`: fields that the header of some row
    may have.
    """

    data: Bytes
    begins: Ints
    ends: Ints
    matched: Flags
    timed: Flags  # `time_us` is that of the header
    time_us: Ints
    year_assumed: Flags
    date_assumed: Flags
    undated: NDArray[np.int8]  # the time is one of the nominal year: 1 local, 2 with a zone
    later: Flags  # parts of a line that began before
    seen: set[str] = field(default_factory=set)
    assumed: bool = False  # a year or date is, of some row
    extra: dict[int, dict[str, str]] = field(default_factory=dict)  # row -> further attributes
    _texts: list[str] = field(default_factory=list)  # texts that are no part of the lines, and
    _places: list[int] = field(default_factory=list)  # field * rows + row of each

    @classmethod
    def none(cls, lines: Spans) -> "Headers":
        """Return the headers of lines of which none is looked for: each is its message, and nothing else is said."""
        return cls(lines.data, lines.begins[np.newaxis], lines.ends[np.newaxis], *_NOTHING)

    @classmethod
    def blank(cls, lines: Spans) -> "Headers":
        """Return the headers of lines before they are looked for: each line is its message."""
        rows = len(lines)
        places, flags = np.zeros((2, len(FIELDS), rows), np.int64), np.zeros((5, rows), np.bool_)
        places[0, 0], places[1, 0] = lines.begins, lines.ends
        time_us, undated = np.zeros(rows, np.int64), np.zeros(rows, np.int8)
        return cls(lines.data, places[0], places[1], flags[0], flags[1], time_us, flags[2], flags[3], undated, flags[4])

    def spans(self, name: str, rows: Rows) -> Spans:
        """Return a field of some rows."""
        place = _PLACE[name]
        return Spans(self.data, self.begins[place][rows], self.ends[place][rows])

    def places(self, names: Sequence[str]) -> list[int]:
        """Return where several fields are among those of `begins` and `ends`."""
        return [_PLACE[name] for name in names]

    def has_some(self, names: Sequence[str]) -> bool:
        """Return whether some row has one of several fields."""
        found: bool = _row_kernels.has_some(self.begins, self.ends, _places(tuple(names)))
        return found

    def taken(self, names: Sequence[str], rows: Rows, spare: int = 0) -> tuple[Ints, Ints]:
        """Return where several fields of some rows begin and end (shape [field, row]), with room for `spare` more."""
        rows = np.arange(rows.stop) if isinstance(rows, slice) else rows
        out = np.zeros((2, len(names) + spare, len(rows)), np.int64)
        _row_kernels.gather(self.begins, self.ends, _places(tuple(names)), rows, out)
        return out[0], out[1]

    def date(self, rows: Ints, years: Years, timezone: str) -> None:
        """Find the year of the times of these rows, in order, that lack one."""
        mine = rows[(self.undated[rows] > 0) & self.timed[rows]]
        if len(mine):
            us = years.date(self.time_us[mine])
            self.timed[mine] = us != INVALID
            self.time_us[mine] = to_utc(us, (self.undated[mine] == 1) & (us != INVALID), timezone)
            self.undated[mine] = 0

    def put_places(self, name: str, rows: Ints, begins: Ints, ends: Ints) -> None:
        """Set a field of some rows to texts that are part of the lines."""
        self.seen.add(name)
        self.begins[_PLACE[name], rows], self.ends[_PLACE[name], rows] = begins, ends

    def put_text(self, name: str, row: int, text: str) -> None:
        """Set a field of a row to a text that is no part of the lines; `settle` makes it count."""
        self.seen.add(name)
        self._texts.append(text)
        self._places.append(_PLACE[name] * len(self.matched) + row)

    def settle(self) -> None:
        """Take over the texts put."""
        if self._texts:
            self.data, begins, ends = appended(self.data, self._texts)
            places = np.array(self._places)
            self.begins.ravel()[places], self.ends.ravel()[places] = begins, ends
            self._texts, self._places = [], []


@dataclass
class HeaderReader:
    """The layouts seen in one stream of lines so far, in the order in which they are tried."""

    settings: ParserSettings
    layouts: list[Layout] = field(default_factory=list)
    fixed: bool = False
    watch: Watch = field(default_factory=Watch)
    _merged: "_Merged | None" = None

    def __post_init__(self) -> None:
        if self.settings.format not in ("auto", "message"):
            self.layouts, self.fixed = [pattern_layout(self.settings.format)], True

    def read(self, headers: Headers, lines: Spans, rows: Ints, observed_us: Ints, leading: bool = True) -> Ints:
        """Fill in the headers of some rows of `lines`; return those whose message is a line that a container wrote.

        `leading`: columns may stand before the time. A time that is known already stays.
        """
        if len(rows) == 0:
            return rows
        which = np.full(len(rows), _NONE, np.int64)
        at = 0
        while at >= 0:
            self._apply(headers, lines, rows[at:], which[at:])
            at = self._learn(headers, lines, rows, which, at, leading)
        counts = np.zeros(len(self.layouts) + 1, np.int64)  # by layout; the last: rows that fit none
        _row_kernels.tally(which, rows, headers.matched, counts)
        used = [(number, self.layouts[number], count) for number, count in enumerate(counts[:-1].tolist()) if count]
        for number, layout, count in used:
            headers.seen |= layout.names
            if layout.timed:
                self._read_times(headers, rows if count == len(rows) else rows[which == number], layout, observed_us)
        wrapping = [number for number, layout, _ in used if layout.wraps]
        return rows[np.isin(which, wrapping)] if wrapping else rows[:0]

    def _apply(self, headers: Headers, lines: Spans, rows: Ints, which: Ints) -> None:
        """Take the headers off rows by the first layout that fits; `which` gets its number, or _NONE."""
        if not self.layouts:
            return
        if self._merged is None:
            self._merged = _Merged.of(self.layouts)
        merged = self._merged
        arrays = (merged.code, merged.sets, merged.jumps, merged.alike, merged.entries, merged.fields, merged.used)
        _vm.take_headers(*arrays, lines.data, lines.begins, lines.ends, rows, which, headers.begins, headers.ends)
        undecided = which == _UNDECIDED
        if np.count_nonzero(undecided):
            for place in np.flatnonzero(undecided):
                which[place] = self._ask_re2(headers, lines, int(rows[place]))

    def _ask_re2(self, headers: Headers, lines: Spans, row: int) -> int:
        """Do for one row what the programs do, in linear time."""
        text = lines.text(row)
        for number, layout in enumerate(self.layouts):
            found = compiled(layout.regex).match(text)
            if found is None:
                continue
            for name in sorted(found.groupdict()):
                low, high = (len(text[:at].encode()) for at in found.span(name))
                place = _PLACE[name.rstrip("2")]
                if found.group(name) is not None and (place == 0 or headers.ends[place, row] == 0):
                    headers.begins[place, row], headers.ends[place, row] = lines.begins[row] + (low, high)
            return number
        return _NONE

    def _learn(self, headers: Headers, lines: Spans, rows: Ints, which: Ints, start: int, leading: bool) -> int:
        """Sniff rows without a good layout from `start` until one teaches a new one; return its place, or -1."""
        if self.fixed or len(self.layouts) >= _MOST_LAYOUTS:
            return -1
        places = start + np.flatnonzero(self._doubtful(headers, rows[start:], which[start:]))
        size = _AT_ONCE
        while len(places):
            now, places = places[:size], places[size:]
            size *= 2
            settled = self.watch.settled
            place = self._learn_of(headers, lines, rows, which, now, leading)
            if place >= 0:
                return place
            if self.watch.settled and not settled:
                places = places[self._doubtful(headers, rows[places], which[places])]
        return -1

    def _doubtful(self, headers: Headers, rows: Ints, which: Ints) -> Flags:
        """Return which rows have no header, or one that names no component.

        Where the header is more than a time, only the first lines of a stream count.
        """
        out, bare = np.empty(len(rows), np.bool_), np.ones(len(self.layouts), np.bool_)
        if self.watch.settled:
            bare[:] = [layout.bare for layout in self.layouts]
        _row_kernels.doubtful(which, rows, headers.ends[_PLACE["component"]], bare, out)
        return out

    def _learn_of(self, headers: Headers, lines: Spans, rows: Ints, which: Ints, places: Ints, leading: bool) -> int:
        """Do what `_learn` does for some places."""
        texts, none = lines.take(rows[places]), which[places] < 0
        watched = leading and not self.layouts
        heads = Spans(texts.data, texts.begins, np.minimum(texts.ends, texts.begins + _LOOKED_AT))
        looks = _search(heads, _PROMISING)
        if not none.all():
            looks &= none | _search(headers.spans("message", rows[places]), _MORE_FOLLOWS)
        for at in np.flatnonzero(looks | ~none | watched).tolist():
            place, matched = int(places[at]), int(which[places[at]])
            again = matched >= 0 and not self.layouts[matched].bare
            if again and self.watch.settled:
                continue
            row, text = int(rows[place]), texts.text(at)
            if again and self.watch.was_in_vain(text):
                continue
            found = sniff(text, leading) if looks[at] and text else None
            if found is None and text and watched and not self.watch.over:
                column = self.watch.column(text, time_column(text) if looks[at] else -1)
                found = sniff(text, column=column) if column > 0 else None
            new = found is not None and self._is_new(found, text)
            if found is not None and new and (matched < 0 or _says_more(found, text, headers, row)):
                number, before = self._add(found, matched), which[:place]
                before[before >= number] += 1
                return place
            if again:
                self.watch.in_vain(text)
        return -1

    def _is_new(self, found: Layout, text: str) -> bool:
        if any(found.regex == known.regex for known in self.layouts):
            return False
        return compiled(found.regex).match(text) is not None

    def _add(self, layout: Layout, matched: int) -> int:
        """Put the layout behind all that say at least as much; a bare one always comes last. Returns its number.

        `matched`: the layout that fits its line so far and says less, -1 if none does.

        A day that can be no month tells that days come first: times read month first so far were so for want of one.
        """
        later = ((known.bare and not layout.bare) or _is_clearer(layout, known) for known in self.layouts)
        place = next((i for i, after in enumerate(later) if after or i == matched), len(self.layouts))
        self.layouts.insert(place, layout)
        self._merged = None
        return place

    def _read_times(self, headers: Headers, rows: Ints, layout: Layout, observed_us: Ints) -> None:
        """Read the times of rows of one layout, but for those that have one already."""
        timed = headers.timed[rows]
        todo = rows[~timed] if np.count_nonzero(timed) else rows
        mine = slice(0, len(todo)) if len(todo) == len(headers.timed) else todo
        if layout.time is not None:
            self.put_times(headers, mine, layout.time, observed_us)
        else:
            self.put_times_of_any_layout(headers, todo, observed_us)

    def put_times(self, headers: Headers, rows: Rows, layout: TimeLayout, observed_us: Ints) -> None:
        """Read the field `time` of some rows, all of one layout; `date` is to follow where a year was set."""
        texts, zone = headers.spans("time", rows), self.settings.timezone
        undated = layout.lacks_year and self.settings.year is not None
        times = (
            read_times(texts, layout, observed_us[rows], NOMINAL, "UTC")
            if undated
            else read_times(texts, layout, observed_us[rows], None, zone)
        )
        headers.time_us[rows] = times.us
        headers.timed[rows] = times.us != INVALID
        if layout.lacks_year or not layout.dated:
            headers.assumed = True
            headers.undated[rows] = undated * (1 + times.zoned)
            headers.year_assumed[rows], headers.date_assumed[rows] = times.year_assumed, times.date_assumed

    def put_times_of_any_layout(self, headers: Headers, rows: Ints, observed_us: Ints) -> None:
        """Read the field `time` of some rows, each in the first layout that fits all of it."""
        column = headers.spans("time", rows).column()
        todo = np.ones(len(rows), np.bool_)
        for layout in TIME_LAYOUTS:
            if not todo.any():
                return
            fits = pc.match_substring_regex(column, rf"^(?:{layout.regex})$").to_numpy(zero_copy_only=False) & todo
            if fits.any():
                self.put_times(headers, rows[fits], layout, observed_us)
            todo &= ~fits

    def snapshot(self) -> list[list[Any]]:
        """Return the layouts as JSON."""
        return [[one.pattern, one.regex, one.time.name if one.time else None, one.columns] for one in self.layouts]

    def restore(self, saved: list[list[Any]]) -> None:
        """Take over what `snapshot` returned."""
        self.layouts = [
            Layout(pattern, regex, BY_NAME[time] if time else None, columns) for pattern, regex, time, columns in saved
        ]
        self._merged = None


def _search(texts: Spans, regex: str) -> Flags:
    """Return in which texts the expression matches. Arrow compiles it each time, so a few are looked at one by one."""
    if len(texts) >= _AT_ONCE:
        found: Flags = pc.match_substring_regex(texts.column(), regex).to_numpy(zero_copy_only=False)
        return found
    places = zip(texts.begins.tolist(), texts.ends.tolist(), strict=True)
    search = _ready(regex).search
    return np.array(
        [search(texts.data[low:high].tobytes().decode(errors="replace")) is not None for low, high in places]
    )


@cache
def _ready(regex: str) -> "re2._Regexp":
    return re2.compile(regex)


def _says_more(layout: Layout, text: str, headers: Headers, row: int) -> bool:
    """Return whether a layout finds a component in a line without one so far, or a level where there was none."""
    found = compiled(layout.regex).match(text).groupdict()
    level = headers.ends[_PLACE["level"], row] == 0 and (found.get("level") or found.get("level2"))
    return bool(level or found.get("component") or found.get("component2"))


def _is_clearer(layout: Layout, known: Layout) -> bool:
    names = [one.time.name if one.time else "" for one in (layout, known)]
    return names[0].startswith("%d/%m/") and names[1].startswith("%m/%d/")


@dataclass(frozen=True)
class _Merged:
    """The programs of several layouts behind one another."""

    code: NDArray[np.int32]
    sets: NDArray[np.uint8]
    jumps: NDArray[np.int32]
    alike: NDArray[np.uint8]  # of the sets, then of the jumps of all: see `Program`
    entries: Ints  # first instruction, by layout
    fields: Ints  # shape [layout, group]: the place in FIELDS, -1 where the layout has no such group
    used: Ints  # places of the groups of any layout

    @classmethod
    def of(cls, layouts: list[Layout]) -> "_Merged":
        programs = [program(layout.regex) for layout in layouts]
        entries = np.cumsum([0, *(len(one.code) for one in programs)])
        sets = np.cumsum([0, *(len(one.sets) for one in programs)])
        jumps = np.cumsum([0, *(len(one.jumps) for one in programs)])
        fields = np.full((len(programs), max(len(one.groups) for one in programs)), -1, np.int64)
        for number, one in enumerate(programs):
            places = [_PLACE[name.rstrip("2")] for name in one.groups]
            fields[number, : len(places)] = places
        alike = [one.alike[:, : len(one.sets)] for one in programs]
        alike += [one.alike[:, len(one.sets) :] for one in programs]
        code = [one.moved(*by) for one, *by in zip(programs, entries, sets, jumps, strict=False)]
        return cls(
            np.concatenate(code),
            np.concatenate([one.sets for one in programs]),
            np.concatenate([one.jumps + entry for one, entry in zip(programs, entries, strict=False)]),
            np.concatenate(alike, axis=1),
            entries[:-1],
            fields,
            np.unique(fields[fields >= 0]),
        )
