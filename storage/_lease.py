"""The maintenance lease: one process at a time looks after a store.

It only saves work. That two maintainers never merge the same files is seen to by the commit itself (`Handle.replace`),
as a lease can be held by a process that was stopped for an hour.
"""

import contextlib
import fcntl
import time
from collections.abc import Iterator
from pathlib import Path

import telemetry
from storage._location import Location
from storage._tables import Handle, store_errors
from telemetry import StoreError

_APP = "maintenance-lease"
LEASE_S = 300
"""How long a lease on an object store lasts: a turn takes seconds, and who dies in one is waited for."""


@contextlib.contextmanager
def lease(location: Location) -> Iterator[bool]:
    """Hold a store's maintenance lease, or yield False where another thread or process holds it."""
    with _locked(location.folder) if location.is_local else _leased(location) as alone:
        yield alone


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[bool]:
    """Hold a file lock: it goes with its process."""
    with store_errors(f"lock {folder}"), (folder / ".maintenance.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


@contextlib.contextmanager
def _leased(location: Location) -> Iterator[bool]:
    """Hold a lease written into the ledger's log: its app id's version is when it ends, in ms since the epoch."""
    handle = Handle(location, "ledger")
    handle.refresh()
    now = round(time.time() * 1000)
    if (handle.position(_APP) or 0) > now or not _write(handle, now + LEASE_S * 1000):
        yield False
        return
    try:
        yield True
    finally:
        _write(handle, 0)


def _write(handle: Handle, until: int) -> bool:
    """Commit the end of the lease; return whether no rival did so first."""
    from deltalake import Transaction
    from deltalake.exceptions import CommitFailedError

    try:
        with store_errors(f"take the maintenance lease at {handle.path}"):
            handle.append(telemetry.LEDGER.empty_table(), [Transaction(_APP, until)])
    except StoreError as error:
        handle.drop()
        if isinstance(error.__cause__, CommitFailedError):
            return False
        raise
    return True
