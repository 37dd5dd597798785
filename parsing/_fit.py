"""Fit templates to texts: what each `<*>` stands for, for whole columns, and between two templates."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from parsing._columns import Bytes, Ints, Spans, distinct
from telemetry import WILDCARD

_TO_BLANK = str.maketrans("\t\n\r\x0b\x0c", "     ")
Recipe = list[list[dict[str, Any]]]


def fit_column(messages: Spans, texts: Sequence[str], template: Ints) -> tuple[pa.ListArray, NDArray[np.bool_]]:
    """Return the parameters of each message (list<string>), and whether its template fits.

    Row i has the template texts[template[i]]. Filling its parameters into the wildcards gives the message back up to
    white space. A row whose template does not fit has none.
    """
    from parsing._kernels import fit

    used, number = distinct(template)
    literals, literal_offsets, first, wild = _pack([texts[int(one)] for one in used])
    counts = wild[number]
    at = np.zeros(len(number) + 1, np.int64)
    np.cumsum(counts, out=at[1:])
    begins, ends = np.zeros(at[-1], np.int64), np.zeros(at[-1], np.int64)
    fits = np.zeros(len(number), np.bool_)
    where = messages.data, messages.begins, messages.ends
    fit(*where, number, literals, literal_offsets, first, wild, at, begins, ends, fits)
    if not fits.all():
        kept = np.repeat(fits, counts)
        begins, ends = begins[kept], ends[kept]
        np.cumsum(np.where(fits, counts, 0), out=at[1:])
    values = Spans(messages.data, begins, ends).column()
    return pa.ListArray.from_arrays(pa.array(at.astype(np.int32)), values), fits


def _pack(texts: Sequence[str]) -> tuple[Bytes, Ints, Ints, Ints]:
    """Lay out the literals of templates for the kernel: bytes, offsets, first literal and wildcards a template."""
    split = [_literals(text) for text in texts]
    pieces = [piece for some in split for piece in some]
    wild = np.array([len(some) - 1 for some in split], np.int64)
    literal_offsets = np.zeros(len(pieces) + 1, np.int64)
    literal_offsets[1:] = np.array([len(piece) for piece in pieces], np.int64).cumsum()
    first = np.zeros(len(wild), np.int64)
    np.cumsum(wild[:-1] + 1, out=first[1:])
    return np.frombuffer(b"".join(pieces) or b"\0", np.uint8), literal_offsets, first, wild


@lru_cache(maxsize=1 << 14)
def _literals(template: str) -> tuple[bytes, ...]:
    return tuple(piece.encode() for piece in template.split(WILDCARD))


def fit_one(template: str, text: str) -> list[str] | None:
    """Return what each wildcard of `template` stands for in `text`, None if it does not fit."""
    params, fits = fit_column(Spans.of(pa.array([text], pa.string())), [template], np.zeros(1, np.int64))
    return params[0].as_py() if fits[0] else None


def recipe(old: str, new: str) -> Recipe | None:
    """Return how parameters of the template `old` make up those of `new`, or None if `new` does not cover `old`."""
    captures = fit_one(new, old)
    if captures is None:
        return None
    made: Recipe = []
    index = 0
    for capture in captures:
        parts: list[dict[str, Any]] = []
        for place, constant in enumerate(capture.split(WILDCARD)):
            if place:
                parts.append({"text": None, "param": index})
                index += 1
            if constant:
                parts.append({"text": constant, "param": None})
        made.append(parts)
    return made if index == old.count(WILDCARD) else None


def fill(template: str, params: Sequence[str]) -> str:
    """Return the template with its wildcards replaced by `params`, in order."""
    pieces = template.split(WILDCARD)
    return "".join(piece + value for piece, value in zip(pieces, [*params, ""], strict=True))


def same_but_blanks(one: str, other: str) -> bool:
    """Return whether two texts are equal up to the length and kind of blanks between words."""
    return _collapse(one) == _collapse(other)


def _collapse(text: str) -> str:
    return " ".join(word for word in text.translate(_TO_BLANK).split(" ") if word)
