"""One stream's templates: a map of known message shapes in front of the engine that groups unseen ones.

What a row gets depends on the rows before it and on nothing else: compiled code finds the shapes of many rows, the
engine learns those that are new one after the other, and where a template changes the rows before get what it was.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from parsing._columns import Ints, Spans
from parsing._jit import Kernels
from parsing._masks import compile_masks, tokenise
from parsing._settings import ParserSettings
from parsing._skeleton import OVERFLOW, Learnt, SkeletonEngine
from parsing._templates import OVERFLOW_TEXT, Templates

_FIRST_SIZE = 64  # of tables that grow: there may be a thousand services
_MOST_STALE = 1024
_fingerprint = Kernels("parsing._fingerprint")


@dataclass(frozen=True)
class Change:
    """At `row` the template `old` became `new`, before the row got its template."""

    row: int
    old: str
    new: str


class Engine(Protocol):
    """What groups the tokens of messages no fingerprint is known for."""

    def learn(self, messages: Sequence[Sequence[str]]) -> Iterator[Learnt]:
        """Yield each message's cluster, and every (cluster, template) that is new or has changed."""

    def snapshot(self) -> dict[str, Any]:
        """Return the whole state as JSON."""

    def restore(self, saved: dict[str, Any]) -> None:
        """Take over what `snapshot` returned."""


def _engine(settings: ParserSettings) -> Engine:
    if settings.engine == "drain3":
        from parsing._drain import DrainEngine

        return DrainEngine(settings.similarity, settings.depth, settings.max_clusters, settings.frozen)
    return SkeletonEngine(settings.max_clusters, settings.frozen)


class Miner:
    """Assigns a template to each message of one stream."""

    def __init__(self, settings: ParserSettings) -> None:
        self._engine = _engine(settings)
        self._masks = compile_masks(settings.masks)
        self._max_fingerprints = settings.max_fingerprints
        self._frozen = settings.frozen
        self._clock = 0
        self.overflowing = False  # messages have fallen into the overflow template
        self.templates = Templates()  # changed templates get a new number
        self._cluster_template: Ints = np.zeros(_FIRST_SIZE, np.int64)
        self._clusters = 1
        self._count = 0
        self._slot_key = np.zeros(_FIRST_SIZE, np.uint64)
        self._slot_cluster: NDArray[np.int64] = np.zeros(_FIRST_SIZE, np.int64)
        self._last_used: NDArray[np.int64] = np.zeros(_FIRST_SIZE, np.int64)
        self._rebuild_index()

    def assign(self, messages: Spans) -> tuple[Ints, list[Change]]:
        """Return each message's template, as a number in `templates`, and the changes on the way, in order."""
        self._tidy()
        out = np.empty(len(messages), np.int64)
        row = _fingerprint.assign(
            messages.data, messages.begins, messages.ends, self._keys, self._slots, self._slot_cluster, self._last_used,
            self._clock, self._cluster_template, out,
        )  # fmt: skip
        changes = self._learn(messages, row, out) if row < len(messages) else []
        self._clock += len(messages)
        return out, changes

    def _learn(self, messages: Spans, row: int, out: Ints) -> list[Change]:
        """Give the rows from `row` on their templates; the shape of that row is unseen. Return the changes."""
        changes: list[Change] = []
        unseen = np.empty(len(messages) - row, np.int64)
        while row < len(messages):
            room, begin, known = self._make_room(), row, self._count
            row, self._count = _fingerprint.place(
                messages.data, messages.begins, messages.ends, row, self._keys, self._slots, self._slot_key,
                self._last_used, self._clock, known, room, out, unseen,
            )  # fmt: skip
            rows = unseen[: self._count - known]
            learnt = self._engine.learn([tokenise(text, self._masks) for text in messages.texts(rows)])
            for slot, at, (cluster, updates) in zip(count(known), rows.tolist(), learnt, strict=False):
                self._slot_cluster[slot] = cluster
                self.overflowing |= cluster == OVERFLOW
                if changed := self._changed(updates, at):
                    self._name(out, begin, at)  # by the templates as they were
                    begin = at
                    changes += changed
                for number, template in updates:
                    self._set_template(number, template)
            self._name(out, begin, row)
        self.templates.lay_out()
        return changes

    def _make_room(self) -> int:
        """Make room for one more shape at least; return how many there may be before there is none."""
        if self._count >= self._max_fingerprints:
            self._forget()
        if self._count == len(self._slot_key):
            self._slot_key, self._slot_cluster, self._last_used = (
                np.concatenate([one, np.zeros_like(one)])
                for one in (self._slot_key, self._slot_cluster, self._last_used)
            )
        if 2 * self._count >= len(self._keys):
            self._rebuild_index()
        return min(self._max_fingerprints, len(self._slot_key), len(self._keys) // 2)

    def _name(self, out: Ints, begin: int, end: int) -> None:
        """Turn the slots in a part of `out` into numbers of templates."""
        out[begin:end] = self._cluster_template[self._slot_cluster[out[begin:end]]]

    def _changed(self, updates: Sequence[tuple[int, str]], row: int) -> list[Change]:
        """Return the changes of templates known before among some (cluster, template)."""
        texts, numbers = self.templates.texts, self._cluster_template
        known = [(texts[numbers[cluster]], template) for cluster, template in updates if cluster < self._clusters]
        return [Change(row, old, new) for old, new in dict.fromkeys(known) if old != new] if known else []

    def _set_template(self, cluster: int, template: str) -> None:
        if cluster >= self._clusters:
            self._clusters = cluster + 1
            if cluster >= len(self._cluster_template):
                self._cluster_template = np.concatenate([self._cluster_template, np.zeros_like(self._cluster_template)])
        elif self.templates.texts[self._cluster_template[cluster]] == template:
            return
        self._cluster_template[cluster] = self.templates.add(template)

    def _tidy(self) -> None:
        """Drop texts of templates that have changed since; numbers given out before are void."""
        if len(self.templates.texts) > 2 * self._clusters + _MOST_STALE:
            self._lay_out([self.templates.texts[int(one)] for one in self._cluster_template[: self._clusters]])

    def _lay_out(self, texts: list[str]) -> None:
        """Begin the texts anew; `texts`: that of each cluster, the overflow cluster's first."""
        self.templates = Templates()
        numbers = [OVERFLOW_TEXT, *(self.templates.add(text) for text in texts[1:])]
        self.templates.lay_out()
        self._cluster_template = _padded(np.array(numbers, np.int64))
        self._clusters = len(numbers)

    def _forget(self) -> None:
        """Forget the half of the shapes that was not seen for longest."""
        self._keep(np.sort(np.argsort(self._last_used[: self._count], kind="stable")[self._count // 2 :]))

    def _keep(self, kept: Ints) -> None:
        self._count = len(kept)
        for one in (self._slot_key, self._slot_cluster, self._last_used):
            one[: self._count] = one[kept]
        self._rebuild_index()

    def _rebuild_index(self) -> None:
        size = _FIRST_SIZE
        while size < 4 * self._count:
            size *= 2
        self._keys, self._slots = np.zeros(size, np.uint64), np.zeros(size, np.int64)
        if self._count:
            _fingerprint.insert_all(self._keys, self._slots, self._slot_key[: self._count])

    def snapshot(self) -> dict[str, Any]:
        """Return the whole state as JSON."""
        return {
            "engine": self._engine.snapshot(),
            "frozen": self._frozen,
            "clock": self._clock,
            "fingerprints": _fingerprint.VERSION,
            "templates": [self.templates.texts[int(one)] for one in self._cluster_template[: self._clusters]],
            "keys": self._slot_key[: self._count].tolist(),
            "clusters": self._slot_cluster[: self._count].tolist(),
            "used": self._last_used[: self._count].tolist(),
        }

    def restore(self, saved: dict[str, Any]) -> None:
        """Take over what `snapshot` returned."""
        self._engine.restore(saved["engine"])
        self._clock = saved["clock"]
        self._lay_out(saved["templates"])
        known = (
            saved.get("fingerprints") == _fingerprint.VERSION
        )  # else they are of another kind: shapes are learnt again
        keys, clusters, used = (saved[name] if known else [] for name in ("keys", "clusters", "used"))
        self._count = len(keys)
        self._slot_key = _padded(np.array(keys, np.uint64))
        self._slot_cluster = _padded(np.array(clusters, np.int64))
        self._last_used = _padded(np.array(used, np.int64))
        if saved.get("frozen") and not self._frozen:  # what was turned away may be learnt now
            self._keep(np.flatnonzero(self._slot_cluster[: self._count] != OVERFLOW))
        else:
            self._rebuild_index()
        self.overflowing = bool((self._slot_cluster[: self._count] == OVERFLOW).any())


def _padded(values: NDArray[Any]) -> NDArray[Any]:
    out = np.zeros(max(_FIRST_SIZE, 2 * len(values)), values.dtype)
    out[: len(values)] = values
    return out
