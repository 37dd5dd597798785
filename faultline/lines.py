"""`faultline parse`: one log file through the sources and the parser of the live pipeline, one row an input line."""

import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from telemetry import LINES, SourceError

if TYPE_CHECKING:
    from parsing import ParserSettings, Redactor
    from telemetry import Batch

Ints = npt.NDArray[np.int64]
STDIN = Path("-")


@dataclass(frozen=True)
class ParsedFile:
    """Rows of schema `parsing.PARSED_LINES`, one a line of the file in order; how its headers were read, in words.

    `cut`: lines that were longer than is kept of a line; `escaped`: lines with bytes that are not UTF-8.
    """

    rows: pa.Table
    explanation: str
    cut: int
    escaped: int


def parse_file(
    path: Path,
    service: str | None,
    settings: "ParserSettings",
    on_lines: Callable[[int], None] = lambda _: None,
    redactor: "Redactor | None" = None,
) -> ParsedFile:
    """Parse a log file to its end; `on_lines` is told how many lines were read so far.

    `-` is standard input, read to its end first. A blank line goes with the record before it. A line that begins like
    JSON and is none is taken as it stands.
    Raises SourceError if the file cannot be read or holds no log lines.
    """
    from parsing import Parser, explain, parse_lines

    if path == STDIN:
        with _spooled() as copy:
            return parse_file(copy, service, settings, on_lines, redactor)
    starts = _line_starts(path)
    parser = Parser(settings)
    notes: Counter[str] = Counter()
    lines = _lines(path, service, starts, on_lines, notes)
    rows = parse_lines(map(redactor.lines, lines) if redactor else lines, parser)
    if not len(rows):
        raise SourceError(f"cannot parse {path}: it holds no line that is not blank")
    noted = notes["faultline.truncated"], notes["faultline.escaped"]
    return ParsedFile(_with_blank_lines(rows, len(starts)), explain(parser), *noted)


@contextmanager
def _spooled() -> Iterator[Path]:
    """Yield a file that holds what comes on standard input: lines are numbered, and read, as those of a file."""
    with tempfile.TemporaryDirectory(prefix="faultline-") as folder:
        copy = Path(folder, "stdin")  # a name that names no service
        with copy.open("wb") as file:
            shutil.copyfileobj(sys.stdin.buffer, file)
        yield copy


def _line_starts(path: Path) -> Ints:
    """Return the byte offset at which each line begins, in the text that a compressed file holds."""
    from ingest import line_starts

    if path.exists() and not path.is_file():  # opening a pipe would wait for its writer
        raise SourceError(f"cannot parse {path}: want a regular file, or - for standard input")
    try:
        return line_starts(path)
    except OSError as error:
        raise SourceError(f"cannot read {path}: {error.strerror}") from None


def _lines(
    path: Path, service: str | None, starts: Ints, on_lines: Callable[[int], None], notes: "Counter[str]"
) -> Iterator[pa.Table]:
    """Yield LINES batches with their line numbers, rejected lines among them; count what was done to lines."""
    from ingest import FilesSource

    read = 0
    with closing(FilesSource([path], once=True, service=service, any_time=True)) as source:
        source.seek({})
        while not source.finished:
            for batch in source.poll(0, {}):
                notes.update(_notes(batch.lines["attributes"]))
                yield _with_rejected(batch, path, starts)
                read += batch.read
                on_lines(read)
        if source.skipped:
            raise SourceError(f"cannot parse {path}: {source.skipped[0][1]}")


def _notes(attributes: pa.ChunkedArray) -> list[str]:
    """Return the notes of the source about its lines (`faultline.truncated`, ...), one for each."""
    if attributes.null_count == len(attributes):
        return []
    keys = pa.concat_arrays([chunk.keys for chunk in attributes.chunks])
    found: list[str] = keys.filter(pc.starts_with(keys, "faultline.")).to_pylist()
    return found


def _with_rejected(batch: "Batch", path: Path, starts: Ints) -> pa.Table:
    if len(batch.metrics) or len(batch.spans) or pc.any(pc.is_null(batch.lines["line"])).as_py():
        raise SourceError(f"cannot parse {path}: want a text file of log lines; `faultline run` reads other telemetry")
    letters = batch.dead_letters
    if not len(letters):
        return batch.lines
    raw = [value.decode("utf-8", "backslashreplace") for value in letters["raw"].to_pylist()]
    service = batch.lines["service"][0] if len(batch.lines) else None
    columns = {
        "observed_time": letters["time"],
        "service": pa.repeat(pa.scalar(None, pa.string()) if service is None else service, len(letters)),
        "body": pa.array(raw, pa.string()),
        "line": pa.array(np.searchsorted(starts, letters["offset"].to_numpy()) + 1),
        "structured": pa.repeat(False, len(letters)),
        **{name: letters[name] for name in ("source", "partition", "offset")},
    }
    rows = pa.table([columns.get(f.name, pa.nulls(len(letters), f.type)) for f in LINES], schema=LINES)
    return pa.concat_tables([batch.lines, rows]).sort_by("offset")


def _with_blank_lines(rows: pa.Table, total: int) -> pa.Table:
    """Return `total` rows: a blank line, which has none of its own, gets that of the line before, with no message."""
    if len(rows) == total:
        return rows
    wanted = np.arange(1, total + 1)
    numbers = rows["line"].to_numpy()
    at = np.maximum(np.searchsorted(numbers, wanted, side="right") - 1, 0)
    there = pa.array(numbers[at] == wanted)
    filled = rows.take(pa.array(at))
    messages = pc.if_else(there, filled["message"].combine_chunks(), "")
    for name, column in (("line", pa.array(wanted)), ("message", messages)):
        index = rows.schema.get_field_index(name)
        filled = filled.set_column(index, rows.schema.field(index), column)
    return filled
