"""Records from lines: joined bodies and times, and what else is known of them before they have a template."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from parsing._attributes import attribute_column
from parsing._columns import Flags, Ints, Rows, Spans
from parsing._frames import Given
from parsing._headers import Headers
from parsing._jit import Kernels
from parsing._logs import Columns
from parsing._services import NAME_ATTRIBUTE, Services

if TYPE_CHECKING:
    from parsing._parser import Stream

_row_kernels = Kernels("parsing._row_kernels")


@dataclass(slots=True)
class Records:
    """Log records before they have a template; arrays have one entry a record."""

    tailed: Flags | None  # it has continuation lines that are not blank; None: no record has
    stream: Ints
    messages: Spans  # first lines without header
    columns: Columns
    one_service: bool  # all have the same

    @classmethod
    def build(
        cls,
        rows: Given,
        headers: Headers,
        keep: int,
        first: Ints | None,
        number: Ints,
        streams: Sequence["Stream"],
        fallback: str,
        services: Services,
    ) -> "Records":
        """Make records of the first `keep` of `rows`.

        `first`: those that begin one, None being all of them. `number`: the stream of each row. `fallback`: the service
        of records that name none.
        """
        at: Rows = slice(0, keep) if first is None else first
        taken, messages, tailed, stream = rows, headers.spans("message", at), None, number[at]
        bodies = messages
        if first is not None:
            taken = Given.of(rows.batch.take(pa.array(first)))
            bodies, tailed = _joined(headers, messages, first, keep)
        columns = Columns.of(taken, headers, at, bodies, first is None, fallback)
        inherited = _fill_times(columns, headers, at, stream, streams)
        one = columns.one_service if len(streams) == 1 else None
        if one is None or services.admit(one) != one:
            service, refused = services.column(columns.service)
            columns.put_service(service)
            one = None if refused else one
            for record, name in refused.items():
                headers.extra.setdefault(record if first is None else int(first[record]), {})[NAME_ATTRIBUTE] = name
        attributes = attribute_column(taken, headers, at, len(stream), inherited)
        if attributes is not None:
            columns.put("attributes", attributes)
        return cls(tailed, stream, messages, columns, one is not None)

    def origin(self, record: int) -> dict[str, Any]:
        """Return source, partition and offset of a record."""
        return {name: self.columns.lines.batch[name][record].as_py() for name in ("source", "partition", "offset")}


def _joined(headers: Headers, messages: Spans, first: Ints, keep: int) -> tuple[Spans, Flags]:
    """Return the bodies of records, which may have several lines, and which have some that are not blank.

    `messages`: of their first lines, which are `first` of the `keep` lines there are.
    """
    sizes, lines = np.diff(first, append=keep), headers.spans("message", slice(0, keep))
    several, tailed = np.flatnonzero(sizes > 1), np.zeros(len(first), np.bool_)
    texts = []
    for record, begin, count in zip(several.tolist(), first[several].tolist(), sizes[several].tolist(), strict=True):
        parts = [lines.text(row) for row in range(begin, begin + count) if not headers.later[row]]
        texts.append("\n".join(parts))
        tailed[record] = any(part.strip(" \t\n\r\x0b\x0c") for part in parts[1:])
    return messages.replaced(several, texts), tailed


def _fill_times(
    columns: Columns, headers: Headers, at: Rows, number: Ints, streams: Sequence["Stream"]
) -> Flags | None:
    """Set each record's time; return of which ones it is that of the record before it in its stream, None for none.

    In order: the envelope's, the header's, the time of the record before, the observed time.
    """
    inherited, places = np.empty(len(number), np.bool_), columns.lines.places
    last = streams[0].last_us if len(streams) == 1 else np.concatenate([stream.last_us for stream in streams])
    some = _row_kernels.fill_times(
        places, headers.time_us[at], headers.timed[at], number, last, columns.time_us, inherited
    )
    if len(streams) > 1:
        for place, stream in enumerate(streams):
            stream.last_us[:] = last[place]
    return inherited if some else None
