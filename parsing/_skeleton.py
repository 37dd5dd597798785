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
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from operator import itemgetter
from typing import Any

from parsing._masks import is_place, normalise
from parsing._openings import Keys, Openings, Words, bits_of, keys_of, places_of
from parsing._places import Places, skeleton
from telemetry import WILDCARD

OVERFLOW = 0
"""Cluster of what comes after the limit on clusters is reached; its template is one wildcard."""

_FEW = 5
_MOST_BESIDE = 64  # clusters that differ in one place only and have found no reason to merge: they will not find one
# Names of units, hosts, devices, files, accounts: nginx.service, eth0, a@b, DOMAIN\\user
_THING = re.compile(r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)+$|[A-Za-z]+[0-9]$|.*[@\\]")
# Names from source code: snake_case, camelCase, Outer$Inner, pkg.Class
_IN_CODE = re.compile(r".*[_$~]|.*[a-z][A-Z]|.*\w\.\w")

Learnt = tuple[int, list[tuple[int, str]]]
"""A message's cluster, and every (cluster, template) that is new or has changed with it."""


@dataclass(slots=True, eq=False)
class _Cluster:
    shape: "_Shape"
    words: Words
    shown: Words  # the same, but values, lists and quantities as they are while all that was seen agrees
    members: list[int]  # its number, and those of clusters merged into it
    owner: int = 0  # its number as an owner of openings, from 1 in order of making
    alive: bool = True


@dataclass(slots=True, eq=False)
class _Shape:
    """Clusters of one skeleton."""

    tokens: Words  # "" where a word stands
    places: Places
    words_of: Callable[[Sequence[str]], Words]  # the words among a message's tokens
    seed: int
    exact: dict[Words, _Cluster] = field(default_factory=dict)
    beside: dict[int, list[_Cluster]] = field(default_factory=dict)  # by the key of an opening that they share
    wild: set[int] = field(default_factory=set)  # places of parameters, as bits, of any cluster so far
    closed: dict[int, tuple[tuple[int, ...], Words]] = field(default_factory=dict)  # openings no longer looked at

    @classmethod
    def of(cls, tokens: Words) -> "_Shape":
        """Return a skeleton of which there is no cluster."""
        return cls(tokens, Places.of(tokens), _words_at([i for i, one in enumerate(tokens) if not one]), hash(tokens))

    def close(self, key: int, places: tuple[int, ...], opened: Words) -> None:
        """Look at an opening no longer: too many clusters differ in it alone for the cost to stay bounded."""
        self.beside.pop(key, None)
        self.closed[key] = places, opened


class SkeletonEngine:
    """Groups tokens of masked messages into clusters numbered from 1 in order of appearance."""

    def __init__(self, max_clusters: int, frozen: bool = False) -> None:
        self._max_clusters = 0 if frozen else max_clusters
        self._shapes: dict[Words, _Shape] = {}
        self._alive: dict[int, _Cluster] = {}  # by number as an owner of openings, in order of making
        self._count = self._made = 0
        self._openings = Openings()

    def learn(self, messages: Sequence[Sequence[str]]) -> Iterator[Learnt]:
        """Yield each message's cluster, and every (cluster, template) that is new or has changed."""
        shapes: dict[Words, _Shape] = {}
        alone = [self._alone(tokens, shapes) for tokens in messages]
        keys = keys_of([one.words for one in alone], [one.shape.seed for one in alone])
        return map(self._learn, messages, alone, keys)

    def _alone(self, tokens: Sequence[str], shapes: dict[Words, _Shape]) -> _Cluster:
        """Return the cluster that a message is if no other is like it; put its skeleton into `shapes`."""
        found = skeleton(tokens)
        shape = shapes.get(found)
        if shape is None:
            shape = shapes[found] = self._shapes.get(found) or _Shape.of(found)
        shown = shape.words_of(tokens)
        return _Cluster(shape, _words(shown, shape.places), shown, [])

    def _learn(self, tokens: Sequence[str], alone: _Cluster, keys: Keys) -> Learnt:
        shape = alone.shape
        found = shape.exact.get(alone.words) or _covering(shape, alone.words)
        if found is not None:
            return found.members[0], _show(found, alone.shown)
        if len(self._alive) >= self._max_clusters:
            return OVERFLOW, []
        self._count += 1
        alone.members.append(self._count)
        shared = self._add(alone, keys)
        if shared and (merged := self._settle(alone, shared)) is not alone:
            return self._count, _texts(merged)
        return self._count, [(self._count, normalise("".join(tokens)))]

    def _settle(self, cluster: _Cluster, shared: list[tuple[int, int]]) -> _Cluster:
        """Merge a new cluster with others while there is reason to; return what it ended up in."""
        shape = cluster.shape
        while (group := _mergeable(shape, cluster, shared)) is not None:
            words, parts = group
            old = shape.exact.get(words)
            if old is not None and old not in parts:
                parts = [old, *parts]
            for part in parts:
                part.alive = False
                del shape.exact[part.words], self._alive[part.owner]
            members = [number for part in parts for number in part.members]
            cluster = _Cluster(shape, words, _agreed([part.shown for part in parts]), members)
            [keys] = keys_of([words], [shape.seed])
            shared = self._add(cluster, keys)
        return cluster

    def _add(self, cluster: _Cluster, keys: Keys) -> list[tuple[int, int]]:
        """Add a cluster; return those of its openings that others have had too: which opening, and its key."""
        shape = cluster.shape
        if not shape.exact:
            self._shapes[shape.tokens] = shape
        self._made += 1
        cluster.owner = self._made
        self._alive[cluster.owner] = shape.exact[cluster.words] = cluster
        shape.wild.add(_wild(cluster.words))
        shared = []
        for which, owner in self._openings.enter(keys, cluster.owner):
            key = int(keys[which])
            if key not in shape.closed:
                beside = shape.beside.setdefault(key, [])
                if not beside and (first := self._alive.get(owner)):
                    beside.append(first)
                beside.append(cluster)
                shared.append((which, key))
        return shared

    def snapshot(self) -> dict[str, Any]:
        """Return the living clusters as JSON, in order."""
        alive = [[one.shape.tokens, one.words, one.shown, one.members] for one in self._alive.values()]
        closed = [[shape.tokens, *one] for shape in self._shapes.values() for one in shape.closed.values()]
        return {"count": self._count, "clusters": alive, "closed": closed}

    def restore(self, saved: dict[str, Any]) -> None:
        """Take over what `snapshot` returned."""
        self._count = saved["count"]
        skeletons = dict.fromkeys(tuple(tokens) for tokens, *_ in saved["clusters"])
        shapes = {tokens: _Shape.of(tokens) for tokens in skeletons}
        clusters = [
            _Cluster(shapes[tuple(tokens)], tuple(words), tuple(shown), members)
            for tokens, words, shown, members in saved["clusters"]
        ]
        keys = keys_of([one.words for one in clusters], [one.shape.seed for one in clusters])
        for cluster, its_keys in zip(clusters, keys, strict=True):
            self._add(cluster, its_keys)
        for tokens, places, opened in saved["closed"]:
            words, shape = tuple(opened), shapes[tuple(tokens)]
            [own] = keys_of([words], [shape.seed])
            shape.close(int(own[places_of(len(words)).index(tuple(places))]), tuple(places), words)


def _words_at(places: Sequence[int]) -> Callable[[Sequence[str]], Words]:
    """Return what takes the tokens at some places."""
    if len(places) > 1:
        return itemgetter(*places)
    return lambda tokens: tuple([tokens[place] for place in places])


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


def _constants(shape: _Shape, opened: Words) -> tuple[int, int]:
    """Return how many words of a template are constant, and how many words it has, values left out."""
    fixed = shape.places.fixed
    return sum(word != WILDCARD for word in opened) + fixed, len(opened) - len(shape.places.values) + fixed


def _may_cover(shape: _Shape, opened: Words) -> bool:
    """Return whether a template says enough to stand for any words where it is open."""
    constants, words = _constants(shape, opened)
    return constants >= 2 and 2 * constants >= words


def _covering(shape: _Shape, words: Words) -> _Cluster | None:
    """Return a cluster that has parameters where `words` has constants and is equal elsewhere."""
    own = _wild(words)
    if shape.wild <= {own}:
        return None
    for places, bits in bits_of(len(words)):
        if bits | own != own and bits | own in shape.wild:
            opened = _opened(words, places)
            if (found := shape.exact.get(opened)) is not None and _may_cover(shape, opened):
                return found
    return None


def _mergeable(
    shape: _Shape, cluster: _Cluster, shared: Sequence[tuple[int, int]]
) -> tuple[Words, list[_Cluster]] | None:
    """Return the words that `cluster` and others should become, and those others with it; None: no reason to merge."""
    openings = places_of(len(cluster.words))
    for number, key in shared:
        places = openings[number]
        opened = _opened(cluster.words, places)
        beside = shape.beside[key] = [one for one in shape.beside[key] if one.alive]
        if len(beside) >= 2 and _may_merge(shape, places, opened, beside):
            if cluster.words == opened:
                if _may_cover(shape, opened):
                    return opened, beside
            elif all(_many(shape, place, beside) for place in places):
                return opened, beside
        if len(beside) >= _MOST_BESIDE:
            shape.close(key, places, opened)
    return None


def _may_merge(shape: _Shape, places: tuple[int, ...], opened: Words, clusters: list[_Cluster]) -> bool:
    constants, words = _constants(shape, opened)
    if places[0] == 0 and constants < 4:
        return constants >= 1 and all(one.words[0] == WILDCARD or _THING.match(one.words[0]) for one in clusters)
    return constants >= 1 and 3 * constants >= words


def _many(shape: _Shape, place: int, clusters: list[_Cluster]) -> bool:
    """Return whether the values seen at a place are too many, or too unlike words, to be part of the event."""
    label, key = place in shape.places.labels, place in shape.places.keys
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
    text = normalise("".join([token or next(words) for token in cluster.shape.tokens]))
    return [(number, text) for number in cluster.members]
