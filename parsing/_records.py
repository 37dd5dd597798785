"""Which lines begin a record and which continue the one before them."""

import numpy as np
import pyarrow.compute as pc

from parsing._columns import Flags, Ints, Spans

MOST_LINES = 500
MOST_BYTES = 1 << 20
"""A record that grows beyond these is cut; what follows is a record of its own."""

_CONTINUES = r"^(?:\s|at |Caused by:|Suppressed:|\.\.\. \d+ (?:more|common)|[)}\]]+[,;]?\s*$|$)"
_OWN_TIME = r"^[\[(\"<]?(?:\d{2,4}[-/.]\d{1,2}[-/. T]|\d{1,2}:\d{2}:\d{2}|\d{6} \d{6}\b|\d{8}[-T]\d)"


def continues(lines: Spans, matched: Flags, headed: Flags) -> Flags:
    """Return which raw lines look like continuations.

    `matched`: the line has a header; `headed`: its stream has shown lines with a header up to this line. A line
    continues if it is indented or begins as stack traces do, or if it lacks the header its stream has; a line that
    begins with a time never does.
    """
    out = ~matched
    rows = np.flatnonzero(out)
    bodies = lines.take(rows).column()
    looks = pc.match_substring_regex(bodies, _CONTINUES).to_numpy(zero_copy_only=False)
    own_time = pc.match_substring_regex(bodies, _OWN_TIME).to_numpy(zero_copy_only=False)
    out[rows] = (looks | headed[rows]) & ~own_time
    return out


def cut_long(starts: Flags, sizes: Ints) -> Flags:
    """Return `starts` with more starts in records beyond the limits on lines and bytes (`sizes`: bytes a line)."""
    if np.count_nonzero(starts) == len(starts):
        return starts
    begins = np.flatnonzero(starts)
    ends = np.append(begins[1:], len(starts))
    total = np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)])
    long = (ends - begins > MOST_LINES) | ((total[ends] - total[begins] > MOST_BYTES) & (ends - begins > 1))
    out = starts.copy()
    for begin, end in zip(begins[long], ends[long], strict=True):
        first = begin
        for row in range(begin + 1, end):
            if row - first >= MOST_LINES or total[row + 1] - total[first] > MOST_BYTES:
                out[row] = True
                first = row
    return out
