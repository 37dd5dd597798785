"""Torn logs: a table's last log entries or its checkpoint were cut short or zeroed, as a loss of power leaves them.

Delta Lake takes an empty entry for a commit without rows, so this is looked for before a table is opened. A torn entry
and those after it are moved aside: the table is what it was before, and so are its positions. The ledger is held back
to them first, so that the source is read again from there. An object store writes an entry whole or not at all.
"""

import json
import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import telemetry
from storage._location import Location
from storage._repair import NOT_READ_AGAIN, Positions, hold_back, known_apps
from storage._tables import Handle, store_errors

if TYPE_CHECKING:
    from deltalake import DeltaTable

_log = logging.getLogger(__name__)
_ASIDE = ".torn"
"""Folder of the store that torn log files are moved to."""


def mend_logs(location: Location) -> list[str]:
    """Move torn log entries and checkpoints of all tables aside; return the names of the tables that had any.

    Call before any table is opened. Raises StoreError where a table cannot be mended.
    """
    if not location.is_local:
        return []
    # The ledger first: without its torn entry its positions are lower, which only has more read again.
    names = sorted((name for name in telemetry.TABLES if location.has_table(name)), key=lambda name: name != "ledger")
    with store_errors(f"look at the logs of {location}"):
        return [name for name in names if _mend(location, name)]


def _mend(location: Location, name: str) -> bool:
    log = Path(location.of(name)) / "_delta_log"
    checkpoints = _torn_checkpoints(log)
    if checkpoints:
        _move_aside(location, name, [*checkpoints, log / "_last_checkpoint"])
    entries = _torn_entries(log)
    if not entries:
        return bool(checkpoints)
    if name != "ledger" and name not in NOT_READ_AGAIN:
        hold_back(Handle(location, "ledger"), _positions(location, name, entries[0]))
    _move_aside(location, name, entries)
    _log.error("table %s: its last %d log entries were torn; what they held is read again", name, len(entries))
    return True


def _torn_checkpoints(log: Path) -> list[Path]:
    """Return the newest checkpoints that cannot be read."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    torn = []
    for path in sorted(log.glob("*.checkpoint.parquet"), reverse=True):
        try:
            pq.read_metadata(path)
            break
        except FileNotFoundError:  # the maintainer of a running worker has dropped it
            continue
        except (pa.ArrowException, OSError):
            torn.append(path)
    return torn


def _torn_entries(log: Path) -> list[Path]:
    """Return the first torn entry after the newest checkpoint, and all that follow it: they build on it."""
    covered = max((path.name[:20] for path in log.glob("*.checkpoint.parquet")), default="")
    entries = sorted(path for path in log.glob("*.json") if path.stem > covered)
    first = next((n for n, path in enumerate(entries) if _is_torn(path)), len(entries))
    return entries[first:]


def _is_torn(path: Path) -> bool:
    try:
        lines = [line for line in path.read_bytes().split(b"\n") if line]
        return not lines or not all(isinstance(json.loads(line), dict) for line in lines)
    except FileNotFoundError:  # the maintainer of a running worker has dropped it
        return False
    except ValueError:
        return True


def _positions(location: Location, name: str, torn: Path) -> Positions:
    """Return where each app id stands without a table's torn entries.

    One that the table does not know may have come with them: it stands where it was some minutes before.
    """
    table = location.table(name, int(torn.stem) - 1) if int(torn.stem) else None
    before = _oldest_ledger(location)
    found = {}
    for app in known_apps(location):
        own = table.transaction_version(app) if table else None
        found[app] = own if own is not None else before.transaction_version(app) or 0
    return found


def _oldest_ledger(location: Location) -> "DeltaTable":
    """Return the ledger as far back as its log can be read: by the log's retention at least, or to its beginning."""
    log = Path(location.of("ledger")) / "_delta_log"
    if (log / f"{0:020d}.json").exists():
        return location.table("ledger", 0)
    return location.table("ledger", min(int(path.name[:20]) for path in log.glob("*.checkpoint.parquet")))


def _move_aside(location: Location, name: str, paths: Sequence[Path]) -> None:
    """Move files out of a table's log, the last one first: a log that ends earlier is whole at every moment."""
    aside = location.folder / _ASIDE
    aside.mkdir(exist_ok=True)
    for path in reversed(paths):
        if path.exists():
            os.replace(path, aside / f"{name}-{path.name}")
