"""The program with a writer that commits positions apart from the rows: what the soak test must be able to find.

    python careless.py before|after run --source kafka ...

Positions and rows of a table are two commits here, one shortly after the other. It exists for the tests alone.
"""

import sys
import time
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

import storage
from faultline.cli import main
from storage import Writer

PAUSE_S = 0.2


class Careless(Writer):
    """Commits positions `before` or `after` the rows they belong to."""

    when = "after"

    def _append(self, handle: Any, rows: pa.Table, reached: Mapping[str, int]) -> None:
        parts: list[tuple[pa.Table, Mapping[str, int]]] = [(rows, {}), (rows.slice(0, 0), reached)]
        for some, positions in parts if self.when == "after" else parts[::-1]:
            super()._append(handle, some, positions)
            time.sleep(PAUSE_S)


if __name__ == "__main__":
    Careless.when = sys.argv.pop(1)
    storage.Store.writer = lambda self: Careless(self.location)  # type: ignore[method-assign]
    main()
