"""Lines that a container runtime (CRI) wrote in several parts: `P` is followed by more, `F` ends the line.

The parts of standard output and of standard error may alternate. The first part becomes the line; the others are lines
that were joined to it. Which ones depends on the order of lines alone: as long as parts are missing, everything from
the first one on is held back, but for no more than a record may have lines and bytes.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from parsing._columns import Flags, Ints
from parsing._records import MOST_BYTES, MOST_LINES

if TYPE_CHECKING:
    from parsing._headers import Headers

_PART, _OUTPUTS = ord("P"), tuple(b"tr")  # the last letters of stdout and stderr


@dataclass
class Partials:
    """The lines in parts among the rows of a batch."""

    later: Flags  # rows that are parts of a line that began before
    _spans: list[tuple[int, int]] = field(default_factory=list)  # first and last part
    _waiting: list[int] = field(default_factory=list)  # first parts of lines that have no end yet

    def glue(self, headers: "Headers", rows: Ints) -> Ints:
        """Make the message of each first part that of the whole line; return `rows` without the other parts.

        `rows`: those of one stream that a container runtime wrote. What it wrote before a message ends so: `stdout P `.
        """
        begins = headers.spans("message", rows).begins
        partial, output = headers.data[begins - 2] == _PART, headers.data[begins - 4]
        if not partial.any():
            return rows
        for letter in _OUTPUTS:
            mine = output == letter
            own, ends = rows[mine], ~partial[mine]
            line = np.cumsum(ends) - ends
            for parts in np.split(own, np.flatnonzero(np.diff(line)) + 1):
                if len(parts) > 1 or (len(parts) and parts[0] in rows[partial]):
                    self._join(headers, parts)
        headers.settle()
        return rows[~self.later[rows]]

    def _join(self, headers: "Headers", parts: Ints) -> None:
        """Join the parts of one line, cut where it is too long; the last of them may not be its end."""
        sizes = headers.spans("message", parts).sizes
        begin = size = 0
        for at in range(len(parts)):
            if parts[at] - parts[begin] > MOST_LINES or size + sizes[at] > MOST_BYTES:
                self._close(headers, parts[begin:at])
                begin = at
                size = 0
            size += sizes[at]
        self._close(headers, parts[begin:])
        tag = headers.data[headers.spans("message", parts[-1:]).begins[0] - 2]
        if tag == _PART and len(self.later) - parts[begin] <= MOST_LINES:
            self._waiting.append(int(parts[begin]))

    def _close(self, headers: "Headers", parts: Ints) -> None:
        if len(parts) < 2:
            return
        messages = headers.spans("message", parts)
        headers.put_text("message", int(parts[0]), "".join(messages.text(at) for at in range(len(parts))))
        self.later[parts[1:]] = True
        headers.matched[parts[1:]] = False
        self._spans.append((int(parts[0]), int(parts[-1])))

    def held_from(self, keep: int, starts: Flags, offsets: Ints) -> int:
        """Return the row from which on all must be held back, given that those from `keep` on are.

        No line, no record, and no message of the input is taken apart. `starts`: rows that begin a record.
        """
        if not self._waiting and not self._spans:
            return keep
        keep = min([keep, *self._waiting])
        spans = sorted(self._spans, reverse=True)
        before = -1
        while keep != before and keep < len(starts):
            before = keep
            for first, last in spans:
                keep = first if first < keep <= last else keep
            keep = int(np.flatnonzero(starts[: keep + 1])[-1])
            keep = int(np.searchsorted(offsets, offsets[keep]))
        return keep
