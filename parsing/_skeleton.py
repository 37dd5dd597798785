"""The default engine: group messages of one skeleton, and let a word become a parameter when its values grow many.

A message's skeleton is its punctuation, blanks and function words, with a place for each other word. Messages of one
skeleton begin as clusters of their own, except for what stands at places that hold values (`_places`), lists and
quantities: there, all messages of a cluster differ as they like, and the template shows what they agree on. Clusters
that differ in one word, or in two, are merged once that place has shown more than a few values; names of things and
names from source code count for more than words. Merging is the only change there is, so templates only ever
generalise, and what is looked up is found by hash: the cost of a message does not grow with the number of clusters.

The idea that few-valued words are part of the event and many-valued ones parameters is that of Brain (Yu et al.,
"Brain: Log Parsing with Bidirectional Parallel Tree", IEEE TSC 2023) and of frequency-based parsers before it.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import combinations, islice, repeat
from typing import Any

import numpy as np

from parsing._jit import Kernels
from parsing._masks import is_place, normalise
from parsing._places import Places, skeleton
from telemetry import WILDCARD

OVERFLOW = 0
"""Cluster of what comes after the limit on clusters is reached; its template is one wildcard."""

_FEW = 5
_MOST_WORDS_SINGLY = 40
_MOST_BESIDE = 64  # clusters that differ in one place only and have found no reason to merge: they will not find one
_MOST_WORDS_IN_PAIRS = 10
# Names of units, hosts, devices, files, accounts: nginx.service, eth0, a@b, DOMAIN\\user
_THING = re.compile(r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)+$|[A-Za-z]+[0-9]$|.*[@\\]")
# Names from source code: snake_case, camelCase, Outer$Inner, pkg.Class
_IN_CODE = re.compile(r".*[_$~]|.*[a-z][A-Z]|.*\w\.\w")

_opening_kernels = Kernels("parsing._opening_kernels")

Words = tuple[str, ...]
Learnt = tuple[int, list[tuple[int, str]]]
"""A message's cluster, and every (cluster, template) that is new or has changed with it."""
_Keys = list[int]
"""Of each opening of a message's words (`_places_of`), a key of the words with these places left open: clusters that
differ only there find each other by it. It is another in each process; nothing depends on it but who finds whom."""


@dataclass(slots=True, eq=False)
class _Cluster:
    shape: Words  # tokens, "" where a word stands
    words: Words
    shown: Words  # the same, but values, lists and quantities as they are while all that was seen agrees
    members: list[int]  # its number, and those of clusters merged into it
    alive: bool = True


@dataclass
class _Shape:
    """Clusters of one skeleton."""

    places: Places
    exact: dict[Words, _Cluster] = field(default_factory=dict)
    near: dict[int, _Cluster | list[_Cluster]] = field(
        default_factory=dict
    )  # by words with one or two places left open
    wild: set[int] = field(default_factory=set)  # places of parameters, as bits, of any cluster so far
    lone: _Cluster | None = None  # the only cluster so far, not yet in `near`
    closed: dict[int, tuple[tuple[int, ...], Words]] = field(default_factory=dict)  # openings no longer looked at

    def close(self, key: int, places: tuple[int, ...], opened: Words) -> None:
        """Look at an opening no longer: too many clusters differ in it alone for the cost to stay bounded."""
        self.near.pop(key, None)
        self.closed[key] = places, opened


class SkeletonEngine:
    """Groups tokens of masked messages into clusters numbered from 1 in order of appearance."""

    def __init__(self, max_clusters: int, frozen: bool = False) -> None:
        self._max_clusters = 0 if frozen else max_clusters
        self._shapes: dict[Words, _Shape] = {}
        self._alive: dict[int, _Cluster] = {}  # by the number of the last member, in order of making
        self._count = 0

    def learn(self, messages: Sequence[Sequence[str]]) -> Iterator[Learnt]:
        """Yield each message's cluster, and every (cluster, template) that is new or has changed."""
        places: dict[Words, Places] = {}
        alone = [self._alone(tokens, places) for tokens in messages]
        keys = _keys([one.words for one in alone])
        for tokens, one, own in zip(messages, alone, keys, strict=True):
            yield self._learn(tokens, one, own, places[one.shape])

    def _alone(self, tokens: Sequence[str], places: dict[Words, Places]) -> _Cluster:
        """Return the cluster that a message is if no other is like it; put the places of its skeleton into `places`."""
        shape = skeleton(tokens)
        if shape not in places:
            same = self._shapes.get(shape)
            places[shape] = same.places if same else Places.of(shape)
        shown = tuple([token for token, fixed in zip(tokens, shape, strict=True) if not fixed])
        return _Cluster(shape, _words(shown, places[shape]), shown, [])

    def _learn(self, tokens: Sequence[str], alone: _Cluster, keys: _Keys, places: Places) -> Learnt:
        same = self._shapes.get(alone.shape)
        found = (same.exact.get(alone.words) or _covering(same, alone.words)) if same else None
        if found is not None:
            return found.members[0], _show(found, alone.shown)
        if len(self._alive) >= self._max_clusters:
            return OVERFLOW, []
        self._count += 1
        alone.members.append(self._count)
        if same is None:
            self._begin(alone, places)
        elif (merged := self._settle(same, alone, keys)) is not alone:
            return self._count, _texts(merged)
        return self._count, [(self._count, normalise("".join(tokens)))]

    def _begin(self, cluster: _Cluster, places: Places) -> None:
        """Add the first cluster of a shape; its openings matter once there is a second."""
        same = self._shapes[cluster.shape] = _Shape(places, lone=cluster)
        self._register(same, cluster, [])

    def _settle(self, same: _Shape, cluster: _Cluster, keys: _Keys) -> _Cluster:
        """Add the cluster and merge while there is reason to; return what it ended up in."""
        while True:
            group = _mergeable(same, cluster, self._add(same, cluster, keys))
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
            [keys] = _keys([words])

    def _add(self, same: _Shape, cluster: _Cluster, keys: _Keys) -> list[tuple[int, int]]:
        """Add a cluster; return those of its openings that others have too: which opening, and its key."""
        if same.lone is not None:
            lone, same.lone = same.lone, None
            self._register(same, lone, _keys([lone.words])[0])
        return self._register(same, cluster, keys)

    def _register(self, same: _Shape, cluster: _Cluster, keys: _Keys) -> list[tuple[int, int]]:
        self._alive[cluster.members[-1]] = cluster
        same.exact[cluster.words] = cluster
        same.wild.add(_wild(cluster.words))
        near, closed = same.near, same.closed
        shared: list[tuple[int, int]] = []
        if not closed and list(map(near.setdefault, keys, repeat(cluster))).count(cluster) == len(keys):
            return shared
        for number, key in enumerate(keys):
            if key in closed:
                continue
            there = near.setdefault(key, cluster)
            if there is cluster:
                continue
            if isinstance(there, list):
                there.append(cluster)
            else:
                near[key] = [there, cluster]
            shared.append((number, key))
        return shared

    def snapshot(self) -> dict[str, Any]:
        """Return the living clusters as JSON, in order."""
        alive = [[one.shape, one.words, one.shown, one.members] for one in self._alive.values()]
        closed = [[shape, *one] for shape, same in self._shapes.items() for one in same.closed.values()]
        return {"count": self._count, "clusters": alive, "closed": closed}

    def restore(self, saved: dict[str, Any]) -> None:
        """Take over what `snapshot` returned."""
        self._count = saved["count"]
        clusters = [
            _Cluster(tuple(shape), tuple(words), tuple(shown), members)
            for shape, words, shown, members in saved["clusters"]
        ]
        for cluster, keys in zip(clusters, _keys([one.words for one in clusters]), strict=True):
            same = self._shapes.get(cluster.shape)
            if same is None:
                self._begin(cluster, Places.of(cluster.shape))
            else:
                self._add(same, cluster, keys)
        for shape, places, opened in saved["closed"]:
            words, opening = tuple(opened), tuple(places)
            key = _keys([words])[0][_places_of(len(words)).index(opening)]
            self._shapes[tuple(shape)].close(key, opening, words)


@lru_cache(maxsize=_MOST_WORDS_SINGLY + 1)
def _places_of(count: int) -> list[tuple[int, ...]]:
    """Return the openings of so many words: each place, and where words are few each pair of places."""
    if count > _MOST_WORDS_SINGLY:
        return []
    sizes = (1, 2) if count <= _MOST_WORDS_IN_PAIRS else (1,)
    return [places for size in sizes for places in combinations(range(count), size)]


def _keys(messages: Sequence[Words]) -> list[_Keys]:
    """Return the keys of the openings of each message's words.

    Places that are parameters already take part: their clusters stand beside those with a constant there.
    """
    counts = [len(words) if len(words) <= _MOST_WORDS_SINGLY else 0 for words in messages]
    hashes = [hash(word) for words, count in zip(messages, counts, strict=True) if count for word in words]
    sizes = [len(_places_of(count)) for count in counts]
    keys = np.empty(sum(sizes), np.uint64)
    _opening_kernels.keys_of_openings(
        np.array(hashes, np.int64).view(np.uint64), np.array(counts, np.int64), _MOST_WORDS_IN_PAIRS, keys
    )
    flat = iter(keys.tolist())
    return [list(islice(flat, size)) for size in sizes]


def _opened(words: Words, places: tuple[int, ...]) -> Words:
    return tuple([WILDCARD if i in places else word for i, word in enumerate(words)])


def _wild(words: Words) -> int:
    """Return the places of parameters as bits."""
    return sum([1 << i for i, word in enumerate(words) if word == WILDCARD]) if WILDCARD in words else 0


def _words(shown: Words, places: Places) -> Words:
    """Return the words that tell clusters of a skeleton apart: values, lists and quantities do not."""
    if not places.values and (WILDCARD not in "".join(shown) or not any(map(is_place, shown))):
        return shown
    return tuple([WILDCARD if i in places.values or is_place(word) else word for i, word in enumerate(shown)])


def _constants(same: _Shape, opened: Words) -> tuple[int, int]:
    """Return how many words of a template are constant, and how many words it has, values left out."""
    fixed = same.places.fixed
    return sum(word != WILDCARD for word in opened) + fixed, len(opened) - len(same.places.values) + fixed


def _may_cover(same: _Shape, opened: Words) -> bool:
    """Return whether a template says enough to stand for any words where it is open."""
    constants, words = _constants(same, opened)
    return constants >= 2 and 2 * constants >= words


def _covering(same: _Shape, words: Words) -> _Cluster | None:
    """Return a cluster that has parameters where `words` has constants and is equal elsewhere."""
    own = _wild(words)
    if same.wild <= {own}:
        return None
    for places in _places_of(len(words)):
        bits = own | sum([1 << place for place in places])
        if bits != own and bits in same.wild:
            opened = _opened(words, places)
            if (found := same.exact.get(opened)) is not None and _may_cover(same, opened):
                return found
    return None


def _mergeable(
    same: _Shape, cluster: _Cluster, shared: Sequence[tuple[int, int]]
) -> tuple[Words, list[_Cluster]] | None:
    """Return the words that `cluster` and others should become, and those others with it; None: no reason to merge."""
    openings = _places_of(len(cluster.words))
    for number, key in shared:
        places, near = openings[number], same.near[key]
        opened = _opened(cluster.words, places)
        assert isinstance(near, list)
        beside = same.near[key] = [one for one in near if one.alive]
        if len(beside) >= 2 and _may_merge(same, places, opened, beside):
            if cluster.words == opened:
                if _may_cover(same, opened):
                    return opened, beside
            elif all(_many(same, place, beside) for place in places):
                return opened, beside
        if len(beside) >= _MOST_BESIDE:
            same.close(key, places, opened)
    return None


def _may_merge(same: _Shape, places: tuple[int, ...], opened: Words, clusters: list[_Cluster]) -> bool:
    constants, words = _constants(same, opened)
    if places[0] == 0 and constants < 4:
        return constants >= 1 and all(one.words[0] == WILDCARD or _THING.match(one.words[0]) for one in clusters)
    return constants >= 1 and 3 * constants >= words


def _many(same: _Shape, place: int, clusters: list[_Cluster]) -> bool:
    """Return whether the values seen at a place are too many, or too unlike words, to be part of the event."""
    label, key = place in same.places.labels, place in same.places.keys
    return sum(_weight(value, label, key) for value in {one.words[place] for one in clusters}) > _FEW


@lru_cache(maxsize=1 << 15)
def _weight(word: str, label: bool, key: bool) -> int:
    if key:
        return 1
    return 3 if _THING.match(word) or (_IN_CODE.match(word) and not label) else 1


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
    text = normalise("".join([token or next(words) for token in cluster.shape]))
    return [(number, text) for number in cluster.members]
