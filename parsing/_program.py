"""Header expressions as small programs that compiled code runs over bytes (`_vm`).

The expressions are RE2's, of which layouts use a part: literals, classes, groups, alternatives, greedy and lazy
repetition. A program finds what RE2 finds: the first match in the order in which a backtracking matcher tries. What
can follow a repetition is known when it is compiled, so that most never have to be taken back.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Set = frozenset[int]  # bytes; END: the end of the text
END = 256
SET, SPAN, GREEDY, LAZY, SPLIT, SAVE, SWITCH, AT_END, BORDER, REST, DONE, FAIL, JUMP = range(13)
COLUMNS = 6
_MANY = 1 << 30
_ALL = frozenset(range(256))
_DIGITS = frozenset(b"0123456789")
_WORD = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_") | _DIGITS
_BLANK = frozenset(b"\t\n\f\r ")
_CLASSES = {
    "d": _DIGITS,
    "D": _ALL - _DIGITS,
    "w": _WORD,
    "W": _ALL - _WORD,
    "s": _BLANK,
    "S": _ALL - _BLANK,
}
_CONTROLS = {"t": 9, "n": 10, "r": 13, "f": 12, "v": 11}


class Byte(NamedTuple):
    """One byte of a set."""

    among: Set


class Cat(NamedTuple):
    """Parts one after the other."""

    parts: tuple["Node", ...]


class Alt(NamedTuple):
    """The first of these that lets the whole match."""

    parts: tuple["Node", ...]


class Repeat(NamedTuple):
    """A part from `least` to `most` times."""

    part: "Node"
    least: int
    most: int
    lazy: bool


class Group(NamedTuple):
    """A part whose place is wanted."""

    number: int
    part: "Node"


class Edge(NamedTuple):
    """The end of the text, or a border of a word."""

    end: bool


Node = Byte | Cat | Alt | Repeat | Group | Edge


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
    reader = _Reader(regex)
    node = reader.alternatives()
    if reader.at < len(regex):
        raise ValueError(f"expression {regex!r} has {regex[reader.at]!r} at {reader.at}")
    maker = _Maker()
    maker.emit(node, frozenset((END,)))
    maker.add(DONE)
    return maker.program(tuple(reader.groups))


@dataclass
class _Reader:
    """Reads an expression into nodes."""

    text: str
    at: int = 0
    groups: list[str] = field(default_factory=list)
    any_case: bool = False

    def alternatives(self) -> Node:
        parts = [self._sequence()]
        while self._taken("|"):
            parts.append(self._sequence())
        return _either(parts)

    def _taken(self, mark: str) -> bool:
        if self.text.startswith(mark, self.at):
            self.at += len(mark)
            return True
        return False

    def _sequence(self) -> Node:
        parts: list[Node] = []
        while self.at < len(self.text) and self.text[self.at] not in "|)":
            parts += self._repeated(self._atom())
        return Cat(tuple(parts))

    def _atom(self) -> list[Node]:
        mark = self.text[self.at]
        self.at += 1
        if mark == "(":
            return [self._group()]
        if mark == "[":
            return [Byte(self._class())]
        if mark == ".":
            return [Byte(_ALL)]
        if mark == "$":
            return [Edge(end=True)]
        if mark == "\\":
            return self._escape()
        return self._literal(mark)

    def _group(self) -> Node:
        if self._taken("?:"):
            return self._closed(self.alternatives())
        if self._taken("?i:"):
            before, self.any_case = self.any_case, True
            node = self._closed(self.alternatives())
            self.any_case = before
            return node
        if self._taken("?P<"):
            end = self.text.index(">", self.at)
            number = len(self.groups)
            self.groups.append(self.text[self.at : end])
            self.at = end + 1
            return Group(number, self._closed(self.alternatives()))
        raise ValueError(f"expression {self.text!r} has a group of an unknown kind at {self.at}")

    def _closed(self, node: Node) -> Node:
        if not self._taken(")"):
            raise ValueError(f"expression {self.text!r} lacks ) at {self.at}")
        return node

    def _literal(self, char: str) -> list[Node]:
        if self.any_case and char.isascii():
            return [Byte(frozenset((char.lower() + char.upper()).encode()))]
        return [Byte(frozenset((byte,))) for byte in char.encode()]

    def _escape(self) -> list[Node]:
        char = self.text[self.at]
        self.at += 1
        if char == "b":
            return [Edge(end=False)]
        if char in _CLASSES:
            return [Byte(_CLASSES[char])]
        if char == "x":
            return self._literal(self._code_point())
        return self._literal(chr(_CONTROLS[char]) if char in _CONTROLS else char)

    def _code_point(self) -> str:
        if self._taken("{"):
            end = self.text.index("}", self.at)
            digits, self.at = self.text[self.at : end], end + 1
        else:
            digits, self.at = self.text[self.at : self.at + 2], self.at + 2
        return chr(int(digits, 16))

    def _class(self) -> Set:
        negated = self._taken("^")
        found: set[int] = set()
        while not self._taken("]"):
            low = self._class_item()
            following = self.text[self.at + 1 : self.at + 2]
            if len(low) == 1 and self.text[self.at] == "-" and following != "]":
                self.at += 1
                high = self._class_item()
                found |= set(range(min(low), max(high) + 1))
            else:
                found |= low
        return _ALL - found if negated else frozenset(found)

    def _class_item(self) -> Set:
        char = self.text[self.at]
        self.at += 1
        if char != "\\":
            if not char.isascii():
                raise ValueError(f"expression {self.text!r} has {char!r} in a class")
            return frozenset(char.encode())
        [node] = self._escape()
        assert isinstance(node, Byte)
        return node.among

    def _repeated(self, atom: list[Node]) -> list[Node]:
        """Return the atom with what quantifies it; of a character of several bytes that is all of them."""
        if self._taken("*"):
            least, most = 0, _MANY
        elif self._taken("+"):
            least, most = 1, _MANY
        elif self._taken("?"):
            least, most = 0, 1
        elif self._taken("{"):
            end = self.text.index("}", self.at)
            low, comma, high = self.text[self.at : end].partition(",")
            self.at = end + 1
            least, most = int(low), int(high) if high else _MANY if comma else int(low)
        else:
            return [_character(node) for node in atom]
        part = atom[0] if len(atom) == 1 else Cat(tuple(atom))
        if most < _MANY:
            part = _character(part)
        return [Repeat(part, least, most, self._taken("?"))]


_NEXT = Byte(frozenset(range(128, 192)))
_LONGER = tuple(
    Cat((Byte(frozenset(range(low, high))), *[_NEXT] * following))
    for low, high, following in ((192, 224, 1), (224, 240, 2), (240, 256, 3))
)


def _character(node: Node) -> Node:
    """Return what matches one character of a class with characters of several bytes in it.

    Where a class is repeated without limit, its bytes do as well.
    """
    if isinstance(node, Byte) and len(node.among) > 128:
        return Alt((Byte(frozenset(byte for byte in node.among if byte < 128)), *_LONGER))
    return node


def _either(parts: list[Node]) -> Node:
    """Return a choice, what alternatives side by side begin with written once: then the next byte mostly decides."""
    found: list[Node] = []
    run: list[tuple[Node, ...]] = []
    for part in parts:
        nodes = part.parts if isinstance(part, Cat) else (part,)
        if nodes and isinstance(nodes[0], Byte):
            run.append(nodes)
            continue
        found += [*_factored(run), part]
        run = []
    found += _factored(run)
    return found[0] if len(found) == 1 else Alt(tuple(found))


def _factored(parts: list[tuple[Node, ...]]) -> list[Node]:
    by_head: dict[Node, list[tuple[Node, ...]]] = {}
    for nodes in parts:
        by_head.setdefault(nodes[0], []).append(nodes[1:])
    heads = [head.among for head in by_head if isinstance(head, Byte)]
    if sum(map(len, heads)) > len(frozenset().union(*heads)):  # some bytes begin alternatives of several kinds
        return [Cat(nodes) for nodes in parts]
    return [
        Cat((head, *rests[0])) if len(rests) == 1 else Cat((head, _either([Cat(rest) for rest in rests])))
        for head, rests in by_head.items()
    ]


def _nullable(node: Node) -> bool:
    match node:
        case Byte():
            return False
        case Edge():
            return not node.end
        case Cat():
            return all(_nullable(part) for part in node.parts)
        case Alt():
            return any(_nullable(part) for part in node.parts)
        case Repeat():
            return node.least == 0 or _nullable(node.part)
        case Group():
            return _nullable(node.part)


def _first(node: Node, follow: Set) -> Set:
    """Return the bytes a match of `node` and what follows it can begin with."""
    match node:
        case Byte():
            return node.among
        case Edge():
            return frozenset((END,)) if node.end else follow
        case Cat():
            for part in reversed(node.parts):
                follow = _first(part, follow)
            return follow
        case Alt():
            return frozenset().union(*(_first(part, follow) for part in node.parts))
        case Repeat():
            first = _first(node.part, follow)
            return first | follow if node.least == 0 else first
        case Group():
            return _first(node.part, follow)


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
                self.add(AT_END) if node.end else self.add(BORDER, self._set(_WORD))
            case Cat():
                follows = [follow]
                for part in reversed(node.parts[1:]):
                    follows.append(_first(part, follows[-1]))
                for part, after in zip(node.parts, reversed(follows), strict=False):
                    self.emit(part, after)
            case Group():
                self.add(SAVE, 2 * node.number)
                self.emit(node.part, follow)
                self.add(SAVE, 2 * node.number + 1)
            case Alt():
                self._choose([(_first(one, follow), self._emitter(one, follow)) for one in node.parts])
            case Repeat():
                self._repeat(node, follow)

    def _emitter(self, node: Node, follow: Set) -> Callable[[], None]:
        return lambda: self.emit(node, follow)

    def _repeat(self, node: Repeat, follow: Set) -> None:
        if isinstance(node.part, Byte) and node.most > 1:
            self._repeat_byte(node, node.part.among, follow)
            return
        if _nullable(node.part):
            raise ValueError("an expression repeats what may be empty")
        first = _first(node.part, follow)
        again = first | follow
        for _ in range(node.least):
            self.emit(node.part, again)
        if node.most >= _MANY:
            self._loop(node, again, follow)
        else:
            self._options(node, node.most - node.least, again, follow)

    def _repeat_byte(self, node: Repeat, among: Set, follow: Set) -> None:
        if among == _ALL and not node.lazy and follow == {END} and node.least == 0 and node.most >= _MANY:
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

        ways = [(_first(node.part, follow), body), (follow, lambda: None)]
        self._choose(ways[::-1] if node.lazy else ways)

    def _options(self, node: Repeat, count: int, again: Set, follow: Set) -> None:
        if count == 0:
            return

        def body() -> None:
            self.emit(node.part, again if count > 1 else follow)
            self._options(node, count - 1, again, follow)

        ways = [(_first(node.part, follow), body), (follow, lambda: None)]
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
            able = tuple(i for i, (first, _) in enumerate(ways) if byte in first)
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
