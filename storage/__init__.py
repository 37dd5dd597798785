"""Delta Lake tables written with source positions, read back through DuckDB.

`Store.open` creates or finds the tables. A `Writer` appends rows exactly once: every commit carries the positions
it covers, a rival that moved one makes it raise `Fenced`, and rows already stored are dropped when replayed.
A `Reader` answers SQL over views with template lineage and people's edits applied, and scans time ranges.
`compact` merges small files, thins old snapshots and removes what nothing refers to any more.
"""

from storage._edits import Edit, Meaning, in_force
from storage._latest import LogFilter
from storage._lineage import Rule, resolve
from storage._maintenance import Compaction, compact, maintain
from storage._reader import Reader
from storage._repair import Repair
from storage._retention import Retention
from storage._state import Snapshot
from storage._store import Store, TableInfo
from storage._templates import fill, generalised, tidy, words
from storage._writer import CORRELATOR, Move, Writer

__all__ = [
    "CORRELATOR",
    "Compaction",
    "Edit",
    "LogFilter",
    "Meaning",
    "Move",
    "Reader",
    "Repair",
    "Retention",
    "Rule",
    "Snapshot",
    "Store",
    "TableInfo",
    "Writer",
    "compact",
    "fill",
    "generalised",
    "in_force",
    "maintain",
    "resolve",
    "tidy",
    "words",
]
