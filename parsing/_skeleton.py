"""The default engine: group messages of one skeleton, and let a word become a parameter when its values grow many.

A message's skeleton is its punctuation and blanks with a place for each word. Messages of one skeleton begin as
clusters of their own (words with digits are parameters from the start). Clusters that differ in one word, or in two,
are merged once that place has shown more than a few values, one value being enough to expect more after `key=`. Merging
is the only change there is, so templates only ever generalise, and what is looked up is found by hash: the cost of a
message does not grow with the number of clusters.

The idea that few-valued words are part of the event and many-valued ones parameters is that of Brain (Yu et al.,
"Brain: Log Parsing with Bidirectional Parallel Tree", IEEE TSC 2023) and of frequency-based parsers before it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import compress
from typing import Any

from parsing._masks import is_place, is_word, normalise
from telemetry import WILDCARD

OVERFLOW = 0
"""Cluster of what comes after the limit on clusters is reached; its template is one wildcard."""

_FEW = 5
_NAMING = frozenset({"user", "User", "username", "host", "hostname", "uid", "gid", "pid"})
_NAMED = {(name,) for name in _NAMING}
_BLANK = (" ",)
_QUOTES = {('"',), ("'",), ("`",)}
_MOST_WORDS_SINGLY = 40
_MOST_WORDS_IN_PAIRS = 10

Words = tuple[str, ...]
_Opening = tuple[tuple[int, ...], int, Words]
"""One or two places, a key, and words with these places left open: clusters that differ only there find each other by
the key. It is another in each process; nothing depends on it but who finds whom."""


@dataclass
class _Cluster:
    shape: Words  # tokens, "" where a word stands
    words: Words
    shown: Words  # the same, but lists and quantities as they are while all that was seen agrees
    members: list[int]  # its number, and those of clusters merged into it
    alive: bool = True


@dataclass
class _Shape:
    """Clusters of one skeleton."""

    exact: dict[Words, _Cluster] = field(default_factory=dict)
    near: dict[int, list[_Cluster]] = field(default_factory=dict)  # by words with one or two places left open
    values: frozenset[int] = frozenset()  # places that are values by what stands around them
    lone: _Cluster | None = None  # the only cluster so far, not yet in `near`


class SkeletonEngine:
    """Groups tokens of masked messages into clusters numbered from 1 in order of appearance."""

    def __init__(self, max_clusters: int) -> None:
        self._max_clusters = max_clusters
        self._shapes: dict[Words, _Shape] = {}
        self._alive: dict[int, _Cluster] = {}  # by the number of the last member, in order of making
        self._count = 0

    def learn(self, tokens: Sequence[str]) -> tuple[int, list[tuple[int, str]]]:
        """Return the cluster of a message, and every (cluster, template) that is new or has changed."""
        vary = [_may_vary(token) for token in tokens]
        shape = tuple(["" if may else token for token, may in zip(tokens, vary, strict=True)])
        shown = tuple(compress(tokens, vary))
        words = tuple([WILDCARD if is_place(word) else word for word in shown])
        same = self._shapes.get(shape)
        found = same.exact.get(words) if same else None
        if found is not None:
            return found.members[0], _show(found, shown)
        openings = _openings(words) if same else []
        found = _covering(same, words, openings) if same else None
        if found is not None:
            return found.members[0], _show(found, shown)
        if len(self._alive) >= self._max_clusters:
            return OVERFLOW, []
        self._count += 1
        cluster = _Cluster(shape, words, shown, [self._count])
        if same is None:
            self._begin(cluster)
        else:
            cluster = self._settle(same, cluster, openings)
        return self._count, _texts(cluster)

    def _begin(self, cluster: _Cluster) -> None:
        """Add the first cluster of a shape; its openings matter once there is a second."""
        same = self._shapes[cluster.shape] = _Shape(values=_value_places(cluster.shape), lone=cluster)
        self._register(same, cluster, [])

    def _settle(self, same: _Shape, cluster: _Cluster, openings: list[_Opening]) -> _Cluster:
        """Add the cluster and merge while there is reason to; return what it ended up in."""
        while True:
            self._add(same, cluster, openings)
            group = _mergeable(same, cluster, openings)
            if group is None:
                return cluster
            words, parts = group
            old = same.exact.get(words)
            if old is not None and old not in parts:
                parts = [old, *parts]
            for part in parts:
                part.alive = False
                del same.exact[part.words], self._alive[part.members[-1]]
            members = [number for part in parts for number in part.members]
            cluster = _Cluster(cluster.shape, words, _agreed([part.shown for part in parts]), members)
            openings = _openings(words)

    def _add(self, same: _Shape, cluster: _Cluster, openings: list[_Opening]) -> None:
        if same.lone is not None:
            lone, same.lone = same.lone, None
            self._register(same, lone, _openings(lone.words))
        self._register(same, cluster, openings)

    def _register(self, same: _Shape, cluster: _Cluster, openings: list[_Opening]) -> None:
        self._alive[cluster.members[-1]] = cluster
        same.exact[cluster.words] = cluster
        for _, key, _ in openings:
            same.near.setdefault(key, []).append(cluster)

    def snapshot(self) -> dict[str, Any]:
        """Return the living clusters as JSON, in order."""
        alive = [[one.shape, one.words, one.shown, one.members] for one in self._alive.values()]
        return {"count": self._count, "clusters": alive}

    def restore(self, saved: dict[str, Any]) -> None:
        """Take over what `snapshot` returned."""
        self._count = saved["count"]
        for shape, words, shown, members in saved["clusters"]:
            cluster = _Cluster(tuple(shape), tuple(words), tuple(shown), members)
            same = self._shapes.get(cluster.shape)
            if same is None:
                self._begin(cluster)
            else:
                self._add(same, cluster, _openings(cluster.words))


@lru_cache(maxsize=1 << 15)
def _may_vary(token: str) -> bool:
    return is_word(token) and token not in _NAMING


def _value_places(shape: Words) -> frozenset[int]:
    """Return which places of a shape (counted among its words) are values by what stands around them.

    Such are the words after `=`, after `word:` and after the name of a kind of thing, and a single word in quotes.
    """
    places, place = set(), 0
    for i, token in enumerate(shape):
        if token == "":
            before, earlier = shape[i - 1 : i], shape[i - 2 : i - 1]
            named = (
                (before == ("=",))
                or (before == (":",) and earlier == ("",))
                or (before == _BLANK and earlier in _NAMED)
            )
            if named or (before in _QUOTES and before == shape[i + 1 : i + 2]):
                places.add(place)
            place += 1
    return frozenset(places)


def _openings(words: Words) -> list[_Opening]:
    """Return the openings of each place and pair of places.

    Places that are parameters already take part: their clusters stand beside those with a constant there.
    """
    count = len(words)
    if count > _MOST_WORDS_SINGLY:
        return []
    singly = [(*words[:place], WILDCARD, *words[place + 1 :]) for place in range(count)]
    found: list[_Opening] = [((place,), hash((place, opened)), opened) for place, opened in enumerate(singly)]
    if count <= _MOST_WORDS_IN_PAIRS:
        for one in range(count):
            for other in range(one + 1, count):
                opened = (*singly[one][:other], WILDCARD, *words[other + 1 :])
                found.append(((one, other), hash((one, other, opened)), opened))
    return found


def _constants(words: Words) -> int:
    return sum(word != WILDCARD for word in words)


def _may_cover(same: _Shape, places: tuple[int, ...], opened: Words) -> bool:
    """Return whether a template with these places open says enough to stand for any words there."""
    constants = _constants(opened)
    if all(place in same.values for place in places):
        return constants >= 1
    return constants >= 2 and 2 * constants >= len(opened)


def _covering(same: _Shape, words: Words, openings: list[_Opening]) -> _Cluster | None:
    """Return a cluster that has parameters where `words` has constants and is equal elsewhere."""
    for places, _, opened in openings:
        if opened != words and (found := same.exact.get(opened)) is not None and _may_cover(same, places, opened):
            return found
    return None


def _mergeable(same: _Shape, cluster: _Cluster, openings: list[_Opening]) -> tuple[Words, list[_Cluster]] | None:
    """Return the words that `cluster` and others should become, and those others with it; None: no reason to merge."""
    for places, key, opened in openings:
        if len(same.near[key]) < 2:
            continue
        beside = same.near[key] = [one for one in same.near[key] if one.alive]
        if len(beside) < 2 or not _may_merge(same, places, opened):
            continue
        if cluster.words == opened:
            if _may_cover(same, places, opened):
                return opened, beside
        elif all(_many(same, place, beside) for place in places):
            return opened, beside
    return None


def _may_merge(same: _Shape, places: tuple[int, ...], opened: Words) -> bool:
    constants = _constants(opened)
    if places[0] == 0 and 0 not in same.values and constants < 4:
        return False
    return constants >= 1 and 3 * constants >= len(opened)


def _many(same: _Shape, place: int, clusters: list[_Cluster]) -> bool:
    values = {one.words[place] for one in clusters}
    return len(values) > (1 if place in same.values else _FEW)


def _agreed(shown: Sequence[Words]) -> Words:
    """Return what is shown of several clusters: `<*>` where they differ."""
    return tuple([words[0] if len(set(words)) == 1 else WILDCARD for words in zip(*shown, strict=True)])


def _show(cluster: _Cluster, shown: Words) -> list[tuple[int, str]]:
    """Take over a message of this cluster; return its members' templates if that changes what is shown."""
    agreed = cluster.shown if cluster.shown == shown else _agreed([cluster.shown, shown])
    if agreed == cluster.shown:
        return []
    cluster.shown = agreed
    return _texts(cluster)


def _texts(cluster: _Cluster) -> list[tuple[int, str]]:
    words = iter(cluster.shown)
    text = normalise("".join(token or next(words) for token in cluster.shape))
    return [(number, text) for number in cluster.members]
