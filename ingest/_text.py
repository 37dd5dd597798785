"""Bytes to lines of text: one UTF-8 check a chunk, a slow path only for lines that fail it or are too long."""

import re
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import xxhash

from ingest._pieces import bytes_of, cut
from ingest._tables import Ints

_NEWLINE, _RETURN = ord("\n"), ord("\r")
MAX_LINE = 256 * 1024
"""Longer lines are cut to this many bytes and carry the length and hash of the whole."""

ESCAPED, TRUNCATED, HASH = "faultline.escaped", "faultline.truncated", "faultline.xxh3"
_BAD_BYTE = re.compile("[\udc80-\udcff]")
_JSON_ESCAPE = re.compile(rb"\\(.)", re.DOTALL)


@dataclass(frozen=True)
class Lines:
    """Lines as a string column; `notes` are attributes that say what was done to a line, by its index."""

    text: pa.Array
    notes: dict[int, dict[str, str]] = field(default_factory=dict)


def split_lines(data: bytes) -> Lines:
    """Split bytes at newlines (the last line needs none; a carriage return before a newline goes)."""
    try:
        lines = Lines(pc.split_pattern(pa.array([data.decode()]), "\n").flatten())
    except UnicodeDecodeError:
        lines = _split_mixed(data)
    text = pc.utf8_rtrim(lines.text, "\r") if b"\r" in data else lines.text
    if len(data) > MAX_LINE and pc.max(pc.binary_length(text)).as_py() > MAX_LINE:
        return _cut_long(data, text, lines.notes)
    return Lines(text, lines.notes)


def split_column(values: pa.Array) -> tuple[Lines, Ints | None]:
    """Split each value of a binary column at newlines; one at its end ends nothing.

    Return the lines of all of them and how many each gave; None: one each.
    """
    data, edges = bytes_of(values)
    newline = data == _NEWLINE
    last = edges[1:][np.diff(edges) > 0] - 1
    last = last[newline[last]]
    newline[last] = False
    between, ends = np.flatnonzero(newline), edges[1:].copy()
    ends[np.searchsorted(edges, last, side="right") - 1] -= 1
    counts = np.diff(np.searchsorted(between, edges)) + 1 if len(between) else None
    starts, ends = np.sort(np.concatenate((edges[:-1], between + 1))), np.sort(np.concatenate((ends, between)))
    sizes = ends - starts
    try:
        text = cut(data, starts, sizes).cast(pa.string())
    except pa.ArrowInvalid:  # not UTF-8
        text = None
    if text is None or sizes.max(initial=0) > MAX_LINE:
        return split_lines(b"\n".join(value.removesuffix(b"\n") for value in values.to_pylist())), counts
    return Lines(pc.utf8_rtrim(text, "\r") if (data == _RETURN).any() else text), counts


def cut_line(head: bytes, length: int, digest: str) -> Lines:
    """Return the one line that begins with `head` and is `length` bytes long: what of it is kept."""
    text, notes = _decode(head[:MAX_LINE].decode("utf-8", "ignore").encode() if _is_text(head) else head[:MAX_LINE])
    return Lines(pa.array([text], pa.string()), {0: notes | {TRUNCATED: str(length), HASH: digest}})


def _is_text(head: bytes) -> bool:
    """Whether only the cut at the end of `head` can be at fault for bytes that are not UTF-8."""
    try:
        head[:MAX_LINE].decode()
    except UnicodeDecodeError as error:
        return error.start >= min(len(head), MAX_LINE) - 3
    return True


def _split_mixed(data: bytes) -> Lines:
    found = [_decode(line) for line in data.split(b"\n")]
    notes = {i: note for i, (_, note) in enumerate(found) if note}
    return Lines(pa.array([text for text, _ in found], pa.string()), notes)


def _decode(line: bytes) -> tuple[str, dict[str, str]]:
    """Return the text of a line. Where it is not UTF-8, backslashes are doubled and a bad byte becomes \\xNN.

    That can be undone byte for byte. In a JSON object the escapes are written so that they survive JSON decoding.
    """
    try:
        return line.decode(), {}
    except UnicodeDecodeError:
        pass
    bad = "\\x%02x"
    if line.startswith(b"{"):
        line, bad = _JSON_ESCAPE.sub(lambda m: b"\\" * 4 if m[1] == b"\\" else m[0], line), "\\\\x%02x"
    else:
        line = line.replace(b"\\", b"\\\\")
    text = _BAD_BYTE.sub(lambda m: bad % (ord(m[0]) - 0xDC00), line.decode("utf-8", "surrogateescape"))
    return text, {ESCAPED: "bytes"}


def _cut_long(data: bytes, text: pa.Array, notes: dict[int, dict[str, str]]) -> Lines:
    raw, out = data.split(b"\n"), text.to_pylist()
    for i, line in enumerate(raw):
        if len(line) > MAX_LINE:
            cut = cut_line(line, len(line), xxhash.xxh3_128_hexdigest(line))
            out[i], notes = cut.text[0].as_py(), notes | {i: cut.notes[0]}
    return Lines(pa.array(out, pa.string()), notes)
