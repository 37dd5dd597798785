"""JSON objects and logfmt lines of one shape, that is with the same keys in the same order, cut in one compiled pass.

A shape is an expression that fits only lines of which the slow reading (`_structured`) would find the same: values
without escapes, numbers that are written as they would be written again, no key twice. Any other line is read slowly.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import orjson

from parsing._columns import Ints, Spans
from parsing._jit import Kernels
from parsing._program import Program, program
from parsing._structured import AUDIT, MOST_ATTRIBUTES, PAIR, PAIRS, field_of

_vm = Kernels("parsing._vm")
_OFTEN = 3  # a program is not made for keys that hardly come again
_PLAIN_KEY = re.compile(r"[ !#-\[\]-~]+")
_GAP = r"[ \t\n\r]*"
_INTEGER, _DECIMAL = r"0|-?[1-9]\d{0,17}", r"-?(?:0\.\d{0,3}|[1-9]\d{0,9}\.\d{0,4})[1-9]"
_JSON_VALUE = rf'(?:"(?P<KEY>[^"\\\x00-\x1f]*)"|(?P<KEY_>{_DECIMAL}|{_INTEGER}|true|false))'
_PAIR_VALUE = r'(?:"(?P<KEY>[^"\\]*)"|(?P<KEY_>[!#-~]*))'


@dataclass(frozen=True)
class Shape:
    """What lines with these keys are: the program that cuts them, the header field of each key or None."""

    keys: tuple[str, ...]
    fields: tuple[str | None, ...]
    code: Program

    def cut(self, lines: Spans) -> tuple[Ints, Ints, Ints]:
        """Return which lines fit, and where the values of all are (begins, ends; shape [key, line])."""
        count, rows = len(self.keys), np.arange(len(lines))
        which = np.full(len(lines), -1)
        begins, ends = np.zeros((2, count, len(lines)), np.int64)
        groups = np.array([[int(name.strip("k_")) for name in self.code.groups]])
        code = (self.code.code, self.code.sets, self.code.jumps, self.code.alike, np.zeros(1, np.int64))
        _vm.take_headers(
            *code, groups, np.arange(count), lines.data, lines.begins, lines.ends, rows, which, begins, ends
        )
        return np.flatnonzero(which == 0), begins, ends


def shape_of(text: str) -> Shape | None:
    """Return the shape of a line, None if it is to be read slowly, such as the first lines of their shape."""
    if text.startswith("{"):
        try:
            found = orjson.loads(text)
        except orjson.JSONDecodeError:
            return None
        return _seen_often(tuple(found), True)
    if text.startswith(AUDIT) or PAIRS.fullmatch(text) is None:
        return None
    return _seen_often(tuple(name for name, _ in PAIR.findall(text)), False)


def _seen_often(keys: tuple[str, ...], json: bool) -> Shape | None:
    times = _times_seen(keys, json)
    times[0] += 1
    return _shape(keys, json) if times[0] >= _OFTEN else None


@lru_cache(maxsize=1024)
def _times_seen(keys: tuple[str, ...], json: bool) -> list[int]:
    return [0]


@lru_cache(maxsize=64)
def _shape(keys: tuple[str, ...], json: bool) -> Shape | None:
    if len(set(keys)) < len(keys) or len(keys) < (1 if json else 3) or len(keys) > MOST_ATTRIBUTES:
        return None
    fields: list[str | None] = []
    for key in keys:
        field = field_of(key)
        fields.append(field if field not in fields else None)
    if "message" not in fields or not all(map(_PLAIN_KEY.fullmatch, keys)):
        return None
    if json:
        pairs = [
            rf'"{re.escape(key)}"{_GAP}:{_GAP}' + _JSON_VALUE.replace("KEY", f"k{n}") for n, key in enumerate(keys)
        ]
        return Shape(keys, tuple(fields), program(rf"\{{{_GAP}" + f"{_GAP},{_GAP}".join(pairs) + rf"{_GAP}\}}{_GAP}"))
    pairs = [f"{re.escape(key)}=" + _PAIR_VALUE.replace("KEY", f"k{n}") for n, key in enumerate(keys)]
    return Shape(keys, tuple(fields), program(r"\s+".join(pairs) + r"\s*"))
