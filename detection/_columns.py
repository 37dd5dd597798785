"""Growable numpy columns, one row a series: the memory of every scorer."""

from collections.abc import Mapping
from typing import Protocol

import numpy as np

from detection._state import Arrays, prefixed, under


class Columns:
    """Float64 columns of equal length that grow by doubling; new rows hold each column's fill value."""

    def __init__(self, fills: Mapping[str, float], width: Mapping[str, int] | None = None) -> None:
        """Name the columns by their fill value; `width` gives columns that hold a vector a row."""
        self._fills = dict(fills)
        self._width = dict(width or {})
        self.size = 0
        self._data = {name: self._blank(name, 0) for name in self._fills}

    def _blank(self, name: str, rows: int) -> np.ndarray:
        shape = (rows, self._width[name]) if name in self._width else (rows,)
        return np.full(shape, self._fills[name])

    def __getitem__(self, name: str) -> np.ndarray:
        """Return the whole column; valid until the next `grow`."""
        return self._data[name][: self.size]

    def grow(self, size: int) -> None:
        """Make at least `size` rows exist."""
        if size <= self.size:
            return
        capacity = len(next(iter(self._data.values())))
        if size > capacity:
            extra = max(size, 2 * capacity, 64) - capacity
            self._data = {name: np.concatenate([old, self._blank(name, extra)]) for name, old in self._data.items()}
        self.size = size

    def arrays(self) -> Arrays:
        """Return copies of the columns for a snapshot."""
        return {name: self[name].copy() for name in self._fills}

    def load(self, arrays: Arrays) -> None:
        """Take over columns from a snapshot."""
        self._data = {name: arrays[name].copy() for name in self._fills}
        self.size = len(next(iter(self._data.values())))


class _Part(Protocol):
    def grow(self, size: int) -> None: ...
    def arrays(self) -> Arrays: ...
    def load(self, arrays: Arrays) -> None: ...


class Grouped:
    """Parts with one row a series each, which grow, are saved and are restored together."""

    def __init__(self, **parts: _Part) -> None:
        """Name the parts; a snapshot holds each under its name."""
        self._parts = parts

    def grow(self, size: int) -> None:
        """Make at least `size` rows exist."""
        for part in self._parts.values():
            part.grow(size)

    def arrays(self) -> Arrays:
        """Return copies of all arrays for a snapshot."""
        return {
            key: array for name, part in self._parts.items() for key, array in prefixed(name, part.arrays()).items()
        }

    def load(self, arrays: Arrays) -> None:
        """Take over arrays from a snapshot."""
        for name, part in self._parts.items():
            part.load(under(name, arrays))
