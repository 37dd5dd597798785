"""Fit templates to texts: what each `<*>` stands for, for whole columns, and between two templates."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from parsing._columns import Bytes, Flags, Ints, Spans, distinct, string_columns
from parsing._jit import Kernels
from parsing._templates import Templates
from telemetry import LOGS, WILDCARD

_PARAMS = LOGS.field("params").type
_kernels = Kernels("parsing._kernels")
Recipe = list[list[dict[str, Any]]]


def fit_column(messages: Spans, texts: Sequence[str], template: Ints) -> tuple[pa.ListArray, Flags]:
    """Return the parameters of each message (list<string>), and whether its template fits.

    Row i has the template texts[template[i]]. Filling its parameters into the wildcards gives the message back up to
    white space. A row whose template does not fit has none.
    """
    used, place = distinct(template)
    templates = Templates()
    number = np.array([templates.add(texts[int(one)]) for one in used], np.int64)[place]
    templates.lay_out()
    captures = Captures.of(templates.wild[number])
    captures.find(messages, templates, number)
    return captures.column(messages.data), captures.fits


@dataclass(slots=True)
class Captures:
    """Capture k of row i is data[begins[at[i] + k]:ends[at[i] + k]], if the row's template fits."""

    at: Ints
    begins: Ints
    ends: Ints
    fits: Flags

    @classmethod
    def of(cls, counts: Ints) -> "Captures":
        """Return room for so many captures a row."""
        rows = len(counts)
        at = np.empty(rows + 1, np.int64)
        count = _kernels.captures_at(counts, at)
        return cls(at, np.empty(count, np.int64), np.empty(count, np.int64), np.empty(rows, np.bool_))

    def find(self, messages: Spans, templates: Templates, number: Ints, rows: Ints | None = None) -> int:
        """Find those of some rows (None: all); return how many fit. `number`: of each message's template."""
        fitting: int = _kernels.fit(
            messages.data, messages.begins, messages.ends, rows, number, templates.literals, templates.literal_offsets,
            templates.first, templates.facts[0], self.at, self.begins, self.ends, self.fits,
        )  # fmt: skip
        return fitting

    def column(self, data: Bytes) -> pa.ListArray:
        """Return the captures as a column of lists; rows that do not fit have none."""
        at, begins, ends = self.at, self.begins, self.ends
        if not self.fits.all():
            counts = np.diff(at)
            kept = np.repeat(self.fits, counts)
            begins, ends, at = begins[kept], ends[kept], np.append(0, np.cumsum(np.where(self.fits, counts, 0)))
        [values] = string_columns(data, begins[np.newaxis], ends[np.newaxis], [False])
        offsets = pa.py_buffer(at.astype(np.int32))
        return pa.Array.from_buffers(_PARAMS, len(at) - 1, [None, offsets], 0, children=[values])


def fit_one(template: str, text: str) -> list[str] | None:
    """Return what each wildcard of `template` stands for in `text`, None if it does not fit."""
    templates, data = Templates(), np.frombuffer(text.encode(), np.uint8)
    number = np.array([templates.add(template)])
    templates.lay_out()
    captures = Captures.of(templates.wild[number])
    whole = Spans(data, np.array([0]), np.array([len(data)]))
    if not captures.find(whole, templates, number):
        return None
    found = Spans(data, captures.begins, captures.ends)
    return [found.text(place) for place in range(len(found))]


def recipe(old: str, new: str) -> Recipe | None:
    """Return how parameters of the template `old` make up those of `new`, or None if `new` does not cover `old`."""
    hole = next(mark for mark in map(chr, range(0xE000, 0x110000)) if mark not in old)
    captures = fit_one(new, old.replace(WILDCARD, hole))  # `<*>` itself might be taken apart by a `<` or `>` of `new`
    if captures is None:
        return None
    made: Recipe = []
    index = 0
    for capture in captures:
        parts: list[dict[str, Any]] = []
        for place, constant in enumerate(capture.split(hole)):
            if place:
                parts.append({"text": None, "param": index})
                index += 1
            if constant:
                parts.append({"text": constant, "param": None})
        made.append(parts)
    return made if index == old.count(WILDCARD) else None
