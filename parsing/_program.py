"""Header expressions as small programs that compiled code runs over bytes (`_vm`).

The expressions are RE2's, of which layouts use a part: literals, classes, groups, alternatives, greedy and lazy
repetition. A program finds what RE2 finds: the first match in the order in which a backtracking matcher tries. What
can follow a repetition is known when it is compiled, so that most never have to be taken back.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
from numpy.typing import NDArray

from parsing._expression import (
    ALL,
    END,
    MANY,
    WORD,
    Alt,
    Byte,
    Cat,
    Edge,
    Group,
    Node,
    Repeat,
    Set,
    first_bytes,
    nullable,
    read,
)

SET, SPAN, GREEDY, LAZY, SPLIT, SAVE, SWITCH, AT_END, BORDER, REST, DONE, FAIL, JUMP = range(13)
COLUMNS = 6


@dataclass(frozen=True)
class Program:
    """`code`: instructions (operation, four arguments, next instruction); `sets`: byte in set; `jumps`: next by byte.

    No instruction leads to a JUMP. `groups` are the names of the groups, group i being saved in 2i and 2i + 1.
    """

    code: NDArray[np.int32]  # shape [n, COLUMNS]
    sets: NDArray[np.uint8]  # shape [sets, 257]
    jumps: NDArray[np.int32]  # shape [switches, 257]
    groups: tuple[str, ...]

    def moved(self, entry: int, first_set: int, first_jump: int) -> NDArray[np.int32]:
        """Return the code as it is behind other programs of so many instructions, sets and jump tables."""
        code = self.code.copy()
        operation = code[:, 0]
        code[:, 5] += entry
        code[np.isin(operation, (SET, SPAN, GREEDY, LAZY, BORDER)), 1] += first_set
        code[np.isin(operation, (GREEDY, LAZY)), 4] += first_set
        code[operation == SPLIT, 1:3] += entry
        code[operation == SWITCH, 1] += first_jump
        return code

    @cached_property
    def alike(self) -> NDArray[np.uint8]:
        """Return the first and last of the bytes around each byte that a set, or a switch, does not tell from it.

        Shape [2, sets + switches, 256], switches behind the sets.
        """
        told = np.concatenate([self.sets, self.jumps])[:, :256]
        begins = np.ones((len(told), 257), np.bool_)  # the last: of what is behind all bytes
        begins[:, 1:256] = told[:, 1:] != told[:, :-1]
        places = np.arange(257)
        first = np.maximum.accumulate(np.where(begins, places, 0), axis=1)[:, :256]
        last = np.minimum.accumulate(np.where(begins, places, 256)[:, ::-1], axis=1)[:, ::-1][:, 1:] - 1
        return np.array([first, last]).astype(np.uint8)


@cache
def program(regex: str) -> Program:
    """Return the program that matches a whole text. Raises ValueError for syntax that layouts do not use."""
    node, groups = read(regex)
    maker = _Maker()
    maker.emit(node, frozenset((END,)))
    maker.add(DONE)
    return maker.program(groups)


class _Maker:
    """Emits instructions; `follow` is always what can come after the node at hand."""

    def __init__(self) -> None:
        self._code: list[list[int]] = []
        self._sets: dict[Set, int] = {}
        self._jumps: list[list[int]] = []

    def program(self, groups: tuple[str, ...]) -> Program:
        sets = np.zeros((max(1, len(self._sets)), 257), np.uint8)
        for among, number in self._sets.items():
            sets[number, list(among)] = 1
        ends = [self._end(place) for place in range(len(self._code) + 1)]
        jumps = np.array([[ends[place] for place in table] for table in self._jumps], np.int32).reshape(-1, 257)
        code = np.array([[*one, ends[place + 1]] for place, one in enumerate(self._code)], np.int32)
        split = code[:, 0] == SPLIT
        code[split, 1:3] = np.array(ends, np.int32)[code[split, 1:3]]
        return Program(code, sets, jumps, groups)

    def _end(self, place: int) -> int:
        """Return where one is who follows the jumps from an instruction."""
        while place < len(self._code) and self._code[place][0] == JUMP:
            place = self._code[place][1]
        return place

    def add(self, operation: int, a: int = 0, b: int = 0, c: int = 0, d: int = 0) -> int:
        self._code.append([operation, a, b, c, d])
        return len(self._code) - 1

    def _set(self, among: Set) -> int:
        return self._sets.setdefault(among, len(self._sets))

    def emit(self, node: Node, follow: Set) -> None:
        match node:
            case Byte():
                self.add(SET, self._set(node.among))
            case Edge():
                self.add(AT_END) if node.end else self.add(BORDER, self._set(WORD))
            case Cat():
                follows = [follow]
                for part in reversed(node.parts[1:]):
                    follows.append(first_bytes(part, follows[-1]))
                for part, after in zip(node.parts, reversed(follows), strict=False):
                    self.emit(part, after)
            case Group():
                self.add(SAVE, 2 * node.number)
                self.emit(node.part, follow)
                self.add(SAVE, 2 * node.number + 1)
            case Alt():
                self._choose([(first_bytes(one, follow), self._emitter(one, follow)) for one in node.parts])
            case Repeat():
                self._repeat(node, follow)

    def _emitter(self, node: Node, follow: Set) -> Callable[[], None]:
        return lambda: self.emit(node, follow)

    def _repeat(self, node: Repeat, follow: Set) -> None:
        if isinstance(node.part, Byte) and node.most > 1:
            self._repeat_byte(node, node.part.among, follow)
            return
        if nullable(node.part):
            raise ValueError("an expression repeats what may be empty")
        again = first_bytes(node.part, follow) | follow
        for _ in range(node.least):
            self.emit(node.part, again)
        if node.most >= MANY:
            self._loop(node, again, follow)
        else:
            self._options(node, node.most - node.least, again, follow)

    def _repeat_byte(self, node: Repeat, among: Set, follow: Set) -> None:
        if among == ALL and not node.lazy and follow == {END} and node.least == 0 and node.most >= MANY:
            self.add(REST)
        elif not among & follow:
            self.add(SPAN, self._set(among), node.least, node.most)
        else:
            self.add(LAZY if node.lazy else GREEDY, self._set(among), node.least, node.most, self._set(follow))

    def _loop(self, node: Repeat, again: Set, follow: Set) -> None:
        begin = len(self._code)

        def body() -> None:
            self.emit(node.part, again)
            self.add(JUMP, begin)

        ways = [(first_bytes(node.part, follow), body), (follow, lambda: None)]
        self._choose(ways[::-1] if node.lazy else ways)

    def _options(self, node: Repeat, count: int, again: Set, follow: Set) -> None:
        if count == 0:
            return

        def body() -> None:
            self.emit(node.part, again if count > 1 else follow)
            self._options(node, count - 1, again, follow)

        ways = [(first_bytes(node.part, follow), body), (follow, lambda: None)]
        self._choose(ways[::-1] if node.lazy else ways)

    def _choose(self, ways: list[tuple[Set, Callable[[], None]]]) -> None:
        """Emit alternatives, each with the bytes it can begin with: only those the next byte allows are tried."""
        switch = self.add(SWITCH, len(self._jumps))
        table = [0] * 257
        self._jumps.append(table)
        begins, ends = [], []
        for _, body in ways:
            begins.append(len(self._code))
            body()
            ends.append(self.add(JUMP))
        chains: dict[tuple[int, ...], int] = {}
        for byte in range(257):
            able = tuple(i for i, (begin, _) in enumerate(ways) if byte in begin)
            if able not in chains:
                chains[able] = self._chain([begins[i] for i in able])
            table[byte] = chains[able]
        for end in ends:
            self._code[end][1] = len(self._code)
        assert switch >= 0

    def _chain(self, begins: list[int]) -> int:
        if not begins:
            return self.add(FAIL)
        if len(begins) == 1:
            return begins[0]
        at = len(self._code)
        for begin in begins[:-2]:
            self.add(SPLIT, begin, len(self._code) + 1)
        self.add(SPLIT, begins[-2], begins[-1])
        return at
