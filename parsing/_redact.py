"""Secrets and personal data out of a batch, before anything else sees it.

Columns are scanned for what may hold a secret (`_scan`), and patterns (`_secrets`, RE2, linear time) run on those texts
only. What is found becomes `<redacted:KIND>`, which the template miner takes for a parameter.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import re2

from parsing import _secrets
from parsing._columns import Ints, Spans, one_chunk
from parsing._secrets import CUSTOM, IBAN_LENGTHS, KIND_OF_NAME, KINDS, NAMES, Rule, check_pattern, mark
from telemetry import REDACTIONS, Batch, SettingsError

_KEY_LINES = 256
"""A private key that begins on a line of its own ends within so many lines, whether or not its last one comes."""
_TURNS = 1024
"""Rows kept to answer `open_key`: more than a parser ever holds back."""
_TEXTS = ("body", "detail", "raw")
_NAMES = ("service", "component", "metric", "operation")

_Count = tuple[str, Ints, Ints]
"""Kind, rows, how many of the kind were redacted in each."""
_Result = tuple[pa.Array, list[_Count]]


class Redactor:
    """Redacts the batches of one partition, in order.

    `kinds`: which of `KINDS` to look for. `patterns`: regular expressions (RE2) of one's own, of kind "custom". Raises
    SettingsError for an unknown kind and for a pattern that cannot be used. The result does not depend on how lines
    are cut into batches: a private key over several lines is followed from one batch to the next.
    """

    def __init__(self, kinds: Sequence[str] = KINDS, patterns: Sequence[str] = ()) -> None:
        if unknown := sorted(set(kinds) - set(KINDS)):
            raise SettingsError(f"redaction kind {unknown[0]!r} is unknown; there are: {', '.join(KINDS)}")
        self._kinds = frozenset(kinds)
        self._steps = [_ruled(rule) for rule in _secrets.RULES if rule.kind in self._kinds]
        self._steps += [step for step in _NUMBERS if step.kind in self._kinds]
        self._patterns = [_ruled(Rule(0, CUSTOM, check_pattern(one), mark(CUSTOM))) for one in patterns]
        self._turns: list[tuple[int, int]] = []  # after each row of a private key: its offset, lines so far (0: ended)

    def clean(self, batch: Batch) -> tuple[Batch, pa.Table]:
        """Return the batch without secrets, and what was redacted where (REDACTIONS)."""
        found: list[pa.Table] = []
        names = ("lines", "metrics", "spans", "dead_letters")
        tables = {name: self._table(getattr(batch, name), found) for name in names}
        if not found:
            return batch, REDACTIONS.empty_table()
        return replace(batch, **tables), pa.concat_tables(found)

    def lines(self, lines: pa.Table) -> pa.Table:
        """Return LINES rows, those after the ones of the last call, without secrets."""
        return self._table(lines, [])

    def open_key(self, position: int) -> int:
        """Return how many lines a private key, not ended below `position`, has so far; 0: none is open there."""
        return next((lines for offset, lines in reversed(self._turns) if offset < position), 0)

    def resume(self, position: int, lines: int) -> None:
        """Go on at `position` with what `open_key` said about it."""
        self._turns = [(position - 1, lines)] if lines else []

    def _table(self, table: pa.Table, found: list[pa.Table]) -> pa.Table:
        if not len(table):
            return table
        offsets = table["offset"].to_numpy()
        for index, name in enumerate(table.column_names):
            counts: list[_Count] = []
            before = one_chunk(table[name])
            if name in _TEXTS:
                after, counts = self._texts(before)
            elif name in _NAMES:
                after, counts = self._names(before)
            elif name == "attributes":
                after, counts = self._maps(before)
            if name == "body":
                after, keys = self._keys(before, after, counts, offsets)
                counts = counts + keys
            if counts:
                table = table.set_column(index, table.schema.field(index), after)
                found += [_redactions(offsets, *count) for count in counts]
        return table

    def _texts(self, texts: pa.Array) -> _Result:
        """Redact texts (strings or bytes)."""
        from parsing._scan import scan

        counts: list[_Count] = []
        every = np.arange(len(texts))
        for step in self._patterns:
            texts = _applied(texts, step, every, counts)
        spans = Spans.of(texts)
        bits = np.zeros(len(texts), np.int64)
        scan(spans.data, spans.begins, spans.ends, bits)
        rows = np.flatnonzero(bits)
        if not len(rows):
            return texts, counts
        few, own = texts.take(pa.array(rows)), bits[rows]
        inner: list[_Count] = []
        for step in self._steps:
            at = np.flatnonzero((own & step.bits) == step.bits)
            if len(at):
                few = _applied(few, step, at, inner)
        if inner:
            texts = pc.replace_with_mask(texts, pa.array(bits != 0), few)
        return texts, counts + [(kind, rows[at], count) for kind, at, count in inner]

    def _names(self, names: pa.Array) -> _Result:
        """Redact a column of few distinct texts."""
        coded = names.dictionary_encode()
        texts, counts = self._texts(coded.dictionary)
        if not counts:
            return names, []
        index = coded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
        spread = []
        for kind, rows, count in counts:
            each = np.zeros(len(texts) + 1, np.int64)  # the last place, -1, is that of null
            each[rows] = count
            at = np.flatnonzero(each[index])
            spread.append((kind, at, each[index][at]))
        return texts.take(coded.indices), spread

    def _maps(self, maps: pa.Array) -> _Result:
        """Redact attributes: values with secrets in them, and those that are secret by their names."""
        ends = maps.offsets.to_numpy()
        if maps.null_count == len(maps) or ends[0] == ends[-1]:
            return maps, []
        keys, values = (part.slice(ends[0], ends[-1] - ends[0]) for part in (maps.keys, maps.items))
        values, named = self._named(keys, values)
        values, counts = self._texts(values)
        counts = named + counts
        if not counts:
            return maps, []
        made = pa.MapArray.from_arrays(pa.array(ends - ends[0]), keys, values, type=maps.type, mask=maps.is_null())
        owner = np.repeat(np.arange(len(maps)), np.diff(ends))
        return made, [(kind, owner[at], count) for kind, at, count in counts]

    def _named(self, keys: pa.Array, values: pa.Array) -> _Result:
        coded = keys.dictionary_encode()
        bits = np.array([_bit_of(name) for name in coded.dictionary.to_pylist()], np.int64)
        if not bits.any():
            return values, []
        own = bits[coded.indices.to_numpy(zero_copy_only=False)]
        fresh = pc.and_(pc.greater(pc.binary_length(values), 0), pc.invert(pc.starts_with(values, "<redacted:")))
        own[~fresh.fill_null(False).to_numpy(zero_copy_only=False)] = 0
        counts: list[_Count] = []
        for bit, kind in KIND_OF_NAME.items():
            rows = np.flatnonzero(own == bit)
            if kind in self._kinds and len(rows):
                values = _put(values, rows, pa.repeat(mark(kind), len(rows)))
                counts.append((kind, rows, np.ones(len(rows), np.int64)))
        return values, counts

    def _keys(self, before: pa.Array, after: pa.Array, counts: list[_Count], offsets: Ints) -> _Result:
        """Redact the further lines of private keys that begin on a line of their own."""
        begins = np.concatenate([np.zeros(0, np.int64), *(rows for kind, rows, _ in counts if kind == "private_key")])
        lines = self._turns[-1][1] if self._turns else 0
        texts: dict[int, str] = {}
        row = 0
        while lines or (at := int(np.searchsorted(begins, row))) < len(begins):
            row = row if lines else int(begins[at])
            if row >= len(before):
                break
            text, lines = _key_line(before[row].as_py(), lines)
            self._turns.append((int(offsets[row]), lines))
            if text is not None:
                texts[row] = text
            row += 1
        del self._turns[:-_TURNS]
        if not texts:
            return after, []
        rows = np.array(list(texts))
        return _put(after, rows, pa.array(texts.values(), pa.string())), [
            ("private_key", rows, np.ones(len(rows), np.int64))
        ]


def _key_line(text: str, lines: int) -> tuple[str | None, int]:
    """Return what becomes of the next line (None: nothing), and how many lines the private key has after it.

    `lines`: how many it has before it; 0: it begins here, and that line is redacted as others are.
    """
    ended = _BLOCK_END.search(text) is not None
    if not lines:
        return None, int(not ended)
    redacted = _BLOCK_ROW.sub(mark("private_key"), text)
    return (None if redacted == text else redacted), 0 if ended or lines >= _KEY_LINES else lines + 1


def _put(values: pa.Array, rows: Ints, texts: pa.Array) -> pa.Array:
    """Return the values with those of some rows, in ascending order, replaced."""
    mask = np.zeros(len(values), np.bool_)
    mask[rows] = True
    return pc.replace_with_mask(values, pa.array(mask), texts.cast(values.type))


def _applied(texts: pa.Array, step: "_Step", rows: Ints, counts: list[_Count]) -> pa.Array:
    """Return the texts with a step done to some rows; what it redacted is added to `counts`."""
    whole = len(rows) == len(texts)
    before = texts if whole else texts.take(pa.array(rows))
    after = step.apply(before)
    token = mark(step.kind)
    count = pc.subtract(pc.count_substring(after, token), pc.count_substring(before, token))
    number = count.fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)
    if not number.any():
        return texts
    counts.append((step.kind, rows[number > 0], number[number > 0]))
    return after if whole else _put(texts, rows, after)


def _redactions(offsets: Ints, kind: str, rows: Ints, count: Ints) -> pa.Table:
    columns = [pa.array(offsets[rows]), pa.repeat(kind, len(rows)), pa.array(count)]
    return pa.table(columns, schema=REDACTIONS)


@lru_cache(maxsize=1 << 12)
def _bit_of(name: str) -> int:
    """Return the bit of an attribute whose value is secret by its name, else 0."""
    lowered = name.lower()
    return next((bit for end, bit in NAMES.items() if lowered.endswith(end)), 0)


# -- what is done to texts ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Step:
    """What is done to texts with all of `bits` set; `apply` maps a string or binary array to one of the same length."""

    bits: int
    kind: str
    apply: Callable[[pa.Array], pa.Array]


def _ruled(rule: Rule) -> _Step:
    return _Step(rule.bits, rule.kind, lambda texts: pc.replace_substring_regex(texts, rule.pattern, rule.replacement))


def _checked(kind: str, bits: int, shape: str, found: Callable[[bytes, int, int], int]) -> _Step:
    """Return the step for numbers with a checksum; `found` says where one that has the shape ends, 0: it is none."""
    pattern, token = re2.compile(shape.encode()), mark(kind).encode()

    def number(match: Any) -> bytes:
        begin, end = match.span()
        stop = found(match.string, begin, end)
        return bytes(token + match.string[stop:end] if stop else match.group())

    def apply(texts: pa.Array) -> pa.Array:
        raw = [pattern.sub(number, text) for text in texts.cast(pa.binary()).to_pylist()]
        return pa.array(raw, pa.binary()).cast(texts.type)

    return _Step(bits, kind, apply)


def _card_end(text: bytes, begin: int, end: int) -> int:
    from parsing._scan import is_card

    return end if is_card(np.frombuffer(text, np.uint8), begin, end, 0, len(text)) else 0


def _iban_end(text: bytes, begin: int, end: int) -> int:
    wanted, at = IBAN_LENGTHS.get(text[begin : begin + 2].decode(), 0), begin
    while wanted and at < end:
        wanted -= text[at] != 32
        at += 1
    number = text[begin:at].replace(b" ", b"").decode()
    if wanted or not number or text[at : at + 1].isalnum():
        return 0
    return at if int("".join(str(int(digit, 36)) for digit in number[4:] + number[:4])) % 97 == 1 else 0


_NUMBERS = (
    _checked("card", _secrets.CARD, _secrets.CARD_SHAPE, _card_end),
    _checked("iban", _secrets.IBAN, _secrets.IBAN_SHAPE, _iban_end),
)
_BLOCK_ROW, _BLOCK_END = re2.compile(_secrets.BLOCK_ROW), re2.compile(_secrets.BLOCK_END)
