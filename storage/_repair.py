"""Repair at start: a data file that is missing or cut short is found before anything is read or written.

The table goes back to its newest version without the file, and its positions with it, so that what came after is read
again from the source. A file that is older than the versions that can still be read is given up: its rows are lost to
the store, and that is said. `_check` says what is found at a start, and what by reading every file in full.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import telemetry
from storage import _views
from storage._check import Check
from storage._files import DataFile, Files, restated
from storage._location import Location
from storage._sql import connect
from storage._tables import Handle, Superseded, store_errors
from storage._writer import CORRELATOR
from telemetry import StoreError

_log = logging.getLogger(__name__)

NOT_READ_AGAIN = ("edits", "state")  # their rows come from no source
_MEMORY = "512MiB"
_ATTEMPTS = 5
Positions = dict[str, int]


@dataclass(frozen=True)
class Repair:
    """What was done to one table: broken files, their rows, and whether these are to be read again (else given up)."""

    table: str
    files: int
    rows: int
    read_again: bool


def repair(location: Location, full: bool = False, opened: Mapping[str, Handle] | None = None) -> list[Repair]:
    """Look for broken files in all tables and mend the tables; return what was done. Raises StoreError.

    `full`: read every file whole. `opened`: tables that are open already. Several processes may start at once: who
    comes second finds it done.
    """
    from deltalake.exceptions import CommitFailedError

    handles = {name: Handle(location, name) for name in telemetry.TABLES} | dict(opened or {})
    for _ in range(_ATTEMPTS):
        try:
            return _repair(location, handles, Check(location, full))
        except StoreError as error:
            if not isinstance(error, Superseded) and not isinstance(error.__cause__, CommitFailedError):
                raise
    raise StoreError(f"cannot repair {location}: other processes keep coming in between; start one alone")


def broken_files(handles: Iterable[Handle], location: Location, check: Check) -> Iterator[tuple[str, DataFile, str]]:
    """Yield table, file and what is wrong for each data file of tables that is broken. Raises StoreError."""
    location.each(Handle.refresh, handles)
    files = {handle.name: handle.files().each() for handle in handles}
    with store_errors(f"look at the files of {location}"):  # after the tables: what these name must be there
        for name, present in files.items():
            for file in present:
                if wrong := check.wrong(name, file):
                    yield name, file, wrong


def _repair(location: Location, handles: Mapping[str, Handle], check: Check) -> list[Repair]:
    broken: dict[str, list[DataFile]] = {name: [] for name in handles}
    for name, file, wrong in broken_files(handles.values(), location, check):
        _log.error("table %s: %s is broken: %s", name, file.name, wrong)
        broken[name].append(file)
    if not any(broken.values()):
        return []
    apps = known_apps(location)
    done, back = [], Positions()
    for name in (name for name, found in broken.items() if found):
        positions = _mend(location, handles[name], broken[name], check, apps)
        done.append(Repair(name, len(broken[name]), sum(file.rows for file in broken[name]), positions is not None))
        for app, position in (positions or {}).items() if name not in NOT_READ_AGAIN else ():
            back[app] = min(position, back.get(app, position))
    hold_back(handles["ledger"], back)
    return done


def known_apps(location: Location) -> list[str]:
    """Return the app ids that the ledger knows, as far as its files are whole."""
    ledger, check = Handle(location, "ledger"), Check(location)
    files = [file for file in ledger.files().each() if not check.wrong("ledger", file)]
    with connect(location, _MEMORY) as connection:
        paths = [f"{ledger.path}/{file.name}" for file in files]
        sql = f"SELECT DISTINCT app_id FROM {_views.source('ledger', paths)}"  # noqa: S608 - our own names
        return sorted({CORRELATOR} | {app for (app,) in connection.execute(sql).fetchall()})


def _mend(
    location: Location, handle: Handle, broken: list[DataFile], check: Check, apps: list[str]
) -> Positions | None:
    """Take a table back to its newest whole version and return the positions that has; None: gave the files up."""
    good = _last_good(location, handle, broken, check, apps)
    now = set(handle.files().names)
    if good is None:
        with store_errors(f"take broken files out of the table {handle.path}"):
            handle.replace([file.name for file in broken], [], [], changed=True)
        _log.error("table %s: gave up %s; its rows are lost to this store", handle.name, _described(broken))
        return None
    version, files, positions = good
    _back(handle, now, files, positions)
    _log.error(
        "table %s: found broken %s; went back to version %d to read again from there: what the source no longer has "
        "is lost",
        handle.name,
        _described(broken),
        version,
    )
    return positions


def _back(handle: Handle, now: set[str], files: list[DataFile], positions: Positions) -> None:
    from deltalake import Transaction

    then = {file.name for file in files}
    returned = [restated(handle.name, file) for file in files if file.name not in now]
    moves = [Transaction(app, position) for app, position in positions.items()]
    with store_errors(f"take the table {handle.path} back"):
        handle.replace(sorted(now - then), returned, moves, changed=True)


def _last_good(
    location: Location, handle: Handle, broken: list[DataFile], check: Check, apps: list[str]
) -> tuple[int, list[DataFile], Positions] | None:
    """Return the newest version whose files are whole, its files and positions; None: none that can still be read."""
    from deltalake.exceptions import DeltaError

    gone = {file.name for file in broken}
    for version in range(handle.version - 1, -1, -1):
        try:
            table = location.table(handle.name, version)
        except DeltaError:  # its part of the log has been cleaned up, and so have those before
            return None
        files = Files.of(table, handle.name, handle.path).each()
        if gone.isdisjoint(file.name for file in files) and not any(check.wrong(handle.name, file) for file in files):
            # An app id that was not there yet goes back to its first position: a version cannot be taken away.
            held = [app for app in apps if handle.position(app) is not None]
            return version, files, {app: table.transaction_version(app) or 0 for app in held}
    return None


def hold_back(ledger: Handle, positions: Positions) -> None:
    """Let the ledger say that sources are to be read again from these positions, where it says more."""
    from deltalake import Transaction

    ledger.drop()
    lower = {app: position for app, position in positions.items() if (ledger.position(app) or 0) > position}
    if lower:
        with store_errors(f"write to the table {ledger.path}"):
            ledger.append(telemetry.LEDGER.empty_table(), [Transaction(*move) for move in sorted(lower.items())])


def _described(files: list[DataFile]) -> str:
    times = [datetime.fromtimestamp(us / 1e6, UTC).isoformat(timespec="seconds") for us in _span(files)]
    return f"{len(files)} files with {sum(file.rows for file in files)} rows from {times[0]} to {times[1]}"


def _span(files: list[DataFile]) -> tuple[int, int]:
    return min(file.first for file in files), max(file.last for file in files)
