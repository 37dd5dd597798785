"""Header expressions as nodes: what layouts use of RE2's syntax, and what a match of it can begin with."""

from dataclasses import dataclass, field
from typing import NamedTuple

Set = frozenset[int]  # bytes; END: the end of the text
END = 256
MANY = 1 << 30
ALL = frozenset(range(256))
_DIGITS = frozenset(b"0123456789")
WORD = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_") | _DIGITS
_BLANK = frozenset(b"\t\n\f\r ")
_CLASSES = {
    "d": _DIGITS,
    "D": ALL - _DIGITS,
    "w": WORD,
    "W": ALL - WORD,
    "s": _BLANK,
    "S": ALL - _BLANK,
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


def read(regex: str) -> tuple[Node, tuple[str, ...]]:
    """Return an expression and the names of its groups. Raises ValueError for syntax that layouts do not use."""
    reader = _Reader(regex)
    node = reader.alternatives()
    if reader.at < len(regex):
        raise ValueError(f"expression {regex!r} has {regex[reader.at]!r} at {reader.at}")
    return node, tuple(reader.groups)


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
            return [Byte(ALL)]
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
        return ALL - found if negated else frozenset(found)

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
            least, most = 0, MANY
        elif self._taken("+"):
            least, most = 1, MANY
        elif self._taken("?"):
            least, most = 0, 1
        elif self._taken("{"):
            end = self.text.index("}", self.at)
            low, comma, high = self.text[self.at : end].partition(",")
            self.at = end + 1
            least, most = int(low), int(high) if high else MANY if comma else int(low)
        else:
            return [_character(node) for node in atom]
        part = atom[0] if len(atom) == 1 else Cat(tuple(atom))
        if most < MANY:
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


def nullable(node: Node) -> bool:
    match node:
        case Byte():
            return False
        case Edge():
            return not node.end
        case Cat():
            return all(nullable(part) for part in node.parts)
        case Alt():
            return any(nullable(part) for part in node.parts)
        case Repeat():
            return node.least == 0 or nullable(node.part)
        case Group():
            return nullable(node.part)


def first_bytes(node: Node, follow: Set) -> Set:
    """Return the bytes a match of `node` and what follows it can begin with."""
    match node:
        case Byte():
            return node.among
        case Edge():
            return frozenset((END,)) if node.end else follow
        case Cat():
            for part in reversed(node.parts):
                follow = first_bytes(part, follow)
            return follow
        case Alt():
            return frozenset().union(*(first_bytes(part, follow) for part in node.parts))
        case Repeat():
            begin = first_bytes(node.part, follow)
            return begin | follow if node.least == 0 else begin
        case Group():
            return first_bytes(node.part, follow)
