"""From names to row numbers without a Python step per point: 64-bit keys looked up in a sorted array."""

from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa
import xxhash

from detection._state import Arrays

_MIX = np.uint64(0x9E3779B97F4A7C15)
_SHIFT = np.uint64(29)


def text_keys(column: pa.ChunkedArray) -> tuple[np.ndarray, list[str], np.ndarray]:
    """Return (code of each row into names, names, 64-bit key of each name) of a string column without nulls."""
    encoded = column.combine_chunks().dictionary_encode()
    names = encoded.dictionary.to_pylist()
    keys = np.array([text_key(name) for name in names], dtype=np.uint64)
    return encoded.indices.to_numpy().astype(np.int64), names, keys


def text_key(name: str) -> int:
    """Return the 64-bit key of a name, the same in every process."""
    return xxhash.xxh3_64_intdigest(name.encode("utf-8", "surrogatepass"))


def mix(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return one key for each pair of keys."""
    mixed = (first ^ (first >> _SHIFT)) * _MIX + second
    return np.asarray((mixed ^ (mixed >> _SHIFT)) * _MIX)


class SeriesIndex:
    """Rows of named series in order of first sight; at most `limit`, those beyond are refused and counted."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.services: list[str] = []
        self.signals: list[str] = []
        self.refused = 0
        self._keys = np.empty(0, dtype=np.uint64)
        self._rows = np.empty(0, dtype=np.int64)

    def __len__(self) -> int:
        return len(self.services)

    def rows(self, keys: np.ndarray, name: Callable[[int], tuple[str, str]]) -> np.ndarray:
        """Return the row of each key, -1 where refused; `name(i)` is asked for (service, signal) of new keys only."""
        rows = self._find(keys)
        if (rows < 0).any():
            fresh, first = np.unique(keys[rows < 0], return_index=True)
            self._add(fresh, [name(int(i)) for i in np.flatnonzero(rows < 0)[first]])
            rows = self._find(keys)
        return rows

    def _find(self, keys: np.ndarray) -> np.ndarray:
        if not len(self._keys):
            return np.full(len(keys), -1, dtype=np.int64)
        at = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
        return np.where(self._keys[at] == keys, self._rows[at], -1)

    def _add(self, keys: np.ndarray, names: Sequence[tuple[str, str]]) -> None:
        room = self.limit - len(self)
        self.refused += max(0, len(keys) - room)
        keys, names = keys[:room], names[:room]
        fresh = np.arange(len(self), len(self) + len(keys), dtype=np.int64)
        self.services.extend(service for service, _ in names)
        self.signals.extend(signal for _, signal in names)
        merged = np.concatenate([self._keys, keys])
        order = np.argsort(merged, kind="stable")
        self._keys = merged[order]
        self._rows = np.concatenate([self._rows, fresh])[order]

    def meta(self) -> dict[str, object]:
        """Return the names for a snapshot."""
        return {"services": self.services, "signals": self.signals, "refused": self.refused}

    def arrays(self) -> Arrays:
        """Return the keys for a snapshot."""
        return {"keys": self._keys, "rows": self._rows}

    def load(self, meta: dict[str, list[str]], arrays: Arrays) -> None:
        """Take over a snapshot."""
        self.services, self.signals = list(meta["services"]), list(meta["signals"])
        self.refused = int(meta["refused"])  # type: ignore[call-overload]
        self._keys, self._rows = arrays["keys"], arrays["rows"]
